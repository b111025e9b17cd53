"""What is alarming as far as the store shows, and who was told of it. Design 9, ``[notify]``.

Must live here: what is found in the store, every change of an ``alarm`` row. Must not know: what
is found elsewhere, or how anybody is told.

What is to be told is handed out to one process, by moving its time ahead; told is only what is
recorded as told. So a crash delays and loses nothing, at the price of telling once more when it
comes between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import case, delete, or_, select, update

from hooks.clock import moment
from hooks.core.alarm import (
    BURST_WITHIN,
    GONE,
    LATE,
    REMIND,
    Kind,
    Phase,
    name,
    telling,
)
from hooks.core.attempt import backoff
from hooks.core.refusal import Cause
from hooks.store import audits, cursor, holds, inbox, known, pause, pruning, refusals
from hooks.store.tables import Alarm

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hooks.store.database import Tx

#: For so long what is handed out is handed to nobody else: the time of one call, and then some.
CLAIM = timedelta(seconds=30)
#: Handed out at once.
MOST = 8
#: ``seen`` is moved on when it is older than this; a row is not written at every tick.
_FRESH = timedelta(seconds=20)
#: What is over, told or not, is no news after so long.
_KEPT = timedelta(days=7)

_alarm = Alarm.__table__  # type: ignore[attr-defined]
#: A later release on the same store knows more kinds, and tells of them itself.
_known = or_(
    *(
        (_alarm.c.name == each) | _alarm.c.name.startswith(f"{each} ", autoescape=True)
        for each in Kind
    )
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Something alarming now: since when, in microseconds UTC, and what was told of it last."""

    name: str
    since: int
    told: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What one process is to tell."""

    name: str
    since: int
    phase: Phase


def found(tx: Tx, *, every: timedelta) -> dict[str, int]:
    """Names of what is alarming by the store alone, and how many each is about.

    ``every`` is how often the System Log is read.
    """
    alarming = {name(Kind.HELD, each): count for each, count in holds.by_class(tx).items()}
    alarming |= {name(Kind.DEAD, each): count for each, count in inbox.dead_by_reason(tx).items()}
    reached = cursor.at(tx, cursor.LOG_REACHED)
    alarming |= {
        name(Kind.ADMIN_LEFT): refusals.counted(tx).get(Cause.ADMIN_LEFT, 0),
        name(Kind.PAUSED): int(pause.paused(tx) is not None),
        name(Kind.BEHIND): int(reached is not None and moment(tx.now) - reached > LATE + every),
        name(Kind.DRIFT): audits.drifted(tx),
        name(Kind.UNSETTLED): inbox.late(tx, before=tx.now - _us(LATE)),
        name(Kind.UNPROVED): pruning.unproved(tx),
        name(Kind.PROFILES): known.pushed_outside(tx, tx.now - _us(BURST_WITHIN)),
    }
    return {each: count for each, count in alarming.items() if count}


def standing(tx: Tx) -> list[Standing]:
    """What is alarming now, by name, as every process found it."""
    alive = _alarm.c.seen >= tx.now - _us(GONE)
    query = select(_alarm).where(_known, alive, _alarm.c.told != Phase.OVER)
    rows = tx.execute(query.order_by(_alarm.c.name))
    return [Standing(row.name, row.since, row.told) for row in rows]


def pending(tx: Tx) -> bool:
    """Whether there is any alarm whose end was not told."""
    query = select(_alarm.c.name).where(_alarm.c.told != Phase.OVER).limit(1)
    return tx.execute(query).one_or_none() is not None


def observe(tx: Tx, alarming: Collection[str]) -> None:
    """Note that these are so now; what was over begins anew. Forget what is old.

    Sorted, because unsorted upserts deadlock.
    """
    old = (_alarm.c.told != Phase.BEGUN) & (_alarm.c.seen < tx.now - _us(_KEPT))
    tx.execute(delete(_alarm).where(old))
    again = _alarm.c.told == Phase.OVER
    anew = {"since": tx.now, "told": "", "due": tx.now, "attempts": 0}
    upsert = tx.insert(_alarm).on_conflict_do_update(
        index_elements=["name"],
        set_={
            "seen": tx.now,
            **{key: case((again, value), else_=_alarm.c[key]) for key, value in anew.items()},
        },
        where=_alarm.c.seen < tx.now - _us(_FRESH),
    )
    rows = [{"name": each, "seen": tx.now, **anew} for each in sorted(alarming)]
    if rows:
        tx.execute(upsert, rows)


def due(tx: Tx, *, ended: bool, jitter: Callable[[], float]) -> list[Notice]:
    """Take what is to be told now, longest due first; nobody else is handed it for a while.

    ``ended``: what nobody found for a while is over. Only who has looked on for that long may
    say so, or an outage of all would end every alarm. Each try waits longer than the last.
    """
    alive = _alarm.c.seen >= tx.now - _us(GONE)
    # One that was told is due for a reminder, perhaps tomorrow; its end is told at once.
    wanted = (_alarm.c.due <= tx.now) | (~alive & (_alarm.c.attempts == 0))
    query = select(_alarm).where(_known, _alarm.c.told != Phase.OVER, wanted)
    if not ended:
        query = query.where(alive)
    if tx.postgres:
        query = query.with_for_update(skip_locked=True)
    taken = []
    for row in tx.execute(query.order_by(_alarm.c.due).limit(MOST)).all():
        phase = telling(row.told, alive=row.seen >= tx.now - _us(GONE))
        if phase is None:
            continue
        wait = max(CLAIM, backoff(row.attempts + 1, jitter()))
        tx.execute(
            update(_alarm)
            .where(_alarm.c.name == row.name)
            .values(attempts=row.attempts + 1, due=tx.now + _us(wait))
        )
        taken.append(Notice(row.name, row.since, phase))
    return taken


def told(tx: Tx, notice: Notice) -> None:
    """Record that somebody took this. Harmless twice, and late."""
    query = select(_alarm).where(_alarm.c.name == notice.name)
    row = tx.execute(query.with_for_update() if tx.postgres else query).one_or_none()
    if row is None or row.since != notice.since or row.told == Phase.OVER:
        return
    values: dict[str, object] = {"told": Phase.BEGUN, "due": tx.now + _us(REMIND)}
    if notice.phase is Phase.OVER:
        values = {"told": Phase.OVER, "due": None}
        if row.seen >= tx.now - _us(GONE):  # it came back while its end was told
            values = {"told": "", "since": row.seen, "due": tx.now}
    tx.execute(update(_alarm).where(_alarm.c.name == notice.name).values(attempts=0, **values))


def drop(tx: Tx) -> None:
    """Forget what is over and was never told: here is nobody who will."""
    over = _alarm.c.seen < tx.now - _us(GONE)
    tx.execute(delete(_alarm).where(over, _alarm.c.told == ""))


def _us(length: timedelta) -> int:
    return length // timedelta(microseconds=1)
