"""Groups and mappings change: deleted, unassigned, switched off, renamed, shared."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from hooks.store import mappings
from tests.running import Running
from tests.stories.company import STAFF, TEAMS, Company


def keep_only(company: Company, prefix: str) -> None:
    """Okta delivers only events of this kind."""
    company.world.outbox[:] = [
        (hook, event)
        for hook, event in company.world.outbox
        if str(event["eventType"]).startswith(prefix)
    ]


async def nudge(company: Company, run: Running, *logins: str) -> None:
    """Something happens to them that changes nothing."""
    choir = company.world.add_okta_group("choir")
    for login in logins:
        company.world.add_to_group(login, choir)
    await run.settle()


async def test_members_are_looked_at_when_their_group_is_unassigned_from_the_app(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    people_of_staff = [company.hire(f"person-{number}", "red") for number in range(5)]
    async with company.service(database_url, tmp_path) as run:
        company.world.unassign_group(STAFF, company.app)
        keep_only(company, "group.")
        await run.settle()
        assert {login: company.groups(login) for login in people_of_staff} == {
            login: set() for login in people_of_staff
        }


@pytest.mark.parametrize("logs_members", [True, False])
async def test_a_deleted_group_that_assigned_the_app_strips_its_people(
    company: Company, sqlite_url: str, tmp_path: Path, *, logs_members: bool
) -> None:
    company.world.switches.group_delete_logs_members = logs_members
    ann = company.hire("ann", "red", "green")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.delete_group(STAFF)
        await run.settle()
        assert company.groups(ann) == set()


@pytest.mark.parametrize("becomes", ["ERROR", "INACTIVE", "vanish"])
async def test_a_deleted_source_never_means_that_nobody_is_a_member(
    company: Company, sqlite_url: str, tmp_path: Path, becomes: Literal["ERROR", "INACTIVE"]
) -> None:
    company.world.switches.mapping_on_group_delete = becomes
    ann = company.hire("ann", "red", "green")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.delete_group("red")
        await run.settle(within=timedelta(hours=1))
        assert company.groups(ann) == {"red", "green"}
        expected = "source_unreadable" if becomes == "ERROR" else "orphaned"
        assert await run.causes(ann) == {expected}


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        pytest.param("ACTIVE", set(), id="active"),
        pytest.param("ERROR", set(), id="in error, still managed"),
        pytest.param("INACTIVE", {"red"}, id="inactive"),
        pytest.param("deleted", {"red"}, id="deleted"),
    ],
)
async def test_a_mapping_that_is_off_is_reported_and_removes_nothing(
    company: Company, sqlite_url: str, tmp_path: Path, status: str, kept: set[str]
) -> None:
    ann = company.stale("ann", "red", teams=("green",))
    bob = company.stale("bob", "red", teams=("green",))
    async with company.service(sqlite_url, tmp_path) as run:
        if status == "deleted":
            company.world.delete_mapping("red")
        else:
            company.world.set_mapping_status("red", status)  # type: ignore[arg-type]
        company.world.deactivate(bob)
        await nudge(company, run, ann)
        assert company.groups(ann) == {"green"} | kept
        assert company.groups(bob) == kept
        if kept:
            assert await run.causes(ann) == {"orphaned"}


@pytest.mark.parametrize("status", ["INACTIVE", "deleted"])
async def test_strip_absent_takes_orphaned_groups_from_those_who_left(
    company: Company, sqlite_url: str, tmp_path: Path, status: str
) -> None:
    ann = company.stale("ann", "red", teams=("green",))
    bob = company.stale("bob", "red", teams=("green",))
    more = '[policy]\norphaned = "strip_absent"\n'
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        if status == "deleted":
            company.world.delete_mapping("red")
        else:
            company.world.set_mapping_status("red", "INACTIVE")
        company.world.deactivate(bob)
        await nudge(company, run, ann)
        assert company.groups(ann) == {"red", "green"}
        assert company.groups(bob) == set()


async def test_a_renamed_target_is_refused_until_somebody_accepts_it(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    world = company.world
    ann, bob = company.hire("ann", "red", "green"), company.hire("bob", "red", "green")
    async with company.service(sqlite_url, tmp_path) as run:
        mapping = world.mapping("red")
        world.rename_group(world.org.groups[mapping.target_group_id], "crimson")
        world.deactivate(ann)
        world.deactivate(bob)
        await run.settle()
        assert company.groups(ann) == {"red"}
        assert "mapping_renamed" in await run.causes(ann)
        await run.house.database.write(lambda tx: mappings.accept(tx, mapping.id))
        await run.settle()
        assert company.groups(ann) == company.groups(bob) == set()


async def test_a_mapping_that_moved_to_another_group_is_refused(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    world = company.world
    ann = company.stale("ann", "red", "green", teams=("blue",))
    async with company.service(sqlite_url, tmp_path) as run:
        world.mapping("red").target_group_id = world.mapping("blue").target_group_id
        await nudge(company, run, ann)
        assert company.groups(ann) == {"red", "blue"}
        assert await run.causes(ann) == {"mapping_moved"}


async def test_renaming_the_source_changes_nothing(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.stale("ann", "red", teams=("green",))
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.rename_group("red", "Red Team")
        company.world.rename_group("green", "Green Team")
        await nudge(company, run, ann)
        assert company.groups(ann) == {"green"}


async def test_of_two_sources_of_one_group_either_keeps(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    world = company.world
    world.switches.group_push_delay = 7 * 24 * 3600
    with world.long_ago():
        world.add_okta_group("red-too")
        world.push_group("red-too", company.app, "red")
    ann, bob = company.hire("ann"), company.hire("bob")
    for login in (ann, bob):
        world.add_to_group(login, "red")
        world.add_to_group(login, "red-too")
    world.push_now("red")
    async with company.service(sqlite_url, tmp_path) as run:
        for login in (ann, bob):
            world.remove_from_group(login, "red")
        world.remove_from_group(bob, "red-too")
        await run.settle()
        assert company.groups(ann) == {"red"}
        assert company.groups(bob) == set()


async def test_a_mapping_made_after_the_census_is_learned_on_the_way(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        gold = company.world.add_okta_group("gold")
        company.world.add_to_group(ann, gold)
        company.world.push_group(gold, company.app)
        assert company.groups(ann) == {*TEAMS, "gold"}
        company.world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set()


async def test_members_are_looked_at_when_okta_gives_up_pushing_their_group(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann, bob = company.stale("ann", "red"), company.hire("bob", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.set_mapping_status("red", "ERROR")
        await run.settle()
        assert company.groups(ann) == set()
        assert company.groups(bob) == {"red"}
