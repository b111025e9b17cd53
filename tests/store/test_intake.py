"""Deliveries in: stored before acknowledged, each event once, nothing personal in clear."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, text

from hooks.core.attempt import Idle
from hooks.core.errors import BusyError, StoreError, UnsealedError
from hooks.core.log_event import LogEvent
from hooks.core.membership import Standing
from hooks.core.reading import AppUser
from hooks.core.returning import Standed
from hooks.store import inbox, line, people
from hooks.store.database import Database, Tx
from hooks.store.intake import MOST_BYTES, MOST_EVENTS, MOST_WAITING, Intake, Origin, Stored
from hooks.store.people import Stood
from tests.store.builders import (
    APP,
    APPS,
    DEACTIVATED,
    GROUP_DELETED,
    MAIN,
    SEALER,
    Wall,
    delivery,
    due,
    event,
    lease,
    lease_one,
    left,
    okta_group,
    put,
    put_in,
    scim_user,
    settle,
    stored,
    us,
    user,
    uuid,
)
from tests.store.conftest import Opener

ANN, BOB = user(1), user(2)
ADDRESS = "ann.planted@example.com"


@pytest.fixture
async def intake(database: Database) -> AsyncIterator[Intake]:
    found = Intake(database, SEALER, APPS)
    yield found
    await found.aclose()


# -- once --------------------------------------------------------------------------------------


async def test_three_thousand_deliveries_at_once_are_all_stored(
    intake: Intake, database: Database
) -> None:
    async def insist(number: int) -> Stored:
        while True:  # as Okta does, and this machine may be slow
            with suppress(BusyError):
                return await intake.put(delivery(left(number, user(number % 300))))

    answers = await asyncio.gather(*map(insist, range(3000)))
    assert {each.new + each.known for each in answers} == {1}
    assert set(stored(database, "uuid")) == {uuid(number) for number in range(3000)}
    assert len(lease(database, 1000)) == 300


async def test_the_same_event_many_times_is_stored_once(intake: Intake, database: Database) -> None:
    once = left(1, ANN)
    assert await intake.put(delivery(once, once, left(2, ANN))) == Stored(new=2, known=0)
    assert await intake.put(delivery(once, left(3, ANN))) == Stored(new=1, known=1)
    await asyncio.gather(*(intake.put(delivery(left(4, ANN), id=str(i))) for i in range(50)))
    assert sorted(stored(database, "uuid")) == [uuid(number) for number in range(1, 5)]


async def test_two_processes_that_get_the_same_deliveries_store_each_event_once(
    another: Opener,
) -> None:
    doors = [Intake(another(), SEALER, APPS) for _ in range(2)]
    first = another()
    answers = await asyncio.gather(
        *(door.put(delivery(left(n, user(n % 7)))) for n in range(200) for door in doors)
    )
    assert len(stored(first)) == 200
    # Which deliveries share a commit is chance; that each event was new to somebody is not.
    assert 200 <= sum(answer.new for answer in answers) <= 400
    for door in doors:
        await door.aclose()


async def test_an_event_that_was_known_puts_nobody_in_line_again(database: Database) -> None:
    put(database, left(1, ANN))
    held = lease_one(database, ANN)
    before = due(database, ANN)
    assert put(database, left(1, ANN)) == frozenset()
    assert due(database, ANN) == before
    settle(database, held, Idle())
    assert put(database, left(1, ANN)) == frozenset()
    assert due(database, ANN).due_at is None


async def test_what_is_acknowledged_is_committed(intake: Intake, another: Opener) -> None:
    elsewhere = another()
    for number in range(5):
        await intake.put(delivery(left(number, ANN)))
        assert len(stored(elsewhere)) == number + 1


# -- what is stored ----------------------------------------------------------------------------


def test_an_event_is_stored_as_it_came(database: Database, wall: Wall) -> None:
    came = left(1, ANN)
    put(database, came)
    (row,) = stored(database)
    assert (row.uuid, row.type, row.subject, row.origin, row.delivery) == (
        *(uuid(1), DEACTIVATED, ANN, "hook", "delivery-1"),
    )
    assert (row.published, row.received, row.settled) == (wall.us - us(1), wall.us, None)
    found = database.read_now(lambda tx: inbox.opened(tx, uuid(1), SEALER))
    assert found
    assert found[1] == came.raw


@pytest.mark.parametrize(
    ("published", "seconds"),
    [
        pytest.param("2026-11-21T09:29:50.000Z", -10, id="before"),
        pytest.param("2026-11-21T09:30:50.000Z", 0, id="not yet"),
        pytest.param("9999-12-31T23:59:59.999Z", 0, id="at the end of time"),
        pytest.param("yesterday", 0, id="unreadable"),
    ],
)
def test_nothing_was_published_after_it_was_received(
    database: Database, wall: Wall, published: str, seconds: float
) -> None:
    put(database, event(1, ("User", ANN), published=published))
    assert stored(database, "published") == [wall.us + us(seconds)]


@pytest.mark.parametrize("published", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"])
def test_nothing_was_published_before_there_was_time(database: Database, published: str) -> None:
    put(database, event(1, ("User", ANN), published=published))
    assert stored(database, "published") == [0]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(event(1, ("User", ANN), type="user.session.start", actor=ADDRESS), id="type"),
        pytest.param(
            event(
                1,
                ("User", ANN),
                ("AppInstance", "0oaOTHER000000000000"),
                type="application.user_membership.remove",
                actor=ADDRESS,
            ),
            id="app",
        ),
    ],
)
def test_what_does_not_concern_us_is_counted_and_not_kept(
    database: Database, wall: Wall, other: LogEvent
) -> None:
    assert put(database, other) == {uuid(1)}
    (row,) = stored(database)
    assert (row.sealed, row.subject, row.claim, row.settled) == (None, None, None, wall.us)
    assert database.read_now(inbox.counted) == 1
    assert lease(database) == []


def test_an_event_about_nobody_is_kept_and_waits_for_nothing(
    database: Database, wall: Wall
) -> None:
    put(database, event(1))
    (row,) = stored(database)
    assert row.sealed
    assert (row.subject, row.settled) == (None, wall.us)


def test_an_event_about_two_people_has_both_looked_at(database: Database) -> None:
    put(database, event(1, ("User", BOB), ("User", ANN)))
    assert {each.subject for each in lease(database)} == {ANN, BOB}
    assert stored(database, "claim") == [None]


def test_a_group_waits_until_its_peoples_own_events_had_time(
    database: Database, wall: Wall
) -> None:
    put(database, event(1, ("UserGroup", okta_group(1)), type=GROUP_DELETED))
    row = due(database, f"group/{okta_group(1)}")
    assert (row.kind, row.lane, row.due_at) == ("group", line.BULK, wall.us + us(60))


@pytest.mark.parametrize(
    ("listed", "lane"),
    [("ACTIVE", line.URGENT), ("SUSPENDED", line.URGENT), ("", line.BULK)],
)
def test_a_person_is_due_at_once_and_urgent_if_anybody_knows_them(
    database: Database, wall: Wall, listed: str, lane: int
) -> None:
    """Thousands of forged ids must not stand before somebody who leaves."""
    if listed:
        page = [AppUser(ANN, listed)]
        database.write_now(lambda tx: people.census(tx, MAIN, page, SEALER, began=tx.now))
    put(database, event(1, ("User", ANN), ("AppInstance", APP)))
    row = due(database, ANN)
    assert (row.kind, row.lane, row.due_at, row.generation) == ("user", lane, wall.us, 1)


@pytest.mark.parametrize(
    ("stood", "lane"),
    [
        pytest.param(Stood(MAIN, Standed(Standing.OUTSIDE), None), line.BULK, id="outside"),
        pytest.param(
            Stood(MAIN, Standed(Standing.LEFT), None, scim_id=scim_user(1)),
            line.URGENT,
            id="with a record",
        ),
        pytest.param(
            Stood(MAIN, Standed(Standing.PRESENT), None, in_force=True), line.URGENT, id="in force"
        ),
    ],
)
def test_whom_a_look_saw_is_urgent_unless_they_never_had_anything(
    database: Database, stood: Stood, lane: int
) -> None:
    """Most people in Okta may have nothing to do with Atlassian; no look at them is urgent."""
    database.write_now(lambda tx: people.remember(tx, ANN, [stood], SEALER, protected=False))
    put(database, event(1, ("User", ANN), ("AppInstance", APP)))
    assert due(database, ANN).lane == lane


# -- nothing personal in clear -----------------------------------------------------------------


def test_no_address_is_anywhere_in_the_database_in_clear(
    database: Database, store_url: str
) -> None:
    person = {"type": "User", "id": ANN, "alternateId": ADDRESS, "displayName": "Ann Planted"}
    whole: dict[str, Any] = {
        "target": [person],
        "actor": person,
        "debugContext": {"login": ADDRESS},
    }
    put(database, *(event(number, **whole) for number in range(50)))
    found = database.read_now(lambda tx: inbox.opened(tx, uuid(1), SEALER))
    assert found
    assert ADDRESS.encode() in (found[1] or b"")
    for raw in _raw(store_url):
        assert ANN.encode() in raw  # it is the right file, and it is not compressed
        assert b"planted" not in raw.lower()


def _raw(url: str) -> list[bytes]:
    """Everything the database holds, as it holds it."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        path = Path(str(parsed.database))
        log = path.with_name(path.name + "-wal").read_bytes()
        with sqlite3.connect(path) as door:
            door.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        door.close()
        return [log, path.read_bytes()]
    with psycopg.connect(url) as reader:
        rows = reader.execute("SELECT event::text, sealed FROM event").fetchall()
    return [b"".join(shown.encode() + bytes(sealed) for shown, sealed in rows)]


def test_a_payload_copied_into_another_event_does_not_open(database: Database) -> None:
    put(database, left(1, ANN), left(2, BOB))
    copy = text("UPDATE event SET sealed = (SELECT sealed FROM event WHERE uuid = :a)")
    database.write_now(lambda tx: tx.execute(copy, {"a": uuid(1)}))
    assert database.read_now(lambda tx: inbox.opened(tx, uuid(1), SEALER))
    with pytest.raises(UnsealedError, match="another row"):
        database.read_now(lambda tx: inbox.opened(tx, uuid(2), SEALER))


# -- refused -----------------------------------------------------------------------------------


async def test_a_delivery_that_cannot_be_stored_takes_no_other_along(
    intake: Intake, database: Database
) -> None:
    broken = LogEvent("\ud800", "t", None, succeeded=True, users=(), groups=(), apps=(), raw=b"")
    deliveries = [delivery(left(number, ANN)) for number in range(20)]
    deliveries.insert(7, delivery(left(100, ANN), broken))
    answers = await asyncio.gather(*map(intake.put, deliveries), return_exceptions=True)
    assert isinstance(answers.pop(7), StoreError)
    assert set(answers) == {Stored(new=1, known=0)}
    assert set(stored(database, "uuid")) == {uuid(number) for number in range(20)}


async def test_too_many_waiting_are_refused_at_once(intake: Intake, database: Database) -> None:
    once = delivery(left(1, ANN))
    puts = [asyncio.create_task(intake.put(once)) for _ in range(MOST_WAITING + 5)]
    await asyncio.sleep(0)  # each has begun, none has been stored
    refused = [each.exception() for each in puts if each.done()]
    assert len(refused) == 5
    assert all(isinstance(each, BusyError) for each in refused)
    for each in puts[100:]:
        each.cancel()
    await asyncio.gather(*puts, return_exceptions=True)
    assert await intake.put(once) == Stored(new=0, known=1)


async def test_too_many_bytes_waiting_are_refused_at_once(
    intake: Intake, database: Database
) -> None:
    large = [event(n, type="x", filler="x" * (MOST_BYTES // 4)) for n in range(5)]
    puts = [asyncio.create_task(intake.put(delivery(each))) for each in large]
    answers = await asyncio.gather(*puts, return_exceptions=True)
    assert [type(each) for each in answers] == [Stored, Stored, Stored, BusyError, BusyError]
    assert await intake.put(delivery(large[4])) == Stored(new=1, known=0)


async def test_too_many_events_waiting_are_refused_at_once(
    intake: Intake, database: Database
) -> None:
    many = delivery(*(left(number, ANN) for number in range(400)))
    puts = [asyncio.create_task(intake.put(many)) for _ in range(MOST_EVENTS // 400 + 3)]
    answers = await asyncio.gather(*puts, return_exceptions=True)
    assert [type(each) for each in answers].count(BusyError) == 3
    assert await intake.put(many) == Stored(new=0, known=400)


async def test_one_commit_holds_only_so_many_events(
    intake: Intake, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody else waits for it."""
    monkeypatch.setattr("hooks.store.intake.PATIENCE", 30.0)  # a slow machine is not what is judged
    held: list[int] = []

    async def write(transaction: Callable[[Tx], list[Stored]], *, ahead: bool) -> list[Stored]:
        answers = await real(transaction, ahead=ahead)
        held.append(sum(answer.new for answer in answers))
        return answers

    real = database.write
    monkeypatch.setattr(database, "write", write)
    each = [delivery(*(left(at * 400 + n, ANN) for n in range(400))) for at in range(20)]
    assert await asyncio.gather(*map(intake.put, each)) == [Stored(new=400, known=0)] * 20
    assert (sum(held), max(held), len(stored(database))) == (8000, 4800, 8000)


async def test_others_pass_between_the_pieces_of_a_large_delivery(
    intake: Intake, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hooks.store.intake.PATIENCE", 30.0)  # as above
    crowd = [left(number, ANN) for number in range(2400)]
    large = [asyncio.create_task(intake.put(delivery(*crowd, crowd[0]))) for _ in range(3)]
    await asyncio.sleep(0)
    assert await intake.put(delivery(left(9000, BOB))) == Stored(new=1, known=0)
    assert len(stored(database, "uuid")) < 2400, "nobody waits for the whole of it"
    assert not any(each.done() for each in large)
    answers = await asyncio.gather(*large)
    assert [(each.new, each.known) for each in answers] == [(2400, 0), (0, 2400), (0, 2400)]


def test_events_of_a_catch_up_say_where_they_came_from(database: Database) -> None:
    found = left(1, ANN)
    database.write_now(lambda tx: put_in(tx, [found], {found.uuid: Origin("log", "")}))
    assert stored(database, "origin") == ["log"]
