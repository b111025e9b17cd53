"""Who may call the organization, how often, and what nobody careful calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from hooks.sandbox import Story0, create_okta
from hooks.sandbox.faults import template
from hooks.sandbox.story import COLLEAGUE, JIRA_ADMINS, JIRA_USERS, PERSON


class Doors:
    """Every kind of call, by what it does."""

    def __init__(self, story: Story0, org: httpx.AsyncClient) -> None:
        self.story, self.org, self.world = story, org, story.world
        organization = story.world.organization
        self.person = story.world.account(PERSON).id
        self.origin = str(org.base_url).partition("/admin/")[0]
        self.here = f"/admin/v2/orgs/{organization.id}/directories/{organization.user_base}"
        self.group = f"{self.here}/groups/{story.world.local_group(JIRA_USERS).id}"
        self.v1 = f"/admin/v1/orgs/{organization.id}"
        self.links = f"/admin/user-provisioning/v1/org/{organization.id}"

    async def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        return await self.org.request(method, self.origin + path, **more)

    async def read(self, **more: Any) -> httpx.Response:
        return await self("POST", f"{self.here}/groups/search", json={}, **more)

    async def write(self) -> httpx.Response:
        return await self("DELETE", f"{self.group}/memberships/{self.person}")


@pytest.fixture
def doors(story: Story0, org: httpx.AsyncClient) -> Doors:
    return Doors(story, org)


def code(response: httpx.Response) -> str:
    return str(response.json()["errors"][0]["code"])


# --- keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "read", "write"),
    [
        ("unscoped", 200, 204),
        ("scoped", 200, 403),
        ("site", 401, 401),
        ("expired", 401, 401),
        ("revoked", 403, 403),
    ],
)
async def test_kinds_of_keys(doors: Doors, kind: Any, read: int, write: int) -> None:
    doors.world.set_org_key(kind)
    assert (await doors.read()).status_code == read
    for path, method in ((doors.v1, "GET"), (f"{doors.here}/users/search", "POST")):
        assert (await doors(method, path)).status_code == read
    assert (await doors.write()).status_code == write
    add = await doors("POST", f"{doors.group}/memberships", json={"accountId": doors.person})
    assert add.status_code == write
    headers = {"Authorization": f"Bearer {doors.world.add_org_key()}"}
    assert (await doors.read(headers=headers)).status_code == 200


@pytest.mark.parametrize("value", ["", "Bearer nonsense", "Basic {key}", "{key}", "Bearer {scim}"])
async def test_no_key_is_unauthorized(doors: Doors, value: str) -> None:
    key, scim = doors.world.organization.api_key, doors.story.directory.key
    response = await doors.read(headers={"Authorization": value.format(key=key, scim=scim)})
    assert (response.status_code, response.json()) == (
        401,
        {"code": 401, "message": "Unauthorized"},
    )
    doors.world.switches.org_401 = "errors"
    response = await doors.read(headers={"Authorization": "x"})
    assert (response.status_code, code(response)) == (401, "ADMIN-UAM-401-1")


async def test_refusals_of_keys_have_several_shapes(doors: Doors) -> None:
    doors.world.set_org_key("scoped")
    assert code(await doors.write()) == "ADMIN-UAM-403-1"
    doors.world.set_org_key("revoked")
    assert code(await doors.read()) == "ADMIN-UAM-403-2"
    doors.world.switches.org_403 = "recorded"
    body = (await doors.read()).json()
    assert set(body) == {"timestamp", "path", "status", "error", "message", "requestId"}
    assert (body["status"], body["error"]) == (403, "Forbidden")


async def test_another_organization_is_stopped_in_front(doors: Doors) -> None:
    for path in ("/admin/v1/orgs/x", "/admin/v2/orgs/x/directories"):
        response = await doors("GET", path)
        assert response.status_code == 404
        assert response.json()["message"] == "TCS validation failed"
        assert response.json()["path"] == f"/api{path}"


@pytest.mark.parametrize("answer", ["404-2", "403-2"])
async def test_another_organization_may_be_told_as_such(doors: Doors, answer: Any) -> None:
    doors.world.switches.wrong_organization = answer
    response = await doors("GET", "/admin/v1/orgs/x")
    assert (f"{response.status_code}-2", code(response)) == (answer, f"ADMIN-UAM-{answer}")
    assert (await doors("GET", doors.v1)).status_code == 200


async def test_the_key_of_the_organization_opens_no_directory(
    doors: Doors, scim: httpx.AsyncClient
) -> None:
    headers = {"Authorization": f"Bearer {doors.world.organization.api_key}"}
    assert (await scim.get("/Users", headers=headers)).status_code == 401


@pytest.mark.parametrize("form", ["string", "number"])
async def test_the_status_of_an_error_is_text_or_number(doors: Doors, form: Any) -> None:
    doors.world.switches.org_error_status = form
    response = await doors("GET", f"{doors.here}/groups/nothing")
    assert response.json()["errors"][0]["status"] == ("404" if form == "string" else 404)


async def test_paths_and_methods_that_are_not_there(doors: Doors) -> None:
    response = await doors("GET", "/admin/v2/nothing")
    assert (response.status_code, response.json()["status"]) == (404, 404)
    response = await doors("PUT", doors.group)
    assert (response.status_code, code(response)) == (405, "ADMIN-UAM-405-1")
    response = await doors("POST", f"{doors.here}/users/search", content=b"[")
    assert (response.status_code, code(response)) == (400, "ADMIN-UAM-400-1")


# --- rates and trouble ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry", "expected"),
    [("seconds", "60"), ("date", "Sat, 21 Nov 2026 09:31:00 GMT"), ("absent", None)],
)
@pytest.mark.parametrize("form", ["proxy", "errors"])
async def test_a_limit_says_when_it_ends(
    doors: Doors, form: Any, retry: Any, expected: str | None
) -> None:
    switches = doors.world.switches
    switches.org_rate_limit, switches.org_429, switches.retry_after = 2, form, retry
    allowed = [await doors.read() for _ in range(2)]
    assert [r.headers["X-RateLimit-Remaining"] for r in allowed] == ["1", "0"]
    refused = await doors.read()
    assert refused.status_code == 429
    assert refused.headers["X-RateLimit-Reset"] == "2026-11-21T09:31:00.000Z"
    assert refused.headers.get("Retry-After") == expected
    if form == "proxy":
        assert refused.json()["code"] == 429
    else:
        assert code(refused) == "ADMIN-429-1"
    # Another key has its own share.
    headers = {"Authorization": f"Bearer {doors.world.add_org_key()}"}
    assert (await doors.read(headers=headers)).status_code == 200
    switches.org_rate_headers = False
    assert "X-RateLimit-Reset" not in (await doors.read()).headers


async def test_a_limit_may_be_that_of_each_endpoint(doors: Doors) -> None:
    switches = doors.world.switches
    switches.org_rate_limit, switches.org_rate_counts = 1, "endpoint"
    users = f"{doors.here}/users/search"
    assert (await doors.read()).headers["X-RateLimit-Remaining"] == "0"
    assert (await doors("POST", users, json={})).headers["X-RateLimit-Remaining"] == "0"
    assert [(await doors.read()).status_code, (await doors.write()).status_code] == [429, 204]


async def test_an_answer_is_dated_by_the_clock_of_its_world(doors: Doors) -> None:
    """Or a client that trusts dates more than its own clock would reckon wrongly."""
    assert (await doors.read()).headers["Date"] == "Sat, 21 Nov 2026 09:30:00 GMT"


@pytest.mark.parametrize("form", ["proxy", "errors"])
async def test_throttling_on_demand(doors: Doors, form: Any) -> None:
    doors.world.switches.org_429 = form
    doors.world.throttle("org", 20, times=1)
    refused = await doors.read()
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "20")
    assert refused.headers["X-RateLimit-Reset"].startswith("2026-11-21T09:30:20")
    assert ("errors" in refused.json()) is (form == "errors")
    assert (await doors.read()).status_code == 200


async def test_trouble_of_its_own_vendor_by_person_and_status(
    doors: Doors, scim: httpx.AsyncClient
) -> None:
    world = doors.world
    fault = world.fault("org", "DELETE", r"/memberships/", user=PERSON, status=503)
    refused = await doors.write()
    assert (refused.status_code, code(refused)) == (503, "ADMIN-UAM-500-1")
    colleague = world.account(COLLEAGUE).id
    other = await doors("DELETE", f"{doors.group}/memberships/{colleague}")
    assert other.status_code == 204
    assert (await scim.get("/Users")).status_code == 200
    world.clear(fault)
    world.fault("org", "DELETE", drop_after=True, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await doors.write()
    assert world.local_members(JIRA_USERS) == set()


async def test_calls_are_counted_by_template(doors: Doors) -> None:
    await doors.read()
    await doors.write()
    here = "/admin/v2/orgs/{id}/directories/{id}/groups"
    assert doors.world.counters == {
        ("org", "POST", f"{here}/search"): 1,
        ("org", "DELETE", f"{here}/{{id}}/memberships/{{id}}"): 1,
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/admin/v2/orgs/o/directories/-/users/search", "{o}/directories/{id}/users/search"),
        ("/admin/v2/orgs/o/directories", "{o}/directories"),
        ("/admin/v2/orgs/o/directories/d/groups/g", "{o}/directories/{id}/groups/{id}"),
    ],
)
def test_templates(path: str, expected: str) -> None:
    assert template(path) == expected.replace("{o}", "/admin/v2/orgs/{id}")


# --- what ends ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["ok", "404", "410"])
@pytest.mark.parametrize(("what", "size"), [("users", 3), ("groups", 5)])
async def test_lists_end_and_are_flagged(doors: Doors, mode: Any, what: str, size: int) -> None:
    doors.world.switches.get_lists = mode
    response = await doors("GET", f"{doors.here}/{what}")
    assert response.status_code == (200 if mode == "ok" else int(mode))
    if mode == "ok":
        assert len(response.json()["data"]) == size
        only = await doors("GET", f"{doors.here}/{what}", params={"accountIds": "x,y", "limit": 1})
        assert only.json()["data"] == []
    assert doors.world.violations


async def test_the_lists_end_in_the_summer_of_2027(doors: Doors, clock: Any) -> None:
    clock.at = datetime(2027, 6, 30, 23, 59, tzinfo=UTC)
    assert (await doors("GET", f"{doors.here}/users")).status_code == 200
    clock.forward(60)
    assert (await doors("GET", f"{doors.here}/users")).status_code == 410


@pytest.mark.parametrize("mode", ["404", "410"])
async def test_the_first_version_is_over(doors: Doors, mode: Any) -> None:
    doors.world.switches.v1_endpoints = mode
    path = f"{doors.v1}/directory/groups/g/memberships/{doors.person}"
    assert (await doors("DELETE", path)).status_code == int(mode)
    assert (await doors("GET", f"{doors.v1}/users")).status_code == int(mode)
    assert len(doors.world.violations) == 2


# --- links ----------------------------------------------------------------------------------


async def test_links_show_every_directory_also_foreign_ones(doors: Doors) -> None:
    world, directory = doors.world, doors.story.directory
    second = world.add_directory(world.add_app("Second"), "second")
    world.add_scim_user(second, PERSON)
    foreign = world.add_foreign_link(PERSON)
    by_account = await doors("GET", f"{doors.links}/user/{doors.person}/get-scim-links")
    by_email = await doors(
        "POST", f"{doors.links}/get-scim-links-for-email", json={"email": PERSON.upper()}
    )
    found = by_account.json()
    assert found == by_email.json()
    assert [link["directoryId"] for link in found] == [directory.id, second.id, foreign]
    assert found[0] == {
        "scimUserId": world.record(directory, PERSON).id,
        "atlassianAccountId": doors.person,
        "orgId": world.organization.id,
        "directoryId": directory.id,
    }
    world.lapse(directory)
    left = (await doors("GET", f"{doors.links}/user/{doors.person}/get-scim-links")).json()
    assert [link["directoryId"] for link in left] == [second.id, foreign]
    assert (await doors("GET", f"{doors.links}/user/nobody/get-scim-links")).json() == []
    world.switches.lapsed_links_shown = True
    told = (await doors("GET", f"{doors.links}/user/{doors.person}/get-scim-links")).json()
    assert told == found
    assert world.violations == []


@pytest.mark.parametrize("mode", ["403", "404", "405"])
async def test_links_may_not_be_there(doors: Doors, mode: Any) -> None:
    doors.world.switches.scim_links = mode
    response = await doors("GET", f"{doors.links}/user/{doors.person}/get-scim-links")
    assert response.status_code == int(mode)


# --- what nobody careful calls --------------------------------------------------------------


async def test_calls_that_destroy_work_and_are_flagged(doors: Doors) -> None:
    world, directory = doors.world, doors.story.directory
    record = world.record(directory, PERSON)
    colleague = world.account(COLLEAGUE)
    admins = world.local_group(JIRA_ADMINS).id
    roles = f"{doors.v1}/users/{colleague.id}/role-assignments"
    role = {"role": "atlassian/org-admin"}
    calls: list[tuple[str, str, Any]] = [
        ("POST", f"{roles}/assign", role),
        ("POST", f"{doors.here}/users/{colleague.id}/suspend", None),
        (
            "PATCH",
            f"{doors.links}/scimDirectoryId/{directory.id}/scimUserId/{record.id}/unlink",
            None,
        ),
        ("DELETE", f"{doors.links}/user/{colleague.id}/onlyDeleteUserInDB", None),
        ("DELETE", f"{doors.here}/groups/{admins}", None),
        ("DELETE", f"{doors.here}/users/{doors.person}", None),
    ]
    for method, path, body in calls:
        assert (await doors(method, path, json=body)).status_code == 204, path
    assert colleague.roles == ["atlassian/org-admin"]
    assert (colleague.membership, colleague.status) == ("suspended", "inactive")
    assert record.account_id is None
    assert directory.named(COLLEAGUE) == []
    assert doors.person not in world.organization.accounts
    assert {g.name for g in world.organization.groups.values() if not g.synced} == {JIRA_USERS}
    for what, expected in (("revoke", []), ("assign", ["atlassian/org-admin"])):
        await doors("POST", f"{roles}/{what}", json=role)
        assert colleague.roles == expected
    await doors("POST", f"{doors.here}/users/{colleague.id}/restore")
    assert colleague.membership == "active"
    assert len(world.violations) == len(calls) + 3


@pytest.mark.parametrize(
    "name",
    ["org-admins", "Site-Admins", "system-administrators", "atlassian-addons-admin"],
)
async def test_protected_groups_are_left_alone(doors: Doors, name: str) -> None:
    group = doors.world.add_local_group(name)
    url = f"{doors.here}/groups/{group.id}/memberships"
    await doors("DELETE", f"{url}/{doors.person}")
    await doors("POST", url, json={"accountId": doors.person})
    assert len(doors.world.violations) == 2
    assert all(name in violation for violation in doors.world.violations)


async def test_searches_that_cannot_mean_what_they_say(doors: Doors) -> None:
    for path, body, query in (
        ("users", {"email": PERSON}, ""),
        ("users", {"emails.value": PERSON}, ""),
        ("groups", {"emails": [PERSON]}, ""),
        ("users", {}, "?limit=1"),
        ("users", [], ""),
    ):
        await doors("POST", f"{doors.here}/{path}/search{query}", json=body)
    assert len(doors.world.violations) == 5


async def test_a_careful_client_breaks_no_rule(doors: Doors) -> None:
    await doors.read()
    await doors.write()
    for path in (doors.v1, doors.group, f"{doors.group}/role-assignments", f"{doors.v1}/events"):
        assert (await doors("GET", path)).status_code == 200
    assert doors.world.violations == []


# --- the control door -----------------------------------------------------------------------


@pytest.fixture
async def curl(story: Story0) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_okta(story.world))
    async with httpx.AsyncClient(transport=transport, base_url="http://x/sandbox") as client:
        yield client


async def test_a_newcomer_plays_the_organization_with_curl(
    story: Story0, curl: httpx.AsyncClient
) -> None:
    for verb, body in (
        ("local_remove", [JIRA_USERS, COLLEAGUE]),
        ("local_add", {"group": JIRA_ADMINS}),
        ("local_add", [JIRA_ADMINS, PERSON]),
        ("set_roles", [PERSON, ["atlassian/org-admin"]]),
        ("add_local_group", {"name": "confluence-users", "default_for": "confluence"}),
        ("switches", {"auto_app_access": True}),
        ("log_in", [PERSON]),
        ("set_org_key", ["scoped"]),
        ("lapse", ["main"]),
        ("reconnect", ["main"]),
    ):
        response = await curl.post(f"/{verb}", json=body)
        assert response.status_code == 200, response.text
    told = (await curl.get("/state")).json()["organization"]
    assert told["id"] == story.world.organization.id
    assert told["directory_id"] == story.world.organization.user_base
    assert told["local_groups"][JIRA_USERS] == [PERSON]
    assert {JIRA_USERS, JIRA_ADMINS, "confluence-users"} < set(told["local_groups_of"][PERSON])
    assert told["accounts"][PERSON] == "active"
    assert (await curl.post("/set_org_key", json=["nonsense"])).status_code == 400
