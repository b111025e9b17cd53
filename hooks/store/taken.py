"""Removals of ours that could be undone: carried out, and not given back since. Design 3.5.

Must live here: which those are. Must not know: whether the world wants them back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from hooks.core.ids import OktaUserId
from hooks.core.ledger import BACK
from hooks.core.membership import Action, State
from hooks.store import incidents
from hooks.store.tables import Outcome, Step

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

    from hooks.store.database import Tx

_step = Step.__table__  # type: ignore[attr-defined]
_outcome = Outcome.__table__  # type: ignore[attr-defined]

_DONE = (State.SUBMITTED, State.SETTLED)


@dataclass(frozen=True, slots=True)
class Meant:
    """Which removals are meant: all that every field allows; ``since`` and ``until`` in us."""

    users: tuple[OktaUserId, ...] = ()
    since: int | None = None
    until: int | None = None
    incident: int | None = None
    steps: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Removal:
    """One removal; ``at`` is when it was planned, in us."""

    id: int
    user: OktaUserId
    directory: str
    group: str
    name: str
    reason: str
    at: int


def page(tx: Tx, meant: Meant, *, after: int, limit: int) -> list[Removal]:
    """The next of them by their ids."""
    query = _query(tx, meant).where(_step.c.id > after).order_by(_step.c.id).limit(limit)
    return [
        Removal(
            row.id, OktaUserId(row.user), row.directory, row.group, row.name, row.reason, row.at
        )
        for row in tx.execute(query)
    ]


def _query(tx: Tx, meant: Meant) -> Select[Any]:
    # What others granted again counts too: somebody may have taken it since, which is told then.
    back = (_last(_step) == State.ABANDONED) & (_last(_step, "code") == BACK)
    query = select(_step).where(
        _step.c.action == Action.REMOVE, _last(_step).in_(_DONE) | back, ~_followed()
    )
    if meant.steps:
        query = query.where(_step.c.id.in_(meant.steps))
    if meant.users:
        query = query.where(_step.c.user.in_(meant.users))
    if meant.since is not None:
        query = query.where(_step.c.at >= meant.since)
    if meant.until is not None:
        query = query.where(_step.c.at < meant.until)
    if meant.incident is not None:
        query = query.where(*incidents.within(tx, meant.incident))
    return query


def _last(step: Any, column: str = "state") -> ColumnElement[str]:
    """What became of a step last."""
    mine = select(_outcome.c[column]).where(_outcome.c.step == step.c.id)
    return mine.order_by(_outcome.c.id.desc()).limit(1).correlate(step).scalar_subquery()


def _followed() -> ColumnElement[bool]:
    """We have changed it again since: given back, or taken once more, which is what counts then."""
    later = _step.alias("later")
    return (
        select(later.c.id)
        .where(
            later.c.user == _step.c.user,
            later.c.directory == _step.c.directory,
            later.c.group == _step.c.group,
            later.c.id > _step.c.id,
            _last(later).in_(_DONE),
        )
        .correlate(_step)
        .exists()
    )
