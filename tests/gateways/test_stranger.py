"""A SCIM service nobody here wrote: exactly the right member goes, alone and in a batch."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from hooks.clock import Clock
from hooks.core.ids import DirectoryName, ScimDirectoryId, ScimGroupId, ScimUserId
from hooks.core.membership import Group
from hooks.core.reading import MISSING, ScimRecord
from hooks.gateways.credential import Secret
from hooks.gateways.scim import Scim

TOKEN = "stranger-token"
#: Its ids are UUIDs without dashes; Atlassian's have them. The method is there to be overridden.
LAUNCH = """
import uuid
from scim2_server.memory import InMemoryStorage
from scim2_server.testserver.cli import main
InMemoryStorage.generate_id = lambda *_: str(uuid.uuid4())
main()
"""


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", LAUNCH, "--port", str(port)]
    command += ["--bearer-token", TOKEN, "--tenant", "dir1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the service did not start")


class Directory:
    """Makes and lists resources as an identity provider would."""

    def __init__(self, client: aiohttp.ClientSession, url: str) -> None:
        self.client = client
        self.base = f"{url}/dir1"
        self.headers = {"Authorization": f"Bearer {TOKEN}"}

    async def make(self, endpoint: str, **content: Any) -> str:
        schema = f"urn:ietf:params:scim:schemas:core:2.0:{endpoint[:-1]}"
        async with self.client.post(
            f"{self.base}/{endpoint}", json={"schemas": [schema], **content}, headers=self.headers
        ) as response:
            assert response.status == 201, await response.text()
            found: str = (await response.json(content_type=None))["id"]
            return found

    async def members(self, group: str) -> set[str]:
        async with self.client.get(f"{self.base}/Groups/{group}", headers=self.headers) as response:
            content = await response.json(content_type=None)
            return {each["value"] for each in content.get("members", ())}


@pytest.fixture
def directory(client: aiohttp.ClientSession, stranger: str) -> Directory:
    return Directory(client, stranger)


@pytest.fixture
async def scim(client: aiohttp.ClientSession, stranger: str) -> AsyncIterator[Scim]:
    gateway = Scim(
        client=client,
        api_url=stranger,
        directory=ScimDirectoryId(str(uuid4())),
        name=DirectoryName("stranger"),
        credential=Secret("Bearer", lambda: TOKEN),
        clock=Clock(),
        root=("dir1",),
    )
    yield gateway
    await gateway.aclose()


async def test_exactly_the_right_members_go(scim: Scim, directory: Directory, lease: float) -> None:
    mark = uuid4().hex[:8]
    users = [
        ScimUserId(
            await directory.make(
                "Users", userName=f"{mark}-{n}@somedomain.example", externalId=f"{mark}-{n}"
            )
        )
        for n in range(6)
    ]
    group = ScimGroupId(
        await directory.make(
            "Groups", displayName=f"team {mark}", members=[{"value": user} for user in users]
        )
    )
    assert await directory.members(group) == set(users)

    await scim.remove(group, users[0], deadline=lease)
    assert await directory.members(group) == set(users[1:])
    assert await scim.members(group) == frozenset(users[1:])

    await asyncio.gather(*(scim.remove(group, user, deadline=lease) for user in users[1:4]))
    assert await directory.members(group) == set(users[4:])

    await scim.remove(group, users[0], deadline=lease)  # no member any more
    await scim.add(group, users[0], deadline=lease)
    await scim.add(group, users[0], deadline=lease)
    assert await directory.members(group) == {users[0], *users[4:]}

    assert await scim.group_named(f"team {mark}") == Group(group, f"team {mark}")
    (record,) = await scim.users_by_user_name(f"{mark}-1@SOMEDOMAIN.example")
    assert record.id == users[1]
    (record,) = await scim.users_by_external_id(f"{mark}-2")
    assert record.id == users[2]
    assert isinstance(await scim.user(users[3]), ScimRecord)
    assert await scim.user(ScimUserId(str(uuid4()))) is MISSING
    assert await scim.users_by_user_name('x" or userName pr or userName eq "') == ()
