"""How events look, and how the System Log is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from hooks.sandbox import Story0, World
from hooks.sandbox.okta_filter import FilterError, compile_filter
from tests.shared import shared

GREGORIAN = datetime(1582, 10, 15, tzinfo=UTC)


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = shared(f"samples/okta/{name}.json")["event"]
    return event


def instant(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["published"])


def latest(world: World, event_type: str) -> dict[str, Any]:
    return next(e for e in reversed(world.log.all()) if e["eventType"] == event_type)


# --- shape ----------------------------------------------------------------------------------


def test_uuids_are_version_1_and_tell_published(story: Story0) -> None:
    events = story.world.log.all()
    assert len({e["uuid"] for e in events}) == len(events)
    for event in events:
        uuid = UUID(event["uuid"])
        assert uuid.version == 1
        told = GREGORIAN + timedelta(microseconds=uuid.time // 10)
        assert told.replace(microsecond=told.microsecond // 1000 * 1000) == instant(event)


@pytest.mark.parametrize(
    "event_type",
    [
        "user.lifecycle.deactivate",
        "group.user_membership.add",
        "group.user_membership.remove",
        "group.application_assignment.add",
    ],
)
def test_events_have_the_keys_of_recorded_ones(story: Story0, event_type: str) -> None:
    story.world.remove_from_group(story.person, story.confluence)
    story.world.deactivate(story.person)
    recorded, ours = sample(event_type), latest(story.world, event_type)
    assert recorded.keys() <= ours.keys()
    assert ours.keys() - recorded.keys() <= {"device"}
    for key in ("displayMessage", "legacyEventType", "version", "severity"):
        assert ours[key] == recorded[key], key
    assert ours["transaction"]["type"] == recorded["transaction"]["type"]
    assert [t["type"] for t in ours["target"]] == [t["type"] for t in recorded["target"]]
    assert ours["client"].keys() == recorded["client"].keys()


def test_an_assignment_through_activation_looks_as_recorded(story: Story0) -> None:
    story.world.deactivate(story.person)
    story.world.activate(story.person)
    recorded = sample("application.user_membership.add.web_on_activate")
    ours = latest(story.world, "application.user_membership.add")
    assert [t["type"] for t in ours["target"]] == ["AppUser", "AppInstance", "User"]
    assert [t["type"] for t in ours["target"]] == [t["type"] for t in recorded["target"]]
    uri = ours["debugContext"]["debugData"]["requestUri"]
    assert uri == f"/api/v1/users/{story.person.id}/lifecycle/activate"
    assert ours["displayMessage"] == recorded["displayMessage"]
    assert ours["legacyEventType"] == recorded["legacyEventType"]


def test_targets_may_come_in_any_order(story: Story0) -> None:
    story.world.switches.shuffle_targets = True
    orders = set()
    for _ in range(20):
        story.world.deactivate(story.person)
        story.world.activate(story.person)
        event = latest(story.world, "application.user_membership.add")
        orders.add(tuple(t["type"] for t in event["target"]))
    assert len(orders) > 1
    assert {tuple(sorted(order)) for order in orders} == {("AppInstance", "AppUser", "User")}


# --- filters --------------------------------------------------------------------------------

EVENT = {
    "eventType": "a.b",
    "target": [{"id": "00uX"}, {"id": "0oaY"}],
    "outcome": {"reason": None},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('eventType eq "a.b"', True, id="equal"),
        pytest.param('eventType eq "A.B"', True, id="without case"),
        pytest.param('eventType eq "a.c"', False, id="not equal"),
        pytest.param('target.id eq "0oaY"', True, id="any target"),
        pytest.param('eventType eq "x" or target.id eq "00uX"', True, id="or"),
        pytest.param('eventType eq "x" and target.id eq "00uX"', False, id="and"),
        pytest.param(
            'eventType eq "a.b" or eventType eq "x" and target.id eq "z"', True, id="prec"
        ),
        pytest.param(
            '(eventType eq "a.b" or eventType eq "x") and target.id eq "z"', False, id="()"
        ),
        pytest.param('not (eventType sw "a")', False, id="not"),
        pytest.param("outcome.reason pr", False, id="null is not present"),
        pytest.param('eventType ew ".b" and eventType co "."', True, id="ends and contains"),
    ],
)
def test_filters(text: str, *, expected: bool) -> None:
    assert compile_filter(text)(EVENT) is expected


@pytest.mark.parametrize(
    "text", ["", "eventType", 'eventType eq "a', 'a eq "b" or', '(a eq "b"', "]"]
)
def test_a_filter_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        compile_filter(text)


# --- reading --------------------------------------------------------------------------------


def next_link(response: httpx.Response) -> str | None:
    for header in response.headers.get_list("link"):
        address, _, rel = header.partition("; ")
        if rel == 'rel="next"':
            return address.strip("<>")
    return None


async def drained(okta: httpx.AsyncClient, params: dict[str, Any]) -> tuple[list[str], str]:
    """All uuids a poll brings until an empty page, and the cursor after them."""
    response = await okta.get("/api/v1/logs", params=params)
    uuids: list[str] = []
    while response.json():
        uuids += [event["uuid"] for event in response.json()]
        response = await okta.get(next_link(response) or "")
    return uuids, next_link(response) or ""


async def test_a_poll_brings_every_event_once_and_always_a_next_link(
    story: Story0, okta: httpx.AsyncClient, clock: Any
) -> None:
    uuids, cursor = await drained(okta, {"limit": 3, "sortOrder": "ASCENDING"})
    assert uuids == [e["uuid"] for e in story.world.log.all()]
    assert cursor
    clock.forward(1)
    story.remove_from_old_group()
    later = await okta.get(cursor)
    assert later.json()[0]["eventType"] == "group.user_membership.remove"


async def test_a_filtered_poll_keeps_its_filter(story: Story0, okta: httpx.AsyncClient) -> None:
    wanted = f'eventType eq "group.user_membership.add" and target.id eq "{story.person.id}"'
    uuids, cursor = await drained(okta, {"filter": wanted, "limit": 1})
    assert len(uuids) == 1
    story.world.add_to_group(story.colleague, story.statuspage)
    assert (await okta.get(cursor)).json() == []
    story.world.add_to_group(story.person, story.statuspage)
    assert len((await okta.get(cursor)).json()) == 1


async def test_a_late_event_is_missed_by_bounds_and_found_by_polling(
    story: Story0, okta: httpx.AsyncClient, clock: Any
) -> None:
    _, cursor = await drained(okta, {"sortOrder": "ASCENDING"})
    world = story.world
    clock.forward(1)
    world.switches.log_delay = 60
    world.suspend(story.person)
    late = latest(world, "user.lifecycle.suspend")
    world.switches.log_delay = 0
    clock.forward(10)
    world.unsuspend(story.person)
    clock.forward(10)
    bounds = {"since": late["published"], "until": clock.at.isoformat()}
    bounded = (await okta.get("/api/v1/logs", params=bounds)).json()
    assert [e["eventType"] for e in bounded] == ["user.lifecycle.unsuspend"]
    assert next_link(await okta.get("/api/v1/logs", params=bounds)) is None
    uuids, cursor = await drained(okta, {"after": cursor.partition("after=")[2].partition("&")[0]})
    assert len(uuids) == 1
    clock.forward(60)
    assert [e["uuid"] for e in (await okta.get(cursor)).json()] == [late["uuid"]]


async def test_bounded_pages_end(story: Story0, okta: httpx.AsyncClient, clock: Any) -> None:
    clock.forward(1)
    params = {"since": "2026-11-21T00:00:00Z", "until": clock.at.isoformat(), "limit": 4}
    response, seen = await okta.get("/api/v1/logs", params=params), []
    while True:
        seen += [e["uuid"] for e in response.json()]
        following = next_link(response)
        if following is None:
            break
        response = await okta.get(following)
    assert sorted(seen) == sorted(e["uuid"] for e in story.world.log.all())


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param({"since": "2026-01-01T00:00:00Z"}, "E0000053", id="before retention"),
        pytest.param({"since": "yesterday"}, "E0000053", id="no instant"),
        pytest.param({"limit": "1001"}, "E0000001", id="limit too high"),
        pytest.param({"filter": "eventType ["}, "E0000053", id="no filter"),
        pytest.param({"after": "%%%"}, "E0000001", id="no cursor"),
    ],
)
async def test_bad_queries(okta: httpx.AsyncClient, params: dict[str, str], code: str) -> None:
    response = await okta.get("/api/v1/logs", params=params)
    assert (response.status_code, response.json()["errorCode"]) == (400, code)
