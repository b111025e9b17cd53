"""What hooks.toml reaches and what it misses, judged against what the vendors answered.

Must live here: every sentence about a rule, a pattern or a name of the file. Must not know: how
the vendors are asked, or how findings look. Names of groups and ids only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hooks.core.change import NEVER, never, shielded
from hooks.core.finding import Finding, Verdict, some
from hooks.core.ids import OktaGroupId
from hooks.core.report import counted
from hooks.core.rules import rules_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hooks.core.ids import OrganizationGroupId
    from hooks.core.membership import OrganizationGroup
    from hooks.core.policy import Policy, Rule
    from hooks.core.reading import OktaGroup

#: Of those never touched, what a rule by id with ``admin = true`` may name. Design 3.4.
_ADMIN = frozenset({"administrators", "jira-administrators"})
#: Names in one sentence.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Mention:
    """Okta groups the file names at one place, and what it costs if one is not found."""

    place: str
    names: tuple[str, ...]
    cost: str
    everybody: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What the vendors said; a text stands for no answer, and says why.

    ``pushed`` are the groups our apps' mappings lead to, which never count.
    """

    groups: Sequence[OrganizationGroup] | str
    named: Mapping[str, Sequence[OktaGroup] | str] = field(default_factory=dict)
    pushed: frozenset[OktaGroupId] | str = frozenset()
    roles: Mapping[OrganizationGroupId, frozenset[str] | str] = field(default_factory=dict)


def rule_place(index: int, policy: Policy) -> str:
    """Where a rule stands, as the settings' own mistakes say it."""
    return f"[[local_group]] {index + 1} {'id' if policy.rules[index].id else 'name'}"


def reached(
    policy: Policy, rule: Rule, groups: Iterable[OrganizationGroup]
) -> list[OrganizationGroup]:
    """The groups a rule names, by name."""
    alone = replace(policy, rules=(rule,))
    found = [group for group in groups if rules_for(alone, group.id, group.name)]
    return sorted(found, key=lambda group: (group.name, group.id))


def acted_on(policy: Policy, rule: Rule, group: OrganizationGroup) -> bool:
    """Whether a rule that names a group can ever change it."""
    return _hindrance(policy, rule, group) is None


# -- the file alone ----------------------------------------------------------------------------


def of_file(policy: Policy) -> Iterator[Finding]:
    """What shows without asking anybody."""
    seen: dict[str, int] = {}
    for index, rule in enumerate(policy.rules):
        first = seen.setdefault(rule.text.casefold(), index)
        if first != index:
            about = f"names the same groups as [[local_group]] {first + 1}"
            yield Finding(Verdict.WARN, rule_place(index, policy), about, "keep one of the two")
        if rule.id is None and any(rule.text.casefold() == name for name in NEVER):
            yield Finding(Verdict.FAIL, rule_place(index, policy), *_NEVER)


_NEVER = (
    "names a group that is never touched",
    "take the rule out; administrators and jira-administrators: by id, with admin = true",
)

# -- rules -------------------------------------------------------------------------------------


def of_rules(policy: Policy, answers: Answers) -> Iterator[Finding]:
    """What each rule reaches, what hinders it, and which rule counts where several do."""
    if isinstance(answers.groups, str):
        if policy.rules:
            yield Finding(Verdict.UNCHECKED, "[[local_group]]", answers.groups)
        return
    for index, rule in enumerate(policy.rules):
        place = rule_place(index, policy)
        groups = reached(policy, rule, answers.groups)
        if not groups:
            yield _nothing(place, rule)
        yield from _hindered(policy, place, rule, groups)
        yield from _reaching(policy, place, rule, groups, answers)
    yield from _overlaps(policy, answers.groups)


def _nothing(place: str, rule: Rule) -> Finding:
    if rule.id:
        remedy = "write the id of a group, as its page in the administration shows it"
        return Finding(Verdict.FAIL, place, "no group of the organization has this id", remedy)
    glob = any(each in rule.text for each in "*?[")
    about = f"no group of the organization {'matches' if glob else 'is called'} {rule.text}"
    verdict = Verdict.WARN if glob else Verdict.FAIL
    return Finding(verdict, place, about, "correct the name, or take the rule out")


def _hindered(
    policy: Policy, place: str, rule: Rule, groups: Sequence[OrganizationGroup]
) -> Iterator[Finding]:
    """Groups a rule names in vain, by the reason; a rule that names no other does nothing."""
    by_reason: dict[tuple[str, str], list[OrganizationGroup]] = {}
    for group in groups:
        if reason := _hindrance(policy, rule, group):
            by_reason.setdefault(reason, []).append(group)
    every = sum(map(len, by_reason.values())) == len(groups)
    for (about, remedy), found in by_reason.items():
        verdict = Verdict.FAIL if every else Verdict.WARN
        yield Finding(verdict, place, f"{_names(found)}: {about}", remedy)


def _hindrance(policy: Policy, rule: Rule, group: OrganizationGroup) -> tuple[str, str] | None:
    """Why a rule that names a group changes nothing there, and the remedy."""
    if never(group.name):
        admin = group.name.casefold() in _ADMIN
        if not (admin and rule.admin and rule.id == group.id):
            remedy = "name it by id with admin = true, if you mean it" if admin else _OTHER
            return "never touched", remedy
    if group.synced:
        return "synced, so only a push mapping changes it", _OTHER
    if not group.modifiable:
        return "Atlassian says that its members cannot be changed", _OTHER
    if shielded(policy, group.id, [group.name]):
        return "protected by [protect] groups", "take it out of one of the two"
    return None


_OTHER = "name other groups, or narrow the glob"


def _reaching(
    policy: Policy,
    place: str,
    rule: Rule,
    groups: Sequence[OrganizationGroup],
    answers: Answers,
) -> Iterator[Finding]:
    """What a rule acts on, and which roles go with it."""
    found = [group for group in groups if acted_on(policy, rule, group)]
    if found:
        count = counted(len(found), "group", "groups")
        yield Finding(Verdict.OK, place, f"reaches {count}: {_names(found)}")
    for group in found:
        roles = answers.roles.get(group.id)
        if isinstance(roles, frozenset):
            gives = ", ".join(sorted(roles)) or "no role in any app"
            yield Finding(Verdict.OK, place, f"{group.name} gives {gives}")
        elif roles:
            about = f"which roles {group.name} gives: {roles}"
            yield Finding(Verdict.UNCHECKED, place, about)


def _overlaps(policy: Policy, groups: Iterable[OrganizationGroup]) -> Iterator[Finding]:
    """Groups that several rules name: which one counts, and why."""
    found: dict[tuple[int, ...], list[OrganizationGroup]] = {}
    for group in groups:
        named = tuple(
            index for index, rule in enumerate(policy.rules) if reached(policy, rule, [group])
        )
        if len(named) > 1 and any(acted_on(policy, policy.rules[each], group) for each in named):
            found.setdefault(named, []).append(group)
    for named, shared in sorted(found.items(), key=lambda each: each[0]):
        strict = [index for index in named if policy.rules[index].while_member_of]
        yield Finding(
            Verdict.WARN,
            f"[[local_group]] {', '.join(str(index + 1) for index in named)}",
            f"all name {_names(shared)}: {_counts(named, strict)}",
            "have one rule for each group, unless this is meant",
        )


def _counts(named: Sequence[int], strict: Sequence[int]) -> str:
    if not strict:
        return "they say the same"
    numbers = " and ".join(str(index + 1) for index in strict)
    if len(strict) == len(named):
        return "whoever satisfies one of them stays"
    if len(strict) == 1:
        return f"{numbers} counts, because it has while_member_of, and no other"
    return f"{numbers} count, because they have while_member_of; one of them satisfied is enough"


# -- patterns and names ------------------------------------------------------------------------


def of_protection(policy: Policy, answers: Answers) -> Iterator[Finding]:
    """Patterns of ``[protect] groups``."""
    if isinstance(answers.groups, str):
        if policy.protected_groups:
            yield Finding(Verdict.UNCHECKED, "[protect] groups", answers.groups)
        return
    for index, pattern in enumerate(policy.protected_groups):
        place = f"[protect] groups {index + 1}"
        alone = replace(policy, protected_groups=(pattern,))
        found = [group for group in answers.groups if shielded(alone, group.id, [group.name])]
        if found:
            count = counted(len(found), "group", "groups")
            yield Finding(Verdict.OK, place, f"protects {count}: {_names(found)}")
        else:
            about = f"no group of the organization matches {pattern}"
            remedy = "correct it, unless it is the SCIM id of a group"
            yield Finding(Verdict.WARN, place, about, remedy)


def of_names(named: Iterable[Mention], answers: Answers) -> Iterator[Finding]:
    """Okta groups the file names: each must be one group, which no app of ours owns."""
    if isinstance(answers.pushed, str):
        yield Finding(Verdict.UNCHECKED, "[[directory]]", answers.pushed)
    for each in named:
        for index, name in enumerate(each.names):
            place = f"{each.place} {index + 1}"
            found = answers.named.get(name, "nobody asked")
            if isinstance(found, str):
                yield Finding(Verdict.UNCHECKED, place, f"{name}: {found}")
            else:
                yield _resolved(each, place, name, found, answers.pushed)


def _resolved(
    each: Mention, place: str, name: str, found: Sequence[OktaGroup], pushed: frozenset[str] | str
) -> Finding:
    by_id = OktaGroupId.maybe(name) is not None
    if not found:
        other = "" if by_id else " that no app owns (an APP_GROUP is named by its id)"
        about = f"Okta shows no group {name}{other}; {each.cost}"
        return Finding(Verdict.FAIL, place, about, "correct it, and look what the credential sees")
    if len(found) > 1:
        ids = ", ".join(sorted(group.id for group in found))
        about = f"{len(found)} groups are called {name}: {ids}; {each.cost}"
        return Finding(Verdict.FAIL, place, about, "write the id of the one you mean")
    (group,) = found
    if group.id in pushed:
        about = f"{group.name} is what our app pushes to (APP_GROUP), and never counts; {each.cost}"
        return Finding(Verdict.FAIL, place, about, "name the group of Okta that is pushed")
    if group.type == "APP_GROUP":
        about = f"{group.name} is an app's (APP_GROUP): that app decides who is in it"
        return Finding(Verdict.WARN, place, about, "see that this is meant")
    if group.type == "BUILT_IN":
        about = f"everybody is in {group.name}: {each.everybody}"
        return Finding(Verdict.WARN, place, about, "name a group that only some are in")
    return Finding(Verdict.OK, place, f"{group.name} is {group.id}")


def _names(groups: Sequence[OrganizationGroup]) -> str:
    return some([group.name for group in groups], _NAMED)
