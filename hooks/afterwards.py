"""What a look leaves to be remembered of a person, in each place.

Must live here: which of it counts as settled. Must not know: what was sent, or how it is stored.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hooks.core import returning
from hooks.core.membership import ORGANIZATION, Mode, Standing
from hooks.core.plan import DirectoryPlan, LocalPlan
from hooks.core.returning import derived
from hooks.store.people import Stood

if TYPE_CHECKING:
    from datetime import timedelta

    from hooks.core.ids import DirectoryName
    from hooks.core.memory import Memory
    from hooks.core.plan import PlacePlan
    from hooks.core.policy import Policy
    from hooks.core.reading import Reading
    from hooks.core.refusal import Refusal
    from hooks.core.returning import Standed


def observes(policy: Policy, each: PlacePlan) -> bool:
    """What is planned there is not to be sent."""
    mode = each.mode if isinstance(each, LocalPlan) else policy.modes.get(each.name)
    return mode is not Mode.ENFORCE


def memories(reading: Reading) -> dict[DirectoryName, Memory]:
    """What was remembered of each place."""
    found = {each.name: each.memory for each in reading.directories}
    return found | {ORGANIZATION: derived(reading)}


def quiet(policy: Policy, each: PlacePlan) -> bool:
    """In observe mode a return ends as if its plan had been sent."""
    settled = replace(each, steps=()) if observes(policy, each) else each
    return each.active and settled.quiet


def _settles(
    memory: Memory, each: PlacePlan, reading: Reading, *, quiet: bool, brief: timedelta
) -> Standed:
    """The standing to remember."""
    forfeits = isinstance(each, LocalPlan) and each.forfeits
    settled = returning.after(
        memory, each.standing, quiet=quiet, now=reading.at, forfeits=forfeits, brief=brief
    )
    asked = reading.log is not None or memory.standing is Standing.OUTSIDE
    if settled.standing is Standing.OUTSIDE and not asked:
        return replace(settled, standing=None)  # only whom the log was asked about is outside
    return settled


def stood(
    memory: Memory,
    each: PlacePlan,
    reading: Reading,
    *,
    quiet: bool,
    brief: timedelta,
    waits: bool,
    rejected: list[Refusal],
) -> Stood:
    """What to remember of one place. ``waits``: a step was sent that nobody has seen yet."""
    settled = _settles(memory, each, reading, quiet=quiet, brief=brief)
    waiting = each.waiting or waits or rejected
    since = (memory.waiting_since or reading.at) if waiting else None
    left = Stood(each.name, settled, since, refusals=(*each.refusals, *rejected))
    if isinstance(each, LocalPlan) and each.account:
        shown = frozenset(known.group.id for known in each.groups)
        return replace(left, groups=shown | each.missed)
    if isinstance(each, DirectoryPlan):
        left = replace(left, in_force=each.in_force, user_name=each.user_name)
        if record := each.record:
            groups = record.groups | each.missed
            return replace(left, scim_id=record.id, account=record.account, groups=groups)
    return left
