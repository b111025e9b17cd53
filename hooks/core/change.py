"""Whether one membership of one person is removed, added, or left alone, and why.

Must live here: every rule about a single group. Must not know: other directories, other people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

from hooks.core import claims, mapping
from hooks.core.asks import Ask, Asking, AskSuccessor
from hooks.core.mapping import Loose, Managed, Mappings
from hooks.core.membership import Action, Group, Standing
from hooks.core.plan import Because, Kept, Reason, Step
from hooks.core.policy import Orphaned, Policy, Restore, Suspended
from hooks.core.protection import Guard, role_guard
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
    from collections.abc import Iterable

    from hooks.core.claims import Contradiction
    from hooks.core.ids import OktaGroupId, OktaUserId, ScimGroupId, Uuid
    from hooks.core.ledger import Ledger
    from hooks.core.policy import Rule

#: Atlassian's own groups; no plan ever touches them. Design 3.4.
NEVER = (
    "org-admins", "site-admins", "system-administrators", "administrators",
    "jira-administrators", "atlassian-addons*",
)  # fmt: skip
#: Named by their id with ``admin = true``, these two may be touched after all.
ADMIN = frozenset({"administrators", "jira-administrators"})
#: Removals Atlassian accepted without effect before we stop and say so.
NO_EFFECT_AFTER = 3

REASONS = {
    Standing.LEFT: Reason.LEFT,
    Standing.UNASSIGNED: Reason.UNASSIGNED,
    Standing.SUSPENDED: Reason.SUSPENDED,
    Standing.RETURNING: Reason.RETURNED,
    Standing.PRESENT: Reason.LOST_GROUP,
}


@dataclass(frozen=True, slots=True)
class Scene:
    """What the rules for single groups need of what is around; ``mine`` is of ``group_ids``."""

    reading: Reading
    directory: DirectoryReading
    policy: Policy
    found: tuple[Contradiction, ...]
    guard: Guard | None
    standing: Standing
    record: ScimRecord
    mappings: Mappings
    ledger: Ledger
    mine: frozenset[OktaGroupId]

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


# -- removals ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Succeeded:
    """A removal refused because somebody else holds the record now."""

    refusal: Refusal
    others: frozenset[OktaUserId]


def removal(scene: Scene, group: Group) -> Step | Refusal | Asking | Succeeded | Kept:
    """Judge one group the person has."""
    managed = mapping.behind(group, scene.mappings)
    if managed is None:
        return _unmanaged(scene, group)
    keeping = sorted({source.group for source in managed.sources if source.group in scene.mine})
    if scene.wanting and keeping:
        return Kept(group, Because.SOURCE, tuple(keeping))
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
        evidence(scene, group),
    )


def _reason(scene: Scene) -> Reason:
    """A suspended person under ``keep`` counts as present. Design 3.3."""
    return Reason.LOST_GROUP if scene.suspended_kept else REASONS[scene.standing]


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
    app = frozenset({scene.directory.app_id})
    if claims.withheld(scene.found, app, sources, removing=True):
        return Cause.CONTRADICTED
    taken = scene.ledger.of(group.id)
    if taken and taken.unseen >= NO_EFFECT_AFTER:
        return Cause.NO_EFFECT
    return None


def _keeps(scene: Scene, loose: Loose) -> bool:
    return loose.source in scene.mine


def _unmanaged(scene: Scene, group: Group) -> Refusal | Kept:
    """No mapping leads to the group: never touched, unless one may that could not be read."""
    for loose in scene.mappings.loose:
        if not (scene.wanting and _keeps(scene, loose)):
            return scene.refuse(Cause.MAPPING_UNREADABLE, group.id, loose.unread)
    return Kept(group, Because.UNMANAGED)


def _untouchable(scene: Scene, group: Group) -> Cause | None:
    """By the name shown and by the remembered one, since SCIM may leave a display out."""
    names = {group.display, *(each.name for each in scene.mappings.to(group.id))}
    if any(never(name) for name in names):
        return Cause.NEVER
    return Cause.PROTECTED if shielded(scene.policy, group.id, names) else None


@lru_cache(maxsize=4096)  # each group of each look is asked about, and its name is the same
def never(name: str) -> bool:
    """One of Atlassian's own groups."""
    return any(fnmatchcase(name.casefold(), pattern) for pattern in NEVER)


def built_in(names: Iterable[str], group: str, rules: Iterable[Rule]) -> bool:
    """One of Atlassian's own, under any of these names, and no rule lets us touch it by its id."""
    found = {name.casefold() for name in names if never(name)}
    admin = any(rule.admin and rule.id and rule.id.lower() == group.lower() for rule in rules)
    return bool(found) and not (admin and found <= ADMIN)


def shielded(policy: Policy, group: str, names: Iterable[str]) -> bool:
    """Whether the policy protects a group, by its id, a name, or a glob."""
    known = {name.casefold() for name in (*names, group) if name}
    patterns = [pattern.casefold() for pattern in policy.protected_groups]
    return any(name == each or fnmatchcase(name, each) for name in known for each in patterns)


def _recheck(scene: Scene, group: Group, managed: Managed) -> Refusal | Asking | Succeeded | None:
    """Answers only this removal rests on, asked for once nothing else speaks against it."""
    answers = scene.reading.answers
    account = scene.record.account
    checks: list[tuple[object, Cause]] = [
        (role_guard(scene.reading, scene.policy, account, in_force=scene.wanting), Cause.PROTECTED),
        (mapping.check_targets(group, scene.mappings, answers), Cause.MAPPING_UNREADABLE),
    ]
    if scene.wanting:
        loose = tuple(
            mapping.Source(each.source, live=False, active=False, listed=True)
            for each in scene.mappings.loose
        )
        every = replace(managed, sources=(*managed.sources, *loose))
        checks.append((mapping.check_sources(every, answers), Cause.SOURCE_UNREADABLE))
    checks.append((_successor(scene, group.id), Cause.SUCCESSOR_UNREAD))
    asks: frozenset[Ask] = frozenset()
    for answer, cause in checks:
        match answer:
            case Cause():
                return scene.refuse(answer, group.id)
            case Guard():
                return scene.refuse(answer.cause, group.id)
            case Unread():
                return scene.refuse(cause, group.id, answer)
            case Succeeded():
                return answer
            case Asking():
                asks |= answer.asks
            case _:
                pass
    return Asking(asks) if asks else None


def _successor(scene: Scene, group: ScimGroupId) -> Unread | Asking | Succeeded | None:
    if scene.wanting and not scene.directory.memory.shared_with:
        return None
    found = succeeded(scene.reading, scene.directory, scene.record.user_name)
    if isinstance(found, frozenset):
        return Succeeded(scene.refuse(Cause.SUCCESSOR, group), found) if found else None
    return found


def undecided(results: Iterable[object]) -> frozenset[Uuid]:
    """Groups that are to change, or are refused: all about which not everything is said."""
    found: set[Uuid] = set()
    for each in results:
        result = each.refusal if isinstance(each, Succeeded) else each
        if isinstance(result, Step):
            found.add(result.group.id)
        elif isinstance(result, Refusal) and result.group:
            found.add(result.group)
    return frozenset(found)


def succeeded(
    reading: Reading, directory: DirectoryReading, user_name: str
) -> frozenset[OktaUserId] | Unread | Asking:
    """A successor wins: others in force who hold the record or its userName. Design 3.1."""
    if directory.memory.shared_with:
        return directory.memory.shared_with
    ask = AskSuccessor(directory.name, user_name)
    answer = reading.answers.get(ask)
    if answer is None:
        return Asking(frozenset({ask}))
    if not isinstance(answer, tuple):
        return answer if isinstance(answer, Unread) else Unread(Why.INCOMPLETE)
    others = frozenset(each.user for each in answer if isinstance(each, Successor))
    return others - {reading.user_id}


def evidence(scene: Scene, group: Group) -> tuple[str, ...]:
    """Ids and statuses a step rests on."""
    user, app_user = scene.reading.user, scene.directory.app_user
    links = sorted(
        f"mapping:{link.mapping} source:{link.source}" for link in scene.mappings.to(group.id)
    )
    return (
        f"user:{user.status if isinstance(user, OktaUser) else 'missing'}",
        f"app_user:{app_user.status if isinstance(app_user, AppUser) else 'missing'}",
        f"record:{scene.record.id} {scene.record.status}",
        *links,
        *claims.lost(scene.found),
    )


# -- additions ---------------------------------------------------------------------------------


def candidates(scene: Scene) -> list[Group]:
    """Memberships that may be added: those we took, or all that are wanted. Design 3.5."""
    if scene.policy.restore is Restore.NONE or not scene.wanting:
        return []
    observed = {group.id for group in scene.record.groups or ()}
    unsettled = {each.group for each in scene.ledger.taken if not each.seen_gone}
    ours = {each.group for each in scene.ledger.taken}
    everything = scene.policy.restore is Restore.ALL or scene.reading.repair is not None
    mine = scene.mine if everything else frozenset()
    groups = {
        Group(link.group, link.name)
        for link in scene.mappings.links
        if link.group in ours or link.source in mine
    }
    return sorted(group for group in groups if group.id not in observed or group.id in unsettled)


def may_gain(scene: Scene) -> bool:
    """The assignment is in force, and the person inside the pilot."""
    app_user = scene.directory.app_user
    outside = (Cause.OUT_OF_SCOPE, Cause.SCOPE_UNKNOWN)
    if scene.guard is not None and scene.guard.cause in outside:
        return False
    return isinstance(app_user, AppUser) and app_user.in_force


def made_anew(scene: Scene, group: Group) -> Cause | None:
    """The directory has another group of this name, and the remembered one no more."""
    others = (each for each in scene.record.groups or () if each.id != group.id)
    anew = any(each.display == group.display for each in others)
    return Cause.MAPPING_MOVED if anew else None


def addition(scene: Scene, group: Group) -> Step | Refusal | Asking | None:
    """Judge one candidate; ``None`` if nothing wants it now."""
    managed = mapping.behind(group, scene.mappings)
    if managed is None or _untouchable(scene, group) or not may_gain(scene):
        return None
    granting = [
        source.group for source in managed.sources if source.active and source.group in scene.mine
    ]
    if not granting:
        return None
    taken = scene.ledger.of(group.id)
    if taken and taken.unseen >= NO_EFFECT_AFTER:
        return scene.refuse(Cause.NO_EFFECT, group.id)
    if cause := managed.cause or made_anew(scene, group):
        return scene.refuse(cause, group.id)
    app = frozenset({scene.directory.app_id})
    if claims.withheld(scene.found, app, granting, removing=False):
        return scene.refuse(Cause.CONTRADICTED, group.id)
    checked = mapping.check_targets(group, scene.mappings, scene.reading.answers)
    if isinstance(checked, Asking):
        return checked
    if checked is not None:
        cause = checked if isinstance(checked, Cause) else Cause.MAPPING_UNREADABLE
        return scene.refuse(cause, group.id, checked if isinstance(checked, Unread) else None)
    reason = Reason.GIVEN_BACK if taken else Reason.WANTED
    return Step(scene.directory.name, Action.ADD, group, reason, evidence(scene, group))
