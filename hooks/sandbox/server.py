"""Both vendors on loopback, in the current event loop, without touching signals."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import httpx
import uvicorn
from starlette.types import ASGIApp

from .atlassian import create_atlassian
from .delivery import Deliverer
from .okta import create_okta
from .world import World

STARTING = 10.0


@dataclass
class Sandbox:
    """Both vendors, listening."""

    okta_url: str
    atlassian_url: str
    world: World
    deliverer: Deliverer


class QuietServer(uvicorn.Server):
    """uvicorn, without its habits that do not fit a guest in somebody's event loop.

    It takes SIGINT and SIGTERM for itself, wakes ten times a second to look whether to stop, and
    then waits a tenth of a second even if nobody is connected.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process around."""
        yield

    async def main_loop(self) -> None:
        """Tick once a second, as often as the date changes, and wake at once when told to stop."""
        while not await self.on_tick(counter=0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End as uvicorn does, in no more time than the connections take."""
        for server in self.servers:
            server.close()
        for bound in sockets or []:
            bound.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while state.connections or state.tasks:  # noqa: ASYNC110  # as uvicorn does
                    await asyncio.sleep(0.001)
        for task in state.tasks:
            task.cancel()

    def stop(self) -> None:
        """Finish what is being answered, then end."""
        self.should_exit = True
        self._stopping.set()


@dataclass
class Listener:
    """One app on one port."""

    url: str
    server: QuietServer
    task: asyncio.Task[None]
    bound: socket.socket

    async def stop(self) -> None:
        """End; raises what the server died of, if it did."""
        self.server.stop()
        await asyncio.wait([self.task])
        self.bound.close()
        if not self.task.cancelled():
            self.task.result()


async def listen(app: ASGIApp, port: int) -> Listener:
    """Serve one app on 127.0.0.1; 0 is any free port."""
    bound = socket.create_server(("127.0.0.1", port))
    # asyncio sets it only on sockets that know their protocol, and these do not. Without it the
    # body of an answer waits 40 ms for the client to acknowledge the head.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,  # the doors tell the time of their world
        timeout_graceful_shutdown=1,
    )
    server = QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    async with asyncio.timeout(STARTING):
        # uvicorn tells nobody that it has started; it has to be looked at.
        while not (server.started or task.done()):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    return Listener(f"http://127.0.0.1:{bound.getsockname()[1]}", server, task, bound)


@asynccontextmanager
async def listening(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Serve any one app on loopback; yields its origin."""
    listener = await listen(app, port)
    try:
        yield listener.url
    finally:
        await listener.stop()


@asynccontextmanager
async def serving(
    world: World, *, okta_port: int = 0, atlassian_port: int = 0
) -> AsyncIterator[Sandbox]:
    """Run both vendor apps; ports are free ones unless named."""
    # Loopback only: no TLS context, which takes longer to build than most worlds.
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501
        okta = await listen(create_okta(world, client), okta_port)
        atlassian = await listen(create_atlassian(world), atlassian_port)
        try:
            deliverer = Deliverer(world, client, org_url=okta.url)
            yield Sandbox(okta.url, atlassian.url, world, deliverer)
        finally:
            await asyncio.gather(okta.stop(), atlassian.stop())
