"""What we took from local groups: parked, granted again, given back, forfeited. Design 3.4, 3.5.

Ann was in ``local-1``; she is in the Okta group behind ``team-1``, not in that behind ``team-2``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from hooks.core.asks import AskOrganizationGroup
from hooks.core.ids import ScimGroupId
from hooks.core.ledger import (
    BACK,
    GONE,
    NO_EFFECT,
    SUPERSEDED,
    UNKNOWN,
    UNWANTED,
    Resolved,
    Taken,
    settle,
)
from hooks.core.membership import Action, Standing, State
from hooks.core.memory import Memory, PastStep
from hooks.core.plan import Plan, Reason
from hooks.core.policy import Policy, Suspended
from hooks.core.reading import MISSING
from hooks.core.refusal import Cause
from tests.core.worlds import (
    LEAVER,
    NOW,
    PERSON,
    PRESENT,
    SUSPENDED,
    UNASSIGNED,
    World,
    local,
    local_causes,
    local_changes,
    local_id,
    local_plan,
    logged,
    look,
    organized,
    past,
    past_local,
    rule,
    scim_group,
    source,
    there,
)

REMOVE, ADD = Action.REMOVE, Action.ADD
SILENT = organized(rule("local-1"))
IN = organized(rule("local-1", source(1)))
NOT_IN = organized(rule("local-1", source(2)))
GIVEN, LOST = ["+local-1"], ["-local-1"]
NOTHING: list[str] = []
YESTERDAY = NOW - timedelta(days=1)


def took(
    why: Reason = Reason.LEFT,
    at: datetime = YESTERDAY,
    *,
    state: str = "settled",
    times: int = 1,
    code: str = "",
) -> tuple[PastStep, ...]:
    return past_local(*[(REMOVE, 1, state)] * times, why=why, at=at, code=code)


def without(
    history: tuple[PastStep, ...],
    *,
    standing: Standing = Standing.PRESENT,
    returned: datetime | None = None,
    world: World = PRESENT,
) -> World:
    """She is not in the group now."""
    memory = Memory(standing=standing, standing_at=NOW, returned=returned, history=history)
    return replace(world, account_in=frozenset(), local=memory)


def within(
    history: tuple[PastStep, ...],
    *,
    standing: Standing = Standing.PRESENT,
    returned: datetime | None = None,
    world: World = PRESENT,
) -> World:
    """She is in the group now, and in no other."""
    memory = Memory(standing=standing, standing_at=NOW, returned=returned, history=history)
    return replace(there(world, local(1)), local=memory)


def changed(world: World, policy: Policy) -> list[str]:
    plan = look(world, policy=policy)
    assert local_causes(plan) == set()
    return local_changes(plan)


def refused(world: World, policy: Policy) -> Cause:
    plan = look(world, policy=policy)
    assert local_changes(plan) == []
    (cause,) = local_causes(plan)
    return cause


# -- given back, or not ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "policy", "expected"),
    [
        pytest.param(Reason.SUSPENDED, SILENT, GIVEN, id="after a suspension"),
        pytest.param(Reason.UNASSIGNED, SILENT, GIVEN, id="after a brief absence"),
        pytest.param(Reason.SUSPENDED, IN, GIVEN, id="after a suspension, and a condition holds"),
        pytest.param(Reason.SUSPENDED, NOT_IN, NOTHING, id="it would be taken again"),
        pytest.param(
            Reason.UNASSIGNED,
            organized(rule("*"), rule("local-1", source(2))),
            NOTHING,
            id="the condition counts beside a silent rule",
        ),
        pytest.param(Reason.LEFT, SILENT, NOTHING, id="an absence forfeits it"),
        pytest.param(Reason.LEFT, IN, GIVEN, id="a condition justifies it"),
        pytest.param(Reason.LOST_RULE, IN, GIVEN, id="the condition holds again"),
        pytest.param(Reason.LOST_RULE, SILENT, NOTHING, id="the condition was given up"),
        pytest.param(Reason.RETURNED, SILENT, NOTHING, id="taken in a return"),
        pytest.param(Reason.SUSPENDED, organized(rule("local-2")), NOTHING, id="no rule names it"),
    ],
)
def test_what_we_took_is_given_back_when_it_is_wanted_again(
    why: Reason, policy: Policy, expected: list[str]
) -> None:
    assert changed(without(took(why)), policy) == expected


MONTH = timedelta(days=30)


@pytest.mark.parametrize(
    ("why", "ago", "policy", "expected"),
    [
        pytest.param(Reason.LOST_RULE, MONTH - timedelta(seconds=1), IN, GIVEN, id="just in time"),
        pytest.param(Reason.LOST_RULE, MONTH, IN, NOTHING, id="after thirty days"),
        pytest.param(Reason.SUSPENDED, 5 * MONTH, SILENT, GIVEN, id="a suspension, however long"),
        pytest.param(Reason.SUSPENDED, 5 * MONTH, IN, GIVEN, id="the same under a condition"),
    ],
)
def test_a_condition_gives_back_for_thirty_days(
    why: Reason, ago: timedelta, policy: Policy, expected: list[str]
) -> None:
    assert changed(without(took(why, NOW - ago)), policy) == expected


def test_while_a_group_of_the_condition_is_not_resolved_nobody_says_that_it_fails() -> None:
    """Left out in silence, it would be given to nobody who came back meanwhile."""
    world = without(took(Reason.LEFT))
    half, lost = (
        organized(rule("local-1", *known, unresolved=("nobody knows",)))
        for known in ((source(2),), ())
    )
    for policy in (half, lost):
        plan = look(world, policy=policy)
        assert local_changes(plan) == NOTHING
        assert local_causes(plan) == {Cause.RULE_UNRESOLVED}
        assert local_plan(plan).waiting, "looked at again by itself"
    known = organized(rule("local-1", source(1), unresolved=("nobody knows",)))
    assert changed(world, known) == GIVEN, "any of them justifies it"
    long_ago = without(took(Reason.LEFT, NOW - timedelta(days=31)))
    assert local_causes(look(long_ago, policy=lost)) == set()


@pytest.mark.parametrize("why", [Reason.SUSPENDED, Reason.UNASSIGNED])
def test_a_return_since_forfeits_what_was_taken_before(why: Reason) -> None:
    after = without(took(why), returned=NOW - timedelta(hours=1))
    assert changed(after, SILENT) == NOTHING
    assert changed(after, IN) == GIVEN, "a condition justifies it all the same"
    before = without(took(why), returned=NOW - timedelta(days=2))
    assert changed(before, SILENT) == GIVEN


def test_whoever_returns_gets_only_what_a_condition_justifies() -> None:
    returning = without(took(Reason.SUSPENDED), standing=Standing.RETURNING, returned=NOW)
    assert changed(returning, SILENT) == NOTHING
    assert changed(returning, IN) == GIVEN


def test_an_absence_that_has_no_consequence_forfeits_all_the_same() -> None:
    """Seen and over while we only observed: nothing is taken, and nothing given for it."""
    hour = timedelta(hours=1)
    log = logged(deactivated=NOW - 9 * hour, activated=NOW - 8 * hour)
    world = without(took(Reason.SUSPENDED), world=replace(PRESENT, log=log))
    assert world.local
    memory = replace(
        world.local,
        standing=Standing.LEFT,
        standing_at=NOW - 8.5 * hour,
        absent_since=NOW - 8.5 * hour,
    )
    world = replace(world, local=memory, watched_since=NOW - 5 * hour)
    plan = look(world, policy=SILENT)
    assert (local_plan(plan).standing, local_changes(plan)) == (Standing.PRESENT, NOTHING)
    assert changed(world, IN) == GIVEN


@pytest.mark.parametrize("world", [LEAVER, UNASSIGNED, SUSPENDED])
def test_nobody_who_is_away_or_suspended_gets_anything(world: World) -> None:
    standing = local_plan(look(world, policy=SILENT)).standing
    away = without(took(Reason.SUSPENDED), standing=standing, world=world)
    for policy in (SILENT, IN, replace(SILENT, suspended=Suspended.STRIP)):
        assert changed(away, policy) == NOTHING


def test_what_was_sent_counts_as_taken_whatever_a_lagging_reading_shows() -> None:
    """Adding a member who is there is harmless; believing the reading might not be."""
    sent = took(Reason.SUSPENDED, state="submitted")
    assert changed(within(sent), SILENT) == GIVEN
    assert changed(within(took(Reason.SUSPENDED)), SILENT) == NOTHING, "seen gone, granted since"


def test_what_we_gave_back_is_owed_no_more() -> None:
    again = past_local((REMOVE, 1, "settled"), (ADD, 1, "settled"), why=Reason.SUSPENDED)
    assert changed(without(again), SILENT) == NOTHING, "somebody took it from her since"


def test_a_group_that_is_gone_is_nothing_to_wait_for() -> None:
    gone = replace(
        without(took(Reason.SUSPENDED)), says={AskOrganizationGroup(local_id(1)): MISSING}
    )
    assert changed(gone, SILENT) == NOTHING


def test_additions_without_effect_end() -> None:
    tried = past_local((REMOVE, 1, "settled"), *[(ADD, 1, "submitted")] * 3, why=Reason.SUSPENDED)
    assert refused(without(tried), SILENT) is Cause.NO_EFFECT
    assert changed(without(tried[:-1]), SILENT) == GIVEN


# -- granted again after a removal -------------------------------------------------------------


def granted(times: int = 2, why: Reason = Reason.LEFT, at: datetime = YESTERDAY) -> World:
    history = took(why, at, state="abandoned", code=BACK, times=times)
    return within(history, standing=Standing.LEFT, world=LEAVER)


def test_granted_again_twice_we_stop() -> None:
    assert changed(granted(1), SILENT) == LOST
    assert refused(granted(2), SILENT) is Cause.GRANTED_AGAIN


def test_the_second_grant_counts_in_the_look_that_sees_it() -> None:
    first = took(state="abandoned", code=BACK)
    second = replace(took()[0], id=2)
    world = within((*first, second), standing=Standing.LEFT, world=LEAVER)
    assert refused(world, SILENT) is Cause.GRANTED_AGAIN


@pytest.mark.parametrize(
    ("ago", "stopped"),
    [
        pytest.param(MONTH - timedelta(seconds=1), True, id="in the last thirty days"),
        pytest.param(MONTH, False, id="before"),
    ],
)
def test_grants_of_long_ago_are_forgotten(ago: timedelta, *, stopped: bool) -> None:
    plan = look(granted(at=NOW - ago), policy=SILENT)
    assert (local_causes(plan) == {Cause.GRANTED_AGAIN}) is stopped
    assert local_changes(plan) == ([] if stopped else LOST)


@pytest.mark.parametrize("why", [Reason.UNASSIGNED, Reason.RETURNED, Reason.LOST_RULE])
def test_grants_after_removals_for_another_reason_do_not_count(why: Reason) -> None:
    assert changed(granted(why=why), SILENT) == LOST


def test_only_grants_of_this_return_count() -> None:
    def returning(returned: datetime) -> World:
        history = took(Reason.RETURNED, state="abandoned", code=BACK, times=2)
        return within(history, standing=Standing.RETURNING, returned=returned)

    assert refused(returning(YESTERDAY), SILENT) is Cause.GRANTED_AGAIN
    assert changed(returning(YESTERDAY + timedelta(seconds=1)), SILENT) == LOST


def test_who_is_suspended_and_kept_is_judged_as_present() -> None:
    history = took(Reason.LOST_RULE, state="abandoned", code=BACK, times=2)
    world = within(history, standing=Standing.SUSPENDED, world=SUSPENDED)
    assert refused(world, NOT_IN) is Cause.GRANTED_AGAIN
    assert changed(world, replace(NOT_IN, suspended=Suspended.STRIP)) == LOST


# -- parked: refused for an inactive account ---------------------------------------------------

TEAM = scim_group(1)
HERE: frozenset[ScimGroupId] = frozenset({TEAM})
NOWHERE: frozenset[ScimGroupId] = frozenset()


def test_a_parked_removal_waits_while_the_member_is_there_and_owes_nothing() -> None:
    history = past((REMOVE, 1, "parked"))
    found = settle(history, HERE)
    assert (found.parked, found.resolved, found.taken, found.unsettled) == (history, (), (), 0)


def test_a_parked_removal_somebody_else_carried_out_is_not_ours() -> None:
    found = settle(past((REMOVE, 1, "parked")), NOWHERE)
    assert found.resolved == (Resolved(1, State.ABANDONED, GONE),)
    assert (found.parked, found.taken) == ((), ())


@pytest.mark.parametrize("later", ["open", "submitted", "settled", "parked"])
def test_a_parked_removal_that_was_sent_again_is_superseded(later: str) -> None:
    found = settle(past((REMOVE, 1, "parked"), (REMOVE, 1, later)), HERE)
    assert found.resolved[0] == Resolved(1, State.ABANDONED, SUPERSEDED)
    assert [each.id for each in found.parked] == ([2] if later == "parked" else [])


@pytest.mark.parametrize("later", ["failed", "observed"])
def test_what_was_never_sent_supersedes_nothing(later: str) -> None:
    found = settle(past((REMOVE, 1, "parked"), (REMOVE, 1, later)), HERE)
    assert [each.id for each in found.parked] == [1]


def test_what_was_owed_before_a_parked_removal_stays_owed() -> None:
    """Sent and not seen yet, then refused: whoever comes back gets it back all the same."""
    found = settle(past((REMOVE, 1, "settled"), (REMOVE, 1, "parked")), NOWHERE)
    assert found.of(TEAM) == Taken(TEAM, seen_gone=True)


def test_a_parked_removal_nobody_wants_any_more_is_given_up() -> None:
    def resolved(plan: Plan) -> tuple[Resolved, ...]:
        return local_plan(plan).ledger.resolved

    unwanted = (Resolved(1, State.ABANDONED, UNWANTED),)
    for policy in (SILENT, IN, organized(rule("another"))):
        assert resolved(look(within(took(state="parked")), policy=policy)) == unwanted
    inactive = replace(PERSON, status="inactive")
    waits = within(took(state="parked"), standing=Standing.LEFT, world=LEAVER)
    plan = look(replace(waits, account=inactive), policy=SILENT)
    assert (resolved(plan), local_causes(plan)) == ((), {Cause.PARKED})


def test_a_parked_removal_is_tried_on_return() -> None:
    world = within(took(state="parked"), standing=Standing.RETURNING, returned=NOW)
    assert changed(world, SILENT) == LOST
    inactive = replace(world, account=replace(PERSON, status="inactive"))
    plan = look(inactive, policy=SILENT)
    assert (local_causes(plan), local_plan(plan).waiting) == ({Cause.PARKED}, True)


# -- granted again, as the journal tells it ----------------------------------------------------


def test_a_removal_that_was_seen_and_came_back_is_told_as_such() -> None:
    history = past((REMOVE, 1, "settled"))
    found = settle(history, HERE)
    assert found.resolved == (Resolved(1, State.ABANDONED, BACK),)
    assert (found.back, found.taken) == (history, ())
    written = past((REMOVE, 1, "abandoned"), code=BACK)
    assert settle(written, HERE).back == written
    assert settle(written, NOWHERE).back == written, "gone again, and not by us"
    assert settle(written, NOWHERE).of(TEAM) is None


def test_an_earlier_removal_that_is_not_the_last_one_did_not_come_back() -> None:
    found = settle(past((REMOVE, 1, "settled"), (ADD, 1, "settled")), HERE)
    assert (found.resolved, found.back, found.taken) == ((), (), ())


def test_what_we_took_is_told_with_its_reason_instant_and_name() -> None:
    (taken,) = settle(took(Reason.UNASSIGNED), frozenset()).taken
    assert taken == Taken(
        local_id(1), seen_gone=True, why=Reason.UNASSIGNED, at=YESTERDAY, name="local-1"
    )
    again = (*took(Reason.UNASSIGNED), replace(took(Reason.LEFT, NOW)[0], id=2))
    (taken,) = settle(again, frozenset()).taken
    assert (taken.why, taken.at) == (Reason.LEFT, NOW)


@pytest.mark.parametrize("code", [NO_EFFECT, UNKNOWN, "unavailable"])
def test_only_the_word_for_it_says_that_something_came_back(code: str) -> None:
    assert settle(past((REMOVE, 1, "abandoned"), code=code), HERE).back == ()
