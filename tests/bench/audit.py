"""What an audit costs: calls beside the pages there are, memory, and time; on SQLite.

Both stand-ins run in a process of their own, which is this file. One person in 200 has what they
should not.
"""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.servers import environ, watched
from tests.bench.table import Row, Scale

PEOPLE, GROUPS, EACH = 50_013, 500, 9
#: Entries in a page, as each vendor gives them. Sources: Okta OpenAPI (app users 500, users 200,
#: members 200 recommended), Atlassian (SCIM 100, organization 100).
PAGES = {"app users": 500, "users": 200, "members": 200, "groups": 200, "scim": 100, "org": 100}
LOCAL = "jira-software-users"


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    """Build the world once, audit it in each run."""
    people, groups, each = scale.of(PEOPLE, 513), scale.of(GROUPS, 10), EACH
    world = subprocess.Popen(
        [sys.executable, __file__, str(folder), str(people), str(groups), str(each)],
        env=environ(),
    )
    try:
        while not (folder / "ready").exists():
            time.sleep(0.2)
            assert world.poll() is None
        found = [_audit(folder) for _ in range(scale.runs)]
    finally:
        world.terminate()
        world.wait(60)
    calls: dict[str, int] = json.loads((folder / "calls").read_text())
    sizes: list[int] = json.loads((folder / "sizes").read_text())
    least = float(_pages(people, sizes))
    at = f"an audit, {people:,} people in {groups} groups"
    yield Row(f"calls of {at}", (sum(calls.values()) / scale.runs,), "", (least,), "pages")
    yield Row(f"time of {at}", tuple(seconds for seconds, _ in found), "s")
    yield Row(f"memory of {at}", tuple(peak for _, peak in found), "MiB")


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


def _audit(folder: Path) -> tuple[float, float]:
    """Seconds of one, and the most MiB it held."""
    given = environ(json.loads((folder / "environ").read_text()))
    hooks = [sys.executable, "-m", "hooks"]
    subprocess.run([*hooks, "migrate"], env=given, check=True, capture_output=True)
    began = time.perf_counter()
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*hooks, "audit", "--json"], env=given, stdout=subprocess.DEVNULL, stderr=log
        )
        peak = watched(process)
    assert process.returncode == 0
    return time.perf_counter() - began, peak


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
    world(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
