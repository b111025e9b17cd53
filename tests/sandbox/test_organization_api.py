"""Searches and reads of the organization; every doubtful answer both ways."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from hooks.sandbox.organization.answers import TITLES
from hooks.sandbox.story import COLLEAGUE, JIRA_ADMIN, JIRA_ADMINS, JIRA_USERS, PERSON
from tests.sandbox.admin_api import ANY, CONFLUENCE, EVERYBODY, Api, emails, error, names
from tests.shared import shared

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
        (f"/admin/v1/orgs/{api.organization.id}/domains", "DomainPage"),
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
