"""What operators asked: with what came of it, and without as long as it is under way."""

from __future__ import annotations

from sqlalchemy import select

from hooks.store import orders
from hooks.store.database import Database
from hooks.store.tables import Order
from tests.store.builders import Wall, user

ANN = user(1)


def rows(database: Database) -> list[tuple[object, ...]]:
    table = Order.__table__  # type: ignore[attr-defined]
    names = (table.c.kind, table.c.ref, table.c.who, table.c.why, table.c.done, table.c.result)
    return database.read_now(lambda tx: [tuple(row) for row in tx.execute(select(*names))])


def test_long_work_is_an_order_from_its_beginning_and_done_at_its_end(
    database: Database, wall: Wall
) -> None:
    order = database.write_now(
        lambda tx: orders.begin(tx, "replay", "since 2026", who="ann", why="x" * 600)
    )
    assert rows(database) == [("replay", "since 2026", "ann", "x" * 512, None, "")]
    wall.forward(60)
    database.write_now(lambda tx: orders.end(tx, order, "3 again"))
    assert rows(database) == [("replay", "since 2026", "ann", "x" * 512, wall.us, "3 again")]


def test_an_order_about_a_person_is_found_by_their_id(database: Database) -> None:
    for ref in (ANN, "since 2026"):
        database.write_now(lambda tx, ref=ref: orders.begin(tx, "replay", ref, who="a", why="b"))  # type: ignore[misc]
    (found,) = database.read_now(lambda tx: orders.about(tx, [ANN]))
    assert (found["kind"], found["ref"]) == ("replay", ANN)
