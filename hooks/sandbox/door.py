"""The door in front of each vendor app: records, observes, and lets faults strike."""

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import format_datetime
from typing import Any

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .faults import Fault, Request
from .world import World

RawHeaders = list[tuple[bytes, bytes]]
ErrorBody = Callable[[int], Any]
Judge = Callable[[Request], Iterable[str]]
FOREIGN = "https://foreign.example"


@dataclass
class Reply:
    status: int
    headers: RawHeaders = field(default_factory=list)
    body: bytes = b""

    def set(self, name: bytes, value: bytes) -> None:
        self.headers = [(k, v) for k, v in self.headers if k.lower() != name] + [(name, value)]

    def replace_body(self, body: bytes) -> None:
        self.body = body
        self.set(b"content-length", str(len(body)).encode())


class Door:
    """ASGI middleware; paths that start with ``/sandbox`` pass unseen."""

    def __init__(
        self, app: ASGIApp, world: World, vendor: str, error_body: ErrorBody, judge: Judge
    ) -> None:
        self.app = app
        self.world = world
        self.vendor = vendor
        self.error_body = error_body
        self.judge = judge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/sandbox"):
            await self.app(scope, receive, send)
            return
        came = asyncio.get_running_loop().time()
        body = await read_body(receive)
        world, traffic = self.world, self.world.traffic
        request = traffic.record(
            self.vendor,
            scope["method"],
            scope["path"],
            query=scope["query_string"].decode("latin-1"),
            body=body,
            at=world.now(),
        )
        traffic.violations.extend(self.judge(request))
        await traffic.observe("before", request)
        world.tick()
        fault = traffic.trouble(request)
        reply = await self._answer(scope, body, receive, fault)
        if reply is None:
            await close(send)
            return
        if fault is not None and fault.takes:
            await asyncio.sleep(came + fault.takes - asyncio.get_running_loop().time())
        request.status = reply.status
        ahead = "okta_clock" if self.vendor == "okta" else "atlassian_clock"
        now = world.ago(-getattr(world.switches, ahead)).astimezone(UTC)
        reply.set(b"date", format_datetime(now, usegmt=True).encode())
        await traffic.observe("after", request)
        await deliver(send, reply, cut=fault is not None and fault.cut)

    async def _answer(
        self, scope: Scope, body: bytes, receive: Receive, fault: Fault | None
    ) -> Reply | None:
        """The reply, or None if the connection is to be closed instead."""
        if fault is None:
            return await capture(self.app, scope, body)
        await asyncio.sleep(fault.delay)
        if fault.hang:
            await hang(receive, fault.hang)
        if fault.hang or fault.drop:
            return None
        if fault.redirect is not None:
            return Reply(302, [(b"location", fault.redirect.encode()), (b"content-length", b"0")])
        if fault.status is not None:
            return self._refusal(fault.status, fault)
        reply = await capture(self.app, scope, body)
        return None if fault.drop_after else bent(reply, fault)

    def _refusal(self, status: int, fault: Fault) -> Reply:
        content = self.error_body(status) if fault.body is None else fault.body
        kind = b"application/json"
        if isinstance(content, str):
            content, kind = content.encode(), b"text/html"
        elif not isinstance(content, bytes):
            content = json.dumps(content).encode()
        reply = Reply(status, [(b"content-type", kind)])
        reply.replace_body(content)
        for name, value in fault.headers.items():
            reply.set(name.lower().encode(), value.encode())
        return reply


def bent(reply: Reply, fault: Fault) -> Reply:
    """The true reply, made to lie as the fault says."""
    if fault.empty_list:
        reply.replace_body(_emptied(reply.body))
    if fault.drop_next:
        reply.headers = [h for h in reply.headers if not _is_next(h)]
        reply.replace_body(_closed_list(reply.body))
    if fault.foreign_next:
        reply.headers = [_moved(h) if _is_next(h) else h for h in reply.headers]
        reply.replace_body(_moved_link(reply.body))
    if fault.repeat_next:
        if any(_is_next(header) for header in reply.headers):
            reply.headers = _repeated(reply.headers)
        reply.replace_body(_repeated_link(reply.body))
    if fault.truncate:
        reply.replace_body(reply.body[: len(reply.body) // 2])
    for name, value in fault.headers.items():
        reply.set(name.lower().encode(), value.encode())
    return reply


def _is_next(header: tuple[bytes, bytes]) -> bool:
    return header[0].lower() == b"link" and b'rel="next"' in header[1]


def _moved(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    return header[0], re.sub(rb"<https?://[^/]+", b"<" + FOREIGN.encode(), header[1])


def _repeated(headers: RawHeaders) -> RawHeaders:
    """The next page is this page again."""
    own = next(v for k, v in headers if k.lower() == b"link" and b'rel="self"' in v)
    again = (b"link", own.replace(b'rel="self"', b'rel="next"'))
    return [again if _is_next(header) else header for header in headers]


def _emptied(body: bytes) -> bytes:
    content = _parsed(body)
    if isinstance(content, list):
        return b"[]"
    if isinstance(content, dict) and "Resources" in content:
        content |= {"Resources": [], "totalResults": 0, "itemsPerPage": 0}
    elif isinstance(content, dict) and isinstance(content.get("data"), list):
        content |= {"data": [], "links": {}}
    elif content is None:
        return body
    return json.dumps(content).encode()


def _closed_list(body: bytes) -> bytes:
    """A SCIM page has no next link: it claims to be the last one."""
    content = _parsed(body)
    if isinstance(content, dict) and "Resources" in content:
        content["totalResults"] = content["startIndex"] - 1 + len(content["Resources"])
    elif "next" in _links(content):
        del content["links"]["next"]
    else:
        return body
    return json.dumps(content).encode()


def _parsed(body: bytes) -> Any:
    """None if it is not JSON: a fault may strike any reply."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def _links(content: Any) -> dict[str, str]:
    """``links`` of a page of the organization."""
    found = content.get("links") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}


def _moved_link(body: bytes) -> bytes:
    """A URL of another host, whatever form the link had."""
    content = _parsed(body)
    links = _links(content)
    if "next" not in links:
        return body
    cursor = links["next"].rpartition("cursor=")[2]
    links["next"] = f"{FOREIGN}/admin/v2/orgs?cursor={cursor}"
    return json.dumps(content).encode()


def _repeated_link(body: bytes) -> bytes:
    content = _parsed(body)
    links = _links(content)
    if "next" not in links:
        return body
    links["next"] = links["self"]
    return json.dumps(content).encode()


# --- ASGI ------------------------------------------------------------------------------------


async def read_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def capture(app: ASGIApp, scope: Scope, body: bytes) -> Reply:
    """Run the app to its end and keep what it answers."""
    reply = Reply(500)
    parts: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = list(message["headers"])
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    reply.body = b"".join(parts)
    return reply


async def deliver(send: Send, reply: Reply, *, cut: bool = False) -> None:
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    if cut:
        half = reply.body[: len(reply.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await close(send)
        return
    await send({"type": "http.response.body", "body": reply.body})


async def hang(receive: Receive, seconds: float) -> None:
    """Keep the caller waiting until it gives up, or that long."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    waiting = asyncio.ensure_future(gone())
    await asyncio.wait([waiting], timeout=seconds)
    waiting.cancel()


async def close(send: Send) -> None:
    """Close the connection without (the rest of) a reply.

    ASGI has no word for it. uvicorn's ``send`` is bound to the object that holds the
    transport; without a socket the client's own error is raised through the app.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
    transport.abort()
    await asyncio.sleep(0)
