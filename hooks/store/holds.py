"""The brake's counting, the holds it leads to, and what is decided about them. Design 3.6.

Must live here: which removals wait for a person. Must not know: how a step is journalled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select, update

from hooks.clock import moment
from hooks.core import brake
from hooks.core.brake import Held
from hooks.core.memory import Claim
from hooks.core.plan import Reason
from hooks.store import excuses, incidents, lately, line, orders, sizes
from hooks.store.tables import Brake, Hold

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Row, Select

    from hooks.core.memory import Claimed
    from hooks.core.plan import Step as Planned
    from hooks.core.policy import Limits
    from hooks.store.database import Tx

_hold = Hold.__table__  # type: ignore[attr-defined]
_brake = Brake.__table__  # type: ignore[attr-defined]

_AWAY = frozenset({Claim.DEACTIVATED, Claim.UNASSIGNED})
#: What begins another absence than the one that was decided about.
_BEGINS: Mapping[str, frozenset[Claim]] = {
    Reason.LEFT: frozenset({Claim.DEACTIVATED}),
    Reason.UNASSIGNED: _AWAY,
    Reason.SUSPENDED: frozenset({Claim.SUSPENDED}),
    Reason.RETURNED: _AWAY,
}


@dataclass(frozen=True, slots=True)
class Judged:
    """Which removals of a plan wait, each under its classes; and approvals the plan used up.

    ``groups`` are those of all its removals, ``full`` the classes over their limit, and how far
    back their people were counted. ``anew`` are classes in which a no was to what is over since,
    and ``kept`` whether the person had any hold.
    """

    withheld: Mapping[Planned, tuple[str, ...]]
    used: frozenset[str]
    full: Mapping[str, timedelta]
    groups: frozenset[str] = frozenset()
    anew: frozenset[str] = frozenset()
    kept: bool = True


def judge(
    tx: Tx,
    user: str,
    removals: Sequence[Planned],
    limits: Limits,
    *,
    claims: Collection[Claimed] = (),
) -> Judged:
    """Which of these removals may not go out for this person now.

    ``claims`` are those of the events that are acted on: one that says that it happened again
    after a no has that asked anew, and lets nothing out by itself. Law 1.

    Every class is locked before it is counted, in one order everywhere, so that replicas that
    count at the same time admit no more than the limit together.
    """
    kept = _kept(tx, user, claims, removals)
    passes = brake.classes(removals, kept)
    known = sizes.recall(tx, {each.group.id for each in removals}) if removals else {}
    # Without a size no share is counted, so there is nothing to lock.
    crowds = {each for each in removals if known.get(each.group.id, 0) >= brake.CROWD}
    counted = {each: all_[:-1] if each not in crowds else all_ for each, all_ in passes.items()}
    lock(tx, {*kept}.union(*counted.values()))
    kept = _kept(tx, user, claims, removals) if kept else {}  # only this lease makes new ones
    full = _full(tx, user, counted, known, limits)
    withheld = {
        each: brake.withheld(all_, _states(kept, each), full) for each, all_ in passes.items()
    }
    wanted = {each for all_ in passes.values() for each in all_}
    used = {each for each in wanted if each in kept and kept[each].state is Held.APPROVED}
    waits = {each: under for each, under in withheld.items() if under}
    groups = frozenset(each.group.id for each in removals)
    anew = frozenset(each for each, one in kept.items() if one.anew)
    return Judged(waits, frozenset(used), full, groups, anew, kept=bool(kept))


def lock(tx: Tx, classes: Iterable[str]) -> None:
    """Let one transaction at a time count what these names stand for.

    All at once and sorted, or two would wait for each other. On SQLite whoever writes is alone.
    """
    names = sorted(classes)
    if names and tx.postgres:
        insert = tx.insert(_brake).on_conflict_do_nothing(index_elements=["brake_class"])
        tx.execute(insert, [{"brake_class": each} for each in names])
        rows = select(_brake).where(_brake.c.brake_class.in_(names))
        tx.execute(rows.order_by(_brake.c.brake_class).with_for_update())


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was decided in one class, about removals for which reasons (none: for any).

    ``anew``: a no, and what it was to is over, and began once more.
    """

    state: Held
    reasons: frozenset[str]
    anew: bool = False

    def concerns(self, reasons: Iterable[str]) -> bool:
        """Whether a decision was about these. Who is no longer only unassigned but left was not."""
        return not self.reasons or self.reasons.issuperset(reasons)


def _kept(
    tx: Tx, user: str, claims: Collection[Claimed], removals: Collection[Planned]
) -> dict[str, _Kept]:
    """Each class in which removals of this person are held."""
    rows = tx.execute(_holding(), {"user": user})
    return {
        row.brake_class: _Kept(Held(row.state), _reasons(row.steps), _anew(row, claims, removals))
        for row in rows
    }


@cache
def _holding() -> Select[Any]:
    """What somebody is held for; built once, because each look asks."""
    return select(_hold).where(_hold.c.user == bindparam("user"), _hold.c.state != Held.OVER)


def _anew(row: Row[Any], claims: Collection[Claimed], removals: Collection[Planned]) -> bool:
    """Whether what was rejected began once more: it was over in between, and no look saw that."""
    if row.state != Held.REJECTED or row.decided is None:
        return False
    later = [each for each in claims if each.published > moment(row.decided)]
    reasons = _reasons(row.steps) or {row.brake_class.split("/")[1]}
    begins = frozenset[Claim]().union(*(_BEGINS.get(each, frozenset()) for each in reasons))
    held = {group for group, *_ in json.loads(row.steps)}
    lost = [each for each in removals if each.reason is Reason.LOST_GROUP and each.group.id in held]
    sources = {word.rpartition(" source:")[-1] for each in lost for word in each.evidence}
    return any(
        each.claim in begins or (each.claim is Claim.LEFT and each.about in sources)
        for each in later
    )


def _reasons(steps: str) -> frozenset[str]:
    """Why the removals of a hold were wanted; older rows do not say it."""
    return frozenset(why for _, _, *whys in json.loads(steps) for why in whys)


def _states(kept: Mapping[str, _Kept], step: Planned) -> dict[str, Held]:
    """What was decided about this removal. A no was one to its reason."""
    return {
        brake_class: each.state
        for brake_class, each in kept.items()
        if each.state is not Held.REJECTED or each.concerns({step.reason})
    }


def _full(
    tx: Tx,
    user: str,
    counted: Mapping[Planned, Collection[str]],
    known: Mapping[str, int],
    limits: Limits,
) -> dict[str, timedelta]:
    """Classes in which this person would be one too many."""
    reasons = {each.brake_class: each.reason for each in counted}
    counts = lately.by_class(tx, reasons, besides=user)
    full = {
        each: brake.window(reason, counts[each], limits)
        for each, reason in reasons.items()
        if not brake.admits(reason, counts[each], limits)
    }
    crowds = {each.group.id: brake.share_class(each) for each in counted}
    crowds = {group: each for group, each in crowds.items() if known.get(group, 0) >= brake.CROWD}
    lost = lately.by_group(tx, crowds, besides=user) if crowds else {}
    for group, each in crowds.items():
        if not brake.share_admits(lost.get(group, 0), known.get(group), limits.share_of_group):
            full[each] = brake.DAY
    if len(counted) > brake.MOST_STEPS:
        full |= {brake.steps_class(each): brake.HOUR for each in counted}
    return full


def keep(tx: Tx, user: str, judged: Judged, *, places: Collection[str]) -> None:
    """Keep one hold per person and class, with what it withholds now; end those without need.

    An approval is for once: it ends with the plan that used it, but for what that could not judge.
    Any other hold lasts until a plan in one of the ``places`` that were judged no longer wants the
    removals: a look that could not read ends nobody's no. Locked are the classes of all.
    """
    if not (judged.kept or judged.withheld):
        return
    wanted: dict[str, list[Planned]] = {}
    for step, under in judged.withheld.items():
        for each in under:
            wanted.setdefault(each, []).append(step)
    rows = tx.execute(_holding(), {"user": user}).all()
    known = {row.brake_class: row.id for row in rows}
    rejected = {
        row.brake_class: _Kept(Held.REJECTED, _reasons(row.steps))
        for row in rows
        if row.state == Held.REJECTED
    }
    needless = {row.brake_class for row in rows if row.directory in places} | judged.used
    needless -= _spare(tx, rows, judged, places)
    for brake_class, steps in sorted(wanted.items()):
        diff = json.dumps([[each.group.id, each.group.display, each.reason] for each in steps])
        if brake_class in known:
            values: dict[str, object] = {"steps": diff}
            no = rejected.get(brake_class)
            anew = brake_class in judged.anew
            if no and (anew or not no.concerns({each.reason for each in steps})):
                window = judged.full.get(brake_class, brake.DAY)
                values |= {"state": Held.WAITING, "decided": None}
                values |= {"incident": incidents.join(tx, brake_class, window)}
            tx.execute(update(_hold).where(_hold.c.id == known[brake_class]).values(**values))
            continue
        tx.execute(
            _hold.insert().values(
                user=user,
                directory=brake_class.partition("/")[0],
                brake_class=brake_class,
                steps=diff,
                at=tx.now,
                state=Held.WAITING,
                incident=incidents.join(tx, brake_class, judged.full[brake_class]),
            )
        )
    over = {each: known[each] for each in known if each in needless and each not in wanted}
    if over:
        ids = _hold.c.id.in_(over.values())
        tx.execute(update(_hold).where(ids).values(state=Held.OVER, decided=tx.now))
        incidents.end(tx, over)


def _spare(tx: Tx, rows: Iterable[Row[Any]], judged: Judged, places: Collection[str]) -> set[str]:
    """Classes in which a yes goes on, for what the plan that used it could not judge."""
    found = set()
    for row in rows:
        left = [each for each in json.loads(row.steps) if each[0] not in judged.groups]
        if row.brake_class in judged.used and row.directory not in places and left:
            tx.execute(update(_hold).where(_hold.c.id == row.id).values(steps=json.dumps(left)))
            found.add(row.brake_class)
    return found


# -- what people ask ---------------------------------------------------------------------------


def listed(tx: Tx, *, every: bool = False, **wanted: str | int) -> list[dict[str, object]]:
    """Holds, oldest first: those that wait or were decided, or all there ever were.

    ``wanted`` may name the ``user``, ``brake_class`` or ``incident``; ``steps`` are the removals
    held: id and name of the group, and the reason.
    """
    query = select(_hold).where(*(_hold.c[name] == value for name, value in wanted.items()))
    if not every:
        query = query.where(_hold.c.state != Held.OVER)
    rows = [dict(row) for row in tx.execute(query.order_by(_hold.c.id)).mappings()]
    for row in rows:
        row["steps"] = json.loads(str(row["steps"]))
    return rows


def decide(tx: Tx, ids: Sequence[int], *, approve: bool, who: str, why: str) -> list[str]:
    """Approve or reject waiting holds; the people are looked at again on fresh readings.

    A rejection also excuses the absence that the removals come from, so that nobody is taken for
    returning because of it; an approval of a rejected hold takes both back. Many people wait
    behind whoever an event names. Returns the people concerned.
    """
    states = (Held.WAITING, Held.REJECTED if approve else Held.APPROVED)
    chosen = _hold.c.id.in_(list(ids)), _hold.c.state.in_(states)
    found = tx.execute(select(_hold.c.user, _hold.c.brake_class).where(*chosen)).all()
    # First the people, then the classes, then the holds: in the order of an admission.
    concerned = sorted({row.user for row in found})
    lane = line.URGENT if len(concerned) == 1 else line.BULK
    line.mark(tx, concerned, "user", lane=lane, due_at=tx.now, events=False)
    lock(tx, {row.brake_class for row in found})
    verdict = Held.APPROVED if approve else Held.REJECTED
    decided = update(_hold).where(*chosen).values(state=verdict, decided=tx.now)
    rows = tx.execute(decided.returning(_hold)).all()
    for row in sorted(rows, key=lambda row: int(row.id)):
        orders.record(tx, "approve" if approve else "reject", str(row.id), who=who, why=why)
        if _absent(row):
            excuses.person(tx, row.user, row.directory, excused=not approve)
    if approve:
        incidents.again(tx, {row.incident for row in rows if row.incident is not None})
    else:
        incidents.end(tx, {row.brake_class for row in rows})
    return sorted({row.user for row in rows})


def _absent(row: Row[Any]) -> bool:
    """Whether an absence is why these removals were wanted; older rows say it by their class."""
    return not brake.ABSENCES.isdisjoint(_reasons(row.steps) or {row.brake_class.split("/")[1]})


def by_class(tx: Tx) -> dict[str, int]:
    """How many holds wait for a decision, by their class."""
    query = select(_hold.c.brake_class, func.count().label("people"))
    rows = tx.execute(query.where(_hold.c.state == Held.WAITING).group_by(_hold.c.brake_class))
    return {str(row.brake_class): int(row.people) for row in rows}


def waiting(tx: Tx) -> int:
    """How many holds wait for a decision."""
    return sum(by_class(tx).values())


def oldest(tx: Tx) -> int | None:
    """When the oldest hold that waits for a decision began."""
    query = select(func.min(_hold.c.at)).where(_hold.c.state == Held.WAITING)
    found: int | None = tx.execute(query).scalar_one()
    return found
