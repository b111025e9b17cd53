"""The one POST to whoever is to be told: what goes out, when it counts, and what is never said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from hooks.clock import elapsed
from hooks.core.errors import (
    HooksError,
    LeaseLostError,
    RejectedError,
    SettingsError,
    TransientError,
)
from hooks.gateways.notify import MARGIN, Notify
from hooks.sandbox.server import listening
from tests.gateways.stage import Serve, http
from tests.receiver import Receiver

SECRET = "a-secret-in-the-path"
BODY = b'{"what": "paused"}'


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def url(receiver: Receiver) -> AsyncIterator[str]:
    async with listening(receiver) as origin:
        yield origin


async def post(client: aiohttp.ClientSession, url: str, *, left: float = 30.0) -> None:
    await Notify(client=client, url=url).post(BODY, deadline=elapsed() + left)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("", "/"),
        ("/", "/"),
        (f"/services/{SECRET}", f"/services/{SECRET}"),
        (f"/a%2Fb?key={SECRET}&x=%20#part", f"/a%2Fb?key={SECRET}&x=%20"),
        ("?key=1", "/?key=1"),
    ],
)
async def test_it_goes_where_the_operator_wrote_and_shows_nothing_else(
    client: aiohttp.ClientSession, receiver: Receiver, url: str, given: str, asked: str
) -> None:
    await post(client, url + given)
    assert receiver.paths == [asked]
    assert receiver.taken == [{"what": "paused"}]
    [head] = receiver.heads
    assert head["content-type"] == "application/json"
    assert not {"authorization", "cookie"} & head.keys()


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_takes_it(
    client: aiohttp.ClientSession, receiver: Receiver, url: str, status: int
) -> None:
    receiver.status = status
    await post(client, url)
    assert len(receiver.taken) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_takes_nothing(
    client: aiohttp.ClientSession, receiver: Receiver, url: str, status: int
) -> None:
    receiver.status, receiver.location = status, f"{url}/elsewhere"
    with pytest.raises(RejectedError):
        await post(client, url)
    assert receiver.paths == ["/"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RejectedError),
        (401, RejectedError),
        (404, RejectedError),
        (429, RejectedError),
        (500, TransientError),
        (503, TransientError),
    ],
)
async def test_no_other_answer_takes_it_and_none_is_told_with_the_address(
    client: aiohttp.ClientSession,
    receiver: Receiver,
    url: str,
    status: int,
    kind: type[HooksError],
) -> None:
    receiver.status = status
    with pytest.raises(kind) as caught:
        await post(client, f"{url}/{SECRET}")
    assert str(caught.value) == f"notify answered {status} to POST alarm"
    assert caught.value.__cause__ is None


async def test_who_is_not_there_does_not_answer_or_is_slow_is_told_without_the_address(
    client: aiohttp.ClientSession, receiver: Receiver, canned: Serve, url: str
) -> None:
    silent = await canned(None)
    receiver.delay = 5.0
    hasty = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2))
    nowhere = "http://127.0.0.1:9"
    async with hasty:
        for door, origin in ((client, nowhere), (client, silent.origin), (hasty, url)):
            with pytest.raises(TransientError) as caught:
                await post(door, f"{origin}/{SECRET}")
            assert str(caught.value).startswith("notify ")
            assert SECRET not in str(caught.value)
            assert "127.0.0.1" not in str(caught.value)
            assert caught.value.__cause__ is None


async def test_an_answer_that_does_not_end_has_said_what_matters(canned: Serve) -> None:
    server = await canned(http(200, b"x", length=1_000_000_000))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2)) as hasty:
        await post(hasty, server.origin)
    assert len(server.heads) == 1


async def test_it_is_not_sent_again_when_a_kept_connection_turns_out_to_be_closed(
    client: aiohttp.ClientSession, canned: Serve
) -> None:
    async def answer(_: str) -> bytes | None:
        return http(200) if len(server.heads) == 1 else None

    server = await canned(answer)
    await post(client, server.origin)
    with pytest.raises(TransientError):
        await post(client, server.origin)
    assert len(server.heads) == 2


async def test_who_is_late_says_nothing_since_somebody_else_may(
    client: aiohttp.ClientSession, receiver: Receiver, url: str
) -> None:
    with pytest.raises(LeaseLostError):
        await post(client, url, left=MARGIN - 0.1)
    assert receiver.seen == []
    await post(client, url, left=MARGIN + 1)


@pytest.mark.parametrize("url", ["http://hooks.example.com/x", "http://10.0.0.1/", "ftp://x/"])
async def test_nothing_goes_out_in_clear_but_to_this_machine(
    client: aiohttp.ClientSession, url: str
) -> None:
    with pytest.raises(SettingsError):
        Notify(client=client, url=url)
    await asyncio.sleep(0)
