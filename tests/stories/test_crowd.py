"""Many people unassigned by mistake within a minute: `--crowd 1000` plays it with a thousand."""

from __future__ import annotations

import asyncio
import time as real
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from hooks.store import excuses, holds, incidents
from hooks.store.tables import Tie
from tests.running import Running
from tests.stories.company import DOMAIN, STAFF, Company
from tests.stories.test_local_groups import JIRA, RULE, local

_tie = Tie.__table__  # type: ignore[attr-defined]

LEAVER, MOVER = f"leaver@{DOMAIN}", f"mover@{DOMAIN}"
#: The same, before the crowd comes and while it waits for the vendors' budgets.
BEFORE, MEANWHILE = "before", "meanwhile"
#: The default limit for an hour.
LIMIT = 25
CLASS = "main/unassigned"
#: Seconds until a leaver's last membership is seen to be gone, however many others are held.
PROMPT = 5.0


@pytest.fixture
def people(company: Company, crowd: int) -> list[str]:
    """All of them in red and in Jira, and more who stay; and some for other reasons."""
    world = company.world
    company.hire("leaver", "red")
    company.hire("mover", "green")
    for when in (BEFORE, MEANWHILE):
        company.hire(f"leaver-{when}", "red")
        company.hire(f"mover-{when}", "green")
    found = [company.hire(f"person-{number:04}", "red") for number in range(crowd)]
    with world.long_ago():
        world.add_local_group(JIRA, default_for="jira-software")
        stay = [company.hire(f"stays-{number:04}", "red") for number in range(crowd + 10)]
        world.local_add(JIRA, *found, *stay)
    world.switches.group_push_delay = 7 * 24 * 3600
    return found


def has(company: Company, people: list[str]) -> int:
    """How many of them have everything; nobody may be left with a part."""
    both = [(company.groups(login), local(company, login)) for login in people]
    assert all(each in (({"red"}, {JIRA}), (set(), set())) for each in both)
    return both.count(({"red"}, {JIRA}))


async def minutes(run: Running, number: int) -> None:
    """Let so many pass, with all that is done in them."""
    for _ in range(number):
        began = run.time.now()
        await run.settle(timedelta(minutes=1))
        run.time.push(timedelta(minutes=1) - (run.time.now() - began))


async def unassigned(run: Running, company: Company, people: list[str]) -> None:
    """By one mistake, all within a minute. Okta allows 600 calls a minute, so it takes a while."""
    await mistake(run, company, people)
    await settled(run, company, people)


async def mistake(run: Running, company: Company, people: list[str]) -> None:
    run.sandbox.deliverer.batch_size = 100
    for login in people:
        company.world.remove_from_group(login, STAFF)
    await minutes(run, 1)


async def settled(run: Running, company: Company, people: list[str]) -> None:
    await minutes(run, 2 + len(people) // 50)
    assert has(company, people) == len(people) - LIMIT


async def served(run: Running, company: Company, leaver: str, mover: str) -> float:
    """Seconds until a leaver, and then somebody out of one group, has lost what they should."""
    company.world.deactivate(leaver)
    left = await seconds_until(run, lambda: company.groups(leaver) == set())
    company.world.remove_from_group(mover, "green")
    lost = await seconds_until(run, lambda: company.groups(mover) == set())
    return max(left, lost)


async def seconds_until(run: Running, gone: Callable[[], bool]) -> float:
    """Of real time, from the delivery on, until it is so, beside all that is done meanwhile."""
    assert not gone()
    await run.deliver()
    began = real.monotonic()
    working = asyncio.create_task(run.work())
    while not gone():
        assert real.monotonic() - began < 30
        await asyncio.sleep(0.01)
    waited = real.monotonic() - began
    await working
    return waited


async def decide(run: Running, *, approve: bool) -> None:
    """All of the incident, as the one command does."""
    [incident] = await run.house.database.read(incidents.listed)
    number = int(str(incident["id"]))
    held = await run.house.database.read(lambda tx: holds.listed(tx, incident=number))
    ids = [int(str(each["id"])) for each in held]
    for start in range(0, len(ids), 500):
        await run.house.database.write(
            lambda tx, some=ids[start : start + 500]: holds.decide(  # type: ignore[misc]
                tx, some, approve=approve, who="operator", why="a test"
            )
        )
    if not approve:
        await run.house.database.write(
            lambda tx: excuses.excuse(tx, excuses.lost(tx, number), who="operator", why="a test")
        )


async def test_within_the_limits_one_incident_and_everybody_else_is_served_as_ever(
    company: Company,
    people: list[str],
    sqlite_url: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        logins = [
            (f"leaver-{when}@{DOMAIN}", f"mover-{when}@{DOMAIN}") for when in (BEFORE, MEANWHILE)
        ]
        before = await served(run, company, *logins[0])
        await mistake(run, company, people)
        meanwhile = await served(run, company, *logins[1])
        await settled(run, company, people)
        [incident] = await run.house.database.read(incidents.listed)
        counts = {name: incident[name] for name in ("brake_class", "waiting", "done", "over")}
        assert counts == {
            "brake_class": CLASS, "waiting": len(people) - LIMIT, "done": LIMIT, "over": None
        }  # fmt: skip
        beside = await served(run, company, LEAVER, MOVER)
        told = f"{before:.2f} s before, {meanwhile:.2f} s meanwhile, {beside:.2f} s beside the held"
        ratios = f"{meanwhile / before:.1f} and {beside / before:.1f} times as long"
        record_property("leaver, and lost group", f"{told}: {ratios}")
        assert max(meanwhile, beside) < PROMPT
        assert await run.house.database.read(holds.by_class) == {CLASS: len(people) - LIMIT}
        assert await run.dead() == []


async def test_who_leaves_while_the_crowd_comes_waits_for_none_of_it(
    company: Company,
    people: list[str],
    sqlite_url: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    world = company.world
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        run.sandbox.deliverer.batch_size = 100
        for some in (people[start::10] for start in range(9)):
            for login in some:
                world.remove_from_group(login, STAFF)
            await run.deliver()
            await run.work()
        for login in people[9::10]:
            world.remove_from_group(login, STAFF)
        world.deactivate(LEAVER)
        world.remove_from_group(MOVER, "green")
        waited = await seconds_until(
            run, lambda: company.groups(LEAVER) == company.groups(MOVER) == set()
        )
        record_property("leaver and lost group behind a tenth of the crowd", f"{waited:.2f} s")
        assert waited < 2 * PROMPT
        assert has(company, people) >= len(people) - LIMIT


async def test_one_yes_lets_all_of_them_go(
    company: Company,
    people: list[str],
    sqlite_url: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        await unassigned(run, company, people)
        await decide(run, approve=True)
        began = run.time.now()
        while any(company.groups(login) or local(company, login) for login in people):
            await minutes(run, 1)
            assert run.time.now() - began < timedelta(minutes=10 + len(people) // 10)
        took = (run.time.now() - began).total_seconds() / 60
        record_property("minutes until all of the approved are gone", f"{took:.0f}")
        await minutes(run, 10)
        assert (await run.holds(), await run.dead()) == ([], [])
        assert await run.house.database.read(incidents.listed) == []
        removals = await run.house.database.read(lambda tx: incidents.removals(tx, 1))
        assert len(removals) == 2 * len(people)


async def test_one_no_keeps_all_of_them_and_assigned_again_nobody_is_returning_or_stripped(
    company: Company, people: list[str], sqlite_url: str, tmp_path: Path
) -> None:
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        await unassigned(run, company, people)
        kept = [login for login in people if company.groups(login)]
        await decide(run, approve=False)
        await minutes(run, 10 + len(people) // 50)
        assert await run.house.database.read(incidents.listed) == []
        assert await run.house.database.read(holds.by_class) == {}
        run.time.push(timedelta(hours=3))
        for login in people:
            company.world.add_to_group(login, STAFF)
        await minutes(run, 60 + len(people) // 20)
        assert len(kept) == len(people) - LIMIT
        assert has(company, people) == len(people), "what was taken before is given back"
        ids = {run.id(login) for login in people}
        stood = await run.house.database.read(
            lambda tx: tx.execute(select(_tie.c.user, _tie.c.standing)).all()
        )
        assert {each.standing for each in stood if each.user in ids} == {"present"}
        assert not [each for each in await run.steps() if each[2] == "returned"]
        assert (await run.holds(), await run.dead()) == ([], [])
