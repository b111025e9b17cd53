"""A Force Sync while external people are in synced groups: somebody is told within two minutes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from hooks.core.alarm import BURST, BURST_WITHIN
from hooks.core.ids import OktaUserId
from hooks.store import alarms, erasure, inbox, known, line, orders
from hooks.store.database import Tx
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


async def test_it_is_told_before_anybody_was_looked_at(
    partners: Partners, database_url: str, tmp_path: Path
) -> None:
    """The first census knows the verified domains, and whose addresses lie outside."""
    async with partners.service(database_url, tmp_path, rules=RULES) as run:
        await run.catch_up()
        partners.world.force_sync(partners.directory)
        assert await warned(run) == {"profiles_pushed": 1}


async def test_profiles_that_were_pushed_hours_apart_are_no_burst_though_read_at_once(
    partners: Partners, database_url: str, tmp_path: Path
) -> None:
    async with watched(partners, database_url, tmp_path) as run:
        for login in (*partners.staff, partners.guest):
            partners.world.force_sync(partners.directory, login)
            run.time.push(timedelta(hours=1))
        assert await warned(run) == {}


async def test_an_audit_leaves_nobody_out_for_a_pushed_profile(
    partners: Partners, database_url: str, tmp_path: Path
) -> None:
    async with watched(partners, database_url, tmp_path) as run:
        since = await run.house.database.read(lambda tx: tx.now)
        partners.world.force_sync(partners.directory)
        run.time.push(WARNED)
        await run.catch_up()
        assert await run.house.database.read(lambda tx: inbox.subjects_since(tx, since)) == set()


async def test_a_forgotten_person_is_not_in_pushed_profiles_either(
    partners: Partners, database_url: str, tmp_path: Path
) -> None:
    async with watched(partners, database_url, tmp_path) as run:
        partners.world.force_sync(partners.directory)
        run.time.push(WARNED)
        await run.catch_up()
        user = OktaUserId(partners.world.user(partners.guest).id)
        database, sealer = run.house.database, run.house.sealer

        def forget(tx: Tx) -> None:
            found = erasure.events(tx, user, [], sealer, 0)
            erasure.delete_events(tx, found, [])

        await database.write(forget)
        assert await database.read(lambda tx: known.pushed_outside(tx, 0)) == 0


async def test_an_order_that_is_only_observed_is_over_too(
    partners: Partners, database_url: str, tmp_path: Path
) -> None:
    modes = {"main": "observe"}
    async with partners.service(database_url, tmp_path, rules=RULES, modes=modes) as run:
        await run.settle()
        partners.world.force_sync(partners.directory)
        user = OktaUserId(partners.world.user(partners.guest).id)

        def order(tx: Tx) -> None:
            orders.repair(tx, user, who="ann", why="ticket 7")
            line.mark(tx, [user], "user", lane=line.URGENT, due_at=tx.now, events=False)

        await run.house.database.write(order)
        await run.settle()
        (told,) = await run.house.database.read(lambda tx: orders.about(tx, [user]))
        assert told["result"] == "1 observed"
        assert partners.groups(partners.guest) == set()


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
