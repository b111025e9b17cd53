"""The one door for HTTP to vendors: every way a call can fail becomes a HooksError here.

Origin, credential and the meaning of a status must live here; paths, shapes and what an answer is
good for, this room must not know.

Nothing is repeated here but one call after a 401, or a 403 to everything, with the secret read
anew: whoever holds the lease decides about repeating.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from hooks.clock import elapsed
from hooks.core.errors import (
    CredentialError,
    ForbiddenError,
    HooksError,
    IncompleteError,
    LeaseLostError,
    LostReplyError,
    NotFoundError,
    NowhereError,
    PermanentError,
    RateLimitedError,
    RejectedError,
    SettingsError,
    TransientError,
)
from hooks.gateways.answers import code_of, decoded, next_link
from hooks.gateways.outcome import counted
from hooks.gateways.urls import origin_of
from hooks.gateways.wire import MOST_BYTES, Call, Reply, exchange

if TYPE_CHECKING:
    import aiohttp
    import msgspec

    from hooks.gateways.breaker import Breaker
    from hooks.gateways.credential import Credential
    from hooks.gateways.pace import Pace
    from hooks.gateways.place import Place

T = TypeVar("T")


class NoSuchCallError(RejectedError):
    """405: the vendor does not offer this call. Source: RFC 9110 section 15.5.6."""


#: Seconds of lease a write needs in order to start: its whole time at the vendor, and then some.
LEASE_MARGIN = 15.0
#: Seconds for which a probe's answer is shared by all who were answered 403.
PROBE_SECONDS = 3.0

#: 5xx after which a change may have been applied; 501 and 503 are answered before.
_PERHAPS = frozenset({500, 502, 504})
_REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
#: What 4xx mean by themselves; any other is a no. 408 and 425 say "not now". Sources: RFC 9110
#: section 15.5, RFC 8470 section 5.2.
_PERMANENT: dict[int, type[PermanentError]] = {
    403: ForbiddenError,
    404: NotFoundError,
    405: NoSuchCallError,
}
_NOT_NOW = frozenset({408, 425})


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A whole 200 in the shape asked for; ``next`` is the target of the next page, if any."""

    value: T
    next: str | None = None


class Transport:
    """One vendor's origin with one credential."""

    def __init__(
        self,
        *,
        vendor: str,
        origin: str,
        client: aiohttp.ClientSession,
        pace: Pace,
        breaker: Breaker,
        credential: Credential | None,
        probes: tuple[str, ...] = (),
        methods: frozenset[str] = frozenset({"GET"}),
        place: Place | None = None,
    ) -> None:
        """``vendor`` opens every message; ``origin`` is scheme, host and port.

        ``probes`` are targets of cheap GETs which this credential must be able to read if it
        works at all. ``methods`` are all that may leave by this door. ``place`` is what the
        settings name, where that may not be there.
        Raises: SettingsError for an origin with more in it, or http off loopback.
        """
        self.vendor = vendor
        self.pace = pace
        self.breaker = breaker
        self.origin = origin_of(origin)
        self._client = client
        self._credential = credential
        self._probes = probes
        self._methods = methods
        self._place = place
        self._probing = asyncio.Lock()
        self._probed: tuple[float, str, type[PermanentError] | None] = (-PROBE_SECONDS, "", None)

    async def get(
        self,
        operation: str,
        target: str,
        decoder: msgspec.json.Decoder[T],
        *,
        bucket: str = "",
        accept: str = "application/json",
        most_bytes: int = MOST_BYTES,
        lists: bool = False,
    ) -> Answer[T]:
        """Read ``target`` (path and query, percent-encoded) whole; ``lists`` as in ``Call``.

        Raises: NotFoundError, ForbiddenError (this resource only), RejectedError,
        CredentialError, NowhereError, IncompleteError (believe nothing of it), or a
        TransientError (give the lease back and come again).
        """
        call = Call(
            vendor=self.vendor,
            method="GET",
            operation=operation,
            target=target,
            bucket=bucket,
            accept=accept,
            most_bytes=most_bytes,
            lists=lists,
        )
        with counted(call):
            reply = await self._send(call)
            value = _read(call, reply, decoder)
            try:
                following = next_link(reply.links)
            except IncompleteError as error:
                raise IncompleteError(call.says(f"gave {error} to")) from None
            return Answer(value, None if following is None else self._within(call, following))

    async def change(
        self,
        method: str,
        operation: str,
        target: str,
        body: bytes | None,
        *,
        deadline: float,
        content_type: str = "application/json",
    ) -> None:
        """Send a change; return when a 2xx said it was taken. Its body is not looked at.

        ``deadline`` is when the lease ends, in seconds of ``hooks.clock.elapsed``.
        Raises: as ``get``; LeaseLostError (nothing was sent), LostReplyError (read before
        believing anything).
        """
        call = Call(
            vendor=self.vendor,
            method=method,
            operation=operation,
            target=target,
            body=body,
            content_type=content_type,
            accept=content_type,
            deadline=deadline,
        )
        with counted(call):
            await self._send(call)

    async def ask(
        self,
        operation: str,
        target: str,
        body: bytes,
        decoder: msgspec.json.Decoder[T],
        *,
        bucket: str = "",
        content_type: str = "application/x-www-form-urlencoded",
        lists: bool = False,
    ) -> T:
        """POST a question that changes nothing (a token request, a search); read the answer whole.

        It is a read: no lease is needed, and asking again does no harm. Raises: as ``get``.
        """
        call = Call(
            vendor=self.vendor,
            method="POST",
            operation=operation,
            target=target,
            bucket=bucket,
            body=body,
            content_type=content_type,
            lists=lists,
        )
        with counted(call):
            return _read(call, await self._send(call), decoder)

    def snapshot(self) -> dict[str, Any]:
        """Breakers and budget, for a status page; no secret."""
        place = self._place
        there = {place.setting: place.breaker.snapshot()} if place else {}
        return {"breaker": self.breaker.snapshot(), "pace": self.pace.snapshot(), **there}

    # -- from an intention to a reply ----------------------------------------------------------

    async def _send(self, call: Call) -> Reply:
        if call.method not in self._methods:
            msg = f"{call.method} does not leave by this door"
            raise ValueError(msg)
        place = self._place.breaker.guard(telling=call.lists) if self._place else nullcontext()
        with place, self.breaker.guard():
            if self._credential is None:
                reply = await self._paced(call, "")
            else:
                reply = await self._authorized(call, self._credential)
            if reply.taken and (call.changes or reply.status == HTTPStatus.OK):
                return reply
            raise _failure(call, reply)

    async def _authorized(self, call: Call, credential: Credential) -> Reply:
        """Send; if the whole credential is refused, once more with the secret read anew."""
        used = await credential.authorization()
        reply = await self._paced(call, used)
        if await self._refused(call, reply, used):
            await credential.reload(used)
            used = await credential.authorization()
            reply = await self._paced(call, used)
            if refused := await self._refused(call, reply, used):
                what = f"answered {reply.status} to"
                if refused is NowhereError and self._place:
                    what = f"has no such {self._place.setting}, it {what}"
                raise refused(call.says(what), code=code_of(reply.body))
        return reply

    async def _refused(self, call: Call, reply: Reply, used: str) -> type[PermanentError] | None:
        """Whether the credential, or the place, is refused, and not this resource alone.

        401 is about the credential; of a 403 that does not say, a probe tells.
        """
        if self._place and self._place.denied(call, reply):
            return NowhereError
        if reply.status != HTTPStatus.FORBIDDEN or not self._probes:
            return CredentialError if reply.status == HTTPStatus.UNAUTHORIZED else None
        async with self._probing:
            at, asked_with, refused = self._probed
            if asked_with != used or elapsed() - at >= PROBE_SECONDS:
                refused = await self._refused_everywhere(call, used)
                self._probed = (elapsed(), used, refused)
            return refused

    async def _refused_everywhere(self, call: Call, used: str) -> type[PermanentError] | None:
        for target in self._probes:
            probe = Call(
                vendor=self.vendor,
                method="GET",
                operation="probe",
                target=target,
                accept=call.accept,
                lists=call.lists,  # where one thing is hidden, an ended probe tells nothing
            )
            with counted(probe):
                reply = await self._paced(probe, used)
                if self._place and self._place.denied(probe, reply):
                    return NowhereError
                if reply.status not in _REFUSALS:
                    if isinstance(failure := _failure(probe, reply), TransientError):
                        raise failure
                    return None
        return CredentialError

    async def _paced(self, call: Call, authorization: str) -> Reply:
        async with self.pace.turn(call.bucket) as turn:
            if call.deadline is not None and call.deadline - elapsed() < LEASE_MARGIN:
                raise LeaseLostError(call.says("was not sent, too little lease is left for"))
            return await exchange(self._client, self.origin, call, authorization, turn.learn)

    def _within(self, call: Call, link: str) -> str:
        """The target of a next link, if it leads on with the same list of the same vendor."""
        try:
            parts = urlsplit(link)
            same = origin_of(f"{parts.scheme}://{parts.netloc}") == self.origin
        except (ValueError, SettingsError):
            same = False
        if not same or parts.path != urlsplit(call.target).path:
            raise IncompleteError(call.says("gave a next link that leads elsewhere to"))
        return f"{parts.path}?{parts.query}"


def _read(call: Call, reply: Reply, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode, on the event loop.

    8 MiB take 10 ms, and msgspec holds the interpreter lock meanwhile, so that a thread would
    stop the loop for just as long (measured).
    """
    if not reply.json:
        raise IncompleteError(call.says("gave an answer that is no JSON to"))
    try:
        return decoded(decoder, reply.body)
    except IncompleteError as error:
        raise IncompleteError(call.says(f"gave {error} to")) from None


def _failure(call: Call, reply: Reply) -> HooksError:
    """What an answer means that is not the one hoped for. Source: RFC 9110 section 15."""
    status = reply.status
    message = call.says(f"answered {status} to")
    if status < HTTPStatus.BAD_REQUEST and not call.changes:  # a redirect, or a strange 2xx
        return IncompleteError(message)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitedError(message, retry_at=reply.retry_at)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _NOT_NOW:
        kind = LostReplyError if call.changes and status in _PERHAPS else TransientError
        return kind(message, retry_at=reply.retry_at)
    return _PERMANENT.get(status, RejectedError)(message, code=code_of(reply.body))
