"""Gathers changes that wait for one group into one request, and hands each its own outcome.

Who waits, who travels together, and who is told what must live here; what a request looks like,
this room must not know.

One request per group is in flight. The first goes at once and waits for nobody; what comes while
it is away goes with the next. Where a crowd comes, the next waits a moment for more of it: people
are looked at some at a time, so that few of them meet by themselves. Source for the need: changes
to one group serialise at Atlassian anyway, each answered with the whole group.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hooks.clock import elapsed
from hooks.core.errors import (
    HooksError,
    LeaseLostError,
    NotFoundError,
    RejectedError,
    TransientError,
)
from hooks.gateways.crowds import comes_alone
from hooks.gateways.pace import Lane, lane
from hooks.gateways.transport import LEASE_MARGIN

if TYPE_CHECKING:
    from hooks.core.ids import ScimGroupId, ScimUserId
    from hooks.core.membership import Action

#: Operations in one request: a hundred removals are 12 KiB, and one bad id among them costs at
#: most fourteen requests more.
MOST = 100
#: So many who wait while a request is away are a crowd, and for so many seconds the next who come
#: belong to it: one look takes some three round trips.
_CROWD = 2
_CROWDED = 3.0
#: Seconds for which the first of a crowd waits for others. Design 8. Of 500 people who left ten
#: groups at once, 1.6 travelled together without it, and 12 do with it.
_GATHER = 0.4


@dataclass(slots=True, eq=False)
class Step:
    """One change that somebody waits for, until its lease ends."""

    action: Action
    user: ScimUserId
    deadline: float
    lane: Lane
    alone: bool
    done: asyncio.Future[None] = field(repr=False)
    since: float = field(default_factory=elapsed)

    @property
    def late(self) -> bool:
        """Too little of the lease is left to write."""
        return self.deadline - elapsed() < LEASE_MARGIN

    def end(self, error: HooksError | None) -> None:
        """Tell whoever waits; nobody may any more."""
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(copy.copy(error))  # each waiter adds its own traceback


class Batches:
    """The waiting changes of one directory, by group."""

    def __init__(
        self,
        send: Callable[[ScimGroupId, list[Step]], Awaitable[None]],
        alone: Callable[[Step], bool],
    ) -> None:
        """``send`` sends one request, or raises; ``alone`` tells who may not travel with others."""
        self._send = send
        self._alone = alone
        self._waiting: dict[ScimGroupId, list[Step]] = {}
        self._running: dict[ScimGroupId, asyncio.Task[None]] = {}
        self._crowded: dict[ScimGroupId, float] = {}
        self._flushed: dict[ScimGroupId, asyncio.Event] = {}

    async def submit(
        self, group: ScimGroupId, action: Action, user: ScimUserId, deadline: float
    ) -> None:
        """Return when the change was taken; a cancelled waiter takes nobody along.

        Raises: what ``send`` raised about this change; LeaseLostError if it was not sent.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        step = Step(action, user, deadline, lane.get(), comes_alone(), done)
        if step.late:
            raise LeaseLostError("scim change was not sent, too little lease is left")
        waiting = self._waiting.setdefault(group, [])
        waiting.append(step)
        if group in self._flushed and _enough(waiting):
            self._flushed[group].set()
        if group not in self._running:
            # A context of its own: what logs and lanes say of the first waiter is not true of
            # the others.
            self._running[group] = asyncio.get_running_loop().create_task(
                self._run(group), context=Context()
            )
        await done

    async def aclose(self) -> None:
        """Let what is in flight end."""
        while self._running:
            await asyncio.wait(self._running.values())

    @property
    def waiting(self) -> int:
        """Changes that are not in flight yet."""
        return sum(map(len, self._waiting.values()))

    async def _run(self, group: ScimGroupId) -> None:
        try:
            while self._waiting.get(group):
                await self._gather(group)
                steps = self._taken(group)
                if not steps:
                    continue
                lane.set(min((step.lane for step in steps), key=list(Lane).index))
                await self._deliver(group, steps)
                if max(len(steps), len(self._waiting.get(group, ()))) >= _CROWD:
                    self._crowded[group] = elapsed() + _CROWDED
        finally:
            del self._running[group]
            for step in self._waiting.pop(group, ()):
                step.end(TransientError("scim change was not sent"))

    async def _gather(self, group: ScimGroupId) -> None:
        """Where a crowd comes, wait for more of it; nobody else waits for that."""
        if elapsed() >= self._crowded.get(group, 0.0):
            self._crowded.pop(group, None)
            return
        waiting = self._waiting[group]
        left = waiting[0].since + _GATHER - elapsed()
        if left <= 0 or _enough(waiting):
            return
        flushed = self._flushed[group] = asyncio.Event()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await flushed.wait()
        finally:
            del self._flushed[group]

    def _taken(self, group: ScimGroupId) -> list[Step]:
        """Those who go next: the urgent first, and the bulk ones along with them."""
        waiting = [step for step in self._waiting.pop(group, ()) if not step.done.done()]
        waiting.sort(key=lambda step: list(Lane).index(step.lane))
        if waiting[MOST:]:
            self._waiting[group] = waiting[MOST:]
        return waiting[:MOST]

    async def _deliver(self, group: ScimGroupId, steps: list[Step]) -> None:
        """Send and tell; never raises what a waiter was told."""
        for step in steps:
            if step.late:
                step.end(LeaseLostError("scim change was not sent, too little lease is left"))
        parts = self._parts([step for step in steps if not step.done.done()])
        for part in parts:
            await (self._deliver(group, part) if len(parts) > 1 else self._request(group, part))

    def _parts(self, steps: list[Step]) -> list[list[Step]]:
        """Who may travel together, the loners first."""
        loners = [[step] for step in steps if self._alone(step)]
        rest = [step for step in steps if not self._alone(step)]
        return [*loners, rest] if rest else loners

    async def _request(self, group: ScimGroupId, steps: list[Step]) -> None:
        try:
            await self._send(group, steps)
        except LeaseLostError:
            # Waiting for a turn took the last of somebody's lease: the others go without them.
            await self._deliver(group, steps)
        except (RejectedError, NotFoundError) as error:
            await self._halve(group, steps, error)
        except HooksError as error:
            _tell(steps, error)
        except BaseException:
            _tell(steps, TransientError("scim change ended without an answer"))
            raise
        else:
            _tell(steps, None)

    async def _halve(self, group: ScimGroupId, steps: list[Step], error: HooksError) -> None:
        """One bad change must not fail the others: find it by halves."""
        if len(steps) == 1:
            _tell(steps, error)
            return
        middle = len(steps) // 2
        await self._deliver(group, steps[:middle])
        await self._deliver(group, steps[middle:])


def _enough(steps: list[Step]) -> bool:
    """One request is full, or somebody waits who is in a hurry: alone, or urgent beside bulk."""
    hurry = any(step.alone for step in steps) or len({step.lane for step in steps}) > 1
    return hurry or len(steps) >= MOST


def _tell(steps: list[Step], error: HooksError | None) -> None:
    for step in steps:
        step.end(error)
