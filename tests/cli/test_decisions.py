"""Holds: shown, decided, and carried out by the next look."""

from __future__ import annotations

from typing import Any

import pytest

from hooks.sandbox.story import CONFLUENCE, PERSON
from hooks.store.tables import Order
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
