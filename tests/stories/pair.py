"""Two people in the same groups: to Ann everything happens, to Bob nothing that matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from hooks.sandbox.directory import Directory, ScimUser
from hooks.sandbox.org import App, Hook
from hooks.sandbox.system_log import Json
from hooks.sandbox.world import World
from tests.running import Running, Time, _next_due
from tests.stories.company import Company

JIRA = "jira-software-users"
WIKI = "confluence-users"
CLUB = "chess-club"
#: One local group for everybody, one while they are red; of the club nobody speaks.
JIRA_RULE = f'[[local_group]]\nname = "{JIRA}*"\n'
WIKI_RULE = f'[[local_group]]\nname = "{WIKI}"\nwhile_member_of = ["red"]\n'
RULES = JIRA_RULE + WIKI_RULE
SYNCED = frozenset({"red", "green"})
LOCAL = frozenset({JIRA, WIKI, CLUB})
ALL = SYNCED | LOCAL
#: What a leaver keeps, and with what somebody is back who was away.
GONE = frozenset({CLUB})
BACK = SYNCED | {WIKI, CLUB}
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Pair:
    """Ann, Bob and their company. ``ann`` is her login; it may change."""

    def __init__(self, time: Time) -> None:
        self.time = time
        self.company = Company(time)
        self.world: World = self.company.world
        self.late: list[tuple[Hook, Json]] = []
        self.run: Running
        with self.world.long_ago():
            self.choir = self.world.add_okta_group("choir")
            self.jira = self.world.add_local_group(JIRA, default_for="jira-software")
            self.wiki = self.world.add_local_group(WIKI)
            self.club = self.world.add_local_group(CLUB)
        self.bob = self.hire("bob")
        self.ann = self.hire("ann")
        self.account = self.world.account(self.ann).id
        self.ids = [self.world.user(self.ann).id]
        self._record = self.world.record(self.main, self.ann).id

    def hire(self, name: str) -> str:
        """Somebody in everything."""
        login = self.company.hire(name, *sorted(SYNCED))
        with self.world.long_ago():
            for group in (self.jira, self.wiki, self.club):
                self.world.local_add(group, login)
        return login

    @property
    def app(self) -> App:
        return self.company.app

    @property
    def main(self) -> Directory:
        return self.company.directory

    async def causes(self) -> set[str]:
        """Why something of hers is left alone, under any of her Okta ids."""
        return {cause for each in self.ids for cause in await self.run.causes(each)}

    def hers(self) -> frozenset[str]:
        """All her groups, whatever she and her record are called now."""
        found = {
            group.display_name
            for directory in self.world.directories.values()
            for record in directory.users.values()
            if self._is_hers(record)
            for group in directory.groups_of(record)
        }
        return frozenset(found | self.world.local_groups_of(self.account))

    def _is_hers(self, record: ScimUser) -> bool:
        mine = record.account_id == self.account or record.user_name == self.ann
        return mine or record.id == self._record

    def his(self) -> frozenset[str]:
        """All of Bob's."""
        local = self.world.local_groups_of(self.bob)
        return frozenset(self.company.groups(self.bob) | local)

    def nudge(self, login: str) -> None:
        """Something happens to them that changes nothing, but has them looked at."""
        joined = self.world.user(login).id in self.choir.members
        move = self.world.remove_from_group if joined else self.world.add_to_group
        move(login, self.choir)

    async def _taken(self) -> set[str]:
        steps = [step for each in self.ids for step in await self.run.steps(each)]
        return {name for action, name, *_ in steps if action == "remove"}

    async def act(self, act: Act) -> None:
        """A minute later something happens to Ann, and Bob is looked at too."""
        self.time.push(MINUTE)
        act(self)
        self.nudge(self.bob)
        await self.run.settle()

    async def ended(self, row: Row) -> None:
        """A day later nobody waits for anything, and Bob has everything."""
        await self.run.settle(timedelta(hours=0 if row.goes_on else 26))
        going_on = [each for each in await self.run.steps() if each[3] in _OPEN]
        due = await self.run.house.database.read(_next_due)
        found = {
            "Bob's groups": self.his(),
            "Bob is left alone for": await self.run.causes(self.bob),
            "Bob's steps": await self.run.steps(self.bob),
            "her groups": self.hers(),
            "she is left alone for": await self.causes(),
            "taken": await self._taken() if row.taken is not None else None,
            "dead letters": await self.run.dead(),
            "holds": await self.run.holds(),
            "goes on": bool(due or going_on) and not row.goes_on,
        }
        expected: dict[str, object] = {
            "Bob's groups": ALL,
            "Bob is left alone for": set(),
            "Bob's steps": [],
            "her groups": row.ends,
            "she is left alone for": row.causes,
            "taken": row.taken,
            "dead letters": [],
            "holds": [],
            "goes on": False,
        }
        wrong = {name: (is_so, expected[name]) for name, is_so in found.items()
                 if is_so != expected[name]}  # fmt: skip
        assert not wrong, wrong


_OPEN = ("open", "submitted")
Act = Callable[[Pair], object]


@dataclass(frozen=True)
class Row:
    """A life: what happens, and how it ends.

    ``first`` is done before the service starts. After each of the acts all is settled; a length
    of time just passes. ``goes_on``: the service has not done with her. ``taken``:
    all that was ever removed, if that is told.
    """

    says: str
    acts: tuple[Act | timedelta, ...]
    ends: frozenset[str] | set[str]
    causes: frozenset[str] | set[str] = frozenset()
    first: Act = lambda _: None
    switches: Mapping[str, object] = field(default_factory=dict)
    rules: str | Callable[[Pair], str] = RULES
    more: str = ""
    goes_on: bool = False
    taken: set[str] | None = None


def told(rows: list[Row]) -> list[object]:
    """As parameters."""
    return [pytest.param(each, id=each.says) for each in rows]


async def play(row: Row, time: Time, database_url: str, folder: Path) -> None:
    """Play one life to its end."""
    pair = Pair(time)
    for name, value in row.switches.items():
        assert hasattr(pair.world.switches, name)
        setattr(pair.world.switches, name, value)
    row.first(pair)
    rules = row.rules if isinstance(row.rules, str) else row.rules(pair)
    async with pair.company.service(database_url, folder, rules=rules, more=row.more) as run:
        pair.run = run
        for each in row.acts:
            if isinstance(each, timedelta):
                time.push(each)
            else:
                await pair.act(each)
        await pair.ended(row)


# -- how several things happen, and which events of them arrive --------------------------------


def together(*acts: Act, apart: timedelta = timedelta(seconds=1)) -> Act:
    """Several acts before anybody looks."""

    def every(pair: Pair) -> None:
        for act in acts:
            pair.time.push(apart)
            act(pair)

    return every


def lost(*acts: Act) -> Act:
    """Okta delivers nothing of it."""

    def quietly(pair: Pair) -> None:
        before = list(pair.world.outbox)
        together(*acts)(pair)
        pair.world.outbox[:] = before

    return quietly


def late(*acts: Act) -> Act:
    """Okta delivers nothing of it before ``arrive``."""

    def slowly(pair: Pair) -> None:
        before = len(pair.world.outbox)
        together(*acts)(pair)
        pair.late += pair.world.outbox[before:]
        del pair.world.outbox[before:]

    return slowly


def arrive(pair: Pair) -> None:
    """What was late is delivered."""
    pair.world.outbox += pair.late
    pair.late.clear()


def switched(**switches: object) -> Act:
    """From now on a vendor behaves like this."""

    def turn(pair: Pair) -> None:
        for name, value in switches.items():
            assert hasattr(pair.world.switches, name)
            setattr(pair.world.switches, name, value)

    return turn


# -- what happens to her -----------------------------------------------------------------------


def leaves(pair: Pair) -> None:
    pair.world.deactivate(pair.ann)


def comes_back(pair: Pair) -> None:
    pair.world.activate(pair.ann)


def suspended(pair: Pair) -> None:
    pair.world.suspend(pair.ann)


def unsuspended(pair: Pair) -> None:
    pair.world.unsuspend(pair.ann)


def nudged(pair: Pair) -> None:
    pair.nudge(pair.ann)


def joins(group: str) -> Act:
    return lambda pair: pair.world.add_to_group(pair.ann, group, by="rule")


def quits(group: str) -> Act:
    return lambda pair: pair.world.remove_from_group(pair.ann, group, by="rule")


unassigned, assigned = quits("staff"), joins("staff")
