"""A log line for each step that came to something, for whoever keeps the evidence of changes.

Must live here: what such a line holds. Must not know: why a step was planned. Ids, statuses and
words of the policy only; the journal is what counts, a line may be missing after a crash.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from hooks import figures
from hooks.clock import moment
from hooks.core.errors import StoreError
from hooks.core.membership import Action, State, Via
from hooks.core.report import CALLS
from hooks.store import inbox, journal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from prometheus_client import Histogram

    from hooks.core.ledger import Resolved
    from hooks.store.database import Database, Tx
    from hooks.store.journal import Wish
    from hooks.store.line import Lease

#: What is told of no step yet: nobody knows what becomes of it.
_PENDING = frozenset({State.OPEN, State.SUBMITTED})
#: Evidence by what it begins with; all else is what was read.
_GROUNDS = {"mapping": "mappings", "rule": "rules", "contradicted": "contradicted"}

log = structlog.get_logger("hooks.evidence")


async def tell(database: Database, outcomes: Iterable[Resolved], observed: Collection[int]) -> None:
    """Say what became of these steps; ``observed`` are those that are not sent."""
    steps = {each.step for each in outcomes if each.state not in _PENDING} | set(observed)
    if not steps:
        return
    try:
        found = await database.read(partial(lines, steps=steps))
    except StoreError as error:
        log.warning("steps_not_told", steps=sorted(steps), error=str(error))
        return
    for each in found:
        figures.STEPS.labels(each["via"], each["action"], each["state"]).inc()
        log.info("step", **each)


def timed(
    figure: Histogram,
    held: Lease,
    sent: Iterable[tuple[Wish, Resolved]],
    now: datetime,
    state: State,
) -> None:
    """Note how long removals took that an event led to, if all of them are ``state`` by now."""
    removals = [became for wish, became in sent if wish.step.action is Action.REMOVE]
    if held.since is None or not removals or any(each.state is not state for each in removals):
        return
    for name, since in zip(("published", "received"), held.since, strict=True):
        figure.labels(name).observe(max(0.0, (now - since).total_seconds()))


def lines(tx: Tx, steps: Collection[int]) -> list[dict[str, Any]]:
    """What is said of each of these steps, with its latest outcome."""
    rows: list[dict[str, Any]] = journal.named(tx, steps)
    published = inbox.published(tx, {uuid for row in rows for uuid in row["events"]})
    return [_line(row, published) for row in rows]


def _line(row: dict[str, Any], published: dict[str, int]) -> dict[str, Any]:
    last = row["outcomes"][-1]
    began = min((published[each] for each in row["events"] if each in published), default=None)
    grounds: dict[str, list[str]] = {name: [] for name in ("readings", *_GROUNDS.values())}
    for each in row["evidence"]:
        grounds[_GROUNDS.get(each.partition(":")[0], "readings")].append(each)
    return {
        "step": row["id"],
        "subject": row["user"],
        **{name: row[name] for name in ("directory", "via", "action", "group", "reason")},
        "member": row["scim_id"] or row["account"],
        "read": None if row["read"] is None else moment(row["read"]).isoformat(),
        **grounds,
        "events": row["events"],
        "call": CALLS[Via(row["via"]), Action(row["action"])],
        "state": last["state"],
        "code": last["code"],
        "seconds_from_event": _seconds(began, last["at"]),
        "seconds_from_plan": _seconds(row["at"], last["at"]),
    }


def _seconds(since: int | None, until: int) -> float | None:
    return None if since is None else round((until - since) / 1_000_000, 3)
