"""`hooks audit`: what it shows, writes, orders, and how it fails."""

from __future__ import annotations

import csv
import json
import re

import pytest

from hooks.sandbox.story import COLLEAGUE, CONFLUENCE, JIRA_USERS, PERSON
from tests.cli.conftest import Desk

WHY = ("--reason", "after the first week")


@pytest.fixture
def leaver(desk: Desk) -> str:
    """Source 0's person leaves, and keeps what nobody takes; their Okta id."""
    desk.story.remove_from_old_group()
    return desk.story.person.id


def test_nobody_has_what_they_should_not(desk: Desk) -> None:
    ran = desk("audit")
    assert (ran.code, ran.err) == (0, "")
    assert "2 people" in ran.out
    assert "Nothing is otherwise than wanted." in ran.out


def test_who_has_what_they_should_not_is_shown_by_group_and_by_person(
    desk: Desk, leaver: str
) -> None:
    before = desk.story.world.snapshot()
    ran = desk("audit")
    assert ran.code == 0
    assert re.search(rf"surplus +main +{CONFLUENCE} +unassigned +1\n", ran.out)
    assert re.search(rf"{leaver} +surplus +organization +{JIRA_USERS} +unassigned", ran.out)
    assert PERSON not in ran.out
    assert COLLEAGUE not in ran.out
    assert desk.story.world.snapshot() == before
    told = desk("audit", "--last", "--json").json()
    assert told["counts"]["surplus"] == 2
    assert {each["user"] for each in told["lines"]} == {leaver}


def test_the_last_one_asks_no_vendor(desk: Desk, leaver: str) -> None:
    assert desk("audit", "--last").err == "audit: none is done yet; run: hooks audit\n"
    desk("audit")
    before = sum(desk.story.world.counters.values())
    assert leaver in desk("audit", "--last").out
    assert sum(desk.story.world.counters.values()) == before


def test_apply_orders_looks_and_a_dry_run_none(desk: Desk, leaver: str) -> None:
    ran = desk("audit", "--apply", "--dry-run")
    assert "1 person would be looked at; nothing was ordered." in ran.out
    assert desk("look", leaver, "--dry-run").code == 0
    ran = desk("audit", "--last", "--apply", *WHY, "--json")
    assert (ran.json()["looks"], ran.json()["dry_run"]) == (1, False)
    (order,) = [row for row in desk.dump() if "operator_order" in row and "audit" in row]
    assert "after the first week" in order
    ran = desk("audit", "--last", "--apply", "--kind", "lost", *WHY)
    assert ran.code == 0
    assert "nothing was ordered" in ran.out
    assert len([row for row in desk.dump() if "operator_order" in row and "audit" in row]) == 1


def test_where_some_kinds_were_asked_for_nothing_is_said_of_the_others(
    desk: Desk, leaver: str
) -> None:
    assert leaver in desk("audit").out
    page = desk.folder / "lost.html"
    ran = desk("audit", "--last", "--kind", "lost", "--html", str(page))
    for told in (ran.out, page.read_text()):
        assert "Nothing is otherwise than wanted." not in told
        assert "Nothing of what was asked for: lost." in told
    assert desk("audit", "--last", "--kind", "lost", "--json").json()["counts"] == {"lost": 0}
    assert "; only surplus" in desk("audit", "--last", "--kind", "surplus").out


def test_a_csv_and_a_page_hold_every_line_and_are_for_their_owner(desk: Desk, leaver: str) -> None:
    sheet, page = desk.folder / "audit.csv", desk.folder / "audit.html"
    ran = desk("audit", "--csv", str(sheet), "--html", str(page))
    assert ran.code == 0
    rows = list(csv.DictReader(sheet.read_text().splitlines()))
    assert {(row["kind"], row["name"], row["user"]) for row in rows} == {
        ("surplus", CONFLUENCE, leaver),
        ("surplus", JIRA_USERS, leaver),
    }
    assert sheet.stat().st_mode & 0o077 == page.stat().st_mode & 0o077 == 0
    text = page.read_text()
    assert leaver in text
    assert "http" not in re.sub("http-equiv", "", text)
    assert "<script" not in text
    assert PERSON not in text
    assert desk("audit", "--last", "--csv", str(sheet)).code == 2


def test_the_page_shows_a_groups_name_as_text(desk: Desk) -> None:
    world = desk.story.world
    name = '<script>alert(1)</script> & "team"'
    world.add_scim_group(desk.story.directory, name)
    world.scim_add(desk.story.directory, name, PERSON)
    page = desk.folder / "audit.html"
    assert desk("audit", "--html", str(page)).code == 0
    assert "<script" not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--apply",), "--apply needs --reason TEXT, or --dry-run"),
        (WHY, "belong to --apply"),
        (("--dry-run",), "belong to --apply"),
        (("--kind", "other"), "--kind"),
        (("--csv", "/nowhere/at/all.csv"), "--csv: /nowhere/at/all.csv"),
    ],
)
def test_wrong_arguments_are_one_line_and_change_nothing(
    desk: Desk, arguments: tuple[str, ...], says: str
) -> None:
    before = desk.dump()
    ran = desk("audit", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert desk.dump() == before


def test_a_key_that_is_refused_is_one_line(desk: Desk) -> None:
    desk.story.world.fault("okta", status=401)
    ran = desk("audit")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    assert "okta answered 401" in ran.err
    desk.story.world.clear()
    assert desk("audit").code == 0, "it goes on"


def test_a_vendor_that_goes_on_failing_ends_it_with_one_line(desk: Desk) -> None:
    """What another vendor answered meanwhile is kept; a failure between answers ends nothing."""
    soon = {"Retry-After": "0"}
    before = desk.story.world.snapshot()
    desk.story.world.fault("okta", status=503, headers=soon)
    ran = desk("audit")
    assert (ran.code, ran.out) == (1, "")
    *waits, last = ran.err.splitlines()
    assert all(each.startswith("audit: waits ") for each in waits)
    assert last.startswith("okta answered 503")
    assert last.endswith("what was read is kept: run it again later")
    assert desk.story.world.snapshot() == before
    desk.story.world.clear()
    for path in ("/groups", "/users", "/apps/"):
        desk.story.world.fault("okta", path=path, status=503, headers=soon, times=2)
    assert desk("audit").code == 0


def test_json_says_how_large_it_was(desk: Desk, leaver: str) -> None:
    told = json.loads(desk("audit", "--json").out)
    assert told["people"] == 2
    assert told["pages"] > 5
    assert told["groups"][0]["people"] == 1
