"""One company and its replicas, to whom trouble comes in rounds, each judged when it is over."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from hooks.store.line import LEASE
from tests.chaos.cast import Cast
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.judge import Judge, Stored, happened, untrue
from tests.chaos.launcher import HASTY_LEASE
from tests.chaos.troubles import CLOCK, RELAYED, TROUBLES, Engine, Scene
from tests.postgres import Postgres
from tests.running import migrate
from tests.stories.cast import RULES

#: Nothing is held, every look is followed by two soon after, and the log is read all the time.
_MORE = """
[brake]
left_per_hour = 10000
other_per_hour = 10000
other_per_day = 10000
share_of_group = 1.0
[look_again]
after = ["1s", "3s"]
[catch_up]
every = "1s"
"""
#: Seconds until all is well again: a lease, and whatever waits after it. On a machine that is so
#: busy that vendors seem not to answer, waits grow to minutes.
_PATIENCE, _HASTY_PATIENCE = 900.0, 240.0
#: What happens at once while a trouble comes, and then more slowly.
_ACTS = 14


@dataclass(frozen=True)
class Played:
    """What came of one round. ``acknowledged`` are events, ``people`` all who were judged."""

    stage: str
    engine: Engine
    kind: str
    acknowledged: int = 0
    lost: int = 0
    people: int = 0
    wrong: int = 0
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A stage to play: ``name`` leads to its seed. ``hasty``: with short leases."""

    name: str
    engine: Engine
    kinds: tuple[str, ...]
    replicas: int = 1
    hasty: bool = False


@dataclass
class Stage:
    """A plan being played."""

    plan: Plan
    cast: Cast
    fleet: Fleet
    chance: Random
    judge: Judge
    server: Postgres | None
    played: list[Played]
    acknowledged: set[str] = field(default_factory=set)

    # -- what goes on ----------------------------------------------------------------------------

    async def deliver(self) -> None:
        """Okta delivers as it does: twice, in any order, or not at all; until cancelled."""
        deliverer = self.fleet.sandbox.deliverer
        deliverer.duplicate_rate, deliverer.drop_rate, deliverer.shuffle = 0.2, 0.1, True
        while True:
            deliverer.batch_size = self.chance.randint(1, 8)
            await deliverer.flush()
            await asyncio.sleep(0.05)

    async def act(self) -> None:
        """People act; until cancelled."""
        for number in range(1_000):
            self.cast.act()
            least, most = (0.0, 0.15) if number < _ACTS else (0.3, 1.5)
            await asyncio.sleep(self.chance.uniform(least, most))

    # -- one round -------------------------------------------------------------------------------

    async def round(self, kind: str) -> Played:
        """Trouble comes, is over, and all is well again."""
        lease = HASTY_LEASE if self.plan.hasty else LEASE.total_seconds()
        scene = Scene(self.fleet, self.chance, lease, self.plan.engine, self.server)
        async with _beside(self.act()):
            await TROUBLES[kind](scene)
        return await self.judged(kind)

    async def judged(self, kind: str, *, everything: bool = False) -> Played:
        """Wait until all is calm, and say what is not as it should be.

        With ``everything`` also what is done about groups, a minute after an event.
        """
        calm = await self._calm(everything=everything)
        stored = await asyncio.to_thread(self.judge.read)
        wrong = self.cast.wrong()
        faults = [f"{login}: has {more}, lacks {less}" for login, (more, less) in wrong.items()]
        for login in wrong:
            user = self.cast.world.user(login).id
            faults += await asyncio.to_thread(self.judge.about, user)
            faults += [line for each in self.fleet.replicas for line in each.said_about(user)]
        done = self.fleet.sandbox.deliverer.done
        told = {uuid for each in done if each.accepted for uuid in each.uuids}
        new = told - self.acknowledged
        self.acknowledged |= told
        lost: set[str] = set()
        if stored is None:
            faults.append("the database cannot be read")
        else:
            lost = self.acknowledged - stored.uuids.keys()
            faults += self._faults(stored)
        if calm:
            faults.append(f"never calm: {calm}")
        if lost:
            faults.append(f"acknowledged and lost: {sorted(lost)}")
        return Played(
            self.plan.name,
            self.plan.engine,
            kind,
            len(new),
            len(lost),
            len(self.cast.everybody),
            len(wrong),
            tuple(faults),
        )

    def _faults(self, stored: Stored) -> list[str]:
        world = self.cast.world
        clocks = CLOCK in self.plan.kinds and self.plan.engine == "sqlite"
        twice = sorted(uuid for uuid, times in stored.uuids.items() if times > 1)
        found = [f"stored twice: {twice}"] if twice else []
        found += [f"dead letter: {each}" for each in stored.dead]
        found += [f"held: {stored.holds}"] if stored.holds else []
        found += [f"nobody knows the end of: {each}" for each in stored.open]
        found += untrue(world, stored, clocks=clocks)
        found += [f"violation: {each}" for each in world.violations]
        return found + self.fleet.doors.overlaps

    async def _calm(self, *, everything: bool) -> str:
        """Wait until nothing is to be done and nobody is wrong; what still is, if that is never."""
        still = "nothing was seen"
        with suppress(TimeoutError):
            async with asyncio.timeout(_HASTY_PATIENCE if self.plan.hasty else _PATIENCE):
                while still := await self._stirring(everything=everything):  # noqa: ASYNC110
                    await asyncio.sleep(0.8)
        return still

    async def _stirring(self, *, everything: bool) -> str:
        world = self.cast.world
        world.tick()
        if world.outbox:
            return "events are on their way"
        if wrong := self.cast.wrong():
            return f"wrong: {wrong}"
        stored = await asyncio.to_thread(self.judge.read)
        if stored is None:
            return "the database cannot be read"
        if missing := happened(world) - stored.uuids.keys():
            return f"not stored: {len(missing)}"
        if due := stored.due.keys() & ({"user", "group", "push"} if everything else {"user"}):
            return f"due: {sorted(due)}"
        if self.cast.wrong() or happened(world) - stored.uuids.keys():
            return "something happened meanwhile"
        return ""

    # -- all rounds ------------------------------------------------------------------------------

    async def play(self) -> None:
        """Every round of the plan, and one in which everybody comes back."""
        await self.fleet.start()
        for each in self.fleet.replicas:
            each.move_clock(0.0)
        async with _beside(self.deliver()):
            for kind in self.plan.kinds:
                self.played.append(await self.round(kind))
            self.cast.come_back()
            self.played.append(await self.judged("everybody comes back", everything=True))
        codes = await self.fleet.stop()
        if any(codes):
            said = [each.log[-1000:] for each in self.fleet.replicas]
            faults = (f"exit codes {codes}", *said)
            self.played.append(Played(self.plan.name, self.plan.engine, "the end", faults=faults))


@asynccontextmanager
async def _beside(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Something that goes on until the block ends; if it cannot, it is told."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def play(plan: Plan, url: str, folder: Path, server: Postgres | None = None) -> list[Played]:
    """Play a stage on an empty database; ``server`` is one that may be crashed."""
    chance = Random(plan.name)
    cast = Cast(chance.getrandbits(32), chance)
    played: list[Played] = []
    said: list[str] = []
    try:
        await asyncio.to_thread(migrate, url)
        async with fleet(
            cast.world,
            url,
            folder,
            size=plan.replicas,
            manner=("--hasty",) if plan.hasty else (),
            clocks=CLOCK in plan.kinds,
            relayed=not RELAYED.isdisjoint(plan.kinds),
            more=_MORE,
            rules=RULES,
        ) as found:
            stage = Stage(plan, cast, found, chance, Judge(url), server, played)
            try:
                await stage.play()
            finally:
                stage.judge.close()
                said = [each.log[-1500:] for each in found.replicas]
    except Exception as error:  # noqa: BLE001  # told with its stage, and the others go on
        text = "".join(traceback.format_exception(error))
        played.append(Played(plan.name, plan.engine, "broken off", faults=(text, *said)))
    return played
