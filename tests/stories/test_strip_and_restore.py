"""Whatever was taken, ordered back it is as before; where the world moved on, it is left."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest

from hooks.store.taken import Meant
from tests.running import Running, Time, ordered_back
from tests.stories.cast import CLUB, JIRA, LICENCE, RULES, WEEK, WIKI
from tests.stories.company import STAFF, TEAMS, Company

#: Nothing comes back by itself, and what is held is not judged here.
_MORE = """
[policy]
restore = "none"
suspended = "strip"
[brake]
left_per_hour = 1000
other_per_hour = 1000
other_per_day = 1000
share_of_group = 1.0
"""
_LATER = timedelta(hours=2)
_PEOPLE = 5


@dataclass
class Theatre:
    """People in some groups, who lose them in some way and are put back in Okta, or not."""

    seed: int
    time: Time = field(default_factory=Time)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.company = Company(self.time, seed=self.seed)
        self.world = self.company.world
        self.local = [JIRA, WIKI, CLUB]
        with self.world.long_ago():
            self.world.add_okta_group(LICENCE)
            for name in self.local:
                self.world.add_local_group(name)
        self.people = [self._hire(f"person-{number}") for number in range(_PEOPLE)]
        self.world.switches.group_push_delay = WEEK

    def _hire(self, name: str) -> str:
        groups = [each for each in (*TEAMS, LICENCE) if self.chance.random() < 0.7]
        login = self.company.hire(name, *groups)
        with self.world.long_ago():
            for group in self.local:
                if (group != JIRA or LICENCE in groups) and self.chance.random() < 0.8:
                    self.world.local_add(group, login)
        return login

    def has(self, login: str) -> frozenset[str]:
        synced = self.company.groups(login) if self._record(login) else set()
        return frozenset(synced | self.world.local_groups_of(login))

    def _record(self, login: str) -> bool:
        return bool(self.company.directory.named(login))

    def loses(self, login: str) -> Callable[[], object]:
        """Something happens in Okta; how it is put back there."""
        world, user = self.world, self.world.user(login)
        mine = [each for each in (*TEAMS, LICENCE) if user.id in world.group(each).members]
        match self.chance.randrange(4):
            case 0:
                world.deactivate(login)
                return partial(self._comes_back, login, {STAFF, *mine})
            case 1:
                world.remove_from_group(login, STAFF)
                return partial(world.add_to_group, login, STAFF)
            case 2:
                world.suspend(login)
                return partial(world.unsuspend, login)
            case _:
                lost = [each for each in mine if self.chance.random() < 0.6]
                for group in lost:
                    world.remove_from_group(login, group)
                return lambda: deque(map(partial(world.add_to_group, login), lost))

    def _comes_back(self, login: str, groups: set[str]) -> None:
        self.world.activate(login)
        for group in groups:
            if self.world.user(login).id not in self.world.group(group).members:
                self.world.add_to_group(login, group)

    async def granted_and_taken(self, run: Running, moved: Mapping[str, set[str]]) -> None:
        """Somebody grants what we took, and takes it again."""
        for change in (self.world.local_add, self.world.local_remove):
            for login, groups in moved.items():
                for group in groups:
                    change(group, login)
                self.world.suspend(login)
                self.world.unsuspend(login)
            await run.settle(_LATER)


async def play(seed: int, url: str, folder: Path) -> int:
    """One world; how many memberships were given back."""
    theatre = Theatre(seed)
    chance = theatre.chance
    async with theatre.company.service(url, folder, rules=RULES, more=_MORE) as run:
        before = {login: theatre.has(login) for login in theatre.people}
        back = {login: theatre.loses(login) for login in theatre.people}
        await run.settle(_LATER)
        stripped = {login: theatre.has(login) for login in theatre.people}
        away = {login for login in theatre.people if chance.random() < 0.3}
        # Longer than brief or not at all: nobody is given anything but by order.
        theatre.time.push(_LATER)
        for login in theatre.people:
            if login not in away:
                back[login]()
        theatre.world.tick()
        await run.settle(_LATER)
        meddled = {login: theatre.has(login) - stripped[login] for login in theatre.people}
        await ordered_back(run, Meant())
        await run.settle(_LATER)
        for login in theatre.people:
            wanted = stripped[login] if login in away else before[login]
            assert theatre.has(login) == wanted, (seed, login, meddled[login])
        return sum(
            len(before[each] - stripped[each]) for each in theatre.people if each not in away
        )


@pytest.mark.timeout(0)  # as many worlds as are asked for
async def test_what_is_ordered_back_is_as_before_and_what_okta_does_not_want_stays_gone(
    tmp_path: Path, worlds: int
) -> None:
    given = 0
    for seed in range(worlds):
        folder = tmp_path / f"{seed}"
        folder.mkdir()
        given += await play(seed, f"sqlite+pysqlite:///{folder / 'hooks.db'}", folder)
    assert given > worlds
