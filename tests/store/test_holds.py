"""The brake: how many people are let through, and what happens to those who are not."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hooks.core.attempt import Idle
from hooks.core.ids import DirectoryName
from hooks.core.membership import Action
from hooks.core.plan import Reason, Step
from hooks.core.policy import Limits
from hooks.store import holds, journal, line
from hooks.store.database import Database, Tx
from hooks.store.journal import Wish
from tests.store.builders import (
    MAIN,
    Wall,
    due,
    lease,
    lease_one,
    mark,
    race,
    scim_group,
    settle,
    step,
    us,
    user,
    wish,
)
from tests.store.conftest import Opener

TWO = Limits(left_per_hour=2, other_per_hour=2, other_per_day=3)
ANN, BOB, CAT, DAN, EVE = (user(number) for number in range(1, 6))


def look(
    database: Database,
    who: str,
    *steps: Step,
    limits: Limits = TWO,
    observe: bool = False,
    judged: tuple[DirectoryName, ...] = (MAIN,),
) -> int:
    """One look that plans ``steps``, settled; how many of them were held."""
    mark(database, who)
    held = lease_one(database, who)
    wishes = [Wish(each, wish().member, observe) for each in steps]
    admission = database.write_now(
        lambda tx: journal.admit(tx, held, wishes, [], limits=limits, judged=judged)
    )
    assert len(admission.admitted) + admission.held == len(wishes)
    settle(database, held, Idle())
    return admission.held


def states(database: Database, *, every: bool = True) -> list[tuple[object, object]]:
    found = database.read_now(lambda tx: holds.listed(tx, every=every))
    return [(each["user"], each["state"]) for each in found]


def decide(database: Database, number: int, *, approve: bool) -> list[str]:
    return database.write_now(
        lambda tx: holds.decide(tx, [number], approve=approve, who="op", why="checked")
    )


def fill(database: Database) -> None:
    """Two people, which is the limit."""
    assert [look(database, who, step()) for who in (ANN, BOB)] == [0, 0]


# -- counting ----------------------------------------------------------------------------------


def test_people_are_counted_not_steps(database: Database) -> None:
    assert look(database, ANN, step(1), step(2), step(3)) == 0
    assert look(database, BOB, step(1)) == 0
    assert look(database, CAT, step(1), step(2)) == 2


def test_a_person_is_counted_once(database: Database) -> None:
    fill(database)
    assert look(database, ANN, step(2)) == 0
    assert look(database, CAT, step(2)) == 1


def test_the_hour_passes(database: Database, wall: Wall) -> None:
    fill(database)
    wall.forward(3599)
    assert look(database, CAT, step()) == 1
    wall.forward(1)
    assert look(database, DAN, step()) == 0


def test_the_day_has_a_limit_of_its_own(database: Database, wall: Wall) -> None:
    fill(database)
    wall.forward(3600)
    assert look(database, CAT, step()) == 0
    wall.forward(3600)
    assert look(database, DAN, step()) == 1
    wall.forward(24 * 3600 - 7200 - 1)
    assert look(database, EVE, step()) == 1
    wall.forward(1)
    assert look(database, user(6), step()) == 0


def test_who_left_is_counted_by_the_hour_only(database: Database, wall: Wall) -> None:
    for number in range(8):
        assert look(database, user(10 + number), step(reason=Reason.LEFT)) == 0
        wall.forward(1800)
    look(database, ANN, step(reason=Reason.LEFT))
    assert look(database, BOB, step(reason=Reason.LEFT)) == 1


def test_a_class_is_a_directory_and_a_reason_and_a_lost_group_is_its_own(
    database: Database,
) -> None:
    fill(database)
    lost_1 = step(1, reason=Reason.LOST_GROUP)
    lost_2 = step(2, reason=Reason.LOST_GROUP)
    other = step(directory=DirectoryName("other"))
    assert look(database, CAT, lost_1, lost_2, other, step()) == 1
    assert look(database, DAN, lost_1) == 0
    assert look(database, EVE, lost_1, lost_2) == 1


def test_what_is_only_observed_counts_for_nothing_and_is_never_held(database: Database) -> None:
    for number in range(5):
        assert look(database, user(10 + number), step(), observe=True) == 0
    fill(database)
    assert look(database, CAT, step()) == 1
    assert look(database, DAN, step(), observe=True) == 0


def test_additions_run_on_beside_a_hold(database: Database) -> None:
    fill(database)
    mark(database, CAT)
    held = lease_one(database, CAT)
    added = Wish(step(2, action=Action.ADD, reason=Reason.GIVEN_BACK), wish().member, observe=False)
    admission = database.write_now(
        lambda tx: journal.admit(tx, held, [wish(), added], [], limits=TWO)
    )
    assert [each for _, each in admission.admitted] == [added]
    assert admission.held == 1


def test_a_limit_of_nobody_holds_everybody(database: Database) -> None:
    assert look(database, ANN, step(), limits=Limits(other_per_hour=0)) == 1


@pytest.mark.parametrize("reason", [Reason.UNASSIGNED, Reason.LEFT])
def test_however_many_race_for_a_limit_of_25_that_many_get_through(
    another: Opener, reason: Reason
) -> None:
    doors = [another(), another()]
    lost = wish(step(reason=reason))
    assert race(doors, 40, lambda _: lost, Limits(left_per_hour=25, other_per_hour=25)) == 25
    assert len(doors[0].read_now(journal.list_steps)) == 25
    assert doors[0].read_now(holds.waiting) == 15


# -- holds -------------------------------------------------------------------------------------


def test_a_hold_says_for_whom_what_and_since_when(database: Database, wall: Wall) -> None:
    fill(database)
    wall.forward(60)
    look(database, CAT, step(1), step(2))
    wall.forward(60)
    look(database, CAT, step(2))
    (hold,) = database.read_now(holds.listed)
    assert (hold["user"], hold["brake_class"], hold["state"]) == (
        *(CAT, "main/unassigned", "waiting"),
    )
    assert hold["steps"] == [[scim_group(2), "team-2", "unassigned"]]
    assert hold["at"] == wall.us - us(60)
    assert database.read_now(holds.waiting) == 1


def test_a_person_has_one_hold_for_each_class(database: Database) -> None:
    look(database, CAT, step(), step(reason=Reason.LOST_GROUP), limits=Limits(other_per_hour=0))
    look(database, CAT, step(), step(reason=Reason.LOST_GROUP), limits=Limits(other_per_hour=0))
    found = database.read_now(holds.listed)
    assert [each["brake_class"] for each in found] == [
        f"main/lost_group/{scim_group(1)}",
        "main/unassigned",
    ]


def test_a_hold_leaves_when_the_plan_no_longer_wants_it(database: Database, wall: Wall) -> None:
    fill(database)
    look(database, CAT, step())
    look(database, CAT)
    assert states(database, every=False) == []
    assert states(database) == [(CAT, "over")]
    look(database, CAT, step())
    assert states(database) == [(CAT, "over"), (CAT, "waiting")]


def test_room_in_a_later_hour_does_not_end_a_hold(database: Database, wall: Wall) -> None:
    fill(database)
    look(database, CAT, step())
    wall.forward(48 * 3600)
    assert look(database, CAT, step()) == 1


def test_an_approval_lets_one_plan_through_and_raises_no_limit(
    database: Database, wall: Wall
) -> None:
    fill(database)
    look(database, CAT, step())
    look(database, DAN, step())
    assert decide(database, 1, approve=True) == [CAT]
    assert due(database, CAT).due_at == wall.us
    assert look(database, CAT, step()) == 0
    assert states(database) == [(CAT, "over"), (DAN, "waiting")]
    assert look(database, DAN, step()) == 1
    assert look(database, EVE, step()) == 1
    assert look(database, CAT, step(2)) == 1  # three others in this hour: a new hold


def test_an_approval_is_used_up_though_something_else_was_left_open(database: Database) -> None:
    fill(database)
    look(database, CAT, step())
    decide(database, 1, approve=True)
    assert look(database, CAT, step(), judged=()) == 0
    assert states(database) == [(CAT, "over")]
    assert look(database, CAT, step(2)) == 1


def test_a_rejection_holds_on_however_much_room_there_is(database: Database, wall: Wall) -> None:
    fill(database)
    look(database, CAT, step())
    assert decide(database, 1, approve=False) == [CAT]
    wall.forward(48 * 3600)
    assert look(database, CAT, step()) == 1
    assert states(database) == [(CAT, "rejected")]
    assert look(database, CAT) == 0
    assert look(database, CAT, step()) == 0


def test_a_rejection_can_be_taken_back(database: Database) -> None:
    fill(database)
    look(database, CAT, step())
    decide(database, 1, approve=False)
    assert decide(database, 1, approve=True) == [CAT]
    assert look(database, CAT, step()) == 0


def test_an_approval_can_be_taken_back_until_it_is_used(database: Database) -> None:
    fill(database)
    look(database, CAT, step())
    decide(database, 1, approve=True)
    assert decide(database, 1, approve=False) == [CAT]
    assert look(database, CAT, step()) == 1
    assert decide(database, 1, approve=True) == [CAT]
    assert look(database, CAT, step()) == 0
    assert decide(database, 1, approve=True) == []
    assert decide(database, 1, approve=False) == []


def test_many_who_were_decided_about_wait_behind_one_who_leaves(
    database: Database, wall: Wall
) -> None:
    fill(database)
    for who in (CAT, DAN):
        look(database, who, step())
    database.write_now(lambda tx: holds.decide(tx, [1, 2], approve=True, who="op", why="all"))
    assert [due(database, who).lane for who in (CAT, DAN)] == [line.BULK] * 2
    wall.forward(1)
    mark(database, EVE)
    assert [each.subject for each in lease(database, limit=1)] == [EVE]


def test_deciding_wakes_nobody_from_the_dead(database: Database) -> None:
    fill(database)
    look(database, CAT, step())
    assert decide(database, 99, approve=True) == []
    assert states(database) == [(CAT, "waiting")]


def test_a_hold_that_ends_while_an_operator_approves_it_stays_ended(
    postgresql: Database,
) -> None:
    """Else the approval would wait for years and let another plan through, uncounted."""
    fill(postgresql)
    look(postgresql, CAT, step())
    mark(postgresql, CAT)
    held = lease_one(postgresql, CAT)
    with ThreadPoolExecutor(1) as operator:
        with postgresql.connection() as connection:
            tx = Tx(connection, postgresql.clock.now_us(), postgres=True)
            journal.admit(tx, held, [], [], limits=TWO, judged=[MAIN])
            asked = operator.submit(decide, postgresql, 1, approve=True)
            time.sleep(0.5)  # until it waits for the hold's row
        asked.result()
    assert states(postgresql) == [(CAT, "over")]


@pytest.mark.parametrize("verdict", [None, True, False], ids=["waiting", "approved", "rejected"])
def test_a_look_that_could_not_judge_ends_no_hold(
    database: Database,
    verdict: bool | None,  # noqa: FBT001
) -> None:
    """Else a vendor's bad minute would overrule somebody's no."""
    fill(database)
    look(database, CAT, step())
    if verdict is not None:
        decide(database, 1, approve=verdict)
    before = states(database)
    look(database, CAT, judged=())
    assert states(database) == before
    look(database, CAT)
    assert states(database) == [(CAT, "over")]


def test_an_approval_goes_on_for_what_a_look_could_not_judge(database: Database) -> None:
    """Say because the organization was not read; else half of a yes would wait for another."""
    fill(database)
    assert look(database, CAT, step(1), step(2)) == 2
    decide(database, 1, approve=True)
    assert look(database, CAT, step(1), judged=()) == 0
    assert states(database, every=False) == [(CAT, "approved")]
    assert look(database, CAT, step(2)) == 0
    assert states(database, every=False) == []
    assert look(database, CAT, step(1)) == 1, "it was for once"
