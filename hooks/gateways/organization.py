"""One Atlassian organization: accounts, their groups and roles, and one membership more or less.

Its paths, questions and paging must live here; who should be in which group, this room must not
know.

Every answer is checked to be about what was asked, as far as it tells. ``MISSING`` stands for a
404 and proves nothing by itself. All methods raise what ``Transport.get`` raises, and
IncompleteError for an answer that must not be believed.
Sources: Atlassian's description of the organization API v2 (as jira.js carries it, src/admin);
developer.atlassian.com/cloud/admin/organization/rest.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from hooks.clock import elapsed
from hooks.core.errors import IncompleteError, NotFoundError, RejectedError
from hooks.core.ids import AccountId, OrganizationGroupId, OrganizationId
from hooks.core.reading import MISSING, Account, Missing, ScimLink
from hooks.gateways.breaker import Breaker
from hooks.gateways.organization_finds import (
    Owned,
    accounts_at,
    grants_of,
    groups_called,
    members,
    owned,
)
from hooks.gateways.organization_lists import OrganizationList, page_of, walk
from hooks.gateways.organization_review import OrganizationReview
from hooks.gateways.organization_shapes import (
    AssignmentShape,
    GroupShape,
    LinkShape,
    OneGroup,
    Page,
    UserShape,
    account_of,
    active_of,
    entry_of,
    group_of,
    groups_once,
    links_of,
    members_of,
    role_names,
)
from hooks.gateways.organization_sizes import sizes_of
from hooks.gateways.organization_writes import METHODS, Writes
from hooks.gateways.pace import Pace
from hooks.gateways.place import Place
from hooks.gateways.transport import NoSuchCallError, Transport
from hooks.gateways.urls import path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    import aiohttp

    from hooks.clock import Clock
    from hooks.core.ids import Uuid
    from hooks.core.membership import Grant, Group, OrganizationGroup
    from hooks.gateways.credential import Credential

T = TypeVar("T")

#: Calls at once. No number is published. One person needs three reads and then as many removals
#: as local groups, commonly below ten, all at once; one more such person fits beside them. This
#: interface is made for administration, its 429 will say if this is too many.
AT_ONCE = 16
#: An account nobody has, and for how many seconds its answer is believed.
_NOBODY = "0" * 24
_HEEDED = 300.0
#: 404s that speak of the account or the group asked for; any other may speak of the
#: organization, or of the call itself. Source: jira.js src/admin/models/apiError.ts.
_NO_SUCH = frozenset({"ADMIN-UAM-404-1", "ADMIN-UAM-404-3"})
#: "Not allowed to manage the org", "Organization not found", here and in the v1 of the probe.
#: Source: as above; Atlassian v1 OpenAPI.
_NO_ORGANIZATION = frozenset({"ADMIN-UAM-403-2", "ADMIN-UAM-404-2", "ADMIN-404-2"})


_USERS = OrganizationList("users search", "POST", msgspec.json.Decoder(Page[UserShape]))
_GROUPS = OrganizationList("groups search", "POST", msgspec.json.Decoder(Page[GroupShape]))
_ROLES = OrganizationList("role assignments", "GET", msgspec.json.Decoder(Page[AssignmentShape]))
_GROUP = msgspec.json.Decoder(OneGroup)
_LINKS: msgspec.json.Decoder[list[LinkShape] | Page[LinkShape]] = msgspec.json.Decoder(
    list[LinkShape] | Page[LinkShape]
)


class Organization:
    """One organization, with its API key.

    Reads go to ``directories/-``, which is every directory the key may manage; writes never do.
    """

    def __init__(
        self,
        *,
        client: aiohttp.ClientSession,
        api_url: str,
        organization: OrganizationId,
        credential: Credential,
        clock: Clock,
    ) -> None:
        """``api_url`` is scheme, host and port of Atlassian's gateway."""
        self._id = OrganizationId(organization)
        self._root = ("admin", "v2", "orgs", self._id)
        self.door = Transport(
            vendor="organization",
            origin=api_url,
            client=client,
            pace=Pace("organization", clock, most=AT_ONCE),
            breaker=Breaker("organization", clock),
            credential=credential,
            # The list of organizations is empty for a key of one, so it would tell nothing.
            probes=(path("admin", "v1", "orgs", self._id),),
            methods=METHODS,
            place=Place("organization_id", clock, denials=_NO_ORGANIZATION, entries=_NO_SUCH),
        )
        self._heeded_until = 0.0
        self._trying = asyncio.Lock()
        self._writes = Writes(self.door, self._root, credential, clock)
        self.review = OrganizationReview(self.door, self._id)

    # -- people --------------------------------------------------------------------------------

    async def account(self, account: AccountId) -> Account | Missing:
        """An account's type, status and admin roles, over all directories."""
        question = {"accountIds": [str(AccountId(account))], "expand": ["platformRoles"]}
        items: list[UserShape] = []
        try:
            async for page in self._all(_USERS, self._path("users", "search"), question):
                items += page
        except NotFoundError as error:
            return _missing(error)
        return account_of(items, account)

    async def groups_of(self, account: AccountId) -> tuple[OrganizationGroup, ...]:
        """All groups of an account, synced and local. Raises: NotFoundError if there is none.

        Whether the filter was heeded the answer does not show; see ``try_filter``.
        """
        question = {"accountIds": [str(AccountId(account))]}
        found: dict[OrganizationGroupId, OrganizationGroup] = {}
        try:
            async for page in self._all(_GROUPS, self._path("groups", "search"), question):
                groups_once(found, page)
        except NotFoundError as error:
            _missing(error)
            raise
        return tuple(found.values())

    async def try_filter(self) -> None:
        """Ask for the groups of nobody, now and then. Raises: IncompleteError if there are any.

        Then the filter is ignored, and what was not there could be taken and given back.
        """
        async with self._trying:  # one asks for all
            if elapsed() < self._heeded_until:
                return
            question = {"accountIds": [_NOBODY], "limit": 1}
            try:
                page = await page_of(self.door, _GROUPS, self._path("groups", "search"), question)
            except (NotFoundError, RejectedError):
                pass
            else:
                if page.data:
                    raise IncompleteError("organization ignored the filter of POST groups search")
            self._heeded_until = elapsed() + _HEEDED

    async def links(self, account: AccountId) -> tuple[ScimLink, ...] | Missing:
        """The SCIM users linked with an account, in directories we manage or not.

        MISSING also where Atlassian does not offer the call, which is known second-hand.
        Source: jira.js src/userProvisioning.
        """
        target = path(
            *("admin", "user-provisioning", "v1", "org", self._id),
            *("user", AccountId(account), "get-scim-links"),
        )
        try:
            answer = (await self.door.get("links", target, _LINKS, bucket="links")).value
        except (NotFoundError, NoSuchCallError):
            return MISSING
        if isinstance(answer, Page) and answer.next:
            raise IncompleteError("organization gave only a page to GET links")
        items = answer.data if isinstance(answer, Page) else answer
        return links_of(items, self._id, account)

    async def accounts_at(self, email: str) -> tuple[Owned, ...]:
        """The accounts of an address."""
        return await accounts_at(self.door, self._path("users", "search"), email)

    async def owned(self, account: AccountId) -> Owned | None:
        """Whether an account is managed, and its address; ``None`` where that is not told."""
        return await owned(self.door, self._path("users", "search"), account)

    # -- groups --------------------------------------------------------------------------------

    async def group(self, group: OrganizationGroupId) -> OrganizationGroup | Missing:
        """A group by id."""
        target = self._path("groups", OrganizationGroupId(group))
        try:
            answer = await self.door.get("group", target, _GROUP, bucket="group")
        except NotFoundError as error:
            return _missing(error)
        found = group_of(answer.value.data)
        if found.id != group:
            raise IncompleteError("organization answered GET group about another one")
        return found

    async def groups(self) -> AsyncIterator[tuple[OrganizationGroup, ...]]:
        """All groups of the organization, page by page, each once.

        Whoever stops before the end does not know all.
        """
        found: dict[OrganizationGroupId, OrganizationGroup] = {}
        async for page in self._all(_GROUPS, self._path("groups", "search"), {}):
            yield groups_once(found, page)

    async def active_members(
        self, group: OrganizationGroupId, *, most: int = 10
    ) -> frozenset[AccountId]:
        """The first active members of a group; of ``most`` entries, two may be of one account."""
        question = {
            "groupIds": [str(OrganizationGroupId(group))],
            "status": ["active"],
            "expand": ["groups"],
            "limit": most,
        }
        page = await page_of(self.door, _USERS, self._path("users", "search"), question)
        return active_of(page.data, group, most)

    async def sizes(self, groups: Collection[Group | OrganizationGroup]) -> dict[Uuid, int]:
        """How many people are in each of these few groups, as far as it is told."""
        return await sizes_of(self.door, self._path("groups", "search"), groups)

    async def role_assignments(self, group: OrganizationGroupId) -> frozenset[str]:
        """The roles a group gives, on whatever resource."""
        target = self._path("groups", OrganizationGroupId(group), "role-assignments")
        roles: set[str] = set()
        async for page in self._all(_ROLES, target, {}):
            roles.update(*(role_names(item.roles) for item in page))
        return frozenset(roles)

    async def groups_called(self, name: str) -> tuple[OrganizationGroup, ...]:
        """All groups of a name, letter case aside."""
        return await groups_called(self.door, self._path("groups", "search"), name)

    def members(self, group: OrganizationGroupId) -> AsyncIterator[tuple[Account, ...]]:
        """The accounts in a group, page by page, as far as deactivated ones are listed."""
        return members(self.door, self._path("users", "search"), group)

    async def grants(self, group: OrganizationGroupId) -> frozenset[Grant]:
        """The app access a group gives, resource by resource."""
        target = self._path("groups", OrganizationGroupId(group), "role-assignments")
        return await grants_of(self.door, target)

    # -- everyone ------------------------------------------------------------------------------

    async def every_account(
        self, place: str = ""
    ) -> AsyncIterator[tuple[tuple[Account, ...], str]]:
        """All accounts, page by page, and the place where the list goes on, empty at its end.

        From ``place`` on. An entry may come twice.
        """
        target, question = self._path("users", "search"), {"expand": ["platformRoles"]}
        async for page, more in walk(self.door, _USERS, target, question, place):
            yield tuple(map(entry_of, page)), more

    async def every_group(
        self, place: str = ""
    ) -> AsyncIterator[tuple[tuple[OrganizationGroup, ...], str]]:
        """All groups, as above."""
        async for page, more in walk(self.door, _GROUPS, self._path("groups", "search"), {}, place):
            yield tuple(map(group_of, page)), more

    async def every_member(
        self, group: OrganizationGroupId, place: str = ""
    ) -> AsyncIterator[tuple[frozenset[AccountId], str]]:
        """All accounts in a group, as far as the list shows deactivated ones; as above."""
        question = {"groupIds": [str(OrganizationGroupId(group))], "expand": ["groups"]}
        async for page, more in walk(
            self.door, _USERS, self._path("users", "search"), question, place
        ):
            yield members_of(page, group), more

    # -- changing ------------------------------------------------------------------------------

    async def remove(
        self, group: OrganizationGroup, account: AccountId, *, deadline: float
    ) -> None:
        """Take one account out of a local group. Returning means "submitted"; read to know.

        ``deadline`` is when the lease ends, in seconds of ``hooks.clock.elapsed``.
        Raises: LeaseLostError (not sent), LostReplyError (sent or not: read), NotFoundError with
        code ADMIN-UAM-404-1 (account) or -404-3 (group), RejectedError with the vendor's code
        (ADMIN-UAM-400-2: the account is inactive) or with ``synced`` or ``not_modifiable`` (not
        sent), ForbiddenError (this group), CredentialError (the key may read at most),
        TransientError (again later).
        """
        await self._writes.remove(group, account, deadline=deadline)

    async def add(self, group: OrganizationGroup, account: AccountId, *, deadline: float) -> None:
        """Put one account into a local group; as ``remove``. One that is there is no error.

        Without a free licence: RejectedError with code ADMIN-UAM-409-3.
        """
        await self._writes.add(group, account, deadline=deadline)

    @property
    def breakers(self) -> tuple[Breaker, Breaker]:
        """Of the key, and of writing with it."""
        return self.door.breaker, self._writes.breaker

    def snapshot(self) -> dict[str, Any]:
        """For a status page; counts and states only."""
        return {**self.door.snapshot(), "writes": self._writes.breaker.snapshot()}

    def _path(self, *parts: str) -> str:
        return path(*self._root, "directories", "-", *parts)

    async def _all(
        self, kind: OrganizationList[T], target: str, question: dict[str, Any]
    ) -> AsyncIterator[list[T]]:
        async for entries, _ in walk(self.door, kind, target, question):
            yield entries


def _missing(error: NotFoundError) -> Missing:
    """What a 404 means if it speaks of what was asked for, and not of everything.

    Raises: IncompleteError otherwise; a wrong organization has no group of any id.
    """
    if error.code in _NO_SUCH:
        return MISSING
    raise IncompleteError(f"{error}, and not about that") from error
