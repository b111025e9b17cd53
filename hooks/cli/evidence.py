"""The journal as a file for whoever audits it: CSV or JSON lines."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from hooks.cli import files, opening
from hooks.cli.lists import step_of
from hooks.cli.opening import Since, Until
from hooks.cli.progress import Progress
from hooks.core.report import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hooks.store.database import Database

#: Steps read at once.
_TOGETHER = 100


class Format(StrEnum):
    """What the file is."""

    CSV = "csv"
    JSONL = "jsonl"


#: The columns of a CSV, in their order.
COLUMNS = (
    "id", "user", "directory", "via", "action", "group", "name", "scim_id", "account", "reason",
    "at", "read", "call", "state", "code", "evidence", "events", "outcomes", "link", "mac",
)  # fmt: skip


def export(
    user: Annotated[
        str | None, typer.Argument(metavar="USER", help="Only of this Okta id.")
    ] = None,
    *,
    shape: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.JSONL,
    since: Since = None,
    until: Until = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Write this new file, for you alone."),
    ] = None,
) -> None:
    """Write the journal's steps with all their outcomes, oldest first.

    Ids, statuses and names of groups; in a CSV a cell that a spreadsheet would take for a formula
    begins with an apostrophe.
    """
    chosen = opening.okta_id(user)
    begin, end = opening.microseconds("--since", since), opening.microseconds("--until", until)
    with files.written(output, "--output") as file:
        steps = opening.with_house(
            lambda house: _export(house.database, file, shape, user=chosen, since=begin, until=end)
        )
    if output:
        print(f"{counted(steps, 'step', 'steps')} written to {output}")


def _export(
    database: Database,
    file: IO[str],
    shape: Format,
    *,
    user: str | None,
    since: int | None,
    until: int | None,
) -> int:
    """Write them; how many."""
    from hooks.store import journal

    progress = Progress("steps export")
    after = steps = 0
    if shape is Format.CSV:
        file.write(files.row(COLUMNS))
    try:
        while page := database.read_now(
            partial(journal.page, after=after, user=user, since=since, until=until, limit=_TOGETHER)
        ):
            for row in page:
                file.write(line_of(row, shape))
            after = int(str(page[-1]["id"]))
            steps += len(page)
            if file is not sys.stdout or not sys.stdout.isatty():
                progress.say(f"{counted(steps, 'step', 'steps')} written")
    finally:
        progress.end()
    return steps


def line_of(row: Mapping[str, object], shape: Format) -> str:
    """One step as a line of the file."""
    record = step_of(row) | {name: row[name] for name in ("link", "mac")}
    if shape is Format.JSONL:
        return json.dumps({name: record[name] for name in COLUMNS}) + "\n"
    return files.row(record[name] for name in COLUMNS)
