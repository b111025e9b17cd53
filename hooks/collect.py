"""Every list an audit rests on, read page by page and kept, so that it goes on where it ended.

Must live here: which lists are read, and in which order. Must not know: what any of it means for
a person.

Atlassian is read before Okta: who joins a group in between is wanted there by the time it is
asked who should be, and who leaves one is no more than a removal that is on its way.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from hooks.core.errors import ForbiddenError, IncompleteError, NotFoundError, RejectedError
from hooks.core.ids import OktaGroupId, OrganizationGroupId, ScimGroupId
from hooks.core.reading import App
from hooks.core.rules import rules_for
from hooks.pages import Kind, Part, packed, unpacked
from hooks.store import audits, mappings
from hooks.store.audits import Place

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

    from hooks.core.policy import Policy
    from hooks.core.reading import ScimRecord
    from hooks.observe import Observer
    from hooks.store.audits import Run
    from hooks.store.database import Database, Tx
    from hooks.store.sealing import Sealer

_OF_APPS = (Kind.APP, Kind.MAPPINGS, Kind.APP_USERS)
#: Lists read at once; each is read page after page, behind whatever is urgent.
_AT_ONCE = 6
#: How often a list that changes while it is read is begun again.
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Errand:
    """One audit under way: ``fence`` is compared before anything is written.

    ``told`` hears of each page.
    """

    run: Run
    fence: Callable[[Tx], object]
    told: Callable[[], None]


class Collect:
    """Reads all lists of one audit. One of these serves a whole process."""

    def __init__(self, *, observer: Observer, database: Database, sealer: Sealer) -> None:
        """Shares the gateways of the observer."""
        self._okta = observer.okta
        self._organization = observer.organization
        self._directories = observer.directories
        self._database = database
        self._sealer = sealer

    async def run(self, errand: Errand, policy: Policy) -> None:
        """Read what is not read yet.

        Raises HooksErrors of the gateways: what was read is kept, and the next try goes on there.
        """
        everywhere = self._directories
        about = [Part(Kind.ACCOUNTS), Part(Kind.ORGANIZATION_GROUPS)] if self._organization else []
        await self._all(errand, [*(Part(Kind.RECORDS, name) for name in everywhere), *about])
        await self._all(errand, await self._members(errand, policy))
        okta = [Part(Kind.OKTA_GROUPS), Part(Kind.USERS), Part(Kind.DEACTIVATED)]
        of_apps = (Part(kind, name) for name in everywhere for kind in _OF_APPS)
        await self._all(errand, [*okta, *of_apps])
        await self._all(errand, await self._okta_members(errand.run, policy))

    # -- which lists ---------------------------------------------------------------------------

    async def _members(self, errand: Errand, policy: Policy) -> list[Part]:
        """Of local groups that a rule names; and where records came without their groups."""
        run, found = errand.run, []
        if self._organization:
            groups = await self._nouns(run, Part(Kind.ORGANIZATION_GROUPS))
            found += [
                Part(Kind.ACCOUNTS_OF, group=group.id)
                for group in groups
                if not group.synced and rules_for(policy, group.id, group.name)
            ]
        links = await self._database.read(mappings.remembered)
        for name in self._directories:
            records = await self._records(errand, Part(Kind.RECORDS, name))
            if any(each.groups is None for each in records):
                linked = {link.group for link in links.get(name, ())}
                found += [Part(Kind.SCIM_MEMBERS, name, group) for group in sorted(linked)]
        return found

    async def _okta_members(self, run: Run, policy: Policy) -> list[Part]:
        """Of every group that stands behind an Atlassian one, or that the policy names."""
        named = [policy.scope, policy.protected_okta_groups]
        named += [rule.while_member_of for rule in policy.rules if rule.while_member_of]
        groups = {group for each in named for group in each.ids}
        links = await self._database.read(mappings.remembered)
        for name in self._directories:
            groups |= {link.source for link in links.get(name, ())}
            groups |= {each.source for each in await self._nouns(run, Part(Kind.MAPPINGS, name))}
        return [Part(Kind.USERS_OF, group=group) for group in sorted(groups)]

    async def _records(self, errand: Errand, part: Part) -> list[ScimRecord]:
        """A directory's records, each once: where one came twice, as many may never have come.

        Raises: IncompleteError: the list is read anew by the next try.
        """
        records: list[ScimRecord] = await self._nouns(errand.run, part)
        if len({each.id for each in records}) < len(records):
            await self._drop(errand, part)
            raise IncompleteError(
                "scim showed a record twice with GET users: others may be missing"
            )
        return records

    async def _nouns(self, run: Run, part: Part) -> list[Any]:
        """Everything a list holds, as it was kept."""
        return [noun async for _, nouns in self.kept(run, part) for noun in nouns]

    # -- pages ---------------------------------------------------------------------------------

    async def kept(
        self, run: Run, part: Part | None = None
    ) -> AsyncIterator[tuple[Part, list[Any]]]:
        """The pages that were kept, of one list or of all.

        Raises: UnsealedError: the key they were sealed with is not given any more.
        """
        read = partial(
            audits.pages, run=run.id, sealer=self._sealer, part=part.name if part else ""
        )
        after: tuple[str, int] | None = None
        while kept := await self._database.read(partial(read, after=after)):
            for name, _, body in kept:
                its = Part.named(name)
                yield its, unpacked(its.kind, body)
            after = kept[-1][:2]

    async def _all(self, errand: Errand, parts: Iterable[Part]) -> None:
        """Read some lists together; after a failure each still keeps the page it is reading."""
        gate, stop = asyncio.Semaphore(_AT_ONCE), asyncio.Event()

        async def one(part: Part) -> None:
            async with gate:
                try:
                    await self._whole(errand, part, stop)
                except BaseException:
                    stop.set()
                    raise

        ended = await asyncio.gather(*map(one, parts), return_exceptions=True)
        for each in ended:
            if isinstance(each, BaseException):
                raise each

    async def _whole(self, errand: Errand, part: Part, stop: asyncio.Event) -> None:
        """Read one list to its end; from its beginning again if it changed, or cannot go on."""
        run = errand.run.id
        place = await self._database.read(lambda tx: audits.place(tx, run, part.name))
        for last in (*[False] * (_TRIES - 1), True):
            if place.whole or stop.is_set():
                return
            try:
                await self._go_on(errand, part, place, stop)
            except (IncompleteError, RejectedError):
                if last:
                    raise
            else:
                return

            await self._drop(errand, part)
            place = Place()

    async def _drop(self, errand: Errand, part: Part) -> None:
        def drop(tx: Tx) -> None:
            errand.fence(tx)
            audits.drop(tx, errand.run.id, part.name)

        await self._database.write(drop)

    async def _go_on(self, errand: Errand, part: Part, place: Place, stop: asyncio.Event) -> None:
        run = errand.run.id
        async with aclosing(self._pages(part, place.place)) as pages:
            async for nouns, more in pages:
                place = Place(place.pages + 1, more)
                body = packed(part.kind, nouns)
                sealed = audits.seal(self._sealer, run, part.name, place, body)

                def keep(tx: Tx, place: Place = place, sealed: bytes = sealed) -> None:
                    errand.fence(tx)
                    audits.keep(tx, run, part.name, place, sealed)

                await self._database.write(keep)
                errand.told()
                if stop.is_set():
                    return

    async def _pages(self, part: Part, place: str) -> AsyncGenerator[tuple[Iterable[Any], str]]:
        """The pages of a list from a place on. A group that is gone or hidden has one of nobody."""
        try:
            async for page in self._list(part, place):
                yield page
        except (NotFoundError, ForbiddenError):
            if part.kind is not Kind.USERS_OF:
                raise
            yield (None,), ""

    def _list(self, part: Part, place: str) -> AsyncIterator[tuple[Iterable[Any], str]]:
        okta = self._okta
        match part.kind:
            case Kind.OKTA_GROUPS:
                return okta.every_group(place)
            case Kind.USERS | Kind.DEACTIVATED:
                return okta.every_user(place, deactivated=part.kind is Kind.DEACTIVATED)
            case Kind.USERS_OF:
                return okta.every_member(OktaGroupId(part.group), place)
            case Kind.ACCOUNTS | Kind.ORGANIZATION_GROUPS | Kind.ACCOUNTS_OF:
                return self._of_organization(part, place)
            case _:
                return self._of_directory(part, place)

    def _of_organization(self, part: Part, place: str) -> AsyncIterator[tuple[Iterable[Any], str]]:
        organization = self._organization
        if organization is None:
            raise IncompleteError("no organization is configured")
        if part.kind is Kind.ACCOUNTS:
            return organization.every_account(place)
        if part.kind is Kind.ORGANIZATION_GROUPS:
            return organization.every_group(place)
        return organization.every_member(OrganizationGroupId(part.group), place)

    async def _of_directory(
        self, part: Part, place: str
    ) -> AsyncIterator[tuple[Iterable[Any], str]]:
        directory = next(each for each in self._directories.values() if each.name == part.directory)
        if part.kind is Kind.RECORDS:
            async for page in directory.scim.everybody(place):
                yield page
        elif part.kind is Kind.APP_USERS:
            async for found in self._okta.every_app_user(directory.app, place):
                yield found
        elif part.kind is Kind.SCIM_MEMBERS:
            members = await directory.scim.members(ScimGroupId(part.group))
            yield (members if isinstance(members, frozenset) else ()), ""
        elif part.kind is Kind.MAPPINGS:
            yield await self._okta.mappings(directory.app), ""
        else:
            app = await self._okta.app(directory.app)
            yield ([app] if isinstance(app, App) else ()), ""
