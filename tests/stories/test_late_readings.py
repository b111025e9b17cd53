"""Readings that trail the truth: of Atlassian after a change, of Okta after an event."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.stories.company import STAFF, TEAMS, Company


async def test_a_change_answered_without_a_body(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    company.world.switches.patch_reply = "empty"
    ann = company.hire("ann", *TEAMS)
    async with company.service(database_url, tmp_path) as run:
        company.world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set()
        assert {state for *_, state in await run.steps()} == {"settled"}


@pytest.mark.parametrize("lag", [20, 200])
async def test_a_removal_is_settled_only_once_it_is_seen(
    company: Company, sqlite_url: str, tmp_path: Path, lag: int
) -> None:
    company.world.switches.scim_read_lag = lag
    ann, bob = company.hire("ann", *TEAMS), company.hire("bob", *TEAMS)
    run_for = timedelta(minutes=20)
    async with company.service(sqlite_url, tmp_path) as run:
        run.time.push(timedelta(seconds=lag + 1))
        company.world.deactivate(ann)
        await run.deliver()
        await run.work()
        assert {state for *_, state in await run.steps()} == {"submitted"}
        await run.settle(within=run_for)
        assert company.groups(ann) == set()
        assert company.groups(bob) == set(TEAMS)
        assert {"settled"} <= {state for *_, state in await run.steps()} <= {"settled", "failed"}


async def test_given_back_though_the_reading_still_shows_what_we_took(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    company.world.switches.scim_read_lag = 100
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        run.time.push(timedelta(seconds=101))
        company.world.remove_from_group(ann, STAFF)
        await run.deliver()
        await run.work()
        assert company.groups(ann) == set()
        company.world.add_to_group(ann, STAFF)
        await run.deliver()
        await run.work()
        assert company.groups(ann) == set(TEAMS)
        await run.settle(within=timedelta(minutes=20))
        assert company.groups(ann) == set(TEAMS)


async def test_what_others_undo_before_anybody_saw_it_is_not_awaited_for_ever(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    """Okta takes them out of a group as we give it back."""
    world = company.world
    ann = company.hire("ann", *TEAMS)
    async with company.service(database_url, tmp_path) as run:
        world.remove_from_group(ann, STAFF)
        await run.settle()

        async def observe(phase: str, _vendor: str, method: str, _path: str, _n: int) -> None:
            if (phase, method) == ("after", "PATCH") and "red" in company.groups(ann):
                world.observer = None
                world.remove_from_group(ann, "red")
                world.scim_remove(company.directory, "red", ann)

        world.observer = observe
        world.add_to_group(ann, STAFF)
        await run.settle()
        assert company.groups(ann) == set(TEAMS) - {"red"}
        steps = await run.steps(ann)
        assert ("add", "red", "given_back", "abandoned") in steps
        assert {state for *_, state in steps} == {"settled", "abandoned"}
        world.add_to_group(ann, "red")
        await run.settle()
        assert company.groups(ann) == set(TEAMS)


@pytest.mark.parametrize("lag", [1, 8, 50])
async def test_okta_still_shows_the_person_after_the_deactivation(
    company: Company, sqlite_url: str, tmp_path: Path, lag: int
) -> None:
    switches = company.world.switches
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        switches.user_lag = switches.app_user_lag = lag
        company.world.deactivate(ann)
        await run.deliver()
        await run.work()
        assert company.groups(ann) == set(TEAMS), "Okta says they are here"
        await run.settle(within=timedelta(seconds=lag + 60))
        assert company.groups(ann) == set()


@pytest.mark.parametrize("lag", [1, 8, 50])
async def test_okta_does_not_show_the_return_yet(
    company: Company, sqlite_url: str, tmp_path: Path, lag: int
) -> None:
    """Nothing may be taken from somebody an event says has just come back."""
    switches = company.world.switches
    ann = company.hire("ann", *TEAMS)
    with company.world.long_ago():
        company.world.remove_from_group(ann, STAFF)
    async with company.service(sqlite_url, tmp_path) as run:
        switches.app_user_lag = lag
        company.world.add_to_group(ann, STAFF)
        await run.deliver()
        await run.work()
        assert company.groups(ann) == set(TEAMS)
        await run.settle()
        assert company.groups(ann) == set(TEAMS)
        assert await run.steps() == []


async def test_okta_does_not_list_the_new_group_yet(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.switches.groups_lag = 30
        company.world.add_to_group(ann, "green")
        assert company.groups(ann) == {"red", "green"}, "pushed already"
        await run.settle()
        assert company.groups(ann) == {"red", "green"}
        assert await run.steps() == []


async def test_a_claim_okta_never_confirms_loses_in_the_end(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """A group event of somebody in the group again: the reading wins after a minute."""
    ann = company.stale("ann", "blue", teams=("red",))
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.add_to_group(ann, "blue")
        company.world.outbox[:] = company.world.outbox[-1:]
        company.world.mapping("blue").pushed.clear()
        blue = company.world.group("blue")
        company.world.change_groups(company.world.user(ann), blue, member=False)
        await run.deliver()
        await run.work()
        assert company.groups(ann) == {"red", "blue"}
        assert "contradicted" in await run.causes(ann)
        await run.settle(within=timedelta(seconds=90))
        assert company.groups(ann) == {"red"}


async def test_the_log_is_behind_and_nobody_knows_the_unassigned_yet(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """Before the census, for somebody whose record names nobody, the log alone can tell."""
    company.world.switches.scim_external_id = "absent"
    company.world.switches.log_delay = 90
    ann = company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path, census=False) as run:
        company.world.remove_from_group(ann, STAFF)
        await run.settle()
        assert company.groups(ann) == set()


async def test_what_an_event_said_outlasts_a_look_that_failed(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    switches = company.world.switches
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        switches.user_lag = switches.app_user_lag = 50
        company.world.fault("okta", "GET", user=ann, status=503, times=3)
        company.world.deactivate(ann)
        await run.settle(within=timedelta(minutes=2))
        assert company.groups(ann) == set()
