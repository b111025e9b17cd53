"""One object of a file: an event, a line of our own export, or neither.

Must live here: by what each is known. Must not know: where in a file it stands, but for the line
it is told with. Text here is bytes as characters of the same number.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from hooks.core.errors import MalformedError
from hooks.core.ids import Uuid
from hooks.core.log_event import LogEvent, parse_event


@dataclass(frozen=True, slots=True)
class Found:
    """An event, and the line on which it begins."""

    line: int
    event: LogEvent


@dataclass(frozen=True, slots=True)
class Exported:
    """A line of our own export without an event: only which one it was.

    ``lost``: it had one, which could not be opened.
    """

    line: int
    uuid: str
    lost: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """A line of which something could not be read, and why."""

    line: int
    why: str


Piece = Found | Exported | Broken


def event_of(text: str, line: int) -> Found | None:
    """The event that this object is, if it is one: it has a uuid, a type and an instant.

    Raises:
        MalformedError: it may be one, and is not JSON.
    """
    if '"eventType"' not in text:
        return None
    event = parse_event(text.encode("latin-1"))
    named = event.uuid in text.lower()  # or it was made from the bytes
    return Found(line, event) if event.type and event.published and named else None


def event_at(text: str, start: int, line: int) -> tuple[Found, int] | None:
    """The event that begins here in one piece, as most do, and where it ends."""
    try:
        found, end = _decoder.raw_decode(text, start)
        whole = isinstance(found, dict) and "eventType" in found
        event = event_of(text[start:end], line) if whole else None
    except (ValueError, RecursionError, MalformedError):
        return None
    return (event, end) if event else None


def _no_constant(_word: str) -> None:
    raise ValueError


_decoder = json.JSONDecoder(parse_constant=_no_constant)


def exported_of(text: str, line: int) -> Found | Exported | None:
    """What a line of our own export stands for: an odd event, one without payload, or none."""
    try:
        told = json.loads(text.encode("latin-1").decode("utf-8", "replace"), strict=False)
        known = Uuid.maybe(told.get("uuid"))
        if known is None or "received" not in told:
            return None
        if told.get("event") is None:
            return Exported(line, known.lower(), lost="error" in told)
        event = parse_event(json.dumps(told["event"]).encode())
        return Found(line, replace(event, uuid=known.lower()))
    except (ValueError, RecursionError, MalformedError):
        return None
