"""What the Jira site shows of people and groups, and what it refuses to change."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from hooks.sandbox import Story0
from hooks.sandbox.organization.nouns import OrgGroup
from hooks.sandbox.story import COLLEAGUE, JIRA_ADMIN, JIRA_ADMINS, JIRA_USERS, PERSON
from tests.sandbox.test_contracts import check

CONFLUENCE = "Production-Confluence"
NAME = "jira-group-user"


class Site:
    """Asked as the admin of the story, unless somebody else is named."""

    def __init__(self, story: Story0, org: httpx.AsyncClient) -> None:
        self.story, self.client, self.world = story, org, story.world
        self.token = story.world.add_org_key("site")
        self.person = story.world.account(PERSON).id
        origin = str(org.base_url).partition("/admin/")[0]
        self.here = f"{origin}/ex/jira/{story.world.organization.site_id}/rest/api/3"

    async def __call__(
        self, method: str, path: str, who: str = JIRA_ADMIN, body: Any = None, **asked: Any
    ) -> httpx.Response:
        proof = base64.b64encode(f"{who}:{self.token}".encode()).decode()
        headers = {"Authorization": f"Basic {proof}"}
        url = f"{self.here}{path}"
        return await self.client.request(method, url, params=asked, json=body, headers=headers)

    async def groups(self) -> set[str]:
        found = (await self("GET", "/user/groups", accountId=self.person)).json()
        return {each["name"] for each in found}

    async def members(self, group: str, **asked: Any) -> list[str]:
        found = (await self("GET", "/group/member", groupname=group, **asked)).json()
        return [each["emailAddress"] for each in found["values"]]

    def mirror(self) -> OrgGroup:
        groups = self.world.organization.groups.values()
        return next(each for each in groups if each.name == CONFLUENCE)


@pytest.fixture
def site(story: Story0, org: httpx.AsyncClient) -> Site:
    return Site(story, org)


async def test_a_person_has_the_groups_of_the_organization_and_those_only_jira_has(
    site: Site,
) -> None:
    site.world.switches.jira_only_groups_listed = False
    site.world.local_add(site.world.add_local_group("system-administrators"), PERSON)
    everybody = f"All members for directory - {site.story.directory.id}"
    assert await site.groups() == {CONFLUENCE, JIRA_USERS, "system-administrators", everybody}
    site.story.remove_from_old_group()
    assert CONFLUENCE in await site.groups(), "whoever is inactive keeps them here too"
    site.world.switches.propagation_delay = 30
    site.world.scim_remove(site.story.directory, CONFLUENCE, PERSON)
    assert CONFLUENCE in await site.groups(), "not before it has come to the organization"
    assert site.world.violations == []


async def test_members_who_are_inactive_are_left_out_unless_asked_for(site: Site) -> None:
    assert await site.members(JIRA_USERS) == [PERSON, COLLEAGUE]
    site.world.deactivate(PERSON)
    assert await site.members(JIRA_USERS) == [COLLEAGUE]
    assert await site.members(JIRA_USERS, includeInactiveUsers="true") == [PERSON, COLLEAGUE]
    page = await site("GET", "/group/member", groupname=CONFLUENCE, startAt=1, maxResults=1)
    assert (page.json()["total"], page.json()["isLast"], page.json()["values"]) == (1, True, [])


async def test_answers_are_as_the_contract_has_them(site: Site) -> None:
    groups = await site("GET", "/user/groups", accountId=site.person)
    check(NAME, "GroupName", groups.json())
    page = await site("GET", "/group/member", groupname=JIRA_USERS)
    check(NAME, "PageBeanUserDetails", [page.json()])
    made = await site("POST", "/group/user", groupname=JIRA_ADMINS, body={"accountId": site.person})
    assert made.status_code == 201
    check(NAME, "Group", [made.json()])


async def test_whoever_administers_the_site_changes_members_and_that_is_flagged(
    site: Site,
) -> None:
    group = site.world.local_group(JIRA_USERS).id
    one = {"groupId": group, "accountId": site.person}
    assert (await site("DELETE", "/group/user", PERSON, **one)).status_code == 403
    assert (await site("DELETE", "/group/user", **one)).status_code == 200
    assert site.world.local_members(JIRA_USERS) == {COLLEAGUE}
    again = await site("DELETE", "/group/user", **one)
    assert (again.status_code, "not a member of" in again.text) == (400, True)
    back = await site("POST", "/group/user", groupId=group, body={"accountId": site.person})
    assert (back.status_code, site.world.local_members(group)) == (201, {PERSON, COLLEAGUE})
    assert len(site.world.violations) == 4


@pytest.mark.parametrize("mode", ["403", "200"])
async def test_a_synced_group_is_not_changed_here(site: Site, mode: Any) -> None:
    site.world.switches.jira_synced_write = mode
    one = {"groupId": site.mirror().id, "accountId": site.person}
    assert (await site("DELETE", "/group/user", **one)).status_code == int(mode)
    assert CONFLUENCE in await site.groups()


@pytest.mark.parametrize("mode", ["200", "404"])
async def test_a_deactivated_account_may_be_out_of_reach(site: Site, mode: Any) -> None:
    site.world.switches.jira_inactive_remove = mode
    site.world.deactivate(PERSON)
    one = {"groupname": JIRA_USERS, "accountId": site.person}
    assert (await site("DELETE", "/group/user", **one)).status_code == int(mode)
    assert (JIRA_USERS in await site.groups()) is (mode == "404")


@pytest.mark.parametrize(
    ("method", "path", "asked", "status"),
    [
        ("GET", "/user/groups", {}, 400),
        ("GET", "/user/groups", {"accountId": "nobody"}, 404),
        ("GET", "/group/member", {}, 400),
        ("GET", "/group/member", {"groupname": JIRA_USERS, "groupId": "x"}, 400),
        ("GET", "/group/member", {"groupname": "nothing"}, 404),
        ("DELETE", "/group/user", {"groupname": JIRA_USERS}, 400),
        ("DELETE", "/group/user", {"groupname": JIRA_USERS, "accountId": "nobody"}, 404),
    ],
)
async def test_what_is_not_there_or_not_said(
    site: Site, method: str, path: str, asked: dict[str, str], status: int
) -> None:
    response = await site(method, path, **asked)
    assert (response.status_code, list(response.json())) == (status, ["errorMessages", "errors"])


async def test_only_a_token_of_a_person_of_the_site_opens_it(site: Site) -> None:
    mine = {"accountId": site.person}
    assert (await site("GET", "/user/groups", "nobody@x.example", **mine)).status_code == 401
    plain = await site.client.get(f"{site.here}/user/groups", params=mine)
    assert plain.status_code == 401, "the key of the organization is none"
    site.token = site.world.organization.api_key
    assert (await site("GET", "/user/groups", **mine)).status_code == 401
    site.here = site.here.replace(site.world.organization.site_id, "another")
    assert (await site("GET", "/user/groups", **mine)).status_code == 404
