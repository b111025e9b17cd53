"""Whether anything may be written to the vendors now, for every process on this store.

Must live here: the one switch. Must not know: who looks at it, or what is written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from hooks.store.tables import Cursor

if TYPE_CHECKING:
    from sqlalchemy import Select

    from hooks.store.database import Tx

_cursor = Cursor.__table__  # type: ignore[attr-defined]
_NAME = "paused"
_mine = _cursor.c.name == _NAME
#: Built once: it is asked many times a second.
_PAUSED = select(_cursor.c.value, _cursor.c.at).where(_mine)


@dataclass(frozen=True, slots=True)
class Paused:
    """Since when, in microseconds UTC; by whom, as claimed, and why."""

    at: int
    who: str
    why: str


def paused(tx: Tx) -> Paused | None:
    """The pause in force, if any."""
    row = tx.execute(_PAUSED).one_or_none()
    return Paused(row.at, **json.loads(row.value)) if row and row.value else None


def admits(tx: Tx) -> bool:
    """Whether this transaction may let writes out.

    A pause waits for every transaction that was told so: what such a one admitted is in the
    journal before the pause has begun.
    """
    return not tx.execute(_switch(postgres=tx.postgres)).scalar_one_or_none()


@cache
def _switch(*, postgres: bool) -> Select[tuple[str]]:
    query = select(_cursor.c.value).where(_mine)
    return query.with_for_update(read=True) if postgres else query


def prepare(tx: Tx) -> None:
    """Make the switch, off, unless it is there; a row that is missing cannot be locked."""
    insert = tx.insert(_cursor).on_conflict_do_nothing(index_elements=["name"])
    tx.execute(insert, [{"name": _NAME, "value": "", "at": tx.now}])


def begin(tx: Tx, *, who: str, why: str) -> None:
    """Let nothing out to any vendor from here on."""
    prepare(tx)
    value = json.dumps({"who": who, "why": why})
    tx.execute(update(_cursor).where(_mine).values(value=value, at=tx.now))


def end(tx: Tx) -> bool:
    """Let writes out again; whether there was a pause."""
    over = update(_cursor).where(_mine, _cursor.c.value != "").values(value="", at=tx.now)
    return bool(tx.execute(over).rowcount)
