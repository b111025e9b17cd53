"""What was left alone, since when, and until when. Design law 10.

Must live here: refusals that stand and those that are over. Must not know: what would end one.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select, update

from hooks.clock import moment
from hooks.core.ids import DirectoryName
from hooks.core.reading import Why
from hooks.store.tables import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Select

    from hooks.core.ids import OktaUserId
    from hooks.core.refusal import Cause, Refusal
    from hooks.store.database import Tx

_refused = Refused.__table__  # type: ignore[attr-defined]

#: How a detail begins where it does not depend on what was asked.
KNOWN = {Why.CREDENTIAL: "credential refused", Why.LIMITED: "rate spent"}
#: Characters of a detail, as the table has it.
_LONGEST = 256


def counted(tx: Tx) -> dict[str, int]:
    """How many refusals stand now, by their causes."""
    query = select(_refused.c.cause, func.count().label("people"))
    query = query.where(_refused.c.until.is_(None)).group_by(_refused.c.cause)
    rows = tx.execute(query.order_by(_refused.c.cause)).mappings()
    return {str(row["cause"]): int(row["people"]) for row in rows}


def since(tx: Tx, user: OktaUserId) -> dict[tuple[DirectoryName, str], datetime]:
    """Since when something of a person is left alone, by place and cause; what stands."""
    rows = tx.execute(_standing(), {"user": user})
    return {(DirectoryName(row.directory), row.cause): moment(row.at) for row in rows}


@cache
def _standing() -> Select[Any]:
    place, cause = _refused.c.directory, _refused.c.cause
    query = select(place, cause, func.min(_refused.c.at).label("at")).group_by(place, cause)
    return query.where(_refused.c.user == bindparam("user"), _refused.c.until.is_(None))


def oldest(tx: Tx, cause: Cause) -> int | None:
    """Since when the oldest that stands for this cause does."""
    query = select(func.min(_refused.c.at))
    found: int | None = tx.execute(
        query.where(_refused.c.cause == cause, _refused.c.until.is_(None))
    ).scalar_one()
    return found


def listed(tx: Tx, *, user: str | None = None, limit: int = 1000) -> list[dict[str, object]]:
    """What is left alone now, oldest first."""
    query = select(_refused).where(_refused.c.until.is_(None)).order_by(_refused.c.id).limit(limit)
    if user:
        query = query.where(_refused.c.user == user)
    return [dict(row) for row in tx.execute(query).mappings()]


def keep(tx: Tx, user: OktaUserId, place: DirectoryName, refusals: Iterable[Refusal]) -> None:
    """Open those that are new, end those that no longer hold, leave the rest with their age."""
    rows = tx.execute(
        select(_refused).where(
            _refused.c.user == user,
            _refused.c.directory == place,
            _refused.c.until.is_(None),
        )
    ).all()
    before = {(row.group, row.cause): row.id for row in rows}
    now = {(each.group or "", each.cause.value): each for each in refusals}
    over = [row_id for key, row_id in before.items() if key not in now]
    if over:
        tx.execute(update(_refused).where(_refused.c.id.in_(over)).values(until=tx.now))
    for key in sorted(now.keys() & before.keys()):
        tx.execute(
            update(_refused)
            .where(_refused.c.id == before[key], _refused.c.detail != detail(now[key]))
            .values(detail=detail(now[key]))
        )
    for key in sorted(now.keys() - before.keys()):
        each = now[key]
        tx.execute(
            _refused.insert().values(
                user=user,
                directory=place,
                group=key[0],
                cause=key[1],
                detail=detail(each),
                at=tx.now,
            )
        )


def detail(refusal: Refusal) -> str:
    """What came instead of the answer; what is so whatever was asked for goes in front."""
    if refusal.unread is None:
        return ""
    known = KNOWN.get(refusal.unread.why)
    return ": ".join(each for each in (known, refusal.unread.detail) if each)[:_LONGEST]
