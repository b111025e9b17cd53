"""Sixty traps in one company: each catches one person, beside whom a control is in no trap.

Who is caught keeps what rests on the lie; the control loses what is stale; once the lie is over,
so does who was caught.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from hooks.sandbox.faults import Request
from tests.running import Running, Time
from tests.stories.company import STAFF, Company

Kind = Literal["left", "unassigned", "lost"]
Vendor = Literal["okta", "scim", "org"]
#: Whoever leaves is in red and in the local group; whoever stays lost green long ago.
JIRA = "jira-software-users"
RULES = f'[[local_group]]\nname = "{JIRA}"\n'
BEFORE: dict[Kind, frozenset[str]] = {
    "left": frozenset({"red", JIRA}),
    "unassigned": frozenset({"red", JIRA}),
    "lost": frozenset({"red", "green", JIRA}),
}
AFTER: dict[Kind, frozenset[str]] = {
    "left": frozenset(),
    "unassigned": frozenset(),
    "lost": frozenset({"red", JIRA}),
}
_MORE = """
[brake]
left_per_hour = 1000
other_per_hour = 1000
other_per_day = 1000
share_of_group = 1.0
"""


@dataclass(frozen=True)
class Trap:
    """One line: what lies, to whom, and what that person ``keeps``, all or what is local."""

    says: str
    kind: Kind
    lay: Callable[[Theatre, str], None]
    keeps: Literal["all", "local"] = "all"
    lift: Callable[[Theatre, str], None] = lambda _theatre, _login: None


class Theatre:
    """The company, in which each trap has its two people."""

    def __init__(self, time: Time) -> None:
        self.company = Company(time)
        self.world = self.company.world
        self.run: Running
        with self.world.long_ago():
            self.world.add_local_group(JIRA)
            self.choir = self.world.add_okta_group("choir")

    def hire(self, name: str, kind: Kind) -> str:
        login = self.company.hire(name, "red")
        with self.world.long_ago():
            self.world.local_add(JIRA, login)
            if kind == "lost":
                self.world.scim_add(self.company.directory, "green", login)
        return login

    def has(self, login: str) -> frozenset[str]:
        return frozenset(self.company.groups(login) | self.world.local_groups_of(login))

    def act(self, kind: Kind, login: str) -> None:
        if kind == "left":
            self.world.deactivate(login)
        elif kind == "unassigned":
            self.world.remove_from_group(login, STAFF)
        else:
            self.nudge(login)

    def nudge(self, login: str) -> None:
        """Something happens to them that changes nothing."""
        joined = self.world.user(login).id in self.choir.members
        (self.world.remove_from_group if joined else self.world.add_to_group)(login, self.choir)

    def record(self, login: str) -> Any:
        return self.world.record(self.company.directory, login)


# -- reads that fail ---------------------------------------------------------------------------

_TROUBLES: dict[str, dict[str, Any]] = {
    "is answered 500": {"status": 500},
    "is refused": {"status": 403},
    "is cut off": {"drop": True},
    "is half an answer": {"truncate": True},
    "is a page to sign in": {"status": 200, "body": "<html>sign in</html>"},
    "leads elsewhere": {"redirect": "https://elsewhere.example/"},
    "is an empty object": {"status": 200, "body": {}},
}
_SAYING_NOTHING = ("is refused", "is an empty object")


def read(vendor: Vendor, path: str, **trouble: Any) -> Callable[[Theatre, str], None]:
    """Trouble for what is read on a path about one person, whom ``{name}`` in it names."""

    def lay(theatre: Theatre, login: str) -> None:
        user = None if "{name}" in path else login
        where = path.replace("{name}", login.partition("@")[0])
        theatre.world.fault(vendor, None, where, user=user, when=_reads, **trouble)

    return lay


def _reads(request: Request) -> bool:
    return request.method == "GET" or request.path.endswith(
        ("/search", "/get-scim-links-for-email")
    )


def _each(
    what: str,
    kinds: tuple[Kind, ...],
    lies: tuple[Vendor, str],
    *,
    but: tuple[str, ...] = (),
    keeps: Literal["all", "local"] = "all",
) -> Iterator[Trap]:
    """One trap for each way in which a read fails, the kinds in turn."""
    ways = [way for way in _TROUBLES if way not in but]
    for number, way in enumerate(ways):
        kind = kinds[number % len(kinds)]
        yield Trap(f"{what} {way}", kind, read(*lies, **_TROUBLES[way]), keeps)


# -- answers that lie --------------------------------------------------------------------------


def status(value: str, moving_to: str | None = None) -> Callable[[Theatre, str], None]:
    return lambda theatre, login: theatre.world.set_status(login, value, moving_to)


def assignment(value: str) -> Callable[[Theatre, str], None]:
    def lay(theatre: Theatre, login: str) -> None:
        theatre.world.set_app_user_status(login, theatre.company.app, value)

    return lay


def external_id(make: Callable[[Theatre, str], str | None]) -> Callable[[Theatre, str], None]:
    def lay(theatre: Theatre, login: str) -> None:
        theatre.record(login).external_id = make(theatre, login)

    return lay


def own(theatre: Theatre, login: str) -> str:
    return theatre.world.user(login).id


def another(theatre: Theatre, login: str) -> str:
    return own(theatre, theatre.company.hire(f"other-{login.partition('@')[0]}"))


def twin(theatre: Theatre, login: str) -> None:
    theatre.world.add_scim_user(
        theatre.company.directory, f"twin-of-{login}", external_id=own(theatre, login)
    )


def untwin(theatre: Theatre, login: str) -> None:
    directory = theatre.company.directory
    directory.delete_user(directory.named(f"twin-of-{login}")[0], theatre.world.now())


TRAPS: tuple[Trap, ...] = (
    *_each("the user", ("lost", "left", "unassigned"), ("okta", r"/users/\w+$")),
    Trap("the user is not found", "lost", read("okta", r"/api/v1/users/\w+$", status=404)),
    *_each("the assignment", ("unassigned", "lost", "left", "lost"),
           ("okta", r"/apps/\w+/users/\w+$")),
    *_each("the list of Okta groups", ("lost",), ("okta", "/groups")),
    Trap("the list of Okta groups is empty", "lost", read("okta", "/groups", empty_list=True)),
    Trap("the list of Okta groups is of nobody", "lost", read("okta", "/groups", status=404)),
    *_each("the SCIM record", ("left", "lost", "unassigned"), ("scim", r"/Users/[-\w]+$")),
    *_each("the search for the record", ("unassigned", "left", "lost"), ("scim", r"/Users\?")),
    *_each("the search for a successor", ("left", "unassigned"),
           ("okta", r"/apps/\w+/users\?.*{name}")),
    *_each("the account", ("left", "unassigned"), ("org", "/users/search"), keeps="local"),
    *_each("the account's groups", ("unassigned", "left"), ("org", "/groups/search"),
           keeps="local"),
    *_each("what the account is linked with", ("left", "unassigned"), ("org", "get-scim-links"),
           but=_SAYING_NOTHING, keeps="local"),
    Trap("a user status nobody knows", "lost", status("ON_SABBATICAL"), lift=status("ACTIVE")),
    Trap("a user who is being activated", "lost", status("ACTIVATING"), lift=status("ACTIVE")),
    Trap("a user on the way to PROVISIONED", "lost", status("ACTIVE", "PROVISIONED"),
         lift=status("ACTIVE")),
    Trap("a user who only is staged", "lost", status("STAGED"), lift=status("ACTIVE")),
    Trap("an assignment status nobody knows", "lost", assignment("HIBERNATING"),
         lift=assignment("ACTIVE")),
    Trap("an assignment that was only imported", "lost", assignment("IMPORTED"),
         lift=assignment("ACTIVE")),
    Trap("a record that is somebody else's", "left", external_id(another), lift=external_id(own)),
    Trap("a record that is somebody else's", "lost", external_id(another), lift=external_id(own)),
    Trap("two records of one person", "left", twin, lift=untwin),
    Trap("two records of one person", "lost", twin, lift=untwin),
)  # fmt: skip


@pytest.mark.timeout(180)  # a hundred and fifty people
async def test_sixty_traps_catch_sixty_people_and_nobody_besides(
    time: Time, sqlite_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    assert len(TRAPS) >= 60
    theatre = Theatre(time)
    caught = {n: theatre.hire(f"caught-{n:02}", trap.kind) for n, trap in enumerate(TRAPS)}
    free = {n: theatre.hire(f"free-{n:02}", trap.kind) for n, trap in enumerate(TRAPS)}
    async with theatre.company.service(sqlite_url, tmp_path, rules=RULES, more=_MORE) as run:
        theatre.run = run
        for n, trap in enumerate(TRAPS):
            trap.lay(theatre, caught[n])
        for n, trap in enumerate(TRAPS):
            for login in (caught[n], free[n]):
                theatre.act(trap.kind, login)
        await run.settle(timedelta(minutes=5))
        wrong = {
            f"{trap.says} ({trap.kind})": theatre.has(caught[n])
            for n, trap in enumerate(TRAPS)
            if theatre.has(caught[n]) != _kept(trap)
        }
        missed = {
            f"{trap.says} ({trap.kind}), beside it": theatre.has(free[n])
            for n, trap in enumerate(TRAPS)
            if theatre.has(free[n]) != AFTER[trap.kind]
        }
        assert [each.path for each in theatre.world.traffic.faults if not each.seen] == []
        theatre.world.clear()
        for n, trap in enumerate(TRAPS):
            trap.lift(theatre, caught[n])
            theatre.nudge(caught[n])
        await run.settle(timedelta(hours=3))
        after = {
            f"{trap.says} ({trap.kind}), afterwards": theatre.has(caught[n])
            for n, trap in enumerate(TRAPS)
            if theatre.has(caught[n]) != AFTER[trap.kind]
        }
    record_property(
        "traps", f"{len(TRAPS)}, wrong removals {len(wrong)}, missed {len(missed) + len(after)}"
    )
    assert (wrong, missed, after) == ({}, {}, {})


def _kept(trap: Trap) -> frozenset[str]:
    return BEFORE[trap.kind] if trap.keeps == "all" else AFTER[trap.kind] | {JIRA}
