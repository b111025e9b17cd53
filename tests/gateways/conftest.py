"""Both vendors on loopback, the real rooms in front of them, and servers that misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest

from hooks.clock import Clock, elapsed
from hooks.core.ids import DirectoryName, OktaAppId, OrganizationId, ScimDirectoryId
from hooks.gateways.breaker import Breaker
from hooks.gateways.credential import Credential, Secret
from hooks.gateways.okta import Okta
from hooks.gateways.organization import Organization
from hooks.gateways.pace import Pace
from hooks.gateways.scim import Scim
from hooks.gateways.transport import Transport
from hooks.gateways.wire import open_client
from hooks.sandbox import Story0, World, create_atlassian, create_okta, listening
from tests.gateways.organization_stage import ORG, OrganizationStage, Say
from tests.gateways.stage import Canned, Door, Serve, Vault, Wall, http


@pytest.fixture
async def canned() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(
            reply: bytes | Callable[[str], Awaitable[bytes | None]] | None,
        ) -> Canned:
            async def constant(_: str) -> bytes | None:
                return reply if not callable(reply) else None

            server = Canned(reply if callable(reply) else constant)
            listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
            stack.callback(listener.close)
            server.origin = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            return server

        yield start


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_client() as session:
        yield session


@pytest.fixture
def door(client: aiohttp.ClientSession, wall: Wall) -> Door:
    def make(
        origin: str,
        *,
        credential: Credential | None = None,
        probes: tuple[str, ...] = (),
        most: int = 30,
    ) -> Transport:
        return Transport(
            vendor="vendor",
            origin=origin,
            client=client,
            pace=Pace("vendor", wall.clock, most=most),
            breaker=Breaker("vendor", wall.clock),
            credential=credential,
            probes=probes,
            methods=frozenset({"GET", "PATCH", "POST"}),
        )

    return make


@pytest.fixture
def story() -> Story0:
    return Story0()


@pytest.fixture
def world(story: Story0) -> World:
    return story.world


@pytest.fixture
async def okta_url(world: World) -> AsyncIterator[str]:
    async with listening(create_okta(world)) as url:
        yield url


@pytest.fixture
async def atlassian_url(world: World) -> AsyncIterator[str]:
    async with listening(create_atlassian(world)) as url:
        yield url


@pytest.fixture
def okta_vault(world: World) -> Vault:
    return Vault(world.credentials.api_token)


@pytest.fixture
def scim_vault(story: Story0) -> Vault:
    return Vault(story.directory.key)


@pytest.fixture
def okta(okta_url: str, client: aiohttp.ClientSession, story: Story0, okta_vault: Vault) -> Okta:
    return Okta(
        client=client,
        org_url=okta_url,
        credential=Secret("SSWS", okta_vault.read),
        clock=Clock(),
        apps=(OktaAppId(story.app.id),),
    )


@pytest.fixture
async def scim(
    atlassian_url: str, client: aiohttp.ClientSession, story: Story0, scim_vault: Vault
) -> AsyncIterator[Scim]:
    gateway = Scim(
        client=client,
        api_url=atlassian_url,
        directory=ScimDirectoryId(story.directory.id),
        name=DirectoryName("main"),
        credential=Secret("Bearer", scim_vault.read),
        clock=Clock(),
    )
    yield gateway
    await gateway.aclose()


@pytest.fixture
def organization_vault(world: World) -> Vault:
    return Vault(world.organization.api_key)


@pytest.fixture
def organization(
    atlassian_url: str, client: aiohttp.ClientSession, world: World, organization_vault: Vault
) -> Organization:
    return Organization(
        client=client,
        api_url=atlassian_url,
        organization=OrganizationId(world.organization.id),
        credential=Secret("Bearer", organization_vault.read),
        clock=Clock(),
    )


@pytest.fixture
async def stage(canned: Serve, client: aiohttp.ClientSession, wall: Wall) -> OrganizationStage:
    made = OrganizationStage()
    made.server = await canned(made.answer)
    made.organization = Organization(
        client=client,
        api_url=made.server.origin,
        organization=ORG,
        credential=Secret("Bearer", made.vault.read),
        clock=wall.clock,
    )
    return made


@pytest.fixture
def say(stage: OrganizationStage) -> Say:
    def told(*replies: object) -> Organization:
        stage.replies = [
            each
            if isinstance(each, bytes) or each is None
            else http(200, json.dumps(each).encode())
            for each in replies
        ]
        return stage.organization

    return told


@pytest.fixture
def lease() -> float:
    """The deadline of a lease of a minute that has just begun."""
    return elapsed() + 60
