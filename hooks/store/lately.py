"""From how many people something was taken lately, by class and by group: what the brake counts.

Must live here: whose removals count, and for how long. Must not know: how many may be, or what
waits. Both statements are built once, because each look asks.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, bindparam, distinct, func, select

from hooks.core.brake import DAY, HOUR, Count
from hooks.core.membership import Action
from hooks.store.database import among, packed
from hooks.store.tables import Step

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Select

    from hooks.store.database import Tx

_step = Step.__table__  # type: ignore[attr-defined]

_HOUR_US, DAY_US = (each // timedelta(microseconds=1) for each in (HOUR, DAY))


def by_class(tx: Tx, classes: Collection[str], *, besides: str) -> dict[str, Count]:
    """Other people of each class whose removals were admitted, each counted once per window."""
    since = {"hour": tx.now - _HOUR_US, "day": tx.now - DAY_US}
    given = {"classes": packed(classes), "besides": besides, **since}
    rows = tx.execute(_by_class(postgres=tx.postgres), given)
    found = {row.brake_class: Count(row.hour, row.day) for row in rows}
    return {each: found.get(each, Count(0, 0)) for each in classes}


@cache
def _by_class(*, postgres: bool) -> Select[Any]:
    people = func.count(distinct(_step.c.user))
    hour, day = (bindparam(name, type_=_step.c.at.type) for name in ("hour", "day"))
    wanted = among(_step.c.brake_class, bindparam("classes", type_=Text), postgres=postgres)
    return (
        select(
            _step.c.brake_class,
            people.filter(_step.c.at > hour).label("hour"),
            people.label("day"),
        )
        .where(wanted, _step.c.at > day, _step.c.user != bindparam("besides"))
        .group_by(_step.c.brake_class)
    )


def by_group(tx: Tx, groups: Collection[str], *, besides: str = "") -> dict[str, int]:
    """How many people's removal from each group was admitted within a day, whatever the reason."""
    given = {"groups": packed(groups), "day": tx.now - DAY_US, "besides": besides}
    return {row.group: row.people for row in tx.execute(_by_group(postgres=tx.postgres), given)}


@cache
def _by_group(*, postgres: bool) -> Select[Any]:
    return (
        select(_step.c.group, func.count(distinct(_step.c.user)).label("people"))
        .where(
            among(_step.c.group, bindparam("groups", type_=Text), postgres=postgres),
            _step.c.at > bindparam("day", type_=_step.c.at.type),
            _step.c.action == Action.REMOVE,
            _step.c.brake_class != "",
            _step.c.user != bindparam("besides"),
        )
        .group_by(_step.c.group)
    )
