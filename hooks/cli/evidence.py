"""The journal as a file for whoever audits it: CSV or JSON lines."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from hooks.cli import opening, text
from hooks.cli.ends import UsageError
from hooks.cli.lists import step_of
from hooks.cli.opening import Since, Until
from hooks.cli.progress import Progress
from hooks.core.report import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
#: What a spreadsheet takes for a formula at the beginning of a cell. Source: owasp.org, CSV
#: Injection.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


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
    with _written(output) as file:
        steps = opening.with_house(
            lambda house: _export(house.database, file, shape, user=chosen, since=begin, until=end)
        )
    if output:
        print(f"{counted(steps, 'step', 'steps')} written to {output}")


@contextmanager
def _written(output: Path | None) -> Iterator[IO[str]]:
    """Where to write: a file that is not there yet, with what it is only for its owner."""
    if output is None:
        yield sys.stdout
        return
    try:
        door = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"--output: {output} is there already; write another name") from None
    except OSError as error:
        raise UsageError(f"--output: {output}: {error.strerror}") from None
    with os.fdopen(door, "w", encoding="utf-8", newline="") as file:
        yield file


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
        file.write(_csv(COLUMNS))
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
    return _csv(_cell(record[name]) for name in COLUMNS)


def _csv(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _cell(value: object) -> str:
    """A text no spreadsheet calculates with, on one line."""
    if isinstance(value, list):
        words = json.dumps(value) if any(isinstance(each, dict) for each in value) else ""
        value = words or "; ".join(map(str, value))
    words = "" if value is None else text.clean(str(value))
    begins = words.lstrip().startswith(_FORMULA)
    return f"'{words}" if begins else words
