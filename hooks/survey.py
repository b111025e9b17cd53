"""Everyone, by pages: the census, the members of a group, and the groups the policy names.

Must live here: reads over many people. Must not know: what any one of them should have.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from hooks.core.errors import HooksError
from hooks.core.ids import OktaGroupId, OktaUserId
from hooks.core.policy import Named, Policy
from hooks.core.reading import Link, Missing, OktaGroup, PushMapping
from hooks.store import cursor, mappings, people

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from hooks.clock import Clock
    from hooks.core.ids import ScimUserId
    from hooks.gateways.okta import Okta
    from hooks.observe import Directory, Observer
    from hooks.store.database import Database
    from hooks.store.sealing import Sealer

T = TypeVar("T")

#: Reads at once for one survey, so that it never fills a vendor's budget by itself.
_AT_ONCE = 8


class Survey:
    """Reads over many people. One of these serves a whole process."""

    def __init__(self, *, observer: Observer, database: Database, sealer: Sealer) -> None:
        """Shares the gateways of the observer."""
        self._okta = observer.okta
        self.directories = observer.directories
        self._database = database
        self._sealer = sealer

    async def census(self, directory: Directory) -> int:
        """Remember who is assigned to the app, and which groups its mappings lead to.

        After it a later 404 is proof, and a name that changes is noticed. Returns the people
        read. Raises HooksErrors of the gateways: try the whole of it again.
        """
        read = 0
        began = await self._database.read(lambda tx: tx.now)
        async for page in self._okta.app_users(directory.app):
            read += await self._database.write(
                lambda tx, page=page: people.census(tx, directory.name, page, self._sealer)  # type: ignore[misc]
            )
        await self._database.write(lambda tx: people.end_census(tx, directory.name, began))
        await self._match(directory)
        return read

    async def _match(self, directory: Directory) -> None:
        """Match mappings never seen before by exact name."""
        known = await self._database.read(mappings.remembered)
        remembered = {link.mapping for link in known.get(directory.name, ()) if not link.accept}
        new = [
            each for each in await self._okta.mappings(directory.app) if each.id not in remembered
        ]
        found = await _some_at_once(self._link(directory, each) for each in new)
        links = [each for each in found if each]
        await self._database.write(lambda tx: mappings.remember(tx, directory.name, links))

    async def _link(self, directory: Directory, mapping: PushMapping) -> Link | None:
        target = await self._okta.group(mapping.target)
        if not isinstance(target, OktaGroup):
            return None
        group = await directory.scim.group_named(target.name)
        if isinstance(group, Missing):
            return None
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
        links = await self._database.read(mappings.remembered)
        for name, directory in self.directories.items():
            groups = {
                link.group
                for link in links.get(name, ())
                if okta_group in (link.source, link.target)
            }
            for group in sorted(groups):
                members = await directory.scim.members(group)
                if not isinstance(members, Missing):
                    people_there |= await self._owners(directory, members)
        return people_there

    async def _owners(self, directory: Directory, members: Iterable[ScimUserId]) -> set[OktaUserId]:
        """Whose SCIM records these are: as remembered, else as their externalId says."""
        wanted = sorted(members)
        owners = await self._database.read(lambda tx: people.owners(tx, directory.name, wanted))
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


class PolicyInForce:
    """The policy with the Okta groups it names resolved, once, each to exactly one id.

    A name that resolves to none or to several stays unresolved and is asked again after a while;
    ``decide`` refuses what depends on it. Design 3.2.
    """

    #: How long an unresolved name rests before it is asked again.
    rest = timedelta(seconds=60)

    def __init__(
        self,
        policy: Policy,
        *,
        protected: Iterable[str],
        scope: Iterable[str],
        okta: Okta,
        database: Database,
        clock: Clock,
    ) -> None:
        """``protected`` and ``scope`` are names or ids of Okta groups, as the operator wrote."""
        self._policy = policy
        self._protected = tuple(protected)
        self._scope = tuple(scope)
        self._okta = okta
        self._database = database
        self._clock = clock
        self._known: dict[str, OktaGroupId] = {}
        self._asked: datetime | None = None
        self._resolving = asyncio.Lock()

    async def __call__(self) -> Policy:
        """The policy now."""
        names = {*self._protected, *self._scope}
        if names - self._known.keys():
            async with self._resolving:
                await self._resolve(names)
        return replace(
            self._policy,
            protected_okta_groups=self._named(self._protected),
            scope=self._named(self._scope),
        )

    def _named(self, names: tuple[str, ...]) -> Named:
        found = {name: self._known.get(name) for name in names}
        return Named(
            frozenset(group for group in found.values() if group),
            frozenset(name for name, group in found.items() if not group),
        )

    async def _resolve(self, names: Iterable[str]) -> None:
        now = self._clock.now()
        missing = sorted(set(names) - self._known.keys())
        if not missing or (self._asked and now - self._asked < self.rest):
            return
        self._asked = now
        self._known |= {name: OktaGroupId(name) for name in missing if OktaGroupId.maybe(name)}
        self._known |= await self._database.read(lambda tx: cursor.pins(tx, missing))
        for name in missing:
            if name not in self._known:
                await self._pin(name)

    async def _pin(self, name: str) -> None:
        try:
            found = await self._okta.groups_named(name)
        except HooksError:
            return
        if len(found) == 1:
            group = found[0].id
            await self._database.write(lambda tx: cursor.pin(tx, name, group))
            self._known[name] = group
