"""How many people are in groups: from answers written by hand, and from the sandbox."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from hooks.core.errors import HooksError, IncompleteError, NowhereError
from hooks.core.ids import OrganizationDirectoryId, OrganizationGroupId, ScimGroupId
from hooks.core.membership import Group, OrganizationGroup
from hooks.gateways.organization import Organization
from hooks.sandbox import Story0
from tests.gateways.organization_stage import (
    LOCAL,
    ROUTING,
    V2,
    OrganizationStage,
    Say,
    group,
    page,
)
from tests.gateways.stage import http

NOWHERE = http(404, json.dumps(ROUTING).encode())
RED = Group(ScimGroupId("b2d83e79-3f5a-4a3e-8c1e-0b7a2f9d6c11"), "red")


def sized(size: Any, **more: Any) -> dict[str, Any]:
    counted = {"counts": {"users": size}} if size is not ... else {}
    return group(**{"id": str(uuid4()), "name": "red", "externalSynced": True} | counted | more)


async def test_a_synced_group_is_asked_for_by_name_and_a_local_one_by_id(
    stage: OrganizationStage, say: Say
) -> None:
    here = sized(7, id=LOCAL.id, externalSynced=False)
    assert await say(page(sized(12), here)).sizes([RED]) == {RED.id: 12}
    assert await say(page(here)).sizes([LOCAL]) == {LOCAL.id: 7}
    asked = {"expand": ["counts.users"], "limit": 100}
    assert stage.asked == [
        ("POST", f"{V2}/-/groups/search", {"groupNames": ["red"], **asked}),
        ("POST", f"{V2}/-/groups/search", {"groupIds": [LOCAL.id], **asked}),
    ]


@pytest.mark.parametrize(
    "found",
    [
        pytest.param([], id="there is none"),
        pytest.param([sized(12, name="Red")], id="another name, but for case the same"),
        pytest.param([sized(12, externalSynced=False)], id="one kept there"),
        pytest.param([sized(12, externalSynced=...)], id="one kept by nobody knows whom"),
        pytest.param([sized(12), sized(12)], id="two groups of the name"),
        pytest.param([sized(...)], id="no counts"),
        pytest.param([sized(None)], id="no number"),
        pytest.param([sized(-1)], id="no number there can be"),
    ],
)
async def test_a_size_is_known_only_beyond_doubt(say: Say, found: list[dict[str, Any]]) -> None:
    assert await say(page(*found)).sizes([RED]) == {}


async def test_a_local_group_is_known_by_its_id_alone(say: Say) -> None:
    assert await say(page(sized(12))).sizes([LOCAL]) == {}
    twice = [sized(size, id=LOCAL.id) for size in (12, 13)]
    assert await say(page(*twice)).sizes([LOCAL]) == {}
    assert await say(page(*twice[:1] * 2)).sizes([LOCAL]) == {LOCAL.id: 12}


async def test_nothing_is_asked_about_no_group_and_none_without_a_name(
    stage: OrganizationStage, say: Say
) -> None:
    nameless = Group(RED.id, "")
    assert await say(page()).sizes([]) == {}
    assert await say(page()).sizes([nameless]) == {}
    assert stage.asked == []


@pytest.mark.parametrize(
    ("answer", "raises"),
    [
        pytest.param(page(sized(12), following="more"), IncompleteError, id="cut"),
        pytest.param(page(sized("12")), HooksError, id="malformed"),
        pytest.param(NOWHERE, NowhereError, id="no such organization"),
    ],
)
async def test_an_answer_that_is_none_is_no_size(
    say: Say, answer: object, raises: type[HooksError]
) -> None:
    with pytest.raises(raises):
        await say(answer).sizes([RED])


async def test_the_sandbox_tells_what_is_asked(organization: Organization, story: Story0) -> None:
    world = story.world
    jira = next(each for each in world.organization.groups.values() if not each.synced)
    local = OrganizationGroup(
        OrganizationGroupId(jira.id), jira.name, OrganizationDirectoryId(jira.user_base),
        synced=False, modifiable=True,
    )  # fmt: skip
    synced = next(each for each in story.directory.groups.values() if each.members)
    shown = Group(ScimGroupId(synced.id), synced.display_name)
    assert await organization.sizes([local, shown]) == {
        local.id: len(jira.members), shown.id: len(synced.members)
    }  # fmt: skip
    world.switches.counts_shown = False
    assert await organization.sizes([local, shown]) == {}
