"""How far long work is, on stderr: a line that moves on a terminal, now and then one elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from hooks.clock import elapsed

#: Seconds of silence before the first line, and between two.
_FIRST = 2.0
_TERMINAL, _ELSEWHERE = 0.2, 10.0


@dataclass(slots=True)
class Progress:
    """Says ``command: words`` while work goes on; quick work says nothing."""

    command: str
    _next: float = field(default_factory=lambda: elapsed() + _FIRST)
    _shown: int = 0

    def say(self, words: str) -> None:
        """Say it, unless something was said just now."""
        if elapsed() < self._next:
            return
        text = f"{self.command}: {words}"
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{text:<{self._shown}}")
            sys.stderr.flush()
            self._shown = len(text)
        else:
            print(text, file=sys.stderr)
        self._next = elapsed() + (_TERMINAL if self._shown else _ELSEWHERE)

    def end(self) -> None:
        """Take the line away again."""
        if self._shown:
            sys.stderr.write(f"\r{'':<{self._shown}}\r")
            sys.stderr.flush()
            self._shown = 0
