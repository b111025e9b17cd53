"""How fast one credential may call its vendor: lanes, slots, and budgets learnt from answers.

When a call may be made must live here; what a call is for, and HTTP itself, this room must not
know. Two things hold a call back: the *slots* (so many calls at once, the urgent lane first) and
the *budget* (the vendor's window is spent, or kept for others, or it answered 429). A spent
budget says until when instead of keeping a worker waiting.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from hooks import figures
from hooks.core.errors import RateLimitedError
from hooks.gateways.rate import Rate, rate_of
from hooks.gateways.slots import Slots
from hooks.gateways.visits import Lack, Short, Visitor, Visits, visitor
from hooks.gateways.windows import LONGEST, PATIENCE, Usual, Windows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from hooks.clock import Clock

#: Longest wait for a slot while nothing is wrong: one call's whole time at the vendor.
QUEUE = timedelta(seconds=10)
_TOO_MANY_REQUESTS, _VENDORS_FAULT = 429, 500


class Lane(StrEnum):
    """Urgent work is never behind bulk work."""

    URGENT = "urgent"
    BULK = "bulk"


#: The lane of the running task; whoever takes a lease sets it once, tasks below inherit it.
lane: ContextVar[Lane] = ContextVar("lane", default=Lane.URGENT)


@dataclass(slots=True)
class Turn:
    """Leave for one call; tell it what the answer's head said."""

    pace: Pace
    bucket: str
    lane: Lane
    epoch: int

    def learn(self, status: int, headers: Mapping[str, str]) -> datetime | None:
        """Take in an answer; the instant to wait for, if the vendor asked to wait at all."""
        return self.pace._learn(self, status, headers)  # noqa: SLF001  # one thing in two classes


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
        vital: bool = False,
    ) -> None:
        """At most ``most`` calls at once, and ``own_share`` of what the vendor's window allows.

        Of both, bulk work leaves ``reserve`` (a share, 0 to 1) for urgent work. ``vital``: a look
        that this vendor does not let in spends nothing of the others' budgets either.
        """
        self.name = name
        self.skew: timedelta | None = None
        self._vital = vital
        self._clock = clock
        self._slots = Slots(most, most, keep=math.ceil(most * reserve), allowed=most)
        usual = Usual()
        self._visits = Visits(usual)
        self._windows = Windows(usual, own_share, reserve)
        self._blocked: datetime | None = None
        self._strikes = 0
        self._epoch = 0

    @asynccontextmanager
    async def turn(self, bucket: str = "") -> AsyncIterator[Turn]:
        """Wait for a slot, or say until when there is none.

        ``bucket`` names what the vendor counts together.
        Raises: RateLimitedError with the instant to come back; nothing was sent.
        """
        wanted, who = lane.get(), _visitor()
        until = due = self._wait(bucket, wanted)
        if until is not None and (short := until - self._clock.now()) <= PATIENCE:
            await asyncio.sleep(short.total_seconds())
            until = self._wait(bucket, wanted, due)
        if until is not None:
            raise self._turned_away(wanted, until)
        try:
            async with asyncio.timeout(self._patience(who).total_seconds()):
                await self._slots.enter(urgent=wanted is Lane.URGENT)
        except TimeoutError as error:
            raise self._turned_away(wanted, self._clock.now() + PATIENCE) from error
        try:
            if (until := self._wait(bucket, wanted, due)) is not None:
                raise self._turned_away(wanted, until)
            if who := _visitor():  # a look may end while its call waits; nobody would let it out
                self._visits.enter(who, bucket, bulk=wanted is Lane.BULK)
                who.let_in = who.let_in or self._vital
            window = self._windows.begin(bucket)
            try:
                yield Turn(self, bucket, wanted, self._epoch)
            finally:
                window.busy -= 1
        finally:
            self._slots.leave()

    def snapshot(self) -> dict[str, Any]:
        """Counts and instants for a status page."""
        return {
            "in_flight": self._slots.busy,
            "at_once": self._slots.limit,
            "waiting": {each.value: len(self._slots.waiting[each is Lane.URGENT]) for each in Lane},
            "looks": self._visits.snapshot(),
            "blocked_until": self._blocked,
            "buckets": self._windows.snapshot(),
        }

    def _patience(self, who: Visitor | None) -> timedelta:
        """A look that is the only one goes to its end, however few calls go at once."""
        alone = who is not None and self._visits.alone(who)
        return QUEUE if alone or self._slots.limit >= self._slots.allowed else PATIENCE

    # -- may one more call be made -------------------------------------------------------------

    def _turned_away(self, wanted: Lane, until: datetime) -> RateLimitedError:
        """What to raise; the look this call is part of is noted."""
        if (who := _visitor()) and who.vain is None:
            self._visits.turn_away(who, until, self._clock.now(), bulk=wanted is Lane.BULK)
            who.vain = until if self._vital and not self._visits.inside(who) else None
        return RateLimitedError(f"{self.name} budget is spent", retry_at=until)

    def _wait(self, bucket: str, wanted: Lane, due: datetime | None = None) -> datetime | None:
        """Until when no more call may be made; ``None`` if one may be made now.

        ``due``: a time this call was given, and has waited for.
        """
        now, who, bulk = self._clock.now(), _visitor(), wanted is Lane.BULK
        away = who.vain or self._visits.away(who, now) if who else None
        if away is not None:
            return away
        window = self._windows.window(bucket)
        for blocked in (self._blocked, window.blocked):
            if blocked is not None and now < blocked:
                return self._later(blocked, bucket, now, bulk=bulk)
        # Whoever is let in finds room for all its calls, or it would end each time at the same one.
        comes = who is not None and not self._visits.inside(who)
        needed = {bucket, *self._windows.needed()} if comes else {bucket}
        left = {each: some for each in needed if (some := self._windows.left(each, now))}
        if who is None:
            spent = [each for each, some in left.items() if not some.room(kept=bulk)]
            lack = Lack(Short.WINDOW, spent) if spent else None
        else:
            ends = window.reset or now + window.length
            lack = self._visits.lacks(who, left, now=now, ends=ends, due=due, bulk=bulk)
        if lack is None:
            return None
        resets = [at for each in lack.spent if (at := self._windows.window(each).reset)]
        soon = now if lack.short is Short.TURN else now + PATIENCE
        return self._later(max(resets, default=soon), bucket, now, bulk=bulk)

    def _later(self, base: datetime, bucket: str, now: datetime, *, bulk: bool) -> datetime:
        """When to come back: whoever is looked at in the order in which they came."""
        who, step = _visitor(), self._windows.step(bucket)
        until = self._visits.later(who, base, step, bulk=bulk) if who else base
        return min(until, max(base, now + LONGEST))

    # -- what an answer tells ------------------------------------------------------------------

    def _learn(self, turn: Turn, status: int, headers: Mapping[str, str]) -> datetime | None:
        now = self._clock.now()
        rate = rate_of(headers, now)
        self.skew = rate.skew if rate.skew is not None else self.skew
        self._windows.learn(turn.bucket, rate, now)
        if rate.limit and rate.remaining is not None:
            figures.BUDGET_LEFT.labels(self.name, turn.bucket).set(rate.remaining)
        if status == _TOO_MANY_REQUESTS:
            return self._refused(turn, rate, now)
        if turn.epoch == self._epoch and status < _VENDORS_FAULT:
            self._strikes = 0
            self._slots.grow()
        return _believed(rate.retry, now)

    def _refused(self, turn: Turn, rate: Rate, now: datetime) -> datetime:
        """Take in a 429.

        Sources: developer.okta.com/docs/reference/rl2-concurrency (limit and remaining are 0,
        and the reset is only a hint), RFC 6585 section 4 (headers may be absent).
        """
        crowded = rate.limit == 0 and rate.remaining == 0
        if crowded and turn.epoch != self._epoch:  # was under way when another was refused
            return max(self._blocked or now, now + PATIENCE)
        self._epoch += 1
        said = _believed(rate.retry or (None if crowded else rate.reset), now)
        if said is not None:
            until = self._windows.window(turn.bucket).blocked = said
        else:
            self._strikes += 1
            fewer = max(1, self._slots.busy // 2) if crowded else 1
            self._slots.shrink(fewer, allowed=fewer if crowded else self._slots.most)
            longer = min(60, 2 ** min(self._strikes - 1, 6)) * PATIENCE
            until = self._blocked = now + (PATIENCE if crowded else longer)
        if crowded:
            return until
        if rate.limit is None:
            self._visits.one_at_a_time()
        bulk = turn.lane is Lane.BULK
        until = self._later(until, turn.bucket, now, bulk=bulk)
        if who := _visitor():
            self._visits.turn_away(who, until, now, bulk=bulk)
        return until


def _visitor() -> Visitor | None:
    """Whose look this call is part of, unless that is over."""
    who = visitor.get()
    return None if who is None or who.over else who


def _believed(at: datetime | None, now: datetime) -> datetime | None:
    """A vendor's instant, never in the past and never further than LONGEST."""
    return None if at is None else min(max(at, now + PATIENCE), now + LONGEST)
