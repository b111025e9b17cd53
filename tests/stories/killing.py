"""A service as a process of its own that is killed at a chosen moment, and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx

from hooks.sandbox.org import Hook
from hooks.sandbox.server import Sandbox
from hooks.sandbox.story import HOOK_TYPES
from tests.running import SECRET, config, environ
from tests.stories.company import STAFF, TEAMS, Company

ROOT = Path(__file__).parents[2]
PHASES = (
    "before a read is answered",
    "before a change is applied",
    "after a change is applied, before its answer",
    "at any time under deliveries",
)
#: A lease of the killed process lasts a minute, and this machine may be busy.
PATIENCE = 150.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


@dataclass
class Service:
    """``python -m hooks serve``; only what was started here is ever killed."""

    sandbox: Sandbox
    database_url: str
    folder: Path
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        world = self.sandbox.world
        path = self.folder / "hooks.toml"
        more = (
            f'[listen]\npublic = "127.0.0.1:{self.port}"\noperations = "127.0.0.1:{free_port()}"\n'
        )
        path.write_text(config(world, self.sandbox.okta_url, self.sandbox.atlassian_url, more))
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "hooks", "serve",
                cwd=ROOT, env=os.environ | environ(world, self.database_url, path),
                stdout=log, stderr=log,
            )  # fmt: skip
        async with asyncio.timeout(PATIENCE), httpx.AsyncClient(trust_env=False) as client:
            while not await self._ready(client):
                assert self.process.returncode is None, (self.folder / "log").read_text()
                await asyncio.sleep(0.1)

    async def _ready(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get(f"{self.url}/readyz")).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """As a machine that loses its power."""
        if self.process and self.process.returncode is None:
            os.kill(self.process.pid, signal.SIGKILL)

    async def stop(self) -> int:
        """Tell it to stop; its exit code."""
        assert self.process
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


@dataclass
class Trial:
    """One world, one service, one kill."""

    phase: str
    sandbox: Sandbox
    service: Service
    company: Company
    chance: Random
    people: list[str] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)
    _lost: list[tuple[Hook, Any]] = field(default_factory=list)

    async def play(self) -> None:
        """Act, be killed, start again; in the end everybody is as Okta implies."""
        await self.service.start()
        self.company.world.add_hook(f"{self.service.url}/okta/events", SECRET, HOOK_TYPES)
        self.company.world.observer = self._assassin()
        if self.phase == PHASES[3]:
            delay = self.chance.uniform(0.0, 1.5)
            asyncio.get_running_loop().call_later(delay, self.service.kill)
        for login in self.people:
            self._act(login)
            await self._deliver()
            await asyncio.sleep(self.chance.uniform(0.0, 0.1))
        assert self.service.process
        async with asyncio.timeout(PATIENCE):
            assert await self.service.process.wait() == -signal.SIGKILL
        self.company.world.observer = None
        await self.service.start()
        await self._deliver()
        await self._converged()
        for login in self.people:
            self._come_back(login)
            await self._deliver()
        await self._converged()

    def _assassin(self) -> Callable[[str, str, str, str, int], Awaitable[None]]:
        wanted = {
            PHASES[0]: ("after", "GET"),
            PHASES[1]: ("before", "PATCH"),
            PHASES[2]: ("after", "PATCH"),
        }.get(self.phase)
        left = self.chance.randint(1, 60 if self.phase == PHASES[0] else 4)

        async def observe(phase: str, _vendor: str, method: str, _path: str, _n: int) -> None:
            nonlocal left
            left -= (phase, method) == wanted
            if left == 0:
                left = -1
                self.service.kill()
                if self.phase == PHASES[1]:
                    # What was on its way when the sender died does not arrive.
                    self.company.world.fault("scim", "PATCH", drop=True, times=1)

        return observe

    def _act(self, login: str) -> None:
        world = self.company.world
        match self.chance.randrange(4):
            case 0:
                world.deactivate(login)
            case 1:
                world.remove_from_group(login, STAFF)
            case 2:
                world.remove_from_group(login, STAFF)
                world.remove_from_group(login, self.chance.choice(TEAMS))
                world.add_to_group(login, STAFF)
            case _:
                world.switches.group_push_delay = 7 * 24 * 3600
                world.remove_from_group(login, self.chance.choice(TEAMS))
                world.switches.group_push_delay = None

    def _come_back(self, login: str) -> None:
        world = self.company.world
        if world.user(login).status == "DEPROVISIONED":
            world.activate(login)
        world.add_to_group(login, STAFF)

    async def _deliver(self) -> None:
        """Let Okta deliver; what nobody took is delivered again next time, as catching up would."""
        outbox = self.company.world.outbox
        outbox[:0] = self._lost
        sent = {str(event["uuid"]): (hook, event) for hook, event in outbox}
        done = await self.sandbox.deliverer.flush()
        self.accepted |= {uuid for each in done if each.accepted for uuid in each.uuids}
        self._lost = [pair for uuid, pair in sent.items() if uuid not in self.accepted]

    async def _converged(self) -> None:
        for _ in range(int(PATIENCE / 0.25)):
            await self._deliver()
            if not self._lost and not self._wrong():
                return
            await asyncio.sleep(0.25)
        log = (self.service.folder / "log").read_text()[-4000:]
        raise AssertionError(f"{self.phase}: {self._wrong()}\n{log}")

    def _wrong(self) -> dict[str, tuple[set[str], set[str]]]:
        found = {
            login: (
                self.company.groups(login),
                self.company.world.entitled(self.company.directory, login),
            )
            for login in self.people
        }
        return {login: (are, should) for login, (are, should) in found.items() if are != should}
