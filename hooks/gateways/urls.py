"""How ids and texts get into paths, queries and filters, and can never break out of them.

Escaping must live here and nowhere else; what is asked for, this room must not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

import msgspec

from hooks.core.errors import MalformedError


def path(*parts: str) -> str:
    """Segments below the origin, each percent-encoded: ``/api/v1/users/00u…``.

    Raises: MalformedError for a segment that servers resolve instead of read.
    """
    if any(part in ("", ".", "..") for part in parts):
        raise MalformedError("not a segment of a path")
    return "/" + "/".join(quote(part, safe="") for part in parts)


def with_query(target: str, query: Mapping[str, str | int]) -> str:
    """The target with a query, blanks as ``%20``."""
    return f"{target}?{urlencode(query, quote_via=quote, safe='')}" if query else target


def equals(attribute: str, text: str) -> str:
    """A SCIM filter for one attribute's exact value.

    Source: RFC 7644 section 3.4.2.2, which takes JSON's rules for the string.
    Raises: MalformedError for text that is no Unicode (half a surrogate pair).
    """
    try:
        return f"{attribute} eq {msgspec.json.encode(str(text)).decode()}"
    except UnicodeEncodeError:
        raise MalformedError("not a text that can be asked for") from None
