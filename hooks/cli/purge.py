"""Delete what has outlived its use, now and not only once a day."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import opening, text
from hooks.cli.ends import FAILED, UsageError
from hooks.cli.opening import DryRun, Json, Why
from hooks.cli.progress import Progress
from hooks.core.report import counted
from hooks.settings import Role, forms

if TYPE_CHECKING:
    from hooks.purge import Purge, Purged
    from hooks.store.database import Database

_KINDS = {
    "events": "settled events, with their payloads",
    "refusals": "refusals that ended",
    "holds": "holds that are over",
    "steps": "steps of the journal on which nothing rests",
    "outcomes": "what became of these steps",
}
#: Seconds between two looks at how far it is.
_WATCH = 0.1


def purge(
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="AGE", help="Such as 90d; instead of [retention]."),
    ] = None,
    *,
    dry_run: DryRun = False,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Delete what is over and old; `hooks serve` does it once a day.

    Never what waits, who is who, mappings, orders, and what was taken and may be wanted again.
    Exit code 1: steps were left whose chain cannot be proved.
    """
    keep = _age(older_than)
    reason = opening.reason(why) if why else ""
    asyncio.run(_purge(keep, reason, dry_run=dry_run, as_json=as_json))


def _age(given: str | None) -> timedelta | None:
    from hooks.store.retention import LEAST

    if given is None:
        return None
    try:
        age = forms.duration(given)
    except ValueError as error:
        raise UsageError(f"--older-than: {error}") from None
    if age < LEAST:
        raise UsageError(f"--older-than: write {LEAST.days}d or more: looks reach back so far")
    return age


async def _purge(keep: timedelta | None, why: str, *, dry_run: bool, as_json: bool) -> None:
    from hooks.purge import Purge

    async with opening.opened(Role.STORE) as house:
        keep = keep or timedelta(days=house.settings.retention.events_days)
        work = Purge(house.database, keep, house.signer)
        if dry_run:
            done = await work.count()
        else:
            done = await _watched(work, house.database, keep, why)
    if as_json:
        days = keep / timedelta(days=1)
        told = {"dry_run": dry_run, "older_than_days": days, "deleted": done.told()}
        text.as_json(told | {"unproved": done.unproved})
    else:
        _show(done, dry_run=dry_run)
    if done.unproved:
        raise typer.Exit(FAILED)


def _show(done: Purged, *, dry_run: bool) -> None:
    for kind, rows in done.told().items():
        print(f"{rows:>9}  {_KINDS[kind]}")
    print()
    if dry_run:
        print(f"Dry run: {counted(done.rows, 'row', 'rows')} would go, nothing was changed.")
    else:
        print(f"{counted(done.rows, 'row', 'rows')} deleted")
    if done.unproved:
        people = counted(done.unproved, "person's steps", "people's steps")
        print(f"{people} left: HOOKS_CHAIN_KEY does not prove them; see: hooks steps verify")


async def _watched(work: Purge, database: Database, keep: timedelta, why: str) -> Purged:
    """Delete everything, say how far it is, and write down what was deleted, however it ends."""
    from hooks.purge import Purged
    from hooks.store import orders

    done, progress = Purged(), Progress("purge")
    running = asyncio.create_task(work.run(most=math.inf, done=done))
    try:
        while not running.done():
            await asyncio.wait([running], timeout=_WATCH)
            progress.say(f"{counted(done.rows, 'row', 'rows')} deleted")
        await running
    finally:
        progress.end()
        running.cancel()
        result = ", ".join(f"{kind} {rows}" for kind, rows in done.told().items())
        age = f"older than {keep / timedelta(days=1):g}d"
        database.write_now(
            lambda tx: orders.record(tx, "purge", age, who=opening.who(), why=why, result=result)
        )
    return done
