"""Four people in the same groups: one leaves, one moves, one comes back, and one stays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hooks.sandbox.org import Group
from hooks.store import groups, mappings
from hooks.store.database import Tx
from tests.running import Running, Time, _next_due
from tests.stories.company import Company

Who = Literal["left", "moved", "back", "stays"]
WHO: tuple[Who, ...] = ("left", "moved", "back", "stays")

JIRA = "jira-software-users"
WIKI = "confluence-users"
CLUB = "chess-club"
LICENCE = "licence"
#: One local group while somebody has a licence, one for everybody; of the club nobody speaks.
JIRA_RULE = f'[[local_group]]\nname = "{JIRA}*"\nwhile_member_of = ["{LICENCE}"]\n'
WIKI_RULE = f'[[local_group]]\nname = "{WIKI}"\n'
RULES = JIRA_RULE + WIKI_RULE
ALL = frozenset({"red", "green", JIRA, WIKI, CLUB})
LOCAL = frozenset({JIRA, WIKI, CLUB})
#: What they have once everything has come to its end.
CLEAN: Mapping[Who, frozenset[str]] = {
    "left": frozenset({CLUB}),
    "moved": frozenset({"green", WIKI, CLUB}),
    "back": frozenset({"red", "green", JIRA, CLUB}),
    "stays": ALL,
}
#: What is open while nothing is done locally, and nothing at all.
NOT_LOCAL: Mapping[Who, frozenset[str]] = {
    "left": frozenset({JIRA, WIKI}),
    "moved": frozenset({JIRA}),
    "back": frozenset({WIKI}),
}
NOTHING: Mapping[Who, frozenset[str]] = {
    "left": ALL - CLEAN["left"],
    "moved": ALL - CLEAN["moved"],
    "back": frozenset({WIKI}),
}
WEEK = 7 * 24 * 3600


@dataclass(frozen=True)
class Has:
    """What they have that they should not, what they lack, and why they are left alone."""

    more: Mapping[Who, frozenset[str] | set[str]] = field(default_factory=dict)
    less: Mapping[Who, frozenset[str] | set[str]] = field(default_factory=dict)
    causes: Mapping[Who, frozenset[str] | set[str]] = field(default_factory=dict)


class Cast:
    """The company, its local groups, and the four. ``back`` has left already and been stripped.

    Okta itself takes nobody out of a pushed group before a week is over.
    """

    def __init__(self, time: Time) -> None:
        self.company = Company(time)
        self.world = self.company.world
        self.run: Running
        with self.world.long_ago():
            self.licence = self.world.add_okta_group(LICENCE)
            self.choir = self.world.add_okta_group("choir")
            self.red = self.world.group("red")
            self.jira = self.world.add_local_group(JIRA, default_for="jira-software")
            self.wiki = self.world.add_local_group(WIKI)
            self.club = self.world.add_local_group(CLUB)
        self.targets = {
            each: self.world.mapping(each).target_group_id for each in ("red", "green", "blue")
        }
        self.login: dict[Who, str] = {who: self.hire(who) for who in WHO}
        self.world.switches.group_push_delay = WEEK
        self._names: dict[str, str] = {}

    def hire(self, name: str) -> str:
        """Somebody in everything."""
        login = self.company.hire(name, "red", "green", LICENCE)
        with self.world.long_ago():
            for group in (self.jira, self.wiki, self.club):
                self.world.local_add(group, login)
        return login

    def has(self, login: str) -> frozenset[str]:
        """All their groups by the names these had at first, without that of everybody."""
        directory = self.company.directory
        found: list[tuple[str, str]] = []
        if not directory.dead:
            for record in directory.named(login):
                found += [(each.id, each.display_name) for each in directory.groups_of(record)]
        found += [(each.id, each.name) for each in self.world._groups_of(login) if not each.synced]
        names = (self._names.get(identity, name) for identity, name in found)
        return frozenset(name for name in names if not name.startswith("All members"))

    def remember_names(self) -> None:
        """From now on, groups are called what they are called now."""
        for each in self.company.directory.groups.values():
            self._names[each.id] = each.display_name
        for group in self.world.organization.groups.values():
            self._names[group.id] = group.name

    def target(self, source: str) -> Group:
        """The Okta group that stands for the Atlassian one."""
        return self.world.org.groups[self.targets[source]]

    def id(self, who: Who) -> str:
        """Their Okta id."""
        return self.world.user(self.login[who]).id

    def nudge(self, *who: Who) -> None:
        """Something happens to them that changes nothing."""
        for each in who:
            login = self.login[each]
            joined = self.world.user(login).id in self.choir.members
            move = self.world.remove_from_group if joined else self.world.add_to_group
            move(login, self.choir)

    async def settle_in(self) -> None:
        """Everybody is looked at once; and one leaves, is stripped, and granted one group again."""
        self.nudge(*WHO)
        self.world.deactivate(self.login["back"])
        await self.run.settle()
        self.world.local_add(self.wiki, self.login["back"])

    def act(self) -> None:
        """One leaves, one loses a team and the licence, one comes back, one only sings."""
        self.world.deactivate(self.login["left"])
        for group in (self.red, self.licence):
            if not group.deleted:
                self.world.remove_from_group(self.login["moved"], group)
        self.world.activate(self.login["back"])
        self.nudge("stays")

    async def accept(self, *ids: str) -> None:
        """As ``hooks mappings accept`` does."""

        def both(tx: Tx) -> None:
            for each in ids:
                concerned = mappings.accept(tx, each) or groups.accept(tx, each)
                assert concerned, f"nobody waits for {each}"

        await self.run.house.database.write(both)

    async def now(self) -> Has:
        """What is so, to compare with what should be."""
        held = {who: self.has(login) for who, login in self.login.items()}
        more = {who: held[who] - CLEAN[who] for who in WHO}
        less = {who: CLEAN[who] - held[who] for who in WHO}
        causes = {who: await self.run.causes(login) for who, login in self.login.items()}
        return Has(
            {who: each for who, each in more.items() if each},
            {who: each for who, each in less.items() if each},
            {who: each for who, each in causes.items() if each},
        )

    async def unfinished(self) -> list[str]:
        """Who is in line or given up on, and which steps are open."""
        due = await self.run.house.database.read(_next_due)
        steps = [
            f"{name} {state}"
            for _, name, _, state in await self.run.steps()
            if state in ("open", "submitted", "observed")
        ]
        dead = [str(each) for each in await self.run.dead()]
        return [*([f"due at {due}"] if due else []), *steps, *dead]


@asynccontextmanager
async def playing(
    cast: Cast,
    database_url: str,
    folder: Path,
    *,
    rules: str = RULES,
    more: str = "",
    first: Callable[[Cast], None] = lambda _: None,
) -> AsyncIterator[Cast]:
    """The service beside the cast, which has settled in. ``first`` is done before it starts.

    At the end nobody may have misused a vendor, and who stays has everything.
    """
    first(cast)
    cast.remember_names()
    async with cast.company.service(database_url, folder, rules=rules, more=more) as run:
        cast.run = run
        await cast.settle_in()
        yield cast
        assert await run.dead() == []
