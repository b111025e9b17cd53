"""How many people one reason may cost something."""

from __future__ import annotations

import pytest

from hooks.core.brake import DAY, HOUR, Count, admits
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
