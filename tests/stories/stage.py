"""A stage for traps: people who are caught, and beside each a control who is not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from hooks.sandbox.directory import ScimUser
from hooks.sandbox.faults import Fault
from tests.running import Running, Time
from tests.stories.company import STAFF, Company

Kind = Literal["left", "unassigned", "lost"]
#: What somebody of each kind has before and after.
BEFORE: dict[Kind, set[str]] = {
    "left": {"red", "blue"},
    "unassigned": {"red", "blue"},
    "lost": {"red", "green"},
}
AFTER: dict[Kind, set[str]] = {"left": set(), "unassigned": set(), "lost": {"green"}}


@dataclass
class Stage:
    """``caught`` and ``free`` are logins by kind; the free ones live in ``free_in``."""

    company: Company
    run: Running
    caught: dict[Kind, str] = field(default_factory=dict)
    free: dict[Kind, str] = field(default_factory=dict)
    free_in: str = "main"

    def fault(self, path: str, *, vendor: Literal["okta", "scim"] = "okta", **trouble: Any) -> None:
        """Trouble for reads on a path, of the caught people if it says ``{user}``."""
        if "{" not in path:
            self._fault(path, vendor, **trouble)
            return
        for login in self.caught.values():
            okta = self.company.world.user(login).id
            record = self.record(login).id
            name = re.escape(login.split("@", maxsplit=1)[0])
            filled = path.replace("{user}", okta).replace("{record}", record)
            self._fault(filled.replace("{login}", f"{name}(@|%40)"), vendor, **trouble)

    def _fault(self, path: str, vendor: Literal["okta", "scim"], **trouble: Any) -> Fault:
        trouble.setdefault("method", "GET")
        return self.company.world.fault(vendor, path=path, **trouble)

    def record(self, login: str) -> ScimUser:
        """Their SCIM record in the first directory."""
        return self.company.world.record(self.company.directory, login)

    @property
    def app(self) -> str:
        """The id of the app of the first directory."""
        return self.company.app.id

    def lift(self) -> None:
        """End every trouble there is a general way out of."""
        self.company.world.clear()
        self.company.world.hidden.clear()

    async def act(self, spring: Callable[[Stage], None] = lambda _: None) -> None:
        """Everybody leaves, is unassigned, or has an event that makes us look; and we look.

        ``spring`` comes after the acts and before anybody hears of them.
        """
        world = self.company.world
        for who in (self.caught, self.free):
            for kind, login in who.items():
                await self._act(kind, login, STAFF if who is self.caught else f"{STAFF}-free")
        spring(self)
        await self.run.settle(within=timedelta(seconds=70))
        assert world.violations == []

    async def _act(self, kind: Kind, login: str, staff: str) -> None:
        world = self.company.world
        if kind == "left":
            world.deactivate(login)
        elif kind == "unassigned":
            world.remove_from_group(login, staff)
        else:
            await self.nudge(login)

    async def nudge(self, *logins: str) -> None:
        """Something happens to them that changes nothing."""
        for login in logins:
            self.company.world.add_to_group(login, self.company.world.add_okta_group("choir"))

    def of_caught(self) -> dict[Kind, set[str]]:
        return {kind: self.company.groups(login) for kind, login in self.caught.items()}

    def of_free(self) -> dict[Kind, set[str]]:
        return {
            kind: self.company.world.groups_of(self.free_in, login)
            for kind, login in self.free.items()
        }


@asynccontextmanager
async def staged(
    time: Time,
    database_url: str,
    folder: Path,
    kinds: tuple[Kind, ...],
    *,
    apart: bool = False,
    more: str = "",
) -> AsyncIterator[Stage]:
    """A caught and a free person of each kind; ``apart``: the free ones in another directory."""
    company = Company(time)
    world = company.world
    with world.long_ago():
        free_app = world.add_app("Atlassian Second") if apart else company.app
        if apart:
            world.add_directory(free_app, "second")
            for team in ("red", "green", "blue"):
                world.push_group(team, free_app)
        world.assign_group(world.add_okta_group(f"{STAFF}-free"), free_app)
    caught = {kind: _hire(company, kind, f"caught-{kind}", STAFF, "main") for kind in kinds}
    free_in = "second" if apart else "main"
    free = {kind: _hire(company, kind, f"free-{kind}", f"{STAFF}-free", free_in) for kind in kinds}
    async with company.service(database_url, folder, more=more) as run:
        stage = Stage(company, run, caught, free, free_in)
        yield stage


def _hire(company: Company, kind: Kind, name: str, staff: str, directory: str) -> str:
    login = f"{name}@somedomain.example"
    world = company.world
    with world.long_ago():
        world.add_user(login)
        wanted = BEFORE[kind] if kind != "lost" else AFTER[kind]
        for group in (staff, *sorted(wanted)):
            world.add_to_group(login, group)
        for team in sorted(BEFORE[kind] - wanted):
            world.scim_add(directory, team, login)
    assert world.groups_of(directory, login) == BEFORE[kind]
    return login
