"""`hooks mappings`: what a change of a group means, said before and when it is accepted."""

from __future__ import annotations

import re

import pytest

from hooks.sandbox.story import COLLEAGUE, JIRA_USERS, PERSON
from tests.cli.conftest import Desk

NEW = "jira-everybody"
ALONE = f"no [[local_group]] names {NEW}, so nobody loses it any more, not even who left"


@pytest.fixture
def renamed(desk: Desk) -> Desk:
    """Two people of a group that is called otherwise since they were looked at; one has left."""
    for login in (PERSON, COLLEAGUE):
        desk("look", login)
    desk.story.world.rename_local_group(JIRA_USERS, NEW)
    desk.story.world.deactivate(PERSON)
    for login in (PERSON, COLLEAGUE):
        desk("look", login)
    return desk


def told(desk: Desk) -> dict[str, str]:
    """The one group that is not as it was."""
    (group,) = (each for each in desk("mappings", "--json").json() if "kept" in each)
    return {key: group[key] for key in ("name", "now", "state", "then")}


def test_what_a_renamed_group_is_called_and_that_no_rule_names_it_is_shown(renamed: Desk) -> None:
    assert told(renamed) == {
        "name": JIRA_USERS, "now": NEW, "state": "group_changed, 2 refused", "then": ALONE,
    }  # fmt: skip
    assert ALONE in " ".join(renamed("mappings").out.split())


def test_accepting_it_says_what_follows_and_for_whom(renamed: Desk) -> None:
    story = renamed.story
    group = story.world.local_group(NEW).id
    ran = renamed("mappings", "accept", group, "--reason", "renamed by us")
    assert ran.code == 0
    assert f"It is called {NEW}; {ALONE}." in " ".join(ran.out.split())
    for user in (story.person, story.colleague):
        assert f"  hooks look {user.id}\n" in ran.out
    assert told(renamed)["state"] == "accepted, remembered anew at the next look"
    renamed("look", PERSON)
    assert told(renamed)["state"] == "group_changed, 1 refused"
    renamed("look", COLLEAGUE)
    assert renamed("steps", "--refused", "--json").json() == []
    assert story.local_groups == {NEW}, "as was said"
    assert told(renamed) == {
        "name": NEW, "now": NEW, "state": "accepted, and left alone", "then": ALONE,
    }  # fmt: skip
    config = renamed.folder / "hooks.toml"
    config.write_text(config.read_text().replace(JIRA_USERS, NEW))
    assert all("mapping" in each for each in renamed("mappings", "--json").json())
    renamed("look", PERSON)
    assert story.local_groups == set(), "and so it goes, once a rule names it"


def test_a_group_that_a_rule_names_now_is_said_to_be(renamed: Desk) -> None:
    config = renamed.folder / "hooks.toml"
    config.write_text(config.read_text() + f'\n[[local_group]]\nname = "{NEW}"\n')
    then = "[[local_group]] 2 name names it now, and takes people out of it"
    assert told(renamed)["then"] == then
    ran = renamed("mappings", "accept", renamed.story.world.local_group(NEW).id, "--reason", "x")
    assert f"It is called {NEW}; {then}." in " ".join(ran.out.split())
    assert "hooks look" not in ran.out
    renamed("look", PERSON)
    assert renamed.story.local_groups == set()


def test_a_group_that_became_synced_is_said_to_be(desk: Desk) -> None:
    desk("look", PERSON)
    desk.story.world.sync_group(JIRA_USERS, desk.story.directory)
    desk.story.world.scim_add(desk.story.directory, JIRA_USERS, PERSON)
    desk("look", PERSON)
    found = told(desk)
    assert (found["name"], found["now"]) == (JIRA_USERS, JIRA_USERS)
    assert found["then"].startswith("synced and no more local, or local and no more synced")


def test_many_people_are_not_all_named(renamed: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hooks.cli.mappings._MOST_PEOPLE", 1)
    group = renamed.story.world.local_group(NEW).id
    ran = renamed("mappings", "accept", group, "--reason", "renamed by us")
    assert len(re.findall("hooks look 00u", ran.out)) == 1
    assert "and 1 more" in ran.out
