"""Mappings: remembered at the first match, and as they were until an operator accepts."""

from __future__ import annotations

from dataclasses import replace

from hooks.core.ids import DirectoryName, OktaUserId, PushMappingId
from hooks.core.memory import Link
from hooks.core.refusal import Cause, Refusal
from hooks.store import mappings, people
from hooks.store.database import Database
from tests.store.builders import MAIN, SEALER, okta_group, scim_group, user
from tests.store.test_people import STOOD

OTHER = DirectoryName("other")
LINK = Link(
    PushMappingId("gPm".ljust(20, "0")), okta_group(1), okta_group(2), scim_group(1), "t", "t"
)
MOVED = replace(LINK, source=okta_group(8), group=scim_group(9), name="new", target_name="new")


def remember(database: Database, link: Link, directory: DirectoryName = MAIN) -> None:
    database.write_now(lambda tx: mappings.remember(tx, directory, [link]))


def remembered(database: Database) -> dict[DirectoryName, tuple[Link, ...]]:
    return database.read_now(mappings.remembered)


def accept(database: Database) -> list[OktaUserId] | None:
    return database.write_now(lambda tx: mappings.accept(tx, LINK.mapping))


def test_a_mapping_stays_as_it_was_first_matched(database: Database) -> None:
    assert remembered(database) == {}
    remember(database, LINK)
    remember(database, MOVED)
    assert remembered(database) == {MAIN: (LINK,)}


def test_an_accepted_mapping_is_matched_anew_once(database: Database) -> None:
    remember(database, LINK)
    assert accept(database) == []
    assert remembered(database) == {MAIN: (replace(LINK, accept=True),)}
    remember(database, MOVED)
    assert remembered(database) == {MAIN: (MOVED,)}
    remember(database, LINK)
    assert remembered(database) == {MAIN: (MOVED,)}


def test_accepting_names_the_people_who_waited_for_it(database: Database) -> None:
    remember(database, LINK)
    causes = [Cause.MAPPING_MOVED, Cause.MAPPING_RENAMED, Cause.ORPHANED]
    for number, cause in enumerate(causes, 1):
        # A group made anew has another id than the remembered one.
        refusal = Refusal(MAIN, cause, scim_group(7))
        stood = replace(STOOD, refusals=(refusal,))
        database.write_now(
            lambda tx, number=number, stood=stood: people.remember(  # type: ignore[misc]
                tx, user(number), [stood], SEALER, protected=False
            )
        )
    assert accept(database) == [user(1), user(2)]


def test_an_unknown_mapping_is_not_accepted(database: Database) -> None:
    assert accept(database) is None


def test_each_directory_has_mappings_of_its_own(database: Database) -> None:
    second = replace(LINK, mapping=PushMappingId("gPm".ljust(20, "1")))
    remember(database, second)
    remember(database, LINK)
    remember(database, second, OTHER)
    assert remembered(database) == {MAIN: (LINK, second), OTHER: (second,)}
