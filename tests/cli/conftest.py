"""Both stand-ins in a thread of their own, and the settings that lead to them."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hooks import cli
from hooks.cli.sandbox import HOOK_SECRET, matching_environ, matching_toml
from hooks.clock import Clock
from hooks.core.attempt import DeadLetter
from hooks.core.ids import OktaAppId
from hooks.core.log_event import parse_delivery
from hooks.sandbox import Sandbox, Story0, delivery, serving
from hooks.settings import Role, load
from hooks.store import line, schema
from hooks.store.database import Database, Tx
from hooks.store.intake import Origin, put
from hooks.store.sealing import Sealer

SECRETS = ("HOOKS_SEALING_KEYS", "HOOKS_SCIM_KEY", "HOOKS_ORG_API_KEY", "HOOKS_OKTA_API_TOKEN")


@dataclass
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its answer; it must be JSON to the last character."""
        return json.loads(self.out)


@dataclass
class Desk:
    """An operator's desk: a story, a configured and migrated store, and the command line."""

    story: Story0
    folder: Path
    environ: dict[str, str]
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Ran:
        self.capture.readouterr()
        code = cli.main(arguments)
        shown = self.capture.readouterr()
        assert "Traceback" not in shown.err
        for secret in (HOOK_SECRET, *(self.environ[name] for name in SECRETS)):
            assert secret not in shown.out + shown.err
        return Ran(code, shown.out, shown.err)

    def write(self, transaction: Callable[[Tx], Any]) -> Any:
        """Change the store behind the command line's back."""
        with self._database() as database:
            return database.write_now(transaction)

    def read(self, query: Callable[[Tx], Any]) -> Any:
        """Look into the store."""
        with self._database() as database:
            return database.read_now(query)

    def dump(self) -> list[str]:
        """Everything the store holds, to compare."""

        def rows(tx: Tx) -> list[str]:
            driver: Any = tx.connection.connection.driver_connection
            return list(driver.iterdump())

        return self.read(rows)  # type: ignore[no-any-return]

    def bury(self, user: str, why: str = "attempts") -> None:
        """Make a dead letter of somebody."""
        self.write(lambda tx: line.mark(tx, [user], "user", lane=0, due_at=tx.now, events=True))
        (held,) = self.write(lambda tx: line.lease(tx, limit=1, only=user))
        self.write(lambda tx: line.settle(tx, held, DeadLetter(why)))

    def deliver(self, *bodies: bytes) -> list[str]:
        """Store these deliveries, or every event the System Log has, as the hook would; uuids."""
        bodies = bodies or tuple(delivery([event]) for event in self.story.world.log.all())
        events = [event for body in bodies for event in parse_delivery(body).events]
        apps = frozenset({OktaAppId(self.story.app.id)})
        origins = {each.uuid: Origin() for each in events}
        self.write(lambda tx: put(tx, events, origins, apps=apps, sealer=self.sealer))
        return [each.uuid for each in events]

    @property
    def sealer(self) -> Sealer:
        return Sealer(load(self.environ, need=Role.STORE).secrets.sealing_keys)

    @contextmanager
    def _database(self) -> Iterator[Database]:
        url = self.environ["HOOKS_DATABASE_URL"].replace("sqlite:", "sqlite+pysqlite:")
        database = Database(url, Clock())
        try:
            yield database
        finally:
            database.close()


@pytest.fixture
def story() -> Iterator[tuple[Story0, Sandbox]]:
    """Source 0's people and groups, both vendors listening in another thread."""
    story = Story0()
    ready: list[Sandbox] = []
    up = threading.Event()
    stop: list[Callable[[], object]] = []

    async def run() -> None:
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(end.set))
        async with serving(story.world) as sandbox:
            ready.append(sandbox)
            up.set()
            await end.wait()

    thread = threading.Thread(target=asyncio.run, args=[run()])
    thread.start()
    assert up.wait(10)
    yield story, ready[0]
    stop[0]()
    thread.join(10)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database to copy."""
    path = tmp_path_factory.mktemp("migrated") / "hooks.db"
    database = Database(f"sqlite+pysqlite:///{path}", Clock())
    schema.migrate(database)
    database.close()
    return path


@pytest.fixture
def desk(
    story: tuple[Story0, Sandbox],
    migrated: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    """A configured command line with an empty, migrated store."""
    told, sandbox = story
    config = tmp_path / "hooks.toml"
    config.write_text(
        matching_toml(told.world, told.directory, sandbox.okta_url, sandbox.atlassian_url)
    )
    environ = matching_environ(
        told.world,
        told.directory,
        config=config,
        database=tmp_path / "hooks.db",
        hook_secret=HOOK_SECRET,
    )
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    shutil.copy(migrated, tmp_path / "hooks.db")
    return Desk(told, tmp_path, environ, capsys)
