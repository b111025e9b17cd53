"""`hooks demo` and `hooks sandbox`: both stand-ins on this machine, and a verdict on the world."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from hooks import cli
from hooks.cli import demo, stage
from hooks.cli import sandbox as room
from hooks.cli.sandbox import HOOK_SECRET, small_org
from hooks.core.log_event import EVENT_TYPES
from hooks.sandbox import serving
from hooks.settings import Role, load

COMMAND = (sys.executable, "-m", "hooks")


def test_the_demo_ends_well_and_reads_well(tmp_path: Path) -> None:
    ran = subprocess.run(
        [*COMMAND, "demo"], capture_output=True, text=True, timeout=50, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
    lines = ran.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in ran.stdout
    assert lines[-1].startswith("Exactly what was stale was removed, and nothing else.")
    assert sum(line.startswith("  ok") for line in lines) == 7
    assert "    why       unassigned: the user is no longer assigned to the app" in lines
    assert "    why       left: the user is deactivated or gone" in lines
    assert "  remove jira-software-users" in lines
    stale = [
        line for line in lines if line.endswith("jira-software-users (local)         <- stale")
    ]
    assert len(stale) == 2, "away and back, without the service only"


#: Says that it serves, answers every delivery 204, and does nothing.
_IDLE = """
import http.server, json, sys
class Door(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Door)
told = {"event": "serving", "public": f"127.0.0.1:{server.server_port}"}
print(json.dumps(told), file=sys.stderr, flush=True)
server.serve_forever()
"""


def test_the_verdict_comes_from_the_world(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = stage.beside

    async def idle(*, deactivates: bool, turn: asyncio.Lock) -> stage.Play:
        async def nothing(*_: object) -> list[object]:
            return []

        monkeypatch.setattr(stage, "_quiet", nothing)
        monkeypatch.setattr(stage, "_journal", nothing)
        serve = (sys.executable, "-c", _IDLE)
        return await real(deactivates=deactivates, turn=turn, serve=serve, patience=0.3)

    monkeypatch.setattr(stage, "beside", idle)
    assert cli.main(["demo"]) == 1
    out = capsys.readouterr().out
    assert out.count("  WRONG") == 3
    assert "empty: nothing was done" in out
    assert out.splitlines()[-1].startswith("The end is wrong")


def test_a_service_that_does_not_start_is_said_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken() -> None:
        serve = (sys.executable, "-c", "raise SystemExit('settings: 1 mistake')")
        await stage.beside(deactivates=False, turn=asyncio.Lock(), serve=serve)

    monkeypatch.setattr(demo, "_played", broken)
    assert cli.main(["demo"]) == 1
    assert capsys.readouterr().err == ("demo: the service did not start: settings: 1 mistake\n")


# -- the sandbox -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """What `hooks sandbox` prints; it goes on running."""
    arguments = ["sandbox", "--okta-port", "0", "--atlassian-port", "0"]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True) as process:
        told = ""
        assert process.stdout
        for line in process.stdout:
            told += line
            if line.startswith("Ctrl-C"):
                break
        yield told
        process.terminate()


def test_what_is_lost_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    async def play() -> None:
        world = small_org()
        world.add_hook("http://127.0.0.1:9/okta/events", HOOK_SECRET, list(EVENT_TYPES))
        async with serving(world) as running:
            delivering = asyncio.create_task(room._deliver(running))
            world.deactivate("ada@somedomain.example")
            while not running.deliverer.done:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.01)
            delivering.cancel()

    asyncio.run(play())
    assert "no answer; lost" in capsys.readouterr().out


def test_the_sandbox_prints_settings_that_are_taken(sandbox: str, tmp_path: Path) -> None:
    toml = sandbox.partition("# hooks.toml\n")[2].partition("\n# ")[0]
    assert tomllib.loads(toml)["mode"] == "enforce"
    path = tmp_path / "hooks.toml"
    path.write_text(toml)
    exports = [line for line in sandbox.splitlines() if line.startswith("export ")]
    pairs = (line.removeprefix("export ").split("=", 1) for line in exports)
    environ = {name: value.strip("'") for name, value in pairs}
    settings = load(environ | {"HOOKS_CONFIG": str(path)}, need=Role.SERVE)
    assert settings.atlassian.organization_id
    assert [each.name for each in settings.local_groups] == ["jira-software-users"]
    assert settings.secrets.organization_key


def test_the_sandbox_is_played_with_through_its_door(sandbox: str) -> None:
    url = sandbox.partition("\nurl=")[2].partition("\n")[0]

    def groups() -> dict[str, list[str]]:
        with urllib.request.urlopen(f"{url}/state") as answer:  # noqa: S310  # loopback
            state = json.load(answer)
        found: dict[str, list[str]] = state["directories"]["main"]["groups"]
        return found

    person = "testexample@somedomain.example"
    assert person in groups()["Production-Confluence"]
    body = json.dumps([person, "Production-StatusPage"]).encode()
    urllib.request.urlopen(f"{url}/add_to_group", data=body).close()  # noqa: S310  # loopback
    assert person in groups()["Production-StatusPage"]


def test_a_port_that_is_taken_is_said_to_be(
    sandbox: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port = sandbox.partition("\nurl=http://127.0.0.1:")[2].partition("/")[0]
    assert cli.main(["sandbox", "--okta-port", port]) == 1
    err = capsys.readouterr().err
    assert err.startswith("sandbox: ")
    assert "take another --okta-port" in err
