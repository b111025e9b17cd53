"""How many calls at once one credential may have under way, the urgent ones first.

Who gets the next slot must live here; what a slot is for, and budgets, this room must not know.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Slots:
    """How many calls at once. ``limit`` shrinks when the vendor objects, and grows back.

    ``keep`` of them are not for bulk work.
    """

    most: int
    limit: int
    keep: int
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
        """The vendor answers as ever again."""
        if self.limit < self.most:
            self.limit += 1
            self.admit()

    def admit(self) -> None:
        """Give slots that are free to those who wait."""
        for urgent, queue in self.waiting.items():
            while queue and self._free(urgent=urgent):
                ready = queue.popleft()
                if not ready.done():
                    self.busy += 1
                    ready.set_result(None)
