"""Keys to seal with, everything sealed anew, and the schema: what a first start needs, and later.

Must live here: what an operator does with keys. Must not know: where anything sealed stands.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import typer

from hooks.cli import chains, opening, text
from hooks.cli.ends import FAILED
from hooks.cli.opening import DryRun, Json, Why
from hooks.cli.progress import Progress
from hooks.core.report import counted
from hooks.settings import Role, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hooks.cli.text import Record
    from hooks.store.seals import Page, Place, Where
    from hooks.wiring import House

keys = typer.Typer(help="Keys for HOOKS_SEALING_KEYS and HOOKS_CHAIN_KEY.", no_args_is_help=True)

_BYTES = 32
#: Values sealed anew in one transaction. Design 5.1.
_PORTION = 500
#: Rows named of those that do not open.
_NAMED = 10
_KEYS = {
    "key": "KEY ID",
    "given": "IN HOOKS_SEALING_KEYS",
    "events": "EVENTS",
    "logins": "LOGINS",
    "copies": "COPIES",
    "state": "STATE",
}


@keys.callback()
def _keys() -> None:
    """Keys for HOOKS_SEALING_KEYS and HOOKS_CHAIN_KEY."""


@keys.command("new")
def new() -> None:
    """Print a new random key.

    In HOOKS_SEALING_KEYS put it in front of the old ones, comma-separated; HOOKS_CHAIN_KEY is
    made once and kept.
    """
    print(new_key())


def new_key() -> str:
    """32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode()


# -- rotation ----------------------------------------------------------------------------------


@keys.command("rotate", short_help="Seal everything anew with the newest key.")
def rotate(*, dry_run: DryRun = False, why: Why = "", as_json: Json = False) -> None:
    """Seal everything anew with the newest key, the first in HOOKS_SEALING_KEYS.

    Restart every process with the new key first. Safe to interrupt, and to repeat. HOOKS_CHAIN_KEY
    is kept as it is. Exit code 1: some values do not open.
    """
    reason = opening.reason(why) if why else ""
    found = asyncio.run(_rotate(reason, dry_run=dry_run))
    if as_json:
        told = {"dry_run": dry_run, "renewed": found.renewed, "keys": found.records()}
        text.as_json(told | {"broken": found.broken})
    else:
        _show(found, dry_run=dry_run)
    if found.lost or found.broken:
        raise typer.Exit(FAILED)


async def _rotate(why: str, *, dry_run: bool) -> _Sealed:
    progress = Progress("keys rotate")
    async with opening.opened(Role.STORE) as house:
        try:
            return await _rotated(house, why, progress, dry_run=dry_run)
        finally:
            progress.end()


@dataclass(slots=True)
class _Sealed:
    """How many values are sealed with which key, by place; ``given`` are the keys' ids in order.

    ``broken`` are the rows of values that were changed, or belong to another row.
    """

    given: tuple[str, ...]
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    renewed: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def lost(self) -> list[str]:
        """Keys that are not given, and with which something is sealed."""
        return sorted({key for each in self.counts.values() for key in each} - set(self.given))

    def left(self, key: str) -> int:
        """How many values are sealed with it."""
        return sum(each[key] for each in self.counts.values())

    @property
    def idle(self) -> list[str]:
        """Old keys that seal nothing any more."""
        return [key for key in self.given[1:] if not self.left(key)]

    def records(self) -> list[Record]:
        """A line for each key, newest first."""
        return [
            {
                "key": key,
                "given": number or None,
                **{place: self.counts[place][key] for place in sorted(self.counts)},
                "state": self._state(key, number),
            }
            for number, key in [*enumerate(self.given, 1), *((0, each) for each in self.lost)]
        ]

    def _state(self, key: str, number: int) -> str:
        if number == 1:
            return "newest"
        if not number:
            return "lost"
        return "in use" if self.left(key) else "may be taken out"


async def _rotated(house: House, why: str, progress: Progress, *, dry_run: bool) -> _Sealed:
    from hooks.store import orders
    from hooks.store.seals import Place

    found = _Sealed(house.sealer.keys)
    if not dry_run:
        try:
            for place in Place:
                await _renew(house, place, found, progress)
        finally:
            newest, result = found.given[0], f"renewed {found.renewed}"
            house.database.write_now(
                lambda tx: orders.record(
                    tx, "rotate", newest, who=opening.who(), why=why, result=result
                )
            )
    # Counted afterwards, and not meanwhile: a process that was not restarted seals as before.
    for place in Place:
        found.counts[place] = Counter()
        async for page in _pages(house, place):
            found.counts[place].update(key for _, key in page.keys)
            progress.say(f"{counted(found.counts[place].total(), 'value', 'values')} counted")
    return found


async def _renew(house: House, place: Place, found: _Sealed, progress: Progress) -> None:
    from hooks.store import seals

    old = set(found.given[1:])
    async for page in _pages(house, place):
        stale = [where for where, key in page.keys if key in old]
        for start in range(0, len(stale), _PORTION):
            wheres = stale[start : start + _PORTION]
            before = await house.database.read(partial(seals.read, place=place, wheres=wheres))
            after, broken = seals.renewed(before, house.sealer)
            await house.database.write_gently(
                partial(seals.replace, place=place, old=before, new=after)
            )
            found.renewed += len(after)
            found.broken += broken
            progress.say(f"{counted(found.renewed, 'value', 'values')} sealed anew")


async def _pages(house: House, place: Place) -> AsyncIterator[Page]:
    from hooks.store import seals

    after: Where | None = ()
    while after is not None:
        page = await house.database.read(partial(seals.page, place=place, after=after))
        yield page
        after = page.after


def _show(found: _Sealed, *, dry_run: bool) -> None:
    text.table(found.records(), _KEYS)
    print()
    stale = sum(found.left(key) for key in found.given[1:])
    if dry_run:
        print(f"Dry run: {counted(stale, 'value', 'values')} would be sealed anew.")
    else:
        print(f"{counted(found.renewed, 'value', 'values')} sealed anew with {found.given[0]}")
        if stale > len(found.broken):
            print(f"{stale} still sealed with an old key: is every process restarted? Then again.")
    for key in found.idle:
        print(f"nothing is sealed with {key}: it may be taken out of HOOKS_SEALING_KEYS")
    if found.idle:
        print("(once every process was restarted with the new key; till then, rotate again)")
    for key in found.lost:
        print(
            f"{key} is not given: {counted(found.left(key), 'value', 'values')} left alone;"
            " give it behind the others"
        )
    if found.broken:
        named = ", ".join(found.broken[:_NAMED])
        print(f"{counted(len(found.broken), 'value', 'values')} changed or moved: {named}")


keys.command("chain", short_help="With which keys the journal is chained.")(chains.chain)


# -- the schema --------------------------------------------------------------------------------


def migrate() -> None:
    """Make the database, or bring it up to this release; `hooks serve` does it too."""
    opening.quiet()
    print(asyncio.run(_migrated()))


async def _migrated() -> str:
    from hooks import wiring
    from hooks.store import schema

    async with wiring.opened(load(need=Role.STORE), vendors=False) as house:
        before = await asyncio.to_thread(schema.migrate, house.database)
    if before is None:
        return "the database is up to date"
    if before == schema.EMPTY:
        return f"made a new database, at {schema.HEAD}"
    return f"migrated from {before} to {schema.HEAD}"
