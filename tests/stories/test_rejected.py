"""Unassigned by mistake, held, rejected: they keep everything, and nobody becomes returning."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.running import Running
from tests.stories.company import STAFF, Company
from tests.stories.test_brake import decide
from tests.stories.test_local_groups import JIRA, RULE, local, with_jira

ONE = "[brake]\nother_per_hour = 1\nleft_per_hour = 1\n"
LONG = timedelta(hours=3)
EVERYTHING = ({"red", "green"}, {JIRA})


def has(company: Company, login: str) -> tuple[set[str], set[str]]:
    return company.groups(login), local(company, login)


@pytest.fixture
def people(company: Company) -> list[str]:
    """The first of them uses the limit up; the last one's removals are held."""
    return [with_jira(company, company.hire(name, "red", "green")) for name in ("first", "last")]


async def away(run: Running, company: Company, people: list[str], *, left: bool) -> None:
    for login in people:
        if left:
            company.world.deactivate(login)
        else:
            company.world.remove_from_group(login, STAFF)
        await run.settle(timedelta(minutes=2))
    assert has(company, people[0]) == (set(), set())
    assert has(company, people[-1]) == EVERYTHING


async def back(run: Running, company: Company, people: list[str], *, left: bool) -> None:
    for login in people:
        if left:
            company.world.activate(login)
        else:
            company.world.add_to_group(login, STAFF)
    await run.settle(LONG)


@pytest.mark.parametrize("left", [False, True], ids=["unassigned", "deactivated"])
async def test_who_was_rejected_comes_back_as_if_never_away(
    company: Company, people: list[str], database_url: str, tmp_path: Path, *, left: bool
) -> None:
    first, last = people
    async with company.service(database_url, tmp_path, rules=RULE, more=ONE) as run:
        await away(run, company, people, left=left)
        await decide(run, last, approve=False)
        run.time.push(LONG)
        await back(run, company, people, left=left)
        assert has(company, last) == EVERYTHING
        assert has(company, first) == ({"red", "green"}, set()), "nobody rejected that one"
        assert await run.holds() == []
        assert await run.dead() == []


async def test_a_later_absence_of_theirs_counts(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    last = people[-1]
    async with company.service(sqlite_url, tmp_path, rules=RULE, more=ONE) as run:
        await away(run, company, people, left=False)
        await decide(run, last, approve=False)
        run.time.push(LONG)
        await back(run, company, people, left=False)
        run.time.push(timedelta(days=2))
        company.world.remove_from_group(last, STAFF)
        await run.settle(LONG)
        assert has(company, last) == (set(), set())
        run.time.push(LONG)
        company.world.add_to_group(last, STAFF)
        await run.settle(LONG)
        assert has(company, last) == ({"red", "green"}, set())


async def test_who_leaves_after_all_loses_everything_and_is_returning_then(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    """Rejected was that they were unassigned, not that they left."""
    last = people[-1]
    async with company.service(sqlite_url, tmp_path, rules=RULE, more=ONE) as run:
        await away(run, company, people, left=False)
        await decide(run, last, approve=False)
        run.time.push(LONG)
        company.world.deactivate(last)
        await run.settle(LONG)
        assert has(company, last) == (set(), set())
        company.world.local_add(JIRA, last)  # while they are away
        company.world.activate(last)
        company.world.add_to_group(last, STAFF)
        await run.settle(LONG)
        assert has(company, last) == ({"red", "green"}, set())


async def test_an_approval_after_all_takes_the_rejection_back(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    last = people[-1]
    async with company.service(sqlite_url, tmp_path, rules=RULE, more=ONE) as run:
        await away(run, company, people, left=False)
        await decide(run, last, approve=False)
        await decide(run, last, approve=True)
        assert has(company, last) == (set(), set())
        run.time.push(LONG)
        company.world.local_add(JIRA, last)
        await back(run, company, people, left=False)
        assert has(company, last) == ({"red", "green"}, set())
