"""`--seats`: from who is in which group, and what it gives, to what a removal is said to end."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hooks.sandbox.story import COLLEAGUE, CONFLUENCE, PERSON, STATUSPAGE
from hooks.store.tables import Person
from tests.cli.conftest import Desk, Ran

ANN, BOB = "ann@somedomain.example", "bob@somedomain.example"
WIKI = "wiki-users"
PUSHES_LATE = 7 * 24 * 3600


@pytest.fixture
def moved(desk: Desk) -> Desk:
    """Two who left a group and stay at work; Okta is slow to take them out of it."""
    config = desk.folder / "hooks.toml"
    rule = f'[[local_group]]\nname = "{WIKI}"\nwhile_member_of = ["{CONFLUENCE}"]\n'
    config.write_text(f"{config.read_text()}\n{rule}\n[brake]\nother_per_hour = 1\n")
    world = desk.story.world
    for login in (ANN, BOB):
        user = world.add_user(login)
        for group in (CONFLUENCE, STATUSPAGE):
            world.add_to_group(user, group)
    world.switches.group_push_delay = PUSHES_LATE
    for login in (ANN, BOB):
        world.remove_from_group(login, CONFLUENCE)
    world.grant_access(CONFLUENCE, "confluence")
    return desk


@pytest.fixture
def held(moved: Desk) -> Desk:
    """The first of them lost it, the second is held."""
    for login in (ANN, BOB):
        assert moved("look", login).code == 0
    assert moved.story.world.groups_of("main", BOB) == {CONFLUENCE, STATUSPAGE}
    return moved


def said(ran: Ran) -> str:
    assert (ran.code, ran.err) == (0, "")
    return " ".join(ran.out.split())


def only(ran: Ran, app: str = "confluence") -> dict[str, Any]:
    """What is told of one app."""
    assert ran.code == 0, ran.err
    (found,) = [each for each in ran.json()["seats"]["apps"] if each["app"] == app]
    return found  # type: ignore[no-any-return]


def numbers(found: dict[str, Any]) -> tuple[int, int, int]:
    return found["ended"], found["freed"], found["kept"]


# -- an audit ----------------------------------------------------------------------------------


def test_the_last_group_that_gives_an_app_frees_a_seat(moved: Desk) -> None:
    before = moved.story.world.snapshot()
    ran = moved("audit", "--seats")
    site = moved.story.world.organization.site_id
    assert (
        f"seats, if all that is surplus goes: confluence on site {site}:"
        " ends for 2 people, 2 seats free Seats as far as groups show"
    ) in said(ran)
    assert moved.story.world.snapshot() == before
    assert moved.story.world.violations == []
    told = moved("audit", "--last", "--seats", "--json").json()["seats"]
    assert told == {
        "apps": [
            {
                "app": "confluence",
                "resource": f"ari:cloud:confluence::site/{site}",
                "ended": 2,
                "freed": 2,
                "kept": 0,
                "kept_by": [],
            }
        ],
        "told": 2,
        "untold": 0,
    }


def test_an_app_another_group_gives_ends_for_nobody_and_its_name_is_told(moved: Desk) -> None:
    world = moved.story.world
    world.grant_access(STATUSPAGE, "confluence")
    ran = moved("audit", "--seats")
    assert "ends for nobody, no seat free" in said(ran)
    assert f"kept for 2 people by {STATUSPAGE} (2)" in said(ran)
    assert PERSON not in ran.out
    found = only(moved("audit", "--last", "--seats", "--json"))
    assert numbers(found) == (0, 0, 2)
    assert [(each["name"], each["people"]) for each in found["kept_by"]] == [(STATUSPAGE, 2)]


def test_an_inactive_account_loses_access_and_frees_no_seat(moved: Desk) -> None:
    moved.story.world.deactivate(ANN)
    ran = moved("audit", "--seats")
    assert "ends for 2 people, 1 seat free (1 person inactive, without a seat)" in said(ran)
    assert numbers(only(moved("audit", "--last", "--seats", "--json"))) == (2, 1, 0)


def test_a_synced_and_a_local_group_end_it_only_together(moved: Desk) -> None:
    world = moved.story.world
    world.add_local_group(WIKI, default_for="confluence")
    world.local_add(WIKI, ANN, COLLEAGUE)
    ran = moved("audit", "--seats", "--json")
    surplus = {
        (each["user"], each["name"]) for each in ran.json()["lines"] if each["kind"] == "surplus"
    }
    ann, bob = world.user(ANN).id, world.user(BOB).id
    assert surplus == {(ann, CONFLUENCE), (ann, WIKI), (bob, CONFLUENCE)}
    assert numbers(only(ran)) == (2, 2, 0)
    path = moved.folder / "hooks.toml"
    path.write_text(path.read_text().replace(f'"{WIKI}"', '"other"'))  # no rule takes it any more
    ran = moved("audit", "--seats", "--json")
    assert numbers(only(ran)) == (1, 1, 1)
    assert [each["name"] for each in only(ran)["kept_by"]] == [WIKI]


def test_where_no_app_is_given_and_where_nobody_loses_anything_it_says_so(moved: Desk) -> None:
    world = moved.story.world
    world.revoke_access(CONFLUENCE, "confluence")
    assert "of 2 people no group that is removed gives an app" in said(moved("audit", "--seats"))
    for login in (ANN, BOB):
        world.add_to_group(login, CONFLUENCE)
    ran = moved("audit", "--seats")
    assert "Nothing is otherwise than wanted." in ran.out
    assert "nobody loses anything" in said(ran)


def test_who_is_not_asked_about_and_whose_account_nobody_tells_is_counted(
    moved: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = moved.story.world
    assert moved("audit").code == 0
    ann = next(each for each in moved.story.directory.users.values() if each.user_name == ANN)
    ann.external_id = "somebody"  # the record of nobody Okta knows
    ran = moved("audit", "--last", "--seats")
    assert "ends for 1 person, 1 seat free" in said(ran)
    assert "1 person not counted: their account or their group is not told" in said(ran)
    monkeypatch.setattr("hooks.seats.MOST_ASKED", 0)
    before = sum(world.counters.values())
    told = moved("audit", "--last", "--seats", "--json").json()["seats"]
    assert (told["apps"], told["told"], told["untold"]) == ([], 0, 2)
    assert sum(world.counters.values()) - before < 3, "nobody was asked about"


def test_who_is_out_already_ends_nothing(moved: Desk) -> None:
    assert moved("audit").code == 0
    moved.story.world.scim_remove("main", CONFLUENCE, ANN)
    told = moved("audit", "--last", "--seats", "--json").json()["seats"]
    assert (told["apps"][0]["ended"], told["told"], told["untold"]) == (1, 1, 1)


def test_two_people_of_one_account_have_one_seat(moved: Desk) -> None:
    """Whoever came anew may have the account of before; the store knows whose it is."""
    world, table = moved.story.world, Person.__table__  # type: ignore[attr-defined]
    assert moved("audit").code == 0
    account = world.account(BOB).id
    rows = [
        {"user": world.user(login).id, "account": account, "protected": False, "seen": 1}
        for login in (ANN, BOB)
    ]
    moved.write(lambda tx: tx.execute(table.insert(), rows))
    ran = moved("audit", "--last", "--seats", "--json")
    assert numbers(only(ran)) == (1, 1, 0)


def test_a_filter_that_is_ignored_is_no_answer_about_anybody(moved: Desk) -> None:
    world = moved.story.world
    assert moved("audit").code == 0
    world.grant_access(STATUSPAGE, "confluence")
    groups = {each.name: each.id for each in world.organization.groups.values() if each.synced}
    shown = [
        {"id": groups[name], "name": name, "directoryId": "d", "externalSynced": True}
        for name in (CONFLUENCE, STATUSPAGE)
    ]
    world.fault("org", path="groups/search", status=200, body={"data": shown, "links": {}})
    ran = moved("audit", "--last", "--seats")
    assert (ran.code, ran.out) == (1, "")
    assert "ignored the filter of POST groups search" in ran.err


def test_the_page_for_an_auditor_has_them_and_a_csv_has_not(moved: Desk) -> None:
    page, sheet = moved.folder / "audit.html", moved.folder / "audit.csv"
    moved.story.world.grant_access(STATUSPAGE, "confluence")
    ran = moved("audit", "--seats", "--html", str(page), "--csv", str(sheet))
    assert ran.code == 0
    text = re.sub(r"<[^>]+>", " ", page.read_text())
    assert "Seats" in text
    assert f"kept for 2 people by {STATUSPAGE} (2)" in text
    assert "a role that takes no seat" in text
    assert "seat" not in sheet.read_text()
    other = moved.folder / "other.html"
    assert moved("audit", "--last", "--html", str(other)).code == 0
    assert "seat" not in other.read_text().casefold()


# -- a hold ------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [["1"], ["--incident", "1"]], ids=" ".join)
def test_a_hold_and_an_incident_say_what_they_would_end(held: Desk, which: list[str]) -> None:
    world = held.story.world
    site = world.organization.site_id
    before, rows = world.snapshot(), held.dump()
    words = f"confluence on site {site}: ends for 1 person, 1 seat free"
    assert words in said(held("held", "show", *which, "--seats"))
    assert numbers(only(held("held", "show", *which, "--seats", "--json"))) == (1, 1, 0)
    assert (world.snapshot(), held.dump()) == (before, rows)
    world.grant_access(STATUSPAGE, "confluence")
    ran = held("held", "show", *which, "--seats")
    assert f"kept for 1 person by {STATUSPAGE} (1)" in said(ran)
    assert BOB not in ran.out


@pytest.mark.parametrize("which", [["1"], ["--incident", "1"]], ids=" ".join)
def test_without_being_asked_for_no_vendor_is(held: Desk, which: list[str]) -> None:
    before = sum(held.story.world.counters.values())
    ran = held("held", "show", *which)
    assert "seat" not in ran.out.casefold()
    assert "seats" not in held("held", "show", *which, "--json").json()
    assert sum(held.story.world.counters.values()) == before


def test_what_was_rejected_is_no_removal_of_its_incident(held: Desk) -> None:
    assert held("held", "reject", "1", "--reason", "a mistake").code == 0
    ran = held("held", "show", "--incident", "1", "--seats")
    assert "nobody loses anything" in said(ran)
    assert numbers(only(held("held", "show", "1", "--seats", "--json"))) == (1, 1, 0)


# -- what goes wrong ---------------------------------------------------------------------------

ASKED = [["held", "show", "1"], ["held", "show", "--incident", "1"], ["audit", "--last"]]


@pytest.fixture
def ready(held: Desk) -> Desk:
    """There is a hold, and an audit."""
    assert held("audit").code == 0
    return held


@pytest.mark.parametrize("command", ASKED, ids=" ".join)
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("groups/search", 401),
        ("groups/search", 403),
        ("role-assignments", 403),
        ("users/search", 403),
        ("role-assignments", 500),
    ],
)
def test_what_the_organization_does_not_tell_is_one_line(
    ready: Desk, command: list[str], path: str, status: int
) -> None:
    ready.story.world.fault("org", path=path, status=status)
    ran = ready(*command, "--seats")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    assert ran.err.startswith(f"organization answered {status}")
    assert ran.err.endswith(": hooks doctor\n")
    assert ("the audit is kept: hooks audit --last" in ran.err) == (command[0] == "audit")


@pytest.mark.parametrize("command", ASKED, ids=" ".join)
def test_without_an_organization_there_is_nobody_to_be_asked(
    ready: Desk, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOKS_ORG_API_KEY")
    path = ready.folder / "hooks.toml"
    kept = [each for each in path.read_text().splitlines() if "organization_id" not in each]
    path.write_text("\n".join(kept).partition("[[local_group]]")[0])
    ran = ready(*command, "--seats")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert "--seats asks the organization; give organization_id" in ran.err
    assert ready(*command).code == 0


def test_seats_are_of_what_is_surplus(desk: Desk) -> None:
    ran = desk("audit", "--seats", "--kind", "lost")
    assert (ran.code, ran.out) == (2, "")
    assert "--seats is about what is surplus" in ran.err
