"""Laws of the organization's own groups, over random people. Design 2, 3.3 to 3.5."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hooks.core.asks import Ask, AskScimLinks
from hooks.core.membership import Action, Standing
from hooks.core.plan import Plan
from hooks.core.policy import Policy, Restore, Suspended
from hooks.core.reading import Unread, Why
from tests.core.chance import (
    UNNAMED,
    UNTOUCHABLE,
    organized_worlds,
    rules,
    unread,
)
from tests.core.worlds import (
    BOBS,
    DOWN,
    LEAVER,
    World,
    beside,
    local_plan,
    look,
    look_closely,
    organized,
    record,
    rule,
)

FEW = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SOME = settings(FEW, max_examples=100)

policies = st.builds(
    lambda rules, suspended, restore: organized(*rules, suspended=suspended, restore=restore),
    rules,
    st.sampled_from(Suspended),
    st.sampled_from([Restore.OURS, Restore.OURS, Restore.ALL, Restore.NONE]),
)
Worlds = tuple[World, ...]


def taken(plan: Plan) -> set[str]:
    """Groups of the organization that the plan removes."""
    return {each.group.id for each in local_plan(plan).steps if each.action is Action.REMOVE}


def given_back(plan: Plan) -> set[str]:
    return {each.group.id for each in local_plan(plan).steps if each.action is Action.ADD}


def said(plan: Plan) -> tuple[object, ...]:
    """What a plan for the organization comes to, in no order."""
    here = local_plan(plan)
    return (
        here.standing,
        frozenset((each.action, each.group, each.reason) for each in here.steps),
        frozenset(here.refusals),
        frozenset((each.group, each.because) for each in here.kept),
    )


# -- less knowledge ----------------------------------------------------------------------------


def flips(worlds: Worlds, asked: list[Ask], why: Unread) -> Iterator[Worlds]:
    """The same world with one answer unread."""
    first = worlds[0]
    yield tuple(replace(each, user=why) for each in worlds)
    yield (replace(first, member_of=why), *worlds[1:])
    for place, world in enumerate(worlds):
        for flipped in (
            replace(world, app=why),
            replace(world, app_user=why),
            replace(world, mappings=why),
        ):
            yield (*worlds[:place], flipped, *worlds[place + 1 :])
    for ask in asked:
        # Where the call is refused or does not exist, nothing is known and we go on: design 3.3.
        if not isinstance(ask, AskScimLinks) or why.why is not Why.FORBIDDEN:
            yield (replace(first, says={ask: why}), *worlds[1:])


@SOME
@given(organized_worlds(), policies, unread)
@example(
    (LEAVER, beside(LEAVER, records=(record(number=2, account=BOBS),))),
    organized(rule("local-1")),
    DOWN,
)
def test_not_knowing_one_thing_never_adds_a_local_removal(
    worlds: Worlds, policy: Policy, why: Unread
) -> None:
    plan, seen = look_closely(*worlds, policy=policy)
    for flipped in flips(worlds, sorted(seen.answers, key=repr), why):
        assert taken(look(*flipped, policy=policy)) <= taken(plan)


# -- what is never touched ---------------------------------------------------------------------


@SOME
@given(organized_worlds(), policies)
def test_only_groups_that_are_named_and_may_be_changed_are_in_a_local_step(
    worlds: Worlds, policy: Policy
) -> None:
    plan = look(*worlds, policy=policy)
    for step in local_plan(plan).steps:
        assert step.group.id not in {*UNTOUCHABLE, UNNAMED}
    assert taken(plan) <= {each.group.id for each in local_plan(plan).groups}
    owed = {each.group for each in local_plan(plan).ledger.taken}
    assert given_back(plan) <= owed


@SOME
@given(organized_worlds(), policies)
def test_nothing_local_changes_while_the_best_standing_is_unclear_or_outside(
    worlds: Worlds, policy: Policy
) -> None:
    plan = look(*worlds, policy=policy)
    if local_plan(plan).standing in (Standing.UNCLEAR, Standing.OUTSIDE):
        assert not local_plan(plan).steps
    if all(each.standing in (Standing.UNCLEAR, Standing.OUTSIDE) for each in plan.directories):
        assert not local_plan(plan).steps


@SOME
@given(organized_worlds(), policies)
def test_the_present_lose_nothing_that_is_named_without_a_condition(
    worlds: Worlds, policy: Policy
) -> None:
    bare = replace(
        policy, rules=tuple(replace(each, while_member_of=None) for each in policy.rules)
    )
    plan = look(*worlds, policy=bare)
    if local_plan(plan).standing is Standing.PRESENT:
        assert not taken(plan)
