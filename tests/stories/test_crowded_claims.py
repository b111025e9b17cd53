"""However many events there are about a person, a true one is heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.running import Running
from tests.stories.company import TEAMS, Company
from tests.stories.test_forged_for_ever import event, forge


def junk(run: Running, user: str, number: int) -> dict[str, object]:
    """She is said to be in, or out of, a group that nobody maps."""
    kind = "add" if number % 2 else "remove"
    found = event(run, f"group.user_membership.{kind}", user)
    targets = found["target"]
    assert isinstance(targets, list)
    targets.append({"type": "UserGroup", "id": f"00g{number:017}"})
    return found


@pytest.mark.parametrize("number", [600, 2600])
async def test_a_crowd_of_events_does_not_push_out_the_one_that_holds_a_removal_back(
    company: Company, sqlite_url: str, tmp_path: Path, number: int
) -> None:
    """She joined red a moment ago, and Okta's list of her groups does not show it yet."""
    ann = company.stale("ann", "red", teams=["green"])
    bob = company.hire("bob", *TEAMS)
    company.world.switches.groups_lag = 20
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.add_to_group(ann, "red")
        await run.deliver()
        for start in range(0, number, 500):
            batch = range(start, min(start + 500, number))
            await forge(run, *(junk(run, run.id(ann), each) for each in batch))
        await run.settle()
        assert company.groups(ann) == {"red", "green"}
        assert await run.steps(ann) == [], "and nothing was taken meanwhile"
        assert company.groups(bob) == set(TEAMS)
        assert await run.dead() == []
