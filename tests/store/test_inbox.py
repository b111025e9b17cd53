"""The inbox: stored events and dead letters as people ask for them."""

from __future__ import annotations

from functools import partial

from hooks.core.attempt import DeadLetter, Idle
from hooks.store import inbox, line, waiting
from hooks.store.database import Database
from hooks.store.inbox import Place, Wanted
from hooks.store.intake import Origin
from tests.store.builders import (
    DEACTIVATED,
    SEALER,
    Wall,
    event,
    lease_one,
    left,
    put,
    put_in,
    settle,
    us,
    user,
    uuid,
)

ANN, BOB = user(1), user(2)


def listed(database: Database, wanted: Wanted) -> list[object]:
    found = database.read_now(lambda tx: inbox.listed(tx, wanted))
    return [each["uuid"] for each in found]


def test_events_are_listed_newest_first_as_wanted(database: Database) -> None:
    put(database, left(1, ANN), left(2, BOB))
    settle(database, lease_one(database, ANN), Idle())
    put(database, event(3, ("User", ANN), type="user.lifecycle.suspend"), left(4, ANN))
    assert set(listed(database, Wanted())) == {uuid(number) for number in range(1, 5)}
    assert set(listed(database, Wanted(subject=ANN))) == {uuid(1), uuid(3), uuid(4)}
    assert set(listed(database, Wanted(type=DEACTIVATED))) == {uuid(1), uuid(2), uuid(4)}
    assert set(listed(database, Wanted(subject=ANN, waiting=True))) == {uuid(3), uuid(4)}
    assert len(listed(database, Wanted(limit=3))) == 3
    assert set(listed(database, Wanted(before=3))) == {uuid(1), uuid(2)}


def test_the_last_deliveries_are_counted_newest_first(database: Database, wall: Wall) -> None:
    origins = {1: "first", 2: "first", 3: "second"}
    for number, name in origins.items():
        told = left(number, ANN)
        came = {told.uuid: Origin("hook", name)}
        database.write_now(partial(put_in, events=[told], origins=came))
        wall.forward(1)
    log = left(4, ANN)
    database.write_now(lambda tx: put_in(tx, [log], {log.uuid: Origin("log")}))
    found = database.read_now(lambda tx: inbox.deliveries(tx, 5))
    assert [(each["delivery"], each["events"]) for each in found] == [("second", 1), ("first", 2)]
    assert len(database.read_now(lambda tx: inbox.deliveries(tx, 1))) == 1


def test_a_list_shows_no_payload(database: Database) -> None:
    put(database, left(1, ANN))
    (found,) = database.read_now(lambda tx: inbox.listed(tx, Wanted()))
    assert "sealed" not in found
    assert not any(isinstance(each, bytes) for each in found.values())


def test_an_event_is_shown_with_its_payload_or_without(database: Database) -> None:
    mine = left(1, ANN)
    put(database, mine, event(2, type="user.session.start"))
    opened = database.read_now(lambda tx: inbox.opened(tx, uuid(1), SEALER))
    closed = database.read_now(lambda tx: inbox.closed(tx, uuid(1)))
    assert opened
    assert closed == (opened[0], None)
    assert opened[1] == mine.raw
    other = database.read_now(lambda tx: inbox.opened(tx, uuid(2), SEALER))
    assert other
    assert other[1] is None
    assert database.read_now(lambda tx: inbox.opened(tx, uuid(3), SEALER)) is None


def test_dead_letters_are_listed_oldest_first(database: Database, wall: Wall) -> None:
    put(database, left(1, BOB), left(2, ANN))
    for who in (BOB, ANN):
        settle(database, lease_one(database, who), DeadLetter("attempts"))
        wall.forward(1)
    found = database.read_now(inbox.dead)
    assert [(each["subject"], each["dead"], each["attempts"]) for each in found] == [
        (BOB, "attempts", 1),
        (ANN, "attempts", 1),
    ]


def test_the_waiting_claims_are_shown_without_a_trace(database: Database) -> None:
    put(database, left(1, ANN), left(2, ANN), left(3, BOB))
    shown = database.read_now(lambda tx: waiting.claims(tx, ANN))
    assert lease_one(database, ANN).claims == shown


def test_a_subjects_place_in_line_is_shown(database: Database, wall: Wall) -> None:
    def place() -> Place | None:
        return database.read_now(lambda tx: inbox.place(tx, ANN))

    assert place() is None
    put(database, left(1, ANN))
    assert place() == Place(0, wall.us, None, None)
    held = lease_one(database, ANN)
    until = wall.us + line.LEASE.total_seconds() * us(1)
    assert place() == Place(1, until, until, None)  # type: ignore[arg-type]
    settle(database, held, DeadLetter("fault"))
    assert place() == Place(1, None, None, "fault")
