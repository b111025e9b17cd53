"""Stored events as JSON lines, opened: what another installation or `hooks replay` can read."""

from __future__ import annotations

import json
import math
import sys
from functools import partial
from typing import TYPE_CHECKING

import typer

from hooks.cli import opening, text
from hooks.cli.choosing import Choice, State, Type, User, Uuids
from hooks.cli.ends import FAILED
from hooks.cli.opening import Since, Until
from hooks.core.errors import UnsealedError
from hooks.core.report import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hooks.cli.text import Record
    from hooks.store.database import Database
    from hooks.store.inbox import Chosen
    from hooks.store.sealing import Sealer

#: Events read at once; their payloads are in memory together.
_TOGETHER = 100
NOT_KEPT = "no payload is kept of events of other apps and types"
NOT_JSON = "the payload is nothing JSON can say"


def export(
    *,
    since: Since = None,
    until: Until = None,
    kind: Type = None,
    user: User = None,
    uuids: Uuids = None,
    state: State = None,
) -> None:
    """Write stored events as JSON lines, oldest first, opened.

    They hold personal data. Exit code 1: a payload could not be opened; its line says so.
    """
    choice = Choice(since=since, until=until, type=kind, user=user, uuids=uuids, state=state)
    chosen = choice.query()
    print(
        "events export: what follows holds personal data; keep it as you keep the database",
        file=sys.stderr,
    )
    lost = opening.with_house(lambda house: _written(house.database, house.sealer, chosen))
    if lost:
        events = counted(lost, "payload", "payloads")
        print(f"events export: {events} could not be opened; see `error`", file=sys.stderr)
        raise typer.Exit(FAILED)


def _written(database: Database, sealer: Sealer, chosen: Chosen) -> int:
    """Write them; how many are lost."""
    lost = 0
    for row in _rows(database, chosen):
        try:
            print(json.dumps(_head(row) | _payload(row, sealer)))
        except (UnsealedError, ValueError, RecursionError) as error:
            known = isinstance(error, UnsealedError)
            why = str(error) if known else NOT_JSON
            print(json.dumps(_head(row) | {"event": None, "error": why}))
            lost += 1
    return lost


def _rows(database: Database, chosen: Chosen) -> Iterator[dict[str, object]]:
    from hooks.store import inbox

    upto, after = database.read_now(inbox.newest), 0
    while True:
        page = partial(
            inbox.page, chosen=chosen, after=after, upto=upto, limit=_TOGETHER, sealed=True
        )
        rows = database.read_now(page)
        if not rows:
            return
        yield from rows
        after = int(str(rows[-1]["id"]))


def _head(row: Mapping[str, object]) -> Record:
    names = ("uuid", "type", "published", "received", "origin", "delivery", "subject")
    instants = {name: text.instant(row[name]) for name in ("published", "received")}
    state = "settled" if row["settled"] else "waiting"
    return {name: row[name] for name in names} | instants | {"state": state}


def _payload(row: Mapping[str, object], sealer: Sealer) -> Record:
    sealed = row["sealed"]
    if not isinstance(sealed, bytes | memoryview):
        return {"event": None, "payload": NOT_KEPT}
    return {"event": readable(sealer.open(bytes(sealed), str(row["uuid"])))}


def readable(payload: bytes) -> object:
    """The payload as JSON everybody can read: what Okta sent may be less than that.

    Raises: ValueError or RecursionError if even so it is none.
    """
    return json.loads(
        payload.decode("utf-8", "replace"),
        strict=False,
        parse_constant=lambda _: None,
        parse_float=_finite,
        parse_int=lambda digits: int(digits) if len(digits) < _MOST_DIGITS else None,
    )


#: More would be refused by whoever reads it, Python itself among them.
_MOST_DIGITS = 1_000


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None
