"""How often the vendors are asked when many leave the same groups at once, as they count it.

Counts need no median, but how many travel together depends on when they come: so every run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.revoke import TRIP, naive
from tests.bench.table import Row, Scale, at_most, interleaved
from tests.bench.vendors import CALM, WIDE, Call, Spec, Vendors, service, vendors

PEOPLE, SYNCED, LOCAL = 500, 10, 2
#: Reads that all who wait together share. Design 8.
_SHARED = ("/api/v1/apps/{id}", "/api/v1/apps/{id}/group-push/mappings")
#: What may be read besides, where a rule of design 3.1 to 3.3 asks for it: successors of the
#: userName, the log, and whether a group is what it was.
_BESIDE = ("/api/v1/apps/{id}/users", "/api/v1/logs", "/api/v1/groups/{id}")


#: No budget is told: a crowd this large would wait for its next minute.
UNTOLD = {"okta_rate_headers": False, "org_rate_headers": False}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a crowd cost: PATCHes, other changes, reads; ``seconds`` until the last removal."""

    patches: int
    deletes: int
    own: int
    shared: int
    beside: int
    seconds: float

    @classmethod
    def of(cls, calls: list[Call]) -> Asked:
        patches = [each for each in calls if each.method == "PATCH"]
        deletes = [each for each in calls if each.method == "DELETE"]
        reads = [each for each in calls if each.method not in ("PATCH", "DELETE")]
        shared = [each for each in reads if each.path in _SHARED]
        beside = [each for each in reads if each.path in _BESIDE]
        return cls(
            len(patches),
            len(deletes),
            len(reads) - len(shared) - len(beside),
            len(shared),
            len(beside),
            max(each.end for each in calls if each.removal and each.end),
        )


def measure(scale: Scale, folder: Path) -> Iterator[Row | str]:
    """Everybody leaves ten groups; counted beside the naive receiver, which asks one by one."""
    people = scale.of(PEOPLE, 20)
    yield f"brake of this run: {' '.join(WIDE.split()[1:])}"
    spec = Spec(groups=SYNCED, each=SYNCED, local=LOCAL, latency=TRIP, switches=UNTOLD)
    with ExitStack() as stack:
        there = stack.enter_context(vendors(spec, folder / "vendors.log"))
        crowds = [there.ask("hire", many=people) for _ in range(scale.runs)]
        # One script at a time, so its calls do not depend on how long each takes.
        other = stack.enter_context(vendors(Spec(0, SYNCED, SYNCED, LOCAL), folder / "other.log"))
        stack.enter_context(naive(other, folder / "naive.log"))
        theirs = [other.ask("hire", many=people) for _ in range(scale.runs)]
        sides: dict[str, Callable[[], Asked]] = {
            "ours": partial(_leave_us, there, crowds, folder),
            "naive": partial(_leave, other, theirs),
        }
        found = interleaved(scale.runs, sides)
    yield from _rows(found["ours"], found["naive"], people)


def _rows(ours: tuple[Asked, ...], naively: tuple[Asked, ...], people: int) -> Iterator[Row]:
    memberships = people * SYNCED
    crowd = f"{people} people leave {SYNCED} groups"
    yield Row(
        f"PATCHes, {crowd}",
        tuple(float(each.patches) for each in ours),
        "",
        tuple(float(each.patches) for each in naively),
        "naive",
        at_most(memberships / 10),
    )
    yield Row("local removals", tuple(float(each.deletes) for each in ours), "")
    # Design 8: at most 9 reads of a known person, 11 of an unknown one, besides what is shared;
    # and the proof of a removal, one read of each plane.
    own = tuple(each.own / people for each in ours)
    others = tuple(each.own / people for each in naively)
    yield Row("reads for each person, with the proof", own, "", others, "naive", at_most(11))
    yield Row("reads asked for by rules, each person", tuple(e.beside / people for e in ours))
    yield Row("reads that all share", tuple(float(each.shared) for each in ours))
    yield Row("until the last removal", tuple(each.seconds for each in ours), "s")


def _leave_us(there: Vendors, crowds: list[list[str]], folder: Path) -> Asked:
    """With a store of its own: the brake counts the day's removals, and each run is its day."""
    here = folder / f"run-{len(crowds)}"
    with service(there, here, f"sqlite:///{here}.db", f"{CALM}{WIDE}"):
        return _leave(there, crowds)


def _leave(there: Vendors, crowds: list[list[str]]) -> Asked:
    return Asked.of(there.leave(*crowds.pop(), within=600.0))
