"""The only changes this project can ask of the organization: one membership less or more.

Every write must be built here. No other DELETE, and no write to a group that an identity provider
keeps, can be expressed; who should be a member, this room must not know.

A key may be able to read and not to write, which only a write can show, and it may lose what it
could. So writing has a breaker of its own: a 403 to a write opens it, and so do several once the
key has written; reads go on, and now and then one write tries again.
Source: Atlassian's AX-1798 (no scope exists for these calls, only keys without scopes may write);
a key with scopes was answered 403 ADMIN-UAM-403-1 (seen in the field, not documented).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from hooks.core.errors import CredentialError, ForbiddenError, RejectedError
from hooks.core.ids import AccountId, OrganizationDirectoryId, OrganizationGroupId
from hooks.gateways.breaker import Breaker
from hooks.gateways.urls import path

if TYPE_CHECKING:
    from hooks.clock import Clock
    from hooks.core.membership import OrganizationGroup
    from hooks.gateways.credential import Credential
    from hooks.gateways.transport import Transport

#: All that may leave by the organization's door; the POSTs besides memberships are questions.
METHODS = frozenset({"GET", "POST", "DELETE"})
#: "Resource Conflicts": the account is a member already. Source: baton-atlassian, who usually
#: saw 204 instead.
_ALREADY = "ADMIN-UAM-409-2"
#: Different refusals after which it is the key, although it has written: one group may be odd, and
#: another in its own way.
_SEVERAL = 3

_Membership = tuple[OrganizationGroupId, AccountId]


class ReadOnlyKeyError(CredentialError):
    """The key is refused for writing, and for all we know for any."""


@dataclass(slots=True)
class _Writer:
    """A secret that has written, and what it was refused since.

    ``refused`` are groups that it never wrote to, and memberships of those it did; ``odd`` are such
    that it was refused before it wrote elsewhere, so that they say nothing about it.
    """

    secret: str = field(default="", repr=False)
    groups: set[OrganizationGroupId] = field(default_factory=set)
    refused: set[OrganizationGroupId | _Membership] = field(default_factory=set)
    odd: set[OrganizationGroupId | _Membership] = field(default_factory=set)

    def wrote(
        self, membership: _Membership, before: frozenset[OrganizationGroupId | _Membership]
    ) -> None:
        """A change was taken, which was sent when it had been refused what is in ``before``."""
        self.groups.add(membership[0])
        self.odd |= self.refused & before
        self.odd -= {membership[0], membership}
        self.refused -= before

    def denied(self, membership: _Membership) -> bool:
        """A change was refused; whether that was so often that it writes no more."""
        group = membership[0]
        about = membership if group in self.groups else group
        if about not in self.odd:
            self.refused.add(about)
        return len(self.refused) >= _SEVERAL


class Writes:
    """The membership changes of one organization."""

    def __init__(
        self, door: Transport, root: tuple[str, ...], credential: Credential, clock: Clock
    ) -> None:
        """``root`` is the path of the organization; ``credential`` is the door's own."""
        self._door = door
        self._root = root
        self._credential = credential
        self.breaker = Breaker("organization writes", clock, opens=ReadOnlyKeyError, closes=())
        self._refused = ""  # the secret the breaker is about
        self._writer = _Writer()

    async def remove(
        self, group: OrganizationGroup, account: AccountId, *, deadline: float
    ) -> None:
        """Take one account out of a local group. Raises: as ``_change``."""
        await self._change("DELETE", group, account, None, deadline)

    async def add(self, group: OrganizationGroup, account: AccountId, *, deadline: float) -> None:
        """Put one account into a local group; one that is there already is no error."""
        body = msgspec.json.encode({"accountId": str(AccountId(account))})
        try:
            await self._change("POST", group, account, body, deadline)
        except RejectedError as error:
            if error.code != _ALREADY:
                raise

    async def _change(
        self,
        method: str,
        group: OrganizationGroup,
        account: AccountId,
        body: bytes | None,
        deadline: float,
    ) -> None:
        """Send one change of one membership, unless writing is refused at the moment.

        Raises: RejectedError with code ``synced`` or ``not_modifiable`` for a group that is not
        ours to change (nothing was sent); ReadOnlyKeyError, a CredentialError; BreakerOpenError
        (nothing was sent); ForbiddenError for this group only; else what ``Transport.change``
        raises.
        """
        if group.synced or not group.modifiable:
            code = "synced" if group.synced else "not_modifiable"
            raise RejectedError("organization is not asked to change such a group", code=code)
        target = path(
            *self._root,
            "directories",
            OrganizationDirectoryId(group.directory),
            "groups",
            OrganizationGroupId(group.id),
            "memberships",
            *([AccountId(account)] if body is None else []),
        )
        membership = (group.id, account)
        used = await self._credential.authorization()
        if used != self._refused:
            self.breaker.forget()
        with self.breaker.guard():
            if await self._taken(method, target, body, deadline, membership):
                return
            await self._credential.reload(used)  # perhaps there is another key in its place
            anew = await self._credential.authorization()
            if anew == used or not await self._taken(method, target, body, deadline, membership):
                self._refused = anew
                raise ReadOnlyKeyError(f"organization lets this key not {method} membership")

    async def _taken(
        self, method: str, target: str, body: bytes | None, deadline: float, what: _Membership
    ) -> bool:
        """Send; False if this was refused to a secret that never wrote, or writes no more.

        Raises: ForbiddenError if it writes elsewhere for all we know: it is about the group.
        """
        before = await self._credential.authorization()
        refused: ForbiddenError | None = None
        asked = frozenset(self._writer.refused)
        try:
            await self._door.change(method, "membership", target, body, deadline=deadline)
        except ForbiddenError as error:
            refused = error
        # The door reads the secret anew after a 401: then it is not known which one this was.
        known = before if await self._credential.authorization() == before else ""
        if refused is None:
            if known and known != self._writer.secret:
                self._writer = _Writer(known)
            if known:
                self._writer.wrote(what, asked)
            return True
        if known and known == self._writer.secret and not self._writer.denied(what):
            raise refused
        return False
