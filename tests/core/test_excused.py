"""What an operator's no makes of absences: those it means have no consequence, and no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from hooks.core.history import LogFacts, Logged, Moment
from hooks.core.membership import Standing
from hooks.core.memory import Memory
from hooks.core.returning import after
from tests.core.test_returning import RETURNS, SETTLED_BEFORE, STAYS, judged
from tests.core.worlds import APP, NOW

MINUTE = timedelta(minutes=1)


class Away(NamedTuple):
    """From ``began`` for so many minutes; deactivated so many after it, or never."""

    began: int
    minutes: int
    left: int | None

    @property
    def at(self) -> datetime:
        return NOW - timedelta(days=3) + self.began * MINUTE

    @property
    def moments(self) -> list[Moment]:
        lines = [
            Moment(self.at, Logged.UNASSIGNED, APP),
            Moment(self.at + self.minutes * MINUTE, Logged.ASSIGNED, APP),
        ]
        if self.left is not None:
            gone = self.at + min(self.left, self.minutes - 1) * MINUTE
            lines += [Moment(gone, Logged.DEACTIVATED), Moment(gone + MINUTE / 2, Logged.ACTIVATED)]
        return lines

    @property
    def means_something(self) -> datetime:
        """When its last consequence was decided: that they were unassigned, or left."""
        return max(each.at for each in self.moments if each.what in TAKING)


TAKING = (Logged.UNASSIGNED, Logged.DEACTIVATED)
aways = st.lists(
    st.builds(
        Away,
        began=st.integers(0, 19),
        minutes=st.integers(2, 150),
        left=st.none() | st.integers(0, 150),
    ),
    max_size=4,
).map(
    lambda found: [
        each._replace(began=200 * number + each.began) for number, each in enumerate(found)
    ]
)


@settings(max_examples=300)
@given(aways, st.integers(-10, 900))
def test_an_excuse_is_of_what_had_begun_and_of_nothing_later(found: list[Away], at: int) -> None:
    """Nor of a deactivation in an absence that had begun: that was not what somebody rejected."""
    excused = NOW - timedelta(days=3) + at * MINUTE
    counts = [each for each in found if each.means_something > excused]
    long = any(each.minutes >= 60 or each.left is not None for each in counts)
    log = LogFacts.of(moment for each in found for moment in each.moments)
    assert judged(replace(SETTLED_BEFORE, excused=excused), log) == (RETURNS if long else STAYS)


@settings(max_examples=100)
@given(
    st.sampled_from([Standing.LEFT, Standing.UNASSIGNED, Standing.RETURNING]),
    st.integers(-300, 300),
)
def test_whom_we_saw_away_is_excused_if_it_had_begun(standing: Standing, minutes: int) -> None:
    began = NOW - timedelta(hours=10)
    memory = replace(
        SETTLED_BEFORE,
        standing=standing,
        absent_since=began,
        standing_at=began,
        excused=began + minutes * MINUTE,
    )
    log = LogFacts.of([Moment(began, Logged.UNASSIGNED, APP), Moment(NOW, Logged.ASSIGNED, APP)])
    told = judged(memory, log)
    assert (told == STAYS) is (minutes >= 0)


def test_who_leaves_after_being_excused_begins_another_absence() -> None:
    """What was excused is that they were unassigned, not that they left."""
    began = NOW - timedelta(hours=2)
    excused = NOW - timedelta(hours=1)
    away = Memory(standing=Standing.UNASSIGNED, absent_since=began, excused=excused)
    assert after(away, Standing.LEFT, quiet=True, now=NOW).absent_since == NOW
    kept = replace(away, excused=None)
    assert after(kept, Standing.LEFT, quiet=True, now=NOW).absent_since == began
