"""Incidents: one for each class over its limit, however many people it holds. Design 3.6.

Must live here: when one begins and ends, and what was done in it. Must not know: who is held, or
what is decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, distinct, exists, false, func, select, update

from hooks.core import brake
from hooks.core.brake import Held
from hooks.core.membership import Action
from hooks.store.tables import Hold, Incident, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import timedelta

    from sqlalchemy import ColumnElement, Row

    from hooks.store.database import Tx

_incident = Incident.__table__  # type: ignore[attr-defined]
_hold = Hold.__table__  # type: ignore[attr-defined]
_step = Step.__table__  # type: ignore[attr-defined]

#: States in which removals of an incident are still to be decided, or to be sent.
_UNDECIDED = (Held.WAITING, Held.APPROVED)


def join(tx: Tx, brake_class: str, window: timedelta) -> int:
    """The open incident of a class, or a new one; the class is locked.

    A new one began with the first of the removals that were counted over this ``window``, and
    not before the last one was over: what was done in that, somebody decided about.
    """
    query = select(_incident.c.id).where(_open(brake_class)).order_by(_incident.c.id).limit(1)
    known = tx.execute(query).scalar_one_or_none()
    if known is not None:
        return int(known)
    start = tx.now - round(window.total_seconds() * 1_000_000)
    past = select(func.max(_incident.c.over)).where(_incident.c.brake_class == brake_class)
    over = tx.execute(past).scalar_one() or 0
    counted = and_(*_counted(brake_class), _step.c.at > max(start, over))
    first = tx.execute(select(func.min(_step.c.at)).where(counted)).scalar_one_or_none()
    row = {"brake_class": brake_class, "since": first or tx.now, "at": tx.now}
    made = tx.execute(_incident.insert().values(**row).returning(_incident.c.id))
    return int(made.scalar_one())


def _open(brake_class: str) -> ColumnElement[bool]:
    return and_(_incident.c.brake_class == brake_class, _incident.c.over.is_(None))


def _counted(brake_class: str) -> tuple[ColumnElement[bool], ...]:
    """The steps whose people a class counts. Too many steps for one person count nobody."""
    sent = _step.c.action == Action.REMOVE, _step.c.brake_class != ""
    if group := brake.group_of(brake_class):
        return _step.c.group == group, *sent
    if brake.of_steps(brake_class):
        return (false(),)
    return (_step.c.brake_class == brake_class,)


def again(tx: Tx, incidents: Iterable[int]) -> None:
    """Let these go on: somebody took a no back. Their classes are locked."""
    for each in sorted(incidents):
        row = tx.execute(select(_incident).where(_incident.c.id == each)).one_or_none()
        if row is None or row.over is None:
            continue
        newer = tx.execute(select(_incident.c.id).where(_open(row.brake_class))).scalars().first()
        if newer is None:
            tx.execute(update(_incident).where(_incident.c.id == each).values(over=None))
            continue
        undecided = (_hold.c.incident == each) & _hold.c.state.in_(_UNDECIDED)
        tx.execute(update(_hold).where(undecided).values(incident=newer))


def end(tx: Tx, classes: Collection[str]) -> None:
    """End those of these classes in which nothing is left to be decided or sent."""
    left = exists().where(_hold.c.incident == _incident.c.id, _hold.c.state.in_(_UNDECIDED))
    tx.execute(
        update(_incident)
        .where(_incident.c.brake_class.in_(sorted(classes)), _incident.c.over.is_(None), ~left)
        .values(over=tx.now)
    )


# -- what people ask ---------------------------------------------------------------------------


def listed(tx: Tx, *, every: bool = False) -> list[dict[str, object]]:
    """Incidents, oldest first: those that are not over, or all there were.

    Each with how many people it holds, by what was decided about them, and how many lost
    something in it (``done``).
    """
    query = select(_incident).order_by(_incident.c.id)
    if not every:
        query = query.where(_incident.c.over.is_(None))
    return [_told(tx, row) for row in tx.execute(query).all()]


def one(tx: Tx, incident: int) -> dict[str, object] | None:
    """One of them, as listed; ``None`` if there is no such."""
    row = tx.execute(select(_incident).where(_incident.c.id == incident)).one_or_none()
    return None if row is None else _told(tx, row)


def removals(tx: Tx, incident: int) -> list[int]:
    """Ids of the removals that were admitted in it, oldest first: before anything was held too."""
    query = select(_step.c.id).where(*within(tx, incident)).order_by(_step.c.id)
    return [int(each) for each in tx.execute(query).scalars()]


def within(tx: Tx, incident: int) -> tuple[ColumnElement[bool], ...]:
    """What tells its steps from others."""
    row = tx.execute(select(_incident).where(_incident.c.id == incident)).one_or_none()
    return (false(),) if row is None else _within(row)


def _told(tx: Tx, row: Row[Any]) -> dict[str, object]:
    people = func.count(distinct(_hold.c.user)).label("people")
    held = select(_hold.c.state, people).where(_hold.c.incident == row.id)
    counts = {each.state: each.people for each in tx.execute(held.group_by(_hold.c.state))}
    done = select(func.count(distinct(_step.c.user))).where(*_within(row))
    return {
        "id": row.id,
        "brake_class": row.brake_class,
        "since": row.since,
        "at": row.at,
        "over": row.over,
        **{state.value: counts.get(state, 0) for state in Held if state is not Held.OVER},
        "done": int(tx.execute(done).scalar_one()),
    }


def _within(row: Row[Any]) -> tuple[ColumnElement[bool], ...]:
    """The removals of an incident, from the first that was counted to its end."""
    time = _step.c.at >= row.since, *([] if row.over is None else [_step.c.at <= row.over])
    if not brake.of_steps(row.brake_class):
        return *_counted(row.brake_class), *time
    place = row.brake_class.partition("/")[0]
    held = select(_hold.c.user).where(_hold.c.incident == row.id)
    sent = _step.c.action == Action.REMOVE, _step.c.brake_class != ""
    return _step.c.user.in_(held), _step.c.directory == place, *sent, *time
