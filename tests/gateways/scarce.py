"""A vendor with little to give, and people who need several calls each, in time that flies."""

from __future__ import annotations

import asyncio
import selectors
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from hooks.clock import Clock
from hooks.core.errors import RateLimitedError
from hooks.gateways.pace import Lane, Pace, lane
from hooks.gateways.visits import visiting
from tests.gateways.stage import START

WINDOW = 60
#: Looks at once in one process, as a worker has them.
SLOTS = 16


class _Idle(selectors.SelectSelector):
    """Never waits: it notes how long it should have."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self.passed += max(0.0, timeout)
        return super().select(0)


class Hours(asyncio.SelectorEventLoop):
    """Hours pass in moments: time jumps to whatever is due next."""

    def __init__(self) -> None:
        self._idle = _Idle()
        super().__init__(self._idle)

    def time(self) -> float:
        return self._idle.passed


@dataclass
class Vendor:
    """Allows ``limit`` calls in each minute, of one key or to each endpoint.

    ``says`` what its answers tell of it: everything, only when to come again, or nothing.
    """

    limit: int
    counts: Literal["key", "endpoint"] = "key"
    says: Literal["headers", "retry", "nothing"] = "headers"
    latency: float = 0.2
    spent: Counter[tuple[str, int]] = field(default_factory=Counter)
    calls: int = 0

    def answer(self, endpoint: str, now: datetime) -> tuple[int, dict[str, str]]:
        minute = int(now.timestamp()) // WINDOW
        key = (endpoint if self.counts == "endpoint" else "", minute)
        self.spent[key] += 1
        self.calls += 1
        left = self.limit - self.spent[key]
        reset = datetime.fromtimestamp((minute + 1) * WINDOW, UTC)
        headers = {}
        if self.says == "headers":
            headers = {
                "X-RateLimit-Limit": str(self.limit),
                "X-RateLimit-Remaining": str(max(0, left)),
                "X-RateLimit-Reset": reset.isoformat(),
            }
        if left >= 0:
            return 200, headers
        if self.says == "retry":
            headers["Retry-After"] = str(int((reset - now).total_seconds()) + 1)
        return 429, headers


@dataclass
class Person:
    """Needs three reads, so many removals, and their proof; removals that were made stay made."""

    name: str
    groups: int = 1
    arrives: float = 0.0
    looks: int = 0
    done: float | None = None

    @property
    def calls(self) -> int:
        """What they need now, if nothing goes wrong."""
        return 3 + self.groups + 1

    @property
    def waited(self) -> float:
        """Seconds from their coming to their being through."""
        assert self.done is not None
        return self.done - self.arrives


class Process:
    """One process: its own idea of the vendor's budget, and so many looks at once."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.loop = asyncio.get_running_loop()
        self.clock = Clock(lambda: START.timestamp() + self.loop.time())
        self.pace = Pace("vendor", self.clock, most=SLOTS)
        self.slots = asyncio.Semaphore(SLOTS)

    async def call(self, endpoint: str) -> None:
        async with self.pace.turn(endpoint) as turn:
            await asyncio.sleep(self.vendor.latency)
            status, headers = self.vendor.answer(endpoint, self.clock.now())
            until = turn.learn(status, headers)
        if status == 429:
            raise RateLimitedError("vendor answered 429", retry_at=until)

    async def together(self, *calls: Awaitable[None]) -> None:
        """All of them; told to wait by several, whoever asked waits for the last."""
        answers = await asyncio.gather(*calls, return_exceptions=True)
        failed = [each for each in answers if isinstance(each, RateLimitedError)]
        if failed:
            raise max(failed, key=lambda each: each.retry_at or START)

    async def look(self, person: Person, since: datetime) -> datetime | None:
        """One look; when to come back if it was not made."""
        async with self.slots:
            # In the line a second try is bulk work.
            lane.set(Lane.BULK if person.looks else Lane.URGENT)
            person.looks += 1
            with visiting(person.name, since):
                try:
                    await self.together(*map(self.call, ("users", "groups", "links")))
                    await self.together(*(self.remove(person) for _ in range(person.groups)))
                    await self.call("groups")
                except RateLimitedError as error:
                    return error.retry_at
        person.done = self.loop.time()
        return None

    async def remove(self, person: Person) -> None:
        await self.call("memberships")
        person.groups -= 1

    async def live(self, person: Person) -> None:
        await asyncio.sleep(person.arrives)
        since = self.clock.now()
        while (until := await self.look(person, since)) is not None:
            left = (until - self.clock.now()).total_seconds()
            await asyncio.sleep(max(1.0, left))


def play(vendor: Vendor, people: Sequence[Person], *, processes: int = 1) -> float:
    """Let everybody be looked at; seconds until the last one is through."""

    async def everybody() -> float:
        there = [Process(vendor) for _ in range(processes)]
        lives = [there[number % processes].live(person) for number, person in enumerate(people)]
        async with asyncio.timeout(timedelta(days=2).total_seconds()):
            await asyncio.gather(*lives)
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=Hours) as runner:
        return runner.run(everybody())
