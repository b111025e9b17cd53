"""Replicas on PostgreSQL: starting together, and a database that is away, busy or silent.

That one person is on one replica, and that leases of the dead are taken over, is shown on rows
in tests/store/test_line_fence.py, and on whole replicas by every round of test_chaos.py.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from hooks.store.intake import PATIENCE
from tests.chaos.fleet import Fleet, Replica, fleet
from tests.chaos.judge import Judge
from tests.postgres import Postgres
from tests.running import SECRET, Time
from tests.stories.company import Company

#: Seconds in which each delivery is answered; Okta waits three.
_IN_TIME = 3.0
#: Events of one delivery.
_TOGETHER = 5
#: Seconds in which what has to come about by itself does.
_SOON = 30.0

pytestmark = [pytest.mark.timeout(180), pytest.mark.wide]


@dataclass
class Okta:
    """Sends deliveries, and remembers what became of each."""

    client: httpx.AsyncClient
    sent: list[set[str]] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    answers: list[int] = field(default_factory=list)
    longest: float = 0.0

    async def delivers(self, replica: Replica) -> int:
        """One delivery of several events about people nobody knows; its answer."""
        uuids = [str(uuid4()) for _ in range(_TOGETHER)]
        events = [
            {
                "uuid": each,
                "eventType": "user.lifecycle.deactivate",
                "target": [{"type": "User", "id": f"00u{each.replace('-', '')[-17:]}"}],
            }
            for each in uuids
        ]
        self.sent.append(set(uuids))
        began = time.monotonic()
        answer = await self.client.post(
            f"{replica.url}/okta/events",
            content=json.dumps({"data": {"events": events}}).encode(),
            headers={"Authorization": SECRET},
        )
        self.longest = max(self.longest, time.monotonic() - began)
        self.answers.append(answer.status_code)
        if answer.status_code == 204:
            self.acknowledged |= set(uuids)
        return answer.status_code

    async def goes_on(self, replica: Replica) -> None:
        """One delivery after the other, until cancelled."""
        while True:
            await self.delivers(replica)
            await asyncio.sleep(0.02)

    async def judge(self, url: str) -> None:
        """Every answer came in time, nothing acknowledged is missing, no delivery is half there."""
        judge = Judge(url)
        stored = await asyncio.to_thread(judge.read)
        judge.close()
        assert stored is not None
        assert (set(self.answers) <= {204, 503}, self.longest < _IN_TIME) == (True, True), (
            set(self.answers), self.longest,
        )  # fmt: skip
        assert self.acknowledged <= stored.uuids.keys()
        assert {len(stored.uuids.keys() & each) for each in self.sent} <= {0, _TOGETHER}
        assert set(stored.uuids.values()) <= {1}


@asynccontextmanager
async def up(
    url: str, folder: Path, *, size: int = 1, relayed: bool = False
) -> AsyncIterator[tuple[Fleet, Okta]]:
    """Replicas that are up. In the end each of them still is, and stops as it is told."""
    async with (
        fleet(Company(Time()).world, url, folder, size=size, relayed=relayed) as found,
        httpx.AsyncClient(timeout=2 * _IN_TIME, trust_env=False, verify=False) as client,  # noqa: S501
    ):
        await asyncio.gather(*(each.launch() for each in found.replicas))
        await asyncio.gather(*(comes(each, ready=True) for each in found.replicas))
        yield found, Okta(client)
        assert await found.stop() == [0] * size, [each.log[-1000:] for each in found.replicas]


async def comes(replica: Replica, *, ready: bool) -> None:
    """What a balancer sees, soon. A replica that ends by itself fails."""
    async with asyncio.timeout(_SOON):
        while await replica.ready() is not ready:
            assert replica.alive, replica.log
            await asyncio.sleep(0.05)


@asynccontextmanager
async def under_load(okta: Okta, *replicas: Replica) -> AsyncIterator[None]:
    """Deliveries to each of them, all the time."""
    load = [asyncio.create_task(okta.goes_on(each)) for each in replicas for _ in range(3)]
    yield
    for each in load:
        each.cancel()
        with suppress(asyncio.CancelledError):
            await each


@pytest.fixture
def url(postgresql_url: str) -> str:
    """An empty database, as the operator writes it."""
    return postgresql_url.replace("+psycopg", "")


async def test_ten_replicas_that_start_at_once_on_an_empty_database_all_come_up(
    url: str, tmp_path: Path
) -> None:
    async with up(url, tmp_path, size=10) as (found, okta):
        assert [await okta.delivers(each) for each in found.replicas] == [204] * 10
        migrated = [each for each in found.replicas if '"migrated"' in each.log]
        assert len(migrated) == 1
        await okta.judge(url)


async def test_a_database_that_crashes_costs_503s_until_it_is_back(tmp_path: Path) -> None:
    with Postgres(durable=True) as server:
        async with up(server.url(), tmp_path, size=2) as (found, okta):
            async with under_load(okta, *found.replicas):
                await asyncio.sleep(0.5)
                await asyncio.to_thread(server.crash)
                await asyncio.gather(*(comes(each, ready=False) for each in found.replicas))
                away = [await okta.delivers(each) for each in found.replicas]
                await asyncio.to_thread(server.start)
                await asyncio.gather(*(comes(each, ready=True) for each in found.replicas))
                back = [await okta.delivers(each) for each in found.replicas]
            assert (away, back) == ([503, 503], [204, 204])
            await okta.judge(server.url())


async def test_connections_that_are_dropped_cost_no_more_than_okta_tries_again(
    url: str, tmp_path: Path
) -> None:
    async with up(url, tmp_path, relayed=True) as (found, okta):
        (replica,), (relay,) = found.replicas, found.relays
        async with under_load(okta, replica):
            for _ in range(5):
                await asyncio.sleep(0.2)
                relay.cut()
                assert 204 in [await okta.delivers(replica) for _ in range(2)]
        await okta.judge(url)


@contextmanager
def held_up(url: str) -> Iterator[None]:
    """Somebody holds what every transaction of ours needs."""
    with psycopg.connect(url) as door:
        for _ in range(10):
            with suppress(psycopg.errors.DeadlockDetected):
                door.execute("LOCK TABLE event, due, cursor IN ACCESS EXCLUSIVE MODE")
                break
            door.rollback()
        yield


async def test_when_every_connection_is_busy_deliveries_are_told_so_in_time(
    url: str, tmp_path: Path
) -> None:
    async with up(url, tmp_path) as (found, okta):
        (replica,) = found.replicas
        with held_up(url):
            answers = await asyncio.gather(*(okta.delivers(replica) for _ in range(40)))
            assert set(answers) == {503}
            assert not await replica.ready()
            assert await okta.delivers(replica) == 503
        await comes(replica, ready=True)
        assert await okta.delivers(replica) == 204
        await okta.judge(url)


@pytest.mark.parametrize("forget", [False, True], ids=["goes on", "has forgotten us"])
async def test_a_way_to_the_database_that_is_silent_costs_503s_until_it_speaks_again(
    url: str,
    tmp_path: Path,
    forget: bool,  # noqa: FBT001  # a case
) -> None:
    """It keeps every connection open, and no limit of PostgreSQL's or of TCP's notices."""
    async with up(url, tmp_path, relayed=True) as (found, okta):
        (replica,), (relay,) = found.replicas, found.relays
        async with under_load(okta, replica):
            await asyncio.sleep(0.3)
            relay.mute()
            await asyncio.sleep(PATIENCE)
            assert [await okta.delivers(replica) for _ in range(2)] == [503, 503]
            assert not await replica.ready()
            relay.forward(forget=forget)
            await comes(replica, ready=True)
        assert await okta.delivers(replica) == 204
        await okta.judge(url)
