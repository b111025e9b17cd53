"""What was seen before and is not shown now is missed once, and then believed to be gone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.ledger import Ledger, Taken
from hooks.core.membership import Standing
from hooks.core.memory import Memory
from hooks.core.missed import APART, missed
from tests.core.worlds import NOW, local_id

groups = st.frozensets(st.integers(0, 9).map(local_id))


@given(groups, groups, groups, groups)
def test_only_what_is_concerned_and_neither_shown_nor_taken_by_us_is_missed(
    before: frozenset[str], shown: frozenset[str], concerned: frozenset[str], ours: frozenset[str]
) -> None:
    ledger = Ledger(tuple(Taken(each, seen_gone=True) for each in sorted(ours)))  # type: ignore[arg-type]
    found = missed(Memory(groups=before), shown, ledger, concerned, NOW)  # type: ignore[arg-type]
    assert found == (before & concerned) - shown - ours


@pytest.mark.parametrize(
    ("since", "believed"),
    [
        pytest.param(None, False, id="never missed before"),
        pytest.param(timedelta(0), False, id="in the same breath"),
        pytest.param(APART - timedelta(seconds=1), False, id="too soon to be another answer"),
        pytest.param(APART, True, id="again, long enough after"),
        pytest.param(timedelta(days=1), True, id="a day later"),
    ],
)
def test_a_second_answer_apart_from_the_first_is_believed(
    since: timedelta | None, *, believed: bool
) -> None:
    at = None if since is None else NOW - since
    memory = Memory(groups=frozenset({local_id(1)}), missed_since=at)
    found = missed(memory, (), Ledger(), {local_id(1)}, NOW)
    assert found == (frozenset() if believed else {local_id(1)})


HOUR = timedelta(hours=1)


@pytest.mark.parametrize("standing", [None, *Standing])
@pytest.mark.parametrize("began", [None, NOW - HOUR, NOW, NOW + HOUR])
@pytest.mark.parametrize("excused", [None, NOW])
def test_an_absence_that_began_before_it_was_excused_counts_as_none(
    standing: Standing | None, began: object, excused: object
) -> None:
    memory = Memory(standing=standing, absent_since=began, excused=excused)  # type: ignore[arg-type]
    away = standing is not None and (standing.absent or standing is Standing.RETURNING)
    forgiven = excused is not None and began in (NOW - HOUR, NOW)
    assert memory.counted is (Standing.PRESENT if away and forgiven else standing)
