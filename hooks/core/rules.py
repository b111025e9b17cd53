"""Which rules name a group of the organization, and whether their conditions hold. Design 3.4.

Must live here: what a ``[[local_group]]`` means for one group and one person.
Must not know: how the person stands, or what follows.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from hooks.core.asks import Asking, AskOktaGroup
from hooks.core.protection import group_ids
from hooks.core.reading import MISSING, OktaGroup, Reading, Unread, Why

if TYPE_CHECKING:
    from hooks.core.ids import OktaGroupId
    from hooks.core.membership import OrganizationGroup
    from hooks.core.policy import Policy, Rule


def rules_for(policy: Policy, group: OrganizationGroup, name: str) -> tuple[Rule, ...]:
    """The rules that name a group under this name; those with a condition go before others."""
    found = tuple(
        rule
        for rule in policy.rules
        if (rule.id == group.id if rule.id else fnmatchcase(name.casefold(), rule.text.casefold()))
    )
    conditional = tuple(rule for rule in found if rule.while_member_of is not None)
    return conditional or found


def satisfied(reading: Reading, rule: Rule) -> list[OktaGroupId]:
    """Groups of the rule's condition that the person is in; those of a configured app never."""
    if rule.while_member_of is None:
        return []
    mine = group_ids(reading) - _app_groups(reading)
    return sorted(rule.while_member_of.ids & mine)


def _app_groups(reading: Reading) -> frozenset[OktaGroupId]:
    """What our apps' mappings push to: Okta shows these to no purpose of ours."""
    return frozenset(
        each.target
        for directory in reading.directories
        if not isinstance(directory.mappings, Unread)
        for each in directory.mappings
    )


def resolved(reading: Reading, rule: Rule) -> bool | Unread | Asking:
    """Whether every group of the condition is there and can be read. Design 3.2."""
    named = rule.while_member_of
    if named is None:
        return True
    if named.unresolved or not named.ids.isdisjoint(_app_groups(reading)):
        return False
    asks = {AskOktaGroup(group) for group in named.ids}
    if missing := asks - reading.answers.keys():
        return Asking(frozenset(missing))
    answers = [reading.answers[ask] for ask in sorted(asks, key=repr)]
    if any(answer is MISSING for answer in answers):
        return False
    unread = next((each for each in answers if not isinstance(each, OktaGroup)), None)
    if unread is None:
        return True
    return unread if isinstance(unread, Unread) else Unread(Why.INCOMPLETE)
