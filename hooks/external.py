"""External people: who of them a directory does not have as Okta would, found by pages.

Must live here: which lists are read, and how they are laid beside each other. Must not know: what
a lack means, how a single person is judged, or how any of it is told. Changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hooks.core.errors import IncompleteError
from hooks.core.membership import Group
from hooks.core.outside import external, suspect
from hooks.gateways.okta_review import OktaReview
from hooks.probe import or_why
from hooks.store import known, mappings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from hooks.core.checkup_people import Assigned
    from hooks.core.ids import AccountId, DirectoryName, OktaUserId, ScimUserId
    from hooks.core.memory import Link
    from hooks.core.reading import ScimRecord
    from hooks.gateways.organization_review import OrganizationReview
    from hooks.observe import Directory, Observer
    from hooks.store.database import Database

#: Pages of an app's assignments, more than Okta lets an app have.
_MOST_PAGES = 10_000
#: How often a list of records is begun again that changes while it is read.
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Suspect:
    """Somebody whose record is not as Okta would have it, by the lists.

    ``account`` is the one their record named when it was last seen; ``address`` is personal.
    """

    user: OktaUserId
    directory: DirectoryName
    wanted: frozenset[Group]
    account: AccountId | None = None
    address: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Outside:
    """External people in force, and those of them to look at.

    ``unsure`` is why the verified domains are not known, if they are not: then only those are
    external whose accounts Atlassian once called unmanaged. ``unmet`` push mappings lead nobody
    knows where.
    """

    people: int
    suspects: tuple[Suspect, ...]
    unmet: int = 0
    unsure: str = ""


class External:
    """Finds them. ``told`` hears how far it is."""

    def __init__(
        self,
        observer: Observer,
        review: OrganizationReview | None,
        database: Database,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Shares the gateways of the observer; without ``review`` nobody tells of domains."""
        self._okta = observer.okta
        self._directories = observer.directories
        self._review = review
        self._database = database
        self._told = told
        self._unmet = 0

    async def find(self) -> Outside:
        """All of them. Raises: what a gateway raises."""
        domains: frozenset[str] | str = "no organization_id is given"
        if self._review:
            domains = await or_why(self._review.domains())
        unmanaged = await self._database.read(known.external)
        links = await self._database.read(mappings.remembered)
        count, found = 0, list[Suspect]()
        for each in self._directories.values():
            people = await self._people(each, domains, unmanaged)
            count += len(people)
            found += await self._suspects(each, people, links.get(each.name, ()))
        unsure = domains if isinstance(domains, str) else ""
        return Outside(count, tuple(found), self._unmet, unsure)

    async def _people(
        self, directory: Directory, domains: Collection[str] | str, unmanaged: set[OktaUserId]
    ) -> dict[OktaUserId, Assigned]:
        """Those in force whose address lies outside, or whose account was called unmanaged."""
        review = OktaReview(self._okta.door)
        read = await review.people(directory.app, _MOST_PAGES)
        self._told(f"{len(read.named)} assignments to the app read")
        verified = None if isinstance(domains, str) else domains
        return {
            each.user: each
            for each in read.named
            if each.in_force
            and (each.user in unmanaged or (verified and external(each.called, verified)))
        }

    async def _suspects(
        self,
        directory: Directory,
        people: Mapping[OktaUserId, Assigned],
        links: Collection[Link],
    ) -> list[Suspect]:
        if not people:
            return []
        records = await self._records(directory)
        wanted = await self._wanted(directory, people, links)
        before, accounts = await self._database.read(
            lambda tx: (known.records(tx, directory.name, people), known.accounts(tx, people))
        )
        found = []
        for user, each in sorted(people.items()):
            record = records.get(each.record or before.get(user) or "")
            groups = frozenset(wanted[user])
            if suspect(record, {group.id for group in groups}):
                account = accounts.get(user)
                found.append(Suspect(user, directory.name, groups, account, each.called))
        return found

    async def _records(self, directory: Directory) -> dict[ScimUserId | str, ScimRecord]:
        for rest in reversed(range(_TRIES)):
            found: dict[ScimUserId | str, ScimRecord] = {}
            try:
                async for page, _ in directory.scim.everybody():
                    found.update((each.id, each) for each in page)
                    self._told(f"{len(found)} SCIM records read")
            except IncompleteError:
                if not rest:
                    raise
            else:
                break
        return found

    async def _wanted(
        self,
        directory: Directory,
        people: Mapping[OktaUserId, Assigned],
        links: Collection[Link],
    ) -> defaultdict[OktaUserId, set[Group]]:
        """The groups Okta pushes, of each of them, as far as it is known where those lead."""
        by_mapping = {link.mapping: Group(link.group, link.name) for link in links}
        found: defaultdict[OktaUserId, set[Group]] = defaultdict(set)
        for each in await self._okta.mappings(directory.app):
            group = by_mapping.get(each.id)
            if each.status != "ACTIVE":
                continue
            if group is None:
                self._unmet += 1
                continue
            async for page in self._okta.group_members(each.source):
                for user in people.keys() & set(page):
                    found[user].add(group)
            self._told(f"members of {group.display} read")
        return found
