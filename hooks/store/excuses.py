"""Absences an operator excuses: of who is held, and of who lost something before that. Design 3.6.

Must live here: which absence is meant, and that no later one is. Must not know: what one leads to,
or what is decided about a hold.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import String, cast, func, select, update

from hooks.core.brake import ABSENCES, Held
from hooks.core.membership import ORGANIZATION, Standing
from hooks.core.plan import Reason
from hooks.store import incidents, line, orders
from hooks.store.tables import Hold, Order, Outcome, Step, Tie

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select

    from hooks.store.database import Tx

_hold = Hold.__table__  # type: ignore[attr-defined]
_order = Order.__table__  # type: ignore[attr-defined]
_outcome = Outcome.__table__  # type: ignore[attr-defined]
_step = Step.__table__  # type: ignore[attr-defined]
_tie = Tie.__table__  # type: ignore[attr-defined]

#: People in one transaction. Design 5.1.
TOGETHER = 200


# -- one person --------------------------------------------------------------------------------


def person(tx: Tx, user: str, directory: str, *, excused: bool) -> None:
    """Let absences that began before now have no consequence, there and locally; or again one."""
    at = tx.now if excused else None
    tx.execute(update(_tie).where(*_stays(user, directory)).values(excused=at))


def _stays(user: str, directory: str) -> tuple[ColumnElement[bool], ...]:
    return _tie.c.user == user, _tie.c.directory.in_([directory, ORGANIZATION])


# -- an incident -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lost:
    """What an incident took from one person in one directory: from when until when, and why."""

    user: str
    directory: str
    since: int
    until: int
    reason: str


def lost(tx: Tx, incident: int, *, after: str = "") -> list[Lost]:
    """The next people who lost something in it for an absence it holds others for.

    Not those whose removals somebody approved.
    """
    reasons = _step.c.reason.in_(sorted(_reasons(tx, incident)))
    meant = *incidents.within(tx, incident), reasons, _step.c.user.not_in(_approved(incident))
    users = select(_step.c.user).where(*meant, _step.c.user > after).distinct()
    some = tx.execute(users.order_by(_step.c.user).limit(TOGETHER)).scalars().all()
    why = _step.c.user, _step.c.brake_class, _step.c.reason
    times = func.min(_step.c.at).label("since"), func.max(_outcome.c.at).label("until")
    query = select(*why, *times).join(_outcome, _outcome.c.step == _step.c.id)
    query = query.where(*meant, _step.c.user.in_(some)).group_by(*why).order_by(*why)
    return [
        Lost(row.user, row.brake_class.partition("/")[0], row.since, row.until, row.reason)
        for row in tx.execute(query)
    ]


def _reasons(tx: Tx, incident: int) -> frozenset[str]:
    """For which absences it holds people; older rows say it by their class."""
    query = select(_hold.c.steps, _hold.c.brake_class).where(_hold.c.incident == incident)
    found: set[str] = set()
    for row in tx.execute(query.distinct()):
        whys = {why for _, _, *some in json.loads(row.steps) for why in some}
        found |= whys or {row.brake_class.split("/")[1]}
    return ABSENCES & found


def _approved(incident: int) -> Select[tuple[str]]:
    """Whose removals were right: somebody said so, and nobody took it back."""
    mine = _hold.c.incident == incident, _hold.c.state != Held.REJECTED
    said = (_order.c.ref == cast(_hold.c.id, String)) & (_order.c.kind == "approve")
    return select(_hold.c.user).join(_order, said).where(*mine)


def excusable(tx: Tx, some: Sequence[Lost]) -> list[str]:
    """Who of these is still in that absence, or back from it, and not excused yet."""
    return sorted(
        {each.user for each in some if tx.execute(select(_tie.c.user).where(*_of(each))).first()}
    )


def excuse(tx: Tx, some: Sequence[Lost], *, who: str, why: str) -> list[str]:
    """Let the absences that cost these people something have no further consequence.

    They are looked at again. Returns the people concerned.
    """
    concerned = excusable(tx, some)
    _mark(tx, concerned)
    for each in some:
        tx.execute(update(_tie).where(*_of(each)).values(excused=each.until))
    for user in concerned:
        orders.record(tx, "excuse", user, who=who, why=why)
    return concerned


def _of(each: Lost) -> tuple[ColumnElement[bool], ...]:
    """What is remembered of that absence: not of a later one, nor if they left since then."""
    here = _stays(each.user, each.directory)
    earlier = _tie.c.excused.is_(None) | (_tie.c.excused < each.until)
    known = _tie.c.standing.is_(None) | (_tie.c.standing != Standing.LEFT)
    return *here, earlier, known | (each.reason == Reason.LEFT)


def rejected(tx: Tx, incident: int) -> bool:
    """Whether anybody's removals in it are rejected still."""
    mine = _hold.c.incident == incident, _hold.c.state == Held.REJECTED
    return tx.execute(select(_hold.c.id).where(*mine).limit(1)).first() is not None


def blame(tx: Tx, some: Sequence[Lost]) -> None:
    """Take such an excuse back."""
    _mark(tx, sorted({each.user for each in some}))
    for each in some:
        excused = _tie.c.excused.between(each.since, each.until)
        tx.execute(
            update(_tie).where(*_stays(each.user, each.directory), excused).values(excused=None)
        )


def _mark(tx: Tx, users: Sequence[str]) -> None:
    lane = line.URGENT if len(users) == 1 else line.BULK
    line.mark(tx, users, "user", lane=lane, due_at=tx.now, events=False)
