"""Half of a group in a day, and a hundred removals of one person: who is held, and what goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hooks.core.ids import DirectoryName
from hooks.core.plan import Reason
from hooks.core.policy import Limits
from hooks.store import holds, incidents, journal, sizes
from hooks.store.database import Database
from hooks.store.journal import Wish
from tests.store.builders import Wall, race, scim_group, step, user, wish
from tests.store.conftest import Opener
from tests.store.test_holds import ANN, BOB, decide, look

#: Nothing but a share is reached.
WIDE = Limits(left_per_hour=1000, other_per_hour=1000, other_per_day=1000)
SHARE = f"main/share/{scim_group(1)}"
REASONS = (Reason.LEFT, Reason.UNASSIGNED, Reason.LOST_GROUP)


def told(database: Database, size: int, group: int = 1) -> None:
    """The organization says how many are in a group."""
    database.write_now(lambda tx: sizes.remember(tx, {scim_group(group): size}))


def lose(database: Database, number: int, first: int = 10) -> list[int]:
    """So many people lose the group, for one reason after the other; how many were held of each."""
    return [
        look(database, user(first + each), step(reason=REASONS[each % 3]), limits=WIDE)
        for each in range(number)
    ]


def held(database: Database) -> list[tuple[str, list[str]]]:
    """Class and groups of everything held."""
    rows = database.read_now(holds.listed)
    return [(str(row["brake_class"]), [each[1] for each in row["steps"]]) for row in rows]  # type: ignore[attr-defined]


# -- shares ------------------------------------------------------------------------------------


def test_half_of_a_group_may_be_lost_in_a_day_whatever_the_reason(database: Database) -> None:
    told(database, 10)
    assert lose(database, 7) == [0, 0, 0, 0, 0, 1, 1]
    assert held(database) == [(SHARE, ["team-1"])] * 2


def test_over_the_share_only_that_group_is_held(database: Database) -> None:
    told(database, 10)
    lose(database, 5)
    assert look(database, ANN, step(1), step(2), step(3), limits=WIDE) == 1
    assert held(database) == [(SHARE, ["team-1"])]
    sent = database.read_now(lambda tx: journal.list_steps(tx, user=ANN))
    assert {each["name"] for each in sent} == {"team-2", "team-3"}


@pytest.mark.parametrize("size", [None, 9])
def test_a_small_group_and_one_of_unknown_size_are_not_limited(
    database: Database, size: int | None
) -> None:
    if size is not None:
        told(database, size)
    assert sum(lose(database, 12)) == 0


def test_another_directorys_group_is_another(database: Database) -> None:
    told(database, 10)
    told(database, 10, group=2)
    lose(database, 5)
    elsewhere = step(2, directory=DirectoryName("other"))
    assert look(database, ANN, elsewhere, limits=WIDE) == 0


def test_what_is_only_observed_takes_nothing_of_a_share(database: Database) -> None:
    told(database, 10)
    for number in range(9):
        look(database, user(50 + number), step(), limits=WIDE, observe=True)
    assert lose(database, 6) == [0, 0, 0, 0, 0, 1]


def test_a_day_begins_with_everybody_who_was_in_it_a_day_ago(
    database: Database, wall: Wall
) -> None:
    """Else half could go just before a day is over, and half of the rest just after."""
    told(database, 20)
    wall.forward(23 * 3600)
    assert sum(lose(database, 12)) == 2
    told(database, 4)  # the day runs: it stays as it began
    assert database.read_now(lambda tx: sizes.recall(tx, [scim_group(1)])) == {scim_group(1): 20}
    wall.forward(2 * 3600)
    assert database.read_now(lambda tx: sizes.recall(tx, [scim_group(1)])) == {}
    told(database, 10)
    assert sum(lose(database, 3, first=40)) == 3
    wall.forward(24 * 3600)
    told(database, 10)
    assert lose(database, 6, first=60) == [0, 0, 0, 0, 0, 1]


def test_a_group_that_lost_half_is_no_small_one_the_next_minute(
    database: Database, wall: Wall
) -> None:
    told(database, 10)
    wall.forward(23.99 * 3600)
    assert sum(lose(database, 5)) == 0
    wall.forward(60)
    told(database, 5)
    assert lose(database, 2, first=40) == [1, 1]


def test_a_yes_lets_a_share_through_once_and_a_no_holds_on(database: Database, wall: Wall) -> None:
    told(database, 10)
    lose(database, 5)
    for who in (ANN, BOB):
        assert look(database, who, step(), limits=WIDE) == 1
    assert decide(database, 1, approve=True) == [ANN]
    assert look(database, ANN, step(), limits=WIDE) == 0
    assert decide(database, 2, approve=False) == [BOB]
    wall.forward(48 * 3600)
    assert look(database, BOB, step(), limits=WIDE) == 1


def test_a_no_to_one_reason_is_none_to_another(database: Database, wall: Wall) -> None:
    """Rejected was that they were unassigned, not that they left."""
    told(database, 10)
    lose(database, 5)
    look(database, ANN, step(), limits=WIDE)
    decide(database, 1, approve=False)
    left = step(reason=Reason.LEFT)
    assert look(database, ANN, left, limits=WIDE) == 1, "the share is still reached"
    assert database.read_now(holds.by_class) == {SHARE: 1}
    assert [each["waiting"] for each in database.read_now(incidents.listed)] == [1]
    decide(database, 1, approve=False)
    assert look(database, ANN, left, limits=WIDE) == 1
    assert database.read_now(holds.by_class) == {}
    wall.forward(25 * 3600)
    assert look(database, ANN, left, limits=WIDE) == 1
    assert look(database, ANN, step(reason=Reason.RETURNED), limits=WIDE) == 0, "there is room"
    assert held(database) == []


def test_who_is_held_by_their_class_is_not_held_by_a_share_too(database: Database) -> None:
    """One mistake is one incident, and one yes is enough."""
    told(database, 10)
    limits = Limits(other_per_hour=5)
    for number in range(5):
        look(database, user(10 + number), step(), limits=limits)
    assert look(database, ANN, step(), limits=limits) == 1
    assert held(database) == [("main/unassigned", ["team-1"])]
    decide(database, 1, approve=True)
    assert look(database, ANN, step(), limits=limits) == 0


def test_a_no_to_a_group_is_not_undone_by_a_yes_to_a_reason(database: Database) -> None:
    told(database, 10)
    lose(database, 5)
    look(database, ANN, step(1), limits=WIDE)
    decide(database, 1, approve=False)
    narrow = Limits(other_per_hour=0)
    assert look(database, ANN, step(1), step(2), limits=narrow) == 2
    assert held(database) == [(SHARE, ["team-1"]), ("main/unassigned", ["team-2"])]
    decide(database, 2, approve=True)
    assert look(database, ANN, step(1), step(2), limits=narrow) == 1
    assert held(database) == [(SHARE, ["team-1"])]


def test_however_many_race_for_half_of_a_group_that_many_get_through(another: Opener) -> None:
    """Each for a reason of their own, so that they share no other lock."""
    doors = [another(), another()]
    told(doors[0], 50)

    def lost(number: int) -> Wish:
        return wish(replace(step(reason=Reason.LOST_RULE), rule=f"rule-{number}"))

    assert race(doors, 40, lost, WIDE) == 25
    assert len(doors[0].read_now(journal.list_steps)) == 25
    assert doors[0].read_now(holds.by_class) == {SHARE: 15}


# -- many removals of one person ---------------------------------------------------------------


def test_more_than_a_hundred_removals_of_one_person_wait_for_a_yes_once(database: Database) -> None:
    plan = [step(number) for number in range(101)]
    assert look(database, BOB, *plan[1:], limits=WIDE) == 0
    assert look(database, ANN, *plan, limits=WIDE) == 101
    assert [(each, len(names)) for each, names in held(database)] == [("main/steps", 101)]
    assert look(database, ANN, *plan[1:], limits=WIDE) == 100, "decided is what waits"
    decide(database, 1, approve=True)
    assert look(database, ANN, *plan, limits=WIDE) == 0
    assert held(database) == []
    assert look(database, ANN, *plan, limits=WIDE) == 101


def test_they_are_held_where_they_are_and_count_for_no_other_limit(database: Database) -> None:
    other = DirectoryName("other")
    plan = [*(step(number) for number in range(60)),
            *(step(number, directory=other) for number in range(60))]  # fmt: skip
    limits = Limits(other_per_hour=1)
    assert look(database, ANN, *plan, limits=limits, judged=()) == 120
    assert [each for each, _ in held(database)] == ["main/steps", "other/steps"]
    assert look(database, BOB, step(), limits=limits) == 0
