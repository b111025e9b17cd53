"""Groups kept in Atlassian itself: who loses them, who gets them back, who keeps them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.stories.company import DOMAIN, STAFF, Company

JIRA = "jira-software-users"
RULE = f'[[local_group]]\nname = "{JIRA}*"\n'
ONLY_RED = f'{RULE}while_member_of = ["red"]\n'


@pytest.fixture
def ann(company: Company) -> str:
    """In Jira through its default group, as is Bob, who must keep it throughout."""
    return with_jira(company, company.hire("ann", "red"))


def with_jira(company: Company, login: str) -> str:
    world = company.world
    with world.long_ago():
        if not any(group.name == JIRA for group in world.organization.groups.values()):
            world.add_local_group(JIRA, default_for="jira-software")
            world.local_add(JIRA, company.hire("bob", "red"))
        world.local_add(JIRA, login)
    return login


def local(company: Company, login: str) -> set[str]:
    groups: set[str] = company.world.local_groups_of(login)
    return groups


async def test_a_leaver_loses_them_and_does_not_get_them_back(
    company: Company, ann: str, database_url: str, tmp_path: Path
) -> None:
    async with company.service(database_url, tmp_path, rules=RULE) as run:
        company.world.deactivate(ann)
        await run.settle()
        assert (company.groups(ann), local(company, ann)) == (set(), set())
        company.world.activate(ann)
        await run.settle()
        assert (company.groups(ann), local(company, ann)) == ({"red"}, set())
        assert await run.dead() == []
    assert local(company, f"bob@{DOMAIN}") == {JIRA}


async def test_an_absence_before_our_first_look_is_read_from_the_log(
    company: Company, ann: str, sqlite_url: str, tmp_path: Path
) -> None:
    """She left before we started and comes back after: the log proves it."""
    company.world.deactivate(ann)
    assert local(company, ann) == {JIRA}, "nobody strips local groups"
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        await run.settle()
        assert local(company, ann) == {JIRA}, "history marks nobody due"
        company.world.activate(ann)
        await run.settle()
        assert local(company, ann) == set()


async def test_back_before_we_started_is_no_return(
    company: Company, ann: str, sqlite_url: str, tmp_path: Path
) -> None:
    company.world.deactivate(ann)
    company.world.activate(ann)
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        company.world.add_to_group(ann, "green")
        await run.settle()
        assert local(company, ann) == {JIRA}


async def test_granted_after_the_return_they_stay(
    company: Company, ann: str, sqlite_url: str, tmp_path: Path
) -> None:
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        company.world.deactivate(ann)
        await run.settle()
        company.world.activate(ann)
        await run.settle()
        company.world.local_add(JIRA, ann)
        company.world.add_to_group(ann, "green")
        await run.settle()
        assert local(company, ann) == {JIRA}


async def test_brief_unassignment_is_no_absence(
    company: Company, ann: str, database_url: str, tmp_path: Path
) -> None:
    async with company.service(database_url, tmp_path, rules=RULE) as run:
        company.world.remove_from_group(ann, STAFF)
        await run.settle()
        assert local(company, ann) == set()
        run.time.push(timedelta(minutes=20))
        company.world.add_to_group(ann, STAFF)
        await run.settle()
        assert (company.groups(ann), local(company, ann)) == ({"red"}, {JIRA})


async def test_long_unassignment_is_an_absence(
    company: Company, ann: str, sqlite_url: str, tmp_path: Path
) -> None:
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        company.world.remove_from_group(ann, STAFF)
        await run.settle()
        run.time.push(timedelta(hours=2))
        company.world.add_to_group(ann, STAFF)
        await run.settle()
        assert (company.groups(ann), local(company, ann)) == ({"red"}, set())


async def test_a_condition_that_fails_takes_and_one_that_holds_again_gives_back(
    company: Company, ann: str, database_url: str, tmp_path: Path
) -> None:
    async with company.service(database_url, tmp_path, rules=ONLY_RED) as run:
        company.world.remove_from_group(ann, "red")
        await run.settle()
        assert local(company, ann) == set()
        company.world.add_to_group(ann, "red")
        await run.settle()
        assert local(company, ann) == {JIRA}


async def test_removal_of_an_inactive_account_is_parked_and_done_on_return(
    company: Company, ann: str, sqlite_url: str, tmp_path: Path
) -> None:
    company.world.switches.inactive_remove = "400"
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        company.world.deactivate(ann)
        await run.settle()
        assert local(company, ann) == {JIRA}
        assert ("remove", JIRA, "left", "parked") in await run.steps(ann)
        assert await run.dead() == []
        company.world.activate(ann)
        await run.settle(timedelta(hours=2))
        assert local(company, ann) == set()


async def test_back_while_a_group_of_the_rule_is_not_resolved_it_is_given_once_it_is(
    company: Company, ann: str, sqlite_url: str, tmp_path: Path
) -> None:
    """Okta failed just then, and nothing else happens to her that would make anybody look."""
    async with company.service(sqlite_url, tmp_path, rules=ONLY_RED) as run:
        company.world.deactivate(ann)
        await run.settle()
        assert local(company, ann) == set()
        assert run.house.policy is not None
        await run.house.database.write(lambda tx: tx.execute(text("DELETE FROM pin")))
        run.house.policy._known.clear()
        fault = company.world.fault("okta", path=r"/groups\?", status=503)
        company.world.activate(ann)
        await run.settle(within=timedelta(seconds=20))
        assert local(company, ann) == set()
        assert "rule_unresolved" in await run.causes(ann)
        company.world.clear(fault)
        await run.settle(within=timedelta(hours=1))
        assert local(company, ann) == {JIRA}
        assert await run.causes(ann) == set()
