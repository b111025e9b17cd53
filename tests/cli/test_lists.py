"""What is stored, as people and programs read it."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing

import pytest

from hooks.core.reading import Why
from hooks.core.refusal import UNREAD_WAY_OUT, WAY_OUT, Cause
from hooks.sandbox.story import COLLEAGUE, CONFLUENCE, JIRA_USERS, PERSON
from hooks.store.tables import OrganizationGroup, Refused
from tests.cli.conftest import Desk

NOBODY = "00u00000000000000000"
LISTS = (
    ["events"],
    ["steps"],
    ["steps", "--refused"],
    ["mappings"],
    ["held"],
    ["dead"],
    ["alarms"],
)


def test_events_are_listed_without_what_they_hold(desk: Desk) -> None:
    uuids = desk.deliver()
    told = desk("events", "--json").json()
    assert {each["uuid"] for each in told} == set(uuids)
    ran = desk("events", "--waiting")
    assert ran.code == 0
    assert "group.user_membership.add" in ran.out
    assert PERSON not in ran.out
    assert "@" not in ran.out


def test_events_page(desk: Desk) -> None:
    desk.deliver()
    every = desk("events", "--json").json()
    first = desk("events", "--limit", "2")
    assert f"--before {every[1]['id']}" in first.out
    rest = desk("events", "--before", str(every[1]["id"]), "--json").json()
    assert rest == every[2:]


def test_events_are_filtered(desk: Desk) -> None:
    desk.deliver()
    kind = "group.user_membership.add"
    user = desk.story.person.id
    told = desk("events", "--about", user, "--type", kind, "--json").json()
    assert {(each["subject"], each["type"]) for each in told} == {(user, kind)}


@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_a_list_waits_for_nobody_who_writes(desk: Desk, arguments: list[str]) -> None:
    path = desk.environ["HOOKS_DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ran = desk(*arguments)
    assert (ran.code, ran.err) == (0, "")


def test_a_payload_is_opened_only_when_asked_for(desk: Desk) -> None:
    desk.deliver()
    kind = "group.user_membership.add"
    event = desk("events", "--type", kind, "--json").json()[0]
    shut = desk("events", "show", event["uuid"])
    assert shut.code == 0
    assert "@" not in shut.out
    told = desk("events", "show", event["uuid"], "--payload", "--json").json()
    assert told["payload"]["uuid"] == event["uuid"]
    assert "displayName" in desk("events", "show", event["uuid"].upper(), "--payload").out


def test_an_event_is_shown_without_the_key_it_was_sealed_with(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.deliver()
    uuid = desk("events", "--type", "group.user_membership.add", "--json").json()[0]["uuid"]
    key = desk("keys", "new").out.strip()
    monkeypatch.setenv("HOOKS_SEALING_KEYS", key)
    assert desk("events", "show", uuid).code == 0
    ran = desk("events", "show", uuid, "--payload")
    assert ran.code == 1
    assert ran.err.startswith("store: sealed with key")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param(b'"\xff\xfe"', "\ufffd\ufffd", id="no UTF-8"),
        pytest.param(b"9" * 5000, None, id="a number without end"),
        pytest.param(b"1e999", None, id="more than any number"),
        pytest.param(b'"\x01\n"', "\x01\n", id="raw control characters"),
    ],
)
def test_a_payload_that_is_no_proper_json_is_shown_as_json(
    desk: Desk, sent: bytes, shown: str | None
) -> None:
    event = b'{"eventType":"user.lifecycle.deactivate","displayMessage":' + sent + b"}"
    (uuid,) = desk.deliver(b'{"data":{"events":[' + event + b"]}}")
    ran = desk("events", "show", uuid, "--payload", "--json")
    assert ran.code == 0
    payload = json.loads(ran.out, parse_constant=pytest.fail)["payload"]
    assert payload["displayMessage"] == shown


def test_an_event_that_does_not_concern_us_has_no_payload(desk: Desk) -> None:
    desk.deliver()
    uuid = desk("events", "--type", "user.lifecycle.create", "--json").json()[0]["uuid"]
    assert "no payload is kept" in desk("events", "show", uuid, "--payload").out
    assert desk("events", "show", uuid, "--payload", "--json").json()["payload"] is None


def test_steps_tell_every_outcome(desk: Desk) -> None:
    desk.story.remove_from_old_group()
    desk("look", PERSON)
    user = desk.story.person.id
    local, step = desk("steps", user, "--json").json()
    assert (step["action"], step["name"], step["state"]) == ("remove", CONFLUENCE, "settled")
    assert (local["via"], local["name"], local["state"]) == ("organization", JIRA_USERS, "settled")
    assert [each["state"] for each in step["outcomes"]] == ["open", "settled"]
    assert step["at"].endswith("Z")
    plain = desk("steps")
    assert re.search(rf"{user} +remove +{CONFLUENCE} +unassigned +settled", plain.out)
    assert "app_user:missing" in desk("steps", "--evidence").out
    assert desk("steps", NOBODY, "--json").json() == []


def test_refusals_come_with_their_way_out(desk: Desk) -> None:
    desk.story.remove_from_old_group()
    desk.story.world.deactivate_app(desk.story.app)
    desk("look", PERSON)
    (refused,) = desk("steps", "--refused", "--json").json()
    assert refused["cause"] == Cause.APP_NOT_ACTIVE
    assert refused["way_out"] == WAY_OUT[Cause.APP_NOT_ACTIVE]
    assert WAY_OUT[Cause.APP_NOT_ACTIVE] in desk("steps", "--refused", desk.story.person.id).out


def test_a_group_that_is_left_alone_is_called_by_its_name(desk: Desk) -> None:
    group = "11111111-2222-4333-8444-555555555555"
    seen = OrganizationGroup.__table__  # type: ignore[attr-defined]
    left = Refused.__table__  # type: ignore[attr-defined]
    row = {"user": NOBODY, "directory": "organization", "group": group, "at": 1}
    desk.write(
        lambda tx: tx.execute(left.insert(), [row | {"cause": "group_changed", "detail": ""}])
    )
    (unnamed,) = desk("steps", "--refused", "--json").json()
    assert unnamed["name"] is None
    known = {"id": group, "name": "jira-software-users", "synced": False, "accept": True, "at": 1}
    desk.write(lambda tx: tx.execute(seen.insert(), [known]))
    (named,) = desk("steps", "--refused", "--json").json()
    assert (named["group"], named["name"]) == (group, "jira-software-users")
    assert f"jira-software-users {group}" in desk("steps", "--refused").out


def test_a_refused_credential_is_told_as_the_look_told_it(desk: Desk) -> None:
    desk.story.world.set_org_key("expired")
    desk.story.world.deactivate(PERSON)
    looked = desk("look", PERSON).out
    user = desk.story.person.id
    desk.bury(user)
    said = f"organization_unread: {UNREAD_WAY_OUT[Why.CREDENTIAL]}"
    (refused,) = desk("steps", "--refused", "--json").json()
    assert refused["detail"].startswith("credential refused: organization answered 401 to POST ")
    assert refused["way_out"] == UNREAD_WAY_OUT[Why.CREDENTIAL]
    assert WAY_OUT[Cause.ORGANIZATION_UNREAD] not in desk("steps", "--refused").out
    for told in (looked, desk("steps", "--refused").out, desk("dead", "show", user).out):
        assert said in " ".join(told.split())
    (now,) = desk("explain", user, "--json").json()["now"]["refused"]
    assert now["way_out"] == UNREAD_WAY_OUT[Why.CREDENTIAL]


def test_what_is_parked_is_listed(desk: Desk) -> None:
    assert desk("steps", "--parked", "--json").json() == []


def test_mappings_are_listed_and_a_change_is_accepted(desk: Desk) -> None:
    story = desk.story
    story.remove_from_old_group()
    desk("look", COLLEAGUE)
    (known,) = desk("mappings", "--json").json()
    assert (known["name"], known["state"]) == (CONFLUENCE, "ok")
    group = story.directory.group_named(CONFLUENCE)
    assert group
    group.display_name = "Renamed"
    desk("look", PERSON)
    (stuck,) = desk("mappings", "--json").json()
    assert stuck["state"].startswith(Cause.MAPPING_RENAMED)
    ran = desk("mappings", "accept", known["mapping"], "--reason", "renamed by us")
    assert ran.code == 0
    assert "1 of the people" in ran.out
    assert "matched anew" in desk("mappings").out


def test_a_mapping_whose_group_was_made_anew_is_not_said_to_be_fine(desk: Desk) -> None:
    """As all are after a lapsed subscription; what is refused then is a group of another id."""
    story = desk.story
    story.remove_from_old_group()
    desk("look", COLLEAGUE)
    group = story.directory.group_named(CONFLUENCE)
    assert group
    story.directory.delete_group(group, story.world.now())
    story.world.add_scim_group(story.directory, CONFLUENCE)
    story.world.scim_add(story.directory, CONFLUENCE, PERSON)
    desk("look", PERSON)
    (stuck,) = desk("mappings", "--json").json()
    assert stuck["state"] == f"{Cause.MAPPING_MOVED}, 1 refused"
    desk("mappings", "accept", stuck["mapping"], "--reason", "made anew by us")
    desk("look", PERSON)
    (taken,) = desk("mappings", "--json").json()
    assert (taken["state"], taken["group"] != group.id) == ("ok", True)


def test_what_is_not_there_is_said_and_nothing_is_changed(desk: Desk) -> None:
    before = desk.dump()
    for arguments in (
        ("events", "show", "00000000-0000-4000-8000-000000000000"),
        ("mappings", "accept", "gPm00000000000000000", "--reason", "x"),
        ("held", "show", "7"),
        ("held", "approve", "7", "--reason", "x"),
        ("held", "reject", "--class", "main/left", "--reason", "x"),
        ("dead", "show", NOBODY),
        ("dead", "retry", NOBODY, "--reason", "x"),
    ):
        ran = desk(*arguments)
        assert (ran.code, ran.out) == (1, ""), arguments
        assert ran.err.count("\n") == 1
    assert desk.dump() == before


def test_empty_lists_are_empty_lists(desk: Desk) -> None:
    for arguments in LISTS:
        assert desk(*arguments, "--json").json() == []
        assert desk(*arguments).code == 0


def test_the_same_commands_work_on_postgresql(
    desk: Desk, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKS_DATABASE_URL", postgresql_url.replace("+psycopg", ""))
    assert desk("steps").code == 1
    assert desk("migrate").code == 0
    desk.story.remove_from_old_group()
    assert f"settled: remove {CONFLUENCE}" in desk("look", PERSON).out
    for arguments in LISTS:
        assert desk(*arguments).code == 0
    assert len(desk("steps", "--json").json()) == 2


def test_a_name_cannot_move_the_cursor(desk: Desk) -> None:
    world, directory = desk.story.world, desk.story.directory
    world.add_scim_group(directory, "sly\x1b[2J\r\nname")
    world.scim_add(directory, "sly\x1b[2J\r\nname", PERSON)
    ran = desk("look", PERSON, "--dry-run")
    assert "sly?[2J??name" in ran.out
