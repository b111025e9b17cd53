"""The one DELETE of this project: a SCIM user's, which frees its account from the directory.

The path, the copy made before and the request itself must live here; whose record it is, and
whether it may go, this room must not know.

Nothing is repeated here: after a lost reply nobody knows, and whoever asked must read.
Source: Atlassian's description of DELETE Users/{userId} (jira.js src/userProvisioning): unlinks
the user, deactivates the account if it is managed, and deletes the record, which cannot be
undone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hooks.core.errors import IncompleteError
from hooks.core.ids import ScimUserId
from hooks.gateways.scim_door import SCIM_JSON, root_of, scim_door
from hooks.gateways.urls import path

if TYPE_CHECKING:
    import aiohttp

    from hooks.clock import Clock
    from hooks.core.ids import DirectoryName, ScimDirectoryId
    from hooks.gateways.credential import Credential

_WHOLE = msgspec.json.Decoder(msgspec.Raw)


class _Id(msgspec.Struct):
    id: str


_ID = msgspec.json.Decoder(_Id)


class ScimUnlink:
    """One directory, with its key; opened for one record at a time."""

    def __init__(
        self,
        *,
        client: aiohttp.ClientSession,
        api_url: str,
        directory: ScimDirectoryId,
        name: DirectoryName,
        credential: Credential,
        clock: Clock,
    ) -> None:
        """``name`` is the operator's."""
        self._root = root_of(directory)
        self._door = scim_door(
            client,
            api_url,
            self._root,
            credential,
            clock,
            name=name,
            methods=frozenset({"GET", "DELETE"}),
            most=1,
        )

    async def whole(self, user: ScimUserId) -> bytes:
        """The record as JSON, with everything in it. Raises: as ``Transport.get``."""
        answer = await self._door.get("user", self._user(user), _WHOLE, accept=SCIM_JSON)
        record = bytes(answer.value)
        if _ID.decode(record).id != user:
            raise IncompleteError("scim answered GET user about another one")
        return record

    async def delete(self, user: ScimUserId, *, deadline: float) -> None:
        """Delete the record. Returning means "submitted"; only a reading proves it gone.

        ``deadline`` is when the lease ends, in seconds of ``hooks.clock.elapsed``.
        Raises: LeaseLostError (not sent), LostReplyError (sent or not: read), else what
        ``Transport.change`` raises.
        """
        await self._door.change(
            "DELETE", "user", self._user(user), None, deadline=deadline, content_type=SCIM_JSON
        )

    def _user(self, user: ScimUserId) -> str:
        return path(*self._root, "Users", ScimUserId(user))
