"""How much of a vendor's budget is used while it is what everything waits for, and what of it is
left to somebody who leaves meanwhile.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hooks.gateways.okta import OWN_SHARE
from tests.bench.revoke import TRIP
from tests.bench.servers import ROOT, environ
from tests.bench.table import Row, Scale, at_least, at_most, interleaved
from tests.bench.vendors import CALM, WIDE, Call, Spec, Vendors, service, vendors

COMPANY, CROWD = 5_000, 300
#: Okta's windows are a minute; these are short, so that several pass in one run.
WINDOW, LIMIT = 10, 200
#: Seconds after which one more leaves, in the middle of it.
_MEANWHILE = 3.0
#: Twice what is asked for of somebody known who leaves alone, in milliseconds.
_PROMPT = 2 * 1.3 * 2 * 1000 * TRIP
_TOO_MANY = 429
#: Seconds in which an answer has been heard, on a machine busy with others.
_HEARD = 0.02


@dataclass(frozen=True, slots=True)
class Used:
    """Shares, 0 to 1: of the budget that was used, and of the calls that were answered 429."""

    used: float
    refused: float

    @classmethod
    def of(cls, calls: list[Call], epoch: float) -> Used:
        """Of whole windows while somebody waited; ``epoch`` is when calls are counted from."""
        okta = [each for each in calls if each.vendor == "okta"]
        spent: Counter[tuple[str, int]] = Counter()
        windows = [math.floor((epoch + each.begin) / WINDOW) for each in okta]
        last = max(each.begin for each in calls if each.removal)
        whole = range(min(windows) + 1, math.floor((epoch + last) / WINDOW))
        for each, window in zip(okta, windows, strict=True):
            spent[each.path, window] += 1
            spent["/".join(each.path.split("/")[:4]), window] += 1
        # What Okta counts together, and of each kind of call the half that one token gets.
        shares = [
            max(
                (
                    many / (LIMIT * (OWN_SHARE if "{id}" in path else 1.0))
                    for (path, at), many in spent.items()
                    if at == window
                ),
                default=0.0,
            )
            for window in whole
        ]
        refused = sum(each.status == _TOO_MANY for each in okta)
        return cls(min(shares, default=1.0), refused / len(okta))


def measure(scale: Scale, folder: Path) -> Iterator[Row | str]:
    """A crowd under Okta's budget; one who leaves meanwhile; and a vendor that tells nothing."""
    crowd = scale.of(CROWD, 10)
    yield f"brake of this run: {' '.join(WIDE.split()[1:])}"
    yield f"Okta's budget: {LIMIT} calls of a kind in {WINDOW} s, of which {OWN_SHARE:.0%} are ours"
    switches: dict[str, object] = {
        "okta_rate_enforced": True,
        "okta_rate_limit": LIMIT,
        "okta_rate_window": WINDOW,
        "org_rate_headers": False,
    }
    spec = Spec(people=scale.of(COMPANY, 50), groups=10, each=2, switches=switches)
    with ExitStack() as stack:
        there = stack.enter_context(vendors(spec, folder / "vendors.log"))
        crowds = [there.ask("hire", many=crowd) for _ in range(2 * scale.runs)]
        singles = there.ask("hire", many=2 * scale.runs + 1)
        url = f"sqlite:///{folder}/hooks.db"
        stack.enter_context(service(there, folder, url, f"{CALM}{WIDE}"))
        there.ask("nudge", logins=singles)
        there.ask("latency", seconds=TRIP)
        there.leave(singles.pop())
        sides: dict[str, Callable[[], tuple[Used, float]]] = {
            "crowd": partial(_crowd, there, crowds, singles),
            "audit": partial(_audited, there, crowds, singles, folder),
        }
        found = interleaved(scale.runs, sides)
    crowded, audited = (tuple(1000 * late for _, late in found[name]) for name in sides)
    used = tuple(each.used for each, _ in found["crowd"])
    refused = tuple(each.refused for name in sides for each, _ in found[name])
    yield Row("budget used, least of any whole window", used, target=at_least(0.9))
    yield Row("answered 429, share of calls", refused, target=at_most(0.01))
    yield Row("revoked, one more in a mass exit", crowded, "ms", target=at_most(_PROMPT))
    words = f"the same, with an audit of {spec.people:,} people"
    yield Row(words, audited, "ms", target=at_most(_PROMPT))
    yield from _told_nothing(scale, folder)


def _crowd(there: Vendors, crowds: list[list[str]], singles: list[str]) -> tuple[Used, float]:
    people = crowds.pop()
    there.ask("forget")
    there.ask("unassign", logins=people)
    there.ask("pass_by", seconds=_MEANWHILE)
    late: float = there.ask("leave_meanwhile", login=singles.pop(), within=120.0)
    there.ask("await_gone", logins=people, within=600.0)
    return Used.of(there.calls(), there.ask("epoch")), late


def _audited(
    there: Vendors, crowds: list[list[str]], singles: list[str], folder: Path
) -> tuple[Used, float]:
    with _auditing(there, folder):
        return _crowd(there, crowds, singles)


@contextmanager
def _auditing(there: Vendors, folder: Path) -> Iterator[None]:
    """``hooks audit`` of everybody, in a process of its own, until the block ends."""
    url = f"sqlite:///{folder}/hooks.db"
    (folder / "audit").mkdir(exist_ok=True)
    given = there.ask("settings", folder=str(folder / "audit"), url=url, more=f"{CALM}{WIDE}")
    with (
        (folder / "audit" / "log").open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", "hooks", "audit", "--json"],
            cwd=ROOT, env=environ(given), stdout=subprocess.DEVNULL, stderr=log,
        ) as process,
    ):  # fmt: skip
        try:
            yield
        finally:
            process.kill()


# -- without a word ----------------------------------------------------------------------------


def _told_nothing(scale: Scale, folder: Path) -> Iterator[Row]:
    """A directory that answers 429 and says neither when to come again nor what is left."""
    crowd, switches = scale.of(60, 10), {"okta_rate_headers": False, "org_rate_headers": False}
    with ExitStack() as stack:
        spec = Spec(groups=10, each=5, latency=TRIP, switches=switches)
        there = stack.enter_context(vendors(spec, folder / "silent.log"))
        crowds = [there.ask("hire", many=crowd) for _ in range(scale.runs)]
        url = f"sqlite:///{folder}/silent.db"
        stack.enter_context(service(there, folder / "silent", url, f"{CALM}{WIDE}"))
        most = []
        for people in crowds:
            there.ask("refuse", vendor="scim", after=crowd, times=3)
            calls = there.leave(*people, within=600.0)
            most.append(float(in_flight_after_refusal([c for c in calls if c.vendor == "scim"])))
            there.ask("latency", seconds=TRIP)
    yield Row("calls at once after a 429 without headers", tuple(most), target=at_most(1))


def in_flight_after_refusal(calls: list[Call]) -> int:
    """The most calls under way together that began after a 429 and before the next success.

    What was under way when the 429 came could not be called back.
    """
    refusals = sorted(each.end for each in calls if each.status == _TOO_MANY and each.end)
    most = 0
    for refused in refusals:
        later = [each for each in calls if each.begin > refused + _HEARD]
        good = [each.end for each in later if each.end and each.status and each.status < 300]
        until = min(good, default=math.inf)
        careful = [each for each in later if each.begin < until]
        ends = [
            sum(one.begin <= each.begin < (one.end or math.inf) for one in careful)
            for each in careful
        ]
        most = max([most, *ends])
    return most
