"""The story the product was made for, on both engines. Source: Atlassian community ba-p/2349197."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from hooks.sandbox.story import (
    COLLEAGUE,
    CONFLUENCE,
    JIRA_ADMIN,
    JIRA_USERS,
    PERSON,
    STATUSPAGE,
    Story0,
)
from hooks.sandbox.world import World
from tests.running import Running, Time, running

both = pytest.mark.parametrize("deactivates", [False, True], ids=["unassigned", "deactivated"])


@both
async def test_what_okta_leaves_behind_goes_at_once_and_does_not_come_back(
    time: Time, database_url: str, tmp_path: Path, *, deactivates: bool
) -> None:
    story = Story0(World(time.now), deactivates=deactivates)
    async with running(story.world, time, database_url, tmp_path) as run:
        story.remove_from_old_group()
        await run.deliver()
        await run.work()
        assert story.groups == set()
        await run.settle()
        story.come_back()
        await run.settle()
        assert story.groups == {STATUSPAGE}
        reason = "left" if deactivates else "unassigned"
        assert await run.steps(PERSON) == [("remove", CONFLUENCE, reason, "settled")]
        assert story.world.groups_of(story.directory, COLLEAGUE) == {CONFLUENCE}
    assert story.world.violations == []


@both
async def test_it_goes_too_if_we_hear_of_it_only_after_the_return(
    time: Time, sqlite_url: str, tmp_path: Path, *, deactivates: bool
) -> None:
    story = Story0(World(time.now), deactivates=deactivates)
    async with running(story.world, time, sqlite_url, tmp_path) as run:
        story.remove_from_old_group()
        story.come_back()
        await run.settle()
        assert story.groups == {STATUSPAGE}
        assert await run.steps(PERSON) == [("remove", CONFLUENCE, "lost_group", "settled")]
        assert story.world.groups_of(story.directory, COLLEAGUE) == {CONFLUENCE}
    assert story.world.violations == []


async def in_jira(run: Running, token: str, login: str) -> set[str]:
    """Their groups as an admin of the site sees them."""
    organization = run.world.organization
    proof = base64.b64encode(f"{JIRA_ADMIN}:{token}".encode()).decode()
    answer = await run.sandbox.deliverer.client.get(
        f"{run.sandbox.atlassian_url}/ex/jira/{organization.site_id}/rest/api/3/user/groups",
        params={"accountId": run.world.account(login).id},
        headers={"Authorization": f"Basic {proof}"},
    )
    names = {str(each["name"]) for each in answer.json()}
    return {name for name in names if not name.startswith("All members")}


async def test_jira_and_the_audit_log_of_atlassian_tell_the_same(
    time: Time, sqlite_url: str, tmp_path: Path
) -> None:
    story = Story0(World(time.now), deactivates=True)
    token = story.world.add_org_key("site")
    rules = f'[[local_group]]\nname = "{JIRA_USERS}"\n'
    async with running(story.world, time, sqlite_url, tmp_path, rules=rules) as run:
        assert await in_jira(run, token, PERSON) == {CONFLUENCE, JIRA_USERS}
        before = len(story.world.organization.audit)
        story.remove_from_old_group()
        await run.settle()
        assert await in_jira(run, token, PERSON) == set()
        story.come_back()
        await run.settle()
        assert await in_jira(run, token, PERSON) == {STATUSPAGE}
        assert await in_jira(run, token, COLLEAGUE) == {CONFLUENCE, JIRA_USERS}
        told = story.world.organization.audit[before:]
        assert sorted((each.action, each.group.name, each.account.email) for each in told) == [
            ("user_added_to_group", STATUSPAGE, PERSON),
            ("user_removed_from_group", CONFLUENCE, PERSON),
            ("user_removed_from_group", JIRA_USERS, PERSON),
        ]
    assert story.world.violations == []
