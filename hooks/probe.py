"""Each credential tried once, and the vendors asked about everything that hooks.toml names.

Must live here: which question tries what. Must not know: what an answer means, or who wants to
know. Nothing is changed anywhere.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from hooks.core import access, reach
from hooks.core.errors import ForbiddenError, HooksError
from hooks.core.finding import Finding, Verdict
from hooks.core.ids import OktaGroupId
from hooks.core.reach import Answers
from hooks.core.reading import App, Missing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from hooks.core.ids import OktaAppId, OrganizationGroupId
    from hooks.core.membership import OrganizationGroup
    from hooks.core.policy import Policy
    from hooks.core.reach import Mention
    from hooks.core.reading import OktaGroup
    from hooks.gateways.okta import Okta
    from hooks.gateways.organization import Organization
    from hooks.gateways.scim import Scim

T = TypeVar("T")

#: Groups whose roles are asked for; each is a call.
MOST_ROLES = 50
#: What a SCIM key is tried with; whether there is such a group does not matter.
_NO_GROUP = "hooks policy check"
_NO_ORGANIZATION = "no organization_id is given, so there is no list"


@dataclass(frozen=True, slots=True)
class DirectoryWay:
    """One pair of an app and a SCIM directory, and the name its key has in the environment."""

    name: str
    app: OktaAppId
    scim: Scim | str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The ways in; a text stands for one that is not open, and says why.

    ``okta_secrets`` are the names of Okta's credential in the environment. ``organization`` is
    ``None`` where the settings name none.
    """

    okta: Okta | str
    okta_secrets: tuple[str, ...]
    directories: tuple[DirectoryWay, ...]
    organization: Organization | str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """What each credential and id came to.

    ``groups`` are the organization's, or why there are none; ``no_okta`` is why Okta is not asked
    on, and ``no_scim`` for each directory why it is not, if so.
    """

    okta: tuple[Finding, ...]
    scim: tuple[Finding, ...]
    organization: tuple[Finding, ...]
    groups: Sequence[OrganizationGroup] | str
    no_okta: str
    no_scim: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them."""
        return (*self.okta, *self.scim, *self.organization)


async def try_each(ways: Ways) -> Opened:
    """Ask each vendor one thing with each credential."""
    (okta, no_okta), scim, (organization, groups) = await asyncio.gather(
        _okta(ways),
        asyncio.gather(*(_directory(index, each) for index, each in enumerate(ways.directories))),
        _organization(ways.organization),
    )
    closed = tuple("" if each.verdict is Verdict.OK else _because(each) for each in scim)
    return Opened(tuple(okta), tuple(scim), tuple(organization), groups, no_okta, closed)


async def _okta(ways: Ways) -> tuple[list[Finding], str]:
    """The app of each directory, and the credential by which it is read."""
    if isinstance(ways.okta, str):
        found = access.not_given(*ways.okta_secrets, why=ways.okta)
        return [found], _because(found)
    answers = []
    for each in ways.directories:
        answer = await or_error(ways.okta.app(each.app))
        if isinstance(answer, HooksError) and not isinstance(answer, ForbiddenError):
            found = access.of_okta(ways.okta_secrets, answer)
            return [found], _because(found)
        answers.append(answer)
    apps = [access.of_app(index, answer) for index, answer in enumerate(answers)]
    works = any(isinstance(answer, App) for answer in answers)  # which a 404 does not show
    return [*([access.of_okta(ways.okta_secrets, None)] if works else []), *apps], ""


async def _directory(index: int, directory: DirectoryWay) -> Finding:
    if isinstance(directory.scim, str):
        return access.not_given(directory.secret, why=directory.scim)
    answer = await or_error(directory.scim.group_named(_NO_GROUP))
    error = answer if isinstance(answer, HooksError) else None
    return access.of_directory(index, directory.secret, error)


async def _organization(
    organization: Organization | str | None,
) -> tuple[list[Finding], Sequence[OrganizationGroup] | str]:
    if organization is None:
        return [], _NO_ORGANIZATION
    if isinstance(organization, str):
        found = access.not_given(access.ORGANIZATION_KEY, why=organization)
        return [found], _because(found)
    groups = await or_error(_all_groups(organization))
    if isinstance(groups, HooksError):
        found = access.of_organization(groups)
        return [found], _because(found)
    return [access.of_organization(None)], groups


def _because(finding: Finding) -> str:
    return f"because of {finding.place}"


async def judged(
    ways: Ways, policy: Policy, named: Sequence[Mention], opened: Opened
) -> list[Finding]:
    """What hooks.toml says and reaches, by vendors that are open."""
    answers = await _asked(ways, policy, named, opened)
    return [
        *reach.of_file(policy),
        *reach.of_rules(policy, answers),
        *reach.of_protection(policy, answers),
        *reach.of_names(named, answers),
    ]


async def _asked(ways: Ways, policy: Policy, named: Iterable[Mention], opened: Opened) -> Answers:
    """What the vendors say about everything the file names."""
    names = sorted({name for each in named for name in each.names})
    roles = _roles(ways.organization, policy, opened.groups)
    if opened.no_okta or isinstance(ways.okta, str) or not names:
        groups: dict[str, Sequence[OktaGroup] | str] = dict.fromkeys(names, opened.no_okta)
        return Answers(opened.groups, groups, frozenset(), await roles)
    okta = ways.okta
    found, pushed, given = await asyncio.gather(
        asyncio.gather(*(or_why(_groups_named(okta, name)) for name in names)),
        or_why(_pushed(okta, ways.directories)),
        roles,
    )
    return Answers(opened.groups, dict(zip(names, found, strict=True)), pushed, given)


async def or_error(call: Awaitable[T]) -> T | HooksError:
    """The answer, or the error in its place."""
    try:
        return await call
    except HooksError as error:
        return error


async def or_why(call: Awaitable[T]) -> T | str:
    """The answer, or why there is none; messages of ours name no one."""
    answer = await or_error(call)
    return str(answer) if isinstance(answer, HooksError) else answer


async def _all_groups(organization: Organization) -> list[OrganizationGroup]:
    return [group async for page in organization.groups() for group in page]


async def _roles(
    organization: Organization | str | None,
    policy: Policy,
    groups: Sequence[OrganizationGroup] | str,
) -> dict[OrganizationGroupId, frozenset[str] | str]:
    if organization is None or isinstance(organization, str) or isinstance(groups, str):
        return {}
    return await roles_of(organization, [each.id for each in touched(policy, groups)])


def touched(policy: Policy, groups: Iterable[OrganizationGroup]) -> list[OrganizationGroup]:
    """The groups that a rule names and may change."""
    listed = list(groups)
    acted = {
        group.id: group
        for rule in policy.rules
        for group in reach.reached(policy, rule, listed)
        if reach.acted_on(policy, rule, group)
    }
    return [acted[each] for each in sorted(acted)]


async def roles_of(
    organization: Organization, groups: Sequence[OrganizationGroupId]
) -> dict[OrganizationGroupId, frozenset[str] | str]:
    """The roles of the first of these groups; of the others, why they are not told."""
    first = groups[:MOST_ROLES]
    answers = await asyncio.gather(*(or_why(organization.role_assignments(each)) for each in first))
    left = dict.fromkeys(groups[MOST_ROLES:], f"only {MOST_ROLES} groups are asked about")
    return dict(zip(first, answers, strict=True)) | left


async def _groups_named(okta: Okta, name: str) -> tuple[OktaGroup, ...]:
    known = OktaGroupId.maybe(name)
    if known is None:
        return await okta.groups_named(name)
    group = await okta.group(known)
    return () if isinstance(group, Missing) else (group,)


async def _pushed(okta: Okta, directories: Iterable[DirectoryWay]) -> frozenset[OktaGroupId]:
    found = [await okta.mappings(each.app) for each in directories]
    return frozenset(mapping.target for mappings in found for mapping in mappings)
