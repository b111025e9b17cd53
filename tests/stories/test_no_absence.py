"""Lines of the log that look like an absence and are none: nothing local is taken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.stories.company import DOMAIN, STAFF, Company

JIRA = "jira-software-users"
RULE = f'[[local_group]]\nname = "{JIRA}*"\n'
ANN = f"ann@{DOMAIN}"


@pytest.fixture
def bob(company: Company) -> str:
    """In Jira through its default group, here all the time; he must keep everything."""
    world = company.world
    with world.long_ago():
        world.add_local_group(JIRA, default_for="jira-software")
        login = company.hire("bob", "red")
        world.local_add(JIRA, login)
    return login


def hired(company: Company) -> None:
    """HR announces her and activates her; nothing of Atlassian yet."""
    company.world.stage_user(ANN)
    company.time.push(timedelta(minutes=1))
    company.world.activate(ANN, imported=True)


def away(company: Company) -> None:
    """An employee of years, deactivated and back, and never in Atlassian through Okta."""
    with company.world.long_ago():
        company.world.add_user(ANN)
    company.world.deactivate(ANN)
    company.time.push(timedelta(minutes=1))
    company.world.activate(ANN)


@pytest.mark.parametrize("by_hand", [True, False], ids=["granted by hand", "granted at login"])
@pytest.mark.parametrize("watched", [True, False], ids=["before our eyes", "before we came"])
@pytest.mark.parametrize("before", [hired, away])
async def test_assigned_for_the_first_time_hours_after_an_activation(
    company: Company,
    bob: str,
    sqlite_url: str,
    tmp_path: Path,
    before: Callable[[Company], None],
    *,
    watched: bool,
    by_hand: bool,
) -> None:
    """Whoever was never in force before has not come back."""
    world = company.world
    world.switches.auto_app_access = True
    if by_hand:
        world.local_add(JIRA, world.add_account(ANN, claim="unmanaged"))
    if not watched:
        before(company)
        company.time.push(timedelta(minutes=1))
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        if watched:
            before(company)
        await run.settle()
        run.time.push(timedelta(hours=5))
        world.add_to_group(ANN, STAFF)
        world.add_to_group(ANN, "red")
        world.add_to_group(bob, "green")
        await run.deliver()
        await run.work()
        if not by_hand:
            world.log_in(ANN)
        await run.settle()
        assert company.groups(ANN) == {"red"}
        assert (company.groups(bob), world.local_groups_of(bob)) == ({"red", "green"}, {JIRA})
        assert await run.dead() == []
        assert await run.steps() == [], "nothing is taken"
    assert world.local_groups_of(ANN) == {JIRA}


@pytest.mark.parametrize("looked", [True, False], ids=["seen present since", "not seen since"])
async def test_unassigned_and_assigned_again_in_one_millisecond(
    company: Company,
    bob: str,
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    looked: bool,
) -> None:
    """One job of Okta may do both; hours later, an event has us ask the log."""
    world = company.world
    ann = company.hire("ann", "red")
    with world.long_ago():
        world.local_add(JIRA, ann)
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        run.time.push(timedelta(minutes=1))
        with monkeypatch.context() as still:
            now = run.time.seconds()
            still.setattr(run.time, "seconds", lambda: now)
            world.remove_from_group(ann, STAFF)
            world.add_to_group(ann, STAFF)
        if looked:
            await run.settle()
            assert world.local_groups_of(ann) == {JIRA}
        world.outbox.clear()
        run.time.push(timedelta(hours=5))
        for login in (ann, bob):
            world.suspend(login)
            await run.settle()
            world.unsuspend(login)
        await run.settle()
        assert company.groups(ann) == company.groups(bob) == {"red"}
        assert world.local_groups_of(bob) == {JIRA}
        assert await run.dead() == []
        assert await run.steps() == [], "nothing is taken"
    assert world.local_groups_of(ann) == {JIRA}
