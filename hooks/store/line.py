"""The line: who is due, who holds the lease on them, and when to look again. Design 5.2.

Must live here: every change of a ``due`` row. Must not know: what is done under a lease.
A lease is a fence that only grows; every transaction under it first compares the fence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select, update

from hooks.clock import moment
from hooks.core.attempt import MAX_ATTEMPTS, MAX_CRASHES, DeadLetter, Idle, LookAgain, Next, Retry
from hooks.core.errors import LeaseLostError
from hooks.store import turns, waiting
from hooks.store.database import packed
from hooks.store.marking import marking
from hooks.store.tables import Due, Event

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from sqlalchemy import Select, Update

    from hooks.core.memory import Claimed
    from hooks.store.database import Tx

#: How long a lease lasts without being extended. Design 5.2.
LEASE = timedelta(seconds=60)
URGENT, BULK, APART = turns.URGENT, turns.BULK, turns.APART

_due = Due.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]


#: More people than this in one order are a crowd.
CROWD = 100


def lane_for(people: int) -> int:
    """The lane of an order about so many: a crowd stands behind whoever leaves meanwhile."""
    return URGENT if people <= CROWD else BULK


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one subject until ``until``, under ``fence``.

    ``attempt`` starts at 1; ``uuids`` are the waiting events and ``claims`` what they say;
    ``base`` is when the looks after the last plan began; ``abandoned`` is when the lease before
    this one ended without a word. ``since`` is when the oldest waiting event was published, and
    when it came.
    """

    subject: str
    kind: str
    lane: int
    fence: int
    until: int
    generation: int
    attempt: int
    base: datetime | None = None
    uuids: tuple[str, ...] = ()
    claims: tuple[Claimed, ...] = ()
    abandoned: datetime | None = None
    since: tuple[datetime, datetime] | None = None

    @property
    def name(self) -> str:
        """The id of whom or what it is about, without its kind."""
        return self.subject.removeprefix(f"{self.kind}/")


def key(kind: str, name: str) -> str:
    """How a subject stands in line: people by their id, all else with its kind in front.

    An event may name anything as anything, and nobody may take another kind's place.
    """
    return name if kind == "user" else f"{kind}/{name}"


def mark(
    tx: Tx,
    subjects: Iterable[str],
    kind: str,
    *,
    lane: int,
    due_at: int,
    events: bool,
    strangers: int | None = None,
) -> None:
    """Put people or groups in line; sorted, because unsorted upserts deadlock.

    ``events`` says that new events came: then a dead letter gets another chance and a failing
    one starts to count its attempts anew. ``strangers`` is the lane of people whom no census has
    listed and no look has seen in force or with a record, if it is another.
    """
    named = {key(kind, each) for each in subjects}
    if named:
        place = {"kind": kind, "lane": lane, "due_at": due_at, "strangers": strangers}
        statement = marking(postgres=tx.postgres, events=events, strange=strangers is not None)
        tx.execute(statement, place | {"subjects": packed(named)})


def enroll(tx: Tx, subject: str, kind: str, *, after: timedelta = timedelta()) -> None:
    """Put standing work in line unless it is there already, ``after`` a while the first time.

    What was given up starts anew.
    """
    row = {"subject": key(kind, subject), "kind": kind, "lane": BULK, "generation": 1}
    insert = tx.insert(_due).on_conflict_do_update(
        index_elements=["subject"],
        set_={"due_at": tx.now, "dead": None, "dead_at": None, "attempts": 0, "crashes": 0},
        where=_due.c.due_at.is_(None),
    )
    tx.execute(
        insert, [row | {"due_at": tx.now + _us(after), "fence": 0, "attempts": 0, "crashes": 0}]
    )


def hasten(tx: Tx, kind: str) -> None:
    """Have standing work of a kind done now, also what was given up."""
    free = _due.c.lease_until.is_(None)
    now = {"due_at": tx.now, "dead": None, "dead_at": None}
    tx.execute(update(_due).where(_due.c.kind == kind, free).values(**now))


def lease(
    tx: Tx,
    *,
    limit: int,
    bulk: int | None = None,
    last: int = 0,
    but: Collection[str] = (),
    only: str | None = None,
    survived: Collection[tuple[str, int]] = (),
) -> list[Lease]:
    """t1: take the longest-waiting subjects, urgent ones first.

    A subject whose leases keep ending without a word becomes a dead letter here, since the
    process that would say so does not live to do it. ``bulk`` of them at most may be bulk work,
    ``last`` of the urgent are those who came last, so that nobody stands behind a whole crowd;
    ``but`` are subjects this process is still working on; ``only`` asks for one subject.
    ``survived`` are leases, by subject and fence, whose end the store kept from being said, and
    not a crash: attempts that failed, like any other.
    """
    rows = turns.take(
        tx, limit=limit, bulk=limit if bulk is None else bulk, last=last, but=but, only=only
    )
    until = tx.now + _us(LEASE)
    leases = []
    for row in rows:
        failed = (row.subject, row.fence) in survived and row.attempts < MAX_ATTEMPTS
        crashed = row.lease_until is not None and not failed
        if crashed and row.crashes + 1 >= MAX_CRASHES:
            _bury(tx, row.subject, "crashes")
            continue
        tx.execute(_leasing(), {"whom": row.subject, "until": until, "crashed": int(crashed)})
        leases.append(
            Lease(
                subject=row.subject,
                kind=row.kind,
                lane=row.lane,
                fence=row.fence + 1,
                until=until,
                generation=row.generation,
                attempt=row.attempts + 1,
                base=_moment(row.base),
                abandoned=_moment(row.lease_until),
            )
        )
    found = []
    for each in leases:
        out = waiting.handed_out(tx, each.subject)
        found.append(replace(each, uuids=out.uuids, claims=out.claims, since=out.since))
    return found


@cache
def _leasing() -> Update:
    """Built once: whoever comes alone waits for it."""
    until = bindparam("until", type_=_due.c.due_at.type)
    return (
        update(_due)
        .where(_due.c.subject == bindparam("whom"))
        .values(
            fence=_due.c.fence + 1,
            attempts=_due.c.attempts + 1,
            crashes=_due.c.crashes + bindparam("crashed", type_=_due.c.crashes.type),
            lease_until=until,
            due_at=until,
        )
    )


def compare_fence(tx: Tx, held: Lease) -> Due:
    """The row, locked, if the fence is still ours.

    Raises:
        LeaseLostError: somebody else took the lease since.
    """
    query = _locked(postgres=tx.postgres)
    row = tx.execute(query, {"subject": held.subject}).one_or_none()
    if row is None or row.fence != held.fence or row.lease_until is None:
        msg = f"lease on {held.subject} was lost"
        raise LeaseLostError(msg)
    return row  # type: ignore[return-value]  # a row, read by attribute


@cache
def _locked(*, postgres: bool) -> Select[Any]:
    query = select(_due).where(_due.c.subject == bindparam("subject"))
    return query.with_for_update() if postgres else query


def extend(tx: Tx, held: Lease) -> int:
    """Extend a lease that is still ours; the new end, in microseconds UTC."""
    compare_fence(tx, held)
    until = tx.now + _us(LEASE)
    tx.execute(
        update(_due).where(_due.c.subject == held.subject).values(lease_until=until, due_at=until)
    )
    return until


def settle(
    tx: Tx, held: Lease, then: Next, *, keep: Collection[str] = (), hurry: bool = False
) -> None:
    """t4: end the lease, settle its events and put the subject where it belongs.

    Looks by ourselves are bulk work, so that a leaver is never behind a crowd's second looks; who
    is in a ``hurry`` and was only turned away stays where they were.
    Events in ``keep`` go on waiting, as all do for a failure. What arrived meanwhile raised the
    generation; then the subject is due at once.
    """
    row = compare_fence(tx, held)
    values: dict[str, object] = {"lease_until": None, "crashes": 0, "base": None}
    match then:
        case Idle():
            values |= {"due_at": None, "attempts": 0}
        case LookAgain(at, base):
            values |= {"due_at": _at(at), "attempts": 0, "base": base and _at(base), "lane": BULK}
        case Retry(at, counted, base):
            attempts = row.attempts if counted else max(0, row.attempts - 1)
            values |= {"due_at": _at(at), "attempts": attempts, "base": base and _at(base)}
            values |= {"lane": BULK if counted or not hurry else held.lane}
        case DeadLetter(reason):
            values |= {"due_at": None, "dead": reason, "dead_at": tx.now}
    if row.generation != held.generation:
        values |= {"due_at": tx.now, "dead": None, "dead_at": None}
    tx.execute(update(_due).where(_due.c.subject == held.subject).values(**values))
    if isinstance(then, Retry | DeadLetter):
        return
    looked_at = _event.c.subject == held.subject
    if row.generation != held.generation:
        looked_at &= _event.c.uuid.in_(held.uuids)
    tx.execute(
        update(_event)
        .where(looked_at, _event.c.settled.is_(None), _event.c.uuid.not_in(list(keep)))
        .values(settled=tx.now)
    )


def leave(tx: Tx, held: Lease) -> bool:
    """End a lease by taking the subject out of the line; whether nothing came meanwhile.

    If something did, the subject is due at once instead.
    """
    row = compare_fence(tx, held)
    mine = _due.c.subject == held.subject
    if row.generation != held.generation:
        tx.execute(update(_due).where(mine).values(lease_until=None, due_at=tx.now))
        return False
    tx.execute(delete(_due).where(mine))
    return True


def retry_dead(tx: Tx, subjects: Collection[str] | None = None) -> int:
    """Put dead letters back in line, all of them or the named ones; how many."""
    where = _due.c.dead.is_not(None)
    if subjects is not None:
        where &= _due.c.subject.in_(list(subjects))
    changed = tx.execute(
        update(_due)
        .where(where)
        .values(dead=None, dead_at=None, attempts=0, crashes=0, due_at=tx.now, lease_until=None)
    )
    return changed.rowcount


def is_due(tx: Tx, subject: str) -> bool:
    """Whether a subject may be leased now, or never stood in line."""
    query = select(_due.c.due_at).where(_due.c.subject == subject)
    row = tx.execute(query).one_or_none()
    return row is None or row.due_at is None or row.due_at <= tx.now


def _bury(tx: Tx, subject: str, reason: str) -> None:
    tx.execute(
        update(_due)
        .where(_due.c.subject == subject)
        .values(dead=reason, dead_at=tx.now, due_at=None, lease_until=None)
    )


def _us(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def _moment(at: int | None) -> datetime | None:
    return None if at is None else moment(at)


def _at(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)
