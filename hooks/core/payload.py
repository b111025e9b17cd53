"""JSON as it was posted, taken apart within bounds; what is odd is read as far as it goes.

Must live here: every bound on what reading costs. Must not know: what a field means.
Whoever has the hook's secret may send anything, and everybody else waits while it is read. So
what Okta can have sent is read whatever it holds, and what it cannot is refused before it costs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from hooks.core.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Real LogEvents are larger than the 800 bytes that would be left for each in 8 MiB.
MOST_EVENTS = 10_000
#: No LogEvent is smaller; so many may be all the same, since an odd entry is an event too.
_LEAST_BYTES = 100
_ALWAYS_EVENTS = 100
#: Bytes of one field. Real targets, the largest that is read, have some 2 KiB.
MOST_FIELD_BYTES = 64 * 1024
#: Up to here anything is read, whatever it is made of: some 15 ms at worst.
_ANYTHING_BYTES = 64 * 1024
#: Bytes for each bracket and comma beyond that; Okta's samples have 19 or more. Fewer are lists
#: of nothing. What is odd besides is made objects of, of which 8 MiB of them are a gigabyte.
_BYTES_FOR_EACH, _BYTES_FOR_EACH_ODD = 4, 8
#: Deeper than this there is no field of a LogEvent. Source: Okta OpenAPI LogEvent.
_DEPTH = 64
#: Strings and brackets looked at where something is too deep to be read otherwise: some 15 ms.
_MOST_TOKENS = 20_000
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{\]}]', re.DOTALL)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was posted: Okta's id for it, whatever that is, and the JSON of each entry."""

    id: object
    entries: Sequence[bytes | msgspec.Raw]


class Entry(msgspec.Struct):
    """The fields of a LogEvent that are read; any of them may be of any type."""

    uuid: Any = None
    event_type: Any = msgspec.field(name="eventType", default=None)
    published: Any = None
    outcome: Any = None
    target: Any = None


class _Data(msgspec.Struct):
    events: list[msgspec.Raw]


class _Envelope(msgspec.Struct):
    data: _Data
    event_id: msgspec.Raw = msgspec.field(name="eventId", default=msgspec.Raw(b"null"))


class _Large(msgspec.Struct):
    uuid: msgspec.Raw = msgspec.Raw(b"null")
    event_type: msgspec.Raw = msgspec.field(name="eventType", default=msgspec.Raw(b"null"))
    published: msgspec.Raw = msgspec.Raw(b"null")
    outcome: msgspec.Raw = msgspec.Raw(b"null")
    target: msgspec.Raw = msgspec.Raw(b"null")


_envelope = msgspec.json.Decoder(_Envelope)
_entry = msgspec.json.Decoder(Entry)
_large = msgspec.json.Decoder(_Large)


def opened(body: bytes) -> Envelope:
    """The envelope alone; no entry is read.

    Raises:
        MalformedError: not JSON, not Okta's envelope (an object with ``data.events``), or what no
            delivery is: more entries than its bytes can be events, or hardly anything but commas.
    """
    body = body.removeprefix(_BYTE_ORDER_MARK)
    _sparse(body, _BYTES_FOR_EACH)
    try:
        found = _envelope.decode(body)
    except _UNREADABLE:
        return _loosely_opened(body)
    _bounded(found.data.events, body)
    return Envelope(_field(found.event_id), found.data.events)


def entry(raw: bytes) -> Entry:
    """The fields of one entry; a field too large to be one is left out.

    Raises:
        MalformedError: not JSON.
    """
    try:
        if len(raw) <= MOST_FIELD_BYTES:
            return _entry.decode(raw)
        found = _large.decode(raw)
    except _UNREADABLE:
        return _loose_entry(raw)
    return Entry(*(_field(getattr(found, each)) for each in found.__struct_fields__))


def _sparse(body: bytes, least: int) -> None:
    if len(body) <= _ANYTHING_BYTES:
        return
    if sum(body.count(each) for each in b",[{") > len(body) // least:
        msg = "delivery: more values than any delivery of its size has"
        raise MalformedError(msg)


def _bounded(entries: Sequence[object], body: bytes) -> None:
    if len(entries) > min(MOST_EVENTS, max(_ALWAYS_EVENTS, len(body) // _LEAST_BYTES)):
        msg = "delivery: more events than any delivery of its size has"
        raise MalformedError(msg)


def _field(value: msgspec.Raw) -> object:
    raw = bytes(value)
    if len(raw) > MOST_FIELD_BYTES:
        return None
    try:
        return msgspec.json.decode(raw)
    except _UNREADABLE:
        try:
            return _loosely(raw)
        except MalformedError:
            return None


# -- what is odd -------------------------------------------------------------------------------


def _loosely_opened(body: bytes) -> Envelope:
    """One odd entry must not lose the others: Okta never sends again after a 4xx."""
    found = _loosely(body)
    data = found.get("data") if isinstance(found, dict) else None
    entries = data.get("events") if isinstance(data, dict) else None
    if not isinstance(found, dict) or not isinstance(entries, list):
        msg = "delivery: not an Okta event hook envelope"
        raise MalformedError(msg)
    _bounded(entries, body)
    return Envelope(found.get("eventId"), [json.dumps(each).encode() for each in entries])


def _loose_entry(raw: bytes) -> Entry:
    found = _loosely(raw)
    fields = found if isinstance(found, dict) else {}
    names = (each.encode_name for each in msgspec.structs.fields(Entry))
    return Entry(*(fields.get(name) for name in names))


def _loosely(body: bytes) -> Any:
    """JSON as far as it goes: bad UTF-8 replaced, deep places left out, numbers not looked at.

    Raises:
        MalformedError: not JSON even so.
    """
    _sparse(body, _BYTES_FOR_EACH_ODD)
    try:
        try:
            return _lax(body)
        except RecursionError:
            return _lax(_shallow(body))
    except (ValueError, RecursionError) as error:
        msg = "not JSON"
        raise MalformedError(msg) from error


def _lax(body: bytes) -> Any:
    text = body.decode("utf-8", "replace")
    return json.loads(text, strict=False, parse_int=_no_number, parse_float=_no_number)


def _no_number(_digits: str) -> int:
    return 0


def _shallow(body: bytes) -> bytes:
    """The same JSON with ``null`` for everything deeper than any field that is read."""
    kept: list[bytes] = []
    depth = since = 0
    for count, token in enumerate(_TOKENS.finditer(body)):
        if count > _MOST_TOKENS:
            raise RecursionError
        mark = token.group()[:1]
        if mark in b"[{":
            depth += 1
            if depth == _DEPTH + 1:
                kept += [body[since : token.start()], b"null"]
        elif mark in b"]}":
            if depth == _DEPTH + 1:
                since = token.end()
            depth -= 1
    return b"".join([*kept, body[since:]]) if depth <= _DEPTH else b""
