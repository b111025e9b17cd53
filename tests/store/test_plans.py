"""What SQLite goes through for one look, however many events there are and wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event as on
from sqlalchemy import text, update

from hooks.core.attempt import Idle
from hooks.store import alarms, line, schema
from hooks.store.database import Database, Tx
from tests.store.builders import Wall, event_rows, left, put, user

ANN = user(1)


@pytest.fixture
def sqlite(sqlite_url: str, wall: Wall) -> Iterator[Database]:
    with closing(Database(sqlite_url, wall.clock)) as found:
        schema.migrate(found)
        yield found


def plans(database: Database, work: Callable[[Tx], object]) -> list[str]:
    """How events are found by every statement of a transaction."""
    done: list[tuple[str, Any]] = []

    def run(tx: Tx) -> list[str]:
        @on.listens_for(tx.connection, "before_cursor_execute")
        def _keep(_connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
            done.append((statement, given))

        try:
            work(tx)
        finally:
            on.remove(tx.connection, "before_cursor_execute", _keep)
        asked = (
            tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
            for statement, given in done
        )
        rows = (row.detail for each in asked for row in each)
        return [row for row in rows if " event" in row]

    return database.write_now(run)


def look(tx: Tx) -> None:
    (held,) = line.lease(tx, limit=1)
    assert held.uuids
    line.settle(tx, held, Idle())


def test_a_look_finds_its_events_and_goes_through_no_others(sqlite: Database) -> None:
    put(sqlite, left(1, ANN))
    found = plans(sqlite, look)
    assert found
    assert not [each for each in found if not each.startswith("SEARCH")]


def test_alarms_go_through_what_they_are_about(sqlite: Database) -> None:
    found = plans(sqlite, lambda tx: alarms.found(tx, every=timedelta(minutes=1)))
    assert "SEARCH event USING INDEX event_waiting_parts (<expr><?)" in found
    assert any("event_profiles" in each for each in found)


def test_where_statistics_were_made_it_goes_through_those_that_wait_at_most(
    sqlite: Database,
) -> None:
    """An operator's ANALYZE, while nobody waits, takes away what the schema says of its index."""
    put(sqlite, *(left(number, ANN) for number in range(5_000)))
    over = {"settled": 1}
    sqlite.write_now(lambda tx: tx.execute(update(event_rows).values(over)))
    sqlite.write_now(lambda tx: tx.execute(text("ANALYZE")))
    put(sqlite, left(5_000, ANN))
    through = {each for each in plans(sqlite, look) if not each.startswith("SEARCH")}
    assert through == {"SCAN event USING INDEX event_waiting_parts"}
