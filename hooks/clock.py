"""The one clock of a process: wall time that never steps while the process lives.

An NTP step or a jump of the wall clock must not expire a lease that is being worked under, so
the wall is read once and time runs on from there on a clock that also counts suspension.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

#: Counts the time a machine slept, unlike CLOCK_MONOTONIC. Source: clock_gettime(2).
_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds on a clock that only moves forward and counts suspension."""
    return time.clock_gettime(_BOOT)


class Clock:
    """Now, as microseconds UTC (what is stored) or as an aware datetime (what is decided on)."""

    def __init__(self, source: Callable[[], float] | None = None) -> None:
        """``source`` gives seconds since the epoch; the default is the process clock above."""
        self._source = source
        self._offset = time.time() - elapsed()

    def now_us(self) -> int:
        """Now, in microseconds since the epoch."""
        seconds = self._source() if self._source else elapsed() + self._offset
        return int(seconds * 1_000_000)

    def now(self) -> datetime:
        """Now, aware, UTC."""
        return moment(self.now_us())

    def follow(self, microseconds: int | None = None) -> None:
        """Go by another clock from here on: the one that all replicas share, or the wall's.

        A clock with a source of its own does not follow.
        """
        if microseconds is None:
            microseconds = int(time.time() * 1_000_000)
        self._offset = microseconds / 1_000_000 - elapsed()


def moment(microseconds: int) -> datetime:
    """The aware datetime of an instant as it is stored."""
    return datetime.fromtimestamp(microseconds / 1_000_000, tz=UTC)
