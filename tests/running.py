"""The whole service beside the sandbox, over loopback HTTP, on a clock a test can push."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from hooks import wiring
from hooks.app import create_app
from hooks.clock import Clock
from hooks.core.ids import OktaUserId
from hooks.sandbox.server import Sandbox, listening, serving
from hooks.sandbox.story import HOOK_TYPES
from hooks.sandbox.world import World
from hooks.settings import Role, load
from hooks.store import holds, journal, people, schema
from hooks.store.database import Database, Tx
from hooks.store.tables import Due
from hooks.wiring import House

SECRET = "the-secret-of-the-hook-is-long-enough"
SEALING_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
_due = Due.__table__  # type: ignore[attr-defined]


class Time:
    """Real time, plus what a test adds to it."""

    def __init__(self) -> None:
        self._added = 0.0

    def seconds(self) -> float:
        return time.time() + self._added

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)

    def push(self, length: timedelta) -> None:
        self._added += max(0.0, length.total_seconds())


def config(world: World, okta_url: str, atlassian_url: str, more: str = "") -> str:
    """A hooks.toml for every directory of the world."""
    directories = "\n".join(
        f'[[directory]]\nname = "{each.name}"\nokta_app_id = "{each.app_id}"\n'
        f'scim_directory_id = "{each.id}"\n'
        for each in world.directories.values()
    )
    mode = "" if "mode =" in more.split("[", maxsplit=1)[0] else 'mode = "enforce"\n'
    return (
        f"{mode}{more}\n"
        f'[okta]\norg_url = "{okta_url}"\n'
        f'[atlassian]\napi_url = "{atlassian_url}"\n'
        f"{directories}"
    )


def environ(world: World, database_url: str, config_path: Path) -> dict[str, str]:
    """The environment that goes with it."""
    return {
        "HOOKS_CONFIG": str(config_path),
        "HOOKS_DATABASE_URL": database_url,
        "HOOKS_HOOK_SECRET": SECRET,
        "HOOKS_OKTA_API_TOKEN": world.credentials.api_token,
        "HOOKS_SEALING_KEYS": SEALING_KEY,
        **{
            f"HOOKS_SCIM_KEY_{each.name.upper().replace('-', '_')}": each.key
            for each in world.directories.values()
        },
    }


@dataclass
class Running:
    """The service and the world around it."""

    sandbox: Sandbox
    house: House
    time: Time
    url: str

    @property
    def world(self) -> World:
        return self.sandbox.world

    async def deliver(self) -> list[tuple[int | None, ...]]:
        """Let Okta send what waits; the statuses it got."""
        return [each.statuses for each in await self.sandbox.deliverer.flush()]

    async def work(self) -> None:
        """Work until nobody is due now."""
        worker = self.house.worker
        assert worker is not None
        while await worker.take():
            await worker.drain()

    async def settle(self, within: timedelta = timedelta(minutes=10)) -> None:
        """Deliver and work until nobody becomes due within this time, pushing the clock."""
        end = self.time.now() + within
        while True:
            self.world.tick()
            await self.deliver()
            await self.work()
            at = await self.house.database.read(_next_due)
            pending = [each for each in (at, self._pending()) if each and each <= end]
            if not pending:
                return
            self.time.push(min(pending) - self.time.now() + timedelta(milliseconds=20))

    def _pending(self) -> datetime | None:
        """When Okta's own provisioning has something to land."""
        return self.world.next_landing() if hasattr(self.world, "next_landing") else None

    async def census(self) -> None:
        """Let the first census be done."""
        worker = self.house.worker
        assert worker is not None
        await self.house.database.write(lambda tx: worker.enroll(tx))
        await self.work()

    async def steps(self, user: str | None = None) -> list[dict[str, object]]:
        """The journal, newest first."""
        return await self.house.database.read(lambda tx: journal.list_steps(tx, user=user))

    async def refused(self, user: str | None = None) -> list[dict[str, object]]:
        """What is left alone now."""
        return await self.house.database.read(lambda tx: people.refused(tx, user=user))

    async def holds(self) -> list[dict[str, object]]:
        """What waits for a person."""
        return await self.house.database.read(holds.listed)

    def id(self, login: str) -> OktaUserId:
        """The Okta id behind a login."""
        return OktaUserId(self.world.user(login).id)


def _next_due(tx: Tx) -> datetime | None:
    at = tx.execute(
        select(func.min(_due.c.due_at)).where(_due.c.kind != "census")
    ).scalar_one_or_none()
    return datetime.fromtimestamp(at / 1_000_000, UTC) if at else None


@asynccontextmanager
async def running(
    world: World,
    clock: Time,
    database_url: str,
    folder: Path,
    *,
    more: str = "",
    census: bool = True,
) -> AsyncIterator[Running]:
    """Serve the sandbox and the service; the hook is registered, the first census done."""
    async with serving(world) as sandbox:
        path = folder / "hooks.toml"
        path.write_text(config(world, sandbox.okta_url, sandbox.atlassian_url, more))
        settings = load(environ(world, database_url, path), need=Role.SERVE)
        database = Database(settings.secrets.database_url.reveal(), Clock())
        await asyncio.to_thread(schema.migrate, database)
        database.close()
        async with wiring.opened(settings, vendors=True, clock=Clock(clock.seconds)) as house:
            assert house.worker is not None
            app = create_app(house)
            async with listening(app) as url:
                world.add_hook(f"{url}/okta/events", SECRET, HOOK_TYPES)
                run = Running(sandbox, house, clock, url)
                if census:
                    await run.census()
                yield run
                await house.worker.drain()
