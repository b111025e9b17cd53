"""Groups of the organization as they were first seen, by id: what they were called, who kept them.

Must live here: what is remembered of a group. Must not know: when a change of it matters.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, bindparam, select, update

from hooks.core.ids import OktaUserId, OrganizationGroupId
from hooks.core.log_event import clean
from hooks.core.refusal import Cause
from hooks.store import line
from hooks.store.database import among, packed
from hooks.store.tables import Mapping, Order, OrganizationGroup, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Select

    from hooks.core.membership import OrganizationGroup as Seen
    from hooks.store.database import Tx

_group = OrganizationGroup.__table__  # type: ignore[attr-defined]
_mapping = Mapping.__table__  # type: ignore[attr-defined]
_refused = Refused.__table__  # type: ignore[attr-defined]
_order = Order.__table__  # type: ignore[attr-defined]

#: Characters of a group's name; PostgreSQL takes no NUL, which vendors' JSON can hold.
_LONGEST_NAME = 10_000


def recall(
    tx: Tx, ids: Iterable[OrganizationGroupId]
) -> dict[OrganizationGroupId, tuple[str, bool]]:
    """Name and whether it was synced, of those that are remembered and not accepted anew."""
    if not (wanted := set(ids)):
        return {}
    rows = tx.execute(_remembered(postgres=tx.postgres), {"groups": packed(wanted)})
    return {OrganizationGroupId(row.id): (row.name, row.synced) for row in rows}


@cache
def _remembered(*, postgres: bool) -> Select[Any]:
    groups = bindparam("groups", type_=Text)
    query = select(_group.c.id, _group.c.name, _group.c.synced)
    return query.where(among(_group.c.id, groups, postgres=postgres), _group.c.accept.is_(False))


def names(tx: Tx, ids: Iterable[str]) -> dict[str, str]:
    """What groups of the organization or of a directory are called, as far as is remembered."""
    wanted, found = set(ids), dict[str, str]()
    for group, name in ((_mapping.c.group, _mapping.c.name), (_group.c.id, _group.c.name)):
        rows = tx.execute(select(group.label("id"), name).where(tx.among(group, wanted)))
        found |= {row.id: row.name for row in rows}
    return found


def remember(tx: Tx, seen: Iterable[Seen]) -> None:
    """Remember groups at first sight, or at the first after an operator accepted a change."""
    rows = [
        {
            "id": group.id,
            "name": clean(group.name, _LONGEST_NAME),
            "synced": group.synced,
            "accept": False,
            "at": tx.now,
        }
        for group in sorted(seen, key=lambda group: group.id)
    ]
    if not rows:
        return
    insert = tx.insert(_group)
    tx.execute(
        insert.on_conflict_do_update(
            index_elements=["id"],
            set_={name: insert.excluded[name] for name in ("name", "synced", "accept", "at")},
            where=_group.c.accept,
        ),
        rows,
    )


def changed(tx: Tx) -> list[dict[str, Any]]:
    """Groups refused now because they changed, as they are remembered, and for whom."""
    rows = tx.execute(
        select(_group, _refused.c.user)
        .join(_refused, _refused.c.group == _group.c.id)
        .where(_refused.c.cause == Cause.GROUP_CHANGED, _refused.c.until.is_(None))
        .order_by(_group.c.name, _group.c.id, _refused.c.id)
    )
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = {"id": row.id, "name": row.name, "synced": row.synced, "accept": row.accept}
        users = found.setdefault(row.id, {**known, "users": []})["users"]
        users.append(OktaUserId(row.user))
    return list(found.values())


def accepted(tx: Tx) -> list[dict[str, Any]]:
    """Groups that somebody accepted once, as they were seen since."""
    query = (
        select(_group.c.id, _group.c.name, _group.c.synced)
        .where(
            _group.c.id.in_(select(_order.c.ref).where(_order.c.kind == "accept")),
            _group.c.accept.is_(False),
        )
        .order_by(_group.c.name, _group.c.id)
    )
    return [dict(row) for row in tx.execute(query).mappings()]


def accept(tx: Tx, group: str) -> list[OktaUserId] | None:
    """Have a changed group remembered as it is now; the people refused over it, looked at soon.

    ``None`` if no group of this id is remembered.
    """
    accepted = tx.execute(update(_group).where(_group.c.id == group).values(accept=True))
    if not accepted.rowcount:
        return None
    waiting = tx.execute(
        select(_refused.c.user)
        .where(
            _refused.c.group == group,
            _refused.c.cause == Cause.GROUP_CHANGED,
            _refused.c.until.is_(None),
        )
        .distinct()
    )
    concerned = sorted(OktaUserId(user) for user in waiting.scalars())
    line.mark(tx, concerned, "user", lane=line.BULK, due_at=tx.now, events=False)
    return concerned
