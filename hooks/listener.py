"""One HTTP listener: its socket, its connections within bounds, its start and its end.

Must live here: what uvicorn leaves open, which is how long a head may take, how large it and
its trailer may be, how many connections there are, and whose the signals are. Must not know: any
path.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from hooks.exchange import Asgi

#: Seconds until the head of a request is there. Okta sends it at once.
HEAD_SECONDS = 10.0
#: Requests that wait behind one another on one connection; proxies send one at a time.
MOST_PIPELINED = 16
#: Bytes of a head, or beside a body's own (chunk extensions, a trailer); llhttp itself knows no
#: limit. One read may bring a larger head, and is let through.
MOST_HEAD_BYTES = 64 * 1024
#: Seconds an idle connection is kept.
KEEP_SECONDS = 15
#: Seconds for requests under way when we stop; an orchestrator commonly gives 30 in all.
STOP_SECONDS = 5
#: Seconds more for who is told then that there is no answer; after that uvicorn calls it an error.
_LAST_SECONDS = 2
_BACKLOG = 2048
_CROWDED = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"retry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)
_INVALID = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def bind(host: str, port: int) -> socket.socket:
    """A socket that has its address but does not listen yet.

    Raises OSError if the address is taken, not ours or not known.
    """
    info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = info[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "[::]" means everybody, as it does elsewhere; another address is its own.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        bound.bind(address)
        bound.setblocking(False)  # noqa: FBT003  # its own signature
    except OSError:
        bound.close()
        raise
    return bound


def place(bound: socket.socket) -> str:
    """Where a socket is bound, as the settings write it."""
    host, port, *_ = bound.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Connection(HttpToolsProtocol):
    """uvicorn's connection, with an end to waiting for a head."""

    most_connections = 0
    head_seconds = HEAD_SECONDS
    _late: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = False
    _beside = 0
    _running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.write(_CROWDED)
            transport.close()
            return
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._got_head()
        super().connection_lost(exc)
        # uvicorn tells the newest request alone, and the one under way may wait before it.
        if self._running and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def data_received(self, data: bytes) -> None:
        self._beside += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._beside > MOST_HEAD_BYTES:
            self.transport.abort()
            return
        if not (self._in_head or self.cycle is None or self.cycle.response_complete):
            return
        # uvicorn ends its own timer at any byte and begins it again after an answer only.
        if self._late is None:
            self._wait_for_head()
            return
        self._head_bytes += len(data)
        if self._head_bytes > MOST_HEAD_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MOST_PIPELINED:
            raise ValueError  # answered as what is not HTTP, and over
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers come after the body and are not headers. RFC 9110 section 6.5.1."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._got_head()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._beside = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._beside = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP gets an answer as empty as any other."""
        del msg
        self.transport.write(_INVALID)
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """The parser reads nothing after an upgrade; the request is answered, then it is over."""
        self.cycle.keep_alive = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _wait_for_head(self) -> None:
        self._head_bytes = 0
        self._late = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _got_head(self) -> None:
        if self._late:
            self._late.cancel()
            self._late = None


class Listener(uvicorn.Server):
    """Serves one app on one bound socket until told to stop."""

    def __init__(
        self,
        app: Asgi,
        bound: socket.socket,
        *,
        most_connections: int,
        head_seconds: float = HEAD_SECONDS,
        stop_seconds: int = STOP_SECONDS,
    ) -> None:
        """Over ``most_connections`` a new one is answered 503 unread."""
        bounds = {"most_connections": most_connections, "head_seconds": head_seconds}
        connection = type("Connection", (_Connection,), bounds)
        super().__init__(
            uvicorn.Config(
                app,
                http=connection,
                ws="none",
                loop="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=KEEP_SECONDS,
                timeout_graceful_shutdown=stop_seconds + _LAST_SECONDS,
            )
        )
        self._bound = bound
        self._stop_seconds = stop_seconds
        self.up = asyncio.Event()

    async def listen(self) -> None:
        """Listen until `stop`, then let what is under way be answered; cancelled, just end."""
        try:
            await self.serve(sockets=[self._bound])
            if self.server_state.tasks:  # cancelled a moment ago; each still has an answer to give
                await asyncio.wait(self.server_state.tasks, timeout=1.0)
        finally:
            for server in getattr(self, "servers", ()):
                server.close()
            self._bound.close()
            for connection in list(self.server_state.connections):
                connection.transport.abort()

    def stop(self, *, quickly: bool = False) -> None:
        """Take nothing new; with ``quickly`` wait for nothing either."""
        self.should_exit = True
        self.force_exit = self.force_exit or quickly

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """As uvicorn's, and tell."""
        await super().startup(sockets)
        self.up.set()

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """As uvicorn's, but who is late is given up in time, and that is no error."""
        late = asyncio.get_running_loop().call_later(self._stop_seconds, self._give_up)
        try:
            await super().shutdown(sockets)
        finally:
            late.cancel()

    def _give_up(self) -> None:
        for task in list(self.server_state.tasks):
            task.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: the process has two listeners and a worker, and one owner of its signals.

        uvicorn would raise each signal again when it is done, before anybody else has cleaned up.
        """
        yield
