"""Files that commands write: new ones, for their owner alone; and the rows of a CSV.

Must live here: how a file is made, what a spreadsheet may be given. Must not know: what is in it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from hooks.cli import text
from hooks.cli.ends import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: What a spreadsheet takes for a formula at the beginning of a cell. Source: owasp.org, CSV
#: Injection.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@contextmanager
def written(path: Path | None, option: str) -> Iterator[IO[str]]:
    """A file that is not there yet, with what it is only for its owner; without a path, stdout."""
    if path is None:
        yield sys.stdout
        return
    try:
        door = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{option}: {path} is there already; write another name") from None
    except OSError as error:
        raise UsageError(f"{option}: {path}: {error.strerror}") from None
    try:
        with os.fdopen(door, "w", encoding="utf-8", newline="") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)  # half of it would pass for all, and be in the way
        raise


def row(cells: Iterable[object]) -> str:
    """A line of a CSV: texts no spreadsheet calculates with."""
    line = io.StringIO()
    csv.writer(line).writerow([_cell(each) for each in cells])
    return line.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, list):
        words = json.dumps(value) if any(isinstance(each, dict) for each in value) else ""
        value = words or "; ".join(map(str, value))
    words = "" if value is None else text.clean(str(value))
    begins = words.lstrip().startswith(_FORMULA)
    return f"'{words}" if begins else words
