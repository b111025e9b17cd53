"""Looks for bytes that make the parser of deliveries, or of files, fail otherwise than it says.

pip install atheris && python tests/fuzz/parser.py -max_total_time=60

Source: github.com/google/atheris; it is no part of the lock, since it has no wheel for every
Python this project runs on.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import atheris

with atheris.instrument_imports(include=["hooks"]):
    from hooks.core.errors import MalformedError
    from hooks.core.log_event import parse_delivery
    from hooks.core.log_file import LogFile


def once(body: bytes) -> None:
    """One delivery, and the same bytes as a file that comes in two pieces."""
    with contextlib.suppress(MalformedError):
        for event in parse_delivery(body).events:
            assert event.uuid
            assert len(event.type) <= 128
    file = LogFile()
    middle = len(body) // 2
    pieces: list[Any] = [*file.feed(body[:middle]), *file.feed(body[middle:]), *file.end()]
    assert all(piece.line >= 1 for piece in pieces)


if __name__ == "__main__":
    atheris.Setup(sys.argv, once)
    atheris.Fuzz()
