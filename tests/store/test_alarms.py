"""What the store shows as alarming, and who is handed it to tell."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select, text

from hooks.core.alarm import GONE, LATE, REMIND, Phase
from hooks.core.attempt import DeadLetter, Idle
from hooks.core.membership import ORGANIZATION
from hooks.core.refusal import Cause, Refusal
from hooks.store import alarms, cursor, pause, refusals
from hooks.store.alarms import CLAIM, Notice
from hooks.store.database import Database, Tx
from hooks.store.tables import Alarm, Hold
from tests.store.builders import (
    MAIN,
    Wall,
    lease_one,
    left,
    mark,
    put,
    settle,
    user,
    uuid,
)

Opener = Callable[[], Database]
MINUTE = timedelta(minutes=1)
A, B, C = "paused", "dead attempts", "breaker okta"


def found(database: Database, every: timedelta = MINUTE) -> dict[str, int]:
    return database.read_now(lambda tx: alarms.found(tx, every=every))


def observe(database: Database, *names: str) -> None:
    database.write_now(lambda tx: alarms.observe(tx, names))


def due(database: Database, *, ended: bool = True, jitter: float = 0.0) -> list[Notice]:
    return database.write_now(lambda tx: alarms.due(tx, ended=ended, jitter=lambda: jitter))


def handed(database: Database, *, ended: bool = True) -> list[tuple[str, Phase]]:
    return [(each.name, each.phase) for each in due(database, ended=ended)]


def told(database: Database, *notices: Notice) -> None:
    for each in notices:
        database.write_now(lambda tx, each=each: alarms.told(tx, each))  # type: ignore[misc]


def standing(database: Database) -> list[tuple[str, str]]:
    return [(each.name, each.told) for each in database.read_now(alarms.standing)]


def forward(wall: Wall, length: timedelta) -> None:
    wall.forward(length.total_seconds())


# -- what is found -----------------------------------------------------------------------------


def test_a_store_at_peace_shows_nothing(database: Database) -> None:
    put(database, left(1, user(1)))
    database.write_now(pause.prepare)
    assert found(database) == {}


def test_holds_count_by_class_while_they_wait(database: Database) -> None:
    rows = [
        {"user": user(n), "directory": MAIN, "brake_class": each, "steps": "[]", "at": 1,
         "state": state}
        for n, (each, state) in enumerate(
            [("main/left", "waiting"), ("main/left", "waiting"), ("main/left", "approved"),
             ("main/unassigned", "waiting"), ("main/suspended", "rejected")]
        )
    ]  # fmt: skip
    insert = Hold.__table__.insert()  # type: ignore[attr-defined]
    database.write_now(lambda tx: tx.execute(insert, rows))
    assert found(database) == {"held main/left": 2, "held main/unassigned": 1}


def test_dead_letters_count_by_reason(database: Database) -> None:
    for number, reason in enumerate(("attempts", "attempts", "fault")):
        mark(database, user(number))
        settle(database, lease_one(database, user(number)), DeadLetter(reason))
    assert found(database) == {"dead attempts": 2, "dead fault": 1}


def test_an_admin_who_left_counts_until_the_refusal_is_over(database: Database) -> None:
    refused = [Refusal(ORGANIZATION, Cause.ADMIN_LEFT), Refusal(ORGANIZATION, Cause.ROLES_UNREAD)]
    for number, each in ((1, refused), (2, refused), (2, refused[1:])):
        database.write_now(
            lambda tx, number=number, each=each: refusals.keep(  # type: ignore[misc]
                tx, user(number), ORGANIZATION, each
            )
        )
    assert found(database) == {"admin_left": 1}


def test_a_pause_is_found_until_it_ends(database: Database) -> None:
    database.write_now(lambda tx: pause.begin(tx, who="me", why="a test"))
    assert found(database) == {"paused": 1}
    database.write_now(pause.end)
    assert found(database) == {}


def test_an_event_that_waits_too_long_is_found_unless_its_person_was_given_up_on(
    database: Database, wall: Wall
) -> None:
    put(database, left(1, user(1)), left(2, user(2)), left(3, user(3)))
    forward(wall, LATE)
    assert found(database) == {}
    forward(wall, timedelta(seconds=1))
    put(database, left(4, user(4)))
    assert found(database) == {"unsettled": 3}
    settle(database, lease_one(database, user(1)), Idle())
    assert found(database) == {"unsettled": 2}
    settle(database, lease_one(database, user(2)), DeadLetter("fault"))
    assert found(database) == {"unsettled": 1, "dead fault": 1}


def test_what_came_out_of_turn_is_late_by_when_it_came(database: Database, wall: Wall) -> None:
    """The young one has the lowest id, and of those that are old the later one a far lower id."""
    put(database, left(1, user(1)))
    put(database, left(2, user(2)))
    put(database, left(3, user(3)))
    settle(database, lease_one(database, user(2)), Idle())
    forward(wall, LATE)
    forward(wall, timedelta(seconds=10))
    for number, seconds in ((1, 700), (2, 5)):
        later = text("UPDATE event SET received = received + :later WHERE uuid = :uuid")
        given = {"later": seconds * 1_000_000, "uuid": uuid(number)}
        database.write_now(lambda tx, later=later, given=given: tx.execute(later, given))  # type: ignore[misc]
    apart = text("UPDATE event SET id = id + 5000 WHERE uuid = :uuid")
    database.write_now(lambda tx: tx.execute(apart, {"uuid": uuid(3)}))
    assert found(database) == {"unsettled": 1}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_settled_events_cost_nothing_however_many_there_are(database: Database, wall: Wall) -> None:
    """SQLite counts the steps of its own machine."""

    def steps(tx: Tx) -> int:
        asked = [0]
        driver: Any = tx.connection.connection.driver_connection
        driver.set_progress_handler(lambda: asked.append(0), 10)
        alarms.found(tx, every=MINUTE)
        driver.set_progress_handler(None, 0)
        return len(asked)

    def settled(number: int) -> None:
        put(database, *(left(number + n, user(1)) for n in range(500)))
        settle(database, lease_one(database, user(1)), Idle())

    settled(0)
    forward(wall, timedelta(hours=1))
    few = database.read_now(steps)
    for number in range(500, 2_500, 500):
        settled(number)
    forward(wall, timedelta(hours=1))
    assert database.read_now(steps) < few * 1.5


def test_a_log_is_behind_once_it_should_long_have_been_read_again(
    database: Database, wall: Wall
) -> None:
    assert found(database) == {}
    database.write_now(lambda tx: cursor.put(tx, cursor.LOG_REACHED, ""))
    forward(wall, LATE + MINUTE)
    assert found(database) == {}
    forward(wall, timedelta(seconds=1))
    assert found(database) == {"behind": 1}
    assert found(database, every=2 * MINUTE) == {}


# -- a life ------------------------------------------------------------------------------------


def test_an_alarm_begins_is_reminded_of_and_ends_once(database: Database, wall: Wall) -> None:
    observe(database, A)
    begun = wall.us
    [first] = due(database)
    assert first == Notice(A, begun, Phase.BEGUN)
    told(database, first)
    assert standing(database) == [(A, "begun")]
    for _ in range(2):
        forward(wall, REMIND - MINUTE)
        observe(database, A)
        assert due(database) == []
        forward(wall, MINUTE)
        observe(database, A)
        [again] = due(database)
        assert again == Notice(A, begun, Phase.LASTING)
        told(database, again)
    forward(wall, GONE + MINUTE)
    assert standing(database) == []
    [last] = due(database)
    assert last == Notice(A, begun, Phase.OVER)
    told(database, last)
    forward(wall, REMIND)
    assert due(database) == []
    assert not database.read_now(alarms.pending)


def test_what_was_over_begins_anew(database: Database, wall: Wall) -> None:
    observe(database, A)
    told(database, *due(database))
    forward(wall, GONE + MINUTE)
    told(database, *due(database))
    observe(database, A)
    assert due(database) == [Notice(A, wall.us, Phase.BEGUN)]


def test_what_came_back_while_its_end_was_told_begins_anew(database: Database, wall: Wall) -> None:
    observe(database, A)
    told(database, *due(database))
    forward(wall, GONE + MINUTE)
    [over] = due(database)
    observe(database, A)
    told(database, over)
    assert due(database) == [Notice(A, wall.us, Phase.BEGUN)]


def test_what_comes_and_goes_within_two_minutes_is_one_alarm(
    database: Database, wall: Wall
) -> None:
    observe(database, A)
    told(database, *due(database))
    for _ in range(5):
        forward(wall, GONE - timedelta(seconds=1))
        assert due(database) == []
        observe(database, A)


def test_its_end_is_not_told_by_who_has_not_looked_on(database: Database, wall: Wall) -> None:
    observe(database, A)
    told(database, *due(database))
    forward(wall, GONE + MINUTE)
    assert handed(database, ended=False) == []
    assert handed(database) == [(A, Phase.OVER)]


# -- one of many -------------------------------------------------------------------------------


def test_what_was_handed_out_is_nobody_elses_until_its_time_is_over(
    database: Database, wall: Wall
) -> None:
    observe(database, A)
    assert handed(database) == [(A, Phase.BEGUN)]
    forward(wall, CLAIM - timedelta(seconds=1))
    observe(database, A)
    assert handed(database) == []
    forward(wall, timedelta(seconds=1))
    assert handed(database) == [(A, Phase.BEGUN)]


def test_several_who_ask_at_once_are_handed_different_things(another: Opener, wall: Wall) -> None:
    """What has begun, and what is over."""
    doors = [another() for _ in range(4)]
    gone, here = ([f"held main/{each}/{n}" for n in range(alarms.MOST)] for each in "ab")
    observe(doors[0], *gone)
    forward(wall, GONE + MINUTE)
    gate = Barrier(len(doors))

    def take(door: Database) -> list[tuple[str, Phase]]:
        gate.wait()
        observe(door, *here)
        return [each for _ in range(4) for each in handed(door)]

    with ThreadPoolExecutor(len(doors)) as threads:
        taken = [one for each in threads.map(take, doors) for one in each]
    wanted = [(name, Phase.BEGUN) for name in here] + [(name, Phase.OVER) for name in gone]
    assert sorted(taken) == sorted(wanted)


def test_what_one_is_just_taking_another_does_not_wait_for(another: Opener, wall: Wall) -> None:
    first, second = another(), another()
    observe(first, A)
    told(first, *due(first))
    forward(wall, GONE + MINUTE)

    def slowly(tx: Tx) -> list[Notice]:
        taken = alarms.due(tx, ended=True, jitter=lambda: 0.0)
        wait([asking := threads.submit(due, second)], timeout=0.5)
        found.append(asking)
        return taken

    found: list[Future[list[Notice]]] = []
    with ThreadPoolExecutor(1) as threads:
        [mine] = first.write_now(slowly)
        assert mine.phase is Phase.OVER
        assert found[0].result() == []


def test_each_try_waits_longer_up_to_ten_minutes(database: Database, wall: Wall) -> None:
    waits = []
    for _ in range(10):
        observe(database, A)
        assert due(database, jitter=0.999)
        again = database.read_now(lambda tx: tx.execute(select(_row.c.due)).scalar_one())
        waits.append((again - wall.us) / 1_000_000)
        wall.forward(waits[-1])
    assert [int(each) for each in waits] == [30, 30, 30, 39, 79, 159, 319, 599, 599, 599]


_row = Alarm.__table__  # type: ignore[attr-defined]


def test_what_is_recorded_late_or_twice_changes_nothing(database: Database, wall: Wall) -> None:
    observe(database, A)
    [begun] = due(database)
    told(database, begun, begun)
    forward(wall, GONE + MINUTE)
    [over] = due(database)
    told(database, over, over, begun)
    assert due(database) == []
    observe(database, A)
    for late in (begun, over):
        told(database, late)
        assert standing(database) == [(A, "")]
    assert handed(database) == [(A, Phase.BEGUN)]


# -- rows --------------------------------------------------------------------------------------


def rows(database: Database) -> list[tuple[str, int]]:
    query = select(_row.c.name, _row.c.seen).order_by(_row.c.name)
    return [tuple(each) for each in database.read_now(lambda tx: tx.execute(query).all())]


def test_a_row_is_not_written_at_every_look(database: Database, wall: Wall) -> None:
    first = wall.us
    for _ in range(4):
        observe(database, A)
        assert rows(database) == [(A, first)]
        wall.forward(5)
    wall.forward(5)
    observe(database, A)
    assert rows(database) == [(A, wall.us)]


@pytest.mark.parametrize("later", ["shiny", "shiny main/left", "heldback", "admin-left"])
def test_kinds_of_a_later_release_are_left_to_it(
    database: Database, wall: Wall, later: str
) -> None:
    observe(database, *(f"{later} {n}" for n in range(alarms.MOST)))
    wall.forward(1)
    observe(database, A)
    assert handed(database) == [(A, Phase.BEGUN)]
    assert standing(database) == [(A, "")]


def test_what_is_over_for_a_week_is_forgotten_unless_somebody_waits_for_its_end(
    database: Database, wall: Wall
) -> None:
    observe(database, A, B, C)
    notices = {each.name: each for each in due(database)}
    told(database, notices[A], notices[B])
    forward(wall, GONE + MINUTE)
    told(database, next(each for each in due(database) if each.name == A))
    forward(wall, timedelta(days=8))
    observe(database)
    assert [name for name, _ in rows(database)] == [B]
    assert handed(database) == [(B, Phase.OVER)]


def test_where_nobody_is_told_what_is_over_is_forgotten(database: Database, wall: Wall) -> None:
    observe(database, A, B)
    told(database, next(each for each in due(database) if each.name == B))
    forward(wall, GONE + MINUTE)
    observe(database, C)
    database.write_now(alarms.drop)
    assert [name for name, _ in rows(database)] == [C, B]
