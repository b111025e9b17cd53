"""Whom an address names; how ids and texts get into paths, queries and filters, and stay there.

Escaping and origins must live here and nowhere else; what is asked for, this room must not know.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import msgspec

from hooks.core.errors import MalformedError, SettingsError


def path(*parts: str) -> str:
    """Segments below the origin, each percent-encoded: ``/api/v1/users/00u…``.

    Raises: MalformedError for a segment that servers resolve instead of read.
    """
    if any(part in ("", ".", "..") for part in parts):
        raise MalformedError("not a segment of a path")
    return "/" + "/".join(map(_segment, parts))


@lru_cache(maxsize=4096)  # most segments are the words of a path, or groups
def _segment(part: str) -> str:
    return quote(part, safe="")


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


def equals_any(attribute: str, texts: Iterable[str]) -> str:
    """The same for any of several values."""
    return " or ".join(equals(attribute, each) for each in sorted(texts))


def instant(at: datetime) -> str:
    """An instant in a query: UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def origin_of(url: str) -> str:
    """Scheme, host and port in one spelling; http only to this machine itself.

    Raises: SettingsError for an address with more in it, or http off loopback.
    """
    parts: SplitResult = urlsplit(url)
    host = parts.hostname or ""
    if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc:
        raise SettingsError("a vendor's address must be scheme, host and port")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise SettingsError("a vendor's address must be scheme, host and port, and no more")
    if parts.scheme == "http" and not _loopback(host):
        raise SettingsError("plain http is for this machine only")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
