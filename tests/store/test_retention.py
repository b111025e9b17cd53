"""What goes for its age, and what stays however old it is."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from hooks.core.attempt import DeadLetter, Idle
from hooks.core.ids import DirectoryName
from hooks.core.ledger import BACK, NO_EFFECT, UNKNOWN, Resolved
from hooks.core.ledger import settle as settled
from hooks.core.local import RECENT
from hooks.core.membership import Action, State
from hooks.core.policy import Limits
from hooks.core.refusal import Cause, Refusal
from hooks.settings.structure import Retention
from hooks.store import holds, journal, refusals, retention
from hooks.store.database import Database
from hooks.store.retention import Kind
from hooks.store.tables import Event, Hold, Outcome, Refused, Step
from tests.store.builders import (
    MAIN,
    Wall,
    held_back,
    lease_one,
    left,
    mark,
    put,
    scim_group,
    settle,
    step,
    stored,
    user,
    uuid,
    wish,
)

ANN, BOB, CAT = user(1), user(2), user(3)
TEAM = scim_group(1)
DAYS = 24 * 3600.0
KEEP = timedelta(days=90)
OTHER = DirectoryName("other")


def before(database: Database, keep: timedelta = KEEP) -> int:
    return database.read_now(lambda tx: retention.cutoff(tx, keep))


def purge(database: Database, kind: Kind) -> int:
    """Delete everything of a kind that is over; how many rows."""
    at, rows = before(database), 0
    while some := database.write_now(lambda tx: retention.delete_some(tx, kind, at)):
        assert some <= retention.PORTION
        rows += some
    return rows


def purge_steps(database: Database) -> int:
    """Delete every outlived step, a portion at a time; how many steps."""
    at, steps, after = before(database), 0, 0
    while True:
        found = database.read_now(lambda tx, after=after: retention.stretch(tx, at, after))  # type: ignore[misc]
        deleted = (1, 0)
        while deleted[0]:
            deleted = database.write_now(
                lambda tx, users=found.users: retention.delete_steps(tx, at, users)  # type: ignore[misc]
            )
            assert sum(deleted) <= retention.PORTION
            steps += deleted[0]
        if found.after is None:
            return steps
        after = found.after


def rows(database: Database, table: Any) -> int:
    query = select(func.count()).select_from(table.__table__)
    return int(database.read_now(lambda tx: tx.execute(query).scalar_one()))


def journalled(
    database: Database,
    who: str,
    action: Action = Action.REMOVE,
    group: int = 1,
    *states: State | tuple[State, str],
    observe: bool = False,
    directory: DirectoryName = MAIN,
) -> int:
    """One step of a look, what became of it, and the look's end; the step's id."""
    mark(database, who)
    held = lease_one(database, who)
    wanted = wish(step(group, action=action, directory=directory), observe=observe)
    admitted = database.write_now(lambda tx: journal.admit(tx, held, [wanted], [], limits=LIMITS))
    ((number, _),) = admitted.admitted
    for each in states:
        state, code = each if isinstance(each, tuple) else (each, "")
        became = Resolved(number, state, code)
        database.write_now(lambda tx, became=became: journal.record(tx, held, [became]))  # type: ignore[misc]
    settle(database, held, Idle())
    return number


LIMITS = Limits(left_per_hour=10**6, other_per_hour=10**6, other_per_day=10**6)


def ended(database: Database, wall: Wall) -> None:
    """A newest row of everything, long after: SQLite gives the id of a last row to the next."""
    put(database, left(999_999, CAT))
    settle(database, lease_one(database, CAT), Idle())
    journalled(database, CAT, Action.REMOVE, 99, observe=True)


# -- how long ----------------------------------------------------------------------------------


def test_the_settings_keep_no_less_than_anything_looks_back() -> None:
    said = Retention.model_fields["events_days"].metadata
    assert [timedelta(days=each.ge) for each in said if hasattr(each, "ge")] == [retention.LEAST]
    assert retention.LEAST > RECENT


def test_whatever_is_asked_the_least_is_kept(database: Database, wall: Wall) -> None:
    put(database, left(1, ANN))
    settle(database, lease_one(database, ANN), Idle())
    ended(database, wall)
    at = before(database, timedelta(0))
    assert at == wall.us - retention.LEAST // timedelta(microseconds=1)
    assert database.write_now(lambda tx: retention.delete_some(tx, Kind.EVENTS, at)) == 0


# -- events ------------------------------------------------------------------------------------


def test_settled_events_go_with_their_payloads_once_they_are_old(
    database: Database, wall: Wall
) -> None:
    put(database, left(1, ANN), left(2, BOB))
    for who in (ANN, BOB):
        settle(database, lease_one(database, who), Idle())
    wall.forward(91 * DAYS)
    ended(database, wall)
    at = before(database)
    assert database.read_now(lambda tx: retention.count(tx, Kind.EVENTS, at)) == 2
    assert purge(database, Kind.EVENTS) == 2
    assert stored(database, "uuid") == [uuid(999_999)]


@pytest.mark.parametrize("dead", [False, True])
def test_what_waits_is_never_deleted(database: Database, wall: Wall, dead: bool) -> None:  # noqa: FBT001
    put(database, left(1, ANN))
    if dead:
        settle(database, lease_one(database, ANN), DeadLetter("attempts"))
    wall.forward(4000 * DAYS)
    ended(database, wall)
    assert purge(database, Kind.EVENTS) == 0
    assert uuid(1) in stored(database, "uuid")


def test_an_old_event_that_was_settled_lately_stays(database: Database, wall: Wall) -> None:
    put(database, left(1, ANN))
    wall.forward(91 * DAYS)
    settle(database, lease_one(database, ANN), Idle())
    ended(database, wall)
    assert purge(database, Kind.EVENTS) == 0
    wall.forward(90 * DAYS + 1)
    assert purge(database, Kind.EVENTS) == 1


def test_a_portion_is_bounded_and_the_newest_event_stays(database: Database, wall: Wall) -> None:
    many = retention.PORTION + 20
    put(database, *(left(number, ANN) for number in range(many)))
    settle(database, lease_one(database, ANN), Idle())
    wall.forward(91 * DAYS)
    at = before(database)
    first = database.write_now(lambda tx: retention.delete_some(tx, Kind.EVENTS, at))
    assert first == retention.PORTION
    assert purge(database, Kind.EVENTS) == 19
    assert rows(database, Event) == 1


def test_an_event_that_is_put_back_in_line_meanwhile_stays(
    postgresql: Database, wall: Wall
) -> None:
    """It is judged when it is locked, not by what it was when the portion began."""
    put(postgresql, left(1, ANN))
    settle(postgresql, lease_one(postgresql, ANN), Idle())
    wall.forward(91 * DAYS)
    ended(postgresql, wall)
    at = before(postgresql)
    again = text("UPDATE event SET settled = NULL WHERE uuid = :uuid").bindparams(uuid=uuid(1))
    changed, go = threading.Event(), threading.Event()

    def replay() -> None:
        def change(tx: Any) -> None:
            tx.execute(again)
            changed.set()
            go.wait(5)

        postgresql.write_now(change)

    thread = threading.Thread(target=replay)
    thread.start()
    assert changed.wait(5)
    threading.Timer(0.2, go.set).start()
    assert postgresql.write_now(lambda tx: retention.delete_some(tx, Kind.EVENTS, at)) == 0
    thread.join()
    assert purge(postgresql, Kind.EVENTS) == 0
    assert stored(postgresql, "uuid") == [uuid(1), uuid(999_999)]


# -- refusals and holds ------------------------------------------------------------------------


def test_refusals_go_once_they_are_over_and_old(database: Database, wall: Wall) -> None:
    def keep(*causes: Cause) -> None:
        found = [Refusal(MAIN, cause, TEAM) for cause in causes]
        database.write_now(lambda tx: refusals.keep(tx, ANN, MAIN, found))

    keep(Cause.ORPHANED, Cause.PROTECTED)
    wall.forward(DAYS)
    keep(Cause.PROTECTED)
    wall.forward(89 * DAYS)
    keep(Cause.PROTECTED, Cause.NEVER)
    assert purge(database, Kind.REFUSALS) == 0
    wall.forward(2 * DAYS)
    assert purge(database, Kind.REFUSALS) == 1
    standing = database.read_now(lambda tx: refusals.listed(tx, user=ANN))
    assert {each["cause"] for each in standing} == {Cause.PROTECTED, Cause.NEVER}
    assert rows(database, Refused) == 2


@pytest.mark.parametrize("state", ["waiting", "rejected", "approved", "over"])
def test_holds_go_once_they_are_over_and_old(database: Database, wall: Wall, state: str) -> None:
    def hold(who: str, *, wanted: bool) -> None:
        withheld = held_back(*([step(1)] if wanted else []))
        database.write_now(lambda tx: holds.keep(tx, who, withheld, places=(MAIN,)))

    hold(ANN, wanted=True)
    if state == "over":
        hold(ANN, wanted=False)
    elif state != "waiting":
        approve = state == "approved"
        database.write_now(lambda tx: holds.decide(tx, [1], approve=approve, who="x", why="y"))
    wall.forward(91 * DAYS)
    hold(BOB, wanted=True)
    assert purge(database, Kind.HOLDS) == (state == "over")
    assert rows(database, Hold) == 2 - (state == "over")


def test_the_newest_hold_stays_since_orders_name_it(database: Database, wall: Wall) -> None:
    """SQLite gives a last row's id to the next, and an old approval would tell of a new hold."""
    for withheld in (held_back(step(1)), held_back()):
        database.write_now(
            lambda tx, steps=withheld: holds.keep(tx, ANN, steps, places=(MAIN,))  # type: ignore[misc]
        )
    wall.forward(4000 * DAYS)
    assert purge(database, Kind.HOLDS) == 0


# -- the journal -------------------------------------------------------------------------------

GIVEN_BACK = ((Action.REMOVE, State.SETTLED), (Action.ADD, State.SETTLED))


def test_what_was_taken_and_given_back_goes_with_its_outcomes(
    database: Database, wall: Wall
) -> None:
    for action, state in GIVEN_BACK:
        journalled(database, ANN, action, 1, State.SUBMITTED, state)
    wall.forward(91 * DAYS)
    ended(database, wall)
    at = before(database)
    assert database.read_now(lambda tx: retention.count_steps(tx, at, [ANN])) == (2, 6)
    assert purge_steps(database) == 2
    assert (rows(database, Step), rows(database, Outcome)) == (1, 1)


@pytest.mark.parametrize(
    "became",
    [
        pytest.param([(Action.REMOVE, State.SETTLED)], id="taken and not given back"),
        pytest.param([*GIVEN_BACK, (Action.REMOVE, State.SETTLED)], id="taken once more"),
        pytest.param([(Action.REMOVE, State.PARKED)], id="parked"),
        pytest.param([(Action.REMOVE, State.SUBMITTED)], id="sent and not seen"),
        pytest.param([(Action.REMOVE, State.OPEN)], id="perhaps sent"),
        pytest.param([(Action.ADD, State.SUBMITTED)], id="given back and not seen"),
        pytest.param([(Action.ADD, State.OPEN)], id="perhaps given back"),
        pytest.param([(Action.REMOVE, (State.FAILED, NO_EFFECT))], id="without effect so far"),
        pytest.param([(Action.REMOVE, (State.ABANDONED, UNKNOWN))], id="may have worked after all"),
        pytest.param(
            [(Action.REMOVE, State.SETTLED), (Action.ADD, State.FAILED)], id="not taken back"
        ),
        pytest.param([(Action.REMOVE, "postponed")], id="of a newer release"),
    ],
)
def test_the_ledger_is_never_deleted(
    database: Database, wall: Wall, became: list[tuple[Action, Any]]
) -> None:
    for action, state in became:
        journalled(database, ANN, action, 1, state)
    wall.forward(4000 * DAYS)
    ended(database, wall)
    assert purge_steps(database) == 0
    assert rows(database, Step) == len(became) + 1


def test_a_membership_stays_whole_while_any_of_it_is_young(database: Database, wall: Wall) -> None:
    for action, state in GIVEN_BACK:
        journalled(database, ANN, action, 1, state)
    for action, state in GIVEN_BACK:
        journalled(database, ANN, action, 2, state)
    wall.forward(89 * DAYS)
    journalled(database, ANN, Action.REMOVE, 1, State.FAILED)
    wall.forward(2 * DAYS)
    ended(database, wall)
    assert purge_steps(database) == 2
    found = database.read_now(lambda tx: journal.history(tx, ANN))[MAIN]
    assert [each.group for each in found] == [TEAM] * 3


def test_an_old_step_whose_outcome_is_young_stays(database: Database, wall: Wall) -> None:
    number = journalled(database, ANN, Action.REMOVE, 1, State.PARKED)
    wall.forward(89 * DAYS)
    mark(database, ANN)
    held = lease_one(database, ANN)
    over = Resolved(number, State.ABANDONED, "gone")
    database.write_now(lambda tx: journal.record(tx, held, [over]))
    settle(database, held, Idle())
    wall.forward(2 * DAYS)
    ended(database, wall)
    assert purge_steps(database) == 0
    wall.forward(90 * DAYS)
    assert purge_steps(database) == 1


def test_places_and_people_are_told_apart(database: Database, wall: Wall) -> None:
    """The same group, given back in one place to one person, is owed everywhere else."""
    for action, state in GIVEN_BACK:
        journalled(database, ANN, action, 1, state)
    journalled(database, ANN, Action.REMOVE, 1, State.SETTLED, directory=OTHER)
    journalled(database, BOB, Action.REMOVE, 1, State.SETTLED)
    wall.forward(91 * DAYS)
    ended(database, wall)
    assert purge_steps(database) == 2
    ann = database.read_now(lambda tx: journal.history(tx, ANN))
    bob = database.read_now(lambda tx: journal.history(tx, BOB))
    for history in (ann[OTHER], bob[MAIN]):
        (taken,) = settled(history, frozenset()).taken
        assert (taken.group, taken.seen_gone) == (TEAM, True)
    assert MAIN not in ann


def test_what_came_back_without_us_goes(database: Database, wall: Wall) -> None:
    journalled(database, ANN, Action.REMOVE, 1, State.SETTLED, (State.ABANDONED, BACK))
    wall.forward(91 * DAYS)
    ended(database, wall)
    assert purge_steps(database) == 1


def test_what_was_only_observed_goes(database: Database, wall: Wall) -> None:
    journalled(database, ANN, observe=True)
    wall.forward(91 * DAYS)
    ended(database, wall)
    assert purge_steps(database) == 1


def test_the_journal_of_whoever_is_looked_at_is_left_alone(database: Database, wall: Wall) -> None:
    for action, state in GIVEN_BACK:
        journalled(database, ANN, action, 1, state)
    wall.forward(91 * DAYS)
    ended(database, wall)
    mark(database, ANN)
    held = lease_one(database, ANN)
    assert purge_steps(database) == 0
    settle(database, held, Idle())
    assert purge_steps(database) == 2


def test_a_long_quarrel_goes_a_portion_at_a_time(database: Database, wall: Wall) -> None:
    """What is left of it in between owes nobody anything."""
    wishes = [wish(step(1, action=action)) for action, _ in GIVEN_BACK * 130]
    mark(database, ANN)
    held = lease_one(database, ANN)
    database.write_now(lambda tx: journal.admit(tx, held, wishes, [], limits=LIMITS))
    for state in (State.SUBMITTED, State.SETTLED):
        became = [Resolved(number, state) for number in range(1, len(wishes) + 1)]
        database.write_now(lambda tx, became=became: journal.record(tx, held, became))  # type: ignore[misc]
    settle(database, held, Idle())
    wall.forward(91 * DAYS)
    ended(database, wall)
    at = before(database)
    steps, outcomes = database.write_now(lambda tx: retention.delete_steps(tx, at, [ANN]))
    assert (steps, outcomes) == (125, 375)
    left_over = database.read_now(lambda tx: journal.history(tx, ANN))[MAIN]
    assert (
        settled(left_over, frozenset()).taken == settled(left_over, frozenset({TEAM})).taken == ()
    )
    assert purge_steps(database) == 260 - 125
    assert database.read_now(lambda tx: journal.history(tx, ANN)) == {}
