"""A Force Sync while external people are in synced groups: somebody is told within two minutes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from hooks.core.alarm import BURST, BURST_WITHIN
from hooks.store import alarms, inbox
from tests.running import Running, Time
from tests.stories.company import Company

WARNED = timedelta(minutes=2)
RULES = ""


class Partners(Company):
    """Six of the company and one from outside, all in the red team."""

    def __init__(self, time: Time) -> None:
        super().__init__(time)
        self.staff = [self.hire(f"p{number}", "red") for number in range(6)]
        self.guest = "guest@partner.example"
        with self.world.long_ago():
            self.world.add_user(self.guest)
            for group in ("staff", "red"):
                self.world.add_to_group(self.guest, group)
        self.world.set_account(self.guest, claim="unmanaged")


@pytest.fixture
def partners(time: Time) -> Partners:
    return Partners(time)


@asynccontextmanager
async def watched(partners: Partners, url: str, folder: Path) -> AsyncIterator[Running]:
    """The service, which has looked at everybody once and read the log to its end."""
    async with partners.service(url, folder, rules=RULES) as run:
        for login in (*partners.staff, partners.guest):
            partners.world.add_to_group(login, "blue")
        await run.settle()
        await run.catch_up()
        yield run


async def warned(run: Running) -> dict[str, int]:
    """What is alarming after the log was read on as it is every minute."""
    run.time.push(WARNED)
    await run.catch_up()
    return await run.house.database.read(
        lambda tx: {
            name: count
            for name, count in alarms.found(tx, every=timedelta(minutes=1)).items()
            if name == "profiles_pushed"
        }
    )


async def test_a_force_sync_with_an_external_person_is_told(
    partners: Partners, database_url: str, tmp_path: Path
) -> None:
    async with watched(partners, database_url, tmp_path) as run:
        assert await warned(run) == {}
        partners.world.force_sync(partners.directory)
        assert partners.groups(partners.guest) == set()
        assert await warned(run) == {"profiles_pushed": 1}
        run.time.push(BURST_WITHIN)
        assert await warned(run) == {}, "told once, and over by itself"


async def test_nobody_is_looked_at_for_a_pushed_profile(
    partners: Partners, database_url: str, tmp_path: Path
) -> None:
    async with watched(partners, database_url, tmp_path) as run:
        await run.settle()
        before = len(partners.world.requests)
        partners.world.force_sync(partners.directory, *partners.staff)
        await run.catch_up()
        await run.work()
        paths = [each.path for each in list(partners.world.requests)[before:]]
        assert [each for each in paths if not each.startswith("/api/v1/logs")] == []


async def test_few_profiles_are_no_burst(
    partners: Partners, database_url: str, tmp_path: Path
) -> None:
    async with watched(partners, database_url, tmp_path) as run:
        some = partners.staff[: BURST - 2]
        partners.world.force_sync(partners.directory, partners.guest, *some)
        assert await warned(run) == {}


async def test_a_burst_of_our_own_people_is_nobodys_business(
    partners: Partners, database_url: str, tmp_path: Path
) -> None:
    async with watched(partners, database_url, tmp_path) as run:
        partners.world.force_sync(partners.directory, *partners.staff)
        assert await warned(run) == {}


async def test_profiles_pushed_to_another_app_are_not_even_kept(
    partners: Partners, database_url: str, tmp_path: Path
) -> None:
    world = partners.world
    async with watched(partners, database_url, tmp_path) as run:
        other = world.add_app("Something else")
        elsewhere = world.add_directory(other, "elsewhere")
        world.assign_group("staff", other)
        await run.settle()
        await run.catch_up()
        before = await run.house.database.read(inbox.counted)
        world.force_sync(elsewhere)
        assert await warned(run) == {}
        assert await run.house.database.read(inbox.counted) == before
