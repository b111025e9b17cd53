"""How many people one reason may cost something."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.brake import (
    CROWD,
    DAY,
    HOUR,
    MOST_STEPS,
    Count,
    Held,
    admits,
    classes,
    group_of,
    of_steps,
    share_admits,
    share_class,
    steps_class,
    window,
    withheld,
)
from hooks.core.membership import Action
from hooks.core.plan import Reason, Step
from hooks.core.policy import Limits
from tests.core.worlds import MAIN, group

DEFAULT = Limits()
OTHERS = [Reason.UNASSIGNED, Reason.SUSPENDED, Reason.LOST_GROUP, Reason.RETURNED]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        pytest.param(Count(0, 0), True, id="nobody yet"),
        pytest.param(Count(199, 199), True, id="the 200th within the hour"),
        pytest.param(Count(200, 200), False, id="the 201st within the hour"),
        pytest.param(Count(0, 5000), True, id="leavers have no limit for the day"),
    ],
)
def test_leavers_are_counted_by_the_hour(count: Count, *, expected: bool) -> None:
    assert admits(Reason.LEFT, count, DEFAULT) is expected


@pytest.mark.parametrize("reason", OTHERS)
@pytest.mark.parametrize(
    ("count", "expected"),
    [
        pytest.param(Count(0, 0), True, id="nobody yet"),
        pytest.param(Count(24, 24), True, id="the 25th within the hour"),
        pytest.param(Count(25, 25), False, id="the 26th within the hour"),
        pytest.param(Count(0, 99), True, id="the 100th within the day"),
        pytest.param(Count(0, 100), False, id="the 101st within the day"),
    ],
)
def test_every_other_reason_is_counted_by_hour_and_day(
    reason: Reason, count: Count, *, expected: bool
) -> None:
    assert admits(reason, count, DEFAULT) is expected


def test_the_limits_are_the_operators() -> None:
    limits = Limits(left_per_hour=1, other_per_hour=2, other_per_day=3)
    assert admits(Reason.LEFT, Count(0, 0), limits)
    assert not admits(Reason.LEFT, Count(1, 1), limits)
    assert admits(Reason.UNASSIGNED, Count(1, 2), limits)
    assert not admits(Reason.UNASSIGNED, Count(2, 2), limits)
    assert not admits(Reason.UNASSIGNED, Count(0, 3), limits)


def test_nobody_passes_a_limit_of_none() -> None:
    limits = Limits(left_per_hour=0, other_per_hour=0, other_per_day=0)
    assert not any(admits(reason, Count(0, 0), limits) for reason in Reason)


def test_a_lost_group_counts_by_itself_and_the_rest_by_reason() -> None:
    def of(reason: Reason, number: int) -> str:
        return Step(MAIN, Action.REMOVE, group(number), reason).brake_class

    assert of(Reason.LOST_GROUP, 1) != of(Reason.LOST_GROUP, 2)
    for reason in set(Reason) - {Reason.LOST_GROUP, Reason.LOST_RULE}:
        assert of(reason, 1) == of(reason, 2) == f"main/{reason}"
    assert len({of(reason, 1) for reason in Reason}) == len(Reason)


def test_the_windows_are_an_hour_and_a_day() -> None:
    assert HOUR * 24 == DAY
    assert HOUR.total_seconds() == 3600


# -- shares ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        pytest.param(0, 10, True, id="nobody yet"),
        pytest.param(4, 10, True, id="the fifth of ten"),
        pytest.param(5, 10, False, id="the sixth of ten"),
        pytest.param(5, 11, False, id="half of eleven are five"),
        pytest.param(9, 9, True, id="a small group"),
        pytest.param(0, 0, True, id="an empty group"),
        pytest.param(1000, None, True, id="nobody told its size"),
    ],
)
def test_half_of_a_group_of_ten_or_more_may_be_lost(
    count: int, size: int | None, *, expected: bool
) -> None:
    assert share_admits(count, size, DEFAULT.share_of_group) is expected


def test_a_share_is_what_the_operator_wrote_and_one_person_at_least() -> None:
    assert share_admits(28, 100, 0.29)
    assert not share_admits(29, 100, 0.29)
    assert share_admits(0, 10, 0.01)
    assert not share_admits(1, 10, 0.01)
    assert share_admits(9, 10, 1.0)


@given(
    st.integers(0, 300),
    st.integers(CROWD, 300),
    st.floats(0, 1, exclude_min=True, allow_subnormal=False),
)
def test_within_its_share_a_person_more_never_empties_a_group(
    count: int, size: int, share: float
) -> None:
    if share_admits(count, size, share):
        assert count + 1 <= max(1, size * share + 1e-6)
        assert count == 0 or share_admits(count - 1, size, share)
    assert not share_admits(size, size, share)


# -- what a removal has to pass ----------------------------------------------------------------


def removal(number: int, reason: Reason = Reason.LEFT) -> Step:
    return Step(MAIN, Action.REMOVE, group(number), reason)


def test_a_plan_of_many_removals_has_a_class_of_its_own() -> None:
    few = [removal(number) for number in range(MOST_STEPS)]
    assert not any(of_steps(each) for passes in classes(few).values() for each in passes)
    many = classes([*few, removal(MOST_STEPS)])
    assert {passes[0] for passes in many.values()} == {"main/steps"}
    kept = classes(few[:1], {"main/steps"})
    assert kept[few[0]] == ("main/steps", "main/left", share_class(few[0]))


def test_a_class_says_what_it_counts() -> None:
    assert group_of(share_class(removal(1))) == group(1).id
    others = [Step(MAIN, Action.REMOVE, group(1), reason, rule="share/a") for reason in Reason]
    assert not any(group_of(each.brake_class) for each in others)
    assert not any(of_steps(each.brake_class) for each in others)
    assert of_steps(steps_class(removal(1)))
    assert group_of(steps_class(removal(1))) is None


_PASSES = ("main/steps", "main/left", "main/share/1")
_states = st.dictionaries(st.sampled_from((*_PASSES, "main/other")), st.sampled_from(Held))
_full = st.sets(st.sampled_from((*_PASSES, "main/other")))


@given(_states, _full)
def test_a_no_is_a_no_a_yes_is_for_every_limit_and_what_waits_goes_on_waiting(
    states: dict[str, Held], full: set[str]
) -> None:
    under = withheld(_PASSES, states, full)
    said = {states[each] for each in _PASSES if each in states}
    assert set(under) <= set(_PASSES)
    if Held.REJECTED in said:
        assert {states.get(each) for each in under} == {Held.REJECTED}
    elif Held.APPROVED in said:
        assert under == ()
    elif Held.WAITING in said:
        assert {states.get(each) for each in under} == {Held.WAITING}
    else:
        assert under == tuple(each for each in _PASSES if each in full)[:1]


def test_what_was_counted_when_a_limit_was_reached_is_what_filled_it() -> None:
    assert window(Reason.LEFT, Count(200, 900), DEFAULT) == HOUR
    assert window(Reason.UNASSIGNED, Count(25, 60), DEFAULT) == HOUR
    assert window(Reason.UNASSIGNED, Count(3, 100), DEFAULT) == DAY
