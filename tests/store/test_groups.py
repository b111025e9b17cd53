"""Groups of the organization: as first seen, until an operator accepts how they are now."""

from __future__ import annotations

from dataclasses import replace

from hooks.core.ids import OktaUserId, OrganizationDirectoryId, OrganizationGroupId
from hooks.core.membership import ORGANIZATION, OrganizationGroup
from hooks.core.refusal import Cause, Refusal
from hooks.store import groups, line, orders, refusals
from hooks.store.database import Database
from tests.store.builders import Wall, due, mark, user

Recalled = dict[OrganizationGroupId, tuple[str, bool]]


def group(number: int = 1, name: str = "jira-users", *, synced: bool = False) -> OrganizationGroup:
    id_ = OrganizationGroupId(f"00000000-0000-4000-b000-{number:012}")
    return OrganizationGroup(id_, name, OrganizationDirectoryId("here"), synced, modifiable=True)


ONE = group()
RENAMED = replace(ONE, name="confluence-users", synced=True)


def remember(database: Database, *seen: OrganizationGroup) -> None:
    database.write_now(lambda tx: groups.remember(tx, seen))


def recall(database: Database, *asked: OrganizationGroup) -> Recalled:
    return database.read_now(lambda tx: groups.recall(tx, [each.id for each in asked]))


def accept(database: Database, seen: OrganizationGroup = ONE) -> list[OktaUserId] | None:
    return database.write_now(lambda tx: groups.accept(tx, seen.id))


def refuse(database: Database, who: int, cause: Cause, seen: OrganizationGroup = ONE) -> None:
    refused = [Refusal(ORGANIZATION, cause, seen.id)]
    database.write_now(lambda tx: refusals.keep(tx, user(who), ORGANIZATION, refused))


def test_a_group_is_recalled_as_it_was_first_seen(database: Database) -> None:
    assert recall(database, ONE) == {}
    remember(database, ONE, group(2, "other", synced=True))
    remember(database, RENAMED)
    assert recall(database, ONE, group(2), group(3)) == {
        ONE.id: ("jira-users", False),
        group(2).id: ("other", True),
    }
    assert recall(database) == {}
    remember(database)


def test_many_groups_are_recalled_at_once(database: Database) -> None:
    many = [group(number, f"group-{number}") for number in range(1201)]
    remember(database, *many)
    found = recall(database, *many)
    assert len(found) == len(many)
    assert found[many[1200].id] == ("group-1200", False)


def test_a_name_of_any_kind_is_kept(database: Database) -> None:
    remember(database, group(1, "fleur 🦆 '\" % \x00" + "x" * 20_000))
    ((name, _),) = recall(database, ONE).values()
    assert "\x00" not in name
    assert name.startswith("fleur 🦆")


def test_an_accepted_group_is_remembered_anew_once(database: Database) -> None:
    remember(database, ONE)
    assert accept(database) == []
    assert recall(database, ONE) == {}, "nothing is held against it meanwhile"
    remember(database, RENAMED)
    assert recall(database, ONE) == {ONE.id: ("confluence-users", True)}
    remember(database, ONE)
    assert recall(database, ONE) == {ONE.id: ("confluence-users", True)}


def test_an_unknown_group_is_not_accepted(database: Database) -> None:
    assert accept(database) is None


def test_changed_groups_are_listed_with_those_who_wait_for_them(database: Database) -> None:
    remember(database, ONE, group(2, "another"), group(3, "unchanged"))
    assert database.read_now(groups.changed) == []
    for who in (1, 2):
        refuse(database, who, Cause.GROUP_CHANGED)
    refuse(database, 3, Cause.GROUP_CHANGED, group(2))
    refuse(database, 4, Cause.NOT_MODIFIABLE, group(3))
    known = {"synced": False, "accept": False}
    assert database.read_now(groups.changed) == [
        {"id": group(2).id, "name": "another", "users": [user(3)], **known},
        {"id": ONE.id, "name": "jira-users", "users": [user(1), user(2)], **known},
    ]
    for who in (1, 2):
        database.write_now(lambda tx, who=who: refusals.keep(tx, user(who), ORGANIZATION, []))  # type: ignore[misc]
    assert [each["name"] for each in database.read_now(groups.changed)] == ["another"]


def test_what_was_accepted_is_listed_once_it_was_seen_again(database: Database) -> None:
    remember(database, ONE, group(2, "another"))
    accept(database)
    database.write_now(lambda tx: orders.record(tx, "accept", ONE.id, who="ann", why="renamed"))
    database.write_now(lambda tx: orders.record(tx, "retry", group(2).id, who="ann", why="x"))
    assert database.read_now(groups.accepted) == []
    remember(database, RENAMED)
    told = {"id": ONE.id, "name": "confluence-users", "synced": True}
    assert database.read_now(groups.accepted) == [told]


def test_accepting_has_those_looked_at_who_waited_for_it(database: Database, wall: Wall) -> None:
    remember(database, ONE, group(2))
    for who, cause in ((1, Cause.GROUP_CHANGED), (2, Cause.NOT_MODIFIABLE)):
        refuse(database, who, cause)
    refuse(database, 3, Cause.GROUP_CHANGED, group(2))
    refuse(database, 4, Cause.GROUP_CHANGED)
    database.write_now(lambda tx: refusals.keep(tx, user(4), ORGANIZATION, []))
    assert accept(database) == [user(1)]
    waiting = due(database, user(1))
    assert (waiting.due_at, waiting.lane) == (wall.us, line.BULK)


def test_accepting_delays_nobody_who_is_urgent(database: Database) -> None:
    remember(database, ONE)
    refuse(database, 1, Cause.GROUP_CHANGED)
    mark(database, user(1))
    accept(database)
    assert due(database, user(1)).lane == line.URGENT
