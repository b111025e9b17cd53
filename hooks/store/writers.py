"""The threads that write, and whose transaction is next.

Must live here: that no delivery stands behind a row of looks. Must not know: what is written.
Okta waits three seconds for a delivery; a look waits for vendors anyway.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_Job = tuple["Future[Any]", "Callable[[], Any]"]


class Writers:
    """So many threads; what goes ``ahead`` has every other turn while anything else waits."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="store-write")
        self._ahead = deque[_Job]()
        self._others = deque[_Job]()
        self._last_went_ahead = False
        self._lock = Lock()

    async def run(self, work: Callable[[], T], *, ahead: bool) -> T:
        """Run it on one of the threads; what it raises is raised here."""
        done: Future[T] = Future()
        (self._ahead if ahead else self._others).append((done, work))
        self._threads.submit(self._run_next)
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Wait until everything that was asked for is done."""
        self._threads.shutdown(wait=True)

    def _run_next(self) -> None:
        done, work = self._next()
        if not done.set_running_or_notify_cancel():
            return  # nobody waits for it any more
        try:
            found = work()
        except BaseException as error:  # noqa: BLE001  # whoever waits is told
            done.set_exception(error)
        else:
            done.set_result(found)
        finally:
            del done, work  # or what failed would be held by its own traceback

    def _next(self) -> _Job:
        with self._lock:
            ahead = bool(self._ahead) and not (self._others and self._last_went_ahead)
            self._last_went_ahead = ahead
            return (self._ahead if ahead else self._others).popleft()
