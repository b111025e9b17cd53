"""What the vendors' answers say beside their content: error codes, next links, JSON at all.

Their five error envelopes and their paging headers must be known here and nowhere else; who is
asked, and what for, this room must not know.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from hooks.core.errors import IncompleteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

#: What a code looks like. Prose has blanks, addresses an @, names a dot; none gets through.
_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: Where the codes are, most telling first. ``errorCode``: Okta. ``scimType``: RFC 7644 section
#: 3.12; ``scimErrorType``: Atlassian's answer to a bad group PUT. ``code``: Atlassian's
#: organization and gateway answers. ``error``: RFC 6749 section 5.2, and Atlassian's
#: ``{error, traceId}`` where it is mostly prose and then dropped.
_KEYS = ("errorCode", "scimType", "scimErrorType", "code", "error")

#: One link-value. Source: RFC 8288 section 3; a comma may stand inside the brackets.
_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[\w*-]+\s*(?:=\s*(?:"[^"]*"|[^\s",;]*))?)*)')
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]*))', re.IGNORECASE)
_NEXT = re.compile(r'rel\s*=\s*"?[^";,<>]*\bnext\b', re.IGNORECASE)


def code_of(body: bytes) -> str:
    """The vendor's error code in any of the envelopes, or empty; total, and never prose."""
    try:
        envelope = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return next(_codes(envelope), "")


def _codes(envelope: Any) -> Iterator[str]:
    if isinstance(envelope, list):
        envelope = envelope[0] if envelope else None
    if not isinstance(envelope, dict):
        return
    for key in _KEYS:
        value = envelope.get(key)
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if isinstance(text, str) and _CODE.fullmatch(text):
            yield text
    inner = envelope.get("errors")
    if isinstance(inner, list | dict):
        yield from _codes({} if inner is envelope else inner)


def next_link(values: Iterable[str]) -> str | None:
    """The one link with ``rel="next"`` in all ``Link`` headers together, or None.

    Raises: IncompleteError if there are several, or one is announced that cannot be read: the
    page would be taken for the last.
    """
    found: set[str] = set()
    announced = False
    for value in values:
        announced = announced or bool(_NEXT.search(_LINK.sub(_rels_only, value)))
        found.update(target for target, rels in _links(value) if "next" in rels)
    if len(found) > 1 or (announced and not found):
        raise IncompleteError("the link to the next page cannot be read")
    return found.pop() if found else None


def _links(value: str) -> Iterator[tuple[str, list[str]]]:
    for link in _LINK.finditer(value):
        rel = _REL.search(link[2])
        if rel is not None:
            yield link[1].strip(), (rel[1] or rel[2] or "").lower().split()


def _rels_only(link: re.Match[str]) -> str:
    """A link without its target, in which a cursor may say anything."""
    return link[2]


def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """The body in the decoder's shape.

    Raises: IncompleteError if it is cut, no JSON, or of another shape. What was wrong with it
    is not repeated, because it would be content.
    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Without its cause: msgspec's message quotes what it met.
        raise IncompleteError("an answer of another shape") from None
