"""A directory's records and groups, read from the sandbox over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from hooks.core.errors import (
    CredentialError,
    ForbiddenError,
    IncompleteError,
    MalformedError,
)
from hooks.core.ids import ScimGroupId, ScimUserId
from hooks.core.membership import Group
from hooks.core.reading import MISSING, ScimRecord
from hooks.gateways.scim import Scim
from hooks.sandbox import Story0
from tests.gateways.stage import Vault

NOBODY = ScimUserId(str(uuid4()))


def record_of(story: Story0) -> ScimUserId:
    return ScimUserId(story.world.record(story.directory, story.person.login).id)


def group_of(story: Story0, name: str = "Production-Confluence") -> ScimGroupId:
    group = story.directory.group_named(name)
    assert group is not None
    return ScimGroupId(group.id)


async def test_a_record_shows_its_groups_and_account(scim: Scim, story: Story0) -> None:
    stored = story.world.record(story.directory, story.person.login)
    record = await scim.user(record_of(story))
    assert isinstance(record, ScimRecord)
    assert record.id == stored.id
    assert record.user_name == story.person.login
    assert record.external_id == story.person.id
    assert record.active is True
    assert record.account == stored.account_id
    assert record.groups == frozenset({Group(group_of(story), "Production-Confluence")})
    assert await scim.user(NOBODY) is MISSING


async def test_what_was_not_sent_is_none(scim: Scim, story: Story0) -> None:
    switches = story.world.switches
    switches.scim_groups_shown = False
    switches.scim_active_shown = False
    switches.scim_extension_shown = False
    record = await scim.user(record_of(story))
    assert isinstance(record, ScimRecord)
    assert (record.groups, record.active, record.account) == (None, None, None)


async def test_no_groups_and_groups_not_told_are_two_things(scim: Scim, story: Story0) -> None:
    story.world.scim_remove(story.directory, "Production-Confluence", story.person.login)
    record = await scim.user(record_of(story))
    assert isinstance(record, ScimRecord)
    assert record.groups == frozenset()


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"id": str(uuid4())}, id="about another"),
        pytest.param({"groups": [{"value": "x", "display": "x"}]}, id="a group without an id"),
        pytest.param({"groups": [{"value": str(uuid4())}]}, id="a group without a name"),
        pytest.param({"groups": [{"value": str(uuid4()), "display": 1}]}, id="a number for name"),
        pytest.param({"groups": {"value": "x"}}, id="groups that are no list"),
        pytest.param(
            {
                "groups": [
                    {"value": "0d5e6b3c-5b0f-4c8e-8c70-6a4c0d2c9a11", "display": name}
                    for name in "ab"
                ]
            },
            id="one group with two names",
        ),
        pytest.param({"userName": None}, id="no userName"),
        pytest.param({"active": "false"}, id="active as text"),
    ],
)
async def test_a_strange_record_is_not_believed(
    scim: Scim, story: Story0, bad: dict[str, Any]
) -> None:
    good: dict[str, Any] = {"id": str(record_of(story)), "userName": "x", "groups": []}
    story.world.fault("scim", status=200, body=good | bad)
    with pytest.raises(IncompleteError):
        await scim.user(record_of(story))


async def test_records_are_found_by_external_id_and_name(scim: Scim, story: Story0) -> None:
    expected = await scim.user(record_of(story))
    assert await scim.users_by_external_id(story.person.id) == (expected,)
    assert await scim.users_by_user_name(story.person.login.upper()) == (expected,)
    assert await scim.users_by_user_name("nobody@somedomain.example") == ()
    twin = story.world.add_scim_user(story.directory, story.person.login)
    found = await scim.users_by_user_name(story.person.login)
    assert {each.id for each in found} == {record_of(story), twin.id}


async def test_a_filter_that_is_ignored_finds_nobody(scim: Scim, story: Story0) -> None:
    story.world.switches.filter_ignored = True
    for search in (
        scim.users_by_user_name(story.person.login),
        scim.users_by_external_id(story.person.id),
        scim.group_named("Production-Confluence"),
    ):
        with pytest.raises(IncompleteError, match="filter"):
            await search


@pytest.mark.parametrize("paging_ignored", [False, True])
async def test_pages_are_walked_by_what_came(
    scim: Scim, story: Story0, *, paging_ignored: bool
) -> None:
    for _ in range(7):
        story.world.add_scim_user(story.directory, "many@somedomain.example")
    story.world.switches.scim_page_maximum = 3
    story.world.switches.scim_paging_ignored = paging_ignored
    assert len(await scim.users_by_user_name("many@somedomain.example")) == 7


async def test_a_list_that_changes_is_read_again_and_then_refused(
    scim: Scim, story: Story0
) -> None:
    name = "many@somedomain.example"
    for _ in range(5):
        story.world.add_scim_user(story.directory, name)
    story.world.switches.scim_page_maximum = 3
    moves = [1]

    async def meddle(phase: str, _vendor: str, _method: str, _path: str, _n: int) -> None:
        if phase == "before" and moves[0] != 0 and story.world.requests[-1].query.count("=4"):
            moves[0] -= 1
            story.world.add_scim_user(story.directory, name)

    story.world.observer = meddle
    assert len(await scim.users_by_user_name(name)) == 6
    moves[0] = -1
    with pytest.raises(IncompleteError, match="changed"):
        await scim.users_by_user_name(name)


async def test_a_page_that_ends_early_is_not_the_end(scim: Scim, story: Story0) -> None:
    empty = {"totalResults": 2, "startIndex": 1, "itemsPerPage": 0, "Resources": []}
    story.world.fault("scim", path="Users", status=200, body=empty)
    with pytest.raises(IncompleteError):
        await scim.users_by_user_name("a@b.example")
    story.world.clear()
    one = {"id": str(NOBODY), "userName": "a@b.example"}
    story.world.fault("scim", path="Users", status=200, body=empty | {"Resources": [one, one]})
    with pytest.raises(IncompleteError):
        await scim.users_by_user_name("a@b.example")


async def test_a_group_is_found_by_its_exact_name(scim: Scim, story: Story0) -> None:
    odd = 'Say "hi" \\ \N{SNOWMAN}'
    made = story.world.add_scim_group(story.directory, odd)
    assert await scim.group_named(odd) == Group(ScimGroupId(made.id), odd)
    story.world.switches.display_name_case_exact = False
    assert await scim.group_named("production-confluence") is MISSING
    story.world.add_scim_group(story.directory, odd)
    with pytest.raises(IncompleteError, match="several"):
        await scim.group_named(odd)


async def test_a_group_says_who_is_in_it(scim: Scim, story: Story0) -> None:
    members = await scim.members(group_of(story))
    assert members is not MISSING
    assert record_of(story) in members
    assert await scim.members(ScimGroupId(str(uuid4()))) is MISSING
    story.world.fault("scim", status=200, body={"id": str(group_of(story)), "displayName": "x"})
    with pytest.raises(IncompleteError, match="without its members"):
        await scim.members(group_of(story))
    for bad in (
        {"id": str(uuid4()), "members": []},
        {"id": str(group_of(story)), "members": [{"value": "somebody"}]},
        {"id": str(group_of(story)), "members": [{"display": "somebody"}]},
    ):
        story.world.clear()
        story.world.fault("scim", status=200, body=bad)
        with pytest.raises(IncompleteError):
            await scim.members(group_of(story))


async def test_one_refused_record_is_not_a_refused_key(
    scim: Scim, story: Story0, scim_vault: Vault
) -> None:
    story.world.fault("scim", path="Users", status=403)
    with pytest.raises(ForbiddenError):
        await scim.user(record_of(story))
    assert await scim.group_named("Production-Confluence") is not MISSING
    assert scim_vault.reads == 1


async def test_a_key_that_changed_is_read_again(
    scim: Scim, story: Story0, scim_vault: Vault
) -> None:
    await scim.user(record_of(story))
    story.directory.key = scim_vault.secret = "another-key"
    assert await scim.user(record_of(story)) is not MISSING
    assert scim_vault.reads == 2
    story.directory.key = "a third key nobody told us"
    with pytest.raises(CredentialError):
        await scim.user(record_of(story))
    assert scim.snapshot()["breaker"]["state"] == "open"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
async def test_only_reads_and_patches_leave(scim: Scim, story: Story0, method: str) -> None:
    target = f"/scim/directory/{story.directory.id}/Groups/{group_of(story)}"
    with pytest.raises(ValueError, match=method):
        await scim.door.change(method, "members", target, b"{}", deadline=float("inf"))
    assert not story.world.requests


async def test_nothing_but_an_id_is_asked_for(scim: Scim, story: Story0) -> None:
    with pytest.raises(MalformedError):
        await scim.user("../Groups")  # type: ignore[arg-type]  # that is the test
    with pytest.raises(MalformedError):
        await scim.members("x")  # type: ignore[arg-type]  # as above
    assert not story.world.requests
