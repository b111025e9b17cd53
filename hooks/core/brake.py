"""How many people one reason may cost something before a person must agree. Design 3.6.

Must live here: limits, the names of what they count, and what a decision weighs. Must not know:
how anything is counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from hooks.core.plan import Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hooks.core.plan import Step
    from hooks.core.policy import Limits

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
#: Removals in one plan of one person.
MOST_STEPS = 100
#: Members from which on a group has a share that is limited.
CROWD = 10
#: Reasons that come of an absence, which a rejection undoes.
ABSENCES = frozenset({Reason.LEFT, Reason.UNASSIGNED, Reason.SUSPENDED, Reason.RETURNED})

_SHARE = "share"
_STEPS = "steps"


class Held(StrEnum):
    """What was decided about a hold. One that is over weighs nothing."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    OVER = "over"


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


def window(reason: Reason, count: Count, limits: Limits) -> timedelta:
    """How far back the people were counted who fill the limit."""
    if reason is Reason.LEFT or count.last_hour >= limits.other_per_hour:
        return HOUR
    return DAY


def share_admits(count: int, size: int | None, share: float) -> bool:
    """Whether one more person may lose a group within a day, besides ``count`` others.

    ``size`` is how many were in it when the day began; unknown, nothing is limited by it.
    """
    if size is None or size < CROWD:
        return True
    # What no float holds exactly must not cost a person: 0.29 of 100 is 29.
    return count < max(1, math.floor(size * share + 1e-9))


# -- classes -----------------------------------------------------------------------------------


def share_class(step: Step) -> str:
    """The class in which the members of one group are counted, whatever the reason."""
    return f"{step.directory}/{_SHARE}/{step.group.id}"


def steps_class(step: Step) -> str:
    """The class of a plan that takes too much from one person."""
    return f"{step.directory}/{_STEPS}"


def anonymous(brake_class: str) -> str:
    """A class as anybody may read it: place and kind. What follows may be the id of a group."""
    return "/".join(brake_class.split("/")[:2])


def group_of(brake_class: str) -> str | None:
    """The group whose members a class counts; ``None`` for a class of another kind."""
    _, kind, *rest = brake_class.split("/", 2)
    return rest[0] if kind == _SHARE and rest else None


def of_steps(brake_class: str) -> bool:
    """Whether a class is that of too many steps for one person."""
    return brake_class.partition("/")[2] == _STEPS


def classes(removals: Sequence[Step], kept: Collection[str] = ()) -> dict[Step, tuple[str, ...]]:
    """Every class a removal has to pass, the first asked first.

    ``kept`` are classes of the person's holds: what was decided holds for a smaller plan too.
    """
    many = len(removals) > MOST_STEPS
    return {
        each: (
            *([steps_class(each)] if many or steps_class(each) in kept else []),
            each.brake_class,
            share_class(each),
        )
        for each in removals
    }


def withheld(
    passes: Sequence[str], states: Mapping[str, Held], full: Collection[str]
) -> tuple[str, ...]:
    """Under which of its classes a removal waits for a person; under none it goes out.

    A no in any class is a no. A yes in any is a yes to this removal, whatever other limit it
    meets: who gave it saw whom and what. Else what waits goes on waiting, and only then it is
    asked which limit is reached, so that one removal begins one hold.
    """
    of = {state: tuple(each for each in passes if states.get(each) is state) for state in Held}
    if of[Held.REJECTED]:
        return of[Held.REJECTED]
    if of[Held.APPROVED]:
        return ()
    return of[Held.WAITING] or tuple(each for each in passes if each in full)[:1]
