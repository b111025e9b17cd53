"""Laws of the organization's own groups, over random people. Design 2, 3.3 to 3.5."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hooks.core.asks import Ask, AskLog, AskScimLinks
from hooks.core.decide import decide
from hooks.core.membership import ORGANIZATION, Action, Standing
from hooks.core.plan import Plan
from hooks.core.policy import Policy, Restore, Suspended
from hooks.core.reading import MISSING, Account, Answer, App, AppUser, OktaUser, Unread, Why
from hooks.core.refusal import Cause
from tests.core.chance import (
    UNNAMED,
    UNTOUCHABLE,
    organized_worlds,
    rules,
    unread,
)
from tests.core.lives import sent
from tests.core.worlds import (
    ANN,
    ANNS,
    BOBS,
    DOWN,
    LEAVER,
    PERSON,
    ROUNDS,
    World,
    answer,
    beside,
    local_plan,
    look,
    look_closely,
    organized,
    reading,
    record,
    rule,
)

FEW = settings(max_examples=50)
SOME = settings(FEW, max_examples=60)

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


# -- order -------------------------------------------------------------------------------------


def told(plan: Plan) -> tuple[object, ...]:
    """What a plan comes to, for all places, in no order."""
    directories = {
        each.name: (
            each.standing,
            frozenset((step.action, step.group, step.reason) for step in each.steps),
            frozenset((refusal.cause, refusal.group) for refusal in each.refusals),
        )
        for each in plan.directories
    }
    here = local_plan(plan)
    return (
        directories,
        here.standing,
        here.mode,
        frozenset((step.action, step.group, step.reason) for step in here.steps),
        frozenset((refusal.cause, refusal.group) for refusal in here.refusals),
        frozenset((each.group, each.because) for each in here.kept),
        plan.others,
        plan.protected,
    )


def done(plan: Plan) -> tuple[object, ...]:
    """What changes, stays or is left alone; of several causes any may be named."""
    return tuple(
        (
            each.standing,
            frozenset((step.action, step.group, step.reason) for step in each.steps),
            frozenset(refusal.group for refusal in each.refusals),
            frozenset(kept.group for kept in each.kept),
        )
        for each in plan.places
    )


def shuffled(said: Answer, dice: Random) -> Answer:
    """The same list in another order; anything else as it is."""
    if not isinstance(said, tuple):
        return said
    any_order: Any = tuple(dice.sample(said, len(said)))
    answered: Answer = any_order
    return answered


@SOME
@given(organized_worlds(), policies, st.randoms())
def test_in_which_order_anything_is_listed_means_nothing(
    worlds: Worlds, policy: Policy, dice: Random
) -> None:
    """Directories, groups and rules."""
    plan, seen = look_closely(*worlds, policy=policy)
    answers = {ask: shuffled(said, dice) for ask, said in seen.answers.items()}
    directories = dice.sample(seen.directories, len(seen.directories))
    rules = dice.sample(policy.rules, len(policy.rules))
    other = replace(seen, answers=answers, directories=tuple(directories))
    found = decide(other, replace(policy, rules=tuple(rules)))
    assert not found.asks
    assert told(found) == told(plan)


@SOME
@given(organized_worlds(), policies, st.randoms())
def test_in_which_order_answers_come_means_nothing(
    worlds: Worlds, policy: Policy, dice: Random
) -> None:
    at_once, seen = look_closely(*worlds, policy=policy)
    answers: dict[Ask, Answer] = {}
    while asks := sorted(decide(reading(*worlds, answers=answers), policy).asks, key=repr):
        one = dice.choice(asks)
        assert one not in answers, "asked again what was answered"
        answers[one] = answer(one, *worlds)
    found = decide(reading(*worlds, answers=answers), policy)
    assert done(found) == done(at_once)
    assert decide(seen, policy) == at_once, "and nothing but the reading counts"


# -- total -------------------------------------------------------------------------------------

statuses = st.sampled_from(["ACTIVE", "SUSPENDED", "DEPROVISIONED", "STAGED", "IMPORTED", "", "?"])
nothing = st.just(MISSING) | unread


@SOME
@given(st.data(), organized_worlds(), policies)
def test_any_mixture_of_answers_ends_in_a_plan(
    data: st.DataObject, worlds: Worlds, policy: Policy
) -> None:
    """Whatever is missing: no exception, an end to asking, and each group in one place."""
    draw = data.draw
    odd = tuple(
        replace(
            world,
            user=draw(st.just(world.user) | nothing | st.builds(OktaUser, st.just(ANN), statuses)),
            member_of=draw(st.just(world.member_of) | unread | st.just(frozenset())),
            app=draw(
                st.just(world.app) | nothing | st.builds(App, st.just(world.app_id), statuses)
            ),
            app_user=draw(
                st.just(world.app_user) | nothing | st.builds(AppUser, st.just(ANN), statuses)
            ),
            mappings=draw(st.just(world.mappings) | unread | st.just(())),
        )
        for world in worlds
    )
    answers: dict[Ask, Answer] = {}
    for _ in range(ROUNDS):
        plan = decide(reading(*odd, answers=dict(answers)), policy)
        new = plan.asks - answers.keys()
        if not new:
            break
        for ask in sorted(new, key=repr):
            real = st.just(answer(ask, *odd))
            answers[ask] = draw(real | real | (unread if ask == AskLog() else nothing))
    assert not plan.asks
    check_places(plan)


def check_places(plan: Plan) -> None:
    here = local_plan(plan)
    stepped = [step.group.id for step in here.steps]
    refused = {each.group for each in here.refusals if each.cause is not Cause.ADMIN_LEFT}
    assert len(stepped) == len(set(stepped))
    assert not set(stepped) & refused
    gone = {step.group.id for step in here.steps if step.action is Action.REMOVE}
    assert not gone & {each.group.id for each in here.kept}
    if here.standing in (Standing.UNCLEAR, Standing.OUTSIDE) or None in refused:
        assert not stepped
    if here.standing.absent:
        assert all(step.action is Action.REMOVE for step in here.steps)
    if here.standing in (Standing.PRESENT, Standing.RETURNING, Standing.SUSPENDED):
        assert any(each.standing is here.standing for each in plan.directories) or (
            {here.standing} | {each.standing for each in plan.directories}
        ) >= {Standing.PRESENT, Standing.RETURNING}


# -- convergence -------------------------------------------------------------------------------

#: Looks in a row after which nothing is left to do: a return settles in three.
LOOKS = 3


@SOME
@given(worlds=organized_worlds(), policy=policies, lagging=st.booleans())
def test_a_plan_that_was_sent_leaves_nothing_to_do(
    worlds: Worlds, policy: Policy, *, lagging: bool
) -> None:
    """Also where the next reading still shows the groups as they were before."""
    plan = look(*worlds, policy=policy)
    now = sent(plan, *worlds)
    if lagging:
        late = tuple(
            replace(each, records=before.records, account_in=before.account_in)
            for each, before in zip(now, worlds, strict=True)
        )
        again = look(*late, policy=policy)
        assert taken(again) <= taken(plan), "a reading that lags takes nothing more"
        now = tuple(
            replace(each, records=real.records, account_in=real.account_in)
            for each, real in zip(sent(again, *late), now, strict=True)
        )
        now = sent(look(*now, policy=policy), *now)
    inside = now[0].account_in
    for _ in range(LOOKS):
        plan = look(*now, policy=policy)
        assert not [*plan.steps]
        now = sent(plan, *now)
    assert now[0].account_in == inside


# -- one plane and the other -------------------------------------------------------------------


def synced(plan: Plan) -> list[tuple[object, ...]]:
    return [
        (each.name, each.standing, each.steps, each.refusals, each.kept, each.ledger)
        for each in plan.directories
    ]


@SOME
@given(organized_worlds(), policies, st.sampled_from(["answers", "down", "unknown"]))
def test_the_organization_changes_nothing_in_the_directories(
    worlds: Worlds, policy: Policy, how: str
) -> None:
    """Of people who hold no admin role, as far as it ever said. Law 3."""
    first = replace(worlds[0], account_before=None)
    if how == "answers":
        first = replace(first, account=PERSON)
    else:
        said = DOWN if how == "down" else MISSING
        first = replace(first, account=said, account_in=said, scim_links=said, active_members=DOWN)
    worlds = (first, *worlds[1:])
    alone = replace(policy, organization=False)
    plan, seen = look_closely(*worlds, policy=policy)
    # Whoever was remembered as outside may be found to have left, if the log is asked at all.
    without, _ = look_closely(*worlds, policy=alone, told=seen.answers)
    assert without.local is None
    assert synced(plan) == synced(without)
    steps = [each for each in plan.steps if each.directory != ORGANIZATION]
    assert steps == [*look(*worlds, policy=alone).steps]


@SOME
@given(
    organized_worlds(),
    policies,
    st.sampled_from(
        [
            Account(ANNS, "atlassian", "active", frozenset({"org-admin"})),
            Account(ANNS, "app", "active"),
        ]
    ),
)
def test_an_account_that_must_not_lose_anything_makes_no_plan_take_more(
    worlds: Worlds, policy: Policy, account: Account
) -> None:
    plain = (replace(worlds[0], account=PERSON, account_before=None), *worlds[1:])
    holds = (replace(plain[0], account=account), *worlds[1:])
    before, after = look(*plain, policy=policy), look(*holds, policy=policy)
    took = {(s.directory, s.group) for s in before.steps if s.action is Action.REMOVE}
    takes = {(s.directory, s.group) for s in after.steps if s.action is Action.REMOVE}
    assert takes <= took
