"""The organization as a store: what SCIM brings, what it never touches, what admins do."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from hooks.sandbox import Story0, World, WorldError
from hooks.sandbox.story import COLLEAGUE, JIRA_ADMIN, JIRA_ADMINS, JIRA_USERS, PERSON

CONFLUENCE, STATUSPAGE = "Production-Confluence", "Production-StatusPage"


def everybody(story: Story0) -> str:
    return f"All members for directory - {story.directory.id}"


def status(world: World, login: str = PERSON) -> str:
    return world.organization.status_at(world.account(login), world.now())


# --- what SCIM brings -----------------------------------------------------------------------


def test_every_record_has_an_account_and_every_scim_group_a_mirror(story: Story0) -> None:
    world = story.world
    record = world.record(story.directory, PERSON)
    account = world.account(PERSON)
    assert account.id == record.account_id
    assert (account.email, account.name) == (PERSON, "Testexample Example")
    assert (account.status, account.membership, account.claim) == ("active", "active", "managed")
    assert world.organization_groups_of(PERSON) == {CONFLUENCE, everybody(story), JIRA_USERS}
    assert world.organization_groups_of("nobody@x.example") == set()


def test_no_id_of_one_store_is_an_id_of_another(story: Story0) -> None:
    organization, directory = story.world.organization, story.directory
    ids = [
        organization.id,
        *organization.user_bases,
        *organization.groups,
        *organization.accounts,
        directory.id,
        *directory.users,
        *directory.groups,
    ]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[0-9a-f-]{36}", i) for i in [organization.id, *organization.groups])


@pytest.mark.parametrize("deactivates", [False, True])
def test_a_return_brings_every_local_group_back_and_the_colleague_keeps_theirs(
    *, deactivates: bool
) -> None:
    story = Story0(deactivates=deactivates)
    story.remove_from_old_group()
    assert status(story.world) == "inactive"
    assert story.local_groups == {JIRA_USERS}
    assert CONFLUENCE in story.world.organization_groups_of(PERSON)
    story.come_back()
    assert status(story.world) == "active"
    assert story.local_groups == {JIRA_USERS}
    assert story.world.local_groups_of(COLLEAGUE) == {JIRA_USERS}
    assert story.world.local_members(JIRA_ADMINS) == {JIRA_ADMIN}


def test_a_story_without_local_groups() -> None:
    assert Story0(local=False).local_groups == set()


def test_both_groups_and_accounts_arrive_late(story: Story0, clock: Any) -> None:
    world = story.world
    world.switches.propagation_delay = 30
    world.tick()
    clock.forward(1)
    world.add_to_group(PERSON, STATUSPAGE)
    world.scim_remove(story.directory, CONFLUENCE, PERSON)
    world.add_scim_group(story.directory, "late")
    world.add_scim_user(story.directory, "late@x.example")
    world.scim_add(story.directory, "late", PERSON)
    world.set_scim_active(story.directory, PERSON, active=False)
    world.local_add(JIRA_ADMINS, PERSON)
    account = world.account("late@x.example")
    local = {JIRA_USERS, JIRA_ADMINS}
    clock.forward(29)
    assert world.organization_groups_of(PERSON) == {CONFLUENCE, everybody(story), *local}
    assert not world.organization.known(account, world.now())
    assert status(world) == "active"
    clock.forward(1)
    assert world.organization_groups_of(PERSON) == {STATUSPAGE, "late", everybody(story), *local}
    assert world.organization.known(account, world.now())
    assert status(world) == "inactive"


def test_two_directories_share_an_account_and_may_share_a_name(story: Story0) -> None:
    world = story.world
    second = world.add_directory(world.add_app("Second"), "second")
    world.add_scim_user(second, PERSON)
    world.add_scim_group(second, CONFLUENCE)
    groups = [g for g in world.organization.groups.values() if g.name == CONFLUENCE]
    assert len(groups) == 2
    world.set_scim_active("second", PERSON, active=False)
    assert status(world) == "inactive"
    world.set_scim_active("main", PERSON, active=True)
    assert status(world) == "active"
    assert world.groups_of("second", PERSON) == set()


def test_a_directory_may_sync_into_another_user_base(story: Story0) -> None:
    world = story.world
    base = world.add_user_base("second")
    directory = world.add_directory(world.add_app("Second"), "second")
    world.sync_into(directory, base)
    world.add_scim_user(directory, PERSON)
    group = world.add_scim_group(directory, "elsewhere")
    mirror = next(g for g in world.organization.groups.values() if g.name == "elsewhere")
    assert (mirror.user_base, mirror.id != group.id) == (base, True)
    assert world.account(PERSON).user_bases == {world.organization.user_base, base}


@pytest.mark.parametrize("mode", ["ignored", "deactivated"])
def test_a_deactivation_may_not_reach_an_account_nobody_claimed(story: Story0, mode: Any) -> None:
    story.world.switches.unmanaged_deactivation = mode
    story.world.set_account(PERSON, claim="unmanaged")
    story.remove_from_old_group()
    assert status(story.world) == ("inactive" if mode == "deactivated" else "active")


def test_a_force_sync_takes_the_synced_groups_and_leaves_the_local_ones(story: Story0) -> None:
    story.world.force_sync(story.directory)
    assert story.groups
    story.world.set_account(PERSON, claim="unmanaged")
    story.world.force_sync(story.directory)
    assert story.groups == set()
    assert story.world.organization_groups_of(PERSON) == {JIRA_USERS}


async def test_a_scim_user_deleted_leaves_an_account_without_its_synced_groups(
    story: Story0, scim: httpx.AsyncClient
) -> None:
    world = story.world
    account = world.account(PERSON)
    await scim.delete(f"/Users/{world.record(story.directory, PERSON).id}")
    assert status(world) == "inactive"
    assert world.organization_groups_of(account) == {JIRA_USERS}
    again = await scim.post("/Users", json={"userName": PERSON})
    assert status(world) == "active"
    assert again.json()["urn:scim:schemas:extension:atlassian-external:1.0"] == {
        "atlassianAccountId": account.id
    }


@pytest.mark.parametrize("claim", ["managed", "unmanaged"])
@pytest.mark.parametrize("does", ["deactivated", "unchanged"])
async def test_what_deleting_a_scim_user_does_to_its_account_is_a_switch(
    story: Story0, scim: httpx.AsyncClient, claim: str, does: Any
) -> None:
    world = story.world
    account = world.set_account(PERSON, claim=claim)
    setattr(world.switches, f"unlinked_{claim}", does)
    await scim.delete(f"/Users/{world.record(story.directory, PERSON).id}")
    assert account.status == ("inactive" if does == "deactivated" else "active")


async def test_synced_groups_may_stay_out_of_reach_of_scim(
    story: Story0, scim: httpx.AsyncClient
) -> None:
    world = story.world
    account = world.account(PERSON)
    world.switches.unlinked_groups = "kept"
    await scim.delete(f"/Users/{world.record(story.directory, PERSON).id}")
    assert world.organization_groups_of(account) == {CONFLUENCE, JIRA_USERS}
    mirror = next(g for g in world.organization.groups.values() if g.name == CONFLUENCE)
    assert account.id in world.organization.members_at(mirror, world.now())
    assert world.members(story.directory, CONFLUENCE) == {COLLEAGUE}


async def test_an_account_that_scim_holds_is_not_reactivated_by_hand(
    story: Story0, scim: httpx.AsyncClient
) -> None:
    """Source: neteye-blog.com 2025-03."""
    world = story.world
    account = world.account(PERSON)
    world.set_scim_active(story.directory, PERSON, active=False)
    with pytest.raises(WorldError, match="identity provider"):
        world.reactivate(PERSON)
    await scim.delete(f"/Users/{world.record(story.directory, PERSON).id}")
    world.reactivate(account)
    assert account.status == "active"


async def test_a_scim_group_deleted_is_gone_from_the_organization(
    story: Story0, scim: httpx.AsyncClient
) -> None:
    group = story.directory.group_named(CONFLUENCE)
    assert group is not None
    await scim.delete(f"/Groups/{group.id}")
    assert CONFLUENCE not in {g.name for g in story.world.organization.groups.values()}


@pytest.mark.parametrize("mode", ["unsynced", "409"])
@pytest.mark.parametrize("name", [JIRA_USERS, "Site-Admins"])
async def test_a_reserved_name_is_made_and_never_synced_or_refused(
    story: Story0, scim: httpx.AsyncClient, mode: Any, name: str
) -> None:
    story.world.switches.default_name_create = mode
    response = await scim.post("/Groups", json={"displayName": name})
    assert response.status_code == (409 if mode == "409" else 201)
    assert not [g for g in story.world.organization.groups.values() if g.synced and g.name == name]


async def test_a_name_the_organization_has_is_a_conflict(
    story: Story0, scim: httpx.AsyncClient
) -> None:
    world = story.world
    world.add_local_group("taken")
    response = await scim.post("/Groups", json={"displayName": "taken"})
    assert (response.status_code, response.json()["scimType"]) == (409, "uniqueness")
    mapping = world.push_group(world.add_okta_group("taken"), story.app)
    assert mapping.status == "ERROR"


def test_sync_group_gives_a_local_group_to_the_directory(story: Story0) -> None:
    world = story.world
    group = world.add_local_group("ours")
    world.local_add("ours", COLLEAGUE)
    world.sync_group("ours", story.directory)
    assert (group.synced, group.managed_by, group.modifiable) == (True, "external", False)
    assert "ours" not in world.organization_groups_of(COLLEAGUE)
    source = world.add_okta_group("ours")
    world.add_to_group(PERSON, source)
    world.push_group(source, story.app, link=True)
    assert "ours" in world.organization_groups_of(PERSON)


@pytest.mark.parametrize("everybody_too", [False, True])
async def test_a_lapse_makes_synced_groups_local_and_ends_the_directory(
    story: Story0, scim: httpx.AsyncClient, *, everybody_too: bool
) -> None:
    world = story.world
    world.switches.all_members_group = everybody_too
    mirror = next(g for g in world.organization.groups.values() if g.name == CONFLUENCE)
    world.lapse(story.directory)
    assert (await scim.get("/Groups")).status_code == 404
    more = {everybody(story)} if everybody_too else set()
    assert story.local_groups == {JIRA_USERS, CONFLUENCE, *more}
    assert world.local_group(CONFLUENCE) is mirror
    assert (mirror.synced, mirror.managed_by, mirror.modifiable) == (False, "admins", True)
    # Okta does not reach it any more.
    world.remove_from_group(PERSON, CONFLUENCE)
    assert CONFLUENCE in story.local_groups
    assert status(world) == "active"


@pytest.mark.parametrize("answer", ["404", "401", "403"])
async def test_a_directory_that_lapsed_refuses_its_key_in_one_way_or_another(
    story: Story0, scim: httpx.AsyncClient, answer: Any
) -> None:
    story.world.switches.scim_no_directory = answer
    assert (await scim.get("/Groups")).status_code == 200
    story.world.lapse(story.directory)
    assert (await scim.get("/Groups")).status_code == int(answer)


async def test_subscribed_again_the_same_accounts_are_in_a_directory_of_another_id(
    story: Story0, scim: httpx.AsyncClient
) -> None:
    """Okta provisions whoever is assigned, pushes nothing, and does not bring back who left."""
    world = story.world
    mapping, account = world.mapping(CONFLUENCE), world.account(PERSON)
    with pytest.raises(WorldError, match="the directory is there"):
        world.reconnect("main")
    world.lapse("main")
    world.remove_from_group(COLLEAGUE, CONFLUENCE)
    made = world.reconnect("main")
    assert world.directories == {made.id: made}
    assert (made.name, made.app_id) == ("main", story.app.id)
    assert made.id != story.directory.id
    assert made.key != story.directory.key
    assert (await scim.get("/Groups")).status_code == 401
    assert [each.user_name for each in made.users.values()] == [PERSON]
    record = world.record(made, PERSON)
    assert record.account_id == account.id
    assert story.app.users[story.person.id].state.external_id == record.id
    assert (status(world, PERSON), status(world, COLLEAGUE)) == ("active", "active")
    assert (made.groups, world.local_members(CONFLUENCE)) == ({}, {PERSON, COLLEAGUE})
    # The local group of that name is in the way, until it is given to the directory, or is gone.
    world.push_now(mapping)
    assert (mapping.status, made.groups) == ("ERROR", {})
    world.sync_group(CONFLUENCE, made)
    world.push_now(mapping)
    assert (mapping.status, world.members(made, CONFLUENCE)) == ("ACTIVE", {PERSON})
    assert CONFLUENCE not in world.organization_groups_of(COLLEAGUE)


def test_push_now_makes_a_group_again_once_the_local_one_is_gone(story: Story0) -> None:
    world = story.world
    world.lapse("main")
    made = world.reconnect("main")
    world.delete_local_group(CONFLUENCE)
    world.push_now(CONFLUENCE)
    assert world.members(made, CONFLUENCE) == {PERSON, COLLEAGUE}
    assert CONFLUENCE in world.organization_groups_of(PERSON)
    assert CONFLUENCE not in world.local_groups_of(PERSON)


# --- what admins do -------------------------------------------------------------------------


def test_local_groups_are_made_filled_renamed_and_deleted(story: Story0) -> None:
    world = story.world
    group = world.add_local_group("org-admins", modifiable=False, managed_by="team-members")
    world.local_add(group, PERSON, JIRA_ADMIN)
    assert world.local_members("ORG-ADMINS") == {PERSON, JIRA_ADMIN}
    world.local_remove(group.id, PERSON)
    world.rename_local_group(group, "former")
    assert world.local_groups_of(JIRA_ADMIN) == {JIRA_ADMINS, "former"}
    world.delete_local_group("former")
    assert world.local_groups_of(JIRA_ADMIN) == {JIRA_ADMINS}
    for wrong in ("former", CONFLUENCE):
        with pytest.raises(WorldError, match="no such local group"):
            world.local_add(wrong, PERSON)
    with pytest.raises(WorldError, match="name taken"):
        world.add_local_group(JIRA_USERS.upper())


def test_accounts_nobody_provisioned_and_two_of_one_address(story: Story0) -> None:
    world = story.world
    app = world.add_account("bot@x.example", type="app", roles=["atlassian/org-admin"])
    twin = world.add_account(PERSON.upper(), claim="unmanaged")
    assert world.account("bot@x.example") is app
    assert (app.type, app.roles) == ("app", ["atlassian/org-admin"])
    assert world.account(PERSON) is not twin
    world.local_add(JIRA_ADMINS, twin)
    assert story.local_groups == {JIRA_USERS}
    world.set_roles(twin, ["atlassian/site-admin"])
    assert twin.roles == ["atlassian/site-admin"]
    with pytest.raises(WorldError, match="attribute"):
        world.set_account(twin, nonsense=1)
    with pytest.raises(WorldError, match="no such account"):
        world.account("nobody@x.example")


@pytest.mark.parametrize("automatic", [False, True])
def test_a_log_in_may_grant_default_groups_again(story: Story0, *, automatic: bool) -> None:
    world = story.world
    world.switches.auto_app_access = automatic
    world.local_remove(JIRA_USERS, PERSON)
    world.log_in(PERSON)
    assert story.local_groups == ({JIRA_USERS} if automatic else set())
    story.remove_from_old_group()
    with pytest.raises(WorldError, match="may not sign in"):
        world.log_in(PERSON)


def test_a_marriage_keeps_record_account_and_groups(story: Story0, clock: Any) -> None:
    world, new = story.world, "married@somedomain.example"
    world.switches.provisioning_delay = 10
    record, account = world.record(story.directory, PERSON), world.account(PERSON)
    world.change_login(PERSON, new)
    assert record.user_name == PERSON
    clock.forward(10)
    world.tick()
    assert (record.user_name, record.emails[0]["value"]) == (new, new)
    assert world.record(story.directory, new) is record
    assert world.account(new) is account
    assert (account.email, world.groups_of(story.directory, new)) == (new, {CONFLUENCE})
    types = [event["eventType"] for event in world.log.all()]
    assert types[-1] == "application.provision.user.push_profile"
    # Somebody else takes the old name: another account.
    world.add_user(PERSON)
    world.add_to_group(PERSON, CONFLUENCE)
    clock.forward(10)
    assert world.account(PERSON) is not account


def test_a_snapshot_shows_the_organization(story: Story0) -> None:
    before = story.world.snapshot()
    assert before == story.world.snapshot()
    story.world.local_remove(JIRA_USERS, PERSON)
    after = story.world.snapshot()
    assert before != after
    story.world.local_add(JIRA_USERS, PERSON)
    assert before == story.world.snapshot()


# --- more of Okta ---------------------------------------------------------------------------


def test_activation_may_take_a_while(story: Story0, clock: Any) -> None:
    world = story.world
    world.switches.activation_delay = 20
    world.deactivate(PERSON)
    world.activate(PERSON)
    user = story.person
    assert (user.status, user.state.transitioning_to) == ("ACTIVATING", "ACTIVE")
    assert not world.record(story.directory, PERSON).active
    clock.forward(20)
    assert world.record(story.directory, PERSON).active
    assert (user.status, user.state.transitioning_to) == ("ACTIVE", None)


def test_whoever_is_deactivated_while_activating_stays_so(story: Story0, clock: Any) -> None:
    world = story.world
    world.switches.activation_delay = 20
    world.deactivate(PERSON)
    world.activate(PERSON)
    world.deactivate(PERSON)
    clock.forward(20)
    world.tick()
    assert story.person.status == "DEPROVISIONED"
    assert not world.record(story.directory, PERSON).active


def test_granular_deprovisioning_takes_what_okta_pushed(story: Story0, clock: Any) -> None:
    world = story.world
    world.switches.granular_deprovisioning = 60
    world.add_scim_group(story.directory, "by hand")
    world.scim_add(story.directory, "by hand", PERSON)
    story.remove_from_old_group()
    assert story.groups == {CONFLUENCE, "by hand"}
    clock.forward(60)
    assert story.groups == {"by hand"}
    assert story.local_groups == {JIRA_USERS}
    types = [event["eventType"] for event in world.log.all()]
    assert types[-1] == "application.provision.user.remove_entitlements"


def test_granular_deprovisioning_comes_too_late_for_who_is_back(story: Story0, clock: Any) -> None:
    story.world.switches.granular_deprovisioning = 60
    story.remove_from_old_group()
    story.come_back()
    clock.forward(60)
    assert story.groups == {CONFLUENCE, STATUSPAGE}


def test_an_import_stages_people(story: Story0) -> None:
    world = story.world
    user = world.stage_user("new@somedomain.example")
    assert user.status == "STAGED"
    created = next(e for e in world.log.all() if e["target"][0]["id"] == user.id)
    assert (created["eventType"], created["transaction"]["type"]) == (
        "user.lifecycle.create",
        "JOB",
    )


@pytest.mark.parametrize("shown", [True, False])
async def test_a_deactivated_record_may_hide_its_groups(
    story: Story0, scim: httpx.AsyncClient, *, shown: bool
) -> None:
    story.world.switches.scim_groups_of_inactive = shown
    record = story.world.record(story.directory, PERSON)
    story.remove_from_old_group()
    body = (await scim.get(f"/Users/{record.id}")).json()
    assert [g["display"] for g in body["groups"]] == ([CONFLUENCE] if shown else [])


@pytest.mark.parametrize(("mode", "status"), [("404", 404), ("ok", 200)])
async def test_an_addition_may_name_nobody(
    story: Story0, scim: httpx.AsyncClient, mode: Any, status: int
) -> None:
    story.world.switches.add_unknown_user = mode
    group = story.directory.group_named(STATUSPAGE)
    assert group is not None
    value = [{"value": story.world.account(PERSON).id}]
    body = {"Operations": [{"op": "add", "path": "members", "value": value}]}
    assert (await scim.patch(f"/Groups/{group.id}", json=body)).status_code == status
    assert story.groups == {CONFLUENCE}
