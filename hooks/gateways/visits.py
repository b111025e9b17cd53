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
from datetime import UTC, datetime, timedelta
from enum import Enum, IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from hooks.gateways.crowds import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hooks.gateways.windows import Left, Usual

#: Looks at once while nothing is wrong: more than ever run.
_MANY = 1_000
#: Nobody yields for longer to whose time has come: another vendor may have turned them away.
_LATE = timedelta(seconds=10)
#: Whoever does not come back within this after their time was looked at elsewhere.
_GRACE = timedelta(minutes=1)
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(eq=False, slots=True)
class Visitor:
    """Somebody being looked at: all calls of one look, to whichever vendor.

    ``since`` is when they began to wait, over all their looks and all replicas, and ``reason`` for
    what; ``let_in``: a vendor without whom nothing can be decided let this look in; ``vain``:
    until when it did not; ``hurry``: it was turned away, is urgent, and none of a crowd.
    """

    subject: str
    since: datetime
    reason: Reason = field(default_factory=Reason)
    over: bool = False
    let_in: bool = False
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


def is_let_in() -> bool:
    """Whether the running task is part of a look that was let in where all is decided."""
    who = visitor.get()
    return who is not None and who.let_in


class Short(Enum):
    """What is missing for a call."""

    TURN = "turn"  # others have waited longer, their time is near, and there is not enough for all
    MOMENT = "moment"  # what is left is kept for those inside, who may need less
    WINDOW = "window"  # the window is spent


@dataclass(frozen=True, slots=True)
class Lack:
    """What is missing, and the windows that are spent."""

    short: Short
    spent: Sequence[str] = ()


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

    def __init__(self, usual: Usual) -> None:
        """Nobody is in. ``usual``: what looks call, which those that end teach."""
        self._usual = usual
        self._inside: dict[Visitor, _Stay] = {}  # in the order in which they were let in
        self._away: dict[Visitor, datetime] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._at_once = _MANY
        self._swept = _NEVER

    def inside(self, who: Visitor) -> bool:
        """Whether this look was let in."""
        return who in self._inside

    def lacks(
        self,
        who: Visitor,
        left: Mapping[str, Left],
        *,
        now: datetime,
        ends: datetime,
        bulk: bool,
        due: datetime | None = None,
    ) -> Lack | None:
        """What is missing for the next call of this look; ``None`` if it may be made.

        ``left``: of each window that this look needs and of which anything is known. The one that
        the call is for ``ends`` then. ``due``: a time they were given here, in this look.
        """
        ahead = self._ahead(who, bulk=bulk)
        if who in self._inside:
            if len(ahead) >= self._at_once:
                return Lack(Short.MOMENT)
            return self._short(left, ahead, kept=False, looks=0)
        kept = self.rank(who, bulk=bulk) > Rank.URGENT
        if spent := [each for each, some in left.items() if not some.room(kept=kept)]:
            return Lack(Short.WINDOW, spent)
        given = self._waiting.get(who.subject)
        if not any(at and at <= now for at in (due, given and given.until)):
            first = sum(now - _LATE < each.until < ends for each in self._before(who, bulk=bulk))
            if first and not (left and not self._short(left, ahead, kept=kept, looks=first + 1)):
                return Lack(Short.TURN)
        if len(ahead) >= self._at_once:
            return Lack(Short.MOMENT)
        # Who is the only one may try while anything is left: a look may take more than there is.
        return self._short(left, ahead, kept=kept, looks=1) if ahead else None

    def _short(
        self, left: Mapping[str, Left], ahead: list[_Stay], *, kept: bool, looks: int
    ) -> Lack | None:
        """What is missing if those ahead have what they need: up to twice what is usual."""
        rests = [self._usual.rest(stay.calls) for stay in ahead]
        short = []
        for each, some in left.items():
            ours = sum(max(0.0, some.usual - stay.calls[each]) for stay in ahead)
            needs = ours, 2 * sum(min(some.price, rest) for rest in rests)  # looks are not alike
            if not some.room(kept=kept, needs=needs, looks=looks):
                short.append(each)
        spent = [each for each in short if not looks or not left[each].room(kept=kept, looks=1)]
        if spent:
            return Lack(Short.WINDOW, spent)
        return Lack(Short.MOMENT) if short else None

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
        """This look cannot be made now. If it was in, it is cut short, and half as many go in."""
        rank = self.rank(who, bulk=bulk)
        who.hurry = rank is Rank.URGENT
        if now >= self._swept + _GRACE:
            self._swept = now
            self._waiting = {
                subject: each
                for subject, each in self._waiting.items()
                if each.until + _GRACE >= now
            }
        self._waiting[who.subject] = _Waiting(rank, who.since, until)
        if (stay := self._inside.get(who)) is not None:
            if not stay.cut:
                self._at_once = max(1, min(self._at_once, len(self._inside)) // 2)
            stay.cut = True
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
        """Nobody says what is left: one has all there is, until looks end well again."""
        self._at_once = 1

    def snapshot(self) -> dict[str, Any]:
        """Counts for a status page."""
        at_once = None if self._at_once >= _MANY else self._at_once
        return {"in": len(self._inside), "at_once": at_once, "waiting": len(self._waiting)}

    def _leave(self, who: Visitor) -> None:
        stay = self._inside.pop(who)
        if stay.cut:
            return
        self._at_once = min(self._at_once + 1, _MANY)
        self._usual.learn(stay.calls)

    def rank(self, who: Visitor, *, bulk: bool) -> Rank:
        """Whoever came urgently once stays urgent; in the line a second try is bulk work."""
        known = self._inside.get(who) or self._waiting.get(who.subject)
        if bulk and (known is None or known.rank is Rank.BULK):
            return Rank.BULK
        return Rank.CROWD if who.reason.many else Rank.URGENT

    def _ahead(self, who: Visitor, *, bulk: bool) -> list[_Stay]:
        """Those that are in and have what they need before this one: not a crowd before others."""
        mine, before = self.rank(who, bulk=bulk), True
        ahead = []
        for each, stay in self._inside.items():
            before = before and each is not who
            if each is not who and (stay.rank < mine or (before and stay.rank == mine)):
                ahead.append(stay)
        return ahead

    def _before(self, who: Visitor, *, bulk: bool) -> Iterator[_Waiting]:
        """Those who wait and come before: urgent before bulk, and then who came first."""
        mine = (self.rank(who, bulk=bulk), who.since, who.subject)
        return (
            each
            for subject, each in self._waiting.items()
            if (each.rank, each.since, subject) < mine
        )
