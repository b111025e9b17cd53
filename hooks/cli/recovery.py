"""Catch up with Okta's System Log by hand; stop writing to the vendors, and begin again."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import opening, text
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.opening import Json, Why
from hooks.cli.progress import Progress
from hooks.core.report import counted
from hooks.settings import Role

if TYPE_CHECKING:
    from datetime import datetime

    from hooks.catchup import Read
    from hooks.store.database import Tx

#: How long `pause` waits for looks that were under way: a lease, and some more.
PATIENCE = 75.0
_POLL = 0.25
_MAY_MISS = (
    "A range of the log may miss what Okta stores late. `hooks serve` reads on in the order in"
    " which it was stored and misses nothing; leave the newest ten minutes to it."
)

# -- the System Log ----------------------------------------------------------------------------


def catch_up(
    *,
    since: Annotated[
        str, typer.Option("--since", metavar="DATE", help="Such as 2026-11-21, or with a time.")
    ],
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="As --since; now, if left out.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and count; store nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read a range of Okta's System Log, and put in line what was missed.

    `hooks serve` does this by itself, from where it stopped, also after a time of not running;
    this is for a range it never saw. What is known already is left as it is.
    """
    first = opening.instant("--since", since)
    last = opening.instant("--until", until)
    found = asyncio.run(_catch_up(first, last, dry_run=dry_run))
    if as_json:
        told = {"dry_run": dry_run, "events": found.events, "new": None if dry_run else found.new}
        text.as_json(told)
    else:
        events = counted(found.events, "event", "events")
        print(f"{events} read" if dry_run else f"{events} read, {found.new} of them new")
    print(_MAY_MISS, file=sys.stderr)


async def _catch_up(since: datetime | None, until: datetime | None, *, dry_run: bool) -> Read:
    from hooks.catchup import KEPT

    async with opening.opened(Role.LOOK, vendors=True) as house:
        if since is None or house.catch_up is None:
            raise FailedError("catch-up: no vendors are open")
        now = house.clock.now()
        end = min(until or now, now)
        if since >= end:
            raise UsageError("--since: write an instant before --until, and before now")
        if since < now - KEPT + timedelta(hours=1):
            raise UsageError(f"--since: Okta keeps {KEPT.days} days of its log")
        progress = Progress("catch-up")
        try:
            return await house.catch_up.between(
                since,
                end,
                store=not dry_run,
                progress=lambda read: progress.say(
                    f"{counted(read.events, 'event', 'events')} read so far"
                ),
            )
        finally:
            progress.end()


# -- pause -------------------------------------------------------------------------------------


def pause(why: Why) -> None:
    """Write nothing to any vendor until `hooks resume`; events are still stored.

    It holds for every process on this database, and over restarts. Looks that are under way
    finish what they have admitted; the command waits for them.
    """
    reason = opening.reason(why)
    begun = opening.change(lambda tx: _begin(tx, reason))
    until = time.monotonic() + PATIENCE
    while under_way := opening.ask(_under_way):
        if time.monotonic() > until:
            looks = counted(under_way, "look", "looks")
            raise FailedError(f"pause: it is in force; {looks} under way may still write")
        time.sleep(_POLL)
    already = "" if begun else " already"
    print(f"paused{already}: nothing is written to Okta or Atlassian; events are still stored")
    print("Go on with: hooks resume --reason TEXT")


def resume(why: Why) -> None:
    """Write to the vendors again; whoever waited is looked at now."""
    reason = opening.reason(why)
    if opening.change(lambda tx: _end(tx, reason)):
        print("resumed; `hooks serve` looks at whoever waits within seconds")
    else:
        print("there was no pause")


def _begin(tx: Tx, why: str) -> bool:
    from hooks.store import orders
    from hooks.store import pause as switch

    if switch.paused(tx):
        return False
    switch.begin(tx, who=opening.who(), why=why)
    orders.record(tx, "pause", "", who=opening.who(), why=why)
    return True


def _end(tx: Tx, why: str) -> bool:
    from hooks.store import orders
    from hooks.store import pause as switch

    if not switch.end(tx):
        return False
    orders.record(tx, "resume", "", who=opening.who(), why=why)
    return True


def _under_way(tx: Tx) -> int:
    from hooks.store import tally

    return tally.looked_at(tx)
