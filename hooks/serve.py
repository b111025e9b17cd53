"""`hooks serve`: both listeners and the worker in one process, from the settings to the exit code.

Must live here: sockets, signals, tasks and their order at the end. Must not know: what any of
them does. Exit codes: 0 stopped as told, 1 could not run or the worker died, 2 wrong settings
or arguments.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hooks import logs  # isort: skip  # before anything that logs, see there

import structlog
import uvloop

from hooks import figures, wiring
from hooks.app import Hook, Readiness, create_app
from hooks.core.errors import SettingsError, StoreError, UnsealedError
from hooks.core.membership import Mode
from hooks.listener import Listener, bind, place
from hooks.operations import Tally, create_operations
from hooks.release import release
from hooks.settings import Role, load
from hooks.store import chain, cursor, inbox, intake, schema, seals

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from hooks.settings import Secret, Settings
    from hooks.wiring import House

USAGE = """\
usage: hooks serve [--no-worker | --only-worker]

  --no-worker    receive and store deliveries only; reads no vendor's credential
  --only-worker  work through what is stored only; reads no hook secret
"""
#: As many connections as deliveries may wait, and room for probes and slow ones.
_MOST_CONNECTIONS = intake.MOST_WAITING + 1_000
_MOST_OPERATIONS = 100
#: Objects made between two looks for garbage. Those of a burst live until it is stored, and the
#: usual 700 looked at them again and again: a twentieth of the loop's time.
GARBAGE = 10_000
#: Descriptors for everything that is no connection from outside: store, vendors, files.
_OTHER_FILES = 256
#: Secrets that are used once, when everything is opened.
_ONLY_AT_START = frozenset({"HOOKS_DATABASE_URL", "HOOKS_SEALING_KEYS", "HOOKS_CHAIN_KEY"})

log = structlog.get_logger("hooks.serve")


def serve(argv: Sequence[str]) -> int:
    """Run until told to stop; the exit code."""
    if set(argv) & {"-h", "--help"}:
        sys.stdout.write(USAGE)
        return 0
    roles = {(): Role.SERVE, ("--no-worker",): Role.RECEIVE, ("--only-worker",): Role.WORK}
    role = roles.get(tuple(argv))
    if role is None:
        sys.stderr.write(USAGE)
        return 2
    try:
        settings = load(need=role)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with ExitStack() as sockets:
        bound = []
        for name in ("public", "operations"):
            address = getattr(settings.listen, name)
            try:
                bound.append(sockets.enter_context(bind(address.host, address.port)))
            except OSError as error:
                sys.stderr.write(f"hooks: [listen] {name} = {address}: {error.strerror}\n")
                return 1
        return _run(settings, role, *bound)


def _run(settings: Settings, role: Role, public: socket.socket, operations: socket.socket) -> int:
    logs.begin()
    running = _Running(settings, role, public, operations)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(running.run())
    except SettingsError as error:
        log.error("not_started", error=str(error))  # noqa: TRY400  # as below
        return 2
    except (StoreError, UnsealedError) as error:
        log.error("not_started", error=str(error))  # noqa: TRY400  # the message says it all
    except Exception:
        log.exception("fault")
    return 1


@dataclass(slots=True)
class _Running:
    """One process from its start to its end."""

    settings: Settings
    role: Role
    public: socket.socket
    operations: socket.socket
    started: float = field(default_factory=time.monotonic)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    code: int = 0
    _doors: tuple[Listener, ...] = ()
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def run(self) -> int:
        """Open, serve, close; the exit code."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        vendors = self.role is not Role.RECEIVE
        async with wiring.opened(self.settings, vendors=vendors, tells=True) as house:
            before = await asyncio.to_thread(schema.migrate, house.database)
            if before:
                log.info("migrated", before=before, now=schema.HEAD)
            newer = await asyncio.to_thread(schema.newer, house.database)
            if newer:
                log.warning("schema_newer", schema=newer, release=schema.HEAD)
            await house.database.read(lambda tx: inbox.check_seal(tx, house.sealer))
            if self.role is not Role.RECEIVE:
                await wiring.check_names(house)
            await self._serve(house)
        log.info("stopped", code=self.code)
        return self.code

    async def _serve(self, house: House) -> None:
        readiness = self._readiness(house)
        hook = None if self.role is Role.WORK else self._hook(house)
        public = Listener(
            create_app(readiness=readiness, hook=hook),
            self.public,
            most_connections=_most_connections(),
        )
        operations = Listener(
            create_operations(
                tally=Tally(house.database), about=lambda: self._about(house), token=self._token
            ),
            self.operations,
            most_connections=_MOST_OPERATIONS,
        )
        for key, day in self.settings.expiry.items():
            figures.KEY_DAYS_LEFT.labels(key).set_function(
                lambda day=day: (day - house.clock.now().date()).days  # type: ignore[misc]
            )
        self._doors = (public, operations)
        async with asyncio.TaskGroup() as group:
            door = group.create_task(public.listen(), name="public")
            other = group.create_task(operations.listen(), name="operations")
            for name, each in (("worker", house.worker), ("catch_up", house.catch_up)):
                if each:
                    self._tasks.append(group.create_task(self._work(each.run), name=name))
            alarms = house.alarms(loaded=readiness.loaded)
            self._tasks.append(group.create_task(alarms.run(self.stop), name="alarms"))
            await asyncio.gather(public.up.wait(), operations.up.wait())
            self._announce(house)
            await self._warn_of_lost_keys(house)
            # What lives now lives on: no collection need look at it again.
            gc.freeze()
            gc.set_threshold(GARBAGE)
            gc.enable()
            await self.stop.wait()
            readiness.closing = True
            public.stop()
            await asyncio.wait([door, *self._tasks])
            operations.stop()  # last, so that the end can be watched
            await asyncio.wait([other])

    async def _work(self, run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        """A worker that ends by itself ends the process: nobody may accept and never work."""
        try:
            await run(self.stop)
        except Exception:
            log.exception("worker_died")
        if not self.stop.is_set():
            self.code = 1
            self.stop.set()

    # -- what the parts are given --------------------------------------------------------------

    def _hook(self, house: House) -> Hook:
        """The hook's door; not with --only-worker, which holds no hook secret to compare with."""
        secrets = self.settings.secrets
        return Hook(
            header=self.settings.okta.hook_header,
            secrets=lambda: [each.reveal().encode() for each in secrets.hook],
            put=house.intake.put,
            ring=house.worker.bell.set if house.worker else lambda: None,
        )

    def _readiness(self, house: House) -> Readiness:
        def check() -> Coroutine[object, object, None]:
            return house.database.write(lambda tx: cursor.put(tx, "ready", ""))

        receives = self.role is not Role.WORK
        return Readiness(check, loaded=lambda: not receives or bool(self.settings.secrets.hook))

    def _token(self) -> str | None:
        held: Secret | None = self.settings.secrets.operations_token
        return held.reveal() if held else None

    def _about(self, house: House) -> dict[str, object]:
        return {
            "version": release(),
            "role": self.role.name.lower(),
            "uptime_seconds": round(time.monotonic() - self.started, 1),
            "directories": _modes(self.settings),
            "engine": _engine(house),
            "stopping": self.stop.is_set(),
            "vendors": house.vendors(),
        }

    # -- what people are told ------------------------------------------------------------------

    def _announce(self, house: House) -> None:
        log.info(
            "serving",
            version=release(),
            role=self.role.name.lower(),
            directories=_modes(self.settings),
            engine=_engine(house),
            public=place(self.public),
            operations=place(self.operations),
            seconds=round(time.monotonic() - self.started, 3),
        )
        found = _warnings(self.settings)
        if house.signer is None and self.role is not Role.RECEIVE:
            found.append("no HOOKS_CHAIN_KEY: nothing proves the journal; hooks keys new makes one")
        for words in found:
            log.warning("note", words=words)

    async def _warn_of_lost_keys(self, house: House) -> None:
        """The newest events open, or we had not begun; older values may be sealed otherwise."""
        try:
            lost = await house.database.read(lambda tx: seals.lost(tx, house.sealer))
            strange = await house.database.read(lambda tx: chain.strange_key(tx, house.signer))
        except StoreError as error:
            log.warning("seals_not_checked", error=str(error))
            return
        for key in lost:
            words = f"older values are sealed with key {key}, which is not given: hooks keys rotate"
            log.warning("note", words=words)
        if strange and self.role is not Role.RECEIVE:
            words = f"the journal is chained with key {strange}, which is not given"
            log.error("note", words=f"{words}: nothing of it can be proved, or purged")

    # -- signals -------------------------------------------------------------------------------

    def _told_to_stop(self) -> None:
        """The first time everything under way is finished; the second time nothing is."""
        if not self.stop.is_set():
            log.info("stopping")
            self.stop.set()
            return
        log.warning("stopping_quickly")
        for each in self._doors:
            each.stop(quickly=True)
        for task in self._tasks:
            task.cancel()

    def _reload(self) -> None:
        try:
            changed = self.settings.secrets.reload()
        except SettingsError as error:
            log.error("secrets_not_reloaded", mistakes=str(error))  # noqa: TRY400  # as above
            return
        log.info("secrets_reloaded", changed=sorted(changed))
        if late := changed & _ONLY_AT_START:
            log.warning("restart_needed", changed=sorted(late))


def _modes(settings: Settings) -> dict[str, str]:
    return {str(name): mode.value for name, mode in settings.modes.items()}


def _engine(house: House) -> str:
    return "postgresql" if house.database.postgres else "sqlite"


def _warnings(settings: Settings) -> list[str]:
    """What is as configured, and yet perhaps not as meant."""
    found = [
        f"directory {name!s} only observes: plans are journalled, nothing is sent"
        for name, mode in settings.modes.items()
        if mode is Mode.OBSERVE
    ]
    if settings.atlassian.organization_id is None:
        found.append("no organization_id: local groups stay, and admin roles protect nobody")
    elif not settings.local_groups:
        found.append("no [[local_group]]: groups kept in Atlassian itself stay as they are")
    if not settings.listen.operations.loopback:
        found.append("[listen] operations is reachable from outside, with its token")
    return found


def _most_connections() -> int:
    """Raise the limit of open files as far as we may, and stay below it."""
    wanted = _MOST_CONNECTIONS + _MOST_OPERATIONS + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(1, min(_MOST_CONNECTIONS, soft - _MOST_OPERATIONS - _OTHER_FILES))
