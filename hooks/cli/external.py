"""`hooks external`: people outside the verified domains whom Atlassian unlinked or dropped.

Must live here: what is asked for, and the order to repair. Must not know: who is external, or how
anybody is shown.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from hooks.cli import external_report, files, opening
from hooks.cli.ends import FAILED, FailedError, UsageError
from hooks.cli.external_report import Found
from hooks.cli.opening import Json, Reason
from hooks.cli.progress import Progress
from hooks.core import outside
from hooks.core.membership import Mode
from hooks.core.policy import Restore
from hooks.core.report import counted
from hooks.settings import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hooks.cli.foresight import Seen
    from hooks.core.ids import OktaUserId
    from hooks.core.outside import Estranged, Suspect
    from hooks.core.plan import DirectoryPlan
    from hooks.store.database import Tx
    from hooks.wiring import House

#: People in one transaction. Design 5.1.
_PORTION = 100

Apply = Annotated[
    bool, typer.Option("--apply", help="Have the missing memberships added again by `serve`.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show; so it is without --apply.")]
Support = Annotated[
    Path | None,
    typer.Option("--support", metavar="FILE", help="Write what Atlassian's support needs, as CSV."),
]


Most = Annotated[
    int, typer.Option("--limit", metavar="N", min=0, max=100_000, help="People shown at most.")
]


def external(
    *,
    apply: Apply = False,
    dry_run: DryRun = False,
    reason: Reason = None,
    support: Support = None,
    limit: Most = 50,
    as_json: Json = False,
) -> None:
    """Find external people whom a Force Sync of Okta unlinked, or dropped from groups.

    Those in force whose address lies outside the verified domains are compared with their SCIM
    records. With --apply, memberships that Okta wants are added again; a link that is lost only
    Atlassian's support can mend. Ids only, but for the file, which has addresses too.

    Exit code 1: somebody may have been missed, or could not be judged; it is said why.
    """
    if apply and dry_run is (reason is not None):
        raise UsageError("external: --apply needs --reason TEXT, or --dry-run")
    if reason is not None and not apply:
        raise UsageError("external: --reason belongs to --apply")
    why = None if reason is None else opening.reason(reason)
    with ExitStack() as stack:
        file = stack.enter_context(files.written(support, "--support")) if support else None
        if not asyncio.run(_external(_Asked(why, dry_run, file, limit, as_json))):
            raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for; ``why`` is ``None`` unless memberships are to be added."""

    why: str | None
    dry: bool
    file: IO[str] | None
    limit: int
    as_json: bool


async def _external(asked: _Asked) -> bool:
    """Find, show, and order; whether nobody can have been missed."""
    async with opening.opened(Role.LOOK, vendors=True) as house:
        _check(house, asked)
        opening.quiet(logging.CRITICAL)  # what fails is told at the end, in a line
        with opening.way_out("nothing was changed"):
            found = await _found(house)
        if asked.file:
            external_report.support(found, asked.file, house.settings)
        if not asked.as_json:
            external_report.show(found, asked.limit)
        ordered = _order(house, found, asked.why) if asked.why is not None else None
        if asked.as_json:
            external_report.as_json(found, ordered)
        elif asked.why is not None or asked.dry:
            _tell_ordered(house, found, dry=asked.dry)
        return found.whole


def _check(house: House, asked: _Asked) -> None:
    """Refuse before anybody is asked. Raises: FailedError."""
    from hooks import policies

    if asked.why is None:
        return
    policy = policies.of(house.settings)
    if policy.restore is Restore.NONE:
        raise FailedError('external: policy.restore is "none", so nothing is ever added')
    if Mode.ENFORCE not in policy.modes.values():
        raise FailedError('external: mode is "observe", so nothing is added; --dry-run counts')


async def _found(house: House) -> Found:
    from hooks.cli.foresight import Foresight
    from hooks.external import External
    from hooks.survey import Survey

    if house.observer is None:
        raise FailedError("external: no vendors are open")
    survey = Survey(observer=house.observer, database=house.database, sealer=house.sealer)
    progress, unread = Progress("external"), 0
    try:
        lists = await External(house.observer, survey, house.database, progress.say).find()
        work = await Foresight.of(house, repair=True)
        people: list[Estranged] = []
        users = sorted({each.user for each in lists.suspects})
        async for seen in work.run(users):
            for suspect in (each for each in lists.suspects if each.user == seen.user):
                if (plan := _plan_of(seen, suspect)) is None:
                    unread += 1
                elif found := outside.estranged(plan, suspect):
                    people.append(found)
            progress.say(f"{counted(len(people))} of {len(users)} looked at so far")
    finally:
        progress.end()
    return Found(lists, tuple(people), unread)


def _plan_of(seen: Seen, suspect: Suspect) -> DirectoryPlan | None:
    """What a look that adds all that is wanted makes of somebody there, if it told enough."""
    plans = seen.plan.directories if seen.plan else ()
    plan = next((each for each in plans if each.name == suspect.directory), None)
    return plan if plan and outside.judgeable(plan) else None


# -- ordering ----------------------------------------------------------------------------------


def _order(house: House, found: Found, why: str) -> int:
    """Order looks that add what is missing; at how many people."""
    from hooks.store import line, orders

    users = sorted({each.user for each in found.repairable})
    for start in range(0, len(users), _PORTION):
        some = users[start : start + _PORTION]

        def write(tx: Tx, some: Sequence[OktaUserId] = some) -> None:
            for user in some:
                orders.repair(tx, user, who=opening.who(), why=why)
            line.mark(tx, some, "user", lane=line.lane_for(len(users)), due_at=tx.now, events=False)

        house.database.write_now(write)
    return len(users)


def _tell_ordered(house: House, found: Found, *, dry: bool) -> None:
    print()
    if dry:
        print(f"Dry run: {found.memberships} would be added; nothing was ordered.")
    elif not found.repairable:
        print("Nobody is there to whom anything may be added; nothing was ordered.")
    else:
        print(f"ordered to be added: {found.memberships}")
        print("by `hooks serve` within seconds; what came of it: hooks explain USER")
        opening.say_if_paused(house.database)
