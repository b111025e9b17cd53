"""Every read fails in turn, in every way: what rests on it stays, everything else goes on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hooks.store import line
from tests.running import Time
from tests.stories.company import STAFF, Company

pytestmark = pytest.mark.wide

#: Each way in which one answer may fail; a 429 is about many and has a test of its own.
TROUBLES: list[Any] = [
    pytest.param({"status": 500}, id="answered 500"),
    pytest.param({"status": 503, "body": "<html>try later</html>"}, id="answered 503 in HTML"),
    pytest.param({"drop": True}, id="closed without an answer"),
    pytest.param({"cut": True}, id="cut inside the body"),
    pytest.param({"truncate": True}, id="half the JSON"),
    pytest.param({"status": 200, "body": "<html>sign in</html>"}, id="200 and a sign-in page"),
    pytest.param({"status": 200, "body": {}}, id="200 and an empty object"),
    pytest.param({"redirect": "/elsewhere"}, id="redirected"),
    pytest.param({"status": 403}, id="answered 403"),
]


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_what_rests_on_a_failed_read_stays_until_it_succeeds(
    time: Time, sqlite_url: str, tmp_path: Path, trouble: dict[str, Any]
) -> None:
    company = Company(time, ("red", "green", "blue", "gold"))
    world = company.world
    leavers = {name: company.hire(name, "red") for name in ("user", "record", "owner", "heir")}
    unassigned = company.hire("released", "red")
    assigned, lost = company.stale("assigned", "red"), company.stale("groups", "red")
    no_source, no_target = company.stale("source", "green"), company.hire("target", "gold")
    controls = [company.hire("leaver", "red"), company.hire("free", "red")]
    mover = company.stale("mover", "red", teams=("blue",))
    caught = [*leavers.values(), assigned, lost, no_source, no_target]
    # The status of a 404 is all there is to it: half of its body changes nothing.
    caught += [unassigned] if trouble.keys().isdisjoint({"cut", "truncate"}) else []
    okta = {login: world.user(login).id for login in caught}
    before = {login: company.groups(login) for login in caught}
    async with company.service(sqlite_url, tmp_path) as run:
        record = world.record(company.directory, leavers["record"]).id
        target = world.mapping("gold").target_group_id
        for vendor, path in (
            ("okta", rf"/users/{okta[leavers['user']]}$"),
            ("okta", rf"/apps/\w+/users/({okta.get(unassigned)}|{okta[assigned]})$"),
            ("okta", rf"/users/{okta[lost]}/groups"),
            ("okta", r"/apps/\w+/users\?.*heir"),
            ("okta", rf"/groups/{world.group('green').id}$"),
            ("okta", rf"/groups/{target}$"),
            ("scim", rf"/Users/{record}$"),
            ("scim", rf"/Users\?.*externalId.*{okta[leavers['owner']]}"),
        ):
            world.fault(vendor, "GET", path, **trouble)  # type: ignore[arg-type]
        for login in (*leavers.values(), no_target, controls[0]):
            world.deactivate(login)
        for login in (unassigned, controls[1]):
            world.remove_from_group(login, STAFF)
        for login in (assigned, lost, no_source, mover):
            world.add_to_group(login, world.add_okta_group("choir"))
        await run.settle(within=timedelta(seconds=10))
        assert {login: company.groups(login) for login in caught} == before
        assert [asked for login in caught for asked in world.changes(login)] == []
        assert [company.groups(login) for login in (*controls, mover)] == [set(), set(), {"blue"}]
        world.clear()
        await run.settle(within=timedelta(hours=2))
        assert not any(company.groups(login) for login in caught)


@pytest.mark.parametrize("trouble", [TROUBLES[index] for index in (0, 2, 4, 6, 8)])
async def test_a_directory_whose_app_or_mappings_cannot_be_read_waits_and_the_others_go_on(
    time: Time, sqlite_url: str, tmp_path: Path, trouble: dict[str, Any]
) -> None:
    company = Company(time)
    world = company.world
    with world.long_ago():
        for name in ("second", "third"):
            app = world.add_app(name)
            world.add_directory(app, name)
            world.assign_group(STAFF, app)
            world.push_group("red", app)
    ann, bob = company.hire("ann", "red"), company.hire("bob", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        world.fault("okta", "GET", rf"/apps/{company.app.id}$", **trouble)
        second = world.app("second").id
        world.fault("okta", "GET", rf"/apps/{second}/group-push/mappings", **trouble)
        world.deactivate(ann)
        world.remove_from_group(bob, STAFF)
        await run.settle(within=timedelta(seconds=10))
        for login in (ann, bob):
            kept = [world.groups_of(name, login) for name in ("main", "second", "third")]
            assert kept == [{"red"}, {"red"}, set()]
        world.clear()
        await run.settle(within=timedelta(hours=2))
        for login in (ann, bob):
            assert [world.groups_of(name, login) for name in ("main", "second")] == [set(), set()]


@pytest.mark.parametrize("headers", [{"Retry-After": "30"}, {}], ids=["says when", "says nothing"])
@pytest.mark.parametrize(
    "path", [r"/users/[^/]+$", r"/apps/[^/]+/users/", "/group-push/", "/Users"]
)
async def test_too_many_requests_costs_nobody_anything_but_time(
    company: Company, sqlite_url: str, tmp_path: Path, path: str, headers: dict[str, str]
) -> None:
    leavers = [company.hire(f"leaver-{number}", "red") for number in range(3)]
    mover = company.stale("mover", "red", teams=("blue",))
    async with company.service(sqlite_url, tmp_path) as run:
        fault = company.world.fault(None, "GET", path, status=429, headers=headers)
        for login in leavers:
            company.world.deactivate(login)
        company.world.add_to_group(mover, company.world.add_okta_group("choir"))
        await run.settle(within=timedelta(seconds=10))
        assert await run.steps() == []
        company.world.clear(fault)
        await run.settle(within=timedelta(hours=2))
        assert [company.groups(login) for login in leavers] == [set()] * 3
        assert company.groups(mover) == {"blue"}


async def test_what_was_proved_outlasts_a_look_that_showed_nothing(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """Seen to have left, then not seen at all, then deleted: the first still proves it."""
    world = company.world
    ann = company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        world.deactivate(ann)
        await run.settle()
        world.scim_add(company.directory, "red", ann)
        fault = world.fault("okta", "GET", world.user(ann).id, status=500)
        await run.house.database.write(
            lambda tx: line.mark(
                tx, [run.id(ann)], "user", lane=line.URGENT, due_at=tx.now, events=False
            )
        )
        await run.work()
        assert company.groups(ann) == {"red"}
        world.clear(fault)
        world.fault("okta", "GET", "/logs", status=403)
        world.delete_user(ann)
        await run.settle()
        assert company.groups(ann) == set()
