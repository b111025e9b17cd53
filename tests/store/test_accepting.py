"""An accepted mapping is matched anew by a census, which then must not wait for its day."""

from __future__ import annotations

from hooks.core.attempt import LookAgain
from hooks.core.refusal import Cause, Refusal
from hooks.store import line, refusals
from hooks.store.database import Database
from tests.store.builders import APP, MAIN, Wall, due, lease_one, mark, scim_group, settle, us, user
from tests.store.test_mappings import LINK, accept, remember

CENSUS = f"census/{APP}"


def census_tomorrow(database: Database, wall: Wall) -> None:
    database.write_now(lambda tx: line.enroll(tx, APP, "census"))
    held = lease_one(database, CENSUS)
    tomorrow = LookAgain(wall.at.replace(day=wall.at.day + 1))
    settle(database, held, tomorrow)


def test_accepting_has_the_census_done_now(database: Database, wall: Wall) -> None:
    census_tomorrow(database, wall)
    remember(database, LINK)
    wall.forward(60)
    assert due(database, CENSUS).due_at > wall.us
    assert accept(database) == []
    assert due(database, CENSUS).due_at == wall.us


def test_a_mapping_nobody_knows_hastens_nothing(database: Database, wall: Wall) -> None:
    census_tomorrow(database, wall)
    before = due(database, CENSUS)
    assert accept(database) is None
    assert due(database, CENSUS) == before


def test_a_census_under_way_is_left_to_whom_it_is_leased(database: Database, wall: Wall) -> None:
    database.write_now(lambda tx: line.enroll(tx, APP, "census"))
    remember(database, LINK)
    lease_one(database, CENSUS)
    before = due(database, CENSUS)
    accept(database)
    assert due(database, CENSUS) == before


def test_people_are_looked_at_after_the_census_and_nobody_else_is_hastened(
    database: Database, wall: Wall
) -> None:
    census_tomorrow(database, wall)
    remember(database, LINK)
    refused = [Refusal(MAIN, Cause.MAPPING_RENAMED, scim_group(1))]
    database.write_now(lambda tx: refusals.keep(tx, user(1), MAIN, refused))
    mark(database, user(2), lane=line.BULK, after=3600)
    other = due(database, user(2))
    assert accept(database) == [user(1)]
    waiting = due(database, user(1))
    assert waiting.lane == line.BULK
    assert wall.us < waiting.due_at <= wall.us + us(60)
    assert due(database, user(2)) == other
