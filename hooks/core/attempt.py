"""After a look: when to look at this person next, or that they become a dead letter.

Must live here: every wait of leg 2. Must not know: what was decided, only what came of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

#: Doubles from the first to the longest: after an outage nobody waits longer than ten minutes
#: more. Half of them on average, so a vendor's outage of half a day makes no dead letters.
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=10)
MAX_ATTEMPTS = 200
#: Who was turned away without a word on when need not hurry: a refused credential is tried by one
#: for all.
_TURNED_AWAY = timedelta(seconds=30)
#: Leases that ended without a word, which is what somebody who kills the process looks like.
MAX_CRASHES = 5

#: While Okta or Atlassian is not done with a person; then hourly for a day. Design 3.3.
_WAITS = tuple(
    timedelta(seconds=seconds)
    for seconds in (30, 120, 300, 900, 3600, *(3600 * hour for hour in range(2, 25)))
)
#: And then, while somebody who left administers Atlassian: nobody tells us when that ends.
_ALARMED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing more to do until an event comes."""


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Not a failure: look again at ``at``. ``base`` is when the looks after a plan began."""

    at: datetime
    base: datetime | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Something failed: again at ``at``. ``counted`` unless it was only turned away."""

    at: datetime
    counted: bool = True
    base: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """No more attempts by itself; a person decides."""

    reason: str


Next = Idle | LookAgain | Retry | DeadLetter


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a look.

    ``failed``: something is to be tried again (``retry_at``: not before); ``turned_away``: until
    when each was that was not tried, for want of a credential that works or of budget, or in a
    pause, ``None`` where nobody said; ``contradicted_until``: an event disagrees until then;
    ``waiting_since``: Okta or Atlassian is not done; ``alarmed_since``: they have been away since
    and administer Atlassian still; ``restless``: the plan is one after which the person is looked
    at again; ``base`` as the last look left it; ``doubted_until``: somebody who lost the lease may
    have been writing until then.
    """

    failed: bool = False
    retry_at: datetime | None = None
    turned_away: tuple[datetime | None, ...] = ()
    contradicted_until: datetime | None = None
    waiting_since: datetime | None = None
    alarmed_since: datetime | None = None
    restless: bool = False
    base: datetime | None = None
    doubted_until: datetime | None = None


def backoff(attempt: int, jitter: float) -> timedelta:
    """Full jitter under a doubling cap. ``attempt`` starts at 1, ``jitter`` is in [0, 1)."""
    cap = min(FIRST_WAIT * (1 << min(attempt - 1, 20)), LONGEST_WAIT)
    return max(timedelta(seconds=1), cap * jitter)


def after(
    came: Came, *, now: datetime, attempt: int, jitter: float, look_again: tuple[timedelta, ...]
) -> Next:
    """The earliest of everything that asks for another look. ``attempt`` starts at 1."""
    looking = _looking(came, now, look_again)
    if not came.failed and not came.turned_away:
        return looking
    if came.failed and attempt >= MAX_ATTEMPTS:
        return DeadLetter("attempts")
    base = looking.base if isinstance(looking, LookAgain) else None
    wait = now + backoff(attempt, jitter)
    # Whoever turned us away is not asked before their time, whatever else we look at until then.
    times = [max(wait, until or now + _TURNED_AWAY) for until in came.turned_away]
    if came.failed:
        sooner = min(wait, came.contradicted_until or wait)
        times.append(max(sooner, came.retry_at or sooner))
    elif isinstance(looking, LookAgain):
        times.append(looking.at)
    return Retry(min(times), counted=came.failed, base=base)


def _looking(came: Came, now: datetime, look_again: tuple[timedelta, ...]) -> Idle | LookAgain:
    base = now if came.restless else came.base
    planned = [base + wait for wait in look_again if base + wait > now] if base else []
    times = [*planned[:1], *_waits(came.waiting_since, now)]
    if came.alarmed_since:
        times += _waits(came.alarmed_since, now) or [now + _ALARMED]
    if came.contradicted_until:
        times.append(came.contradicted_until)
    if came.doubted_until and came.doubted_until > now:
        times.append(came.doubted_until)
    return LookAgain(min(times), base if planned else None) if times else Idle()


def _waits(since: datetime | None, now: datetime) -> list[datetime]:
    """The next look on the schedule that thins out, if there is one."""
    return [since + wait for wait in _WAITS if since + wait > now][:1] if since else []
