"""Audits: one reading of everybody at a time, its pages until they are judged, what was found.

Must live here: every row of an audit. Must not know: what is read, or what counts as drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from hooks.core.brake import Held
from hooks.core.drift import Kind
from hooks.store.audit_tables import Audit, AuditPage, Drift
from hooks.store.tables import Hold, Tie

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from hooks.core.drift import Drift as Found
    from hooks.store.database import Tx
    from hooks.store.sealing import Sealer

_audit = Audit.__table__  # type: ignore[attr-defined]
_hold = Hold.__table__  # type: ignore[attr-defined]
_tie = Tie.__table__  # type: ignore[attr-defined]
_page = AuditPage.__table__  # type: ignore[attr-defined]
_drift = Drift.__table__  # type: ignore[attr-defined]

#: Rows deleted or written at once; no command holds more. Design 5.1.
PORTION = 500
#: Pages opened at once; one is some ten kilobytes.
_PAGES = 64
#: Audits that are kept with what they found.
_KEPT = 10


@dataclass(frozen=True, slots=True)
class Run:
    """One audit; instants are microseconds UTC, ``done`` is ``None`` until it is."""

    id: int
    began: int
    scheduled: bool
    read: int | None
    done: int | None
    people: int
    pages: int


@dataclass(frozen=True, slots=True)
class Place:
    """How far a list is read: pages so far, and where it goes on, empty at its end."""

    pages: int = 0
    place: str = ""

    @property
    def whole(self) -> bool:
        """It is read to its end."""
        return self.pages > 0 and not self.place


def begin(tx: Tx, *, scheduled: bool, young: timedelta) -> Run:
    """Go on with the audit of this kind that was not finished, if it is young; else a new one."""
    mine = (_audit.c.scheduled == scheduled) & _audit.c.done.is_(None)
    oldest = tx.now - round(young.total_seconds() * 1_000_000)
    row = tx.execute(select(_audit).where(mine).order_by(_audit.c.id.desc()).limit(1)).one_or_none()
    if row is not None and row.began >= oldest:
        return _run(row)
    made = tx.execute(
        _audit.insert()
        .values(began=tx.now, scheduled=scheduled, seen=tx.now, people=0, pages=0)
        .returning(_audit)
    )
    return _run(made.one())


def place(tx: Tx, run: int, part: str) -> Place:
    """How far a list is read."""
    query = select(_page.c.ordinal, _page.c.place).where(_page.c.audit == run, _page.c.part == part)
    row = tx.execute(query.order_by(_page.c.ordinal.desc()).limit(1)).one_or_none()
    return Place() if row is None else Place(row.ordinal + 1, row.place)


def seal(sealer: Sealer, run: int, part: str, place: Place, body: bytes) -> bytes:
    """A page as it may be kept; ``place`` is how far its list is read with it."""
    return sealer.seal(body, _row(run, part, place.pages - 1))


def keep(tx: Tx, run: int, part: str, place: Place, sealed: bytes) -> None:
    """Keep a page, sealed for its place."""
    page = {"ordinal": place.pages - 1, "place": place.place, "sealed": sealed}
    tx.execute(_page.insert().values(audit=run, part=part, **page))
    tx.execute(
        update(_audit)
        .where(_audit.c.id == run)
        .values(pages=_audit.c.pages + 1, seen=tx.now, read=tx.now)
    )


def drop(tx: Tx, run: int, part: str) -> None:
    """Read a list from its beginning again."""
    tx.execute(delete(_page).where(_page.c.audit == run, _page.c.part == part))


def pages(
    tx: Tx, run: int, sealer: Sealer, *, part: str = "", after: tuple[str, int] | None = None
) -> list[tuple[str, int, bytes]]:
    """A few kept pages, of ``part`` if it is named: the first ones, or those that follow ``after``.

    Raises: UnsealedError: the key they were sealed with is not given any more.
    """
    query = select(_page.c.part, _page.c.ordinal, _page.c.sealed).where(_page.c.audit == run)
    if part:
        query = query.where(_page.c.part == part)
    if after:
        same = (_page.c.part == after[0]) & (_page.c.ordinal > after[1])
        query = query.where((_page.c.part > after[0]) | same)
    rows = tx.execute(query.order_by(_page.c.part, _page.c.ordinal).limit(_PAGES))
    return [
        (row.part, row.ordinal, sealer.open(row.sealed, _row(run, row.part, row.ordinal)))
        for row in rows
    ]


def _row(run: int, part: str, ordinal: int) -> str:
    return f"audit/{run}/{part}/{ordinal}"


def take_back(tx: Tx, run: int) -> bool:
    """Take back what was found so far, a portion; whether there is more."""
    some = select(_drift.c.id).where(_drift.c.audit == run).limit(PORTION)
    return tx.execute(delete(_drift).where(_drift.c.id.in_(some))).rowcount == PORTION


def found(tx: Tx, run: int, lines: Iterable[Found]) -> None:
    """Write down what was found."""
    rows = [
        {
            "audit": run,
            "user": each.user or "",
            "record": each.record,
            "directory": each.directory,
            "group": each.group or "",
            "name": each.name,
            "kind": each.kind.value,
            "why": each.why[:32],
            "people": each.people,
        }
        for each in lines
    ]
    if rows:
        tx.execute(_drift.insert(), rows)
    tx.execute(update(_audit).where(_audit.c.id == run).values(seen=tx.now))


def done(tx: Tx, run: int, people: int) -> Run:
    """Everybody is judged."""
    made = tx.execute(
        update(_audit)
        .where(_audit.c.id == run)
        .values(done=tx.now, people=people)
        .returning(_audit)
    )
    return _run(made.one())


def abandon(tx: Tx, run: int) -> None:
    """Never go on with this one."""
    tx.execute(update(_audit).where(_audit.c.id == run).values(began=0, seen=0))


def tidy(tx: Tx, *, young: timedelta) -> bool:
    """Delete a portion of pages nobody needs and of old audits; whether there is more.

    Pages of an audit that is done, or that nobody went on with for so long, are not needed.
    """
    oldest = tx.now - round(young.total_seconds() * 1_000_000)
    over = select(_audit.c.id).where(_audit.c.done.is_not(None) | (_audit.c.seen < oldest))
    some = select(_page.c.audit, _page.c.part, _page.c.ordinal).where(_page.c.audit.in_(over))
    keys = tx.execute(some.limit(_PAGES)).all()
    for key in keys:
        tx.execute(
            delete(_page).where(
                _page.c.audit == key.audit, _page.c.part == key.part, _page.c.ordinal == key.ordinal
            )
        )
    done = select(_audit.c.id).where(_audit.c.done.is_not(None)).order_by(_audit.c.id.desc())
    oldest_kept = done.offset(_KEPT - 1).limit(1).scalar_subquery()
    ids = list(tx.execute(select(_audit.c.id).where(_audit.c.id < oldest_kept)).scalars())
    gone = select(_drift.c.id).where(_drift.c.audit.in_(ids)).limit(PORTION)
    rows = tx.execute(delete(_drift).where(_drift.c.id.in_(gone))).rowcount if ids else 0
    if ids and rows < PORTION and not keys:
        tx.execute(delete(_audit).where(_audit.c.id.in_(ids)))
    return len(keys) == _PAGES or rows == PORTION


# -- what was found ----------------------------------------------------------------------------


def last(tx: Tx) -> Run | None:
    """The newest audit that is done."""
    query = select(_audit).where(_audit.c.done.is_not(None)).order_by(_audit.c.id.desc()).limit(1)
    row = tx.execute(query).one_or_none()
    return None if row is None else _run(row)


def drifted(tx: Tx) -> int:
    """How many people have what they should not, as the newest audit that is done found.

    What the brake holds, or somebody decided about, is told of as that, and whoever was looked
    at since is no longer as they were.
    """
    run = last(tx)
    if run is None:
        return 0
    mine = (_drift.c.audit == run.id) & (_drift.c.kind == Kind.SURPLUS)
    theirs = (_hold.c.user == _drift.c.user) & (_hold.c.state != Held.OVER)
    held = select(_hold.c.id).where(theirs, _hold.c.steps.contains(_drift.c.group))
    since = (_tie.c.user == _drift.c.user) & (_tie.c.directory == _drift.c.directory)
    seen = select(_tie.c.user).where(since, _tie.c.standing_at >= run.began).correlate(_drift)
    query = select(func.count(_drift.c.user.distinct())).where(
        mine, ~held.correlate(_drift).exists(), ~seen.exists()
    )
    return int(tx.execute(query).scalar_one())


def counts(tx: Tx, run: int) -> dict[str, int]:
    """How many lines of each kind."""
    query = select(_drift.c.kind, func.count()).where(_drift.c.audit == run)
    rows = tx.execute(query.group_by(_drift.c.kind)).all()
    return {str(row[0]): int(row[-1]) for row in rows}


def groups(tx: Tx, run: int) -> list[dict[str, object]]:
    """By kind, place, group and reason, how many people."""
    columns = (_drift.c.kind, _drift.c.directory, _drift.c.group, _drift.c.name, _drift.c.why)
    query = select(*columns, func.sum(_drift.c.people).label("people"))
    rows = tx.execute(query.where(_drift.c.audit == run).group_by(*columns).order_by(*columns))
    return [{**row, "people": int(row["people"])} for row in rows.mappings()]


def lines(
    tx: Tx, run: int, *, after: int = 0, limit: int = PORTION, kinds: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """What was found, in the order of judging."""
    query = select(_drift).where(_drift.c.audit == run, _drift.c.id > after)
    if kinds:
        query = query.where(_drift.c.kind.in_(kinds))
    return [dict(row) for row in tx.execute(query.order_by(_drift.c.id).limit(limit)).mappings()]


def people(tx: Tx, run: int, kinds: Sequence[str], *, after: str, limit: int) -> list[str]:
    """Whom lines of these kinds are about, each once, by id."""
    query = select(_drift.c.user).where(
        _drift.c.audit == run, _drift.c.kind.in_(kinds), _drift.c.user > after
    )
    return list(tx.execute(query.distinct().order_by(_drift.c.user).limit(limit)).scalars())


def _run(row: Any) -> Run:
    return Run(row.id, row.began, row.scheduled, row.read, row.done, row.people, row.pages)
