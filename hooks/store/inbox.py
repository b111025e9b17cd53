"""Stored events and dead letters: as people ask for them, and put back in line.

Must live here: which events and letters are meant. Must not know: who asked, or what follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, func, literal_column, select, true, update

from hooks.core.log_event import EVENT_TYPES
from hooks.store import line
from hooks.store.tables import PART, Due, Event

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement

    from hooks.store.database import Tx
    from hooks.store.sealing import Sealer

_event = Event.__table__  # type: ignore[attr-defined]
_due = Due.__table__  # type: ignore[attr-defined]
_part = literal_column(f"(event.{PART})", BigInteger)

#: Among so many some may have come out of turn, the later one with the lower id: transactions side
#: by side, or a clock that was put back.
_OUT_OF_TURN = 1_000
_COLUMNS = (
    "id",
    "uuid",
    "type",
    "published",
    "received",
    "origin",
    "delivery",
    "subject",
    "settled",
    "replayed",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events to list: about a person or group, of a type, waiting only, before a row id."""

    subject: str | None = None
    type: str | None = None
    waiting: bool = False
    before: int | None = None
    limit: int = 100


def subjects_since(tx: Tx, since: int) -> set[str]:
    """Whom events are about that came since then."""
    query = select(_event.c.subject).where(_event.c.received >= since)
    return set(tx.execute(query.where(_event.c.subject.is_not(None)).distinct()).scalars())


def listed(tx: Tx, wanted: Wanted) -> list[dict[str, object]]:
    """Events, newest first, without their payloads."""
    query = select(*(_event.c[name] for name in _COLUMNS)).order_by(_event.c.id.desc())
    if wanted.subject:
        query = query.where(_event.c.subject.in_([wanted.subject, f"group/{wanted.subject}"]))
    if wanted.type:
        query = query.where(_event.c.type == wanted.type)
    if wanted.waiting:
        query = query.where(_event.c.settled.is_(None))
    if wanted.before:
        query = query.where(_event.c.id < wanted.before)
    return [dict(row) for row in tx.execute(query.limit(wanted.limit)).mappings()]


def published(tx: Tx, uuids: Collection[str]) -> dict[str, int]:
    """When Okta published these events, as far as they are stored."""
    query = select(_event.c.uuid, _event.c.published).where(_event.c.uuid.in_(sorted(uuids)))
    return {row.uuid: row.published for row in tx.execute(query)}


def opened(tx: Tx, uuid: str, sealer: Sealer) -> tuple[dict[str, object], bytes | None] | None:
    """One event and its payload; the payload is ``None`` for events that do not concern us."""
    row = tx.execute(select(_event).where(_event.c.uuid == uuid)).mappings().one_or_none()
    if row is None:
        return None
    sealed = row["sealed"]
    payload = sealer.open(bytes(sealed), uuid) if sealed else None
    return {name: row[name] for name in _COLUMNS}, payload


def check_seal(tx: Tx, sealer: Sealer) -> None:
    """Open the newest sealed payload: whoever lacks its key must not begin.

    Raises:
        UnsealedError: the key it was sealed with is not given.
    """
    query = select(_event.c.uuid, _event.c.sealed).where(_event.c.sealed.is_not(None))
    row = tx.execute(query.order_by(_event.c.id.desc()).limit(1)).one_or_none()
    if row:
        sealer.open(bytes(row.sealed), row.uuid)


# -- many of them ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which events to go through; what is not said leaves it open.

    ``since`` and ``until`` are when they were received, in microseconds UTC, the latter not
    included; ``about`` is a person or a group.
    """

    since: int | None = None
    until: int | None = None
    type: str | None = None
    about: str | None = None
    uuids: tuple[str, ...] = ()
    waiting: bool | None = None

    def where(self) -> ColumnElement[bool]:
        """The same, for a query."""
        found: ColumnElement[bool] = true()
        if self.since is not None:
            found &= _event.c.received >= self.since
        if self.until is not None:
            found &= _event.c.received < self.until
        if self.type is not None:
            found &= _event.c.type == self.type
        if self.about is not None:
            found &= _event.c.subject.in_([self.about, line.key("group", self.about)])
        if self.uuids:
            found &= _event.c.uuid.in_(self.uuids)
        if self.waiting is not None:
            found &= _event.c.settled.is_(None) if self.waiting else _event.c.settled.is_not(None)
        return found


def newest(tx: Tx) -> int:
    """The row id of the newest event; a long read ends there, whatever comes meanwhile."""
    return tx.execute(select(func.max(_event.c.id))).scalar_one() or 0


def page(
    tx: Tx, chosen: Chosen, *, after: int, upto: int, limit: int = 500, sealed: bool = False
) -> list[dict[str, object]]:
    """The next of the chosen events behind a row id, oldest first; with what is sealed of them."""
    names = (*_COLUMNS, "sealed") if sealed else _COLUMNS
    query = select(*(_event.c[name] for name in names)).where(
        chosen.where(), _event.c.id > after, _event.c.id <= upto
    )
    return [dict(row) for row in tx.execute(query.order_by(_event.c.id).limit(limit)).mappings()]


def one_subject(tx: Tx, chosen: Chosen) -> bool:
    """Whether no more than one person or group is concerned."""
    query = select(_event.c.subject).where(chosen.where(), _event.c.subject.is_not(None))
    return len(tx.execute(query.distinct().limit(2)).all()) < 2  # noqa: PLR2004  # of at most two


@dataclass(frozen=True, slots=True)
class Known:
    """A stored event, whom it is about, and whether it waits."""

    uuid: str
    subject: str | None
    waits: bool


def known(tx: Tx, uuids: Collection[str]) -> list[Known]:
    """Those that are stored."""
    query = select(_event.c.uuid, _event.c.subject, _event.c.settled)
    rows = tx.execute(query.where(_event.c.uuid.in_(sorted(uuids))))
    return [Known(row.uuid, row.subject, row.settled is None) for row in rows]


def put_back(tx: Tx, events: Collection[Known], *, lane: int) -> int:
    """Put whom these are about back in line, and have them caused by these events again.

    How many no longer count as settled; those that wait already are left as old as they are.
    The line is locked before the events, as whoever settles does it.
    """
    named = {each.uuid: each.subject for each in events if each.subject}
    people = {each for each in named.values() if "/" not in each}
    line.mark(tx, people, "user", lane=lane, due_at=tx.now, events=True)
    for kind in ("group", "push"):
        front = line.key(kind, "")
        names = {each.removeprefix(front) for each in named.values() if each.startswith(front)}
        line.mark(tx, names, kind, lane=line.BULK, due_at=tx.now, events=True)
    settled = _event.c.uuid.in_(sorted(named)) & _event.c.settled.is_not(None)
    again = {"settled": None, "first_look": None, "replayed": tx.now}
    return tx.execute(update(_event).where(settled).values(again)).rowcount


# -- dead letters ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Letters:
    """Which dead letters: for which reason, and dead since when, in microseconds UTC.

    ``until`` is not included; what is not said leaves it open.
    """

    why: str | None = None
    since: int | None = None
    until: int | None = None


def dead(tx: Tx, letters: Letters = Letters(), *, limit: int = 1000) -> list[dict[str, object]]:
    """Dead letters, oldest first."""
    names = ("subject", "kind", "dead", "dead_at", "attempts", "crashes")
    query = select(*(_due.c[name] for name in names)).where(_due.c.dead.is_not(None))
    if letters.why is not None:
        query = query.where(_due.c.dead == letters.why)
    if letters.since is not None:
        query = query.where(_due.c.dead_at >= letters.since)
    if letters.until is not None:
        query = query.where(_due.c.dead_at < letters.until)
    query = query.order_by(_due.c.dead_at, _due.c.subject).limit(limit)
    return [dict(row) for row in tx.execute(query).mappings()]


def missed(tx: Tx, *, since: int, until: int) -> int:
    """How many events of a kind that hooks send came by the log alone, received in that time."""
    query = select(func.count()).where(
        _event.c.origin == "log",
        _event.c.received.between(since, until),
        _event.c.hooked.is_(None),
        _event.c.type.in_(EVENT_TYPES),
        _event.c.subject.is_not(None),
    )
    return int(tx.execute(query).scalar_one())


def deliveries(tx: Tx, limit: int) -> list[dict[str, object]]:
    """What came last by the hook, newest first: each delivery, when, and how many new events."""
    names = (_event.c.delivery, _event.c.received)
    query = select(*names).where(_event.c.origin == "hook").order_by(_event.c.id.desc())
    found: dict[str, dict[str, object]] = {}
    for row in tx.execute(query.limit(limit * 100)):
        each = {"delivery": row.delivery, "received": row.received, "events": 0}
        kept = found.setdefault(row.delivery, each)
        kept["events"] = int(str(kept["events"])) + 1
    return list(found.values())[:limit]


def dead_by_reason(tx: Tx) -> dict[str, int]:
    """How many dead letters there are, by why."""
    query = select(_due.c.dead, func.count().label("letters")).where(_due.c.dead.is_not(None))
    rows = tx.execute(query.group_by(_due.c.dead))
    return {str(row.dead): int(row.letters) for row in rows}


def late(tx: Tx, *, before: int) -> int:
    """How many events that came before then still wait, but for those of dead letters."""
    old = _event.c.received < before
    newest = select(_part.label("part")).where(old).order_by(_event.c.received.desc())
    last = select(func.max(newest.limit(_OUT_OF_TURN).subquery().c.part)).scalar_subquery()
    dead = select(_due.c.subject).where(_due.c.dead.is_not(None))
    # Old ones counted and not looked for, or SQLite goes through all there ever were; and by parts
    # of the index of those that wait, or through all of those.
    query = select(func.count().filter(old)).where(
        _event.c.settled.is_(None),
        _part <= last,
        _event.c.subject.is_not(None),
        _event.c.subject.not_in(dead),
    )
    return int(tx.execute(query).scalar_one())


# -- single ones -------------------------------------------------------------------------------


def counted(tx: Tx) -> int:
    """How many events are stored."""
    return int(tx.execute(select(func.count()).select_from(_event)).scalar_one())


def closed(tx: Tx, uuid: str) -> tuple[dict[str, object], None] | None:
    """One event as `opened` tells it, its payload left sealed; no key is needed."""
    row = tx.execute(select(_event).where(_event.c.uuid == uuid)).mappings().one_or_none()
    return None if row is None else ({name: row[name] for name in _COLUMNS}, None)


@dataclass(frozen=True, slots=True)
class Place:
    """A subject's place in line; instants in microseconds UTC."""

    fence: int
    due_at: int | None
    lease_until: int | None
    dead: str | None


def place(tx: Tx, subject: str) -> Place | None:
    """Where a subject stands in line; ``None`` if it never was."""
    names = ("fence", "due_at", "lease_until", "dead")
    query = select(*(_due.c[name] for name in names)).where(_due.c.subject == subject)
    row = tx.execute(query).one_or_none()
    return Place(row.fence, row.due_at, row.lease_until, row.dead) if row else None
