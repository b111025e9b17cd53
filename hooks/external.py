"""External people: who of them a directory does not have as Okta would, found by pages.

Must live here: which lists are read, and how they are laid beside each other. Must not know: what
a lack means, how a single person is judged, or how any of it is told. Changes nothing at a vendor.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hooks.core.errors import HooksError, IncompleteError
from hooks.core.membership import Group
from hooks.core.outside import Suspect, domain, external, suspect
from hooks.gateways.okta_review import OktaReview
from hooks.probe import or_why
from hooks.store import known, mappings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from hooks.core.checkup_people import Assigned
    from hooks.core.ids import DirectoryName, OktaUserId, ScimUserId
    from hooks.core.memory import Link
    from hooks.core.reading import ScimRecord
    from hooks.observe import Directory, Observer
    from hooks.store.database import Database
    from hooks.survey import Survey

#: Pages of an app's assignments, more than Okta lets an app have.
_MOST_PAGES = 10_000
#: How often a list of records is begun again that changes while it is read.
_TRIES = 4


@dataclass(slots=True)
class Outside:
    """External people in force, and those of them to look at.

    ``unsure`` is why the verified domains are not known, if they are not: then only those are
    external whose accounts Atlassian once called unmanaged. Of ``nameless`` people Okta tells no
    address; ``unmet`` push mappings lead nobody knows where; ``unread`` directories, and why.
    """

    people: set[OktaUserId] = field(default_factory=set)
    suspects: list[Suspect] = field(default_factory=list)
    unsure: str = ""
    nameless: int = 0
    unmet: int = 0
    unread: dict[DirectoryName, str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Nobody can have been missed."""
        return not (self.unsure or self.nameless or self.unmet or self.unread)


class External:
    """Finds them. ``told`` hears how far it is."""

    def __init__(
        self,
        observer: Observer,
        survey: Survey,
        database: Database,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Shares the gateways of the observer."""
        self._okta = observer.okta
        self._organization = observer.organization
        self._directories = observer.directories
        self._survey = survey
        self._database = database
        self._told = told

    async def find(self) -> Outside:
        """All of them. What one directory does not tell keeps nothing of another.

        Raises: what a gateway raises, if none tells anything.
        """
        verified: frozenset[str] | str = "no organization_id is given"
        if self._organization:
            verified = await or_why(self._organization.review.domains())
        unmanaged = await self._database.read(known.external)
        found = Outside(unsure=verified if isinstance(verified, str) else "")
        for each in self._directories.values():
            try:
                await self._directory(each, verified, unmanaged, found)
            except HooksError as error:
                found.unread[each.name] = str(error)
                if len(found.unread) == len(self._directories):
                    raise
        return found

    async def _directory(
        self,
        directory: Directory,
        verified: Collection[str] | str,
        unmanaged: set[OktaUserId],
        found: Outside,
    ) -> None:
        read = await OktaReview(self._okta.door).people(directory.app, _MOST_PAGES)
        self._told(f"{len(read.named)} assignments to the app read")
        domains = None if isinstance(verified, str) else verified
        here = [each for each in read.named if each.in_force]
        people = {
            each.user: each
            for each in here
            if each.user in unmanaged or (domains is not None and external(each.called, domains))
        }
        await self._survey.match(directory)
        links = (await self._database.read(mappings.remembered)).get(directory.name, ())
        suspects = await self._suspects(directory, people, links, found) if people else []
        nameless = {each.user for each in here if not domain(each.called)}
        found.nameless += len(nameless - unmanaged)
        found.people |= people.keys()
        found.suspects += suspects

    async def _suspects(
        self,
        directory: Directory,
        people: Mapping[OktaUserId, Assigned],
        links: Iterable[Link],
        found: Outside,
    ) -> list[Suspect]:
        records = await self._records(directory)
        wanted, unmet = await self._wanted(directory, people, links)
        found.unmet += unmet
        before, accounts = await self._database.read(
            lambda tx: (known.records(tx, directory.name, people), known.accounts(tx, people))
        )
        suspects = []
        for user, each in sorted(people.items()):
            record = records.get(each.record or before.get(user) or "")
            groups = frozenset(wanted[user])
            if suspect(record, {group.id for group in groups}):
                account = accounts.get(user)
                suspects.append(Suspect(user, directory.name, groups, account, each.called))
        return suspects

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
        links: Iterable[Link],
    ) -> tuple[defaultdict[OktaUserId, set[Group]], int]:
        """The groups Okta manages, of each of them; and of how many it is not known where."""
        by_mapping = {link.mapping: Group(link.group, link.name) for link in links}
        found: defaultdict[OktaUserId, set[Group]] = defaultdict(set)
        live = [each for each in await self._okta.mappings(directory.app) if each.live]
        for each in live:
            if (group := by_mapping.get(each.id)) is None:
                continue
            async for page in self._okta.group_members(each.source):
                for user in people.keys() & set(page):
                    found[user].add(group)
            self._told(f"members of {group.display} read")
        return found, sum(1 for each in live if each.id not in by_mapping)
