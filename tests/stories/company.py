"""A company with one Atlassian directory, older than Okta's log and older than the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from hooks.sandbox.world import World
from tests.running import Running, Time, running

APP = "Atlassian Cloud"
STAFF = "staff"
TEAMS = ("red", "green", "blue")
DOMAIN = "somedomain.example"


class Company:
    """``staff`` is assigned to the app; each team is pushed to a group of its name."""

    def __init__(self, time: Time, teams: Iterable[str] = TEAMS, seed: int = 0) -> None:
        self.time = time
        self.world = World(time.now, seed)
        with self.world.long_ago():
            self.app = self.world.add_app(APP)
            self.directory = self.world.add_directory(self.app, "main")
            self.world.assign_group(self.world.add_okta_group(STAFF), self.app)
            for team in teams:
                self.world.push_group(self.world.add_okta_group(team), self.app)

    def hire(self, name: str, *teams: str) -> str:
        """Somebody who has been here longer than the log reaches; their login."""
        login = f"{name}@{DOMAIN}"
        with self.world.long_ago():
            self.world.add_user(login)
            for group in (STAFF, *teams):
                self.world.add_to_group(login, group)
        return login

    def stale(self, name: str, *stale: str, teams: Iterable[str] = ()) -> str:
        """Somebody hired who is in Atlassian groups of teams they are not in; their login."""
        login = self.hire(name, *teams)
        for team in stale:
            self.world.scim_add(self.directory, team, login)
        return login

    def groups(self, login: str) -> set[str]:
        """Their Atlassian groups, now."""
        return self.world.groups_of(self.directory, login)

    @asynccontextmanager
    async def service(
        self,
        database_url: str,
        folder: Path,
        *,
        more: str = "",
        modes: Mapping[str, str] | None = None,
        census: bool = True,
        rules: str | None = None,
        given: Mapping[str, str | None] | None = None,
    ) -> AsyncIterator[Running]:
        """The service beside this company; at the end nobody may have misused the vendors."""
        async with running(
            self.world,
            self.time,
            database_url,
            folder,
            more=more,
            modes=modes,
            census=census,
            rules=rules,
            given=given,
        ) as run:
            yield run
        assert self.world.violations == []
