"""What the tests of the gateways play with: a clock, a secret, a server on bare sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from hooks.clock import Clock
from hooks.gateways.credential import Credential
from hooks.gateways.transport import Transport

START = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


class Wall:
    """A wall clock the test moves."""

    def __init__(self) -> None:
        self.at = START
        self.clock = Clock(self._seconds)

    def _seconds(self) -> float:
        return self.at.timestamp()

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Vault:
    """A secret that may change under way; ``reads`` counts."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.reads = 0

    def read(self) -> str:
        self.reads += 1
        return self.secret


class Door(Protocol):
    """Makes a transport to an origin."""

    def __call__(
        self,
        origin: str,
        *,
        credential: Credential | None = None,
        probes: tuple[str, ...] = (),
        most: int = 30,
    ) -> Transport: ...


class Canned:
    """A server on bare sockets: hands each request's head to ``answer`` and sends its bytes.

    ``answer`` may return None to close without a word.
    """

    def __init__(self, answer: Callable[[str], Awaitable[bytes | None]]) -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.origin = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    (
                        int(line.split(":")[1])
                        for line in head.splitlines()
                        if line.lower().startswith("content-length:")
                    ),
                    0,
                )
                self.bodies.append(await reader.readexactly(length))
                self.heads.append(head)
                reply = await self.answer(head)
                if reply is None:
                    break
                writer.write(reply)
                await writer.drain()
                if b"\r\nconnection: close" in reply.lower():
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


Serve = Callable[[bytes | Callable[[str], Awaitable[bytes | None]] | None], Awaitable[Canned]]


def http(
    status: int = 200,
    body: bytes = b"{}",
    *headers: str,
    content_type: str = "application/json",
    length: int | None = None,
) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Whatever",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
