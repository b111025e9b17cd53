"""Which mappings stand behind a group, and what makes one of them untrusted. Design 3.2, 3.4."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hooks.core.asks import AskOktaGroup
from hooks.core.ids import OktaGroupId
from hooks.core.membership import Group
from hooks.core.memory import Claim, Claimed, Link
from hooks.core.plan import Because
from hooks.core.policy import Orphaned, Policy, Restore
from hooks.core.reading import Answer, PushMapping, Unread, Why
from hooks.core.refusal import Cause
from tests.core.worlds import (
    DOWN,
    EVERYONE,
    FORBIDDEN,
    LEAVER,
    NAMES,
    NOW,
    PRESENT,
    World,
    causes,
    changes,
    group,
    link,
    look,
    look_closely,
    mapping,
    record,
    refusal,
    scim_group,
    source,
    target,
)

STRIP = Policy(orphaned=Orphaned.STRIP_ABSENT)
ALL = ["-team-1", "-team-2"]


def pushed(
    world: World, *mappings: PushMapping, links: tuple[Link, ...] = (), groups: tuple[int, ...]
) -> World:
    """The person in these groups, with these mappings and what is remembered of them."""
    held = record(*(group(number) for number in groups))
    return replace(world, mappings=mappings, links=links, records=(held,))


def hiding(world: World, *groups: OktaGroupId) -> World:
    return replace(world, names={k: v for k, v in world.names.items() if k not in groups})


def telling(world: World, about: OktaGroupId, said: Answer) -> World:
    return replace(world, says={**world.says, AskOktaGroup(about): said})


def unmanaged(world: World) -> set[str]:
    (directory,) = look(world).directories
    return {each.group.display for each in directory.kept if each.because is Because.UNMANAGED}


# -- sources -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param(mapping(2, of=1, to=2), [], id="another source has her"),
        pytest.param(mapping(2, of=3, to=2), ["-team-2"], id="no source has her"),
        pytest.param(mapping(2, "ERROR", of=1, to=2), [], id="a source in ERROR keeps"),
        pytest.param(mapping(2, "INACTIVE", of=1, to=2), [], id="an INACTIVE source keeps"),
        pytest.param(None, [], id="a source of a vanished mapping keeps"),
    ],
)
def test_any_source_keeps_a_group(second: PushMapping | None, expected: list[str]) -> None:
    """``team-2`` is pushed from source-4 as well, where she is not."""
    listed = (mapping(4, of=4, to=2), *([second] if second else []))
    of = 3 if second and second.source == source(3) else 1
    links = (link(4, of=4, to=2), link(2, of=of, to=2))
    assert changes(look(pushed(PRESENT, *listed, links=links, groups=(2,)))) == expected


def test_one_source_can_be_pushed_to_several_groups() -> None:
    world = pushed(PRESENT, mapping(1, of=1, to=1), mapping(2, of=1, to=2), groups=(1, 2))
    assert changes(look(world)) == []
    assert changes(look(replace(world, member_of=frozenset({EVERYONE})))) == ALL


def test_a_mapping_in_error_still_removes() -> None:
    assert changes(look(pushed(PRESENT, mapping(2, "ERROR"), groups=(2,)))) == ["-team-2"]


@pytest.mark.parametrize("status", ["ACTIVE", "ERROR"])
def test_an_inactive_source_beside_a_live_one_cannot_save_who_is_in_none(status: str) -> None:
    listed = (mapping(2, status), mapping(3, "INACTIVE", of=3, to=2))
    assert changes(look(pushed(PRESENT, *listed, groups=(2,)))) == ["-team-2"]


@pytest.mark.parametrize(
    ("said", "expected", "cause"),
    [
        pytest.param(DOWN, [], Cause.SOURCE_UNREADABLE, id="unread"),
        pytest.param(FORBIDDEN, [], Cause.SOURCE_UNREADABLE, id="forbidden"),
        pytest.param(None, [], Cause.SOURCE_UNREADABLE, id="404"),
    ],
)
def test_not_in_a_group_counts_only_if_the_group_can_be_read(
    said: Unread | None, expected: list[str], cause: Cause
) -> None:
    world = telling(PRESENT, source(2), said) if said else hiding(PRESENT, source(2))
    plan = look(world)
    assert (changes(plan), causes(plan)) == (expected, {cause})
    assert refusal(plan).retry is (said is DOWN)
    assert changes(look(replace(world, user=LEAVER.user))) == ALL


def test_a_deleted_source_of_a_vanished_mapping_keeps_nobody() -> None:
    listed, links = mapping(2), (link(2), link(3, of=3, to=2))
    world = hiding(pushed(PRESENT, listed, links=links, groups=(2,)), source(3))
    assert changes(look(world)) == ["-team-2"]


def test_a_deleted_target_of_a_vanished_mapping_stops_nothing() -> None:
    vanished = replace(link(3), group=group(2).id, name="team-2")
    world = pushed(LEAVER, mapping(2), links=(link(2), vanished), groups=(2,))
    assert changes(look(hiding(world, target(3)))) == ["-team-2"]


# -- orphans -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(
            pushed(LEAVER, links=(link(1), link(2)), groups=(1, 2)), id="all mappings vanished"
        ),
        pytest.param(
            pushed(LEAVER, mapping(1, "INACTIVE"), mapping(2, "INACTIVE"), groups=(1, 2)),
            id="all mappings INACTIVE",
        ),
        pytest.param(
            pushed(LEAVER, mapping(1, "PAUSED"), links=(link(1), link(2)), groups=(1, 2)),
            id="a status nobody knows counts as INACTIVE",
        ),
    ],
)
def test_an_orphan_is_reported_or_stripped_from_the_absent(world: World) -> None:
    assert (changes(look(world)), causes(look(world))) == ([], {Cause.ORPHANED})
    assert changes(look(world, policy=STRIP)) == ALL
    present = replace(world, user=PRESENT.user, app_user=PRESENT.app_user)
    plan = look(present, policy=STRIP)
    assert changes(plan) == []
    assert refusal(plan).group == group(2).id


def test_a_group_no_mapping_leads_to_is_reported_and_never_touched() -> None:
    for world in (PRESENT, LEAVER):
        alone = pushed(world, mapping(1), groups=(2, 3))
        assert (changes(look(alone, policy=STRIP)), unmanaged(alone)) == ([], {"team-2", "team-3"})


# -- remembering -------------------------------------------------------------------------------


def test_a_mapping_is_matched_by_exact_name_once_and_remembered() -> None:
    world = replace(PRESENT, links=())
    (directory,) = look(world).directories
    assert set(directory.fresh) == {link(1), link(2)}
    assert changes(look(world)) == changes(look(PRESENT)) == ["-team-2"]
    assert not look(PRESENT).directories[0].fresh


@pytest.mark.parametrize("name", ["Team-2", "team-2 ", "team", "team-22", ""])
def test_no_other_name_matches(name: str) -> None:
    world = replace(PRESENT, links=(link(1),), names={**NAMES, target(2): name})
    assert (changes(look(world)), unmanaged(world)) == ([], {"team-2"})


def test_a_new_mapping_to_a_remembered_target_needs_no_name() -> None:
    listed = (mapping(5, of=1, to=2), mapping(2))
    world = pushed(PRESENT, *listed, links=(link(2),), groups=(2,))
    assert changes(look(world)) == []
    (fresh,) = look(world).directories[0].fresh
    assert fresh == link(5, of=1, to=2)


def test_only_targets_of_touched_groups_are_read_again() -> None:
    _, seen = look_closely(PRESENT)
    assert AskOktaGroup(target(2)) in seen.answers
    assert AskOktaGroup(target(1)) not in seen.answers


MOVED = [
    pytest.param(mapping(2, of=3), id="its source"),
    pytest.param(mapping(2, to=3), id="its target"),
    pytest.param(mapping(2, "ERROR", of=3, to=3), id="both, in ERROR"),
]


@pytest.mark.parametrize("world", [PRESENT, LEAVER])
@pytest.mark.parametrize("now", MOVED)
def test_a_mapping_that_moved_is_refused_until_accepted(world: World, now: PushMapping) -> None:
    plan = look(pushed(world, now, links=(link(2),), groups=(2,)), policy=STRIP)
    assert (changes(plan), causes(plan)) == ([], {Cause.MAPPING_MOVED})


@pytest.mark.parametrize("world", [PRESENT, LEAVER])
@pytest.mark.parametrize(
    ("change", "cause"),
    [
        pytest.param(
            {"names": {**NAMES, target(2): "renamed"}}, Cause.MAPPING_RENAMED, id="renamed in Okta"
        ),
        pytest.param(
            {"records": (record(group(2, "renamed")),)},
            Cause.MAPPING_RENAMED,
            id="renamed in Atlassian",
        ),
        pytest.param(
            {"says": {AskOktaGroup(target(2)): FORBIDDEN}}, Cause.MAPPING_UNREADABLE, id="forbidden"
        ),
        pytest.param(
            {"says": {AskOktaGroup(target(2)): DOWN}}, Cause.MAPPING_UNREADABLE, id="not answering"
        ),
        pytest.param(
            {"names": {source(2): "source-2"}}, Cause.MAPPING_UNREADABLE, id="its target is 404"
        ),
    ],
)
def test_a_mapping_that_is_not_as_remembered_is_refused(
    world: World, change: dict[str, object], cause: Cause
) -> None:
    held = pushed(world, mapping(2), links=(link(2),), groups=(2,))
    plan = look(replace(held, **change))  # type: ignore[arg-type]
    assert (changes(plan), causes(plan)) == ([], {cause})
    assert refusal(plan).retry is (change.get("says") == {AskOktaGroup(target(2)): DOWN})


def test_an_accepted_rename_is_trusted_under_its_new_name() -> None:
    names = {**NAMES, target(2): "new"}
    held = pushed(LEAVER, mapping(2), links=(link(2),), groups=())
    held = replace(held, names=names, records=(record(group(2, "new")),))
    assert not changes(look(held))
    accepted = replace(held, links=(replace(link(2), accept=True),))
    assert changes(look(accepted)) == ["-new"]
    assert look(accepted).directories[0].fresh == (link(2, name="new"),)


def test_an_accepted_move_counts_by_its_new_source() -> None:
    held = pushed(PRESENT, mapping(2, of=1), links=(replace(link(2), accept=True),), groups=(2,))
    assert changes(look(held)) == []
    assert look(held).directories[0].fresh == (link(2, of=1),)


def test_unread_mappings_stop_the_directory() -> None:
    for why in Why:
        for world in (PRESENT, LEAVER):
            plan = look(replace(world, mappings=Unread(why)), policy=Policy(restore=Restore.ALL))
            assert (changes(plan), causes(plan)) == ([], {Cause.MAPPINGS_UNREAD})


def test_a_mapping_whose_target_is_hidden_may_lead_anywhere() -> None:
    """Somebody in its source keeps everything; somebody else loses what other mappings say."""
    listed = (mapping(2), mapping(5, of=1, to=5))
    world = hiding(pushed(PRESENT, *listed, links=(link(2),), groups=(2,)), target(5))
    assert (changes(look(world)), causes(look(world))) == ([], {Cause.MAPPING_UNREADABLE})
    elsewhere = replace(world, member_of=frozenset({EVERYONE, source(7)}))
    assert changes(look(elsewhere)) == ["-team-2"]
    assert changes(look(replace(world, user=LEAVER.user))) == ["-team-2"]


# -- faults ------------------------------------------------------------------------------------


def test_a_mapping_that_moved_onto_a_group_keeps_its_people() -> None:
    """Mapping 1 pushed source-1 to team-1; now it pushes source-1 to team-2, and she is in it."""
    listed = (mapping(1, of=1, to=2), mapping(2))
    assert not changes(look(pushed(PRESENT, *listed, links=(link(1), link(2)), groups=(2,))))


@pytest.mark.parametrize("said", [DOWN, FORBIDDEN])
def test_a_group_is_not_given_up_while_a_target_cannot_be_read(said: Unread) -> None:
    """That she is in its source keeps nothing once she left."""
    for number in (1, 2):
        world = pushed(LEAVER, mapping(number), groups=(number,))
        plan = look(telling(world, target(number), said))
        assert causes(plan) == {Cause.MAPPING_UNREADABLE}
        assert refusal(plan).retry or plan.directories[0].waiting


def test_a_mapping_that_moved_to_where_nobody_knows_may_lead_anywhere() -> None:
    world = pushed(LEAVER, mapping(1, of=1, to=5), links=(link(1),), groups=(5,))
    assert causes(look(world)) == {Cause.MAPPING_UNREADABLE}


def test_a_loose_mapping_that_does_not_answer_is_asked_again() -> None:
    listed = (mapping(2), mapping(5, of=1, to=5))
    world = telling(pushed(PRESENT, *listed, links=(link(2),), groups=(2,)), target(5), DOWN)
    assert refusal(look(world)).retry or look(world).directories[0].waiting


def test_the_source_of_a_loose_mapping_must_be_readable_too() -> None:
    """She may be in source-5, which this credential cannot see, and which may lead here."""
    world = pushed(PRESENT, mapping(2), mapping(5), links=(link(2),), groups=(2,))
    assert changes(look(hiding(world, source(5), target(5)))) == []


def test_a_new_mapping_does_not_launder_a_renamed_target() -> None:
    listed = mapping(5, of=5, to=2)
    world = pushed(PRESENT, listed, links=(link(2),), groups=(2,))
    plan = look(replace(world, names={**NAMES, target(2): "renamed"}))
    assert (changes(plan), causes(plan)) == ([], {Cause.MAPPING_RENAMED})


def test_an_accepted_mapping_that_vanished_still_keeps() -> None:
    links = (replace(link(1, of=1, to=2), accept=True), link(2))
    assert changes(look(pushed(PRESENT, mapping(2), links=links, groups=(2,)))) == []


def test_a_group_made_anew_under_a_remembered_name_is_refused_visibly() -> None:
    """Its id is another, so the link does not lead to it, and a leaver keeps it unseen."""
    again = Group(scim_group(77), "team-2")
    world = replace(LEAVER, records=(record(again),))
    assert causes(look(world)) == {Cause.MAPPING_MOVED}


def test_a_name_that_two_groups_have_matches_neither() -> None:
    twins = (Group(scim_group(76), "team-2"), Group(scim_group(77), "team-2"))
    world = replace(LEAVER, links=(), mappings=(mapping(2),), records=(record(*twins),))
    assert changes(look(world)) == []


def test_an_acceptance_waits_for_somebody_who_is_in_the_group() -> None:
    """Renamed by making it anew: nobody outside it can tell which group the mapping leads to."""
    held = pushed(PRESENT, mapping(2), links=(replace(link(2), accept=True),), groups=(7,))
    held = replace(held, names={**NAMES, target(2): "new"})
    assert look(held).directories[0].fresh == ()


def test_a_fresh_link_is_not_accepted_by_inheritance() -> None:
    links = (replace(link(2), accept=True),)
    held = pushed(PRESENT, mapping(5, of=5, to=2), links=links, groups=(2,))
    assert look(held).directories[0].fresh == (link(5, of=5, to=2),)


def test_a_claim_about_the_source_of_a_loose_mapping_holds_back_too() -> None:
    joined = Claimed("u", Claim.JOINED, source(5), NOW)
    world = pushed(PRESENT, mapping(2), mapping(5), links=(link(2),), groups=(2,))
    assert changes(look(hiding(replace(world, claims=(joined,)), target(5)))) == []
