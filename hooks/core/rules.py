"""Which rules name a group of the organization, and whether their conditions hold. Design 3.4.

Must live here: what a ``[[local_group]]`` means for one group and one person.
Must not know: how the person stands, or what follows.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from hooks.core.asks import Asking, AskOktaGroup
from hooks.core.reading import MISSING, OktaGroup, Reading, Unread, Why

if TYPE_CHECKING:
    from hooks.core.ids import OktaAppId, OktaGroupId, Uuid
    from hooks.core.policy import Policy, Rule


def rules_for(policy: Policy, group: Uuid, name: str) -> tuple[Rule, ...]:
    """The rules that name a group under this name; those with a condition go before others."""
    found = tuple(rule for rule in policy.rules if _names(rule, group, name))
    conditional = tuple(rule for rule in found if rule.while_member_of is not None)
    return conditional or found


def _names(rule: Rule, group: Uuid, name: str) -> bool:
    if rule.id:
        return rule.id.lower() == group.lower()
    return fnmatchcase(name.casefold(), rule.text.casefold())


def satisfied(reading: Reading, rule: Rule) -> list[OktaGroupId]:
    """Groups of the rule's condition that the person is in; those of a configured app never."""
    if rule.while_member_of is None:
        return []
    groups = reading.okta_groups
    apps = _apps(reading)
    mine = (
        {each.id for each in groups if each.counts(apps)}
        if isinstance(groups, frozenset)
        else set()
    )
    return sorted(rule.while_member_of.ids & mine)


def _apps(reading: Reading) -> frozenset[OktaAppId]:
    return frozenset(each.app_id for each in reading.directories)


def resolved(reading: Reading, rule: Rule) -> bool | Unread | Asking:
    """Whether every group of the condition is there and can be read. Design 3.2."""
    named = rule.while_member_of
    if named is None:
        return True
    if named.unresolved:
        return False
    asks = {AskOktaGroup(group, fresh=True) for group in named.ids}
    if missing := asks - reading.answers.keys():
        return Asking(frozenset(missing))
    answers = [reading.answers[ask] for ask in sorted(asks, key=repr)]
    apps = _apps(reading)
    if any(answer is MISSING or _ours(answer, apps) for answer in answers):
        return False
    unread = next((each for each in answers if not isinstance(each, OktaGroup)), None)
    if unread is None:
        return True
    return unread if isinstance(unread, Unread) else Unread(Why.INCOMPLETE)


def _ours(answer: object, apps: frozenset[OktaAppId]) -> bool:
    return isinstance(answer, OktaGroup) and not answer.counts(apps)
