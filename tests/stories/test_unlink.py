"""Deleting a record under its owner's lease: what happens between a reading and the DELETE."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from hooks.clock import elapsed
from hooks.core.errors import HooksError, LeaseLostError
from hooks.core.ids import DirectoryName, OktaUserId
from hooks.sandbox.story import CONFLUENCE, JIRA_USERS, PERSON, Story0
from hooks.sandbox.world import World
from hooks.seek import Found, Judged, Seek
from hooks.store import line, pause, released
from hooks.unlink import Ended, Unlink, UnlinkRefusedError, opened
from tests.running import Running, Time, running

MAIN = DirectoryName("main")
Meanwhile = Callable[[], Awaitable[None]]


class Late(Seek):
    """Something happens after the last reading, and before anything is sent; or before it."""

    meanwhile: Meanwhile | None = None
    before: Meanwhile | None = None

    async def judge(self, found: Found, *, owners: frozenset[OktaUserId] | None = None) -> Judged:
        if owners is not None and self.before:
            await self.before()
        judged = await super().judge(found, owners=owners)
        if owners is not None and self.meanwhile:
            await self.meanwhile()
        return judged


@dataclass
class Scene:
    """Somebody left and was stripped; the verb, and the world around it."""

    story: Story0
    run: Running
    seek: Late
    verb: Unlink

    async def unlink(self) -> Ended:
        """What the command does, once the SCIM id was typed."""
        (found,) = await self.seek.find(PERSON)
        judged = await self.seek.judge(found)
        assert judged.obstacles == ()
        settings = self.run.house.settings
        async with opened(
            settings.atlassian.api_url,
            settings.directories[0].scim_directory_id,
            MAIN,
            lambda: self.story.directory.key,
            self.run.house.clock,
        ) as door:
            return await self.verb.carry_out(
                judged, door, leave=frozenset(), who="somebody", why="a story"
            )

    @property
    def deletes(self) -> int:
        """How many DELETEs left."""
        requests = self.story.world.requests
        return sum(each.method == "DELETE" and "/Users/" in each.path for each in requests)

    async def marked(self) -> bool:
        """Whether anybody is marked as released."""
        name = self.story.person.id
        return bool(await self.run.house.database.read(lambda tx: released.find(tx, name)))


@asynccontextmanager
async def staged(time: Time, url: str, folder: Path) -> AsyncIterator[Scene]:
    story = Story0(World(time.now), deactivates=True)
    rules = f'[[local_group]]\nname = "{JIRA_USERS}"\n'
    async with running(story.world, time, url, folder, rules=rules) as run:
        story.world.deactivate(PERSON)
        await run.settle()
        assert story.groups | story.local_groups == set()
        house = run.house
        assert house.observer
        assert house.policy
        seek = Late(observer=house.observer, policy=house.policy, database=house.database)
        verb = Unlink(seek, house.database, house.sealer, house.clock, sleep=_at_once)
        story.world.announce_unlink("main", PERSON)
        yield Scene(story, run, seek, verb)


async def _at_once(_: float) -> None:
    """Nobody waits here."""


@pytest.fixture
async def scene(time: Time, sqlite_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with staged(time, sqlite_url, tmp_path) as found:
        yield found


async def test_it_is_deleted_on_either_engine(
    time: Time, database_url: str, tmp_path: Path
) -> None:
    async with staged(time, database_url, tmp_path) as scene:
        assert await scene.unlink() is Ended.GONE
        assert (scene.deletes, await scene.marked()) == (1, True)
        await scene.run.settle()
        assert await scene.run.causes(PERSON) == {"released"}
        scene.story.world.activate(PERSON)
        await scene.run.settle()
        assert scene.story.groups == {CONFLUENCE}
        assert await scene.run.causes(PERSON) == set()
        assert scene.story.world.violations == []


async def test_who_is_assigned_meanwhile_is_left_alone(scene: Scene) -> None:
    async def act() -> None:
        scene.story.world.activate(PERSON)

    scene.seek.before = act
    with pytest.raises(UnlinkRefusedError, match="in_force"):
        await scene.unlink()
    assert (scene.deletes, await scene.marked()) == (0, False)


async def test_a_record_that_names_another_account_meanwhile_is_left_alone(scene: Scene) -> None:
    world = scene.story.world

    async def act() -> None:
        other = world.add_account("another@somedomain.example")
        found = world.record("main", PERSON)
        scene.story.directory._by_account.setdefault(other.id, []).append(found.id)
        found.account_id = other.id

    scene.seek.before = act
    with pytest.raises(UnlinkRefusedError, match="another account"):
        await scene.unlink()
    assert (scene.deletes, await scene.marked()) == (0, False)


async def test_without_the_lease_nothing_is_sent(scene: Scene) -> None:
    """It ended while this process was stopped, and somebody else has taken it."""
    user, database = scene.story.person.id, scene.run.house.database

    async def act() -> None:
        scene.run.time.push(timedelta(seconds=90))
        assert await database.write(lambda tx: line.lease(tx, limit=1, only=user))

    scene.seek.meanwhile = act
    with pytest.raises(LeaseLostError):
        await scene.unlink()
    assert (scene.deletes, await scene.marked()) == (0, False)


async def test_with_too_little_of_the_lease_left_nothing_is_sent(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = elapsed()

    async def act() -> None:
        monkeypatch.setattr("hooks.gateways.transport.elapsed", lambda: began + 50)

    scene.seek.meanwhile = act
    with pytest.raises(LeaseLostError, match="too little lease"):
        await scene.unlink()
    monkeypatch.undo()
    assert (scene.deletes, await scene.marked()) == (0, False)


async def test_a_pause_that_begins_meanwhile_stops_it(scene: Scene) -> None:
    async def act() -> None:
        await scene.run.house.database.write(lambda tx: pause.begin(tx, who="x", why="y"))

    scene.seek.meanwhile = act
    with pytest.raises(UnlinkRefusedError, match="paused"):
        await scene.unlink()
    assert (scene.deletes, await scene.marked()) == (0, False)


@pytest.mark.parametrize("status", [400, 401, 403, 429, 503])
async def test_what_was_refused_was_not_done_and_can_be_tried_again(
    scene: Scene, status: int
) -> None:
    world = scene.story.world
    world.fault("scim", method="DELETE", status=status)
    with pytest.raises(HooksError):
        await scene.unlink()
    assert not await scene.marked()
    world.clear()
    world.announce_unlink("main", PERSON)
    scene.run.time.push(timedelta(minutes=10))
    assert await scene.unlink() is Ended.GONE


async def test_a_crash_after_the_delete_leaves_what_the_next_run_reads(scene: Scene) -> None:
    """The mark and the order are there already; the order is ended by whoever reads."""
    scene_id = scene.story.world.record("main", PERSON).id

    async def dies(_: float) -> None:
        raise KeyboardInterrupt

    scene.verb.sleep = dies
    with pytest.raises(KeyboardInterrupt):
        await scene.unlink()
    assert scene.deletes == 1
    (kept,) = await scene.run.house.database.read(lambda tx: released.find(tx, scene_id))
    assert kept.order is not None
    scene.verb.sleep = _at_once
    assert await scene.seek.find(PERSON) == ()
    (ended,) = await scene.verb.ended(scene_id)
    assert ended.record == scene_id
    (kept,) = await scene.run.house.database.read(lambda tx: released.find(tx, scene_id))
    assert kept.order is None
    assert scene.deletes == 1


async def test_a_forgotten_person_leaves_no_copy(scene: Scene) -> None:
    from hooks.store import erasure

    user = scene.run.id(PERSON)
    await scene.unlink()
    while await scene.run.house.database.write(lambda tx: erasure.delete_own(tx, user)):
        pass
    assert not await scene.marked()
