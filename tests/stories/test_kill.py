"""The service is killed at every kind of moment, on both engines; nothing is lost or left over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import psycopg
import pytest
from sqlalchemy import create_engine, text

from hooks.sandbox.server import serving
from tests.postgres import Postgres
from tests.running import Time
from tests.stories.company import TEAMS, Company
from tests.stories.killing import PHASES, Service, Trial

#: Services at once: they wait for the lease of the dead more than they work.
AT_ONCE = 10
PEOPLE = 8


@pytest.mark.timeout(1200)
async def test_whoever_is_killed_loses_no_event_and_leaves_nobody_half_done(
    postgres: Postgres,
    tmp_path: Path,
    chaos_trials: int,
    record_property: Callable[[str, object], None],
) -> None:
    trials = max(5, chaos_trials // 4)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, engine: str) -> str:
        async with gate:
            return await trial(number, engine, postgres, tmp_path)

    phases = await asyncio.gather(
        *(one(number, engine) for number in range(trials) for engine in ("sqlite", "postgresql"))
    )
    for phase, count in sorted(Counter(phases).items()):
        record_property(f"killed {phase}", count)
    assert set(phases) == set(PHASES)


async def trial(number: int, engine: str, postgres: Postgres, tmp_path: Path) -> str:
    """One world, one service, one kill; the phase in which it came."""
    folder = tmp_path / f"{engine}-{number}"
    folder.mkdir()
    company = Company(Time(), seed=number)
    people = [company.hire(f"person-{each}", *TEAMS) for each in range(PEOPLE)]
    with database(engine, number, postgres, folder) as url:
        async with serving(company.world) as sandbox:
            service = Service(sandbox, url, folder)
            played = Trial(
                PHASES[number % len(PHASES)], sandbox, service, company, Random(number), people
            )
            try:
                await played.play()
                assert await service.stop() == 0
            finally:
                service.kill()
        assert played.accepted <= stored(url)
    assert company.world.violations == []
    return played.phase


@contextmanager
def database(engine: str, number: int, postgres: Postgres, folder: Path) -> Iterator[str]:
    """An empty database of this trial's own."""
    if engine == "sqlite":
        yield f"sqlite:///{folder / 'hooks.db'}"
        return
    name = f"kill_{number}"
    with psycopg.connect(postgres.url(), autocommit=True) as door:
        door.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    yield postgres.url(name)
    with psycopg.connect(postgres.url(), autocommit=True) as door:
        door.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def stored(url: str) -> set[str]:
    """The uuids of all events there are."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return set(connection.execute(text("SELECT uuid FROM event")).scalars())
    finally:
        engine.dispose()
