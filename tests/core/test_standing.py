"""Where she stands: design 3.3, row by row, and what follows for synced groups."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hooks.core.asks import AskLog, AskRecordsByExternalId
from hooks.core.decide import decide
from hooks.core.history import LogFacts
from hooks.core.membership import Standing
from hooks.core.memory import Claim, Claimed
from hooks.core.plan import Reason
from hooks.core.policy import Policy, Suspended
from hooks.core.reading import MISSING, App, OktaUser
from hooks.core.refusal import Cause
from tests.core.chance import APP_USER_ENDED, APP_USER_IN_FORCE, USER_IN_FORCE
from tests.core.worlds import (
    ANN,
    APP,
    ASSIGNED,
    DOWN,
    FORBIDDEN,
    GONE,
    KNOWN,
    LEAVER,
    LOGIN,
    MAIN,
    NOW,
    PRESENT,
    UNASSIGNED,
    World,
    causes,
    changes,
    logged,
    look,
    look_closely,
    reading,
    refusal,
    stranger,
    with_memory,
)

ALL = ["-team-1", "-team-2"]
LOST = ["-team-2"]
STATUSES = [*USER_IN_FORCE, "STAGED", "SUSPENDED", "DEPROVISIONED"]


def of(user: str, app_user: str | None, to: str | None = None) -> World:
    assignment = replace(ASSIGNED, status=app_user) if app_user else MISSING
    return replace(PRESENT, user=OktaUser(ANN, user, to, LOGIN), app_user=assignment)


def standing(world: World) -> Standing:
    (directory,) = look(world).directories
    return directory.standing


# -- unclear -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "cause"),
    [
        pytest.param(replace(PRESENT, user=DOWN), Cause.USER_UNREAD, id="user unread"),
        pytest.param(replace(PRESENT, app=DOWN), Cause.APP_UNREAD, id="app unread"),
        pytest.param(replace(PRESENT, app=MISSING), Cause.APP_UNREAD, id="app 404"),
        pytest.param(
            replace(UNASSIGNED, app=App(APP, "INACTIVE")), Cause.APP_NOT_ACTIVE, id="app inactive"
        ),
        pytest.param(
            replace(LEAVER, app=App(APP, "INACTIVE")),
            Cause.APP_NOT_ACTIVE,
            id="app inactive, and the person left",
        ),
        pytest.param(replace(PRESENT, app_user=DOWN), Cause.APP_USER_UNREAD, id="AppUser unread"),
        pytest.param(replace(LEAVER, app_user=DOWN), Cause.APP_USER_UNREAD, id="left, unread"),
        pytest.param(of("ACTIVATING", "ACTIVE"), Cause.IN_TRANSITION, id="activating"),
        pytest.param(
            of("DEPROVISIONED", None, "ACTIVE"), Cause.IN_TRANSITION, id="being activated again"
        ),
        pytest.param(of("ACTIVE", "ACTIVE", "SUSPENDED"), Cause.IN_TRANSITION, id="moving"),
        pytest.param(of("FROZEN", "ACTIVE"), Cause.STATUS_UNKNOWN, id="unknown user status"),
        pytest.param(of("active", "ACTIVE"), Cause.STATUS_UNKNOWN, id="small letters"),
        pytest.param(of("ACTIVE", "FROZEN"), Cause.STATUS_UNKNOWN, id="unknown AppUser status"),
        pytest.param(
            replace(PRESENT, user=MISSING), Cause.ABSENCE_UNPROVED, id="user 404, still assigned"
        ),
        pytest.param(
            replace(GONE, app_user=ASSIGNED),
            Cause.ABSENCE_UNPROVED,
            id="user 404, still assigned, though she had left before",
        ),
        pytest.param(
            replace(GONE, memory=KNOWN), Cause.ABSENCE_UNPROVED, id="404s and nothing in the log"
        ),
        pytest.param(
            replace(GONE, memory=replace(KNOWN, standing=Standing.UNASSIGNED)),
            Cause.ABSENCE_UNPROVED,
            id="404s, and the last settled look saw her only unassigned",
        ),
        pytest.param(
            replace(GONE, memory=KNOWN, log=DOWN), Cause.HISTORY_UNREAD, id="404s, log unread"
        ),
        pytest.param(
            replace(GONE, memory=KNOWN, log=logged(deactivated=NOW, activated=NOW)),
            Cause.ABSENCE_UNPROVED,
            id="404s, an activation at the very instant",
        ),
        pytest.param(
            replace(GONE, memory=KNOWN, log=logged(deactivated=NOW - timedelta(1), activated=NOW)),
            Cause.ABSENCE_UNPROVED,
            id="404s, a deactivation, and a later activation",
        ),
        pytest.param(
            replace(GONE, app=App(APP, "INACTIVE")), Cause.APP_NOT_ACTIVE, id="404s, app inactive"
        ),
        pytest.param(
            stranger(replace(UNASSIGNED, log=FORBIDDEN, records=())),
            Cause.HISTORY_UNREAD,
            id="AppUser 404, and nobody knows whether she ever had one",
        ),
    ],
)
def test_unclear_changes_nothing(world: World, cause: Cause) -> None:
    plan = look(world)
    assert (plan.directories[0].standing, refusal(plan).cause) == (Standing.UNCLEAR, cause)
    assert not changes(plan)


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(replace(PRESENT, user=DOWN), id="unread"),
        pytest.param(of("ACTIVATING", "ACTIVE"), id="in transition"),
        pytest.param(of("FROZEN", "ACTIVE"), id="unknown"),
        pytest.param(replace(PRESENT, app=App(APP, "INACTIVE")), id="app not active"),
        pytest.param(replace(PRESENT, user=MISSING), id="unproved"),
        pytest.param(replace(PRESENT, user=FORBIDDEN), id="user forbidden"),
        pytest.param(replace(PRESENT, app=FORBIDDEN), id="app forbidden"),
        pytest.param(replace(PRESENT, app=MISSING), id="app 404"),
        pytest.param(replace(PRESENT, app_user=FORBIDDEN), id="AppUser forbidden"),
        pytest.param(replace(GONE, memory=KNOWN, log=FORBIDDEN), id="log forbidden"),
    ],
)
def test_unclear_is_looked_at_again(world: World) -> None:
    """Design 3.3: no change, look again; shown and alarmed after an hour."""
    plan = look(world)
    assert plan.directories[0].waiting or refusal(plan).retry


# -- left, outside, unassigned -----------------------------------------------------------------


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(of("DEPROVISIONED", None), id="deactivated"),
        pytest.param(of("DEPROVISIONED", "ACTIVE"), id="deactivated, the assignment lags"),
        pytest.param(of("ACTIVE", "ACTIVE", "DEPROVISIONED"), id="being deactivated"),
        pytest.param(of("DEPROVISIONED", None, "DEPROVISIONED"), id="both"),
        pytest.param(of("STAGED", None, "DEPROVISIONED"), id="staged, being deactivated"),
        pytest.param(of("DEPROVISIONED", "IMPORTED"), id="deactivated, never matched"),
        pytest.param(replace(LEAVER, member_of=DOWN), id="groups unread do not matter"),
        pytest.param(GONE, id="404s, and last seen deactivated"),
        pytest.param(
            replace(GONE, memory=KNOWN, log=logged(deactivated=NOW)),
            id="404s, a deactivation in the log",
        ),
        pytest.param(
            replace(GONE, memory=KNOWN, log=logged(deactivated=NOW, activated=NOW - timedelta(1))),
            id="404s, deactivated after the last activation",
        ),
        pytest.param(stranger(replace(LEAVER, log=DOWN)), id="a stranger's record says who she is"),
    ],
)
def test_who_left_loses_everything_pushed(world: World) -> None:
    plan = look(world)
    assert standing(world) is Standing.LEFT
    assert changes(plan) == ALL
    assert {step.reason for step in plan.steps} == {Reason.LEFT}


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(of("STAGED", "ACTIVE"), id="staged"),
        pytest.param(of("STAGED", None), id="staged and not assigned"),
        pytest.param(of("ACTIVE", "IMPORTED"), id="imported"),
        pytest.param(of("ACTIVE", "MATCHED"), id="matched"),
        pytest.param(of("SUSPENDED", "IMPORTED"), id="suspended, never matched"),
        pytest.param(stranger(replace(UNASSIGNED, records=())), id="nothing was ever there"),
        pytest.param(
            stranger(replace(of("ACTIVE", "DEPROVISIONED"), records=())),
            id="an assignment that ended before it was ever in force",
        ),
    ],
)
def test_who_is_outside_keeps_what_there_is(world: World) -> None:
    assert standing(world) is Standing.OUTSIDE
    assert (changes(look(world)), causes(look(world))) == ([], set())


@pytest.mark.parametrize("status", [*USER_IN_FORCE, "SUSPENDED"])
@pytest.mark.parametrize("app_user", [None, *APP_USER_ENDED])
def test_who_is_unassigned_loses_everything_pushed(status: str, app_user: str | None) -> None:
    plan = look(of(status, app_user))
    assert changes(plan) == ALL
    assert {step.reason for step in plan.steps} == {Reason.UNASSIGNED}


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(UNASSIGNED, id="the census"),
        pytest.param(
            replace(UNASSIGNED, memory=replace(KNOWN, scim_id=None)), id="the census without a link"
        ),
        pytest.param(stranger(UNASSIGNED), id="a record with her externalId"),
        pytest.param(
            replace(
                stranger(UNASSIGNED),
                log=logged(assigned=NOW),
                records=tuple(replace(each, external_id=None) for each in PRESENT.records),
            ),
            id="the log, and one record of her userName",
        ),
    ],
)
def test_any_of_these_shows_that_she_was_once_in_force(world: World) -> None:
    assert standing(world) is Standing.UNASSIGNED
    assert changes(look(world)) == ALL


def test_the_log_is_asked_once_about_somebody_outside() -> None:
    world = stranger(replace(UNASSIGNED, records=()))
    assert AskLog() in look_closely(world)[1].answers
    again = with_memory(world, standing=Standing.OUTSIDE)
    assert AskLog() not in look_closely(again)[1].answers
    assert standing(again) is Standing.OUTSIDE
    spoken = replace(again, claims=(Claimed("u", Claim.UNASSIGNED, APP, NOW),))
    assert AskLog() in look_closely(spoken)[1].answers
    shown = replace(spoken, log=logged(assigned=NOW))
    assert standing(shown) is Standing.UNASSIGNED


def test_who_left_without_ever_having_had_anything_is_no_refusal() -> None:
    world = stranger(replace(LEAVER, records=()))
    assert standing(world) is Standing.LEFT
    assert (changes(look(world)), causes(look(world))) == ([], set())


# -- suspended, returning, present -------------------------------------------------------------


@pytest.mark.parametrize("world", [of("SUSPENDED", "ACTIVE"), of("ACTIVE", "SUSPENDED")])
def test_suspension_keeps_or_strips(world: World) -> None:
    assert standing(world) is Standing.SUSPENDED
    for suspended, expected, reason in (
        (Suspended.KEEP, LOST, Reason.LOST_GROUP),
        (Suspended.STRIP, ALL, Reason.SUSPENDED),
    ):
        plan = look(world, policy=Policy(suspended=suspended))
        assert changes(plan) == expected
        assert {step.reason for step in plan.steps} == {reason}


@pytest.mark.parametrize("status", USER_IN_FORCE)
@pytest.mark.parametrize("app_user", APP_USER_IN_FORCE)
def test_who_is_present_keeps_what_a_source_gives(status: str, app_user: str) -> None:
    plan = look(of(status, app_user))
    assert plan.directories[0].standing is Standing.PRESENT
    assert changes(plan) == LOST
    assert {step.reason for step in plan.steps} == {Reason.LOST_GROUP}


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (None, Standing.PRESENT),
        (Standing.PRESENT, Standing.PRESENT),
        (Standing.OUTSIDE, Standing.PRESENT),
        (Standing.UNCLEAR, Standing.PRESENT),
        (Standing.SUSPENDED, Standing.PRESENT),
        (Standing.LEFT, Standing.RETURNING),
        (Standing.UNASSIGNED, Standing.RETURNING),
        (Standing.RETURNING, Standing.RETURNING),
    ],
)
def test_only_a_settled_absence_makes_a_return(before: Standing | None, expected: Standing) -> None:
    world = with_memory(PRESENT, standing=before)
    assert standing(world) is expected
    assert changes(look(world)) == LOST


def test_a_return_has_a_reason_of_its_own() -> None:
    (step,) = look(with_memory(PRESENT, standing=Standing.LEFT)).steps
    assert step.reason is Reason.RETURNED


def test_an_inactive_record_of_somebody_in_force_is_waited_for() -> None:
    for active, waiting in ((True, False), (False, True), (None, False)):
        records = tuple(replace(each, active=active) for each in PRESENT.records)
        assert look(replace(PRESENT, records=records)).directories[0].waiting is waiting
        assert not look(replace(LEAVER, records=records)).directories[0].waiting


# -- faults ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(of("FROZEN", None), id="unknown user, AppUser 404"),
        pytest.param(of("FROZEN", "DEPROVISIONED"), id="unknown user, AppUser ended"),
        pytest.param(of("FROZEN", "SUSPENDED"), id="unknown user, AppUser suspended"),
        pytest.param(of("SUSPENDED", "FROZEN"), id="user suspended, unknown AppUser"),
        pytest.param(of("DEPROVISIONED", "FROZEN"), id="user deactivated, unknown AppUser"),
    ],
)
def test_an_unknown_status_is_unclear_before_any_other_row(world: World) -> None:
    """Design 3.3: unclear is the first row; any value not named is unclear."""
    plan = look(world, policy=Policy(suspended=Suspended.STRIP))
    assert causes(plan) == {Cause.STATUS_UNKNOWN}
    assert not changes(plan)


@pytest.mark.parametrize("world", [replace(GONE, memory=KNOWN), stranger(UNASSIGNED)])
def test_a_log_that_answers_404_is_no_answer(world: World) -> None:
    plan = look(replace(world, says={AskLog(): MISSING}, records=()))
    assert causes(plan) == {Cause.HISTORY_UNREAD}


def test_nobody_is_outside_before_her_record_was_asked_for() -> None:
    plan = decide(reading(stranger(UNASSIGNED), answers={AskLog(): LogFacts()}), Policy())
    assert AskRecordsByExternalId(MAIN) in plan.asks
