"""`hooks serve` as a process: its start, its signals, its end, and what it says."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from hooks.clock import Clock
from hooks.serve import _Running, serve
from hooks.settings import Role, Settings, load
from hooks.store import alarms, chain, inbox, pause, schema
from hooks.store.chain import Signer
from hooks.store.database import Database, Tx
from hooks.store.sealing import Sealer
from tests.store.builders import left, put, user

ROOT = Path(__file__).parents[1]
SECRET, OTHER = "the-secret-that-okta-shows-us-today", "the-secret-that-okta-shows-tomorrow"
USER = "00u00000000000000001"
CONFIG = """
mode = "enforce"
[listen]
public = "127.0.0.1:0"
operations = "127.0.0.1:0"
[okta]
org_url = "http://127.0.0.1:9"
[atlassian]
api_url = "http://127.0.0.1:9"
[[directory]]
name = "main"
okta_app_id = "0oa00000000000000001"
scim_directory_id = "11111111-1111-4111-8111-111111111111"
mode = "observe"
"""


class Process:
    """A serving process and what it says."""

    def __init__(self, folder: Path, environ: dict[str, str], words: list[str]) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, *words], env=environ, cwd=folder, stderr=subprocess.PIPE, text=True
        )
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stderr
        self.said.extend(self.popen.stderr)

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(each) for each in self.said if each.startswith("{")]
        return [each for each in found if each["event"] == event]

    def line(self, event: str) -> dict[str, Any]:
        """The first such line, when it is there."""
        until = time.monotonic() + 20
        while not (found := self.lines(event)):
            assert self.popen.poll() is None, "".join(self.said)
            assert time.monotonic() < until, "".join(self.said)
            time.sleep(0.01)
        return found[0]

    @property
    def public(self) -> str:
        return f"http://{self.line('serving')['public']}"

    @property
    def operations(self) -> str:
        return f"http://{self.line('serving')['operations']}"

    def tell(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def end(self) -> int:
        code = self.popen.wait(20)
        self._reader.join()
        if self.popen.stderr:
            self.popen.stderr.close()
        return code


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """What a process of every role needs, and a database whose schema is current."""
    (tmp_path / "hooks.toml").write_text(CONFIG)
    (tmp_path / "secret").write_text(SECRET)
    path = tmp_path / "hooks.db"
    migrate(f"sqlite+pysqlite:///{path}")
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOOKS_CONFIG": "hooks.toml",
        "HOOKS_HOOK_SECRET_FILE": "secret",
        "HOOKS_SEALING_KEYS": base64.urlsafe_b64encode(bytes(32)).decode(),
        "HOOKS_OKTA_API_TOKEN": "okta-token-that-nobody-may-read",
        "HOOKS_SCIM_KEY": "scim-key-that-nobody-may-read",
        "HOOKS_DATABASE_URL": f"sqlite:///{path}",
    }


def migrate(url: str) -> None:
    database = Database(url, Clock())
    schema.migrate(database)
    database.close()


@contextmanager
def serving(folder: Path, environ: dict[str, str], *words: str) -> Iterator[Process]:
    process = Process(folder, environ, ["-m", "hooks", "serve", *words])
    try:
        process.line("serving")
        yield process
    finally:
        process.popen.kill()
        process.end()


def delivery(uuid: str) -> bytes:
    target = [{"type": "User", "id": USER, "alternateId": "a.person@example.com"}]
    event = {"uuid": uuid, "eventType": "user.lifecycle.deactivate", "target": target}
    return json.dumps({"eventId": str(uuid4()), "data": {"events": [event]}}).encode()


def stored(url: str) -> set[str]:
    def uuids(tx: Tx) -> set[str]:
        return {str(row["uuid"]) for row in inbox.listed(tx, inbox.Wanted(limit=100_000))}

    database = Database(re.sub(r"^(\w+)://", _driver, url), Clock())
    try:
        return database.read_now(uuids)
    finally:
        database.close()


def write(url: str, transaction: Callable[[Tx], Any]) -> Any:
    database = Database(re.sub(r"^(\w+)://", _driver, url), Clock())
    try:
        return database.write_now(transaction)
    finally:
        database.close()


def _driver(found: re.Match[str]) -> str:
    return {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}[found[1]] + "://"


# -- a life ------------------------------------------------------------------------------------


def test_a_serving_process_says_what_it_is_and_nothing_secret(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with serving(tmp_path, environ) as process, httpx.Client() as client:
        said = process.line("serving")
        assert (said["directories"], said["engine"]) == ({"main": "observe"}, "sqlite")
        assert "observes" in process.line("note")["words"]
        assert client.get(f"{process.public}/readyz").status_code == 200
        assert client.get(f"{process.public}/metrics").status_code == 404
        head = {"Authorization": SECRET}
        uuid = str(uuid4())
        for shown, answered in (({}, 401), (head, 204), (head, 204)):
            answer = client.post(
                f"{process.public}/okta/events", content=delivery(uuid), headers=shown
            )
            assert answer.status_code == answered
        found = client.get(f"{process.operations}/status").json()
        assert found["directories"] == {"main": "observe"}
        assert found["vendors"].keys() == {"okta", "scim main"}
        metrics = client.get(f"{process.operations}/metrics").text
        assert 'hooks_deliveries_total{answer="204"} 2.0' in metrics
        assert 'hooks_events_total{seen="known"} 1.0' in metrics
        process.tell(signal.SIGTERM)
        assert process.end() == 0
        assert process.lines("stopped")
        told = "".join(process.said)
        hidden = [SECRET, "nobody-may-read", "example.com", environ["HOOKS_SEALING_KEYS"]]
        assert not [each for each in hidden if each in told + metrics + json.dumps(found)]
    assert stored(environ["HOOKS_DATABASE_URL"]) == {uuid}


def test_a_serving_process_imports_nothing_that_only_commands_need(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    words = ["-X", "importtime", "-m", "hooks", "serve"]
    process = Process(tmp_path, environ, words)
    assert httpx.get(f"{process.public}/readyz").status_code == 200
    process.tell(signal.SIGTERM)
    assert process.end() == 0
    imported = {each.rpartition("|")[2].strip() for each in process.said if "import time:" in each}
    assert {"hooks.serve", "hooks.worker", "sqlalchemy", "uvloop"} <= imported
    # Their own rooms, since an import that is refused is listed too.
    roots = {each.partition(".")[0] for each in imported if "." in each}
    assert roots.isdisjoint({"alembic", "rich", "typer", "okta", "pygments", "mako"})
    assert not [each for each in imported if each.startswith("hooks.cli")]


def test_every_204_given_under_load_is_stored_when_the_process_is_told_to_stop(
    tmp_path: Path, environ: dict[str, str], database_url: str
) -> None:
    migrate(database_url)
    url = re.sub(r"\+\w+://", "://", database_url)
    with serving(tmp_path, environ | {"HOOKS_DATABASE_URL": url}) as process:
        acknowledged = asyncio.run(_load(process, seconds=0.6))
        assert process.end() == 0
    assert len(acknowledged) > 20
    assert acknowledged <= stored(url)


async def _load(process: Process, *, seconds: float) -> set[str]:
    """Deliver over many connections, tell the process to stop meanwhile; what it acknowledged."""
    acknowledged: set[str] = set()
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=process.public, limits=limits, timeout=10) as client:

        async def deliver() -> None:
            while True:
                uuid = str(uuid4())
                try:
                    answer = await client.post(
                        "/okta/events", content=delivery(uuid), headers={"Authorization": SECRET}
                    )
                except httpx.TransportError:
                    return
                assert answer.status_code in (204, 503)
                if answer.status_code == 204:
                    acknowledged.add(uuid)

        tasks = [asyncio.create_task(deliver()) for _ in range(16)]
        await asyncio.sleep(seconds)
        process.tell(signal.SIGTERM)
        await asyncio.gather(*tasks)
    return acknowledged


def test_a_second_signal_does_not_wait_for_anybody(tmp_path: Path, environ: dict[str, str]) -> None:
    with serving(tmp_path, environ) as process:
        host, port = process.public.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            head = f"POST /okta/events HTTP/1.1\r\nHost: x\r\nAuthorization: {SECRET}\r\n"
            slow.sendall(f"{head}Content-Length: 100\r\n\r\n".encode())
            time.sleep(0.2)
            process.tell(signal.SIGTERM)
            process.line("stopping")
            time.sleep(0.5)
            assert process.popen.poll() is None, "somebody is still waiting for an answer"
            assert httpx.get(f"{process.operations}/status").json()["stopping"]
            began = time.monotonic()
            process.tell(signal.SIGINT)
            assert process.end() == 0
            assert time.monotonic() - began < 3


def test_secrets_are_read_again_when_told_and_only_their_names_are_logged(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with serving(tmp_path, environ) as process, httpx.Client() as client:

        def shown(secret: str) -> int:
            answer = client.post(
                f"{process.public}/okta/events",
                content=delivery(str(uuid4())),
                headers={"Authorization": secret},
            )
            return answer.status_code

        assert (shown(SECRET), shown(OTHER)) == (204, 401)
        (tmp_path / "secret").write_text("short")
        process.tell(signal.SIGHUP)
        assert "HOOKS_HOOK_SECRET" in process.line("secrets_not_reloaded")["mistakes"]
        assert shown(SECRET) == 204, "what was held is held still"
        (tmp_path / "secret").write_text(OTHER)
        process.tell(signal.SIGHUP)
        assert process.line("secrets_reloaded")["changed"] == ["HOOKS_HOOK_SECRET"]
        assert (shown(SECRET), shown(OTHER)) == (401, 204)
        process.tell(signal.SIGTERM)
        assert process.end() == 0
        assert not [each for each in process.said if OTHER in each or SECRET in each]


# -- keys --------------------------------------------------------------------------------------


def sealed_with(environ: dict[str, str], *keys: bytes) -> None:
    """Store an event sealed with each of these keys, oldest first."""
    database = Database(environ["HOOKS_DATABASE_URL"], Clock())
    for number, key in enumerate(keys, 1):
        put(database, left(number, user(1)), sealer=Sealer([key]))
    database.close()


def test_a_process_says_at_its_start_which_key_older_events_lack(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    lost, given = bytes([7]) * 32, bytes(32)
    sealed_with(environ, lost, given)
    with serving(tmp_path, environ) as process, httpx.Client() as client:
        assert client.get(f"{process.public}/readyz").status_code == 200
        until = time.monotonic() + 20
        while not (said := [e for e in process.lines("note") if "sealed with" in e["words"]]):
            assert time.monotonic() < until
        assert Sealer([lost]).keys[0] in said[0]["words"]
        assert base64.urlsafe_b64encode(lost).decode() not in "".join(process.said)


def test_a_process_that_lacks_the_key_of_the_newest_event_does_not_start(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    lost, given = bytes([7]) * 32, bytes(32)
    sealed_with(environ, given, lost)
    ran = subprocess.run(
        [sys.executable, "-m", "hooks", "serve"],
        env=environ, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert ran.returncode == 1
    assert Sealer([lost]).keys[0] in ran.stderr


# -- roles -------------------------------------------------------------------------------------


def test_a_process_that_only_works_has_probes_but_no_hook_and_needs_no_secret_of_it(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    del environ["HOOKS_HOOK_SECRET_FILE"]
    with serving(tmp_path, environ, "--only-worker") as process, httpx.Client() as client:
        assert client.get(f"{process.public}/readyz").status_code == 200
        assert client.get(f"{process.public}/livez").status_code == 200
        assert client.post(f"{process.public}/okta/events", content=b"{}").status_code == 404
        assert client.get(f"{process.operations}/status").json()["role"] == "work"


def test_a_process_that_only_receives_needs_no_credential_of_a_vendor(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    del environ["HOOKS_OKTA_API_TOKEN"], environ["HOOKS_SCIM_KEY"]
    with serving(tmp_path, environ, "--no-worker") as process, httpx.Client() as client:
        head = {"Authorization": SECRET}
        url = f"{process.public}/okta/events"
        uuid = str(uuid4())
        assert client.post(url, content=delivery(uuid), headers=head).status_code == 204
        assert client.get(f"{process.operations}/status").json()["vendors"] == {}
    assert stored(environ["HOOKS_DATABASE_URL"]) == {uuid}


# -- alarms ------------------------------------------------------------------------------------


@pytest.mark.timeout(150)
def test_a_process_killed_before_it_told_tells_after_its_restart_and_never_says_where(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """It is killed when the receiver takes its connection, before a byte was read."""
    path = "/a-path-that-nobody-may-read"
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        url = f"http://127.0.0.1:{receiver.getsockname()[1]}{path}"
        (tmp_path / "hooks.toml").write_text(f'{CONFIG}[notify]\nurl = "{url}"\n')
        write(environ["HOOKS_DATABASE_URL"], lambda tx: pause.begin(tx, who="me", why="a test"))
        with serving(tmp_path, environ, "--no-worker") as process:
            connection, _ = receiver.accept()
            process.tell(signal.SIGKILL)
            assert process.end() == -signal.SIGKILL
            connection.close()
        [standing] = write(environ["HOOKS_DATABASE_URL"], alarms.standing)
        assert (standing.name, standing.told) == ("paused", "")
        receiver.settimeout(90)
        with serving(tmp_path, environ, "--no-worker") as process:
            connection, _ = receiver.accept()
            with connection, connection.makefile("rb") as asked:
                head = asked.readline().decode()
                length = next(
                    int(each.split(b":")[1]) for each in asked if each.startswith(b"Content-Length")
                )
                while asked.readline().strip():
                    pass
                told = json.loads(asked.read(length))
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                process.line("notified")
            assert head.split() == ["POST", path, "HTTP/1.1"]
            assert (told["what"], told["state"]) == ("paused", "begun")
            [alarm] = httpx.get(f"{process.operations}/status").json()["alarms"]
            metrics = httpx.get(f"{process.operations}/metrics").text
            assert (alarm["name"], alarm["told"]) == ("paused", "begun")
            assert 'hooks_notifications_total{outcome="told"} 1.0' in metrics
            process.tell(signal.SIGTERM)
            assert process.end() == 0
            assert path not in "".join(process.said) + metrics + json.dumps([told, alarm])


# -- starts that fail --------------------------------------------------------------------------


Failing = Callable[..., tuple[int, str]]


@pytest.fixture
def fails(
    tmp_path: Path,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Failing:
    """Start it here, where it ends before it opens anything; the exit code and what it said."""
    monkeypatch.chdir(tmp_path)

    def start(*words: str) -> tuple[int, str]:
        with monkeypatch.context() as here:
            for name in [each for each in os.environ if each.startswith("HOOKS_")]:
                here.delenv(name)
            for name, value in environ.items():
                here.setenv(name, value)
            code = serve(words)
        return code, capsys.readouterr().err

    return start


def test_every_mistake_is_told_at_once(
    tmp_path: Path, environ: dict[str, str], fails: Failing
) -> None:
    del environ["HOOKS_SCIM_KEY"], environ["HOOKS_SEALING_KEYS"]
    (tmp_path / "hooks.toml").write_text(CONFIG.replace("observe", "wrong"))
    code, said = fails()
    assert code == 2
    for place in ("HOOKS_SCIM_KEY", "HOOKS_SEALING_KEYS", "[[directory]] 1 mode"):
        assert place in said


def test_an_address_that_is_taken_is_one_line(tmp_path: Path, fails: Failing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config = CONFIG.replace('operations = "127.0.0.1:0"', f'operations = "{address}"')
        (tmp_path / "hooks.toml").write_text(config)
        code, said = fails()
    assert (code, said) == (
        1, f"hooks: [listen] operations = {address}: Address already in use\n"
    )  # fmt: skip


@pytest.mark.parametrize("words", [["--x"], ["--no-worker", "--only-worker"], ["now"]])
def test_words_it_does_not_know_are_answered_with_those_it_does(
    fails: Failing, words: list[str]
) -> None:
    code, said = fails(*words)
    assert (code, said.splitlines()[0]) == (
        2, "usage: hooks serve [--no-worker | --only-worker]"
    )  # fmt: skip


def test_a_store_that_is_not_there_is_one_line(tmp_path: Path, environ: dict[str, str]) -> None:
    environ["HOOKS_DATABASE_URL"] = "postgresql://me:a-password-to-hide@127.0.0.1:9/hooks"
    ran = subprocess.run(
        [sys.executable, "-m", "hooks", "serve"],
        env=environ, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert json.loads(ran.stderr)["event"] == "not_started"
    assert "password" not in ran.stderr


# -- a worker that dies ------------------------------------------------------------------------


@pytest.mark.parametrize("dies", [True, False])
async def test_a_worker_that_ends_by_itself_ends_the_process(
    tmp_path: Path,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    dies: bool,  # noqa: FBT001  # a case
) -> None:
    class Ends:
        async def run(self, _: asyncio.Event) -> None:
            if dies:
                raise RuntimeError

    monkeypatch.chdir(tmp_path)
    settings: Settings = load(environ, need=Role.SERVE)
    public, operations = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    running = _Running(settings, Role.SERVE, public, operations)
    await running._work(Ends().run)
    assert (running.code, running.stop.is_set()) == (1, True)
    public.close()
    operations.close()


def test_a_process_says_at_its_start_which_key_the_journal_lacks(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    lost, given = bytes([7]) * 32, bytes([8]) * 32
    with serving(tmp_path, environ) as process:
        until = time.monotonic() + 20
        while not [e for e in process.lines("note") if "no HOOKS_CHAIN_KEY" in e["words"]]:
            assert time.monotonic() < until
    database = Database(environ["HOOKS_DATABASE_URL"], Clock())
    database.write_now(lambda tx: chain.begin(tx, Signer(lost)))
    database.close()
    key = base64.urlsafe_b64encode(given).decode()
    with serving(tmp_path, environ | {"HOOKS_CHAIN_KEY": key}) as process:
        until = time.monotonic() + 20
        while not (said := [e for e in process.lines("note") if "chained with" in e["words"]]):
            assert time.monotonic() < until
        assert Signer(lost).id in said[0]["words"]
        assert key not in "".join(process.said)
