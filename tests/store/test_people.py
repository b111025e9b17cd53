"""People: what a look leaves behind, what the census adds, and what nobody else can read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select, text
from sqlmodel import SQLModel

from hooks.clock import moment
from hooks.core.ids import AccountId, DirectoryName
from hooks.core.membership import Standing
from hooks.core.memory import Memory
from hooks.core.reading import AppUser, Unread, Why
from hooks.core.refusal import Cause, Refusal
from hooks.core.returning import Standed
from hooks.store import known, people, refusals
from hooks.store.database import Database
from hooks.store.people import Known, Stood
from hooks.store.sealing import Sealer
from tests.store.builders import KEY, MAIN, SEALER, Wall, scim_group, scim_user, us, user

ANN, BOB, CAT = user(1), user(2), user(3)
OTHER = DirectoryName("other")
ACCOUNT = AccountId("712020:abc")
LOGIN = "ann.planted@example.com"
STOOD = Stood(
    directory=MAIN,
    stood=Standed(Standing.PRESENT, 1),
    waiting_since=None,
    in_force=True,
    scim_id=scim_user(1),
    account=ACCOUNT,
    user_name=LOGIN,
    groups=frozenset({scim_group(1), scim_group(2)}),
)
MEMORY = Memory(
    scim_id=scim_user(1),
    user_name=LOGIN,
    ever_in_force=True,
    standing=Standing.PRESENT,
    agreed=1,
    groups=frozenset({scim_group(1), scim_group(2)}),
)


def seen(at: int) -> Memory:
    """``MEMORY`` as a look at this instant left it."""
    return replace(MEMORY, standing_at=moment(at))


def remember(database: Database, *stood: Stood, who: str = ANN, protected: bool = False) -> None:
    person = user(int(who[3:]))
    database.write_now(lambda tx: people.remember(tx, person, stood, SEALER, protected=protected))


def recall(database: Database, who: str = ANN, sealer: Sealer = SEALER) -> Known:
    return database.read_now(lambda tx: people.recall(tx, user(int(who[3:])), sealer))


def census(database: Database, *app_users: AppUser) -> int:
    return database.write_now(
        lambda tx: people.census(tx, MAIN, app_users, SEALER, began=tx.now + 1)
    )


# -- one person --------------------------------------------------------------------------------


def test_nothing_is_known_of_a_stranger(database: Database) -> None:
    assert recall(database) == Known()


def test_what_a_look_left_is_recalled(database: Database, wall: Wall) -> None:
    remember(database, STOOD)
    assert recall(database) == Known(linked=ACCOUNT, memories={MAIN: seen(wall.us)})


def test_an_account_is_known_once_a_look_has_seen_it(database: Database) -> None:
    remember(database, STOOD)
    remember(database, replace(STOOD, account=None), who=BOB)
    found = database.read_now(lambda tx: known.accounts(tx, [ANN, BOB, CAT]))
    assert found == {ANN: ACCOUNT}


def test_each_directory_is_remembered_by_itself(database: Database, wall: Wall) -> None:
    remember(
        database,
        STOOD,
        replace(STOOD, directory=OTHER, scim_id=scim_user(2), stood=Standed(Standing.PRESENT)),
    )
    assert recall(database).memories == {
        MAIN: seen(wall.us),
        OTHER: replace(seen(wall.us), scim_id=scim_user(2), agreed=0),
    }


def test_what_a_look_could_not_see_stays_as_it_was(database: Database, wall: Wall) -> None:
    began = wall.us
    remember(database, STOOD)
    wall.forward(60)
    unseen = replace(
        STOOD,
        stood=Standed(None, 7),
        waiting_since=moment(wall.us),
        in_force=False,
        scim_id=None,
        account=None,
        user_name="",
        groups=None,
    )
    remember(database, unseen)
    expected = replace(seen(began), waiting_since=moment(wall.us))
    assert recall(database).memories == {MAIN: expected}
    assert _column(database, "SELECT account FROM person") == ["712020:abc"]
    assert _column(database, "SELECT in_force FROM tie") == [True]


def test_a_settled_look_replaces_what_was_remembered(database: Database, wall: Wall) -> None:
    remember(database, replace(STOOD, waiting_since=moment(wall.us)))
    wall.forward(60)
    gone = replace(
        STOOD, stood=Standed(Standing.LEFT), in_force=False, groups=frozenset(), user_name="new"
    )
    remember(database, gone)
    assert recall(database).memories[MAIN] == Memory(
        scim_id=scim_user(1),
        user_name="new",
        ever_in_force=True,
        standing=Standing.LEFT,
        standing_at=moment(wall.us),
    )
    assert _column(database, "SELECT standing_at FROM tie") == [wall.us]


def test_somebody_never_in_force_is_remembered_as_such(database: Database) -> None:
    remember(database, replace(STOOD, in_force=False, stood=Standed(Standing.OUTSIDE)))
    assert recall(database).memories[MAIN].ever_in_force is False


@pytest.mark.parametrize("protected", [True, False])
def test_the_last_look_says_who_is_protected(database: Database, protected: bool) -> None:  # noqa: FBT001
    remember(database, STOOD, protected=not protected)
    remember(database, STOOD, protected=protected)
    assert recall(database).protected is protected


def test_people_in_force_who_hold_the_same_record_are_told(database: Database) -> None:
    remember(database, STOOD)
    remember(database, STOOD, who=BOB)
    remember(database, replace(STOOD, directory=OTHER), who=CAT)
    assert recall(database, ANN).memories[MAIN].shared_with == {BOB}
    assert recall(database, CAT).memories[OTHER].shared_with == frozenset()
    remember(database, replace(STOOD, in_force=False, stood=Standed(Standing.LEFT)), who=BOB)
    assert recall(database, ANN).memories[MAIN].shared_with == frozenset()
    assert recall(database, BOB).memories[MAIN].shared_with == {ANN}


def test_owners_of_records_are_found_in_their_directory(database: Database) -> None:
    remember(database, STOOD)
    remember(database, STOOD, who=BOB)
    remember(database, replace(STOOD, directory=OTHER, scim_id=scim_user(3)), who=CAT)
    records = [scim_user(number) for number in range(1, 1200)]
    found = database.read_now(lambda tx: known.owners(tx, MAIN, records))
    assert {record: set(who) for record, who in found.items()} == {scim_user(1): {ANN, BOB}}


# -- sealed ------------------------------------------------------------------------------------


def test_a_name_is_nowhere_in_clear(database: Database) -> None:
    remember(database, STOOD)
    census(database, AppUser(BOB, "ACTIVE", scim_user(2), "bob.planted@example.com"))
    for table in SQLModel.metadata.sorted_tables:
        for row in database.read_now(lambda tx, table=table: tx.execute(select(table)).all()):  # type: ignore[misc]
            assert b"planted" not in b"".join(
                each if isinstance(each, bytes) else str(each).encode() for each in row
            )
    assert recall(database, BOB).memories[MAIN].user_name == "bob.planted@example.com"


@pytest.mark.parametrize("into", ["directory = 'other'", "\"user\" = '00u00000000000000002'"])
def test_a_name_copied_into_another_row_does_not_open(database: Database, into: str) -> None:
    remember(database, STOOD, replace(STOOD, directory=OTHER))
    remember(database, STOOD, who=BOB)
    copy = (
        "UPDATE tie SET user_name = (SELECT user_name FROM tie"  # noqa: S608
        f" WHERE \"user\" = '{ANN}' AND directory = 'main') WHERE {into}"
    )
    database.write_now(lambda tx: tx.execute(text(copy)))
    found = recall(database, ANN if "directory" in into else BOB)
    shut = found.memories[OTHER if "directory" in into else MAIN]
    assert (shut.user_name, shut.locked) == ("", True)
    (why,) = found.locked
    assert "another row" in why


def test_without_its_key_a_person_is_recalled_without_the_name(
    database: Database, wall: Wall
) -> None:
    remember(database, STOOD)
    found = recall(database, sealer=Sealer([bytes(32)]))
    assert found.memories == {MAIN: replace(seen(wall.us), user_name="", locked=True)}
    (why,) = found.locked
    assert "not given" in why
    assert LOGIN not in why
    found = recall(database, sealer=Sealer([bytes(32), KEY]))
    assert (found.memories, found.locked) == ({MAIN: seen(wall.us)}, frozenset())


# -- the census --------------------------------------------------------------------------------


def test_a_page_of_the_census_is_remembered(database: Database, wall: Wall) -> None:
    page = [AppUser(user(n), "ACTIVE", scim_user(n), f"u{n}") for n in range(200, 0, -1)]
    assert census(database, *page) == 200
    assert census(database) == 0
    assert recall(database, ANN) == Known(
        memories={MAIN: Memory(scim_id=scim_user(1), user_name="u1", ever_in_force=True)}
    )
    assert set(_column(database, "SELECT census FROM tie")) == {wall.us}


def test_the_census_adds_to_what_looks_left_and_takes_nothing(
    database: Database, wall: Wall
) -> None:
    remember(database, STOOD, protected=True)
    census(database, AppUser(ANN, "SUSPENDED"))
    known = Known(protected=True, linked=ACCOUNT, memories={MAIN: seen(wall.us)})
    assert recall(database) == known
    census(database, AppUser(ANN, "ACTIVE", scim_user(9), "renamed"))
    expected = replace(seen(wall.us), scim_id=scim_user(9), user_name="renamed")
    assert recall(database).memories == {MAIN: expected}


def test_whom_a_whole_census_did_not_list_is_no_longer_in_force(
    database: Database, wall: Wall
) -> None:
    remember(database, STOOD)
    census(database, AppUser(BOB, "ACTIVE", scim_user(2)))
    wall.forward(60)
    began = wall.us
    census(database, AppUser(BOB, "ACTIVE", scim_user(2)))
    remember(database, STOOD, who=CAT)
    assert database.write_now(lambda tx: people.end_census(tx, OTHER, began)) == 0
    assert database.write_now(lambda tx: people.end_census(tx, MAIN, began)) == 1
    assert _column(database, 'SELECT in_force FROM tie ORDER BY "user"') == [False, True, True]
    assert recall(database).memories[MAIN].ever_in_force


# -- refusals ----------------------------------------------------------------------------------


def refused(database: Database) -> list[tuple[object, ...]]:
    rows = database.read_now(refusals.listed)
    return [(each["cause"], each["group"], each["at"]) for each in rows]


def test_a_refusal_keeps_its_age_and_ends_when_it_no_longer_holds(
    database: Database, wall: Wall
) -> None:
    first = wall.us
    moved = Refusal(MAIN, Cause.MAPPING_MOVED, scim_group(1))
    unread = Refusal(MAIN, Cause.USER_UNREAD, unread=Unread(Why.FORBIDDEN, detail="x" * 999))
    remember(database, replace(STOOD, refusals=(moved, unread)))
    wall.forward(60)
    other_group = Refusal(MAIN, Cause.MAPPING_MOVED, scim_group(2))
    remember(database, replace(STOOD, refusals=(other_group, moved)))
    assert refused(database) == [
        ("mapping_moved", scim_group(1), first),
        ("mapping_moved", scim_group(2), wall.us),
    ]
    ended = "SELECT until FROM refused WHERE until IS NOT NULL AND \"group\" = ''"
    assert _column(database, ended) == [wall.us]
    wall.forward(60)
    remember(database, replace(STOOD, refusals=(unread,)))
    assert refused(database) == [("user_unread", "", wall.us)]
    assert len(_column(database, "SELECT id FROM refused")) == 4


def test_a_look_at_one_directory_or_person_ends_no_refusal_of_another(database: Database) -> None:
    held = (Refusal(MAIN, Cause.PROTECTED),)
    remember(database, replace(STOOD, refusals=held))
    remember(database, replace(STOOD, directory=OTHER))
    remember(database, STOOD, who=BOB)
    assert len(refused(database)) == 1
    found = database.read_now(lambda tx: refusals.listed(tx, user=BOB))
    assert found == []


def test_people_somebody_else_has_not_finished_with_are_counted(
    database: Database, wall: Wall
) -> None:
    remember(database, replace(STOOD, waiting_since=moment(wall.us)))
    remember(database, STOOD, who=BOB)
    assert database.read_now(lambda tx: people.waiting_long(tx, wall.us)) == 0
    assert database.read_now(lambda tx: people.waiting_long(tx, wall.us + us(1))) == 1


def _column(database: Database, query: str) -> list[object]:
    return list(database.read_now(lambda tx: tx.execute(text(query)).scalars().all()))


def test_a_census_does_not_overwrite_a_look_that_came_after_its_start(
    database: Database, wall: Wall
) -> None:
    """A page read before somebody left would keep their record's next holder from being served."""
    began = wall.us
    wall.forward(1)
    remember(database, replace(STOOD, stood=Standed(Standing.LEFT), in_force=False))
    page = [AppUser(ANN, "ACTIVE", scim_user(9)), AppUser(BOB, "ACTIVE", scim_user(1))]
    database.write_now(lambda tx: people.census(tx, MAIN, page, SEALER, began=began))
    assert recall(database).memories[MAIN].scim_id == scim_user(1)
    assert recall(database, BOB).memories[MAIN].shared_with == frozenset()
