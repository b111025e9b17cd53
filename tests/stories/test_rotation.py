"""The hook's secret is changed while events come, and none is lost, whenever a run ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import select

from hooks.core import registration
from hooks.core.errors import PermanentError
from hooks.core.ids import HookId, OktaAppId
from hooks.core.log_event import EVENT_TYPES
from hooks.core.registration import EventHook, Spec, Wanted
from hooks.gateways.okta_admin import OktaAdmin, Verb
from hooks.register import Admin, Register, UnverifiedError, opened
from hooks.sandbox.org import Hook
from hooks.store.database import Tx
from hooks.store.tables import Event
from tests.running import SECRET, Running, by_token
from tests.stories.company import Company

T = TypeVar("T")
NEXT = "the-secret-that-follows-is-as-long-as-that"
_event = Event.__table__  # type: ignore[attr-defined]
#: More calls than a rotation makes.
_CALLS = 12


class Killed(BaseException):
    """The command ended here."""


@dataclass
class Busy:
    """Okta while people come and go: something happens before, during and after every call.

    The caller dies at call ``at``, before it reaches Okta or, ``after``, before its answer is read.
    """

    okta: Admin
    life: Callable[[], Awaitable[None]]
    at: int = _CALLS
    after: bool = False
    _calls: int = 0

    async def hooks(self) -> tuple[EventHook, ...]:
        return await self._passed(self.okta.hooks())

    async def create(self, spec: Spec, secret: str) -> EventHook:
        return await self._passed(self.okta.create(spec, secret))

    async def replace(self, hook: HookId, spec: Spec, secret: str) -> EventHook:
        return await self._passed(self.okta.replace(hook, spec, secret))

    async def turn(self, hook: HookId, verb: Verb) -> EventHook:
        return await self._passed(self.okta.turn(hook, verb))

    async def delete(self, hook: HookId) -> None:
        await self._passed(self.okta.delete(hook))

    async def _passed(self, call: Coroutine[Any, Any, T]) -> T:
        await self.life()
        dies = self._calls == self.at
        self._calls += 1
        if dies and not self.after:
            call.close()
            raise Killed
        found = await call
        await self.life()
        if dies:
            raise Killed
        return found


@dataclass
class Stage:
    """A company, its service with both secrets, and one hook that receives."""

    company: Company
    run: Running
    okta: OktaAdmin
    url: str
    login: str

    async def life(self) -> None:
        """Somebody is suspended or comes back, and Okta delivers what it has."""
        world = self.company.world
        away = world.user(self.login).status == "SUSPENDED"
        (world.unsuspend if away else world.suspend)(self.login)
        await self.run.deliver()

    async def rotate(
        self,
        *,
        at: int = _CALLS,
        after: bool = False,
        in_place: bool = False,
        overlap: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        busy = Busy(self.okta, self.life, at, after)
        apps = tuple(OktaAppId(each.id) for each in self.company.world.org.apps.values())
        verb = Register(busy, Wanted(self.url, "Authorization", apps), sleep=_at_once)
        await verb.rotate(SECRET, NEXT, in_place=in_place, overlap=overlap or self.life)

    @property
    def hooks(self) -> list[Hook]:
        return list(self.company.world.org.hooks.values())

    def receiving(self) -> list[str]:
        """The secrets of the hooks that receive."""
        return [each.value for each in self.hooks if each.listening]

    async def missed(self, *origins: str) -> set[str]:
        """Events a hook sends that are not stored as coming from there."""
        stored = await self.run.house.database.read(lambda tx: _stored(tx, origins))
        logged = self.company.world.log.all()
        return {each["uuid"] for each in logged if each["eventType"] in EVENT_TYPES} - stored


async def _at_once(_: float) -> None:
    """Do not wait."""


def _stored(tx: Tx, origins: tuple[str, ...]) -> set[str]:
    rows = tx.execute(select(_event.c.uuid).where(_event.c.origin.in_(origins)))
    return {row.uuid for row in rows}


@pytest.fixture
async def stage(company: Company, sqlite_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with _stage(company, sqlite_url, tmp_path, NEXT) as found:
        yield found


@asynccontextmanager
async def _stage(
    company: Company, url: str, folder: Path, following: str | None
) -> AsyncIterator[Stage]:
    ann = company.hire("ann", "red")
    given = {"HOOKS_HOOK_SECRET_NEXT": following}
    async with (
        company.service(url, folder, given=given) as run,
        opened(
            run.sandbox.okta_url,
            by_token(company.world.credentials.api_token),
            changes=True,
        ) as okta,
    ):
        await run.catch_up()
        yield Stage(company, run, okta, f"{run.url}/okta/events", ann)


@pytest.mark.parametrize("after", [False, True], ids=["asked", "done"])
async def test_two_hooks_lose_nothing_wherever_a_run_ends(stage: Stage, *, after: bool) -> None:
    for at in range(_CALLS):
        try:
            await stage.rotate(at=at, after=after)
            break
        except Killed:
            assert set(stage.receiving()) & {SECRET, NEXT}, at
        await stage.life()
        await stage.rotate()  # the same command again
        assert stage.receiving() == [NEXT], at
        assert len(stage.hooks) == 1, at
    else:
        pytest.fail("no rotation came to its end")
    assert await stage.missed("hook") == set()


@pytest.mark.parametrize("after", [False, True], ids=["asked", "done"])
async def test_one_hook_changed_in_place_loses_nothing_that_the_log_does_not_have(
    stage: Stage, *, after: bool
) -> None:
    for at in range(_CALLS):
        try:
            await stage.rotate(at=at, after=after, in_place=True)
            break
        except Killed:
            await stage.life()
        await stage.rotate(in_place=True)
        assert stage.receiving() == [NEXT], at
        assert len(stage.hooks) == 1, at
    else:
        pytest.fail("no rotation came to its end")
    missed = await stage.missed("hook")
    assert missed, "nothing happened while the hook was not verified"
    stage.run.time.push(timedelta(minutes=1))
    await stage.run.catch_up()
    assert await stage.missed("hook", "log") == set()


async def test_a_hook_that_is_sent_nothing_yet_is_waited_for(stage: Stage) -> None:
    """Okta may route events to a verified hook some time later only."""
    stage.company.world.switches.hook_warm_up = 90.0

    async def overlap() -> None:
        for _ in range(4):
            await stage.life()
            stage.run.time.push(timedelta(seconds=30))

    await stage.rotate(overlap=overlap)
    await stage.life()
    assert stage.receiving() == [NEXT]
    assert await stage.missed("hook") == set()


async def test_without_room_for_another_hook_it_is_changed_in_place(stage: Stage) -> None:
    for number in range(registration.MOST_HOOKS - 1):
        stage.company.world.add_hook(f"https://x.example/{number}", "x", [])
    await stage.rotate()
    ours = [each for each in stage.hooks if each.uri == stage.url]
    assert [(each.value, each.listening) for each in ours] == [(NEXT, True)]
    stage.run.time.push(timedelta(minutes=1))
    await stage.run.catch_up()
    assert await stage.missed("hook", "log") == set()


@pytest.mark.parametrize("in_place", [False, True], ids=["beside", "in place"])
async def test_a_secret_the_service_does_not_know_changes_nothing(
    company: Company, sqlite_url: str, tmp_path: Path, *, in_place: bool
) -> None:
    async with _stage(company, sqlite_url, tmp_path, None) as stage:
        with pytest.raises(UnverifiedError):
            await stage.rotate(in_place=in_place)
        assert stage.receiving() == [SECRET]
        assert len(stage.hooks) == 1
        await stage.life()
        stage.run.time.push(timedelta(minutes=1))
        await stage.run.catch_up()
        assert await stage.missed("hook", "log") == set()


async def test_the_old_hook_stays_while_okta_does_not_show_the_new_one_as_receiving(
    stage: Stage,
) -> None:
    async def overlap() -> None:
        """Somebody switches it off meanwhile."""
        new = next(each for each in stage.hooks if each.value == NEXT)
        new.status = "INACTIVE"

    with pytest.raises(PermanentError, match="the old one stays"):
        await stage.rotate(overlap=overlap)
    assert stage.receiving() == [SECRET]
    await stage.rotate()
    assert stage.receiving() == [NEXT]
    assert await stage.missed("hook") == set()


async def test_secrets_changed_between_two_runs_leave_one_that_is_known(stage: Stage) -> None:
    """A run ended with both hooks there, and the secrets were exchanged all the same."""
    with pytest.raises(Killed):
        await stage.rotate(at=3)
    assert sorted(stage.receiving()) == sorted([SECRET, NEXT])
    another = "a-third-secret-is-what-comes-after-these"
    busy = Busy(stage.okta, stage.life)
    verb = Register(busy, Wanted(stage.url, "Authorization", ()), sleep=_at_once)
    with pytest.raises(UnverifiedError):  # the service does not know it yet
        await verb.rotate(NEXT, another, overlap=stage.life)
    assert sorted(stage.receiving()) == sorted([SECRET, NEXT])
    await stage.rotate()
    assert stage.receiving() == [NEXT]
    assert await stage.missed("hook") == set()


async def test_an_org_that_takes_every_writing_for_a_new_channel_is_verified_again(
    stage: Stage,
) -> None:
    stage.company.world.switches.hook_replace_unverifies = "always"
    await stage.rotate(in_place=True)
    await stage.rotate(in_place=True)
    assert stage.receiving() == [NEXT]
