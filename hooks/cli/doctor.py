"""Look at everything that can be wrong, and say what to do about it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import doors, findings, opening, policy, text
from hooks.cli.ends import FAILED, FailedError
from hooks.cli.opening import Json
from hooks.core.finding import Part, Verdict
from hooks.settings import Role, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hooks.clock import Clock
    from hooks.doctor import File, Keeps, Report
    from hooks.settings import Settings

_PARTS = {
    Part.SETTINGS: "Settings",
    Part.STORE: "Store",
    Part.OKTA: "Okta, as the credential sees it",
    Part.HOOK: "Event hook and System Log",
    Part.APPS: "Okta apps",
    Part.SCIM: "Atlassian directories",
    Part.ORGANIZATION: "Atlassian organization",
    Part.POLICY: "Rules and names in hooks.toml",
    Part.CLOCKS: "Clocks",
}


def doctor(
    *,
    only: Annotated[
        list[Part] | None,
        typer.Option("--only", metavar="PART", help=f"One of: {', '.join(Part)}; repeatable."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on what is to look at, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at everything that can be wrong, and say what to do about it.

    Nothing is changed anywhere. Whatever secret is not given here, what it opens is not checked.
    Exit code 1: something fails. What could not be checked does not.
    """
    settings = load(need=Role.DOCTOR)
    opening.quiet(logging.CRITICAL)  # what it would say of credentials is said below
    report = asyncio.run(_examined(settings, only or list(Part)))
    told = [each for found in report.values() for each in found]
    bad = {Verdict.FAIL, Verdict.WARN} if strict else {Verdict.FAIL}
    failed = any(each.verdict in bad for each in told)
    if as_json:
        records = [
            {"part": str(part), **findings.record(each)}
            for part, found in report.items()
            for each in found
        ]
        text.as_json({"failed": failed, "findings": records})
    else:
        _show(report)
        findings.count(told)
    if failed:
        raise typer.Exit(FAILED)


def _show(report: Report) -> None:
    for index, (part, found) in enumerate(report.items()):
        if index:
            print()
        text.say(_PARTS[part], "bold")
        findings.show(found)


async def _examined(settings: Settings, parts: Sequence[Part]) -> Report:
    from hooks.clock import Clock
    from hooks.doctor import Doctor

    clock = Clock()
    with ExitStack() as stack:
        keeps = _keeps(settings, clock, stack)
        async with doors.opened(settings, clock) as each:
            return await Doctor(
                file=_file(settings),
                keeps=keeps,
                ways=each.ways,
                hooks=each.hooks,
                profiles=each.profiles,
                scopes=each.scopes,
                clock=clock,
            ).examine(parts)


def _file(settings: Settings) -> File:
    from hooks import policies
    from hooks.core.registration import Wanted
    from hooks.doctor import File

    return File(
        modes=settings.modes,
        policy=policies.of(settings),
        named=policy.named(settings),
        hook=Wanted(
            settings.okta.hook_url or "",
            settings.okta.hook_header,
            tuple(each.okta_app_id for each in settings.directories),
        ),
        directories=[each.scim_directory_id for each in settings.directories],
        organization=settings.atlassian.organization_id,
        ends=settings.expiry,
        never_checked=policy.never_checked(settings),
    )


def _keeps(settings: Settings, clock: Clock, stack: ExitStack) -> Keeps:
    """The store, if there is one, opened until the stack closes."""
    from hooks.doctor import Keeps
    from hooks.store import chain
    from hooks.store.database import Database
    from hooks.store.sealing import Sealer

    secrets = settings.secrets
    database: Database | str
    try:
        opening.missing(settings)
        database = Database(secrets.database_url.reveal(), clock)
        stack.callback(database.close)
    except FailedError:
        database = "there is no database"
    keys = secrets.given("HOOKS_SEALING_KEYS")
    return Keeps(
        database=database,
        sealer=Sealer(secrets.sealing_keys) if keys else None,
        signer=chain.Signer(secrets.chain_key) if secrets.chain_key else None,
        file=opening.sqlite_file(settings),
        every=settings.catch_up.every,
        missing=_missing(settings),
    )


def _missing(settings: Settings) -> list[str]:
    """Secrets of a serving process that nothing else speaks of when they are not given."""
    secrets = settings.secrets
    names = ["HOOKS_HOOK_SECRET", "HOOKS_SEALING_KEYS"]
    return [each for each in names if not secrets.given(each)]
