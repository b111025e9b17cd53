"""What was left alone, since when, and until when."""

from __future__ import annotations

from hooks.core.ids import DirectoryName
from hooks.core.membership import ORGANIZATION
from hooks.core.reading import Unread, Why
from hooks.core.refusal import Cause, Refusal
from hooks.store import refusals
from hooks.store.database import Database
from tests.store.builders import MAIN, Wall, scim_group, user

ANN, BOB = user(1), user(2)


def refusal(
    number: int | None = 1, cause: Cause = Cause.ORPHANED, *, detail: str | None = None
) -> Refusal:
    unread = None if detail is None else Unread(Why.UNAVAILABLE, detail=detail)
    return Refusal(MAIN, cause, scim_group(number) if number else None, unread)


def keep(
    database: Database, *refused: Refusal, who: str = ANN, place: DirectoryName = MAIN
) -> None:
    found = user(int(who[3:]))
    database.write_now(lambda tx: refusals.keep(tx, found, place, refused))


def listed(database: Database, who: str | None = None) -> list[tuple[object, ...]]:
    """Person, place, group and cause of each that stands, and since when."""
    found = database.read_now(lambda tx: refusals.listed(tx, user=who))
    return [(row["user"], row["directory"], row["group"], row["cause"], row["at"]) for row in found]


def counted(database: Database) -> dict[str, int]:
    return database.read_now(refusals.counted)


def test_a_refusal_stands_since_it_was_first_seen_and_until_it_is_not(
    database: Database, wall: Wall
) -> None:
    first = wall.us
    keep(database, refusal(1))
    wall.forward(60)
    keep(database, refusal(1), refusal(2))
    row_1 = (ANN, MAIN, scim_group(1), "orphaned", first)
    row_2 = (ANN, MAIN, scim_group(2), "orphaned", wall.us)
    assert listed(database) == [row_1, row_2]
    wall.forward(60)
    keep(database, refusal(2))
    assert listed(database) == [row_2]
    keep(database)
    assert listed(database) == []


def test_what_is_refused_again_later_is_as_young_as_that(database: Database, wall: Wall) -> None:
    keep(database, refusal())
    keep(database)
    wall.forward(60)
    keep(database, refusal())
    ((*_, since),) = listed(database)
    assert since == wall.us


def test_a_refusal_of_the_whole_place_has_no_group(database: Database) -> None:
    keep(database, refusal(None, Cause.RECORD_NONE), refusal(None, Cause.RECORD_NONE))
    ((_, _, group, cause, _),) = listed(database)
    assert (group, cause) == ("", "record_none")


def test_one_group_may_be_refused_for_several_causes(database: Database) -> None:
    keep(database, refusal(), refusal(cause=Cause.PROTECTED))
    assert {cause for *_, cause, _ in listed(database)} == {"orphaned", "protected"}
    keep(database, refusal(cause=Cause.PROTECTED))
    assert {cause for *_, cause, _ in listed(database)} == {"protected"}


def test_the_detail_is_the_newest_and_the_age_the_oldest(database: Database, wall: Wall) -> None:
    def details() -> list[tuple[object, object]]:
        found = database.read_now(refusals.listed)
        return [(row["detail"], row["at"]) for row in found]

    first = wall.us
    keep(database, refusal(detail="503"))
    wall.forward(60)
    keep(database, refusal(detail="504" + "x" * 400))
    assert details() == [(("504" + "x" * 400)[:256], first)]
    keep(database, refusal())
    assert details() == [("", first)]


def test_a_refused_credential_is_kept_as_such(database: Database) -> None:
    unread = Unread(Why.CREDENTIAL, detail="okta answered 401 to GET user")
    keep(database, Refusal(MAIN, Cause.USER_UNREAD, unread=unread))
    (row,) = database.read_now(refusals.listed)
    assert row["detail"] == "credential refused: okta answered 401 to GET user"


def test_places_and_people_do_not_end_each_others_refusals(database: Database) -> None:
    keep(database, refusal())
    keep(database, refusal(), place=ORGANIZATION)
    keep(database, refusal(), who=BOB)
    keep(database, who=BOB)
    assert [row[:2] for row in listed(database)] == [(ANN, MAIN), (ANN, ORGANIZATION)]
    assert listed(database, BOB) == []
    assert len(listed(database, ANN)) == 2


def test_refusals_that_stand_are_counted_by_cause(database: Database) -> None:
    assert counted(database) == {}
    keep(database, refusal(1), refusal(2), refusal(cause=Cause.PROTECTED))
    keep(database, refusal(1), who=BOB)
    assert counted(database) == {"orphaned": 3, "protected": 1}
    keep(database)
    assert counted(database) == {"orphaned": 1}


def test_the_oldest_are_listed_first_and_as_many_as_asked(database: Database) -> None:
    keep(database, *(refusal(number) for number in range(1, 6)))
    found = database.read_now(lambda tx: refusals.listed(tx, limit=2))
    assert [row["group"] for row in found] == [scim_group(1), scim_group(2)]
