"""Absences close to one another, while the log is late. Design 3.3."""

from __future__ import annotations

from datetime import datetime, timedelta

from hooks.core.asks import AskLog
from hooks.core.history import LogFacts, Logged, Moment
from hooks.core.membership import Standing
from hooks.core.memory import Memory
from hooks.core.refusal import Cause
from hooks.core.returning import LATE, Back, Undecided, back
from tests.core.worlds import APP, NOW, PRESENT, reading

HERE = frozenset({APP})
BRIEF = timedelta(hours=1)
HOUR = 60


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def judged(seen: float, *lines: tuple[float, Logged], waiting: bool = False) -> Back | Undecided:
    """Seen unassigned so many minutes ago, and in force now."""
    memory = Memory(
        standing=Standing.UNASSIGNED,
        standing_at=ago(seen),
        absent_since=ago(seen),
        late_since=NOW - LATE if waiting else None,
    )
    log = LogFacts.of(Moment(ago(at), what, APP) for at, what in lines)
    found = back(reading(PRESENT, answers={AskLog(): log}), memory, HERE, HERE, BRIEF)
    assert isinstance(found, Back | Undecided)
    return found


GONE, HERE_AGAIN = Logged.UNASSIGNED, Logged.ASSIGNED
#: Away for two minutes, back for three, and away again, which we saw at once.
TWICE = ((3 * HOUR + 5, GONE), (3 * HOUR + 3, HERE_AGAIN), (3 * HOUR, GONE))


def test_a_brief_absence_before_a_long_one_does_not_make_it_brief() -> None:
    assert judged(3 * HOUR, *TWICE, (1, HERE_AGAIN)) == Back(Standing.RETURNING, forfeits=True)
    assert judged(3 * HOUR, *TWICE, (3 * HOUR - 9, HERE_AGAIN)) == Back(Standing.PRESENT)


def test_the_end_of_a_long_absence_after_a_brief_one_is_waited_for() -> None:
    assert judged(3 * HOUR - 0.1, *TWICE) == Undecided(Cause.HISTORY_LATE)


def test_a_long_absence_without_an_end_after_a_brief_one_is_a_return_in_the_end() -> None:
    found = judged(3 * HOUR - 0.1, *TWICE, waiting=True)
    assert found == Back(Standing.RETURNING, forfeits=True)
