"""How fast one credential may call its vendor: lanes, slots, and budgets learnt from answers.

Everything about rates must live here; what a call is for, and HTTP itself, this room must not
know. Two things hold a call back: the *slots* (so many calls at once, the urgent lane first)
and the *budget* (the vendor's window is spent, or it answered 429). A spent budget says until
when instead of keeping a worker waiting.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import deque
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hooks import figures
from hooks.core.errors import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from hooks.clock import Clock

#: A wait this short costs less than giving the lease back.
PATIENCE = timedelta(seconds=1)
#: Longest wait for a slot while nothing is wrong: one call's whole time at the vendor.
QUEUE = timedelta(seconds=10)
#: A wait a vendor asks for is believed up to here, so that a bad header parks nobody for a year.
LONGEST = timedelta(hours=1)
#: Years an instant of a vendor may lie in; moved by the difference of two, it is still one.
_YEARS = range(2000, 4000)
_TOO_MANY_REQUESTS, _VENDORS_FAULT = 429, 500


class Lane(StrEnum):
    """Urgent work is never behind bulk work."""

    URGENT = "urgent"
    BULK = "bulk"


#: The lane of the running task; whoever takes a lease sets it once, tasks below inherit it.
lane: ContextVar[Lane] = ContextVar("lane", default=Lane.URGENT)


# -- what the headers say ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rate:
    """What one answer said about the budget; ``None`` where it said nothing usable."""

    limit: int | None = None
    remaining: int | None = None
    reset: datetime | None = None
    retry: datetime | None = None


def rate_of(headers: Mapping[str, str], now: datetime) -> Rate:
    """Read the rate headers of either vendor; total, whatever the headers hold.

    Instants are moved by the difference between the answer's ``Date`` and ``now``, so a clock
    that is wrong on either side costs nothing.
    Sources: developer.okta.com/docs/reference/rl-best-practices (``X-Rate-Limit-*``, epoch
    seconds), developer.atlassian.com/cloud/jira/platform/rate-limiting (``X-RateLimit-*``, ISO
    8601), RFC 9110 section 10.2.3 (``Retry-After``, seconds or a date).
    """

    def first(*names: str) -> str:
        return next((headers[name].strip() for name in names if name in headers), "")

    theirs = _instant(first("Date"))
    skew = now - theirs if theirs else timedelta()
    reset = _instant(first("X-Rate-Limit-Reset", "X-RateLimit-Reset"))
    asked = first("Retry-After")
    seconds = _count(asked)
    retry = now + timedelta(seconds=seconds) if seconds is not None else None
    if retry is None and (date := _instant(asked)):
        retry = date + skew
    return Rate(
        limit=_count(first("X-Rate-Limit-Limit", "X-RateLimit-Limit")),
        remaining=_count(first("X-Rate-Limit-Remaining", "X-RateLimit-Remaining")),
        reset=reset + skew if reset else None,
        retry=retry,
    )


def _count(text: str) -> int | None:
    """A plain decimal of at most nine digits (31 years in seconds)."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


@lru_cache(maxsize=256)  # within one second every answer says the same date
def _instant(text: str) -> datetime | None:
    """An instant in epoch seconds, ISO 8601, or as an HTTP date; none in the far past or future."""
    for read in (_epoch, datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        aware = at if at.tzinfo else at.replace(tzinfo=UTC)
        return aware if aware.year in _YEARS else None
    return None


def _epoch(text: str) -> datetime:
    if not re.fullmatch(r"[0-9]{1,11}", text):
        raise ValueError(text)
    return datetime.fromtimestamp(int(text), tz=UTC)


# -- budgets and slots -------------------------------------------------------------------------


@dataclass(slots=True)
class _Window:
    """What is known of one of the vendor's buckets."""

    limit: int | None = None
    remaining: int = 0
    reset: datetime | None = None
    used: int = 0
    busy: int = 0
    blocked: datetime | None = None


@dataclass(slots=True)
class Turn:
    """Leave for one call; tell it what the answer's head said."""

    pace: Pace
    bucket: str
    epoch: int

    def learn(self, status: int, headers: Mapping[str, str]) -> datetime | None:
        """Take in an answer; the instant to wait for, if the vendor asked to wait at all."""
        return self.pace._learn(self, status, headers)  # noqa: SLF001  # one thing in two classes


@dataclass(slots=True)
class _Slots:
    """How many calls at once. ``limit`` shrinks when the vendor objects, and grows back."""

    most: int
    limit: int
    keep: int
    busy: int = 0
    waiting: dict[Lane, deque[asyncio.Future[None]]] = field(
        default_factory=lambda: {Lane.URGENT: deque(), Lane.BULK: deque()}
    )

    def free(self, wanted: Lane) -> bool:
        limit = self.limit if wanted is Lane.URGENT else max(1, self.limit - self.keep)
        return self.busy < limit

    async def enter(self, wanted: Lane) -> None:
        if self.free(wanted) and not self.waiting[Lane.URGENT]:
            self.busy += 1
            return
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting[wanted].append(ready)
        try:
            await ready
        except asyncio.CancelledError:
            if ready.done() and not ready.cancelled():
                self.leave()  # the slot was given in the same breath
            raise

    def leave(self) -> None:
        self.busy -= 1
        self.admit()

    def admit(self) -> None:
        for wanted in Lane:
            queue = self.waiting[wanted]
            while queue and self.free(wanted):
                ready = queue.popleft()
                if not ready.done():
                    self.busy += 1
                    ready.set_result(None)


class Pace:
    """The budget of one credential, learnt from the vendor's answers."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        most: int = 30,
        own_share: float = 1.0,
        reserve: float = 0.25,
    ) -> None:
        """At most ``most`` calls at once, and ``own_share`` of what the vendor's window allows.

        Of both, bulk work leaves ``reserve`` (a share, 0 to 1) for urgent work.
        """
        self.name = name
        self._clock = clock
        self._own_share = own_share
        self._reserve = reserve
        self._slots = _Slots(most=most, limit=most, keep=math.ceil(most * reserve))
        self._windows: dict[str, _Window] = {}
        self._blocked: datetime | None = None
        self._strikes = 0
        self._epoch = 0

    @asynccontextmanager
    async def turn(self, bucket: str = "") -> AsyncIterator[Turn]:
        """Wait for a slot, or say until when there is none.

        ``bucket`` names what the vendor counts together.
        Raises: RateLimitedError with the instant to come back; nothing was sent.
        """
        wanted = lane.get()
        window = self._windows.setdefault(bucket, _Window())
        await self._afford(window, wanted)
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await self._slots.enter(wanted)
        except TimeoutError as error:
            raise self._limited(self._clock.now() + PATIENCE) from error
        try:
            await self._afford(window, wanted)
            window.remaining -= 1
            window.used += 1
            window.busy += 1
            try:
                yield Turn(self, bucket, self._epoch)
            finally:
                window.busy -= 1
        finally:
            self._slots.leave()

    def snapshot(self) -> dict[str, Any]:
        """Counts and instants for a status page."""
        return {
            "in_flight": self._slots.busy,
            "at_once": self._slots.limit,
            "waiting": {each.value: len(self._slots.waiting[each]) for each in Lane},
            "blocked_until": self._blocked,
            "buckets": {
                bucket: {
                    "limit": window.limit,
                    "left": max(0, window.remaining) if window.limit is not None else None,
                    "reset": window.reset,
                    "blocked_until": window.blocked,
                }
                for bucket, window in self._windows.items()
            },
        }

    @property
    def _patience(self) -> timedelta:
        return PATIENCE if self._slots.limit < self._slots.most else QUEUE

    def _limited(self, until: datetime) -> RateLimitedError:
        return RateLimitedError(f"{self.name} budget is spent", retry_at=until)

    async def _afford(self, window: _Window, wanted: Lane) -> None:
        """Return if one more call may be made now, after a wait no longer than PATIENCE."""
        now = self._clock.now()
        until = self._wait(window, wanted, now)
        if until is not None and until - now <= PATIENCE:
            await asyncio.sleep((until - now).total_seconds())
            until = self._wait(window, wanted, self._clock.now())
        if until is not None:
            raise self._limited(until)

    def _wait(self, window: _Window, wanted: Lane, now: datetime) -> datetime | None:
        for blocked in (self._blocked, window.blocked):
            if blocked is not None and now < blocked:
                return blocked
        if window.limit is None or window.reset is None or now >= window.reset:
            window.limit = None  # the window is over; the next answer tells of the new one
            return None
        share = window.limit * self._own_share
        left = min(window.remaining, share - window.used)
        floor = share * self._reserve if wanted is Lane.BULK else 0
        return window.reset if left <= floor else None

    def _learn(self, turn: Turn, status: int, headers: Mapping[str, str]) -> datetime | None:
        now = self._clock.now()
        window = self._windows[turn.bucket]
        rate = rate_of(headers, now)
        self._note(turn.bucket, window, rate, now)
        if status == _TOO_MANY_REQUESTS:
            return self._refused(window, rate, now)
        if turn.epoch == self._epoch and status < _VENDORS_FAULT:
            self._strikes = 0
            if self._slots.limit < self._slots.most:
                self._slots.limit += 1
                self._slots.admit()
        return _believed(rate.retry, now)

    def _note(self, bucket: str, window: _Window, rate: Rate, now: datetime) -> None:
        if not rate.limit or rate.remaining is None or rate.reset is None or rate.reset <= now:
            return
        others = window.busy - 1  # in flight, perhaps not yet in the vendor's count
        known = window.reset if window.limit is not None else None
        if known is None or abs(rate.reset - known) > timedelta(seconds=2):
            window.used = 1 + others
            window.remaining = rate.remaining - others
        else:
            window.remaining = min(window.remaining, rate.remaining)
        window.limit, window.reset = rate.limit, min(rate.reset, now + LONGEST)
        figures.BUDGET_LEFT.labels(self.name, bucket).set(rate.remaining)

    def _refused(self, window: _Window, rate: Rate, now: datetime) -> datetime:
        """Take in a 429.

        Sources: developer.okta.com/docs/reference/rl2-concurrency (limit and remaining are 0,
        and the reset is only a hint), RFC 6585 section 4 (headers may be absent).
        """
        self._epoch += 1
        crowded = rate.limit == 0 and rate.remaining == 0
        said = rate.retry or (None if crowded else rate.reset)
        if said is not None:
            window.blocked = _believed(said, now)
            return window.blocked or now + PATIENCE
        self._strikes += 1
        self._slots.limit = max(1, self._slots.busy // 2) if crowded else 1
        pause = PATIENCE if crowded else min(60, 2 ** min(self._strikes - 1, 6)) * PATIENCE
        self._blocked = now + pause
        return self._blocked


def _believed(at: datetime | None, now: datetime) -> datetime | None:
    """A vendor's instant, never in the past and never further than LONGEST."""
    return None if at is None else min(max(at, now + PATIENCE), now + LONGEST)
