"""The one POST to whoever the operator wants told: what it needs to go out, and when it counts.

Must live here: the address, which may hold a secret and is therefore shown nowhere. Must not
know: what is told.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hooks.clock import elapsed
from hooks.core.errors import LeaseLostError, RejectedError, TransientError
from hooks.gateways.urls import origin_of
from hooks.gateways.wire import CALL_SECONDS, Call, exchange

if TYPE_CHECKING:
    import aiohttp

#: Seconds that must be left in which nobody else tells the same: the call's, and then some.
MARGIN = CALL_SECONDS + 5.0


class Notify:
    """A receiver of alarms. It is shown no credential but what its own address holds."""

    def __init__(self, *, client: aiohttp.ClientSession, url: str) -> None:
        """``url`` whole, percent-encoded. Raises: SettingsError for http off loopback."""
        parts = urlsplit(url)
        self._client = client
        self._origin = origin_of(f"{parts.scheme}://{parts.netloc}")
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    async def post(self, body: bytes, *, deadline: float) -> None:
        """Send JSON; return when a 2xx said it was taken. Redirects are not followed.

        ``deadline`` is until when nobody else tells it, in seconds of ``hooks.clock.elapsed``.
        Raises: LeaseLostError (nothing was sent), TransientError, RejectedError; it is tried
        again after any of them.
        """
        call = Call(
            vendor="notify",
            method="POST",
            operation="alarm",
            target=self._target,
            body=body,
            deadline=deadline,
        )
        if deadline - elapsed() < MARGIN:
            raise LeaseLostError(call.says("was not sent, it is late for"))
        reply = await exchange(self._client, self._origin, call, "", lambda *_: None)
        if reply.taken:
            return
        kind = RejectedError if reply.status < HTTPStatus.INTERNAL_SERVER_ERROR else TransientError
        raise kind(call.says(f"answered {reply.status} to"))
