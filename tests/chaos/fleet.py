"""Replicas of the service as processes on one database, behind a balancer, beside the sandbox.

Each has doors of its own to the vendors, so that it is known who asks, and a relay of its own to
PostgreSQL. Only what was started here is ever stopped or killed.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url
from starlette.types import ASGIApp, Receive, Scope, Send

from hooks.sandbox.atlassian import create_atlassian
from hooks.sandbox.faults import Request
from hooks.sandbox.okta import create_okta
from hooks.sandbox.server import Sandbox, listen, serving
from hooks.sandbox.story import HOOK_TYPES
from hooks.sandbox.world import World
from tests.chaos.launcher import OFFSET
from tests.chaos.relay import Balancer, Relay
from tests.running import SECRET, config, environ

ROOT = Path(__file__).parents[2]
#: Seconds for one start, on a machine busy with others.
_STARTING = 120.0
#: Seconds by which the clock of a replica, if it can be moved, is behind at first.
_BEFORE = 180.0
#: Seconds a balancer waits for an answer to its probe.
_PROBING = 3.0
_CHANGES = ("PATCH", "POST", "DELETE")
#: Ids of SCIM users and of accounts, as they stand in a write.
_IDS = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\b[0-9a-f]{24}\b")


def free_port() -> int:
    """A port that no connection of anybody's is given meanwhile, as those above 32,768 are."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


# -- one replica -------------------------------------------------------------------------------


@dataclass
class Replica:
    """``python -m hooks serve``; ``manner`` are words for the launcher, if it is to be another."""

    number: int
    folder: Path
    environ: dict[str, str]
    manner: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    @property
    def log(self) -> str:
        """What it has said, in all its lives."""
        return (self.folder / "log").read_text(errors="replace")

    def said_about(self, user: str) -> list[str]:
        """The lines of its log about one person."""
        return [f"{self.number}: {line}" for line in self.log.splitlines() if user in line]

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        await self.launch()
        await self.until_ready()

    async def launch(self) -> None:
        """Start it and wait for nothing."""
        words = ["-m", "hooks"]
        if self.manner:
            words = [str(Path(__file__).with_name("launcher.py")), *self.manner]
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, *words, "serve",
                cwd=ROOT, env=os.environ | self.environ, stdout=log, stderr=log,
            )  # fmt: skip

    async def until_ready(self) -> None:
        """Launch it again whenever it ended, as an orchestrator does."""
        async with asyncio.timeout(_STARTING):
            while not await self.ready():
                if not self.alive:
                    await self.launch()
                await asyncio.sleep(0.2)

    async def ready(self) -> bool:
        """What a balancer is told."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            return await asyncio.wait_for(reader.read(12), _PROBING) == b"HTTP/1.1 200"
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()

    def move_clock(self, seconds: float) -> None:
        """Let its wall clock be wrong by so much from now on, if it was launched with a clock."""
        with (self.folder / "clock").open("r+b") as file:  # in place: it has it in its memory
            file.write(OFFSET.pack(seconds))

    # -- its ends ------------------------------------------------------------------------------

    def kill(self) -> None:
        """As a machine that loses its power."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """As a machine that is given no time."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on as if nothing had been."""
        self._signal(signal.SIGCONT)

    async def ended(self) -> int:
        """Its exit code, once it has one."""
        assert self.process
        return await self.process.wait()

    async def stop(self) -> int:
        """Tell it to stop; its exit code."""
        self._signal(signal.SIGTERM)
        return await self.ended()

    def _signal(self, number: signal.Signals) -> None:
        if self.process and self.process.returncode is None:
            with suppress(ProcessLookupError):  # it has ended, and nobody has told yet
                self.process.send_signal(number)


# -- who asks the vendors ----------------------------------------------------------------------


@dataclass(eq=False)
class Call:
    """One request to a vendor under way: whose it is, and whom it is about if it is a write."""

    replica: int
    about: frozenset[str] = frozenset()


#: The request that is being answered, wherever the sandbox is looking at it.
call: ContextVar[Call] = ContextVar("call")


#: Told ``before`` or ``after``, the request, and the replica it is from.
Trap = Callable[[str, Request, int], None]


class Doors:
    """Knows of each request which replica it is from, and when two write about one person."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.overlaps: list[str] = []
        self.trap: Trap | None = None
        self._writing: set[Call] = set()
        world.observer = self._observe

    def of(self, replica: int, app: ASGIApp) -> ASGIApp:
        """A vendor's app, as one replica comes to it."""

        async def door(scope: Scope, receive: Receive, send: Send) -> None:
            mine = Call(replica)
            call.set(mine)
            try:
                await app(scope, receive, send)
            finally:
                self._writing.discard(mine)

        return door

    async def _observe(self, phase: str, _vendor: str, _method: str, _path: str, n: int) -> None:
        mine = call.get()
        request = next(each for each in reversed(self.world.requests) if each.n == n)
        if phase == "before" and changes(request):
            self._begins(mine, request)
        if self.trap:
            self.trap(phase, request, mine.replica)

    def _begins(self, mine: Call, request: Request) -> None:
        """A write is under way from here until it is answered."""
        people = {each for one in self.world.directories.values() for each in one.users}
        people |= set(self.world.organization.accounts)
        shown = f"{request.path} {request.body.decode(errors='replace')}"
        mine.about = frozenset(_IDS.findall(shown)) & people
        self.overlaps += [
            f"replicas {each.replica} and {mine.replica} wrote about {sorted(both)} at once"
            for each in self._writing
            if each.replica != mine.replica and (both := each.about & mine.about)
        ]
        self._writing.add(mine)


def changes(request: Request) -> bool:
    """Whether a request is to change a membership."""
    joins = request.vendor == "org" and request.path.endswith("/memberships")
    return joins or request.method in ("PATCH", "DELETE")


# -- all of them -------------------------------------------------------------------------------


@dataclass
class Fleet:
    """Everything that runs; ``relays``, if any, stand before PostgreSQL, one for each replica."""

    sandbox: Sandbox
    balancer: Balancer
    doors: Doors
    replicas: list[Replica] = field(default_factory=list)
    relays: list[Relay] = field(default_factory=list)
    _turn: int = 0

    @property
    def world(self) -> World:
        return self.sandbox.world

    def turns(self) -> Iterator[int]:
        """The replicas' ports in the order in which the next delivery tries them."""
        self._turn += 1
        for each in range(len(self.replicas)):
            yield self.replicas[(self._turn + each) % len(self.replicas)].port

    def at(self, port: int) -> Replica:
        """The replica that listens there."""
        return next(each for each in self.replicas if each.port == port)

    async def start(self) -> None:
        """All of them at once."""
        await asyncio.gather(*(each.start() for each in self.replicas))

    async def stop(self) -> list[int]:
        """Tell all of them to stop; their exit codes."""
        return list(await asyncio.gather(*(each.stop() for each in self.replicas)))


@asynccontextmanager
async def fleet(
    world: World,
    url: str,
    folder: Path,
    *,
    size: int = 1,
    manner: tuple[str, ...] = (),
    clocks: bool = False,
    relayed: bool = False,
    more: str = "",
    rules: str | None = None,
) -> AsyncIterator[Fleet]:
    """So many replicas, none of them started yet, and the hook registered at their balancer.

    ``manner``: words for the launcher; ``clocks``: their clocks can be moved; ``relayed``: each
    reaches PostgreSQL through a relay of its own.
    """
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(serving(world))
        found = Fleet(sandbox, Balancer(), Doors(world))
        found.balancer.targets = found.turns
        await stack.enter_async_context(found.balancer)
        for number in range(size):
            home = folder / f"replica-{number}"
            home.mkdir()
            (home / "log").touch()
            # The first start lies further back than any clock will be moved.
            (home / "clock").write_bytes(OFFSET.pack(-_BEFORE))
            words = (*manner, "--clock", str(home / "clock")) if clocks else manner
            okta = await _listen(stack, found.doors.of(number, create_okta(world)))
            atlassian = await _listen(stack, found.doors.of(number, create_atlassian(world)))
            mine = url
            if relayed:
                port = make_url(url).port or 0
                relay = await stack.enter_async_context(Relay(port))
                mine = url.replace(f":{port}/", f":{relay.port}/")
                found.relays.append(relay)
            path = home / "hooks.toml"
            given = environ(world, mine, path, organization=rules is not None)
            each = Replica(number, home, given, words)
            listening = (
                f'[listen]\npublic = "127.0.0.1:{each.port}"\noperations = "127.0.0.1:0"\n{more}'
            )
            path.write_text(config(world, okta, atlassian, listening, rules=rules))
            found.replicas.append(each)
            stack.push_async_callback(_killed, each)
        world.add_hook(f"http://127.0.0.1:{found.balancer.port}/okta/events", SECRET, HOOK_TYPES)
        yield found


async def _listen(stack: AsyncExitStack, app: ASGIApp) -> str:
    listener = await listen(app, 0)
    stack.push_async_callback(listener.stop)
    return listener.url


async def _killed(replica: Replica) -> None:
    replica.kill()
    if replica.process:
        await replica.ended()
