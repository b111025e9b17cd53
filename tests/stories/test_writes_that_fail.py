"""Changes that fail, are lost, or have no effect; and credentials that are refused."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hooks.core.attempt import MAX_CRASHES
from hooks.sandbox import delivery
from hooks.sandbox.faults import Fault
from hooks.store.line import LEASE
from tests.running import SECRET
from tests.stories.company import TEAMS, Company
from tests.stories.test_traps_in_lists import NASTY

pytestmark = pytest.mark.wide


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param({"status": 500}, id="answered 500"),
        pytest.param({"status": 503}, id="answered 503"),
        pytest.param({"status": 429, "headers": {"Retry-After": "20"}}, id="answered 429"),
        pytest.param({"status": 404}, id="answered 404"),
        pytest.param({"redirect": "https://elsewhere.example/"}, id="redirected"),
        pytest.param({"drop": True}, id="closed before it was applied"),
        pytest.param({"drop_after": True}, id="applied, and the reply lost"),
        pytest.param({"status": 200, "body": "<html>sign in</html>"}, id="no effect, and 200"),
    ],
)
async def test_a_change_that_fails_once_is_made_in_the_end_and_nobody_else_waits(
    company: Company, sqlite_url: str, tmp_path: Path, trouble: dict[str, Any]
) -> None:
    ann, bob = company.hire("ann", "red", "green"), company.hire("bob", "blue")
    carol = company.hire("carol", "red", "green")
    red = company.directory.group_named("red")
    assert red
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.fault("scim", "PATCH", red.id, times=1, **trouble)
        company.world.deactivate(ann)
        company.world.deactivate(bob)
        await run.deliver()
        await run.work()
        if trouble.get("status") != 429:
            assert company.groups(bob) == set()
            assert company.groups(ann) == (set() if "drop_after" in trouble else {"red"})
        await run.settle(within=timedelta(hours=1))
        assert company.groups(ann) == company.groups(bob) == set()
        assert company.groups(carol) == {"red", "green"}
        company.world.activate(ann)
        await run.settle(within=timedelta(hours=1))
        assert company.groups(ann) == {"red", "green"}, "what we took is given back"
        assert await run.dead() == []


async def test_a_change_that_never_has_an_effect_is_reported_after_three(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann, bob = company.hire("ann", "red", "green"), company.hire("bob", "green")
    async with company.service(sqlite_url, tmp_path) as run:
        fault = without_effect(company, "red")
        company.world.deactivate(ann)
        company.world.deactivate(bob)
        await run.settle(within=timedelta(minutes=4))
        assert company.groups(ann) == {"red"}
        assert company.groups(bob) == set()
        assert fault.seen == 3
        assert await run.causes(ann) == {"no_effect"}


async def test_who_is_reported_is_not_looked_at_every_half_minute_for_ever(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        without_effect(company, "red")
        company.world.deactivate(ann)
        await run.settle(within=timedelta(minutes=30))
        user = company.world.user(ann).id
        looks = [each for each in company.world.requests if each.path.endswith(f"/users/{user}")]
        assert len(looks) < 2 * 15, "two reads end so in one look"


def without_effect(company: Company, group: str) -> Fault:
    """Every change of the group is accepted and nothing comes of it."""
    found = company.directory.group_named(group)
    assert found
    return company.world.fault("scim", "PATCH", found.id, status=200, body={})


async def test_no_addition_is_sent_while_a_removal_fails(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """Stopped half-way a person has too little, never too much."""
    ann = company.hire("ann", "red", "green")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(ann)
        await run.settle()
        company.world.activate(ann)
        company.world.scim_add(company.directory, "blue", ann)
        blue = company.directory.group_named("blue")
        assert blue
        fault = company.world.fault("scim", "PATCH", blue.id, status=503)
        await run.deliver()
        await run.work()
        assert company.groups(ann) == {"blue"}
        company.world.clear(fault)
        await run.settle(within=timedelta(hours=1))
        assert company.groups(ann) == {"red", "green"}


async def test_what_was_taken_by_a_worker_that_died_is_given_back(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """It died between the change and its answer, so that only the journal knows."""
    ann = company.hire("ann", "red")
    applied, over = asyncio.Event(), asyncio.Event()

    async def observe(phase: str, _vendor: str, method: str, _path: str, _n: int) -> None:
        if (phase, method) == ("after", "PATCH"):
            applied.set()
            await over.wait()

    async with company.service(sqlite_url, tmp_path) as run:
        worker = run.house.worker
        assert worker is not None
        company.world.observer = observe
        company.world.deactivate(ann)
        await run.deliver()
        await worker.take()
        await applied.wait()
        await worker.drain(patience=0)
        company.world.observer = None
        over.set()
        assert company.groups(ann) == set()
        run.time.push(LEASE)
        company.world.activate(ann)
        await run.settle()
        assert company.groups(ann) == {"red"}


@pytest.mark.parametrize("written", ["INSERT ON step", "INSERT ON look"])
async def test_who_the_store_fails_for_a_while_is_no_dead_letter(
    company: Company, sqlite_url: str, tmp_path: Path, written: str
) -> None:
    """Before anything is sent, and after; as a lock of somebody else on their rows would."""
    ann, bob = company.hire("ann", "red"), company.hire("bob", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        with closing(sqlite3.connect(tmp_path / "hooks.db")) as store:
            store.execute(
                f"CREATE TRIGGER locked BEFORE {written} WHEN NEW.user = '{run.id(ann)}'"
                " BEGIN SELECT RAISE(ABORT, 'locked'); END"
            )
            company.world.deactivate(ann)
            company.world.deactivate(bob)
            await run.settle(within=(MAX_CRASHES + 2) * LEASE)
            assert company.groups(bob) == set()
            assert await run.dead() == []
            store.execute("DROP TRIGGER locked")
        await run.settle()
        assert company.groups(ann) == set()
        company.world.activate(ann)
        await run.settle()
        assert company.groups(ann) == {"red"}


async def test_a_directory_that_refuses_selectors(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    company.world.switches.remove_form = "value_only"
    ann, bob = company.hire("ann", *TEAMS), company.hire("bob", *TEAMS)
    carol = company.hire("carol", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(ann)
        company.world.deactivate(bob)
        await run.settle(within=timedelta(hours=1))
        assert company.groups(ann) == company.groups(bob) == set()
        assert company.groups(carol) == set(TEAMS)


async def test_an_expired_scim_key_burns_nobodys_attempts_and_all_is_done_once_it_works(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    world = company.world
    with world.long_ago():
        app = world.add_app("Second")
        second = world.add_directory(app, "second")
        world.assign_group("staff", app)
        world.push_group("red", app)
    people = [company.hire(f"person-{number}", "red", "green") for number in range(4)]
    async with company.service(database_url, tmp_path) as run:
        company.directory.key_expired = True
        for login in people:
            world.deactivate(login)
        await run.settle(within=timedelta(minutes=6))
        assert all(company.groups(login) == {"red", "green"} for login in people)
        assert all(world.groups_of(second, login) == set() for login in people)
        snapshot: Any = run.house.vendors()["scim main"]
        assert snapshot["breaker"]["state"] != "closed"
        refused = [each for each in world.requests if each.status == 401]
        assert len(refused) < 60, "the key is tried now and then, not hammered"
        run.time.push(timedelta(days=3))
        await run.settle(within=timedelta(minutes=6))
        assert await run.dead() == []
        company.directory.key_expired = False
        await run.settle(within=timedelta(minutes=6))
        assert all(company.groups(login) == set() for login in people)
        snapshot = run.house.vendors()["scim main"]
        assert snapshot["breaker"]["state"] == "closed"


async def test_a_revoked_okta_token_is_waited_out_too(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann, bob = company.hire("ann", "red"), company.stale("bob", "red", teams=("blue",))
    async with company.service(sqlite_url, tmp_path) as run:
        token = company.world.credentials.api_token
        company.world.credentials.api_token = "another"
        company.world.deactivate(ann)
        company.world.add_to_group(bob, company.world.add_okta_group("choir"))
        await run.settle(within=timedelta(hours=2))
        assert (company.groups(ann), company.groups(bob)) == ({"red"}, {"red", "blue"})
        assert await run.dead() == []
        company.world.credentials.api_token = token
        await run.settle(within=timedelta(hours=1))
        assert (company.groups(ann), company.groups(bob)) == (set(), {"blue"})


async def test_targets_of_events_built_to_break_out_are_stored_and_do_nothing(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann, bob = company.hire("ann", *TEAMS), company.hire("bob", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(bob)
        template = dict(company.world.outbox[0][1])
        before = sum(company.world.counters.values())
        await run.deliver()
        for number, nasty in enumerate(NASTY):
            event = template | {
                "uuid": f"00000000-0000-1000-8000-{number:012}",
                "target": [{"type": "User", "id": nasty, "alternateId": nasty}],
            }
            answer = await run.sandbox.deliverer.client.post(
                f"{run.url}/okta/events", content=delivery([event]),
                headers={"Authorization": SECRET},
            )  # fmt: skip
            assert answer.status_code == 204
        await run.settle()
        assert company.groups(ann) == set(TEAMS)
        assert company.groups(bob) == set()
        assert sum(company.world.counters.values()) > before
        assert all("ne" not in request.query for request in company.world.requests)


async def test_a_vendor_that_hangs_is_given_up_on_and_asked_again(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """The one test that waits in real time, once, for as long as a call may take."""
    ann, bob = company.hire("ann", "red"), company.hire("bob", "green")
    carol = company.hire("carol", "blue")
    green = company.directory.group_named("green")
    assert green
    async with company.service(sqlite_url, tmp_path) as run:
        user = company.world.user(ann).id
        company.world.fault("okta", "GET", rf"/users/{user}$", hang=60, times=1)
        company.world.fault("scim", "PATCH", green.id, hang=60, times=1)
        for login in (ann, bob, carol):
            company.world.deactivate(login)
        await run.deliver()
        working = asyncio.create_task(run.work())
        async with asyncio.timeout(8):
            while company.groups(carol):  # noqa: ASYNC110  # real time, as said
                await asyncio.sleep(0.05)
        assert (company.groups(ann), company.groups(bob)) == ({"red"}, {"green"})
        await working
        await run.settle(within=timedelta(hours=1))
        assert (company.groups(ann), company.groups(bob)) == (set(), set())
