"""Plans of one person: what is touched, what never is, what is given back. Design 3.1, 3.4, 3.5."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hooks.core.asks import AskOktaGroup, AskSuccessor
from hooks.core.ids import DirectoryName
from hooks.core.membership import Action, Standing
from hooks.core.policy import Named, Policy, Restore, Suspended
from hooks.core.reading import MISSING, Missing, Successor, Unread
from hooks.core.refusal import WAY_OUT, Cause
from tests.core.worlds import (
    ANN,
    ASSIGNED,
    BOB,
    DOWN,
    EVERYONE,
    FORBIDDEN,
    GONE,
    KNOWN,
    LEAVER,
    LOGIN,
    MAIN,
    NAMES,
    PRESENT,
    SUSPENDED,
    UNASSIGNED,
    USER,
    World,
    app_id,
    causes,
    changes,
    group,
    link,
    look,
    look_closely,
    mapping,
    okta_group,
    past,
    record,
    removed,
    scim_user,
    send,
    source,
    with_memory,
)

REMOVE, ADD = Action.REMOVE, Action.ADD
ALL = ["-team-1", "-team-2"]
STRIP = Policy(suspended=Suspended.STRIP)
EVERYTHING = Policy(restore=Restore.ALL)
GLASS = okta_group(66)
UNDER_GLASS = Policy(protected_okta_groups=Named(frozenset({GLASS})))
BESIDE = DirectoryName("beside")


def among(world: World, *groups: int) -> World:
    return replace(world, member_of=frozenset({EVERYONE, *map(source, groups)}))


# -- protected people, and the pilot -----------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "policy"),
    [
        pytest.param(LEAVER, Policy(protected_users=frozenset({ANN})), id="by Okta id"),
        pytest.param(LEAVER, Policy(protected_users=frozenset({LOGIN})), id="by login"),
        pytest.param(
            replace(LEAVER, user=replace(USER, status="DEPROVISIONED", login=LOGIN.upper())),
            Policy(protected_users=frozenset({LOGIN})),
            id="by login in another case",
        ),
        pytest.param(
            replace(LEAVER, member_of=frozenset({EVERYONE, GLASS}), names={**NAMES, GLASS: "g"}),
            UNDER_GLASS,
            id="by Okta group",
        ),
        pytest.param(
            replace(LEAVER, member_of=frozenset({EVERYONE, GLASS})),
            Policy(protected_okta_groups=Named(frozenset({GLASS, source(9)}))),
            id="by one of two Okta groups",
        ),
        pytest.param(replace(GONE, protected_before=True), Policy(), id="gone, protected before"),
        pytest.param(GONE, Policy(protected_users=frozenset({ANN})), id="gone, by Okta id"),
    ],
)
def test_protected_people_lose_nothing(world: World, policy: Policy) -> None:
    plan = look(world, policy=policy)
    assert (changes(plan), causes(plan)) == ([], {Cause.PROTECTED})
    assert plan.protected


@pytest.mark.parametrize("world", [PRESENT, LEAVER, UNASSIGNED, SUSPENDED])
@pytest.mark.parametrize(
    ("named", "groups", "cause", "retry"),
    [
        pytest.param(
            Named(frozenset({GLASS}), frozenset({"gone"})), None, Cause.PROTECTION_UNKNOWN, False,
            id="one of the names cannot be resolved",
        ),
        pytest.param(
            Named(unresolved=frozenset({"gone"})), None, Cause.PROTECTION_UNKNOWN, False,
            id="the only name cannot be resolved",
        ),
        pytest.param(
            Named(frozenset({GLASS})), DOWN, Cause.PROTECTION_UNKNOWN, True, id="groups unread"
        ),
    ],
)  # fmt: skip
def test_unknown_protection_stops_every_removal(
    world: World, named: Named, groups: Unread | None, cause: Cause, *, retry: bool
) -> None:
    world = replace(world, member_of=groups or world.member_of)
    plan = look(world, policy=replace(STRIP, protected_okta_groups=named))
    assert changes(plan) == []
    assert causes(plan) <= {cause, Cause.GROUPS_UNREAD}
    assert any(each.retry for each in plan.refusals) is retry


@pytest.mark.parametrize("world", [PRESENT, LEAVER, UNASSIGNED])
@pytest.mark.parametrize(
    ("scope", "cause"),
    [
        pytest.param(Named(frozenset({source(1)})), None, id="in the pilot"),
        pytest.param(Named(frozenset({source(1), GLASS})), None, id="in one of its groups"),
        pytest.param(Named(frozenset({GLASS})), Cause.OUT_OF_SCOPE, id="outside"),
        pytest.param(
            Named(frozenset({source(1)}), frozenset({"x"})), Cause.SCOPE_UNKNOWN, id="unresolved"
        ),
    ],
)
def test_a_pilot_touches_its_members_only(world: World, scope: Named, cause: Cause | None) -> None:
    plan = look(world, policy=Policy(scope=scope))
    assert changes(plan) == ([] if cause else changes(look(world)))
    assert causes(plan) == ({cause} if cause else set())


def test_a_pilot_whose_membership_cannot_be_read_touches_nobody() -> None:
    plan = look(replace(LEAVER, member_of=DOWN), policy=Policy(scope=Named(frozenset({GLASS}))))
    assert (changes(plan), causes(plan)) == ([], {Cause.SCOPE_UNKNOWN})
    assert all(each.retry for each in plan.refusals)


def test_protection_goes_before_scope() -> None:
    policy = Policy(protected_users=frozenset({ANN}), scope=Named(frozenset({GLASS})))
    assert causes(look(LEAVER, policy=policy)) == {Cause.PROTECTED}


# -- the Okta groups ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "world", [PRESENT, SUSPENDED, with_memory(PRESENT, standing=Standing.LEFT)]
)
@pytest.mark.parametrize(
    ("groups", "cause"), [(frozenset(), Cause.GROUPS_EMPTY), (DOWN, Cause.GROUPS_UNREAD)]
)
def test_who_is_wanted_is_not_judged_by_groups_that_are_not_there(
    world: World, groups: frozenset[object] | Unread, cause: Cause
) -> None:
    unseen = replace(world, member_of=groups)  # type: ignore[arg-type]
    plan = look(unseen, policy=EVERYTHING)
    assert (changes(plan), causes(plan)) == ([], {cause})


# -- successors --------------------------------------------------------------------------------


@pytest.mark.parametrize("world", [LEAVER, UNASSIGNED, GONE])
def test_a_successor_wins(world: World) -> None:
    for heir in (
        replace(world, successors=(Successor(BOB),)),
        with_memory(world, standing=world.memory.standing, shared_with=frozenset({BOB})),
    ):
        plan = look(heir)
        assert (changes(plan), causes(plan)) == ([], {Cause.SUCCESSOR})
        assert plan.others == {BOB}


def test_a_successor_that_cannot_be_read_may_be_there() -> None:
    ask = AskSuccessor(MAIN, LOGIN)
    for why in (DOWN, FORBIDDEN):
        plan = look(replace(LEAVER, says={ask: why}))
        assert (changes(plan), causes(plan)) == ([], {Cause.SUCCESSOR_UNREAD})
        assert all(each.retry is why.passing for each in plan.refusals)


def test_a_person_is_not_their_own_successor() -> None:
    assert changes(look(replace(LEAVER, app_user=ASSIGNED, successors=(Successor(ANN),)))) == ALL


def test_a_successor_is_asked_for_only_before_an_absent_person_loses_something() -> None:
    ask = AskSuccessor(MAIN, LOGIN)
    assert ask in look_closely(LEAVER)[1].answers
    assert ask not in look_closely(PRESENT)[1].answers
    assert ask not in look_closely(replace(LEAVER, records=(record(),)))[1].answers


# -- order, evidence, several directories ------------------------------------------------------

OTHER = replace(
    LEAVER,
    user=USER,
    name=BESIDE,
    app_id=app_id(2),
    app_user=MISSING,
    memory=replace(KNOWN, scim_id=scim_user(2)),
    records=(record(group(5), number=2),),
    mappings=(mapping(5),),
    links=(link(5),),
)


def test_removals_come_before_additions_over_all_directories() -> None:
    giving = with_memory(among(PRESENT, 1), history=past((REMOVE, 1, "submitted")))
    assert changes(look(giving, OTHER)) == ["-team-2", "-team-5", "+team-1"]
    assert changes(look(OTHER, giving))[-1] == "+team-1"


def test_each_directory_is_judged_by_itself() -> None:
    plan = look(replace(PRESENT, app=DOWN), OTHER)
    assert removed(plan) == {(BESIDE, group(5).id)}
    assert causes(plan) == {Cause.APP_UNREAD}
    assert [each.standing for each in plan.directories] == [Standing.UNCLEAR, Standing.UNASSIGNED]


def test_a_step_carries_ids_and_statuses_and_nothing_personal() -> None:
    for world in (PRESENT, LEAVER, GONE):
        for step in look(world).steps:
            assert any("mapping:" in each for each in step.evidence)
            assert LOGIN not in repr(step)
    user, assignment, seen, *_ = next(look(GONE).steps).evidence
    assert (user, assignment) == ("user:missing", "app_user:missing")
    assert seen == f"record:{KNOWN.scim_id} active"


def test_a_plan_shows_nobodys_address() -> None:
    for world in (PRESENT, LEAVER, replace(LEAVER, successors=(Successor(BOB),))):
        assert LOGIN not in repr(look(world))


def test_after_a_story_everything_is_where_it_was() -> None:
    """Left, came back, lost a group: removed, given back, removed."""
    world = replace(among(PRESENT, 1, 2), records=(record(group(1), group(2), group(8)),))
    left = replace(world, user=LEAVER.user, app_user=MISSING)
    after = send(look(left), left)
    assert after.records == (record(group(8)),)
    again = replace(after, user=USER, app_user=ASSIGNED)
    assert changes(look(again)) == ["+team-1", "+team-2"]
    given = send(look(again), again)
    assert given.records == world.records
    assert changes(look(given)) == []
    assert changes(look(among(given, 1))) == ["-team-2"]


def test_every_cause_names_its_way_out() -> None:
    assert set(WAY_OUT) == set(Cause)
    assert all(text.endswith(".") for text in WAY_OUT.values())


# -- faults ------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [MISSING, DOWN, FORBIDDEN])
def test_not_in_a_protected_group_counts_only_if_the_group_can_be_read(
    said: Unread | Missing,
) -> None:
    """Resolved once, then deleted or hidden: the list of her groups does not show it any more."""
    plan = look(replace(LEAVER, says={AskOktaGroup(GLASS): said}), policy=UNDER_GLASS)
    assert (changes(plan), causes(plan)) == ([], {Cause.PROTECTION_UNKNOWN})


@pytest.mark.parametrize("world", [LEAVER, UNASSIGNED])
def test_an_empty_list_of_groups_does_not_show_that_somebody_is_unprotected(world: World) -> None:
    """Everybody is in Everyone, leavers too: Okta keeps the groups of the deactivated."""
    glass = {**NAMES, GLASS: "Break glass"}
    unseen = replace(world, member_of=frozenset(), names=glass)
    assert causes(look(unseen, policy=UNDER_GLASS)) == {Cause.PROTECTION_UNKNOWN}


def test_a_protected_login_is_known_by_the_remembered_username() -> None:
    plan = look(GONE, policy=Policy(protected_users=frozenset({LOGIN})))
    assert (changes(plan), causes(plan)) == ([], {Cause.PROTECTED})


@pytest.mark.parametrize(
    ("protected", "before", "cause"),
    [
        pytest.param({"ceo@example.com"}, False, Cause.PROTECTION_UNKNOWN, id="perhaps this one"),
        pytest.param({"ceo@example.com"}, True, Cause.PROTECTED, id="protected before"),
        pytest.param({ANN}, False, Cause.PROTECTED, id="by Okta id"),
        pytest.param({"00u" + "9" * 17}, False, None, id="only ids are protected"),
        pytest.param(set(), False, None, id="nobody is protected"),
    ],
)
def test_a_deleted_user_whose_login_cannot_be_opened_may_be_a_protected_one(
    protected: set[str],
    before: bool,  # noqa: FBT001
    cause: Cause | None,
) -> None:
    memory = replace(GONE.memory, user_name="", locked=True)
    world = replace(GONE, memory=memory, protected_before=before)
    plan = look(world, policy=Policy(protected_users=frozenset(protected)))
    assert causes(plan) == ({cause} if cause else set())
    assert bool(changes(plan)) is (cause is None)


def test_a_login_that_cannot_be_opened_is_no_matter_while_okta_tells_it() -> None:
    world = replace(LEAVER, memory=replace(LEAVER.memory, user_name="", locked=True))
    plan = look(world, policy=Policy(protected_users=frozenset({"ceo@example.com"})))
    assert (bool(changes(plan)), causes(plan)) == (True, set())


def test_a_refusal_for_good_is_not_tried_again() -> None:
    """The group is never touched, whatever the unread list of groups would say."""
    policy = Policy(protected_okta_groups=UNDER_GLASS.protected_okta_groups,
                    protected_groups=("team-*",))  # fmt: skip
    plan = look(replace(LEAVER, member_of=DOWN), policy=policy)
    assert causes(plan) == {Cause.PROTECTED}
    assert not any(each.retry for each in plan.refusals)
