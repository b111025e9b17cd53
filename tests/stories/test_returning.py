"""Somebody comes back: they get what they should have, and nothing of what they had."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.stories.company import STAFF, TEAMS, Company


async def test_entitled_again_is_back_in_though_okta_sends_only_deltas(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", *TEAMS)
    async with company.service(database_url, tmp_path) as run:
        company.world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set()
        company.world.activate(ann)
        assert company.groups(ann) == set(), "Okta believes it has pushed all of it"
        await run.settle()
        assert company.groups(ann) == set(TEAMS)
        given = [step for step in await run.steps(ann) if step[0] == "add"]
        assert sorted(given) == [("add", team, "given_back", "settled") for team in sorted(TEAMS)]


async def test_back_in_other_groups_means_the_old_ones_are_not_given_back(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red", "green")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(ann)
        await run.settle()
        company.world.remove_from_group(ann, "red")
        company.world.activate(ann)
        company.world.add_to_group(ann, "blue")
        await run.settle()
        assert company.groups(ann) == {"green", "blue"}


async def test_gone_and_back_three_times(company: Company, sqlite_url: str, tmp_path: Path) -> None:
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        for _ in range(3):
            company.world.remove_from_group(ann, STAFF)
            await run.settle()
            assert company.groups(ann) == set()
            company.world.add_to_group(ann, STAFF)
            await run.settle()
            assert company.groups(ann) == set(TEAMS)


async def test_account_that_stays_inactive_for_a_while_after_the_return(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(ann)
        await run.settle()
        company.world.switches.provisioning_delay = 1200
        company.world.activate(ann)
        await run.settle(within=timedelta(hours=1))
        assert company.world.record(company.directory, ann).active
        assert company.groups(ann) == set(TEAMS)


@pytest.mark.parametrize("policy", ["keep", "strip"])
async def test_suspension_keeps_or_strips_as_the_policy_says(
    company: Company, sqlite_url: str, tmp_path: Path, policy: str
) -> None:
    ann = company.stale("ann", "blue", teams=("red", "green"))
    more = f'[policy]\nsuspended = "{policy}"\n'
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        company.world.suspend(ann)
        await run.settle()
        assert company.groups(ann) == ({"red", "green"} if policy == "keep" else set())
        company.world.unsuspend(ann)
        await run.settle()
        assert company.groups(ann) == {"red", "green"}


@pytest.mark.parametrize("restore", ["none", "ours", "all"])
async def test_what_is_added_is_what_the_policy_says(
    company: Company, sqlite_url: str, tmp_path: Path, restore: str
) -> None:
    ann = company.hire("ann", "red", "green")
    company.world.scim_remove(company.directory, "green", ann)
    more = f'[policy]\nrestore = "{restore}"\n'
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        company.world.deactivate(ann)
        await run.settle()
        company.world.activate(ann)
        await run.settle()
        expected = {"none": set(), "ours": {"red"}, "all": {"red", "green"}}
        assert company.groups(ann) == expected[restore]


async def test_what_somebody_took_away_by_hand_meanwhile_is_not_given_back(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """Not ours: Okta lost the membership on its own while the person was here."""
    ann = company.hire("ann", "red", "green")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.scim_remove(company.directory, "red", ann)
        company.world.remove_from_group(ann, STAFF)
        await run.settle()
        company.world.add_to_group(ann, STAFF)
        await run.settle()
        assert company.groups(ann) == {"green"}
