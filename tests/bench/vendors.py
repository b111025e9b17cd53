"""Both vendors in a process of their own, with a company in them, and what they were asked.

python -m tests.bench.vendors SPEC: then one command a line, one answer a line.

Must live here: what people do, how slow vendors are, what a measure is told of their calls. Must
not know: who asks them. Every instant is of this one process, so that both ends of an interval
are by one clock.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from tests.bench.servers import SECRET, Server, beside, started
from tests.chaos.fleet import free_port

if TYPE_CHECKING:
    from hooks.sandbox.server import Sandbox

APP = "Atlassian Cloud"
STAFF = "staff"
DOMAIN = "somedomain.example"
RULES = '[[local_group]]\nname = "local-*"\n'
#: Nothing that happens of itself may fall into a measurement.
CALM = '[catch_up]\nevery = "1h"\n[look_again]\nafter = ["1h"]\n'
#: Limits that hold nobody, for measures of something else; a run that uses them prints them.
WIDE = (
    "[brake]\nleft_per_hour = 100000\nother_per_hour = 100000\nother_per_day = 100000\n"
    "share_of_group = 1.0\n"
)


@dataclass(frozen=True, slots=True)
class Spec:
    """So many people in ``each`` synced groups, all of them in the local ones."""

    people: int = 0
    groups: int = 10
    each: int = 10
    local: int = 2
    latency: float = 0.0
    switches: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One call to a vendor: seconds from the first delivery after ``forget``; its end, if any."""

    begin: float
    end: float | None
    vendor: str
    method: str
    path: str
    status: int | None

    @property
    def removal(self) -> bool:
        """Taken, and a membership less for it."""
        writes = self.method == "PATCH" or (self.vendor == "org" and self.method == "DELETE")
        return writes and self.status is not None and 200 <= self.status < 300


# -- from outside ------------------------------------------------------------------------------


@dataclass
class Vendors:
    """The process, as measures use it. ``told`` is what a client of theirs has to know."""

    _ask: Callable[[object], Any]
    told: dict[str, Any] = field(default_factory=dict)

    def ask(self, verb: str, **given: object) -> Any:
        """Have something done there; its answer."""
        return self._ask([verb, given])

    def calls(self) -> list[Call]:
        """All calls since ``forget``, in the order in which they began."""
        return [Call(*each) for each in self.ask("calls")]

    def leave(self, *logins: str, within: float = 60.0) -> list[Call]:
        """Deactivate these people, deliver, and wait until all is gone and proved."""
        self.ask("forget")
        self.ask("deactivate", logins=logins)
        self.ask("await_gone", logins=logins, within=within)
        return self.calls()


@contextmanager
def vendors(spec: Spec, log: Path) -> Iterator[Vendors]:
    """Run them until the block ends."""
    with beside(["-m", "tests.bench.vendors", json.dumps(asdict(spec))], log) as ask:
        made = Vendors(ask)
        made.told = made.ask("about")
        yield made


@contextmanager
def service(
    there: Vendors, folder: Path, url: str, more: str = "", *words: str, further: bool = False
) -> Iterator[Server]:
    """``hooks serve`` beside these vendors, and their hook; ``words`` stand in for ``-m hooks``.

    A ``further`` one of the same store reads nobody anew: the first one's census is everybody's.
    """
    folder.mkdir(exist_ok=True)
    port = free_port()
    listen = f'[listen]\npublic = "127.0.0.1:{port}"\noperations = "127.0.0.1:0"\n'
    given = there.ask("settings", folder=str(folder), url=url, more=f"{more}{listen}")
    given["HOOKS_HOOK_SECRET"] = SECRET
    command = [*(words or ("-m", "hooks")), "serve"]
    there.ask("forget")
    with started(command, port, folder / "log", given) as server:
        there.ask("hook", url=f"http://127.0.0.1:{port}/okta/events")
        if not further:
            there.ask("await_census")
        yield server


# -- the process -------------------------------------------------------------------------------


class Town:
    """What can be asked of the process: each verb is a method."""

    def __init__(self, sandbox: Sandbox, spec: Spec) -> None:
        self.sandbox, self.world = sandbox, sandbox.world
        self._hired = 0
        self._calls: dict[int, list[Any]] = {}
        self._since = time.perf_counter()
        self._quiet_since = self._since
        self._under_way = 0
        with self.world.long_ago():
            self.app = self.world.add_app(APP)
            self.directory = self.world.add_directory(self.app, "main")
            self.world.assign_group(self.world.add_okta_group(STAFF), self.app)
            self.choir = self.world.add_okta_group("choir")
            for number in range(spec.groups):
                self.world.push_group(self.world.add_okta_group(_team(number)), self.app)
            for number in range(spec.local):
                self.world.add_local_group(_local(number))
        self.spec = spec
        for name, value in spec.switches.items():
            setattr(self.world.switches, name, value)
        self.hire(spec.people)
        self.latency(spec.latency)
        self.world.observer = self._observe

    async def _observe(self, phase: str, vendor: str, method: str, path: str, n: int) -> None:
        now = time.perf_counter()
        self._quiet_since = now
        if phase == "before":
            self._under_way += 1
            self._calls[n] = [now, None, vendor, method, path, None]
            return
        self._under_way -= 1
        status = next(each.status for each in reversed(self.world.requests) if each.n == n)
        call = self._calls.setdefault(n, [now, None, vendor, method, path, None])
        call[1], call[5] = now, status

    # -- who is there --------------------------------------------------------------------------

    def about(self) -> dict[str, Any]:
        directory, organization = self.directory, self.world.organization
        return {
            "okta": self.sandbox.okta_url,
            "atlassian": self.sandbox.atlassian_url,
            "directory": directory.id,
            "scim_key": directory.key,
            "organization": organization.id,
            "user_base": organization.user_base,
            "organization_key": organization.api_key,
        }

    def settings(self, folder: str, url: str, more: str) -> dict[str, str]:
        """Write a hooks.toml there; the environment that goes with it."""
        from tests.running import config
        from tests.running import environ as matching

        path = Path(folder) / "hooks.toml"
        here = self.sandbox
        rules = RULES if self.spec.local else None
        path.write_text(config(self.world, here.okta_url, here.atlassian_url, more, rules=rules))
        return matching(self.world, url, path, organization=rules is not None)

    def hire(self, many: int, groups: list[str] | None = None) -> list[str]:
        """People who have been here longer than any log reaches; their logins."""
        logins = [f"person-{self._hired + number:06}@{DOMAIN}" for number in range(many)]
        self._hired += many
        teams = groups or [_team(number) for number in range(self.spec.each)]
        with self.world.long_ago():
            for login in logins:
                self.world.add_user(login)
                for group in (STAFF, *teams):
                    self.world.add_to_group(login, group)
            for number in range(self.spec.local):
                self.world.local_add(_local(number), *logins)
        return logins

    def swell(self, many: int) -> None:
        """Have so many more in every synced group, of whom Okta knows nothing."""
        directory, now = self.directory, self.world.now()
        made = [
            self.world.add_scim_user(directory, f"swelled-{number:06}@{DOMAIN}").id
            for number in range(many)
        ]
        for group in list(directory.groups.values()):
            if group.display_name.startswith("team-"):
                directory.join(group, made, now)

    def hook(self, url: str) -> None:
        """Where events go from now on; what had to be said before is not said to it."""
        from hooks.sandbox import HOOK_TYPES

        self.world.org.hooks.clear()
        self.world.outbox.clear()
        self.world.add_hook(url, SECRET, HOOK_TYPES)

    def latency(self, seconds: float) -> None:
        """How long every call takes; less than nothing: for ever.

        Not longer when several come at once, as with a vendor who has more than one processor.
        """
        self.world.clear()
        if seconds > 0:
            self.world.fault(takes=seconds)
        elif seconds < 0:
            self.world.fault(hang=3_600.0)

    def switch(self, **values: object) -> None:
        for name, value in values.items():
            assert hasattr(self.world.switches, name), name
            setattr(self.world.switches, name, value)

    # -- what happens --------------------------------------------------------------------------

    def forget(self) -> None:
        """Count anew; a call under way belongs to what was before."""
        self._calls.clear()
        self._since = time.perf_counter()

    async def deactivate(self, logins: list[str]) -> None:
        for login in logins:
            self.world.deactivate(login)
        await self.deliver()

    async def unassign(self, logins: list[str]) -> None:
        """They lose what gave them the app, and stay with the company."""
        for login in logins:
            self.world.remove_from_group(login, STAFF)
        await self.deliver()

    async def leave_meanwhile(self, login: str, within: float) -> float:
        """One more person is deactivated; seconds until they have nothing and all is answered."""
        self.world.deactivate(login)
        began = time.perf_counter()
        await self.sandbox.deliverer.flush()
        while self.left([login]):
            if time.perf_counter() - began > within:
                raise TimeoutError(f"{login} has {self.left([login])} memberships")
            await asyncio.sleep(0.005)
        # A change is made as it comes, and answered when it has taken its time.
        last = [each for each in self._calls.values() if each[1] is None]
        while any(each[1] is None for each in last):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.005)
        return max((float(each[1]) for each in last), default=time.perf_counter()) - began

    async def nudge(self, logins: list[str]) -> None:
        """Something happens to them that changes nothing, so that they are looked at once."""
        for login in logins:
            self.world.add_to_group(login, self.choir)
        await self.deliver()
        await self.await_quiet(1.0)

    async def deliver(self) -> int:
        """All that waits, as Okta delivers it; how many deliveries were taken."""
        self._since = time.perf_counter()
        return sum(each.accepted for each in await self.sandbox.deliverer.flush())

    async def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def await_gone(self, logins: list[str], within: float) -> None:
        """Until these people have nothing, and nobody has asked anything for a while."""
        until = time.perf_counter() + within
        while left := self.left(logins):
            if time.perf_counter() > until:
                last = [each[2:] for each in self.calls()[-20:]]
                raise TimeoutError(f"{left} memberships are left; the last calls: {last}")
            await asyncio.sleep(min(0.01 * len(logins), 0.5))
        await self.await_quiet(0.3, within)

    async def await_census(self) -> None:
        """Until everybody assigned was read, and nobody asks anything more."""
        async with asyncio.timeout(60):
            while not any(each[4].endswith("/users") for each in self._calls.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await self.await_quiet(0.7)

    async def await_quiet(self, seconds: float, within: float = 60.0) -> None:
        """Until nobody has asked anything for so long."""
        async with asyncio.timeout(within):
            # Whoever asks tells nobody that it is over.
            while self._under_way or time.perf_counter() - self._quiet_since < seconds:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def refuse(self, vendor: str, after: int, times: int) -> None:
        """Answer 429 so often, after so many calls, and tell nothing with it."""
        latency = self.world.traffic.faults[:]
        self.world.clear()
        self.world.fault(vendor, status=429, skip=after, times=times)  # type: ignore[arg-type]
        self.world.traffic.faults += latency

    # -- what came of it -----------------------------------------------------------------------

    def calls(self) -> list[list[Any]]:
        return [
            [begin - self._since, end and end - self._since, vendor, method, _shape(path), status]
            for begin, end, vendor, method, path, status in self._calls.values()
        ]

    def epoch(self) -> float:
        """By the wall, when calls were last counted anew."""
        return time.time() - (time.perf_counter() - self._since)

    def left(self, logins: list[str]) -> int:
        """How many memberships they have."""
        return sum(
            len(self.world.groups_of(self.directory, login)) + len(self._local_of(login))
            for login in logins
        )

    def _local_of(self, login: str) -> set[str]:
        return {each for each in self.world.local_groups_of(login) if each.startswith("local-")}


def _team(number: int) -> str:
    return f"team-{number:03}"


def _local(number: int) -> str:
    return f"local-{number:03}"


def _shape(path: str) -> str:
    from hooks.sandbox.faults import template

    return template(path)


async def _serve(spec: Spec) -> None:
    from hooks.sandbox import World, serving

    reader = asyncio.StreamReader(limit=2**26)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with serving(World()) as sandbox:
        town = Town(sandbox, spec)
        while line := await reader.readline():
            verb, given = json.loads(line)
            answer = getattr(town, verb)(**given)
            if asyncio.iscoroutine(answer):
                answer = await answer
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Spec(**json.loads(sys.argv[1]))))
