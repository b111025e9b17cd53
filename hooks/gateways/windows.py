"""A vendor's budget as its answers tell of it, bucket by bucket, and what a look takes of it.

What is left must live here, and what no answer could know yet; who may spend it, this room must
not know. A bucket is what we believe the vendor counts together. It may count several of ours as
one: then each of them hears of the others' calls only with its own next answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from hooks.gateways.rate import Rate

#: A wait this short costs less than giving the lease back.
PATIENCE = timedelta(seconds=1)
#: A wait a vendor asks for is believed up to here, so that a bad header parks nobody for a year.
LONGEST = timedelta(hours=1)
#: Calls of a look in one bucket, until looks have shown it: a read, and its proof later. The look
#: that ended last counts a quarter.
USUAL = 2.0
_WEIGHT = 0.25
#: Calls of a look in a bucket, on average, from which on one cannot do without it.
_WANTED = 0.5
#: Calls in other buckets from which on it is believed how many of them are counted in this one.
_ENOUGH = 10
#: Looks for which something is kept until the very end of a window.
_ALWAYS = 3
#: Of a window's limit, what is no mistake of a few calls: perhaps others made those reckoned with.
_MUCH = 0.1
#: Resets further apart than this are those of two windows.
_APART = timedelta(seconds=2)


class Usual:
    """Calls of one look by bucket, on average; learnt from looks that went to their end."""

    def __init__(self) -> None:
        """No look has ended."""
        self._calls: dict[str, float] = {}

    def calls(self, bucket: str) -> float:
        """In one bucket."""
        return self._calls.get(bucket, USUAL)

    def every(self) -> float:
        """In all buckets."""
        return sum(self._calls.values())

    def needed(self, bucket: str) -> bool:
        """Whether a look cannot do without calls in a bucket, as far as looks have shown it."""
        return self._calls.get(bucket, 0.0) >= _WANTED

    def rest(self, made: Counter[str]) -> float:
        """What a look that has made these calls will still make."""
        return sum(max(0.0, usual - made[bucket]) for bucket, usual in self._calls.items())

    def learn(self, made: Counter[str]) -> None:
        """A look has ended, and made these calls."""
        for bucket in {*self._calls, *made}:
            usual = self._calls.get(bucket)
            most = min(made[bucket], 2 * max(usual or USUAL, 1.0))  # one look may need hundreds
            self._calls[bucket] = most if usual is None else usual + (most - usual) * _WEIGHT


@dataclass(frozen=True, slots=True)
class Left:
    """What is left in a window: calls of ours in this bucket, and calls as the vendor counts them.

    A look costs ``usual`` of the first and ``price`` of the second. ``kept`` of either are not for
    a crowd or for bulk work, whether anybody else comes or not. ``whole``: what is ours of a
    window that nobody has used.
    """

    whole: float
    ours: float
    usual: float
    counted: float
    price: float
    kept: float

    def room(self, *, kept: bool, needs: tuple[float, float] = (0.0, 0.0), looks: int = 0) -> bool:
        """Whether so many whole looks fit, or one call if none.

        ``kept``: beside what is kept, of which one look's calls are the least. ``needs``: beside
        what others need of ``ours`` and of ``counted``. A look counts as half a window at most, or
        whoever needs more would never be let in.
        """
        for left, cost, need in (
            (self.ours, self.usual, needs[0]),
            (self.counted, self.price, needs[1]),
        ):
            look = min(cost, self.whole / 2)
            room = left - need - (max(self.kept, look) if kept else 0.0)
            if room <= 0 or room < looks * look:
                return False
        return True


@dataclass(slots=True)
class Window:
    """What is known of one of the vendor's buckets.

    Without a ``reset`` the window is one that no answer has told of yet: as large as the last
    one, for all we know. ``length`` is the longest wait for a reset lately. ``others`` is how many
    calls in all other buckets were over with the last answer, ``first`` with the first one, and
    ``base`` what was counted then beside our own. ``share``: of those calls, how many the vendor
    counts in this bucket too, 0 to 1, or others make meanwhile; ``None`` until answers show it.
    """

    limit: int | None = None
    remaining: int = 0
    reset: datetime | None = None
    length: timedelta = PATIENCE
    used: int = 0
    busy: int = 0
    made: int = 0
    others: int = 0
    first: int = 0
    base: int = 0
    share: float | None = None
    blocked: datetime | None = None


class Windows:
    """The buckets of one credential, of which ``own_share`` is ours.

    Of that, ``reserve`` is kept at a window's begin, and less and less towards its end: what is
    left of it then is lost.
    """

    def __init__(self, usual: Usual, own_share: float, reserve: float) -> None:
        """Nothing is known of any."""
        self._usual = usual
        self._own_share = own_share
        self._reserve = reserve
        self._windows: dict[str, Window] = {}

    def window(self, bucket: str) -> Window:
        """What is known of a bucket."""
        return self._windows.setdefault(bucket, Window())

    def needed(self) -> Iterator[str]:
        """The buckets that a look cannot do without."""
        return filter(self._usual.needed, self._windows)

    def begin(self, bucket: str) -> Window:
        """A call is made; whoever makes it says when it is over."""
        window = self.window(bucket)
        window.remaining -= 1
        window.used += 1
        window.busy += 1
        window.made += 1
        return window

    def left(self, bucket: str, now: datetime) -> Left | None:
        """What is left for us in a bucket; ``None`` if nothing is known of it."""
        window = self.window(bucket)
        if window.reset is not None and now >= window.reset:
            window.remaining, window.used = (window.limit or 0) - window.busy, window.busy
            window.reset, window.others = None, self._others(bucket, over=True)
        if window.limit is None:
            return None
        unheard = self._others(bucket, over=False) - window.others
        price = self._price(bucket, 1.0 if window.share is None else window.share)
        ours, passes = window.limit * self._own_share, 1.0
        if window.reset is not None:
            passes = (window.reset - now) / window.length
        kept = ours * self._reserve
        counted = window.remaining - unheard * (window.share or 0.0)
        if counted <= 0 and window.remaining > _MUCH * window.limit and not window.busy:
            counted = 1.0  # only reckoned to be spent: one goes, and hears
        left = Left(
            ours,
            ours - window.used,
            self._usual.calls(bucket),
            counted,
            price,
            max(kept * passes, min(kept, _ALWAYS * price)),
        )
        if not left.room(kept=False) and window.reset is None and not window.busy:
            window.limit = None  # nobody is away who could tell more of it
            return None
        return left

    def step(self, bucket: str) -> timedelta:
        """The time in which the windows let one look through, where that is known."""
        if self.window(bucket).limit is None:
            return PATIENCE
        return max(
            window.length
            * max(
                self._usual.calls(each) / (window.limit * self._own_share),
                self._price(each, window.share or 0.0) / window.limit,
            )
            for each in {bucket, *self.needed()}
            if (window := self.window(each)).limit is not None
        )

    def learn(self, bucket: str, rate: Rate, now: datetime) -> None:
        """Take in what an answer said of a bucket."""
        window = self.window(bucket)
        if not rate.limit or rate.remaining is None or rate.reset is None or rate.reset <= now:
            if window.reset is None:
                window.limit = None
            return
        others = window.busy - 1  # in flight, perhaps not yet in the vendor's count
        window.others = self._others(bucket, over=True)
        beside = rate.limit - rate.remaining - (window.made - others)
        if window.reset is None or abs(rate.reset - window.reset) > _APART:
            window.used = 1 + others
            window.remaining = rate.remaining - others
            window.first, window.base = window.others, beside
            window.length = max(PATIENCE, window.length / 2)  # one reset may have been too far
        else:
            window.remaining = min(window.remaining, rate.remaining)
        if (made := window.others - window.first) >= _ENOUGH:
            window.share = min(1.0, max(0.0, (beside - window.base) / made))
        window.limit, window.reset = rate.limit, min(rate.reset, now + LONGEST)
        window.length = max(window.length, window.reset - now)

    def snapshot(self) -> dict[str, Any]:
        """Counts and instants for a status page, by bucket."""
        return {
            bucket: {
                "limit": window.limit,
                "left": max(0, window.remaining) if window.limit is not None else None,
                "reset": window.reset,
                "blocked_until": window.blocked,
            }
            for bucket, window in self._windows.items()
        }

    def _price(self, bucket: str, share: float) -> float:
        """Calls of one look that the vendor counts in a bucket."""
        usual = self._usual.calls(bucket)
        return usual + share * max(0.0, self._usual.every() - usual)

    def _others(self, bucket: str, *, over: bool) -> int:
        """Calls made in all other buckets; or only those that are over."""
        return sum(
            each.made - (each.busy if over else 0)
            for name, each in self._windows.items()
            if name != bucket
        )
