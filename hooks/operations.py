"""The operations listener's doors: metrics and status. Counts only, and nothing that changes.

Must not know: how anything is counted. Opens nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypedDict

import msgspec
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from hooks import figures
from hooks.clock import moment
from hooks.core.alarm import Kind, kind_of, public
from hooks.core.brake import Held, anonymous
from hooks.core.drift import Kind as Drift
from hooks.core.errors import StoreError
from hooks.core.event_hook import authorized
from hooks.core.refusal import Cause
from hooks.exchange import GET_ONLY, NOT_FOUND, TROUBLE, Answer, Exchange
from hooks.store import (
    alarms,
    audits,
    cursor,
    holds,
    inbox,
    incidents,
    pause,
    people,
    refusals,
    tally,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from hooks.exchange import Asgi, Receive, Scope, Send
    from hooks.store.database import Database, Tx

#: Scrapes that come sooner share one reading.
FRESH_SECONDS = 2.0
#: Counting every stored event reads a whole index.
_STORED_FRESH_SECONDS = 60.0
PATIENCE_SECONDS = 3.0
#: Okta or Atlassian is not done with a person after this: somebody should look. Design 3.3.
_AN_HOUR_US = 3_600_000_000
_A_DAY_US = 24 * _AN_HOUR_US
#: A delivery may come after the log has shown its event.
_LATE_US = _AN_HOUR_US // 4

_METRICS = (b"content-type", CONTENT_TYPE_LATEST.encode())
_JSON = (b"content-type", b"application/json")
_WHO = Answer.of(401, (b"www-authenticate", b"Bearer"))

log = structlog.get_logger("hooks.operations")


class Standing(TypedDict):
    """An alarm, without the ids its name may hold."""

    name: str
    since: str
    told: str


#: An open incident of the brake: people held, and people who lost something in it.
Exceeded = TypedDict("Exceeded", {"class": str, "since": str, "held": int, "done": int})


class Counts(TypedDict):
    """What the store holds."""

    alarms: list[Standing]
    incidents: list[Exceeded]
    waiting: int
    leased: int
    retrying: int
    dead: int
    oldest_waiting_seconds: float
    oldest_unsettled_seconds: float
    held: int
    refused: int
    refused_by_cause: dict[str, int]
    waiting_over_an_hour: int
    stored: int
    paused: bool
    catch_up_behind_seconds: float | None
    missed: int
    held_oldest_seconds: float
    dead_oldest_seconds: float
    parked_oldest_seconds: float
    drift: dict[str, int]


class Tally:
    """Counts what the store holds, not more often than is worth it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: asyncio.Task[Counts | None] | None = None
        self._fresh_until = 0.0
        self._stored = 0
        self._stored_until = 0.0

    async def counts(self) -> Counts | None:
        """The counts, or ``None`` if the store cannot be read now."""
        now = time.monotonic()
        if self._asked is None or (self._asked.done() and now >= self._fresh_until):
            self._fresh_until = now + FRESH_SECONDS
            self._asked = asyncio.create_task(self._read())
        await asyncio.wait([self._asked], timeout=PATIENCE_SECONDS)
        return self._asked.result() if self._asked.done() else None

    async def _read(self) -> Counts | None:
        try:
            return await self._database.read(self._count)
        except StoreError as error:
            log.warning("not_counted", error=str(error))
            return None

    def _count(self, tx: Tx) -> Counts:
        now = time.monotonic()
        if now >= self._stored_until:
            self._stored, self._stored_until = inbox.counted(tx), now + _STORED_FRESH_SECONDS
        queue = tally.counted(tx)
        audited = audits.last(tx)
        causes = refusals.counted(tx)
        return {
            "alarms": [_standing(each) for each in alarms.standing(tx)],
            "incidents": [_exceeded(each) for each in incidents.listed(tx)],
            "waiting": queue["waiting"],
            "leased": queue["leased"],
            "retrying": queue["retrying"],
            "dead": queue["dead"],
            "oldest_waiting_seconds": queue["oldest_us"] / 1_000_000,
            "oldest_unsettled_seconds": queue["unsettled_us"] / 1_000_000,
            "held": holds.waiting(tx),
            "refused": sum(causes.values()),
            "refused_by_cause": causes,
            "waiting_over_an_hour": people.waiting_long(tx, tx.now - _AN_HOUR_US),
            "stored": self._stored,
            "paused": pause.paused(tx) is not None,
            "catch_up_behind_seconds": _seconds_since(tx, cursor.at(tx, cursor.LOG_REACHED)),
            "missed": inbox.missed(tx, since=tx.now - _A_DAY_US, until=tx.now - _LATE_US),
            "held_oldest_seconds": _age(tx, holds.oldest(tx)),
            "dead_oldest_seconds": queue["dead_us"] / 1_000_000,
            "parked_oldest_seconds": _age(tx, refusals.oldest(tx, Cause.PARKED)),
            "drift": audits.counts(tx, audited.id) if audited else {},
        }


def _age(tx: Tx, at: int | None) -> float:
    return 0.0 if at is None else max(0, tx.now - at) / 1_000_000


def _seconds_since(tx: Tx, at: datetime | None) -> float | None:
    return None if at is None else max(0.0, (moment(tx.now) - at).total_seconds())


def create_operations(
    *,
    tally: Tally,
    about: Callable[[], Mapping[str, object]],
    token: Callable[[], str | None],
) -> Asgi:
    """The operations doors.

    ``about`` is told in the status beside the counts; ``token`` is what must be shown, and
    ``None`` lets everybody in who can reach the listener.
    """

    async def doors(scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        try:
            answer = await _route(exchange)
        except Exception as error:  # noqa: BLE001  # a fault of ours, told by its type
            log.error("fault", error=type(error).__name__)  # noqa: TRY400  # a trace shows values
            answer = TROUBLE
        await exchange.answer(answer)

    async def _route(exchange: Exchange) -> Answer:
        if exchange.path not in ("/metrics", "/status"):
            return NOT_FOUND
        if not _shown(exchange, token()):
            return _WHO
        if exchange.method != "GET":
            return GET_ONLY
        counts = await tally.counts()
        if exchange.path == "/metrics":
            _tell(counts)
            return Answer.of(200, _METRICS, body=generate_latest())
        lists = ("alarms", "incidents")
        store = counts and {key: value for key, value in counts.items() if key not in lists}
        told = {key: each for key, each in (counts or {}).items() if key in lists}
        body = {**about(), **dict.fromkeys(lists), **told, "store": store}
        return Answer.of(200, _JSON, body=msgspec.json.encode(body))

    return doors


def _standing(alarm: alarms.Standing) -> Standing:
    since = moment(alarm.since).isoformat(timespec="milliseconds")
    return {"name": public(alarm.name), "since": since, "told": alarm.told}


def _exceeded(incident: Mapping[str, object]) -> Exceeded:
    since = int(str(incident["since"]))
    held = (int(str(incident[state])) for state in (Held.WAITING, Held.APPROVED, Held.REJECTED))
    return {
        "class": anonymous(str(incident["brake_class"])),
        "since": moment(since).isoformat(timespec="milliseconds"),
        "held": sum(held),
        "done": int(str(incident["done"])),
    }


def _shown(exchange: Exchange, token: str | None) -> bool:
    if token is None:
        return True
    lines = exchange.values(b"authorization")
    scheme, _, shown = lines[0].partition(b" ") if len(lines) == 1 else (b"", b"", b"")
    return scheme.lower() == b"bearer" and authorized(shown, [token.encode()])


def _tell(counts: Counts | None) -> None:
    """Put the counts into the figures; old ones are not told again as if they were true."""
    figures.STORE_UP.set(counts is not None)
    nan = float("nan")
    for state in ("waiting", "leased", "retrying", "dead"):
        figures.LINE.labels(state).set(counts[state] if counts else nan)
    figures.OLDEST_SECONDS.set(counts["oldest_waiting_seconds"] if counts else nan)
    figures.UNSETTLED_SECONDS.set(counts["oldest_unsettled_seconds"] if counts else nan)
    figures.HELD.set(counts["held"] if counts else nan)
    for what in ("held", "dead", "parked"):
        age = counts[f"{what}_oldest_seconds"] if counts else nan  # type: ignore[literal-required]
        figures.AGE_SECONDS.labels(what).set(age)
    for drifted in Drift:
        figures.DRIFT.labels(drifted).set(counts["drift"].get(drifted, 0) if counts else nan)
    figures.INCIDENTS.set(len(counts["incidents"]) if counts else nan)
    standing = {kind_of(each["name"]) for each in counts["alarms"]} if counts else set()
    # All kinds and causes are there from the start, or nobody would see the first as a rise.
    for kind in Kind:
        figures.ALARM.labels(kind).set(kind in standing if counts else nan)
    for cause in Cause:
        known = counts["refused_by_cause"].get(cause, 0) if counts else nan
        figures.REFUSED.labels(cause).set(known)
    figures.WAITING_LONG.set(counts["waiting_over_an_hour"] if counts else nan)
    figures.STORED.set(counts["stored"] if counts else nan)
    figures.PAUSED.set(counts["paused"] if counts else nan)
    behind = counts["catch_up_behind_seconds"] if counts else None
    figures.BEHIND_SECONDS.set(nan if behind is None else behind)
    figures.MISSED.set(counts["missed"] if counts else nan)
