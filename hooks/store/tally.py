"""How many stand in line, and since when.

Must live here: counts of the line, for status and figures. Must not know: how anybody moves on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from hooks.store.tables import Due, Event

if TYPE_CHECKING:
    from hooks.store.database import Tx

_due = Due.__table__  # type: ignore[attr-defined]
_event = Event.__table__  # type: ignore[attr-defined]


def looked_at(tx: Tx) -> int:
    """How many people are being looked at now, by any process."""
    leased = (_due.c.kind == "user") & (_due.c.lease_until > tx.now)
    return int(tx.execute(select(func.count()).select_from(_due).where(leased)).scalar_one())


def counted(tx: Tx) -> dict[str, int]:
    """Counts for status and figures, and the age of the oldest that is due, in microseconds."""
    due_at = _due.c.due_at
    due = due_at <= tx.now
    row = tx.execute(
        select(
            func.count().filter(due & _due.c.lease_until.is_(None)).label("waiting"),
            func.count().filter(_due.c.lease_until.is_not(None)).label("leased"),
            func.count().filter(_due.c.dead.is_not(None)).label("dead"),
            func.count()
            .filter(_due.c.attempts > 0, due_at.is_not(None), _due.c.lease_until.is_(None))
            .label("retrying"),
            func.min(_due.c.due_at).filter(_due.c.lease_until.is_(None)).label("oldest"),
            func.min(_due.c.dead_at).filter(_due.c.dead.is_not(None)).label("buried"),
        )
    ).one()
    unsettled = tx.execute(
        select(func.min(func.coalesce(_event.c.replayed, _event.c.received))).where(
            _event.c.settled.is_(None), _event.c.subject.is_not(None)
        )
    ).scalar_one()
    oldest = max(0, tx.now - row.oldest) if row.oldest else 0
    return {
        "waiting": row.waiting,
        "leased": row.leased,
        "retrying": row.retrying,
        "dead": row.dead,
        "oldest_us": oldest,
        "dead_us": max(0, tx.now - row.buried) if row.buried else 0,
        "unsettled_us": max(0, tx.now - unsettled) if unsettled else 0,
    }
