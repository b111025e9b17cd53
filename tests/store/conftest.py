"""A migrated store on each engine, and the clock it reads.

A PostgreSQL database takes longer to create than most tests take to run, so one is kept for the
session and emptied before each test; tests of the schema ask for ``database_url`` instead.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlmodel import SQLModel

from hooks.clock import Clock
from hooks.store import schema
from hooks.store.database import Database
from tests.postgres import Postgres
from tests.store.builders import Wall

Opener = Callable[[], Database]
_NAME = "store"


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path: Path = tmp_path_factory.mktemp("migrated") / "hooks.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgres: Postgres) -> str:
    """A migrated PostgreSQL database for one test after the other."""
    with psycopg.connect(postgres.url(), autocommit=True) as door:
        door.execute(f'CREATE DATABASE "{_NAME}" TEMPLATE template0')
    _migrate(postgres.url(_NAME))
    return postgres.url(_NAME)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated store without a row; a test that asks for it runs on both engines."""
    if request.param == "sqlite":
        copy = tmp_path / "hooks.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), copy)
        return f"sqlite:///{copy}"
    url: str = request.getfixturevalue("migrated_postgresql")
    empty(url)
    return url


@pytest.fixture
def another(store_url: str, wall: Wall) -> Iterator[Opener]:
    """Opens the test's store once more, as another process would."""
    opened: list[Database] = []

    def opener() -> Database:
        opened.append(Database(store_url, wall.clock))
        return opened[-1]

    yield opener
    for each in opened:
        each.close()


@pytest.fixture
def database(another: Opener) -> Database:
    return another()


@pytest.fixture
def postgresql(migrated_postgresql: str, wall: Wall) -> Iterator[Database]:
    """A store for what only PostgreSQL does: row locks, READ COMMITTED, several writers."""
    empty(migrated_postgresql)
    found = Database(migrated_postgresql, wall.clock)
    yield found
    found.close()


def empty(url: str) -> None:
    """Empty every table of a PostgreSQL store, whoever still holds a lock on one."""
    tables = ", ".join(f'"{each.name}"' for each in SQLModel.metadata.sorted_tables)
    with psycopg.connect(url, autocommit=True) as door:
        door.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        door.execute(f"TRUNCATE {tables} RESTART IDENTITY".encode())


def _migrate(url: str) -> None:
    found = Database(url, Clock())
    schema.migrate(found)
    found.close()
