"""Judge hooks.toml: what its credentials open, and what its rules and names reach."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import doors, findings, opening
from hooks.cli.ends import FAILED
from hooks.cli.opening import Json
from hooks.core import access, reach
from hooks.core.finding import Finding, Verdict
from hooks.core.reach import Mention
from hooks.settings import Role, load

if TYPE_CHECKING:
    from hooks.settings import Settings

app = typer.Typer(help="The policy in hooks.toml: check what it reaches.", no_args_is_help=True)


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
    told = asyncio.run(_found(settings, offline=offline))
    failed = any(each.verdict is Verdict.FAIL for each in told)
    if as_json:
        findings.as_json(told, failed=failed)
    else:
        findings.show(told)
        findings.count(told)
    if failed:
        raise typer.Exit(FAILED)


async def _found(settings: Settings, *, offline: bool) -> list[Finding]:
    from hooks import policies, probe
    from hooks.clock import Clock

    if offline:
        return [*reach.of_file(policies.of(settings)), *_NOT_OFFLINE, *never_checked(settings)]
    async with doors.opened(settings, Clock()) as each:
        opened = await probe.try_each(each.ways)
        untold = [] if isinstance(opened.groups, str) else [access.UNTOLD]
        policy = policies.of(settings)
        judged = await probe.judged(each.ways, policy, named(settings), opened)
        return [*opened.findings, *untold, *judged, *never_checked(settings)]


_NOT_OFFLINE = (
    Finding(Verdict.UNCHECKED, "hooks.toml", "what rules and names reach: --offline asks nobody"),
    Finding(Verdict.UNCHECKED, "environment", "what the credentials open"),
)
_GIVEN = Finding(
    Verdict.UNCHECKED, "[notify] url", "whether anybody takes a notification: none is sent"
)
_NOT_GIVEN = Finding(
    Verdict.OK, "[notify] url", "is not given: nobody is told of an alarm; hooks alarms lists them"
)


def never_checked(settings: Settings) -> list[Finding]:
    """What the file says that no check of ours can tell."""
    users = Finding(Verdict.UNCHECKED, "[protect] users", "whether these people are there")
    names = Finding(
        Verdict.UNCHECKED,
        "hooks.toml",
        "names of Okta groups that meant another group when they were first resolved",
    )
    told = any(each.names for each in named(settings))
    return [
        _GIVEN if settings.notify.url else _NOT_GIVEN,
        *([users] if settings.protect.users else []),
        *([names] if told else []),
    ]


def named(settings: Settings) -> list[Mention]:
    """Every Okta group the file names, by place."""
    found = [
        Mention(
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
        Mention(
            "[scope] only_okta_groups",
            settings.scope.only_okta_groups,
            "until then nothing is removed from anybody",
            "so this is no pilot",
        ),
        Mention(
            "[protect] okta_groups",
            settings.protect.okta_groups,
            "until then nothing is removed from anybody",
            "so nothing is removed from anybody",
        ),
    ]
