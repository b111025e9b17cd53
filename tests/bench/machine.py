"""What this ran on, and what it can do at best; no name of it, and nobody's.

Must live here: the plain limits of the machine. Must not know: anything of ours but versions.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

from tests.bench.table import percentile
from tests.postgres import _binaries


def line() -> str:
    """Cores, processor, memory, versions, and what the databases lie on."""
    server = subprocess.run(
        [_binaries() / "postgres", "--version"], check=True, capture_output=True, text=True
    )
    return ", ".join(
        (
            f"{os.cpu_count()} cores of {_field('/proc/cpuinfo', 'model name') or 'unknown'}",
            f"{int((_field('/proc/meminfo', 'MemTotal') or '0').split()[0]) / 2**20:.0f} GiB",
            f"{platform.system()} {platform.release().split('-')[0]}",
            f"{_kind(Path(tempfile.gettempdir()))} with fsync in {fsync():.2f} ms",
            f"Python {platform.python_version()}",
            f"SQLite {sqlite3.sqlite_version}",
            f"PostgreSQL {server.stdout.split()[2]}",
            f"load {os.getloadavg()[0]:.1f}",
        )
    )


def fsync(times: int = 200) -> float:
    """Milliseconds until four kilobytes more are on the disk: the least a commit can take."""
    took = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return 1000 * percentile(took, 0.5)


def _field(file: str, name: str) -> str | None:
    for text in Path(file).read_text().splitlines():
        key, _, value = text.partition(":")
        if key.strip() == name:
            return value.strip()
    return None


def _kind(folder: Path) -> str:
    """The kind of file system a folder is on; in memory nothing costs a commit anything."""
    best = ("", "unknown")
    for text in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = text.split()
        if folder.resolve().is_relative_to(place) and len(place) >= len(best[0]):
            best = (place, kind)
    return best[1]
