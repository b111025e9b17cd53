"""What replaying a file takes: memory, time, and what is kept of it; on SQLite.

Must live here: files of each form, and one run of the command. `measure` compares the forms.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.servers import KEY, environ, watched
from tests.bench.table import Row, Scale, under

CONFIG = """
mode = "observe"
[okta]
org_url = "http://127.0.0.1:9"
[[directory]]
name = "main"
okta_app_id = "0oa00000000000000001"
scim_directory_id = "11111111-1111-4111-8111-111111111111"
"""
PEOPLE = 5_000
#: As long as what Okta's System Log shows of one event.
FILLING = {f"key{number}": "v" * 40 for number in range(36)}
#: MiB that a large file may take more than a small one.
MORE = 50
#: What stands before the events, between them, and behind.
AROUND = {
    "lines": (b"", b"\n", b"\n"),
    "array": (b"[", b", ", b"]"),
    "pretty": (b"[\n", b",\n", b"\n]"),
    "delivery": (b'{"data": {"events": [', b", ", b"]}}"),  # on one line
    "string": (b'{"uuid": "', b"", b""),  # one without end, and no event
}


@dataclass(frozen=True, slots=True)
class Replayed:
    """One run: MiB at its peak, seconds, and what the command told; bytes the database grew to."""

    peak: float
    seconds: float
    told: dict[str, Any]
    stored: int


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    """A small file and a large one of each form."""
    for form in AROUND:
        small, large = folder / "small", folder / "large"
        write(small, 1, form)
        write(large, scale.of(150_000, 1_000), form)
        least = replayed(folder, small, whole=form != "string")
        most = replayed(folder, large, whole=form != "string")
        size = large.stat().st_size / 1e6
        more = most.peak - least.peak
        yield Row(f"more memory, {form}, {size:.0f} MB", (more,), "MiB", target=under(MORE))


def replayed(folder: Path, file: Path, *, whole: bool = True) -> Replayed:
    """Replay a file into a database of its own. ``whole``: nothing of it is broken."""
    database = folder / f"{uuid.uuid4()}.db"
    (folder / "hooks.toml").write_text(CONFIG)
    given = environ(
        {
            "HOOKS_CONFIG": str(folder / "hooks.toml"),
            "HOOKS_SEALING_KEYS": base64.urlsafe_b64encode(KEY).decode(),
            "HOOKS_DATABASE_URL": f"sqlite:///{database}",
        }
    )
    hooks = [sys.executable, "-m", "hooks"]
    subprocess.run([*hooks, "migrate"], env=given, check=True, capture_output=True)
    empty = database.stat().st_size
    began = time.perf_counter()
    with (folder / "told").open("w+b") as told:
        command = [*hooks, "replay", str(file), "--reason", "a measurement", "--json"]
        process = subprocess.Popen(command, env=given, stdout=told, stderr=subprocess.DEVNULL)
        peak = watched(process)
        seconds = time.perf_counter() - began
        assert process.returncode == int(not whole)
        told.seek(0)
        found = Replayed(peak, seconds, json.load(told), database.stat().st_size - empty)
    for each in folder.glob(f"{database.name}*"):
        each.unlink()
    return found


def write(file: Path, events: int, form: str = "lines", ours: int = 1) -> None:
    """A file of so many events, of which one in ``ours`` concerns us."""
    before, between, behind = AROUND[form]
    with file.open("wb") as stream:
        stream.write(before)
        for number in range(events):
            event = _event(number, ours=number % ours == 0)
            part = json.dumps(event, indent=2 if form == "pretty" else None).encode()
            part = b"z" * 2_000 if form == "string" else part
            stream.write(part if number == 0 else between + part)
        stream.write(behind)


def _event(number: int, *, ours: bool) -> dict[str, object]:
    person = f"00u{number % PEOPLE:017d}"
    return {
        "uuid": str(uuid.UUID(int=number, version=4)),
        "eventType": "user.lifecycle.deactivate" if ours else "user.session.start",
        "published": "2026-11-21T09:29:59.000Z",
        "debugContext": {"debugData": FILLING},
        "target": [{"type": "User", "id": person, "displayName": "Somebody", "detailEntry": None}],
    }
