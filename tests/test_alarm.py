"""The loop that finds alarms and tells them: whatever fails, it goes on and loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from hooks import figures
from hooks.alarm import Alarms
from hooks.clock import Clock
from hooks.gateways.notify import Notify
from hooks.gateways.wire import open_client
from hooks.sandbox.server import listening
from hooks.store import alarms, schema
from hooks.store.database import Database
from tests.postgres import Postgres
from tests.receiver import Receiver
from tests.running import Time


@pytest.fixture(scope="module")
def lasting() -> Iterator[Postgres]:
    """A server whose commits outlive it."""
    with Postgres(durable=True) as server:
        yield server


@dataclass
class Stage:
    """``here`` is what is so in this process; ``faults`` is how often asking for it fails."""

    receiver: Receiver
    database: Database
    time: Time
    here: dict[str, int]
    faults: int = 0

    def shown(self) -> Mapping[str, int]:
        if self.faults:
            self.faults -= 1
            raise LookupError
        return self.here

    def standing(self) -> list[tuple[str, str]]:
        """What stands, and what was told of it."""
        found = self.database.read_now(alarms.standing)
        return [(each.name, each.told) for each in found]

    async def heard(self, number: int) -> None:
        """Until so many were taken."""
        async with asyncio.timeout(20):
            while len(self.receiver.taken) < number:  # noqa: ASYNC110  # a server in this loop
                await asyncio.sleep(0.01)


@asynccontextmanager
async def staged(url: str) -> AsyncIterator[tuple[Stage, Alarms]]:
    time = Time()
    database = Database(url, Clock(time.seconds))
    stage = Stage(Receiver(), database, time, {"breaker okta": 1})
    async with AsyncExitStack() as stack:
        stack.callback(database.close)
        await asyncio.to_thread(schema.migrate, database)
        origin = await stack.enter_async_context(listening(stage.receiver))
        client = await stack.enter_async_context(open_client())
        yield (
            stage,
            Alarms(
                database=database,
                clock=database.clock,
                here=stage.shown,
                notify=Notify(client=client, url=origin),
                organization="example.okta.com",
                every=timedelta(minutes=1),
                jitter=lambda: 0.5,
                pause=0.05,
            ),
        )


async def test_what_was_taken_while_the_store_went_down_is_not_told_again(
    lasting: Postgres,
) -> None:
    async with staged(lasting.url()) as (stage, found):
        stage.receiver.before = lasting.crash
        await found.tick()
        lasting.start()
        stage.receiver.before = lambda: None
        assert len(stage.receiver.taken) == 1
        assert stage.standing() == [("breaker okta", "")]
        stage.time.push(2 * alarms.CLAIM)
        await found.tick()
        assert stage.standing() == [("breaker okta", "begun")]
        assert len(stage.receiver.seen) == 1


async def test_a_store_that_is_down_is_waited_for(lasting: Postgres) -> None:
    async with staged(lasting.url()) as (stage, found):
        stage.here = {"paused": 1}
        stop = asyncio.Event()
        lasting.crash()
        running = asyncio.create_task(found.run(stop))
        await asyncio.sleep(0.3)
        lasting.start()
        await stage.heard(1)
        stop.set()
        await running


async def test_a_fault_ends_nothing(sqlite_url: str) -> None:
    async with staged(sqlite_url) as (stage, found):
        stop = asyncio.Event()
        stage.faults = 3
        running = asyncio.create_task(found.run(stop))
        await stage.heard(1)
        assert stage.faults == 0
        stop.set()
        await running


async def test_it_stops_at_once_when_nothing_is_under_way(sqlite_url: str) -> None:
    async with staged(sqlite_url) as (_, found):
        found.pause = 60.0
        stop = asyncio.Event()
        running = asyncio.create_task(found.run(stop))
        await asyncio.sleep(0.01)
        stop.set()
        async with asyncio.timeout(1):
            await running


async def test_a_store_at_peace_is_not_written(sqlite_url: str) -> None:
    async with staged(sqlite_url) as (stage, found):
        stage.here.clear()
        with stage.database.connection():  # whoever writes waits for it, and fails
            await found.tick()
        assert stage.receiver.seen == []


async def test_what_becomes_of_notifications_is_counted(sqlite_url: str) -> None:
    def counted() -> dict[str, float]:
        return {
            sample.labels["outcome"]: sample.value
            for family in figures.NOTIFICATIONS.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        }

    async with staged(sqlite_url) as (stage, found):
        before = counted()
        assert before.keys() == {"told", "rejected", "unavailable", "late", "fault"}
        for status in (500, 404, 204):
            stage.receiver.status = status
            await found.tick()
            stage.time.push(timedelta(seconds=40))
        rises = {outcome: value - before[outcome] for outcome, value in counted().items()}
        assert {outcome for outcome, rise in rises.items() if rise == 1} == {
            "told", "rejected", "unavailable"
        }  # fmt: skip


async def test_more_than_can_be_told_at_once_is_told_in_turn(sqlite_url: str) -> None:
    async with staged(sqlite_url) as (stage, found):
        stage.here |= {f"held main/lost_group/{n}": n for n in range(1, 3 * alarms.MOST)}
        for _ in range(3):
            await found.tick()
        assert len(stage.receiver.taken) == 3 * alarms.MOST
        counts = {each["count"] for each in stage.receiver.taken}
        assert counts == set(range(1, 3 * alarms.MOST))
