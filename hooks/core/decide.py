"""A reading and a policy in, a plan out: pure, total, ordered. Design 3.

Must live here: the order of the rules. Must not know: where answers come from, what was sent.
While an answer is missing that would change the plan, the plan asks for it instead of acting;
the caller reads it and decides again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hooks.core import claims, mapping, ordered, organization, protection
from hooks.core.asks import Ask, Asking
from hooks.core.change import Scene, Succeeded, addition, candidates, removal, undecided
from hooks.core.history import LogFacts
from hooks.core.identity import How, Identified, Unidentified, identify, user_name
from hooks.core.ledger import settle
from hooks.core.membership import Standing
from hooks.core.missed import missed
from hooks.core.plan import DirectoryPlan, Kept, Plan, Record, Step
from hooks.core.protection import Guard
from hooks.core.reading import (
    AppUser,
    DirectoryReading,
    Reading,
    Unread,
    Why,
)
from hooks.core.refusal import Cause, Refusal
from hooks.core.standing import Tied, stand

if TYPE_CHECKING:
    from hooks.core.claims import Contradiction
    from hooks.core.ids import OktaUserId, Uuid
    from hooks.core.policy import Policy


def decide(reading: Reading, policy: Policy) -> Plan:
    """Plan every directory of one person. Nothing is touched where anything is unclear."""
    found = claims.contradictions(reading)
    guard = protection.guard(reading, policy)
    asks = guard.asks if isinstance(guard, Asking) else frozenset()
    if isinstance(guard, Asking):
        guard = Guard(Cause.PROTECTION_UNKNOWN)
    decided = [
        _directory(_Frame(reading, policy, found, guard, each)) for each in reading.directories
    ]
    directories = tuple(each.plan for each in decided)
    local = organization.decide(reading, policy, found, guard, directories)
    others = local.others if local else frozenset()
    return Plan(
        user=reading.user_id,
        directories=directories,
        asks=asks.union(local.asks if local else (), *(each.asks for each in decided)),
        others=others.union(*(each.others for each in decided)) - {reading.user_id},
        contradictions=found,
        protected=_protected(guard),
        local=local.plan if local else None,
    )


def _protected(guard: Guard | None) -> bool | None:
    if guard and guard.cause is Cause.PROTECTION_UNKNOWN:
        return None
    return guard is not None and guard.cause is Cause.PROTECTED


# -- one directory -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Decided:
    plan: DirectoryPlan
    asks: frozenset[Ask] = frozenset()
    others: frozenset[OktaUserId] = frozenset()


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is the same for every directory, and the directory."""

    reading: Reading
    policy: Policy
    found: tuple[Contradiction, ...]
    guard: Guard | None
    directory: DirectoryReading

    def refused(self, plan: DirectoryPlan, cause: Cause, unread: Unread | None = None) -> _Decided:
        if cause is Cause.RECORD_UNREAD and unread and unread.why is Why.NOWHERE:
            cause = Cause.DIRECTORY_UNKNOWN
        refusal = Refusal(self.directory.name, cause, unread=unread)
        return _Decided(replace(plan, refusals=(refusal,)))


def _directory(frame: _Frame) -> _Decided:
    reading, directory = frame.reading, frame.directory
    identity = identify(reading, directory)
    judged = stand(reading, directory, _tied(identity))
    if isinstance(judged, Asking):
        more = identity.asks if isinstance(identity, Asking) else frozenset()
        return _Decided(DirectoryPlan(directory.name, Standing.UNCLEAR), judged.asks | more)
    plan = DirectoryPlan(
        directory.name,
        judged.standing,
        in_force=_in_force(directory, judged.standing),
        user_name=user_name(reading, directory),
    )
    if judged.cause:
        return frame.refused(plan, judged.cause, judged.unread)
    if judged.standing is Standing.OUTSIDE:
        return _Decided(plan)
    if isinstance(identity, Asking):
        return _Decided(plan, identity.asks)
    if isinstance(identity, Unidentified):
        if identity.cause is Cause.RECORD_NONE and _stranger(reading, directory, judged.standing):
            return _Decided(plan)
        refused = frame.refused(plan, _cause(directory, plan, identity), identity.unread)
        return replace(refused, others=identity.others)
    return _groups(frame, plan, identity)


def _cause(directory: DirectoryReading, plan: DirectoryPlan, identity: Unidentified) -> Cause:
    """A record that is gone because it was deleted by order is no riddle, until Okta assigns."""
    gone = identity.cause is Cause.RECORD_GONE and plan.standing.absent
    return Cause.RELEASED if gone and directory.memory.released else identity.cause


def _in_force(directory: DirectoryReading, standing: Standing) -> bool:
    here = standing in (Standing.PRESENT, Standing.RETURNING, Standing.SUSPENDED)
    return here and isinstance(directory.app_user, AppUser) and directory.app_user.in_force


def _tied(identity: Identified | Unidentified | Asking) -> Tied:
    """What the record says about whether the assignment was ever in force."""
    if isinstance(identity, Identified):
        return identity.how is not How.LOG
    if isinstance(identity, Asking):
        return identity
    if identity.cause is Cause.RECORD_UNREAD and identity.unread:
        return identity.unread
    return identity.cause is Cause.RECORD_SEVERAL


def _stranger(reading: Reading, directory: DirectoryReading, standing: Standing) -> bool:
    """Somebody absent whom nothing ever tied to the app: there is nothing to refuse."""
    logged = isinstance(reading.log, LogFacts) and directory.app_id in reading.log.assignments
    return standing.absent and not directory.memory.ever_in_force and not logged


def _groups(frame: _Frame, plan: DirectoryPlan, identity: Identified) -> _Decided:
    record, reading = identity.record, frame.reading
    groups = record.groups
    seen = Record(
        record.id,
        identity.how,
        record.active,
        record.user_name,
        frozenset(group.id for group in groups or ()),
        record.account,
    )
    if groups is None:
        return frame.refused(replace(plan, record=seen), Cause.MEMBERSHIPS_UNREAD)
    ledger = settle(frame.directory.memory.history, seen.groups)
    plan = replace(plan, record=seen, ledger=ledger)
    mappings = mapping.read(frame.directory, groups, reading.answers)
    if isinstance(mappings, Unread):
        return frame.refused(plan, Cause.MAPPINGS_UNREAD, mappings)
    if isinstance(mappings, Asking):
        return _Decided(plan, mappings.asks)
    scene = Scene(
        reading, frame.directory, frame.policy, frame.found, frame.guard,
        plan.standing, record, mappings, ledger, protection.group_ids(reading),
    )  # fmt: skip
    if scene.wanting:
        if isinstance(reading.okta_groups, Unread):
            return frame.refused(plan, Cause.GROUPS_UNREAD, reading.okta_groups)
        if not reading.okta_groups:
            return frame.refused(plan, Cause.GROUPS_EMPTY)
    return _collect(scene, plan)


def _missed(scene: Scene) -> frozenset[Uuid]:
    """Mapped groups, of somebody who should be in none of them."""
    if scene.wanting:
        return frozenset()
    mapped = {link.group for link in scene.mappings.links}
    shown = {group.id for group in scene.record.groups or ()}
    return missed(scene.directory.memory, shown, scene.ledger, mapped, scene.reading.at)


def _collect(scene: Scene, plan: DirectoryPlan) -> _Decided:
    """Judge each group the person has, then each we took, and keep what came of it."""
    observed = sorted(scene.record.groups or (), key=lambda group: (group.display, group.id))
    gone = _missed(scene)
    results: list[Step | Refusal | Asking | Succeeded | Kept | None] = [
        *(removal(scene, group) for group in observed),
        *(addition(scene, group) for group in candidates(scene)),
        *(Refusal(plan.name, Cause.GROUPS_MISSED, group) for group in sorted(gone)),
    ]
    stepped: frozenset[Uuid] = frozenset(
        each.group.id for each in results if isinstance(each, Step)
    )
    back = ordered.over_scim(scene, stepped)
    results += [result for _, result in back]
    return _Decided(
        replace(
            plan,
            missed=gone,
            ledger=scene.ledger.without(undecided(results), scene.reading.at),
            answered=ordered.answered(back),
            steps=tuple(each for each in results if isinstance(each, Step)),
            refusals=tuple(
                each.refusal if isinstance(each, Succeeded) else each
                for each in results
                if isinstance(each, Refusal | Succeeded)
            ),
            kept=tuple(each for each in results if isinstance(each, Kept)),
            fresh=scene.mappings.fresh,
        ),
        asks=frozenset(ask for each in results if isinstance(each, Asking) for ask in each.asks),
        others=frozenset(
            other for each in results if isinstance(each, Succeeded) for other in each.others
        ),
    )
