"""Whether one membership of one person is removed, added, or left alone, and why.

Must live here: every rule about a single group. Must not know: other directories, other people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from hooks.core import claims, mapping
from hooks.core.asks import Ask, Asking, AskSuccessor
from hooks.core.mapping import Loose, Managed, Mappings
from hooks.core.membership import Action, Group, Standing
from hooks.core.plan import Reason, Step
from hooks.core.policy import Orphaned, Policy, Restore, Suspended
from hooks.core.reading import (
    AppUser,
    DirectoryReading,
    OktaUser,
    Reading,
    ScimRecord,
    Successor,
    Unread,
    Why,
)
from hooks.core.refusal import Cause, Refusal

if TYPE_CHECKING:
    from hooks.core.claims import Contradiction
    from hooks.core.ids import OktaGroupId, OktaUserId, ScimGroupId
    from hooks.core.ledger import Ledger

#: Atlassian's own groups; no plan ever touches them. Design 3.4.
NEVER = (
    "org-admins", "site-admins", "system-administrators", "administrators",
    "jira-administrators", "atlassian-addons*",
)  # fmt: skip
#: Removals Atlassian accepted without effect before we stop and say so.
NO_EFFECT_AFTER = 3

_REASONS = {
    Standing.LEFT: Reason.LEFT,
    Standing.UNASSIGNED: Reason.UNASSIGNED,
    Standing.SUSPENDED: Reason.SUSPENDED,
    Standing.RETURNING: Reason.RETURNED,
    Standing.PRESENT: Reason.LOST_GROUP,
}


@dataclass(frozen=True, slots=True)
class Guard:
    """Why nothing may be removed from this person at all."""

    cause: Cause
    unread: Unread | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What the rules for single groups need to know about the directory around them."""

    reading: Reading
    directory: DirectoryReading
    policy: Policy
    found: tuple[Contradiction, ...]
    guard: Guard | None
    standing: Standing
    record: ScimRecord
    mappings: Mappings
    ledger: Ledger

    @property
    def suspended_kept(self) -> bool:
        """Suspended, and the policy lets suspended people keep what they have."""
        return self.standing is Standing.SUSPENDED and self.policy.suspended is Suspended.KEEP

    @property
    def wanting(self) -> bool:
        """Group memberships in Okta count; otherwise nothing is wanted."""
        return self.suspended_kept or self.standing in (Standing.PRESENT, Standing.RETURNING)

    def refuse(
        self, cause: Cause, group: ScimGroupId | None = None, unread: Unread | None = None
    ) -> Refusal:
        """Something of this directory left alone."""
        return Refusal(self.directory.name, cause, group, unread)


def group_ids(reading: Reading) -> frozenset[OktaGroupId]:
    """The Okta groups the person is in; none where the list could not be read."""
    if isinstance(reading.okta_groups, Unread):
        return frozenset()
    return frozenset(group.id for group in reading.okta_groups)


# -- removals ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Succeeded:
    """A removal refused because somebody else holds the record now."""

    refusal: Refusal
    others: frozenset[OktaUserId]


def removal(scene: Scene, group: Group) -> Step | Refusal | Asking | Succeeded | None:
    """Judge one group the person has; ``None`` if it is wanted or not ours to judge."""
    managed = mapping.behind(group, scene.mappings)
    if managed is None:
        return _unmanaged(scene, group)
    mine = group_ids(scene.reading)
    if scene.wanting and any(source.group in mine for source in managed.sources):
        return None
    strip = scene.policy.orphaned is Orphaned.STRIP_ABSENT and scene.standing.absent
    if managed.orphaned and not strip:
        return scene.refuse(Cause.ORPHANED, group.id)
    cause = _standing_objection(scene, group, managed)
    if cause:
        return scene.refuse(cause, group.id, _unread(scene, cause))
    rechecked = _recheck(scene, group, managed)
    if rechecked is not None:
        return rechecked
    return Step(
        scene.directory.name,
        Action.REMOVE,
        group,
        _reason(scene),
        _evidence(scene, group),
    )


def _reason(scene: Scene) -> Reason:
    """A suspended person under ``keep`` counts as present. Design 3.3."""
    return Reason.LOST_GROUP if scene.suspended_kept else _REASONS[scene.standing]


def _unread(scene: Scene, cause: Cause) -> Unread | None:
    """The answer that was missing, for the objections that come of one."""
    if cause is Cause.MAPPING_UNREADABLE:
        return next((each.unread for each in scene.mappings.loose if _keeps(scene, each)), None)
    return scene.guard.unread if scene.guard and scene.guard.cause is cause else None


def _standing_objection(scene: Scene, group: Group, managed: Managed) -> Cause | None:
    """What speaks against this removal on the answers there are."""
    untouchable = _untouchable(scene, group)
    if untouchable:
        return untouchable
    if scene.guard:
        return scene.guard.cause
    if managed.cause:
        return managed.cause
    if scene.wanting and any(_keeps(scene, loose) for loose in scene.mappings.loose):
        return Cause.MAPPING_UNREADABLE
    sources = [each.group for each in managed.sources]
    sources += [each.source for each in scene.mappings.loose]
    if claims.withheld(scene.found, scene.directory, sources, removing=True):
        return Cause.CONTRADICTED
    taken = scene.ledger.of(group.id)
    if taken and taken.unseen >= NO_EFFECT_AFTER:
        return Cause.NO_EFFECT
    return None


def _keeps(scene: Scene, loose: Loose) -> bool:
    return loose.source in group_ids(scene.reading)


def _unmanaged(scene: Scene, group: Group) -> Refusal | None:
    """No mapping leads to the group: never touched, unless one may that could not be read."""
    for loose in scene.mappings.loose:
        if not (scene.wanting and _keeps(scene, loose)):
            return scene.refuse(Cause.MAPPING_UNREADABLE, group.id, loose.unread)
    return None


def _untouchable(scene: Scene, group: Group) -> Cause | None:
    """By the name shown and by the remembered one, since SCIM may leave a display out."""
    names = {group.display, *(each.name for each in scene.mappings.links if each.group == group.id)}
    folded = {name.casefold() for name in names if name}
    if any(fnmatchcase(name, pattern) for name in folded for pattern in NEVER):
        return Cause.NEVER
    patterns = [pattern.casefold() for pattern in scene.policy.protected_groups]
    known = {*folded, group.id.casefold()}
    if any(name == each or fnmatchcase(name, each) for name in known for each in patterns):
        return Cause.PROTECTED
    return None


def _recheck(scene: Scene, group: Group, managed: Managed) -> Refusal | Asking | Succeeded | None:
    """Answers only this removal rests on, asked for once nothing else speaks against it."""
    answers = scene.reading.answers
    checks: list[tuple[object, Cause]] = [
        (mapping.check_targets(group, scene.mappings, answers), Cause.MAPPING_UNREADABLE)
    ]
    if scene.wanting:
        loose = tuple(
            mapping.Source(each.source, live=False, active=False, listed=True)
            for each in scene.mappings.loose
        )
        every = replace(managed, sources=(*managed.sources, *loose))
        checks.append((mapping.check_sources(every, answers), Cause.SOURCE_UNREADABLE))
    checks.append((_successor(scene, group), Cause.SUCCESSOR_UNREAD))
    asks: frozenset[Ask] = frozenset()
    for answer, cause in checks:
        match answer:
            case Cause():
                return scene.refuse(answer, group.id)
            case Unread():
                return scene.refuse(cause, group.id, answer)
            case Succeeded():
                return answer
            case Asking():
                asks |= answer.asks
            case _:
                pass
    return Asking(asks) if asks else None


def _successor(scene: Scene, group: Group) -> Unread | Asking | Succeeded | None:
    """A successor wins: somebody in force who holds the record or its userName. Design 3.1."""
    shared = scene.directory.memory.shared_with
    if shared:
        return Succeeded(scene.refuse(Cause.SUCCESSOR, group.id), shared)
    if scene.wanting:
        return None
    ask = AskSuccessor(scene.directory.name, scene.record.user_name)
    answer = scene.reading.answers.get(ask)
    if answer is None:
        return Asking(frozenset({ask}))
    if not isinstance(answer, tuple):
        return answer if isinstance(answer, Unread) else Unread(Why.INCOMPLETE)
    others = frozenset(each.user for each in answer if isinstance(each, Successor))
    others -= {scene.reading.user_id}
    return Succeeded(scene.refuse(Cause.SUCCESSOR, group.id), others) if others else None


def _evidence(scene: Scene, group: Group) -> tuple[str, ...]:
    user, app_user = scene.reading.user, scene.directory.app_user
    links = sorted(
        f"mapping:{link.mapping} source:{link.source}"
        for link in scene.mappings.links
        if link.group == group.id
    )
    return (
        f"user:{user.status if isinstance(user, OktaUser) else 'missing'}",
        f"app_user:{app_user.status if isinstance(app_user, AppUser) else 'missing'}",
        f"record:{scene.record.id}",
        *links,
    )


# -- additions ---------------------------------------------------------------------------------


def candidates(scene: Scene) -> list[Group]:
    """Memberships that may be added: those we took, or all that are wanted. Design 3.5."""
    if scene.policy.restore is Restore.NONE or not scene.wanting:
        return []
    observed = {group.id for group in scene.record.groups or ()}
    unsettled = {each.group for each in scene.ledger.taken if not each.seen_gone}
    ours = {each.group for each in scene.ledger.taken}
    groups = {
        Group(link.group, link.name)
        for link in scene.mappings.links
        if link.group in ours or scene.policy.restore is Restore.ALL
    }
    return sorted(group for group in groups if group.id not in observed or group.id in unsettled)


def _may_gain(scene: Scene) -> bool:
    """The assignment is in force, and the person inside the pilot."""
    app_user = scene.directory.app_user
    outside = (Cause.OUT_OF_SCOPE, Cause.SCOPE_UNKNOWN)
    if scene.guard is not None and scene.guard.cause in outside:
        return False
    return isinstance(app_user, AppUser) and app_user.in_force


def addition(scene: Scene, group: Group) -> Step | Refusal | Asking | None:
    """Judge one candidate; ``None`` if nothing wants it now."""
    managed = mapping.behind(group, scene.mappings)
    if managed is None or _untouchable(scene, group) or not _may_gain(scene):
        return None
    mine = group_ids(scene.reading)
    granting = [
        source.group for source in managed.sources if source.active and source.group in mine
    ]
    if not granting:
        return None
    taken = scene.ledger.of(group.id)
    if taken and taken.unseen >= NO_EFFECT_AFTER:
        return scene.refuse(Cause.NO_EFFECT, group.id)
    if managed.cause:
        return scene.refuse(managed.cause, group.id)
    if claims.withheld(scene.found, scene.directory, granting, removing=False):
        return scene.refuse(Cause.CONTRADICTED, group.id)
    checked = mapping.check_targets(group, scene.mappings, scene.reading.answers)
    if isinstance(checked, Asking):
        return checked
    if checked is not None:
        cause = checked if isinstance(checked, Cause) else Cause.MAPPING_UNREADABLE
        return scene.refuse(cause, group.id, checked if isinstance(checked, Unread) else None)
    reason = Reason.GIVEN_BACK if taken else Reason.WANTED
    return Step(scene.directory.name, Action.ADD, group, reason, _evidence(scene, group))
