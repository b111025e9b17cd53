"""`hooks audit`: everybody read by pages, and where the world is otherwise than wanted.

Must live here: what is asked for, and the order of looks. Must not know: how anybody is judged.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from hooks.cli import audit_report, files, opening, seats
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.opening import Json, Reason
from hooks.cli.progress import Progress
from hooks.core.drift import Kind
from hooks.core.errors import TransientError
from hooks.core.report import counted
from hooks.settings import Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hooks.store.audits import Run
    from hooks.store.database import Tx
    from hooks.wiring import House

#: Failures one after the other with nothing read between them that end it, and the longest wait.
_TRIES = 3
_LONGEST_WAIT = 120.0
_WAIT = 5.0

Last = Annotated[bool, typer.Option("--last", help="Show the last one; ask no vendor.")]
Apply = Annotated[
    bool, typer.Option("--apply", help="Have everybody looked at whom a look would change.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="With --apply: say whom, and order none.")]
Kinds = Annotated[
    list[Kind] | None,
    typer.Option("--kind", metavar="KIND", help=f"Only {', '.join(Kind)}; repeatable."),
]
Csv = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="Write every line there as CSV.")
]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write a page for an auditor there.")
]
Most = Annotated[
    int, typer.Option("--limit", metavar="N", min=0, max=10_000, help="People shown at most.")
]


def audit(
    *,
    last: Last = False,
    apply: Apply = False,
    dry_run: DryRun = False,
    reason: Reason = None,
    kinds: Kinds = None,
    csv: Csv = None,
    html: Html = None,
    frees: seats.Seats = False,
    limit: Most = 20,
    as_json: Json = False,
) -> None:
    """Read everybody by pages, and show where memberships are otherwise than wanted.

    Nothing is changed at a vendor. With --apply, `hooks serve` looks at everybody whom a look
    would change, on fresh readings and behind the brake. What was read is kept: an audit that
    was interrupted goes on where it was, for six hours. Ids and names of groups only. With
    --seats it also tells what app access ends with all that is surplus, and which seats.
    """
    if apply and not dry_run and reason is None:
        raise UsageError("audit: --apply needs --reason TEXT, or --dry-run")
    if not apply and (dry_run or reason is not None):
        raise UsageError("audit: --dry-run and --reason belong to --apply")
    if frees and kinds and Kind.SURPLUS not in kinds:
        raise UsageError("audit: --seats is about what is surplus; add --kind surplus")
    why = None if reason is None else opening.reason(reason)
    with ExitStack() as stack:
        opened = {
            option: stack.enter_context(files.written(path, option))
            for option, path in (("--csv", csv), ("--html", html))
            if path
        }
        asked = _Asked(last, apply, why, tuple(kinds or ()), opened, frees, limit, as_json)
        asyncio.run(_audit(asked))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for; ``why`` is ``None`` unless looks are ordered."""

    last: bool
    apply: bool
    why: str | None
    kinds: tuple[Kind, ...]
    files: Mapping[str, IO[str]]
    frees: bool
    limit: int
    as_json: bool


async def _audit(asked: _Asked) -> None:
    reads = asked.frees or not asked.last
    async with opening.opened(Role.LOOK if reads else Role.STORE, vendors=reads) as house:
        opening.quiet(logging.CRITICAL)  # what fails is told at the end, in a line
        if asked.frees:
            seats.demand(house, "audit")
        run = _the_last(house) if asked.last else await _read(house)
        found = audit_report.of(house, run, asked.kinds)
        if asked.frees:
            with opening.way_out("the audit is kept: hooks audit --last"):
                told = await seats.of(house, "audit", audit_report.removals(found))
            found = replace(found, seats=told)
        for option, write in (("--csv", audit_report.as_csv), ("--html", audit_report.as_page)):
            if file := asked.files.get(option):
                write(found, file)
        people = _apply(house, run, asked) if asked.apply else None
        if asked.as_json:
            audit_report.as_json(found, ordered=people, dry_run=asked.why is None)
        else:
            audit_report.show(found, asked.limit)
            _tell_applied(asked, people)


def _the_last(house: House) -> Run:
    from hooks.store import audits

    run = house.database.read_now(audits.last)
    if run is None:
        raise FailedError("audit: none is done yet; run: hooks audit")
    return run


async def _read(house: House) -> Run:
    """One audit; a vendor that asks to wait is waited for."""
    from hooks.gateways.pace import Lane, lane

    if house.audit is None:
        raise FailedError("no vendors are open")
    lane.set(Lane.BULK)
    progress, heard, fruitless = Progress("audit"), 0, 0

    def told(words: str) -> None:
        nonlocal heard
        heard += 1
        progress.say(words)

    try:
        while True:
            before = heard
            try:
                return await house.audit.run(scheduled=False, told=told)
            except TransientError as error:
                fruitless = 0 if heard > before else fruitless + 1
                wait = _wait(error.retry_at, house.clock.now())
                if wait > _LONGEST_WAIT or fruitless == _TRIES:
                    words = f"{error}; what was read is kept: run it again later"
                    raise FailedError(words) from error
                progress.say(f"waits {wait:.0f} s: {error}")
                await asyncio.sleep(wait)
    finally:
        progress.end()


def _wait(retry_at: datetime | None, now: datetime) -> float:
    return max((retry_at - now).total_seconds(), 0.1) if retry_at else _WAIT


# -- looks -------------------------------------------------------------------------------------


def _apply(house: House, run: Run, asked: _Asked) -> int:
    """Order looks at everybody a look would change; how many people that are."""
    from hooks import policies
    from hooks.audit import acting, order_some
    from hooks.store import audits, orders

    kinds = acting(policies.of(house.settings), asked.kinds or tuple(Kind))
    why, after, people = asked.why, "", 0

    def some(tx: Tx) -> list[str]:
        if why is None:
            return audits.people(tx, run.id, kinds, after=after, limit=audits.PORTION)
        return order_some(tx, run, kinds, after)

    transact = house.database.read_now if why is None else house.database.write_now
    while found := transact(some):
        people, after = people + len(found), found[-1]
    if why is not None and people:
        about, result = f"audit {run.id}", counted(people)
        house.database.write_now(
            lambda tx: orders.record(tx, "audit", about, who=opening.who(), why=why, result=result)
        )
    return people


def _tell_applied(asked: _Asked, people: int | None) -> None:
    if people is None:
        return
    print()
    if asked.why is None:
        print(f"Dry run: {counted(people)} would be looked at; nothing was ordered.")
        return
    if not people:
        print("Nobody is there whom a look would change; nothing was ordered.")
        return
    print(f"ordered: {counted(people)} will be looked at by `hooks serve`, behind the brake")
    print("what came of it: hooks steps; what waits for you: hooks held")
