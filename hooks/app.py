"""The public listener's doors: the hook Okta calls, and the two probes. Opens nothing.

Must live here: which answer each request gets; the only room that knows what a status tells
Okta. Must not know: how a delivery is stored, or what is done about it.
A 4xx is final at Okta, a 5xx is tried once more: so a fault of ours is always 503. Source: Okta
event hooks guide, "Timeout and retry".
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import msgspec
import structlog

from hooks import figures
from hooks.core.errors import MalformedError, StoreError
from hooks.core.event_hook import CHALLENGE_HEADER, PATH, authorized, verification
from hooks.core.log_event import EVENT_TYPES, parse_delivery, read_delivery
from hooks.core.payload import opened
from hooks.exchange import (
    BAD,
    DONE,
    GET_ONLY,
    GET_OR_POST,
    NOT_FOUND,
    NOT_READABLE,
    OK,
    TROUBLE,
    UNAUTHORIZED,
    Answer,
    Exchange,
    Gone,
    Refusal,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from prometheus_client import Counter

    from hooks.core.log_event import Delivery
    from hooks.exchange import Asgi, Receive, Scope, Send
    from hooks.store.intake import Stored

MOST_BYTES = 8 * 1024 * 1024
#: Bytes of all bodies held at once: 5,000 usual deliveries, or eight of the largest.
MOST_HELD_BYTES = 8 * MOST_BYTES
#: Seconds for a whole body. Okta sends it at once and itself gives up after three.
BODY_SECONDS = 10.0
#: What has more bytes or more events is read off the loop, so that everybody else is answered
#: meanwhile, and one at a time: together they would hold the interpreter, and the memory.
_BYTES_READ_HERE = 256 * 1024
_EVENTS_READ_HERE = 100
#: Okta's challenge is a short random word; what is longer is none.
_LONGEST_CHALLENGE = 1024
#: A wrong secret is told so often at most, since anybody can send one; so is each reason why
#: nothing can be stored, since Okta sends all day.
_TELL_SECONDS = 60.0
#: A probe's answer is good for so long, and a store that takes longer is not ready.
FRESH_SECONDS = 1.0
PATIENCE_SECONDS = 1.5

_NEW, _KNOWN = (figures.EVENTS.labels(seen) for seen in ("new", "known"))
_OF_TYPE = {each: figures.EVENT_TYPES.labels(each, "hook") for each in (*EVENT_TYPES, "other")}
_OTHER = _OF_TYPE["other"]
_CHALLENGE = CHALLENGE_HEADER.encode()
_JSON = (b"content-type", b"application/json")

log = structlog.get_logger("hooks.app")


@dataclass(frozen=True, slots=True)
class Hook:
    """What the hook's door needs: who may call, where deliveries go, whom to wake.

    ``secrets`` are read at every call, because they change while the process lives.
    """

    header: str
    secrets: Callable[[], Sequence[bytes]]
    put: Callable[[Delivery], Awaitable[Stored]]
    ring: Callable[[], None]
    body_seconds: float = BODY_SECONDS
    most_held: int = MOST_HELD_BYTES


class Readiness:
    """Whether this process can store what it is sent; asked of the store once a second at most."""

    def __init__(
        self,
        check: Callable[[], Awaitable[object]],
        *,
        loaded: Callable[[], bool],
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """``check`` writes to the store, or raises; ``loaded`` tells of the hook's secret."""
        self._check = check
        self.loaded = loaded
        self._patience = patience
        self._asked: asyncio.Task[bool] | None = None
        self._fresh_until = 0.0
        self.closing = False

    async def __call__(self) -> bool:
        """Ready or not. A check that hangs is waited for once, by all who ask."""
        if self.closing or not self.loaded():
            return False
        now = time.monotonic()
        if self._asked is None or (self._asked.done() and now >= self._fresh_until):
            self._fresh_until = now + FRESH_SECONDS
            self._asked = asyncio.create_task(self._ask())
        await asyncio.wait([self._asked], timeout=self._patience)
        return self._asked.done() and self._asked.result() and not self.closing

    async def _ask(self) -> bool:
        try:
            await self._check()
        except Exception as error:  # noqa: BLE001  # whatever it is, nothing can be stored
            known = isinstance(error, StoreError)
            log.warning("not_ready", error=str(error) if known else type(error).__name__)
            return False
        return True


def create_app(*, readiness: Readiness, hook: Hook | None) -> Asgi:
    """The public doors; without ``hook`` only the probes."""
    return _Doors(readiness, hook)


class _Doors:
    def __init__(self, readiness: Readiness, hook: Hook | None) -> None:
        self._readiness = readiness
        self._hook = hook
        self._header = hook.header.lower().encode() if hook else b""
        self._room = _Room(hook.most_held if hook else 0)
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")
        self._told: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        try:
            answer = await self._route(exchange)
        except Refusal as refusal:
            answer = refusal.answer
        except Gone:
            return
        except asyncio.CancelledError:
            # The server gives up on us while it stops; raised again, it would answer 500 itself.
            answer = TROUBLE
        except Exception as error:  # noqa: BLE001  # whatever it is, it is not Okta's fault
            log.error("fault", error=type(error).__name__)  # noqa: TRY400  # a trace shows values
            answer = TROUBLE
        if self._hook and exchange.path == PATH and exchange.method == "POST":
            _answered(answer.status).inc()
        await exchange.answer(answer)

    async def _route(self, exchange: Exchange) -> Answer:
        if exchange.path == PATH and self._hook:
            match exchange.method:
                case "POST":
                    return await self._receive(exchange, self._hook)
                case "GET":
                    return self._verify(exchange, self._hook)
                case _:
                    return GET_OR_POST
        match exchange.path, exchange.method:
            case "/livez", "GET":
                return OK
            case "/readyz", "GET":
                return OK if await self._readiness() else TROUBLE
            case "/livez" | "/readyz", _:
                return GET_ONLY
            case _:
                return NOT_FOUND

    def _to_tell(self, what: str) -> bool:
        now = time.monotonic()
        due = now > self._told.get(what, -_TELL_SECONDS) + _TELL_SECONDS
        if due:
            self._told[what] = now
        return due

    # -- the hook ------------------------------------------------------------------------------

    def _admitted(self, exchange: Exchange, hook: Hook) -> bool:
        """One line with the secret. Of several, a proxy and we might each believe another.

        Without any secret of ours nobody can be told from Okta: our trouble, and not theirs.
        """
        secrets = hook.secrets()
        if not any(secrets):
            raise Refusal(TROUBLE)
        shown = exchange.values(self._header)
        value = shown[0].strip(b" \t") if len(shown) == 1 else None  # RFC 9110 section 5.5
        admitted = authorized(value, secrets)
        if not admitted and self._to_tell("not admitted"):
            log.warning("not_admitted", header=hook.header)
        return admitted

    def _verify(self, exchange: Exchange, hook: Hook) -> Answer:
        if not self._admitted(exchange, hook):
            return UNAUTHORIZED
        shown = exchange.values(_CHALLENGE)
        challenge = shown[0].decode("latin-1") if len(shown) == 1 else ""
        sane = 0 < len(challenge) <= _LONGEST_CHALLENGE
        if not sane or not challenge.isascii() or not challenge.isprintable():
            return BAD
        return Answer.of(200, _JSON, body=msgspec.json.encode(verification(challenge)))

    async def _receive(self, exchange: Exchange, hook: Hook) -> Answer:
        started = time.perf_counter()
        if not self._admitted(exchange, hook):
            return UNAUTHORIZED
        codings = exchange.values(b"content-encoding")
        if any(each.strip().lower() not in (b"", b"identity") for each in codings):
            return NOT_READABLE
        held = _Held(self._room)
        try:
            body = await exchange.body(MOST_BYTES, hook.body_seconds, held.take)
            return await self._store(body, hook, started)
        finally:
            held.give_back()

    async def _store(self, body: bytes, hook: Hook, started: float) -> Answer:
        try:
            delivery = await self._read(body)
            stored = await hook.put(delivery)
        except MalformedError:
            return BAD
        except StoreError as error:
            if self._to_tell(reason := str(error)):
                log.warning("not_stored", error=reason)
            return TROUBLE
        if stored.new:
            hook.ring()
        _count(delivery, stored)
        figures.ACKNOWLEDGE_SECONDS.observe(time.perf_counter() - started)
        return DONE

    async def _read(self, body: bytes) -> Delivery:
        loop = asyncio.get_running_loop()
        if len(body) > _BYTES_READ_HERE:
            return await loop.run_in_executor(self._reader, parse_delivery, body)
        envelope = opened(body)
        if len(envelope.entries) > _EVENTS_READ_HERE:
            return await loop.run_in_executor(self._reader, read_delivery, envelope)
        return read_delivery(envelope)


@dataclass(slots=True)
class _Room:
    """The bytes of all bodies that may be held at once, and are left."""

    left: int


@dataclass(slots=True)
class _Held:
    """What one request holds of the room: taken as it comes, given back at the end.

    Only who showed the secret gets any.
    """

    room: _Room
    mine: int = 0

    def take(self, size: int) -> None:
        """Raises a Refusal if there is not so much left."""
        if size > self.room.left:
            raise Refusal(TROUBLE)
        self.room.left -= size
        self.mine += size

    def give_back(self) -> None:
        self.room.left += self.mine


@cache
def _answered(status: int) -> Counter:
    return figures.DELIVERIES.labels(str(status))


def _count(delivery: Delivery, stored: Stored) -> None:
    if stored.new:
        _NEW.inc(stored.new)
    if stored.known:
        _KNOWN.inc(stored.known)
    for event in delivery.events:
        _OF_TYPE.get(event.type, _OTHER).inc()
