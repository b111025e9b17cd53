"""The organization's admin API: searches, writes, doors; every doubtful answer both ways."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.sandbox import Story0, World
from hooks.sandbox.organization.answers import TITLES
from hooks.sandbox.organization.nouns import OrgGroup
from hooks.sandbox.organization.pages import page
from hooks.sandbox.story import COLLEAGUE, JIRA_ADMIN, JIRA_ADMINS, JIRA_USERS, PERSON

SHARED = Path(__file__).parents[2].parent / "shared"
CONFLUENCE = "Production-Confluence"
ANY = "/-"


def shared(path: str) -> Any:
    file = SHARED / path
    if not file.exists():
        # Users of the project do not have the vendors' schemas and samples.
        pytest.skip("no contracts here")
    return json.loads(file.read_text())


def error(response: httpx.Response) -> tuple[int, str]:
    body = response.json()["errors"][0]
    assert int(body["status"]) == response.status_code
    assert {"id", "code", "title", "detail"} <= set(body)
    return response.status_code, body["code"].removeprefix("ADMIN-UAM-")


class Api:
    """The calls a client makes, and what came of them in the world."""

    def __init__(self, story: Story0, org: httpx.AsyncClient) -> None:
        self.story, self.org, self.world = story, org, story.world
        self.organization = story.world.organization
        self.base = f"/{self.organization.user_base}"
        self.person = story.world.account(PERSON).id

    async def users(self, base: str = ANY, **asked: Any) -> httpx.Response:
        return await self.org.post(f"{base}/users/search", json=asked)

    async def groups(self, base: str = ANY, **asked: Any) -> httpx.Response:
        return await self.org.post(f"{base}/groups/search", json=asked)

    def url(self, group: OrgGroup | str = JIRA_USERS, base: str | None = None) -> str:
        group = group if isinstance(group, OrgGroup) else self.world.local_group(group)
        return f"{base or self.base}/groups/{group.id}"

    async def remove(
        self, who: str = PERSON, group: OrgGroup | str = JIRA_USERS, base: str | None = None
    ) -> httpx.Response:
        account = self.world.account(who).id
        return await self.org.delete(f"{self.url(group, base)}/memberships/{account}")

    async def add(
        self, who: str = JIRA_ADMIN, group: OrgGroup | str = JIRA_USERS, base: str | None = None
    ) -> httpx.Response:
        body = {"accountId": self.world.account(who).id}
        return await self.org.post(f"{self.url(group, base)}/memberships", json=body)

    @property
    def mirror(self) -> OrgGroup:
        """The synced group of the story."""
        groups = self.organization.groups.values()
        return next(g for g in groups if g.synced and g.name == CONFLUENCE)


@pytest.fixture
def api(story: Story0, org: httpx.AsyncClient) -> Api:
    return Api(story, org)


def names(response: httpx.Response) -> set[str]:
    assert response.status_code == 200, response.text
    return {item["name"] for item in response.json()["data"]}


def emails(response: httpx.Response) -> set[str]:
    assert response.status_code == 200, response.text
    return {item["email"] for item in response.json()["data"]}


EVERYBODY = {PERSON, COLLEAGUE, JIRA_ADMIN}


# --- shapes ---------------------------------------------------------------------------------


async def test_answers_have_the_fields_of_the_contract_and_no_others(api: Api) -> None:
    contract = shared("contracts/atlassian-organization-v2-fields.json")
    operations = {
        path.rpartition("/{directoryId}")[2]: fields
        for path, fields in contract["admin_v2"].items()
    }
    expand = ["groups", "platformRoles", "productAccess", "counts.resources"]
    for what, fields, response in (
        ("users", "/users/search", await api.users(expand=expand)),
        ("groups", "/groups/search", await api.groups(expand=["counts.users"])),
    ):
        declared = {
            field.partition(":")[0].partition("[")[0] for field in operations[fields]["item"]
        }
        assert response.json()["data"], what
        for item in response.json()["data"]:
            assert set(item) <= declared
    codes = contract["error_codes_v2"]
    assert {code: codes.get(code) for code in TITLES if "UAM" in code}.items() <= codes.items()
    assert all(title == codes.get(code, title) for code, title in TITLES.items())


async def test_a_group_looks_like_the_sample(api: Api) -> None:
    sample = shared("samples/atlassian/admin_v2_groups_search_constructed.json")["body"]
    item = sample["response"]["json"]["data"][0]
    [found] = (await api.groups(groupNames=[JIRA_USERS])).json()["data"]
    assert set(found) == set(item)
    for name in ("name", "managementAccess", "externalSynced", "managedBy"):
        assert found[name] == item[name]


async def test_errors_look_as_recorded(api: Api) -> None:
    unknown, routing, *_ = shared("samples/atlassian/admin_v2_errors_recorded.json")["body"]
    response = await api.org.delete(f"{api.url()}/memberships/{api.story.person.id}")
    [told], [recorded] = response.json()["errors"], unknown["json"]["errors"]
    assert told | {"id": ""} == recorded | {"id": ""}
    origin = str(api.org.base_url).partition("/admin/")[0]
    response = await api.org.get(f"{origin}/admin/v2/orgs/x/directories")
    assert set(response.json()) == set(routing["json"])
    assert response.json()["message"] == routing["json"]["message"]


async def test_the_v1_probe_is_as_declared(api: Api) -> None:
    document = shared("contracts/atlassian-organization-v1.json")
    origin = str(api.org.base_url).partition("/admin/")[0]
    for path, schema in (
        (f"/admin/v1/orgs/{api.organization.id}", "Org"),
        ("/admin/v1/orgs", "OrgPage"),
        (f"/admin/v1/orgs/{api.organization.id}/events", "EventPage"),
        (f"/admin/v1/orgs/{api.organization.id}/event-actions", "EventActions"),
    ):
        body = (await api.org.get(origin + path)).json()
        declared = document["components"]["schemas"][schema]
        whole = {**declared, "components": document["components"]}
        jsonschema.Draft202012Validator(whole).validate(body)
    assert (await api.org.get(f"{origin}/admin/v1/orgs")).json()["data"] == []


# --- searching users ------------------------------------------------------------------------


async def test_users_are_found_by_every_filter(api: Api) -> None:
    world = api.world
    world.set_roles(JIRA_ADMIN, ["atlassian/org-admin"])
    world.set_account(COLLEAGUE, claim="unmanaged", membership="suspended")
    world.set_scim_active(api.story.directory, PERSON, active=False)
    group = world.local_group(JIRA_USERS).id
    for asked, expected in (
        ({}, EVERYBODY),
        ({"emails": [PERSON.upper(), COLLEAGUE]}, {PERSON, COLLEAGUE}),
        ({"accountIds": [api.person]}, {PERSON}),
        ({"groupIds": [group]}, {PERSON, COLLEAGUE}),
        ({"groupIds": [group], "accountIds": [api.person]}, {PERSON}),
        ({"groupIds": [group], "accountStatus": ["active"]}, {COLLEAGUE}),
        ({"groupIds": ["no such group"]}, set()),
        ({"status": ["deactivated"]}, {PERSON}),
        ({"status": ["suspended", "active"]}, {COLLEAGUE, JIRA_ADMIN}),
        ({"accountStatus": ["inactive"]}, {PERSON}),
        ({"membershipStatus": ["suspended"]}, {COLLEAGUE}),
        ({"claimStatus": "unmanaged"}, {COLLEAGUE}),
        ({"roleIds": ["atlassian/org-admin"]}, {JIRA_ADMIN}),
        ({"searchTerm": "jira"}, {JIRA_ADMIN}),
        ({"emailDomains": ["elsewhere.example"]}, set()),
        ({"directoryIds": [api.organization.user_base]}, EVERYBODY),
        ({"directoryIds": ["another"]}, set()),
    ):
        assert emails(await api.users(**asked)) == expected, asked
        assert emails(await api.users(api.base, **asked)) == expected, asked
    assert world.violations == []


@pytest.mark.parametrize(
    ("account", "status"),
    [
        ({}, "active"),
        ({"status": "inactive"}, "deactivated"),
        ({"status": "closed"}, "for_deletion"),
        ({"membership": "suspended"}, "suspended"),
        ({"membership": "no_membership"}, "not_invited"),
        ({"status": "inactive", "membership": "suspended"}, "deactivated"),
    ],
)
async def test_the_composite_status(api: Api, account: dict[str, Any], status: str) -> None:
    api.world.set_account(PERSON, **account)
    [item] = (await api.users(accountIds=[api.person])).json()["data"]
    assert item["status"] == status
    assert ("deactivatedOn" in item) is (account.get("status") == "inactive")


async def test_roles_groups_and_access_come_when_asked_for(api: Api) -> None:
    api.world.set_roles(PERSON, ["atlassian/org-admin"])
    [bare] = (await api.users(accountIds=[api.person])).json()["data"]
    assert not {"platformRoles", "groups", "productAccess", "counts"} & set(bare)
    expand = ["platformRoles", "groups", "productAccess", "counts.resources"]
    [item] = (await api.users(accountIds=[api.person], expand=expand)).json()["data"]
    assert item["platformRoles"] == ["atlassian/org-admin"]
    assert {JIRA_USERS, CONFLUENCE} < {g["name"] for g in item["groups"]}
    assert {frozenset(g) for g in item["groups"]} == {frozenset({"id", "name", "description"})}
    assert [access["key"] for access in item["productAccess"]] == ["jira-software"]
    api.world.switches.roles_without_expand = True
    api.world.switches.expand_groups_given = False
    [item] = (await api.users(accountIds=[api.person], expand=["groups"])).json()["data"]
    assert item["platformRoles"] == ["atlassian/org-admin"]
    assert "groups" not in item


async def test_deactivated_accounts_may_be_hidden(api: Api) -> None:
    api.world.set_scim_active(api.story.directory, PERSON, active=False)
    assert PERSON in emails(await api.users())
    assert JIRA_USERS in names(await api.groups(accountIds=[api.person]))
    api.world.switches.deactivated_listed = False
    api.world.switches.deactivated_groups_listed = False
    assert emails(await api.users()) == EVERYBODY - {PERSON}
    assert emails(await api.users(status=["deactivated"])) == set()
    assert names(await api.groups(accountIds=[api.person])) == set()


@pytest.mark.parametrize("mode", ["empty", "404"])
async def test_an_id_that_is_no_account(api: Api, mode: Any) -> None:
    api.world.switches.unknown_account_search = mode
    record = api.world.record(api.story.directory, PERSON)
    for response in (
        await api.users(accountIds=[record.id]),
        await api.groups(accountIds=[record.id]),
    ):
        if mode == "404":
            assert error(response) == (404, "404-1")
        else:
            assert response.json()["data"] == []


@pytest.mark.parametrize(
    "asked",
    [
        {"emails": [PERSON], "searchTerm": "x"},
        {"limit": 0},
        {"limit": "many"},
        {"limit": 101},
        {"expand": ["everything"]},
        {"accountIds": "not a list"},
        {"accountIds": []},
        {"accountIds": ["x"] * 11},
        {"emails": ["x"] * 101},
        {"mfaEnabled": True},
        {"cursor": "nonsense"},
    ],
    ids=str,
)
async def test_user_searches_that_are_refused(api: Api, asked: dict[str, Any]) -> None:
    assert error(await api.users(**asked)) == (400, "400-1")


async def test_searches_may_be_more_patient(api: Api) -> None:
    api.world.switches.org_filter_values = "any"
    api.world.switches.org_limit_over = "clamp"
    assert emails(await api.users(accountIds=[api.person] * 11, limit=1000)) == {PERSON}
    assert emails(await api.users(accountIds=[])) == set()


# --- searching groups -----------------------------------------------------------------------


async def test_groups_are_found_by_every_filter(api: Api) -> None:
    group = api.world.local_group(JIRA_USERS)
    synced = {CONFLUENCE, f"All members for directory - {api.story.directory.id}"}
    for asked, expected in (
        ({"accountIds": [api.person]}, {JIRA_USERS, *synced}),
        ({"groupNames": [JIRA_USERS.upper(), "no such"]}, {JIRA_USERS}),
        ({"groupIds": [group.id]}, {JIRA_USERS}),
        ({"groupIds": [group.id], "accountIds": [api.person]}, {JIRA_USERS}),
        ({"searchTerm": "JIRA"}, {JIRA_USERS, JIRA_ADMINS}),
        ({"roleIds": ["atlassian/user"]}, {JIRA_USERS}),
        ({"directoryIds": ["another"]}, set()),
    ):
        assert names(await api.groups(**asked)) == expected, asked
    assert api.world.violations == []


async def test_a_group_says_who_keeps_it(api: Api) -> None:
    world = api.world
    world.add_local_group("team", managed_by="team-members", modifiable=False)
    items = {i["name"]: i for i in (await api.groups(expand=["counts.users"])).json()["data"]}
    told = {
        name: (i["externalSynced"], i["managedBy"], i["managementAccess"]["modifiable"])
        for name, i in items.items()
    }
    assert told[JIRA_USERS] == (False, "admins", True)
    assert told[CONFLUENCE] == (True, "external", False)
    assert told["team"] == (False, "team-members", False)
    assert items[CONFLUENCE]["counts"] == {"users": 2}
    assert {i["directoryId"] for i in items.values()} == {api.organization.user_base}
    assert items[CONFLUENCE]["id"] not in api.story.directory.groups


async def test_fields_of_groups_may_be_missing(api: Api) -> None:
    switches = api.world.switches
    switches.managed_by_shown = switches.external_synced_shown = False
    switches.management_access_shown = switches.counts_shown = False
    [item] = (await api.groups(groupNames=[JIRA_USERS], expand=["counts.users"])).json()["data"]
    assert set(item) == {"id", "name", "description", "directoryId", "links"}


@pytest.mark.parametrize(
    "asked",
    [
        {"groupNames": ["x"], "searchTerm": "x"},
        {"groupNames": ["x"], "groupIds": ["x"]},
        {"limit": 101},
        {"accountIds": ["x"] * 11},
        {"expand": ["groups"]},
    ],
    ids=str,
)
async def test_group_searches_that_are_refused(api: Api, asked: dict[str, Any]) -> None:
    assert error(await api.groups(**asked)) == (400, "400-1")


async def test_some_groups_may_be_out_of_sight(api: Api) -> None:
    world = api.world
    for name in ("system-administrators", "atlassian-addons-admin"):
        world.add_local_group(name)
    world.add_local_group("secret", readable=False)
    every = names(await api.groups())
    assert {"system-administrators", "atlassian-addons-admin"} < every
    assert "secret" not in every
    world.switches.jira_only_groups_listed = False
    world.switches.all_members_group = False
    fewer = {JIRA_USERS, JIRA_ADMINS, CONFLUENCE, "Production-StatusPage"}
    assert names(await api.groups()) == fewer
    assert error(await api.org.get(api.url("system-administrators"))) == (404, "404-3")


async def test_one_group_its_roles_and_the_directories(api: Api) -> None:
    world = api.world
    second = world.add_user_base("second")
    for base in (api.base, ANY):
        body = (await api.org.get(api.url(base=base), params={"expand": "counts.users"})).json()
        assert (body["data"]["name"], body["data"]["counts"]) == (JIRA_USERS, {"users": 2})
    [role] = (await api.org.get(f"{api.url()}/role-assignments")).json()["data"]
    assert (role["resourceOwner"], role["roles"]) == ("jira-software", ["atlassian/user"])
    assert (await api.org.get(f"{api.url(JIRA_ADMINS)}/role-assignments")).json()["data"] == []
    here = str(api.org.base_url).rstrip("/")
    found = (await api.org.get(here)).json()["data"]
    assert {d["directoryId"] for d in found} == {api.organization.user_base, second}
    for asked, expected in (
        ({"accountId": api.person}, {api.organization.user_base}),
        ({"accountId": "nobody"}, set()),
        ({"directoryIds": second}, {second}),
        ({"searchTerm": "SEC"}, {second}),
    ):
        found = (await api.org.get(here, params=asked)).json()["data"]
        assert {d["directoryId"] for d in found} == expected
    assert error(await api.org.get(api.url(base=f"/{second}"))) == (404, "404-3")
    assert error(await api.groups("/another")) == (404, "404-1")
    assert world.violations == []


# --- pages ----------------------------------------------------------------------------------


def cursor_of(link: str) -> str:
    return link.rpartition("cursor=")[2]


@pytest.mark.parametrize("form", ["bare", "url", "query"])
@pytest.mark.parametrize("kind", ["after", "offset"])
async def test_a_cursor_alone_leads_through_all_pages(api: Api, form: Any, kind: Any) -> None:
    switches = api.world.switches
    switches.org_next, switches.org_cursor = form, kind
    for number in range(7):
        api.world.local_add(api.world.add_local_group(f"group-{number}"), PERSON)
    asked: dict[str, Any] = {"accountIds": [api.person], "limit": 3, "expand": ["counts.users"]}
    found: list[str] = []
    pages = 0
    while asked:
        body = (await api.groups(**asked)).json()
        found += [item["name"] for item in body["data"]]
        assert all("counts" in item for item in body["data"])
        pages += 1
        following = body["links"].get("next", "")
        if following:
            assert following.startswith(
                {"bare": cursor_of(following), "url": "http://127", "query": "?cursor="}[form]
            )
        # Beside a cursor everything is discarded.
        asked = {"cursor": cursor_of(following)} if following else {}
    assert (pages, len(found), len(set(found))) == (4, 10, 10)
    assert api.world.violations == []


async def test_what_comes_beside_a_cursor_is_discarded_and_flagged(api: Api) -> None:
    following = (await api.users(limit=1)).json()["links"]["next"]
    body = (await api.users(cursor=following, limit=50, searchTerm="nobody")).json()
    assert len(body["data"]) == 1
    assert len(api.world.violations) == 1


async def test_a_cursor_is_good_for_its_own_list_only(api: Api) -> None:
    following = (await api.users(limit=1)).json()["links"]["next"]
    assert error(await api.groups(cursor=following)) == (400, "400-1")


@pytest.mark.parametrize(("kind", "missed"), [("after", 0), ("offset", 1)])
async def test_a_page_may_shift_under_a_change(api: Api, kind: Any, missed: int) -> None:
    api.world.switches.org_cursor = kind
    body = (await api.users(limit=2)).json()
    first = body["data"]
    api.world.organization.forget(api.world.account(first[0]["email"]))
    rest = (await api.users(cursor=body["links"]["next"])).json()["data"]
    assert len(rest) == 1 - missed


async def test_sizes_of_pages(api: Api) -> None:
    for number in range(51):
        api.world.add_account(f"p{number}@x.example")
        api.world.add_local_group(f"g{number}")
    assert len((await api.users()).json()["data"]) == 50
    assert len((await api.groups()).json()["data"]) == 20
    api.world.switches.org_users_page = api.world.switches.org_groups_page = 2
    assert len((await api.users()).json()["data"]) == 2
    assert len((await api.groups()).json()["data"]) == 2


async def test_pages_that_lie(api: Api) -> None:
    world = api.world

    async def links(**trouble: Any) -> dict[str, str]:
        world.fault("org", times=1, **trouble)
        found: dict[str, str] = (await api.users(limit=1)).json()["links"]
        return found

    assert "next" not in await links(drop_next=True)
    assert (await links(foreign_next=True))["next"].startswith("https://foreign.example/admin/")
    again = (await links(repeat_next=True))["next"]
    one, two = (await api.users(limit=1)).json(), (await api.users(cursor=again)).json()
    assert one["data"] == two["data"]
    world.fault("org", times=1, empty_list=True)
    assert (await api.users()).json() == {"data": [], "links": {}}
    world.fault("org", times=1, foreign_next=True)
    assert (await api.remove()).status_code == 204


@given(st.sets(st.text(max_size=3), max_size=12).map(sorted), st.integers(1, 5), st.booleans())
def test_pages_hold_every_key_once(keys: list[str], limit: int, by_offset: Any) -> None:
    found: list[str] = []
    start: Any = None
    while True:
        shown, start = page(keys, start, limit, by_offset=by_offset)
        assert len(shown) <= limit
        found += shown
        if start is None:
            break
    assert found == keys


# --- removing and adding --------------------------------------------------------------------


@pytest.mark.parametrize("reply", ["204", "200"])
async def test_a_membership_is_taken_and_given_back(api: Api, reply: Any) -> None:
    api.world.switches.org_write_reply = reply
    response = await api.remove()
    assert (response.status_code, bool(response.content)) == (int(reply), reply == "200")
    assert api.world.local_members(JIRA_USERS) == {COLLEAGUE}
    assert (await api.add(PERSON)).status_code == int(reply)
    assert api.world.local_members(JIRA_USERS) == {PERSON, COLLEAGUE}
    assert api.world.violations == []


@pytest.mark.parametrize("mode", ["204", "400"])
async def test_a_deactivated_account_may_be_refused(api: Api, mode: Any) -> None:
    switches = api.world.switches
    switches.inactive_remove = switches.inactive_add = mode
    api.world.set_scim_active(api.story.directory, PERSON, active=False)
    removed, added = await api.remove(), await api.add(PERSON, JIRA_ADMINS)
    if mode == "400":
        assert error(removed) == error(added) == (400, "400-2")
        assert api.story.local_groups == {JIRA_USERS}
    else:
        assert (removed.status_code, added.status_code) == (204, 204)
        assert api.story.local_groups == {JIRA_ADMINS}


@pytest.mark.parametrize("mode", ["403", "204"])
async def test_a_synced_group_is_not_the_organizations_to_change(api: Api, mode: Any) -> None:
    api.world.switches.synced_write = mode
    for response in (await api.remove(PERSON, api.mirror), await api.add(JIRA_ADMIN, api.mirror)):
        assert response.status_code == int(mode)
        assert mode == "204" or error(response) == (403, "403-1")
    assert api.story.groups == {CONFLUENCE}
    assert CONFLUENCE in api.world.organization_groups_of(PERSON)
    assert CONFLUENCE not in api.world.organization_groups_of(JIRA_ADMIN)


async def test_a_local_group_may_be_unmodifiable(api: Api) -> None:
    api.world.switches.synced_write = "204"
    group = api.world.add_local_group("team", modifiable=False, managed_by="open")
    api.world.local_add(group, PERSON)
    assert error(await api.remove(PERSON, group)) == (403, "403-1")
    assert "team" in api.story.local_groups


async def test_a_nonmember_and_a_member_again(api: Api) -> None:
    assert (await api.remove(JIRA_ADMIN)).status_code == 204
    assert (await api.add(PERSON)).status_code == 204
    api.world.switches.org_remove_nonmember = "404"
    api.world.switches.org_add_member = "409"
    assert error(await api.remove(JIRA_ADMIN)) == (404, "404-1")
    assert error(await api.add(PERSON)) == (409, "409-2")


async def test_ids_that_are_none_of_this_directory(api: Api) -> None:
    world = api.world
    second = world.add_user_base("second")
    stranger = world.add_account("stranger@x.example", user_base=second)
    record = world.record(api.story.directory, PERSON)
    for account_id in (stranger.id, record.id, "nobody"):
        url = f"{api.url()}/memberships"
        assert error(await api.org.delete(f"{url}/{account_id}")) == (404, "404-1")
        assert error(await api.org.post(url, json={"accountId": account_id})) == (404, "404-1")
    for group_id in (*api.story.directory.groups, "nothing"):
        url = f"{api.base}/groups/{group_id}/memberships/{api.person}"
        assert error(await api.org.delete(url)) == (404, "404-3")
    assert error(await api.remove(base=f"/{second}")) == (404, "404-3")
    # The id of a SCIM directory is none here.
    assert error(await api.remove(base=f"/{api.story.directory.id}")) == (404, "404-1")
    assert error(await api.org.post(f"{api.url()}/memberships", json={})) == (400, "400-1")


@pytest.mark.parametrize("mode", ["404", "204"])
async def test_a_write_that_names_no_directory(api: Api, mode: Any) -> None:
    api.world.switches.wildcard_write = mode
    response = await api.remove(base=ANY)
    assert response.status_code == int(mode)
    assert (JIRA_USERS in api.story.local_groups) is (mode == "404")
    assert len(api.world.violations) == 1


@pytest.mark.parametrize("mode", ["204", "403"])
async def test_leaving_org_admins_ends_no_role(api: Api, mode: Any) -> None:
    world = api.world
    world.switches.org_admins_remove = mode
    world.local_add(world.add_local_group("org-admins"), PERSON)
    world.set_roles(PERSON, ["atlassian/org-admin"])
    assert (await api.remove(PERSON, "org-admins")).status_code == int(mode)
    assert ("org-admins" in api.story.local_groups) is (mode == "403")
    assert world.account(PERSON).roles == ["atlassian/org-admin"]
    assert len(world.violations) == 1


@pytest.mark.parametrize("full", [False, True])
async def test_a_licence_may_be_missing(api: Api, *, full: bool) -> None:
    api.world.switches.licence_limit = full
    response = await api.add()
    assert (response.status_code == 409) is full
    assert not full or error(response) == (409, "409-3")
    assert (await api.add(PERSON, JIRA_ADMINS)).status_code == 204


async def test_searches_may_trail_writes(api: Api, clock: Any) -> None:
    api.world.switches.org_search_lag = 20
    clock.forward(1)
    await api.remove()
    await api.add(JIRA_ADMIN)
    group = api.world.local_group(JIRA_USERS).id
    assert api.world.local_members(JIRA_USERS) == {COLLEAGUE, JIRA_ADMIN}
    clock.forward(19)
    assert JIRA_USERS in names(await api.groups(accountIds=[api.person]))
    assert emails(await api.users(groupIds=[group])) == {PERSON, COLLEAGUE}
    clock.forward(1)
    assert JIRA_USERS not in names(await api.groups(accountIds=[api.person]))
    assert emails(await api.users(groupIds=[group])) == {COLLEAGUE, JIRA_ADMIN}


async def test_searches_trail_the_directory_by_its_propagation(api: Api, clock: Any) -> None:
    api.world.switches.propagation_delay = 30
    api.world.tick()
    clock.forward(1)
    api.world.scim_remove(api.story.directory, CONFLUENCE, PERSON)
    api.world.set_scim_active(api.story.directory, PERSON, active=False)
    clock.forward(29)
    assert CONFLUENCE in names(await api.groups(accountIds=[api.person]))
    assert emails(await api.users(status=["deactivated"])) == set()
    clock.forward(1)
    assert CONFLUENCE not in names(await api.groups(accountIds=[api.person]))
    assert emails(await api.users(status=["deactivated"])) == {PERSON}


def test_worlds_are_the_same_for_the_same_seed(clock: Any) -> None:
    def seen(seed: int) -> tuple[str, str, set[str]]:
        organization = Story0(World(clock, seed)).world.organization
        return organization.id, organization.api_key, set(organization.groups)

    assert seen(1) == seen(1)
    assert seen(1) != seen(2)


# --- many -----------------------------------------------------------------------------------


async def test_a_person_in_five_hundred_groups(api: Api) -> None:
    for number in range(500):
        api.world.local_add(api.world.add_local_group(f"group-{number:03}"), PERSON)
    body = (await api.groups(accountIds=[api.person], limit=100)).json()
    found = {item["name"] for item in body["data"]}
    while "next" in body["links"]:
        body = (await api.groups(cursor=body["links"]["next"])).json()
        found |= {item["name"] for item in body["data"]}
    assert len(found) == 503


async def test_events_come_late_and_ten_a_minute(api: Api, clock: Any) -> None:
    api.world.switches.org_event_delay = 60
    clock.forward(61)
    await api.remove()
    origin = str(api.org.base_url).partition("/admin/")[0]
    url = f"{origin}/admin/v1/orgs/{api.organization.id}/events"

    async def told(**asked: Any) -> list[tuple[str, str]]:
        body = (await api.org.get(url, params=asked)).json()
        return [
            (e["attributes"]["action"], e["attributes"]["context"][0]["id"]) for e in body["data"]
        ]

    gone = {"action": "user_removed_from_group"}
    assert await told(**gone) == []
    clock.forward(60)
    assert await told(**gone) == [("user_removed_from_group", api.person)]
    at = datetime.timestamp(api.world.now()) * 1000
    assert await told(**gone, **{"from": int(at)}) == []
    assert (await told(sortOrder="asc"))[0][0] == "user_added_to_group"
    codes = [(await api.org.get(url)).status_code for _ in range(12)]
    assert codes == [200] * (10 - 3) + [429] * 5
