"""A world with a clock of its own, and a client for each vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from hooks.sandbox import Story0, World, create_atlassian, create_okta, listening
from tests.sandbox.admin_api import Api

OKTA = "https://sandbox.okta.test"
ATLASSIAN = "https://api.atlassian.test"


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 21, 9, 30, 0, 123_456, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def story(clock: Clock) -> Story0:
    return Story0(World(clock))


@pytest.fixture
def world(story: Story0) -> World:
    return story.world


@pytest.fixture
async def okta(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_okta(world)),
        base_url=OKTA,
        headers={"Authorization": f"SSWS {world.credentials.api_token}"},
    ) as client:
        yield client


@pytest.fixture
async def scim(story: Story0) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the directory of the story, with its key."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_atlassian(story.world)),
        base_url=f"{ATLASSIAN}/scim/directory/{story.directory.id}",
        headers={"Authorization": f"Bearer {story.directory.key}"},
    ) as client:
        yield client


@pytest.fixture
async def org(story: Story0) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the organization's admin API with its key, over a real connection."""
    organization = story.world.organization
    async with (
        listening(create_atlassian(story.world)) as url,
        httpx.AsyncClient(
            base_url=f"{url}/admin/v2/orgs/{organization.id}/directories",
            headers={"Authorization": f"Bearer {organization.api_key}"},
            trust_env=False,
            verify=False,  # noqa: S501  # loopback: no TLS context, which takes longer than a test
        ) as client,
    ):
        yield client


@pytest.fixture
def api(story: Story0, org: httpx.AsyncClient) -> Api:
    return Api(story, org)
