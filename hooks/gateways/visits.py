"""Who may spend what is left of a vendor's budget: few looks at a time, each to its end.

Which look may make its next call, and when the others come back, must live here; how much is
left, and what a call is for, this room must not know.

A look is worth something only whole: twenty that get a third of the calls they need are twenty
that read and cannot write. So whoever is in goes before whoever came in later, and the first of
them has all there is; nobody is let in whose calls those inside would lack, or before whom others
are due; and whoever is turned away is given a time, in the order in which they came, so that no
reset is a stampede. Many who come for one reason leave some of it to whoever comes for another.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from hooks.gateways.crowds import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Calls of a look in one bucket, until looks have shown it: a read, and its proof later. The look
#: that ended last counts a quarter.
USUAL = 2.0
_WEIGHT = 0.25
#: Calls of a look in a bucket, on average, from which on one cannot do without it.
_WANTED = 0.5
#: Looks at once while nothing is wrong: more than ever run.
_MANY = 1_000
#: Nobody yields for longer to whose time has come: another vendor may have turned them away.
_LATE = timedelta(seconds=10)
#: Whoever does not come back within this after their time was looked at elsewhere.
_GRACE = timedelta(minutes=1)


@dataclass(eq=False, slots=True)
class Visitor:
    """Somebody being looked at: all calls of one look, to whichever vendor.

    ``since`` is when they began to wait, over all their looks and all replicas, and ``reason`` for
    what; ``vain`` until when a vendor without whom nothing can be decided did not let this look
    in; ``hurry``: it was turned away, is urgent, and none of a crowd.
    """

    subject: str
    since: datetime
    reason: Reason = field(default_factory=Reason)
    over: bool = False
    vain: datetime | None = None
    hurry: bool = False
    leaving: list[Callable[[], object]] = field(default_factory=list)


#: Whose look the running task is part of; tasks below inherit it. None: nobody's in particular.
visitor: ContextVar[Visitor | None] = ContextVar("visitor", default=None)


@contextmanager
def visiting(subject: str, since: datetime, reason: Reason | None = None) -> Iterator[None]:
    """Everything called inside is one look at ``subject``, who began to wait at ``since``."""
    who = Visitor(subject, since, reason or Reason())
    token = visitor.set(who)
    try:
        yield
    finally:
        visitor.reset(token)
        who.over = True
        for leave in who.leaving:
            leave()


def hurries() -> bool:
    """Whether the look of the running task was turned away, and goes before others all the same."""
    who = visitor.get()
    return who is not None and who.hurry


class Short(Enum):
    """What is missing for a call."""

    TURN = "turn"  # others have waited longer, and their time is near
    MOMENT = "moment"  # what is left is kept for those inside, who may need less
    WINDOW = "window"  # the window is spent


class Rank(IntEnum):
    """Who goes first."""

    URGENT = 0
    CROWD = 1  # urgent, and many for the same reason
    BULK = 2


@dataclass(slots=True)
class _Stay:
    """A look that was let in, and what it has called so far by bucket."""

    rank: Rank
    calls: Counter[str] = field(default_factory=Counter)
    cut: bool = False


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Somebody who was turned away until an instant."""

    rank: Rank
    since: datetime
    until: datetime


class Visits:
    """The looks that are in with one vendor's credential, and those that wait for it."""

    def __init__(self) -> None:
        """Nobody is in."""
        self._inside: dict[Visitor, _Stay] = {}  # in the order in which they were let in
        self._away: dict[Visitor, datetime] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._usual: dict[str, float] = {}
        self._at_once = _MANY
        self.ended = 0  # looks that went to their end

    def usual(self, bucket: str) -> float:
        """Calls a look makes in a bucket, on average."""
        return self._usual.get(bucket, USUAL)

    def needed(self, bucket: str) -> bool:
        """Whether a look cannot do without calls in a bucket, as far as looks have shown it."""
        return self._usual.get(bucket, 0.0) >= _WANTED

    def inside(self, who: Visitor) -> bool:
        """Whether this look was let in."""
        return who in self._inside

    def lacks(
        self,
        who: Visitor,
        bucket: str,
        left: float | None,
        *,
        floor: float,
        now: datetime,
        ends: datetime,
        bulk: bool,
    ) -> Short | None:
        """What is missing for the next call of this look; ``None`` if it may be made.

        ``left`` calls remain in the window (``None``: unknown), which ``ends`` then; ``floor`` of
        them are not for bulk work that is not in yet, nor for a crowd.
        """
        usual, ahead = self.usual(bucket), self._ahead(who, bulk=bulk)
        if who in self._inside:
            if ahead >= self._at_once:
                return Short.MOMENT
            return Short.WINDOW if left is not None and left <= usual * ahead else None
        room = left - floor if left is not None and self.rank(who, bulk=bulk) else left
        if room is not None and room <= 0:
            return Short.WINDOW
        given = self._waiting.get(who.subject)
        if not (given and given.until <= now) and any(
            now - _LATE < each.until < ends for each in self._before(who, bulk=bulk)
        ):
            return Short.TURN
        if ahead >= self._at_once:
            return Short.MOMENT
        # Who is the only one may always try: a look may take more than any window has.
        if room is None or not ahead or room >= usual * (ahead + 1):
            return None
        return Short.MOMENT if room >= usual else Short.WINDOW

    def enter(self, who: Visitor, bucket: str, *, bulk: bool) -> None:
        """Count a call that is made; the first one of a look lets it in."""
        stay = self._inside.get(who)
        if stay is None:
            stay = self._inside[who] = _Stay(self.rank(who, bulk=bulk))
            self._waiting.pop(who.subject, None)
            who.leaving.append(partial(self._leave, who))
        stay.calls[bucket] += 1

    def later(self, who: Visitor, base: datetime, step: timedelta, *, bulk: bool) -> datetime:
        """When to come back: not before ``base``, and a step behind whoever has waited longer."""
        return max([base, *(each.until + step for each in self._before(who, bulk=bulk))])

    def turn_away(self, who: Visitor, until: datetime, now: datetime, *, bulk: bool) -> None:
        """This look cannot be made now; if it was in, it was cut short."""
        rank = self.rank(who, bulk=bulk)
        who.hurry = rank is Rank.URGENT
        waiting = {
            subject: each for subject, each in self._waiting.items() if each.until + _GRACE >= now
        }
        self._waiting = waiting | {who.subject: _Waiting(rank, who.since, until)}
        if (stay := self._inside.get(who)) is not None:
            stay.cut = True
            self.one_at_a_time()
        elif who not in self._away:
            who.leaving.append(partial(self._away.pop, who))
            self._away[who] = until

    def away(self, who: Visitor, now: datetime) -> datetime | None:
        """Until when this look was turned away already: a part of it would be worth nothing."""
        until = self._away.get(who)
        return until if until and now < until else None

    def alone(self, who: Visitor) -> bool:
        """Nobody else is in."""
        return self._inside.keys() <= {who}

    def one_at_a_time(self) -> None:
        """What was reckoned with is not there: one has all there is, until looks end well again."""
        self._at_once = 1

    def snapshot(self) -> dict[str, Any]:
        """Counts for a status page."""
        at_once = None if self._at_once >= _MANY else self._at_once
        return {"in": len(self._inside), "at_once": at_once, "waiting": len(self._waiting)}

    def _leave(self, who: Visitor) -> None:
        stay = self._inside.pop(who)
        if stay.cut:
            return
        self.ended += 1
        self._at_once = min(self._at_once + 1, _MANY)
        for bucket in {*self._usual, *stay.calls}:
            usual = self.usual(bucket)
            self._usual[bucket] = usual + (stay.calls[bucket] - usual) * _WEIGHT

    def rank(self, who: Visitor, *, bulk: bool) -> Rank:
        """Whoever came urgently once stays urgent; in the line a second try is bulk work."""
        known = self._inside.get(who) or self._waiting.get(who.subject)
        if bulk and (known is None or known.rank is Rank.BULK):
            return Rank.BULK
        return Rank.CROWD if who.reason.many else Rank.URGENT

    def _ahead(self, who: Visitor, *, bulk: bool) -> int:
        """How many that are in have what they need before this one: not a crowd before others."""
        mine, ahead, before = self.rank(who, bulk=bulk), 0, True
        for each, stay in self._inside.items():
            before = before and each is not who
            ahead += each is not who and (stay.rank < mine or (before and stay.rank == mine))
        return ahead

    def _before(self, who: Visitor, *, bulk: bool) -> Iterator[_Waiting]:
        """Those who wait and come before: urgent before bulk, and then who came first."""
        mine = (self.rank(who, bulk=bulk), who.since, who.subject)
        return (
            each
            for subject, each in self._waiting.items()
            if (each.rank, each.since, subject) < mine
        )
