"""Judge hooks.toml: what its rules and names reach, asked of the vendors unless told otherwise."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hooks.cli import findings, opening, text
from hooks.cli.ends import FAILED
from hooks.cli.findings import Answers, Finding, Named, Verdict
from hooks.cli.opening import Json
from hooks.core.errors import HooksError
from hooks.core.ids import OktaGroupId
from hooks.core.reading import Missing, OktaGroup
from hooks.settings import Role, load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

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
    """Judge hooks.toml, and ask Okta and Atlassian what it names.

    Nothing is changed and the database is not opened. Exit code 1: something fails.
    """
    settings = load(need=Role.POLICY if offline else Role.LOOK)
    opening.quiet()
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
    from hooks import wiring

    policy = wiring.policy_of(settings)
    found = list(findings.of_file(policy))
    if offline:
        return [*found, *_NOT_OFFLINE, *_NEVER_CHECKED]
    named = _named(settings)
    async with wiring.opened(settings, vendors=True) as house:
        answers = await _asked(house.observer, policy, named) if house.observer else Answers("")
    found += findings.of_rules(policy, answers)
    found += findings.of_protection(policy, answers)
    found += findings.of_names(named, answers)
    return [*found, *_NEVER_CHECKED]


_NOT_OFFLINE = (
    Finding(Verdict.UNCHECKED, "hooks.toml", "what rules and names reach: --offline asks nobody"),
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


async def _asked(observer: Observer, policy: Policy, named: Iterable[Named]) -> Answers:
    """What the vendors say about everything the file names."""
    groups: list[OrganizationGroup] | str = "no organization_id is given, so there is no list"
    roles: dict[OrganizationGroupId, frozenset[str] | str] = {}
    if observer.organization:
        groups = await _or_why(_all_groups(observer.organization))
        if not isinstance(groups, str):
            roles = await _roles(observer.organization, policy, groups)
    names = {name for each in named for name in each.names}
    return Answers(
        groups,
        {name: await _or_why(_groups_named(observer.okta, name)) for name in sorted(names)},
        await _or_why(_pushed(observer)) if names else frozenset(),
        roles,
    )


async def _or_why(call: Awaitable[T]) -> T | str:
    """The answer, or why there is none; messages of ours name no one."""
    try:
        return await call
    except HooksError as error:
        return str(error)


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
