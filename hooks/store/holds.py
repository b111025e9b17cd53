"""The brake's counting, the holds it leads to, and what is decided about them. Design 3.6.

Must live here: which removals wait for a person. Must not know: how a step is journalled.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import distinct, func, select, update

from hooks.core import brake
from hooks.core.plan import Reason
from hooks.store import line, orders, people
from hooks.store.tables import Brake, Hold, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import timedelta

    from hooks.core.plan import Step as Planned
    from hooks.core.policy import Limits
    from hooks.store.database import Tx

_step = Step.__table__  # type: ignore[attr-defined]
_hold = Hold.__table__  # type: ignore[attr-defined]
_brake = Brake.__table__  # type: ignore[attr-defined]

#: Reasons that come of an absence, which a rejection undoes.
_ABSENCES = frozenset({Reason.LEFT, Reason.UNASSIGNED, Reason.SUSPENDED, Reason.RETURNED})


def blocked(tx: Tx, user: str, classes: Mapping[str, Reason], limits: Limits) -> frozenset[str]:
    """Classes whose removals may not go out for this person now.

    Each class is locked before it is counted, in one order everywhere, so that replicas that
    count at the same time admit no more than the limit together.
    """
    found = set()
    for brake_class in sorted(classes):
        lock(tx, brake_class)
        state = tx.execute(
            select(_hold.c.state).where(
                _hold.c.user == user, _hold.c.brake_class == brake_class, _hold.c.state != "over"
            )
        ).scalar_one_or_none()
        if state == "approved":
            continue
        count = _count(tx, user, brake_class)
        if state is not None or not brake.admits(classes[brake_class], count, limits):
            found.add(brake_class)
    return frozenset(found)


def lock(tx: Tx, brake_class: str) -> None:
    """Let one transaction at a time count what this name stands for."""
    insert = tx.insert(_brake).on_conflict_do_nothing(index_elements=["brake_class"])
    tx.execute(insert, [{"brake_class": brake_class}])
    if tx.postgres:
        tx.execute(select(_brake).where(_brake.c.brake_class == brake_class).with_for_update())


def _count(tx: Tx, user: str, brake_class: str) -> brake.Count:
    """Other people of this class whose removals were admitted, each counted once per window."""

    def since(window: timedelta) -> int:
        start = tx.now - round(window.total_seconds() * 1_000_000)
        return int(
            tx.execute(
                select(func.count(distinct(_step.c.user))).where(
                    _step.c.brake_class == brake_class,
                    _step.c.at > start,
                    _step.c.user != user,
                )
            ).scalar_one()
        )

    return brake.Count(since(brake.HOUR), since(brake.DAY))


def keep(
    tx: Tx,
    user: str,
    withheld: Sequence[Planned],
    *,
    judged: Collection[str],
    through: Collection[str],
) -> None:
    """Keep one hold per person and class, with what it withholds now; end those without need.

    An approval is for once: it ends with the plan it let ``through``. Any other hold lasts until
    a plan in one of the directories that were ``judged`` no longer wants the removals: a look
    that could not read ends nobody's no.
    """
    wanted: dict[str, list[Planned]] = {}
    for step in withheld:
        wanted.setdefault(step.brake_class, []).append(step)
    rows = tx.execute(select(_hold).where(_hold.c.user == user, _hold.c.state != "over")).all()
    known = {row.brake_class: row.id for row in rows}
    needless = {row.brake_class for row in rows if row.directory in judged} | set(through)
    for brake_class, steps in sorted(wanted.items()):
        diff = json.dumps([[step.group.id, step.group.display] for step in steps])
        if brake_class in known:
            tx.execute(update(_hold).where(_hold.c.id == known[brake_class]).values(steps=diff))
            continue
        tx.execute(
            _hold.insert().values(
                user=user,
                directory=brake_class.partition("/")[0],
                brake_class=brake_class,
                steps=diff,
                at=tx.now,
                state="waiting",
            )
        )
    over = [known[each] for each in known if each in needless and each not in wanted]
    if over:
        tx.execute(update(_hold).where(_hold.c.id.in_(over)).values(state="over", decided=tx.now))


# -- what people ask ---------------------------------------------------------------------------


def listed(tx: Tx, *, every: bool = False) -> list[dict[str, object]]:
    """Holds, oldest first: those that wait or were rejected, or all there ever were."""
    query = select(_hold).order_by(_hold.c.id)
    if not every:
        query = query.where(_hold.c.state != "over")
    rows = [dict(row) for row in tx.execute(query).mappings()]
    for row in rows:
        row["steps"] = json.loads(str(row["steps"]))
    return rows


def decide(tx: Tx, ids: Sequence[int], *, approve: bool, who: str, why: str) -> list[str]:
    """Approve or reject waiting holds; the people are looked at again on fresh readings.

    A rejection also excuses the absence that the removals come from, so that nobody is taken for
    returning because of it; an approval of a rejected hold takes both back. Returns the people
    concerned.
    """
    states = ("waiting", "rejected") if approve else ("waiting", "approved")
    verdict = "approved" if approve else "rejected"
    rows = tx.execute(
        update(_hold)
        .where(_hold.c.id.in_(list(ids)), _hold.c.state.in_(states))
        .values(state=verdict, decided=tx.now)
        .returning(_hold.c.id, _hold.c.user, _hold.c.directory, _hold.c.brake_class)
    ).all()
    for row in sorted(rows, key=lambda row: int(row.id)):
        orders.record(tx, "approve" if approve else "reject", str(row.id), who=who, why=why)
        if row.brake_class.split("/")[1] in _ABSENCES:
            people.excuse(tx, row.user, row.directory, excused=not approve)
    concerned = sorted({row.user for row in rows})
    line.mark(tx, concerned, "user", lane=line.URGENT, due_at=tx.now, events=False)
    return concerned


def by_class(tx: Tx) -> dict[str, int]:
    """How many holds wait for a decision, by their class."""
    query = select(_hold.c.brake_class, func.count().label("people"))
    rows = tx.execute(query.where(_hold.c.state == "waiting").group_by(_hold.c.brake_class))
    return {str(row.brake_class): int(row.people) for row in rows}


def waiting(tx: Tx) -> int:
    """How many holds wait for a decision."""
    return sum(by_class(tx).values())
