"""Places in long reads, and the Okta groups the policy names."""

from __future__ import annotations

from contextlib import suppress

from hooks.store import cursor
from hooks.store.database import Database, Tx
from tests.store.builders import okta_group


def test_a_value_is_remembered_and_replaced(database: Database) -> None:
    assert database.read_now(lambda tx: cursor.get(tx, "log")) is None
    database.write_now(lambda tx: cursor.put(tx, "log", "page 1"))
    database.write_now(lambda tx: cursor.put(tx, "census", "page 9"))
    database.write_now(lambda tx: cursor.put(tx, "log", "page 2"))
    assert database.read_now(lambda tx: cursor.get(tx, "log")) == "page 2"
    assert database.read_now(lambda tx: cursor.get(tx, "census")) == "page 9"


def test_a_value_and_what_it_stands_for_are_stored_together_or_not_at_all(
    database: Database,
) -> None:
    class Stop(Exception):  # noqa: N818  # not a failure: the process ends here
        pass

    def page(tx: Tx) -> None:
        cursor.put(tx, "log", "page 2")
        raise Stop

    with suppress(Stop):
        database.write_now(page)
    assert database.read_now(lambda tx: cursor.get(tx, "log")) is None


def test_a_name_means_the_group_it_first_resolved_to(database: Database) -> None:
    database.write_now(lambda tx: cursor.pin(tx, "Break glass", okta_group(1)))
    database.write_now(lambda tx: cursor.pin(tx, "Break glass", okta_group(2)))
    database.write_now(lambda tx: cursor.pin(tx, "Pilot", okta_group(3)))
    found = database.read_now(lambda tx: cursor.pins(tx, ["Break glass", "Pilot", "Nobody"]))
    assert found == {"Break glass": okta_group(1), "Pilot": okta_group(3)}
