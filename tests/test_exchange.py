"""How much of a body is read, and for how long; without any socket."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from hooks.exchange import DONE, TOO_LARGE, TOO_SLOW, UNAUTHORIZED, Exchange, Gone, Refusal

MOST = 100


class Client:
    """Sends what it is given, part by part, then says nothing more."""

    def __init__(self, *parts: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self.left = list(parts)
        self.heard: list[MutableMapping[str, Any]] = []
        scope = {"method": "POST", "path": "/", "headers": headers or []}
        self.exchange = Exchange(scope, self.receive, self.send)

    async def receive(self) -> dict[str, Any]:
        if not self.left:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": self.left.pop(0), "more_body": True}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.heard.append(message)

    async def body(self, seconds: float = 1.0) -> bytes:
        async with asyncio.timeout(seconds + 1.0):
            return await self.exchange.body(MOST, seconds, lambda _: None)


async def test_a_body_announced_as_too_large_is_not_read() -> None:
    client = Client(b"x", headers=[(b"content-length", b"101")])
    with pytest.raises(Refusal) as refused:
        await client.body(0.05)
    assert refused.value.answer is TOO_LARGE
    assert client.left == [b"x"]


async def test_a_body_without_a_length_is_cut() -> None:
    client = Client(*[b"x" * 30] * 20)
    with pytest.raises(Refusal) as refused:
        await client.body(0.05)
    assert refused.value.answer is TOO_LARGE
    assert len(client.left) == 16


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    client = Client(b"x")
    with pytest.raises(Refusal) as refused:
        await client.body(0.05)
    assert refused.value.answer is TOO_SLOW


async def test_whoever_leaves_before_the_end_gets_no_answer() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    scope = {"method": "POST", "path": "/", "headers": []}
    with pytest.raises(Gone):
        await Exchange(scope, receive, Client().send).body(MOST, 1.0, lambda _: None)


@pytest.mark.parametrize(
    "header", [(b"content-length", b"7"), (b"transfer-encoding", b"chunked")], ids=str
)
async def test_an_answer_before_the_body_ends_the_connection(header: tuple[bytes, bytes]) -> None:
    """Else the body would be taken for the next request."""
    client = Client(b"x" * 7, headers=[header])
    client.left = [b"x" * 2**20] * 16
    await client.exchange.answer(UNAUTHORIZED)
    assert (b"connection", b"close") in client.heard[0]["headers"]
    assert client.left == [], "read and dropped, so that the answer is not overtaken by a reset"


async def test_a_request_without_a_body_leaves_the_connection() -> None:
    client = Client(headers=[(b"content-length", b"0")])
    await client.exchange.answer(DONE)
    assert [each["type"] for each in client.heard] == ["http.response.start", "http.response.body"]
    assert client.heard[0]["headers"] == []
