"""An organization or a directory that the settings name, and that is not there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from datetime import timedelta
from typing import Literal
from uuid import uuid4

import aiohttp
import pytest
from structlog.testing import capture_logs

from hooks.clock import elapsed
from hooks.core.errors import (
    BreakerOpenError,
    CredentialError,
    ForbiddenError,
    HooksError,
    IncompleteError,
    NotFoundError,
    NowhereError,
)
from hooks.core.ids import DirectoryName, ScimDirectoryId, ScimGroupId, ScimUserId
from hooks.core.reading import MISSING
from hooks.gateways.credential import Secret
from hooks.gateways.organization import Organization
from hooks.gateways.organization_writes import ReadOnlyKeyError
from hooks.gateways.scim import Scim
from hooks.sandbox import Story0, World
from tests.gateways.organization_stage import (
    LOCAL,
    PERSON,
    ROUTING,
    OrganizationStage,
    Say,
    error,
    page,
)
from tests.gateways.stage import Wall, http

STATES = ("breaker", "organization_id")


async def failure(attempt: Awaitable[object]) -> HooksError:
    with pytest.raises(HooksError) as caught:
        await attempt
    return caught.value


# -- the organization --------------------------------------------------------------------------

NO_ORGANIZATION = pytest.mark.parametrize(
    "reply",
    [
        pytest.param(error(404, "ADMIN-UAM-404-2"), id="organization not found"),
        pytest.param(error(403, "ADMIN-UAM-403-2"), id="not allowed to manage it"),
        pytest.param(http(404, b""), id="says nothing"),
        pytest.param(http(404, json.dumps(ROUTING).encode()), id="routing layer"),
    ],
)


@NO_ORGANIZATION
async def test_an_organization_that_is_not_there_is_no_outage(
    stage: OrganizationStage, say: Say, wall: Wall, reply: bytes
) -> None:
    organization = say(reply)
    with capture_logs() as logs:
        told = await failure(organization.account(PERSON))
        assert isinstance(told, NowhereError)
        assert "organization_id" in str(told)
        asked = len(stage.asked)
        for read in (organization.groups_of(PERSON), organization.links(PERSON)):
            held = await failure(read)
            assert isinstance(held, BreakerOpenError)
            assert held.opened_by is NowhereError
            assert held.retry_at == wall.at + timedelta(seconds=5)
    assert len(stage.asked) == asked
    assert [each["credential"] for each in logs] == ["organization_id"]
    snapshot = organization.snapshot()
    assert (snapshot["organization_id"]["state"], snapshot["breaker"]["state"]) == (
        "open",
        "closed",
    )
    wall.forward(5)
    assert isinstance(await failure(organization.groups_of(PERSON)), NowhereError)
    wall.forward(10)
    assert await say(page()).groups_of(PERSON) == ()
    assert organization.snapshot()["organization_id"]["state"] == "closed"


@NO_ORGANIZATION
async def test_of_one_group_a_404_proves_neither(say: Say, reply: bytes) -> None:
    told = await failure(say(reply).group(LOCAL.id))
    denied = b"ADMIN-UAM" in reply
    assert isinstance(told, NowhereError if denied else IncompleteError)


async def test_only_a_list_that_is_answered_shows_that_the_organization_is_there(
    stage: OrganizationStage, say: Say, wall: Wall
) -> None:
    organization = say(http(404, b""))
    await failure(organization.account(PERSON))
    for reply in (error(404, "ADMIN-UAM-404-3"), error(503), http(404, b""), error(401), None):
        wall.forward(300)
        say(reply)
        asked = len(stage.asked)
        assert isinstance(await failure(organization.group(LOCAL.id)), BreakerOpenError)
        assert len(stage.asked) == asked
        await asyncio.gather(organization.account(PERSON), return_exceptions=True)
        assert organization.snapshot()["organization_id"]["state"] == "open"


async def test_calls_that_are_not_offered_leave_the_organization_where_it_is(say: Say) -> None:
    organization = say(http(404, b""))
    assert await organization.links(PERSON) is MISSING
    assert isinstance(await failure(organization.role_assignments(LOCAL.id)), NotFoundError)
    assert organization.snapshot()["organization_id"]["state"] == "closed"


async def test_a_refused_change_leaves_the_organization_where_it_is(say: Say) -> None:
    """That the key may not manage the organization may be said of changes alone."""
    organization = say(error(403, "ADMIN-UAM-403-2"), http(200))
    removal = organization.remove(LOCAL, PERSON, deadline=elapsed() + 60)
    assert isinstance(await failure(removal), ReadOnlyKeyError)
    snapshot = organization.snapshot()
    assert (snapshot["organization_id"]["state"], snapshot["writes"]["state"]) == ("closed", "open")


async def test_a_probe_that_has_ended_hides_nothing_but_what_is_hidden(say: Say) -> None:
    """The v1 of the API ends piece by piece."""
    organization = say(error(403, "ADMIN-UAM-403-1"), http(404, b""))
    assert isinstance(await failure(organization.links(PERSON)), ForbiddenError)
    assert organization.snapshot()["organization_id"]["state"] == "closed"


async def test_a_refused_key_is_tried_although_the_organization_is_not_there(
    stage: OrganizationStage, say: Say, wall: Wall
) -> None:
    """Only a list may be the trial of both, so whoever asks for one thing first takes none."""
    organization = say(http(404, b""))
    await failure(organization.account(PERSON))
    wall.forward(5)
    say(error(401))
    await failure(organization.account(PERSON))
    assert organization.snapshot()["breaker"]["state"] == "open"
    wall.forward(600)
    say(page())
    assert isinstance(await failure(organization.group(LOCAL.id)), BreakerOpenError)
    assert await organization.groups_of(PERSON) == ()
    states = {name: organization.snapshot()[name]["state"] for name in STATES}
    assert states == dict.fromkeys(STATES, "closed")


async def test_with_another_key_the_organization_may_be_there(
    stage: OrganizationStage, say: Say
) -> None:
    organization = say(page(), http(404, b""), page())
    await organization.groups_of(PERSON)
    stage.vault.secret = "another"
    assert await organization.groups_of(PERSON) == ()
    assert "Bearer another\r\n" in stage.server.heads[-1]
    assert organization.snapshot()["organization_id"]["state"] == "closed"


@pytest.mark.parametrize("answer", ["routing", "404-2", "403-2"])
async def test_another_organization_has_nothing_to_say(
    organization: Organization, world: World, answer: Literal["routing", "404-2", "403-2"]
) -> None:
    world.switches.wrong_organization = answer
    world.organization.id = str(uuid4())
    assert isinstance(await failure(organization.account(PERSON)), NowhereError)
    assert organization.snapshot()["organization_id"]["state"] == "open"


# -- a directory -------------------------------------------------------------------------------


def state(scim: Scim) -> str:
    return str(scim.snapshot()["scim_directory_id"]["state"])


async def test_a_directory_that_is_gone_is_neither_empty_nor_an_outage(
    scim: Scim, story: Story0
) -> None:
    story.directory.dead = True
    told = await failure(scim.users_by_user_name(story.person.login))
    assert isinstance(told, NowhereError)
    assert "scim_directory_id" in str(told)
    assert (state(scim), scim.snapshot()["breaker"]["state"]) == ("open", "closed")
    asked = len(story.world.requests)
    held = await failure(scim.user(ScimUserId(story.world.record("main", story.person.login).id)))
    assert isinstance(held, BreakerOpenError)
    assert held.opened_by is NowhereError
    assert len(story.world.requests) == asked


async def test_a_record_that_is_gone_leaves_the_directory_where_it_is(scim: Scim) -> None:
    assert await scim.user(ScimUserId(str(uuid4()))) is MISSING
    assert await scim.members(ScimGroupId(str(uuid4()))) is MISSING
    assert state(scim) == "closed"


async def test_a_directory_that_is_gone_has_no_group_without_members(
    scim: Scim, story: Story0
) -> None:
    """Or the people of a deleted group would never be looked at."""
    story.directory.dead = True
    group = story.directory.group_named("Production-Confluence")
    assert group is not None
    assert isinstance(await failure(scim.members(ScimGroupId(group.id))), NowhereError)


async def test_whoever_asks_for_a_group_notices_that_the_directory_is_back(
    atlassian_url: str, client: aiohttp.ClientSession, story: Story0, wall: Wall
) -> None:
    """It may be the only one who asks for anything."""
    scim = Scim(
        client=client,
        api_url=atlassian_url,
        directory=ScimDirectoryId(story.directory.id),
        name=DirectoryName("main"),
        credential=Secret("Bearer", lambda: story.directory.key),
        clock=wall.clock,
    )
    group = story.directory.group_named("Production-Confluence")
    assert group is not None
    story.directory.dead = True
    await failure(scim.members(ScimGroupId(group.id)))
    story.directory.dead = False
    wall.forward(5)
    assert isinstance(await failure(scim.members(ScimGroupId(group.id))), BreakerOpenError)
    assert await scim.members(ScimGroupId(group.id)) == group.members.keys()


async def test_a_directory_that_refuses_everything_is_a_refused_key(
    scim: Scim, story: Story0
) -> None:
    story.world.switches.scim_no_directory = "403"
    story.directory.dead = True
    assert isinstance(await failure(scim.users_by_external_id("x")), CredentialError)
