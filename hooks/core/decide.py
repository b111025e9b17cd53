"""A reading and a policy in, a plan out: pure, total, ordered. Design 3.

Must live here: the order of the rules. Must not know: where answers come from, what was sent.
While an answer is missing that would change the plan, the plan asks for it instead of acting;
the caller reads it and decides again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hooks.core import claims, mapping
from hooks.core.asks import Ask, Asking, AskOktaGroup
from hooks.core.change import Guard, Scene, Succeeded, addition, candidates, group_ids, removal
from hooks.core.history import LogFacts
from hooks.core.identity import How, Identified, Unidentified, identify, user_name
from hooks.core.ledger import settle
from hooks.core.membership import Standing
from hooks.core.plan import DirectoryPlan, Plan, Record, Step
from hooks.core.reading import (
    MISSING,
    AppUser,
    DirectoryReading,
    OktaGroup,
    OktaUser,
    Reading,
    Unread,
)
from hooks.core.refusal import Cause, Refusal
from hooks.core.standing import Tied, stand

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hooks.core.claims import Contradiction
    from hooks.core.ids import OktaGroupId, OktaUserId
    from hooks.core.policy import Policy


def decide(reading: Reading, policy: Policy) -> Plan:
    """Plan every directory of one person. Nothing is touched where anything is unclear."""
    found = claims.contradictions(reading)
    guard = _guard(reading, policy)
    asks = guard.asks if isinstance(guard, Asking) else frozenset()
    if isinstance(guard, Asking):
        guard = Guard(Cause.PROTECTION_UNKNOWN)
    decided = [
        _directory(_Frame(reading, policy, found, guard, each)) for each in reading.directories
    ]
    return Plan(
        user=reading.user_id,
        directories=tuple(each.plan for each in decided),
        asks=asks | {ask for each in decided for ask in each.asks},
        others=frozenset(other for each in decided for other in each.others) - {reading.user_id},
        contradictions=found,
        protected=_protected(guard),
    )


def _protected(guard: Guard | None) -> bool | None:
    if guard and guard.cause is Cause.PROTECTION_UNKNOWN:
        return None
    return guard is not None and guard.cause is Cause.PROTECTED


# -- protection and scope ----------------------------------------------------------------------


def _guard(reading: Reading, policy: Policy) -> Guard | Asking | None:
    protection = _protection(reading, policy)
    return protection if protection is not None else _scope(reading, policy)


def _protection(reading: Reading, policy: Policy) -> Guard | Asking | None:
    named = policy.protected_okta_groups
    if named.unresolved:
        return Guard(Cause.PROTECTION_UNKNOWN)
    if not policy.protected_users.isdisjoint(_names(reading)):
        return Guard(Cause.PROTECTED)
    if reading.user is MISSING:
        return Guard(Cause.PROTECTED) if reading.protected_before else None
    if not named.ids:
        return None
    if isinstance(reading.okta_groups, Unread):
        return Guard(Cause.PROTECTION_UNKNOWN, reading.okta_groups)
    if not reading.okta_groups:
        return Guard(Cause.PROTECTION_UNKNOWN)
    if named.ids & group_ids(reading):
        return Guard(Cause.PROTECTED)
    return _not_in(reading, named.ids)


def _not_in(reading: Reading, groups: Iterable[OktaGroupId]) -> Guard | Asking | None:
    """Not being listed in a protected group counts only if the group can be read. Design 3.2."""
    asks = {AskOktaGroup(group) for group in groups}
    if missing := asks - reading.answers.keys():
        return Asking(frozenset(missing))
    for ask in asks:
        answer = reading.answers[ask]
        if not isinstance(answer, OktaGroup):
            unread = answer if isinstance(answer, Unread) else None
            return Guard(Cause.PROTECTION_UNKNOWN, unread)
    return None


def _names(reading: Reading) -> set[str]:
    """The Okta id, and the logins a deleted user can still be known by."""
    if isinstance(reading.user, OktaUser):
        logins = {reading.user.login}
    else:
        logins = {each.memory.user_name for each in reading.directories}
    return {str(reading.user_id), *(login.casefold() for login in logins if login)}


def _scope(reading: Reading, policy: Policy) -> Guard | None:
    if not policy.scope.given:
        return None
    if policy.scope.unresolved:
        return Guard(Cause.SCOPE_UNKNOWN)
    if isinstance(reading.okta_groups, Unread):
        return Guard(Cause.SCOPE_UNKNOWN, reading.okta_groups)
    return None if policy.scope.ids & group_ids(reading) else Guard(Cause.OUT_OF_SCOPE)


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
        refused = frame.refused(plan, identity.cause, identity.unread)
        return replace(refused, others=identity.others)
    return _groups(frame, plan, identity)


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
    if groups is None:
        return frame.refused(plan, Cause.MEMBERSHIPS_UNREAD)
    seen = Record(
        record.id,
        identity.how,
        record.active,
        record.user_name,
        frozenset(group.id for group in groups),
        record.account,
    )
    ledger = settle(frame.directory.memory.history, seen.groups)
    plan = replace(plan, record=seen, ledger=ledger)
    mappings = mapping.read(frame.directory, groups, reading.answers)
    if isinstance(mappings, Unread):
        return frame.refused(plan, Cause.MAPPINGS_UNREAD, mappings)
    if isinstance(mappings, Asking):
        return _Decided(plan, mappings.asks)
    scene = Scene(
        reading, frame.directory, frame.policy, frame.found, frame.guard,
        plan.standing, record, mappings, ledger,
    )  # fmt: skip
    if scene.wanting:
        if isinstance(reading.okta_groups, Unread):
            return frame.refused(plan, Cause.GROUPS_UNREAD, reading.okta_groups)
        if not reading.okta_groups:
            return frame.refused(plan, Cause.GROUPS_EMPTY)
    return _collect(scene, plan)


def _collect(scene: Scene, plan: DirectoryPlan) -> _Decided:
    """Judge each group the person has, then each we took, and keep what came of it."""
    observed = sorted(scene.record.groups or (), key=lambda group: (group.display, group.id))
    unmanaged = {group for group in observed if mapping.behind(group, scene.mappings) is None}
    results: list[Step | Refusal | Asking | Succeeded | None] = [
        *(removal(scene, group) for group in observed),
        *(addition(scene, group) for group in candidates(scene)),
    ]
    return _Decided(
        replace(
            plan,
            steps=tuple(each for each in results if isinstance(each, Step)),
            refusals=tuple(
                each.refusal if isinstance(each, Succeeded) else each
                for each in results
                if isinstance(each, Refusal | Succeeded)
            ),
            unmanaged=frozenset(unmanaged),
            fresh=scene.mappings.fresh,
        ),
        asks=frozenset(ask for each in results if isinstance(each, Asking) for ask in each.asks),
        others=frozenset(
            other for each in results if isinstance(each, Succeeded) for other in each.others
        ),
    )
