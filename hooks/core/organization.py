"""What happens to one person's groups in the organization, after the directories are decided.

Must live here: whether there is anything to judge: standing, return, account. Must not know: the
rules for a single group. Design 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hooks.core import ordered
from hooks.core.asks import Ask, AskAccount, AskAccountGroups, Asking
from hooks.core.change import Succeeded, never, undecided
from hooks.core.ledger import UNWANTED, Resolved, settle
from hooks.core.local import LocalScene, Result, removal
from hooks.core.membership import ORGANIZATION, Mode, Standing, State
from hooks.core.missed import missed
from hooks.core.plan import DirectoryPlan, Kept, LocalPlan, Step
from hooks.core.protection import administers, as_told
from hooks.core.reading import (
    MISSING,
    Account,
    DirectoryReading,
    KnownGroup,
    Reading,
    Unread,
    Why,
)
from hooks.core.refusal import Cause, Refusal
from hooks.core.regain import addition
from hooks.core.returning import Undecided, back, best, derived
from hooks.core.rules import rules_for

if TYPE_CHECKING:
    from collections.abc import Collection

    from hooks.core.claims import Contradiction
    from hooks.core.ids import AccountId, OktaUserId, Uuid
    from hooks.core.memory import Memory
    from hooks.core.policy import Policy
    from hooks.core.protection import Guard


@dataclass(frozen=True, slots=True)
class Decided:
    """The plan; what it still asks; who else is to be looked at."""

    plan: LocalPlan
    asks: frozenset[Ask] = frozenset()
    others: frozenset[OktaUserId] = frozenset()


_There = tuple[tuple[DirectoryReading, DirectoryPlan], ...]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What deciding rests on; ``there`` are the directories that count."""

    reading: Reading
    policy: Policy
    found: tuple[Contradiction, ...]
    guard: Guard | None
    there: _There
    memory: Memory


def decide(
    reading: Reading,
    policy: Policy,
    found: tuple[Contradiction, ...],
    guard: Guard | None,
    plans: tuple[DirectoryPlan, ...],
) -> Decided | None:
    """Plan the organization's own groups; ``None`` where no organization is configured."""
    if not policy.organization:
        return None
    there = tuple(
        (directory, plan)
        for directory, plan in zip(reading.directories, plans, strict=True)
        if plan.standing is not Standing.OUTSIDE and not _stranger(plan)
    )
    frame = _Frame(reading, policy, found, guard, there, derived(reading))
    standing = best(plan.standing for _, plan in there)
    plan = LocalPlan(ORGANIZATION, standing, mode=_mode(policy, there))
    if standing in (Standing.UNCLEAR, Standing.OUTSIDE):
        return Decided(plan)
    if standing in (Standing.PRESENT, Standing.RETURNING):
        here = frozenset(each.app_id for each, plan in there if not plan.standing.absent)
        counted = frozenset(each.app_id for each, _ in there)
        judged = back(reading, frame.memory, here, counted, policy.brief_absence)
        if isinstance(judged, Asking):
            return Decided(replace(plan, standing=Standing.UNCLEAR), judged.asks)
        if isinstance(judged, Undecided):
            return _unclear(plan, judged.cause, judged.unread)
        plan = replace(plan, standing=judged.standing, forfeits=judged.forfeits)
    if not policy.rules and not standing.absent:
        return Decided(plan)
    return _with_account(frame, plan)


def _unclear(plan: LocalPlan, cause: Cause, unread: Unread | None = None) -> Decided:
    if cause is Cause.ORGANIZATION_UNREAD and unread and unread.why is Why.NOWHERE:
        cause = Cause.ORGANIZATION_UNKNOWN
    refusal = Refusal(ORGANIZATION, cause, unread=unread)
    return Decided(replace(plan, standing=Standing.UNCLEAR, refusals=(refusal,)))


def _stranger(plan: DirectoryPlan) -> bool:
    """Absent, and nothing ever tied them to the directory; or they were released from it."""
    released = all(each.cause is Cause.RELEASED for each in plan.refusals)
    return plan.standing.absent and plan.record is None and released


def _without_record(plan: DirectoryPlan) -> bool:
    """There is no record, and so no account of another name."""
    causes = {refusal.cause for refusal in plan.refusals}
    return bool(causes) and causes <= {Cause.RECORD_NONE, Cause.RECORD_GONE}


def _mode(policy: Policy, there: _There) -> Mode:
    """Local writes need every directory that counts to enforce."""
    modes = [policy.modes.get(plan.name) for _, plan in there]
    return Mode.ENFORCE if all(mode is Mode.ENFORCE for mode in modes) else Mode.OBSERVE


def _with_account(frame: _Frame, plan: LocalPlan) -> Decided:
    records = [each.record for _, each in frame.there]
    accounts = {each.account for each in records if each and each.account}
    if any(each.record is None and not _without_record(each) for _, each in frame.there):
        # Refused, or still asked for: it may name another account, or be somebody else's now.
        return Decided(replace(plan, standing=Standing.UNCLEAR))
    if len(accounts) != 1:
        cause = Cause.ACCOUNT_SEVERAL if accounts else Cause.ACCOUNT_NONE
        return Decided(replace(plan, refusals=(Refusal(ORGANIZATION, cause),)))
    (account,) = accounts
    asks: set[Ask] = {AskAccount(account), AskAccountGroups(account)}
    if missing := asks - frame.reading.answers.keys():
        return Decided(plan, frozenset(missing))
    return _with_groups(frame, plan, account)


def _with_groups(frame: _Frame, plan: LocalPlan, account: AccountId) -> Decided:
    shown = frame.reading.answers[AskAccount(account)]
    groups = frame.reading.answers[AskAccountGroups(account)]
    for answer in (groups, shown):
        if isinstance(answer, Unread):
            return _unclear(plan, Cause.ORGANIZATION_UNREAD, answer)
    if groups is MISSING:  # no such account there, or so it says: no proof of anything
        return _unclear(plan, Cause.ACCOUNT_UNKNOWN)
    listed = groups if isinstance(groups, tuple) else ()
    known = tuple(each for each in listed if isinstance(each, KnownGroup))
    # A search may leave deactivated accounts out; their groups are there all the same.
    about = shown if isinstance(shown, Account) else Account(account, roles=None)
    ledger = settle(frame.memory.history, frozenset(each.group.id for each in known))
    active = any(
        each.record and each.record.active for _, each in frame.there if not each.standing.absent
    )
    plan = replace(plan, account=about, groups=known, ledger=ledger, provisioned=active)
    scene = LocalScene(
        reading=frame.reading,
        policy=frame.policy,
        found=frame.found,
        guard=frame.guard,
        there=frame.there,
        standing=plan.standing,
        memory=frame.memory,
        account=about,
        groups=known,
        ledger=ledger,
        forfeits=plan.forfeits,
    )
    return _collect(scene, plan)


def _collect(scene: LocalScene, plan: LocalPlan) -> Decided:
    """Judge each group the account is in, then each we took, and keep what came of it."""
    results: list[Result | None] = [
        *(removal(scene, each) for each in sorted(plan.groups, key=lambda each: each.group)),
        *(addition(scene, each) for each in scene.ledger.taken),
    ]
    stepped: frozenset[Uuid] = frozenset(
        each.group.id for each in results if isinstance(each, Step)
    )
    back = ordered.in_organization(scene, stepped)
    results += [result for _, result in back]
    results += _alarms(scene, stepped)
    gone = _missed(scene)
    results += [Refusal(ORGANIZATION, Cause.GROUPS_MISSED, group) for group in sorted(gone)]
    kept = tuple(each for each in results if isinstance(each, Kept))
    staying = {each.group.id for each in kept}
    unwanted = tuple(
        Resolved(step.id, State.ABANDONED, UNWANTED)
        for step in scene.ledger.parked
        if step.group in staying
    )
    ledger = scene.ledger.without(undecided(results), scene.reading.at)
    ledger = replace(ledger, resolved=(*ledger.resolved, *unwanted))
    return Decided(
        replace(
            plan,
            steps=tuple(each for each in results if isinstance(each, Step)),
            refusals=tuple(
                each.refusal if isinstance(each, Succeeded) else each
                for each in results
                if isinstance(each, Refusal | Succeeded)
            ),
            kept=kept,
            ledger=ledger,
            missed=gone,
            answered=ordered.answered(back),
        ),
        asks=frozenset(ask for each in results if isinstance(each, Asking) for ask in each.asks),
        others=frozenset(
            other for each in results if isinstance(each, Succeeded) for other in each.others
        ),
    )


def _missed(scene: LocalScene) -> frozenset[Uuid]:
    """Local groups that a rule names, of somebody who should be in none of them."""
    if scene.here and scene.standing is not Standing.RETURNING:
        return frozenset()
    named = {
        group
        for group, (name, synced) in scene.reading.groups_before.items()
        if not synced and rules_for(scene.policy, group, name)
    }
    shown = {each.group.id for each in scene.groups}
    return missed(scene.memory, shown, scene.ledger, named, scene.reading.at)


# -- alarms ------------------------------------------------------------------------------------


def _alarms(scene: LocalScene, going: Collection[Uuid]) -> list[Refusal]:
    """A person who left and still administers Atlassian is alarmed at once. Design 3.4."""
    if not scene.standing.absent:
        return []
    staying = [each.group for each in scene.groups if each.group.id not in going]
    before = scene.reading.account_before
    same = before if before and before.id == scene.account.id else None
    held = [None] if administers(as_told(scene.account, same)) else []
    return [
        scene.refuse(Cause.ADMIN_LEFT, group)
        for group in (*held, *(each for each in staying if never(each.name)))
    ]
