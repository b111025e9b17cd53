"""PostgreSQL only: which rows are locked, in which order, and what READ COMMITTED lets through."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from hooks.core.attempt import Idle
from hooks.store import line
from hooks.store.database import Database, Tx
from hooks.store.intake import Origin
from tests.store.builders import (
    due,
    due_rows,
    event,
    lease,
    lease_one,
    left,
    mark,
    put,
    put_in,
    settle,
    user,
    uuid,
    waiting_events,
)

ANN, BOB = user(1), user(2)
PEOPLE = [user(number) for number in range(40)]


@contextmanager
def under_way(database: Database, transaction: Callable[[Tx], object]) -> Iterator[None]:
    """A transaction that has done its work and commits when the block ends."""
    with database.connection() as connection:
        transaction(Tx(connection, database.clock.now_us(), database.postgres))
        yield


def putting(number: int, *who: str) -> Callable[[Tx], object]:
    events = [left(number + i, user(int(each[3:]))) for i, each in enumerate(who)]
    return lambda tx: put_in(tx, events, {each.uuid: Origin() for each in events})


@pytest.fixture
def aside() -> Iterator[Callable[[Callable[[], object]], Future[object]]]:
    """Starts something in a thread, and waits until it had time to wait for a lock."""
    with ThreadPoolExecutor(1) as thread:

        def start(act: Callable[[], object]) -> Future[object]:
            found = thread.submit(act)
            time.sleep(0.3)
            return found

        yield start


Aside = Callable[[Callable[[], object]], Future[object]]


def test_a_lease_is_not_settled_over_an_event_that_is_being_put(
    postgresql: Database, aside: Aside
) -> None:
    put(postgresql, left(1, ANN))
    held = lease_one(postgresql, ANN)
    with under_way(postgresql, putting(2, ANN)):
        done = aside(lambda: settle(postgresql, held, Idle()))
        assert not done.done()
    done.result()
    assert waiting_events(postgresql, ANN) == {uuid(2)}
    assert due(postgresql, ANN).due_at is not None


def test_an_event_put_while_a_lease_is_settled_makes_the_subject_due(
    postgresql: Database, aside: Aside
) -> None:
    put(postgresql, left(1, ANN))
    held = lease_one(postgresql, ANN)
    with under_way(postgresql, lambda tx: line.settle(tx, held, Idle())):
        done = aside(lambda: put(postgresql, left(2, ANN)))
        assert not done.done()
    done.result()
    assert waiting_events(postgresql, ANN) == {uuid(2)}
    assert due(postgresql, ANN).due_at is not None


def test_an_event_put_while_a_lease_is_taken_is_in_it_or_comes_after_it(
    postgresql: Database, aside: Aside
) -> None:
    put(postgresql, left(1, ANN))
    with under_way(postgresql, lambda tx: line.lease(tx, limit=1)):
        done = aside(lambda: put(postgresql, left(2, ANN)))
        assert not done.done()
    done.result()
    row = due(postgresql, ANN)
    assert (row.generation, row.fence) == (2, 1)


def test_a_subject_an_event_is_being_put_for_is_leased_later(postgresql: Database) -> None:
    mark(postgresql, ANN, BOB)
    with under_way(postgresql, putting(1, ANN)):
        assert [each.subject for each in lease(postgresql)] == [BOB]
    assert lease_one(postgresql, ANN).uuids == (uuid(1),)


def test_people_are_put_in_line_in_one_order_everywhere(postgresql: Database, aside: Aside) -> None:
    """Whoever waits for the first of them must not hold any other."""
    mark(postgresql, *PEOPLE)
    free = select(due_rows.c.subject).with_for_update(skip_locked=True)
    with under_way(postgresql, putting(100, PEOPLE[0])):
        done = aside(lambda: put(postgresql, *(left(n, who) for n, who in enumerate(PEOPLE))))
        found = postgresql.write_now(lambda tx: tx.execute(free).scalars().all())
        assert sorted(found) == PEOPLE[1:]
    done.result()


def test_events_are_stored_in_one_order_everywhere(postgresql: Database, aside: Aside) -> None:
    """Whoever waits for the first of them must not hold any other."""
    nobody = [event(number, type="x") for number in range(40)]
    with under_way(postgresql, lambda tx: put_in(tx, nobody[:1], {uuid(0): Origin()})):
        done = aside(lambda: put(postgresql, *reversed(nobody)))
        assert not done.done()
        rest = {each.uuid: Origin() for each in nobody[1:]}
        assert postgresql.write_now(lambda tx: put_in(tx, nobody[1:], rest)) == {*rest}
    assert done.result() == frozenset()
