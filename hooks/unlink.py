"""Free one account from its SCIM record: delete it under its owner's lease.

Must live here: the order of reading, journalling and deleting. Must not know: what speaks against
it, or who asks. Nothing else of ours deletes anything but single memberships.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from hooks.clock import elapsed
from hooks.core.attempt import Retry
from hooks.core.errors import (
    HooksError,
    LeaseLostError,
    LostReplyError,
    NotFoundError,
    PermanentError,
    StoreError,
    TransientError,
)
from hooks.core.ids import OktaUserId
from hooks.gateways.credential import Secret
from hooks.gateways.scim_unlink import ScimUnlink
from hooks.gateways.wire import open_client
from hooks.seek import by_id
from hooks.store import line, orders, pause, released
from hooks.tenure import Tenure, kept

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from hooks.clock import Clock
    from hooks.core.ids import DirectoryName, ScimDirectoryId, ScimUserId
    from hooks.observe import Directory
    from hooks.seek import Judged, Seek
    from hooks.store.database import Database, Tx
    from hooks.store.line import Lease
    from hooks.store.released import Released
    from hooks.store.sealing import Sealer

#: Seconds before each reading that may show the record gone: a DELETE whose reply was lost may
#: still be under way for the time of one call.
_READINGS = (0.0, 1.0, 2.0, 4.0, 8.0)


class UnlinkRefusedError(PermanentError):
    """Something speaks against it; nothing was deleted."""


class Ended(StrEnum):
    """What a DELETE came to, as far as it was seen."""

    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Unlink:
    """Frees accounts, one at a time."""

    seek: Seek
    database: Database
    sealer: Sealer
    clock: Clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    # -- deleting ------------------------------------------------------------------------------

    async def carry_out(
        self,
        judged: Judged,
        door: ScimUnlink,
        *,
        leave: frozenset[str],
        who: str,
        why: str,
    ) -> Ended:
        """Delete the record under its owner's lease, if a fresh reading still lets it go.

        ``leave`` are the groups that may stay.
        Raises: UnlinkRefusedError, LeaseLostError (nothing was deleted); what a gateway raises.
        """
        owner = judged.owner
        if owner is None:
            raise UnlinkRefusedError("unlink: nobody's lease could be held")
        async with self._held(owner) as tenure:
            again = await self.seek.judge(judged.found, owners=frozenset({owner}))
            _check(judged, again, leave)
            record = again.found.record
            copy = await door.whole(record.id)
            order = await self.database.write(
                lambda tx: self._begin(tx, tenure.lease, again, copy, who=who, why=why)
            )
            try:
                await door.delete(record.id, deadline=tenure())
            except LostReplyError:
                pass  # it may have been deleted: read
            except NotFoundError:
                pass  # somebody else was before us: read
            except (PermanentError, LeaseLostError, TransientError) as error:  # nothing was done
                await self._undone(again, owner, order, str(getattr(error, "code", "")))
                raise
            return await self.conclude(again.found.directory, record.id, order)

    def _begin(
        self, tx: Tx, lease: Lease, judged: Judged, copy: bytes, *, who: str, why: str
    ) -> int:
        """Journal before sending: the order, the sealed copy, and the mark."""
        line.compare_fence(tx, lease)
        if not pause.admits(tx):
            raise UnlinkRefusedError("unlink: paused; first: hooks resume --reason TEXT")
        owner, record = OktaUserId(lease.subject), judged.found.record
        if before := released.open_order(tx, owner):
            orders.end(tx, before, f"{record.id}: read to be there still")
        released.mark(
            tx, owner, judged.found.directory.name, record.id, copy=copy, sealer=self.sealer
        )
        return orders.begin(tx, released.KIND, owner, who=who, why=why)

    async def _undone(self, judged: Judged, owner: OktaUserId, order: int, code: str) -> None:
        name, record = judged.found.directory.name, judged.found.record.id

        def write(tx: Tx) -> None:
            released.take_back(tx, owner, name)
            orders.end(tx, order, f"{name} {record}: not deleted {code}".strip())

        await self.database.write(write)

    async def conclude(self, directory: Directory, record: ScimUserId, order: int | None) -> Ended:
        """Read whether a record is gone, and say so in the journal."""
        for wait in _READINGS:
            await self.sleep(wait)
            try:
                gone = await self._gone(directory, record)
            except HooksError:
                continue
            if gone:
                await self._end(order, f"{directory.name} {record}: deleted, seen to be gone")
                return Ended.GONE
        return Ended.UNKNOWN

    async def _end(self, order: int | None, result: str) -> None:
        if order is not None:
            await self.database.write(lambda tx: orders.end(tx, order, result))

    async def _gone(self, directory: Directory, record: ScimUserId) -> bool:
        """A 404 counts only from a directory that is there."""
        if await by_id(directory, record):
            return False
        await directory.scim.users_by_external_id(record)  # of nobody: a list is there, or raises
        return True

    async def ended(self, name: str) -> list[Released]:
        """What was deleted under this SCIM, account or Okta id, or of the account of an address.

        Seen to be gone now; so ends an order of which nobody knew what came.
        """
        names = {name, *await self.seek.accounts(name)}
        found: list[Released] = []
        for each in await self.database.read(
            lambda tx: [one for every in sorted(names) for one in released.find(tx, every)]
        ):
            directory = self.seek.observer.directories.get(each.directory)
            if directory and await self.conclude(directory, each.record, each.order) is Ended.GONE:
                found.append(each)
        return found

    # -- the lease -----------------------------------------------------------------------------

    @asynccontextmanager
    async def _held(self, user: OktaUserId) -> AsyncIterator[Tenure]:
        """The lease on a person, extended while it is held; then they are due, to be looked at."""
        asked = elapsed()
        lease = await self.database.write(lambda tx: _lease(tx, user))
        try:
            async with kept(self.database, Tenure(lease, asked)) as tenure:
                yield tenure
        finally:
            then = Retry(self.clock.now(), counted=False)
            with suppress(LeaseLostError, StoreError):
                await self.database.write(lambda tx: line.settle(tx, lease, then))


def _lease(tx: Tx, user: OktaUserId) -> Lease:
    if pause.paused(tx):
        raise UnlinkRefusedError("unlink: paused; first: hooks resume --reason TEXT")
    line.mark(tx, [user], "user", lane=line.URGENT, due_at=tx.now, events=False)
    leases = line.lease(tx, limit=1, only=user)
    if not leases:
        raise UnlinkRefusedError(
            f"unlink: {user} is being looked at, or a dead letter; see: hooks dead, and try again"
        )
    return leases[0]


def _check(before: Judged, now: Judged, leave: Iterable[str]) -> None:
    """Refuse unless everything is as it was shown, and nothing is left to be taken."""
    if now.obstacles:
        raise UnlinkRefusedError("unlink: " + "; ".join(now.obstacles))
    if now.found.record.account != before.found.record.account:
        raise UnlinkRefusedError("unlink: the record names another account than it did")
    if staying := sorted(set(now.staying) - set(leave)):
        raise UnlinkRefusedError(
            f"unlink: still in {', '.join(staying)}, which nobody can take afterwards;"
            f" hooks look {now.owner} says why"
        )


@asynccontextmanager
async def opened(
    api_url: str,
    directory: ScimDirectoryId,
    name: DirectoryName,
    key: Callable[[], str],
    clock: Clock,
) -> AsyncIterator[ScimUnlink]:
    """The door through which one DELETE may leave, for as long as it takes."""
    async with open_client() as client:
        yield ScimUnlink(
            client=client,
            api_url=api_url,
            directory=directory,
            name=name,
            credential=Secret("Bearer", key),
            clock=clock,
        )
