"""A store of the release before, migrated: its rows are read, and it may go on writing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text

from hooks.clock import moment
from hooks.core.history import LogFacts
from hooks.core.ids import AccountId
from hooks.core.membership import Action, Standing
from hooks.core.memory import Memory, PastStep
from hooks.store import cursor, groups, holds, journal, line, looks, mappings, people, schema
from hooks.store import refusals as refused
from hooks.store.database import Database
from hooks.store.people import Known
from tests.store.builders import (
    APP,
    MAIN,
    SEALER,
    Wall,
    lease_one,
    okta_group,
    scim_group,
    scim_user,
    user,
    uuid,
)

ACCOUNT = AccountId("712020:00000000-0000-4000-a000-000000000001")
LOGIN = "ann@example.com"
EARLIER = 1_700_000_000_000_000


def rows(number: int) -> dict[str, dict[str, object]]:
    """One row of each table, with the columns the release before has, about one person."""
    who = user(number)
    return {
        "brake": {"brake_class": f"{MAIN}/left/{number}"},
        "cursor": {"name": f"log/{number}", "value": "page 7", "at": EARLIER},
        "due": {
            "subject": who, "kind": "user", "lane": 0, "due_at": EARLIER, "generation": 1,
            "fence": 3, "lease_until": None, "attempts": 0, "crashes": 0, "base": None,
            "dead": None, "dead_at": None,
        },
        "event": {
            "uuid": uuid(number), "type": "user.lifecycle.deactivate", "published": EARLIER,
            "received": EARLIER, "origin": "hook", "delivery": "d", "subject": who,
            "claim": "deactivated", "about": "", "sealed": None, "first_look": None,
            "settled": None,
        },
        "hold": {
            "user": who, "directory": MAIN, "brake_class": f"{MAIN}/left", "steps": "[]",
            "at": EARLIER, "state": "waiting", "decided": None,
        },
        "mapping": {
            "directory": MAIN, "mapping": f"gPm{number:017}", "source": okta_group(1),
            "target": okta_group(2), "group": scim_group(1), "name": "team-1",
            "target_name": "team-1", "accept": False, "at": EARLIER,
        },
        "operator_order": {
            "kind": "approve", "ref": "1", "who": "", "why": "", "at": EARLIER, "done": None,
            "result": "",
        },
        "outcome": {"step": number, "state": "settled", "code": "", "at": EARLIER},
        "person": {"user": who, "account": ACCOUNT, "protected": True, "seen": EARLIER},
        "pin": {"name": f"Break glass {number}", "okta_group": okta_group(9), "at": EARLIER},
        "refused": {
            "user": who, "directory": MAIN, "group": scim_group(2), "cause": "orphaned",
            "detail": "", "at": EARLIER, "until": None,
        },
        "step": {
            "user": who, "directory": MAIN, "via": "scim", "action": "remove",
            "group": scim_group(1), "name": "team-1", "scim_id": scim_user(number),
            "reason": "left", "brake_class": f"{MAIN}/left", "evidence": json.dumps(["a"]),
            "events": json.dumps([uuid(number)]), "fence": 3, "ordinal": 0, "at": EARLIER,
        },
        "tie": {
            "user": who, "directory": MAIN, "scim_id": scim_user(number),
            "user_name": SEALER.seal(LOGIN.encode(), f"tie/{who}/{MAIN}/user_name"),
            "in_force": False, "ever_in_force": True, "standing": "left",
            "standing_at": EARLIER, "agreed": 0, "waiting_since": None,
            "groups": json.dumps([scim_group(1)]), "census": EARLIER,
        },
    }  # fmt: skip


def write(database: Database, number: int) -> None:
    """As the release before writes: every column it knows, and no other."""
    with database.connection() as connection:
        for table, row in rows(number).items():
            names = ", ".join(f'"{name}"' for name in row)
            values = ", ".join(f":{name}" for name in row)
            statement = f'INSERT INTO "{table}" ({names}) VALUES ({values})'  # noqa: S608
            connection.execute(text(statement), row)


def columns(database: Database) -> dict[str, set[str]]:
    with database.connection() as connection:
        found = inspect(connection)
        return {
            table: {each["name"] for each in found.get_columns(table)}
            for table in found.get_table_names()
        }


@pytest.fixture
def before(database_url: str, wall: Wall) -> Iterator[Database]:
    """A store as the first release left it, with a row in each table."""
    found = Database(database_url, wall.clock)
    config = Config()
    config.set_main_option("script_location", str(schema._FOLDER))
    with found.connection() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    write(found, 1)
    yield found
    found.close()


def test_every_table_of_the_release_before_has_a_row_here(before: Database) -> None:
    there = columns(before)
    serials = {"event", "hold", "operator_order", "outcome", "refused", "step"}
    for table, row in rows(1).items():
        assert there[table] == {*row} | ({"id"} if table in serials else set())
    assert {*there} == {*rows(1), "alembic_version"}


def check(database: Database, number: int) -> None:
    """What the release before wrote of a person is read by this one."""
    who = user(number)
    at = moment(EARLIER)
    assert database.read_now(lambda tx: people.recall(tx, who, SEALER)) == Known(
        protected=True,
        linked=ACCOUNT,
        account=None,
        memories={
            MAIN: Memory(
                scim_id=scim_user(number),
                user_name=LOGIN,
                ever_in_force=True,
                standing=Standing.LEFT,
                standing_at=at,
                groups=frozenset({scim_group(1)}),
            )
        },
    )
    assert database.read_now(lambda tx: journal.history(tx, who)) == {
        MAIN: (PastStep(number, Action.REMOVE, scim_group(1), "settled", "", "left", at, "team-1"),)
    }
    (step,) = database.read_now(lambda tx: journal.list_steps(tx, user=who))
    assert (step["account"], step["evidence"], step["scim_id"]) == (None, ["a"], scim_user(number))
    (row,) = database.read_now(lambda tx: refused.listed(tx, user=who))
    assert (row["cause"], row["at"]) == ("orphaned", EARLIER)
    assert database.read_now(lambda tx: cursor.get(tx, f"log/{number}")) == "page 7"
    name = f"Break glass {number}"
    assert database.read_now(lambda tx: cursor.pins(tx, [name])) == {name: okta_group(9)}
    links = database.read_now(mappings.remembered)[MAIN]
    assert f"gPm{number:017}" in {each.mapping for each in links}
    assert database.read_now(lambda tx: looks.log(tx, who)) == LogFacts()
    assert database.read_now(lambda tx: looks.of(tx, who)) == []
    held = lease_one(database, who)
    assert [claimed.uuid for claimed in held.claims] == [uuid(number)]
    assert held.fence > 3


def test_what_the_release_before_stored_is_read_after_the_migration(before: Database) -> None:
    assert schema.behind(before)
    assert schema.migrate(before) == "0001"
    assert not schema.behind(before)
    check(before, 1)
    assert len(before.read_now(holds.listed)) == 1
    assert before.read_now(groups.changed) == []


def test_the_release_before_goes_on_writing_beside_this_one(before: Database) -> None:
    """It runs until it is replaced, and again if somebody goes back."""
    schema.migrate(before)
    write(before, 2)
    check(before, 2)
    check(before, 1)


def test_nothing_is_taken_from_the_tables(before: Database) -> None:
    old = columns(before)
    schema.migrate(before)
    new = columns(before)
    assert all(names <= new[table] for table, names in old.items())
    assert {*new} - {*old} >= {"moment", "organization_group", "look"}
    before.write_now(lambda tx: line.enroll(tx, APP, "census"))
