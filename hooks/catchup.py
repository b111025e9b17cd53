"""Read the System Log for what the hook missed and what no hook sends; one replica at a time.

Must live here: the place in the log, and when it is read on. Must not know: what an event leads
to. The place is committed together with the events of its page, so none is lost or skipped,
whenever a process ends. Design 6.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from hooks import figures
from hooks.core.attempt import LookAgain, Retry, backoff
from hooks.core.errors import (
    HooksError,
    IncompleteError,
    LeaseLostError,
    MalformedError,
    RejectedError,
    StoreError,
    TransientError,
)
from hooks.core.log_event import (
    DELIVERY_FAILED,
    EVENT_TYPES,
    LOG_TYPES,
    PROFILE_PUSHED,
    parse_event,
)
from hooks.store import cursor, intake, line
from hooks.store.intake import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hooks.clock import Clock
    from hooks.core.ids import OktaAppId
    from hooks.core.log_event import LogEvent
    from hooks.gateways.okta_log import LogPage, OktaLog
    from hooks.store.database import Database, Tx
    from hooks.store.line import Lease
    from hooks.store.sealing import Sealer

#: Read again whenever the place is lost: what Okta stores late must be among it.
OVERLAP = timedelta(minutes=10)
#: Okta keeps 90 days. Source: Okta OpenAPI listLogEvents.
KEPT = timedelta(days=90)
#: How soon another replica's end is noticed.
_GLANCE = 5.0
#: What is followed: also what is only to be noted.
_FOLLOWED = tuple(sorted({*LOG_TYPES, PROFILE_PUSHED}))
#: A place was given for one filter, and goes on with that one.
_FILTER = hashlib.sha256(" ".join(_FOLLOWED).encode()).hexdigest()[:8]

log = structlog.get_logger("hooks.catchup")


@dataclass(frozen=True, slots=True)
class Read:
    """What one reading found: events in all, those nobody had delivered, failed deliveries."""

    events: int = 0
    new: int = 0
    failures: int = 0

    def __add__(self, other: Read) -> Read:
        """Both together."""
        return Read(
            self.events + other.events, self.new + other.new, self.failures + other.failures
        )


@dataclass(slots=True)
class CatchUp:
    """Reads on every so often, and at once after a start. ``bell`` rings when events were new."""

    database: Database
    okta: OktaLog
    sealer: Sealer
    apps: frozenset[OktaAppId]
    every: timedelta
    clock: Clock
    jitter: Callable[[], float]
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stop: asyncio.Event) -> None:
        """Read on until ``stop``. Whatever fails is tried again; the place stays where it was."""
        begun = False
        while not stop.is_set():
            try:
                if not begun:  # what was lost while nothing ran need not wait for its minute
                    await self.database.write(lambda tx: line.hasten(tx, line.APART))
                    begun = True
                await self.read_on(stop)
            except StoreError as error:
                log.warning("store_failed", error=str(error))
            except Exception as error:  # a fault of ours must not end the reading
                log.error("fault", error=type(error).__name__, exc_info=error)  # noqa: TRY400
            try:
                async with asyncio.timeout(min(_GLANCE, self.every.total_seconds())):
                    await stop.wait()
            except TimeoutError:
                continue

    async def read_on(self, stop: asyncio.Event | None = None) -> Read | None:
        """Read to the end of the log if it is time to; ``None`` if not, or if another does.

        Raises: StoreError.
        """
        held = await self._lease()
        if held is None:
            return None
        try:
            read = await self._pages(held, stop)
        except LeaseLostError:
            return None
        except StoreError:
            raise
        except HooksError as error:
            log.warning("log_not_read", error=str(error))
            now = self.clock.now()
            wait = now + backoff(held.attempt, self.jitter())
            at = getattr(error, "retry_at", None) if isinstance(error, TransientError) else None
            await self._settle(held, Retry(max(wait, at or wait)))
            return None
        stopped = stop is not None and stop.is_set()
        rest = timedelta() if stopped else self.every  # another replica goes on at once
        await self._settle(held, LookAgain(self.clock.now() + rest))
        return read

    async def between(
        self,
        since: datetime,
        until: datetime,
        *,
        store: bool = True,
        progress: Callable[[Read], None] = lambda _: None,
    ) -> Read:
        """Read what was published between two instants, which may miss what was stored late.

        Without ``store`` nothing is kept, and ``new`` is 0. ``progress`` hears after each page of
        how far it is. Raises: HooksErrors of the gateway.
        """
        found = Read()
        async for page in self.okta.between(since, until, LOG_TYPES):
            events = _events(page)
            new = frozenset[str]()
            if store:
                new = await self.database.write(lambda tx, events=events: self._put(tx, events))  # type: ignore[misc]
            found += self._told(events, new)
            progress(found)
        return found

    # -- one reading ---------------------------------------------------------------------------

    async def _lease(self) -> Lease | None:
        subject = line.key(line.APART, "log")
        if not await self.database.read(lambda tx: line.is_due(tx, subject)):
            return None

        def lease(tx: Tx) -> list[Lease]:
            line.enroll(tx, "log", line.APART)
            return line.lease(tx, limit=1, only=subject)

        return next(iter(await self.database.write(lease)), None)

    async def _pages(self, held: Lease, stop: asyncio.Event | None) -> Read:
        found = Read()
        place = await self.database.write(self._place)
        while True:
            try:
                page = await self.okta.page(place, _FOLLOWED)
            except RejectedError as error:
                if isinstance(place, datetime):
                    raise
                log.error("log_place_refused", error=str(error))  # noqa: TRY400
                place = await self.database.read(self._before)
                continue
            events = self._ours(_events(page.events))
            if page.next is None:
                raise IncompleteError("okta did not say where the log goes on")
            new = await self.database.write(
                lambda tx, page=page, events=events: self._store(tx, held, page, events)  # type: ignore[misc]
            )
            place = page.next
            found += self._told(events, new)
            if not page.full or (stop is not None and stop.is_set()):
                return found

    def _place(self, tx: Tx) -> datetime | str:
        """Where to read on; from the first start on, where nothing was ever read.

        Not from now: what happened since the start, and was not delivered, would be lost.
        """
        known, _, link = (cursor.get(tx, cursor.LOG_PLACE) or "").partition(" ")
        if known == _FILTER and link:
            return link
        if cursor.at(tx, cursor.LOG_REACHED) is None:
            cursor.put(tx, cursor.LOG_REACHED, "")
            return cursor.at(tx, cursor.FIRST_START) or self.clock.now()
        return self._before(tx)

    def _before(self, tx: Tx) -> datetime:
        """An instant from which nothing is missed, as far back as Okta keeps anything."""
        reached = cursor.at(tx, cursor.LOG_REACHED) or self.clock.now()
        return max(reached - OVERLAP, self.clock.now() - KEPT)

    def _store(
        self, tx: Tx, held: Lease, page: LogPage, events: tuple[LogEvent, ...]
    ) -> frozenset[str]:
        line.extend(tx, held)
        new = self._put(tx, events)
        cursor.put(tx, cursor.LOG_PLACE, f"{_FILTER} {page.next}")
        if not page.full:
            cursor.put(tx, cursor.LOG_REACHED, "")
        return new

    def _ours(self, events: tuple[LogEvent, ...]) -> tuple[LogEvent, ...]:
        """All but pushed profiles of other apps: there may be as many as there are changes."""
        return tuple(
            each
            for each in events
            if each.type != PROFILE_PUSHED or not self.apps.isdisjoint(each.apps)
        )

    def _put(self, tx: Tx, events: tuple[LogEvent, ...]) -> frozenset[str]:
        origins = {each.uuid: Origin("log") for each in events}
        return intake.put(tx, events, origins, apps=self.apps, sealer=self.sealer)

    def _told(self, events: tuple[LogEvent, ...], new: frozenset[str]) -> Read:
        fresh = [each for each in events if each.uuid in new]
        failures = sum(1 for each in fresh if each.type == DELIVERY_FAILED)
        for each in fresh:
            sent = each.type in EVENT_TYPES
            figures.LOGGED.labels("hook" if sent else "log").inc()
            figures.EVENT_TYPES.labels(each.type if sent else "other", "log").inc()
        if failures:
            figures.DELIVERIES_FAILED.inc(failures)
            log.warning("deliveries_failed", count=failures)
        if fresh:
            self.bell.set()
        return Read(len(events), len(fresh), failures)

    async def _settle(self, held: Lease, then: LookAgain | Retry) -> None:
        try:
            await self.database.write(lambda tx: line.settle(tx, held, then))
        except LeaseLostError:
            return


def _events(raw: Iterable[bytes]) -> tuple[LogEvent, ...]:
    """As the hook's own parser reads them; what is no JSON at all cannot come out of a list."""
    found = []
    for each in raw:
        try:
            found.append(parse_event(each))
        except MalformedError:
            log.warning("log_line_unreadable")
    return tuple(found)
