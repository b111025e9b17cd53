"""Judge hooks.toml: what its credentials open, and what its rules and names reach."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hooks.cli import access, findings, opening, text
from hooks.cli.ends import FAILED, FailedError
from hooks.cli.findings import Answers, Finding, Named, Verdict
from hooks.cli.opening import Json
from hooks.core.errors import ForbiddenError, HooksError
from hooks.core.ids import OktaGroupId
from hooks.core.reading import App, Missing, OktaGroup
from hooks.settings import Holder, OktaToken, Role, load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from hooks.core.ids import OrganizationGroupId
    from hooks.core.membership import OrganizationGroup
    from hooks.core.policy import Policy
    from hooks.gateways.okta import Okta
    from hooks.gateways.organization import Organization
    from hooks.observe import Observer
    from hooks.settings import Settings

T = TypeVar("T")

app = typer.Typer(help="The policy in hooks.toml: check what it reaches.", no_args_is_help=True)

#: Groups whose roles are asked for; each is a call.
_MOST_ROLES = 50
#: What a SCIM key is tried with; whether there is such a group does not matter.
_NO_GROUP = "hooks policy check"
#: Where what stands behind a verdict begins.
_BEHIND = 6
_STYLES = {Verdict.FAIL: "red", Verdict.WARN: "yellow", Verdict.UNCHECKED: "yellow"}


@app.callback()
def _policy() -> None:
    """The policy in hooks.toml: check what it reaches."""


@app.command("check")
def check(
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Judge the file alone; ask no vendor.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Try each credential, and judge what hooks.toml reaches.

    Okta and Atlassian are asked what the file names. Nothing is changed and the database is not
    opened. Exit code 1: something fails.
    """
    settings = load(need=Role.POLICY if offline else Role.LOOK)
    opening.quiet(logging.CRITICAL)  # what it would say of credentials is said below
    found = asyncio.run(_found(settings, offline=offline))
    failed = any(each.verdict is Verdict.FAIL for each in found)
    if as_json:
        keys = ("verdict", "place", "about", "remedy")
        told = [{key: getattr(each, key) for key in keys} for each in found]
        text.as_json({"failed": failed, "findings": told})
    else:
        _show(found)
    if failed:
        raise typer.Exit(FAILED)


async def _found(settings: Settings, *, offline: bool) -> list[Finding]:
    from hooks import policies, wiring

    policy = policies.of(settings)
    found = list(findings.of_file(policy))
    if offline:
        return [*found, *_NOT_OFFLINE, *_NEVER_CHECKED]
    named = _named(settings)
    async with wiring.opened(settings, vendors=True) as house:
        if house.observer is None:
            raise FailedError("policy check: no vendors are open")
        opened = await _opened(house.observer, settings)
        found += opened.findings
        answers = await _asked(house.observer, policy, named, opened)
    found += findings.of_rules(policy, answers)
    found += findings.of_protection(policy, answers)
    found += findings.of_names(named, answers)
    return [*found, *_NEVER_CHECKED]


_NOT_OFFLINE = (
    Finding(Verdict.UNCHECKED, "hooks.toml", "what rules and names reach: --offline asks nobody"),
    Finding(Verdict.UNCHECKED, "environment", "what the credentials open"),
)
_NEVER_CHECKED = (
    Finding(Verdict.UNCHECKED, "[protect] users", "whether these people are there"),
    Finding(
        Verdict.UNCHECKED,
        "hooks.toml",
        "names of Okta groups that meant another group when they were first resolved",
    ),
)


def _named(settings: Settings) -> list[Named]:
    """Every Okta group the file names, by place."""
    found = [
        Named(
            f"[[local_group]] {index + 1} while_member_of",
            rule.while_member_of,
            "until then the rule removes nothing",
            "the condition always holds",
        )
        for index, rule in enumerate(settings.local_groups)
        if rule.while_member_of
    ]
    return [
        *found,
        Named(
            "[scope] only_okta_groups",
            settings.scope.only_okta_groups,
            "until then nothing is removed from anybody",
            "so this is no pilot",
        ),
        Named(
            "[protect] okta_groups",
            settings.protect.okta_groups,
            "until then nothing is removed from anybody",
            "so nothing is removed from anybody",
        ),
    ]


# -- asking ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Opened:
    """What each credential and id came to.

    ``groups`` are the organization's, or why there are none; ``no_okta`` is why Okta is not asked
    on, if so.
    """

    findings: tuple[Finding, ...]
    groups: Sequence[OrganizationGroup] | str
    no_okta: str


async def _opened(observer: Observer, settings: Settings) -> _Opened:
    """Ask each vendor one thing with each credential."""
    indexes = range(len(settings.directories))
    (okta, no_okta), scim, (organization, groups) = await asyncio.gather(
        _okta(observer, settings),
        asyncio.gather(*(_directory(observer, settings, index) for index in indexes)),
        _organization(observer),
    )
    return _Opened((*okta, *scim, *organization), groups, no_okta)


async def _okta(observer: Observer, settings: Settings) -> tuple[list[Finding], str]:
    """The app of each directory, and the credential by which it is read."""
    client_id, private_key, token = Holder.READER.names
    held = settings.secrets.okta()
    names = (token,) if isinstance(held, OktaToken) else (client_id, private_key)
    answers = []
    for each in settings.directories:
        answer = await _tried(observer.okta.app(each.okta_app_id))
        if isinstance(answer, HooksError) and not isinstance(answer, ForbiddenError):
            found = access.of_okta(names, answer)
            return [found], _because(found)
        answers.append(answer)
    apps = [access.of_app(index, answer) for index, answer in enumerate(answers)]
    works = any(isinstance(answer, App) for answer in answers)  # which a 404 does not show
    return [*([access.of_okta(names, None)] if works else []), *apps], ""


async def _directory(observer: Observer, settings: Settings, index: int) -> Finding:
    name = settings.directories[index].name
    answer = await _tried(observer.directories[name].scim.group_named(_NO_GROUP))
    error = answer if isinstance(answer, HooksError) else None
    return access.of_directory(index, settings.secrets.scim_name(name), error)


async def _organization(
    observer: Observer,
) -> tuple[list[Finding], Sequence[OrganizationGroup] | str]:
    if observer.organization is None:
        return [], "no organization_id is given, so there is no list"
    groups = await _tried(_all_groups(observer.organization))
    if isinstance(groups, HooksError):
        found = access.of_organization(groups)
        return [found], _because(found)
    return [access.of_organization(None), access.UNTOLD], groups


def _because(finding: Finding) -> str:
    return f"because of {finding.place} above"


async def _asked(
    observer: Observer, policy: Policy, named: Iterable[Named], opened: _Opened
) -> Answers:
    """What the vendors say about everything the file names."""
    roles: dict[OrganizationGroupId, frozenset[str] | str] = {}
    if observer.organization and not isinstance(opened.groups, str):
        roles = await _roles(observer.organization, policy, opened.groups)
    names = sorted({name for each in named for name in each.names})
    if opened.no_okta or not names:
        groups = dict.fromkeys(names, opened.no_okta)
        return Answers(opened.groups, groups, frozenset(), roles)
    return Answers(
        opened.groups,
        {name: await _or_why(_groups_named(observer.okta, name)) for name in names},
        await _or_why(_pushed(observer)),
        roles,
    )


async def _tried(call: Awaitable[T]) -> T | HooksError:
    try:
        return await call
    except HooksError as error:
        return error


async def _or_why(call: Awaitable[T]) -> T | str:
    """The answer, or why there is none; messages of ours name no one."""
    answer = await _tried(call)
    return str(answer) if isinstance(answer, HooksError) else answer


async def _all_groups(organization: Organization) -> list[OrganizationGroup]:
    return [group async for page in organization.groups() for group in page]


async def _roles(
    organization: Organization, policy: Policy, groups: Iterable[OrganizationGroup]
) -> dict[OrganizationGroupId, frozenset[str] | str]:
    acted = {
        group.id
        for rule in policy.rules
        for group in findings.reached(policy, rule, groups)
        if findings.acted_on(policy, rule, group)
    }
    asked = sorted(acted)[:_MOST_ROLES]
    found = {each: await _or_why(organization.role_assignments(each)) for each in asked}
    return found | dict.fromkeys(acted - found.keys(), f"only {_MOST_ROLES} groups are asked about")


async def _groups_named(okta: Okta, name: str) -> tuple[OktaGroup, ...]:
    known = OktaGroupId.maybe(name)
    if known is None:
        return await okta.groups_named(name)
    group = await okta.group(known)
    return () if isinstance(group, Missing) else (group,)


async def _pushed(observer: Observer) -> frozenset[OktaGroupId]:
    found = [await observer.okta.mappings(each.app) for each in observer.directories.values()]
    return frozenset(mapping.target for mappings in found for mapping in mappings)


# -- for people --------------------------------------------------------------------------------


def _show(found: Iterable[Finding]) -> None:
    counts = dict.fromkeys(Verdict, 0)
    for each in found:
        counts[each.verdict] += 1
        if each.verdict is not Verdict.UNCHECKED:
            words = f"{each.verdict:<4}  {each.place}: {each.about}"
            text.tell(words, _STYLES.get(each.verdict, ""), below=_BEHIND)
            if each.remedy:
                text.tell(f"{' ' * _BEHIND}-> {each.remedy}", below=_BEHIND + 3)
    for each in found:
        if each.verdict is Verdict.UNCHECKED:
            words = f"not checked: {each.place}: {each.about}"
            text.tell(words, _STYLES[each.verdict], below=_BEHIND)
    words = ", ".join(f"{counts[each]} {_COUNTED[each]}" for each in Verdict)
    text.say(f"\n{words}")


_COUNTED = {
    Verdict.OK: "ok",
    Verdict.WARN: "to look at",
    Verdict.FAIL: "to put right",
    Verdict.UNCHECKED: "not checked",
}
