"""Steps that were only observed: journalled once, and over when nothing wants them any more.

Must live here: which observed steps still stand. Must not know: how a step is journalled.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select

from hooks.core.ledger import Resolved
from hooks.core.membership import State
from hooks.store import line
from hooks.store.tables import Outcome, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Select

    from hooks.core.plan import Step as Planned
    from hooks.store.database import Tx

_step = Step.__table__  # type: ignore[attr-defined]
_outcome = Outcome.__table__  # type: ignore[attr-defined]

#: The code of an observed step that no look wants any more.
OVER = "over"


def standing(tx: Tx, user: str) -> dict[tuple[str, str], tuple[int, str, str]]:
    """By place and group, the observed step that stands: its id, action and reason."""
    found: dict[tuple[str, str], tuple[int, str, str]] = {}
    for row in tx.execute(_of_one(), {"user": user}):
        key = row.directory, row.group
        found.pop(key, None)
        if (row.state, row.code) == (State.OBSERVED, ""):
            found[key] = row.id, row.action, row.reason
    return found


def over(
    known: dict[tuple[str, str], tuple[int, str, str]],
    wanted: Iterable[Planned],
    judged: Collection[str],
) -> list[Resolved]:
    """Those that a look at the ``judged`` places did not want again, or wants otherwise."""
    again: dict[tuple[str, str], tuple[str, str]] = {
        (step.directory, step.group.id): (step.action, step.reason) for step in wanted
    }
    return [
        Resolved(identity, State.OBSERVED, OVER)
        for key, (identity, action, reason) in known.items()
        if key[0] in judged and again.get(key) != (action, reason)
    ]


def hasten(tx: Tx) -> None:
    """Have everybody looked at of whom something was only observed."""
    stands = _last().where(_outcome.c.state == State.OBSERVED, _outcome.c.code == "")
    users = tx.execute(stands.with_only_columns(_step.c.user).distinct()).scalars()
    line.mark(tx, sorted(users), "user", lane=line.BULK, due_at=tx.now, events=False)


@cache
def _of_one() -> Select[Any]:
    """Built once: each look asks."""
    return _last().where(_step.c.user == bindparam("user")).order_by(_outcome.c.id)


def _last() -> Select[Any]:
    """Each step with its last outcome."""
    last = select(func.max(_outcome.c.id)).where(_outcome.c.step == _step.c.id)
    return select(_step, _outcome.c.state, _outcome.c.code).join(
        _outcome, _outcome.c.id == last.correlate(_step).scalar_subquery()
    )
