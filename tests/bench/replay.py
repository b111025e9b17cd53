"""How much memory replaying a file takes more than a small one, and events per second; on SQLite.

python tests/bench/replay.py [MEGABYTES [FORM [OURS]]]
FORM is lines, array or delivery (on one line), pretty, or string (one without end, and no event);
one event in OURS concerns us.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONFIG = """
mode = "observe"
[okta]
org_url = "http://127.0.0.1:9"
[[directory]]
name = "main"
okta_app_id = "0oa00000000000000001"
scim_directory_id = "11111111-1111-4111-8111-111111111111"
"""
ROOT = Path(__file__).parents[2]
PEOPLE = 10_000
#: As long as what Okta's System Log shows of one event.
FILLING = {f"key{number}": "v" * 40 for number in range(36)}


def main() -> None:
    """Replay a small file and a large one; what the large one took more."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    form = sys.argv[2] if len(sys.argv) > 2 else "lines"
    ours = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hooks.toml").write_text(CONFIG)
        least, _, _ = _replayed(folder, 0, form, ours)
        most, seconds, told = _replayed(folder, megabytes, form, ours)
        found = {
            "megabytes": megabytes,
            "form": form,
            "events": told["events"],
            "stored": told["stored"],
            "broken": told["broken"],
            "seconds": round(seconds, 1),
            "events_per_second": round(told["events"] / seconds),
            "rss_growth_mib": round(most - least, 1),
        }
    print(json.dumps(found))  # noqa: T201
    if most - least > 50:
        sys.exit("more than 50 MiB")


def _replayed(
    folder: Path, megabytes: int, form: str, ours: int
) -> tuple[float, float, dict[str, Any]]:
    """Peak MiB, seconds, and what the command told."""
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOOKS_CONFIG": str(folder / "hooks.toml"),
        "HOOKS_SEALING_KEYS": base64.urlsafe_b64encode(bytes(32)).decode(),
        "HOOKS_DATABASE_URL": f"sqlite:///{folder / f'{megabytes}.db'}",
    }
    hooks = [sys.executable, "-m", "hooks"]
    subprocess.run([*hooks, "migrate"], env=environ, check=True, capture_output=True)
    file = folder / "events.json"
    with file.open("wb") as stream:
        for part in _parts(megabytes * 10**6, form, ours):
            stream.write(part)
    began = time.perf_counter()
    with (folder / "told").open("w+b") as told:
        command = [*hooks, "replay", str(file), "--reason", "a measurement", "--json"]
        process = subprocess.Popen(command, env=environ, stdout=told)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        assert os.waitstatus_to_exitcode(status) == (1 if form == "string" else 0)
        told.seek(0)
        return usage.ru_maxrss / 1024, seconds, json.load(told)


#: What stands before the events, between them, and behind.
AROUND = {
    "lines": (b"", b"\n", b"\n"),
    "array": (b"[", b", ", b"]"),
    "pretty": (b"[\n", b",\n", b"\n]"),
    "delivery": (b'{"data": {"events": [', b", ", b"]}}"),
    "string": (b'{"uuid": "', b"", b""),
}


def _parts(length: int, form: str, ours: int) -> Iterator[bytes]:
    before, between, behind = AROUND[form]
    yield before
    written = number = 0
    while written < length or number == 0:
        event = _event(number, ours=number % ours == 0)
        part = json.dumps(event, indent=2 if form == "pretty" else None).encode()
        part = b"z" * 2_000 if form == "string" else part
        yield part if number == 0 else between + part
        written += len(part)
        number += 1
    yield behind


def _event(number: int, *, ours: bool) -> dict[str, object]:
    person = f"00u{number % PEOPLE:017d}"
    return {
        "uuid": str(uuid.UUID(int=number, version=4)),
        "eventType": "user.lifecycle.deactivate" if ours else "user.session.start",
        "published": "2026-11-21T09:29:59.000Z",
        "debugContext": {"debugData": FILLING},
        "target": [{"type": "User", "id": person, "displayName": "Somebody", "detailEntry": None}],
    }


if __name__ == "__main__":
    main()
