"""Whom to know of: the census, the log's past, and the members of a group, page by page.

Must live here: reads over many people. Must not know: what any one of them should have.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog

from hooks.core.errors import ForbiddenError, HooksError, IncompleteError, StoreError
from hooks.core.ids import OktaGroupId, OktaUserId
from hooks.core.memory import Link
from hooks.core.outside import external
from hooks.core.reading import Missing, OktaGroup, PushMapping
from hooks.store import groups, known, looks, mappings, people

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from datetime import datetime

    from hooks.core.history import Moment
    from hooks.core.ids import ScimGroupId, ScimUserId
    from hooks.core.reading import AppUser
    from hooks.observe import Directory, Observer
    from hooks.store.database import Database, Tx
    from hooks.store.sealing import Sealer

T = TypeVar("T")

log = structlog.get_logger("hooks.survey")

#: Reads at once for one survey, so that it never fills a vendor's budget by itself.
_AT_ONCE = 8


class Survey:
    """Reads over many people. One of these serves a whole process."""

    def __init__(self, *, observer: Observer, database: Database, sealer: Sealer) -> None:
        """Shares the gateways of the observer."""
        self._okta = observer.okta
        self._organization = observer.organization
        self.directories = observer.directories
        self._database = database
        self._sealer = sealer

    async def census(self, directory: Directory, fence: Callable[[Tx], object]) -> int:
        """Remember who is assigned to the app, which groups its mappings lead to, and all groups.

        After it a later 404 is proof, and a name that changes is noticed. Returns the people
        read. ``fence`` is compared before each page is stored. Raises HooksErrors of the gateways:
        try the whole of it again.
        """
        read = 0
        verified = await self._domains()
        began = await self._database.read(lambda tx: tx.now)
        async for page in self._okta.app_users(directory.app):

            def store(tx: Tx, page: tuple[AppUser, ...] = page) -> int:
                fence(tx)
                count = people.census(tx, directory.name, page, self._sealer, began=began)
                if verified:
                    names = {each.user: each.user_name for each in page}
                    known.presume_external(
                        tx, [who for who in names if external(names[who], verified)]
                    )
                return count

            read += await self._database.write(store)
        await self._database.write(lambda tx: people.end_census(tx, directory.name, began))
        await self.match(directory)
        await self._groups()
        return read

    async def _domains(self) -> frozenset[str]:
        """The verified ones; none where nobody tells, and so nobody lies outside of them."""
        try:
            return await self._organization.review.domains() if self._organization else frozenset()
        except HooksError as error:
            log.warning("domains_not_read", error=str(error))
            return frozenset()

    async def _groups(self) -> None:
        """Remember what the organization's groups are called and who keeps them, at first sight.

        Its failure is none of the directory's: what is not seen here is seen with its members.
        """
        if self._organization is None:
            return
        try:
            async for page in self._organization.groups():
                await self._database.write(lambda tx, page=page: groups.remember(tx, page))  # type: ignore[misc]
        except StoreError:
            raise
        except HooksError as error:
            log.warning("groups_not_read", error=str(error))

    async def history(self, since: datetime, fence: Callable[[Tx], object]) -> int:
        """Remember what the System Log shows from ``since`` on; how many lines that are."""
        read = 0
        async for page in self._okta.log.history(since):

            def store(tx: Tx, page: tuple[tuple[OktaUserId, Moment], ...] = page) -> int:
                fence(tx)
                looks.remember_log(tx, page)
                return len(page)

            read += await self._database.write(store)
        return read

    async def match(self, directory: Directory) -> None:
        """Match mappings never seen before by exact name, and remember where they lead."""
        known = await self._database.read(mappings.remembered)
        before = {link.mapping: link for link in known.get(directory.name, ())}
        listed = await self._okta.mappings(directory.app)
        new = [each for each in listed if (was := before.get(each.id)) is None or was.accept]
        found = await _some_at_once(
            self._link(directory, each, before.get(each.id)) for each in new
        )
        links = [each for each in found if each]
        await self._database.write(lambda tx: mappings.remember(tx, directory.name, links))

    async def _link(
        self, directory: Directory, mapping: PushMapping, before: Link | None
    ) -> Link | None:
        """Match one; one that cannot be must not keep the others from being remembered.

        An accepted one whose target was renamed, and not moved, keeps its group.
        """
        try:
            target = await self._okta.group(mapping.target)
            if not isinstance(target, OktaGroup):
                return None
            group = await directory.scim.group_named(target.name)
        except (IncompleteError, ForbiddenError) as error:
            log.warning("mapping_not_matched", mapping=mapping.id, error=str(error))
            return None
        if isinstance(group, Missing):
            if before is None or before.target != mapping.target:
                return None
            return replace(before, source=mapping.source, target_name=target.name, accept=False)
        return Link(
            mapping.id, mapping.source, mapping.target, group.id, group.display, target.name
        )

    async def members(self, okta_group: OktaGroupId) -> set[OktaUserId]:
        """Everybody an event about an Okta group may concern.

        Those Okta still lists, and the members of every Atlassian group a mapping leads to from
        it: a deleted group lists nobody, and its people are in Atlassian all the same.
        """
        people_there: set[OktaUserId] = set()
        if isinstance(await self._okta.group(okta_group), OktaGroup):
            async for page in self._okta.group_members(okta_group):
                people_there.update(page)
        for directory in self.directories.values():
            await self.match(directory)
        async for directory, _, members in self._there(okta_group):
            people_there |= await self._owners(directory, members)
        return people_there

    async def pushed(self, okta_group: OktaGroupId) -> set[OktaUserId]:
        """Who may be in an Atlassian group again because Okta pushed this one.

        Whoever is in force and was in the group before is as they were; only the others need to
        be looked at, or every push to a large group would have everybody read.
        """
        found: set[OktaUserId] = set()
        async for directory, group, members in self._there(okta_group):
            doubtful = partial(
                known.doubtful, directory=directory.name, group=group, records=members
            )
            people_there, strange = await self._database.read(doubtful)
            found |= people_there | await self._owners(directory, strange)
        return found

    async def _there(
        self, okta_group: OktaGroupId
    ) -> AsyncIterator[tuple[Directory, ScimGroupId, frozenset[ScimUserId]]]:
        """Who is in each Atlassian group a mapping leads to, from this Okta group or by it."""
        links = await self._database.read(mappings.remembered)
        for name, directory in self.directories.items():
            ends = ((link.group, (link.source, link.target)) for link in links.get(name, ()))
            for group in sorted({group for group, both in ends if okta_group in both}):
                members = await directory.scim.members(group)
                if not isinstance(members, Missing):
                    yield directory, group, members

    async def _owners(self, directory: Directory, members: Iterable[ScimUserId]) -> set[OktaUserId]:
        """Whose SCIM records these are: as remembered, else as their externalId says."""
        wanted = sorted(members)
        owners = await self._database.read(lambda tx: known.owners(tx, directory.name, wanted))
        unknown = [each for each in wanted if each not in owners]
        records = await _some_at_once(directory.scim.user(each) for each in unknown)
        found = {owner for each in owners.values() for owner in each}
        for record in records:
            if not isinstance(record, Missing) and (owner := OktaUserId.maybe(record.external_id)):
                found.add(owner)
        return found


async def _some_at_once(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Await all, a few at a time."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(call: Awaitable[T]) -> T:
        async with gate:
            return await call

    return await asyncio.gather(*(one(call) for call in calls))
