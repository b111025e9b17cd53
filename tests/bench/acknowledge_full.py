"""Does an acknowledgement take longer with many stored events? p99 beside that of an empty store.

python tests/bench/acknowledge_full.py [sqlite|postgresql] [events] [rounds] [deliveries a second]

Two services that only receive, one on an empty database and one on a full one, are posted to in
turns at a fixed rate; printed are the medians of the rounds, and the ratio full to empty. A disk
that stalls strikes either: see the rounds, and play more of them where they lie far apart.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import aiohttp
import psycopg
from sqlalchemy import create_engine, text

from hooks.clock import Clock
from hooks.store import schema
from hooks.store.database import Database
from hooks.store.sealing import Sealer
from hooks.store.tables import Event
from tests.bench.ready import CONFIG
from tests.postgres import Postgres

ROOT = Path(__file__).parents[2]
KEY = bytes(32)
SECRET = "s" * 40
SECONDS = 6.0
PEOPLE = 5_000
_event = Event.__table__  # type: ignore[attr-defined]


def main() -> None:
    """Fill, start both, post in turns, print."""
    engine = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    events, rounds, rate = (
        int(sys.argv[at]) if len(sys.argv) > at else default
        for at, default in ((2, 500_000), (3, 5), (4, 200))
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(Postgres(durable=True)) if engine == "postgresql" else None
        urls = {}
        for name, number in (("empty", 0), ("full", events)):
            urls[name] = _url(engine, name, folder, server)
            _fill(urls[name], number)
        ports = {
            name: stack.enter_context(_service(url, folder / name)) for name, url in urls.items()
        }
        found = asyncio.run(_measure(ports, rounds, rate))
    told = {
        name: {
            "p50_ms": round(1000 * statistics.median(p50 for p50, _ in each), 2),
            "p99_ms": round(1000 * statistics.median(p99 for _, p99 in each), 2),
        }
        for name, each in found.items()
    }
    ratio = told["full"]["p99_ms"] / told["empty"]["p99_ms"]
    each_p99 = {name: [round(1000 * p99, 1) for _, p99 in each] for name, each in found.items()}
    said = {"engine": engine, "events": events, "rounds": rounds, "per_second": rate}
    said |= {"ratio_of_p99": round(ratio, 2), "p99_ms_of_each_round": each_p99}
    print(json.dumps({**said, **told}))  # noqa: T201


def _url(engine: str, name: str, folder: Path, server: Postgres | None) -> str:
    if server is None:
        return f"sqlite:///{folder / name}.db"
    with psycopg.connect(server.url(), autocommit=True) as door:
        door.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    return server.url(name)


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
    for start in range(0, number, 10_000):
        uuids = [str(uuid.uuid4()) for _ in range(10_000)]
        rows = [
            {
                "uuid": uuids[each - start], "type": "user.lifecycle.deactivate",
                "published": now - each * 1_000_000, "received": now - each * 1_000_000,
                "origin": "hook", "delivery": "", "subject": f"00u{each % PEOPLE:017}",
                "claim": "deactivated", "about": "", "settled": now,
                "sealed": sealer.seal(payload, uuids[each - start]),
            }
            for each in range(start, min(start + 10_000, number))
        ]  # fmt: skip
        with engine.begin() as connection:
            connection.execute(_event.insert(), rows)
    if driver.startswith("postgresql"):
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE event"))
    engine.dispose()


@contextmanager
def _service(url: str, folder: Path) -> Iterator[int]:
    folder.mkdir()
    port = _free_port()
    (folder / "hooks.toml").write_text(CONFIG.format(port=port))
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOOKS_CONFIG": str(folder / "hooks.toml"),
        "HOOKS_HOOK_SECRET": SECRET,
        "HOOKS_SEALING_KEYS": base64.urlsafe_b64encode(KEY).decode(),
        "HOOKS_DATABASE_URL": url,
    }
    command = [sys.executable, "-m", "hooks", "serve", "--no-worker"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            _await(port)
            yield port
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


def _await(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError


async def _measure(
    ports: dict[str, int], rounds: int, rate: int
) -> dict[str, list[tuple[float, float]]]:
    """The first round of each is not counted."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ports}
    async with aiohttp.ClientSession() as client:
        for number in range(rounds + 1):
            for name, port in ports.items():
                seconds = sorted(await _post(client, port, rate))
                middle, late = seconds[len(seconds) // 2], seconds[len(seconds) * 99 // 100]
                if number:
                    found[name].append((middle, late))
    return found


async def _post(client: aiohttp.ClientSession, port: int, rate: int) -> list[float]:
    """An open loop: a slow answer delays no later delivery, and is counted from when it was due."""
    began = asyncio.get_running_loop().time()
    posts = [
        asyncio.create_task(_one(client, port, began + number / rate))
        for number in range(int(rate * SECONDS))
    ]
    return await asyncio.gather(*posts)


async def _one(client: aiohttp.ClientSession, port: int, due: float) -> float:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(max(0.0, due - loop.time()))
    user = f"00u{uuid.uuid4().int % PEOPLE:017}"
    event = {
        "uuid": str(uuid.uuid4()),
        "eventType": "user.lifecycle.deactivate",
        "published": "2026-11-21T12:00:00.000Z",
        "outcome": {"result": "SUCCESS"},
        "target": [{"id": user, "type": "User", "alternateId": "x" * 600}],
    }
    body = json.dumps({"eventId": str(uuid.uuid4()), "data": {"events": [event]}}).encode()
    url = f"http://127.0.0.1:{port}/okta/events"
    async with client.post(url, data=body, headers={"Authorization": SECRET}) as answer:
        if answer.status != 204:
            raise RuntimeError(answer.status)
    return loop.time() - due


if __name__ == "__main__":
    main()
