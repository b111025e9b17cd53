"""A lease as its holder knows it: until when to write, and that it goes on while it is used.

Must live here: the lease's end in this process's own time. Must not know: what the lease is for.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from hooks.clock import elapsed
from hooks.core.errors import LeaseLostError, StoreError
from hooks.store import line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hooks.store.database import Database
    from hooks.store.line import Lease

_LASTS = line.LEASE.total_seconds()
#: Seconds from one extension to the next.
_EXTEND = _LASTS / 3

log = structlog.get_logger("hooks.tenure")


@dataclass(slots=True)
class Tenure:
    """A lease, and when it was asked for by ``hooks.clock.elapsed``.

    Counted from before the store was asked, it ends here no later than there.
    """

    lease: Lease
    asked: float
    lost: bool = False

    def __call__(self) -> float:
        """When it ends, by the same clock; nothing may be sent after."""
        return 0.0 if self.lost else self.asked + _LASTS


@asynccontextmanager
async def kept(database: Database, tenure: Tenure) -> AsyncIterator[Tenure]:
    """Extend a lease while it is worked under. One that cannot be extended simply ends."""
    extending = asyncio.create_task(_extend(database, tenure))
    try:
        yield tenure
    finally:
        extending.cancel()


async def _extend(database: Database, tenure: Tenure) -> None:
    while True:
        await asyncio.sleep(_EXTEND)
        asked = elapsed()
        try:
            await database.write(lambda tx: line.extend(tx, tenure.lease))
        except StoreError as error:
            log.warning("store_failed", error=str(error))
        except LeaseLostError:
            tenure.lost = True
            return
        else:
            tenure.asked = asked
