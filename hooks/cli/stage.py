"""One story, played beside the stand-ins: without the service, and with it as its own process.

Must live here: what is done and what is seen in the world. Must not know: how it is shown, or
what should have come of it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import hooks
from hooks.cli.ends import FailedError
from hooks.cli.lists import step_of
from hooks.cli.sandbox import HOOK_SECRET, matching_environ, matching_toml
from hooks.clock import elapsed
from hooks.core.log_event import EVENT_TYPES
from hooks.sandbox import Story0, serving
from hooks.sandbox.story import COLLEAGUE, PERSON
from hooks.settings import Role, load
from hooks.store import line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from hooks.cli.text import Record
    from hooks.settings import Settings
    from hooks.store.database import Tx

#: Later looks, so short that the demo can wait for them.
_LOOK_AGAIN = '[look_again]\nafter = ["1s", "2s"]'
_POLL = 0.02
#: What is due later than in this many microseconds, the demo does not wait for.
_SOON_US = 600_000_000
_STARTING = 20.0
#: The command that serves; a test puts another in its place.
SERVE = (sys.executable, "-m", "hooks", "serve")


@dataclass(frozen=True)
class Moment:
    """Who was in which group of the stand-in, synced and local, and what Okta then implied."""

    name: str
    active: bool
    groups: frozenset[str]
    entitled: frozenset[str]
    local: frozenset[str]
    colleague: frozenset[str]


@dataclass
class Play:
    """What was seen, and with a service its journal and what the vendors minded."""

    moments: list[Moment] = field(default_factory=list)
    journal: list[Record] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


def _seen(story: Story0, name: str) -> Moment:
    world, directory = story.world, story.directory
    return Moment(
        name,
        active=world.record(directory, PERSON).active,
        groups=frozenset(story.groups),
        entitled=frozenset(world.entitled(directory, PERSON)),
        local=frozenset(story.local_groups),
        colleague=frozenset(
            world.groups_of(directory, COLLEAGUE) | world.local_groups_of(COLLEAGUE)
        ),
    )


_NAMES = ("before", "away", "back")


def without(*, deactivates: bool) -> Play:
    """The story with nobody listening."""
    story = _story(deactivates=deactivates)
    moments = [_seen(story, _NAMES[0])]
    for name, step in zip(_NAMES[1:], story.steps, strict=True):
        step.act()
        moments.append(_seen(story, name))
    return Play(moments)


async def beside(
    *,
    deactivates: bool,
    turn: asyncio.Lock,
    serve: Sequence[str] = SERVE,
    patience: float = 20.0,
) -> Play:
    """The story with the service listening; what is not right after ``patience`` stays wrong.

    Stories that share ``turn`` do not disturb each other's times.
    """
    story = _story(deactivates=deactivates)
    play = Play([_seen(story, _NAMES[0])])
    with tempfile.TemporaryDirectory(prefix="hooks-demo-") as folder:
        async with (
            serving(story.world) as sandbox,
            _service(story, Path(folder), (sandbox.okta_url, sandbox.atlassian_url), serve) as (
                url,
                settings,
            ),
        ):
            story.world.add_hook(f"{url}/okta/events", HOOK_SECRET, list(EVENT_TYPES))
            await _quiet(settings, line.key("census", story.app.id), patience)
            for name, step in zip(_NAMES[1:], story.steps, strict=True):
                async with turn:
                    step.act()
                    await sandbox.deliverer.flush()
                    await _until(lambda: _as_implied(story), patience)
                    play.moments.append(_seen(story, name))
            await _quiet(settings, story.person.id, patience)
            play.journal = await _journal(settings, story.person.id)
            # Later looks have changed nothing, or this shows it.
            play.moments[-1] = _seen(story, _NAMES[-1])
    play.violations = list(story.world.violations)
    return play


def _story(*, deactivates: bool) -> Story0:
    """Local groups only where HR deactivates: an absence as brief as a demo is none otherwise."""
    return Story0(deactivates=deactivates, local=deactivates)


def _as_implied(story: Story0) -> bool:
    seen = _seen(story, "")
    return seen.groups == seen.entitled and not seen.local


async def _until(done: Callable[[], bool], patience: float) -> None:
    end = elapsed() + patience
    while not done() and elapsed() < end:  # noqa: ASYNC110  # the world tells nobody
        await asyncio.sleep(_POLL)


# -- the service -------------------------------------------------------------------------------


@asynccontextmanager
async def _service(
    story: Story0, folder: Path, urls: tuple[str, str], serve: Sequence[str]
) -> AsyncIterator[tuple[str, Settings]]:
    """A service of its own process, ready; yields its URL and what to open its store with."""
    config = folder / "hooks.toml"
    listen = '[listen]\npublic = "127.0.0.1:0"\noperations = "127.0.0.1:0"'
    config.write_text(matching_toml(story.world, story.directory, *urls, listen, _LOOK_AGAIN))
    environ = matching_environ(
        story.world,
        story.directory,
        config=config,
        database=folder / "hooks.db",
        hook_secret=HOOK_SECRET,
    )
    process = subprocess.Popen(  # noqa: ASYNC220, S603  # ours; it starts in a millisecond
        serve,
        env=environ | {"PYTHONPATH": str(Path(hooks.__path__[0]).parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        url = await _announced(process)
        # A pipe nobody reads would stop the service.
        draining = asyncio.create_task(asyncio.to_thread(_log(process).read))
        yield url, load(environ, need=Role.STORE)
        process.terminate()
        await draining
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)
        _log(process).close()


def _log(process: subprocess.Popen[str]) -> IO[str]:
    if process.stderr is None:
        raise FailedError("demo: the service has no log to read")
    return process.stderr


async def _announced(process: subprocess.Popen[str]) -> str:
    """Where the service listens, as its log says once it is ready."""

    def read() -> tuple[str, str]:
        words = ""
        for words in _log(process):
            told = _parsed(words)
            if told.get("event") == "serving":
                return f"http://{told['public']}", ""
        return "", words.strip()

    reading = asyncio.create_task(asyncio.to_thread(read))
    await asyncio.wait([reading], timeout=_STARTING)
    if not reading.done():
        process.terminate()
    url, last = await reading
    if not url:
        raise FailedError(f"demo: the service did not start: {last or 'it said nothing'}")
    return url


def _parsed(line: str) -> dict[str, object]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


# -- the journal -------------------------------------------------------------------------------


async def _quiet(settings: Settings, subject: str, patience: float) -> None:
    """Wait until nothing is due for a subject: a person, or the app whose people are read."""
    from hooks import wiring
    from hooks.store import inbox

    async with wiring.opened(settings, vendors=False) as house:
        end = elapsed() + patience
        while elapsed() < end:
            place = await house.database.read(lambda tx: inbox.place(tx, subject))
            soon = house.clock.now_us() + _SOON_US
            if place and not place.lease_until and (place.due_at or soon) >= soon:
                return
            await asyncio.sleep(_POLL)


async def _journal(settings: Settings, user: str) -> list[Record]:
    """The person's steps, oldest first."""
    from hooks import wiring
    from hooks.store import inbox, journal

    def told(tx: Tx) -> list[Record]:
        wanted = inbox.Wanted(subject=user, limit=1000)
        events = {str(row["uuid"]): row for row in inbox.listed(tx, wanted)}
        return [_timed(row, events) for row in reversed(journal.list_steps(tx, user=user))]

    async with wiring.opened(settings, vendors=False) as house:
        return await house.database.read(told)


def _timed(row: Record, events: dict[str, Record]) -> Record:
    """A step with the first event behind it, and the milliseconds from there to its end."""
    uuids = row["events"]
    known = [events[each] for each in (uuids if isinstance(uuids, list) else []) if each in events]
    first = min(known, key=lambda each: int(str(each["published"])), default=None)
    outcomes = row["outcomes"]
    last = outcomes[-1]["at"] if isinstance(outcomes, list) and outcomes else None
    spent = (last - int(str(first["published"]))) / 1000 if first and last else None
    return {
        **step_of(row),
        "event": f"{first['type']} {first['uuid']}" if first else "",
        "milliseconds": round(spent) if spent is not None else None,
    }
