"""Alarms played at random: processes that look, take, tell, fail and die on one store."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    multiple,
    rule,
    run_state_machine_as_test,
)

from hooks.core.alarm import GONE, Phase
from hooks.store import alarms
from hooks.store.alarms import CLAIM, Notice
from hooks.store.database import Database
from hooks.store.tables import Alarm
from tests.store.builders import Wall

NAMES = ["paused", "dead attempts", "breaker okta"]
#: Who has not looked for longer looks on anew.
BLINK = 45.0

names = st.sampled_from(NAMES)
spans = st.sampled_from([0.0, 5.0, 14.0, 16.0, 29.0, 31.0, 119.0, 121.0, 400.0, 90_000.0])


@dataclass(eq=False)
class Taken:
    """What one process was handed, and when."""

    notice: Notice
    at: float


class Alarms(RuleBasedStateMachine):
    """``true`` is what is so; ``heard`` is what the receiver took, in order, by name."""

    taken: Bundle[Taken] = Bundle("taken")

    def __init__(self, database: Database, wall: Wall) -> None:
        super().__init__()
        self.database, self.wall = database, wall
        self.start = wall.us
        self.true: set[str] = set()
        self.heard: dict[str, list[Notice]] = {name: [] for name in NAMES}
        self.unrecorded: set[tuple[str, Phase]] = set()
        self.claims: dict[str, float] = {}
        self.watched_since, self.looked = self.now, self.now
        database.write_now(lambda tx: tx.execute(Alarm.__table__.delete()))  # type: ignore[attr-defined]

    @property
    def now(self) -> float:
        return (self.wall.us - self.start) / 1_000_000

    # -- what happens --------------------------------------------------------------------------

    @rule(name=names)
    def something_begins_or_ends(self, name: str) -> None:
        self.true ^= {name}

    @rule(seconds=spans)
    def time_passes(self, seconds: float) -> None:
        self.wall.forward(seconds)

    @rule(looks=st.integers(1, 5))
    def somebody_looks_on_for_a_while(self, looks: int) -> None:
        for _ in range(looks):
            self._look()
            self.wall.forward(BLINK)

    @rule(target=taken, chance=st.floats(0, 0.999))
    def somebody_takes_what_is_due(self, chance: float) -> Any:
        return multiple(*self._take(chance))

    @rule(one=consumes(taken))
    def it_is_told_and_recorded(self, one: Taken) -> None:
        self._tell(one)

    @rule(one=consumes(taken))
    def it_is_told_and_who_told_it_dies(self, one: Taken) -> None:
        self._tell(one, records=False)

    @rule(one=consumes(taken))
    def who_took_it_dies_or_is_not_answered(self, one: Taken) -> None:
        """It is handed out again."""

    # -- as a process does ---------------------------------------------------------------------

    def _look(self) -> None:
        if self.now - self.looked > BLINK:
            self.watched_since = self.now
        self.looked = self.now
        self.database.write_now(lambda tx: alarms.observe(tx, self.true))

    def _take(self, chance: float = 0.5) -> list[Taken]:
        self._look()
        ended = self.now - self.watched_since >= GONE.total_seconds()
        notices = self.database.write_now(
            lambda tx: alarms.due(tx, ended=ended, jitter=lambda: chance)
        )
        for each in notices:
            claimed = self.claims.get(each.name)
            assert claimed is None or self.now - claimed >= CLAIM.total_seconds(), "two tell it"
            assert each.phase is not Phase.OVER or each.name not in self.true
            self.claims[each.name] = self.now
        return [Taken(each, self.now) for each in notices]

    def _tell(self, one: Taken, *, records: bool = True) -> None:
        if self.now - one.at > CLAIM.total_seconds() - 15:
            return  # too late to send it
        notice, heard = one.notice, self.heard[one.notice.name]
        last = heard[-1] if heard else None
        again = (notice.name, notice.phase) in self.unrecorded
        match notice.phase:
            case Phase.BEGUN:
                assert again or last is None or last.phase is Phase.OVER
            case Phase.LASTING:
                assert last
                # It began again while nobody knew that its end had been told.
                resumed = (notice.name, Phase.OVER) in self.unrecorded
                assert resumed or (last.since, last.phase) != (notice.since, Phase.OVER)
            case Phase.OVER:
                assert (
                    again
                    or last is None
                    or last.phase is not Phase.OVER
                    or (last.since != notice.since)
                )
        heard.append(notice)
        self.claims.pop(notice.name, None)
        if records:
            self.unrecorded.discard((notice.name, notice.phase))
            self.database.write_now(lambda tx: alarms.told(tx, notice))
        else:
            self.unrecorded.add((notice.name, notice.phase))
            self.claims[notice.name] = one.at

    def teardown(self) -> None:
        """Once nothing changes and everything told is taken, the receiver knows what is so."""
        for _ in range(30):
            for each in self._take():
                self._tell(each)
            self.wall.forward(BLINK)
        for name, heard in self.heard.items():
            if name in self.true:
                assert heard
                assert heard[-1].phase is not Phase.OVER
            else:
                assert not heard or heard[-1].phase is Phase.OVER
        assert {each.name for each in self.database.read_now(alarms.standing)} == self.true


def test_whoever_fails_or_dies_the_receiver_knows_in_the_end_what_is_so(
    database: Database, wall: Wall
) -> None:
    factory: Any = partial(Alarms, database, wall)
    run_state_machine_as_test(
        factory,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            suppress_health_check=list(HealthCheck),
        ),
    )
