"""How long a start takes, what it holds idle, and what of it is whose: printed, part by part."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.servers import ROOT, Server, configured, environ
from tests.bench.table import Row, Scale, interleaved

#: Seconds after which it has done all it does at a start.
_SETTLED = 1.0
#: What stands in for a package in the list of what costs what.
_OURS = "hooks"
_MOST = 12
#: Imports all that a server of this kind cannot be without, and listens.
_LEAST = """
import asyncio, uvicorn, uvloop, starlette.applications, starlette.routing, starlette.responses
import sys
app = starlette.applications.Starlette(routes=[starlette.routing.Route(
    "/readyz", lambda _: starlette.responses.Response())])
uvicorn.run(app, port=int(sys.argv[1]), log_level="critical")
"""


@dataclass(frozen=True, slots=True)
class Started:
    """Seconds to the first 200 of /readyz, MiB a second later, and the share of one core idle."""

    seconds: float
    memory: float
    idle: float


def measure(scale: Scale, folder: Path) -> Iterator[Row | str]:
    """The service on a database it knows, beside a server that can do nothing."""
    port, given = configured(folder, f"sqlite:///{folder / 'hooks.db'}")
    given |= {"HOOKS_OKTA_API_TOKEN": "token", "HOOKS_SCIM_KEY": "key"}
    watch = scale.of(5, 1)
    start = partial(_start, ["-m", "hooks", "serve"], port, given, watch)
    start()  # migrates
    sides: dict[str, Callable[[], Started]] = {
        "ours": start,
        "least": partial(_start, ["-c", _LEAST, str(port)], port, {}, watch),
    }
    found = interleaved(scale.runs, sides)
    for name, words, unit in (
        ("seconds", "from exec to ready", "s"),
        ("memory", "held when ready", "MiB"),
        ("idle", "of one core while idle", "%"),
    ):
        ours, least = (tuple(getattr(each, name) for each in found[side]) for side in sides)
        yield Row(words, ours, unit, least, "uvicorn with Starlette")
    yield from _costs(given)


def _start(words: list[str], port: int, given: dict[str, str], watch: int) -> Started:
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env=environ(given), stderr=subprocess.DEVNULL
    ) as process:
        try:
            while not _ready(port):
                assert process.poll() is None
                time.sleep(0.005)
            seconds = time.perf_counter() - began
            time.sleep(_SETTLED)
            server = Server(port, process.pid, Path())
            memory, cpu = server.memory(), server.cpu()
            time.sleep(watch)
            return Started(seconds, memory, 100 * (server.cpu() - cpu) / watch)
        finally:
            process.kill()


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _costs(given: dict[str, str]) -> Iterator[str]:
    """Milliseconds of importing what serving needs, by whose it is; each is told once."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import hooks.serve"],
        cwd=ROOT, env=environ(given), check=True, capture_output=True, text=True,
    )  # fmt: skip
    spent: Counter[str] = Counter()
    for own, name in re.findall(
        r"^import time: +(\d+) \| +\d+ \| +(\S+)", ran.stderr, re.MULTILINE
    ):
        package = name.partition(".")[0]
        kept = package == _OURS or package not in sys.stdlib_module_names
        spent[package if kept and not package.startswith("_") else "Python's own"] += int(own)
    total = sum(spent.values())
    yield f"imports of serve: {total / 1000:.0f} ms, measured while measuring, of which"
    for name, own in spent.most_common(_MOST):
        yield f"  {own / 1000:6.1f} ms {name}"
