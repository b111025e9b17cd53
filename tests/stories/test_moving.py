"""Somebody stays and changes groups; and what becomes of events on their way."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hooks.sandbox.delivery import Deliverer
from tests.running import Running
from tests.stories.company import TEAMS, Company


async def post(run: Running, *events: dict[str, object]) -> int | None:
    """Deliver events by hand, with Okta's preview."""
    (hook,) = run.world.org.hooks.values()
    return await run.sandbox.deliverer.preview(hook, *events)


@pytest.mark.parametrize("delay", [0.0, 20.0], ids=["Okta pushes first", "we come first"])
async def test_one_group_lost_and_one_added_while_active(
    company: Company, database_url: str, tmp_path: Path, delay: float
) -> None:
    company.world.switches.group_push_delay = delay
    ann = company.hire("ann", "red", "green")
    company.world.push_now("red")
    company.world.push_now("green")
    async with company.service(database_url, tmp_path) as run:
        company.world.remove_from_group(ann, "red")
        company.world.add_to_group(ann, "blue")
        await run.settle()
        assert company.groups(ann) == {"green", "blue"}


async def test_a_removal_okta_never_pushes_is_ours(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    company.world.switches.group_push_delay = 7 * 24 * 3600
    ann, bob = company.hire("ann"), company.hire("bob")
    for team in ("red", "green"):
        company.world.add_to_group(ann, team)
        company.world.add_to_group(bob, team)
        company.world.push_now(team)
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.remove_from_group(ann, "red")
        await run.settle()
        assert company.groups(ann) == {"green"}
        assert company.groups(bob) == {"red", "green"}
        assert await run.steps() == [("remove", "red", "lost_group", "settled")]


async def test_many_people_in_one_delivery(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    leavers = [company.hire(f"leaver-{number}", *TEAMS) for number in range(8)]
    stayers = [company.hire(f"stayer-{number}", *TEAMS) for number in range(3)]
    async with company.service(database_url, tmp_path) as run:
        run.sandbox.deliverer.batch_size = 100
        for login in leavers:
            company.world.deactivate(login)
        for login in stayers:
            company.world.remove_from_group(login, "red")
        assert await run.deliver() == [(204,)]
        await run.settle()
        assert {login: company.groups(login) for login in leavers} == {
            login: set() for login in leavers
        }
        assert {login: company.groups(login) for login in stayers} == {
            login: {"green", "blue"} for login in stayers
        }


@pytest.mark.parametrize(
    ("shuffle", "duplicates", "batch"),
    [(True, 0.0, 1), (False, 1.0, 1), (True, 1.0, 3)],
    ids=["shuffled", "twice", "both"],
)
async def test_shuffled_and_doubled_events_end_as_in_order(
    company: Company,
    sqlite_url: str,
    tmp_path: Path,
    *,
    shuffle: bool,
    duplicates: float,
    batch: int,
) -> None:
    company.world.switches.shuffle_targets = True
    ann, bob = company.hire("ann", "red"), company.hire("bob", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        deliverer: Deliverer = run.sandbox.deliverer
        deliverer.shuffle, deliverer.duplicate_rate = shuffle, duplicates
        deliverer.batch_size = batch
        for login in (ann, bob):
            company.world.deactivate(login)
            company.world.activate(login)
            company.world.remove_from_group(login, "red")
            company.world.add_to_group(login, "blue")
        company.world.deactivate(bob)
        await run.settle()
        assert company.groups(ann) == {"blue"}
        assert company.groups(bob) == set()


@pytest.mark.parametrize(
    "kind", ["user.lifecycle.deactivate", "application.user_membership.remove"]
)
async def test_a_replayed_end_of_somebody_who_is_here_removes_nothing(
    company: Company, sqlite_url: str, tmp_path: Path, kind: str
) -> None:
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(ann)
        old = [dict(event) for _, event in company.world.outbox if event["eventType"] == kind]
        company.world.activate(ann)
        await run.settle()
        assert company.groups(ann) == set(TEAMS)
        before = await run.steps()
        for number, event in enumerate(old):
            assert await post(run, event) == 204
            again = {**event, "uuid": f"00000000-0000-1000-8000-{number:012}"}
            assert await post(run, again) == 204
        await run.settle()
        assert company.groups(ann) == set(TEAMS)
        assert await run.steps() == before


async def test_events_that_come_an_hour_late_end_as_in_time(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(ann)
        late = list(company.world.outbox)
        company.world.outbox.clear()
        company.world.activate(ann)
        company.world.remove_from_group(ann, "red")
        await run.settle()
        assert company.groups(ann) == {"green", "blue"}
        run.time.push(timedelta(hours=1))
        company.world.outbox.extend(late)
        await run.settle()
        assert company.groups(ann) == {"green", "blue"}


async def test_an_event_that_comes_while_we_look_is_looked_at_again(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", *TEAMS)
    async with company.service(database_url, tmp_path) as run:
        user = company.world.user(ann).id
        choir = company.world.add_okta_group("choir")

        async def leave(phase: str, _vendor: str, _method: str, path: str, _n: int) -> None:
            """Just after we read that they are here."""
            if phase == "after" and path.endswith(f"/apps/{company.app.id}/users/{user}"):
                company.world.observer = None
                company.world.deactivate(ann)
                await run.deliver()

        company.world.add_to_group(ann, choir)
        await run.deliver()
        company.world.observer = leave
        await run.work()
        assert company.groups(ann) == set()
