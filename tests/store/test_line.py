"""The line: who is leased when, and where a settled subject and its events end up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from hooks.clock import moment
from hooks.core.attempt import DeadLetter, Idle, LookAgain, Next, Retry
from hooks.store import line, turns
from hooks.store.database import Database, Tx
from tests.store.builders import (
    START,
    Wall,
    due,
    event,
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
)

ANN, BOB, CAT, DAN = user(1), user(2), user(3), user(4)
LATER = START + timedelta(hours=1)
ENDED = [
    pytest.param(Idle(), id="idle"),
    pytest.param(LookAgain(LATER), id="look again"),
    pytest.param(Retry(LATER), id="retry"),
    pytest.param(DeadLetter("attempts"), id="dead letter"),
]


# -- who comes first ---------------------------------------------------------------------------


def test_urgent_ones_come_first_and_the_longest_waiting_before_others(
    database: Database, wall: Wall
) -> None:
    mark(database, CAT, lane=line.BULK)
    wall.forward(1)
    mark(database, BOB)
    wall.forward(1)
    mark(database, ANN)
    wall.forward(1)
    assert [each.subject for each in lease(database)] == [BOB, ANN, CAT]


def test_some_are_taken_who_came_last_and_nobody_twice(database: Database, wall: Wall) -> None:
    for who in (ANN, BOB, CAT, DAN):
        mark(database, who)
        wall.forward(1)
    assert [each.subject for each in lease(database, limit=3, last=1)] == [ANN, BOB, DAN]
    assert [each.subject for each in lease(database, limit=3, last=1)] == [CAT]


def test_what_is_about_nobody_alone_stands_before_any_crowd_of_bulk_work(
    database: Database, wall: Wall
) -> None:
    for who in (ANN, BOB, CAT):
        mark(database, who, lane=line.BULK)
    wall.forward(1)
    database.write_now(lambda tx: line.enroll(tx, "audit", "audit"))
    mark(database, DAN)
    assert [each.subject for each in lease(database, limit=2)] == [DAN, "audit/audit"]
    assert [each.subject for each in lease(database, limit=2)] == [ANN, BOB]


def test_a_crowd_of_bulk_work_is_not_gone_through_for_it(database: Database) -> None:
    """Neither engine reads everybody who waits to find that nothing stands before them."""

    def explain(tx: Tx) -> str:
        verb = "EXPLAIN" if tx.postgres else "EXPLAIN QUERY PLAN"
        if tx.postgres:
            tx.execute(text("SET LOCAL enable_seqscan = off"))
        query = (
            "SELECT subject FROM due WHERE lane = 1 AND due_at <= 5 AND due.kind <> 'user'"
            " ORDER BY due_at, subject LIMIT 5"
        )
        return str(tx.execute(text(f"{verb} {query}")).all())

    assert "due_standing" in database.write_now(explain)


def test_who_came_at_the_same_instant_is_taken_in_one_order_by_every_database(
    database: Database,
) -> None:
    for who in (CAT, ANN, BOB):
        mark(database, who)
    assert [each.subject for each in lease(database)] == [ANN, BOB, CAT]


def test_the_limit_cuts_the_end_of_the_line(database: Database, wall: Wall) -> None:
    mark(database, CAT, lane=line.BULK)
    mark(database, BOB)
    wall.forward(1)
    mark(database, ANN)
    assert [each.subject for each in lease(database, 1)] == [BOB]
    assert [each.subject for each in lease(database, 2)] == [ANN, CAT]


def test_nobody_is_leased_before_they_are_due(database: Database, wall: Wall) -> None:
    mark(database, ANN, after=10)
    wall.forward(9.999)
    assert lease(database) == []
    wall.forward(0.001)
    assert [each.subject for each in lease(database)] == [ANN]


def test_slots_kept_for_urgent_ones_take_no_bulk(database: Database) -> None:
    mark(database, ANN, lane=line.BULK)
    mark(database, BOB)
    assert [each.subject for each in lease(database, bulk=0)] == [BOB]
    assert [each.lane for each in lease(database)] == [line.BULK]


def test_whom_this_process_still_works_on_it_does_not_take_again(
    database: Database, wall: Wall
) -> None:
    mark(database, ANN, BOB)
    assert [each.subject for each in lease(database, but=(ANN,))] == [BOB]
    wall.forward(61)
    assert [each.subject for each in lease(database, but=(BOB,))] == [ANN]


def test_anybody_urgent_is_whom_a_lease_would_take(database: Database, wall: Wall) -> None:
    def urgent(*but: str) -> bool:
        return database.read_now(lambda tx: turns.urgent(tx, but=but))

    mark(database, ANN, after=10)
    mark(database, BOB, lane=line.BULK)
    assert not urgent()
    wall.forward(10)
    assert (urgent(), urgent(ANN)) == (True, False)
    lease_one(database, ANN)
    assert not urgent()


def test_one_subject_can_be_asked_for(database: Database) -> None:
    mark(database, ANN, BOB, CAT)
    assert [each.subject for each in lease(database, only=BOB)] == [BOB]
    assert lease(database, only=BOB) == []
    assert lease(database, only=DAN) == []


def test_who_is_leased_is_not_leased_again_until_the_lease_ends(
    database: Database, wall: Wall
) -> None:
    mark(database, ANN)
    first = lease_one(database, ANN)
    assert first.until == wall.us + us(60)
    wall.forward(59.9)
    assert lease(database) == []
    wall.forward(0.1)
    second = lease_one(database, ANN)
    assert (first.fence, first.attempt, bool(first.abandoned)) == (1, 1, False)
    assert (second.fence, second.attempt, bool(second.abandoned)) == (2, 2, True)


def test_a_bulk_mark_never_makes_an_urgent_one_wait_in_the_bulk_lane(database: Database) -> None:
    mark(database, ANN)
    mark(database, ANN, lane=line.BULK)
    assert lease_one(database, ANN).lane == line.URGENT


def test_an_urgent_mark_moves_a_bulk_one_to_the_urgent_lane(database: Database) -> None:
    mark(database, ANN, lane=line.BULK)
    mark(database, ANN)
    assert lease_one(database, ANN).lane == line.URGENT


def test_who_was_urgent_once_is_bulk_work_for_a_later_audit(database: Database) -> None:
    mark(database, ANN)
    settle(database, lease_one(database, ANN), Idle())
    mark(database, ANN, lane=line.BULK)
    assert lease_one(database, ANN).lane == line.BULK


# -- marks -------------------------------------------------------------------------------------


def test_a_new_mark_never_puts_anybody_off(database: Database, wall: Wall) -> None:
    mark(database, ANN, after=5)
    mark(database, ANN, after=60, events=True)
    assert due(database, ANN).due_at == wall.us + us(5)
    mark(database, ANN, after=1, events=True)
    assert due(database, ANN).due_at == wall.us + us(1)


def test_who_waits_already_is_not_written_again(database: Database, wall: Wall) -> None:
    put(database, left(1, ANN))
    before = due(database, ANN)
    wall.forward(1)
    put(database, left(2, ANN))
    mark(database, ANN, lane=line.BULK, after=60)
    assert due(database, ANN) == before
    assert set(lease_one(database, ANN).uuids) == {uuid(1), uuid(2)}


@pytest.mark.parametrize("events", [True, False])
def test_who_is_marked_after_a_lease_ran_out_is_due_at_its_end(
    database: Database, wall: Wall, *, events: bool
) -> None:
    mark(database, ANN)
    held = lease_one(database, ANN)
    wall.forward(61)
    mark(database, ANN, events=events)
    settle(database, held, Idle())
    assert due(database, ANN).due_at == wall.us


def test_attempts_start_anew_for_who_is_due_again_too(database: Database, wall: Wall) -> None:
    mark(database, ANN)
    settle(database, lease_one(database, ANN), Retry(wall.clock.now()))
    mark(database, ANN, lane=line.BULK)
    assert due(database, ANN).attempts == 1, "nothing new came"
    put(database, left(1, ANN))
    assert due(database, ANN).attempts == 0


@pytest.mark.parametrize("then", [LookAgain(LATER), Retry(LATER), DeadLetter("attempts")])
def test_a_new_event_ends_every_wait(database: Database, then: Next, wall: Wall) -> None:
    mark(database, ANN)
    settle(database, lease_one(database, ANN), then)
    assert lease(database) == []
    put(database, left(1, ANN))
    again = lease_one(database, ANN)
    assert (again.attempt, again.uuids) == (1, (uuid(1),))


def test_a_new_event_during_a_lease_leaves_the_lease_alone(database: Database, wall: Wall) -> None:
    mark(database, ANN)
    held = lease_one(database, ANN)
    wall.forward(10)
    put(database, left(1, ANN))
    row = due(database, ANN)
    assert (row.due_at, row.lease_until, row.fence) == (held.until, held.until, held.fence)
    assert lease(database) == []


@pytest.mark.parametrize("then", ENDED)
def test_a_new_event_during_a_lease_makes_the_subject_due_at_its_end(
    database: Database, wall: Wall, then: Next
) -> None:
    put(database, left(1, ANN))
    held = lease_one(database, ANN)
    wall.forward(10)
    put(database, left(2, ANN))
    settle(database, held, then)
    row = due(database, ANN)
    assert (row.due_at, row.lease_until, row.dead) == (wall.us, None, None)
    kept = {uuid(2)} if isinstance(then, Idle | LookAgain) else {uuid(1), uuid(2)}
    assert waiting_events(database, ANN) == kept
    assert set(lease_one(database, ANN).uuids) == kept


def test_a_mark_without_events_does_not_wake_the_dead(database: Database) -> None:
    mark(database, ANN)
    settle(database, lease_one(database, ANN), DeadLetter("attempts"))
    mark(database, ANN)
    assert lease(database) == []
    assert due(database, ANN).dead == "attempts"
    assert retry_dead(database) == 1
    assert [each.subject for each in lease(database)] == [ANN]


def test_standing_work_is_put_in_line_once(database: Database, wall: Wall) -> None:
    database.write_now(lambda tx: line.enroll(tx, ANN, "census"))
    held = lease_one(database, f"census/{ANN}")
    assert (held.kind, held.name, held.lane) == ("census", ANN, line.BULK)
    settle(database, held, LookAgain(LATER))
    database.write_now(lambda tx: line.enroll(tx, ANN, "census"))
    assert lease(database) == []
    assert due(database, f"census/{ANN}").due_at == us(LATER.timestamp())


def test_standing_work_that_was_given_up_starts_anew(database: Database) -> None:
    for then in (Idle(), DeadLetter("attempts")):
        database.write_now(lambda tx: line.enroll(tx, ANN, "census"))
        settle(database, lease_one(database, f"census/{ANN}"), then)
    database.write_now(lambda tx: line.enroll(tx, ANN, "census"))
    assert lease_one(database, f"census/{ANN}").kind == "census"


def test_what_an_id_is_called_takes_nobodys_place(database: Database) -> None:
    """A forged event may name a person as a group; the person must still be looked at."""
    put(database, event(1, ("UserGroup", ANN), type="group.lifecycle.delete"))
    put(database, left(2, ANN))
    assert (lease_one(database, ANN).kind, due(database, f"group/{ANN}").kind) == ("user", "group")


def test_a_failed_look_is_bulk_work_until_an_event_comes(database: Database) -> None:
    mark(database, ANN)
    settle(database, lease_one(database, ANN), LookAgain(START))
    assert due(database, ANN).lane == line.BULK
    mark(database, ANN, events=True)
    assert due(database, ANN).lane == line.URGENT


# -- settled -----------------------------------------------------------------------------------


def test_idle_ends_the_wait_and_settles_the_events(database: Database, wall: Wall) -> None:
    put(database, left(1, ANN), left(2, ANN), left(3, BOB))
    settle(database, lease_one(database, ANN), Idle())
    row = due(database, ANN)
    assert (row.due_at, row.lease_until, row.attempts, row.crashes, row.base, row.dead) == (
        *(None, None, 0, 0, None, None),
    )
    assert not waiting_events(database, ANN)
    assert waiting_events(database, BOB) == {uuid(3)}


def test_looking_again_settles_the_events_and_hands_the_base_on(
    database: Database, wall: Wall
) -> None:
    put(database, left(1, ANN))
    settle(database, lease_one(database, ANN), LookAgain(START + timedelta(seconds=30), START))
    assert not waiting_events(database, ANN)
    wall.forward(30)
    again = lease_one(database, ANN)
    assert (again.attempt, again.base, again.abandoned) == (1, START, None)


def test_a_retry_keeps_the_events_and_counts_the_attempt(database: Database, wall: Wall) -> None:
    put(database, left(1, ANN))
    held = lease_one(database, ANN)
    settle(database, held, Retry(START + timedelta(seconds=5), base=START))
    wall.forward(5)
    again = lease_one(database, ANN)
    assert (again.attempt, again.base, again.uuids) == (2, START, (uuid(1),))


def test_a_retry_for_want_of_a_credential_is_no_attempt(database: Database, wall: Wall) -> None:
    put(database, left(1, ANN))
    for _ in range(30):
        held = lease_one(database, ANN)
        assert held.attempt == 1
        settle(database, held, Retry(wall.clock.now(), counted=False))


def test_a_dead_letter_keeps_its_events_and_waits_for_a_person(
    database: Database, wall: Wall
) -> None:
    put(database, left(1, ANN))
    settle(database, lease_one(database, ANN), DeadLetter("attempts"))
    row = due(database, ANN)
    assert (row.dead, row.dead_at, row.due_at, row.lease_until) == (
        *("attempts", wall.us, None, None),
    )
    wall.forward(10_000_000)
    assert lease(database) == []
    assert waiting_events(database, ANN) == {uuid(1)}
    assert retry_dead(database, [BOB]) == 0
    assert retry_dead(database, [BOB, ANN]) == 1
    again = lease_one(database, ANN)
    assert (again.attempt, again.uuids) == (1, (uuid(1),))


def test_a_new_event_gives_a_dead_letter_another_chance(database: Database) -> None:
    put(database, left(1, ANN))
    settle(database, lease_one(database, ANN), DeadLetter("attempts"))
    put(database, left(2, ANN))
    again = lease_one(database, ANN)
    assert (again.attempt, set(again.uuids)) == (1, {uuid(1), uuid(2)})
    assert due(database, ANN).dead is None


def test_events_that_contradict_the_reading_go_on_waiting(database: Database, wall: Wall) -> None:
    put(database, left(1, ANN), left(2, ANN))
    settle(database, lease_one(database, ANN), LookAgain(LATER), keep=[uuid(2)])
    assert waiting_events(database, ANN) == {uuid(2)}
    wall.forward(3600)
    again = lease_one(database, ANN)
    assert again.uuids == (uuid(2),)
    assert [each.first_look for each in again.claims] == [START]


def test_kept_events_wait_on_when_something_new_came_too(database: Database) -> None:
    put(database, left(1, ANN), left(2, ANN))
    held = lease_one(database, ANN)
    put(database, left(3, ANN))
    settle(database, held, LookAgain(LATER), keep=[uuid(2)])
    assert waiting_events(database, ANN) == {uuid(2), uuid(3)}


def test_the_first_look_at_an_event_is_noted_once(database: Database, wall: Wall) -> None:
    put(database, left(1, ANN))
    for _ in range(3):
        (claim,) = lease_one(database, ANN).claims
        assert claim.first_look == START
        assert claim.published == moment(us(START.timestamp() - 1))
        wall.forward(61)


# -- more than one lease hands out -------------------------------------------------------------


def test_a_lease_names_the_newest_500_and_claims_what_the_newest_of_its_kind_says(
    database: Database,
) -> None:
    put(database, *(left(number, ANN) for number in range(600)))
    put(database, left(1000, ANN))
    held = lease_one(database, ANN)
    assert held.uuids == tuple(uuid(number) for number in (*range(101, 600), 1000))
    assert [each.uuid for each in held.claims] == [uuid(1000)]


def test_older_ones_are_settled_by_a_look_that_came_after_them(database: Database) -> None:
    put(database, *(left(number, ANN) for number in range(600)))
    settle(database, lease_one(database, ANN), Idle())
    assert not waiting_events(database, ANN)
    assert due(database, ANN).due_at is None


def test_with_more_than_500_waiting_a_new_event_leaves_the_rest_waiting(
    database: Database,
) -> None:
    put(database, *(left(number, ANN) for number in range(600)))
    held = lease_one(database, ANN)
    put(database, left(1000, ANN))
    settle(database, held, Idle())
    rest = {uuid(number) for number in (*range(100), 1000)}
    assert waiting_events(database, ANN) == rest
    assert set(lease_one(database, ANN).uuids) == rest


def test_standing_work_apart_is_leased_only_by_its_name(database: Database) -> None:
    subject = line.key(line.APART, "log")
    database.write_now(lambda tx: line.enroll(tx, "log", line.APART))
    assert lease(database) == []
    assert [each.subject for each in lease(database, only=subject)] == [subject]
    assert lease(database, only=subject) == [], "one at a time"


@pytest.mark.parametrize(
    ("counted", "hurry", "lane"),
    [(False, True, line.URGENT), (False, False, line.BULK), (True, True, line.BULK)],
)
def test_who_is_in_a_hurry_and_was_only_turned_away_stays_urgent(
    database: Database, wall: Wall, *, counted: bool, hurry: bool, lane: int
) -> None:
    mark(database, ANN)
    held = lease_one(database, ANN)
    then = Retry(wall.clock.now(), counted=counted)
    database.write_now(lambda tx: line.settle(tx, held, then, hurry=hurry))
    assert due(database, ANN).lane == lane
