"""`hooks` as it is, but with short leases, or with a wall clock that a test moves.

``python tests/chaos/launcher.py [--hasty] [--clock FILE] WORDS FOR HOOKS``
Nothing in the product knows of this; it is set before the product begins.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from datetime import timedelta
from pathlib import Path

OFFSET = struct.Struct("d")
#: Seconds. A call still ends within the margin, and a margin leaves time to begin one.
HASTY_LEASE = 15.0
_MARGIN, _CALL, _GROUP_DELAY = 6.0, 4.0, 3.0


def hasten() -> None:
    """Shorten whatever is as long as it is because of leases."""
    from hooks.gateways import transport, wire
    from hooks.store import intake, line

    line.LEASE = timedelta(seconds=HASTY_LEASE)
    transport.LEASE_MARGIN = _MARGIN
    wire.CALL_SECONDS = _CALL
    intake.GROUP_DELAY = timedelta(seconds=_GROUP_DELAY)
    from hooks import reconcile  # what stands above takes them over as it is imported

    reconcile._IN_FLIGHT = timedelta(seconds=_MARGIN)


def move_clock(path: Path) -> None:
    """Let the wall clock be wrong by the seconds in a file, now and whenever they change."""
    with path.open("rb") as file:
        seconds = mmap.mmap(file.fileno(), OFFSET.size, access=mmap.ACCESS_READ)
    right = time.time
    time.time = lambda: right() + OFFSET.unpack_from(seconds)[0]


def main() -> None:
    """Take the words that are ours, and be `hooks` with the rest."""
    words = sys.argv[1:]
    if words[:1] == ["--hasty"]:
        words = words[1:]
        hasten()
    if words[:1] == ["--clock"]:
        move_clock(Path(words[1]))
        words = words[2:]
    from hooks.__main__ import main as begin

    sys.argv[1:] = words
    sys.exit(begin())


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
