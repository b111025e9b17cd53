"""Okta writes into the same groups: before us, between our read and our write, after, long after.

Source: Atlassian community ba-p/2349197; every order ends as Okta implies it, and quietly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Literal

import pytest

from hooks.sandbox.faults import Observer
from tests.running import Running, Time
from tests.stories.company import STAFF, Company

pytestmark = pytest.mark.wide

When = Literal["before", "between", "after", "long after", "never"]
#: Seconds until Okta's push of a change lands; ``between`` comes with our first write.
_DELAY: dict[When, float] = {
    "before": 0, "between": 10**7, "after": 20, "long after": 3600, "never": 10**7,
}  # fmt: skip
Push = Literal["delta", "full", "refused"]
_TEAMS = {"red", "green"}


@dataclass(frozen=True)
class Change:
    """What happens to Ann in Okta, what comes before, and what she should have in the end."""

    says: str
    act: Callable[[Company, str], object]
    ends: frozenset[str]
    first: Callable[[Company, str], object] = lambda _company, _login: None


def leaves(company: Company, login: str) -> None:
    company.world.deactivate(login)


def released(company: Company, login: str) -> None:
    company.world.remove_from_group(login, STAFF)


def moves(company: Company, login: str) -> None:
    company.world.remove_from_group(login, "red")
    company.world.add_to_group(login, "blue")


def comes_back(company: Company, login: str) -> None:
    company.world.activate(login)


def assigned(company: Company, login: str) -> None:
    company.world.add_to_group(login, STAFF)


MOVES = Change("moves", moves, frozenset({"green", "blue"}))
CHANGES = (
    Change("leaves", leaves, frozenset()),
    Change("is released", released, frozenset()),
    MOVES,
    Change("comes back", comes_back, frozenset(_TEAMS), leaves),
    Change("is assigned again", assigned, frozenset(_TEAMS), released),
)
#: How the tenant is set up besides.
TENANTS: tuple[dict[str, object], ...] = (
    {},
    {"push_inactive_app_users": True},
    {"granular_deprovisioning": 0.0},
    {"granular_deprovisioning": 30.0},
    {"forget_pushed_on_unassign": True, "forget_pushed_on_skip": True},
    {"provisioning_delay": 25.0},
)


def pushed(company: Company, kind: Push) -> None:
    """What an admin, or Okta by itself, does to every mapping."""
    for team in ("red", "green", "blue"):
        if kind == "full":
            company.world.push_now(team)
        if kind == "refused":
            company.world.fail_mapping(company.world.mapping(team), "Atlassian refused it.")


@pytest.mark.timeout(180)  # up to fifteen companies
@pytest.mark.parametrize("tenant", TENANTS, ids=lambda each: " ".join(each) or "as it is")
@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.says)
async def test_every_order_ends_as_okta_implies_and_quietly(
    tmp_path: Path, change: Change, tenant: dict[str, object]
) -> None:
    """All orders in a tenant as it is, a third of them in each other one, everywhere others."""
    wrong = {}
    pushes: tuple[Push, ...] = ("delta", "full", "refused")
    turn = CHANGES.index(change) + TENANTS.index(tenant)
    for number, (when, kind) in enumerate(product(_DELAY, pushes)):
        if tenant and (number + number // 3 + turn) % 3:
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        found = await played(change, tenant, when, kind, folder)
        if found:
            wrong[when, kind] = found
    assert wrong == {}


async def played(
    change: Change, tenant: dict[str, object], when: When, kind: Push, folder: Path
) -> dict[str, object]:
    """One order; what is not as it should be."""
    time = Time()
    company = Company(time)
    world = company.world
    ann, bob = company.hire("ann", *_TEAMS), company.hire("bob", *_TEAMS)
    for name, value in tenant.items():
        assert hasattr(world.switches, name)
        setattr(world.switches, name, value)
    async with company.service(f"sqlite+pysqlite:///{folder / 'hooks.db'}", folder) as run:
        change.first(company, ann)
        await seen(run)
        before = len(world.changes(ann))
        world.switches.group_push_delay = _DELAY[when]
        if when == "between":
            world.observer = between(company, kind)
        change.act(company, ann)
        if when == "before":
            pushed(company, kind)
        await seen(run)
        if when in ("after", "long after"):
            time.push(timedelta(seconds=_DELAY[when]))
            pushed(company, kind)
        await seen(run)
        found = {
            "has too much": company.groups(ann) - change.ends,
            "lacks": change.ends - company.groups(ann),
            "bob": company.groups(bob) ^ _TEAMS,
            "causes": await run.causes(ann) | await run.causes(bob),
            "dead": await run.dead(),
            "holds": await run.holds(),
            "writes": len(world.changes(ann)) - before > 12,
            "open": [each for each in await run.steps() if each[3] in ("open", "submitted")],
        }
    itself = tenant.get("granular_deprovisioning") == 0 and when in ("between", "never")
    if kind == "refused" or change is MOVES or itself:
        # What is new, and what Okta took itself, is Okta's to push; ours comes by live mappings.
        found["lacks"] = set()
    return {name: each for name, each in found.items() if each}


async def seen(run: Running) -> None:
    """Everything has come, been read in the log too, and been looked at."""
    for _ in range(2):
        await run.settle()
        run.time.push(timedelta(seconds=70))
        await run.catch_up()
    await run.settle(timedelta(hours=2))


def between(company: Company, kind: Push) -> Observer:
    """Okta's push lands after we have read, before our first write arrives."""
    world = company.world

    async def observe(phase: str, vendor: str, method: str, _path: str, _n: int) -> None:
        if (phase, vendor, method) == ("before", "scim", "PATCH"):
            world.observer = None
            world.switches.group_push_delay = 0
            pushed(company, kind if kind != "delta" else "full")

    return observe
