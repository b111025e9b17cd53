"""The people of a trial: what happens to them, and what they should have in the end."""

from __future__ import annotations

from random import Random

from tests.running import Time
from tests.stories.cast import CLUB, JIRA, LICENCE, WIKI
from tests.stories.company import STAFF, TEAMS, Company

#: Longer than any trial: Okta itself takes nobody out of the group, and has us do it.
_WEEK = 7 * 24 * 3600


class Cast:
    """Everybody begins in all groups; to the ``calm`` ones nothing happens.

    ``left`` have been deactivated at some time, after which only a rule's condition brings a
    local group back.
    """

    def __init__(self, seed: int, chance: Random, *, people: int = 8, calm: int = 2) -> None:
        self.chance = chance
        self.left: set[str] = set()
        self.company = Company(Time(), seed=seed)
        self.world = self.company.world
        # Whoever reads it sees the organization a little after the directory, as it is.
        self.world.switches.propagation_delay = 0.05
        with self.world.long_ago():
            self.world.add_okta_group(LICENCE)
            for name in (JIRA, WIKI, CLUB):
                self.world.add_local_group(name)
        self.people = [self._hire(f"person-{each}") for each in range(people)]
        self.calm = [self._hire(f"calm-{each}") for each in range(calm)]

    def _hire(self, name: str) -> str:
        login = self.company.hire(name, *TEAMS, LICENCE)
        with self.world.long_ago():
            for group in (JIRA, WIKI, CLUB):
                self.world.local_add(group, login)
        return login

    # -- what happens --------------------------------------------------------------------------

    def act(self) -> None:
        """Somebody does something, or has it done to them."""
        login = self.chance.choice(self.people)
        status = self.world.user(login).status
        match self.chance.randrange(10):
            case 0 | 1:
                self._leave_or_return(login, status)
            case 2:
                self._suspend_or_not(login, status)
            case 3 | 4:
                self._move(login, STAFF)
            case 5:
                self._move(login, LICENCE)
            case _:
                self._move(login, self.chance.choice(TEAMS))

    def come_back(self) -> None:
        """Everybody is in force again, and in everything."""
        for login in self.people:
            status = self.world.user(login).status
            if status == "DEPROVISIONED":
                self.world.activate(login)
            elif status == "SUSPENDED":
                self.world.unsuspend(login)
            for group in (STAFF, LICENCE, *TEAMS):
                self.world.add_to_group(login, group)

    def _leave_or_return(self, login: str, status: str) -> None:
        if status == "DEPROVISIONED":
            self.world.activate(login)
        else:
            self.world.deactivate(login)
            self.left.add(login)

    def _suspend_or_not(self, login: str, status: str) -> None:
        if status == "SUSPENDED":
            self.world.unsuspend(login)
        elif status == "ACTIVE":
            self.world.suspend(login)

    def _move(self, login: str, group: str) -> None:
        if self.world.user(login).id not in self.world.group(group).members:
            self.world.add_to_group(login, group)
            return
        if self.chance.random() < 0.5:
            self.world.switches.group_push_delay = _WEEK
        self.world.remove_from_group(login, group)
        self.world.switches.group_push_delay = None

    # -- how it should end ---------------------------------------------------------------------

    def wrong(self) -> dict[str, tuple[set[str], set[str]]]:
        """Who has other groups than they should: by login, those they have too many and lack."""
        found = {}
        for login in self.everybody:
            has, should, either = self._has(login), self._should(login), self._either(login)
            if (has ^ should) - either:
                found[login] = (has - should - either, should - has - either)
        return found

    @property
    def everybody(self) -> list[str]:
        """Whom a trial is judged by."""
        return [*self.people, *self.calm]

    def _has(self, login: str) -> set[str]:
        return self.company.groups(login) | self.world.local_groups_of(login)

    def _should(self, login: str) -> set[str]:
        """As Okta implies it, and the rules; the club is nobody's concern."""
        synced = self.world.entitled(self.company.directory, login)
        user = self.world.user(login)
        if not self.company.app.users[user.id].in_force:
            return synced | {CLUB}
        licensed = user.id in self.world.group(LICENCE).members
        kept = {JIRA} if licensed else set()
        return synced | kept | ({CLUB} if login in self.left else {CLUB, WIKI})

    def _either(self, login: str) -> set[str]:
        """What somebody suspended may have or not: it is settled once they are back."""
        user = self.world.user(login)
        if user.status != "SUSPENDED" or not self.company.app.users[user.id].in_force:
            return set()
        licensed = user.id in self.world.group(LICENCE).members
        return {WIKI, JIRA} if licensed else {WIKI}
