"""Purging a portion at a time: bounded, under a fence, and by itself once a day."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from hooks.core.errors import LeaseLostError
from hooks.purge import Purge, Purged
from hooks.store import inbox, line, retention, schema
from hooks.store.database import Database
from tests.running import Time
from tests.store.builders import Wall, event, lease_one, put
from tests.stories.company import STAFF, Company

KEEP = timedelta(days=90)


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def database(database_url: str, wall: Wall) -> Database:
    found = Database(database_url, wall.clock)
    schema.migrate(found)
    return found


def old_events(database: Database, wall: Wall, count: int) -> None:
    """So many events that are over, and a young one behind them."""
    for start in range(0, count, 1000):
        end = min(start + 1000, count)
        put(database, *(event(number, type="user.session.start") for number in range(start, end)))
    wall.forward(91 * 24 * 3600)
    put(database, event(count, type="user.session.start"))


async def test_a_run_ends_after_so_many_portions_and_the_next_goes_on(
    database: Database, wall: Wall
) -> None:
    old_events(database, wall, 3 * retention.PORTION)
    work = Purge(database, KEEP)
    first = await work.run(most=2)
    assert (first.events, first.more) == (2 * retention.PORTION, True)
    assert first.again < timedelta(minutes=5)
    assert (await work.count()).events == retention.PORTION
    second = await work.run()
    assert second.told() == Purged(events=retention.PORTION).told()
    assert not second.more
    assert second.again == timedelta(days=1)
    assert await work.run() == Purged()
    database.close()


async def test_deliveries_are_stored_between_two_portions(database: Database, wall: Wall) -> None:
    old_events(database, wall, 4 * retention.PORTION)
    done = Purged()
    running = asyncio.create_task(Purge(database, KEEP).run(done=done))
    stored = 0
    while not running.done():
        number = 1_000_000 + stored
        new = event(number, type="user.session.start")
        await asyncio.to_thread(put, database, new)
        stored += done.events < 4 * retention.PORTION
    assert done.events == 4 * retention.PORTION
    assert stored > 4
    database.close()


async def test_whoever_lost_the_lease_deletes_nothing_more(database: Database, wall: Wall) -> None:
    old_events(database, wall, 10)
    database.write_now(lambda tx: line.enroll(tx, "purge", "purge"))
    held = lease_one(database, "purge/purge")
    wall.forward(line.LEASE.total_seconds() + 1)
    lease_one(database, "purge/purge")
    with pytest.raises(LeaseLostError):
        await Purge(database, KEEP).run(lambda tx: line.compare_fence(tx, held))
    assert database.read_now(inbox.counted) == 11
    database.close()


async def test_what_was_taken_is_given_back_however_long_ago(
    time: Time, company: Company, database_url: str, tmp_path: Path
) -> None:
    """It runs by itself: their events go, and what we owe them stays known."""
    ann, bob = company.hire("ann", "red"), company.hire("bob", "red")
    async with company.service(database_url, tmp_path) as run:
        company.world.remove_from_group(ann, STAFF)
        await run.settle()
        assert company.groups(ann) == set()
        time.push(timedelta(days=100))
        company.world.deactivate(bob)  # something young, behind what is old
        await run.settle()
        await run.settle()
        wanted = inbox.Wanted(subject=run.id(ann))
        assert await run.house.database.read(lambda tx: inbox.listed(tx, wanted)) == []
        company.world.add_to_group(ann, STAFF)
        await run.settle()
        assert company.groups(ann) == {"red"}


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def company(time: Time) -> Company:
    return Company(time)
