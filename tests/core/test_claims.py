"""What waiting events say against what was read, and for how long that holds us back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from hooks.core.claims import YOUNG, contradictions, reason
from hooks.core.log_event import claim, parse_event
from hooks.core.memory import Claim, Claimed
from hooks.core.policy import Policy, Restore, Suspended
from hooks.core.reading import OktaUser
from hooks.core.refusal import Cause
from tests.core.worlds import (
    ANN,
    APP,
    ASSIGNED,
    DOWN,
    GONE,
    KNOWN,
    LEAVER,
    NOW,
    PRESENT,
    SUSPENDED,
    UNASSIGNED,
    World,
    app_id,
    causes,
    changes,
    logged,
    look,
    okta_group,
    reading,
    record,
    source,
    stranger,
)


def says(
    what: Claim, about: str = "", *, ago: float = 1, looking: float | None = None, uuid: str = "u"
) -> Claimed:
    """A claim published ``ago`` seconds before now, first looked at ``looking`` seconds ago."""
    first = None if looking is None else NOW - timedelta(seconds=looking)
    return Claimed(uuid, what, about, NOW - timedelta(seconds=ago), first)


def hearing(world: World, *claims: Claimed) -> World:
    return replace(world, claims=claims)


def contradicted(world: World) -> list[str]:
    return [str(each.claimed.claim) for each in contradictions(reading(world))]


# -- for what somebody came --------------------------------------------------------------------


def test_whoever_was_deactivated_comes_for_that_whatever_came_of_it() -> None:
    """Among many who are unassigned, one who leaves is none of them."""
    gone, app = says(Claim.DEACTIVATED, ago=2), says(Claim.UNASSIGNED, APP, ago=1)
    assert reason([gone, app]) == reason([app, gone]) == reason([gone])
    assert reason([app]) != reason([gone])


def test_the_newest_that_waits_is_what_somebody_came_for() -> None:
    early, late = says(Claim.LEFT, "00gA", ago=3), says(Claim.UNASSIGNED, APP, ago=1)
    assert reason([late, early]) == reason([late])
    assert reason([]) == ""


# -- what an event claims ----------------------------------------------------------------------

USER = {"type": "User", "id": ANN}
THE_APP = {"type": "AppInstance", "id": APP}
STAFF = {"type": "UserGroup", "id": okta_group(1)}


@pytest.mark.parametrize(
    ("kind", "targets", "expected"),
    [
        pytest.param("user.lifecycle.deactivate", [USER], (Claim.DEACTIVATED, ""), id="left"),
        pytest.param("user.lifecycle.activate", [USER], (Claim.ACTIVE, ""), id="activated"),
        pytest.param("user.lifecycle.reactivate", [USER], (Claim.ACTIVE, ""), id="reactivated"),
        pytest.param("user.lifecycle.suspend", [USER], (Claim.SUSPENDED, ""), id="suspended"),
        pytest.param("user.lifecycle.unsuspend", [USER], (Claim.ACTIVE, ""), id="unsuspended"),
        pytest.param("user.lifecycle.delete.initiated", [USER], None, id="a deletion"),
        pytest.param("user.account.update_profile", [USER], None, id="a profile"),
        pytest.param(
            "application.user_membership.add", [USER, THE_APP], (Claim.ASSIGNED, APP), id="assigned"
        ),
        pytest.param(
            "application.user_membership.remove",
            [THE_APP, USER],
            (Claim.UNASSIGNED, APP),
            id="unassigned",
        ),
        pytest.param("application.user_membership.add", [USER], None, id="of no app"),
        pytest.param(
            "application.user_membership.add",
            [USER, THE_APP, {"type": "AppInstance", "id": app_id(2)}],
            None,
            id="of two apps",
        ),
        pytest.param(
            "group.user_membership.add", [USER, STAFF], (Claim.JOINED, okta_group(1)), id="joined"
        ),
        pytest.param(
            "group.user_membership.remove", [USER, STAFF], (Claim.LEFT, okta_group(1)), id="went"
        ),
        pytest.param("group.user_membership.add", [USER], None, id="of no group"),
        pytest.param("user.session.start", [USER], None, id="another type"),
    ],
)
def test_a_successful_event_claims_one_thing(
    kind: str, targets: list[Any], expected: tuple[Claim, str] | None
) -> None:
    event = {"eventType": kind, "target": targets}
    assert claim(parse_event(json.dumps(event).encode())) == expected
    failed = event | {"outcome": {"result": "FAILURE"}}
    assert claim(parse_event(json.dumps(failed).encode())) is None


# -- what the reading does not show ------------------------------------------------------------


def user(status: str, to: str | None = None) -> OktaUser:
    return OktaUser(ANN, status, to)


@pytest.mark.parametrize(
    ("world", "against"),
    [
        pytest.param(PRESENT, {Claim.DEACTIVATED, Claim.SUSPENDED}, id="active"),
        pytest.param(LEAVER, {Claim.ACTIVE}, id="deactivated"),
        pytest.param(SUSPENDED, {Claim.ACTIVE, Claim.DEACTIVATED}, id="suspended"),
        pytest.param(GONE, {Claim.ACTIVE}, id="gone"),
        pytest.param(
            replace(PRESENT, user=user("ACTIVE", "DEPROVISIONED")), {Claim.ACTIVE}, id="leaving"
        ),
        pytest.param(replace(PRESENT, user=DOWN), set(), id="unread"),
    ],
)
def test_which_lifecycle_claims_a_reading_does_not_show(world: World, against: set[Claim]) -> None:
    lifecycle = {Claim.ACTIVE, Claim.DEACTIVATED, Claim.SUSPENDED}
    assert {each for each in lifecycle if contradicted(hearing(world, says(each)))} == against


@pytest.mark.parametrize(
    ("world", "against"),
    [
        pytest.param(PRESENT, {Claim.UNASSIGNED}, id="assigned"),
        pytest.param(UNASSIGNED, {Claim.ASSIGNED}, id="not assigned"),
        pytest.param(
            replace(PRESENT, app_user=replace(ASSIGNED, status="DEPROVISIONED")),
            {Claim.ASSIGNED},
            id="an assignment that ended",
        ),
        pytest.param(replace(PRESENT, app_user=DOWN), set(), id="unread"),
    ],
)
def test_which_app_claims_a_reading_does_not_show(world: World, against: set[Claim]) -> None:
    both = {Claim.ASSIGNED, Claim.UNASSIGNED}
    assert {each for each in both if contradicted(hearing(world, says(each, APP)))} == against
    assert not contradicted(hearing(world, *(says(each, app_id(9)) for each in both)))


def test_which_group_claims_a_reading_does_not_show() -> None:
    joined = [says(Claim.JOINED, source(number)) for number in (1, 2)]
    went = [says(Claim.LEFT, source(number)) for number in (1, 2)]
    assert [each.claimed for each in contradictions(reading(hearing(PRESENT, *joined)))] == [
        joined[1]
    ]
    assert [each.claimed for each in contradictions(reading(hearing(PRESENT, *went)))] == [went[0]]


# -- what that holds back ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "claims", "expected"),
    [
        pytest.param(LEAVER, [says(Claim.ACTIVE)], [], id="reactivated, but read as left"),
        pytest.param(
            UNASSIGNED, [says(Claim.ASSIGNED, APP)], [], id="assigned, but read as unassigned"
        ),
        pytest.param(PRESENT, [says(Claim.JOINED, source(2))], [], id="joined, but read as out"),
        pytest.param(
            LEAVER,
            [says(Claim.JOINED, source(2))],
            ["-team-1"],
            id="a group's claim holds back what it is about only",
        ),
        pytest.param(
            PRESENT,
            [says(Claim.JOINED, source(1))],
            ["-team-2"],
            id="a claim the reading shows holds nothing back",
        ),
        pytest.param(
            PRESENT,
            [says(Claim.LEFT, source(1)), says(Claim.UNASSIGNED, APP), says(Claim.DEACTIVATED)],
            ["-team-2"],
            id="claims that take do not hold removals back",
        ),
        pytest.param(
            UNASSIGNED,
            [says(Claim.ASSIGNED, app_id(9))],
            ["-team-1", "-team-2"],
            id="an assignment of another app",
        ),
        pytest.param(
            PRESENT,
            [says(Claim.JOINED, source(2), ago=3), says(Claim.LEFT, source(2), ago=2, uuid="v")],
            ["-team-2"],
            id="only the newest of a group counts: joined, then left",
        ),
        pytest.param(
            PRESENT,
            [says(Claim.LEFT, source(2), ago=3), says(Claim.JOINED, source(2), ago=2, uuid="v")],
            [],
            id="only the newest of a group counts: left, then joined",
        ),
        pytest.param(
            UNASSIGNED,
            [says(Claim.ASSIGNED, APP, ago=2), says(Claim.UNASSIGNED, APP, ago=1, uuid="v")],
            ["-team-1", "-team-2"],
            id="only the newest of the app counts",
        ),
        pytest.param(
            LEAVER,
            [says(Claim.ACTIVE, ago=2), says(Claim.DEACTIVATED, ago=1, uuid="v")],
            ["-team-1", "-team-2"],
            id="only the newest of the user counts, whatever the order of arrival",
        ),
        pytest.param(
            LEAVER,
            [says(Claim.DEACTIVATED, ago=1, uuid="v"), says(Claim.ACTIVE, ago=2)],
            ["-team-1", "-team-2"],
            id="and the same in the other order of arrival",
        ),
        pytest.param(
            LEAVER,
            [says(Claim.ASSIGNED, APP, ago=5), says(Claim.DEACTIVATED, ago=1, uuid="v")],
            ["-team-1", "-team-2"],
            id="leaving overtakes an older assignment",
        ),
        pytest.param(
            UNASSIGNED,
            [says(Claim.ASSIGNED, APP, ago=5), says(Claim.ACTIVE, ago=1, uuid="v")],
            [],
            id="nothing but leaving overtakes an older assignment",
        ),
        pytest.param(
            LEAVER,
            [says(Claim.DEACTIVATED, ago=5), says(Claim.ASSIGNED, APP, ago=1, uuid="v")],
            [],
            id="a newer assignment is not overtaken",
        ),
        pytest.param(SUSPENDED, [says(Claim.ACTIVE)], [], id="unsuspended, but read as suspended"),
    ],
)
def test_claims_that_give_hold_back_removals(
    world: World, claims: list[Claimed], expected: list[str]
) -> None:
    policy = Policy(suspended=Suspended.STRIP)
    plan = look(hearing(world, *claims), policy=policy)
    assert changes(plan) == expected
    assert (Cause.CONTRADICTED in causes(plan)) is (
        len(expected) < len(changes(look(world, policy=policy)))
    )


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        pytest.param(says(Claim.DEACTIVATED), [], id="left"),
        pytest.param(says(Claim.SUSPENDED), [], id="suspended"),
        pytest.param(says(Claim.UNASSIGNED, APP), [], id="unassigned"),
        pytest.param(says(Claim.LEFT, source(1)), [], id="out of the source"),
        pytest.param(says(Claim.LEFT, source(2)), ["+team-1"], id="out of another group"),
        pytest.param(says(Claim.JOINED, source(2)), ["+team-1"], id="joined another group"),
    ],
)
def test_claims_that_take_hold_back_additions(heard: Claimed, expected: list[str]) -> None:
    world = replace(PRESENT, records=(record(),))
    assert changes(look(hearing(world, heard), policy=Policy(restore=Restore.ALL))) == expected


# -- for how long ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("looking", "look_at"),
    [
        pytest.param(None, 2, id="first look"),
        pytest.param(0, 2, id="at once"),
        pytest.param(1.9, 2, id="before the second"),
        pytest.param(2, 10, id="at the second"),
        pytest.param(10, 60, id="at the third"),
        pytest.param(59.9, 60, id="before the last"),
        pytest.param(60, None, id="the reading wins"),
        pytest.param(500, None, id="long after"),
    ],
)
def test_the_looks_come_2_10_and_60_seconds_after_the_first(
    looking: float | None, look_at: float | None
) -> None:
    (found,) = contradictions(reading(hearing(LEAVER, says(Claim.ACTIVE, looking=looking))))
    first = NOW - timedelta(seconds=looking or 0)
    expected: datetime | None = None if look_at is None else first + timedelta(seconds=look_at)
    assert found.look == expected
    assert bool(removals(found.claimed)) is (look_at is None)


def removals(heard: Claimed) -> list[str]:
    return changes(look(hearing(LEAVER, heard)))


@pytest.mark.parametrize(
    ("looking", "look_at"), [(None, 2), (59, 60), (60, 300), (299, 300), (300, None)]
)
def test_an_unassignment_of_somebody_unknown_waits_for_the_log(
    looking: float | None, look_at: float | None
) -> None:
    """The log lags behind the hook, and only the log knows that there was an assignment."""
    world = stranger(replace(UNASSIGNED, records=()))
    heard = hearing(world, says(Claim.UNASSIGNED, APP, looking=looking))
    (found,) = look(heard).contradictions
    first = NOW - timedelta(seconds=looking or 0)
    assert found.look == (first + timedelta(seconds=look_at) if look_at else None)
    log = logged(assigned=NOW)
    for known in (replace(heard, log=log), replace(heard, memory=KNOWN)):
        assert not look(known).contradictions


def test_a_claim_that_lost_is_still_told() -> None:
    plan = look(hearing(LEAVER, says(Claim.ACTIVE, looking=60)))
    assert [each.claimed.claim for each in plan.contradictions] == [Claim.ACTIVE]
    assert Cause.CONTRADICTED not in causes(plan)


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        pytest.param(YOUNG.total_seconds() - 1, [], id="a second younger than 10 min"),
        pytest.param(YOUNG.total_seconds(), ["-team-1", "-team-2"], id="10 min"),
        pytest.param(-5, [], id="a clock that is ahead"),
    ],
)
def test_age_is_counted_from_publication(ago: float, expected: list[str]) -> None:
    assert removals(says(Claim.ACTIVE, ago=ago)) == expected
    assert timedelta(minutes=10) == YOUNG


def test_an_old_newest_claim_does_not_let_a_younger_older_one_speak() -> None:
    world = hearing(LEAVER, says(Claim.DEACTIVATED, ago=700), says(Claim.ACTIVE, ago=800))
    assert changes(look(world)) == ["-team-1", "-team-2"]


def test_a_claim_about_groups_that_could_not_be_read_holds_back_too() -> None:
    world = hearing(LEAVER, says(Claim.JOINED, source(2)))
    assert changes(look(world)) == ["-team-1"]
    assert changes(look(replace(world, member_of=DOWN))) == ["-team-1"]


def test_new_claims_cannot_hold_back_for_ever_what_the_first_one_did() -> None:
    """Whoever knows the hook's secret could otherwise keep a leaver's access."""
    new = says(Claim.ACTIVE, ago=1, uuid="new")
    for looking, expected in ((59, []), (60, ["-team-1", "-team-2"])):
        first = says(Claim.ACTIVE, ago=61, looking=looking, uuid="first")
        plan = look(hearing(LEAVER, first, new))
        assert changes(plan) == expected
        assert plan.contradictions[0].look is not None
        assert set(plan.contradictions[0].uuids) == {"first", "new"}


def test_claims_about_different_things_cannot_take_turns_in_holding_back() -> None:
    """Each would have a minute of its own, and there is no end of them."""
    lost = says(Claim.ACTIVE, ago=61, looking=60, uuid="first")
    turn = says(Claim.ASSIGNED, APP, ago=30, looking=30, uuid="second")
    plan = look(hearing(LEAVER, lost, turn))
    assert changes(plan) == ["-team-1", "-team-2"]
    kept = {uuid for each in plan.contradictions for uuid in each.uuids}
    assert kept == {"first", "second"}, "or the patience would begin anew"
