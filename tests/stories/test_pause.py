"""An operator stops all writing, at once and everywhere, and lets it go on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hooks.store import pause
from hooks.store.database import Tx
from tests.running import Running
from tests.stories.company import TEAMS, Company


def begin(tx: Tx) -> None:
    pause.begin(tx, who="operator", why="a test")


async def paused(run: Running) -> None:
    await run.house.database.write(begin)


async def resumed(run: Running) -> None:
    assert await run.house.database.write(pause.end)


async def test_while_paused_events_are_stored_and_nobody_is_looked_at(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    ann, bob = company.hire("ann", "red", "green"), company.hire("bob", *TEAMS)
    async with company.service(database_url, tmp_path) as run:
        await paused(run)
        company.world.deactivate(ann)
        before = company.world.counters["okta", "GET", "/api/v1/users/{id}"]
        assert [each[-1] for each in await run.deliver()] == [204]
        await run.work()
        assert company.groups(ann) == {"red", "green"}
        assert company.world.counters["okta", "GET", "/api/v1/users/{id}"] == before
        assert await run.house.catch_up.read_on() is not None, "the log is still read"  # type: ignore[union-attr]
        await resumed(run)
        await run.settle()
        assert company.groups(ann) == set()
        assert company.groups(bob) == set(TEAMS)
        assert await run.dead() == []


async def test_a_look_under_way_writes_nothing_once_it_is_paused(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    """It has read everything, and is about to admit its steps."""
    ann, bob = company.hire("ann", "red", "green"), company.hire("bob", *TEAMS)
    async with company.service(database_url, tmp_path) as run:
        company.world.deactivate(ann)
        await run.deliver()
        company.world.fault("okta", "GET", "/users/", delay=0.4)
        look = asyncio.create_task(run.work())
        await asyncio.sleep(0.2)
        await paused(run)
        await look
        assert company.groups(ann) == {"red", "green"}
        assert await run.steps() == []
        company.world.clear()
        await resumed(run)
        await run.settle()
        assert company.groups(ann) == set()
        assert company.groups(bob) == set(TEAMS)
        assert await run.dead() == []


async def test_a_pause_ends_no_hold_and_no_return(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    people = [company.hire(f"person-{number}", "red") for number in range(2)]
    more = "[brake]\nleft_per_hour = 1\n"
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        for login in people:
            company.world.deactivate(login)
            await run.settle()
        (hold,) = await run.holds()
        company.world.add_to_group(people[1], company.world.add_okta_group("choir"))
        await run.deliver()
        company.world.fault("okta", "GET", "/users/", delay=0.4)
        look = asyncio.create_task(run.work())
        await asyncio.sleep(0.2)
        await paused(run)
        await look
        assert [each["id"] for each in await run.holds()] == [hold["id"]]
        company.world.clear()
        await resumed(run)
        await run.settle()
        assert [each["id"] for each in await run.holds()] == [hold["id"]]
        assert company.groups(people[1]) == {"red"}
