"""Removals of ours that an operator ordered back: given where a look would leave them. Design 7.

Must live here: what counts as the world having moved on. Must not know: who ordered it, or why.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from hooks.core import change, local, mapping
from hooks.core.asks import Asking, AskOrganizationGroup
from hooks.core.change import Scene, Succeeded, built_in, evidence, made_anew, may_gain
from hooks.core.ids import OrganizationGroupId, ScimGroupId
from hooks.core.local import LocalScene
from hooks.core.membership import ORGANIZATION, Action, Group, Standing, State, Via
from hooks.core.memory import Repaired
from hooks.core.plan import Answered, Reason, Step
from hooks.core.reading import KnownGroup, Unread
from hooks.core.refusal import Cause, Refusal
from hooks.core.rules import rules_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hooks.core.ids import Uuid
    from hooks.core.ledger import Resolved
    from hooks.core.memory import PastStep
    from hooks.core.plan import Plan
    from hooks.core.reading import Reading

S = TypeVar("S", Scene, LocalScene)
Result = Step | Refusal | Asking | Succeeded | None

#: A look that refuses a removal for one of these goes on refusing it.
_STABLE = frozenset(
    {Cause.PROTECTED, Cause.ORPHANED, Cause.OUT_OF_SCOPE, Cause.GRANTED_AGAIN, Cause.LAST_ADMIN}
)
#: What says that an addition went out, or that it is only to be observed.
_GIVEN = frozenset({State.SUBMITTED, State.SETTLED, State.OBSERVED})
_CARRIED_OUT = frozenset({State.SUBMITTED, State.SETTLED, State.ABANDONED})


@dataclass(frozen=True, slots=True)
class _Place:
    """The groups the person is in, those a plan gives back anyway, and what we ever did there."""

    observed: frozenset[Uuid]
    given: frozenset[Uuid]
    history: Mapping[int, PastStep]


def over_scim(scene: Scene, given: frozenset[Uuid]) -> list[tuple[int, Result]]:
    """What was ordered back in one directory, by its ids in the journal; ``None`` needs nothing.

    ``given`` are groups that are given back anyway.
    """
    observed: frozenset[Uuid] = frozenset(group.id for group in scene.record.groups or ())
    history = {step.id: step for step in scene.directory.memory.history}
    return _judge(scene, _Place(observed, given, history), _synced)


def in_organization(scene: LocalScene, given: frozenset[Uuid]) -> list[tuple[int, Result]]:
    """The same of the organization's own groups."""
    observed: frozenset[Uuid] = frozenset(each.group.id for each in scene.groups)
    history = {step.id: step for step in scene.memory.history}
    return _judge(scene, _Place(observed, given, history), _local)


def _judge(
    scene: S, place: _Place, one: Callable[[S, PastStep], Result]
) -> list[tuple[int, Result]]:
    resolved = {each.step: each.state for each in scene.ledger.resolved}
    found: list[tuple[int, Result]] = []
    for each in scene.reading.ordered:
        past = place.history.get(each.step)
        if past is None or past.action is not Action.REMOVE:
            continue
        taken = scene.ledger.of(past.group)
        done = resolved.get(past.id, past.state) in _CARRIED_OUT
        result: Result = None
        if past.group not in place.observed | place.given and done:
            # Else somebody has granted it, or we have given it back, and it was lost again since.
            same = taken is not None and taken.step == past.id
            result = one(scene, past) if same or each.named else scene.refuse(Cause.MOVED_ON)
        found.append((each.step, _at(past.group, result)))
    return found


def _at(group: Uuid, result: Result) -> Result:
    if isinstance(result, Refusal) and result.group is None:
        return Refusal(result.directory, result.cause, group, result.unread)
    return result


def answered(judged: Iterable[tuple[int, Result]]) -> tuple[Answered, ...]:
    """What a plan answers to each order."""
    found = []
    for step, result in judged:
        refusal = result.refusal if isinstance(result, Succeeded) else result
        if isinstance(refusal, Refusal):
            found.append(Answered(step, refusal.cause, waits=refusal.retry or refusal.passing))
        else:
            added = result.group.id if isinstance(result, Step) else None
            found.append(Answered(step, added=added, waits=isinstance(result, Asking)))
    return tuple(found)


def results(plan: Plan, sent: Iterable[tuple[Step, Resolved]]) -> dict[int, str]:
    """What has become of each order in one word or two; those that still wait are left out."""
    became: dict[tuple[str, str], State] = {
        (step.directory, step.group.id): resolved.state
        for step, resolved in sent
        if step.action is Action.ADD
    }
    found = {}
    for place in plan.places:
        for each in place.answered:
            state = became.get((place.name, each.added)) if each.added else None
            if each.waits or (each.added and state not in _GIVEN):
                continue
            given = "observed" if state is State.OBSERVED else "given back"
            found[each.step] = each.cause or (given if each.added else "nothing to give")
    return found


def repaired(
    reading: Reading, plan: Plan, sent: Iterable[tuple[Step, Resolved]]
) -> Repaired | None:
    """What became of an order to add all that Okta wants; ``None``: a later look may do more."""
    became = {(step.directory, step.group.id): each.state for step, each in sent}
    added = [
        became.get((step.directory, step.group.id))
        for step in plan.steps
        if step.action is Action.ADD
    ]
    waits = not all(place.conclusive for place in plan.directories)
    if reading.repair is None or waits or not _GIVEN.issuperset(added):
        return None
    seen = added.count(State.OBSERVED)
    words = [f"{len(added) - seen} added"] if not seen or len(added) > seen else []
    words += [f"{seen} observed"] if seen else []
    causes = Counter(
        str(each.cause) for place in plan.directories for each in place.refusals if each.group
    )
    words += [f"{causes[each]} {each}" for each in sorted(causes)]
    return Repaired(reading.repair, ", ".join(words))


# -- one membership ----------------------------------------------------------------------------


def _synced(scene: Scene, past: PastStep) -> Result:
    """Judge one membership over SCIM: what would a look make of it, were it there?"""
    group = Group(ScimGroupId(past.group), past.name)
    managed = mapping.behind(group, scene.mappings)
    if managed is None or not scene.wanting or not may_gain(scene):
        return scene.refuse(Cause.RESTORE_UNWANTED)
    if cause := managed.cause or made_anew(scene, group):
        return scene.refuse(cause)
    would = change.removal(scene, group)
    if objection := _objection(scene, would):
        return objection
    checked = mapping.check_targets(group, scene.mappings, scene.reading.answers)
    if isinstance(checked, Asking):
        return checked
    if checked is not None:
        cause = checked if isinstance(checked, Cause) else Cause.MAPPING_UNREADABLE
        return scene.refuse(cause, unread=checked if isinstance(checked, Unread) else None)
    named = evidence(scene, group)
    return Step(scene.directory.name, Action.ADD, group, Reason.RESTORED, named)


def _local(scene: LocalScene, past: PastStep) -> Result:
    """Judge one membership in the organization in the same way."""
    ask = AskOrganizationGroup(OrganizationGroupId(past.group))
    answer = scene.reading.answers.get(ask)
    if answer is None:
        return Asking(frozenset({ask}))
    if not isinstance(answer, KnownGroup):
        unread = answer if isinstance(answer, Unread) else None
        return scene.refuse(Cause.ORGANIZATION_UNREAD if unread else Cause.MOVED_ON, unread=unread)
    group, rules = answer.group, rules_for(scene.policy, answer.group.id, answer.group.name)
    causes = (
        (not scene.here, Cause.RESTORE_UNWANTED),
        (
            answer.before is not None and answer.before != (group.name, group.synced),
            Cause.GROUP_CHANGED,
        ),
        (built_in({group.name}, group.id, rules), Cause.NEVER),
        (group.synced, Cause.MOVED_ON),
        (not group.modifiable, Cause.NOT_MODIFIABLE),
        (scene.standing is Standing.RETURNING, Cause.RESTORE_LATER),
        (scene.account.status not in (None, "active"), Cause.ACCOUNT_INACTIVE),
    )
    if cause := next((cause for holds, cause in causes if holds), None):
        return scene.refuse(cause)
    if objection := _objection(scene, local.removal(scene, answer)):
        return objection
    named = local.evidence(scene, rules)
    return Step(ORGANIZATION, Action.ADD, group, Reason.RESTORED, named, Via.ORGANIZATION, scene.by)


def _objection(scene: Scene | LocalScene, would: object) -> Refusal | Asking | Succeeded | None:
    """What the next look would do to it speaks against giving it back."""
    if isinstance(would, Step):
        return scene.refuse(Cause.RESTORE_UNWANTED)
    if isinstance(would, Refusal):
        return None if would.cause in _STABLE else would
    return would if isinstance(would, Asking | Succeeded) else None
