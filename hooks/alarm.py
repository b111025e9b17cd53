"""Find what is alarming, and tell whoever is to be told; until told to stop.

Must live here: the loop, and what a notification says. Must not know: when something is told,
or again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import structlog

from hooks import figures
from hooks.clock import elapsed, moment
from hooks.core import alarm
from hooks.core.alarm import GONE, WAY_OUT, WORDS, Kind, Phase, kind_of, public
from hooks.core.errors import HooksError, LeaseLostError, RejectedError, StoreError
from hooks.release import release
from hooks.store import alarms

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from hooks.clock import Clock
    from hooks.gateways.notify import Notify
    from hooks.store.alarms import Notice
    from hooks.store.database import Database, Tx

#: Seconds between two looks at everything.
TICK = 5.0
#: What figures call the ways a notification ends; the first that fits.
_TOLD = "told"
_OUTCOMES: tuple[tuple[type[HooksError], str], ...] = (
    (LeaseLostError, "late"),
    (RejectedError, "rejected"),
    (HooksError, "unavailable"),
)
#: Who has not looked for longer than this begins to look on anew.
_BLINK = timedelta(seconds=45)

log = structlog.get_logger("hooks.alarm")


@dataclass(slots=True)
class Alarms:
    """What is alarming, found and told by this process and all others on its store.

    ``here`` gives what only this process knows of; ``organization`` tells a receiver of several
    which one it is; ``every`` is how often the System Log is read; ``strange`` names the key of
    the journal's chains if it is not this process's. Without ``notify`` everything is found and
    nobody is told.
    """

    database: Database
    clock: Clock
    here: Callable[[], Mapping[str, int]]
    notify: Notify | None
    organization: str
    every: timedelta
    jitter: Callable[[], float]
    strange: Callable[[Tx], str | None] | None = None
    pause: float = TICK
    _since: datetime | None = None
    _last: datetime | None = None
    _unrecorded: list[Notice] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        """Tick until ``stop``. Nothing that fails ends it: whoever works goes on working.

        Not at once: what a start mends by itself within seconds is no news.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.pause):
                    await stop.wait()
            if stop.is_set():
                return
            try:
                await self.tick()
            except StoreError as error:
                log.warning("store_failed", error=str(error))
            except Exception as error:
                log.exception("fault", exc_info=error)

    async def tick(self) -> None:
        """Look once, and tell what is due.

        Raises: StoreError; what could not be done is done at the next tick.
        """
        found, pending = await self.database.read(lambda tx: (self._found(tx), alarms.pending(tx)))
        alarming = found | {name: count for name, count in self.here().items() if count}
        deadline = elapsed() + alarms.CLAIM.total_seconds()
        notices = []
        if alarming or pending:  # else a store at peace is left alone
            notices = await self.database.write(lambda tx: self._note(tx, alarming))
            self._unrecorded.clear()
        now = self.clock.now()
        if not self._attentive(now):
            self._since = now
        self._last = now
        await asyncio.gather(*(self._tell(each, alarming, deadline) for each in notices))

    def _found(self, tx: Tx) -> dict[str, int]:
        found = alarms.found(tx, every=self.every)
        key = self.strange(tx) if self.strange else None
        return found | ({alarm.name(Kind.CHAIN_KEY, key): 1} if key else {})

    def _attentive(self, now: datetime) -> bool:
        """Whether this process has looked on until now."""
        return self._last is not None and now - self._last <= _BLINK

    def _note(self, tx: Tx, alarming: Collection[str]) -> list[Notice]:
        for each in self._unrecorded:
            alarms.told(tx, each)
        alarms.observe(tx, alarming)
        now = self.clock.now()
        ended = self._attentive(now) and self._since is not None and now - self._since >= GONE
        if self.notify:
            return alarms.due(tx, ended=ended, jitter=self.jitter)
        if ended:
            alarms.drop(tx)
        return []

    async def _tell(self, notice: Notice, alarming: Mapping[str, int], deadline: float) -> None:
        """Tell one; if it is not taken, it is handed out again later, perhaps elsewhere."""
        # Of what only another process knows, there is one.
        count = 0 if notice.phase is Phase.OVER else alarming.get(notice.name, 1)
        about = {"alarm": public(notice.name), "phase": notice.phase}
        outcome = await self._post(notice, count, deadline, about)
        figures.NOTIFICATIONS.labels(outcome).inc()
        if outcome != _TOLD:
            return
        log.info("notified", **about)
        try:
            await self.database.write(lambda tx: alarms.told(tx, notice))
        except StoreError as error:
            self._unrecorded.append(notice)
            log.warning("store_failed", error=str(error))

    async def _post(
        self, notice: Notice, count: int, deadline: float, about: Mapping[str, str]
    ) -> str:
        try:
            if self.notify:
                await self.notify.post(self._body(notice, count), deadline=deadline)
        except HooksError as error:
            log.warning("not_notified", **about, error=str(error))
            return next(name for kind, name in _OUTCOMES if isinstance(error, kind))
        except Exception as error:
            log.exception("fault", exc_info=error)
            return "fault"
        return _TOLD

    def _body(self, notice: Notice, count: int) -> bytes:
        kind = kind_of(notice.name)
        told = {
            "what": public(notice.name),
            "state": notice.phase,
            "since": moment(notice.since).isoformat(timespec="milliseconds"),
            "count": count,
            "words": WORDS[kind] if kind else "",
            "remedy": WAY_OUT[kind] if kind else "",
            "version": release(),
            "organization": self.organization,
        }
        return msgspec.json.encode(told)
