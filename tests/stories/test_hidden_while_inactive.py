"""Of inactive people no group is shown: they keep what nobody can see, and lose it on return."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories.company import DOMAIN, Company
from tests.stories.test_local_groups import JIRA, RULE, local, with_jira


@pytest.mark.parametrize("switch", ["scim_groups_of_inactive", "deactivated_groups_listed"])
async def test_what_was_hidden_while_away_goes_on_return(
    company: Company, sqlite_url: str, tmp_path: Path, switch: str
) -> None:
    world, ann = company.world, with_jira(company, company.hire("ann", "red", "green"))
    setattr(world.switches, switch, False)
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        world.deactivate(ann)
        await run.settle()
        world.remove_from_group(ann, "red")
        world.activate(ann)
        await run.settle()
        assert (company.groups(ann), local(company, ann)) == ({"green"}, set())
        bob = f"bob@{DOMAIN}"
        assert (company.groups(bob), local(company, bob)) == ({"red"}, {JIRA})
        assert await run.dead() == []
