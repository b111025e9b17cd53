"""The lease protocol played at random: workers that stall, die and come back late.

Time is one: a worker's own clock counts suspension, so it goes as the store's does. What may
differ is when a request left, when the store served it, and whether its answer ever came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from hooks.core.attempt import DeadLetter, Idle, LookAgain, Next, Retry
from hooks.core.errors import LeaseLostError
from hooks.store import line
from hooks.store.database import Database
from hooks.store.line import Lease
from tests.store.builders import (
    Wall,
    due_rows,
    event,
    event_rows,
    lease,
    left,
    mark,
    put,
    retry_dead,
    settle,
    user,
    waiting_events,
)

PEOPLE = [user(number) for number in range(3)]

people = st.sampled_from(PEOPLE)
#: Around every edge of the protocol: a call, an extension, a lease, a long sleep.
spans = st.sampled_from([0.0, 0.5, 5.0, 19.0, 44.0, 46.0, 59.9, 60.0, 61.0, 600.0])
delays = st.sampled_from([0.0, 0.0, 0.3, 2.0, 20.0])
lost = st.sampled_from([False, False, False, True])


@dataclass(eq=False)
class Held:
    """A lease as its worker sees it: until ``deadline`` it believes that nobody else has it."""

    lease: Lease
    deadline: float
    #: How many events had been put when the store granted it.
    seen: int


class Line(RuleBasedStateMachine):
    """One store, any number of workers, each as good as the leases it holds."""

    leases: Bundle[Held] = Bundle("leases")

    def __init__(self, database: Database, wall: Wall) -> None:
        super().__init__()
        self.database, self.wall = database, wall
        self.start = wall.us
        self.believed: set[Held] = set()
        self.put: dict[str, int] = {}
        self.settled: set[str] = set()
        self.fences: dict[str, int] = {}
        for table in (event_rows, due_rows):
            database.write_now(lambda tx, table=table: tx.execute(table.delete()))  # type: ignore[misc]

    @property
    def now(self) -> float:
        return (self.wall.us - self.start) / 1_000_000

    # -- what happens --------------------------------------------------------------------------

    @rule(who=people)
    def an_event_comes(self, who: Any) -> None:
        self._put(left(len(self.put), who))

    @rule(one=people, other=people)
    def an_event_about_two_comes(self, one: Any, other: Any) -> None:
        self._put(event(len(self.put), ("User", one), ("User", other)))

    @rule(who=people)
    def an_event_comes_again(self, who: Any) -> None:
        if self.put:
            assert not put(self.database, left(len(self.put) - 1, who))

    @rule(who=people, after=spans)
    def somebody_is_marked(self, who: Any, after: float) -> None:
        mark(self.database, who, after=after)

    @rule(seconds=spans)
    def time_passes(self, seconds: float) -> None:
        self.wall.forward(seconds)

    @rule(target=leases, limit=st.integers(1, 3), before=delays, after=delays, lost=lost)
    def a_worker_takes_leases(self, limit: int, before: float, after: float, lost: bool) -> Any:  # noqa: FBT001
        started = self.now
        self.wall.forward(before)
        taken = [
            Held(each, started + line.LEASE.total_seconds(), len(self.put))
            for each in lease(self.database, limit)
        ]
        self.wall.forward(after)
        if lost:  # committed, but the worker never heard of it
            return multiple()
        self.believed |= {*taken}
        return multiple(*taken)

    @rule(held=leases, before=delays, lost=lost)
    def a_worker_extends_its_lease(self, held: Held, before: float, lost: bool) -> None:  # noqa: FBT001
        started = self.now
        self.wall.forward(before)
        try:
            self.database.write_now(lambda tx: line.extend(tx, held.lease))
        except LeaseLostError:
            assert self.now >= held.deadline or held not in self.believed
            return
        if not lost:
            held.deadline = started + line.LEASE.total_seconds()

    @rule(
        held=consumes(leases),
        before=delays,
        then=st.sampled_from([Idle, LookAgain, Retry, DeadLetter]),
        wait=spans,
        keep=st.booleans(),
    )
    def a_worker_settles(
        self,
        held: Held,
        before: float,
        then: Any,
        wait: float,
        keep: bool,  # noqa: FBT001
    ) -> None:
        self.wall.forward(before)
        at = self.wall.clock.now() + timedelta(seconds=wait)
        chosen: Next = LookAgain(at) if then is LookAgain else Retry(at)
        if then in (Idle, DeadLetter):
            chosen = Idle() if then is Idle else DeadLetter("attempts")
        kept = held.lease.uuids[-1:] if keep and then is LookAgain else ()
        waited = waiting_events(self.database, held.lease.subject)
        self.believed.discard(held)
        try:
            settle(self.database, held.lease, chosen, kept)
        except LeaseLostError:
            assert self.now >= held.deadline
            return
        done = waited - waiting_events(self.database, held.lease.subject)
        assert all(self.put[each] < held.seen for each in done), "settled, never looked at"
        assert not done & {*kept}
        assert not done or then in (Idle, LookAgain)
        self.settled |= done

    @rule(held=consumes(leases))
    def a_worker_dies(self, held: Held) -> None:
        self.believed.discard(held)

    @rule()
    def an_operator_retries_the_dead(self) -> None:
        retry_dead(self.database)

    def _put(self, one: Any) -> None:
        assert put(self.database, one) == {one.uuid}
        self.put[one.uuid] = len(self.put)

    # -- what must always hold -----------------------------------------------------------------

    @invariant()
    def nobody_has_two_who_may_write(self) -> None:
        writing = [each.lease.subject for each in self.believed if self.now < each.deadline]
        assert len(writing) == len({*writing})

    @invariant()
    def no_event_is_lost_and_fences_only_grow(self) -> None:
        rows, waiting = self.database.read_now(
            lambda tx: (
                tx.execute(select(due_rows)).all(),
                tx.execute(
                    select(event_rows.c.uuid, event_rows.c.subject).where(
                        event_rows.c.settled.is_(None)
                    )
                ).all(),
            )
        )
        assert {each.uuid for each in waiting} == self.put.keys() - self.settled
        places = {row.subject: row for row in rows}
        for each in waiting:
            place = places[each.subject]
            assert place.due_at is not None or place.dead
        for row in rows:
            assert row.fence >= self.fences.get(row.subject, 0)
            assert row.lease_until in (None, row.due_at)
            assert row.dead is None or row.due_at is None
            self.fences[row.subject] = row.fence


def test_no_person_has_two_workers_and_no_event_is_lost(database: Database, wall: Wall) -> None:
    factory: Any = partial(Line, database, wall)
    run_state_machine_as_test(
        factory,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
