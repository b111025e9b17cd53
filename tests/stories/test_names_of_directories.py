"""A directory's name stands for one Okta app; a new app under it would look like a mass exit."""

from __future__ import annotations

from pathlib import Path

import pytest

from hooks.core.errors import SettingsError
from tests.running import Time
from tests.stories.pair import ALL, RULES, Pair


async def test_another_app_under_a_known_name_is_refused_and_takes_nothing(
    time: Time, database_url: str, tmp_path: Path
) -> None:
    pair = Pair(time)
    world = pair.world

    async def looked_at() -> None:
        world.org.hooks.clear()
        async with pair.company.service(database_url, tmp_path, rules=RULES) as run:
            pair.run = run
            pair.nudge(pair.ann)
            await run.settle()
            assert await run.causes(pair.ann) == set()
        assert pair.hers() == ALL

    await looked_at()
    with world.long_ago():
        new = world.add_app("Atlassian New")
    before, pair.main.app_id = pair.main.app_id, new.id
    with pytest.raises(SettingsError, match="a name of its own"):
        await looked_at()
    pair.main.app_id = before
    await looked_at()
