"""Real processes on loopback: the service, and whatever stands beside it.

Must live here: how one is started, found ready, watched and ended. Must not know: what is asked
of it. Only what was started here is ever ended.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.fleet import free_port

ROOT = Path(__file__).parents[2]
SECRET = "s" * 40
KEY = bytes(32)
#: Seconds for one start, on a machine busy with others.
_STARTING = 60.0
#: Receives only; nothing of any vendor is reached.
_CONFIG = """
mode = "observe"
[listen]
public = "127.0.0.1:{port}"
operations = "127.0.0.1:0"
[okta]
org_url = "http://127.0.0.1:9"
[atlassian]
api_url = "http://127.0.0.1:9"
[[directory]]
name = "main"
okta_app_id = "0oa00000000000000001"
scim_directory_id = "11111111-1111-4111-8111-111111111111"
"""


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs and listens."""

    port: int
    pid: int
    log: Path

    def memory(self, what: str = "VmRSS") -> float:
        """MiB it holds now, or the most since `forget_peak` with ``VmHWM``."""
        return _memory(self.pid, what)

    def forget_peak(self) -> None:
        """Begin anew to measure the most it held. Source: proc(5), clear_refs."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def environ(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What every process is given; nothing else of ours."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **(more or {})}


def watched(process: subprocess.Popen[bytes]) -> float:
    """Wait for its end; the most MiB it held.

    The kernel's own figure for a child that has ended is never below what we held when it began.
    """
    peak = 0.0
    while process.poll() is None:
        with suppress(ProcessLookupError):  # it is about to end
            peak = max(peak, _memory(process.pid, "VmHWM"))
        time.sleep(0.02)
    return peak


def _memory(pid: int, what: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


@contextmanager
def started(
    words: Sequence[str], port: int, log: Path, more: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """``python`` with these words, until the block ends; ready as soon as it takes connections."""
    with (
        log.open("ab") as told,
        subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, env=environ(more), stdout=told, stderr=told
        ) as process,
    ):
        try:
            _await(process, port, log)
            yield Server(port, process.pid, log)
        finally:
            process.kill()  # nothing of it is kept, and a clean end may take twenty seconds


@contextmanager
def beside(words: Sequence[str], log: Path) -> Iterator[Callable[[object], Any]]:
    """``python`` with these words, until the block ends: what is asked, and answered, is JSON.

    One line each; nothing else may be written to its standard output.
    """
    with (
        log.open("ab") as stderr,
        subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, env=environ(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True,
        ) as process,
    ):  # fmt: skip
        given, told = process.stdin, process.stdout
        assert given
        assert told

        def ask(what: object) -> Any:
            with suppress(BrokenPipeError):  # nothing is read then, and the log says why
                given.write(json.dumps(what) + "\n")
                given.flush()
            line = told.readline()
            if not line:
                raise RuntimeError(f"{' '.join(words)} has ended: {log.read_text()[-4_000:]}")
            return json.loads(line)

        try:
            yield ask
        finally:
            process.terminate()


def configured(folder: Path, url: str) -> tuple[int, dict[str, str]]:
    """A port for the service, and the environment that has it listen there; the file is written."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    (folder / "hooks.toml").write_text(_CONFIG.format(port=port))
    return port, {
        "HOOKS_CONFIG": str(folder / "hooks.toml"),
        "HOOKS_HOOK_SECRET": SECRET,
        "HOOKS_SEALING_KEYS": base64.urlsafe_b64encode(KEY).decode(),
        "HOOKS_DATABASE_URL": url,
    }


@contextmanager
def receiver(folder: Path, url: str, *words: str) -> Iterator[Server]:
    """The service on a database, receiving only; ``words`` stand in for ``-m hooks``."""
    port, given = configured(folder, url)
    command = [*(words or ("-m", "hooks")), "serve", "--no-worker"]
    with started(command, port, folder / "log", given) as server:
        yield server


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _STARTING
    while time.monotonic() < until and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"did not start: {log.read_text(errors='replace')[-2000:]}")
