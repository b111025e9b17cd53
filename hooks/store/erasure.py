"""Everything that is stored of one person, found, and deleted a portion at a time. Design 5.2.

Must live here: every place that can hold a person. Must not know: whether they may be forgotten.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, or_, select, update

from hooks.core.errors import UnsealedError
from hooks.core.ledger import settle
from hooks.core.membership import State
from hooks.store import incidents, journal, people
from hooks.store.audit_tables import Drift
from hooks.store.retention import PORTION, shed
from hooks.store.sealing import key_of
from hooks.store.tables import (
    Alarm,
    Chain,
    Cursor,
    Event,
    Hold,
    Look,
    Moment,
    Order,
    Outcome,
    Person,
    Refused,
    Step,
    Tie,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement

    from hooks.core.ids import OktaUserId
    from hooks.store.database import Tx
    from hooks.store.sealing import Sealer

_alarm = Alarm.__table__  # type: ignore[attr-defined]
_chain = Chain.__table__  # type: ignore[attr-defined]
_cursor = Cursor.__table__  # type: ignore[attr-defined]
_drift = Drift.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]
_hold = Hold.__table__  # type: ignore[attr-defined]
_look = Look.__table__  # type: ignore[attr-defined]
_moment = Moment.__table__  # type: ignore[attr-defined]
_order = Order.__table__  # type: ignore[attr-defined]
_outcome = Outcome.__table__  # type: ignore[attr-defined]
_person = Person.__table__  # type: ignore[attr-defined]
_refused = Refused.__table__  # type: ignore[attr-defined]
_step = Step.__table__  # type: ignore[attr-defined]
_tie = Tie.__table__  # type: ignore[attr-defined]

#: Tables with a row or several under a person's id; events are found on the way through all.
_OWN: dict[str, Any] = {
    "steps": _step,
    "chain": _chain,
    "holds": _hold,
    "refusals": _refused,
    "looks": _look,
    "audits": _drift,
    "log": _moment,
    "ties": _tie,
    "person": _person,
}


_OPEN = frozenset({State.OPEN, State.SUBMITTED, State.PARKED})


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of a person under their id, and what speaks for keeping it.

    ``in_force`` are the directories they are in force in; ``waiting`` are their events nobody has
    acted on; ``owed`` are memberships we took and have not given back, as far as we know, ``open``
    steps whose effect nobody has seen, ``held`` holds that are not over.
    """

    counts: Counter[str]
    logins: tuple[str, ...] = ()
    in_force: tuple[str, ...] = ()
    waiting: int = 0
    owed: int = 0
    open: int = 0
    held: int = 0


def stored(tx: Tx, user: OktaUserId, sealer: Sealer) -> Stored:
    """Look it up; changes nothing."""

    def count(table: Any, *where: Any) -> int:
        query = select(func.count()).select_from(table).where(*where)
        return int(tx.execute(query).scalar_one())

    known = people.recall(tx, user, sealer)
    past = journal.history(tx, user).values()
    forces = select(_tie.c.directory).where(_tie.c.user == user, _tie.c.in_force)
    holds = _hold.c.user == user, _hold.c.state != "over"
    counts = Counter({name: count(table, table.c.user == user) for name, table in _OWN.items()})
    theirs = select(_step.c.id).where(_step.c.user == user)
    counts["outcomes"] = count(_outcome, _outcome.c.step.in_(theirs))
    return Stored(
        counts=counts,
        logins=tuple(sorted({each.user_name for each in known.memories.values()} - {""})),
        in_force=tuple(sorted(tx.execute(forces).scalars())),
        waiting=count(_event, _event.c.subject == user, _event.c.settled.is_(None)),
        owed=sum(len(settle(steps, frozenset()).taken) for steps in past),
        open=sum(each.state in _OPEN for steps in past for each in steps),
        held=count(_hold, *holds),
    )


# -- events ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Events:
    """Some events: ids of those about the person, and of others whose payload names them.

    ``seen`` counts them all, ``locked`` payloads that could not be opened, by key; ``after`` ends
    with ``None``.
    """

    seen: int

    theirs: tuple[int, ...]
    naming: tuple[int, ...]
    locked: Counter[str]
    after: int | None


def events(tx: Tx, user: OktaUserId, logins: Collection[str], sealer: Sealer, after: int) -> Events:
    """Look through the next events, oldest first; changes nothing."""
    query = select(_event.c.id, _event.c.uuid, _event.c.subject, _event.c.about, _event.c.sealed)
    rows = tx.execute(query.where(_event.c.id > after).order_by(_event.c.id).limit(PORTION)).all()
    quoted = [json.dumps(each).casefold().encode() for each in logins]
    theirs, naming, locked = [], [], Counter[str]()
    for row in rows:
        if user in (row.subject, row.about):
            theirs.append(row.id)
        elif row.sealed:
            try:
                payload = sealer.open(bytes(row.sealed), row.uuid)
            except UnsealedError:
                locked[key_of(bytes(row.sealed))] += 1
                continue
            if user.encode() in payload or any(each in payload.lower() for each in quoted):
                naming.append(row.id)
    more = rows[-1].id if len(rows) == PORTION else None
    return Events(len(rows), tuple(theirs), tuple(naming), locked, more)


def waiting(tx: Tx, user: OktaUserId) -> frozenset[int]:
    """Ids of their events nobody has acted on, as of now."""
    mine = _event.c.subject == user, _event.c.settled.is_(None)
    return frozenset(tx.execute(select(_event.c.id).where(*mine)).scalars())


def delete_events(tx: Tx, found: Events, known: Collection[int]) -> None:
    """Delete those about the person; of the others only the payload, which no look needs.

    What came after it was asked which wait, and they are ``known``, has been acknowledged and is
    to be acted on.
    """
    over = or_(_event.c.settled.is_not(None), _event.c.id.in_(set(found.theirs) & set(known)))
    tx.execute(delete(_event).where(_event.c.id.in_(found.theirs), over))
    tx.execute(update(_event).where(_event.c.id.in_(found.naming)).values(sealed=None))


# -- looks at others ---------------------------------------------------------------------------


def looks(tx: Tx, user: OktaUserId, after: int) -> tuple[tuple[int, ...], int | None]:
    """Of the next looks at others those that name the person, and where to go on."""
    named = _names(tx, _look.c.told, user).label("named")
    query = select(_look.c.id, _look.c.user, named).where(_look.c.id > after)
    rows = tx.execute(query.order_by(_look.c.id).limit(PORTION)).all()
    found = tuple(row.id for row in rows if row.named and row.user != user)
    return found, rows[-1].id if len(rows) == PORTION else None


def strike(tx: Tx, user: OktaUserId, ids: Sequence[int]) -> None:
    """Take the person's id out of what these looks told."""
    struck = func.replace(_look.c.told, str(user), "")
    tx.execute(update(_look).where(_look.c.id.in_(ids)).values(told=struck))


# -- their own ---------------------------------------------------------------------------------


def delete_own(tx: Tx, user: OktaUserId) -> Counter[str]:
    """Delete a portion of what stands under their id; nothing once there is no more."""
    mine = select(func.count()).where(_outcome.c.step == _step.c.id).correlate(_step)
    query = select(_step.c.id, mine.scalar_subquery().label("many")).where(_step.c.user == user)
    rows = tx.execute(query.order_by(_step.c.id).limit(PORTION)).all()
    if rows:
        number, outcomes = shed(tx, [(row.id, row.many) for row in rows])
        return Counter(steps=number, outcomes=outcomes)
    for name, table in _OWN.items():
        theirs = table.c.user == user
        if "id" in table.c:
            chosen = tx.execute(select(table.c.id).where(theirs).limit(PORTION)).scalars().all()
            theirs = table.c.id.in_(chosen)
            if table is _hold:
                _unname(tx, chosen)
        if number := _delete(tx, table, theirs):
            return Counter({name: number})
    return Counter()


def _delete(tx: Tx, table: Any, theirs: ColumnElement[bool]) -> int:
    """Delete these; an incident that held nobody else is over with its last hold."""
    if table is not _hold:
        return tx.execute(delete(table).where(theirs)).rowcount
    held = tx.execute(delete(table).where(theirs).returning(_hold.c.brake_class)).scalars().all()
    incidents.end(tx, set(held))
    return len(held)


def _unname(tx: Tx, holds: Collection[int]) -> None:
    """Let orders about these holds name none: SQLite may give their ids to others'."""
    decided = _order.c.kind.in_(["approve", "reject"])
    about = _order.c.ref.in_([str(each) for each in holds])
    tx.execute(update(_order).where(decided, about).values(ref=""))


def delete_mentions(tx: Tx, user: OktaUserId) -> None:
    """Take their id out of orders, and delete what is remembered under a name with it."""
    texts = (_order.c.ref, _order.c.why, _order.c.result)
    struck = {each.name: func.replace(each, str(user), "") for each in texts}
    named = or_(*(_names(tx, each, user) for each in texts))
    tx.execute(update(_order).where(named).values(**struck))
    for table in (_cursor, _alarm):
        tx.execute(delete(table).where(_names(tx, table.c.name, user)))


def _names(tx: Tx, column: Any, user: OktaUserId) -> ColumnElement[bool]:
    """Whether a text holds the id, letter by letter: for SQLite's LIKE `A` and `a` are the same."""
    place = func.strpos if tx.postgres else func.instr
    found: ColumnElement[bool] = place(column, str(user)) > 0
    return found
