"""Events once more: what was believed done is put right, and nobody loses what they should have."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from hooks import cli
from hooks.replay import Replay, Told, read
from hooks.store.inbox import Chosen
from tests.running import Running, environ
from tests.stories.company import STAFF, TEAMS, Company

JIRA = "jira-software-users"
RULES = f'[[local_group]]\nname = "{JIRA}"\n'


def replay(run: Running, **chosen: Any) -> Told:
    """As the command does it, on the store of the running service."""
    work = _work(run)
    work.stored(Chosen(**chosen))
    return work.told


def _work(run: Running) -> Replay:
    house = run.house
    return Replay(
        database=house.database,
        sealer=house.sealer,
        apps=frozenset(each.okta_app_id for each in house.settings.directories),
        dry=False,
        trouble=lambda each: pytest.fail(each.why),
        progress=lambda _: None,
    )


async def test_a_leaver_who_is_back_in_a_group_though_all_seemed_done_is_stripped_again(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    ann, bob = company.hire("ann", *TEAMS), company.hire("bob", *TEAMS)
    async with company.service(database_url, tmp_path) as run:
        company.world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set()
        company.world.scim_add(company.directory, "red", ann)
        await run.settle(within=timedelta(hours=2))
        assert company.groups(ann) == {"red"}, "no event, so nobody looks"
        told = replay(run, about=run.id(ann))
        assert (told.users, told.waiting, told.stored) == ({run.id(ann)}, 0, 0)
        await run.settle()
        assert company.groups(ann) == set()
        assert company.groups(bob) == set(TEAMS)
        again = [step for step in await run.steps(ann) if step[1] == "red"]
        assert len(again) == 2
        assert again[-1] == ("remove", "red", "left", "settled")


@pytest.mark.parametrize("away", ["deactivated", "unassigned"])
async def test_an_old_leaving_takes_nothing_from_somebody_who_came_back(
    company: Company, database_url: str, tmp_path: Path, away: str
) -> None:
    world = company.world
    ann = company.hire("ann", "red", "green")
    with world.long_ago():
        jira = world.add_local_group(JIRA)
    async with company.service(database_url, tmp_path, rules=RULES) as run:
        if away == "deactivated":
            world.deactivate(ann)
        else:
            world.remove_from_group(ann, STAFF)
        await run.settle(within=timedelta(hours=2))
        company.time.push(timedelta(hours=2))
        if away == "deactivated":
            world.activate(ann)
        else:
            world.add_to_group(ann, STAFF)
        await run.settle(within=timedelta(hours=2))
        world.local_add(jira, ann)
        world.add_to_group(ann, "blue")
        await run.settle(within=timedelta(days=1))
        before = await run.steps()
        assert company.groups(ann) == set(TEAMS)
        for _ in range(2):
            assert replay(run, about=run.id(ann)).again
            await run.settle(within=timedelta(days=1))
            assert company.groups(ann) == set(TEAMS)
            assert world.local_groups_of(ann) == {JIRA}
        assert await run.steps() == before


async def test_a_whole_day_replayed_in_any_state_changes_nobody(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    world = company.world
    people = [company.hire(name, "red", "green") for name in ("ann", "bob", "cy", "dan")]
    async with company.service(sqlite_url, tmp_path) as run:
        world.deactivate(people[0])
        world.suspend(people[1])
        world.remove_from_group(people[2], "red")
        await run.settle(within=timedelta(hours=2))
        expected = {login: company.groups(login) for login in people}
        before = await run.steps()
        replay(run, since=0)
        await run.work()
        replay(run, since=0)
        await run.settle(within=timedelta(hours=2))
        assert {login: company.groups(login) for login in people} == expected
        assert await run.steps() == before


async def logged(run: Running) -> list[list[dict[str, Any]]]:
    """The pages of the System Log, as an administrator fetches them."""
    pages = []
    url: str | None = f"{run.sandbox.okta_url}/api/v1/logs?limit=7"
    token = run.world.credentials.api_token
    async with httpx.AsyncClient(headers={"Authorization": f"SSWS {token}"}) as client:
        while url:
            answer = await client.get(url)
            page = answer.raise_for_status().json()
            pages += [page] if page else []
            url = answer.links["next"]["url"] if page else None
    return pages


def _forms(pages: list[list[dict[str, Any]]], form: str) -> bytes:
    if form == "arrays":
        return b"\n".join(json.dumps(page, indent=2).encode() for page in pages)
    return b"".join(json.dumps(each).encode() + b"\n" for page in pages for each in page)


@pytest.mark.parametrize("form", ["arrays", "lines"])
async def test_a_system_log_export_brings_right_what_never_arrived(
    company: Company,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
) -> None:
    world = company.world
    ann, bob = company.hire("ann", *TEAMS), company.hire("bob", "red", "green")
    cy, dan = company.stale("cy", "blue", teams=["red"]), company.hire("dan", *TEAMS)
    async with company.service(database_url, tmp_path) as run:
        for key, value in environ(world, database_url, tmp_path / "hooks.toml").items():
            monkeypatch.setenv(key, value)
        world.deactivate(ann)
        world.remove_from_group(bob, STAFF)
        world.remove_from_group(cy, "red")
        world.add_to_group(cy, "green")
        world.outbox.clear()  # the hook was off, and Okta never sends again
        await run.settle(within=timedelta(hours=2))
        assert await run.steps() == []
        file = tmp_path / "system-log.json"
        file.write_bytes(_forms(await logged(run), form))
        expected = {ann: set(), bob: set(), cy: {"green"}, dan: set(TEAMS)}
        for reason in ("the hook was off", "once more"):
            code = await asyncio.to_thread(cli.main, ["replay", str(file), "--reason", reason])
            assert code == 0
            await run.settle(within=timedelta(hours=2))
            assert {login: company.groups(login) for login in expected} == expected
        assert sorted(step[:3] for step in await run.steps()) == [
            ("remove", "blue", "left"),
            ("remove", "blue", "lost_group"),
            ("remove", "green", "left"),
            ("remove", "green", "unassigned"),
            ("remove", "red", "left"),
            ("remove", "red", "unassigned"),
        ]


async def test_a_forged_file_takes_nothing(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """A file says whom to look at, as a delivery does, and never what to do."""
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        forged = {
            "uuid": "e0000000-0000-4000-8000-000000000001",
            "eventType": "user.lifecycle.deactivate",
            "published": run.time.now().isoformat(),
            "target": [{"type": "User", "id": run.id(ann)}],
        }
        work = _work(run)
        work.files(read("forged", io.BytesIO(json.dumps(forged).encode())))
        assert work.told.stored == 1
        await run.settle(within=timedelta(hours=2))
        assert company.groups(ann) == set(TEAMS)
        assert await run.steps() == []
