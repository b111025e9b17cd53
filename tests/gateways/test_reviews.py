"""How the vendors are set up: read from the sandbox, and from answers nobody must believe."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hooks.core.checkup_atlassian import Shown
from hooks.core.checkup_okta import FAILED_DELIVERY
from hooks.core.errors import HooksError, IncompleteError
from hooks.core.ids import OktaAppId, OktaGroupId
from hooks.gateways.okta import Okta
from hooks.gateways.okta_review import MOST_PAGES, OktaReview
from hooks.gateways.organization_review import MOST_ADDRESSES, OrganizationReview
from hooks.gateways.scim import Scim
from hooks.gateways.scim_review import ScimReview
from hooks.sandbox import Story0, crowd
from hooks.sandbox.story import COLLEAGUE, PERSON
from tests.gateways.organization_stage import ORG, Say, page, user
from tests.gateways.organization_stage import PERSON as ACCOUNT
from tests.gateways.stage import Serve, http

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def review(okta: Okta) -> OktaReview:
    return OktaReview(okta.door)


def app_of(story: Story0) -> OktaAppId:
    return OktaAppId(story.app.id)


async def test_a_hook_is_read_without_its_secret(review: OktaReview, story: Story0) -> None:
    story.world.add_hook("https://hooks.example.com/x", "a secret", ["user.lifecycle.activate"])
    (hook,) = await review.hooks()
    assert (hook.spec.url, hook.spec.header) == ("https://hooks.example.com/x", "Authorization")
    assert hook.spec.types == {"user.lifecycle.activate"}
    assert hook.receives
    assert "a secret" not in repr(hook)


async def test_an_app_tells_how_it_is_set_up(review: OktaReview, story: Story0) -> None:
    app = app_of(story)
    names, features = await review.set_up(app)
    assert names is not None
    assert (names.template, names.pushes) == ("${source.email}", True)
    assert "PUSH_USER_DEACTIVATION" in features
    assert await review.address(app) == "user.email"
    assert await review.deprovisions(app)
    story.world.set_deprovisioning(app, enabled=False)
    assert not await review.deprovisions(app)
    assigned = await review.assigned(app)
    assert assigned == {OktaGroupId(each) for each in story.app.groups}


async def test_people_are_read_for_a_few_pages_only(review: OktaReview, story: Story0) -> None:
    crowd(story.world, people=500 * MOST_PAGES + 1, groups=1, groups_each=1, app="Crowd")
    app = next(each for each in story.world.org.apps.values() if each.label == "Crowd")
    people = await review.people(OktaAppId(app.id))
    assert (len(people.named), people.whole) == (500 * MOST_PAGES, False)
    few = await review.people(app_of(story))
    assert (len(few.named), few.whole) == (2, True)
    assert {each.user_name for each in few.named} == {PERSON, COLLEAGUE}
    assert all(each.record for each in few.named)


async def test_signs_are_counted_and_the_last_switch_counts(
    review: OktaReview, story: Story0
) -> None:
    world = story.world
    for _ in range(3):
        world.emit(world.transaction(), FAILED_DELIVERY, outcome="FAILURE")
    world.set_deprovisioning(story.app, enabled=True)
    await asyncio.sleep(0.01)  # the log counts milliseconds
    world.set_deprovisioning(story.app, enabled=False)
    later = datetime.now(UTC) + timedelta(minutes=1)
    signs = await review.signs(NOW - DAY, later, turned_since=NOW - 90 * DAY)
    assert signs.counts[FAILED_DELIVERY] == 3
    assert signs.deprovisioning == {story.app.id: False}
    assert signs.whole


async def test_a_directory_tells_how_much_is_in_it(scim: Scim, story: Story0) -> None:
    shown, account = await ScimReview(scim.door, scim.root).shown()
    assert shown == Shown(patches=True, users=2, groups=2)
    assert account in story.world.organization.accounts


# -- answers nobody must believe ---------------------------------------------------------------


FEATURES = {
    "none": [],
    "another one": [{"name": "INBOUND_PROVISIONING", "status": "ENABLED", "capabilities": {}}],
    "an odd status": [{"capabilities": {"update": {"lifecycleDeactivate": {"status": "MAYBE"}}}}],
    "no list": {"name": "USER_PROVISIONING"},
    "prose": "enabled",
}


@pytest.mark.parametrize("told", FEATURES.values(), ids=FEATURES)
async def test_what_does_not_say_whether_people_are_deactivated_is_not_believed(
    okta: Okta, story: Story0, told: Any
) -> None:
    story.world.fault("okta", path="features", status=200, body=told)
    with pytest.raises(IncompleteError):
        await OktaReview(okta.door).deprovisions(app_of(story))


async def test_an_odd_answer_is_an_error_of_ours_for_every_read(
    canned: Serve, door: Any, story: Story0
) -> None:
    server = await canned(http(200, json.dumps([{"id": 7}]).encode()))
    review, app = OktaReview(door(server.origin)), app_of(story)
    reads: list[Callable[[], Awaitable[object]]] = [
        review.hooks, review.sees_anybody, lambda: review.set_up(app),
        lambda: review.deprovisions(app), lambda: review.address(app),
        lambda: review.assigned(app), lambda: review.people(app),
        lambda: review.signs(NOW - DAY, NOW, turned_since=NOW - DAY),
    ]  # fmt: skip
    for read in reads:
        with pytest.raises(HooksError):
            await read()


async def test_accounts_of_addresses_are_told_in_any_case(say: Say) -> None:
    organization = say(page(user(email="A@b.example"), user("other", email="a@B.example")))
    review = OrganizationReview(organization.door, ORG)
    found = await review.accounts(["a@b.example", "nobody@b.example"])
    assert found == {"a@b.example": {ACCOUNT, "other"}, "nobody@b.example": frozenset()}


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(page(user(email="somebody@else.example")), id="the filter was ignored"),
        pytest.param(page(user(email=None)), id="whose it is, is not told"),
        pytest.param(page(user(email="a@b.example"), following="x"), id="only a page"),
    ],
)
async def test_accounts_that_may_be_anybody_s_are_not_believed(
    say: Say, told: dict[str, Any]
) -> None:
    review = OrganizationReview(say(told).door, ORG)
    with pytest.raises(IncompleteError):
        await review.accounts(["a@b.example"])


async def test_no_search_is_larger_than_it_may_be(say: Say) -> None:
    review = OrganizationReview(say(page()).door, ORG)
    with pytest.raises(ValueError, match="addresses in one search"):
        await review.accounts([f"{each}@b.example" for each in range(MOST_ADDRESSES + 1)])


def domain(name: str, status: str = "verified") -> dict[str, Any]:
    return {"id": name, "attributes": {"name": name, "claim": {"type": "dns", "status": status}}}


async def test_verified_domains_are_read_to_the_last_page(say: Say) -> None:
    first = page(domain("A.example"), domain("b.example", "unverified"), following="next")
    review = OrganizationReview(say(first, page(domain("c.example"))).door, ORG)
    assert await review.domains() == {"a.example", "c.example"}


async def test_domains_that_go_round_in_circles_are_not_believed(say: Say) -> None:
    review = OrganizationReview(say(page(domain("a.example"), following="x")).door, ORG)
    with pytest.raises(IncompleteError):
        await review.domains()
