"""The journal: steps before they are sent, and everything that became of them. Design 5.2.

Must live here: steps and outcomes. Must not know: vendors.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import bindparam, func, select

from hooks.clock import moment
from hooks.core.ids import DirectoryName, Uuid
from hooks.core.ledger import Resolved
from hooks.core.log_event import clean
from hooks.core.membership import Action, State, Via
from hooks.core.memory import PastStep
from hooks.store import holds, line, observed, pause
from hooks.store.chain import Links
from hooks.store.tables import Outcome, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, ScalarSelect, Select

    from hooks.core.ids import AccountId, OktaUserId, ScimUserId
    from hooks.core.plan import Step as Planned
    from hooks.core.policy import Limits
    from hooks.store.chain import Signer
    from hooks.store.database import Tx
    from hooks.store.line import Lease

T = TypeVar("T")

_step = Step.__table__  # type: ignore[attr-defined]
_outcome = Outcome.__table__  # type: ignore[attr-defined]


#: Characters of a group's name; PostgreSQL takes no NUL, which SCIM's JSON can hold.
_LONGEST_NAME = 10_000
#: Events named in one step, the newest of its lease.
_MOST_EVENTS = 20
#: For so long a search may go on showing somebody whose removal is done.
_UNSEEN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Wish:
    """A planned step, whom it is about there, and whether it is only to be observed."""

    step: Planned
    member: ScimUserId | AccountId
    observe: bool


@dataclass(frozen=True, slots=True)
class Admission:
    """What t2 let through: the wish with its journal id, in order; and how many were held.

    ``contended``: removals that somebody else's may leave without any other admin; ``paused``:
    nothing was let through, whatever is wanted. ``head`` is that of the chain, if it grew.
    """

    admitted: tuple[tuple[int, Wish], ...] = ()
    held: int = 0
    contended: int = 0
    paused: bool = False
    head: str = ""

    @property
    def observed(self) -> list[tuple[Planned, Resolved]]:
        """What is journalled and not sent."""
        seen = ((step, wish) for step, wish in self.admitted if wish.observe)
        return [(wish.step, Resolved(step, State.OBSERVED)) for step, wish in seen]


def history(tx: Tx, user: OktaUserId) -> dict[DirectoryName, tuple[PastStep, ...]]:
    """Every step ever sent for a person, oldest first, with its latest outcome."""
    rows = tx.execute(_past(), {"user": user})
    found: dict[DirectoryName, list[PastStep]] = {}
    for row in rows:
        past = PastStep(
            id=row.id,
            action=Action(row.action),
            group=Uuid(row.group),
            state=row.state,
            code=row.code,
            reason=row.reason,
            at=moment(row.at),
            name=row.name,
        )
        found.setdefault(DirectoryName(row.directory), []).append(past)
    return {directory: tuple(steps) for directory, steps in found.items()}


@cache
def _past() -> Select[Any]:
    """Built once: building it costs more than running it."""
    latest = (
        select(_outcome.c.step, func.max(_outcome.c.id).label("last"))
        .join(_step, _step.c.id == _outcome.c.step)
        .where(_step.c.user == bindparam("user"))
        .group_by(_outcome.c.step)
        .subquery()
    )
    return (
        select(_step, _outcome.c.state, _outcome.c.code)
        .join(latest, latest.c.step == _step.c.id)
        .join(_outcome, _outcome.c.id == latest.c.last)
        .where(_step.c.user == bindparam("user"), _outcome.c.state != State.OBSERVED)
        .order_by(_step.c.id)
    )


def admit(
    tx: Tx,
    held: Lease,
    wishes: Sequence[Wish],
    resolved: Iterable[Resolved],
    *,
    limits: Limits,
    judged: Collection[str] = (),
    read: datetime | None = None,
    signer: Signer | None = None,
) -> Admission:
    """t2: write what earlier steps became, then the steps of this plan, or hold them.

    ``judged`` are the directories in which nothing was left open: only there a hold that nothing
    needs any more ends. ``read`` is when the reading began.

    Removals count people per class and per group; all are locked first, in one order everywhere,
    so that replicas that count at the same time admit no more than the limit together.
    """
    links = Links(tx, held.subject, signer)
    line.compare_fence(tx, held)
    _append(tx, links, resolved)
    if any(not each.observe for each in wishes) and not pause.admits(tx):
        return Admission(paused=True, head=links.close())
    sent = [each.step for each in wishes if not each.observe]
    removals = [each for each in sent if each.action is Action.REMOVE]
    brake = holds.judge(tx, held.subject, removals, limits, claims=held.claims)
    before = observed.standing(tx, held.subject)
    _append(
        tx, links, observed.over(before, (each.step for each in wishes if each.observe), judged)
    )
    let: list[tuple[int, Wish]] = []
    contended = 0
    for ordinal, wish in enumerate(wishes):
        if wish.observe and _same(before, wish.step):
            continue
        if not wish.observe and wish.step in brake.withheld:
            continue
        if not wish.observe and not _another_remains(tx, wish):
            contended += 1
            continue
        let.append((ordinal, wish))
    numbers = links.steps([_row(tx, held, wish, ordinal, read) for ordinal, wish in let])
    admitted = [(number, wish) for number, (_, wish) in zip(numbers, let, strict=True)]
    links.outcomes(
        [
            _became(tx, step, State.OBSERVED if wish.observe else State.OPEN)
            for step, wish in admitted
        ]
    )
    holds.keep(tx, held.subject, brake, places=judged)
    return Admission(tuple(admitted), len(brake.withheld), contended, head=links.close())


def _another_remains(tx: Tx, wish: Wish) -> bool:
    """Whether an admin group keeps a member: removals of the others that may not show count.

    The group is locked first, so that two last admins are not removed at once. Design 3.4. A
    removal that ended since the others were read, or that a search does not show yet, counts too.
    """
    if wish.step.others is None:
        return True
    holds.lock(tx, [f"group/{wish.step.group.id}"])
    unseen = tx.now - round(_UNSEEN.total_seconds() * 1_000_000)
    leaving = tx.execute(
        select(_step.c.account).where(
            _step.c.group == wish.step.group.id,
            _step.c.action == Action.REMOVE,
            _step.c.account.in_(sorted(wish.step.others)),
            _last(_outcome.c.state).in_([State.OPEN, State.SUBMITTED])
            | ((_last(_outcome.c.state) == State.SETTLED) & (_last(_outcome.c.at) > unseen)),
        )
    ).scalars()
    return bool(wish.step.others - set(leaving))


def _last(column: ColumnElement[T]) -> ScalarSelect[T]:
    """This of the latest outcome, of each step of the query around."""
    mine = select(column).where(_outcome.c.step == _step.c.id)
    return mine.order_by(_outcome.c.id.desc()).limit(1).correlate(_step).scalar_subquery()


def _same(before: Mapping[tuple[str, str], tuple[int, str, str]], step: Planned) -> bool:
    """The last line about this membership says the same already."""
    known = before.get((step.directory, step.group.id))
    return known is not None and known[1:] == (step.action, step.reason)


def _row(tx: Tx, held: Lease, wish: Wish, ordinal: int, read: datetime | None) -> dict[str, object]:
    step = wish.step
    return {
        "user": held.subject,
        "directory": step.directory,
        "via": step.via,
        "action": step.action,
        "group": step.group.id,
        "name": clean(step.group.display, _LONGEST_NAME),
        "scim_id": wish.member if step.via is Via.SCIM else "",
        "account": wish.member if step.via is Via.ORGANIZATION else None,
        "reason": step.reason,
        # Only removals that are sent count for the brake.
        "brake_class": "" if wish.observe or step.action is Action.ADD else step.brake_class,
        "evidence": json.dumps(step.evidence),
        "events": json.dumps(held.uuids[-_MOST_EVENTS:]),
        "fence": held.fence,
        "ordinal": ordinal,
        "at": tx.now,
        "read": None if read is None else round(read.timestamp() * 1_000_000),
    }


# -- outcomes ----------------------------------------------------------------------------------


def record(tx: Tx, held: Lease, outcomes: Iterable[Resolved], signer: Signer | None = None) -> str:
    """t3: append outcomes, under the fence; the head of the chain, if it grew."""
    links = Links(tx, held.subject, signer)
    line.compare_fence(tx, held)
    _append(tx, links, outcomes)
    return links.close()


def _append(tx: Tx, links: Links, outcomes: Iterable[Resolved]) -> None:
    links.outcomes([_became(tx, each.step, each.state, each.code) for each in outcomes])


def _became(tx: Tx, step: int, state: State, code: str = "") -> dict[str, object]:
    return {"step": step, "state": state, "code": code, "at": tx.now}


# -- what people ask ---------------------------------------------------------------------------


def list_steps(
    tx: Tx,
    *,
    user: str | None = None,
    state: State | None = None,
    limit: int = 100,
    before: int | None = None,
) -> list[dict[str, object]]:
    """Steps, newest first, each with its outcomes in order; of those in one state, or all."""
    query = select(_step).order_by(_step.c.id.desc()).limit(limit)
    if state:
        query = query.where(_last(_outcome.c.state) == state)
    if state is State.OBSERVED:
        query = query.where(_last(_outcome.c.code) != observed.OVER)
    if user:
        query = query.where(_step.c.user == user)
    if before:
        query = query.where(_step.c.id < before)
    return _told(tx, query)


def page(
    tx: Tx,
    *,
    after: int,
    user: str | None = None,
    since: int | None = None,
    until: int | None = None,
    limit: int = 100,
) -> list[dict[str, object]]:
    """The next steps, oldest first, as ``list_steps`` tells them; planned in a range of time."""
    query = select(_step).where(_step.c.id > after).order_by(_step.c.id).limit(limit)
    if user:
        query = query.where(_step.c.user == user)
    if since is not None:
        query = query.where(_step.c.at >= since)
    if until is not None:
        query = query.where(_step.c.at < until)
    return _told(tx, query)


def named(tx: Tx, steps: Collection[int]) -> list[dict[str, object]]:
    """These steps, oldest first, as ``list_steps`` tells them."""
    return _told(tx, select(_step).where(_step.c.id.in_(sorted(steps))).order_by(_step.c.id))


def _told(tx: Tx, query: Select[Any]) -> list[dict[str, object]]:
    steps = [dict(row) for row in tx.execute(query).mappings()]
    outcomes: dict[int, list[dict[str, object]]] = {}
    ids = [step["id"] for step in steps]
    rows = tx.execute(select(_outcome).where(_outcome.c.step.in_(ids)).order_by(_outcome.c.id))
    for row in rows:
        outcomes.setdefault(row.step, []).append(
            {"state": row.state, "code": row.code, "at": row.at}
        )
    for step in steps:
        step["evidence"] = json.loads(str(step["evidence"]))
        step["events"] = json.loads(str(step["events"]))
        step["outcomes"] = outcomes.get(int(str(step["id"])), [])
    return steps
