"""Lease, look, settle; until told to stop.

Must live here: slots, the bell, one log line per lease. Must not know: how a person is judged.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from hooks import figures
from hooks.clock import elapsed
from hooks.core.attempt import (
    MAX_ATTEMPTS,
    DeadLetter,
    Idle,
    LookAgain,
    Next,
    Retry,
    backoff,
)
from hooks.core.claims import reason
from hooks.core.errors import (
    TURNED_AWAY,
    HooksError,
    LeaseLostError,
    StoreError,
    TransientError,
)
from hooks.core.ids import OktaUserId
from hooks.core.refusal import Cause
from hooks.gateways.crowds import Crowds
from hooks.gateways.pace import Lane, lane
from hooks.gateways.visits import visiting
from hooks.store import chain, cursor, line, observed, pause, turns
from hooks.tenure import Tenure, kept

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from hooks.clock import Clock
    from hooks.core.ids import DirectoryName
    from hooks.core.membership import Mode
    from hooks.reconcile import Look, Reconciler
    from hooks.rounds import Rounds
    from hooks.store.chain import Signer
    from hooks.store.database import Database, Tx
    from hooks.store.line import Lease

#: People worked on at once. Most of a look is waiting for vendors: of 500 who left ten groups the
#: last was done after 20 s, and with 16 after 26.
SLOTS = 32
#: Bulk work is begun only beside fewer than so many: every look writes, and deliveries wait for it.
_BULK = 12
#: With so many looks under way the line is read once in so many seconds at most, and more rarely
#: while deliveries wait: each reading is a transaction, and thousands may come in a second.
_GATHERING, _IN_A_FLOOD = 0.02, 0.1
#: Seconds between two looks at bulk work that are begun while deliveries wait: each writes several
#: times, also where it ends at once because a vendor allows no more.
_BULK_APART = 0.25
#: One in so many is who came last: somebody deactivated behind 500 who lose the app is stripped
#: beside them, and those wait a third longer.
_LAST = 4
#: Looks more than there are slots, at who has come this moment.
_MORE = 4
#: Leases in one transaction: each takes milliseconds, and a delivery waits for all of them.
_AT_ONCE = 6
#: How often other processes' work is noticed. Design 5.1.
POLL = 1.0

log = structlog.get_logger("hooks.worker")


@dataclass(slots=True)
class Worker:
    """Works through the line. ``bell`` rings when somebody new may be due."""

    database: Database
    reconciler: Reconciler
    rounds: Rounds
    modes: Mapping[DirectoryName, Mode]
    clock: Clock
    jitter: Callable[[], float]
    signer: Signer | None = None
    crowds: Crowds = field(default_factory=Crowds)
    slots: int = SLOTS
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    _active: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _taken: int = 0
    _bulk_again: float = 0.0
    _flooded_until: float = 0.0
    #: Whose look the store kept from being settled, and under which fence.
    _survived: dict[str, int] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop``; then take no more leases and let those that run end.

        A store that fails is tried again every second; nothing is lost meanwhile.
        """
        try:
            await self._patiently(self.enroll, stop)
            await self._work_through(stop)
        except asyncio.CancelledError:
            await self.drain(patience=0)
            raise
        await self.drain()

    async def _work_through(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            full, flood = len(self._active) >= _BULK, self._flood()
            if full or flood:
                await asyncio.sleep(_IN_A_FLOOD if full and flood else _GATHERING)
            came = self.bell.is_set()
            self.bell.clear()
            try:
                taken = await self.take(came=came)
            except StoreError as error:
                log.warning("store_failed", error=str(error))
                taken = 0
            if taken < _AT_ONCE:  # nobody more is due, or may be looked at
                await self._wait(stop)

    def enroll(self, tx: Tx) -> None:
        """Put what is done regularly in line, and remember since when absences count."""
        self._watch(tx)
        pause.prepare(tx)
        self.rounds.enroll(tx)

    def _watch(self, tx: Tx) -> None:
        if cursor.watch(tx, self.modes):
            observed.hasten(tx)
        chain.begin(tx, self.signer)

    def strange_key(self, tx: Tx) -> str | None:
        """The key of the journal's chains, if it is not ours."""
        return chain.strange_key(tx, self.signer)

    async def drain(self, patience: float = 20.0) -> None:
        """Let running looks end; what does not is left to its lease."""
        running = list(self._active.values())
        if running:
            _, late = await asyncio.wait(running, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def look_at(self, user: OktaUserId) -> Look | None:
        """Look at one person now, if nobody else is; for commands."""
        asked = elapsed()
        await self.database.write(self._watch)
        leases = await self.database.write(lambda tx: line.lease(tx, limit=1, only=user))
        if not leases:
            return None
        async with kept(self.database, Tenure(leases[0], asked)) as tenure:
            try:
                return await self.reconciler.look(leases[0], user, tenure, thorough=True)
            except (LeaseLostError, StoreError):
                raise
            except Exception as error:
                await self._failed(leases[0], error)
                raise

    # -- the loop ------------------------------------------------------------------------------

    async def _patiently(self, transaction: Callable[[Tx], None], stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.database.write(transaction)
            except StoreError as error:
                log.warning("store_failed", error=str(error))
                await self._wait(stop)
            else:
                return

    async def _wait(self, stop: asyncio.Event) -> None:
        """Until the bell, a second, the end of a look, or the end of all."""
        tasks = [asyncio.create_task(each.wait()) for each in (self.bell, stop)]
        with suppress(TimeoutError):
            await asyncio.wait(
                [*tasks, *self._active.values()],
                timeout=POLL,
                return_when=asyncio.FIRST_COMPLETED,
            )
        for task in tasks:
            task.cancel()

    async def take(self, *, came: bool = False) -> int:
        """Take leases for the free slots; how many were taken.

        ``came``: somebody new may be due, who need not wait until a slot is free.
        """
        busy = tuple(self._active)
        free = max(self.slots - len(busy), int(came and len(busy) < self.slots + _MORE))
        free = min(free, _AT_ONCE)
        if not free:
            return 0
        bulk = max(0, _BULK - len(busy))
        if self._flood():
            bulk = min(bulk, int(elapsed() >= self._bulk_again))
        last = max((self._taken + free) // _LAST - self._taken // _LAST, int(came))
        if not bulk and await self._nobody(busy):
            return 0
        asked = elapsed()
        leases = await self.database.write(
            lambda tx: line.lease(
                tx, limit=free, bulk=bulk, last=last, but=busy, survived=self._survived.items()
            )
        )
        self._taken += len(leases)
        if any(each.lane == line.BULK for each in leases):
            self._bulk_again = elapsed() + _BULK_APART
        for each in leases:
            self._survived.pop(each.subject, None)
            work = self._work(Tenure(each, asked))
            task = asyncio.create_task(work, name=f"look {each.subject}")
            self._active[each.subject] = task
            task.add_done_callback(lambda _, subject=each.subject: self._active.pop(subject, None))  # type: ignore[misc]
        return len(leases)

    def _flood(self) -> bool:
        """Whether deliveries wait, or did a moment ago: between two commits none may."""
        if self.crowds.arriving:
            self._flooded_until = elapsed() + _IN_A_FLOOD
        return elapsed() < self._flooded_until

    async def _nobody(self, busy: Collection[str]) -> bool:
        """Whether it is known that nobody is to be taken, since nobody urgent is due.

        Asked in a flood alone, and where whoever writes keeps deliveries waiting.
        """
        if self.database.postgres or not self._flood():
            return False
        return not await self.database.read(lambda tx: turns.urgent(tx, but=busy))

    # -- one lease -----------------------------------------------------------------------------

    async def _work(self, tenure: Tenure) -> None:
        held = tenure.lease
        lane.set(Lane.BULK if held.lane == line.BULK else Lane.URGENT)
        started = time.perf_counter()
        async with kept(self.database, tenure):
            try:
                told = await self._dispatch(tenure)
            except LeaseLostError:
                told = {"verdict": "lease_lost"}
            except StoreError as error:
                self._survived[held.subject] = held.fence
                told = {"verdict": "store_failed", "error": str(error)}
            except Exception as error:  # noqa: BLE001  # a fault of ours costs them an attempt
                told = await self._failed(held, error)
        seconds = time.perf_counter() - started
        figures.LOOKS.labels(held.kind, told["verdict"]).inc()
        figures.LOOK_SECONDS.labels(held.kind).observe(seconds)
        say = {"dead": log.error, "failed": log.warning, "store_failed": log.warning}
        say.get(str(told["verdict"]), log.info)(
            "look",
            kind=held.kind,
            subject=held.subject,
            attempt=held.attempt,
            events=len(held.uuids),
            seconds=round(seconds, 3),
            **told,
        )

    async def _dispatch(self, tenure: Tenure) -> dict[str, object]:
        if tenure.lease.kind == "user":
            return await self._user(tenure)
        told = await self.rounds.go(tenure.lease)
        self.bell.set()
        return told

    async def _user(self, tenure: Tenure) -> dict[str, object]:
        held = tenure.lease
        since = min((each.published for each in held.claims), default=self.clock.now())
        now, bulk = self.clock.now(), held.lane == line.BULK
        with (
            self.crowds.look(held.subject, reason(held.claims), now, bulk=bulk) as why,
            visiting(held.subject, since, why),
        ):
            look = await self.reconciler.look(held, OktaUserId(held.name), tenure)
        if look.head == chain.UNPROVED:
            log.error("chain_unproved", subject=held.subject)
        if look.held:
            log.warning("brake", subject=held.subject, steps=look.held)
        for contradiction in look.plan.contradictions:
            figures.CONTRADICTED.labels(contradiction.claimed.claim).inc()
        if any(each.cause is Cause.ADMIN_LEFT for each in look.plan.refusals):
            log.error("admin_left", subject=held.subject)
        return _told(look)

    async def _failed(self, held: Lease, error: Exception) -> dict[str, object]:
        """A look that raised: try again later, or give up visibly."""
        known = isinstance(error, HooksError)
        if not known:
            log.error("fault", subject=held.subject, exc_info=error)
        now = self.clock.now()
        retry_at = error.retry_at if isinstance(error, TransientError) else None
        wait = now + backoff(held.attempt, self.jitter())
        counted = not isinstance(error, TURNED_AWAY)
        then: Next = Retry(max(wait, retry_at or wait), counted=counted)
        most = MAX_ATTEMPTS if known else _MOST_FAULTS
        if counted and held.kind in ("user", "group", "push") and held.attempt >= most:
            then = DeadLetter("attempts" if known else "fault")
        with suppress(StoreError, LeaseLostError):
            await self._settle(held, then)
        verdict = "dead" if isinstance(then, DeadLetter) else "failed"
        return {"verdict": verdict, "error": str(error) if known else type(error).__name__}

    async def _settle(self, held: Lease, then: Next) -> None:
        await self.database.write(lambda tx: line.settle(tx, held, then))


#: A fault of ours that does not go away in so many attempts needs a person.
_MOST_FAULTS = 8


def _told(look: Look) -> dict[str, object]:
    """One look in a log line: ids, counts and verdicts, nobody's name."""
    states = [became.state.value for _, became in look.sent]
    verdict = {Idle: "settled", LookAgain: "look_again", Retry: "retry", DeadLetter: "dead"}
    return {
        "verdict": verdict[type(look.then)],
        "standing": {each.name: each.standing.value for each in look.plan.places},
        "planned": sum(1 for _ in look.plan.steps),
        "steps": {state: states.count(state) for state in sorted(set(states))},
        "held": look.held,
        "refused": sorted({each.cause.value for each in look.plan.refusals}),
        "unread": sorted({each.unread.why.value for each in look.plan.refusals if each.unread}),
        "head": look.head or None,
        "next": look.then.at.isoformat() if isinstance(look.then, LookAgain | Retry) else None,
    }
