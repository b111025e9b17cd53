"""Lists that are cut, hidden in part, or lead elsewhere."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.stories.company import Company


def joiner(company: Company, name: str, others: int) -> str:
    """In red and in so many other Okta groups that the list has two pages; stale in blue."""
    login = company.stale(name, "blue", teams=("red",))
    world = company.world
    with world.long_ago():
        for number in range(others):
            group = world.org.find_group(f"club-{number}") or world.add_okta_group(f"club-{number}")
            world.add_to_group(login, group)
    return login


@pytest.mark.parametrize(
    ("lie", "heals"),
    [
        pytest.param({"drop_next": True}, True, id="a page without a successor"),
        pytest.param({"foreign_next": True}, True, id="a successor at another address"),
        pytest.param({"status": 500, "skip": 1}, True, id="the second page fails"),
        pytest.param({"empty_list": True, "skip": 1}, False, id="the second page is empty"),
    ],
)
async def test_230_groups_in_pages_of_200(
    company: Company, sqlite_url: str, tmp_path: Path, lie: dict[str, Any], *, heals: bool
) -> None:
    ann, bob = joiner(company, "ann", 230), joiner(company, "bob", 230)
    company.world.switches.groups_page = 200
    async with company.service(sqlite_url, tmp_path) as run:
        if "empty_list" not in lie:
            company.world.fault("okta", "GET", "/groups", user=ann, **lie)
        for login in (ann, bob):
            company.world.add_to_group(login, company.world.add_okta_group("choir"))
        await run.settle(within=timedelta(seconds=20))
        assert company.groups(ann) == ({"red", "blue"} if heals else {"red"})
        assert company.groups(bob) == {"red"}
        company.world.clear()
        await run.settle(within=timedelta(hours=2))
        assert company.groups(ann) == {"red"}


@pytest.mark.parametrize("mode", ["403", "404"])
async def test_a_role_that_hides_a_group_hides_who_is_in_it(
    company: Company, sqlite_url: str, tmp_path: Path, mode: Literal["403", "404"]
) -> None:
    """The list answers 200 with fewer groups; only the group by id gives the lie away."""
    ann = company.stale("ann", "blue", teams=("red", "green"))
    bob = company.stale("bob", "blue", teams=("green",))
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.hide(company.world.group("red"), mode=mode)
        for login in (ann, bob):
            company.world.add_to_group(login, company.world.add_okta_group("choir"))
        await run.settle()
        assert company.groups(ann) == {"red", "green"}
        assert company.groups(bob) == {"green"}
        assert await run.causes(ann) == {"source_unreadable"}
        company.world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set(), "who left is in no group, whatever is hidden"


@pytest.mark.parametrize("mode", ["403", "404"])
async def test_a_role_that_hides_a_target_keeps_everybody_in_it(
    company: Company, sqlite_url: str, tmp_path: Path, mode: Literal["403", "404"]
) -> None:
    ann = company.stale("ann", "red", "blue", teams=("green",))
    bob = company.hire("bob", "red", "blue")
    async with company.service(sqlite_url, tmp_path) as run:
        target = company.world.mapping("red").target_group_id
        company.world.hide(company.world.org.groups[target], mode=mode)
        company.world.add_to_group(ann, company.world.add_okta_group("choir"))
        company.world.deactivate(bob)
        await run.settle()
        assert company.groups(ann) == {"red", "green"}
        assert company.groups(bob) == {"red"}
        company.world.unhide(company.world.org.groups[target])
        for login in (ann, bob):
            company.world.add_to_group(login, company.world.add_okta_group("choir"))
        await run.settle(within=timedelta(hours=2))
        assert company.groups(ann) == {"green"}
        assert company.groups(bob) == set()


NASTY = (
    'x"] or value ne "y',
    "x' or value ne 'y",
    "00u/../../Groups/1",
    "%22%5D",
    '00u0000000000000"] x',
    "\u0000",
    "",
    "a" * 5000,
)


@pytest.mark.parametrize("place", ["AppUser.externalId", "SCIM externalId", "SCIM user id"])
async def test_an_id_built_to_break_out_of_a_selector_stays_an_id(
    company: Company, sqlite_url: str, tmp_path: Path, place: str
) -> None:
    world = company.world
    caught = [company.hire(f"caught-{number}", "red") for number in range(len(NASTY))]
    free = company.hire("free", "red", "blue")
    stays = company.hire("stays", "red", "blue")
    async with company.service(sqlite_url, tmp_path) as run:
        for login, nasty in zip(caught, NASTY, strict=True):
            _plant(company, login, nasty, place)
        for login in (*caught, free):
            world.deactivate(login)
        await run.settle(within=timedelta(seconds=30))
        assert company.groups(free) == set()
        assert company.groups(stays) == {"red", "blue"}


def _plant(company: Company, login: str, nasty: str, place: str) -> None:
    world, directory = company.world, company.directory
    if place == "AppUser.externalId":
        world.switches.unassigned_app_user = "DEPROVISIONED"
        world.org.apps[company.app.id].users[world.user(login).id].state.external_id = nasty
    elif place == "SCIM externalId":
        world.record(directory, login).external_id = nasty
    else:
        okta = world.user(login).id
        body = {"id": nasty, "userName": login, "externalId": okta, "active": True,
                "groups": [{"value": g.id, "display": g.display_name} for g in
                           directory.groups_of(world.record(directory, login))]}  # fmt: skip
        page = {"totalResults": 1, "startIndex": 1, "itemsPerPage": 1, "Resources": [body]}
        world.fault("scim", "GET", rf"/Users\?.*{okta}", status=200, body=page)
