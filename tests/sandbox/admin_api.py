"""The organization's admin API as a client sees it."""

from __future__ import annotations

from typing import Any

import httpx

from hooks.sandbox import Story0
from hooks.sandbox.organization.nouns import OrgGroup
from hooks.sandbox.story import COLLEAGUE, JIRA_ADMIN, JIRA_USERS, PERSON

CONFLUENCE = "Production-Confluence"
ANY = "/-"
EVERYBODY = {PERSON, COLLEAGUE, JIRA_ADMIN}


def error(response: httpx.Response) -> tuple[int, str]:
    body = response.json()["errors"][0]
    assert int(body["status"]) == response.status_code
    assert {"id", "code", "title", "detail"} <= set(body)
    return response.status_code, body["code"].removeprefix("ADMIN-UAM-")


class Api:
    """The calls a client makes, and what came of them in the world."""

    def __init__(self, story: Story0, org: httpx.AsyncClient) -> None:
        self.story, self.org, self.world = story, org, story.world
        self.organization = story.world.organization
        self.base = f"/{self.organization.user_base}"
        self.person = story.world.account(PERSON).id

    async def users(self, base: str = ANY, **asked: Any) -> httpx.Response:
        return await self.org.post(f"{base}/users/search", json=asked)

    async def groups(self, base: str = ANY, **asked: Any) -> httpx.Response:
        return await self.org.post(f"{base}/groups/search", json=asked)

    def url(self, group: OrgGroup | str = JIRA_USERS, base: str | None = None) -> str:
        group = group if isinstance(group, OrgGroup) else self.world.local_group(group)
        return f"{base or self.base}/groups/{group.id}"

    async def remove(
        self, who: str = PERSON, group: OrgGroup | str = JIRA_USERS, base: str | None = None
    ) -> httpx.Response:
        account = self.world.account(who).id
        return await self.org.delete(f"{self.url(group, base)}/memberships/{account}")

    async def add(
        self, who: str = JIRA_ADMIN, group: OrgGroup | str = JIRA_USERS, base: str | None = None
    ) -> httpx.Response:
        body = {"accountId": self.world.account(who).id}
        return await self.org.post(f"{self.url(group, base)}/memberships", json=body)

    @property
    def mirror(self) -> OrgGroup:
        """The synced group of the story."""
        groups = self.organization.groups.values()
        return next(g for g in groups if g.synced and g.name == CONFLUENCE)


def names(response: httpx.Response) -> set[str]:
    assert response.status_code == 200, response.text
    return {item["name"] for item in response.json()["data"]}


def emails(response: httpx.Response) -> set[str]:
    assert response.status_code == 200, response.text
    return {item["email"] for item in response.json()["data"]}
