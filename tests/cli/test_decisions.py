"""Holds: shown, decided, and carried out by the next look."""

from __future__ import annotations

from typing import Any

import pytest

from hooks.sandbox.story import CONFLUENCE, PERSON
from hooks.store import holds
from hooks.store.tables import Order, Tie
from tests.cli.conftest import Desk

OTHER = "other@somedomain.example"


def orders(desk: Desk) -> list[tuple[Any, ...]]:
    table = Order.__table__  # type: ignore[attr-defined]
    return desk.read(  # type: ignore[no-any-return]
        lambda tx: [(row.kind, row.ref, row.why) for row in tx.execute(table.select())]
    )


@pytest.fixture
def held(desk: Desk) -> Desk:
    """Somebody whose removal the brake holds."""
    config = desk.folder / "hooks.toml"
    config.write_text(config.read_text() + "\n[brake]\nother_per_hour = 1\n")
    world = desk.story.world
    world.add_to_group(world.add_user(OTHER), CONFLUENCE)
    for login in (PERSON, OTHER):
        world.remove_from_group(login, CONFLUENCE)
        assert desk("look", login).code == 0
    assert world.groups_of(desk.story.directory, OTHER) == {CONFLUENCE}
    return desk


def test_a_hold_is_listed_and_shown(held: Desk) -> None:
    (record,) = held("held", "--json").json()
    assert (record["class"], record["state"]) == ("main/unassigned", "waiting")
    assert record["steps"][0]["name"] == CONFLUENCE
    listed = held("held")
    assert "Approve or reject: hooks held approve" in listed.out
    assert "@" not in listed.out
    assert f"remove  {CONFLUENCE}" in held("held", "show", str(record["id"])).out


@pytest.mark.parametrize("chosen", [["1"], ["--class", "main/unassigned"]])
def test_an_approved_hold_goes_out_at_the_next_look(held: Desk, chosen: list[str]) -> None:
    ran = held("held", "approve", *chosen, "--reason", "a planned move")
    assert ran.code == 0
    assert "1 person looked at again" in ran.out
    assert orders(held) == [("approve", "1", "a planned move")]
    assert "settled: remove" in held("look", OTHER).out
    assert held.story.world.groups_of(held.story.directory, OTHER) == set()
    assert held("held", "--json").json() == []
    assert [each["state"] for each in held("held", "--all", "--json").json()] == ["over"]


def test_an_approval_in_a_pause_says_that_it_waits(held: Desk) -> None:
    assert held("pause", "--reason", "a test").code == 0
    ran = held("held", "approve", "1", "--reason", "a planned move")
    assert ran.out.endswith(
        "Writing is paused: nothing of it is done until hooks resume --reason TEXT\n"
    )
    assert held("resume", "--reason", "a test").code == 0
    held.write(lambda tx: holds.decide(tx, [1], approve=False, who="me", why="a test"))
    assert "paused" not in held("held", "approve", "1", "--reason", "a planned move").out


def test_a_rejected_hold_stays_until_it_is_approved(held: Desk) -> None:
    assert held("held", "reject", "1", "--reason", "a mistake in HR").code == 0
    assert "held: remove" in held("look", OTHER).out
    assert held.story.world.groups_of(held.story.directory, OTHER) == {CONFLUENCE}
    assert held("held", "approve", "1", "--reason", "no mistake").code == 0


def test_approving_a_class_takes_back_no_rejection(held: Desk) -> None:
    """Reject the wrong ones, approve the rest: that is the order in which people work."""
    assert held("held", "reject", "1", "--reason", "a mistake in HR").code == 0
    before = held.dump()
    assert held("held", "approve", "--class", "main/unassigned", "--reason", "the rest").code == 1
    assert held.dump() == before


def test_one_strange_hold_and_none_is_decided(held: Desk) -> None:
    before = held.dump()
    assert held("held", "approve", "1", "2", "--reason", "x").code == 1
    assert held.dump() == before


# -- incidents ---------------------------------------------------------------------------------

ALL_OF = [["--incident", "1"], ["--class", "main/unassigned"], ["--user", "them"]]


def named(held: Desk, chosen: list[str]) -> list[str]:
    """``them`` is the person whose removal is held."""
    them = held.story.world.user(OTHER).id
    return [them if each == "them" else each for each in chosen]


def test_an_incident_stands_before_its_holds_with_what_was_done_in_it(held: Desk) -> None:
    [record] = held("held", "incidents", "--json").json()
    counts = {name: record[name] for name in ("id", "class", "state", "held", "waiting", "done")}
    assert counts == {
        "id": 1, "class": "main/unassigned", "state": "open", "held": 1, "waiting": 1, "done": 1
    }  # fmt: skip
    listed = held("held").out
    assert listed.index("INCIDENT") < listed.index("GROUPS")
    assert held("held", "list").out == listed
    [hold] = held("held", "--json").json()
    assert (hold["incident"], hold["steps"][0]["reason"]) == (1, "unassigned")


def test_an_incident_is_shown_as_whom_and_from_which_groups(held: Desk) -> None:
    them = held.story.world.user(OTHER).id
    shown = held("held", "show", "--incident", "1").out
    assert f"1 person  remove  {CONFLUENCE}" in shown
    assert [line for line in shown.splitlines() if them in line and CONFLUENCE in line]
    record = held("held", "show", "--incident", "1", "--json").json()
    assert [each["user"] for each in record["holds"]] == [them]
    assert held("held", "show", "--incident", "1", "--after", "1", "--json").json()["holds"] == []
    assert held("held", "show", "--incident", "9").code == 1


def test_a_long_incident_is_shown_page_by_page(held: Desk) -> None:
    world = held.story.world
    for name in ("third", "fourth"):
        login = f"{name}@somedomain.example"
        world.add_to_group(world.add_user(login), CONFLUENCE)
        world.remove_from_group(login, CONFLUENCE)
        assert held("look", login).code == 0
    first = held("held", "show", "--incident", "1", "--limit", "2")
    assert "3 people  remove" in first.out
    assert first.out.splitlines()[-1] == "1 more: --after 2"
    rest = held("held", "show", "--incident", "1", "--after", "2", "--json").json()
    assert [each["id"] for each in rest["holds"]] == [3]


@pytest.mark.parametrize("chosen", ALL_OF, ids=" ".join)
def test_one_command_approves_all_of_an_incident_a_class_or_a_person(
    held: Desk, chosen: list[str]
) -> None:
    ran = held("held", "approve", *named(held, chosen), "--reason", "a planned move")
    assert (ran.code, ran.out.splitlines()[0]) == (
        0, "approved; 1 person looked at again with fresh readings"
    )  # fmt: skip
    assert "settled: remove" in held("look", OTHER).out
    assert held("held", "incidents", "--json").json() == []
    [over] = held("held", "incidents", "--all", "--json").json()
    assert (over["state"], over["done"]) == ("over", 2)


def excused(held: Desk) -> list[str]:
    return [ref for kind, ref, _ in orders(held) if kind == "excuse"]


@pytest.mark.parametrize("chosen", ALL_OF[:2], ids=" ".join)
def test_rejecting_a_whole_incident_excuses_who_lost_something_before(
    held: Desk, chosen: list[str]
) -> None:
    first = held.story.world.user(PERSON).id
    dry = held("held", "reject", *chosen, "--dry-run")
    assert "1 person who lost something before would be excused too" in dry.out
    assert excused(held) == []
    ran = held("held", "reject", *chosen, "--reason", "a mistake in HR")
    assert "1 person who lost something before: assigned again, not returning" in ran.out
    assert excused(held) == [first]
    assert "excuse, by" in held("explain", first).out
    before = held.dump()
    again = held("held", "reject", *chosen, "--reason", "a mistake in HR")
    assert (again.code, held.dump()) == (1, before)


def test_an_incident_without_anybody_waiting_can_be_rejected_for_who_lost_something(
    held: Desk,
) -> None:
    """Say because the mistake was taken back before anybody decided."""
    held.story.world.add_to_group(OTHER, CONFLUENCE)
    assert held("look", OTHER).code == 0
    assert held("held", "--json").json() == []
    ran = held("held", "reject", "--incident", "1", "--reason", "a mistake in HR")
    assert ran.code == 0
    assert excused(held) == [held.story.world.user(PERSON).id]


@pytest.mark.parametrize("chosen", [["1"], ["--user", "them"]], ids=" ".join)
def test_rejecting_one_hold_excuses_nobody_else(held: Desk, chosen: list[str]) -> None:
    assert held("held", "reject", *named(held, chosen), "--reason", "a mistake in HR").code == 0
    assert excused(held) == []


def test_an_approval_after_all_takes_every_excuse_of_the_incident_back(held: Desk) -> None:
    def left() -> set[object]:
        table = Tie.__table__  # type: ignore[attr-defined]
        return held.read(  # type: ignore[no-any-return]
            lambda tx: {row.user for row in tx.execute(table.select()) if row.excused}
        )

    assert held("held", "reject", "--incident", "1", "--reason", "a mistake in HR").code == 0
    assert left() == {held.story.world.user(each).id for each in (PERSON, OTHER)}
    assert held("held", "approve", "1", "--reason", "no mistake").code == 0
    assert left() == set()


@pytest.mark.parametrize("chosen", ALL_OF, ids=" ".join)
def test_a_rejection_says_what_was_done_before_and_how_to_give_it_back(
    held: Desk, chosen: list[str]
) -> None:
    ran = held("held", "reject", *named(held, chosen), "--reason", "a mistake in HR")
    assert ran.code == 0
    assert "In incident 1 1 person lost something; to give it back:" in ran.out
    assert "hooks restore --incident 1 --reason TEXT" in ran.out
    assert held("held", "incidents", "--json").json() == []
    assert held("held", *named(held, chosen), "--json").json()[0]["state"] == "rejected"


@pytest.mark.parametrize("verb", ["approve", "reject"])
@pytest.mark.parametrize("chosen", [*ALL_OF, ["1"]], ids=" ".join)
def test_a_dry_run_of_a_decision_says_whom_it_is_about_and_changes_nothing(
    held: Desk, verb: str, chosen: list[str]
) -> None:
    before = held.dump()
    ran = held("held", verb, *named(held, chosen), "--dry-run")
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "Dry run: 1 person, nothing was changed."
    assert f"1 person  remove  {CONFLUENCE}" in ran.out
    assert held.dump() == before


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(["1", "--incident", "1"], id="two ways"),
        pytest.param(["--class", "main/left", "--incident", "1"], id="two others"),
        pytest.param([], id="none"),
    ],
)
def test_what_is_decided_about_is_named_in_one_way(held: Desk, chosen: list[str]) -> None:
    assert held("held", "approve", *chosen, "--reason", "x").code == 2
    assert held("held", "approve", *chosen, "--dry-run").code == 2


def test_of_an_incident_nobody_is_held_in_nothing_is_decided(held: Desk) -> None:
    assert held("held", "reject", "--incident", "1", "--reason", "x").code == 0
    before = held.dump()
    assert held("held", "reject", "--incident", "1", "--reason", "x").code == 1
    assert held("held", "approve", "--incident", "9", "--reason", "x").code == 1
    assert held.dump() == before


def test_a_yes_to_one_incident_is_none_to_another(held: Desk) -> None:
    """Two mistakes at once, of which only one was looked into."""
    config = held.folder / "hooks.toml"
    config.write_text(config.read_text() + "left_per_hour = 1\n")
    world = held.story.world
    for name in ("third", "fourth"):
        login = f"{name}@somedomain.example"
        world.add_to_group(world.add_user(login), CONFLUENCE)
        world.deactivate(login)
        assert held("look", login).code == 0
    states = {each["class"]: each["id"] for each in held("held", "incidents", "--json").json()}
    assert states == {"main/unassigned": 1, "main/left": 2}
    ran = held("held", "approve", "--incident", "2", "--reason", "they left")
    assert ran.code == 0
    waiting = {each["class"]: each["state"] for each in held("held", "--json").json()}
    assert waiting == {"main/unassigned": "waiting", "main/left": "approved"}
