"""Half of a group in a day: who waits, what goes on, and what is asked for it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from hooks.sandbox.faults import Request
from hooks.store import holds
from tests.running import Running
from tests.stories.company import STAFF, Company
from tests.stories.test_local_groups import JIRA, RULE, local


def sizes(request: Request) -> bool:
    """Whether it asks how many people are in groups."""
    return b"counts.users" in request.body


def unsized() -> float:
    """How many removals were planned from groups of unknown size, in this process."""
    lines = generate_latest().decode().splitlines()
    [line] = [each for each in lines if each.startswith("hooks_removals_unsized_total ")]
    return float(line.split()[1])


@pytest.fixture
def people(company: Company) -> list[str]:
    """Twelve in red and in Jira, the first of them in green, where only they are."""
    world = company.world
    found = [company.hire(f"person-{number:02}", "red") for number in range(12)]
    with world.long_ago():
        world.add_local_group(JIRA, default_for="jira-software")
        world.local_add(JIRA, *found)
        for login in found:
            world.add_to_group(login, "green" if login == found[-1] else "blue")
    world.switches.group_push_delay = 7 * 24 * 3600
    return found


async def leave(run: Running, people: list[str]) -> None:
    """One after the other."""
    for login in people:
        run.world.deactivate(login)
        await run.settle(timedelta(minutes=2))


async def test_when_half_have_left_the_others_keep_that_group_and_lose_the_rest(
    company: Company, people: list[str], database_url: str, tmp_path: Path
) -> None:
    async with company.service(database_url, tmp_path, rules=RULE) as run:
        await leave(run, people)
        assert [login for login in people if "red" in company.groups(login)] == people[6:]
        assert [login for login in people if local(company, login)] == people[6:]
        assert all("green" not in company.groups(login) for login in people), "a small group"
        classes = await run.house.database.read(holds.by_class)
        assert sorted(each.split("/")[:2] for each in classes) == [
            ["main", "share"], ["main", "share"], ["organization", "share"]
        ]  # fmt: skip
        assert [*classes.values()] == [6, 6, 6], "of eleven five may go"
        assert await run.dead() == []


@pytest.mark.parametrize("approve", [True, False])
async def test_who_was_held_for_a_share_goes_after_a_yes_and_is_never_returning_after_a_no(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path, *, approve: bool
) -> None:
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        for login in people:
            company.world.remove_from_group(login, STAFF)
            await run.settle(timedelta(minutes=2))
        last = people[-1]
        assert (company.groups(last), local(company, last)) == ({"red"}, {JIRA})
        ids = [int(str(each["id"])) for each in await run.holds()]
        await run.house.database.write(
            lambda tx: holds.decide(tx, ids, approve=approve, who="me", why="a test")
        )
        await run.settle()
        assert (company.groups(last), local(company, last)) == (
            (set(), set()) if approve else ({"red"}, {JIRA})
        )
        run.time.push(timedelta(hours=3))
        company.world.add_to_group(last, STAFF)
        await run.settle(timedelta(hours=3))
        assert company.groups(last) == {"red", "green"}
        assert local(company, last) == (set() if approve else {JIRA})
        assert run.id(last) not in {each["user"] for each in await run.holds()}


async def test_the_next_day_is_another(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        await leave(run, people[:5])
        run.time.push(timedelta(hours=25))
        await leave(run, people[5:8])
        assert await run.holds() == [], "seven were left, and seven are no crowd"
        assert [login for login in people if "red" in company.groups(login)] == people[8:]


# -- what is asked -----------------------------------------------------------------------------


async def test_a_size_is_asked_once_for_each_group_and_day_whoever_leaves(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        before = unsized()
        for login in people[:5]:
            company.world.deactivate(login)
        await run.settle(timedelta(minutes=2))
        asked = [each.body for each in company.world.requests if sizes(each)]
        for group in ("red", "blue"):
            assert sum(f'"{group}"'.encode() in body for body in asked) == 1
        assert sum(b"groupIds" in body for body in asked) == 1
        assert all(company.groups(login) == set() for login in people[:5])
        await leave(run, people[5:6])
        assert len([each for each in company.world.requests if sizes(each)]) == len(asked)
        assert unsized() == before


@pytest.mark.parametrize("trouble", ["not told", "refused", "no organization"])
async def test_a_size_that_nobody_tells_limits_nothing_and_is_counted(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path, trouble: str
) -> None:
    company.world.switches.counts_shown = trouble != "not told"
    if trouble == "refused":
        company.world.fault("org", path="/groups/search", when=sizes, status=500)
    rules = None if trouble == "no organization" else RULE
    async with company.service(sqlite_url, tmp_path, rules=rules) as run:
        before = unsized()
        await leave(run, people)
        assert all(company.groups(login) == set() for login in people)
        assert (await run.holds(), await run.dead()) == ([], [])
        assert unsized() >= before + 2 * len(people)


async def test_a_size_that_does_not_come_in_time_holds_nobody_up(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    company.world.fault("org", path="/groups/search", when=sizes, hang=30)
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        began = run.time.now()
        company.world.deactivate(people[0])
        await run.deliver()
        await run.work()
        assert company.groups(people[0]) == set()
        assert run.time.now() - began < timedelta(seconds=6)
        company.world.deactivate(people[1])
        await run.deliver()
        again = run.time.now()
        await run.work()
        assert run.time.now() - again < timedelta(seconds=2), "it is not waited for again"
        assert company.groups(people[1]) == set()
