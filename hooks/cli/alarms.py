"""What is amiss now: as `hooks serve` found it, and as the store shows it this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooks.cli import opening, text
from hooks.cli.opening import Json
from hooks.core.alarm import GONE, OF_PROCESSES, WAY_OUT, WORDS, Kind, kind_of

if TYPE_CHECKING:
    from datetime import timedelta

    from hooks.cli.text import Record
    from hooks.store.alarms import Standing
    from hooks.store.database import Tx
    from hooks.store.pause import Paused

_ALARM = {"since": "SINCE (UTC)", "name": "ALARM", "count": "COUNT", "told": "TOLD"}


def alarms(*, as_json: Json = False) -> None:
    """What is amiss now: since when, what it means, and what to do.

    What only a process knows, such as a refused credential, is listed while `hooks serve` runs.
    """
    records, looked = opening.with_house(
        lambda house: house.database.read_now(
            lambda tx: _alarms(tx, every=house.settings.catch_up.every)
        )
    )
    if as_json:
        text.as_json(records)
        return
    if records:
        text.table(records, _ALARM)
    else:
        print("nothing is amiss, by what is stored")
    print(("\n" if records else "") + looked)
    kinds = {kind_of(str(record["name"])) for record in records}
    for kind in (each for each in Kind if each in kinds):
        print()
        text.tell(f"{kind}: {WORDS[kind]}")
        text.tell(f"  {WAY_OUT[kind]}")
        for record in (each for each in records if each["name"] == kind and each["ordered"]):
            text.tell(f"  Ordered by {record['ordered']}")


def _alarms(tx: Tx, *, every: timedelta) -> tuple[list[Record], str]:
    from hooks.store import alarms as known
    from hooks.store import pause

    found = known.found(tx, every=every)
    standing = {each.name: each for each in known.standing(tx)}
    elsewhere = {name for name in standing if kind_of(name) in OF_PROCESSES}
    names = sorted({*found, *elsewhere})
    paused = pause.paused(tx)
    records = [
        _alarm(name, found.get(name), standing.get(name), paused if name == Kind.PAUSED else None)
        for name in names
    ]
    return records, _looked(tx, every)


def _looked(tx: Tx, every: timedelta) -> str:
    """Whether a process has looked lately: who reads the System Log looks for alarms too."""
    from hooks.clock import moment
    from hooks.store import cursor

    reached = cursor.at(tx, cursor.LOG_REACHED)
    if reached is None:
        return "No worker has read the System Log yet: run hooks serve, which finds the rest."
    ago = moment(tx.now) - reached
    told = f"{round(ago.total_seconds())} s ago"
    if ago <= every + GONE:
        return f"A worker looked {told}, so what only a process knows is listed too."
    return (
        f"No worker has looked since {text.instant(round(reached.timestamp() * 1e6))}: what only a"
        " process knows is not known; see that hooks serve runs."
    )


def _alarm(
    name: str, count: int | None, standing: Standing | None, paused: Paused | None
) -> Record:
    kind = kind_of(name)
    since = paused.at if paused else standing.since if standing else None
    return {
        "name": name,
        "since": text.instant(since),
        "count": count,
        "told": standing.told or None if standing else None,
        "words": WORDS[kind] if kind else "",
        "remedy": WAY_OUT[kind] if kind else "",
        "ordered": f"{paused.who}: {paused.why}" if paused else None,
    }
