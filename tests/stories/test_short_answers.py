"""One list that lost its entries at the wrong moment settles nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from hooks.sandbox.faults import Request
from hooks.sandbox.world import World
from tests.stories.company import DOMAIN, Company
from tests.stories.test_local_groups import JIRA, RULE, local, with_jira

BOB = f"bob@{DOMAIN}"


async def test_groups_of_a_leaver_that_were_left_out_once_are_taken_by_the_next_look(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    ann = with_jira(company, company.hire("ann", "red"))
    world = company.world
    async with company.service(database_url, tmp_path, rules=RULE) as run:
        world.add_to_group(ann, "green")  # so that she has been seen in Jira
        await run.settle()
        world.deactivate(ann)
        world.fault("org", path="groups/search", when=about(world, ann), empty_list=True, times=1)
        await run.settle(timedelta(seconds=10))
        assert local(company, ann) == {JIRA}
        assert await run.causes(ann) == {"groups_missed"}
        await run.settle()
        assert local(company, ann) == set()
        assert await run.causes(ann) == set()
        assert local(company, BOB) == {JIRA}
        assert await run.dead() == []


def about(world: World, login: str) -> Callable[[Request], bool]:
    """Requests that name her account."""
    account = world.account(login).id
    return lambda request: account.encode() in request.body


@pytest.mark.parametrize("plane", ["synced", "local"])
async def test_what_somebody_else_took_is_missed_once_and_then_believed(
    company: Company, sqlite_url: str, tmp_path: Path, plane: Literal["synced", "local"]
) -> None:
    ann = with_jira(company, company.hire("ann", "red", "green"))
    world = company.world
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        world.add_to_group(ann, "blue")
        await run.settle()
        if plane == "local":
            world.local_remove(JIRA, ann)
        else:
            world.scim_remove("main", "red", ann)
        world.deactivate(ann)
        await run.settle(timedelta(seconds=10))
        assert await run.causes(ann) == {"groups_missed"}
        assert (company.groups(ann), local(company, ann)) == (set(), set())
        await run.settle()
        assert await run.causes(ann) == set()
        world.activate(ann)
        await run.settle()
        assert company.groups(ann) == {"green", "blue"} | ({"red"} if plane == "local" else set())
        assert local(company, ann) == set()
