"""Everything that is measured, in one command.

python -m tests.bench [--only acknowledge,revoke] [--runs 5] [--quick] [--json FILE]

Must live here: which measures there are, in which order, and what is said. Must not know: how
anything is measured.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from tests.bench import machine
from tests.bench.table import Row, Scale, table

MEASURES = ("acknowledge", "revoke", "calls", "quota", "large", "scale", "footprint")
#: Each takes minutes of its own, and is played when it is asked for by name.
MORE = ("full", "audit", "replay", "evidence")

_HEAD = 'Measure, and say so in a table; see README.md, "How fast".'
_ALL = f"{', '.join(MEASURES)}; and, only by name: {', '.join(MORE)}"

Measure = Callable[[Scale, Path], Iterator[Row | str]]


def main() -> int:
    """Measure, say each row as it comes, then the table; 1 if a target is missed."""
    asked = _asked()
    # Ended like this as well, it ends whatever it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    scale = Scale(runs=1 if asked.quick else asked.runs, quick=asked.quick)
    here = machine.line()
    _say(here)
    rows: list[Row] = []
    for name in asked.only or MEASURES:
        rows += _measured(name, scale)
    _say(f"\n{here}\n\n{table(rows)}")
    if asked.json:
        told = {"machine": here, "runs": scale.runs, "rows": [row.plain() for row in rows]}
        asked.json.write_text(json.dumps(told, indent=1) + "\n")
    return int(any(row.met is False for row in rows) and not scale.quick)


def _measured(name: str, scale: Scale) -> list[Row]:
    measure: Measure = import_module(f"tests.bench.{name}").measure
    rows = []
    began = time.monotonic()
    _say(f"\n{name}")
    with tempfile.TemporaryDirectory(prefix="hooks-bench-") as folder:
        for row in measure(scale, Path(folder)):
            if isinstance(row, str):
                _say(f"  {row}")
                continue
            _say(f"  {row.measure}: {row.each()}")
            rows.append(row)
    _say(f"  ({time.monotonic() - began:.0f} s)")
    return rows


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=_HEAD)
    parser.add_argument("--only", type=_names, metavar="NAMES", help=_ALL)
    parser.add_argument("--runs", type=int, default=5, help="interleaved (default: 5)")
    parser.add_argument("--quick", action="store_true", help="see that it works, measure nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all of it for a program")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in (*MEASURES, *MORE):
            raise argparse.ArgumentTypeError(f"{name} is none of {_ALL}")
    return names


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
