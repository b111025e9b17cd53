"""The one DELETE: what leaves by its door, and what each answer means."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from hooks.clock import Clock, elapsed
from hooks.core.errors import (
    ForbiddenError,
    IncompleteError,
    LeaseLostError,
    LostReplyError,
    MalformedError,
    NotFoundError,
    TransientError,
)
from hooks.core.ids import DirectoryName, ScimDirectoryId, ScimUserId
from hooks.gateways.credential import Secret
from hooks.gateways.scim_unlink import ScimUnlink
from hooks.sandbox import Story0
from tests.gateways.stage import Vault
from tests.shared import shared


@pytest.fixture
async def door(
    atlassian_url: str, client: aiohttp.ClientSession, story: Story0, scim_vault: Vault
) -> ScimUnlink:
    return ScimUnlink(
        client=client,
        api_url=atlassian_url,
        directory=ScimDirectoryId(story.directory.id),
        name=DirectoryName("main"),
        credential=Secret("Bearer", scim_vault.read),
        clock=Clock(),
    )


def theirs(story: Story0) -> ScimUserId:
    return ScimUserId(story.world.announce_unlink("main", story.person.login).id)


async def test_a_record_is_copied_whole_and_deleted(
    door: ScimUnlink, story: Story0, lease: float
) -> None:
    record = theirs(story)
    whole = json.loads(await door.whole(record))
    assert (whole["id"], whole["userName"]) == (record, story.person.login)
    assert whole["emails"][0]["value"] == story.person.login
    await door.delete(record, deadline=lease)
    assert record not in story.directory.users
    with pytest.raises(NotFoundError):
        await door.whole(record)
    assert story.world.violations == []


async def test_with_too_little_lease_nothing_leaves(door: ScimUnlink, story: Story0) -> None:
    record = theirs(story)
    with pytest.raises(LeaseLostError):
        await door.delete(record, deadline=elapsed() + 10)
    assert record in story.directory.users


async def test_what_is_no_id_never_gets_into_a_path(door: ScimUnlink, lease: float) -> None:
    for wrong in ("", "..", "x", f"{uuid4()}/../Groups"):
        with pytest.raises(MalformedError):
            await door.delete(wrong, deadline=lease)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("trouble", "error", "applied"),
    [
        ({"drop_after": True}, LostReplyError, True),
        ({"drop": True}, LostReplyError, False),
        ({"status": 500}, LostReplyError, False),
        ({"status": 503}, TransientError, False),
        ({"status": 403}, ForbiddenError, False),
    ],
)
async def test_each_way_to_fail_is_told_and_nothing_is_sent_twice(
    door: ScimUnlink,
    story: Story0,
    lease: float,
    trouble: dict[str, Any],
    error: type[Exception],
    *,
    applied: bool,
) -> None:
    record = theirs(story)
    story.world.fault("scim", method="DELETE", **trouble)
    with pytest.raises(error):
        await door.delete(record, deadline=lease)
    assert (record not in story.directory.users) is applied
    assert sum(each.method == "DELETE" for each in story.world.requests) == 1


async def test_a_copy_of_another_record_is_none(door: ScimUnlink, story: Story0) -> None:
    other = {"id": str(uuid4()), "userName": "x"}
    story.world.fault("scim", method="GET", path="/Users/", status=200, body=other)
    with pytest.raises(IncompleteError, match="about another one"):
        await door.whole(theirs(story))


def test_the_call_is_one_atlassian_describes() -> None:
    paths = shared("contracts/atlassian-scim.json")["paths"]
    (user,) = [each for each in paths if each.endswith("/Users/{userId}")]
    assert "204" in paths[user]["delete"]["responses"]
    assert "200" in paths[user]["get"]["responses"]
