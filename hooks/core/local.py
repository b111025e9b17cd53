"""Whether one membership kept in the organization is removed or left alone, and why. Design 3.3 f.

Must live here: every rule about a single local group. Must not know: other groups, other people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from hooks.core import claims
from hooks.core.asks import (
    Ask,
    AskActiveMembers,
    AskHolders,
    Asking,
    AskScimLinks,
)
from hooks.core.change import NO_EFFECT_AFTER, REASONS, Succeeded, built_in, shielded, succeeded
from hooks.core.ledger import Ledger
from hooks.core.membership import (
    ORGANIZATION,
    Action,
    OrganizationGroup,
    Standing,
    Via,
)
from hooks.core.plan import Because, DirectoryPlan, Kept, Reason, Step
from hooks.core.policy import Policy, Rule, Suspended
from hooks.core.protection import Guard, role_guard
from hooks.core.reading import (
    Account,
    AppUser,
    DirectoryReading,
    KnownGroup,
    OktaUser,
    Reading,
    ScimLink,
    Successor,
    Unread,
    Why,
)
from hooks.core.refusal import Cause, Refusal
from hooks.core.returning import best
from hooks.core.rules import resolved, rules_for, satisfied

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hooks.core.claims import Contradiction
    from hooks.core.ids import AccountId, DirectoryName, OktaAppId, ScimUserId
    from hooks.core.memory import Memory, PastStep

#: How far back grants after our removals, and removals to be given back, count. Design 3.5.
RECENT = timedelta(days=30)
#: Grants after our removals, that recent, before we stop. Design 3.4.
_GRANTED_AGAIN = 2

_REASONS = {**REASONS, Standing.PRESENT: Reason.LOST_RULE}


@dataclass(frozen=True, slots=True)
class LocalScene:
    """What the rules for single groups need to know.

    ``there`` are the directories that count; ``by`` is the one whose standing decides.
    """

    reading: Reading
    policy: Policy
    found: tuple[Contradiction, ...]
    guard: Guard | None
    there: tuple[tuple[DirectoryReading, DirectoryPlan], ...]
    standing: Standing
    memory: Memory
    account: Account
    groups: tuple[KnownGroup, ...]
    ledger: Ledger
    forfeits: bool

    @property
    def by(self) -> DirectoryName:
        """The directory whose standing decides."""
        rank = best(plan.standing for _, plan in self.there)
        return next(plan.name for _, plan in self.there if plan.standing is rank)

    @property
    def kept_as_present(self) -> bool:
        """Suspended, and the policy lets suspended people keep what they have."""
        return self.standing is Standing.SUSPENDED and self.policy.suspended is Suspended.KEEP

    @property
    def here(self) -> bool:
        """In force, or treated so: what they have stays unless a rule speaks against it."""
        return self.standing in (Standing.PRESENT, Standing.RETURNING) or self.kept_as_present

    @property
    def apps(self) -> frozenset[OktaAppId]:
        """Those of all directories: a claim about one that does not count yet counts too."""
        return frozenset(directory.app_id for directory in self.reading.directories)

    def refuse(
        self, cause: Cause, group: OrganizationGroup | None = None, unread: Unread | None = None
    ) -> Refusal:
        """Something of the organization left alone."""
        return Refusal(ORGANIZATION, cause, group.id if group else None, unread)


Result = Step | Refusal | Asking | Kept | Succeeded


# -- removals ----------------------------------------------------------------------------------


def removal(scene: LocalScene, known: KnownGroup) -> Result:
    """Judge one group the account is in."""
    group = known.group
    rules = rules_for(scene.policy, group.id, group.name)
    before = rules_for(scene.policy, group.id, known.before[0]) if known.before else rules
    if not rules and not before:
        return Kept(group, Because.SYNCED if group.synced else Because.UNNAMED)
    if known.before and (rules != before or known.before[1] is not group.synced):
        return scene.refuse(Cause.GROUP_CHANGED, group)
    if group.synced:
        return Kept(group, Because.SYNCED)
    return (
        _spared(scene, group, rules)
        or _objection(scene, known, rules)
        or _recheck(scene, group, rules)
    )


def _spared(scene: LocalScene, group: OrganizationGroup, rules: tuple[Rule, ...]) -> Result | None:
    """What keeps the membership, or leaves it open; ``None`` if the rules want it gone."""
    answers = [resolved(scene.reading, rule) for rule in rules]
    asks = frozenset(ask for each in answers if isinstance(each, Asking) for ask in each.asks)
    if asks:
        return Asking(asks)
    if not scene.here:
        # Nothing is wanted; but a rule that lost one of its groups removes nothing.
        return None if any(each is True for each in answers) else _unsettled(scene, group, answers)
    if rules[0].while_member_of is None:
        returning = scene.standing is Standing.RETURNING
        return None if returning else Kept(group, Because.SILENT, (f"rule:{rules[0].text}",))
    for rule in rules:
        if mine := satisfied(scene.reading, rule):
            return Kept(group, Because.RULE, (f"rule:{rule.text}", *mine))
    return _unsatisfied(scene, group, answers)


def _unsatisfied(
    scene: LocalScene, group: OrganizationGroup, answers: Iterable[bool | Unread | Asking]
) -> Refusal | None:
    """Whether it is proved that no group of any rule has the person."""
    mine = scene.reading.okta_groups
    if isinstance(mine, Unread):
        return scene.refuse(Cause.GROUPS_UNREAD, group, mine)
    if not mine:
        return scene.refuse(Cause.GROUPS_EMPTY, group)
    return None if all(each is True for each in answers) else _unsettled(scene, group, answers)


def _unsettled(
    scene: LocalScene, group: OrganizationGroup, answers: Iterable[bool | Unread | Asking]
) -> Refusal:
    """Some condition cannot be judged: an answer is missing, or else a group."""
    unread = next((each for each in answers if isinstance(each, Unread)), None)
    cause = Cause.SOURCE_UNREADABLE if unread else Cause.RULE_UNRESOLVED
    return scene.refuse(cause, group, unread)


def _objection(scene: LocalScene, known: KnownGroup, rules: tuple[Rule, ...]) -> Refusal | None:
    """What speaks against this removal on the answers there are."""
    group = known.group
    names = {group.name, *(known.before or ())[:1]}
    sources = [each for rule in rules if rule.while_member_of for each in rule.while_member_of.ids]
    taken = scene.ledger.of(group.id)
    back_again = [each for each in scene.ledger.back if _counts(scene, each, group)]
    causes = (
        (built_in(names, group.id, rules), Cause.NEVER),
        (shielded(scene.policy, group.id, names), Cause.PROTECTED),
        (not group.modifiable, Cause.NOT_MODIFIABLE),
        (
            bool(claims.withheld(scene.found, scene.apps, sources, removing=True)),
            Cause.CONTRADICTED,
        ),
        (taken is not None and taken.unseen >= NO_EFFECT_AFTER, Cause.NO_EFFECT),
        (len(back_again) >= _GRANTED_AGAIN, Cause.GRANTED_AGAIN),
        (_parked(scene, group), Cause.PARKED),
    )
    if scene.guard:
        return scene.refuse(scene.guard.cause, group, scene.guard.unread)
    cause = next((cause for holds, cause in causes if holds), None)
    return scene.refuse(cause, group) if cause else None


def _counts(scene: LocalScene, step: PastStep, group: OrganizationGroup) -> bool:
    """A removal for the reason there is now, of this return if it is one, and not long ago."""
    if step.group != group.id or step.reason != _reason(scene) or step.at is None:
        return False
    was, back = scene.memory.standing, scene.standing is Standing.RETURNING
    began = scene.memory.returned if back else None
    if scene.standing.absent:  # what was granted between two absences is no automatic access
        began = scene.memory.absent_since if was and was.absent else scene.reading.at
    return step.at > scene.reading.at - RECENT and (began is None or step.at >= began)


def _parked(scene: LocalScene, group: OrganizationGroup) -> bool:
    frozen = scene.account.status not in (None, "active")
    return frozen and any(step.group == group.id for step in scene.ledger.parked)


def _recheck(scene: LocalScene, group: OrganizationGroup, rules: tuple[Rule, ...]) -> Result:
    """Answers only a removal rests on, asked for once nothing else speaks against it."""
    others: frozenset[AccountId] | None = None
    asks: set[Ask] = set()
    checks = (_role(scene), _links(scene), _successors(scene), _last(scene, group, rules))
    for check in checks:
        match check:
            case Refusal():
                return replace(check, group=group.id)
            case Succeeded():
                return replace(check, refusal=replace(check.refusal, group=group.id))
            case Asking():
                asks |= check.asks
            case frozenset():
                others = check
            case _:
                pass
    if asks:
        return Asking(frozenset(asks))
    lost = _reason(scene) is Reason.LOST_RULE
    return Step(
        ORGANIZATION,
        Action.REMOVE,
        group,
        _reason(scene),
        evidence(scene, rules),
        Via.ORGANIZATION,
        scene.by,
        rules[0].text if lost else "",
        others,
    )


def _reason(scene: LocalScene) -> Reason:
    return Reason.LOST_RULE if scene.kept_as_present else _REASONS[scene.standing]


def evidence(scene: LocalScene, rules: Iterable[Rule]) -> tuple[str, ...]:
    """Ids, statuses and rules a step rests on."""
    user = scene.reading.user
    assigned = [
        f"app_user:{plan.name}:"
        f"{each.app_user.status if isinstance(each.app_user, AppUser) else 'missing'}"
        for each, plan in scene.there
    ]
    return (
        f"user:{user.status if isinstance(user, OktaUser) else 'missing'}",
        *assigned,
        f"account:{scene.account.id} {scene.account.status or 'unknown'}",
        *(f"rule:{rule.text}" for rule in rules),
        *claims.lost(scene.found),
    )


def _role(scene: LocalScene) -> Refusal | Asking | None:
    """Somebody in force loses nothing while it is not known whether they hold an admin role."""
    role = role_guard(scene.reading, scene.policy, scene.account.id, in_force=scene.here)
    if isinstance(role, Guard):
        return scene.refuse(role.cause)
    before = scene.reading.account_before
    told = scene.account.roles is not None or (before and before.id == scene.account.id)
    if scene.here and not told:
        return scene.refuse(Cause.ROLES_UNREAD)
    return role


def _links(scene: LocalScene) -> Refusal | Asking | None:
    """Does the organization link the account with a SCIM user that is not ours? Design 3.3.

    Where the call is refused or does not exist, nothing is known and we go on.
    """
    ask = AskScimLinks(scene.account.id)
    answer = scene.reading.answers.get(ask)
    if answer is None:
        return Asking(frozenset({ask}))
    if isinstance(answer, Unread) and answer.why is not Why.FORBIDDEN:
        return scene.refuse(Cause.LINKS_UNREAD, unread=answer)
    if not isinstance(answer, tuple):
        return None
    shown = {
        (each.directory.lower(), each.scim_id.lower())
        for each in answer
        if isinstance(each, ScimLink)
    }
    ours = {_place(each, plan.record.id) for each, plan in scene.there if plan.record}
    remembered = {
        _place(each, known) for each in scene.reading.directories if (known := each.memory.scim_id)
    }
    contradicts = not ours <= shown or not shown <= ours | remembered
    return scene.refuse(Cause.LINKED_ELSEWHERE) if contradicts else None


def _place(directory: DirectoryReading, record: ScimUserId) -> tuple[str, str]:
    return directory.scim_directory.lower(), record.lower()


def _successors(scene: LocalScene) -> Refusal | Asking | Succeeded | None:
    """Somebody else in force holds the account, a record, or its userName, wherever that is."""
    records = {plan.name: plan.record.user_name for _, plan in scene.there if plan.record}
    asks: frozenset[Ask] = frozenset()
    holders = AskHolders(scene.account.id)
    answer = scene.reading.answers.get(holders)
    if answer is None:
        asks = frozenset({holders})
    elif isinstance(answer, tuple) and answer:
        others = frozenset(each.user for each in answer if isinstance(each, Successor))
        return Succeeded(scene.refuse(Cause.SUCCESSOR), others)
    for directory in scene.reading.directories:
        if scene.here and not directory.memory.shared_with:
            continue
        known = records.get(directory.name) or directory.memory.user_name
        name = known or next(iter(records.values()))
        found = succeeded(scene.reading, directory, name)
        if isinstance(found, Unread):
            return scene.refuse(Cause.SUCCESSOR_UNREAD, unread=found)
        if isinstance(found, Asking):
            asks |= found.asks
        elif found:
            return Succeeded(scene.refuse(Cause.SUCCESSOR), found)
    return Asking(asks) if asks else None


def _last(
    scene: LocalScene, group: OrganizationGroup, rules: Iterable[Rule]
) -> Refusal | Asking | frozenset[AccountId] | None:
    """The other active members of an admin group, one of whom must remain. Design 3.4."""
    if not any(rule.admin for rule in rules):
        return None
    ask = AskActiveMembers(group.id)
    answer = scene.reading.answers.get(ask)
    if answer is None:
        return Asking(frozenset({ask}))
    if not isinstance(answer, frozenset):
        unread = answer if isinstance(answer, Unread) else Unread(Why.INCOMPLETE)
        return scene.refuse(Cause.MEMBERS_UNREAD, unread=unread)
    others = answer - {scene.account.id}
    return others or scene.refuse(Cause.LAST_ADMIN)
