"""Transactions: whole or not at all, one after the other, and failures that give nothing away."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete, make_url, text

from hooks.clock import Clock
from hooks.core.errors import StoreError
from hooks.store import cursor, schema
from hooks.store.database import Database, Tx
from hooks.store.tables import Cursor
from tests.chaos.relay import Relay
from tests.postgres import Postgres
from tests.store.builders import Wall, writers
from tests.store.conftest import Opener

PLANTED = "ann.planted@example.com"


def increase(tx: Tx) -> None:
    cursor.put(tx, "count", str(int(cursor.get(tx, "count") or 0) + 1))


def locked_increase(tx: Tx) -> None:
    if tx.postgres:
        tx.execute(text("SELECT pg_advisory_xact_lock(1)"))
    increase(tx)


def value(database: Database, name: str = "count") -> str | None:
    return database.read_now(lambda tx: cursor.get(tx, name))


# -- transactions ------------------------------------------------------------------------------


def test_two_writers_that_read_and_write_lose_no_update(another: Opener) -> None:
    doors = [another(), another()]

    def work(number: int) -> None:
        for _ in range(20):
            doors[number % 2].write_now(locked_increase)

    with ThreadPoolExecutor(writers(doors[0])) as threads:
        list(threads.map(work, range(writers(doors[0]))))
    assert value(doors[0]) == str(20 * writers(doors[0]))


def test_nobody_writes_between_what_a_writer_reads_and_what_it_writes(another: Opener) -> None:
    one, other = another(), another()
    has_read, has_written = threading.Event(), threading.Event()

    def slowly(tx: Tx) -> None:
        if tx.postgres:
            tx.execute(text("SELECT pg_advisory_xact_lock(1)"))
        before = int(cursor.get(tx, "count") or 0)
        has_read.set()
        has_written.wait(0.2)
        cursor.put(tx, "count", str(before + 1))

    def meanwhile() -> None:
        has_read.wait(5)
        other.write_now(locked_increase)
        has_written.set()

    with ThreadPoolExecutor(2) as threads:
        for writer in [threads.submit(one.write_now, slowly), threads.submit(meanwhile)]:
            writer.result()
    assert value(one) == "2"


async def test_many_writes_at_once_are_each_done(database: Database) -> None:
    await asyncio.gather(*(database.write(locked_increase) for _ in range(100)))
    assert await database.read(lambda tx: cursor.get(tx, "count")) == "100"


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    def fail(tx: Tx) -> None:
        increase(tx)
        raise KeyError

    with pytest.raises(KeyError):
        database.write_now(fail)
    assert value(database) is None
    database.write_now(increase)
    assert value(database) == "1"


def test_what_is_written_comes_into_the_file_beside_the_writer(tmp_path: Path) -> None:
    """Nobody waits for it, and nobody has to close anything."""
    url = f"sqlite:///{tmp_path / 'hooks.db'}"
    with closing(Database(url, Clock())) as database:
        schema.migrate(database)
        database.cut_log()
        until = time.monotonic() + 5
        while not database.traces(b"a planted word"):
            database.write_now(lambda tx: cursor.put(tx, "word", "a planted word"))
            assert time.monotonic() < until
            time.sleep(0.05)


def test_the_log_beside_the_file_has_a_bound(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hooks.db'}"
    with closing(Database(url, Clock())) as database:
        schema.migrate(database)
        for number in range(120):
            long = f"{number:03}" * 300_000  # what is the same as before is not written
            database.write_now(partial(cursor.put, name="long", value=long))
        assert (tmp_path / "hooks.db-wal").stat().st_size < 60_000_000


def test_nothing_is_written_into_a_file_that_is_gone(tmp_path: Path) -> None:
    """Nor read from it; once it is there again, or a backup of it, all goes on."""
    path, away = tmp_path / "hooks.db", tmp_path / "away"
    away.mkdir()
    with closing(Database(f"sqlite:///{path}", Clock())) as database:
        schema.migrate(database)
        database.write_now(increase)
        database.cut_log()
        for backup in (False, True):
            files = list(tmp_path.glob("hooks.db*"))
            for each in files:
                each.rename(away / each.name)
            for _ in range(20):  # more than there are connections
                for attempt in (database.write_now, database.read_now):
                    with pytest.raises(StoreError, match="the database file is gone"):
                        attempt(increase)
            assert not path.exists()
            if backup:
                path.write_bytes((away / path.name).read_bytes())
            else:
                for each in files:
                    (away / each.name).rename(each)
            assert value(database) == "1"
    with closing(Database(f"sqlite:///{path}", Clock())) as database:
        database.write_now(increase)
        assert value(database) == "2"


def test_a_transaction_happens_at_one_instant(database: Database, wall: Wall) -> None:
    def instants(tx: Tx) -> tuple[int, int]:
        before = tx.now
        wall.forward(1)
        return before, tx.now

    first, second = database.write_now(instants)
    assert first == second
    assert database.read_now(lambda tx: tx.now) == wall.us


def test_sqlite_survives_a_power_cut_and_lets_readers_through(sqlite_url: str) -> None:
    database = Database(sqlite_url, Clock())

    def pragmas(tx: Tx) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    assert database.write_now(pragmas) == ["wal", 2, 1]
    assert database.read_now(pragmas) == ["wal", 2, 1]
    database.close()


def test_a_reader_waits_for_no_writer(another: Opener) -> None:
    writer, reader = another(), another()
    writer.write_now(increase)
    with writer.connection() as connection:
        increase(Tx(connection, 0, writer.postgres))
        began = time.monotonic()
        assert value(reader) == "1"
        assert value(writer) == "1"
        assert time.monotonic() - began < 1
    assert value(reader) == "2"


def test_a_write_waits_for_a_short_one_of_another_process(another: Opener) -> None:
    first, second = another(), another()
    first.write_now(increase)
    with ThreadPoolExecutor(1) as thread:
        with first.connection() as connection:
            increase(Tx(connection, 0, first.postgres))
            done = thread.submit(second.write_now, increase)
            time.sleep(0.3)
            assert not done.done()
        done.result()
    assert int(value(first) or 0) >= 2


def test_a_deadlock_is_tried_again(postgresql: Database) -> None:
    for name in ("a", "b"):
        postgresql.write_now(lambda tx, name=name: cursor.put(tx, name, "0"))  # type: ignore[misc]
    gate = threading.Barrier(2)
    tries: list[str] = []

    def cross(first: str, second: str) -> Callable[[Tx], None]:
        def transaction(tx: Tx) -> None:
            cursor.put(tx, first, first)
            if first not in tries:
                tries.append(first)
                gate.wait(20)
            else:
                tries.append(first)
            cursor.put(tx, second, first)

        return transaction

    with ThreadPoolExecutor(2) as threads:
        pair = [threads.submit(postgresql.write_now, cross(*way)) for way in ("ab", "ba")]
        for each in pair:
            each.result()
    assert {"a", "b"} == set(tries)
    assert len(tries) > 2
    assert value(postgresql, "a") == value(postgresql, "b")


# -- failures ----------------------------------------------------------------------------------


def nothing_given_away(error: BaseException) -> None:
    """What a log would show of it: the message, and those of its causes."""
    assert isinstance(error, StoreError)
    assert str(error).startswith("store: ")
    assert "planted" not in str(error)
    assert "SELECT" not in str(error).upper()
    assert "INSERT" not in str(error).upper()
    assert "planted" not in "".join(traceback.format_exception(error))


def insert_twice(tx: Tx) -> None:
    rows = [{"name": PLANTED, "value": PLANTED, "at": 1}] * 2
    tx.execute(Cursor.__table__.insert(), rows)  # type: ignore[attr-defined]


def test_a_refused_row_is_not_repeated_by_postgresql(postgresql: Database) -> None:
    with pytest.raises(StoreError) as caught:
        postgresql.write_now(insert_twice)
    nothing_given_away(caught.value)


def test_a_database_that_is_none_says_where_to_look(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database" * 1000)
    for url, words in (
        (f"sqlite:///{tmp_path}", "the file cannot be opened"),
        (f"sqlite:///{tmp_path}/notes.txt", "the file is no database"),
        ("postgresql://ann:planted@127.0.0.1:1/x", "PostgreSQL cannot be reached"),
    ):
        with closing(Database(url, Clock())) as database, pytest.raises(StoreError) as caught:
            database.read_now(lambda tx: tx.execute(text("SELECT 1")))
        assert f": {words}" in str(caught.value)
        assert "HOOKS_DATABASE_URL" in str(caught.value)
        assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("SELECT 'ann.planted@example.com' FROM nowhere", id="no such table"),
        pytest.param("SELEKT", id="no such word"),
        pytest.param("INSERT INTO cursor (name) VALUES (NULL)", id="not null"),
    ],
)
def test_a_failure_names_its_kind_and_no_more(database: Database, statement: str) -> None:
    with pytest.raises(StoreError) as caught:
        database.write_now(lambda tx: tx.execute(text(statement)))
    assert re.fullmatch(r"store: [A-Za-z]+ [0-9A-Z_]+", str(caught.value))
    with pytest.raises(StoreError):
        database.read_now(lambda tx: tx.execute(text(statement)))
    database.write_now(increase)


async def test_a_writer_that_blocks_too_long_is_a_failure_and_is_over_when_it_ends(
    another: Opener,
) -> None:
    first, second = another(), another()
    first.write_now(increase)
    with first.connection() as connection:
        increase(Tx(connection, 0, first.postgres))
        began = time.monotonic()
        with pytest.raises(StoreError):
            await second.write(increase)
        assert time.monotonic() - began < 3
    await second.write(increase)
    assert value(first) == "3"


async def test_a_closed_database_fails_as_any_other(another: Opener) -> None:
    closed = another()
    closed.close()
    with pytest.raises(StoreError):
        await closed.write(increase)
    with pytest.raises(StoreError):
        await closed.read(lambda tx: cursor.get(tx, "count"))


def test_a_file_that_cannot_be_opened_is_a_failure() -> None:
    nowhere = Database("sqlite:////nowhere/at/all/hooks.db", Clock())
    with pytest.raises(StoreError):
        nowhere.write_now(increase)
    with pytest.raises(StoreError):
        schema.behind(nowhere)
    nowhere.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_server_that_never_answers_costs_seconds(silent_port: int) -> None:
    mute = Database(f"postgresql://hooks:planted@127.0.0.1:{silent_port}/hooks", Clock())
    began = time.monotonic()
    with pytest.raises(StoreError) as caught:
        mute.write_now(increase)
    assert time.monotonic() - began < 5
    nothing_given_away(caught.value)
    mute.close()


async def test_a_connection_that_falls_silent_is_given_up(postgresql_url: str) -> None:
    """Something between keeps it open and forwards nothing, and PostgreSQL's limits end nothing."""
    server = make_url(postgresql_url)
    async with Relay(server.port or 0) as relay:
        database = Database(
            server.set(port=relay.port).render_as_string(hide_password=False), Clock()
        )
        await asyncio.to_thread(schema.migrate, database)
        relay.mute()
        with pytest.raises(StoreError) as caught:
            await asyncio.wait_for(database.write(increase), 12)
        nothing_given_away(caught.value)
        relay.forward(forget=True)
        await database.write(increase)
        assert await database.read(lambda tx: cursor.get(tx, "count")) == "1"
    database.close()


def test_no_statement_runs_for_ever_on_postgresql(postgresql: Database) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    limits = postgresql.read_now(
        lambda tx: [tx.execute(text(f"SHOW {name}")).scalar_one() for name in names]
    )
    assert limits == ["5s", "2s", "10s"]


def test_no_transaction_holds_its_locks_for_ever_on_postgresql(postgresql: Database) -> None:
    """None of the limits above ends one that waits for the rest of a batch of messages."""
    setting = text("SELECT setting FROM pg_settings WHERE name = 'transaction_timeout'")
    version = text("SELECT current_setting('server_version_num')::int")
    for run in (postgresql.read_now, postgresql.write_now):
        found, release = run(
            lambda tx: [tx.execute(each).scalar_one_or_none() for each in (setting, version)]
        )
        assert found == ("30000" if int(str(release)) >= 170_000 else None)  # in milliseconds


def test_a_process_holds_no_more_than_ten_connections(postgresql: Database) -> None:
    count = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")

    def slow(tx: Tx) -> int:
        tx.execute(text("SELECT pg_sleep(0.05)"))
        return int(tx.execute(count).scalar_one())

    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(postgresql.write_now, [slow] * 40))
    assert 1 < max(found) <= 10


async def test_a_server_that_crashed_and_came_back_is_used_again() -> None:
    with Postgres(durable=True) as server:
        database = Database(server.url(), Clock())
        schema.migrate(database)
        await asyncio.gather(*(database.write(locked_increase) for _ in range(6)))
        server.crash()
        for _ in range(3):
            with pytest.raises(StoreError) as caught:
                await database.write(increase)
            nothing_given_away(caught.value)
        with pytest.raises(StoreError):
            await database.read(lambda tx: cursor.get(tx, "count"))
        server.start()
        await asyncio.gather(*(database.write(locked_increase) for _ in range(6)))
        server.crash()
        server.start()  # before anybody noticed
        failures = 0
        for _ in range(6):
            try:
                await database.write(increase)
            except StoreError:
                failures += 1
        assert failures <= 1  # the first finds out for all
        assert int(await database.read(lambda tx: cursor.get(tx, "count")) or 0) == 18 - failures
        database.close()


# -- what is deleted ---------------------------------------------------------------------------


def test_what_was_deleted_is_nowhere_in_the_file_and_the_log_is_empty(sqlite_url: str) -> None:
    """Deleted by whom it may, and changed: pages are zeroed, and the log is cut."""
    database = Database(sqlite_url, Clock())
    schema.migrate(database)
    file = Path(sqlite_url.partition(":///")[2])
    log = file.with_name(f"{file.name}-wal")
    for number in range(200):
        database.write_now(lambda tx, name=f"{PLANTED}/{number}": cursor.put(tx, name, "x" * 900))  # type: ignore[misc]
    assert database.cut_log()
    assert log.stat().st_size == 0
    assert PLANTED.encode() in file.read_bytes()
    assert database.traces(PLANTED.encode())
    database.write_now(lambda tx: tx.execute(delete(Cursor.__table__)))  # type: ignore[attr-defined]
    assert database.cut_log()
    for each in (file, log):
        assert PLANTED.encode() not in each.read_bytes()
    assert not database.traces(PLANTED.encode())
    database.close()


def test_a_log_that_is_being_read_is_not_cut(another: Opener) -> None:
    database, reader = another(), another()
    if database.postgres:
        assert database.cut_log()
        return
    go_on = threading.Event()

    def look(tx: Tx) -> bool:
        assert cursor.get(tx, "count") is None
        go_on.wait(5)
        return True

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(reader.read_now, look)
        time.sleep(0.1)
        database.write_now(increase)
        assert not database.cut_log()
        go_on.set()
        assert reading.result()
    assert database.cut_log()


def test_a_trace_is_found_across_two_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hooks.store.database._CHUNK", 7)
    (tmp_path / "some.db").write_bytes(b"0123456789abcdefghij")
    database = Database(f"sqlite:///{tmp_path / 'some.db'}", Clock())
    assert database.traces(b"56789abc")
    assert database.traces(b"0123456789abcdefghij")
    assert not database.traces(b"56798")
    database.close()
