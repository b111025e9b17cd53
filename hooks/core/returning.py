"""Best standing over directories, who is back after an absence, and when that is over.

Must live here: what an absence leads to. Must not know: groups. Design 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hooks.core.asks import Asking, AskLog
from hooks.core.history import Absence, LogFacts, Logged, absences
from hooks.core.membership import Standing
from hooks.core.memory import Claim, Memory
from hooks.core.reading import Reading, Unread
from hooks.core.refusal import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hooks.core.ids import OktaAppId
    from hooks.core.memory import Claimed

#: Local groups follow the best standing over all directories; outside does not count.
_BEST = (
    Standing.PRESENT,
    Standing.RETURNING,
    Standing.UNCLEAR,
    Standing.SUSPENDED,
    Standing.UNASSIGNED,
    Standing.LEFT,
)
#: Later looks that must find a returning person as wanted.
AGREE = 2
#: How long the end of an absence may be missing from the log of somebody who is back.
LATE = timedelta(minutes=10)
#: Settled as present so long after an absence, they are taken to have kept what they had.
_FORGOTTEN = timedelta(days=1)
#: An event and its line in the log are of one instant, if our clock and Okta's agree so far.
_ABOUT = timedelta(minutes=1)


def best(standings: Iterable[Standing]) -> Standing:
    """The standing the organization's own groups follow."""
    return min(
        (each for each in standings if each is not Standing.OUTSIDE),
        key=_BEST.index,
        default=Standing.OUTSIDE,
    )


def derived(reading: Reading) -> Memory:
    """What is remembered of the person in the organization, or follows from the directories."""
    if reading.local is not None and reading.local.standing is not None:
        return reading.local
    memories = [each.memory for each in reading.directories if each.memory.standing]
    standing = best(each.standing for each in memories if each.standing)
    excused = [each.excused for each in memories if each.excused]
    if standing is Standing.OUTSIDE:
        return reading.local or Memory()
    since = [each.absent_since for each in memories if each.absent_since]
    at = [each.standing_at for each in memories if each.standing_at]
    return Memory(
        standing=Standing.PRESENT if standing is Standing.RETURNING else standing,
        absent_since=max(since, default=None),
        standing_at=max(at, default=None),
        waiting_since=reading.local.waiting_since if reading.local else None,
        late_since=reading.local.late_since if reading.local else None,
        excused=max(excused, default=None),
        history=reading.local.history if reading.local else (),
    )


@dataclass(frozen=True, slots=True)
class Back:
    """Somebody in force: returning, or present as if never away.

    ``forfeits``: what we took before now is given back only by a rule's condition.
    """

    standing: Standing
    forfeits: bool = False


@dataclass(frozen=True, slots=True)
class Undecided:
    """Nothing that would say whether they were away can be believed yet."""

    cause: Cause
    unread: Unread | None = None


def back(
    reading: Reading,
    memory: Memory,
    here: frozenset[OktaAppId],
    counted: frozenset[OktaAppId],
    brief: timedelta,
) -> Back | Undecided | Asking:
    """Judge somebody in force by what was remembered and what the log shows.

    ``here`` are the apps they are in force in, ``counted`` those of all directories that count;
    ``brief`` is the length under which an absence by unassignment is none.
    """
    since = reading.watched_since
    memory = replace(memory, standing=memory.counted)
    was = memory.standing is not None and memory.standing.absent
    if memory.standing is Standing.RETURNING:
        observed = memory.returned and since and memory.returned < since
        return Back(Standing.PRESENT, forfeits=True) if observed else Back(Standing.RETURNING)
    if memory.standing is Standing.LEFT and _later(memory.standing_at, since):
        return Back(Standing.RETURNING, forfeits=True)
    if not was and not reading.thorough and not _stirred(reading, memory, here, counted):
        return Back(Standing.PRESENT)
    log = reading.log
    if log is None:
        return Asking(frozenset({AskLog()}))
    if isinstance(log, Unread):
        return Undecided(Cause.HISTORY_UNREAD, log)
    apps = here | (counted & log.assignments)
    told = _told(reading, memory, absences(log, apps), brief)
    away = memory.standing is not None and memory.standing.absent
    if told == Back(Standing.PRESENT) and not away and _late(reading, memory, log, counted):
        return Undecided(Cause.HISTORY_LATE)
    return told


def _told(
    reading: Reading, memory: Memory, every: tuple[Absence, ...], brief: timedelta
) -> Back | Undecided:
    """What the log says about somebody in force, whom we may have seen away."""
    since = reading.watched_since
    over = max((each for each in (since, memory.accounted) if each), default=None)
    every = tuple(each for each in every if not _excused(each, memory))
    ended = [each for each in every if each.ended and _counts(each, memory, since)]
    if any(not _brief(each, reading.at, brief) for each in ended):
        return Back(Standing.RETURNING, forfeits=True)
    going_on = next((each for each in every if each.ended is None), None)
    patient = _patient(reading, memory)
    if memory.standing is not None and memory.standing.absent:
        return _seen_away(reading, memory, every, brief, patient=patient)
    if going_on is None:
        return Back(Standing.PRESENT)
    # It is over now, and the log does not show that yet, or never will.
    if _later(going_on.began, over) and _brief(going_on, reading.at, brief):
        return Back(Standing.PRESENT)
    if patient:
        return Undecided(Cause.HISTORY_LATE)
    # What we settled since we began to wait says nothing about when it ended.
    waiting, settled = memory.late_since, memory.standing_at
    seen = settled if waiting is None or not _later(settled, waiting) else None
    ended_before = not _later(going_on.began, over) or _later(seen, going_on.began)
    return Back(Standing.PRESENT) if ended_before else Back(Standing.RETURNING, forfeits=True)


def _excused(absence: Absence, memory: Memory) -> bool:
    """An operator rejected what followed from it, and they did not leave after that. Design 3.6."""
    since = max(absence.began, absence.left or absence.began)
    return memory.excused is not None and since <= memory.excused


def _counts(absence: Absence, memory: Memory, since: datetime | None) -> bool:
    """An absence that ended in our watch and has had no consequence yet.

    One that began before a return had it with that return, whatever the log says of its end; one
    long over when we settled them as present has none, or what was granted since would go.
    """
    known = memory.accounted
    began_before = (
        known is not None and absence.began <= known and not _later(absence.ended, known + LATE)
    )
    long_over = (
        memory.standing is Standing.PRESENT
        and absence.ended is not None
        and _later(memory.standing_at, absence.ended + _FORGOTTEN)
    )
    return _later(absence.ended, since) and not began_before and not long_over


def _patient(reading: Reading, memory: Memory) -> bool:
    return reading.at - (memory.late_since or reading.at) < LATE


def _late(reading: Reading, memory: Memory, log: LogFacts, counted: frozenset[OktaAppId]) -> bool:
    """An event says that they came back, and the log does not show the event yet.

    Then it may not show either that they were away.
    """
    said = [each.published for each in reading.claims if _returns(each, counted)]
    since = min(said, default=memory.late_since)
    if since is None or not _patient(reading, memory):
        return False
    returns = (Logged.ACTIVATED, Logged.ASSIGNED)
    return not any(each.what in returns and each.at > since - _ABOUT for each in log.moments)


def _seen_away(
    reading: Reading,
    memory: Memory,
    every: tuple[Absence, ...],
    brief: timedelta,
    *,
    patient: bool,
) -> Back | Undecided:
    """We saw the absence ourselves, and the log shows none that was long and ended in our watch.

    Where it shows no end at all, our own readings say how long it was.
    """
    seen = memory.absent_since or memory.standing_at or reading.at
    watched = _later(seen, reading.watched_since)
    mine = next((each for each in reversed(every) if each.began <= seen), None)
    if mine and mine.ended and mine.ended > seen - LATE:  # our reading may have lagged
        # Brief, or over while we only observed.
        counted = memory.standing is Standing.UNASSIGNED and watched
        return Back(Standing.PRESENT, forfeits=not counted)
    if not watched:
        late = Undecided(Cause.HISTORY_LATE)
        return late if patient else Back(Standing.PRESENT, forfeits=True)
    left = any(each.left and each.ended is None for each in every)
    if reading.at - seen < brief and not left:
        return Back(Standing.PRESENT)
    if every and every[-1].ended is None and not left and patient:
        return Undecided(Cause.HISTORY_LATE)  # it will show how long it really was
    return Back(Standing.RETURNING, forfeits=True)


def _brief(absence: Absence, now: datetime, brief: timedelta) -> bool:
    return not absence.left and (absence.ended or now) - absence.began < brief


def _later(at: datetime | None, than: datetime | None) -> bool:
    return at is not None and (than is None or at > than)


def _stirred(
    reading: Reading, memory: Memory, here: frozenset[OktaAppId], counted: frozenset[OktaAppId]
) -> bool:
    """Whether the log is worth asking about somebody we did not see away.

    An event says that they came back; we wait for the log to show it; or, of somebody never
    settled, the log as read at the first start shows an absence without an end.
    """
    said = any(_returns(each, counted) for each in reading.claims)
    apps = here | (counted & reading.history.assignments)
    unsettled = memory.standing is None and any(
        each.ended is None for each in absences(reading.history, apps)
    )
    return said or unsettled or memory.late_since is not None


def _returns(claimed: Claimed, counted: frozenset[OktaAppId]) -> bool:
    """An event that says somebody came back, as far as it concerns us."""
    assigned = claimed.claim is Claim.ASSIGNED and claimed.about in counted
    return claimed.claim is Claim.ACTIVE or assigned


# -- what to remember --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standed:
    """What to remember; ``standing`` is ``None`` for a look that did not settle it."""

    standing: Standing | None
    agreed: int = 0
    absent_since: datetime | None = None
    returned: datetime | None = None
    accounted: datetime | None = None


def after(
    memory: Memory,
    standing: Standing,
    *,
    quiet: bool,
    now: datetime,
    forfeits: bool = False,
    brief: timedelta = timedelta(),
) -> Standed:
    """What one look leaves of a standing; ``brief`` as in ``back``.

    Returning ends when two later looks were ``quiet``: nothing to do, held, parked or refused,
    and the person active in Atlassian. A standing that proves nothing leaves the proof of an
    absence as it was; a suspension proves that they are assigned again, so it ends a brief one.
    """
    was = memory.standing
    proof = was is Standing.RETURNING or (was is not None and was.absent)
    kept = Standed(None, memory.agreed, memory.absent_since, memory.returned, memory.accounted)
    since = memory.absent_since
    over = was is Standing.UNASSIGNED and since is not None and now - since < brief
    if standing is Standing.UNCLEAR or (proof and standing is Standing.OUTSIDE):
        return kept
    if standing is Standing.SUSPENDED and proof and not over:
        return kept
    returned = now if forfeits and was is not Standing.RETURNING else memory.returned
    if was is Standing.LEFT and standing is Standing.UNASSIGNED:
        standing = Standing.LEFT  # activated and not assigned yet: still the same absence
    if standing is not Standing.RETURNING:
        since = memory.absent_since if was is not None and was.absent else now
        if was is Standing.UNASSIGNED and standing is Standing.LEFT and memory.counted is not was:
            since = now  # excused was that they were unassigned, not that they left
        return Standed(
            standing,
            absent_since=since if standing.absent else memory.absent_since,
            returned=returned,
            accounted=memory.accounted,
        )
    returned = memory.returned if was is Standing.RETURNING and memory.returned else now
    agreed = memory.agreed + 1 if was is Standing.RETURNING and quiet else 0
    done = agreed >= AGREE
    return Standed(
        Standing.PRESENT if done else Standing.RETURNING,
        agreed,
        memory.absent_since,
        returned,
        returned if done else memory.accounted,
    )
