"""Deliveries in: stored together, then each acknowledged. Design 5.1, "group commit".

Must live here: what a new event leaves behind. Must not know: HTTP, or what is done about it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update
from sqlalchemy.dialects import sqlite

from hooks.core import log_event
from hooks.core.errors import BusyError, StoreError
from hooks.core.log_event import Delivery
from hooks.store import line
from hooks.store.database import insert_into
from hooks.store.tables import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from hooks.core.ids import OktaAppId
    from hooks.core.log_event import LogEvent
    from hooks.store.database import Database, Tx
    from hooks.store.sealing import Sealer

#: More deliveries waiting than this cannot be answered within Okta's three seconds.
MOST_WAITING = 5_000
#: Bytes of events that may wait at once, so that large deliveries cannot fill the memory.
MOST_BYTES = 64 * 1024 * 1024
#: Seconds until the answer must be 503 instead. Okta waits three.
PATIENCE = 2.0
#: Events that may wait at once; a usual delivery has one.
MOST_EVENTS = 20_000
#: Deliveries in one commit, and their events; a few milliseconds of work if each has one.
_TOGETHER = 500
_EVENTS_TOGETHER = 5_000
#: A delivery with more events is stored piece by piece, so that others pass between the pieces.
_PIECE = 500
#: Group-level events wait until the per-user events that follow them had time to come.
GROUP_DELAY = timedelta(seconds=60)

_TOO_SLOW = "store: too slow"

_event = Event.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Stored:
    """How many events of a delivery were new, and how many were known already."""

    new: int
    known: int


@dataclass(slots=True)
class _Waiting:
    delivery: Delivery
    origin: Origin
    done: asyncio.Future[Stored]


class Intake:
    """Takes deliveries from any number of requests and commits those that wait together."""

    def __init__(self, database: Database, sealer: Sealer, apps: frozenset[OktaAppId]) -> None:
        """``apps`` are the apps whose events concern us; others are only counted."""
        self._database = database
        self._sealer = sealer
        self._apps = apps
        self._waiting = OrderedDict[asyncio.Future[Stored], _Waiting]()
        self._bytes = 0
        self._events = 0
        self._large = asyncio.Lock()
        self._draining: asyncio.Task[None] | None = None

    async def put(self, delivery: Delivery) -> Stored:
        """Store a delivery. When this returns it is committed.

        Raises:
            BusyError: too many are waiting, or the store took too long; answer 503.
            StoreError: the store failed; answer 503. The events may be stored all the same.
        """
        if len(delivery.events) <= _PIECE:
            return await self._put(delivery)
        try:
            async with asyncio.timeout(PATIENCE), self._large:
                return await self._put_pieces(delivery)
        except TimeoutError as error:
            raise BusyError(_TOO_SLOW) from error

    async def _put_pieces(self, delivery: Delivery) -> Stored:
        """All of it, or an error; the pieces before stay, and are known when it comes again."""
        new = known = 0
        unique = tuple({event.uuid: event for event in delivery.events}.values())
        for at in range(0, len(unique), _PIECE):
            stored = await self._put(Delivery(delivery.id, unique[at : at + _PIECE]))
            new, known = new + stored.new, known + stored.known
        return Stored(new, known)

    async def _put(self, delivery: Delivery) -> Stored:
        size, count = sum(len(event.raw) for event in delivery.events), len(delivery.events)
        room = self._bytes + size <= MOST_BYTES and self._events + count <= MOST_EVENTS
        if len(self._waiting) >= MOST_WAITING or not room:
            msg = "store: too many deliveries waiting"
            raise BusyError(msg)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Stored] = loop.create_future()
        self._waiting[done] = _Waiting(delivery, Origin("hook", delivery.id), done)
        self._bytes += size
        self._events += count
        if self._draining is None or self._draining.done():
            self._draining = loop.create_task(self._drain())
        late = loop.call_later(PATIENCE, _give_up, done)
        try:
            return await done
        finally:
            # Answered or given up: what nobody waits for is not kept.
            late.cancel()
            self._waiting.pop(done, None)
            self._bytes -= size
            self._events -= count

    def arriving(self) -> bool:
        """Whether anybody waits for events to be stored."""
        return self._events > 0

    async def aclose(self) -> None:
        """Let what waits be committed."""
        while self._draining and not self._draining.done():
            await asyncio.wait([self._draining])

    async def _drain(self) -> None:
        while self._waiting:
            await self._next_batch()

    async def _next_batch(self) -> None:
        batch = list[_Waiting]()
        try:
            answers = await self._database.write(partial(self._store, batch), ahead=True)
        except Exception:  # noqa: BLE001  # a fault of ours must not keep the others waiting
            # One bad delivery must not take the others with it.
            for each in batch or self._taken():
                await self._alone(each)
        else:
            for each, answer in zip(batch, answers, strict=True):
                _answer(each.done, answer)

    def _taken(self) -> Iterator[_Waiting]:
        """Those who have waited longest; off the loop too, where only what is atomic is safe."""
        events = 0
        for _ in range(_TOGETHER):
            try:
                _, each = self._waiting.popitem(last=False)
            except KeyError:
                return
            yield each
            events += len(each.delivery.events)
            if events > _EVENTS_TOGETHER - _PIECE:
                return

    async def _alone(self, each: _Waiting) -> None:
        if each.done.done():
            return
        try:
            (answer,) = await self._database.write(partial(self._store, [each]), ahead=True)
        except Exception as error:  # noqa: BLE001  # as above
            known = isinstance(error, StoreError)
            _fail(each.done, error if known else StoreError("store: a fault of ours"))
        else:
            _answer(each.done, answer)

    def _store(self, batch: list[_Waiting], tx: Tx) -> list[Stored]:
        """A batch, or, as late as can be, whoever waits now; another try is of the same."""
        batch += () if batch else self._taken()
        came = [(each, each_event) for each in batch for each_event in each.delivery.events]
        origins = {event.uuid: each.origin for each, event in came}
        events = {event.uuid: event for _, event in came}
        new = put(tx, events.values(), origins, apps=self._apps, sealer=self._sealer)
        return [_stored(each.delivery, new) for each in batch]


def _stored(delivery: Delivery, new: frozenset[str]) -> Stored:
    uuids = {event.uuid for event in delivery.events}
    return Stored(new=len(uuids & new), known=len(uuids - new))


def _answer(done: asyncio.Future[Stored], answer: Stored) -> None:
    if not done.done():
        done.set_result(answer)


def _give_up(done: asyncio.Future[Stored]) -> None:
    _fail(done, BusyError(_TOO_SLOW))


def _fail(done: asyncio.Future[Stored], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where events came from: ``hook``, ``log`` or ``replay``, and Okta's id of the delivery."""

    kind: str = "hook"
    delivery: str = ""


def put(
    tx: Tx,
    events: Iterable[LogEvent],
    origins: Mapping[str, Origin],
    *,
    apps: frozenset[OktaAppId],
    sealer: Sealer,
    lane: int = line.URGENT,
) -> frozenset[str]:
    """Insert events, ignore known uuids, and put the subjects of new ones in line.

    ``origins`` has one for each uuid; ``lane`` is that of people who are known. Returns the uuids
    that were new. Of what the log had shown first it is noted when the hook came after all.
    """
    unique = {each.uuid: each for each in events}
    if not unique:
        return frozenset()
    about = {uuid: log_event.subjects(unique[uuid], apps) for uuid in sorted(unique)}
    rows = [_row(tx, unique[uuid], about[uuid], origins[uuid], sealer) for uuid in about]
    new = _insert(tx, rows)
    if late := [uuid for uuid in about if uuid not in new and origins[uuid].kind == "hook"]:
        logged = (_event.c.origin == "log") & _event.c.hooked.is_(None)
        tx.execute(update(_event).where(_event.c.uuid.in_(late), logged).values(hooked=tx.now))
    users = {user for uuid in new for user in about[uuid].users}
    # Ids nobody has heard of must not stand before people who leave; nor must most people in Okta,
    # in whom no look has found anything to do with Atlassian.
    line.mark(tx, users, "user", lane=lane, due_at=tx.now, events=True, strangers=line.BULK)
    groups = {group for uuid in new for group in about[uuid].groups}
    later = tx.now + GROUP_DELAY // timedelta(microseconds=1)
    line.mark(tx, groups, "group", lane=line.BULK, due_at=later, events=True)
    pushed = {group for uuid in new for group in about[uuid].pushed}
    line.mark(tx, pushed, "push", lane=line.BULK, due_at=later, events=True)
    return new


def _insert(tx: Tx, rows: Sequence[Mapping[str, object]]) -> frozenset[str]:
    """Insert events that are not known; the uuids of those.

    On SQLite whoever writes is alone, so what was inserted has the newest ids. They are asked for
    only if some were known: each row a statement returns costs a change of threads.
    """
    if tx.postgres:
        insert = tx.insert(_event).on_conflict_do_nothing(index_elements=["uuid"])
        return frozenset(tx.execute(insert.returning(_event.c.uuid), rows).scalars())
    statement, given = _inserting(tuple(rows[0]))
    new = tx.connection.exec_driver_sql(statement, list(map(given, rows))).rowcount
    if new == len(rows):
        return frozenset(str(each["uuid"]) for each in rows)
    newest = select(_event.c.uuid).order_by(_event.c.id.desc()).limit(new)
    return frozenset(tx.execute(newest).scalars())


@cache
def _inserting(columns: tuple[str, ...]) -> tuple[str, Callable[[Any], tuple[Any, ...]]]:
    """The INSERT as the driver takes it, and what makes a row of one of these columns.

    SQLAlchemy takes longer for a row than SQLite does.
    """
    insert = insert_into(_event, postgres=False).on_conflict_do_nothing(index_elements=["uuid"])
    compiled = insert.compile(dialect=sqlite.dialect(), column_keys=columns)
    return str(compiled), itemgetter(*(compiled.positiontup or columns))


def subjects(about: log_event.Subjects) -> tuple[str, ...]:
    """Who stands in line for an event, as the line calls them."""
    return (
        *about.users,
        *(line.key("group", group) for group in about.groups),
        *(line.key("push", group) for group in about.pushed),
    )


def _row(
    tx: Tx, each: LogEvent, about: log_event.Subjects, origin: Origin, sealer: Sealer
) -> dict[str, object]:
    published = tx.now
    if each.published:
        published = min(max(round(each.published.timestamp() * 1_000_000), 0), tx.now)
    subject = next(iter(subjects(about)), None)
    noted = next(iter(about.noted), None)
    said = log_event.claim(each) if len(about.users) == 1 else None
    return {
        "uuid": each.uuid,
        "type": each.type,
        "published": published,
        "received": tx.now,
        "origin": origin.kind,
        "delivery": origin.delivery,
        "subject": subject,
        "claim": said[0].value if said else None,
        "about": said[1] if said else noted or "",
        # Events of other apps and types are counted, not kept.
        "sealed": sealer.seal(each.raw, each.uuid) if about.ours else None,
        "settled": None if subject else tx.now,
    }
