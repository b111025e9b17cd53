"""How many people groups had when a day of removals began.

Must live here: everything that is remembered of a group's size. Must not know: who tells it, or
how many may be lost.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, bindparam, select

from hooks.store import lately
from hooks.store.database import among, packed
from hooks.store.tables import GroupSize

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Row, Select

    from hooks.core.ids import Uuid
    from hooks.store.database import Tx

_size = GroupSize.__table__  # type: ignore[attr-defined]


def recall(tx: Tx, groups: Collection[str]) -> dict[str, int]:
    """Sizes whose day is not over; of every other group nothing is known."""
    return {row.group: row.size for row in _running(tx, groups)}


def days(tx: Tx, groups: Collection[str]) -> dict[str, int]:
    """When the day of each group is over whose size is known, in microseconds UTC."""
    return {row.group: row.at + lately.DAY_US for row in _running(tx, groups)}


def _running(tx: Tx, groups: Collection[str]) -> Sequence[Row[Any]]:
    given = {"groups": packed(groups), "since": tx.now - lately.DAY_US}
    return tx.execute(_sizes(postgres=tx.postgres), given).all()


@cache
def _sizes(*, postgres: bool) -> Select[Any]:
    """Built once, because each look asks."""
    mine = among(_size.c.group, bindparam("groups", type_=Text), postgres=postgres)
    return select(_size).where(mine, _size.c.at > bindparam("since", type_=_size.c.at.type))


def remember(tx: Tx, told: Mapping[Uuid, int]) -> None:
    """Begin a day with what is told now; one that runs stays as it began.

    Whoever lost the group within the last day belongs to what it had then: else half of it could
    go before midnight, and half of the rest after.
    """
    lost = lately.by_group(tx, told)
    rows = [
        {"group": each, "size": size + lost.get(each, 0), "at": tx.now}
        for each, size in sorted(told.items())
    ]
    if not rows:
        return
    insert = tx.insert(_size)
    new = insert.excluded
    tx.execute(
        insert.on_conflict_do_update(
            index_elements=["group"],
            set_={"size": new.size, "at": new.at},
            where=_size.c.at <= tx.now - lately.DAY_US,
        ),
        rows,
    )
