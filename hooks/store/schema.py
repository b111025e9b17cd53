"""Brings the schema up to this release, once, whoever starts first.

Alembic is imported only if the schema is behind; it runs on our connection inside our lock.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from hooks.clock import elapsed
from hooks.core.errors import BusyError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hooks.store.database import Database

#: The newest migration; a test holds it against the files.
HEAD = "0008"
#: What was there before the first one.
EMPTY = "empty"
_FOLDER = Path(__file__).parent / "migrations"
#: Any number nobody else locks. Source: PostgreSQL manual, advisory locks.
_LOCK = 0x0C7A_A71A
#: Seconds for which another process may migrate a SQLite file, and between two tries.
_PATIENCE = 60.0
_PAUSE = 0.1


def revision(connection: Connection) -> str | None:
    """The revision the database is at; ``None`` if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def behind(database: Database) -> bool:
    """Whether ``migrate`` would do something. A newer schema than ours is not behind."""
    with database.connection(reads=True) as connection:
        return (revision(connection) or "") < HEAD


def newer(database: Database) -> str | None:
    """The revision of a schema that a later release has brought further, which is no fault."""
    with database.connection(reads=True) as connection:
        now = revision(connection) or ""
    return now if now > HEAD else None


def migrate(database: Database) -> str | None:
    """Migrate if the schema is behind; the revision before, or ``None`` if nothing was done.

    On SQLite the transaction itself is the lock, because it begins IMMEDIATE; whoever finds it
    taken tries again, since a migration takes longer than a writer is usually waited for.

    Raises:
        StoreError: the database cannot be reached, or somebody held it for a minute.
    """
    until = elapsed() + _PATIENCE
    while True:
        try:
            return _migrate(database)
        except BusyError:
            if elapsed() > until:
                raise
            time.sleep(_PAUSE)


def _migrate(database: Database) -> str | None:
    if not behind(database):
        return None
    with database.connection() as connection:
        if database.postgres:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            # Not every release knows this one; asked for so, it is no error.
            connection.execute(
                text("SELECT set_config(name, '0', true) FROM pg_settings WHERE name = :name"),
                {"name": "transaction_timeout"},
            )
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        before = revision(connection) or ""
        if before >= HEAD:
            return None
        _upgrade(connection)
        return before or EMPTY


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
