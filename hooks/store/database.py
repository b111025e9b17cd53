"""Transactions as plain functions on threads of our own, on SQLite or PostgreSQL.

Must live here: how a transaction begins, ends and fails. Must not know: what is stored.
A transaction is a function of ``Tx``; there is no ``await`` in it, so no HTTP can happen inside.
"""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import JSON, Text, bindparam, cast, func, make_url, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from hooks.clock import elapsed
from hooks.core.errors import StoreError
from hooks.store.engines import (
    POSTGRES_THREADS,
    SILENCE_SECONDS,
    errors,
    postgres_engine,
    sqlite_engine,
)
from hooks.store.writers import Writers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import BindParameter, ColumnElement, Connection, CursorResult, Executable
    from sqlalchemy.dialects.postgresql import Insert

    from hooks.clock import Clock

T = TypeVar("T")

#: Seconds from one checkpoint of SQLite's log to the next. Done by the writer itself, at the usual
#: 1,000 pages, the slowest hundredth of deliveries took 1.5 times as long with 500,000 events as
#: with none, done beside it 0.9 to 1.1 times; 1.1 to 1.4 at every second, 1.2 to 1.3 at every
#: fourth. The writer's own limit is for when this falls behind.
_CHECKPOINT_SECONDS = 0.25
#: Bytes of a file read at once.
_CHUNK = 1 << 20
#: Seconds of rest for each second of long work: others have four fifths of the one writer.
_REST = 4.0
#: How often another clock is read; clocks drift by some milliseconds meanwhile.
_FOLLOW_SECONDS = 20.0
_SERVER_NOW = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
#: Tells a deadlock or a serialization failure, which is worth another try.
_TRY_AGAIN = frozenset({"40P01", "40001"})
#: Seconds before each further try; the other side of a deadlock must come to its end first.
_PAUSES = (0.01, 0.05, 0.2)


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction under way, and the one instant at which it happens."""

    connection: Connection
    now: int
    postgres: bool

    def execute(self, statement: Executable, rows: Any = None) -> CursorResult[Any]:
        """Run a Core statement, once or for each of ``rows``."""
        return self.connection.execute(statement, rows)

    def among(self, column: ColumnElement[Any], wanted: Iterable[str]) -> ColumnElement[bool]:
        """That a column is one of these, however many; nothing is built anew for another number."""
        return among(column, bindparam(None, packed(wanted), Text()), postgres=self.postgres)

    def insert(self, table: Any) -> Insert:
        """As ``insert_into``, for this transaction's engine."""
        return insert_into(table, postgres=self.postgres)


def among(
    column: ColumnElement[Any], given: BindParameter[str], *, postgres: bool
) -> ColumnElement[bool]:
    """As ``Tx.among``, for a statement that is built once: ``given`` is what ``packed`` makes."""
    return column.in_(select(unpacked(given, postgres=postgres)))


def unpacked(given: BindParameter[str], *, postgres: bool) -> ColumnElement[str]:
    """Every string of what ``packed`` makes, as a column to select from."""
    elements = func.json_array_elements_text if postgres else func.json_each
    values = elements(cast(given, JSON) if postgres else given).table_valued("value")
    return values.c.value


def packed(wanted: Iterable[str]) -> str:
    """Strings as one parameter."""
    return json.dumps(sorted(wanted))


def insert_into(table: Any, *, postgres: bool) -> Insert:
    """An INSERT that can name its conflicts, which only the dialects' own can."""
    if postgres:
        # Imported where it is used: 50 ms of a start that SQLite never needs.
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    return sqlite.insert(table)  # type: ignore[return-value]  # the same words, another class


class Database:
    """Runs transactions; one writer thread on SQLite, a small pool on PostgreSQL."""

    def __init__(self, url: str, clock: Clock) -> None:
        """``url`` is ``sqlite:///path`` or ``postgresql://…``; the driver is ours to add."""
        parsed = make_url(url)
        self.postgres = parsed.get_backend_name() == "postgresql"
        self.clock = clock
        self._closed = False
        self._follow_again = 0.0
        if self.postgres:
            self._engine = postgres_engine(parsed.set(drivername="postgresql+psycopg"))
        else:
            self._engine = sqlite_engine(parsed.set(drivername="sqlite+pysqlite"))
            # Apart, so that no transaction waits for its connection.
            self._beside = sqlite_engine(parsed.set(drivername="sqlite+pysqlite"))
        threads = POSTGRES_THREADS if self.postgres else 1
        self._writers = Writers(threads)
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="store-read")
        self._checkpointer = ThreadPoolExecutor(1, thread_name_prefix="store-checkpoint")
        self._checkpoint_again = 0.0

    async def write(self, transaction: Callable[[Tx], T], *, ahead: bool = False) -> T:
        """Run a transaction and commit it; what goes ``ahead`` has every other turn.

        Raises:
            StoreError: the database could not take it; nothing of it is stored.
        """
        self._check_open()
        return await self._writers.run(partial(self.write_now, transaction), ahead=ahead)

    async def write_gently(self, transaction: Callable[[Tx], T]) -> T:
        """As ``write``, for one of many: then the writer is left to others, deliveries above all.

        Raises:
            StoreError: as ``write``.
        """
        began = elapsed()
        found = await self.write(transaction)
        await asyncio.sleep(_REST * (elapsed() - began))
        return found

    async def read(self, query: Callable[[Tx], T]) -> T:
        """Run a query that changes nothing, beside the writer."""
        self._check_open()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self.read_now, query)

    def _check_open(self) -> None:
        if self._closed:
            msg = "store: closed"
            raise StoreError(msg)

    def write_now(self, transaction: Callable[[Tx], T]) -> T:
        """As ``write``, on the calling thread."""
        with errors():
            for pause in _PAUSES:
                try:
                    return self._once(transaction)
                except DBAPIError as error:
                    if getattr(error.orig, "sqlstate", None) not in _TRY_AGAIN:
                        raise
                time.sleep(pause)
            return self._once(transaction)

    def read_now(self, query: Callable[[Tx], T]) -> T:
        """As ``read``, on the calling thread."""
        with errors(), self._engine.connect() as connection:
            if not self.postgres:
                connection = connection.execution_options(hooks_reads=True)  # noqa: PLW2901
            return query(Tx(connection, self._now(connection), self.postgres))

    def _once(self, transaction: Callable[[Tx], T]) -> T:
        with self._engine.begin() as connection:
            found = transaction(Tx(connection, self._now(connection), self.postgres))
        if not self.postgres and elapsed() > self._checkpoint_again and not self._closed:
            self._checkpoint_again = elapsed() + _CHECKPOINT_SECONDS
            self._checkpointer.submit(self._checkpoint, "PASSIVE")
        return found

    def _checkpoint(self, mode: str) -> bool:
        """Bring what is written from SQLite's log into its file; whether all of it was."""
        with errors(), closing(self._beside.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA wal_checkpoint({mode})")
            row = cursor.fetchone()
        return row is not None and not row[0]

    def _now(self, connection: Connection) -> int:
        """The instant of a transaction: by the server's clock, or by the wall of the one host.

        Processes whose clocks differ would otherwise take each other's leases.
        """
        if elapsed() > self._follow_again:
            self._follow_again = elapsed() + _FOLLOW_SECONDS
            server = connection.execute(_SERVER_NOW).scalar_one() if self.postgres else None
            self.clock.follow(server)
        return self.clock.now_us()

    @contextmanager
    def connection(self, *, reads: bool = False) -> Iterator[Connection]:
        """One connection in one transaction, for migrations, which take their time.

        With ``reads`` it waits for nobody who writes.
        """
        with errors(), self._engine.connect() as connection:
            connection.execution_options(hooks_reads=reads)
            wire: Any = connection.connection.driver_connection
            if self.postgres:
                wire.patience = None
            try:
                with connection.begin():
                    yield connection
            finally:
                if self.postgres:
                    wire.patience = SILENCE_SECONDS

    def cut_log(self) -> bool:
        """On SQLite, bring all that is written into the file and empty the log beside it.

        Whether it could: who reads meanwhile holds the log as it was. Nothing to do elsewhere.
        """
        if self.postgres:
            return True
        return self._checkpoint("TRUNCATE")

    def traces(self, word: bytes) -> bool:
        """Whether a word stands in SQLite's file, be it in an unused part; ``False`` elsewhere.

        What is deleted is zeroed where it stood; a copy may be left where a page was split once.
        """
        if self.postgres:
            return False
        with Path(str(self._engine.url.database)).open("rb") as file:
            read = b""
            while chunk := file.read(_CHUNK):
                read = read[-len(word) :] + chunk
                if word in read:
                    return True
        return False

    def close(self) -> None:
        """Wait for running transactions and close every connection."""
        self._closed = True
        self._writers.close()
        self._readers.shutdown(wait=True)
        self._checkpointer.shutdown(wait=True)
        self._engine.dispose()
        if not self.postgres:
            self._beside.dispose()
