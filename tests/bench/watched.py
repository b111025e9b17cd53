"""The service, with somebody in its loop who looks at the clock, and notes how late that was.

python tests/bench/watched.py serve: writes beside hooks.toml, into ``lag``, the longest that the
loop did nothing else, in seconds: by the wall, and of the loop's own processor time, which other
processes on the machine do not add to. Taking the file away begins anew.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import uvloop

from hooks.__main__ import main

EVERY = 0.002
_opened = uvloop.new_event_loop


class Watch:
    """Called by the loop again and again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._file = Path(os.environ["HOOKS_CONFIG"]).with_name("lag")
        self._worst = [0.0, 0.0]
        self._wall, self._cpu = time.perf_counter(), time.thread_time()

    def __call__(self) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        seen = [wall - self._wall - EVERY, cpu - self._cpu]
        if not self._file.exists():
            self._worst = [0.0, 0.0]
        worst = [max(pair) for pair in zip(self._worst, seen, strict=True)]
        if worst != self._worst or not self._file.exists():
            self._worst = worst
            self._file.write_text(json.dumps(worst))
        self._wall, self._cpu = time.perf_counter(), time.thread_time()
        self._loop.call_later(EVERY, self)


def watched() -> asyncio.AbstractEventLoop:
    loop = _opened()
    loop.call_soon(Watch(loop))
    return loop


if __name__ == "__main__":
    uvloop.new_event_loop = watched  # type: ignore[assignment]
    sys.exit(main())
