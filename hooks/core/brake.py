"""How many people one reason may cost something before a person must agree. Design 3.6."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from hooks.core.plan import Reason

if TYPE_CHECKING:
    from hooks.core.policy import Limits

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Count:
    """People of one class whose removals were admitted, besides the person asking."""

    last_hour: int
    last_day: int


def admits(reason: Reason, count: Count, limits: Limits) -> bool:
    """Whether one more person of this reason stays within the limits."""
    if reason is Reason.LEFT:
        return count.last_hour < limits.left_per_hour
    return count.last_hour < limits.other_per_hour and count.last_day < limits.other_per_day
