"""Tables, fields, sentences, JSON and instants: what every list looks like.

An id stands whole: lines break between words and between columns, and nowhere else. On a terminal
a row takes as many lines as it needs; anywhere else it is one, so that it can be kept and
compared. Programs read ``--json``.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from hooks.clock import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Record = dict[str, object]

#: Columns of what is told in sentences, on a terminal and anywhere else.
WIDTH = 80
#: Before what stands below the rest of its row.
_BELOW = " " * 4
_GAP = "  "


def instant(microseconds: object) -> str | None:
    """An instant as it is stored, in ISO form with milliseconds, UTC."""
    if not isinstance(microseconds, int):
        return None
    return moment(microseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def short(value: object) -> str:
    """For people: an ISO instant to the second, nothing for None, the rest as it is."""
    if value is None:
        return "-"
    text = str(value)
    if len(text) == len("2026-11-21T14:03:05.123Z") and text.endswith("Z") and text[10] == "T":
        return f"{text[:10]} {text[11:19]}"
    return text


def as_json(value: object) -> None:
    """One JSON value on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=True))


def wrap(words: str, *, below: int = 0, width: int = WIDTH) -> list[str]:
    """Words as lines, no word broken; those after the first begin at ``below``, if all fit so."""
    lines = [""]
    for indent in (below, min(below, len(_BELOW))):
        lines = textwrap.wrap(
            clean(words),
            width,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
        if max(map(len, lines)) <= width:
            break
    return lines


def tell(words: str, style: str = "", *, below: int = 0) -> None:
    """Say words in lines of their own."""
    for line in wrap(words, below=below):
        say(line, style)


def table(records: Iterable[Mapping[str, object]], columns: Mapping[str, str]) -> None:
    """Rows under headings; ``columns`` maps the key of a record to its heading."""
    rows = [[clean(short(record.get(key))) for key in columns] for record in records]
    rows = [list(columns.values()), *rows]
    if sys.stdout.isatty():
        _drawn(rows, shutil.get_terminal_size().columns)
        return
    for row in plain(rows):
        print(row)


def plain(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows aligned with two spaces between columns and none at the end."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def fields(record: Mapping[str, object], headings: Mapping[str, str]) -> None:
    """One record, a line per field; on a terminal a long one goes on below its heading."""
    width = max(map(len, headings.values()))
    most = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for key, heading in headings.items():
        value = clean(short(record.get(key)))
        line = f"{heading:<{width}}{_GAP}{value}"
        if most is None or len(line) <= most:
            print(line)
            continue
        print(heading)
        for each in wrap(_BELOW + value, below=len(_BELOW), width=most):
            print(each)


def items(value: object) -> list[Any]:
    """The entries of a list out of JSON."""
    return value if isinstance(value, list) else []


def clean(text: str) -> str:
    """Nothing that could move a terminal's cursor or begin a line of its own."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _drawn(rows: Sequence[Sequence[str]], width: int) -> None:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        for band in bands(widths, width):
            below = _BELOW if band[0] else ""
            line = Text(below, style="" if number else "bold")
            for column in band:
                line.append(row[column], _STYLES.get(row[column], ""))
                line.append(" " * (widths[column] - cell_len(row[column])) + _GAP)
            line.rstrip()
            if line.cell_len > width:
                line = Text("\n".join(wrap(line.plain, below=len(below), width=width)), line.style)
            if line:
                console.print(line)


def bands(widths: Sequence[int], width: int) -> list[list[int]]:
    """Which columns stand beside each other: as many as fit, then as many below them."""
    found: list[list[int]] = [[]]
    used = 0
    for column, wide in enumerate(widths):
        if found[-1] and used + wide > width:
            found.append([])
            used = len(_BELOW)
        found[-1].append(column)
        used += wide + len(_GAP)
    return found


_STYLES = {
    "settled": "green", "approved": "green", "ok": "green",
    "waiting": "yellow", "open": "yellow", "submitted": "yellow", "held": "yellow",
    "failed": "red", "rejected": "red", "abandoned": "red", "refused": "red",
}  # fmt: skip


def say(words: str, style: str = "") -> None:
    """Words as they are; in colour on a terminal."""
    if not style or not sys.stdout.isatty():
        print(words)
        return
    from rich.console import Console

    Console(highlight=False, soft_wrap=True, markup=False, emoji=False).print(words, style=style)
