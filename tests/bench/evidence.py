"""What the chain costs: looks that admit and record steps, with a key and without, in one run.

python tests/bench/evidence.py [looks] [postgresql]
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from hooks.clock import Clock  # noqa: E402  # found from the root
from hooks.core.attempt import Idle  # noqa: E402
from hooks.core.ledger import Resolved  # noqa: E402
from hooks.core.membership import State  # noqa: E402
from hooks.core.policy import Limits  # noqa: E402
from hooks.store import chain, journal, proof, schema  # noqa: E402
from hooks.store.chain import Signer  # noqa: E402
from hooks.store.database import Database  # noqa: E402
from tests.postgres import Postgres  # noqa: E402
from tests.store.builders import lease_one, mark, settle, step, user, wish  # noqa: E402

SIGNER = Signer(bytes(range(32)))
#: Memberships a person loses at once.
STEPS = 5
LIMITS = Limits(left_per_hour=10**9, other_per_hour=10**9, other_per_day=10**9)


def main() -> None:
    """In turn a look with a key and one without; print the medians and what verifying takes."""
    looks = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with _database(postgres="postgresql" in sys.argv) as database:
        database.write_now(lambda tx: chain.begin(tx, SIGNER))
        spent: dict[bool, list[float]] = {True: [], False: []}
        for number in range(looks):
            keyed = number % 2 == 0
            spent[keyed].append(_look(database, user(number), SIGNER if keyed else None))
        began = time.perf_counter()
        people = _verified(database)
        seconds = time.perf_counter() - began
    with_key, without = (statistics.median(spent[each]) * 1000 for each in (True, False))
    found = {
        "with_key_ms": round(with_key, 2),
        "without_ms": round(without, 2),
        "ratio": round(with_key / without, 2),
        "verified_people": people,
        "verify_seconds": round(seconds, 2),
    }
    print(json.dumps(found))  # noqa: T201


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


@contextmanager
def _database(*, postgres: bool) -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        if postgres:
            with Postgres(durable=True) as server:
                yield from _opened(server.url())
        else:
            yield from _opened(f"sqlite:///{Path(folder) / 'hooks.db'}")


def _opened(url: str) -> Iterator[Database]:
    database = Database(url, Clock())
    schema.migrate(database)
    yield database
    database.close()


if __name__ == "__main__":
    main()
