"""Members of the organization's groups, taken and given back; what is seen of it, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from hooks.sandbox import Story0, World
from hooks.sandbox.story import COLLEAGUE, JIRA_ADMIN, JIRA_ADMINS, JIRA_USERS, PERSON
from tests.sandbox.admin_api import ANY, CONFLUENCE, Api, emails, error, names


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


async def test_what_an_identity_provider_changes_is_an_event_once_it_has_come(
    api: Api, clock: Any
) -> None:
    """Of a group that stays in its directory there is none."""
    api.world.switches.propagation_delay = 30
    api.world.push_group(api.world.add_okta_group(JIRA_USERS), api.story.app, link=True)
    clock.forward(1)
    api.world.scim_remove(api.story.directory, CONFLUENCE, PERSON)
    origin = str(api.org.base_url).partition("/admin/")[0]
    url = f"{origin}/admin/v1/orgs/{api.organization.id}/events"

    async def told(**asked: Any) -> list[dict[str, Any]]:
        body: dict[str, Any] = (await api.org.get(url, params=asked)).json()
        return list(body["data"])

    assert await told(action="user_removed_from_group") == []
    clock.forward(29)
    assert await told(action="user_removed_from_group") == []
    clock.forward(1)
    (event,) = await told(action="user_removed_from_group")
    assert event["attributes"]["actor"]["name"] == "User provisioning"
    assert [each["id"] for each in event["attributes"]["context"]] == [api.person, api.mirror.id]
    assert (await api.org.get(event["links"]["self"])).json()["data"] == event
    assert (await api.org.get(f"{url}/nonsense")).status_code == 404
    newest = (await api.org.get(url, params={"limit": 1})).json()
    assert (newest["data"], "next" in newest["links"]) == ([event], True)
    assert api.world.violations == []


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
    api.world.switches.org_events_per_minute = 20
    assert (await api.org.get(url)).status_code == 200
