"""Whoever is to be told of alarms: takes them, or does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hooks.exchange import Receive, Scope, Send


@dataclass
class Receiver:
    """Answers ``status`` after ``delay`` seconds; ``location`` is where a redirect leads.

    ``before`` is done before it answers. ``taken`` are the notifications it answered with a 2xx,
    ``seen`` all that came, ``paths`` where they came, and ``heads`` with which headers.
    """

    status: int = 204
    delay: float = 0.0
    location: str = ""
    before: Callable[[], object] = lambda: None
    taken: list[dict[str, Any]] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        assert scope["method"] == "POST"
        told = json.loads(body)
        self.seen.append(told)
        query = scope["query_string"].decode()
        self.paths.append(scope["raw_path"].decode() + (f"?{query}" if query else ""))
        self.heads.append({name.decode(): value.decode() for name, value in scope["headers"]})
        status, location = self.status, self.location
        self.before()
        await asyncio.sleep(self.delay)
        if 200 <= status < 300:
            self.taken.append(told)
        headers = [(b"location", location.encode())] if location else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def said(self, *keys: str) -> list[tuple[Any, ...]]:
        """What was taken, as what and in which state, or by other keys."""
        return [tuple(told[key] for key in keys or ("what", "state")) for told in self.taken]
