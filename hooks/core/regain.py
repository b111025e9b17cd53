"""What we took from somebody's local groups and give back, because it is wanted again. Design 3.5.

Must live here: when a removal of ours is undone. Must not know: what is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooks.core import claims
from hooks.core.asks import Asking, AskLog, AskOrganizationGroup
from hooks.core.change import NO_EFFECT_AFTER, built_in, shielded
from hooks.core.history import absences
from hooks.core.ids import OrganizationGroupId
from hooks.core.local import RECENT, LocalScene, Result, evidence
from hooks.core.membership import ORGANIZATION, Action, Standing, Via
from hooks.core.plan import Reason, Step
from hooks.core.policy import Restore
from hooks.core.reading import KnownGroup, Unread
from hooks.core.refusal import Cause, Refusal
from hooks.core.rules import rules_for, satisfied

if TYPE_CHECKING:
    from hooks.core.ledger import Taken


def addition(scene: LocalScene, taken: Taken) -> Result | None:
    """Judge one membership we took; ``None`` if nothing wants it back now. Design 3.5."""
    in_force = scene.standing in (Standing.PRESENT, Standing.RETURNING)
    outside = scene.guard and scene.guard.cause in (Cause.OUT_OF_SCOPE, Cause.SCOPE_UNKNOWN)
    if scene.policy.restore is Restore.NONE or not in_force or outside:
        return None
    if taken.seen_gone and any(each.group.id == taken.group for each in scene.groups):
        return None
    never_away = _never_away(scene, taken)
    recent = taken.at is not None and taken.at > scene.reading.at - RECENT
    if never_away and taken.why == Reason.SUSPENDED:
        away = _away_since(scene, taken)
        if isinstance(away, Asking | Refusal):
            return away
        never_away = not away
    if not never_away and not recent:
        return None
    ask = AskOrganizationGroup(OrganizationGroupId(taken.group))
    answer = scene.reading.answers.get(ask)
    if answer is None:
        return Asking(frozenset({ask}))
    if not isinstance(answer, KnownGroup):
        unread = answer if isinstance(answer, Unread) else None
        gone = Refusal(ORGANIZATION, Cause.ORGANIZATION_UNREAD, taken.group, unread)
        return gone if unread else None  # a group that is gone has no members
    return _gain(scene, taken, answer, never_away=never_away)


def _gain(scene: LocalScene, taken: Taken, known: KnownGroup, *, never_away: bool) -> Result | None:
    group = known.group
    rules = rules_for(scene.policy, group.id, group.name)
    mine = [each for rule in rules for each in satisfied(scene.reading, rule)]
    names = {group.name, known.before[0]} if known.before else {group.name}
    untouchable = built_in(names, group.id, rules) or shielded(scene.policy, group.id, names)
    if not rules or untouchable:
        return None
    conditions = [rule.while_member_of for rule in rules if rule.while_member_of is not None]
    # A condition that does not hold would take it away again at the next look.
    if not mine and (conditions or not never_away):
        unresolved = any(each.unresolved for each in conditions) and not group.synced
        return scene.refuse(Cause.RULE_UNRESOLVED, group) if unresolved else None
    changed = known.before and (
        known.before[0] != group.name or known.before[1] is not group.synced
    )
    causes = (
        (changed, Cause.GROUP_CHANGED),
        (not group.modifiable, Cause.NOT_MODIFIABLE),
        (taken.unseen >= NO_EFFECT_AFTER, Cause.NO_EFFECT),
        (
            bool(claims.withheld(scene.found, scene.apps, mine, removing=False)),
            Cause.CONTRADICTED,
        ),
        (scene.account.status not in (None, "active"), Cause.ACCOUNT_INACTIVE),
    )
    cause = next((cause for holds, cause in causes if holds), None)
    if cause:
        return scene.refuse(cause, group)
    if group.synced:  # accepted so; what it holds is the identity provider's now
        return None
    return Step(
        ORGANIZATION,
        Action.ADD,
        group,
        Reason.GIVEN_BACK,
        evidence(scene, rules),
        Via.ORGANIZATION,
        scene.by,
    )


def _away_since(scene: LocalScene, taken: Taken) -> bool | Asking | Refusal:
    """Whether the log shows an absence since a suspension took it, of which nobody told us."""
    log = scene.reading.log
    if log is None:
        return Asking(frozenset({AskLog()}))
    if isinstance(log, Unread):
        return Refusal(ORGANIZATION, Cause.HISTORY_UNREAD, taken.group, log)
    now, least = scene.reading.at, scene.policy.brief_absence
    later = [
        each
        for each in absences(log, scene.apps)
        if each.ended is None or each.ended > (taken.at or now)
    ]
    return any(each.left or (each.ended or now) - each.began >= least for each in later)


def _never_away(scene: LocalScene, taken: Taken) -> bool:
    """Taken in a suspension or a brief absence, and nothing longer has been since. Design 3.5."""
    brief = taken.why in (Reason.SUSPENDED, Reason.UNASSIGNED)
    since = scene.memory.returned
    fresh = since is None or (taken.at is not None and taken.at > since)
    return scene.standing is Standing.PRESENT and brief and fresh and not scene.forfeits
