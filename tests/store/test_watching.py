"""Since when absences have consequences: our first start, and the last switch to enforce."""

from __future__ import annotations

from datetime import datetime

from hooks.clock import moment
from hooks.core.ids import DirectoryName
from hooks.core.membership import Mode
from hooks.store import cursor
from hooks.store.database import Database
from tests.store.builders import MAIN, Wall

OTHER = DirectoryName("other")
ENFORCE, OBSERVE = Mode.ENFORCE, Mode.OBSERVE
Modes = dict[DirectoryName, Mode]


def start(database: Database, wall: Wall, modes: Modes) -> datetime:
    """A start of the service, an hour after the one before; when it was."""
    wall.forward(3600)
    database.write_now(lambda tx: cursor.watch(tx, modes))
    return moment(wall.us)


def since(database: Database, modes: Modes) -> datetime | None:
    return database.read_now(lambda tx: cursor.watched_since(tx, modes))


def test_before_the_first_start_nothing_is_watched(database: Database) -> None:
    assert since(database, {MAIN: ENFORCE}) is None
    assert since(database, {}) is None


def test_absences_count_from_the_first_start_and_no_later_one(
    database: Database, wall: Wall
) -> None:
    modes: Modes = {MAIN: ENFORCE, OTHER: OBSERVE}
    first = start(database, wall, modes)
    assert since(database, modes) == first
    start(database, wall, modes)
    assert since(database, modes) == first
    assert since(database, {}) == first


def test_a_switch_to_enforce_begins_anew(database: Database, wall: Wall) -> None:
    first = start(database, wall, {MAIN: OBSERVE})
    switched = start(database, wall, {MAIN: ENFORCE})
    assert since(database, {MAIN: ENFORCE}) == switched
    start(database, wall, {MAIN: ENFORCE})
    assert since(database, {MAIN: ENFORCE}) == switched
    assert since(database, {MAIN: OBSERVE}) == first


def test_back_to_observe_and_to_enforce_again_counts_from_the_last(
    database: Database, wall: Wall
) -> None:
    first = start(database, wall, {MAIN: ENFORCE})
    start(database, wall, {MAIN: OBSERVE})
    assert since(database, {MAIN: OBSERVE}) == first
    again = start(database, wall, {MAIN: ENFORCE})
    assert since(database, {MAIN: ENFORCE}) == again


def test_of_several_directories_the_last_to_enforce_counts(database: Database, wall: Wall) -> None:
    start(database, wall, {MAIN: ENFORCE, OTHER: OBSERVE})
    both = {MAIN: ENFORCE, OTHER: ENFORCE}
    switched = start(database, wall, both)
    assert since(database, both) == switched
    start(database, wall, both)
    assert since(database, both) == switched


def test_a_directory_that_comes_later_counts_from_then(database: Database, wall: Wall) -> None:
    first = start(database, wall, {MAIN: ENFORCE})
    both = {MAIN: ENFORCE, OTHER: ENFORCE}
    assert since(database, both) == first, "not started with it yet"
    came = start(database, wall, both)
    assert since(database, both) == came


def test_a_directory_nobody_watched_for_a_time_counts_from_its_return(
    database: Database, wall: Wall
) -> None:
    both = {MAIN: ENFORCE, OTHER: ENFORCE}
    start(database, wall, both)
    start(database, wall, {MAIN: ENFORCE})
    again = start(database, wall, both)
    assert since(database, both) == again
