"""The store looked over: is it there, with the keys given, and what does it know of the rest.

Must live here: what is asked of it and of its disk. Must not know: what is made of the answers.
Nothing is written, and no database is made.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hooks.core import alarm
from hooks.core.checkup_here import Store
from hooks.core.errors import HooksError, UnsealedError
from hooks.store import alarms, chain, cursor, inbox, schema, seals, signs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from hooks.core.checkup_atlassian import Written
    from hooks.core.ids import DirectoryName
    from hooks.store.chain import Signer
    from hooks.store.database import Database, Tx
    from hooks.store.sealing import Sealer

#: How far back what came by the System Log alone counts, and what is too young to count: the
#: hook may still bring it.
_BACK, _YOUNG = timedelta(days=1), timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the store knows of the vendors."""

    delivered: datetime | None
    missed: int
    forms: Mapping[DirectoryName, str | None]
    written: Written | None
    writes_refused: bool
    again: tuple[str, ...]


async def visit(
    database: Database,
    directories: Iterable[DirectoryName],
    *,
    sealer: Sealer | None,
    signer: Signer | None,
    every: timedelta,
    file: Path | None,
) -> tuple[Store, Remembered | None] | str:
    """The store, and what it knows if it is of this release; a text says why there is nothing.

    ``every`` is how often the System Log is read; ``file`` is SQLite's, whose disk has room.
    """
    names = list(directories)
    try:
        if schema.behind(database):
            return Store("behind"), None
        newer = schema.newer(database)
        return await database.read(
            lambda tx: (
                Store(
                    "newer" if newer else "",
                    _lost(tx, sealer),
                    chain.strange_key(tx, signer) if signer else None,
                    signer is None,
                    shutil.disk_usage(file.parent).free if file else None,
                    _standing(tx, every),
                ),
                _remembered(tx, names),
            )
        )
    except HooksError as error:
        return str(error)


def _lost(tx: Tx, sealer: Sealer | None) -> tuple[str, ...]:
    """Ids of the sealing keys that are not given; none are looked for without any."""
    if sealer is None:
        return ()
    found = seals.lost(tx, sealer)
    try:
        inbox.check_seal(tx, sealer)
    except UnsealedError:
        found = [*found, "of the newest event"]
    return tuple(found)


def _standing(tx: Tx, every: timedelta) -> tuple[str, ...]:
    """What is alarming, but for the end of keys, which is looked at with each key."""
    found = alarms.found(tx, every=every)
    elsewhere = {
        each.name for each in alarms.standing(tx) if alarm.kind_of(each.name) in alarm.OF_PROCESSES
    }
    named = {*found, *elsewhere}
    return tuple(sorted(each for each in named if alarm.kind_of(each) is not alarm.Kind.EXPIRY))


def _remembered(tx: Tx, names: Iterable[DirectoryName]) -> Remembered:
    refused = alarm.name(alarm.Kind.BREAKER, "organization writes")
    return Remembered(
        signs.delivered(tx),
        inbox.missed(tx, since=tx.now - _us(_BACK), until=tx.now - _us(_YOUNG)),
        {name: cursor.get(tx, f"form/{name}") for name in names},
        signs.written(tx),
        refused in {each.name for each in alarms.standing(tx)},
        tuple(signs.granted_again(tx)),
    )


def _us(length: timedelta) -> int:
    return round(length.total_seconds() * 1_000_000)
