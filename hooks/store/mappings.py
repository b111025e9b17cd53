"""Push mappings as they were once matched to SCIM groups, by ids from then on. Design 3.2.

Must live here: what is remembered of a mapping. Must not know: when one counts as moved.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from hooks.core.ids import DirectoryName, OktaGroupId, OktaUserId, PushMappingId, ScimGroupId
from hooks.core.log_event import clean
from hooks.core.memory import Link
from hooks.store import line
from hooks.store.tables import Mapping, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Select

    from hooks.store.database import Tx

_mapping = Mapping.__table__  # type: ignore[attr-defined]
_refused = Refused.__table__  # type: ignore[attr-defined]

#: Microseconds for a census to begin and match.
_CENSUS = 30_000_000
#: Characters of a group's name; PostgreSQL takes no NUL, which vendors' JSON can hold.
_LONGEST_NAME = 10_000


def remembered(tx: Tx) -> dict[DirectoryName, tuple[Link, ...]]:
    """All remembered mappings."""
    found: dict[DirectoryName, list[Link]] = {}
    rows: Iterable[Any] = tx.execute(_every())
    for directory, *ids, name, target_name, accept in rows:
        link = _link(tuple(ids), name, target_name, accept=accept)
        found.setdefault(DirectoryName(directory), []).append(link)
    return {directory: tuple(each) for directory, each in found.items()}


@cache
def _every() -> Select[Any]:
    columns = ("directory", "mapping", "source", "target", "group", "name", "target_name", "accept")
    query = select(*(_mapping.c[name] for name in columns))
    return query.order_by(_mapping.c.directory, _mapping.c.mapping)


@lru_cache(maxsize=20_000)  # each look reads all of them, and they stay the same for months
def _link(ids: tuple[str, ...], name: str, target_name: str, *, accept: bool) -> Link:
    mapping, source, target, group = ids
    return Link(
        PushMappingId(mapping),
        OktaGroupId(source),
        OktaGroupId(target),
        ScimGroupId(group),
        name,
        target_name,
        accept,
    )


def remember(tx: Tx, directory: DirectoryName, fresh: Iterable[Link]) -> None:
    """Remember mappings at their first match, or at the first after an operator accepted."""
    rows = [
        {
            "directory": directory,
            "mapping": link.mapping,
            "source": link.source,
            "target": link.target,
            "group": link.group,
            "name": clean(link.name, _LONGEST_NAME),
            "target_name": clean(link.target_name, _LONGEST_NAME),
            "accept": False,
            "at": tx.now,
        }
        for link in sorted(fresh, key=lambda link: link.mapping)
    ]
    if not rows:
        return
    insert = tx.insert(_mapping)
    new = insert.excluded
    names = ("source", "target", "group", "name", "target_name", "accept", "at")
    tx.execute(
        insert.on_conflict_do_update(
            index_elements=["directory", "mapping"],
            set_={name: new[name] for name in names},
            where=_mapping.c.accept,
        ),
        rows,
    )


def accept(tx: Tx, mapping: str) -> list[OktaUserId] | None:
    """Have a changed mapping matched anew; the people who were refused over it, looked at soon.

    First the census matches it: by their own look only those who are in the group are matched.

    ``None`` if no mapping of this id is remembered.
    """
    row = tx.execute(select(_mapping).where(_mapping.c.mapping == mapping)).one_or_none()
    if row is None:
        return None
    tx.execute(update(_mapping).where(_mapping.c.mapping == mapping).values(accept=True))
    waiting = tx.execute(
        select(_refused.c.user)
        .where(
            _refused.c.directory == row.directory,
            _refused.c.cause.startswith("mapping_"),
            _refused.c.until.is_(None),
        )
        .distinct()
    )
    concerned = sorted(OktaUserId(user) for user in waiting.scalars())
    line.hasten(tx, "census")
    line.mark(tx, concerned, "user", lane=line.BULK, due_at=tx.now + _CENSUS, events=False)
    return concerned


def refused(tx: Tx) -> dict[tuple[str, str], tuple[str, tuple[str, ...]]]:
    """Groups refused now because of a mapping, by directory and group: the cause, and for whom."""
    found: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {}
    query = (
        select(_refused.c.directory, _refused.c.group, _refused.c.cause, _refused.c.user)
        .where(_refused.c.until.is_(None), _refused.c.cause.startswith("mapping_"))
        .order_by(_refused.c.id)
    )
    for row in tx.execute(query):
        _, users = found.get((row.directory, row.group), ("", ()))
        found[row.directory, row.group] = row.cause, tuple(dict.fromkeys((*users, row.user)))
    return found
