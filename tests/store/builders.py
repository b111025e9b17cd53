"""What the store's tests build with: a clock they move, a key, subjects, events, plans."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Row, select

from hooks.clock import Clock
from hooks.core.attempt import Next
from hooks.core.brake import HOUR
from hooks.core.ids import (
    DirectoryName,
    OktaAppId,
    OktaGroupId,
    OktaUserId,
    ScimGroupId,
    ScimUserId,
)
from hooks.core.log_event import Delivery, LogEvent, parse_event
from hooks.core.membership import Action, Group
from hooks.core.plan import Reason, Step
from hooks.core.policy import Limits
from hooks.store import intake, journal, line
from hooks.store.database import Database, Tx
from hooks.store.holds import Judged
from hooks.store.intake import Origin
from hooks.store.journal import Wish
from hooks.store.line import Lease
from hooks.store.sealing import Sealer
from hooks.store.tables import Due, Event

START = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
MAIN = DirectoryName("main")
APP = OktaAppId("0oaMAIN".ljust(20, "0"))
APPS = frozenset({APP})
KEY = bytes(range(32))
SEALER = Sealer([KEY])

DEACTIVATED = "user.lifecycle.deactivate"
GROUP_DELETED = "group.lifecycle.delete"

due_rows: Any = Due.__table__  # type: ignore[attr-defined]
event_rows: Any = Event.__table__  # type: ignore[attr-defined]


@dataclass
class Wall:
    """Wall clock the test moves; ``clock`` shows it to the store."""

    at: datetime = START
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(self._seconds)

    def _seconds(self) -> float:
        return self.at.timestamp()

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    @property
    def us(self) -> int:
        return self.clock.now_us()


def us(seconds: float) -> int:
    return round(seconds * 1_000_000)


def writers(database: Database) -> int:
    """Threads that write at once: on SQLite a process has one, and two processes are played."""
    return 8 if database.postgres else 2


# -- ids ---------------------------------------------------------------------------------------


def user(number: int) -> OktaUserId:
    return OktaUserId(f"00u{number:017d}")


def okta_group(number: int) -> OktaGroupId:
    return OktaGroupId(f"00g{number:017d}")


def scim_user(number: int) -> ScimUserId:
    return ScimUserId(f"00000000-0000-4000-8000-{number:012d}")


def scim_group(number: int) -> ScimGroupId:
    return ScimGroupId(f"00000000-0000-4000-9000-{number:012d}")


def uuid(number: int) -> str:
    return f"e0000000-0000-4000-8000-{number:012d}"


# -- events ------------------------------------------------------------------------------------


def event(
    number: int,
    *targets: tuple[str, str],
    type: str = DEACTIVATED,  # noqa: A002  # Okta's word
    published: str = "2026-11-21T09:29:59.000Z",
    **more: object,
) -> LogEvent:
    """A LogEvent of Okta's shape about ``targets``, each a type and an id."""
    body = {
        "uuid": uuid(number),
        "eventType": type,
        "published": published,
        "target": [{"type": kind, "id": target} for kind, target in targets],
    }
    return parse_event(json.dumps(body | more).encode())


def left(number: int, who: OktaUserId) -> LogEvent:
    """The event that says ``who`` was deactivated."""
    return event(number, ("User", who))


def delivery(*events: LogEvent, id: str = "delivery-1") -> Delivery:  # noqa: A002
    return Delivery(id, events)


def put(database: Database, *events: LogEvent, sealer: Sealer = SEALER) -> frozenset[str]:
    """Store events as one delivery does; the uuids that were new."""
    origins = {each.uuid: Origin("hook", "delivery-1") for each in events}
    return database.write_now(lambda tx: put_in(tx, events, origins, sealer))


def put_in(
    tx: Tx, events: Sequence[LogEvent], origins: dict[str, Origin], sealer: Sealer = SEALER
) -> frozenset[str]:
    return intake.put(tx, events, origins, apps=APPS, sealer=sealer)


# -- the line ----------------------------------------------------------------------------------


def lease(database: Database, limit: int = 100, **how: Any) -> list[Lease]:
    return database.write_now(lambda tx: line.lease(tx, limit=limit, **how))


def lease_one(database: Database, who: str, **how: Any) -> Lease:
    (held,) = lease(database, only=who, **how)
    return held


def settle(database: Database, held: Lease, then: Next, keep: Iterable[str] = ()) -> None:
    database.write_now(lambda tx: line.settle(tx, held, then, keep=tuple(keep)))


def retry_dead(database: Database, who: list[OktaUserId] | None = None) -> int:
    return database.write_now(lambda tx: line.retry_dead(tx, who))


def mark(
    database: Database, *who: str, lane: int = line.URGENT, events: bool = False, after: float = 0
) -> None:
    database.write_now(
        lambda tx: line.mark(tx, who, "user", lane=lane, due_at=tx.now + us(after), events=events)
    )


def due(database: Database, subject: str) -> Row[Any]:
    return database.read_now(
        lambda tx: tx.execute(select(due_rows).where(due_rows.c.subject == subject)).one()
    )


def waiting_events(database: Database, subject: str) -> set[str]:
    """The uuids of the subject's events that nobody has settled."""
    query = select(event_rows.c.uuid).where(
        event_rows.c.subject == subject, event_rows.c.settled.is_(None)
    )
    return set(database.read_now(lambda tx: tx.execute(query).scalars().all()))


def stored(database: Database, *columns: str) -> list[Any]:
    """Every stored event, oldest first: the one column asked for, or the row."""
    query = select(event_rows).order_by(event_rows.c.id)
    rows = database.read_now(lambda tx: tx.execute(query).all())
    return [getattr(row, columns[0]) if columns else row for row in rows]


# -- plans -------------------------------------------------------------------------------------


def step(
    group: int = 1,
    *,
    action: Action = Action.REMOVE,
    reason: Reason = Reason.UNASSIGNED,
    directory: DirectoryName = MAIN,
    display: str = "",
) -> Step:
    shown = Group(scim_group(group), display or f"team-{group}")
    return Step(directory, action, shown, reason, ("status=DEPROVISIONED",))


def wish(planned: Step | None = None, *, observe: bool = False) -> Wish:
    return Wish(planned or step(), scim_user(1), observe)


def held_back(*steps: Step) -> Judged:
    """What a plan comes to of which these removals wait, each for its reason."""
    full = {each.brake_class: HOUR for each in steps}
    return Judged({each: (each.brake_class,) for each in steps}, frozenset(), full)


def race(
    doors: Sequence[Database], people: int, wished: Callable[[int], Wish], limits: Limits
) -> int:
    """So many people, each with a wish, admitted from several threads at once; how many were.

    ``wished`` is told the number of the thread.
    """
    everybody = [user(number) for number in range(people)]
    mark(doors[0], *everybody)
    leases = {each.subject: each for each in lease(doors[0])}
    random.Random(7).shuffle(everybody)
    gate = threading.Barrier(writers(doors[0]))

    def run(number: int) -> int:
        gate.wait()
        through = 0
        for who in everybody[number :: gate.parties]:
            admit = partial(
                journal.admit, held=leases[who], wishes=[wished(number)], resolved=[],
                limits=limits,
            )  # fmt: skip
            through += len(doors[number % len(doors)].write_now(admit).admitted)
        return through

    with ThreadPoolExecutor(gate.parties) as threads:
        return sum(threads.map(run, range(gate.parties)))
