"""Incidents: when one begins and ends, whom it holds, and what was done in it."""

from __future__ import annotations

from typing import Any

from hooks.core.plan import Reason
from hooks.core.policy import Limits
from hooks.store import erasure, holds, incidents, journal
from hooks.store.database import Database
from tests.store.builders import Wall, scim_group, step, us, user
from tests.store.test_holds import ANN, BOB, CAT, DAN, EVE, TWO, decide, fill, look
from tests.store.test_shares import SHARE, WIDE, lose, told


def listed(database: Database, *, every: bool = False) -> list[dict[str, Any]]:
    return database.read_now(lambda tx: incidents.listed(tx, every=every))


def done(database: Database, incident: int) -> list[tuple[object, object]]:
    """Whose removals belong to an incident, and from which groups."""
    ids = database.read_now(lambda tx: incidents.removals(tx, incident))
    steps = {each["id"]: each for each in database.read_now(journal.list_steps)}
    return [(steps[each]["user"], steps[each]["name"]) for each in ids]


def test_one_class_over_its_limit_is_one_incident_since_the_first_who_was_counted(
    database: Database, wall: Wall
) -> None:
    look(database, EVE, step())
    wall.forward(7200)
    began = wall.us
    fill(database)
    wall.forward(60)
    for who in (CAT, DAN):
        look(database, who, step())
    assert listed(database) == [
        {"id": 1, "brake_class": "main/unassigned", "since": began, "at": wall.us, "over": None,
         "waiting": 2, "approved": 0, "rejected": 0, "done": 2}
    ]  # fmt: skip
    assert {each["incident"] for each in database.read_now(holds.listed)} == {1}
    assert done(database, 1) == [(ANN, "team-1"), (BOB, "team-1")]
    assert database.read_now(lambda tx: incidents.removals(tx, 2)) == []


def test_a_limit_for_the_day_looks_back_a_day(database: Database, wall: Wall) -> None:
    began = wall.us
    for who in (ANN, BOB, CAT):
        look(database, who, step())
        wall.forward(2 * 3600)
    look(database, DAN, step())
    assert [each["since"] for each in listed(database)] == [began]


def test_a_limit_of_nobody_begins_with_who_is_held(database: Database, wall: Wall) -> None:
    look(database, ANN, step(), limits=Limits(other_per_hour=0))
    assert [(each["since"], each["done"]) for each in listed(database)] == [(wall.us, 0)]


def test_each_class_has_its_own(database: Database) -> None:
    none = Limits(left_per_hour=0, other_per_hour=0)
    look(database, ANN, step(), step(2, reason=Reason.LOST_GROUP), limits=none)
    look(database, BOB, step(reason=Reason.LEFT), limits=none)
    assert [(each["brake_class"], each["waiting"]) for each in listed(database)] == [
        (f"main/lost_group/{scim_group(2)}", 1), ("main/unassigned", 1), ("main/left", 1)
    ]  # fmt: skip


def test_it_ends_when_nobody_is_held_any_more_and_the_next_is_another(
    database: Database, wall: Wall
) -> None:
    fill(database)
    for who in (CAT, DAN):
        look(database, who, step())
    look(database, CAT)
    assert [each["waiting"] for each in listed(database)] == [1]
    wall.forward(60)
    look(database, DAN)
    assert listed(database) == []
    assert [each["over"] for each in listed(database, every=True)] == [wall.us]
    look(database, EVE, step())
    assert [each["id"] for each in listed(database)] == [2]


def test_what_a_yes_lets_out_belongs_to_it_and_what_comes_later_does_not(
    database: Database, wall: Wall
) -> None:
    fill(database)
    look(database, CAT, step())
    decide(database, 1, approve=True)
    assert [(each["waiting"], each["approved"]) for each in listed(database)] == [(0, 1)]
    look(database, CAT, step())
    assert listed(database) == []
    wall.forward(3700)
    look(database, DAN, step(), limits=WIDE)
    assert [who for who, _ in done(database, 1)] == [ANN, BOB, CAT]


def test_a_no_to_all_ends_it_and_a_no_taken_back_goes_on_with_it(
    database: Database, wall: Wall
) -> None:
    fill(database)
    look(database, CAT, step())
    decide(database, 1, approve=False)
    assert listed(database) == []
    [told_of] = listed(database, every=True)
    assert (told_of["rejected"], told_of["over"]) == (1, wall.us)
    wall.forward(60)
    decide(database, 1, approve=True)
    assert [(each["id"], each["approved"]) for each in listed(database)] == [(1, 1)]
    look(database, CAT, step())
    assert [who for who, _ in done(database, 1)] == [ANN, BOB, CAT]


def test_a_no_taken_back_while_a_newer_one_is_open_joins_that(database: Database) -> None:
    fill(database)
    look(database, CAT, step())
    decide(database, 1, approve=False)
    look(database, DAN, step())
    decide(database, 1, approve=True)
    assert [(each["id"], each["waiting"], each["approved"]) for each in listed(database)] == [
        (2, 1, 1)
    ]


def test_of_a_share_everybody_who_lost_the_group_belongs_to_it(database: Database) -> None:
    told(database, 10)
    lose(database, 5)
    look(database, ANN, step(1), step(2), limits=WIDE)
    assert [(each["brake_class"], each["done"]) for each in listed(database)] == [(SHARE, 5)]
    assert done(database, 1) == [(user(10 + number), "team-1") for number in range(5)]


def test_of_too_many_steps_what_was_let_out_belongs_to_it(database: Database, wall: Wall) -> None:
    look(database, BOB, step(), limits=WIDE)
    plan = [step(number) for number in range(101)]
    look(database, ANN, *plan, limits=WIDE)
    assert [(each["brake_class"], each["done"]) for each in listed(database)] == [("main/steps", 0)]
    wall.forward(1)
    decide(database, 1, approve=True)
    look(database, ANN, *plan, limits=WIDE)
    ids = database.read_now(lambda tx: incidents.removals(tx, 1))
    assert len(ids) == 101
    wall.forward(1)
    look(database, ANN, step(200), limits=WIDE)
    assert database.read_now(lambda tx: incidents.removals(tx, 1)) == ids


def test_it_is_over_once_the_last_who_was_held_is_forgotten(database: Database) -> None:
    fill(database)
    look(database, CAT, step())
    while database.write_now(lambda tx: erasure.delete_own(tx, CAT)):
        pass
    assert listed(database) == []


def test_an_open_one_was_at_its_limit_when_it_began(database: Database, wall: Wall) -> None:
    """So that somebody asked to decide sees what has been done before."""
    fill(database)
    wall.forward(30)
    look(database, CAT, step(), limits=TWO)
    found = database.read_now(lambda tx: incidents.one(tx, 1))
    assert found is not None
    assert (found["since"], found["at"]) == (wall.us - us(30), wall.us)
    assert database.read_now(lambda tx: incidents.one(tx, 9)) is None
