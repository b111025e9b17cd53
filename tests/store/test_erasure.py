"""Everything of one person is found and deleted, and nothing of anybody else."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from sqlalchemy import select, text
from sqlmodel import SQLModel

from hooks.clock import moment
from hooks.core.attempt import Idle
from hooks.core.history import Logged, Moment
from hooks.core.ids import OktaUserId
from hooks.core.ledger import Resolved
from hooks.core.membership import Action, Standing, State
from hooks.core.policy import Limits
from hooks.core.refusal import Cause, Refusal
from hooks.core.returning import Standed
from hooks.store import cursor, erasure, holds, journal, looks, orders, people, retention
from hooks.store.database import Database, Tx
from hooks.store.people import Stood
from hooks.store.sealing import Sealer
from tests.store.builders import (
    MAIN,
    SEALER,
    START,
    event,
    held_back,
    lease_one,
    left,
    mark,
    put,
    scim_group,
    scim_user,
    settle,
    step,
    stored,
    user,
    uuid,
    wish,
)

ANN, BOB = OktaUserId("00uAnn".ljust(20, "x")), OktaUserId("00uBob".ljust(20, "x"))
#: The same letters in another case are somebody else.
NNA = OktaUserId(ANN.swapcase().replace("00U", "00u"))
LIMITS = Limits(10**6, 10**6, 10**6)


def live(database: Database, who: OktaUserId, number: int) -> None:
    """A whole life: events, a look, steps, a hold, refusals, a doubt, orders."""
    put(database, left(number, who))
    held = lease_one(database, who)
    stood = Stood(
        MAIN,
        Standed(Standing.LEFT),
        None,
        scim_id=scim_user(number),
        user_name=f"u{number}@example.com",
        groups=frozenset(),
        refusals=(Refusal(MAIN, Cause.ORPHANED, scim_group(7)),),
    )

    def work(tx: Tx) -> None:
        wishes = [wish(step(1)), wish(step(2)), wish(step(2, action=Action.ADD))]
        admitted = journal.admit(tx, held, wishes, [], limits=LIMITS).admitted
        became = [Resolved(each, State.SETTLED) for each, _ in admitted]
        journal.record(tx, held, became)
        people.remember(tx, who, [stood], SEALER, protected=False)
        looks.remember(tx, who, {"user": who, "others": []})
        looks.remember_log(tx, [(who, Moment(START, Logged.DEACTIVATED))])
        holds.keep(tx, who, held_back(step(3)), places=())
        cursor.doubt(tx, who, moment(tx.now))
        orders.record(tx, "retry", who, who="me", why=f"because of {who}")

    database.write_now(work)
    settle(database, held, Idle())
    hold = _hold(database, who)
    database.write_now(lambda tx: holds.decide(tx, [hold], approve=False, who="me", why="no"))
    settle(database, lease_one(database, who), Idle())


def _hold(database: Database, who: str) -> int:
    rows = database.read_now(lambda tx: holds.listed(tx, every=True))
    return next(int(str(each["id"])) for each in rows if each["user"] == who)


def forget(database: Database, who: OktaUserId, *, logins: tuple[str, ...] = ()) -> Counter[str]:
    """Everything a command does to the store, but for the line; what went of their own."""
    known = database.read_now(lambda tx: erasure.waiting(tx, who))
    after: int | None = 0
    while after is not None:
        found = database.read_now(
            lambda tx, after=after: erasure.events(tx, who, logins, SEALER, after)  # type: ignore[misc]
        )
        database.write_now(lambda tx, found=found: erasure.delete_events(tx, found, known))  # type: ignore[misc]
        after = found.after
    after = 0
    while after is not None:
        named, after = database.read_now(
            lambda tx, after=after: erasure.looks(tx, who, after)  # type: ignore[misc]
        )
        database.write_now(lambda tx, named=named: erasure.strike(tx, who, named))  # type: ignore[misc]
    gone = Counter[str]()
    while portion := database.write_now(lambda tx: erasure.delete_own(tx, who)):
        assert portion.total() <= retention.PORTION
        gone += portion
    database.write_now(lambda tx: erasure.delete_mentions(tx, who))
    return gone


def mentions(database: Database, word: str) -> set[str]:
    """Tables with the word in any column; payloads are opened."""
    found = set()
    for table in SQLModel.metadata.sorted_tables:
        rows = database.read_now(lambda tx, table=table: tx.execute(select(table)).mappings().all())  # type: ignore[misc]
        for row in rows:
            cells = [str(each) for each in row.values()]
            if row.get("sealed"):
                cells.append(SEALER.open(bytes(row["sealed"]), row["uuid"]).decode())
            if any(word in each for each in cells):
                found.add(table.name)
    return found


def rows_of(database: Database, who: str) -> list[Any]:
    """Every row that names somebody, as it stands."""
    found = []
    for table in SQLModel.metadata.sorted_tables:
        rows = database.read_now(lambda tx, table=table: tx.execute(select(table)).all())  # type: ignore[misc]
        found += [(table.name, tuple(row)) for row in rows if any(who in str(each) for each in row)]
    return found


def test_nothing_of_a_person_is_left_and_nothing_of_another_changed(database: Database) -> None:
    live(database, ANN, 1)
    live(database, BOB, 2)
    live(database, NNA, 3)
    known = database.read_now(lambda tx: erasure.stored(tx, ANN, SEALER))
    assert known.logins == ("u1@example.com",)
    assert (known.owed, known.held, known.in_force, known.waiting) == (1, 1, (), 0)
    others = [*rows_of(database, BOB), *rows_of(database, NNA)]
    gone = forget(database, ANN, logins=known.logins)
    assert gone == known.counts
    assert mentions(database, ANN) == {"due"}  # which the end of the lease takes
    assert mentions(database, "u1@example.com") == set()
    assert [*rows_of(database, BOB), *rows_of(database, NNA)] == others


def test_an_order_stays_and_names_nobody(database: Database) -> None:
    live(database, BOB, 2)
    live(database, ANN, 1)
    forget(database, ANN)
    query = text("SELECT kind, ref, why FROM operator_order ORDER BY id")
    told = [tuple(row) for row in database.read_now(lambda tx: tx.execute(query).all())]
    hold = str(_hold(database, BOB))
    assert told == [
        ("retry", BOB, f"because of {BOB}"),
        ("reject", hold, "no"),
        ("retry", "", "because of "),
        ("reject", "", "no"),
    ]


def test_the_payload_of_another_event_that_names_them_goes_and_the_event_stays(
    database: Database,
) -> None:
    by_ann = {"id": ANN, "type": "User"}
    by_login = {"alternateId": "Ann@Example.com"}
    alike = {"alternateId": "joann@example.com"}
    put(
        database,
        event(1, ("User", BOB), actor=by_ann),
        event(2, ("User", BOB), actor=by_login),
        event(3, ("User", BOB), actor=alike),
        event(4, ("User", NNA)),
    )
    forget(database, ANN, logins=("ann@example.com",))
    kept = {row.uuid: row.sealed is not None for row in stored(database)}
    assert kept == {uuid(1): False, uuid(2): False, uuid(3): True, uuid(4): True}
    assert {row.subject for row in stored(database)} == {BOB, NNA}


def test_what_came_meanwhile_is_acknowledged_and_stays(database: Database) -> None:
    put(database, left(1, ANN))
    known = database.read_now(lambda tx: erasure.waiting(tx, ANN))
    put(database, left(2, ANN))
    found = database.read_now(lambda tx: erasure.events(tx, ANN, (), SEALER, 0))
    assert len(found.theirs) == 2
    database.write_now(lambda tx: erasure.delete_events(tx, found, known))
    assert stored(database, "uuid") == [uuid(2)]


def test_payloads_that_cannot_be_opened_are_counted_by_key(database: Database) -> None:
    other = Sealer([bytes(32)])
    put(database, left(1, BOB), sealer=other)
    put(database, left(2, BOB), left(3, ANN))
    found = database.read_now(lambda tx: erasure.events(tx, ANN, (), SEALER, 0))
    assert found.locked == {other.keys[0]: 1}
    assert (len(found.theirs), len(found.naming), found.seen) == (1, 0, 3)


def test_what_looks_at_others_told_names_them_no_more(database: Database) -> None:
    mark(database, BOB)
    told = {"user": BOB, "others": [ANN, NNA], "said": "x"}
    database.write_now(lambda tx: looks.remember(tx, BOB, told))
    forget(database, ANN)
    ((_, kept),) = database.read_now(lambda tx: looks.of(tx, BOB))
    assert ANN not in json.dumps(kept)
    assert (kept["user"], kept["said"], NNA in json.dumps(kept)) == (BOB, "x", True)


def test_a_life_too_long_for_one_portion_goes_in_several(database: Database) -> None:
    mark(database, ANN)
    held = lease_one(database, ANN)
    wishes = [wish(step(1)) for _ in range(400)]
    database.write_now(lambda tx: journal.admit(tx, held, wishes, [], limits=LIMITS))
    first = database.write_now(lambda tx: erasure.delete_own(tx, ANN))
    assert first == {"steps": 250, "outcomes": 250}
    left_over = database.read_now(lambda tx: journal.history(tx, ANN))[MAIN]
    assert [each.id for each in left_over] == list(range(251, 401)), "oldest first"
    assert forget(database, ANN) == {"steps": 150, "outcomes": 150}


def test_of_a_stranger_nothing_is_stored(database: Database) -> None:
    live(database, BOB, 2)
    known = database.read_now(lambda tx: erasure.stored(tx, user(7), SEALER))
    assert known.counts.total() == 0
    before = rows_of(database, BOB)
    assert forget(database, user(7)) == Counter()
    assert rows_of(database, BOB) == before
