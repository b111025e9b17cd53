"""The organization's accounts and groups, from answers written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from hooks.clock import elapsed
from hooks.core.ids import (
    AccountId,
    OrganizationDirectoryId,
    OrganizationGroupId,
    OrganizationId,
    ScimUserId,
)
from hooks.core.membership import OrganizationGroup
from hooks.core.reading import MISSING, Account, ScimLink
from hooks.gateways.credential import Secret
from hooks.gateways.organization import Organization
from tests.gateways.stage import Canned, Serve, Vault, Wall, http

ORG = OrganizationId("11111111-2222-4333-8444-555555555555")
PERSON = AccountId("712020:e19eff6d-a9d7-49e0-b743-044f410d5b00")
OTHER = AccountId("5b10ac8d82e05b22cc7d4ef5")
LOCAL = OrganizationGroup(
    OrganizationGroupId("276f955c-63d7-42c8-9520-92d01dca0625"),
    "jira-software-users",
    OrganizationDirectoryId("d1"),
    synced=False,
    modifiable=True,
)
V2 = f"/admin/v2/orgs/{ORG}/directories"


def user(account: str = PERSON, **more: Any) -> dict[str, Any]:
    known = {"accountId": account, "accountType": "atlassian", "accountStatus": "active"}
    return known | {"platformRoles": []} | more


def group(**more: Any) -> dict[str, Any]:
    known = {"id": LOCAL.id, "name": LOCAL.name, "directoryId": LOCAL.directory}
    access = {"deletable": False, "modifiable": True, "readable": True}
    return known | {"managementAccess": access, "externalSynced": False} | more


def page(*items: object, next: str | None = None) -> dict[str, Any]:  # noqa: A002  # their word
    return {"data": list(items), "links": {"self": "x"} | ({} if next is None else {"next": next})}


def ok(body: object) -> bytes:
    return http(200, json.dumps(body).encode())


class Stage:
    """One organization before a server that says what it is told, the last thing for ever."""

    def __init__(self) -> None:
        self.replies: list[bytes | None] = []
        self.server: Canned
        self.organization: Organization

    async def answer(self, _: str) -> bytes | None:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    @property
    def asked(self) -> list[tuple[str, str, Any]]:
        """Every request so far: method, target, body."""
        lines = [head.split(" ", 2)[:2] for head in self.server.heads]
        bodies = [json.loads(body) if body else None for body in self.server.bodies]
        return [
            (method, target, body) for (method, target), body in zip(lines, bodies, strict=True)
        ]


Say = Callable[..., Organization]


@pytest.fixture
async def stage(canned: Serve, client: aiohttp.ClientSession, wall: Wall) -> Stage:
    made = Stage()
    made.server = await canned(made.answer)
    made.organization = Organization(
        client=client,
        api_url=made.server.origin,
        organization=ORG,
        credential=Secret("Bearer", Vault("key").read),
        clock=wall.clock,
    )
    return made


@pytest.fixture
def say(stage: Stage) -> Say:
    def told(*replies: object) -> Organization:
        stage.replies = [
            each if isinstance(each, bytes) or each is None else ok(each) for each in replies
        ]
        return stage.organization

    return told


async def test_an_account_is_asked_for_with_its_roles(stage: Stage, say: Say) -> None:
    found = await say(page(user(platformRoles=["org-admin"]))).account(PERSON)
    assert found == Account(PERSON, "atlassian", "active", frozenset({"org-admin"}))
    body = {"accountIds": [PERSON], "expand": ["platformRoles"], "limit": 100}
    assert stage.asked == [("POST", f"{V2}/-/users/search", body)]
    assert await say(page()).account(PERSON) is MISSING


async def test_groups_of_an_account(stage: Stage, say: Say) -> None:
    assert await say(page(group())).groups_of(PERSON) == (LOCAL,)
    body = {"accountIds": [PERSON], "limit": 100}
    assert stage.asked == [("POST", f"{V2}/-/groups/search", body)]


async def test_a_group_and_all_groups(stage: Stage, say: Say) -> None:
    assert await say({"data": group()}).group(LOCAL.id) == LOCAL
    assert stage.asked == [("GET", f"{V2}/-/groups/{LOCAL.id}", None)]
    assert [each async for each in say(page(group())).groups()] == [(LOCAL,)]


async def test_active_members_roles_and_links(stage: Stage, say: Say) -> None:
    active = user(OTHER, status="active", groups=[{"id": LOCAL.id, "name": "x"}])
    assert await say(page(active)).active_members(LOCAL.id) == {OTHER}
    assert await say(page({"roles": ["a/b"]}, {"roles": ["c"]})).role_assignments(LOCAL.id) == {
        "a/b",
        "c",
    }
    record = ScimUserId(str(uuid4()))
    link = {"scimUserId": record, "atlassianAccountId": PERSON, "orgId": ORG, "directoryId": "s1"}
    for answer in ([link], {"data": [link]}):
        assert await say(answer).links(PERSON) == (ScimLink("s1", record),)


async def test_a_membership_goes_and_comes(stage: Stage, say: Say) -> None:
    await say(http(204, b"")).remove(LOCAL, PERSON, deadline=elapsed() + 60)
    await stage.organization.add(LOCAL, PERSON, deadline=elapsed() + 60)
    memberships = f"{V2}/d1/groups/{LOCAL.id}/memberships"
    assert stage.asked == [
        ("DELETE", f"{memberships}/{PERSON.replace(':', '%3A')}", None),
        ("POST", memberships, {"accountId": PERSON}),
    ]
