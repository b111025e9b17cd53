"""What one organization shows of itself beside its groups: read for a check, nothing changed.

Paths, fields and bounds must live here; what is right about it, this room must not know.
All methods raise what ``Transport.get`` raises, and IncompleteError for what must not be believed.
Sources: Atlassian v1 OpenAPI (getDomains); jira.js src/admin, users/search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hooks.core.errors import IncompleteError
from hooks.gateways.organization_shapes import Page, cursor_of
from hooks.gateways.urls import path, with_query

if TYPE_CHECKING:
    from collections.abc import Collection

    from hooks.core.ids import OrganizationId
    from hooks.gateways.transport import Transport

#: Addresses of one search. Source: terraform-provider-atlassian.
MOST_ADDRESSES = 100
#: Pages after which a check has seen enough.
MOST_PAGES = 10


class _Camel(msgspec.Struct, rename="camel"):
    """Atlassian spells fields in camel case."""


class _Claim(_Camel):
    status: str | None = None


class _Attributes(_Camel):
    name: str | None = None
    claim: _Claim | None = None


class _Domain(_Camel):
    attributes: _Attributes


class _User(_Camel):
    account_id: str
    email: str | None = None


_DOMAINS = msgspec.json.Decoder(Page[_Domain])
_USERS = msgspec.json.Decoder(Page[_User])


class OrganizationReview:
    """One organization, looked over through the door by which it is read anyway."""

    def __init__(self, door: Transport, organization: OrganizationId) -> None:
        """``door`` is the organization's own."""
        self._door = door
        self._id = organization

    async def domains(self) -> frozenset[str]:
        """The verified domains, in lower case."""
        target = path("admin", "v1", "orgs", self._id, "domains")
        found: set[str] = set()
        asked = target
        for _ in range(MOST_PAGES):
            page = (await self._door.get("domains", asked, _DOMAINS, bucket="domains")).value
            for each in page.data:
                verified = each.attributes.claim and each.attributes.claim.status == "verified"
                if verified and each.attributes.name:
                    found.add(each.attributes.name.casefold())
            cursor = cursor_of(page.next, origin=self._door.origin, asked=target)
            if cursor is None:
                return frozenset(found)
            asked = with_query(target, {"cursor": cursor})
        raise IncompleteError("organization has more domains than a check reads")

    async def accounts(self, addresses: Collection[str]) -> dict[str, frozenset[str]]:
        """The accounts of each of a few addresses, in lower case; none for those unknown.

        Raises: IncompleteError if somebody of another address is told: the filter was ignored.
        """
        wanted = sorted({each.casefold() for each in addresses})
        found: dict[str, set[str]] = {each: set() for each in wanted}
        if not wanted:
            return {}
        if len(wanted) > MOST_ADDRESSES:
            msg = f"{len(wanted)} addresses in one search"
            raise ValueError(msg)
        page = await self._door.ask(
            "users search",
            path("admin", "v2", "orgs", self._id, "directories", "-", "users", "search"),
            msgspec.json.encode({"emails": wanted, "limit": MOST_ADDRESSES}),
            _USERS,
            bucket="users search",
            content_type="application/json",
            lists=True,
        )
        for each in page.data:
            if (each.email or "").casefold() not in found:
                raise IncompleteError("organization ignored the filter of POST users search")
            found[(each.email or "").casefold()].add(each.account_id)
        if page.next:
            raise IncompleteError("organization gave only a page to POST users search")
        return {address: frozenset(accounts) for address, accounts in found.items()}
