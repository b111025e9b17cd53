"""Whatever happens to somebody, and however little of it we see: where they end. Design 2, 3.3."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hooks.core.memory import Claimed
from hooks.core.policy import Suspended
from tests.core.lives import ALL, RULES, Life

FEW = settings(max_examples=20)
SOME = settings(FEW, max_examples=40)

#: What happens, how many minutes pass then, whether its event comes, whether we look.
Event = tuple[str, int, bool, bool]
_words = st.sampled_from(
    ["deactivate", "activate", "unassign", "assign", "suspend", "unsuspend", "join", "leave"]
)
#: All within a day: who was settled as present long after an absence is not judged by it.
lives = st.lists(
    st.tuples(_words, st.sampled_from([1, 15, 70, 130]), st.booleans(), st.booleans()),
    max_size=10,
)
suspended = st.sampled_from(Suspended)


def watched_closely(events: list[Event], policy: Suspended, *, freezes: bool = False) -> Life:
    """A look after each event, which comes."""
    life = Life(replace(RULES, suspended=policy), freezes=freezes)
    for word, minutes, _, _ in events:
        claim = life.do(word)
        if claim:
            life.look(claim)
        life.wait(minutes)
    return life


def watched_badly(events: list[Event], policy: Suspended, *, freezes: bool = False) -> Life:
    """Looks here and there; some events never come."""
    life = Life(replace(RULES, suspended=policy), freezes=freezes)
    waiting: list[Claimed] = []
    for word, minutes, comes, looks in events:
        claim = life.do(word)
        if claim and comes:
            waiting.append(claim)
        if looks:
            life.look(*waiting)
            waiting.clear()
        life.wait(minutes)
    return life


def returned(life: Life) -> frozenset[int]:
    """Where she ends, in force, with an event that says so."""
    life.comes_back()
    life.wait(15)
    life.settle(life.claim("activate"))
    return life.inside


@SOME
@given(lives, suspended)
@example([("unassign", 15, True, True), ("assign", 90, False, False)], Suspended.KEEP)
@example([("deactivate", 90, False, False), ("activate", 15, False, True)], Suspended.STRIP)
def test_however_little_we_saw_the_end_is_as_if_we_had_seen_everything(
    events: list[Event], policy: Suspended
) -> None:
    """Promised where the log shows every absence, she is back within a day, and an event says so.

    Nobody else changes her local groups meanwhile: what an admin grants before we hear of the
    return would go with it. Without that last event the log is not asked, and nothing is taken.
    """
    closely, badly = watched_closely(events, policy), watched_badly(events, policy)
    assert returned(closely) == returned(badly)


@FEW
@given(lives, suspended)
@example([("deactivate", 90, True, True), ("activate", 15, True, True)], Suspended.KEEP)
@example([("unassign", 15, True, True), ("assign", 90, True, True)], Suspended.KEEP)
@example([("suspend", 90, True, True), ("unsuspend", 15, True, True)], Suspended.STRIP)
def test_an_account_that_is_frozen_while_she_is_away_ends_as_one_that_is_not(
    events: list[Event], policy: Suspended
) -> None:
    """What Atlassian refuses is parked, and done on return if it is still wanted."""
    expected = returned(watched_closely(events, policy))
    assert returned(watched_closely(events, policy, freezes=True)) == expected
    assert returned(watched_badly(events, policy, freezes=True)) == expected


@FEW
@given(lives, suspended)
def test_without_the_event_of_the_return_never_less_is_left(
    events: list[Event], policy: Suspended
) -> None:
    """What we did not hear of costs nobody anything that seeing it would have left them."""
    seen, unheard = watched_closely(events, policy), watched_badly(events, policy)
    for life in (seen, unheard):
        life.comes_back()
        life.wait(15)
    seen.settle(seen.claim("activate"))
    unheard.settle()
    assert unheard.inside >= seen.inside


@FEW
@given(lives, suspended)
def test_groups_no_rule_names_are_never_touched(events: list[Event], policy: Suspended) -> None:
    for life in (watched_closely(events, policy), watched_badly(events, policy)):
        assert 3 in life.inside


@FEW
@given(lives, suspended)
def test_whoever_is_away_for_good_has_nothing_a_rule_names(
    events: list[Event], policy: Suspended
) -> None:
    for life in (watched_closely(events, policy), watched_badly(events, policy)):
        life.comes_back()
        life.do("deactivate")
        life.wait(15)
        life.look()
        life.look()
        assert life.inside == {3}


brief = st.lists(
    st.tuples(
        st.integers(1, 58),
        st.sampled_from([1, 15, 90, 600]),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@FEW
@given(brief, suspended)
def test_after_brief_absences_the_groups_are_as_without_them(
    absences: list[tuple[int, int, bool, bool, bool]], policy: Suspended
) -> None:
    """Unassigned by mistake, and assigned again within the hour: whatever we saw of it."""
    life = Life(replace(RULES, suspended=policy))
    for minutes, pause, before, during, after in absences:
        gone = life.do("unassign")
        if before and gone:
            life.look(gone)
        life.wait(minutes)
        if during:
            life.look()
        life.wait(0.5)
        back = life.do("assign")
        if after and back:
            life.look(back)
        life.wait(pause)
    life.settle()
    assert life.inside == ALL


@pytest.mark.parametrize("policy", Suspended)
def test_after_a_suspension_the_groups_are_as_without_it(policy: Suspended) -> None:
    life = Life(replace(RULES, suspended=policy))
    for _ in range(3):
        suspended = life.do("suspend")
        assert suspended
        life.look(suspended)
        assert life.inside == (ALL if policy is Suspended.KEEP else {3})
        life.wait(60 * 24)
        life.do("unsuspend")
        life.settle()
        assert life.inside == ALL


def test_a_deactivation_however_brief_leaves_only_what_a_rule_justifies() -> None:
    life = Life()
    life.do("deactivate")
    life.wait(1)
    back = life.do("activate")
    assert back
    life.wait(1)
    life.settle(back)
    assert life.inside == {2, 3}
