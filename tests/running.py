"""The whole service beside the sandbox, over loopback HTTP, on a clock a test can push."""

from __future__ import annotations

import asyncio
import base64
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Dialect, func, make_url, select

from hooks import wiring
from hooks.app import Hook, Readiness, create_app
from hooks.catchup import Read
from hooks.clock import Clock
from hooks.core.ids import OktaUserId
from hooks.exchange import Asgi
from hooks.gateways.credential import Credential, Secret
from hooks.sandbox.server import Sandbox, listen, serving
from hooks.sandbox.story import HOOK_TYPES
from hooks.sandbox.world import World
from hooks.settings import Role, load
from hooks.store import holds, inbox, journal, line, orders, refusals, schema, taken
from hooks.store.database import Database, Tx
from hooks.store.tables import Due
from hooks.store.taken import Meant
from hooks.wiring import House

SECRET = "the-secret-of-the-hook-is-long-enough"
SEALING_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
#: A person who is due again and again within ten minutes is a fault.
_ROUNDS = 1000
#: An empty SQLite file with the schema, once there is one: migrating takes a tenth of a second.
_migrated: list[bytes] = []
#: What statements compile to, for SQLite and for PostgreSQL.
_shared: dict[bool, tuple[Dialect, dict[object, object]]] = {}
_migrating = threading.Lock()
_due = Due.__table__  # type: ignore[attr-defined]
#: What is always due some time.
_REGULAR = ("census", "catchup", "purge", "audit")


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


def config(
    world: World,
    okta_url: str,
    atlassian_url: str,
    more: str = "",
    modes: Mapping[str, str] | None = None,
    *,
    rules: str | None = None,
) -> str:
    """A hooks.toml for every directory of the world; ``modes`` by its name, ``""`` for all.

    ``rules`` are the ``[[local_group]]`` of it; ``None``: no organization.
    """
    modes = {"": "enforce", **(modes or {})}
    directories = "\n".join(
        f'[[directory]]\nname = "{each.name}"\nokta_app_id = "{each.app_id}"\n'
        f'scim_directory_id = "{each.id}"\n'
        + (f'mode = "{modes[each.name]}"\n' if each.name in modes else "")
        for each in world.directories.values()
    )
    return (
        f'mode = "{modes[""]}"\n{more}\n'
        f'[okta]\norg_url = "{okta_url}"\n'
        f'[atlassian]\napi_url = "{atlassian_url}"\n'
        + (f'organization_id = "{world.organization.id}"\n' if rules is not None else "")
        + f"{directories}\n{rules or ''}"
    )


def environ(
    world: World, database_url: str, config_path: Path, *, organization: bool = False
) -> dict[str, str]:
    """The environment that goes with it."""
    key = {"HOOKS_ORG_API_KEY": world.organization.api_key} if organization else {}
    return key | {
        "HOOKS_CONFIG": str(config_path),
        "HOOKS_DATABASE_URL": re.sub(r"\+\w+://", "://", database_url),
        "HOOKS_HOOK_SECRET": SECRET,
        "HOOKS_OKTA_API_TOKEN": world.credentials.api_token,
        "HOOKS_SEALING_KEYS": SEALING_KEY,
        **{
            f"HOOKS_SCIM_KEY_{each.name.upper().replace('-', '_')}": each.key
            for each in world.directories.values()
        },
    }


#: As `hooks.register` asks for it.
Shown = Callable[[Any, tuple[str, ...]], Credential]


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
        """Deliver and work until nothing is due within this time, pushing the clock to what is.

        What may be due: somebody in line, and Okta's own jobs, which land in the directory.
        """
        end = self.time.now() + within
        for _ in range(_ROUNDS):
            self.world.tick()
            await self.deliver()
            await self.work()
            at = await self.house.database.read(_next_due)
            pending = [each for each in (at, self._landing()) if each and each <= end]
            if not pending:
                return
            self.time.push(min(pending) - self.time.now() + timedelta(milliseconds=5))
        raise AssertionError("never settled")

    def _landing(self) -> datetime | None:
        """When the next of Okta's own jobs lands in the directory."""
        return self.world._jobs[0][0] if self.world.waiting else None

    async def catch_up(self) -> Read:
        """Read the System Log on, as the service does every minute, and work."""
        assert self.house.catch_up is not None
        read = await self.house.catch_up.read_on()
        assert read is not None, "it was not due"
        await self.work()
        return read

    async def census(self) -> None:
        """Let the first census be done."""
        worker = self.house.worker
        assert worker is not None
        await self.house.database.write(worker.enroll)
        await self.work()

    async def steps(self, login: str | None = None) -> list[tuple[str, str, str, str]]:
        """The journal, oldest first: action, group, reason, and the last outcome's state."""
        user = self.id(login) if login else None
        rows = await self.house.database.read(
            lambda tx: journal.list_steps(tx, user=user, limit=10_000)
        )
        return [
            (str(row["action"]), str(row["name"]), str(row["reason"]), str(_last(row)["state"]))
            for row in reversed(rows)
        ]

    async def causes(self, user: str) -> set[str]:
        """Why something of this person is left alone now. ``user`` is a login or an id."""
        rows = await self.house.database.read(
            lambda tx: refusals.listed(tx, user=OktaUserId.maybe(user) or self.id(user))
        )
        return {str(row["cause"]) for row in rows}

    async def holds(self) -> list[dict[str, object]]:
        """What waits for a person."""
        return await self.house.database.read(holds.listed)

    async def dead(self) -> list[dict[str, object]]:
        """Who is given up on."""
        return await self.house.database.read(inbox.dead)

    def id(self, login: str) -> OktaUserId:
        """The Okta id behind a login."""
        return OktaUserId(self.world.user(login).id)


async def ordered_back(run: Running, meant: Meant, *, only: str = "", named: bool = False) -> None:
    """Order back what was taken, as ``hooks restore`` does; ``only`` the group of this name."""

    def write(tx: Tx) -> None:
        gone = taken.page(tx, meant, after=0, limit=1_000)
        for user in sorted({each.user for each in gone}):
            steps = [each.id for each in gone if each.user == user and only in ("", each.name)]
            orders.restore(tx, user, steps, named=named, who="somebody", why="a story")
            line.mark(tx, [user], "user", lane=line.URGENT, due_at=tx.now, events=False)

    await run.house.database.write(write)


def _last(step: dict[str, object]) -> dict[str, object]:
    outcomes = step["outcomes"]
    assert isinstance(outcomes, list)
    last = outcomes[-1]
    assert isinstance(last, dict)
    return last


def _doors(house: House) -> Asgi:
    """The public listener, as the process serves it."""

    async def ready() -> None:
        await house.database.write(lambda _: None)

    def secrets() -> list[bytes]:
        return [each.reveal().encode() for each in house.settings.secrets.hook]

    assert house.worker is not None
    hook = Hook(house.settings.okta.hook_header, secrets, house.intake.put, house.worker.bell.set)
    return create_app(readiness=Readiness(ready, loaded=lambda: True), hook=hook)


def _next_due(tx: Tx) -> datetime | None:
    at = tx.execute(
        select(func.min(_due.c.due_at)).where(_due.c.kind.not_in(_REGULAR))
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
    modes: Mapping[str, str] | None = None,
    census: bool = True,
    rules: str | None = None,
    given: Mapping[str, str | None] | None = None,
) -> AsyncIterator[Running]:
    """Serve the sandbox and the service; the hook is registered, the first census done.

    ``given`` stands in the environment beside the rest, or in its place; ``None`` takes out.
    """
    stopping: list[asyncio.Task[None]] = []
    async with AsyncExitStack() as stack:
        stack.push_async_callback(lambda: asyncio.gather(*stopping))
        sandbox = await stack.enter_async_context(serving(world))
        path = folder / "hooks.toml"
        text = config(world, sandbox.okta_url, sandbox.atlassian_url, more, modes, rules=rules)
        path.write_text(text)
        told = {
            **environ(world, database_url, path, organization=rules is not None),
            **(given or {}),
        }
        settings = load({name: text for name, text in told.items() if text}, need=Role.SERVE)
        await asyncio.to_thread(migrate, settings.secrets.database_url.reveal())
        house = await stack.enter_async_context(
            wiring.opened(settings, vendors=True, tells=True, clock=Clock(clock.seconds))
        )
        await wiring.check_names(house)
        assert house.worker is not None
        await asyncio.to_thread(_share, house.database)
        listener = await listen(_doors(house), 0)
        # The three servers stop together: each takes a tenth of a second.
        stack.callback(lambda: stopping.append(asyncio.create_task(listener.stop())))
        world.add_hook(f"{listener.url}/okta/events", SECRET, HOOK_TYPES)
        run = Running(sandbox, house, clock, listener.url)
        if census:
            await run.census()
        yield run
        await house.worker.drain()


def migrate(url: str) -> None:
    """Bring a database up to the schema; a new SQLite file is a copy of the first one made."""
    with _migrating:  # alembic keeps what it is at for the whole process
        _migrate(url)


def _migrate(url: str) -> None:
    parsed = make_url(url)
    file = Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None
    if file and _migrated and not file.exists():
        file.write_bytes(_migrated[0])
        return
    fresh = file is not None and not file.exists()
    database = Database(url, Clock())
    try:
        schema.migrate(database)
    finally:
        database.close()
    if file and fresh:
        _migrated.append(file.read_bytes())


def _share(database: Database) -> None:
    """Let a database use what others of its kind have compiled, and give what it compiles.

    A process has one database for its whole life; here each row has its own, and compiling every
    statement anew is a tenth of it.
    """
    engine = database._engine
    if database.postgres not in _shared:
        engine.connect().close()  # a dialect asks its server what it can do, once
        _shared[database.postgres] = engine.dialect, {}
    engine.dialect, compiled = _shared[database.postgres]
    engine.update_execution_options(compiled_cache=compiled)


def by_token(token: str) -> Shown:
    """What shows Okta this API token, for whatever scopes."""
    return lambda _client, _scopes: Secret("SSWS", lambda: token)
