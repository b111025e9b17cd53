"""A day of Okta's cap, a long line, and more replicas."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from hooks.clock import Clock
from hooks.core.attempt import Idle
from hooks.store import line, schema
from hooks.store.database import Database
from hooks.store.tables import Due, Event
from tests.bench.calls import UNTOLD
from tests.bench.replay import Replayed, replayed, write
from tests.bench.revoke import TRIP
from tests.bench.table import Row, Scale, at_most, interleaved, under
from tests.bench.vendors import CALM, WIDE, Spec, service, vendors
from tests.postgres import Postgres

#: Deliveries of event hooks a day. Source: Okta event hooks guide, limits.
EVENTS = 400_000
#: A tenth as many, to see what ten times as many take more.
FEW = EVENTS // 10
WAITING = 200_000
REPLICAS = (1, 2, 4)
PEOPLE = 200
_event = Event.__table__  # type: ignore[attr-defined]
_due = Due.__table__  # type: ignore[attr-defined]


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    yield from _replays(scale, folder)
    yield from _leases(scale, folder)
    yield from _replicas(scale, folder)


# -- a day of events ---------------------------------------------------------------------------


def _replays(scale: Scale, folder: Path) -> Iterator[Row]:
    many, few = scale.of(EVENTS, 2_000), scale.of(FEW, 1_000)
    write(folder / "many", many)
    write(folder / "few", few)
    sides: dict[str, Callable[[], Replayed]] = {
        name: partial(replayed, folder, folder / name) for name in ("many", "few")
    }
    with closing(sqlite3.connect(folder / "plain.db", isolation_level=None)) as plain:
        plain.execute("PRAGMA journal_mode = WAL")
        plain.execute("PRAGMA synchronous = FULL")
        plain.execute("CREATE TABLE event (uuid TEXT PRIMARY KEY, sealed BLOB)")
        rates = tuple(_plain(plain, run, few) for run in range(scale.runs))
    found = interleaved(scale.runs, sides)
    ours = tuple(each.told["stored"] / each.seconds for each in found["many"])
    yield Row(
        f"replayed, {many:,} events", ours, "/s", rates, "plain inserts of 2 KB, 500 a commit"
    )
    pairs = list(zip(found["many"], found["few"], strict=True))
    more = tuple(large.peak - small.peak for large, small in pairs)
    yield Row(f"more memory than for {few:,}", more, "MiB", target=under(20))
    size = (folder / "many").stat().st_size / many
    kept = tuple(each.stored / each.told["stored"] for each in found["many"])
    yield Row("bytes kept of an event", kept, "", (size,) * scale.runs, "of the file")


def _plain(plain: sqlite3.Connection, run: int, many: int) -> float:
    """Inserts a second, sealed by nobody and concerning nobody."""
    blob = bytes(2_000)
    began = time.perf_counter()
    for start in range(0, many, 500):
        plain.execute("BEGIN IMMEDIATE")
        rows = ((f"{run}-{number}", blob) for number in range(start, start + 500))
        plain.executemany("INSERT INTO event VALUES (?, ?)", rows)
        plain.execute("COMMIT")
    return many / (time.perf_counter() - began)


# -- a long line -------------------------------------------------------------------------------


def _leases(scale: Scale, folder: Path) -> Iterator[Row]:
    """A lease of one while many wait, beside one while nobody does."""
    many, times = scale.of(WAITING, 1_000), scale.of(200, 10)
    with ExitStack() as stack:
        server = stack.enter_context(Postgres(durable=True))
        with psycopg.connect(server.url(), autocommit=True) as door:
            for name in ("short", "long"):
                door.execute(f'CREATE DATABASE "{name}"')
        for engine in ("SQLite", "PostgreSQL"):
            lines: dict[str, Database] = {}
            for name, waiting in (("long", many), ("short", 0)):
                url = f"sqlite:///{folder}/{name}.db" if engine == "SQLite" else server.url(name)
                database = Database(url, Clock())
                stack.callback(database.close)
                schema.migrate(database)
                _fill(database, waiting)
                lines[name] = database
            sides = {name: partial(_lease, each, times) for name, each in lines.items()}
            found = interleaved(scale.runs, sides)
            at = f"lease, {many:,} people waiting, {engine}"
            yield Row(at, found["long"], "ms", found["short"], "nobody", at_most(1.5, "ratio"))


def _fill(database: Database, many: int) -> None:
    """People with an event each, due one after the other."""
    for start in range(0, many, 10_000):
        numbers = range(start, min(start + 10_000, many))
        database.write_now(lambda tx, numbers=numbers: tx.execute(_event.insert(), [  # type: ignore[misc]
            {
                "uuid": f"e{number:07}", "type": "user.lifecycle.deactivate",
                "published": tx.now, "received": tx.now, "origin": "hook", "delivery": "",
                "subject": _who(number), "claim": "deactivated", "about": "",
                "sealed": b"x" * 1_000,
            }
            for number in numbers
        ]))  # fmt: skip
        database.write_now(lambda tx, numbers=numbers: tx.execute(_due.insert(), [  # type: ignore[misc]
            {
                "subject": _who(number), "kind": "user", "lane": line.URGENT,
                "due_at": tx.now - many + number, "generation": 1, "fence": 0, "attempts": 0,
                "crashes": 0,
            }
            for number in numbers
        ]))  # fmt: skip
    if database.postgres:
        with database._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as door:
            door.exec_driver_sql("VACUUM ANALYZE")


def _lease(database: Database, times: int) -> float:
    """Median milliseconds of one lease; each is settled, and somebody new comes."""
    took = []
    for _ in range(times):
        database.write_now(lambda tx: line.mark(
            tx, [_who(10**9)], "user", lane=line.URGENT, due_at=tx.now, events=True
        ))  # fmt: skip
        began = time.perf_counter()
        (held,) = database.write_now(lambda tx: line.lease(tx, limit=1))
        took.append(time.perf_counter() - began)
        database.write_now(lambda tx, held=held: line.settle(tx, held, Idle()))  # type: ignore[misc]
    return 1000 * statistics.median(took)


def _who(number: int) -> str:
    return f"00u{number:017}"


# -- more replicas -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fleet:
    server: Postgres
    folder: Path
    people: int

    def play(self, size: int) -> float:
        """People a second that so many replicas are done with, all of them leaving at once."""
        name = f"fleet_{time.monotonic_ns()}"
        with psycopg.connect(self.server.url(), autocommit=True) as door:
            door.execute(f'CREATE DATABASE "{name}"')
        spec = Spec(groups=10, each=2, latency=TRIP, switches=UNTOLD)
        with ExitStack() as stack:
            there = stack.enter_context(vendors(spec, self.folder / f"{name}.log"))
            people = there.ask("hire", many=self.people)
            url, more = self.server.url(name), f"{CALM}{WIDE}"
            for number in range(size):
                home = self.folder / f"{name}-{number}"
                stack.enter_context(service(there, home, url, more, further=number > 0))
            calls = there.leave(*people, within=600.0)
        return self.people / max(each.end for each in calls if each.removal and each.end)


def _replicas(scale: Scale, folder: Path) -> Iterator[Row]:
    with Postgres(durable=True) as server:
        fleet = _Fleet(server, folder, scale.of(PEOPLE, 10))
        sizes = REPLICAS[: scale.of(3, 2)]
        found = interleaved(scale.runs, {str(size): partial(fleet.play, size) for size in sizes})
    for size in sizes:
        at = f"people revoked, {size} replica{'s' if size > 1 else ''} on PostgreSQL"
        beside = (found["1"], "one") if size > 1 else ((), "")
        yield Row(at, found[str(size)], "/s", *beside)
