"""What was removed is given back by order: where a look would leave it, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from hooks.core.membership import Action
from hooks.store import holds, incidents, orders
from hooks.store.taken import Meant
from tests.running import Running, Time, ordered_back
from tests.stories.cast import ALL, CLUB, JIRA, RULES, WEEK, WIKI, Cast
from tests.stories.company import STAFF

HOUR = timedelta(hours=2)


async def order(run: Running, login: str, *, only: str = "", named: bool = False) -> None:
    """Order everything back that was taken from somebody, or one group by its name."""
    await ordered_back(run, Meant(users=(run.id(login),)), only=only, named=named)
    await run.settle()


@asynccontextmanager
async def back_after_long(
    time: Time, url: str, folder: Path
) -> AsyncIterator[tuple[Cast, Running, str]]:
    """Somebody left, was stripped, is back, and their return is settled."""
    cast = Cast(time)
    login = cast.login["stays"]
    async with cast.company.service(url, folder, rules=RULES) as run:
        cast.world.deactivate(login)
        await run.settle()
        time.push(HOUR)
        cast.world.activate(login)
        await run.settle(HOUR)
        yield cast, run, login


async def results(run: Running) -> list[object]:
    """What came of each order, oldest first."""
    rows = await run.house.database.read(lambda tx: orders.restores(tx, 100))
    return [row["result"] for row in reversed(rows)]


async def added(run: Running, login: str) -> int:
    return sum(action == Action.ADD for action, *_ in await run.steps(login))


async def test_who_came_back_after_long_gets_local_groups_back_only_by_order(
    time: Time, database_url: str, tmp_path: Path
) -> None:
    cast = Cast(time)
    login, world = cast.login["stays"], cast.world
    async with cast.company.service(database_url, tmp_path, rules=RULES) as run:
        world.deactivate(login)
        await run.settle()
        assert cast.has(login) == {CLUB}
        time.push(HOUR)
        world.activate(login)
        await order(run, login)
        # While the return is being settled, what no rule justifies waits; then it is given.
        await run.settle(HOUR)
        assert cast.has(login) == ALL
        assert await results(run) == ["1 given back, 3 nothing to give"]
        cast.nudge("stays")
        await run.settle(HOUR)
        assert cast.has(login) == ALL
        assert await run.causes(login) == set()


async def test_who_is_still_away_gets_nothing(time: Time, sqlite_url: str, tmp_path: Path) -> None:
    cast = Cast(time)
    login = cast.login["left"]
    async with cast.company.service(sqlite_url, tmp_path, rules=RULES) as run:
        cast.world.deactivate(login)
        await run.settle()
        await order(run, login)
        assert cast.has(login) == {CLUB}
        assert await results(run) == ["4 restore_unwanted"]
        assert await added(run, login) == 0
        cast.nudge("left")
        await run.settle()
        assert "restore_unwanted" not in await run.causes(login), "the order is over"


async def test_who_lost_a_group_gets_back_only_what_okta_implies(
    time: Time, sqlite_url: str, tmp_path: Path
) -> None:
    cast = Cast(time)
    login = cast.login["moved"]
    async with cast.company.service(
        sqlite_url, tmp_path, rules=RULES, more='[policy]\nrestore = "none"\n'
    ) as run:
        for group in (cast.red, cast.licence):
            cast.world.remove_from_group(login, group)
        await run.settle()
        assert cast.has(login) == ALL - {"red", JIRA}
        await order(run, login)
        assert cast.has(login) == ALL - {"red", JIRA}
        assert await results(run) == ["2 restore_unwanted"]
        cast.world.add_to_group(login, cast.licence)
        await run.settle(HOUR)
        assert JIRA not in cast.has(login), "policy.restore is none"
        await order(run, login)
        assert cast.has(login) == ALL - {"red"}


async def test_what_others_changed_since_is_given_only_if_it_is_named(
    time: Time, sqlite_url: str, tmp_path: Path
) -> None:
    async with back_after_long(time, sqlite_url, tmp_path) as (cast, run, login):
        world = cast.world
        assert cast.has(login) == ALL - {WIKI}
        world.local_add(WIKI, login)
        cast.nudge("stays")
        await run.settle(HOUR)
        world.local_remove(WIKI, login)
        cast.nudge("stays")
        await run.settle(HOUR)
        await order(run, login, only=WIKI)
        assert cast.has(login) == ALL - {WIKI}
        assert await results(run) == ["1 moved_on"]
        await order(run, login, only=WIKI, named=True)
        assert cast.has(login) == ALL
        assert (await results(run))[-1] == "1 given back"


async def test_an_order_waits_for_a_vendor_that_does_not_answer(
    time: Time, sqlite_url: str, tmp_path: Path
) -> None:
    async with back_after_long(time, sqlite_url, tmp_path) as (cast, run, login):
        world = cast.world
        fault = world.fault("org", status=500)
        await order(run, login)
        assert await results(run) == [""]
        world.clear(fault)
        await run.settle(HOUR)
        assert cast.has(login) == ALL


@pytest.mark.parametrize("days", [0, 2])
async def test_an_order_that_nobody_can_judge_ends_after_a_day(
    time: Time, sqlite_url: str, tmp_path: Path, days: int
) -> None:
    async with back_after_long(time, sqlite_url, tmp_path) as (cast, run, login):
        world = cast.world
        world.fault("org", status=500)
        await order(run, login, only=WIKI)
        time.push(timedelta(days=days))
        cast.nudge("stays")
        await run.settle()
        assert await results(run) == ["undecided" if days else ""]


async def test_a_mistake_is_rejected_and_given_back_as_one_incident(
    time: Time, database_url: str, tmp_path: Path
) -> None:
    """Who was stripped before the brake caught gets everything back; nobody else lost anything."""
    cast = Cast(time)
    cast.world.switches.group_push_delay = None
    people = [cast.hire(f"person-{number}") for number in range(6)]
    cast.world.switches.group_push_delay = WEEK
    limits = "[brake]\nother_per_hour = 2\n"
    async with cast.company.service(database_url, tmp_path, rules=RULES, more=limits) as run:
        for login in people:
            cast.world.remove_from_group(login, STAFF)
        await run.settle(HOUR)
        stripped = [login for login in people if cast.has(login) == {CLUB}]
        assert len(stripped) == 2
        held = [int(str(each["id"])) for each in await run.holds()]
        await run.house.database.write(
            lambda tx: holds.decide(tx, held, approve=False, who="somebody", why="a mistake")
        )
        await run.settle(HOUR)
        time.push(HOUR)
        for login in people:
            cast.world.add_to_group(login, STAFF)
        await run.settle(HOUR)
        assert [login for login in people if cast.has(login) != ALL] == stripped
        (incident,) = await run.house.database.read(lambda tx: incidents.listed(tx, every=True))
        await ordered_back(run, Meant(incident=int(str(incident["id"]))))
        await run.settle(HOUR)
        assert {login: cast.has(login) for login in people} == dict.fromkeys(people, ALL)
