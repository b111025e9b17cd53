"""Okta's management API: who may, what is shown, how it pages, what is hidden or late."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import jwt
import pytest

from hooks.sandbox import Story0, World, WorldError, key_pair

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN_URL = "https://sandbox.okta.test/oauth2/v1/token"


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["errorCode"]


def rel(response: httpx.Response, wanted: str) -> str | None:
    for header in response.headers.get_list("link"):
        address, _, found = header.partition("; ")
        if found == f'rel="{wanted}"':
            return address.strip("<>")
    return None


async def everything(okta: httpx.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    response = await okta.get(path, params=params)
    items: list[dict[str, Any]] = response.json()
    while following := rel(response, "next"):
        response = await okta.get(following)
        items += response.json()
    return items


# --- who may --------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["", "SSWS nonsense", "Bearer nonsense", "Basic YTpi"])
async def test_without_a_valid_token_everything_is_401(
    okta: httpx.AsyncClient, story: Story0, header: str
) -> None:
    response = await okta.get(f"/api/v1/users/{story.person.id}", headers={"Authorization": header})
    assert code(response) == (401, "E0000011")


async def test_ssws_without_its_blank_is_a_switch(okta: httpx.AsyncClient, story: Story0) -> None:
    headers = {"Authorization": f"SSWS{story.world.credentials.api_token}"}
    url = f"/api/v1/apps/{story.app.id}"
    assert (await okta.get(url, headers=headers)).status_code == 200
    story.world.switches.ssws_without_space = False
    assert (await okta.get(url, headers=headers)).status_code == 401


class Client:
    """A service app that asks for tokens."""

    def __init__(self, world: World, okta: httpx.AsyncClient, scopes: list[str]) -> None:
        self.world, self.okta = world, okta
        self.private, public = key_pair()
        self.id = world.credentials.add_service_app(public, scopes).client_id

    async def ask(self, scope: str, **claims: Any) -> httpx.Response:
        now = self.world.now().timestamp()
        body = {"iss": self.id, "sub": self.id, "aud": TOKEN_URL, "exp": int(now) + 300} | claims
        form = {
            "grant_type": "client_credentials",
            "scope": scope,
            "client_assertion_type": ASSERTION,
            "client_assertion": jwt.encode(body, self.private, algorithm="ES256"),
        }
        return await self.okta.post("/oauth2/v1/token", data=form)


async def test_a_token_opens_what_its_scopes_name_for_an_hour(
    world: World, story: Story0, okta: httpx.AsyncClient, clock: Any
) -> None:
    client = Client(world, okta, ["okta.users.read", "okta.logs.read"])
    answer = (await client.ask("okta.users.read")).json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    user = f"/api/v1/users/{story.person.id}"
    assert (await okta.get(user, headers=headers)).status_code == 200
    assert code(await okta.get("/api/v1/logs", headers=headers)) == (403, "E0000006")
    clock.forward(3600)
    assert code(await okta.get(user, headers=headers)) == (401, "E0000011")


@pytest.mark.parametrize(
    ("scope", "claims", "status", "error"),
    [
        pytest.param("okta.apps.read", {}, 400, "invalid_scope", id="not granted"),
        pytest.param("", {}, 400, "invalid_scope", id="nothing asked"),
        pytest.param("okta.users.read", {"aud": "https://x"}, 401, "invalid_client", id="aud"),
        pytest.param("okta.users.read", {"sub": "0oaX"}, 401, "invalid_client", id="unknown"),
        pytest.param("okta.users.read", {"exp": 1}, 401, "invalid_client", id="expired"),
        pytest.param("okta.users.read", {"exp": 9**10}, 401, "invalid_client", id="exp too far"),
    ],
)
async def test_tokens_are_refused(
    world: World,
    okta: httpx.AsyncClient,
    *,
    scope: str,
    claims: dict[str, Any],
    status: int,
    error: str,
) -> None:
    client = Client(world, okta, ["okta.users.read"])
    response = await client.ask(scope, **claims)
    assert (response.status_code, response.json()["error"]) == (status, error)


async def test_an_assertion_is_good_once_and_only_from_its_key(
    world: World, okta: httpx.AsyncClient
) -> None:
    client = Client(world, okta, ["okta.users.read"])
    assert (await client.ask("okta.users.read", jti="1")).status_code == 200
    assert (await client.ask("okta.users.read", jti="1")).status_code == 401
    client.private = key_pair()[0]
    assert (await client.ask("okta.users.read", jti="2")).status_code == 401


async def test_dpop_may_be_demanded(world: World, okta: httpx.AsyncClient) -> None:
    world.switches.require_dpop = True
    response = await Client(world, okta, ["okta.users.read"]).ask("okta.users.read")
    assert (response.status_code, response.json()["error"]) == (400, "use_dpop_nonce")
    assert response.headers["dpop-nonce"]


async def test_traffic_changes_no_id(story: Story0, okta: httpx.AsyncClient, clock: Any) -> None:
    await okta.get("/api/v1/users/nobody")
    await Client(story.world, okta, ["okta.users.read"]).ask("okta.users.read")
    quiet = Story0(World(clock)).world
    quiet.credentials.add_service_app("", [])
    assert story.world.add_user("next@x.example").id == quiet.add_user("next@x.example").id


# --- what is shown --------------------------------------------------------------------------


async def test_a_user_by_id_and_by_login(story: Story0, okta: httpx.AsyncClient) -> None:
    by_id = await okta.get(f"/api/v1/users/{story.person.id}")
    by_login = await okta.get(f"/api/v1/users/{story.person.login}")
    assert by_id.json() == by_login.json()
    assert by_id.json()["status"] == "ACTIVE"
    assert "transitioningToStatus" not in by_id.json()
    story.world.set_status(story.person, "ACTIVE", "DEPROVISIONED")
    shown = (await okta.get(f"/api/v1/users/{story.person.id}")).json()
    assert shown["transitioningToStatus"] == "DEPROVISIONED"


async def test_the_deleted_are_not_found(story: Story0, okta: httpx.AsyncClient) -> None:
    story.world.deactivate(story.person)
    story.world.delete_user(story.person)
    for key in (story.person.id, story.person.login):
        response = await okta.get(f"/api/v1/users/{key}")
        assert code(response) == (404, "E0000007")
        assert key in response.json()["errorSummary"]


async def test_an_app_user_names_the_scim_record(story: Story0, okta: httpx.AsyncClient) -> None:
    url = f"/api/v1/apps/{story.app.id}/users/{story.person.id}"
    shown = (await okta.get(url)).json()
    record = story.world.record(story.directory, story.person.login)
    assert shown["id"] == story.person.id
    assert shown["externalId"] == record.id
    assert shown["credentials"]["userName"] == record.user_name
    assert (shown["scope"], shown["status"]) == ("GROUP", "PROVISIONED")
    story.world.switches.app_user_external_id = False
    assert "externalId" not in (await okta.get(url)).json()


async def test_the_unassigned_are_not_found_unless_switched(
    story: Story0, okta: httpx.AsyncClient
) -> None:
    url = f"/api/v1/apps/{story.app.id}/users"
    story.remove_from_old_group()
    assert code(await okta.get(f"{url}/{story.person.id}")) == (404, "E0000007")
    assert [u["id"] for u in (await okta.get(url)).json()] == [story.colleague.id]
    story.world.add_to_group(story.person, story.confluence)
    story.world.switches.unassigned_app_user = "INACTIVE"
    story.remove_from_old_group()
    assert (await okta.get(f"{url}/{story.person.id}")).json()["status"] == "INACTIVE"


async def test_no_list_names_the_deleted(story: Story0, okta: httpx.AsyncClient) -> None:
    story.world.switches.unassigned_app_user = "DEPROVISIONED"
    story.world.deactivate(story.person)
    url = f"/api/v1/apps/{story.app.id}/users"
    assert len((await okta.get(url)).json()) == 2
    story.world.delete_user(story.person)
    assert [u["id"] for u in (await okta.get(url)).json()] == [story.colleague.id]
    assert code(await okta.get(f"{url}/{story.person.id}")) == (404, "E0000007")


async def test_an_assignment_under_way_has_no_external_id(
    story: Story0, okta: httpx.AsyncClient, clock: Any
) -> None:
    story.remove_from_old_group()
    story.world.switches.provisioning_delay = 5
    story.come_back()
    url = f"/api/v1/apps/{story.app.id}/users/{story.person.id}"
    shown = (await okta.get(url)).json()
    assert shown["status"] == "STAGED"
    assert "externalId" not in shown
    clock.forward(5)
    shown = (await okta.get(url)).json()
    assert (shown["status"], "externalId" in shown) == ("PROVISIONED", True)


async def test_mappings_point_at_okta_groups_on_both_sides(
    story: Story0, okta: httpx.AsyncClient
) -> None:
    url = f"/api/v1/apps/{story.app.id}/group-push/mappings"
    (mapping,) = await everything(okta, url, sourceGroupId=story.confluence.id)
    goal = (await okta.get(f"/api/v1/groups/{mapping['targetGroupId']}")).json()
    assert (goal["type"], goal["profile"]["name"]) == ("APP_GROUP", story.confluence.name)
    story.world.set_mapping_status(story.statuspage.name, "ERROR")
    (broken,) = await everything(okta, url, status="ERROR")
    assert broken["sourceGroupId"] == story.statuspage.id
    assert broken["errorSummary"]


async def test_groups_are_found_by_name(story: Story0, okta: httpx.AsyncClient) -> None:
    async def names(**params: str) -> list[str]:
        found = await everything(okta, "/api/v1/groups", **params)
        return sorted(group["profile"]["name"] + "/" + group["type"] for group in found)

    conf = "Production-Confluence"
    assert await names(search=f'profile.name eq "{conf}" and type eq "OKTA_GROUP"') == [
        f"{conf}/OKTA_GROUP"
    ]
    assert await names(q="production-conf") == [f"{conf}/APP_GROUP", f"{conf}/OKTA_GROUP"]
    assert await names(filter='type eq "BUILT_IN"') == ["Everyone/BUILT_IN"]
    response = await okta.get("/api/v1/groups", params={"search": "profile.name like"})
    assert code(response) == (400, "E0000031")


async def test_lists_of_users_leave_the_deactivated_out(
    story: Story0, okta: httpx.AsyncClient
) -> None:
    story.world.deactivate(story.person)
    assert [u["id"] for u in await everything(okta, "/api/v1/users")] == [story.colleague.id]
    found = await everything(okta, "/api/v1/users", filter='status eq "DEPROVISIONED"')
    assert [u["id"] for u in found] == [story.person.id]
    members = await everything(okta, f"/api/v1/groups/{story.confluence.id}/users")
    assert {u["id"] for u in members} == {story.person.id, story.colleague.id}


# --- pages ----------------------------------------------------------------------------------


async def test_a_users_groups_page_at_200_though_nothing_declares_it(
    story: Story0, okta: httpx.AsyncClient
) -> None:
    for number in range(230):
        story.world.add_okta_group(f"g-{number}")
        story.world.add_to_group(story.person, f"g-{number}")
    url = f"/api/v1/users/{story.person.id}/groups"
    first = await okta.get(url)
    assert len(first.json()) == 200
    assert rel(first, "self") == f"https://sandbox.okta.test{url}"
    assert first.headers.get_list("link")[0].endswith('rel="self"')
    groups = await everything(okta, url)
    assert len({g["id"] for g in groups}) == len(groups) == 232
    assert story.world.violations == []


async def test_app_users_by_pages_and_by_prefix(story: Story0, okta: httpx.AsyncClient) -> None:
    for number in range(7):
        user = story.world.add_user(f"p{number}@somedomain.example", last_name="Pager")
        story.world.assign(user, story.app)
    url = f"/api/v1/apps/{story.app.id}/users"
    found = await everything(okta, url, limit=2)
    assert len({u["id"] for u in found}) == 9
    assert len(await everything(okta, url, limit=3, q="pag")) == 7
    (one,) = await everything(okta, url, q="P3@some")
    assert one["credentials"]["userName"] == "p3@somedomain.example"


async def test_app_groups(story: Story0, okta: httpx.AsyncClient) -> None:
    found = await everything(okta, f"/api/v1/apps/{story.app.id}/groups")
    assert {g["id"] for g in found} == {story.confluence.id, story.statuspage.id}


async def test_a_limit_above_the_maximum_is_a_switch(
    story: Story0, okta: httpx.AsyncClient
) -> None:
    url = f"/api/v1/apps/{story.app.id}/users"
    assert code(await okta.get(url, params={"limit": 501})) == (400, "E0000001")
    story.world.switches.limit_over_maximum = "clamp"
    assert (await okta.get(url, params={"limit": 501})).status_code == 200


async def test_undeclared_parameters_and_writes_are_violations(
    story: Story0, okta: httpx.AsyncClient
) -> None:
    await okta.get(f"/api/v1/users/{story.person.id}", params={"fields": "status"})
    response = await okta.delete(f"/api/v1/users/{story.person.id}")
    assert response.status_code == 405
    assert len(story.world.violations) == 2


# --- hidden and late ------------------------------------------------------------------------


async def test_hidden_groups_vanish_from_lists_and_refuse_by_id(
    story: Story0, okta: httpx.AsyncClient
) -> None:
    story.world.hide(story.confluence)
    groups = await everything(okta, f"/api/v1/users/{story.person.id}/groups")
    assert [g["profile"]["name"] for g in groups] == ["Everyone"]
    assert code(await okta.get(f"/api/v1/groups/{story.confluence.id}")) == (403, "E0000006")
    story.world.hide(story.confluence, mode="404")
    assert code(await okta.get(f"/api/v1/groups/{story.confluence.id}")) == (404, "E0000007")
    story.world.unhide(story.confluence)
    assert len(await everything(okta, f"/api/v1/users/{story.person.id}/groups")) == 2


async def test_a_hidden_app_refuses_or_shows_empty_lists(
    story: Story0, okta: httpx.AsyncClient
) -> None:
    url = f"/api/v1/apps/{story.app.id}"
    story.world.hide(story.app)
    assert code(await okta.get(f"{url}/users")) == (403, "E0000006")
    story.world.hide(story.app, mode="empty")
    assert (await okta.get(f"{url}/users")).json() == []
    assert (await okta.get(f"{url}/group-push/mappings")).json() == []
    assert code(await okta.get(f"{url}/users/{story.person.id}")) == (404, "E0000007")


async def test_reads_trail_changes_each_kind_for_itself(
    story: Story0, okta: httpx.AsyncClient, clock: Any
) -> None:
    world, person = story.world, story.person

    async def seen() -> tuple[str, int, int]:
        user = (await okta.get(f"/api/v1/users/{person.id}")).json()["status"]
        groups = len((await okta.get(f"/api/v1/users/{person.id}/groups")).json())
        app_user = await okta.get(f"/api/v1/apps/{story.app.id}/users/{person.id}")
        return user, groups, app_user.status_code

    world.switches.user_lag, world.switches.groups_lag = 10, 20
    world.switches.app_user_lag = 30
    assert await seen() == ("ACTIVE", 2, 200)
    world.remove_from_group(person, story.confluence)
    world.deactivate(person)
    assert await seen() == ("ACTIVE", 2, 200)
    clock.forward(10)
    assert await seen() == ("DEPROVISIONED", 2, 200)
    clock.forward(10)
    assert await seen() == ("DEPROVISIONED", 1, 200)
    clock.forward(10)
    assert await seen() == ("DEPROVISIONED", 1, 404)


async def test_search_trails_new_and_renamed_groups(
    story: Story0, okta: httpx.AsyncClient, clock: Any
) -> None:
    story.world.switches.search_lag = 10
    story.world.add_okta_group("New")
    story.world.rename_group(story.confluence, "Docs")

    async def found(how: str, name: str) -> int:
        query = {how: f'profile.name eq "{name}" and type eq "OKTA_GROUP"'}
        return len((await okta.get("/api/v1/groups", params=query)).json())

    assert [await found("search", n) for n in ("New", "Docs", "Production-Confluence")] == [0, 0, 1]
    assert [await found("filter", n) for n in ("New", "Docs", "Production-Confluence")] == [1, 1, 0]
    clock.forward(10)
    assert [await found("search", n) for n in ("New", "Docs", "Production-Confluence")] == [1, 1, 0]


# --- rates ----------------------------------------------------------------------------------


async def test_rates_are_told_and_enforced_if_switched(
    story: Story0, okta: httpx.AsyncClient, clock: Any
) -> None:
    switches = story.world.switches
    switches.okta_rate_limit, switches.okta_rate_enforced = 2, True
    url = f"/api/v1/users/{story.person.id}"
    responses = [await okta.get(url) for _ in range(3)]
    assert [r.headers["X-Rate-Limit-Remaining"] for r in responses] == ["1", "0", "0"]
    assert code(responses[2]) == (429, "E0000047")
    assert (await okta.get(f"/api/v1/groups/{story.confluence.id}")).status_code == 200
    reset = int(responses[2].headers["X-Rate-Limit-Reset"])
    assert 0 < reset - clock.at.timestamp() <= 60
    clock.forward(60)
    assert (await okta.get(url)).status_code == 200
    switches.okta_rate_headers = False
    assert "X-Rate-Limit-Limit" not in (await okta.get(url)).headers


async def test_too_many_calls_at_once_are_told_apart_from_a_rate(
    story: Story0, okta: httpx.AsyncClient
) -> None:
    story.world.switches.okta_concurrency = 2
    url = f"/api/v1/users/{story.person.id}"
    responses = await asyncio.gather(*(okta.get(url) for _ in range(4)))
    assert sorted(response.status_code for response in responses) == [200, 200, 429, 429]
    refused = next(each for each in responses if each.status_code == 429)
    assert code(refused) == (429, "E0000047")
    told = {name: refused.headers[f"X-Rate-Limit-{name}"] for name in ("Limit", "Remaining")}
    assert told == {"Limit": "0", "Remaining": "0"}
    assert (await okta.get(url)).status_code == 200


async def test_an_app_that_is_deleted_is_not_found(story: Story0, okta: httpx.AsyncClient) -> None:
    world = story.world
    with pytest.raises(WorldError, match="deactivate first"):
        world.delete_app(story.app)
    world.deactivate_app(story.app)
    world.delete_app(story.app)
    assert world.log.all()[-1]["eventType"] == "application.lifecycle.delete"
    for path in ("", "/users", f"/users/{story.person.id}", "/groups", "/group-push/mappings"):
        assert code(await okta.get(f"/api/v1/apps/{story.app.id}{path}")) == (404, "E0000007")
    assert story.groups == {"Production-Confluence"}
