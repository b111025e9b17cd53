"""Settled as present long after an absence nobody told us of: what they have stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hooks.core.membership import Standing
from hooks.core.memory import Claim, Claimed, Memory
from tests.core.test_local_guards import REMOVED, house, plan_of, signs
from tests.core.worlds import NOW, PRESENT, logged

AWAY = logged(deactivated=NOW - timedelta(days=9), activated=NOW - timedelta(days=8))
HEARD = (Claimed("1", Claim.ACTIVE, "", NOW - timedelta(days=8), NOW),)


@pytest.mark.parametrize(
    ("settled", "expected"), [(3, []), (10, REMOVED)], ids=["days after", "before"]
)
def test_an_absence_long_over_when_we_settled_them_has_no_consequence(
    settled: int, expected: list[str]
) -> None:
    world = replace(PRESENT, claims=HEARD, log=AWAY)
    memory = Memory(standing=Standing.PRESENT, standing_at=NOW - timedelta(days=settled))
    assert signs(plan_of(house(world, local=memory))) == expected
