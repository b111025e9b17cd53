"""How long people who left keep what they had, in round trips; and how long until that is proved.

Every call to a vendor takes the same time. Counted is from the first byte of the delivery that
tells of it, by the clock of the stand-ins, which send the one and answer the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.servers import Server, started
from tests.bench.table import Row, Scale, at_most, interleaved
from tests.bench.vendors import CALM, Call, Spec, Vendors, service, vendors
from tests.chaos.fleet import free_port

#: Seconds of one round trip.
TRIP = 0.05
SYNCED, LOCAL, MANY = 10, 2, 60
#: Who stay: else those who leave would be half of a group, and held.
COLLEAGUES = 100


@dataclass(frozen=True, slots=True)
class Gone:
    """Milliseconds from the delivery to the last removal, and to the last answer of its proof."""

    revoked: float
    proved: float
    calls: int

    @classmethod
    def of(cls, calls: list[Call]) -> Gone:
        removed = max(each.end for each in calls if each.removal and each.end)
        reads = [each for each in calls if each.method not in ("PATCH", "DELETE")]
        ends = [each.end for each in reads if each.end and each.begin >= removed]
        return cls(1000 * removed, 1000 * max(ends, default=0.0), len(calls))


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    """Each kind of person beside the naive receiver, one person at a time."""
    many = scale.of(MANY, SYNCED)
    spec = Spec(people=COLLEAGUES, groups=many + scale.runs * SYNCED, each=SYNCED, local=LOCAL)
    with ExitStack() as stack:
        there = stack.enter_context(vendors(spec, folder / "vendors.log"))
        hire = partial(there.ask, "hire")
        looked_at = hire(many=scale.runs + 1)
        crowded = hire(many=scale.runs + 1, groups=_teams(0, many))
        # The last groups are those of one person each, whom nobody has left before.
        fresh = [
            hire(many=1, groups=_teams(many + run * SYNCED, SYNCED))[0] for run in range(scale.runs)
        ]
        listed = hire(many=scale.runs)
        stack.enter_context(service(there, folder, f"sqlite:///{folder}/hooks.db", CALM))
        unknown = hire(many=scale.runs)  # the census is over
        there.ask("nudge", logins=[*looked_at, *crowded, *fresh])
        other = stack.enter_context(vendors(spec, folder / "other.log"))
        stack.enter_context(naive(other, folder / "naive.log"))
        theirs = other.ask("hire", many=scale.runs)
        for each in (there, other):
            each.ask("latency", seconds=TRIP)
        # Not counted: connections open, statements compile, and groups are measured for the day.
        _leave(there, crowded)
        _leave(there, looked_at)
        sides: dict[str, Callable[[], Gone]] = {
            "known": partial(_leave, there, looked_at),
            "unknown": partial(_leave, there, unknown),
            f"known, {many} groups": partial(_leave, there, crowded),
            "known by the census alone": partial(_leave, there, listed),
            "known, first of the day in each group": partial(_leave, there, fresh),
            "naive": partial(_leave, other, theirs),
        }
        yield from _rows(interleaved(scale.runs, sides), many)


def _rows(found: dict[str, tuple[Gone, ...]], many: int) -> Iterator[Row]:
    naively = tuple(each.revoked for each in found.pop("naive"))
    trip = 1000 * TRIP
    asked = {"known": (1.3, 2), "unknown": (1.3, 4), f"known, {many} groups": (2.0, 2)}
    for name, each in found.items():
        revoked = proved = None
        if name in asked:
            times, trips = asked[name]
            revoked, proved = at_most(times * trips * trip), at_most(times * (trips + 1) * trip)
        ours = tuple(one.revoked for one in each)
        yield Row(f"revoked, {name}", ours, "ms", naively, f"naive, {SYNCED} groups", revoked)
        yield Row(f"proved, {name}", tuple(one.proved for one in each), "ms", target=proved)
        yield Row(f"calls, {name}", tuple(float(one.calls) for one in each))


def _leave(there: Vendors, people: list[str]) -> Gone:
    return Gone.of(there.leave(people.pop()))


def _teams(first: int, many: int) -> list[str]:
    return [f"team-{number:03}" for number in range(first, first + many)]


@contextmanager
def naive(there: Vendors, log: Path) -> Iterator[Server]:
    """The naive receiver beside these vendors, and their hook."""
    port = free_port()
    words = ["-m", "tests.bench.naive", str(port), json.dumps(there.told)]
    with started(words, port, log) as server:
        there.ask("hook", url=f"http://127.0.0.1:{port}/okta/events")
        yield server
