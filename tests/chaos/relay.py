"""TCP between two parties on loopback: forwarded, cut, or held in silence, as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Self

_CHUNK = 64 * 1024


class Relay:
    """Forwards each connection to the first of ``targets`` that takes it; these are ports."""

    def __init__(self, *ports: int) -> None:
        self.targets: Callable[[], Iterable[int]] = lambda: ports
        self._speaks = _set()
        self._broken = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- what networks do ----------------------------------------------------------------------

    def cut(self) -> None:
        """Reset every connection there is."""
        for each in list(self._ends):
            each.transport.abort()

    def breaks(self) -> None:
        """Reset every connection, and each new one as it comes."""
        self._broken = True
        self.cut()

    def mute(self) -> None:
        """Take every connection, acknowledge every byte, and forward none."""
        self._speaks.clear()

    def forward(self, *, forget: bool = False) -> None:
        """Forward again; what was muted goes on where it was, or with ``forget`` never."""
        self._broken = False
        if forget:
            self._speaks = _set()
        self._speaks.set()

    # -- one connection ------------------------------------------------------------------------

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            writer.close()
        finally:
            self._tasks.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        speaks = self._speaks
        ends = [writer]
        self._ends.add(writer)
        try:
            await speaks.wait()
            if self._broken:
                return
            port, there, back = await self._reach()
            ends.append(back)
            self._ends.add(back)
            ways = [
                asyncio.create_task(self._pump(reader, back, speaks)),
                asyncio.create_task(self._answers(port, there, writer, speaks)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            for each in ends:
                self._ends.discard(each)
                each.close()

    async def _reach(self) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter]:
        for port in self.targets():
            with suppress(OSError):
                return port, *await asyncio.open_connection("127.0.0.1", port)
        raise ConnectionRefusedError

    async def _answers(
        self,
        port: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        speaks: asyncio.Event,
    ) -> None:
        """What comes back from the target at ``port``."""
        del port
        await self._pump(reader, writer, speaks)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, speaks: asyncio.Event
    ) -> None:
        while data := await reader.read(_CHUNK):
            await speaks.wait()
            writer.write(data)
            await writer.drain()


class Balancer(Relay):
    """What stands before the replicas: one request on a connection, and they take turns.

    ``withholds`` is asked with the port and the bytes of each answer whether it is to be lost;
    ``passed`` is told of what went out.
    """

    def __init__(self, *ports: int) -> None:
        super().__init__(*ports)
        self.withholds: Callable[[int, bytes], bool] = lambda _port, _answer: False
        self.passed: Callable[[int, bytes], None] = lambda _port, _answer: None

    async def _answers(
        self,
        port: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        speaks: asyncio.Event,
    ) -> None:
        # An answer to Okta is a head and nothing else, and comes in one piece.
        answer = await reader.read(_CHUNK)
        await speaks.wait()
        if not answer or self.withholds(port, answer):
            return
        writer.write(answer)
        await writer.drain()
        self.passed(port, answer)


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
