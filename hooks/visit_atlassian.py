"""Atlassian looked over: each directory, and the organization with what its groups give.

Must live here: what is asked, and how much of it at most. Must not know: what an answer means.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hooks.core import checkup_atlassian, checkup_people
from hooks.core.finding import Finding
from hooks.core.reading import ScimRecord
from hooks.gateways.organization_review import MOST_ADDRESSES
from hooks.gateways.scim_review import ScimReview
from hooks.probe import or_why, roles_of, touched

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from hooks.core.checkup_people import Assigned, People
    from hooks.core.ids import AccountId, OktaUserId
    from hooks.core.membership import OrganizationGroup
    from hooks.core.policy import Policy
    from hooks.gateways.organization import Organization
    from hooks.gateways.organization_review import OrganizationReview
    from hooks.gateways.scim import Scim

#: People whose records show whether the directory is the one the app fills.
_SAMPLE = 5


async def directory(
    place: str, scim: Scim, people: People | str
) -> tuple[list[Finding], AccountId | None]:
    """One directory, held against whom its app has provisioned; and an account that it names."""
    sample = (
        [] if isinstance(people, str) else [each.record for each in people.named if each.record]
    )
    shown, records = await asyncio.gather(
        or_why(ScimReview(scim.door, scim.root).shown()),
        asyncio.gather(*(or_why(scim.user(each)) for each in sample[:_SAMPLE])),
    )
    if isinstance(shown, str):
        return list(checkup_atlassian.of_directory(place, shown)), None
    told, account = shown
    answered = [each for each in records if not isinstance(each, str)]
    there = sum(isinstance(each, ScimRecord) for each in answered)
    findings = [
        *checkup_atlassian.of_directory(place, told),
        checkup_atlassian.of_ownership(place, there, len(answered)),
    ]
    return findings, account


async def access(
    organization: Organization,
    policy: Policy,
    groups: Sequence[OrganizationGroup],
    pushed: Collection[str],
) -> list[Finding]:
    """Access that groups give which we never change."""
    found = checkup_atlassian.candidates(policy, groups, pushed)
    roles = await roles_of(organization, [each.id for each in found])
    return list(checkup_atlassian.of_endless(found, roles))


async def giving(
    organization: Organization, policy: Policy, groups: Sequence[OrganizationGroup]
) -> list[str]:
    """Names of the groups of rules that give access to an app."""
    found = touched(policy, groups)
    roles = await roles_of(organization, [each.id for each in found])
    return [each.name for each in found if isinstance(roles[each.id], frozenset) and roles[each.id]]


async def links(
    organization: Organization, account: AccountId | None, directories: Collection[str]
) -> Finding:
    """Whether Atlassian tells links, tried with one account."""
    found = None if account is None else await or_why(organization.links(account))
    return checkup_atlassian.of_links(found, directories)


async def accounts(
    review: OrganizationReview, places: Iterable[tuple[str, People | str]]
) -> list[Finding]:
    """Whether people with two names have two accounts, and whose domains are verified."""
    given = list(places)
    domains, twice = await asyncio.gather(
        or_why(review.domains()),
        asyncio.gather(*(_twice(review, people) for _, people in given)),
    )
    findings: list[Finding | None] = []
    for (place, people), (double, asked, left) in zip(given, twice, strict=True):
        if not isinstance(people, str):
            findings += checkup_people.of_accounts(place, double, asked, left)
        findings.append(checkup_people.of_domains(place, domains, people))
    return [each for each in findings if each is not None]


async def _twice(
    review: OrganizationReview, people: People | str
) -> tuple[list[OktaUserId] | str, int, int]:
    """Those with two names and as many accounts; how many were asked about, and how many not."""
    differing = () if isinstance(people, str) else people.differing
    asked = differing[: MOST_ADDRESSES // 2]
    names = {name for each in asked for name in _names(each)}
    known = await or_why(review.accounts(names)) if names else {}
    if isinstance(known, str):
        return known, len(asked), len(differing) - len(asked)
    double = [
        each.user
        for each in asked
        if len({account for name in _names(each) for account in known[name]}) > 1
    ]
    return double, len(asked), len(differing) - len(asked)


def _names(each: Assigned) -> tuple[str, str]:
    return each.user_name.casefold(), (each.address or "").casefold()
