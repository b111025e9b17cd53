"""How many calls at once one credential may have under way, the urgent ones first.

Who gets the next slot must live here; what a slot is for, and budgets, this room must not know.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

#: Good answers after which one more at once is tried than the vendor objected to: each time it is
#: still too many, a look is cut short.
_SURE = 50


@dataclass(slots=True)
class Slots:
    """How many calls at once. ``limit`` shrinks when the vendor objects, and grows back.

    ``keep`` of them are not for bulk work. ``allowed`` is what the vendor has not objected to,
    ``good`` how many answers came since the limit changed.
    """

    most: int
    limit: int
    keep: int
    allowed: int
    good: int = 0
    busy: int = 0
    waiting: dict[bool, deque[asyncio.Future[None]]] = field(
        default_factory=lambda: {True: deque(), False: deque()}
    )

    def _free(self, *, urgent: bool) -> bool:
        limit = self.limit if urgent else max(1, self.limit - self.keep)
        return self.busy < limit

    async def enter(self, *, urgent: bool) -> None:
        """Wait for a slot."""
        if self._free(urgent=urgent) and not self.waiting[True]:
            self.busy += 1
            return
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting[urgent].append(ready)
        try:
            await ready
        except asyncio.CancelledError:
            if ready.done() and not ready.cancelled():
                self.leave()  # the slot was given in the same breath
            raise

    def leave(self) -> None:
        """Give it to whoever is next."""
        self.busy -= 1
        self.admit()

    def grow(self) -> None:
        """The vendor answers as ever again: one more, and beyond what was too many seldom."""
        self.good += 1
        if self.limit < self.most and (self.limit < self.allowed or self.good >= _SURE):
            self.limit, self.good = self.limit + 1, 0
            self.admit()

    def shrink(self, limit: int, *, allowed: int) -> None:
        """The vendor objects. As many as are ``allowed`` may go at once soon again."""
        self.limit, self.allowed, self.good = limit, allowed, 0

    def admit(self) -> None:
        """Give slots that are free to those who wait."""
        for urgent, queue in self.waiting.items():
            while queue and self._free(urgent=urgent):
                ready = queue.popleft()
                if not ready.done():
                    self.busy += 1
                    ready.set_result(None)
