"""What an audit costs: calls beside the pages there are, memory, and time; on SQLite.

python tests/bench/audit.py [people] [groups] [groups of each person]

Both stand-ins run in a process of their own. One person in 200 has what they should not.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
#: Entries in a page, as each vendor gives them. Sources: Okta OpenAPI (app users 500, users 200,
#: members 200 recommended), Atlassian (SCIM 100, organization 100).
PAGES = {"app users": 500, "users": 200, "members": 200, "groups": 200, "scim": 100, "org": 100}
PROFILE = [sys.executable, *os.environ.get("PROFILE", "").split()]
LOCAL = "jira-software-users"


def main() -> None:
    """Build the world, audit it, print."""
    people, groups, each = (
        int(sys.argv[at]) if len(sys.argv) > at else default
        for at, default in ((1, 50_013), (2, 500), (3, 9))
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = subprocess.Popen(
            [sys.executable, __file__, "world", str(folder), str(people), str(groups), str(each)],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        )
        try:
            while not (folder / "ready").exists():
                time.sleep(0.2)
                assert world.poll() is None
            found = _audit(folder)
        finally:
            world.terminate()
            world.wait(60)
        calls: dict[str, int] = json.loads((folder / "calls").read_text())
        sizes: list[int] = json.loads((folder / "sizes").read_text())
    least = _pages(people, sizes)
    found |= {
        "people": people,
        "groups": groups,
        "calls": sum(calls.values()),
        "pages": least,
        "calls_to_pages": round(sum(calls.values()) / least, 3),
    }
    print(json.dumps(found))  # noqa: T201


def _pages(people: int, sizes: list[int]) -> int:
    """How many pages everything that has to be read fills."""

    def full(entries: int, kind: str) -> int:
        return max(1, math.ceil(entries / PAGES[kind]))

    okta = (
        full(people, "app users") + full(people, "users") + 1 + full(2 * len(sizes) + 1, "groups")
    )
    members = sum(full(size, "members") for size in sizes)
    atlassian = full(people, "scim") + full(people, "org") + full(len(sizes) + 1, "org")
    return okta + members + atlassian + full(people, "org") + 2  # local members; the app, mappings


def _audit(folder: Path) -> dict[str, Any]:
    environ = json.loads((folder / "environ").read_text()) | {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
    }
    hooks = [sys.executable, "-m", "hooks"]
    subprocess.run([*hooks, "migrate"], env=environ, check=True, capture_output=True)
    began = time.perf_counter()
    with (folder / "told").open("w+b") as told:
        process = subprocess.Popen(
            [*PROFILE, *hooks[1:], "audit", "--json"], env=environ, stdout=told
        )
        _, status, usage = os.wait4(process.pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        told.seek(0)
        audit = json.load(told)
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "rss_mib": round(usage.ru_maxrss / 1024, 1),
        "database_mib": round((folder / "hooks.db").stat().st_size / 2**20, 1),
        "counts": {kind: many for kind, many in audit["counts"].items() if many},
    }


# -- the world ---------------------------------------------------------------------------------


def world(folder: Path, people: int, groups: int, each: int) -> None:
    """Both stand-ins, until told to stop."""
    import asyncio

    from hooks.cli.sandbox import matching_environ, matching_toml
    from hooks.sandbox import World, crowd, serving

    made = World()
    made.switches.okta_rate_headers = False  # else its rate sets the time, as in a real tenant
    directory = crowd(made, people, groups, each, app="main")
    with made.long_ago():
        made.add_local_group(LOCAL)
        for number in range(people):
            made.local_add(LOCAL, f"person-{number:05}@somedomain.example")
    for number in range(0, people, 200):
        made.scim_add(
            directory,
            f"team-{(number + each) % groups:03}",
            f"person-{number:05}@somedomain.example",
        )

    async def serve() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with serving(made) as sandbox:
            config, database = folder / "hooks.toml", folder / "hooks.db"
            config.write_text(
                matching_toml(made, directory, sandbox.okta_url, sandbox.atlassian_url)
            )
            environ = matching_environ(
                made, directory, config=config, database=database, hook_secret="s" * 40
            )
            (folder / "environ").write_text(json.dumps(environ))
            sizes = [
                len(group.members)
                for group in made.org.groups.values()
                if group.type == "OKTA_GROUP"
            ]
            (folder / "sizes").write_text(json.dumps(sizes))
            (folder / "ready").touch()
            await stop.wait()
            calls = {" ".join(map(str, key)): many for key, many in made.counters.items()}
            (folder / "calls").write_text(json.dumps(calls))

    asyncio.run(serve())


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "world":
        world(Path(sys.argv[2]), *map(int, sys.argv[3:6]))
    else:
        main()
