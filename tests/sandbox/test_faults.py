"""Trouble on demand, over real connections, and what is recorded of it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hooks.sandbox import Sandbox, Story0, create_atlassian, serving
from hooks.sandbox.faults import template
from hooks.sandbox.server import listen
from hooks.sandbox.story import PERSON

CONFLUENCE = "Production-Confluence"


@pytest.fixture
async def sandbox(story: Story0) -> AsyncIterator[Sandbox]:
    async with serving(story.world) as sandbox:
        yield sandbox


@pytest.fixture
async def okta(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"SSWS {sandbox.world.credentials.api_token}"}
    async with httpx.AsyncClient(
        base_url=f"{sandbox.okta_url}/api/v1", headers=headers, trust_env=False
    ) as client:
        yield client


@pytest.fixture
async def scim(sandbox: Sandbox, story: Story0) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=f"{sandbox.atlassian_url}/scim/directory/{story.directory.id}",
        headers={"Authorization": f"Bearer {story.directory.key}"},
        trust_env=False,
    ) as client:
        yield client


async def removal(story: Story0, scim: httpx.AsyncClient) -> httpx.Response:
    group = story.directory.group_named(CONFLUENCE)
    assert group is not None
    record = story.world.record(story.directory, story.person.login)
    operation = {"op": "remove", "path": f'members[value eq "{record.id}"]'}
    return await scim.patch(f"/Groups/{group.id}", json={"Operations": [operation]})


# --- answers instead of the app's -----------------------------------------------------------


async def test_a_status_comes_with_the_vendors_error_and_changes_nothing(
    story: Story0, okta: httpx.AsyncClient, scim: httpx.AsyncClient
) -> None:
    story.world.fault(status=503)
    response = await removal(story, scim)
    assert (response.status_code, response.json()["status"]) == (503, "503")
    assert (await okta.get("/groups")).json()["errorCode"] == "E0000009"
    assert story.groups == {CONFLUENCE}


async def test_a_fault_can_say_everything(story: Story0, okta: httpx.AsyncClient) -> None:
    headers = {"Retry-After": "7", "content-type": "text/plain"}
    story.world.fault("okta", status=502, body="<html>bad gateway</html>", headers=headers)
    response = await okta.get("/groups")
    assert (response.status_code, response.text) == (502, "<html>bad gateway</html>")
    assert response.headers["Retry-After"] == "7"
    assert response.headers.get_list("content-type") == ["text/plain"]


async def test_faults_choose_by_vendor_method_path_person_and_predicate(
    story: Story0, okta: httpx.AsyncClient, scim: httpx.AsyncClient
) -> None:
    world, person, colleague = story.world, story.person, story.colleague

    async def struck() -> list[bool]:
        record = world.record(story.directory, person.login)
        urls = [
            okta.get(f"/users/{person.id}"),
            okta.get(f"/users/{colleague.id}"),
            scim.get(f"/Users/{record.id}"),
            scim.get("/Groups", params={"count": 1}),
        ]
        return [(await answer).status_code == 500 for answer in urls]

    choices: list[tuple[dict[str, Any], list[bool] | None]] = [
        ({"vendor": "scim"}, [False, False, True, True]),
        ({"method": "PATCH"}, [False] * 4),
        ({"path": r"/users/[^/]+$"}, [True, True, False, False]),
        ({"path": r"count=1$"}, [False, False, False, True]),
        ({"user": person}, [True, False, True, False]),
        ({"when": lambda request: request.n % 2 == 0}, None),
    ]
    for choice, expected in choices:
        fault = world.fault(status=500, **choice)
        found = await struck()
        world.clear(fault)
        assert found == expected if expected is not None else sum(found) == 2


async def test_faults_skip_and_end(story: Story0, okta: httpx.AsyncClient) -> None:
    story.world.fault("okta", status=500, skip=1, times=2)
    codes = [(await okta.get("/groups")).status_code for _ in range(4)]
    assert codes == [200, 500, 500, 200]


@pytest.mark.parametrize("form", ["seconds", "date", "absent"])
async def test_throttling_as_each_vendor_tells_it(
    story: Story0, okta: httpx.AsyncClient, scim: httpx.AsyncClient, form: Any
) -> None:
    story.world.switches.retry_after = form
    story.world.throttle("okta", 20, times=1)
    story.world.throttle("scim", 20, times=1)
    refused = await okta.get("/groups")
    assert (refused.status_code, refused.json()["errorCode"]) == (429, "E0000047")
    at = story.world.now().timestamp()
    assert 20 <= int(refused.headers["X-Rate-Limit-Reset"]) - at <= 21
    refused = await scim.get("/Groups")
    assert (refused.status_code, refused.json()["status"]) == (429, "429")
    expected = {"seconds": "20", "date": "Sat, 21 Nov 2026 09:30:20 GMT", "absent": None}
    assert refused.headers.get("Retry-After") == expected[form]
    assert (await scim.get("/Groups")).status_code == 200


async def test_a_redirect_is_only_told(story: Story0, okta: httpx.AsyncClient) -> None:
    story.world.fault("okta", redirect="https://elsewhere.example/x", times=1)
    response = await okta.get("/groups")
    assert (response.status_code, response.headers["location"]) == (
        302,
        "https://elsewhere.example/x",
    )


# --- connections ----------------------------------------------------------------------------


async def test_a_dropped_request_is_not_applied_and_a_lost_reply_is(
    story: Story0, scim: httpx.AsyncClient
) -> None:
    story.world.fault("scim", "PATCH", drop=True, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await removal(story, scim)
    assert story.groups == {CONFLUENCE}
    story.world.fault("scim", "PATCH", drop_after=True, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await removal(story, scim)
    assert story.groups == set()
    assert [request.status for request in story.world.requests] == [None, None]


async def test_a_reply_cut_in_half_and_json_cut_in_half(
    story: Story0, okta: httpx.AsyncClient
) -> None:
    story.world.fault("okta", cut=True, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await okta.get("/groups")
    story.world.fault("okta", truncate=True, times=1)
    response = await okta.get("/groups")
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()


async def test_slow_and_silent(story: Story0, okta: httpx.AsyncClient) -> None:
    story.world.fault("okta", delay=0.15, times=1)
    with pytest.raises(httpx.ReadTimeout):
        await okta.get("/groups", timeout=0.05)
    story.world.fault("okta", hang=30, times=1)
    with pytest.raises(httpx.ReadTimeout):
        await okta.get("/groups", timeout=0.05)
    assert (await okta.get("/groups")).status_code == 200


async def test_a_hang_ends_in_a_closed_connection(story: Story0, okta: httpx.AsyncClient) -> None:
    story.world.fault("okta", hang=0.05, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await okta.get("/groups", timeout=5)


async def test_no_reply_waits_for_the_client_to_acknowledge_its_head(story: Story0) -> None:
    listener = await listen(create_atlassian(story.world), 0)
    try:
        assert listener.bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    finally:
        await listener.stop()


# --- lists that lie -------------------------------------------------------------------------


async def test_lists_that_lie(
    story: Story0, okta: httpx.AsyncClient, scim: httpx.AsyncClient
) -> None:
    world = story.world

    async def links() -> list[str]:
        return (await okta.get("/groups", params={"limit": 1})).headers.get_list("link")

    assert len(await links()) == 2
    world.fault("okta", drop_next=True, times=1)
    assert [link[-6:] for link in await links()] == ['"self"']
    world.fault("okta", foreign_next=True, times=1)
    own, foreign = await links()
    assert own.startswith(f"<{str(okta.base_url)[:20]}")
    assert foreign.startswith("<https://foreign.example/api/v1/groups?after=")
    world.fault("okta", repeat_next=True, times=1)
    own, again = await links()
    assert again == own.replace("self", "next")
    world.fault(empty_list=True, times=2)
    assert (await okta.get("/groups")).json() == []
    body = (await scim.get("/Users")).json()
    assert (body["Resources"], body["totalResults"]) == ([], 0)
    world.fault("scim", drop_next=True, times=1)
    body = (await scim.get("/Users", params={"count": 1})).json()
    assert (len(body["Resources"]), body["totalResults"]) == (1, 1)


# --- the record -----------------------------------------------------------------------------


async def test_requests_are_counted_by_template_and_remembered(
    story: Story0, okta: httpx.AsyncClient, scim: httpx.AsyncClient
) -> None:
    for user in (story.person, story.colleague):
        await okta.get(f"/apps/{story.app.id}/users/{user.id}")
    await removal(story, scim)
    assert story.world.counters == {
        ("okta", "GET", "/api/v1/apps/{id}/users/{id}"): 2,
        ("scim", "PATCH", "/scim/directory/{id}/Groups/{id}"): 1,
    }
    last = story.world.requests[-1]
    assert (last.status, json.loads(last.body)["Operations"][0]["op"]) == (200, "remove")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/users/00u1/groups", "/api/v1/users/{id}/groups"),
        ("/api/v1/groups", "/api/v1/groups"),
        ("/api/v1/apps/0oa1/group-push/mappings", "/api/v1/apps/{id}/group-push/mappings"),
        ("/scim/directory/d/Users", "/scim/directory/{id}/Users"),
    ],
)
def test_templates(path: str, expected: str) -> None:
    assert template(path) == expected


async def test_the_observer_sees_each_request_twice_in_order(
    story: Story0, scim: httpx.AsyncClient
) -> None:
    seen: list[tuple[str, str, bool]] = []

    async def observer(phase: str, _vendor: str, method: str, _path: str, _n: int) -> None:
        await asyncio.sleep(0)
        seen.append((phase, method, bool(story.groups)))

    story.world.observer = observer
    await removal(story, scim)
    assert seen == [("before", "PATCH", True), ("after", "PATCH", False)]


async def test_forbidden_calls_are_flagged_even_if_a_fault_answers(
    story: Story0, scim: httpx.AsyncClient
) -> None:
    story.world.fault("scim", status=500)
    await scim.delete("/Groups/x")
    assert story.world.violations == [
        f"DELETE /scim/directory/{story.directory.id}/Groups/x: destroys what it does not name"
    ]


# --- the control door -----------------------------------------------------------------------


async def test_a_newcomer_plays_the_story_with_curl(sandbox: Sandbox, story: Story0) -> None:
    async with httpx.AsyncClient(base_url=f"{sandbox.okta_url}/sandbox") as curl:

        async def post(verb: str, *values: Any, **names: Any) -> httpx.Response:
            return await curl.post(f"/{verb}", json=names or list(values))

        login = story.person.login
        await post("remove_from_group", user=login, group=CONFLUENCE)
        await post("add_to_group", login, "Production-StatusPage")
        state = (await curl.get("/state")).json()
        groups = state["directories"]["main"]["groups"]
        assert login in groups[CONFLUENCE]
        assert login in groups["Production-StatusPage"]
        assert state["okta_groups"]["Production-StatusPage"] == [login]
        log = (await curl.get("/log")).json()
        assert log[-1]["eventType"].startswith("application.provision.group_push")
        assert (await post("add_to_group", "nobody", CONFLUENCE)).status_code == 400
        assert (await post("clear")).status_code == 404
        verbs = (await post("help")).json()["verbs"]
        assert verbs["push_group"][:2] == ["group", "app"]
        assert verbs["add_user"][0] == "login"
        made = (await post("add_user", login="x@y.example")).json()
        assert made["id"] == sandbox.world.user("x@y.example").id
        await curl.post("/switches", json={"patch_reply": "empty"})
        assert sandbox.world.switches.patch_reply == "empty"
        assert (await curl.post("/switches", json={"nonsense": 1})).status_code == 400
    assert not sandbox.world.requests


async def test_what_atlassian_was_asked_to_change_is_told_by_person(
    story: Story0, scim: httpx.AsyncClient, org: httpx.AsyncClient
) -> None:
    """Also what had no effect; reads and searches are none."""
    world = story.world
    group, record = story.directory.group_named(CONFLUENCE), world.record("main", PERSON)
    assert group is not None
    await scim.get("/Groups")
    await org.post("/-/users/search", json={"emails": [PERSON]})
    assert world.changes() == []
    path = f'members[value eq "{record.id}"]'
    change = {"Operations": [{"op": "remove", "path": path}]}
    for _ in range(2):
        await scim.patch(f"/Groups/{group.id}", json=change)
    assert world.changes(PERSON) == world.changes()
    assert (len(world.changes()), world.changes(story.colleague)) == (2, [])
