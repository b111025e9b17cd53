"""Reads that several people need at the same time, sent once for all of them.

Who may share an answer must live here; what is read, this room must not know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hooks.core.errors import RateLimitedError
from hooks.gateways.pace import lane
from hooks.gateways.visits import is_let_in

T = TypeVar("T")


class Together:
    """Reads shared by everybody who began before the request was sent, and by nobody later.

    While one request is under way, those who come now wait for the next one together.
    """

    def __init__(self) -> None:
        """Nothing is kept once it is answered."""
        self._running: dict[object, asyncio.Task[Any]] = {}
        self._next: dict[object, asyncio.Task[Any]] = {}

    async def read(self, key: object, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer to a request that was sent after this call began."""
        # Nobody urgent waits in the lane of a bulk read, nor who is let in for who may not be.
        key = (key, lane.get(), is_let_in())
        joined = False
        if key not in self._running:
            task = self._start(key, request, None)
        elif key not in self._next:
            task = self._start(key, request, self._running[key])
        else:
            task, joined = self._next[key], True
        try:
            return await asyncio.shield(task)
        except RateLimitedError:
            if not joined:
                raise
        return await request()  # whose look it was part of was turned away, not ours

    def _start(
        self,
        key: object,
        request: Callable[[], Coroutine[Any, Any, Any]],
        before: asyncio.Task[Any] | None,
    ) -> asyncio.Task[Any]:
        async def run() -> Any:
            if before is not None:
                await asyncio.wait([before])
                self._running[key] = self._next.pop(key)
            try:
                return await request()
            finally:
                if key not in self._next:
                    self._running.pop(key, None)

        task = asyncio.create_task(run())
        (self._running if before is None else self._next)[key] = task
        return task
