"""Unassigned by mistake, held, rejected: they keep everything, and nobody becomes returning."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from hooks.store import excuses, inbox, incidents, line
from hooks.store.database import Tx
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


@asynccontextmanager
async def rejected(
    company: Company, people: list[str], url: str, folder: Path, *, left: bool
) -> AsyncIterator[Running]:
    """All of them away, and the last one's removals rejected."""
    async with company.service(url, folder, rules=RULE, more=ONE) as run:
        await away(run, company, people, left=left)
        await decide(run, people[-1], approve=False)
        yield run


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
    async with rejected(company, people, database_url, tmp_path, left=left) as run:
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
    async with rejected(company, people, sqlite_url, tmp_path, left=False) as run:
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
    async with rejected(company, people, sqlite_url, tmp_path, left=False) as run:
        run.time.push(LONG)
        company.world.deactivate(last)
        await run.settle(LONG)
        assert has(company, last) == (set(), set())
        company.world.local_add(JIRA, last)  # while they are away
        company.world.activate(last)
        company.world.add_to_group(last, STAFF)
        await run.settle(LONG)
        assert has(company, last) == ({"red", "green"}, set())


@pytest.mark.parametrize("left", [False, True], ids=["unassigned", "deactivated"])
async def test_who_is_away_again_before_a_look_saw_them_back_is_asked_about_anew(
    company: Company, people: list[str], database_url: str, tmp_path: Path, *, left: bool
) -> None:
    """Rejected was the absence of before; nothing goes out by an event alone."""
    world, last = company.world, people[-1]
    async with rejected(company, people, database_url, tmp_path, left=left) as run:
        run.time.push(timedelta(days=3))
        if left:
            world.activate(last)
            world.deactivate(last)
        else:
            world.add_to_group(last, STAFF)
            world.remove_from_group(last, STAFF)
        await run.settle(LONG)
        assert has(company, last) == EVERYTHING
        assert {each["state"] for each in await run.holds()} == {"waiting"}
        await decide(run, last, approve=True)
        assert has(company, last) == (set(), set())


async def test_who_loses_a_group_again_before_a_look_saw_them_in_it_is_asked_about_anew(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """That of another group says nothing about this one."""
    world = company.world
    first, last = (company.hire(each, "red", "green") for each in ("first", "last"))
    world.switches.group_push_delay = 7 * 24 * 3600
    async with company.service(sqlite_url, tmp_path, more=ONE) as run:
        for each in (first, last):
            world.remove_from_group(each, "red")
            await run.settle()
        await decide(run, last, approve=False)
        run.time.push(timedelta(days=2))
        world.remove_from_group(last, "green")
        await run.settle(LONG)
        assert company.groups(last) == {"red"}
        assert {each["state"] for each in await run.holds()} == {"rejected"}
        world.add_to_group(last, "red")
        world.remove_from_group(last, "red")
        await run.settle(LONG)
        assert company.groups(last) == {"red"}
        assert {each["state"] for each in await run.holds()} == {"waiting"}


async def test_an_event_of_before_a_rejection_takes_nothing_of_it_back(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    last = people[-1]
    async with rejected(company, people, sqlite_url, tmp_path, left=True) as run:

        def replay(tx: Tx) -> int:
            chosen = inbox.Chosen(about=run.id(last))
            rows = inbox.page(tx, chosen, after=0, upto=inbox.newest(tx))
            known = inbox.known(tx, [str(each["uuid"]) for each in rows])
            return inbox.put_back(tx, known, lane=line.BULK)

        assert await run.house.database.write(replay) > 0
        await run.settle(LONG)
        assert {each["state"] for each in await run.holds()} == {"rejected"}


async def test_an_approval_after_all_takes_the_rejection_back(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    last = people[-1]
    async with rejected(company, people, sqlite_url, tmp_path, left=False) as run:
        await decide(run, last, approve=True)
        assert has(company, last) == (set(), set())
        run.time.push(LONG)
        company.world.local_add(JIRA, last)
        await back(run, company, people, left=False)
        assert has(company, last) == ({"red", "green"}, set())


# -- who lost everything before the rest was held ----------------------------------------------


async def excuse(run: Running, number: int = 1) -> list[str]:
    """Reject an incident whole, after its holds: as one command does."""
    return await run.house.database.write(
        lambda tx: excuses.excuse(tx, excuses.lost(tx, number), who="operator", why="a test")
    )


@pytest.mark.parametrize("left", [False, True], ids=["unassigned", "deactivated"])
async def test_with_the_incident_those_stripped_before_are_as_if_never_away(
    company: Company, people: list[str], database_url: str, tmp_path: Path, *, left: bool
) -> None:
    """What an admin gives them while they are away stays theirs, too."""
    first = people[0]
    async with rejected(company, people, database_url, tmp_path, left=left) as run:
        assert await excuse(run) == [run.id(first)]
        assert await excuse(run) == [], "a second time changes nothing"
        assert has(company, first) == (set(), set()), "they are still away"
        run.time.push(LONG)
        company.world.local_add(JIRA, first)  # by hand, before they are assigned again
        await back(run, company, people, left=left)
        assert [has(company, each) for each in people] == [EVERYTHING, EVERYTHING]
        steps = await run.steps(first)
        assert {reason for _, _, reason, _ in steps if reason == "returned"} == set()
        assert await run.holds() == []
        assert await run.dead() == []


async def test_what_was_taken_by_a_rejected_mistake_is_given_back_however_long_it_lasted(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    async with rejected(company, people, sqlite_url, tmp_path, left=False) as run:
        await excuse(run)
        run.time.push(LONG)
        await back(run, company, people, left=False)
        assert [has(company, each) for each in people] == [EVERYTHING, EVERYTHING]


async def test_rejected_after_they_are_back_nobody_is_stripped_any_more(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    """Nothing waits then; what an admin gives them by hand stays at once."""
    first = people[0]
    async with company.service(sqlite_url, tmp_path, rules=RULE, more=ONE) as run:
        await away(run, company, people, left=False)
        run.time.push(LONG)
        for login in people:
            company.world.add_to_group(login, STAFF)
        await run.settle(timedelta(seconds=20))
        assert run.id(first) in await excuse(run)
        company.world.local_add(JIRA, first)
        await run.settle(LONG)
        assert has(company, first) == EVERYTHING


async def test_who_really_left_meanwhile_is_not_excused(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    """Stripped with the mistaken, and deactivated before anybody rejected it."""
    first = people[0]
    async with company.service(sqlite_url, tmp_path, rules=RULE, more=ONE) as run:
        await away(run, company, people, left=False)
        company.world.deactivate(first)
        await run.settle(timedelta(minutes=2))
        await decide(run, people[-1], approve=False)
        assert await excuse(run) == []
        run.time.push(LONG)
        company.world.local_add(JIRA, first)  # while they are away
        company.world.activate(first)
        await back(run, company, people, left=False)
        assert has(company, first) == ({"red", "green"}, set())
        assert has(company, people[-1]) == EVERYTHING


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "only in the log"])
async def test_who_leaves_after_being_excused_is_returning_when_back(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path, *, seen: bool
) -> None:
    first = people[0]
    async with rejected(company, people, sqlite_url, tmp_path, left=False) as run:
        await excuse(run)
        run.time.push(LONG)
        company.world.deactivate(first)
        if seen:
            await run.settle(timedelta(minutes=2))
        run.time.push(LONG)
        company.world.local_add(JIRA, first)
        company.world.activate(first)
        await back(run, company, people, left=False)
        assert has(company, first) == ({"red", "green"}, set())


async def test_a_later_absence_of_who_was_stripped_counts(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    """Though somebody rejects the old incident a second time while they are away again."""
    first = people[0]
    async with rejected(company, people, sqlite_url, tmp_path, left=False) as run:
        await excuse(run)
        run.time.push(LONG)
        await back(run, company, people, left=False)
        run.time.push(timedelta(days=2))
        company.world.remove_from_group(first, STAFF)
        await run.settle(LONG)
        assert has(company, first) == (set(), set())
        assert await excuse(run) == []
        run.time.push(LONG)
        company.world.add_to_group(first, STAFF)
        await run.settle(LONG)
        assert has(company, first) == ({"red", "green"}, set())


async def test_whose_removal_was_approved_is_not_excused_with_the_rest(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    people.append(with_jira(company, company.hire("third", "red", "green")))
    _, approved, last = people
    async with company.service(sqlite_url, tmp_path, rules=RULE, more=ONE) as run:
        for login in people:
            company.world.remove_from_group(login, STAFF)
            await run.settle(timedelta(minutes=2))
        await decide(run, approved, approve=True)
        await decide(run, last, approve=False)
        assert run.id(approved) not in await excuse(run)
        run.time.push(LONG)
        await back(run, company, people, left=False)
        assert [has(company, each) for each in people] == [
            EVERYTHING, ({"red", "green"}, set()), EVERYTHING
        ]  # fmt: skip


async def test_what_one_incident_did_does_not_belong_to_the_next(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    """Who was let go by a yes an hour ago is not excused by the no to another mistake."""
    people.append(with_jira(company, company.hire("third", "red", "green")))
    _, approved, last = people
    async with company.service(sqlite_url, tmp_path, rules=RULE, more=ONE) as run:
        for login in people[:2]:
            company.world.remove_from_group(login, STAFF)
            await run.settle(timedelta(minutes=2))
        await decide(run, approved, approve=True)
        company.world.remove_from_group(last, STAFF)
        await run.settle(timedelta(minutes=2))
        await decide(run, last, approve=False)
        assert len(await run.house.database.read(lambda tx: incidents.listed(tx, every=True))) == 2
        assert await excuse(run, 2) == []
