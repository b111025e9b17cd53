"""One membership: never touched, removed, given back. Design 3.4, 3.5."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hooks.core.asks import AskOktaGroup, AskSuccessor
from hooks.core.membership import Action
from hooks.core.memory import PastStep
from hooks.core.plan import Reason
from hooks.core.policy import Named, Policy, Restore, Suspended
from hooks.core.reading import MISSING, Successor
from hooks.core.refusal import Cause
from tests.core.worlds import (
    ANN,
    ASSIGNED,
    BOB,
    DOWN,
    EVERYONE,
    LEAVER,
    LOGIN,
    MAIN,
    NAMES,
    PRESENT,
    SUSPENDED,
    World,
    causes,
    changes,
    group,
    link,
    look,
    mapping,
    okta_group,
    past,
    record,
    refusal,
    source,
    target,
    with_memory,
)

REMOVE, ADD = Action.REMOVE, Action.ADD
ALL = ["-team-1", "-team-2"]


def called(world: World, name: str) -> World:
    """``team-2`` by another name, on both sides."""
    return replace(
        world,
        names={**NAMES, target(2): name},
        links=(link(1), link(2, name=name)),
        records=(record(group(1), group(2, name)),),
    )


def among(world: World, *groups: int) -> World:
    return replace(world, member_of=frozenset({EVERYONE, *map(source, groups)}))


# -- what is never touched ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "org-admins",
        "site-admins",
        "system-administrators",
        "administrators",
        "jira-administrators",
        "atlassian-addons",
        "atlassian-addons-admin",
        "Org-Admins",
        "ADMINISTRATORS",
    ],
)
def test_atlassians_own_groups_are_never_touched(name: str) -> None:
    plan = look(called(LEAVER, name))
    assert changes(plan) == ["-team-1"]
    assert (refusal(plan).cause, refusal(plan).group) == (Cause.NEVER, group(2).id)


@pytest.mark.parametrize("name", ["my-org-admins", "administrators-2", "jira-administrator"])
def test_a_name_that_is_only_like_one_of_them_is_touched(name: str) -> None:
    assert f"-{name}" in changes(look(called(LEAVER, name)))


@pytest.mark.parametrize("pattern", ["team-2", "TEAM-2", "*-2", str(group(2).id)])
def test_protected_groups_are_left_alone(pattern: str) -> None:
    plan = look(LEAVER, policy=Policy(protected_groups=("other", pattern)))
    assert (changes(plan), causes(plan)) == (["-team-1"], {Cause.PROTECTED})
    assert not plan.protected


# -- giving back -------------------------------------------------------------------------------

EMPTY = replace(among(PRESENT, 1, 2), records=(record(),))
TOOK = past((REMOVE, 1, "settled"))


@pytest.mark.parametrize(
    ("restore", "history", "expected"),
    [
        (Restore.OURS, (), []),
        (Restore.OURS, TOOK, ["+team-1"]),
        (Restore.ALL, (), ["+team-1", "+team-2"]),
        (Restore.ALL, TOOK, ["+team-1", "+team-2"]),
        (Restore.NONE, TOOK, []),
    ],
)
def test_restore_gives_back_ours_all_or_nothing(
    restore: Restore, history: tuple[PastStep, ...], expected: list[str]
) -> None:
    plan = look(with_memory(EMPTY, history=history), policy=Policy(restore=restore))
    assert changes(plan) == expected
    reasons = {step.group.display: step.reason for step in plan.steps}
    assert reasons.get("team-2", Reason.WANTED) is Reason.WANTED
    assert reasons.get("team-1") in (None, Reason.GIVEN_BACK if history else Reason.WANTED)


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        pytest.param(EMPTY, ["+team-1"], id="wanted again"),
        pytest.param(among(EMPTY, 2), [], id="not wanted"),
        pytest.param(replace(EMPTY, mappings=(mapping(1, "ERROR"),)), [], id="mapping in ERROR"),
        pytest.param(replace(EMPTY, mappings=(mapping(1, "INACTIVE"),)), [], id="INACTIVE"),
        pytest.param(replace(EMPTY, mappings=()), [], id="mapping vanished"),
        pytest.param(replace(EMPTY, links=()), [], id="mapping never matched"),
        pytest.param(replace(EMPTY, user=SUSPENDED.user), ["+team-1"], id="suspended, kept"),
        pytest.param(
            replace(EMPTY, app_user=replace(ASSIGNED, status="SUSPENDED")), [], id="not in force"
        ),
        pytest.param(replace(EMPTY, user=LEAVER.user), [], id="left"),
        pytest.param(replace(EMPTY, app_user=MISSING), [], id="unassigned"),
        pytest.param(replace(EMPTY, records=(record(group(1)),)), [], id="there again without us"),
    ],
)
def test_what_we_took_is_given_back_when_it_is_wanted_again(
    world: World, expected: list[str]
) -> None:
    assert changes(look(with_memory(world, history=TOOK))) == expected


def test_a_submitted_removal_counts_as_removed_whatever_a_lagging_reading_shows() -> None:
    lagging = with_memory(PRESENT, history=past((REMOVE, 1, "submitted")))
    assert changes(look(lagging)) == ["-team-2", "+team-1"]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        pytest.param({"mappings": (mapping(1, of=2),)}, Cause.MAPPING_MOVED, id="moved"),
        pytest.param({"names": {**NAMES, target(1): "x"}}, Cause.MAPPING_RENAMED, id="renamed"),
        pytest.param({"names": {}}, Cause.MAPPING_UNREADABLE, id="its target is 404"),
        pytest.param(
            {"says": {AskOktaGroup(target(1)): DOWN}}, Cause.MAPPING_UNREADABLE, id="down"
        ),
    ],
)
def test_nothing_is_given_back_through_a_mapping_that_changed(
    change: dict[str, object], cause: Cause
) -> None:
    world = replace(with_memory(EMPTY, history=TOOK), **change)  # type: ignore[arg-type]
    assert (changes(look(world)), causes(look(world))) == ([], {cause})


@pytest.mark.parametrize(("times", "expected"), [(2, ALL), (3, ["-team-2"]), (4, ["-team-2"])])
def test_a_removal_without_effect_is_tried_three_times(times: int, expected: list[str]) -> None:
    history = past(*[(REMOVE, 1, "submitted")] * times)
    plan = look(with_memory(LEAVER, history=history))
    assert changes(plan) == expected
    assert causes(plan) == (set() if times < 3 else {Cause.NO_EFFECT})


def test_an_addition_without_effect_is_tried_three_times() -> None:
    for times, expected in ((2, ["+team-1"]), (3, [])):
        history = past((REMOVE, 1, "settled"), *[(ADD, 1, "submitted")] * times)
        assert changes(look(with_memory(EMPTY, history=history))) == expected


# -- faults ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["org-admins", "administrators", "atlassian-addons-admin"])
def test_nobody_is_ever_added_to_atlassians_own_groups(name: str) -> None:
    world = replace(among(called(PRESENT, name), 1, 2), records=(record(),))
    assert changes(look(world, policy=Policy(restore=Restore.ALL))) == ["+team-1"]


def test_nobody_is_added_to_a_protected_group() -> None:
    policy = Policy(restore=Restore.ALL, protected_groups=("team-2",))
    assert changes(look(EMPTY, policy=policy)) == ["+team-1"]


def test_a_repair_stays_inside_the_pilot() -> None:
    policy = Policy(restore=Restore.ALL, scope=Named(frozenset({okta_group(66)})))
    assert changes(look(EMPTY, policy=policy)) == []


@pytest.mark.parametrize("policy", [Policy(), Policy(protected_groups=("org-admins",))])
def test_a_group_shown_without_its_name_is_known_by_the_remembered_one(policy: Policy) -> None:
    """``display`` is optional in SCIM."""
    world = replace(called(LEAVER, "org-admins"), records=(record(group(2, "")),))
    assert changes(look(world, policy=policy)) == []


@pytest.mark.parametrize("world", [SUSPENDED, PRESENT])
def test_a_record_somebody_in_force_holds_too_is_never_stripped(world: World) -> None:
    shared = with_memory(world, shared_with=frozenset({BOB}))
    plan = look(shared, policy=Policy(suspended=Suspended.STRIP))
    assert (changes(plan), causes(plan)) == ([], {Cause.SUCCESSOR})


def test_a_successor_of_a_suspended_person_wins_too() -> None:
    world = replace(SUSPENDED, successors=(Successor(BOB),))
    plan = look(world, policy=Policy(suspended=Suspended.STRIP))
    assert (changes(plan), causes(plan)) == ([], {Cause.SUCCESSOR})


def test_a_successor_search_that_answers_404_proves_nothing() -> None:
    plan = look(replace(LEAVER, says={AskSuccessor(MAIN, LOGIN): MISSING}))
    assert (changes(plan), causes(plan)) == ([], {Cause.SUCCESSOR_UNREAD})


def test_a_person_is_not_among_the_others_to_look_at() -> None:
    both = (Successor(ANN), Successor(BOB))
    assert look(replace(LEAVER, app_user=ASSIGNED, successors=both)).others == {BOB}
