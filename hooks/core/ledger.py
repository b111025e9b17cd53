"""What we took and have not given back, told from the journal and one reading. Design 3.5, 5.2.

Must live here: what a journalled step counts as once the membership is seen again.
Must not know: what is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from hooks.core.membership import Action, State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from hooks.core.ids import Uuid
    from hooks.core.memory import PastStep


#: Codes of outcomes that the ledger itself writes or understands.
NO_EFFECT = "no_effect"
BACK = "back"
UNKNOWN = "unknown"
GONE = "gone"
SUPERSEDED = "superseded"
UNWANTED = "unwanted"
#: What we changed shows within so long.
_SHOWN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Taken:
    """A membership we removed and have not given back.

    ``seen_gone`` once a reading showed it; ``unseen`` counts the changes sent since then whose
    effect no reading has shown. ``why``, ``at`` and ``step`` are those of the removal.
    """

    group: Uuid
    seen_gone: bool
    unseen: int = 0
    why: str = ""
    at: datetime | None = None
    name: str = ""
    step: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What this reading says has become of an earlier step."""

    step: int
    state: State
    code: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """``resolved`` is to be written; ``unsettled`` counts steps that were sent and not seen.

    ``awaited`` are those steps. ``parked`` are removals Atlassian refused for an inactive account;
    ``back`` are removals after which somebody else granted the membership again.
    """

    taken: tuple[Taken, ...] = ()
    resolved: tuple[Resolved, ...] = ()
    unsettled: int = 0
    parked: tuple[PastStep, ...] = ()
    back: tuple[PastStep, ...] = ()
    awaited: tuple[PastStep, ...] = ()

    def of(self, group: Uuid) -> Taken | None:
        """The entry of one group."""
        return next((each for each in self.taken if each.group == group), None)

    def without(self, undecided: Collection[Uuid], now: datetime) -> Ledger:
        """The same, giving up steps whose effect is awaited and that nothing wants any more.

        ``undecided`` are groups that are to change, or may have to once more is known.

        Their effect was undone before anybody saw it; if it shows after all, that is another
        reading.
        """
        over = [
            each
            for each in self.awaited
            if each.group not in undecided and each.at and now - each.at >= _SHOWN
        ]
        unwanted = tuple(Resolved(each.id, State.ABANDONED, UNWANTED) for each in over)
        left = self.unsettled - len(over)
        return replace(self, resolved=(*self.resolved, *unwanted), unsettled=left)


def settle(history: Iterable[PastStep], observed: frozenset[Uuid]) -> Ledger:
    """Read the steps of one person in one place, oldest first, against their groups now.

    A removal whose reply was lost and whose member is gone counts as ours; one whose member is
    still there is abandoned, since nothing is ever sent again from the journal.
    """
    taken: dict[Uuid, Taken] = {}
    resolved: list[Resolved] = []
    parked: list[PastStep] = []
    back: list[PastStep] = []
    awaited: list[PastStep] = []
    steps = [step for step in history if step.state in _KNOWN]
    last = {step.group: step.id for step in steps if step.state in _SENT or _doubtful(step)}
    for step in steps:
        there = step.group in observed
        final = last.get(step.group) == step.id
        became = _became(step, State(step.state), there=there, final=final)
        if became:
            resolved.append(became)
        state = became.state if became else State(step.state)
        code = became.code if became else step.code
        if state is State.SUBMITTED:
            awaited.append(step)
        if state is State.PARKED:
            parked.append(step)
        if code == BACK:
            back.append(step)
        entry = _entry(step, state, code, taken.get(step.group))
        if entry:
            taken[step.group] = entry
        else:
            taken.pop(step.group, None)
    return Ledger(
        tuple(taken.values()),
        tuple(resolved),
        len(awaited),
        tuple(parked),
        tuple(back),
        tuple(awaited),
    )


_SENT = frozenset({State.OPEN, State.SUBMITTED, State.SETTLED, State.PARKED})
#: A newer release may have written others; the journal outlives a step back.
_KNOWN = frozenset(State)


def _doubtful(step: PastStep) -> bool:
    return step.state == State.ABANDONED and step.code == UNKNOWN


def _became(step: PastStep, state: State, *, there: bool, final: bool) -> Resolved | None:
    done = there is (step.action is Action.ADD)
    if state is State.OPEN:
        if done:
            return Resolved(step.id, State.SETTLED)
        return Resolved(step.id, State.ABANDONED, UNKNOWN)
    if state is State.SUBMITTED:
        if done:
            return Resolved(step.id, State.SETTLED)
        return None if final else Resolved(step.id, State.FAILED, NO_EFFECT)
    if state is State.PARKED:
        # It was never carried out: what is gone, somebody else took.
        over = GONE if done else SUPERSEDED
        return Resolved(step.id, State.ABANDONED, over) if done or not final else None
    if step.action is Action.REMOVE and final:
        return _ended(step, state, there=there)
    return None


def _ended(step: PastStep, state: State, *, there: bool) -> Resolved | None:
    """The last removal of a group after it was seen, or given up."""
    if state is State.SETTLED and there:
        return Resolved(step.id, State.ABANDONED, BACK)
    if state is State.ABANDONED and not there:
        # Given up while it was under way; it has come to its effect after all.
        return Resolved(step.id, State.SETTLED)
    return None


def _entry(step: PastStep, state: State, code: str, before: Taken | None) -> Taken | None:
    """The entry of the step's group after the step."""
    unseen = before.unseen + 1 if before else 1
    without_effect = state is State.SUBMITTED or (state is State.FAILED and code == NO_EFFECT)
    if step.action is Action.REMOVE:
        if without_effect:
            return _taken(step, seen_gone=False, unseen=unseen)
        if state is State.SETTLED:
            return _taken(step, seen_gone=True)
        return None if code == BACK else before
    if state is State.SETTLED:
        return None
    if without_effect and before:
        return replace(before, unseen=unseen)
    return before


def _taken(step: PastStep, *, seen_gone: bool, unseen: int = 0) -> Taken:
    return Taken(step.group, seen_gone, unseen, step.reason, step.at, step.name, step.id)
