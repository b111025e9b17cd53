"""Leases that are lost, crashes that are counted, and many workers at once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

import pytest

from hooks.clock import Clock
from hooks.core.attempt import MAX_ATTEMPTS, MAX_CRASHES, Idle, LookAgain, Retry
from hooks.core.errors import LeaseLostError, StoreError
from hooks.core.ledger import Resolved
from hooks.core.membership import State
from hooks.core.policy import Limits
from hooks.store import journal, line, tally
from hooks.store.database import Database, Tx
from hooks.store.line import Lease
from tests.store.builders import (
    START,
    Wall,
    due,
    lease,
    lease_one,
    left,
    mark,
    put,
    retry_dead,
    settle,
    us,
    user,
    uuid,
    waiting_events,
    wish,
    writers,
)
from tests.store.conftest import Opener

T = TypeVar("T")
ANN, BOB, CAT, DAN = user(1), user(2), user(3), user(4)


# -- a lost lease ------------------------------------------------------------------------------


def admit(tx: Tx, held: Lease) -> None:
    journal.admit(tx, held, [wish()], [], limits=Limits())


def record(tx: Tx, held: Lease) -> None:
    journal.record(tx, held, [Resolved(1, State.SETTLED)])


def extend(tx: Tx, held: Lease) -> None:
    line.extend(tx, held)


def end(tx: Tx, held: Lease) -> None:
    line.settle(tx, held, Idle())


def leave(tx: Tx, held: Lease) -> None:
    line.leave(tx, held)


Transaction = Callable[[Tx, Lease], None]
TRANSACTIONS: list[Transaction] = [admit, record, extend, end, leave]


@pytest.mark.parametrize("transaction", TRANSACTIONS)
def test_after_a_takeover_the_old_lease_may_do_nothing(
    database: Database, wall: Wall, transaction: Transaction
) -> None:
    put(database, left(1, ANN))
    old = lease_one(database, ANN)
    wall.forward(61)
    new = lease_one(database, ANN)
    with pytest.raises(LeaseLostError):
        database.write_now(lambda tx: transaction(tx, old))
    row = due(database, ANN)
    assert (row.fence, row.lease_until) == (new.fence, new.until)
    assert waiting_events(database, ANN) == {uuid(1)}
    assert database.read_now(journal.list_steps) == []


@pytest.mark.parametrize("transaction", TRANSACTIONS)
def test_after_it_was_settled_a_lease_may_do_nothing(
    database: Database, transaction: Transaction
) -> None:
    mark(database, ANN)
    held = lease_one(database, ANN)
    settle(database, held, LookAgain(START + timedelta(seconds=30)))
    with pytest.raises(LeaseLostError):
        database.write_now(lambda tx: transaction(tx, held))
    assert due(database, ANN).due_at == us(START.timestamp() + 30)


@pytest.mark.parametrize("transaction", TRANSACTIONS)
def test_after_it_was_buried_a_lease_may_do_nothing(
    database: Database, wall: Wall, transaction: Transaction
) -> None:
    last = crash(database, wall, ANN, MAX_CRASHES)
    assert lease(database) == []
    with pytest.raises(LeaseLostError):
        database.write_now(lambda tx: transaction(tx, last))
    assert retry_dead(database) == 1
    with pytest.raises(LeaseLostError):
        database.write_now(lambda tx: transaction(tx, last))
    assert lease_one(database, ANN).fence > last.fence


def test_whoever_leaves_the_line_is_not_in_it(database: Database) -> None:
    mark(database, ANN, BOB)
    held = lease_one(database, ANN)
    assert database.write_now(lambda tx: line.leave(tx, held))
    assert [each.subject for each in lease(database)] == [BOB]
    with pytest.raises(LeaseLostError):
        database.write_now(lambda tx: extend(tx, held))
    put(database, left(1, ANN))
    assert lease_one(database, ANN).uuids == (uuid(1),)


def test_whoever_something_came_about_meanwhile_stays_in_line(database: Database) -> None:
    mark(database, ANN)
    held = lease_one(database, ANN)
    put(database, left(1, ANN))
    assert not database.write_now(lambda tx: line.leave(tx, held))
    again = lease_one(database, ANN)
    assert (again.uuids, again.abandoned) == ((uuid(1),), None)
    assert again.fence > held.fence


def test_an_expired_lease_nobody_took_is_still_ours(database: Database, wall: Wall) -> None:
    mark(database, ANN)
    held = lease_one(database, ANN)
    wall.forward(100)
    until = database.write_now(lambda tx: line.extend(tx, held))
    assert until == wall.us + us(60)
    assert lease(database) == []
    settle(database, held, Idle())
    assert due(database, ANN).due_at is None


def test_an_extended_lease_lasts_a_minute_more(database: Database, wall: Wall) -> None:
    mark(database, ANN)
    held = lease_one(database, ANN)
    wall.forward(40)
    database.write_now(lambda tx: line.extend(tx, held))
    wall.forward(59)
    assert lease(database) == []
    wall.forward(1)
    assert lease_one(database, ANN).abandoned


# -- crashes -----------------------------------------------------------------------------------


def crash(database: Database, wall: Wall, who: str, times: int) -> Lease:
    """Take a lease that ends without a word, so many times; the last of them."""
    mark(database, who)
    held = lease_one(database, who)
    wall.forward(60)
    for _ in range(times - 1):
        held = lease_one(database, who)
        wall.forward(60)
    return held


def test_who_kills_the_process_becomes_a_dead_letter(database: Database, wall: Wall) -> None:
    put(database, left(1, ANN))
    last = crash(database, wall, ANN, MAX_CRASHES)
    assert last.attempt == MAX_CRASHES
    mark(database, BOB)
    assert [each.subject for each in lease(database)] == [BOB]
    row = due(database, ANN)
    assert (row.dead, row.due_at, row.lease_until) == ("crashes", None, None)
    assert waiting_events(database, ANN) == {uuid(1)}


def test_standing_work_that_is_hastened_is_given_up_no_more(database: Database, wall: Wall) -> None:
    crash(database, wall, ANN, MAX_CRASHES)
    lease(database)
    assert due(database, ANN).dead
    database.write_now(lambda tx: line.hasten(tx, "user"))
    assert due(database, ANN).dead is None
    assert lease_one(database, ANN).subject == ANN


def test_one_crash_less_is_no_dead_letter(database: Database, wall: Wall) -> None:
    crash(database, wall, ANN, MAX_CRASHES - 1)
    assert lease_one(database, ANN).abandoned


def test_a_lease_its_process_survived_is_no_crash(database: Database, wall: Wall) -> None:
    crash(database, wall, ANN, MAX_CRASHES)
    for _ in range(3):
        fence = due(database, ANN).fence
        held = lease_one(database, ANN, survived={(ANN, fence)})
        assert held.abandoned, "what was sent under it may be on its way still"
        wall.forward(60)
    assert lease(database, survived={(ANN, fence)}) == [], "the lease after that was a crash"
    assert due(database, ANN).dead == "crashes"


def test_who_is_survived_for_ever_becomes_a_dead_letter(database: Database, wall: Wall) -> None:
    mark(database, ANN)
    for attempt in range(1, MAX_ATTEMPTS + MAX_CRASHES):
        fence = due(database, ANN).fence
        assert lease_one(database, ANN, survived={(ANN, fence)}).attempt == attempt
        wall.forward(60)
    assert lease(database, survived={(ANN, due(database, ANN).fence)}) == []
    assert due(database, ANN).dead == "crashes"


def test_a_settled_lease_forgets_the_crashes(database: Database, wall: Wall) -> None:
    for _ in range(3):
        crash(database, wall, ANN, MAX_CRASHES - 1)
        settle(database, lease_one(database, ANN), Retry(wall.clock.now()))
    assert due(database, ANN).crashes == 0
    assert lease_one(database, ANN).abandoned is None


def test_a_dead_letter_that_is_retried_may_crash_as_often_again(
    database: Database, wall: Wall
) -> None:
    crash(database, wall, ANN, MAX_CRASHES)
    lease(database)
    retry_dead(database)
    crash(database, wall, ANN, MAX_CRASHES - 1)
    assert lease_one(database, ANN).abandoned


def test_the_line_is_counted(database: Database, wall: Wall) -> None:
    crash(database, wall, ANN, MAX_CRASHES)
    assert lease(database) == []
    mark(database, BOB)
    lease_one(database, BOB)
    mark(database, CAT)
    mark(database, DAN, after=100)
    wall.forward(7)
    assert database.read_now(tally.counted) == {
        "waiting": 1,
        "leased": 1,
        "retrying": 0,
        "dead": 1,
        "oldest_us": us(7),
        "dead_us": us(7),
        "unsettled_us": 0,
    }


# -- many at once ------------------------------------------------------------------------------


def insist(act: Callable[[], T]) -> T:
    """Again while SQLite's one place to write is taken for longer than it waits."""
    while True:
        with suppress(StoreError):
            return act()


def test_many_workers_never_take_the_same_subject(another: Opener) -> None:
    doors = [another(), another()]
    people = [user(number) for number in range(200)]
    mark(doors[0], *people)

    def work(number: int) -> list[Lease]:
        door, taken = doors[number % 2], []
        while found := insist(lambda: lease(door, 7)):
            taken += found
        return taken

    with ThreadPoolExecutor(writers(doors[0])) as threads:
        taken = [each for some in threads.map(work, range(writers(doors[0]))) for each in some]
    assert Counter(each.subject for each in taken) == dict.fromkeys(people, 1)
    assert {each.fence for each in taken} == {1}


def test_group_commits_over_the_same_people_do_not_deadlock(another: Opener) -> None:
    doors = [another(), another()]
    people = [user(number) for number in range(40)]

    def commit(number: int) -> int:
        dice = random.Random(number)
        some = dice.sample(people, 12)
        new = [left(1000 * number + i, who) for i, who in enumerate(some)]
        return len(insist(lambda: put(doors[number % 2], *new)))

    with ThreadPoolExecutor(writers(doors[0])) as threads:
        assert sum(threads.map(commit, range(100))) == 100 * 12
    assert sum(len(waiting_events(doors[0], who)) for who in people) == 100 * 12


def test_a_settle_and_a_new_event_at_once_never_leave_an_event_behind(another: Opener) -> None:
    doors = [another(), another()]

    def look(number: int) -> None:
        for held in insist(lambda: lease(doors[number % 2], 3)):
            insist(lambda held=held: settle(doors[number % 2], held, Idle()))  # type: ignore[misc]

    def post(number: int) -> None:
        insist(lambda: put(doors[number % 2], left(number, user(number % 4))))

    with ThreadPoolExecutor(writers(doors[0])) as threads:
        for done in [threads.submit((post, look)[i % 2], i // 2) for i in range(200)]:
            done.result()
    for who in map(user, range(4)):
        row = due(doors[0], who)
        assert row.lease_until is None
        assert bool(waiting_events(doors[0], who)) is (row.due_at is not None)


@pytest.mark.parametrize("wrong_by", [3600, -3600], ids=["fast", "slow"])
def test_replicas_with_wrong_clocks_go_by_the_servers(
    postgresql: Database, migrated_postgresql: str, wrong_by: int
) -> None:
    """A clock set wrongly at the start would take over leases that are worked under."""
    wrong_clock = Clock()
    wrong_clock.follow(wrong_clock.now_us() + wrong_by * 1_000_000)
    right = Database(migrated_postgresql, Clock())
    wrong = Database(migrated_postgresql, wrong_clock)
    try:
        for first, second in ((right, wrong), (wrong, right)):
            mark(first, ANN)
            held = lease_one(first, ANN)
            assert lease(second) == []
            settle(first, held, Idle())
    finally:
        right.close()
        wrong.close()
