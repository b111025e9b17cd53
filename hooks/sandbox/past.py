"""What things were a moment ago, for reads that trail the writes."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# Enough for any test; older changes count as long visible.
KEPT = 50_000


@dataclass(frozen=True)
class Change:
    at: datetime
    kind: str
    key: Any
    old: Any


class Past:
    """The changes made while a lag was on, oldest first.

    Nothing is recorded while the lag is off, so a world that was set up in the same second
    is fully visible when a test switches the lag on.
    """

    def __init__(self) -> None:
        self._changes: deque[Change] = deque(maxlen=KEPT)

    def record(self, at: datetime, kind: str, key: Any, old: Any) -> None:
        self._changes.append(Change(at, kind, key, old))

    def since(self, at: datetime, kind: str) -> Iterator[Change]:
        """Changes of this kind after ``at``, oldest first."""
        recent = []
        for change in reversed(self._changes):
            if change.at <= at:
                break
            if change.kind == kind:
                recent.append(change)
        return reversed(recent)

    def value(self, at: datetime, kind: str, key: Any, current: Any) -> Any:
        """What was stored under ``key`` at that instant."""
        for change in self.since(at, kind):
            if change.key == key:
                return change.old
        return current
