"""One HTTP exchange with a vendor: bytes out, status and bytes back, within limits.

Connections, timeouts, sizes, and which failure may have left something behind must live here;
what a status means, and who asks, this room must not know.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from hooks.core.errors import IncompleteError, LostReplyError, TransientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from datetime import datetime

#: Seconds for one call, first byte to last. A write begins only with more than this left of its
#: lease, with room for a stalled event loop; Okta and Atlassian commonly answer within 1 s.
CALL_SECONDS = 10.0
#: Seconds to reach the vendor at all: a lost SYN is sent again after 1 s and 3 s.
CONNECT_SECONDS = 4.0
#: Seconds an idle connection is kept: shorter than the 60 s after which load balancers commonly
#: close theirs, because a write that meets that moment ends as a lost reply.
KEEP_SECONDS = 20.0
#: Bytes of an answer that are read; a page of 1000 fat log events is about 5 MiB.
MOST_BYTES = 16 * 1024 * 1024
#: Bytes of an error that are read: codes stand at its beginning, and it may be a web page.
MOST_ERROR_BYTES = 64 * 1024
#: Bytes of a write's answer that are read and dropped in order to keep the connection. The
#: whole group comes back, 8 MiB for 35,000 members: what is longer than this takes longer to
#: arrive than a new connection takes to open, and the next batch for the group is waiting.
MOST_DRAINED_BYTES = 1024 * 1024
#: Bytes of one header: Okta's cursors and security headers outgrow the usual 8 KiB.
MOST_HEADER_BYTES = 32 * 1024
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it is meant; ``operation`` names it wherever people read.

    ``lists`` says that it asks for a list, which is there wherever its place is.
    """

    vendor: str
    method: str
    operation: str
    target: str
    bucket: str = ""
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"
    deadline: float | None = None
    most_bytes: int = MOST_BYTES
    lists: bool = False

    @property
    def changes(self) -> bool:
        """It may leave something behind at the vendor, and is sent under a lease."""
        return self.deadline is not None

    def says(self, what: str) -> str:
        """A message: ``okta answered 503 to GET user``. Never the target, which holds ids."""
        return f"{self.vendor} {what} {self.method} {self.operation}"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of any status; ``body`` is empty for a change that was taken."""

    status: int
    body: bytes
    json: bool
    links: tuple[str, ...]
    retry_at: datetime | None

    @property
    def taken(self) -> bool:
        """A 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004  # RFC 9110 section 15.3


#: What carries calls, for whoever only hands it on.
Client = aiohttp.ClientSession


@asynccontextmanager
async def open_client() -> AsyncIterator[aiohttp.ClientSession]:
    """One pool of connections for all vendors; it keeps no cookie and asks no proxy.

    aiohttp and not httpx, measured on two cores with CPython 3.11: 63 PATCHes at once to a
    server that takes 50 ms each: httpx's own pool 690 ms, aiohttp 67 ms. Import 0.27 s and
    31 MiB against 0.28 s and 37 MiB; both, joined by httpx-aiohttp, 0.50 s and 44 MiB. And
    httpx-aiohttp 0.2.0 turns a connection that broke after the request left into
    ConnectTimeout, "nothing was sent", which for a write is not true.
    """
    for name in ("aiohttp", "httpx", "httpcore"):
        # They log URLs, and headers at DEBUG.
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(
            total=CALL_SECONDS, sock_connect=CONNECT_SECONDS, ceil_threshold=CALL_SECONDS
        ),
        headers={"User-Agent": "okta-atlassian-hooks", "Accept-Encoding": "gzip"},
        max_line_size=MOST_HEADER_BYTES,
        max_field_size=MOST_HEADER_BYTES,
        trust_env=False,  # a .netrc would put its own Authorization where we send none
    ) as client:
        yield client


async def exchange(
    client: aiohttp.ClientSession,
    origin: str,
    call: Call,
    authorization: str,
    learn: Callable[[int, Mapping[str, str]], datetime | None],
) -> Reply:
    """Send the call once; ``learn`` hears status and headers before the body is read.

    Raises: TransientError if nothing reached the vendor, or a read was not answered;
    LostReplyError if a change may have reached it; IncompleteError if a 2xx was cut or too long.
    """
    try:
        return await _exchange(client, origin, call, authorization, learn)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        # Without its cause here and below: it quotes addresses and what was received.
        raise TransientError(call.says("could not be reached for")) from None
    except (aiohttp.ClientError, TimeoutError, OSError):
        if call.changes:
            raise LostReplyError(call.says("did not answer")) from None
        raise TransientError(call.says("did not answer")) from None


async def _exchange(
    client: aiohttp.ClientSession,
    origin: str,
    call: Call,
    authorization: str,
    learn: Callable[[int, Mapping[str, str]], datetime | None],
) -> Reply:
    headers = {"Accept": call.accept}
    if authorization:
        headers["Authorization"] = authorization
    if call.body is not None:
        headers["Content-Type"] = call.content_type
    # ``encoded``: what was percent-encoded by us or in a next link goes out as it is.
    url = URL(origin + call.target, encoded=True)
    async with client.request(
        call.method,
        url,
        data=call.body,
        headers=headers,
        allow_redirects=False,
        middlewares=(_once,) if call.changes else (),
    ) as response:
        reply = Reply(
            response.status,
            b"",
            "json" in response.headers.get("Content-Type", "json").lower(),
            tuple(response.headers.getall("Link", ())),
            learn(response.status, response.headers),
        )
        if not reply.taken:
            body = await _beginning(response, MOST_ERROR_BYTES)
        elif call.changes:
            await _beginning(response, MOST_DRAINED_BYTES, keep=False)
            body = b""
        else:
            body = await _whole(response, call)
    return Reply(reply.status, body, reply.json, reply.links, reply.retry_at)


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a change again.

    When a kept connection turns out to be closed it repeats whatever HTTP calls idempotent, a
    DELETE too; the first may have been applied, and the second would say that there was nothing.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise  # nothing reached the vendor; aiohttp does not repeat these
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise aiohttp.ClientConnectionError from None


async def _whole(response: aiohttp.ClientResponse, call: Call) -> bytes:
    """A body to its end. A timeout passes through: nothing is known to be wrong with it."""
    body = bytearray()
    try:
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > call.most_bytes:
                raise IncompleteError(call.says("gave too long an answer to"))
    except TimeoutError:
        raise
    except (aiohttp.ClientError, OSError):
        raise IncompleteError(call.says("gave a cut answer to")) from None
    return bytes(body)


async def _beginning(response: aiohttp.ClientResponse, most: int, *, keep: bool = True) -> bytes:
    """At most so many bytes. The status has said what matters, so nothing here is an error.

    A body read to its end leaves its connection in the pool; any other closes it.
    """
    body = bytearray()
    seen = 0
    try:
        async for chunk in response.content.iter_chunked(_CHUNK):
            seen += len(chunk)
            if keep:
                body += chunk
            if seen > most:
                break
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass
    return bytes(body[:most])
