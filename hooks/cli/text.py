"""Tables, fields, JSON and instants: what every list looks like.

On a terminal rich draws; anywhere else the same text is plain and aligned, so that it can be
kept and compared. Programs read ``--json``.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from hooks.clock import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Record = dict[str, object]


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


def table(records: Iterable[Mapping[str, object]], columns: Mapping[str, str]) -> None:
    """Rows under headings; ``columns`` maps the key of a record to its heading."""
    rows = [[clean(short(record.get(key))) for key in columns] for record in records]
    if sys.stdout.isatty():
        _drawn(rows, list(columns.values()))
        return
    for row in plain([list(columns.values()), *rows]):
        print(row)


def plain(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows aligned with two spaces between columns and none at the end."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def fields(record: Mapping[str, object], headings: Mapping[str, str]) -> None:
    """One record, a line per field."""
    width = max(map(len, headings.values()))
    for key, heading in headings.items():
        print(f"{heading:<{width}}  {clean(short(record.get(key)))}")


def clean(text: str) -> str:
    """Nothing that could move a terminal's cursor or begin a line of its own."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _drawn(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    Console(highlight=False).print(drawn)


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
