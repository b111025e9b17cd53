"""The event hook is made what it must be, and left alone once it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hooks.core import registration
from hooks.core.errors import HooksError, PermanentError
from hooks.core.ids import OktaAppId
from hooks.core.log_event import EVENT_TYPES
from hooks.core.registration import MAY_BE_REFUSED, Wanted
from hooks.gateways.okta_admin import OktaAdmin
from hooks.register import Deed, Done, Register, Told, Unfiltered, UnverifiedError, opened
from hooks.rehearse import Rehearsal
from hooks.sandbox import Story0, create_okta, listening
from hooks.sandbox.org import Hook
from tests.running import by_token

SECRET = "the-secret-of-the-hook-is-long-enough"
OLD = "a-secret-that-was-given-up-long-ago-now"


@dataclass
class Desk:
    """An org, a door that knows one secret, and whoever registers the hook."""

    story: Story0
    okta: OktaAdmin
    url: str
    told: list[Told] = field(default_factory=list)

    async def register(self, *, dry_run: bool = False, **options: Any) -> list[Told]:
        """Register; what was told."""
        self.told = []
        admin = Rehearsal(await self.okta.hooks()) if dry_run else self.okta
        wanted = Wanted(self.url, "Authorization", (OktaAppId(self.story.app.id),))
        verb = Register(admin, wanted, tell=self.told.append, sleep=_at_once)
        await verb.register(SECRET, **options)
        return self.told

    @property
    def deeds(self) -> list[Deed]:
        return [each.deed for each in self.told if isinstance(each, Done)]

    @property
    def hooks(self) -> list[Hook]:
        return list(self.story.world.org.hooks.values())

    def is_right(self) -> bool:
        """One hook, which receives everything it must with the right secret."""
        (hook,) = (each for each in self.hooks if each.uri == self.url)
        types = set(EVENT_TYPES) - set(self.story.world.switches.hook_types_refused)
        return hook.listening and hook.value == SECRET and types <= set(hook.types)


async def _at_once(_: float) -> None:
    """Do not wait."""


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async def answer(request: Request) -> Response:
        if request.headers.get("authorization") != SECRET:
            return Response(status_code=401)
        challenge = request.headers["x-okta-verification-challenge"]
        return JSONResponse({"verification": challenge})

    story = Story0()
    door = Starlette(routes=[Route("/okta/events", answer)])
    async with (
        listening(door) as origin,
        listening(create_okta(story.world)) as okta_url,
        opened(okta_url, by_token(story.world.credentials.api_token), changes=True) as okta,
    ):
        yield Desk(story, okta, f"{origin}/okta/events")


@pytest.mark.parametrize("replaced", ["channel", "always"])
@pytest.mark.parametrize("filters", ["accepted", "refused", "ignored"])
async def test_a_second_run_changes_nothing(desk: Desk, filters: Any, replaced: Any) -> None:
    switches = desk.story.world.switches
    switches.hook_filters, switches.hook_replace_unverifies = filters, replaced
    switches.hook_types_refused = ["application.provision.user.push"]
    await desk.register()
    assert desk.deeds == [Deed.CREATED, Deed.VERIFIED]
    assert (Unfiltered() in desk.told) is (filters == "refused")
    assert desk.is_right()
    assert (desk.hooks[0].filter is not None) is (filters == "accepted")
    before = len(desk.story.world.log.all())
    await desk.register()
    assert desk.deeds == []
    assert len(desk.story.world.log.all()) == before
    assert desk.is_right()


async def test_a_filter_with_an_unwritten_word_is_left_out_where_it_is_refused(desk: Desk) -> None:
    desk.story.world.switches.hook_filter_counts_none = False
    assert Unfiltered() in await desk.register()
    assert desk.is_right()


async def test_types_the_org_does_not_offer_are_left_out_and_told(desk: Desk) -> None:
    desk.story.world.switches.hook_types_refused = sorted(MAY_BE_REFUSED)
    told = await desk.register()
    left = set().union(*(getattr(each, "types", ()) for each in told))
    assert left == MAY_BE_REFUSED
    assert desk.is_right()
    assert desk.hooks[0].filter, "refused were types, not the filter"


async def test_a_type_that_must_be_there_is_never_left_out(desk: Desk) -> None:
    desk.story.world.switches.hook_types_refused = ["user.lifecycle.deactivate"]
    with pytest.raises(PermanentError):
        await desk.register()
    assert desk.hooks == []


async def test_a_hook_made_by_hand_is_given_what_it_lacks(desk: Desk) -> None:
    types = [*EVENT_TYPES[:3], "user.session.start"]
    hook = desk.story.world.add_hook(desk.url, SECRET, types, name="by hand")
    await desk.register()
    assert desk.deeds == [Deed.UPDATED]
    assert desk.is_right()
    assert "user.session.start" in hook.types
    assert (hook.name, hook.filter) == ("by hand", None)
    await desk.register(filtered=True)
    assert hook.filter is not None


async def test_a_filter_that_keeps_an_app_away_is_put_right(desk: Desk) -> None:
    await desk.register()
    hook = desk.hooks[0]
    assert hook.filter
    right = hook.filter
    hook.filter = {"eventFilterMap": right["eventFilterMap"][:1]}
    await desk.register()
    assert hook.filter == right


@pytest.mark.parametrize("switched", [True, False], ids=["unverified", "off"])
async def test_a_hook_that_receives_nothing_gets_the_secret_anew(
    desk: Desk, *, switched: bool
) -> None:
    """It may have been made with another one, which could never be verified."""
    hook = desk.story.world.add_hook(desk.url, OLD, list(EVENT_TYPES), verified=not switched)
    hook.status = "ACTIVE" if switched else "INACTIVE"
    await desk.register()
    assert desk.is_right()
    assert len(desk.hooks) == 1


async def test_another_secret_is_written_when_told(desk: Desk) -> None:
    desk.story.world.add_hook(desk.url, OLD, list(EVENT_TYPES))
    await desk.register()
    assert desk.deeds == [], "nobody can see that it is another one"
    await desk.register(rewrite=True)
    assert desk.is_right()


async def test_of_several_hooks_none_is_touched(desk: Desk) -> None:
    for secret in (SECRET, OLD):
        desk.story.world.add_hook(desk.url, secret, [])
    with pytest.raises(PermanentError, match="several") as raised:
        await desk.register()
    assert all(each.id in str(raised.value) for each in desk.hooks)
    assert all(each.types == [] for each in desk.hooks)


async def test_a_hook_of_the_same_name_elsewhere_is_not_taken_unasked(desk: Desk) -> None:
    elsewhere = "https://staging.example/okta/events"
    hook = desk.story.world.add_hook(elsewhere, OLD, [], name=registration.NAME)
    with pytest.raises(PermanentError, match="another address"):
        await desk.register()
    assert (hook.uri, hook.value) == (elsewhere, OLD)
    await desk.register(name="ours")
    assert [each.name for each in desk.hooks] == [registration.NAME, "ours"]
    assert hook.uri == elsewhere


async def test_a_hook_moves_when_told(desk: Desk) -> None:
    elsewhere = "https://old.example/okta/events"
    desk.story.world.add_hook(elsewhere, OLD, [], name=registration.NAME)
    await desk.register(move=True)
    assert desk.is_right()
    assert len(desk.hooks) == 1


async def test_where_nobody_answers_it_is_said_and_mended_later(desk: Desk) -> None:
    url, desk.url = desk.url, "http://127.0.0.1:9/okta/events"
    with pytest.raises(UnverifiedError, match="run this again"):
        await desk.register()
    assert not desk.hooks[0].listening
    desk.hooks[0].uri = desk.url = url
    await desk.register()
    assert desk.is_right()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
async def test_where_okta_refuses_nothing_is_changed(desk: Desk, status: int) -> None:
    desk.story.world.fault("okta", "GET", "/eventHooks", status=status)
    with pytest.raises(HooksError):
        await desk.register()
    assert desk.hooks == []


async def test_a_dry_run_tells_the_same_and_changes_nothing(desk: Desk) -> None:
    told = await desk.register(dry_run=True)
    assert desk.hooks == []
    would = list(desk.deeds)
    await desk.register()
    assert desk.deeds == would
    assert [type(each) for each in told] == [type(each) for each in desk.told]
