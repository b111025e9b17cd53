"""What the chain costs: looks that admit and record steps, with a key and without, in one run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from hooks.clock import Clock
from hooks.core.attempt import Idle
from hooks.core.ledger import Resolved
from hooks.core.membership import State
from hooks.core.policy import Limits
from hooks.store import chain, journal, proof, schema
from hooks.store.chain import Signer
from hooks.store.database import Database
from tests.bench.table import Row, Scale, percentile
from tests.postgres import Postgres
from tests.store.builders import lease_one, mark, settle, step, user, wish

SIGNER = Signer(bytes(range(32)))
LOOKS = 1_000
#: Memberships a person loses at once.
STEPS = 5
LIMITS = Limits(left_per_hour=10**9, other_per_hour=10**9, other_per_day=10**9)


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    """In turn a look with a key and one without; then all of it is verified."""
    with Postgres(durable=True) as server:
        for engine, url in (
            ("SQLite", f"sqlite:///{folder}/hooks.db"),
            ("PostgreSQL", server.url()),
        ):
            with closing(Database(url, Clock())) as database:
                schema.migrate(database)
                yield from _measured(database, engine, scale)


def _measured(database: Database, engine: str, scale: Scale) -> Iterator[Row]:
    database.write_now(lambda tx: chain.begin(tx, SIGNER))
    keyed, bare = [], []
    number = 0
    for _ in range(scale.runs):
        took: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(scale.of(LOOKS // 5, 10)):
            number += 1
            with_key = number % 2 == 0
            signer = SIGNER if with_key else None
            took[with_key].append(_look(database, user(number), signer))
        keyed.append(1000 * percentile(took[True], 0.5))
        bare.append(1000 * percentile(took[False], 0.5))
    yield Row(f"admit and record, {engine}", tuple(keyed), "ms", tuple(bare), "no chain key")
    began = time.perf_counter()
    people = _verified(database)
    yield Row(f"people verified, {engine}", (people / (time.perf_counter() - began),), "/s")


def _look(database: Database, who: str, signer: Signer | None) -> float:
    """Seconds of t2 and t3."""
    mark(database, who)
    held = lease_one(database, who)
    wishes = [wish(step(number)) for number in range(STEPS)]
    began = time.perf_counter()
    admission = database.write_now(
        lambda tx: journal.admit(tx, held, wishes, [], limits=LIMITS, signer=signer)
    )
    became = [Resolved(number, State.SETTLED) for number, _ in admission.admitted]
    database.write_now(lambda tx: journal.record(tx, held, became, signer))
    seconds = time.perf_counter() - began
    settle(database, held, Idle())
    return seconds


def _verified(database: Database) -> int:
    after, people = "", 0
    while users := database.read_now(partial(proof.people, after=after, limit=100)):
        database.read_now(partial(proof.prove, users=users, signer=SIGNER))
        after, people = users[-1], people + len(users)
    return people
