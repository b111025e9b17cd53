"""Does an acknowledgement take longer with many stored events? p99 beside that of an empty store.

Two services that only receive, one on an empty database and one on a full one, are posted to in
turns at a fixed rate. A disk that stalls strikes either: see the runs, and play more of them where
they lie far apart.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg
from sqlalchemy import create_engine, text

from hooks.clock import Clock
from hooks.store import schema
from hooks.store.database import Database
from hooks.store.sealing import Sealer
from hooks.store.tables import Event
from tests.bench.load import PEOPLE, Spec, loads
from tests.bench.servers import KEY, receiver
from tests.bench.table import Row, Scale, at_most, interleaved
from tests.postgres import Postgres

EVENTS, RATE = 500_000, 200
#: Rows of one commit while filling.
_TOGETHER = 10_000
_event = Event.__table__  # type: ignore[attr-defined]


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    """On SQLite, then on PostgreSQL."""
    events, seconds = scale.of(EVENTS, _TOGETHER), float(scale.of(6, 1))
    with ExitStack() as stack:
        load = stack.enter_context(loads(folder / "load.log"))
        server = stack.enter_context(Postgres(durable=True))
        with psycopg.connect(server.url(), autocommit=True) as door:
            for name in ("full", "empty"):
                door.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        for engine in ("SQLite", "PostgreSQL"):
            running = {}
            for name, many in (("full", events), ("empty", 0)):
                lite = engine == "SQLite"
                url = f"sqlite:///{folder}/{name}.db" if lite else server.url(name)
                _fill(url, many)
                home = folder / f"{engine}-{name}"
                running[name] = stack.enter_context(receiver(home, url))
            sides = {
                name: partial(load, Spec(each.port, 64, seconds, rate=RATE))
                for name, each in running.items()
            }
            interleaved(1, sides)  # not counted: caches fill
            found = interleaved(scale.runs, sides)
            full, empty = (tuple(each.p99 for each in found[name]) for name in sides)
            at = f"p99, {RATE}/s, {events:,} events in {engine}"
            yield Row(at, full, "ms", empty, "none", at_most(1.25, "ratio"))


def _fill(url: str, number: int) -> None:
    """Settled events with sealed payloads of a kilobyte, of many people and over many days."""
    database = Database(url, Clock())
    try:
        schema.migrate(database)
    finally:
        database.close()
    sealer, payload = Sealer([KEY]), b"x" * 1_000
    driver = "postgresql+psycopg://" if url.startswith("postgresql") else "sqlite+pysqlite://"
    engine = create_engine(driver + url.partition("://")[2])
    now = int(time.time() * 1_000_000)
    for start in range(0, number, _TOGETHER):
        uuids = [str(uuid.uuid4()) for _ in range(_TOGETHER)]
        rows = [
            {
                "uuid": uuids[each - start], "type": "user.lifecycle.deactivate",
                "published": now - each * 1_000_000, "received": now - each * 1_000_000,
                "origin": "hook", "delivery": "", "subject": f"00u{each % PEOPLE:017}",
                "claim": "deactivated", "about": "", "settled": now,
                "sealed": sealer.seal(payload, uuids[each - start]),
            }
            for each in range(start, min(start + _TOGETHER, number))
        ]  # fmt: skip
        with engine.begin() as connection:
            connection.execute(_event.insert(), rows)
    if driver.startswith("postgresql"):
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE event"))
    engine.dispose()
