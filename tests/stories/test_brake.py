"""Too many people lose something for one reason: a person decides. Nobody else waits."""

from __future__ import annotations

from pathlib import Path

from hooks.store import holds
from tests.running import Running
from tests.stories.company import Company

MORE = "[brake]\nother_per_hour = 25\n"


async def decide(run: Running, login: str, *, approve: bool) -> None:
    """As an operator would."""
    user = run.id(login)
    (hold,) = [each for each in await run.holds() if each["user"] == user]
    number = hold["id"]
    assert isinstance(number, int)
    await run.house.database.write(
        lambda tx: holds.decide(tx, [number], approve=approve, who="operator", why="a test")
    )
    await run.settle()


async def test_thirty_people_lose_one_group_and_five_of_them_wait(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    company.world.switches.group_push_delay = 7 * 24 * 3600
    movers = [company.hire(f"mover-{number:02}") for number in range(30)]
    leavers = [company.hire(f"leaver-{number}", "red") for number in range(3)]
    for login in movers:
        company.world.add_to_group(login, "red")
        company.world.add_to_group(login, "green")
    company.world.push_now("red")
    company.world.push_now("green")
    async with company.service(database_url, tmp_path, more=MORE) as run:
        run.sandbox.deliverer.batch_size = 100
        for login in movers:
            company.world.remove_from_group(login, "red")
        for login in leavers:
            company.world.deactivate(login)
        company.world.remove_from_group(movers[0], "green")
        await run.settle()
        held = [login for login in movers if "red" in company.groups(login)]
        assert len(held) == 5
        assert len(await run.holds()) == 5
        assert all(company.groups(login) == set() for login in leavers), "another class"
        assert "green" not in company.groups(movers[0]), "another group"

        await decide(run, held[0], approve=True)
        await decide(run, held[1], approve=False)
        assert company.groups(held[0]) <= {"green"}
        assert "red" in company.groups(held[1])
        assert [login for login in movers if "red" in company.groups(login)] == held[1:]

        company.world.add_to_group(held[2], "red")
        await run.settle()
        assert run.id(held[2]) not in {each["user"] for each in await run.holds()}
        assert "red" in company.groups(held[2])


async def test_what_was_held_goes_by_itself_once_okta_no_longer_wants_it_or_approved_stays_once(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """An approval is for once: the next loss of the same person counts anew."""
    company.world.switches.group_push_delay = 7 * 24 * 3600
    people = [company.hire(f"person-{number}") for number in range(3)]
    for login in people:
        company.world.add_to_group(login, "red")
    company.world.push_now("red")
    more = "[brake]\nother_per_hour = 2\n"
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        for login in people:
            company.world.remove_from_group(login, "red")
            await run.settle()
        last = people[-1]
        assert [company.groups(login) for login in people] == [set(), set(), {"red"}]
        await decide(run, last, approve=True)
        assert company.groups(last) == set()
        company.world.add_to_group(last, "red")
        company.world.push_now("red")
        await run.settle()
        company.world.remove_from_group(last, "red")
        await run.settle()
        assert company.groups(last) == {"red"}
        assert len(await run.holds()) == 1
