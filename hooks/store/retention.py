"""What is deleted for its age, a portion at a time, and what never is. Design 3.5, 5.1.

Must live here: when nothing can depend on a row any more. Must not know: how often, or who asks.
Never: what waits, who is who, mappings, orders, and the ledger of what we took and still owe.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, select

from hooks.core.ids import Uuid
from hooks.core.ledger import settle
from hooks.core.local import RECENT
from hooks.core.membership import Action, State
from hooks.core.memory import PastStep
from hooks.store import pruning
from hooks.store.tables import Due, Event, Hold, Outcome, Refused, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from sqlalchemy import ColumnElement

    from hooks.store.chain import Signer
    from hooks.store.database import Tx

#: Grants after our removals count for so long, and nothing that is read of the past reaches
#: further back; a day more, since an instant is judged again by a later clock.
LEAST = RECENT + timedelta(days=1)
#: Rows deleted in one transaction. Design 5.1.
PORTION = 500

_event = Event.__table__  # type: ignore[attr-defined]
_refused = Refused.__table__  # type: ignore[attr-defined]
_hold = Hold.__table__  # type: ignore[attr-defined]
_step = Step.__table__  # type: ignore[attr-defined]
_outcome = Outcome.__table__  # type: ignore[attr-defined]
_due = Due.__table__  # type: ignore[attr-defined]


class Kind(StrEnum):
    """What is over by itself, row by row."""

    EVENTS = "events"
    REFUSALS = "refusals"
    HOLDS = "holds"


def cutoff(tx: Tx, keep: timedelta) -> int:
    """Before which instant things are old; ``LEAST`` is kept whatever is asked."""
    return tx.now - max(keep, LEAST) // timedelta(microseconds=1)


def count(tx: Tx, kind: Kind, before: int) -> int:
    """How many rows of a kind are old and over."""
    table, _ = _TABLES[kind]
    query = select(func.count()).select_from(table).where(_over(kind, before))
    return int(tx.execute(query).scalar_one())


def delete_some(tx: Tx, kind: Kind, before: int) -> int:
    """Delete a portion of what is old and over; how many rows, none once there are no more."""
    table, order = _TABLES[kind]
    query = select(table.c.id).where(_over(kind, before)).order_by(order).limit(PORTION)
    if tx.postgres:
        # Locked before it is judged: what is put back in line at this moment is not over.
        query = query.with_for_update(skip_locked=True)
    ids = tx.execute(query).scalars().all()
    if ids:
        tx.execute(delete(table).where(table.c.id.in_(ids)))
    return len(ids)


#: Each with the order in which its old rows are found without reading the others.
_TABLES: dict[Kind, tuple[Any, Any]] = {
    Kind.EVENTS: (_event, _event.c.received),
    Kind.REFUSALS: (_refused, _refused.c.id),
    Kind.HOLDS: (_hold, _hold.c.id),
}


def _over(kind: Kind, before: int) -> ColumnElement[bool]:
    table, _ = _TABLES[kind]
    # The newest stays: SQLite would give its id to the next, and orders name holds by id.
    newest = select(func.max(table.c.id)).scalar_subquery()
    return and_(table.c.id < newest, *_conditions(kind, before))


def _conditions(kind: Kind, before: int) -> tuple[ColumnElement[bool], ...]:
    match kind:
        case Kind.EVENTS:
            return _event.c.received < before, _event.c.settled < before
        case Kind.REFUSALS:
            return (_refused.c.until < before,)
        case Kind.HOLDS:
            return _hold.c.state == "over", _hold.c.decided < before


# -- the journal -------------------------------------------------------------------------------


def outlived(steps: Sequence[PastStep]) -> bool:
    """Whether nothing can depend on the steps of one membership, however it is seen next.

    ``steps`` are all there are of one person, place and group, oldest first; their age is judged
    elsewhere.
    """
    if not all(each.state in _DONE for each in steps):
        return False
    sent = [each for each in steps if each.state != State.OBSERVED]
    for observed in (frozenset[Uuid](), frozenset(each.group for each in steps)):
        ledger = settle(sent, observed)
        if ledger.taken or ledger.unsettled or ledger.parked:
            return False
    return True


#: What a later look would still write about, and what a newer release wrote, is not done.
_DONE = frozenset({State.SETTLED, State.FAILED, State.ABANDONED, State.OBSERVED})


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a stretch of the journal holds: ``users`` with something outlived.

    ``after`` is where the next stretch begins, ``None`` behind the last old step.
    """

    users: tuple[str, ...]
    after: int | None


def stretch(tx: Tx, before: int, after: int) -> Stretch:
    """Look through the next steps; changes nothing."""
    rows = tx.execute(
        select(_step.c.id, _step.c.user, _step.c.at)
        .where(_step.c.id > after)
        .order_by(_step.c.id)
        .limit(PORTION)
    ).all()
    users = {row.user for row in rows if row.at < before}
    found = {user for user, _ in _outlived(tx, before, users)}
    more = len(rows) == PORTION and rows[-1].at < before
    return Stretch(tuple(sorted(found)), rows[-1].id if more else None)


def count_steps(tx: Tx, before: int, users: Collection[str]) -> tuple[int, int]:
    """How many steps of these people are outlived, and how many outcomes they have."""
    found = [weight for _, steps in _outlived(tx, before, users) for _, weight in steps]
    return len(found), sum(found)


def provable(tx: Tx, users: Collection[str], signer: Signer | None) -> set[str]:
    """Those of these people whose steps may be deleted: their chain is whole, or they have none."""
    return pruning.may_purge(tx, users, signer)


def delete_steps(
    tx: Tx, before: int, users: Collection[str], signer: Signer | None = None
) -> tuple[int, int]:
    """Delete a portion of these people's outlived steps, each with all its outcomes.

    Whoever is being looked at is left out: the look has read their journal. So is whoever's chain
    cannot be proved; the others' say afterwards what was deleted. Oldest first, so that what is
    left of a membership half deleted tells no more than the whole did.
    """
    query = select(_due.c.subject).where(
        _due.c.subject.in_(sorted(users)), _due.c.lease_until.is_(None)
    )
    free = tx.execute(query.with_for_update(skip_locked=True) if tx.postgres else query)
    found = list(_outlived(tx, before, set(free.scalars())))
    portion, _ = _portion(each for _, steps in found for each in steps)
    owners = {user for user, steps in found if steps[0][0] in portion}
    theirs = pruning.whole(tx, owners, signer)
    chosen, outcomes = _portion(each for user, steps in found if user in theirs for each in steps)
    _delete(tx, chosen)
    if signer:
        pruning.cut(tx, theirs, frozenset(chosen), signer)
    return len(chosen), outcomes


def shed(tx: Tx, steps: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Delete the first of these steps, each with its so many outcomes; how many of both."""
    chosen, outcomes = _portion(steps)
    _delete(tx, chosen)
    return len(chosen), outcomes


def _portion(steps: Iterable[tuple[int, int]]) -> tuple[list[int], int]:
    """As many of these steps as go at once, and how many outcomes go with them.

    A step without its last outcome would tell of an earlier state as if it were the latest.
    """
    chosen: list[int] = []
    outcomes = 0
    for step, weight in steps:
        if chosen and len(chosen) + outcomes + 1 + weight > PORTION:
            break
        chosen.append(step)
        outcomes += weight
    return chosen, outcomes


def _delete(tx: Tx, steps: Sequence[int]) -> None:
    if steps:
        tx.execute(delete(_outcome).where(_outcome.c.step.in_(steps)))
        tx.execute(delete(_step).where(_step.c.id.in_(steps)))


def _outlived(
    tx: Tx, before: int, users: Collection[str]
) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """Each outlived membership of these people: whose, and its steps with their outcomes' number.

    All of it must be old; a membership goes whole or not at all.
    """
    mine = _outcome.c.step == _step.c.id
    last = select(func.max(_outcome.c.id)).where(mine).correlate(_step).scalar_subquery()
    many = select(func.count()).where(mine).correlate(_step).scalar_subquery()
    rows = tx.execute(
        select(_step, _outcome.c.state, _outcome.c.code, _outcome.c.at.label("became"),
               many.label("outcomes"))
        .outerjoin(_outcome, _outcome.c.id == last)
        .where(_step.c.user.in_(sorted(users)))
        .order_by(_step.c.user, _step.c.directory, _step.c.group, _step.c.id)
    ).all()  # fmt: skip
    newest = tx.execute(select(func.max(_step.c.id))).scalar_one_or_none()
    for (user, *_), membership in groupby(
        rows, key=lambda row: (row.user, row.directory, row.group)
    ):
        steps = list(membership)
        old = all(row.at < before and row.became is not None and row.became < before
                  and row.id != newest for row in steps)  # fmt: skip
        if old and outlived([_past(row) for row in steps]):
            yield user, [(row.id, row.outcomes) for row in steps]


def _past(row: Any) -> PastStep:
    return PastStep(row.id, Action(row.action), Uuid(row.group), row.state, row.code)
