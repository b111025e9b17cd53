"""What a check asks of the store: the last delivery, the last write, what was granted again."""

from __future__ import annotations

from hooks.clock import moment
from hooks.core.checkup_atlassian import Written
from hooks.core.ids import OrganizationDirectoryId, OrganizationGroupId
from hooks.core.membership import ORGANIZATION, OrganizationGroup
from hooks.core.refusal import Cause, Refusal
from hooks.store import groups, refusals, signs
from hooks.store.database import Database, Tx
from hooks.store.intake import Origin
from hooks.store.tables import Outcome, Step
from tests.store.builders import Wall, left, put, put_in, user, uuid

ANN = user(1)
LOCAL = OrganizationGroup(
    OrganizationGroupId("00000000-0000-4000-b000-000000000001"),
    "jira-software-users",
    OrganizationDirectoryId("d1"),
    synced=False,
    modifiable=True,
)
_steps, _outcomes = Step.__table__, Outcome.__table__  # type: ignore[attr-defined]


def test_only_the_hook_delivers(database: Database, wall: Wall) -> None:
    assert database.read_now(signs.delivered) is None
    event = left(1, ANN)
    database.write_now(lambda tx: put_in(tx, [event], {uuid(1): Origin("log")}))
    assert database.read_now(signs.delivered) is None
    wall.forward(60)
    put(database, event)  # the hook brings it after all
    assert database.read_now(signs.delivered) == moment(wall.us)
    wall.forward(60)
    put(database, left(2, ANN))
    latest = moment(wall.us)
    wall.forward(60)
    database.write_now(lambda tx: put_in(tx, [left(3, ANN)], {uuid(3): Origin("log")}))
    assert database.read_now(signs.delivered) == latest


def write(tx: Tx, via: str, *states: tuple[str, str]) -> None:
    """A step and what became of it."""
    row = {
        "user": ANN, "directory": str(ORGANIZATION), "via": via, "action": "remove",
        "group": str(LOCAL.id), "name": LOCAL.name, "scim_id": "", "reason": "left",
        "brake_class": "main/left", "evidence": "[]", "events": "[]", "fence": 1, "ordinal": 0,
        "at": tx.now,
    }  # fmt: skip
    number = tx.execute(_steps.insert().values(**row).returning(_steps.c.id)).scalar_one()
    for state, code in states:
        outcome = {"step": number, "state": state, "code": code, "at": tx.now}
        tx.execute(_outcomes.insert().values(**outcome))


def test_the_last_write_is_one_that_was_sent_to_the_organization(
    database: Database, wall: Wall
) -> None:
    assert database.read_now(signs.written) is None
    database.write_now(lambda tx: write(tx, "organization", ("open", ""), ("settled", "")))
    settled = Written("settled", "", moment(wall.us))
    wall.forward(60)
    database.write_now(lambda tx: write(tx, "scim", ("failed", "invalidPath")))
    database.write_now(lambda tx: write(tx, "organization", ("open", "")))
    database.write_now(lambda tx: write(tx, "organization", ("observed", "")))
    assert database.read_now(signs.written) == settled
    database.write_now(lambda tx: write(tx, "organization", ("failed", "ADMIN-UAM-403-1")))
    assert database.read_now(signs.written) == Written("failed", "ADMIN-UAM-403-1", moment(wall.us))


def test_what_is_granted_again_is_named_once_and_while_it_stands(database: Database) -> None:
    again = Refusal(ORGANIZATION, Cause.GRANTED_AGAIN, LOCAL.id)
    database.write_now(lambda tx: groups.remember(tx, [LOCAL]))
    keep(database, again)
    assert database.read_now(signs.granted_again) == [LOCAL.name]
    keep(database)
    assert database.read_now(signs.granted_again) == []


def keep(database: Database, *refused: Refusal) -> None:
    """These, and no others, stand of two people."""

    def both(tx: Tx) -> None:
        for who in (ANN, user(2)):
            refusals.keep(tx, who, ORGANIZATION, refused)

    database.write_now(both)
