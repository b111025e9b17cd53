"""What a mark makes of a place in line: a new one, or another of what is there.

Must live here: which of two marks holds. Must not know: who is marked, or why.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, bindparam, case, literal, or_, select, true

from hooks.store.database import insert_into, unpacked
from hooks.store.tables import Due, Tie

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, ColumnElement
    from sqlalchemy.dialects.postgresql import Insert

_due = Due.__table__  # type: ignore[attr-defined]
_tie = Tie.__table__  # type: ignore[attr-defined]


@cache
def marking(*, postgres: bool, events: bool, strange: bool) -> Insert:
    """The upsert of a mark, built once: building it costs more than running it.

    It is one statement for all: at each, the driver lets other threads in, and waits for them.
    """

    def given(name: str, column: ColumnElement[Any]) -> BindParameter[Any]:
        return bindparam(name, type_=column.type)

    name = unpacked(bindparam("subjects", type_=Text), postgres=postgres)
    lane: ColumnElement[int] = given("lane", _due.c.lane)
    if strange:
        there = or_(_tie.c.ever_in_force, _tie.c.scim_id.is_not(None), _tie.c.census.is_not(None))
        seen = select(_tie.c.user).where(_tie.c.user == name, there).exists()
        lane = case((seen, lane), else_=given("strangers", _due.c.lane))
    columns = {
        "subject": name,
        "kind": given("kind", _due.c.kind),
        "lane": lane,
        "due_at": given("due_at", _due.c.due_at),
        "generation": literal(1),
        **{counted: literal(0) for counted in ("fence", "attempts", "crashes")},
    }
    # SQLite takes ON CONFLICT for a join unless there is a WHERE. Source: sqlite.org/lang_upsert.
    ordered = name.collate("C") if postgres else name  # as every release has sorted them
    rows = select(*columns.values()).where(true()).order_by(ordered)
    insert = insert_into(_due, postgres=postgres).from_select(list(columns), rows)
    new = insert.excluded
    leased = _due.c.lease_until.is_not(None)
    idle = _due.c.due_at.is_(None)
    sooner = or_(idle, _due.c.due_at > new.due_at)
    changes: dict[str, object] = {
        "generation": _due.c.generation + 1,
        "lane": case((idle | (_due.c.lane > new.lane), new.lane), else_=_due.c.lane),
        "due_at": case((leased, _due.c.due_at), (sooner, new.due_at), else_=_due.c.due_at),
    }
    changing = leased | sooner | (_due.c.lane > new.lane)
    if events:
        changes |= {"dead": None, "dead_at": None, "attempts": 0}
        changing |= _due.c.attempts > 0
    else:
        changes["due_at"] = case((_due.c.dead.is_not(None), None), else_=changes["due_at"])
    # Who waits already is not written again: that was a third of what a delivery wrote. The row
    # is locked all the same, and whoever leases it next reads what came. Source:
    # postgresql.org/docs/current/sql-insert.
    return insert.on_conflict_do_update(index_elements=["subject"], set_=changes, where=changing)
