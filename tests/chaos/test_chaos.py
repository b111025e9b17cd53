"""Everything breaks that can break, on both engines; nothing is lost and nobody is left wrong."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from random import Random

import psycopg
import pytest

from tests.chaos.stage import Plan, Played, play
from tests.chaos.troubles import CLOCK, CRASH, EVERYWHERE, KILLS, ON_POSTGRESQL, TROUBLES, Engine
from tests.conftest import Chaos
from tests.postgres import Postgres

pytestmark = pytest.mark.wide

#: Each kind once, on the engine it says most about; with short leases, which one of each waits for.
_SUITE: dict[Engine, tuple[tuple[str, ...], ...]] = {
    "sqlite": (
        ("killed before a read is answered", "a vendor answers 429"),
        ("killed after a change, before its answer", "a vendor answers 500"),
        ("killed as the 204 goes out", "a vendor loses the reply"),
        ("a vendor answers nothing",),
    ),
    "postgresql": (
        ("killed before a change is applied", CLOCK),
        ("killed after a commit, before its 204", "connections are cut"),
        ("killed at any time", "connections are silent"),
        ("stopped past its lease",),
        (CRASH,),
    ),
}
#: Of every so many rounds, most kill; in the long run each way to die comes as often.
_DECKS: dict[Engine, tuple[str, ...]] = {
    "sqlite": (*KILLS, *KILLS, *KILLS, *EVERYWHERE),
    "postgresql": (*KILLS, *KILLS, *KILLS, *EVERYWHERE, *ON_POSTGRESQL),
}
#: Rounds on one stage in the long run.
_ROUNDS = 4
#: Stages at once: they wait for leases more than they work.
_AT_ONCE = 10
#: The same while other tests run beside.
_AT_ONCE_BESIDE = 3
#: Servers that may be crashed, each by one stage at a time.
_CRASHABLE = 2


def suite() -> list[Plan]:
    """What is played every time."""
    found: list[Plan] = []
    for engine, stages in _SUITE.items():
        for kinds in stages:
            size = 2 if engine == "postgresql" else 1
            found.append(Plan(f"suite/{len(found)}", engine, kinds, size, hasty=True))
    assert {kind for each in found for kind in each.kinds} == TROUBLES.keys()
    return found


def long_run(engine: Engine, number: int) -> Plan:
    """One stage of many, with leases as they are."""
    deck = _DECKS[engine]
    kinds = []
    for turn in range(number * _ROUNDS, (number + 1) * _ROUNDS):
        again, place = divmod(turn, len(deck))
        kinds.append(Random(again).sample(deck, len(deck))[place])
    size = 1 if engine == "sqlite" else 3 if number % 4 == 0 else 2
    return Plan(f"{engine}/{number}", engine, tuple(kinds), size)


def plans(chaos: Chaos) -> Iterator[Plan]:
    """What to play: the one stage that was named, as much as there is time for, or the usual."""
    if chaos.stage:
        where, _, number = chaos.stage.partition("/")
        engine: Engine = "sqlite" if where == "sqlite" else "postgresql"
        yield suite()[int(number)] if where == "suite" else long_run(engine, int(number))
    elif chaos.minutes:
        until = time.monotonic() + 60 * chaos.minutes
        for turn in count(chaos.first):
            if time.monotonic() > until:
                return
            yield long_run("postgresql", turn)
            yield long_run("sqlite", turn)
    else:
        yield from suite()


@pytest.mark.timeout(0)  # every wait in it has an end
async def test_whatever_breaks_no_event_is_lost_and_nobody_is_left_wrong(
    tmp_path: Path, chaos: Chaos, record_property: Callable[[str, object], None]
) -> None:
    async with AsyncExitStack() as stack:
        servers = Servers(stack)
        theatre = Theatre(servers, tmp_path)
        waiting = plans(chaos)

        async def one_after_the_other() -> list[Played]:
            found: list[Played] = []
            for plan in waiting:
                played = await theatre.play(plan)
                found += played
                if chaos.minutes:
                    print(*map(line, played), sep="\n", flush=True)  # noqa: T201  # for -s
            return found

        at_once = _AT_ONCE if chaos.minutes else _AT_ONCE_BESIDE
        async with asyncio.TaskGroup() as tasks:
            playing = [tasks.create_task(one_after_the_other()) for _ in range(at_once)]
    rounds = [each for some in playing for each in some.result()]
    table = told(rounds)
    for name, value in table.items():
        record_property(name, value)
    failed = [each for each in rounds if each.faults]
    assert not failed, "\n".join([*map(again, failed), *map(": ".join, table.items())])


def told(rounds: list[Played]) -> dict[str, str]:
    """What was played, by engine and kind, and what came of it."""
    by: dict[tuple[str, str], list[Played]] = defaultdict(list)
    for each in sorted(rounds, key=lambda each: (each.engine, each.kind)):
        by[each.engine, each.kind].append(each)
    for each in rounds:
        by[each.engine, "in all"].append(each)
    return {f"chaos, {engine}, {kind}": counted(some) for (engine, kind), some in by.items()}


def counted(rounds: list[Played]) -> str:
    """The sums of some rounds; that everybody comes back after the last is none by itself."""
    number = sum(each.kind in TROUBLES for each in rounds) or len(rounds)
    acknowledged, lost = (
        sum(each.acknowledged for each in rounds),
        sum(each.lost for each in rounds),
    )
    people, wrong = sum(each.people for each in rounds), sum(each.wrong for each in rounds)
    return (
        f"{number} rounds, {acknowledged} events acknowledged, {lost} lost, "
        f"{people} people judged, {wrong} wrong"
    )


def line(played: Played) -> str:
    """One round, as it is told while others go on."""
    faults = f", {len(played.faults)} FAULTS" if played.faults else ""
    return f"{played.stage}: {played.kind}: {counted([played])}{faults}"


def again(played: Played) -> str:
    """What went wrong, and how it is played again alone."""
    words = "python -m pytest -n0 tests/chaos/test_chaos.py --chaos-stage"
    return "\n".join([line(played), *played.faults, f"{words} {played.stage}", ""])


class Servers:
    """PostgreSQL for many stages at once, and a few servers that a stage has to itself."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._steady: Postgres | None = None
        self._free: list[Postgres] = []
        self._taking = asyncio.Semaphore(_CRASHABLE)
        self._starting = asyncio.Lock()
        self._databases = 0

    async def steady(self) -> Postgres:
        """The one that runs on."""
        async with self._starting:
            if self._steady is None:
                self._steady = await self._start(Postgres(connections=400))
        return self._steady

    async def taken(self) -> Postgres:
        """One that may be crashed, until it is given back."""
        await self._taking.acquire()
        return self._free.pop() if self._free else await self._start(Postgres(durable=True))

    def given_back(self, server: Postgres) -> None:
        self._free.append(server)
        self._taking.release()

    async def _start(self, server: Postgres) -> Postgres:
        await asyncio.to_thread(server.__enter__)
        self._stack.push(server.__exit__)
        return server

    async def database(self, server: Postgres) -> str:
        """An empty one."""
        self._databases += 1
        name = f"chaos_{self._databases}"
        await asyncio.to_thread(_create, server, name)
        return server.url(name)


def _create(server: Postgres, name: str) -> None:
    with psycopg.connect(server.url(), autocommit=True) as door:
        door.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')


class Theatre:
    """Plays plans, each on a database and in a folder of its own."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self._servers = servers
        self._folder = folder

    async def play(self, plan: Plan) -> list[Played]:
        """One stage, from its start to its end."""
        folder = self._folder / plan.name.replace("/", "-")
        folder.mkdir()
        if plan.engine == "sqlite":
            return await play(plan, f"sqlite:///{folder / 'hooks.db'}", folder)
        if CRASH not in plan.kinds:
            url = await self._servers.database(await self._servers.steady())
            return await play(plan, url, folder)
        server = await self._servers.taken()
        try:
            return await play(plan, await self._servers.database(server), folder, server)
        finally:
            self._servers.given_back(server)
