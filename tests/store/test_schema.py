"""The schema: made once, whoever starts first, and exactly what the tables declare."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from hooks.clock import Clock
from hooks.core.errors import StoreError
from hooks.store import audit_tables, cursor, schema
from hooks.store.database import Database

ROOT = Path(__file__).parents[2]
START = """
import sys
from hooks.clock import Clock
from hooks.store import cursor, schema
from hooks.store.database import Database
database = Database(sys.argv[1], Clock())
sys.stdin.readline()
schema.migrate(database)
database.write_now(lambda tx: cursor.put(tx, "a", "b"))
print("alembic" in sys.modules)
"""


@pytest.fixture
def fresh(database_url: str) -> Iterator[Database]:
    found = Database(database_url, Clock())
    yield found
    found.close()


def tables(database: Database) -> set[str]:
    with database.connection() as connection:
        return {*inspect(connection).get_table_names()}


def start(database_url: str) -> subprocess.Popen[str]:
    """A process that opens the store as the service does, once it is told to."""
    return subprocess.Popen(
        [sys.executable, "-c", START, database_url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_fresh_database_is_migrated_once(fresh: Database) -> None:
    assert schema.behind(fresh)
    assert schema.migrate(fresh) == "empty"
    assert not schema.behind(fresh)
    assert tables(fresh) == {*SQLModel.metadata.tables, "alembic_version"}
    assert audit_tables.Audit.__tablename__ in tables(fresh), "of the second file of tables"
    fresh.write_now(lambda tx: cursor.put(tx, "log", "page 1"))
    assert schema.migrate(fresh) is None
    assert fresh.read_now(lambda tx: cursor.get(tx, "log")) == "page 1"


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based")
def test_the_migrations_lead_to_what_the_tables_declare(fresh: Database) -> None:
    schema.migrate(fresh)
    # What waits is found in an index of each engine's own, and Alembic knows no such difference.
    other = "event_waiting_parts" if fresh.postgres else "event_waiting"
    opts = {
        "compare_type": True,
        "compare_server_default": True,
        "include_object": lambda _object, name, *_: name != other,
    }
    with fresh.connection() as connection:
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, SQLModel.metadata) == []


def test_partial_indexes_are_partial(fresh: Database) -> None:
    """Alembic compares an index's columns, not its condition, and none with an expression."""
    schema.migrate(fresh)
    query = "SELECT indexdef FROM pg_indexes" if fresh.postgres else "SELECT sql FROM sqlite_master"
    shown = fresh.read_now(lambda tx: tx.execute(text(query)).scalars().all())
    told = [each.split(" WHERE ")[1] for each in shown if " WHERE " in str(each)]
    conditions = [each.replace("::text", "").replace("(", "").replace(")", "") for each in told]
    assert sorted(conditions) == [
        "done IS NULL",
        "due_at IS NOT NULL",
        "kind <> 'user'",
        "origin = 'log'",
        "settled IS NULL",
        "type = 'application.provision.user.push_profile'",
    ]
    (waiting,) = (each for each in shown if "event_waiting" in str(each))
    columns = "(subject)" if fresh.postgres else "(id >> 12, subject)"
    assert f"{columns} WHERE " in str(waiting)


def test_head_is_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(ROOT / "hooks" / "store" / "migrations"))
    assert scripts.get_heads() == [schema.HEAD]


def test_a_database_of_a_newer_release_is_left_alone(fresh: Database) -> None:
    schema.migrate(fresh)
    fresh.write_now(lambda tx: tx.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    assert not schema.behind(fresh)
    assert schema.migrate(fresh) is None
    with fresh.connection() as connection:
        assert schema.revision(connection) == "9999"


def test_a_migration_that_fails_leaves_nothing_behind(fresh: Database) -> None:
    fresh.write_now(lambda tx: tx.execute(text("CREATE TABLE person (in_the_way INTEGER)")))
    with pytest.raises(StoreError):
        schema.migrate(fresh)
    assert tables(fresh) == {"person"}
    fresh.write_now(lambda tx: tx.execute(text("DROP TABLE person")))
    assert schema.migrate(fresh) == "empty"


def test_a_start_waits_while_another_process_migrates(sqlite_url: str) -> None:
    first, second = (Database(sqlite_url, Clock()) for _ in range(2))
    with ThreadPoolExecutor(1) as thread:
        with first.connection():  # as a migration does
            done = thread.submit(schema.migrate, second)
            time.sleep(1.8)
        try:
            assert done.result() == "empty"
        finally:
            first.close()
            second.close()


def test_many_threads_that_start_at_once_migrate_once(database_url: str) -> None:
    doors = [Database(database_url, Clock()) for _ in range(10)]
    with ThreadPoolExecutor(len(doors)) as threads:
        done = list(threads.map(schema.migrate, doors))
    assert sorted(filter(None, done)) == ["empty"]
    assert tables(doors[0]) == {*SQLModel.metadata.tables, "alembic_version"}
    for each in doors:
        each.close()


def test_processes_that_start_at_once_migrate_once_and_later_ones_load_no_alembic(
    database_url: str,
) -> None:
    started = [start(database_url) for _ in range(2)]
    for each in started:
        assert each.stdin
        each.stdin.write("now\n")
        each.stdin.flush()
    said = [each.communicate(timeout=50) for each in started]
    assert [each.returncode for each in started] == [0] * 2, said
    assert [out for out, _ in said].count("True\n") >= 1
    out, error = start(database_url).communicate("now\n", timeout=20)
    assert (out, error) == ("False\n", "")
