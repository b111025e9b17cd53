"""What looks told, and what the System Log told before there were any: evidence, and no orders.

Must live here: readings in words, log lines by person. Must not know: what follows from them.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select

from hooks.clock import moment
from hooks.core.history import LogFacts, Logged, Moment
from hooks.core.ids import OktaAppId
from hooks.store import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Select

    from hooks.core.ids import OktaUserId
    from hooks.store.database import Tx

_look = tables.Look.__table__  # type: ignore[attr-defined]
_moment = tables.Moment.__table__  # type: ignore[attr-defined]

#: Looks kept of one person: what changed lately, and not what a quarrel of two tools fills.
_MOST = 100


def remember(tx: Tx, user: OktaUserId, told: Mapping[str, object]) -> None:
    """Keep what a look told, unless the look before told the same."""
    text = json.dumps(told, sort_keys=True)
    mine = select(_look.c.id).where(_look.c.user == user).order_by(_look.c.id.desc())
    last = select(_look.c.told).where(_look.c.id == mine.limit(1).scalar_subquery())
    if tx.execute(last).scalar_one_or_none() == text:
        return
    tx.execute(_look.insert().values(user=user, told=text, at=tx.now))
    old = tx.execute(mine.offset(_MOST)).scalars().all()
    if old:
        tx.execute(delete(_look).where(_look.c.id.in_(old)))


def of(tx: Tx, user: OktaUserId, *, limit: int = 20) -> list[tuple[int, dict[str, object]]]:
    """What the newest looks told, oldest first, with their instants."""
    rows = tx.execute(
        select(_look).where(_look.c.user == user).order_by(_look.c.id.desc()).limit(limit)
    ).all()
    return [(row.at, json.loads(row.told)) for row in reversed(rows)]


def log(tx: Tx, user: OktaUserId) -> LogFacts:
    """What the System Log, as read at the first start, told about a person."""
    rows = tx.execute(_logged(), {"user": user})
    return LogFacts.of(
        Moment(moment(row.at), Logged(row.what), OktaAppId.maybe(row.app)) for row in rows
    )


@cache
def _logged() -> Select[Any]:
    return select(_moment).where(_moment.c.user == bindparam("user"))


def remember_log(tx: Tx, lines: Iterable[tuple[OktaUserId, Moment]]) -> None:
    """Keep log lines; each counts once."""
    rows = sorted(
        {
            (user, each.what.value, each.app or "", round(each.at.timestamp() * 1_000_000))
            for user, each in lines
        }
    )
    if not rows:
        return
    insert = tx.insert(_moment).on_conflict_do_nothing(index_elements=["user", "what", "app", "at"])
    tx.execute(insert, [dict(zip(("user", "what", "app", "at"), row, strict=True)) for row in rows])
