"""How either engine is opened, and what its failures are called.

Must live here: what a connection is told before anybody uses it. Must not know: what is stored.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError

from hooks.core.errors import BusyError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

#: SQLite waits this long for another process's write; Okta gives us three seconds in all.
_SQLITE_BUSY_SECONDS = 1.5
#: Deleted rows are zeroed, here and not by who deletes, because SQLite cannot zero them later; of
#: 3,000 deliveries each way, in turn, the median of a commit was 4.12 ms with it, 4.15 without.
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",
    "wal_autocheckpoint = 10000",
)
#: Threads and connections on PostgreSQL; SQLite has one writer whatever is asked.
POSTGRES_THREADS = 6
#: Longest wait for PostgreSQL's answer: longer than it may work on a statement itself.
SILENCE_SECONDS = 7.0
#: PostgreSQL ends longer transactions, from the release on that can. Where the network goes silent
#: in the middle of a batch of messages, it waits for the rest with all locks held, and none of the
#: limits on statements and idling ends that. Source: postgresql.org/docs/17/runtime-config-client.
_ENDS_TRANSACTIONS, _ENDED = 170_000, "SET transaction_timeout = '30s'"
#: SQLITE_BUSY, and the same while WAL recovers. Source: sqlite.org/rescode.html.
_LOCKED = frozenset({5, 261})


@contextmanager
def errors() -> Iterator[None]:
    """Every failure of the database becomes a StoreError of its kind and code.

    Its cause is left out: a driver's message may repeat the statement, and PostgreSQL's DETAIL
    the row.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise _failure(error) from None


def _failure(error: SQLAlchemyError) -> StoreError:
    origin = error.orig if isinstance(error, DBAPIError) else None
    if getattr(origin, "sqlite_errorcode", None) in _LOCKED:
        return BusyError("store: another process holds the database")
    code = getattr(origin, "sqlstate", None) or getattr(origin, "sqlite_errorname", None) or ""
    name = f"{type(origin or error).__name__} {code}".rstrip()
    # A connection that cannot be made, or is lost, has no code.
    words = next((each for start, each in _WORDS.items() if name.startswith(start)), "")
    words = words or (_UNREACHED if name == "OperationalError" else "")
    return StoreError(f"store: {name}{words and f': {words}'}")


#: What an operator can do something about.
_WORDS = {
    "OperationalError SQLITE_CANTOPEN": "the file cannot be opened; check HOOKS_DATABASE_URL",
    "DatabaseError SQLITE_NOTADB": "the file is no database; check HOOKS_DATABASE_URL",
    "DatabaseError SQLITE_CORRUPT": "the file is damaged; restore a backup of it",
    "OperationalError SQLITE_READONLY": "the file, or its folder, may not be written",
    "OperationalError SQLITE_FULL": "the disk is full",
}
_UNREACHED = "PostgreSQL cannot be reached, or refuses this user; check HOOKS_DATABASE_URL"


def sqlite_engine(url: Any) -> Engine:
    """One file; its transactions begin as they are meant."""
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": _SQLITE_BUSY_SECONDS, "check_same_thread": False},
    )
    file = _File(url.database)

    @event.listens_for(engine, "do_connect")
    def _open(_dialect: Any, _record: Any, _given: Any, _named: Any) -> None:
        file.check()  # or an empty one would be made in its place

    @event.listens_for(engine, "connect")
    def _settle(connection: Any, record: Any) -> None:
        # The driver's own BEGIN is deferred and loses read-modify-write; ours is below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        record.info["file"] = file.check(made=True)

    @event.listens_for(engine, "checkout")
    def _look(_connection: Any, record: Any, _proxy: Any) -> None:
        if file.check() != record.info["file"]:
            raise DisconnectionError  # another was put there: the pool opens that one

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("hooks_reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


@dataclass(slots=True)
class _File:
    """The file of a database: what is written once it was moved away or deleted is lost."""

    path: str
    made: bool = False

    def check(self, *, made: bool = False) -> tuple[int, int] | None:
        """Which file is there; ``None`` before the first was ``made``.

        Raises:
            StoreError: it is gone.
        """
        self.made = self.made or made
        try:
            found = Path(self.path).stat()
        except FileNotFoundError:
            if not self.made:
                return None
            msg = "store: the database file is gone; put it back"
            raise StoreError(msg) from None
        return found.st_dev, found.st_ino


def postgres_engine(url: Any) -> Engine:
    """A server; nothing of it waits for ever."""
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=POSTGRES_THREADS + 2,
        max_overflow=2,
        pool_timeout=2,
        connect_args={
            "connect_timeout": 2,
            "options": "-c statement_timeout=5000 -c lock_timeout=2000"
            " -c idle_in_transaction_session_timeout=10000",
            "tcp_user_timeout": 4000,
        },
    )
    wire = _wire()

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, given: Any, named: Any) -> Any:
        connection = wire.connect(*given, **named)
        if connection.info.server_version >= _ENDS_TRANSACTIONS:
            with connection.transaction():
                connection.execute(_ENDED)
        return connection

    return engine


def _wire() -> Any:
    """The driver's connection, with an end to waiting for an answer.

    PostgreSQL's own limits end nothing when its host is gone or something between keeps the
    connection open in silence, and TCP notices only after hours; a thread would wait so long.
    """
    import psycopg  # SQLite never needs it

    class Wire(psycopg.Connection[Any]):
        patience: float | None = SILENCE_SECONDS

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, timeout or self.patience)
            except psycopg.OperationalError:
                if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                    self.pgconn.finish()  # in the middle of an exchange: nobody can go on here
                raise

    return Wire
