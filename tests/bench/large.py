"""What it costs that a change is answered with the whole group, however many are in it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.revoke import naive
from tests.bench.servers import ROOT, Server
from tests.bench.table import Row, Scale, interleaved, under
from tests.bench.vendors import CALM, WIDE, Spec, Vendors, service, vendors

MEMBERS, GROUPS = 35_000, 3
_WATCHED = str(ROOT / "tests/bench/watched.py")


@dataclass(frozen=True, slots=True)
class Cost:
    """MiB more at the peak than before; milliseconds the loop did nothing else, and computed."""

    memory: float
    wall: float = 0.0
    cpu: float = 0.0


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    """People leave groups of 35,000, one person after the other, beside the naive receiver."""
    members = scale.of(MEMBERS, 2_000)
    spec = Spec(groups=GROUPS, each=GROUPS, local=0, switches={"okta_rate_headers": False})
    with ExitStack() as stack:
        there = stack.enter_context(vendors(spec, folder / "vendors.log"))
        other = stack.enter_context(vendors(spec, folder / "other.log"))
        for each in (there, other):
            each.ask("swell", many=members)
        # The first of each is not counted: connections open, statements compile.
        people, theirs = (each.ask("hire", many=scale.runs + 1) for each in (there, other))
        url = f"sqlite:///{folder}/hooks.db"
        ours = stack.enter_context(service(there, folder, url, f"{CALM}{WIDE}", _WATCHED))
        script = stack.enter_context(naive(other, folder / "naive.log"))
        there.ask("nudge", logins=people)
        sides: dict[str, Callable[[], Cost]] = {
            "ours": partial(_watched, there, ours, people, folder / "lag"),
            "naive": partial(_leave, other, script, theirs),
        }
        interleaved(1, sides)
        found = interleaved(scale.runs, sides)
    at = f"{GROUPS} groups of {members:,}"
    memory, naively = (tuple(each.memory for each in found[name]) for name in sides)
    wall, cpu = (tuple(getattr(each, kind) for each in found["ours"]) for kind in ("wall", "cpu"))
    yield Row(f"more memory, {at}", memory, "MiB", naively, "naive", under(20))
    yield Row(f"loop blocked, {at}", wall, "ms", target=under(50))
    yield Row("of that it computed", cpu, "ms")


def _leave(there: Vendors, server: Server, people: list[str]) -> Cost:
    before = server.memory()
    server.forget_peak()
    there.leave(people.pop())
    return Cost(server.memory("VmHWM") - before)


def _watched(there: Vendors, server: Server, people: list[str], lag: Path) -> Cost:
    lag.unlink(missing_ok=True)
    memory = _leave(there, server, people).memory
    time.sleep(0.1)
    wall, cpu = json.loads(lag.read_text())
    return Cost(memory, 1000 * wall, 1000 * cpu)
