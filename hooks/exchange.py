"""One HTTP request and its one answer, as little as a door needs of either.

Must live here: how much of a body is read, for how long, and when a connection must end.
Must not know: what any path or status means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, MutableMapping
from dataclasses import dataclass
from types import coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

#: After an early answer so much of the body is read and dropped before the connection ends,
#: or the end would reach the client as a reset that can overtake the answer. RFC 9112 section 9.6.
_DRAINED_BYTES = 16 * 1024 * 1024
_DRAINED_SECONDS = 1.0

_Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, its headers and its body; what stands here is all that is told."""

    status: int
    headers: _Headers = ((b"content-length", b"0"),)
    body: bytes = b""

    @classmethod
    def of(cls, status: int, *headers: tuple[bytes, bytes], body: bytes = b"") -> Answer:
        """An answer with the length that belongs to it."""
        return cls(status, ((b"content-length", b"%d" % len(body)), *headers), body)


#: A 204 has no length. RFC 9110 section 8.6.
DONE = Answer(204, ())
OK = Answer.of(200)
BAD = Answer.of(400)
UNAUTHORIZED = Answer.of(401)
NOT_FOUND = Answer.of(404)
TOO_SLOW = Answer.of(408)
TOO_LARGE = Answer.of(413)
NOT_READABLE = Answer.of(415)
#: Our own trouble, always: Okta tries again after a 5xx and never after a 4xx.
TROUBLE = Answer.of(503, (b"retry-after", b"1"))
GET_ONLY = Answer.of(405, (b"allow", b"GET"))
GET_OR_POST = Answer.of(405, (b"allow", b"GET, POST"))


class Refusal(Exception):  # noqa: N818  # an answer on its way, not a failure
    """Ends a request early with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Gone(Exception):  # noqa: N818  # as above
    """The client went away before its body was here; nobody waits for an answer."""


@coroutine
def _resumed(begun: Coroutine[Any, Any, _T], waits_for: Any) -> Generator[Any, Any, _T]:
    """Go on with a coroutine that was begun by hand, once what it waits for is there."""
    yield waits_for
    return (yield from begun.__await__())


class Exchange:
    """One request. Its body is read at most once, and only if somebody asks."""

    __slots__ = ("_receive", "_send", "_unread", "headers", "method", "path")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._unread = True

    def values(self, name: bytes) -> list[bytes]:
        """Every line of this header, whose name is in lower case."""
        return [value for each, value in self.headers if each == name]

    async def body(self, most: int, seconds: float, hold: Callable[[int], None]) -> bytes:
        """The whole body, of at most so many bytes, within so many seconds.

        ``hold`` is told the size of each part as it comes, and may raise a Refusal.
        Raises: Refusal if it is too large or too slow; Gone if it ends before its end.
        """
        announced = self.values(b"content-length")
        if announced and int(announced[0]) > most:
            raise Refusal(TOO_LARGE)
        collecting = self._collect(most, hold)
        try:
            waits_for = collecting.send(None)
        except StopIteration as end:  # it was there already, as a delivery is; a timer costs more
            body: bytes = end.value
            return body
        try:
            async with asyncio.timeout(seconds):
                return await _resumed(collecting, waits_for)
        except TimeoutError:
            raise Refusal(TOO_SLOW) from None

    async def _collect(self, most: int, hold: Callable[[int], None]) -> bytes:
        parts: list[bytes] = []
        size = 0
        while self._unread:
            part: bytes = await self._part()
            size += len(part)
            if size > most:
                raise Refusal(TOO_LARGE)
            hold(len(part))
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _part(self) -> bytes:
        message = await self._receive()
        if message["type"] != "http.request":
            raise Gone
        self._unread = message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part

    async def answer(self, answer: Answer) -> None:
        """Send the answer. With a body left unread the connection ends, politely.

        Its bytes must never be taken for the next request. RFC 9112 section 9.3.
        """
        ends = self._unread and self._announced()
        headers = [*answer.headers, (b"connection", b"close")] if ends else list(answer.headers)
        await self._send(
            {"type": "http.response.start", "status": answer.status, "headers": headers}
        )
        if ends:
            await self._send({"type": "http.response.body", "body": answer.body, "more_body": True})
            if answer is not TOO_SLOW:  # nothing is on its way that an end could overtake
                await self._drop()
        body = b"" if ends else answer.body
        await self._send({"type": "http.response.body", "body": body})

    def _announced(self) -> bool:
        """Whether the request says that it has a body."""
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
            for name, value in self.headers
        )

    async def _drop(self) -> None:
        left = _DRAINED_BYTES
        try:
            async with asyncio.timeout(_DRAINED_SECONDS):
                while self._unread and left > 0:
                    left -= len(await self._part())
        except (TimeoutError, Gone):
            return
