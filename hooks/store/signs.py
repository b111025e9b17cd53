"""What a check asks of the store: when something was last delivered, written, granted again.

Must live here: which rows tell that. Must not know: what is made of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from hooks.clock import moment
from hooks.core.checkup_atlassian import Written
from hooks.core.membership import State, Via
from hooks.core.refusal import Cause
from hooks.store.tables import Event, OrganizationGroup, Outcome, Refused, Step

if TYPE_CHECKING:
    from datetime import datetime

    from hooks.store.database import Tx

_event = Event.__table__  # type: ignore[attr-defined]
_step = Step.__table__  # type: ignore[attr-defined]
_outcome = Outcome.__table__  # type: ignore[attr-defined]
_refused = Refused.__table__  # type: ignore[attr-defined]
_group = OrganizationGroup.__table__  # type: ignore[attr-defined]

#: What says that a step was sent: the key was let through, or it was not.
_SENT = (State.SUBMITTED, State.SETTLED, State.FAILED)


def delivered(tx: Tx) -> datetime | None:
    """When the hook last delivered anything."""
    by_hook = or_(_event.c.origin == "hook", _event.c.hooked.is_not(None))
    latest = func.max(func.coalesce(_event.c.hooked, _event.c.received))
    found = tx.execute(select(latest).where(by_hook)).scalar_one()
    return moment(found) if found else None


def written(tx: Tx) -> Written | None:
    """The last step at a local group of which something became."""
    query = select(_outcome.c.state, _outcome.c.code, _outcome.c.at).where(
        _outcome.c.step == _step.c.id,
        _step.c.via == Via.ORGANIZATION,
        _outcome.c.state.in_(_SENT),
    )
    row = tx.execute(query.order_by(_outcome.c.id.desc()).limit(1)).one_or_none()
    return Written(row.state, row.code, moment(row.at)) if row else None


def granted_again(tx: Tx) -> list[str]:
    """Names of the groups that somebody was granted again after our removals, as it stands."""
    query = select(_group.c.name).where(
        _group.c.id == _refused.c.group,
        _refused.c.cause == Cause.GRANTED_AGAIN,
        _refused.c.until.is_(None),
    )
    return list(tx.execute(query.distinct().order_by(_group.c.name)).scalars())
