"""`hooks explain`: one person's past, and why each group stays or goes."""

from __future__ import annotations

from typing import Any

import pytest

from hooks.core.refusal import WAY_OUT, Cause
from hooks.sandbox.story import COLLEAGUE, CONFLUENCE, JIRA_USERS, PERSON, STATUSPAGE
from tests.cli.conftest import Desk

NOBODY = "00u00000000000000000"


@pytest.fixture
def told(desk: Desk) -> Desk:
    """Somebody who was deactivated and came back, each event looked at."""
    desk.story.deactivates = True
    for act in ((), (desk.story.remove_from_old_group,), (desk.story.come_back,)):
        for each in act:
            each()
        desk.deliver()
        assert desk("look", PERSON).code == 0
    return desk


def now(desk: Desk, *arguments: str) -> dict[str, Any]:
    """What each group has come to, by name."""
    found = desk("explain", *arguments, "--json").json()["now"]
    return {each["name"]: each for place in found["places"] for each in place["groups"]}


def test_the_past_is_told_oldest_first_and_no_vendor_is_asked(
    told: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOOKS_OKTA_API_TOKEN", "HOOKS_SCIM_KEY", "HOOKS_ORG_API_KEY"):
        monkeypatch.delenv(name)
    asked = told.story.world.counters.total()
    store = told.dump()
    user = told.story.person.id
    ran = told("explain", user)
    assert (ran.code, ran.err) == (0, "")
    assert "@" not in ran.out
    assert max(map(len, ran.out.splitlines())) <= 90
    past = told("explain", user, "--json").json()["timeline"]
    assert [each["at"] for each in past] == sorted(each["at"] for each in past)
    kinds = [each["kind"] for each in past if each["kind"] != "event"]
    assert kinds == ["look", "step", "step", "look", "look"]
    assert "user.lifecycle.deactivate, settled" in ran.out
    assert "left (user DEPROVISIONED, assignment 404); remove Production-Conf" in " ".join(
        ran.out.split()
    )
    assert told.story.world.counters.total() == asked
    assert told.dump() == store


def test_why_each_group_stays_or_went(told: Desk) -> None:
    told.story.world.add_scim_group(told.story.directory, "by-hand")
    told.story.world.scim_add(told.story.directory, "by-hand", PERSON)
    told("look", PERSON)
    found = now(told, told.story.person.id)
    assert {name: each["now"] for name, each in found.items()} == {
        STATUSPAGE: "stays",
        "by-hand": "stays",
        CONFLUENCE: "gone",
        JIRA_USERS: "gone",
    }
    assert "never touched" in found["by-hand"]["why"]
    assert found[JIRA_USERS]["evidence"][-1] == f"rule:{JIRA_USERS}"
    out = told("explain", told.story.person.id).out
    assert f"  gone      {JIRA_USERS}\n            taken on " in out
    assert "standing  returning: back after a proved absence" in out
    assert "next: looked at by hooks serve at " in out


def test_live_it_is_read_now_and_a_login_will_do(told: Desk) -> None:
    story = told.story
    story.world.remove_from_group(PERSON, STATUSPAGE)
    assert now(told, story.person.id)[STATUSPAGE]["now"] == "stays", "so it was"
    store, world = told.dump(), story.world.snapshot()
    found = now(told, PERSON, "--live")
    assert (found[STATUSPAGE]["now"], found[STATUSPAGE]["more"]) == (
        "remove",
        "wanted; nothing is sent yet",
    )
    ran = told("explain", PERSON, "--live")
    assert "now, as Okta and Atlassian say; nothing was changed:" in ran.out
    assert PERSON not in ran.out
    assert (told.dump(), story.world.snapshot()) == (store, world)
    assert story.world.violations == []


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_live_fails_where_something_could_not_be_read(desk: Desk, more: tuple[str, ...]) -> None:
    person = desk.story.person.id
    assert desk("explain", person, "--live", *more).code == 0
    desk.story.world.fault("scim", status=401)
    ran = desk("explain", person, "--live", *more)
    assert ran.code == 1
    assert "record_unread" in ran.out


def test_live_tells_of_somebody_nothing_is_stored_of(desk: Desk) -> None:
    assert now(desk, COLLEAGUE, "--live")[JIRA_USERS]["now"] == "stays"


def test_a_hold_and_what_was_decided_about_it(desk: Desk) -> None:
    config = desk.folder / "hooks.toml"
    config.write_text(config.read_text() + "\n[brake]\nother_per_hour = 1\n")
    story = desk.story
    for login in (PERSON, COLLEAGUE):
        story.world.remove_from_group(login, CONFLUENCE)
        desk("look", login)
    user = story.colleague.id
    assert now(desk, user)[CONFLUENCE]["now"] == "held"
    desk("held", "reject", "1", "--reason", "a mistake in HR")
    out = desk("explain", user).out
    assert "order  reject hold 1, by " in out
    assert ": a mistake in HR" in out
    assert "hold   1: removals of class main/unassigned:" in out
    assert "  held      Production-Confluence" in out
    assert "see: hooks held show 1" in out
    assert "order" not in desk("explain", story.person.id).out, "of the other one"


def test_a_refusal_comes_with_its_age_and_its_way_out(desk: Desk) -> None:
    desk.story.remove_from_old_group()
    desk.story.world.deactivate_app(desk.story.app)
    desk("look", PERSON)
    out = desk("explain", desk.story.person.id).out
    assert f"app_not_active: {WAY_OUT[Cause.APP_NOT_ACTIVE]} (since 2" in out
    (refused,) = desk("explain", desk.story.person.id, "--json").json()["now"]["refused"]
    assert (refused["cause"], refused["way_out"]) == (
        Cause.APP_NOT_ACTIVE,
        WAY_OUT[Cause.APP_NOT_ACTIVE],
    )


def test_parked_is_not_gone(desk: Desk) -> None:
    desk.story.world.switches.inactive_remove = "400"
    desk.story.world.deactivate(PERSON)
    desk("look", PERSON)
    found = now(desk, desk.story.person.id)
    assert (found[CONFLUENCE]["now"], found[JIRA_USERS]["now"]) == ("gone", "parked")
    assert "inactive account" in found[JIRA_USERS]["more"]


def test_observed_is_not_gone(desk: Desk) -> None:
    config = desk.folder / "hooks.toml"
    config.write_text(config.read_text().replace("enforce", "observe"))
    desk.story.remove_from_old_group()
    desk("look", PERSON)
    user = desk.story.person.id
    assert {each["now"] for each in now(desk, user).values()} == {"observed"}
    out = desk("explain", user).out
    assert "main (mode observe: nothing is sent)" in out
    assert "organization (mode observe: nothing is sent)" in out


def test_what_was_given_back_stays(desk: Desk) -> None:
    story = desk.story
    for act in (story.world.remove_from_group, story.world.add_to_group):
        act(PERSON, CONFLUENCE)
        desk("look", PERSON)
    found = now(desk, story.person.id)
    assert (found[JIRA_USERS]["verdict"], found[JIRA_USERS]["now"]) == ("add", "back")


def test_a_dead_letter_and_events_that_wait(desk: Desk) -> None:
    desk.deliver()
    user = desk.story.person.id
    ran = desk("explain", user)
    assert "group.user_membership.add, waiting" in ran.out
    assert "now: nobody has looked yet" in ran.out
    assert "next: looked at by hooks serve now" in ran.out
    desk.bury(user)
    assert "next: given up; see: hooks dead" in desk("explain", user).out


def test_the_past_is_cut_and_what_is_so_now_is_not(told: Desk) -> None:
    user = told.story.person.id
    every = told("explain", user, "--json").json()
    cut = told("explain", user, "--limit", "2", "--json").json()
    assert cut["timeline"] == every["timeline"][-2:]
    assert cut["now"]["places"] == every["now"]["places"]
    assert "There may be more: --limit" in told("explain", user, "--limit", "2").out
    assert told("explain", user, "--since", "2999-01-01", "--json").json()["timeline"] == []
    since = every["timeline"][-1]["at"][:10]
    assert told("explain", user, "--since", since, "--json").json()["timeline"]


def test_somebody_unknown_is_said_to_be(desk: Desk) -> None:
    for arguments, said in (
        ([NOBODY], f"explain: nothing is stored of {NOBODY}; check the id, or read Okta now"),
        ([NOBODY, "--live"], f"explain: Okta knows no user {NOBODY}"),
        (["nobody@somedomain.example", "--live"], "explain: Okta knows nobody of this login"),
    ):
        ran = desk("explain", *arguments)
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert ran.err.startswith(said)


@pytest.mark.parametrize("arguments", [[PERSON], [NOBODY, "--since", "yesterday"], [" "]])
def test_wrong_arguments_end_with_2(desk: Desk, arguments: list[str]) -> None:
    ran = desk("explain", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_on_postgresql(desk: Desk, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKS_DATABASE_URL", postgresql_url.replace("+psycopg", ""))
    assert desk("migrate").code == 0
    desk.story.deactivates = True
    desk.story.remove_from_old_group()
    assert desk("look", PERSON).code == 0
    for more in ([], ["--live"]):
        found = now(desk, desk.story.person.id, *more)
        assert {name: each["now"] for name, each in found.items()} == {
            CONFLUENCE: "gone",
            JIRA_USERS: "gone",
        }
