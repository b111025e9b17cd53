"""What operators asked for: what, about whom or what, who as claimed, why, and when. Design 5.2.

Must live here: the record of every order. Must not know: how one is carried out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from hooks.store.tables import Order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hooks.store.database import Tx

_order = Order.__table__  # type: ignore[attr-defined]


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


def about(tx: Tx, refs: Iterable[str]) -> list[dict[str, object]]:
    """What was ordered about these people and holds, oldest first."""
    names = ("id", "kind", "ref", "who", "why", "at")
    query = select(*(_order.c[name] for name in names)).where(_order.c.ref.in_(sorted(refs)))
    return [dict(row) for row in tx.execute(query.order_by(_order.c.id)).mappings()]
