"""Laws of the plan, over random people. Design 2, 3."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hooks.core.asks import Ask, AskLog
from hooks.core.decide import decide
from hooks.core.history import LogFacts
from hooks.core.ids import ScimGroupId
from hooks.core.membership import Action, Standing, State
from hooks.core.memory import Claim, Claimed, PastStep
from hooks.core.plan import Plan
from hooks.core.policy import Named, Orphaned, Policy, Restore, Suspended
from hooks.core.reading import MISSING, Answer, App, AppUser, OktaUser, Successor, Unread
from tests.core.chance import NUMBERS, unread, worlds
from tests.core.worlds import (
    ANN,
    APP,
    ASSIGNED,
    BOB,
    EVERYONE,
    NOW,
    ROUNDS,
    USER,
    World,
    answer,
    changes,
    group,
    logged,
    look,
    look_closely,
    reading,
    record,
    removed,
    scim_group,
    send,
    source,
)

FEW = settings(max_examples=60)
SOME = settings(FEW, max_examples=100)

policies = st.builds(
    Policy,
    suspended=st.sampled_from(Suspended),
    restore=st.sampled_from(Restore),
    orphaned=st.sampled_from(Orphaned),
)
histories = st.lists(
    st.tuples(st.sampled_from(Action), NUMBERS.map(scim_group), st.sampled_from(State)), max_size=4
).map(lambda steps: tuple(PastStep(i, a, g, s) for i, (a, g, s) in enumerate(steps)))
claims = st.lists(
    st.builds(
        Claimed,
        st.uuids().map(str),
        st.sampled_from(Claim),
        st.sampled_from(["", APP, *map(source, range(1, 5))]),
        st.integers(-5, 700).map(lambda ago: NOW - timedelta(seconds=ago)),
        st.sampled_from([None, NOW, NOW - timedelta(seconds=30), NOW - timedelta(hours=1)]),
    ),
    max_size=4,
).map(tuple)


def ids(world: World) -> set[ScimGroupId]:
    return {each.id for each in world.records[0].groups or ()}


# -- what is wanted ----------------------------------------------------------------------------


def keeps(world: World, policy: Policy) -> bool | None:
    """Whether Okta groups count (true), nothing is wanted (false), nothing changes (none).

    Told from design 3.3 alone, for people of whom everything is known.
    """
    user, assignment = world.user, world.app_user
    assert isinstance(user, OktaUser)
    if "DEPROVISIONED" in (user.status, user.transitioning_to):
        return False
    if not isinstance(assignment, AppUser):
        return False
    if assignment.status in ("DEPROVISIONED", "REVOKED", "INACTIVE", "UNASSIGNED"):
        return False
    if "SUSPENDED" in (user.status, assignment.status):
        return policy.suspended is Suspended.KEEP
    return True


def unwanted(world: World, policy: Policy) -> set[ScimGroupId]:
    """The memberships that design 3.4 says must go."""
    assert not isinstance(world.mappings, Unread)
    assert not isinstance(world.member_of, Unread)
    behind: dict[ScimGroupId, list[tuple[bool, bool]]] = {}
    listed = {each.id for each in world.mappings}
    for each in world.mappings:
        led = scim_group(int(each.target[-1]))
        member = each.source in world.member_of
        behind.setdefault(led, []).append((each.status in ("ACTIVE", "ERROR"), member))
    for link in world.links:
        if link.mapping not in listed:
            member = link.source in world.member_of
            behind.setdefault(link.group, []).append((False, member))
    kept = keeps(world, policy)
    strip = policy.orphaned is Orphaned.STRIP_ABSENT and absent(world)
    return {
        led
        for led, sources in behind.items()
        if led in ids(world) - {scim_group(9)}
        and (any(live for live, _ in sources) or strip)
        and not (kept and any(member for _, member in sources))
    }


def absent(world: World) -> bool:
    return look(world).directories[0].standing.absent


@SOME
@given(worlds(), policies)
def test_the_plan_removes_exactly_what_no_source_justifies(world: World, policy: Policy) -> None:
    plan = look(world, policy=policy)
    assert {led for _, led in removed(plan)} == unwanted(world, policy)


@SOME
@given(worlds(), policies)
def test_sending_the_plan_reaches_what_is_wanted_and_then_rests(
    world: World, policy: Policy
) -> None:
    after = send(look(world, policy=policy), world)
    gone = unwanted(world, policy)
    assert ids(world) - gone <= ids(after)
    assert not ids(after) & gone
    again = look(after, policy=policy)
    assert changes(again) == []
    assert send(again, after).records == after.records


@SOME
@given(worlds(), policies)
def test_nothing_unmanaged_and_nothing_never_moves(world: World, policy: Policy) -> None:
    for step in look(world, policy=policy).steps:
        assert step.group.id not in (scim_group(8), scim_group(9))


@SOME
@given(worlds(), histories, claims)
def test_a_plan_never_undoes_itself_and_takes_before_it_gives(
    world: World, history: tuple[PastStep, ...], heard: tuple[Claimed, ...]
) -> None:
    told = replace(world, memory=replace(world.memory, history=history), claims=heard)
    plan = look(told, policy=Policy(restore=Restore.ALL))
    signs = [each[0] for each in changes(plan)]
    assert signs == sorted(signs, reverse=True)
    assert len({each[1:] for each in changes(plan)}) == len(signs)


@SOME
@given(worlds(), policies)
def test_leaving_and_coming_back_gives_everything_back(world: World, policy: Policy) -> None:
    policy = replace(policy, restore=Restore.OURS)
    world = replace(world, user=USER, app_user=ASSIGNED)
    settled = send(look(world, policy=policy), world)
    left = replace(settled, user=OktaUser(ANN, "DEPROVISIONED"))
    away = send(look(left, policy=policy), left)
    back = replace(send(look(away, policy=policy), away), user=USER)
    returned = send(look(back, policy=policy), back)
    assert not isinstance(world.mappings, Unread)
    assert not isinstance(world.member_of, Unread)
    active = {
        scim_group(int(each.target[-1]))
        for each in world.mappings
        if each.status == "ACTIVE" and each.source in world.member_of
    }
    assert ids(settled) & (active | ids(away)) <= ids(returned) <= ids(settled)
    assert changes(look(returned, policy=policy)) == []


# -- refusing ----------------------------------------------------------------------------------


@SOME
@given(worlds(), policies, unread)
def test_not_knowing_one_thing_never_adds_a_removal(
    world: World, policy: Policy, why: Unread
) -> None:
    plan, seen = look_closely(world, policy=policy)
    allowed = removed(plan)
    flips = [
        replace(world, user=why),
        replace(world, member_of=why),
        replace(world, app=why),
        replace(world, app=MISSING),
        replace(world, app=App(APP, "INACTIVE")),
        replace(world, app_user=why),
        replace(world, mappings=why),
        *(replace(world, says={ask: why}) for ask in seen.answers),
        *(replace(world, says={ask: MISSING}) for ask in seen.answers if ask != AskLog()),
    ]
    for flipped in flips:
        assert removed(look(flipped, policy=policy)) <= allowed


@SOME
@given(worlds(), policies, claims)
def test_claims_only_ever_withhold(
    world: World, policy: Policy, heard: tuple[Claimed, ...]
) -> None:
    """Between two sets of claims a newer one may lift an older one; against none they only hold."""
    allowed = set(changes(look(world, policy=policy)))
    assert set(changes(look(replace(world, claims=heard), policy=policy))) <= allowed


@SOME
@given(worlds(), policies, claims, st.randoms())
def test_the_order_and_repetition_of_claims_mean_nothing(
    world: World, policy: Policy, heard: tuple[Claimed, ...], dice: Random
) -> None:
    mixed = [*heard, *heard]
    dice.shuffle(mixed)
    first = look(replace(world, claims=heard), policy=policy)
    second = look(replace(world, claims=tuple(mixed)), policy=policy)
    assert changes(first) == changes(second)


@FEW
@given(worlds(), policies)
def test_protected_people_and_strangers_to_the_pilot_lose_nothing(
    world: World, policy: Policy
) -> None:
    for guarded in (
        replace(policy, protected_users=frozenset({ANN})),
        replace(policy, protected_okta_groups=Named(frozenset({EVERYONE}))),
        replace(policy, protected_okta_groups=Named(unresolved=frozenset({"x"}))),
        replace(policy, protected_groups=("*",)),
        replace(policy, scope=Named(frozenset({source(9)}))),
        replace(policy, scope=Named(frozenset({EVERYONE}), frozenset({"x"}))),
    ):
        assert not removed(look(world, policy=guarded))


@FEW
@given(worlds(), policies)
def test_a_successor_keeps_the_record_of_the_absent(world: World, policy: Policy) -> None:
    assume(absent(world))
    assert not removed(look(replace(world, successors=(Successor(BOB),)), policy=policy))
    assert not removed(look(replace(world, records=(record(group(1), external_id=BOB),))))


@SOME
@given(worlds(), policies, st.randoms())
def test_the_order_in_which_answers_come_means_nothing(
    world: World, policy: Policy, dice: Random
) -> None:
    at_once, seen = look_closely(world, policy=policy)
    answers: dict[Ask, Answer] = {}
    while asks := sorted(decide(reading(world, answers=answers), policy).asks, key=repr):
        one = dice.choice(asks)
        assert one not in answers
        answers[one] = answer(one, world)
    plan = decide(reading(world, answers=answers), policy)
    assert (changes(plan), list(plan.refusals)) == (changes(at_once), list(at_once.refusals))
    assert decide(seen, policy) == at_once


# -- total -------------------------------------------------------------------------------------

statuses = st.sampled_from(["ACTIVE", "SUSPENDED", "DEPROVISIONED", "STAGED", "IMPORTED", "", "?"])
nothing = st.just(MISSING) | unread


@SOME
@given(st.data(), worlds(), policies, histories, claims)
def test_any_mixture_of_answers_ends_in_a_plan(
    data: st.DataObject,
    world: World,
    policy: Policy,
    history: tuple[PastStep, ...],
    heard: tuple[Claimed, ...],
) -> None:
    """Whatever is missing: no exception, an end to asking, and each group in one place."""
    draw = data.draw
    memory = replace(
        world.memory,
        history=history,
        ever_in_force=draw(st.booleans()),
        standing=draw(st.sampled_from([None, *Standing])),
        scim_id=draw(st.sampled_from([None, world.memory.scim_id])),
        shared_with=draw(st.sampled_from([frozenset(), frozenset({BOB})])),
    )
    odd = replace(
        world,
        memory=memory,
        claims=heard,
        user=draw(st.just(world.user) | nothing | st.builds(OktaUser, st.just(ANN), statuses)),
        member_of=draw(st.just(world.member_of) | unread | st.just(frozenset())),
        app=draw(st.just(world.app) | nothing | st.builds(App, st.just(APP), statuses)),
        app_user=draw(
            st.just(world.app_user) | nothing | st.builds(AppUser, st.just(ANN), statuses)
        ),
        mappings=draw(st.just(world.mappings) | unread | st.just(())),
        log=draw(st.sampled_from([LogFacts(), logged(deactivated=NOW)]) | unread),
        protected_before=draw(st.booleans()),
    )
    answers: dict[Ask, Answer] = {}
    for _ in range(ROUNDS):
        plan = decide(reading(odd, answers=dict(answers)), policy)
        new = plan.asks - answers.keys()
        if not new:
            break
        for ask in sorted(new, key=repr):
            real = st.just(answer(ask, odd))
            answers[ask] = draw(real | (unread if ask == AskLog() else nothing))
    assert not plan.asks
    check_places(plan)


def check_places(plan: Plan) -> None:
    for directory in plan.directories:
        stepped = [step.group.id for step in directory.steps]
        refused = [each.group for each in directory.refusals if each.group]
        assert len(stepped) == len(set(stepped))
        assert not set(stepped) & set(refused)
        if directory.standing in (Standing.UNCLEAR, Standing.OUTSIDE):
            assert not stepped
        if directory.standing is Standing.UNCLEAR:
            assert directory.refusals
        if any(each.group is None for each in directory.refusals):
            assert not stepped
        if directory.standing.absent:
            assert all(step.action is Action.REMOVE for step in directory.steps)
