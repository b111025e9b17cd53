"""What operators asked for: what, about whom or what, who as claimed, why, and when. Design 5.2.

Must live here: the record of every order. Must not know: how one is carried out.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from hooks.core.memory import Ordered, Repaired
from hooks.store.tables import Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Row, Select

    from hooks.core.ids import OktaUserId
    from hooks.store.database import Tx

_order = Order.__table__  # type: ignore[attr-defined]

_RESTORE, _NAMED = "restore", "restore_named"
_REPAIR = "repair"
#: Microseconds after which nobody waits for an answer any more.
_PATIENCE = 24 * 3600 * 1_000_000


def record(tx: Tx, kind: str, ref: str, *, who: str, why: str, result: str = "") -> None:
    """Write down what an operator asked, which the same transaction does.

    ``ref`` is the person, the hold or the words it is about; ``result`` what came of it in ids
    and counts.
    """
    tx.execute(
        _order.insert().values(
            kind=kind,
            ref=ref[:128],
            who=who[:128],
            why=why[:512],
            at=tx.now,
            done=tx.now,
            result=result[:256],
        )
    )


def begin(tx: Tx, kind: str, ref: str, *, who: str, why: str) -> int:
    """As `record`, of what takes more than one transaction: `end` says what came of it."""
    row = {"kind": kind, "ref": ref[:128], "who": who[:128], "why": why[:512], "at": tx.now}
    made = tx.execute(_order.insert().values(**row, result="").returning(_order.c.id))
    return int(made.scalar_one())


def end(tx: Tx, order: int, result: str) -> None:
    """What was begun is done."""
    mine = _order.c.id == order
    tx.execute(update(_order).where(mine).values(done=tx.now, result=result[:256]))


# -- removals to be given back -----------------------------------------------------------------


def restore(
    tx: Tx, user: OktaUserId, steps: Iterable[int], *, named: bool, who: str, why: str
) -> None:
    """Order removals of one person undone; the worker does it under their lease."""
    row = {"kind": _NAMED if named else _RESTORE, "ref": user, "who": who[:128], "why": why[:512]}
    asked = json.dumps(sorted(set(steps)))
    tx.execute(_order.insert().values(**row, at=tx.now, result="", steps=asked))


def waiting(tx: Tx, user: OktaUserId) -> tuple[tuple[Ordered, ...], int | None]:
    """The removals of one person that are to be undone, and the newest order to repair, by id."""
    rows = _open(tx, user, _RESTORE, _NAMED, _REPAIR)
    undone = [row for row in rows if row.kind != _REPAIR]
    ordered = tuple(
        Ordered(step, named=row.kind == _NAMED) for row in undone for step in json.loads(row.steps)
    )
    return ordered, max((row.id for row in rows if row.kind == _REPAIR), default=None)


def answer(
    tx: Tx, user: OktaUserId, results: Mapping[int, str], repaired: Repaired | None = None
) -> None:
    """End what is answered in full. ``repaired`` says what came of the orders it names."""
    for row in _open(tx, user, _RESTORE, _NAMED):
        words = [results.get(step, "undecided") for step in json.loads(row.steps)]
        if "undecided" not in words:
            counted = Counter(words)
            end(tx, row.id, ", ".join(f"{counted[word]} {word}" for word in sorted(counted)))
    if repaired:
        for row in _open(tx, user, _REPAIR):
            if row.id <= repaired.last:  # one that came since rests on readings of its own
                end(tx, row.id, repaired.result)


def expire(tx: Tx) -> int:
    """End what nobody could answer in a day; how many orders that were."""
    late = _order.c.done.is_(None) & _order.c.kind.in_([_RESTORE, _NAMED, _REPAIR])
    values = {"done": tx.now, "result": "undecided"}
    ended = update(_order).where(late, _order.c.at <= tx.now - _PATIENCE).values(**values)
    return int(tx.execute(ended).rowcount)


def _open(tx: Tx, user: OktaUserId, *kinds: str) -> Sequence[Row[Any]]:
    """What waits for the worker, and nobody has waited for too long."""
    given = {"user": user, "kinds": kinds, "since": tx.now - _PATIENCE}
    return tx.execute(_opening(), given).all()


@cache
def _opening() -> Select[Any]:
    mine = (_order.c.ref == bindparam("user")) & _order.c.done.is_(None)
    meant = _order.c.kind.in_(bindparam("kinds", expanding=True))
    query = select(_order.c.id, _order.c.kind, _order.c.steps).where(mine, meant)
    return query.where(_order.c.at > bindparam("since")).order_by(_order.c.id)


def restores(tx: Tx, limit: int) -> list[dict[str, object]]:
    """What was ordered back, newest first."""
    query = select(_order).where(_order.c.kind.in_([_RESTORE, _NAMED]))
    rows = tx.execute(query.order_by(_order.c.id.desc()).limit(limit)).mappings()
    return [{**row, "steps": json.loads(row["steps"])} for row in rows]


# -- memberships to be made as Okta wants them ---------------------------------------------------


def repair(tx: Tx, user: OktaUserId, *, who: str, why: str) -> None:
    """Order everything added that Okta wants of one person; the worker does it."""
    begin(tx, _REPAIR, user, who=who, why=why)


# -- what was ordered --------------------------------------------------------------------------


def about(tx: Tx, refs: Iterable[str]) -> list[dict[str, object]]:
    """What was ordered about these people and holds, oldest first."""
    names = ("id", "kind", "ref", "who", "why", "at", "done", "result")
    query = select(*(_order.c[name] for name in names)).where(_order.c.ref.in_(sorted(refs)))
    return [dict(row) for row in tx.execute(query.order_by(_order.c.id)).mappings()]
