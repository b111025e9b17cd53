"""Events once more: stored ones and those of files, put back in line however often."""

from __future__ import annotations

import io
import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from hooks.clock import Clock
from hooks.core.attempt import DeadLetter, Idle
from hooks.core.log_event import LogEvent
from hooks.core.reading import AppUser
from hooks.replay import Replay, Told, Trouble, read
from hooks.store import inbox, intake, line, people, schema, tally
from hooks.store.database import Database, Tx
from hooks.store.inbox import Chosen
from tests.store.builders import (
    APPS,
    GROUP_DELETED,
    MAIN,
    SEALER,
    Wall,
    due,
    event,
    lease,
    lease_one,
    left,
    mark,
    okta_group,
    put,
    settle,
    stored,
    user,
    uuid,
    waiting_events,
)

ANN, BOB, CY = user(1), user(2), user(3)
GROUP = okta_group(1)


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def engine() -> str:
    return "sqlite"


both = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])


@pytest.fixture
def database(request: pytest.FixtureRequest, engine: str, wall: Wall) -> Iterator[Database]:
    found = Database(request.getfixturevalue(f"{engine}_url"), wall.clock)
    schema.migrate(found)
    yield found
    found.close()


def replay(database: Database, *, dry: bool = False, **chosen: Any) -> Told:
    """Replay what is stored."""
    work = _work(database, dry=dry)
    work.stored(Chosen(**chosen))
    return work.told


def replay_file(
    database: Database, *bodies: bytes, dry: bool = False
) -> tuple[Told, list[Trouble]]:
    """Replay files; what was broken in them."""
    troubles: list[Trouble] = []
    work = _work(database, dry=dry, troubles=troubles)
    work.files(
        each
        for number, body in enumerate(bodies)
        for each in read(f"file-{number}", io.BytesIO(body))
    )
    return work.told, troubles


def _work(database: Database, *, dry: bool, troubles: list[Trouble] | None = None) -> Replay:
    return Replay(
        database=database,
        sealer=SEALER,
        apps=APPS,
        dry=dry,
        trouble=(troubles if troubles is not None else []).append,
        progress=lambda _: None,
    )


def looked_at(database: Database, *users: str) -> None:
    """Everybody is looked at, and nothing is left to do."""
    for each in users:
        settle(database, lease_one(database, each), Idle())


def settled(tx: Tx) -> None:
    """The same for everybody in one go."""
    for each in line.lease(tx, limit=2000):
        line.settle(tx, each, Idle())


def lines(*events: LogEvent) -> bytes:
    return b"\n".join(each.raw for each in events)


def counts(told: Told) -> tuple[int, int, int, int]:
    return told.again, told.waiting, told.stored, told.unconcerned


# -- stored ------------------------------------------------------------------------------------


@both
def test_a_settled_event_has_its_person_looked_at_again(database: Database, wall: Wall) -> None:
    put(database, left(1, ANN), left(2, BOB))
    looked_at(database, ANN, BOB)
    wall.forward(3600)
    told = replay(database, about=ANN)
    assert counts(told) == (1, 0, 0, 0)
    assert (told.users, told.groups) == ({ANN}, set())
    (held,) = lease(database)
    assert (held.subject, held.uuids) == (ANN, (uuid(1),))
    assert [each.first_look for each in held.claims] == [wall.clock.now()]
    (row,) = (each for each in stored(database) if each.uuid == uuid(1))
    assert (row.settled, row.replayed) == (None, wall.us)
    assert row.received < wall.us


@both
def test_the_age_of_a_replayed_event_counts_from_the_replay(database: Database, wall: Wall) -> None:
    put(database, left(1, ANN))
    looked_at(database, ANN)
    wall.forward(3600)
    replay(database, about=ANN)
    wall.forward(7)
    assert database.read_now(tally.counted)["unsettled_us"] == 7_000_000


def test_an_event_that_waits_is_left_as_old_as_it_is(database: Database, wall: Wall) -> None:
    put(database, left(1, ANN))
    wall.forward(3600)
    assert counts(replay(database, about=ANN)) == (0, 1, 0, 0)
    assert stored(database, "replayed") == [None]
    assert database.read_now(tally.counted)["unsettled_us"] == 3_600_000_000


def test_repeating_it_changes_nothing_but_the_hurry(database: Database, wall: Wall) -> None:
    put(database, left(1, ANN))
    looked_at(database, ANN)
    replay(database, about=ANN)
    once = stored(database)
    wall.forward(5)
    assert counts(replay(database, about=ANN)) == (0, 1, 0, 0)
    assert stored(database) == once


def test_what_comes_while_somebody_is_looked_at_is_looked_at_after_it(database: Database) -> None:
    put(database, left(1, ANN))
    looked_at(database, ANN)
    mark(database, ANN)
    held = lease_one(database, ANN)
    replay(database, about=ANN)
    settle(database, held, Idle())
    assert waiting_events(database, ANN) == {uuid(1)}
    assert lease_one(database, ANN).uuids == (uuid(1),)


def test_a_dead_letter_gets_another_chance(database: Database) -> None:
    put(database, left(1, ANN))
    settle(database, lease_one(database, ANN), DeadLetter("attempts"))
    assert counts(replay(database, waiting=True)) == (0, 1, 0, 0)
    assert database.read_now(inbox.dead) == []
    assert lease_one(database, ANN).attempt == 1


@both
def test_one_person_is_urgent_and_many_are_not(database: Database) -> None:
    put(database, left(1, ANN), left(2, BOB), left(3, BOB))
    looked_at(database, ANN, BOB)
    replay(database, about=BOB)
    assert [due(database, each).lane for each in (BOB,)] == [line.URGENT]
    looked_at(database, BOB)
    replay(database, type="user.lifecycle.deactivate")
    assert [due(database, each).lane for each in (ANN, BOB)] == [line.BULK, line.BULK]


@both
def test_a_groups_members_are_looked_at_again(database: Database, wall: Wall) -> None:
    put(database, event(1, ("UserGroup", GROUP), type=GROUP_DELETED))
    wall.forward(3600)
    looked_at(database, f"group/{GROUP}")
    told = replay(database, about=GROUP)
    assert (told.users, told.groups) == (set(), {GROUP})
    (held,) = lease(database)
    assert (held.kind, held.name, held.uuids) == ("group", GROUP, (uuid(1),))


@pytest.mark.parametrize(
    ("chosen", "meant"),
    [
        ({"since": 10}, {2, 3}),
        ({"until": 10}, {1}),
        ({"since": 10, "until": 20}, {2}),
        ({"type": "user.lifecycle.suspend"}, {2}),
        ({"about": ANN}, {1, 2}),
        ({"uuids": (uuid(1), uuid(3), uuid(9))}, {1, 3}),
        ({"waiting": True}, {3}),
        ({"waiting": False}, {1, 2}),
        ({"about": ANN, "since": 10, "waiting": False}, {2}),
        ({"about": CY}, set()),
    ],
    ids=str,
)
def test_it_is_chosen_by_time_type_user_uuid_and_state(
    database: Database, wall: Wall, chosen: dict[str, Any], meant: set[int]
) -> None:
    zero = wall.us
    put(database, left(1, ANN))
    wall.forward(10)
    put(database, event(2, ("User", ANN), type="user.lifecycle.suspend"))
    looked_at(database, ANN)
    wall.forward(10)
    put(database, left(3, BOB))
    given = {
        name: zero + value * 1_000_000 if name in ("since", "until") else value
        for name, value in chosen.items()
    }
    told = replay(database, **given)
    assert told.events == len(meant)
    again = {row.uuid for row in stored(database) if row.replayed}
    assert again == {uuid(each) for each in meant if each != 3}


def test_an_event_of_no_concern_is_counted_and_does_not_wait(database: Database) -> None:
    put(database, event(1, type="user.session.start"))
    assert counts(replay(database, waiting=False)) == (0, 0, 0, 1)
    assert None not in stored(database, "settled")


def test_a_dry_run_counts_the_same_and_changes_nothing(database: Database) -> None:
    put(database, left(1, ANN), event(2, type="user.session.start"))
    looked_at(database, ANN)
    put(database, left(3, BOB))
    before = stored(database), due(database, ANN), due(database, BOB)
    dry = replay(database, dry=True, since=0)
    assert (stored(database), due(database, ANN), due(database, BOB)) == before
    assert dry == replay(database, since=0)


def test_more_than_one_transaction_holds_is_replayed_whole(database: Database) -> None:
    people = [user(number) for number in range(600)]
    put(database, *(left(number, each) for number, each in enumerate(people)))
    database.write_now(settled)
    assert counts(replay(database, since=0)) == (600, 0, 0, 0)
    assert len(lease(database, limit=2000)) == 600


# -- files -------------------------------------------------------------------------------------


@both
def test_a_file_stores_what_was_never_delivered_as_a_delivery_would(database: Database) -> None:
    put(database, left(1, ANN))
    told, _ = replay_file(database, lines(left(2, BOB)))
    assert counts(told) == (0, 0, 1, 0)
    delivered, replayed = stored(database)
    assert (replayed.origin, replayed.delivery) == ("replay", "")
    for name in ("type", "published", "claim", "about", "settled", "replayed"):
        assert getattr(replayed, name) == getattr(delivered, name)
    assert SEALER.open(replayed.sealed, uuid(2)) == left(2, BOB).raw
    assert {each.subject for each in lease(database)} == {ANN, BOB}


@both
def test_a_file_puts_back_what_is_known(database: Database) -> None:
    put(database, left(1, ANN))
    looked_at(database, ANN)
    told, _ = replay_file(database, lines(left(1, ANN), left(2, BOB)))
    assert counts(told) == (1, 0, 1, 0)
    assert {each.subject for each in lease(database)} == {ANN, BOB}
    again, _ = replay_file(database, lines(left(1, ANN), left(2, BOB)))
    assert counts(again) == (0, 2, 0, 0)
    assert len(stored(database)) == 2


def test_what_concerns_nobody_here_is_counted_and_not_stored(database: Database) -> None:
    other = [("AppInstance", "0oaOTHER".ljust(20, "0")), ("User", ANN)]
    told, troubles = replay_file(
        database,
        lines(
            event(1, type="user.session.start"),
            event(2, *other, type="application.user_membership.remove"),
            left(3, BOB),
        ),
    )
    assert (counts(told), troubles) == ((0, 0, 1, 2), [])
    assert stored(database, "uuid") == [uuid(3)]


@pytest.mark.parametrize("many", [1, 2])
def test_a_file_about_many_keeps_nobody_waiting(database: Database, many: int) -> None:
    """Known people of a delivery are urgent; those of a file are not, unless it is one person."""
    put(database, left(1, ANN))
    known = [ANN, BOB][:many]
    page = [AppUser(each, "ACTIVE") for each in known]
    database.write_now(lambda tx: people.census(tx, MAIN, page, SEALER, began=tx.now))
    looked_at(database, ANN)
    replay_file(database, lines(*(left(10 + number, each) for number, each in enumerate(known))))
    lanes = {due(database, each).lane for each in known}
    assert lanes == ({line.URGENT} if many == 1 else {line.BULK})


def test_what_is_broken_is_told_with_file_and_line_and_the_rest_is_done(database: Database) -> None:
    told, troubles = replay_file(
        database,
        lines(left(1, ANN)) + b"\n" + left(2, BOB).raw[:60] + b"\n" + lines(left(3, CY)),
        b"nothing of the kind",
        lines(left(4, BOB)),
    )
    assert [(each.file, each.line) for each in troubles] == [("file-0", 2), ("file-1", 1)]
    assert (told.broken, told.stored, told.users) == (2, 3, {ANN, BOB, CY})


def test_a_file_that_cannot_be_read_to_its_end_is_told(database: Database) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if more := super().read(size):
                return more
            raise OSError(5, "Input/output error")

    found = list(read("disk", Failing(lines(left(1, ANN), left(2, BOB)) + b"\n")))
    *events, trouble = found
    assert [each.uuid for each in events if not isinstance(each, Trouble)] == [uuid(1), uuid(2)]
    assert trouble == Trouble("disk", 2, "cannot be read further: Input/output error")


def test_our_export_puts_back_by_uuid_and_says_what_is_lost(database: Database) -> None:
    put(database, left(1, ANN))
    looked_at(database, ANN)

    def line_of(number: int, **more: object) -> bytes:
        head = {"uuid": uuid(number), "type": "x", "received": "2026-11-21T09:30:00.000Z"}
        return json.dumps(head | {"event": None} | more).encode()

    told, troubles = replay_file(
        database,
        b"\n".join(
            [
                line_of(1, error="sealed with key 1"),
                line_of(2, error="sealed with key 1"),
                line_of(3, payload="none is kept"),
                line_of(4, event=json.loads(left(4, BOB).raw)),
            ]
        ),
    )
    assert counts(told) == (1, 0, 1, 1)
    ((number, why),) = [(each.line, each.why) for each in troubles]
    assert number == 2
    assert "not stored here" in why


def test_a_dry_run_of_a_file_stores_nothing(database: Database) -> None:
    put(database, left(1, ANN))
    looked_at(database, ANN)
    put(database, left(2, BOB))
    body = lines(left(1, ANN), left(2, BOB), left(3, CY), event(4, type="user.session.start"))
    dry, _ = replay_file(database, body, dry=True)
    assert [row.uuid for row in stored(database) if row.settled is None] == [uuid(2)]
    assert len(stored(database)) == 2
    done, _ = replay_file(database, body)
    assert dry == done
    assert counts(done) == (1, 1, 1, 1)


def test_a_file_of_more_than_one_transaction_is_read_whole(database: Database) -> None:
    people = [user(number) for number in range(600)]
    told, _ = replay_file(database, lines(*(left(n, each) for n, each in enumerate(people))))
    assert counts(told) == (0, 0, 600, 0)
    assert len(told.users) == 600
    assert len(lease(database, limit=2000)) == 600


def test_no_transaction_holds_the_database_over_more_than_500_rows(sqlite_url: str) -> None:
    ticks = count(1)
    database = Database(sqlite_url, Clock(lambda: float(next(ticks))))
    schema.migrate(database)
    body = lines(*(left(number, user(number)) for number in range(1200)))
    replay_file(database, body)
    database.write_now(settled)
    replay_file(database, body)
    for name in ("received", "replayed"):
        together = Counter(stored(database, name))  # rows of one transaction have one instant
        assert max(together.values()) <= 500
    database.close()


def test_the_same_event_twice_in_a_file_is_one(database: Database) -> None:
    told, _ = replay_file(database, lines(left(1, ANN), left(1, ANN)))
    assert (told.events, counts(told)) == (1, (0, 0, 1, 0))


# -- beside others -----------------------------------------------------------------------------


def test_a_database_somebody_holds_is_waited_for(sqlite_url: str, wall: Wall) -> None:
    database = Database(sqlite_url, wall.clock)
    schema.migrate(database)
    put(database, left(1, ANN))
    looked_at(database, ANN)
    holder = sqlite3.connect(sqlite_url.partition("///")[2], isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    done = threading.Thread(target=lambda: replay(database, about=ANN))
    done.start()
    time.sleep(2)  # longer than one statement waits
    assert stored(database, "replayed") == [None]
    holder.execute("ROLLBACK")
    done.join()
    holder.close()
    assert stored(database, "replayed") == [wall.us]
    database.close()


def test_deliveries_come_in_between(sqlite_url: str, wall: Wall) -> None:
    """Another process stores a delivery within Okta's patience while thousands are replayed."""
    database, other = (Database(sqlite_url, wall.clock) for _ in range(2))
    schema.migrate(database)
    body = lines(*(left(number, user(number)) for number in range(2500)))
    work = threading.Thread(target=lambda: replay_file(database, body))
    work.start()
    longest = 0.0
    number = 10_000
    while work.is_alive():
        began = time.monotonic()
        put(other, left(number, user(number)))
        longest = max(longest, time.monotonic() - began)
        number += 1
    work.join()
    assert longest < intake.PATIENCE
    assert number > 10_002
    database.close()
    other.close()
