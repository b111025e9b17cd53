"""Which key sealed what is stored, and everything sealed anew with the newest. Design 5.2.

Must live here: every place where something sealed stands. Must not know: what it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select, tuple_, update

from hooks.core.errors import UnsealedError
from hooks.store import people, released
from hooks.store.sealing import ID_BYTES, key_of
from hooks.store.tables import Event, Tie

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hooks.store.database import Tx
    from hooks.store.sealing import Sealer

_event = Event.__table__  # type: ignore[attr-defined]
_tie = Tie.__table__  # type: ignore[attr-defined]

#: Values looked through in one transaction: only their keys' ids are read.
_PAGE = 5_000

#: Where one value stands: the id of an event, or a person and a directory.
Where = tuple[Any, ...]


class Place(StrEnum):
    """Where something sealed stands."""

    EVENTS = "events"
    LOGINS = "logins"
    COPIES = "copies"


@dataclass(frozen=True, slots=True)
class Sealed:
    """One value, and the row it was sealed for."""

    where: Where
    row: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Values in their order: where each stands, and its key's id. ``after`` ends with ``None``."""

    keys: tuple[tuple[Where, str], ...]
    after: Where | None


def page(tx: Tx, place: Place, after: Where) -> Page:
    """The next values; ``()`` begins."""
    columns, sealed = _columns(place)
    query = select(*columns, func.substr(sealed, 1, ID_BYTES)).where(sealed.is_not(None))
    if after:
        query = query.where(tuple_(*columns) > after)
    rows = tx.execute(query.order_by(*columns).limit(_PAGE)).all()
    keys: tuple[tuple[Where, str], ...] = tuple(
        (tuple(row[:-1]), key_of(bytes(row[-1]))) for row in rows
    )
    return Page(keys, keys[-1][0] if len(keys) == _PAGE else None)


def read(tx: Tx, place: Place, wheres: Sequence[Where]) -> list[Sealed]:
    """These values, as far as they are still there."""
    columns, sealed = _columns(place)
    named = [*columns, sealed, _event.c.uuid] if place is Place.EVENTS else [*columns, sealed]
    query = select(*named).where(tuple_(*columns).in_(wheres), sealed.is_not(None))
    found = []
    for row in tx.execute(query):
        if place is Place.EVENTS:
            found.append(Sealed((row.id,), row.uuid, bytes(row.sealed)))
        else:
            name = (people if place is Place.LOGINS else released).row_name
            where, value = (row.user, row.directory), row[-1]
            found.append(Sealed(where, name(*where), bytes(value)))
    return found


def renewed(values: Iterable[Sealed], sealer: Sealer) -> tuple[list[Sealed], list[str]]:
    """The values sealed with the newest key; and the rows of those that do not open."""
    found, broken = [], []
    for each in values:
        try:
            plain = sealer.open(each.value, each.row)
        except UnsealedError:
            broken.append(each.row)
        else:
            found.append(Sealed(each.where, each.row, sealer.seal(plain, each.row)))
    return found, broken


def replace(tx: Tx, place: Place, old: Iterable[Sealed], new: Iterable[Sealed]) -> None:
    """Put values in the place of others, where those still stand."""
    columns, sealed = _columns(place)
    before = {each.where: each.value for each in old}
    rows = [
        {"new": each.value, "old": before[each.where]}
        | {f"where_{number}": value for number, value in enumerate(each.where)}
        for each in sorted(new, key=lambda each: each.where)
    ]
    if not rows:
        return
    change = update(sealed.table).where(sealed == bindparam("old"))
    for number, column in enumerate(columns):
        change = change.where(column == bindparam(f"where_{number}"))
    tx.execute(change.values({sealed.name: bindparam("new")}), rows)


def lost(tx: Tx, sealer: Sealer) -> list[str]:
    """Ids of keys that are not given, and seal the oldest event, any login or any copy."""
    oldest = select(func.substr(_event.c.sealed, 1, ID_BYTES)).where(_event.c.sealed.is_not(None))
    found = tx.execute(oldest.order_by(_event.c.id).limit(1)).scalars().all()
    for column in (_tie.c.user_name, _tie.c.released_copy):
        used = select(func.substr(column, 1, ID_BYTES)).where(column.is_not(None)).distinct()
        found = [*found, *tx.execute(used).scalars()]
    return sorted({key_of(bytes(each)) for each in found} - set(sealer.keys))


def _columns(place: Place) -> tuple[tuple[Any, ...], Any]:
    """The columns that say where a value stands, and that of the value."""
    match place:
        case Place.EVENTS:
            return (_event.c.id,), _event.c.sealed
        case Place.LOGINS:
            return (_tie.c.user, _tie.c.directory), _tie.c.user_name
        case Place.COPIES:
            return (_tie.c.user, _tie.c.directory), _tie.c.released_copy
