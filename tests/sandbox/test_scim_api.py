"""The SCIM directory: reads, the forms of PATCH, destruction, errors, size."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from hooks.sandbox import Story0, World, create_atlassian
from tests.shared import shared

CONFLUENCE = "Production-Confluence"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


def sample(name: str) -> Any:
    return shared(f"samples/atlassian/{name}.json")["body"]


def error(response: httpx.Response) -> tuple[int, str | None]:
    body = response.json()
    assert body["schemas"] == [ERROR]
    assert body["status"] == str(response.status_code)
    return response.status_code, body.get("scimType")


class Group:
    """One group and the two people of the story, as a client sees them."""

    def __init__(self, story: Story0, scim: httpx.AsyncClient) -> None:
        self.story, self.scim, self.world = story, scim, story.world
        found = story.directory.group_named(CONFLUENCE)
        assert found is not None
        self.url = f"/Groups/{found.id}"
        self.person, self.colleague = (
            story.world.record(story.directory, user.login).id
            for user in (story.person, story.colleague)
        )

    async def patch(self, *operations: Any) -> httpx.Response:
        return await self.scim.patch(self.url, json={"Operations": list(operations)})

    @property
    def members(self) -> set[str]:
        """Local parts of the members' logins."""
        logins = self.world.members(self.story.directory, CONFLUENCE)
        return {login.partition("@")[0] for login in logins}


@pytest.fixture
def group(story: Story0, scim: httpx.AsyncClient) -> Group:
    return Group(story, scim)


BOTH = {"testexample", "colleague"}


def selector(*user_ids: str) -> dict[str, str]:
    inside = " or ".join(f'value eq "{user_id}"' for user_id in user_ids)
    return {"op": "remove", "path": f"members[{inside}]"}


# --- remove ---------------------------------------------------------------------------------


async def test_a_selector_removes_one_and_answers_with_the_group(group: Group) -> None:
    response = await group.patch(selector(group.person))
    assert group.members == {"colleague"}
    assert response.status_code == 200
    assert [m["value"] for m in response.json()["members"]] == [group.colleague]
    assert group.world.violations == []


async def test_a_value_array_removes_one(group: Group) -> None:
    value = [{"value": group.person}]
    await group.patch({"op": "Remove", "path": "members", "value": value})
    assert group.members == {"colleague"}
    assert group.world.violations == []


@pytest.mark.parametrize("refusal", ["invalidPath", "invalidSyntax", "invalidFilter"])
async def test_a_directory_may_take_one_form_only(group: Group, refusal: Any) -> None:
    switches = group.world.switches
    switches.refusal = refusal
    value = {"op": "remove", "path": "members", "value": [{"value": group.person}]}
    switches.remove_form = "selector_only"
    assert error(await group.patch(value)) == (400, refusal)
    switches.remove_form = "value_only"
    assert error(await group.patch(selector(group.person))) == (400, refusal)
    assert group.members == BOTH
    assert (await group.patch(value)).status_code == 200
    assert group.members == {"colleague"}


@pytest.mark.parametrize(
    ("operation", "left"),
    [
        pytest.param({"op": "remove", "path": "members"}, set(), id="no selector"),
        pytest.param({"op": "remove", "path": "members", "value": []}, set(), id="empty array"),
        pytest.param({"op": "replace", "path": "members", "value": []}, set(), id="replace"),
        pytest.param(
            {"op": "remove", "path": 'members[value eq "x" or value ne "y"]'}, set(), id="injected"
        ),
        pytest.param(
            {"op": "replace", "value": {"members": [{"value": "@person"}]}},
            {"testexample"},
            id="replace without a path",
        ),
    ],
)
async def test_destruction_really_destroys_and_is_flagged(
    group: Group, operation: dict[str, Any], left: set[str]
) -> None:
    told = json.loads(json.dumps(operation).replace("@person", group.person))
    assert (await group.patch(told)).status_code == 200
    assert group.members == left
    assert len(group.world.violations) == 1


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param({"value": [{"value": "@person"}]}, id="selector and value"),
        pytest.param({"path": "members", "value": [{"value": "@person"}] * 2}, id="two values"),
        pytest.param({"path": "members", "value": {"value": "@person"}}, id="one object"),
        pytest.param({"path": 'members[value eq "not a uuid"]'}, id="no uuid"),
    ],
)
async def test_removals_that_do_not_name_exactly_one_are_flagged(
    group: Group, operation: dict[str, Any]
) -> None:
    told = selector(group.person) | json.loads(
        json.dumps(operation).replace("@person", group.person)
    )
    await group.patch(told)
    assert len(group.world.violations) == 1


async def test_doubtful_value_arrays(group: Group) -> None:
    switches = group.world.switches
    switches.value_with_display = "nobody"
    value: Any = [{"value": group.person, "display": "x"}]
    assert (
        await group.patch({"op": "remove", "path": "members", "value": value})
    ).status_code == 200
    await group.patch({"op": "remove", "path": "members", "value": [group.person]})
    assert group.members == BOTH
    switches.value_with_display = switches.value_bare_string = "removes"
    await group.patch({"op": "remove", "path": "members", "value": value})
    assert group.members == {"colleague"}
    switches.value_as_object = "empties"
    await group.patch({"op": "remove", "path": "members", "value": {"value": group.person}})
    assert group.members == set()
    assert len(group.world.violations) == 1


async def test_several_operations_in_one_patch(group: Group) -> None:
    add = {"op": "add", "path": "members", "value": [{"value": group.person}]}
    await group.patch(selector(group.person), selector(group.colleague), add)
    assert group.members == {"testexample"}


@pytest.mark.parametrize("atomic", [True, False])
async def test_whether_a_refused_operation_undoes_the_others_is_a_switch(
    group: Group, *, atomic: bool
) -> None:
    group.world.switches.patch_atomic = atomic
    unknown = group.world.ids.uuid()
    assert error(await group.patch(selector(group.person), selector(unknown))) == (404, None)
    assert group.members == (BOTH if atomic else {"colleague"})


@pytest.mark.parametrize(
    ("mode", "answer"), [("ok", None), ("noTarget", (400, "noTarget")), ("404", (404, None))]
)
async def test_removing_who_is_not_there(group: Group, mode: Any, answer: Any) -> None:
    group.world.switches.remove_nonmember = group.world.switches.remove_unknown_user = mode
    await group.patch(selector(group.person))
    account_id = str(group.story.directory.users[group.colleague].account_id)
    for user_id in (group.person, account_id):
        response = await group.patch(selector(user_id))
        assert (None if response.status_code == 200 else error(response)) == answer
    assert group.members == {"colleague"}


async def test_combined_selectors_may_be_refused(group: Group) -> None:
    group.world.switches.selector_combines = False
    both = selector(group.person, group.colleague)
    assert error(await group.patch(both)) == (400, "invalidFilter")
    group.world.switches.selector_combines = True
    await group.patch(both)
    assert group.members == set()
    assert len(group.world.violations) == 2


async def test_the_reply_may_be_empty(group: Group) -> None:
    group.world.switches.patch_reply = "empty"
    response = await group.patch(selector(group.person))
    assert (response.status_code, response.content) == (204, b"")
    assert group.members == {"colleague"}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"Operations":[]}', b'{"Operations":[1]}', b'{"Operations":[{}]}']
)
async def test_a_patch_that_is_none(group: Group, body: bytes) -> None:
    assert error(await group.scim.patch(group.url, content=body)) == (400, "invalidSyntax")


# --- add ------------------------------------------------------------------------------------


async def test_add_as_in_the_official_example(group: Group) -> None:
    await group.patch(selector(group.person))
    recorded = sample("scim_group_patch_add")
    request = recorded["request"]["json"]
    request["Operations"][0]["value"][0]["value"] = group.person
    response = await group.scim.patch(
        group.url, json=request, headers=recorded["request"]["headers"]
    )
    shown, official = response.json(), recorded["response"]["json"]
    assert response.headers["content-type"].startswith("application/scim+json")
    assert shown.keys() == official.keys()
    assert shown["members"][0].keys() == official["members"][0].keys()
    assert shown["meta"].keys() == official["meta"].keys()
    assert group.members == BOTH


async def test_adding_twice_is_no_matter_and_adding_nobody_is_404(group: Group) -> None:
    async def add(user_id: str) -> httpx.Response:
        value = [{"value": user_id}]
        return await group.patch({"op": "add", "path": "members", "value": value})

    assert len((await add(group.person)).json()["members"]) == 2
    assert error(await add(group.world.ids.uuid())) == (404, None)


# --- users ----------------------------------------------------------------------------------


async def test_a_user_has_the_shape_of_a_recorded_one(group: Group) -> None:
    recorded = sample("scim_user_recorded")
    shown = (await group.scim.get(f"/Users/{group.person}")).json()
    assert recorded.keys() <= shown.keys()
    assert shown["schemas"] == recorded["schemas"]
    assert shown["meta"].keys() == recorded["meta"].keys()
    assert shown["emails"][0].keys() == recorded["emails"][0].keys()
    assert [g["display"] for g in shown["groups"]] == [CONFLUENCE]
    assert shown["groups"][0].keys() == {"type", "value", "display", "$ref"}


@pytest.mark.parametrize(
    ("switch", "value", "missing"),
    [
        ("scim_active_shown", False, "active"),
        ("scim_groups_shown", False, "groups"),
        ("scim_extension_shown", False, "urn:scim:schemas:extension:atlassian-external:1.0"),
    ],
)
async def test_what_users_may_lack(group: Group, switch: str, value: Any, missing: str) -> None:
    url = f"/Users/{group.person}"
    assert missing in (await group.scim.get(url)).json()
    setattr(group.world.switches, switch, value)
    assert missing not in (await group.scim.get(url)).json()


async def test_empty_groups_may_be_missing(group: Group) -> None:
    await group.patch(selector(group.person))
    assert (await group.scim.get(f"/Users/{group.person}")).json()["groups"] == []
    group.world.switches.scim_groups_when_empty = "missing"
    assert "groups" not in (await group.scim.get(f"/Users/{group.person}")).json()
    assert "groups" in (await group.scim.get(f"/Users/{group.colleague}")).json()


@pytest.mark.parametrize("mode", ["okta_id", "absent", "other"])
async def test_external_id_is_what_the_admin_mapped(
    story: Story0, scim: httpx.AsyncClient, mode: Any
) -> None:
    story.world.switches.scim_external_id = mode
    user = story.world.add_user("fresh@somedomain.example")
    story.world.assign(user, story.app)
    record = story.world.record(story.directory, user.login)
    shown = (await scim.get(f"/Users/{record.id}")).json().get("externalId")
    assert {"okta_id": shown == user.id, "absent": shown is None}.get(
        mode, shown not in {None, user.id}
    )


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "value": {"active": False}},
        {"op": "replace", "path": "active", "value": False},
    ],
)
async def test_deactivation_in_both_forms_keeps_the_groups(
    group: Group, operation: dict[str, Any]
) -> None:
    url = f"/Users/{group.person}"
    response = await group.scim.patch(url, json={"Operations": [operation]})
    assert response.json()["active"] is False
    assert [g["display"] for g in response.json()["groups"]] == [CONFLUENCE]
    assert group.members == BOTH
    assert group.story.directory.users[group.colleague].active


async def test_deleting_a_user_ends_the_record(group: Group) -> None:
    url = f"/Users/{group.person}"
    assert (await group.scim.delete(url)).status_code == 204
    assert error(await group.scim.get(url)) == (404, None)
    assert group.members == {"colleague"}
    made = await group.scim.post("/Users", json={"userName": group.story.person.login})
    assert made.status_code == 201
    assert made.json()["id"] != group.person
    assert len(group.world.violations) == 1


async def test_only_an_announced_record_may_be_deleted_and_once(group: Group) -> None:
    world = group.world
    world.announce_unlink("main", group.story.person.login)
    await group.scim.delete(f"/Users/{group.person}")
    assert world.violations == []
    await group.scim.delete(f"/Users/{group.person}")
    await group.scim.delete(f"/Users/{group.colleague}")
    assert [each.partition(":")[2] for each in world.violations] == [
        " destroys what it does not name"
    ] * 2


async def test_a_second_user_of_the_name_is_a_conflict(
    story: Story0, scim: httpx.AsyncClient
) -> None:
    response = await scim.post("/Users", json={"userName": story.person.login})
    assert error(response) == (409, "uniqueness")
    recorded = sample("scim_error_409_user")["json"]
    told = recorded["detail"].replace("email@domain", story.person.login)
    assert response.json() == recorded | {"detail": told}


async def test_put_clears_what_it_does_not_name(group: Group) -> None:
    url = f"/Users/{group.person}"
    body = {"userName": "renamed@somedomain.example"}
    shown = (await group.scim.put(url, json=body)).json()
    assert shown["userName"] == body["userName"]
    assert {"displayName", "externalId", "name"}.isdisjoint(shown)
    assert (await group.scim.put(group.url, json={"displayName": CONFLUENCE})).status_code == 200
    assert group.members == set()
    assert (await group.scim.delete(group.url)).status_code == 204
    assert error(await group.scim.get(group.url)) == (404, None)
    assert len(group.world.violations) == 3


# --- lists ----------------------------------------------------------------------------------


async def test_filters_take_one_eq_on_two_attributes(
    story: Story0, scim: httpx.AsyncClient
) -> None:
    async def found(text: str) -> list[str]:
        response = await scim.get("/Users", params={"filter": text})
        return [user["userName"] for user in response.json()["Resources"]]

    login = story.person.login
    assert await found(f'userName eq "{login}"') == [login]
    assert await found(f'username EQ "{login.upper()}"') == [login]
    assert await found(f'externalId eq "{story.person.id}"') == [login]
    assert await found('userName eq "nobody@x"') == []
    for text in (f'emails.value eq "{login}"', 'userName sw "t"', 'userName eq "a" or active pr'):
        assert error(await scim.get("/Users", params={"filter": text})) == (400, "invalidFilter")
    story.world.switches.filter_ignored = True
    assert len(await found('userName eq "nobody@x"')) == 2


async def test_unknown_parameters_are_ignored_and_flagged(
    story: Story0, scim: httpx.AsyncClient
) -> None:
    response = await scim.get("/Users", params={"emails.value": "nobody@x"})
    assert response.json()["totalResults"] == 2
    assert len(story.world.violations) == 1


async def test_pages_start_at_one_and_hold_100(story: Story0, scim: httpx.AsyncClient) -> None:
    for number in range(120):
        story.world.add_scim_user(story.directory, f"p{number}@x.example")

    async def page(**params: int) -> tuple[int, int, list[str]]:
        body = (await scim.get("/Users", params=params)).json()
        names = [user["userName"] for user in body["Resources"]]
        assert body["itemsPerPage"] == len(names)
        return body["totalResults"], body["startIndex"], names

    total, start, names = await page()
    assert (total, start, len(names)) == (122, 1, 100)
    _, _, rest = await page(startIndex=101)
    assert len(rest) == 22
    assert len(set(names + rest)) == 122
    assert (await page(startIndex=123))[2] == []
    assert len((await page(count=1000))[2]) == 122
    story.world.switches.scim_page_maximum = 50
    assert len((await page(count=1000))[2]) == 50
    story.world.switches.scim_paging_ignored = True
    assert (await page(startIndex=101, count=5))[1:] == (1, (await page())[2])


async def test_groups_by_display_name(story: Story0, scim: httpx.AsyncClient) -> None:
    async def found(name: str) -> int:
        params: dict[str, str | int] = {"filter": f'displayName eq "{name}"', "count": 1}
        return int((await scim.get("/Groups", params=params)).json()["totalResults"])

    assert (await found(CONFLUENCE), await found(CONFLUENCE.lower())) == (1, 0)
    story.world.switches.display_name_case_exact = False
    assert await found(CONFLUENCE.lower()) == 1
    response = await scim.get("/Groups", params={"filter": 'members.value eq "x"'})
    assert error(response) == (400, "invalidFilter")


async def test_a_force_sync_unlinks_an_account_and_drops_it_from_its_groups(group: Group) -> None:
    group.world.set_account(group.story.person.login, claim="unmanaged")
    group.world.force_sync(group.story.directory)
    shown = (await group.scim.get(f"/Users/{group.person}")).json()
    assert shown["groups"] == []
    assert "urn:scim:schemas:extension:atlassian-external:1.0" not in shown
    assert group.members == {"colleague"}


async def test_attributes_may_be_chosen(group: Group) -> None:
    url = f"/Users/{group.person}"
    shown = (await group.scim.get(url, params={"attributes": "groups,emails.value"})).json()
    assert shown.keys() == {"schemas", "id", "groups", "emails"}
    shown = (await group.scim.get(url, params={"excludedAttributes": "groups"})).json()
    assert "groups" not in shown
    assert "emails" in shown
    both = await group.scim.get(url, params={"attributes": "id", "excludedAttributes": "name"})
    assert both.status_code == 400


async def test_reads_may_trail_writes(group: Group, clock: Any) -> None:
    group.world.switches.scim_read_lag = 5

    async def seen() -> tuple[int, int]:
        members = (await group.scim.get(group.url)).json()["members"]
        groups = (await group.scim.get(f"/Users/{group.person}")).json()["groups"]
        return len(members), len(groups)

    await group.patch(selector(group.person))
    assert group.members == {"colleague"}
    assert await seen() == (2, 1)
    clock.forward(5)
    assert await seen() == (1, 0)


# --- doors ----------------------------------------------------------------------------------


async def test_keys_and_directories(story: Story0, scim: httpx.AsyncClient) -> None:
    world = story.world
    other = world.add_directory(world.add_app("Other"), "other")
    refused = {"": 401, "Bearer wrong": 401, f"Bearer {other.key}": 403}
    for header, status in refused.items():
        response = await scim.get("/Users", headers={"Authorization": header})
        assert response.status_code == status
        assert response.json().keys() == sample("scim_failure_401_403_shape").keys()
    story.directory.dead = True
    assert error(await scim.get("/Users")) == (404, None)
    story.directory.dead = False
    story.directory.key_expired = True
    assert (await scim.get("/Users")).status_code == 401


async def test_an_unknown_directory_is_404(story: Story0, scim: httpx.AsyncClient) -> None:
    url = f"https://api.atlassian.test/scim/directory/{story.world.ids.uuid()}/Users"
    assert error(await scim.get(url)) == (404, None)
    story.world.switches.scim_no_directory = "403"
    assert (await scim.get(url)).status_code == 403


@pytest.mark.parametrize("form", ["seconds", "date", "absent"])
async def test_rates(story: Story0, scim: httpx.AsyncClient, form: Any) -> None:
    switches = story.world.switches
    switches.scim_rate_limit, switches.scim_rate_headers, switches.retry_after = 1, True, form
    first = await scim.get("/ServiceProviderConfig")
    second = await scim.get("/ServiceProviderConfig")
    assert (first.status_code, second.status_code) == (200, 429)
    assert first.headers["X-RateLimit-Remaining"] == "0"
    assert second.headers["X-RateLimit-Reset"] == "2026-11-21T09:31:00Z"
    expected = {"seconds": "60", "date": "Sat, 21 Nov 2026 09:31:00 GMT", "absent": None}
    assert second.headers.get("Retry-After") == expected[form]


async def test_what_the_directory_says_of_itself(scim: httpx.AsyncClient) -> None:
    assert (await scim.get("/ServiceProviderConfig")).json()["patch"]["supported"] is True
    assert (await scim.get("/ResourceTypes")).json()["totalResults"] == 2
    assert (await scim.get("/ResourceTypes/Group")).json()["endpoint"] == "/Groups"
    urn = "urn:ietf:params:scim:schemas:core:2.0:User"
    assert (await scim.get(f"/Schemas/{urn}")).json()["id"] == urn
    assert (await scim.get("/Schemas/urn:x")).status_code == 404


async def test_a_group_of_35000(clock: Any) -> None:
    world = World(clock)
    directory = world.add_directory(world.add_app("big"), "big")
    group = world.add_scim_group(directory, "all")
    ids = [world.add_scim_user(directory, f"p{n}@x.example").id for n in range(35_000)]
    directory.join(group, ids, world.now())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_atlassian(world)),
        base_url=f"https://api.atlassian.test/scim/directory/{directory.id}",
        headers={"Authorization": f"Bearer {directory.key}"},
    ) as scim:
        began = time.perf_counter()
        response = await scim.patch(
            f"/Groups/{group.id}", json={"Operations": [selector(ids[17_000])]}
        )
        took = time.perf_counter() - began
    assert len(response.json()["members"]) == 34_999
    assert len(response.content) > 5_000_000
    assert took < 2
