"""Posts deliveries as fast as they are taken, or so many a second; in a process of its own.

python -m tests.bench.load: then one load a line, and a line of what came of it. A client library
takes longer for one exchange than the service does, so what is sent and read here is bytes. The
time is not that of the loop: uvloop's has no parts of a millisecond.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import uvloop

from tests.bench.servers import SECRET, beside
from tests.bench.table import percentile

PEOPLE = 5_000
#: Answers of the first moments are not counted: connections open, caches fill.
_WARM = 0.2
#: Seconds after which an answer is no longer waited for; Okta waits three.
_LOST = 30.0


@dataclass(frozen=True, slots=True)
class Spec:
    """``rate`` a second whatever is answered, or as fast as ``connections`` get answers."""

    port: int
    connections: int
    seconds: float
    rate: int = 0
    path: str = "/okta/events"


@dataclass(frozen=True, slots=True)
class Found:
    """How long each answer took, in seconds, and the whole; ``refused`` are all but 2xx."""

    took: float
    seconds: list[float]
    refused: int

    def __add__(self, other: Found) -> Found:
        """Of two loads as of one."""
        return Found(
            self.took + other.took, self.seconds + other.seconds, self.refused + other.refused
        )

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.took

    @property
    def p99(self) -> float:
        """In milliseconds."""
        return 1000 * percentile(self.seconds, 0.99)

    @property
    def longest(self) -> float:
        """In milliseconds."""
        return 1000 * max(self.seconds)


Load = Callable[[Spec], Found]


@contextmanager
def loads(log: Path) -> Iterator[Load]:
    """What runs one load after another in a process beside us, until the block ends."""
    with beside(["-m", "tests.bench.load"], log) as ask:
        yield lambda spec: Found(**ask(asdict(spec)))


# -- the process -------------------------------------------------------------------------------


def template() -> Callable[[], bytes]:
    """Makes deliveries of one event each, as Okta shapes them, about one of many people.

    An event's uuid is of version 1, as all of Okta's that were seen: those of a burst stand side
    by side in an index, which random ones never do.
    """
    from hooks.sandbox import World, delivery

    world = World()
    user = world.add_user("somebody@somedomain.example")
    world.deactivate(user)
    event = next(e for e in world.log.all() if e["eventType"] == "user.lifecycle.deactivate")
    made = delivery([event])
    known, whose = str(event["uuid"]).encode(), user.id.encode()
    chance = random.Random()
    node, sequence = chance.getrandbits(48), chance.getrandbits(14)

    def make() -> bytes:
        about = f"00u{chance.randrange(PEOPLE):017}".encode()
        fresh = str(uuid.uuid1(node, sequence)).encode()
        return made.replace(known, fresh).replace(whose, about)

    return make


@dataclass(eq=False)
class Connection(asyncio.Protocol):
    """One at a time on each, as Okta's and any proxy's connections do."""

    freed: Callable[[Connection], None]
    answered: Callable[[float, int], None]
    lost: Callable[[], None]
    head: bytes
    transport: asyncio.Transport | None = None
    since: float = 0.0
    _heard: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own kind of one

    def post(self, body: bytes, since: float) -> None:
        assert self.transport
        self.since = since
        self.transport.write(self.head % len(body) + body)

    def close(self) -> None:
        assert self.transport
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        end = self._heard.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._heard[:end].lower()
        _, found, length = head.partition(b"content-length:")
        size = int(length.split(b"\r\n", 1)[0]) if found else 0
        if len(self._heard) < end + 4 + size:
            return
        status, self._heard = int(head[9:12]), b""
        self.answered(time.perf_counter() - self.since, status)
        self.freed(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.lost()


@dataclass
class Run:
    """One load from its beginning to its end."""

    spec: Spec
    make: Callable[[], bytes]
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    idle: deque[Connection] = field(default_factory=deque)
    waiting: deque[float] = field(default_factory=deque)
    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    began: float = 0.0
    ended: bool = False
    _open: int = 0
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> Found:
        spec = self.spec
        made = [await self._connect() for _ in range(spec.connections)]
        self.began = time.perf_counter() + _WARM
        if spec.rate:
            self.idle.extend(made)
            await self._at_a_rate()
        else:
            for each in made:
                self._next(each)
            await asyncio.sleep(_WARM + spec.seconds)
        self.ended = True
        took = time.perf_counter() - self.began
        await self._drain()
        for each in made:
            each.close()
        return Found(took, self.seconds, self.refused)

    async def _connect(self) -> Connection:
        head = (
            f"POST {self.spec.path} HTTP/1.1\r\nHost: bench\r\nAuthorization: {SECRET}\r\n"
            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        ).encode()
        _, made = await self.loop.create_connection(
            lambda: Connection(self._freed, self._answered, self._lost, head),
            "127.0.0.1",
            self.spec.port,
        )
        return made

    async def _at_a_rate(self) -> None:
        """An open loop: a slow answer delays no later delivery, and counts from when it was due."""
        number, total = 0, int(self.spec.rate * (self.spec.seconds + _WARM))
        first = time.perf_counter()
        while number < total:
            due = first + number / self.spec.rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            number += 1
            if self.idle:
                self._post(self.idle.popleft(), due)
            else:
                self.waiting.append(due)

    def _post(self, each: Connection, since: float) -> None:
        self._open += 1
        each.post(self.make(), since)

    def _next(self, each: Connection) -> None:
        self._post(each, time.perf_counter())

    def _freed(self, each: Connection) -> None:
        self._open -= 1
        if self.waiting:
            self._post(each, self.waiting.popleft())
        elif self.spec.rate:
            self.idle.append(each)
        elif not self.ended:
            self._next(each)
        if self.ended and not self._open:
            self._done.set()

    def _answered(self, seconds: float, status: int) -> None:
        self.refused += not 200 <= status < 300
        if time.perf_counter() >= self.began and not (self.ended and not self.spec.rate):
            self.seconds.append(seconds)

    def _lost(self) -> None:
        if not self.ended:
            raise RuntimeError("the server closed a connection")

    async def _drain(self) -> None:
        """Who still waits is waited for: the longest answer is the one that counts."""
        if self._open:
            async with asyncio.timeout(_LOST):
                await self._done.wait()


def main() -> None:
    make = template()

    async def run(spec: Spec) -> Found:
        return await Run(spec, make).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            found = runner.run(run(Spec(**json.loads(line))))
            sys.stdout.write(json.dumps(asdict(found)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
