"""Finds accounts by address and groups by name; tells what groups give, and to whom.

Which filters are used, and what shows that they were heeded, must live here; what is found for,
this room must not know.
Source: jira.js src/admin: users/search `emails`, `accountIds`; groups/search `groupNames` (exact
but for case); groups/{groupId}/role-assignments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from hooks.core.errors import IncompleteError
from hooks.core.ids import AccountId, OrganizationGroupId
from hooks.core.membership import Grant, OrganizationGroup
from hooks.gateways.organization_lists import OrganizationList, walk
from hooks.gateways.organization_shapes import (
    CLAIMS,
    GroupShape,
    Page,
    UserShape,
    entry_of,
    groups_once,
    members_of,
    role_names,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hooks.core.reading import Account
    from hooks.gateways.transport import Transport


class _Claimed(msgspec.Struct, rename="camel"):
    account_id: str
    email: str | None = None
    claim_status: str | None = None


class _Assignment(msgspec.Struct, rename="camel"):
    roles: list[Any]
    resource_id: str | None = None
    resource_owner: str | None = None


_USERS = OrganizationList("users search", "POST", msgspec.json.Decoder(Page[_Claimed]))
_MEMBERS = OrganizationList("users search", "POST", msgspec.json.Decoder(Page[UserShape]))
_GROUPS = OrganizationList("groups search", "POST", msgspec.json.Decoder(Page[GroupShape]))
_ROLES = OrganizationList("role assignments", "GET", msgspec.json.Decoder(Page[_Assignment]))


@dataclass(frozen=True, slots=True)
class Owned:
    """An account's address, and whether the organization manages it; each as far as it is told."""

    id: AccountId
    email: str | None = None
    managed: bool | None = None


async def accounts_at(door: Transport, target: str, email: str) -> tuple[Owned, ...]:
    """The accounts with exactly this address, letter case aside.

    Raises: IncompleteError if an entry does not show it: then the filter may have been ignored.
    """
    found = await _owned(door, target, {"emails": [email]})
    if any((each.email or "").casefold() != email.casefold() for each in found):
        raise IncompleteError("organization ignored the filter of POST users search")
    return found


async def owned(door: Transport, target: str, account: AccountId) -> Owned | None:
    """One account; ``None`` if there is none, or entries differ about it.

    Raises: IncompleteError if an entry is about another: the filter was ignored.
    """
    found = await _owned(door, target, {"accountIds": [str(AccountId(account))]})
    if any(each.id != account for each in found):
        raise IncompleteError("organization ignored the filter of POST users search")
    return found[0] if len(found) == 1 else None


async def _owned(door: Transport, target: str, question: dict[str, Any]) -> tuple[Owned, ...]:
    """Each account once; what its entries do not agree about is not told."""
    found: dict[AccountId, Owned] = {}
    async for page, _ in walk(door, _USERS, target, question):
        for item in page:
            account = AccountId.maybe(item.account_id)
            if account is None:
                words = "organization gave an entry without a usable id to POST users search"
                raise IncompleteError(words)
            told = Owned(account, item.email, CLAIMS.get(item.claim_status or ""))
            known = found.setdefault(account, told)
            if known != told:
                email = known.email if known.email == told.email else None
                managed = known.managed if known.managed is told.managed else None
                found[account] = Owned(account, email, managed)
    return tuple(found.values())


async def groups_called(door: Transport, target: str, name: str) -> tuple[OrganizationGroup, ...]:
    """All groups of this name, letter case aside.

    Raises: IncompleteError if one is called otherwise: the filter was ignored.
    """
    found: dict[OrganizationGroupId, OrganizationGroup] = {}
    async for page, _ in walk(door, _GROUPS, target, {"groupNames": [name]}):
        groups_once(found, page)
    if any(each.name.casefold() != name.casefold() for each in found.values()):
        raise IncompleteError("organization ignored the filter of POST groups search")
    return tuple(found.values())


async def members(
    door: Transport, target: str, group: OrganizationGroupId
) -> AsyncIterator[tuple[Account, ...]]:
    """The accounts in a group, page by page, as far as the list shows deactivated ones.

    Raises: IncompleteError if an entry does not say that it is in the group.
    """
    question = {"groupIds": [str(OrganizationGroupId(group))], "expand": ["groups"]}
    async for page, _ in walk(door, _MEMBERS, target, question):
        members_of(page, group)
        yield tuple(map(entry_of, page))


async def grants_of(door: Transport, target: str) -> frozenset[Grant]:
    """What a group gives: on which resource of which app, in which roles."""
    found: set[Grant] = set()
    async for page, _ in walk(door, _ROLES, target, {}):
        for item in page:
            roles = tuple(sorted(role_names(item.roles)))
            found.add(Grant(item.resource_owner or "", item.resource_id or "", roles))
    return frozenset(found)
