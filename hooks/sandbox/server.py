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
    """uvicorn takes SIGINT and SIGTERM for itself; the process around it owns them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Serve one app on 127.0.0.1 (0: any free port); yields its origin."""
    bound = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        async with asyncio.timeout(STARTING):
            while not server.started and not task.done():
                await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait([task])
        bound.close()
    with contextlib.suppress(asyncio.CancelledError):
        task.result()


@asynccontextmanager
async def serving(
    world: World, *, okta_port: int = 0, atlassian_port: int = 0
) -> AsyncIterator[Sandbox]:
    """Run both vendor apps; ports are free ones unless named."""
    async with (
        httpx.AsyncClient(trust_env=False) as client,
        listening(create_okta(world, client), okta_port) as okta_url,
        listening(create_atlassian(world), atlassian_port) as atlassian_url,
    ):
        deliverer = Deliverer(world, client, org_url=okta_url)
        yield Sandbox(okta_url, atlassian_url, world, deliverer)
