"""Accounts by their address, groups by their name, what groups give: by hand, and the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from hooks.core.errors import IncompleteError
from hooks.core.ids import AccountId, OrganizationGroupId
from hooks.core.membership import Grant
from hooks.gateways.organization import Organization
from hooks.gateways.organization_finds import Owned
from hooks.sandbox import Story0
from hooks.sandbox.story import JIRA_USERS
from tests.gateways.organization_stage import (
    LOCAL,
    OTHER,
    PERSON,
    V2,
    OrganizationStage,
    Say,
    group,
    page,
    user,
)
from tests.shared import shared

MAIL = "a@b.example"


async def test_an_account_is_found_by_exactly_its_address(
    stage: OrganizationStage, say: Say
) -> None:
    here = user(email="A@B.example", claimStatus="managed")
    found = await say(page(here, here)).accounts_at(MAIL)
    assert found == (Owned(PERSON, "A@B.example", managed=True),)
    assert stage.asked == [("POST", f"{V2}/-/users/search", {"emails": [MAIL], "limit": 100})]
    assert await say(page()).accounts_at(MAIL) == ()


@pytest.mark.parametrize("email", ["x@b.example", None, ...])
async def test_an_address_nobody_asked_for_is_refused(say: Say, email: Any) -> None:
    more = {} if email is ... else {"email": email}
    shown = {
        key: value for key, value in user(**more).items() if email is not ... or key != "email"
    }
    with pytest.raises(IncompleteError, match="ignored the filter"):
        await say(page(shown)).accounts_at(MAIL)


@pytest.mark.parametrize(
    ("items", "managed"),
    [
        ([user(claimStatus="managed")], True),
        ([user(claimStatus="unmanaged")], False),
        ([user()], None),
        ([user(claimStatus="mislaid")], None),
        ([user(claimStatus="managed"), user(claimStatus="unmanaged")], None),
        ([user(claimStatus="managed"), user()], None),
    ],
)
async def test_whether_it_is_managed_is_told_or_not(
    say: Say, items: list[Any], managed: Any
) -> None:
    found = await say(page(*items)).owned(PERSON)
    assert found == Owned(PERSON, MAIL, managed)


async def test_an_account_nobody_asked_for_is_refused(say: Say) -> None:
    assert await say(page()).owned(PERSON) is None
    with pytest.raises(IncompleteError, match="ignored the filter"):
        await say(page(user(OTHER))).owned(PERSON)
    with pytest.raises(IncompleteError, match="usable id"):
        await say(page(user(""))).owned(PERSON)


async def test_groups_are_found_by_name_whatever_its_case(
    stage: OrganizationStage, say: Say
) -> None:
    (found,) = await say(page(group(name="Jira-Software-Users"))).groups_called(LOCAL.name)
    assert found.id == LOCAL.id
    asked = {"groupNames": [LOCAL.name], "limit": 100}
    assert stage.asked == [("POST", f"{V2}/-/groups/search", asked)]
    with pytest.raises(IncompleteError, match="ignored the filter"):
        await say(page(group(name="others"))).groups_called(LOCAL.name)


@pytest.mark.parametrize(
    ("items", "grants"),
    [
        ([], set()),
        (
            [{"resourceId": "ari:x", "resourceOwner": "jira", "roles": ["b", {"id": "a"}]}],
            {Grant("jira", "ari:x", ("a", "b"))},
        ),
        ([{"roles": ["a"]}], {Grant("", "", ("a",))}),
    ],
)
async def test_what_a_group_gives_is_told_by_resource(
    say: Say, items: list[Any], grants: set[Grant]
) -> None:
    assert await say(page(*items)).grants(LOCAL.id) == grants


async def test_the_sandbox_tells_the_same(organization: Organization, story: Story0) -> None:
    login = story.person.login
    account = AccountId(story.world.account(login).id)
    assert await organization.accounts_at(login) == (Owned(account, login, managed=True),)
    story.world.set_account(login, claim="unmanaged")
    assert await organization.owned(account) == Owned(account, login, managed=False)
    assert await organization.owned(OTHER) is None
    (jira,) = await organization.groups_called(JIRA_USERS.upper())
    site = f"ari:cloud:jira-software::site/{story.world.organization.site_id}"
    assert await organization.grants(OrganizationGroupId(jira.id)) == {
        Grant("jira-software", site, ("atlassian/user",))
    }


def test_the_fields_are_those_atlassian_describes() -> None:
    calls = shared("contracts/atlassian-organization-v2-fields.json")["admin_v2"]
    base = "/admin/v2/orgs/{orgId}/directories/{directoryId}"
    people, groups = calls[f"POST {base}/users/search"], calls[f"POST {base}/groups/search"]
    assert {"accountId", "email", "claimStatus"} <= set(people["item"])
    said = " ".join(people["body"] + groups["body"])
    assert all(name in said for name in ("emails[]", "accountIds[]", "groupNames[]"))
