"""`hooks groups`: source 2 from the failed push to the name that is free, and every verdict."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from hooks.core.conflict import WAY_OUT, WORDS, Verdict
from hooks.sandbox.org import Group
from hooks.sandbox.story import COLLEAGUE, CONFLUENCE, JIRA_USERS, PERSON
from tests.cli.conftest import Desk

TEAM = "confluence-users"


@pytest.fixture
def team(desk: Desk) -> Group:
    """An Okta group: somebody provisioned, somebody who is not assigned to the app."""
    world = desk.story.world
    group = world.add_okta_group(TEAM)
    world.add_to_group(PERSON, group)
    world.add_to_group(world.add_user("newcomer@somedomain.example"), group)
    return group


def clash(desk: Desk, *members: str, default_for: str | None = None) -> None:
    """Atlassian has a group of that name, made there."""
    world = desk.story.world
    world.add_local_group(TEAM, default_for=default_for)
    world.local_add(TEAM, *members)


def only(desk: Desk, *arguments: str) -> Any:
    (found,) = desk("groups", *arguments, "--json").json()
    return found


# -- the story ---------------------------------------------------------------------------------


def test_a_push_that_failed_is_reviewed_synced_and_then_works(desk: Desk, team: Group) -> None:
    story, world = desk.story, desk.story.world
    clash(desk, COLLEAGUE)
    mapping = world.push_group(team, story.app)
    assert mapping.status == "ERROR"
    assert mapping.error_summary is not None
    assert "displayName already exists" in mapping.error_summary
    before = world.snapshot()
    ran = desk("groups")
    assert ran.code == 0, ran.err
    said = " ".join(ran.out.split())
    assert f"{TEAM} ({team.id}), directory main" in said
    assert f"taken: {WORDS[Verdict.TAKEN]}" in said
    assert "members: 1 added, 1 lost, 0 kept; 1 of Okta's not pushed" in said
    assert "Review groups, Sync group" in said
    assert "gives no app" in said
    for personal in (PERSON, COLLEAGUE, world.account(PERSON).id, world.account(COLLEAGUE).id):
        assert personal not in ran.out
    assert world.snapshot() == before
    world.sync_group(TEAM, story.directory)  # what the way out says
    world.push_now(mapping)
    assert mapping.status == "ACTIVE"
    assert world.members("main", TEAM) == {PERSON}, "one came and one went, as was told"
    assert only(desk, TEAM)["verdict"] == "pushed"
    assert "no Okta group has the name" in desk("groups").out
    assert world.violations == []


def test_a_group_that_gives_apps_is_left_to_a_rule(desk: Desk, team: Group) -> None:
    """SCIM cannot manage a default group; the suggested rule keeps its members instead."""
    story, world = desk.story, desk.story.world
    clash(desk, COLLEAGUE, default_for="confluence")
    world.push_group(team, story.app)
    ran = desk("groups", TEAM)
    said = " ".join(ran.out.split())
    assert f"default: {WORDS[Verdict.DEFAULT]}" in said
    assert f"gives atlassian/user in confluence on site {world.organization.site_id}" in said
    assert "change its default access status and then sync it" in said
    assert f"seats in confluence on site {world.organization.site_id}: 1 free, 1 taken" in said
    rule = only(desk, TEAM)["rule"]
    assert tomllib.loads(rule) == {"local_group": [{"name": TEAM, "while_member_of": [TEAM]}]}
    path = desk.folder / "hooks.toml"
    path.write_text(f"{path.read_text()}\n{rule}\n")
    assert "a [[local_group]] names confluence-users already" in desk("groups", TEAM).out
    assert only(desk, TEAM)["rule"] is None
    desk("look", COLLEAGUE)
    assert world.local_members(TEAM) == set(), "the rule took whom Okta does not have in it"


# -- verdicts ----------------------------------------------------------------------------------


def test_a_free_name_is_free(desk: Desk, team: Group) -> None:
    found = only(desk, team.id)
    assert (found["verdict"], found["members"], found["groups"]) == ("free", None, [])
    assert WORDS[Verdict.FREE] in " ".join(desk("groups", TEAM).out.split())


def test_what_is_pushed_is_no_conflict(desk: Desk) -> None:
    assert only(desk, CONFLUENCE)["verdict"] == "pushed"
    assert desk("groups", "--json").json() == []


def test_a_name_is_taken_whatever_its_case(desk: Desk) -> None:
    world = desk.story.world
    world.add_okta_group("Confluence-Users")
    clash(desk)
    assert [each["verdict"] for each in desk("groups", "--json").json()] == ["taken"]


def test_a_group_of_the_directory_nobody_pushes_to_can_be_linked(desk: Desk, team: Group) -> None:
    world = desk.story.world
    world.add_scim_group("main", TEAM)
    world.scim_add("main", TEAM, COLLEAGUE)
    found = only(desk, TEAM)
    assert found["verdict"] == "linkable"
    assert found["members"] == {"added": 1, "lost": 1, "kept": 0, "skipped": 1}
    assert found["scim_group"]


def test_a_group_made_and_never_synced_is_told(desk: Desk, team: Group) -> None:
    clash(desk, default_for="confluence")
    desk.story.world.add_scim_group("main", TEAM)
    assert only(desk, TEAM)["unsynced"] is True
    assert "made and never synced to the site" in " ".join(desk("groups", TEAM).out.split())


def test_atlassians_own_groups_are_never_pushed(desk: Desk) -> None:
    desk.story.world.add_okta_group("jira-administrators")
    found = only(desk, "jira-administrators")
    assert (found["verdict"], found["rule"], found["members"]) == ("never", None, None)


def test_a_failed_push_without_a_conflict_is_told(desk: Desk) -> None:
    world = desk.story.world
    world.fail_mapping(world.mapping(CONFLUENCE), "Unable to update group membership.")
    group = desk.story.directory.group_named(CONFLUENCE)
    assert group
    desk.story.directory.delete_group(group, world.now())
    assert only(desk)["verdict"] == "failed"


def test_another_directory_may_have_the_name(desk: Desk, team: Group) -> None:
    world = desk.story.world
    other = world.add_directory(world.add_app("Second"), "second")
    world.add_scim_group(other, TEAM)
    assert only(desk, TEAM)["verdict"] == "elsewhere"


def test_every_verdict_has_words_and_a_way_out() -> None:
    assert WORDS.keys() == WAY_OUT.keys() == set(Verdict)


# -- members and seats -------------------------------------------------------------------------


def test_ids_are_told_when_asked_for(desk: Desk, team: Group) -> None:
    world = desk.story.world
    clash(desk, COLLEAGUE)
    added, lost = world.account(PERSON).id, world.account(COLLEAGUE).id
    ran = desk("groups", TEAM, "--ids")
    assert f"added {added}" in ran.out
    assert f"lost  {lost}" in ran.out
    found = only(desk, TEAM, "--ids")
    assert (found["added"], found["lost"]) == ([added], [lost])
    assert "added" not in only(desk, TEAM)


def test_an_app_another_group_gives_frees_and_takes_no_seat(desk: Desk, team: Group) -> None:
    """The colleague and the person both have Jira through its default group."""
    clash(desk, COLLEAGUE, default_for="jira-software")
    seats = only(desk, TEAM)["seats"]
    assert sum(seats["freed"].values()) == sum(seats["taken"].values()) == 0
    desk.story.world.local_remove(JIRA_USERS, COLLEAGUE)
    seats = only(desk, TEAM)["seats"]
    assert (sum(seats["freed"].values()), sum(seats["taken"].values())) == (1, 0)


def test_a_deactivated_account_frees_no_seat(desk: Desk, team: Group) -> None:
    world = desk.story.world
    clash(desk, COLLEAGUE, default_for="confluence")
    world.deactivate(COLLEAGUE)
    found = only(desk, TEAM)
    assert found["members"]["lost"] == 1
    assert found["seats"]["freed"] == {}


def test_more_people_than_are_asked_about_are_counted(
    desk: Desk, team: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hooks.seats.MOST_ASKED", 1)
    clash(desk, COLLEAGUE, default_for="confluence")
    assert only(desk, TEAM)["seats"]["untold"] == 1
    assert "seats of 1 person not asked about" in desk("groups", TEAM).out


# -- what goes wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [("nothing-here", "no group called nothing-here"), ("00g00000000000000000", "no group")],
)
def test_a_group_that_is_not_there_is_said(desk: Desk, name: str, said: str) -> None:
    ran = desk("groups", name)
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err


@pytest.mark.parametrize(
    ("vendor", "path"),
    [
        ("org", "groups/search"),
        ("org", "role-assignments"),
        ("org", "users/search"),
        ("okta", "group-push/mappings"),
        ("okta", "/groups/[^/]+/users"),
        ("okta", "/apps/[^/]+/users"),
        ("scim", "/Users"),
        ("scim", "/Groups"),
    ],
)
@pytest.mark.parametrize("status", [403, 500])
def test_what_cannot_be_read_is_no_empty_group(
    desk: Desk, team: Group, vendor: Any, path: str, status: int
) -> None:
    clash(desk, COLLEAGUE, default_for="confluence")
    desk.story.world.fault(vendor, path=path, status=status)
    ran = desk("groups", TEAM)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1


def test_without_the_organization_it_says_what_it_does_not_see(
    desk: Desk, team: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOKS_ORG_API_KEY")
    path = desk.folder / "hooks.toml"
    kept = [each for each in path.read_text().splitlines() if "organization_id" not in each]
    path.write_text("\n".join(kept).partition("[[local_group]]")[0])
    desk.story.world.add_scim_group("main", TEAM)
    ran = desk("groups", TEAM)
    assert ran.code == 0
    assert "linkable" in ran.out
    assert "members: 1 added, 0 lost" in " ".join(ran.out.split())
    assert "groups made in Atlassian are not seen" in " ".join(ran.out.split())


def test_no_store_is_needed_and_none_is_made(desk: Desk, team: Group) -> None:
    for each in desk.folder.glob("hooks.db*"):
        each.unlink()
    assert desk("groups", TEAM).code == 0
    assert list(desk.folder.glob("hooks.db*")) == []


def test_names_are_written_so_that_a_rule_means_them_alone(desk: Desk) -> None:
    world = desk.story.world
    name = 'all [x] "people"*'
    world.add_okta_group(name)
    world.add_local_group(name, default_for="confluence")
    rule = only(desk, name)["rule"]
    path = desk.folder / "hooks.toml"
    path.write_text(f"{path.read_text()}\n{rule}\n")
    assert only(desk, name)["groups"][0]["ruled"] is True
