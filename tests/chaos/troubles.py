"""Every kind of trouble: the moment at which it comes, and how it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Literal

from hooks.sandbox.faults import Request, Vendor
from tests.chaos.fleet import Fleet, Replica, changes
from tests.postgres import Postgres

Engine = Literal["sqlite", "postgresql"]

#: Seconds until the moment of a trouble has come, while people go on acting.
_PATIENCE = 180.0
#: Seconds after which a process on SQLite goes by the wall clock again, and a bit.
_FOLLOWED = 22.0


@dataclass
class Scene:
    """Where trouble comes. ``lease`` is in seconds; ``server`` is this scene's own."""

    fleet: Fleet
    chance: Random
    lease: float
    engine: Engine
    server: Postgres | None = None

    async def soon(self, least: float = 0.0, most: float = 1.5) -> None:
        """A while later."""
        await asyncio.sleep(self.chance.uniform(least, most))

    def somebody(self) -> Replica:
        """Any of the replicas."""
        return self.chance.choice(self.fleet.replicas)

    async def again(self, replica: Replica) -> None:
        """An orchestrator finds it dead and starts it again."""
        await replica.ended()
        await self.soon()
        await replica.start()


Trouble = Callable[[Scene], Awaitable[None]]
Moment = Literal["read", "unsent", "unanswered"]
_MOMENTS: tuple[Moment, ...] = ("read", "unsent", "unanswered")


# -- moments -----------------------------------------------------------------------------------


def _is(moment: Moment, phase: str, request: Request) -> bool:
    """``read``: an answer is ready; ``unsent``: a change came in; ``unanswered``: it is made."""
    if moment == "read":
        return phase == "after" and not changes(request)
    return changes(request) and phase == ("before" if moment == "unsent" else "after")


async def at(scene: Scene, moment: Moment, does: Callable[[Replica, Request], None]) -> Replica:
    """Do something to the replica that asks, at one of the next such moments."""
    left = scene.chance.randint(1, 30 if moment == "read" else 4)
    come: asyncio.Future[Replica] = asyncio.get_running_loop().create_future()

    def trap(phase: str, request: Request, number: int) -> None:
        nonlocal left
        replica = scene.fleet.replicas[number]
        if not _is(moment, phase, request) or come.done():
            return
        left -= 1
        if left <= 0:
            does(replica, request)
            come.set_result(replica)

    scene.fleet.doors.trap = trap
    try:
        return await asyncio.wait_for(come, _PATIENCE)
    finally:
        scene.fleet.doors.trap = None


# -- processes that end or stand still ---------------------------------------------------------


async def killed(moment: Moment, scene: Scene) -> None:
    """In the middle of a look."""

    def kill(replica: Replica, request: Request) -> None:
        replica.kill()
        if moment == "unsent" and scene.chance.random() < 0.5:
            # What was on its way when the sender died does not always arrive.
            vendor: Any = request.vendor
            scene.fleet.world.fault(vendor, request.method, drop=True, times=1)

    await scene.again(await at(scene, moment, kill))


async def killed_any_time(scene: Scene) -> None:
    """Whatever it is doing."""
    await scene.soon()
    replica = scene.somebody()
    replica.kill()
    await scene.again(replica)


async def killed_before_the_204(scene: Scene) -> None:
    """The events are committed, and Okta does not hear of it."""
    come: asyncio.Future[Replica] = asyncio.get_running_loop().create_future()

    def withholds(port: int, answer: bytes) -> bool:
        if come.done() or b" 204 " not in answer[:16]:
            return False
        replica = scene.fleet.at(port)
        replica.kill()
        come.set_result(replica)
        return True

    await scene.soon()
    scene.fleet.balancer.withholds = withholds
    await scene.again(await asyncio.wait_for(come, _PATIENCE))


async def killed_at_the_204(scene: Scene) -> None:
    """Okta has just been told that the events are stored."""
    come: asyncio.Future[Replica] = asyncio.get_running_loop().create_future()

    def passed(port: int, answer: bytes) -> None:
        if not come.done() and b" 204 " in answer[:16]:
            replica = scene.fleet.at(port)
            replica.kill()
            come.set_result(replica)

    await scene.soon()
    scene.fleet.balancer.passed = passed
    await scene.again(await asyncio.wait_for(come, _PATIENCE))


async def stopped(scene: Scene) -> None:
    """It gets no time until its leases are over, and then goes on where it was."""
    moment = scene.chance.choice(_MOMENTS)
    replica = await at(scene, moment, lambda replica, _: replica.freeze())
    await asyncio.sleep(scene.lease)
    await scene.soon(1.0, 4.0)
    replica.thaw()


async def clock_jumps(scene: Scene) -> None:
    """An owner of leases has its wall clock set, one way and the other, by minutes."""
    minutes = scene.chance.choice((-1, 1)) * scene.chance.uniform(1.0, 2.0)
    moment = scene.chance.choice(_MOMENTS)
    replica = await at(scene, moment, lambda replica, _: replica.move_clock(60 * minutes))
    # On PostgreSQL everybody goes by the server's clock, and nothing waits to be noticed.
    noticed = 1.0 if scene.engine == "postgresql" else _FOLLOWED
    for offset in (-60 * minutes, 0.0):
        await asyncio.sleep(noticed)
        replica.move_clock(offset)


# -- the database and the way to it ------------------------------------------------------------


async def database_crashes(scene: Scene) -> None:
    """As its host does, and it is started again."""
    assert scene.server
    await scene.soon(0.2)
    await asyncio.to_thread(scene.server.crash)
    try:
        await scene.soon(0.5, 3.0)
    finally:
        await asyncio.to_thread(scene.server.start)


async def connections_cut(scene: Scene) -> None:
    """A few times, and now and then there is none for a while."""
    for _ in range(scene.chance.randint(2, 5)):
        await scene.soon(0.1, 0.8)
        relays = scene.chance.sample(scene.fleet.relays, scene.chance.randint(1, 2))
        for each in relays:
            each.cut()
        if scene.chance.random() < 0.4:
            for each in relays:
                each.breaks()
            await scene.soon(0.2, 2.5)
            for each in relays:
                each.forward()


async def connections_silent(scene: Scene) -> None:
    """What is between keeps them open and forwards nothing; then it goes on, or has forgotten."""
    await scene.soon(0.2)
    relays = scene.chance.sample(scene.fleet.relays, scene.chance.randint(1, 2))
    forget = scene.chance.random() < 0.5
    for each in relays:
        each.mute()
    await scene.soon(1.0, 9.0)
    for each in relays:
        each.forward(forget=forget)


# -- vendors -----------------------------------------------------------------------------------

_ALL: tuple[Vendor, ...] = ("okta", "scim", "org")


async def _troubled(scene: Scene, fault: Any) -> None:
    """Until it has struck, and a while longer."""
    async with asyncio.timeout(_PATIENCE):
        while not fault.seen:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.05)
    await scene.soon(1.0, 4.0)
    scene.fleet.world.clear(fault)


async def vendor_429(scene: Scene) -> None:
    """It asks for patience."""
    await scene.soon(0.5)
    times = scene.chance.randint(1, 6)
    await _troubled(scene, scene.fleet.world.throttle(scene.chance.choice(_ALL), 2, times=times))


async def vendor_500(scene: Scene) -> None:
    """It is broken."""
    await scene.soon(0.5)
    status = scene.chance.choice((500, 502, 503, 504))
    times = scene.chance.randint(3, 20)
    vendor = scene.chance.choice(_ALL)
    await _troubled(scene, scene.fleet.world.fault(vendor, status=status, times=times))


async def vendor_silent(scene: Scene) -> None:
    """It never answers, or just closes; what was asked is not done."""
    await scene.soon(0.5)
    way = {"hang": 20.0} if scene.chance.random() < 0.5 else {"drop": True}
    times = scene.chance.randint(1, 5)
    vendor = scene.chance.choice(_ALL)
    await _troubled(scene, scene.fleet.world.fault(vendor, times=times, **way))


async def vendor_loses_the_reply(scene: Scene) -> None:
    """It does what was asked, and nobody hears of it."""
    await scene.soon(0.5)
    vendor = scene.chance.choice(("scim", "org"))
    times = scene.chance.randint(1, 4)
    fault = scene.fleet.world.fault(vendor, when=changes, drop_after=True, times=times)  # type: ignore[arg-type]
    await _troubled(scene, fault)


# -- by name -----------------------------------------------------------------------------------

KILLS: dict[str, Trouble] = {
    "killed before a read is answered": partial(killed, "read"),
    "killed before a change is applied": partial(killed, "unsent"),
    "killed after a change, before its answer": partial(killed, "unanswered"),
    "killed after a commit, before its 204": killed_before_the_204,
    "killed as the 204 goes out": killed_at_the_204,
    "killed at any time": killed_any_time,
}
VENDORS: dict[str, Trouble] = {
    "a vendor answers 429": vendor_429,
    "a vendor answers 500": vendor_500,
    "a vendor answers nothing": vendor_silent,
    "a vendor loses the reply": vendor_loses_the_reply,
}
EVERYWHERE: dict[str, Trouble] = {
    "stopped past its lease": stopped,
    "the clock of a lease owner jumps": clock_jumps,
    **VENDORS,
}
CRASH, CLOCK = "the database crashes", "the clock of a lease owner jumps"
RELAYED = frozenset({"connections are cut", "connections are silent"})
ON_POSTGRESQL: dict[str, Trouble] = {
    CRASH: database_crashes,
    "connections are cut": connections_cut,
    "connections are silent": connections_silent,
}
TROUBLES = KILLS | EVERYWHERE | ON_POSTGRESQL
