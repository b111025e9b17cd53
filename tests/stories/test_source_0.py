"""The story the product was made for, on both engines. Source: Atlassian community ba-p/2349197."""

from __future__ import annotations

from pathlib import Path

import pytest

from hooks.sandbox.story import COLLEAGUE, CONFLUENCE, PERSON, STATUSPAGE, Story0
from hooks.sandbox.world import World
from tests.running import Time, running

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
