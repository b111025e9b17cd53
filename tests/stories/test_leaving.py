"""Somebody leaves the company, the app, or one of two directories."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hooks.gateways.crowds import Crowds
from tests.running import Running, Time
from tests.stories.company import APP, STAFF, TEAMS, Company


async def test_sixty_groups_go_at_once(time: Time, database_url: str, tmp_path: Path) -> None:
    teams = [f"team-{number:02}" for number in range(60)]
    company = Company(time, teams)
    ann, bob = company.hire("ann", *teams), company.hire("bob", *teams)
    async with company.service(database_url, tmp_path) as run:
        company.world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set()
        assert company.groups(bob) == set(teams)
        assert {state for *_, state in await run.steps()} == {"settled"}


@pytest.mark.parametrize("external_id", [True, False], ids=["AppUser shows the record", "hides it"])
@pytest.mark.parametrize("tied", ["okta_id", "absent"])
@pytest.mark.parametrize("census", [True, False], ids=["census", "no census yet"])
async def test_merely_unassigned_though_assigned_long_before_we_came(
    company: Company, sqlite_url: str, tmp_path: Path, *, census: bool, tied: str, external_id: bool
) -> None:
    company.world.switches.scim_external_id = tied  # type: ignore[assignment]
    company.world.switches.app_user_external_id = external_id
    ann, bob = company.hire("ann", "red", "green"), company.hire("bob", "red", "green")
    async with company.service(sqlite_url, tmp_path, census=census) as run:
        company.world.remove_from_group(ann, STAFF)
        await run.settle()
        assert company.groups(ann) == set()
        assert company.groups(bob) == {"red", "green"}
        assert {reason for _, _, reason, _ in await run.steps()} == {"unassigned"}


@pytest.mark.parametrize("census", [True, False], ids=["census", "no census yet"])
async def test_unassigned_before_we_came_with_nothing_in_the_log_but_their_record(
    company: Company, sqlite_url: str, tmp_path: Path, *, census: bool
) -> None:
    ann, bob = company.hire("ann", "red"), company.hire("bob", "red")
    with company.world.long_ago():
        company.world.remove_from_group(ann, STAFF)
    async with company.service(sqlite_url, tmp_path, census=census) as run:
        company.world.add_to_group(ann, company.world.add_okta_group("choir"))
        await run.settle()
        assert company.groups(ann) == set()
        assert company.groups(bob) == {"red"}


async def test_somebody_never_assigned_is_left_alone(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    company.world.add_user("guest@somedomain.example")
    company.world.add_scim_user(company.directory, "guest@somedomain.example")
    company.world.scim_add(company.directory, "red", "guest@somedomain.example")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.add_to_group(
            "guest@somedomain.example", company.world.add_okta_group("choir")
        )
        await run.settle()
        assert company.groups("guest@somedomain.example") == {"red"}
        assert await run.steps() == []


@pytest.mark.parametrize("app_user_lag", [0.0, 30.0])
async def test_deactivation_that_takes_its_time_is_leaving_already(
    company: Company, sqlite_url: str, tmp_path: Path, app_user_lag: float
) -> None:
    company.world.switches.deactivation_delay = 120
    company.world.switches.app_user_lag = app_user_lag
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(ann)
        await run.deliver()
        await run.work()
        assert company.groups(ann) == set()
        await run.settle()
        assert company.groups(ann) == set()


@pytest.mark.parametrize("shown", ["DEPROVISIONED", "INACTIVE", "REVOKED", "UNASSIGNED"])
async def test_an_assignment_that_stays_readable_after_its_end_is_ended(
    company: Company, sqlite_url: str, tmp_path: Path, shown: str
) -> None:
    company.world.switches.unassigned_app_user = shown
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.remove_from_group(ann, STAFF)
        await run.settle()
        assert company.groups(ann) == set()


async def test_leaving_one_of_two_directories_leaves_the_other_alone(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    world = company.world
    with world.long_ago():
        other = world.add_app("Atlassian Sandbox")
        world.add_directory(other, "second")
        world.assign_group(world.add_okta_group("testers"), other)
        world.push_group("red", other)
        world.push_group("blue", other)
    ann, bob = company.hire("ann", "red", "green"), company.hire("bob", "red", "blue")
    with world.long_ago():
        for login in (ann, bob):
            world.add_to_group(login, "testers")
    async with company.service(database_url, tmp_path) as run:
        world.remove_from_group(ann, "testers")
        world.remove_from_group(bob, STAFF)
        await run.settle()
        assert company.groups(ann) == {"red", "green"}
        assert world.groups_of("second", ann) == set()
        assert company.groups(bob) == set()
        assert world.groups_of("second", bob) == {"red", "blue"}
        world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set()


async def test_a_group_no_mapping_manages_stays(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    company.world.add_scim_group(company.directory, "by-hand")
    company.world.scim_add(company.directory, "by-hand", ann)
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == {"by-hand"}


@pytest.mark.parametrize("deprovisioning", [True, False], ids=["sends inactive", "sends nothing"])
async def test_it_makes_no_difference_whether_okta_deactivates_the_account(
    company: Company, sqlite_url: str, tmp_path: Path, *, deprovisioning: bool
) -> None:
    company.world.set_deprovisioning(APP, enabled=deprovisioning)
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set()
        assert company.world.record(company.directory, ann).active is not deprovisioning


def ann_and_a_crowd(company: Company, many: int) -> tuple[str, list[str]]:
    """None of the crowd is in the group of hers."""
    crowd = [company.hire(f"p{number}", "green") for number in range(many)]
    return company.hire("ann", "red"), crowd


async def lose_the_app(company: Company, run: Running, many: list[str]) -> None:
    """They stay with the company, and Okta tells of all of them at once."""
    for login in many:
        company.world.remove_from_group(login, STAFF)
    await run.deliver()


async def test_who_leaves_behind_a_crowd_is_stripped_beside_it(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    """Sixty lose the app; whoever is deactivated then is among the next six to be looked at."""
    ann, many = ann_and_a_crowd(company, 60)
    async with company.service(database_url, tmp_path) as run:
        await lose_the_app(company, run, many)
        company.world.deactivate(ann)
        await run.deliver()
        assert run.house.worker
        await run.house.worker.take()
        await run.house.worker.drain()
        assert company.groups(ann) == set()
        assert any(company.groups(login) for login in many), "the crowd is still under way"


async def test_who_leaves_this_moment_waits_for_no_look_at_a_crowd(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    """Every slot is taken, and no look ends."""
    ann, many = ann_and_a_crowd(company, 12)
    async with company.service(database_url, tmp_path) as run:
        assert run.house.worker
        run.house.worker.slots = 4
        await lose_the_app(company, run, many)
        for login in many:
            company.world.fault("okta", "GET", user=login, delay=1.0)
        assert await run.house.worker.take() == 4
        company.world.deactivate(ann)
        await run.deliver()
        assert await run.house.worker.take(came=True) == 1
        await run.house.worker.drain()
        assert company.groups(ann) == set()
        assert any(company.groups(login) for login in many), "the crowd is still under way"


async def test_in_a_flood_nobody_writes_to_find_that_nobody_is_due(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """Whoever else writes meanwhile keeps nobody waiting, and a leaver is found all the same."""
    ann, many = ann_and_a_crowd(company, 12)
    async with company.service(sqlite_url, tmp_path) as run:
        worker = run.house.worker
        assert worker
        worker.crowds = Crowds(lambda: True)
        await lose_the_app(company, run, many)
        for login in many:
            company.world.fault("okta", "GET", user=login, delay=5.0)
        assert [await worker.take() for _ in range(2)] == [6, 6]
        with closing(sqlite3.connect(tmp_path / "hooks.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await worker.take(came=True) == 0
        company.world.deactivate(ann)
        await run.deliver()
        assert await worker.take(came=True) == 1
        await worker.drain(patience=0)


async def test_in_a_flood_bulk_work_is_begun_one_at_a_time(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    async with company.service(sqlite_url, tmp_path) as run:
        worker = run.house.worker
        assert worker
        for number in range(12):
            company.world.deactivate(company.world.add_user(f"nobody{number}@example.com"))
        await run.deliver()
        worker.crowds = Crowds(lambda: True)
        await asyncio.sleep(0.3)  # the census was bulk work too
        assert [await worker.take() for _ in range(2)] == [1, 0]
        worker.crowds = Crowds()
        await worker.drain()
        await asyncio.sleep(0.15)  # a moment later it is no flood any more
        assert await worker.take() == 6
        await worker.drain()
