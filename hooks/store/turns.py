"""Who is next in the line.

Must live here: in which order those who are due are taken. Must not know: what a lease is.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, bindparam, select, text

from hooks.store import pause
from hooks.store.tables import Due

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Select

    from hooks.store.database import Tx

#: The lanes, as they are stored.
URGENT, BULK = 0, 1
#: Standing work that is done beside the slots, and only by whoever asks for it by name.
APART = "catchup"

_due = Due.__table__  # type: ignore[attr-defined]


class Share(Enum):
    """Who of a lane is taken: by turn, who came last, or work that is about nobody alone."""

    TURN = "turn"
    LAST = "last"
    STANDING = "standing"


def take(
    tx: Tx, *, limit: int, bulk: int, last: int, but: Collection[str], only: str | None
) -> list[Due]:
    """However many wait: who comes now, an audit, a group's members need not stand behind all."""
    paused = pause.paused(tx) is not None
    first: list[Due] = []
    other: list[Due] = []
    for share, lane, found, most in (
        (Share.TURN, URGENT, first, limit - last),
        (Share.LAST, URGENT, first, limit),
        (Share.STANDING, BULK, other, bulk),
        (Share.TURN, BULK, other, bulk),
    ):
        room = min(most - len(found), limit - len(first) - len(other))
        if room <= 0:
            continue
        query = _taking(share, postgres=tx.postgres, only=only is not None, paused=paused)
        taken = [*but, *(each.subject for each in (*first, *other))]
        given = {"lane": lane, "now": tx.now, "but": taken, "room": room, "only": only}
        found.extend(tx.execute(query, given).all())  # type: ignore[arg-type]  # read by attribute
    return first + other


def urgent(tx: Tx, *, but: Collection[str]) -> bool:
    """Whether anybody urgent could be taken; on SQLite nobody who writes waits for the answer."""
    query = _taking(
        Share.TURN, postgres=tx.postgres, only=False, paused=pause.paused(tx) is not None
    )
    given = {"lane": URGENT, "now": tx.now, "but": list(but), "room": 1}
    return tx.execute(query, given).first() is not None


#: As the index says it, or SQLite would go through everybody who waits.
_OF_NOBODY = text("due.kind <> 'user'")


@cache
def _taking(share: Share, *, postgres: bool, only: bool, paused: bool) -> Select[Any]:
    """Who is due in a lane; built once, as marks are."""
    came = _due.c.due_at.desc() if share is Share.LAST else _due.c.due_at
    query = (
        select(_due)
        .where(_due.c.lane == bindparam("lane"), _due.c.due_at <= bindparam("now"))
        .where(_due.c.subject.not_in(bindparam("but", expanding=True)))
        .order_by(came, _due.c.subject)  # a tie is never left to where a row lies
        .limit(bindparam("room", type_=Integer))
    )
    query = query.where(_due.c.subject == bindparam("only") if only else _due.c.kind != APART)
    if share is Share.STANDING:
        query = query.where(_OF_NOBODY)
    if paused:  # nobody is looked at whose plan could not be carried out
        query = query.where(_due.c.kind != "user")
    return query.with_for_update(skip_locked=True) if postgres else query
