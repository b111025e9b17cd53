"""A chain key was lost: chains go on with another one, and nothing of before is hidden by it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from hooks.core.membership import State
from hooks.store import anew, chain, erasure, proof, retention
from hooks.store.chain import Signer
from hooks.store.database import Database, Tx
from hooks.store.heads import Head, compare
from hooks.store.proof import Verdict
from hooks.store.tables import Cursor
from tests.store.builders import Wall
from tests.store.test_chain import (
    ANN,
    BOB,
    DAY,
    EVIDENCE,
    OTHER,
    SIGNER,
    World,
    chain_rows,
    outcome_rows,
    step_rows,
    tamperings,
)

THIRD = Signer(bytes(range(2, 34)))
NEW, OLD = OTHER, SIGNER
cursor_rows: Any = Cursor.__table__  # type: ignore[attr-defined]

Found = list[tuple[Verdict, str]]


@pytest.fixture
def world(database: Database, wall: Wall) -> World:
    """Two people chained with a key that is lost then."""
    world = World(database, wall)
    database.write_now(lambda tx: tx.execute(delete(cursor_rows)))
    world.begin()
    world.look(ANN, State.SETTLED, State.FAILED)
    world.look(BOB, State.FAILED)
    return world


def begin_anew(world: World, signer: Signer = NEW) -> int:
    """As the command does; how many chains were begun anew."""
    world.signer = signer
    many = 0
    after: str | None = ""
    while after is not None:
        page = partial(anew.page, signer=signer, after=after)
        _, ends, after = world.database.write_now(page)
        world.database.write_now(lambda tx, ends=ends: anew.begin(tx, signer, ends))  # type: ignore[misc]
        many += len(ends)
    world.database.write_now(lambda tx: anew.sign(tx, signer, who="operator", why="lost it"))
    return many


def judged(world: World, signer: Signer) -> tuple[Found, dict[str, int]]:
    """What is wrong under a key, and how many rows another one proves."""

    def read(tx: Tx) -> dict[str, int]:
        found = proof.prove(tx, [ANN, BOB], signer)
        others: dict[str, int] = {}
        for each in found.values():
            for key, many in each.others.items():
                others[key] = others.get(key, 0) + many
        return others

    return world.faults(signer=signer), world.database.read_now(read)


def both(world: World, tampering: Callable[[Tx], object]) -> tuple[Found, Found]:
    """What the new key and the old one find once this was done; then it is taken back."""

    def tried(tx: Tx) -> tuple[Found, Found]:
        with tx.connection.begin_nested() as savepoint:
            tampering(tx)
            found = world.faults(tx, NEW), world.faults(tx, OLD)
            savepoint.rollback()
        return found

    return world.database.write_now(tried)


def test_what_was_chained_before_is_called_so_and_what_comes_is_chained_with_the_new_key(
    world: World,
) -> None:
    world.signer = NEW
    assert {verdict for verdict, _ in world.faults(signer=NEW)} == {Verdict.KEY}
    assert begin_anew(world) == 2
    assert judged(world, NEW) == ([], {OLD.id: 9})
    world.look(ANN, State.SETTLED)
    world.look(BOB, State.FAILED)
    assert judged(world, NEW) == ([], {OLD.id: 9})
    assert judged(world, OLD) == ([], {NEW.id: 6})
    verdicts = world.database.read_now(lambda tx: proof.prove(tx, [ANN], NEW))
    assert verdicts[ANN].verdict is Verdict.ANEW


def test_it_is_told_who_began_anew_and_why(world: World) -> None:
    begin_anew(world)
    (past,) = world.database.read_now(lambda tx: anew.past(tx, [chain.NOBODY]))[chain.NOBODY]
    assert (past.key, past.who, past.why) == (OLD.id, "operator", "lost it")
    hidden = update(cursor_rows).where(cursor_rows.c.name == anew.name(chain.NOBODY))
    text = world.database.read_now(
        lambda tx: tx.execute(
            select(cursor_rows.c.value).where(cursor_rows.c.name == anew.name(chain.NOBODY))
        ).scalar_one()
    )
    for changed in (text.replace("operator", "somebody"), "[]", "no JSON"):
        found, _ = both(world, lambda tx, value=changed: tx.execute(hidden.values(value=value)))  # type: ignore[misc]
        assert (Verdict.ALTERED, "who began the chains anew, and when") in found


def test_whatever_is_done_afterwards_is_found_with_one_of_the_keys(world: World) -> None:
    begin_anew(world)
    world.look(ANN, State.FAILED)
    world.remember()
    for what, tampering in tamperings(world):
        new, old = both(world, tampering)
        assert new or old, what
    names = world.database.read_now(
        lambda tx: tx.execute(
            select(cursor_rows.c.name).where(cursor_rows.c.name.like("chain/%"))
        ).scalars().all()
    )  # fmt: skip
    assert len(names) == 3
    for name in names:
        gone = delete(cursor_rows).where(cursor_rows.c.name == name)
        new, _ = both(world, lambda tx, gone=gone: tx.execute(gone))  # type: ignore[misc]
        assert new, name


def test_what_was_taken_out_before_is_not_made_good(world: World) -> None:
    """The last link, or one from the middle: the end that was left behind tells how many."""
    (last,) = world.rows(outcome_rows, outcome_rows.c.link == 6)
    world.database.write_now(
        lambda tx: tx.execute(delete(outcome_rows).where(outcome_rows.c.id == last["id"]))
    )
    begin_anew(world)
    missing = (Verdict.MISSING, "links 6 to 6: missing when the chain was begun anew")
    assert world.faults(signer=NEW) == [missing]
    assert world.faults(signer=OLD) == [missing]
    world.wall.forward(100 * DAY)
    world.look(BOB, State.SETTLED)
    assert ANN not in world.database.read_now(
        lambda tx: retention.provable(tx, [ANN, BOB], world.signer)
    )


def test_an_end_altered_before_is_found_by_who_holds_the_old_key(world: World) -> None:
    world.database.write_now(
        lambda tx: tx.execute(delete(outcome_rows).where(outcome_rows.c.link == 6))
    )
    shorter = update(chain_rows).where(chain_rows.c.user == ANN).values(length=5)
    world.database.write_now(lambda tx: tx.execute(shorter))
    begin_anew(world)
    assert world.faults(signer=NEW) == []
    assert (Verdict.ALTERED, "the end left behind when the chain was begun anew") in world.faults(
        signer=OLD
    )


def test_what_the_given_key_says_it_proved_is_not_begun_anew(world: World) -> None:
    """Or whoever altered it could have it made good, with its rows or without them."""
    altered = update(chain_rows).where(chain_rows.c.user == ANN).values(head="0" * 64)
    world.database.write_now(lambda tx: tx.execute(altered))
    assert begin_anew(world, OLD) == 0
    for rows in (outcome_rows, step_rows):
        world.database.write_now(lambda tx, rows=rows: tx.execute(delete(rows)))  # type: ignore[misc]
    assert begin_anew(world, OLD) == 0
    assert (Verdict.ALTERED, "the end of the chain") in world.faults(signer=OLD)


def test_retention_deletes_what_the_lost_key_proved_and_nothing_else_is_missed(
    world: World,
) -> None:
    begin_anew(world)
    world.wall.forward(100 * DAY)
    world.look(ANN, State.FAILED)
    world.look(BOB, State.SETTLED)
    world.signer = OLD
    assert world.purge() == 0, "a process that was not restarted marks nothing"
    world.signer = NEW
    assert world.purge() == 1
    assert world.faults(signer=NEW) == []
    assert world.faults(signer=OLD) == []
    left = world.rows(step_rows)
    assert [row["user"] for row in left].count(ANN) == 2, "the removal that is owed stays"
    found, _ = both(
        world, lambda tx: tx.execute(delete(step_rows).where(step_rows.c.id == left[0]["id"]))
    )
    assert found


def test_a_process_that_was_not_restarted_adds_nothing_to_a_chain(world: World) -> None:
    begin_anew(world)
    world.signer = OLD
    world.look(ANN, State.FAILED)
    assert [verdict for verdict, _ in world.faults(signer=NEW)] == [Verdict.UNCHAINED]


def test_it_can_be_done_again_and_every_key_tells_its_time(world: World) -> None:
    begin_anew(world)
    world.look(ANN, State.FAILED)
    begin_anew(world, THIRD)
    world.look(ANN, State.FAILED)
    assert begin_anew(world, THIRD) == 0
    assert judged(world, THIRD) == ([], {OLD.id: 9, NEW.id: 3})
    assert judged(world, NEW) == ([], {OLD.id: 9, THIRD.id: 3})
    assert judged(world, OLD) == ([], {NEW.id: 3, THIRD.id: 3})
    assert world.faults(signer=Signer(bytes(32))) != []


def test_an_old_head_of_the_log_is_compared_as_far_as_the_key_reaches(world: World) -> None:
    then = [each for each in world.heads if each.user == ANN][-1]
    begin_anew(world)
    world.look(ANN, State.FAILED)
    now = [each for each in world.heads if each.user == ANN][-1]
    found, gone = world.database.read_now(lambda tx: compare(tx, ANN, [then, now], NEW))
    assert (found, gone) == ([], [])
    wrong = Head(ANN, then.number, "0" * 20)
    found, _ = world.database.read_now(lambda tx: compare(tx, ANN, [wrong], NEW))
    assert [each.verdict for each in found] == [Verdict.ALTERED]


def test_of_who_is_forgotten_nothing_is_kept(world: World) -> None:
    begin_anew(world)
    world.database.write_now(lambda tx: erasure.delete_mentions(tx, ANN))
    names = world.database.read_now(
        lambda tx: tx.execute(select(cursor_rows.c.name)).scalars().all()
    )
    assert not [name for name in names if ANN in name]


def test_without_a_chain_there_is_nothing_to_begin_anew(database: Database, wall: Wall) -> None:
    world = World(database, wall, signer=None)
    for table in EVIDENCE:
        assert world.rows(table) == []
    assert begin_anew(world) == 0
    assert world.faults(signer=NEW) == []


@pytest.mark.parametrize("key", ["deadbeef", OTHER.id], ids=["made up", "of another time"])
def test_an_end_that_claims_another_key_is_not_begun_anew_over_rows_of_the_given_one(
    world: World, key: str
) -> None:
    """Or whoever took rows out and altered the end to that would have it made good."""
    begin_anew(world, THIRD)
    world.look(ANN, State.SETTLED, State.FAILED)
    (last, *_) = world.rows(outcome_rows, outcome_rows.c.link > 6)[::-1]
    gone = delete(outcome_rows).where(outcome_rows.c.id == last["id"])
    world.database.write_now(lambda tx: tx.execute(gone))
    claimed = update(chain_rows).where(chain_rows.c.user == ANN)
    shorter = claimed.values(length=last["link"] - 1, mac="0" * 56 + key)
    world.database.write_now(lambda tx: tx.execute(shorter))
    before = world.faults(signer=THIRD)
    assert before
    assert begin_anew(world, THIRD) == 0
    assert world.faults(signer=THIRD) == before


def test_where_chaining_began_is_no_later_than_the_first_chained_row(world: World) -> None:
    """Or whoever moved it could have rows of their own told as older than all chains."""
    later = update(chain_rows).where(chain_rows.c.user == chain.NOBODY)
    world.database.write_now(lambda tx: tx.execute(later.values(length=1000, cut=1000)))
    begin_anew(world)
    row = world.rows(step_rows)[0]
    forged = row | {"id": 900, "link": None, "mac": None}
    world.database.write_now(lambda tx: tx.execute(step_rows.insert().values(forged)))
    assert world.faults(signer=NEW) == [(Verdict.UNCHAINED, "step 900")]
