"""Seats: what somebody's groups give, asked of the organization.

Must live here: whom is asked what, and what is asked once for all. Must not know: why anybody
loses anything, or what a seat is. Reads only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hooks.core import seats
from hooks.core.errors import NotFoundError
from hooks.core.membership import ORGANIZATION
from hooks.core.reading import Missing
from hooks.core.seats import Person
from hooks.store import known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hooks.core.ids import AccountId, OktaUserId, OrganizationGroupId
    from hooks.core.membership import Grant, OrganizationGroup
    from hooks.core.seats import Removal, Seats
    from hooks.gateways.organization import Organization
    from hooks.observe import Observer
    from hooks.store.database import Database

#: People of whom it is asked at once what else gives them an app; each is some calls.
MOST_ASKED = 200


@dataclass(frozen=True, slots=True)
class Told:
    """What ends, and what the groups are called that keep it."""

    seats: Seats
    names: Mapping[OrganizationGroupId, str]


class Seating:
    """What groups give, each asked for once. ``told`` hears how far long asking is."""

    def __init__(
        self, organization: Organization, told: Callable[[str], None] = lambda _: None
    ) -> None:
        """Nothing is known yet."""
        self._organization = organization
        self._told = told
        self._grants: dict[OrganizationGroupId, frozenset[Grant]] = {}

    async def given(self, group: OrganizationGroupId) -> frozenset[Grant]:
        """What a group gives. Raises: what a gateway raises."""
        if group not in self._grants:
            try:
                self._grants[group] = await self._organization.grants(group)
            except NotFoundError:  # gone since it was listed
                self._grants[group] = frozenset()
        return self._grants[group]

    async def groups_of(
        self, accounts: Sequence[AccountId]
    ) -> list[tuple[OrganizationGroup, ...] | None]:
        """The groups of each; ``None`` where they are not told, and of all beyond the first few."""
        await self._organization.try_filter()
        found: list[tuple[OrganizationGroup, ...] | None] = [None] * len(accounts)
        for number, account in enumerate(accounts[:MOST_ASKED]):
            found[number] = await self._groups(account)
            self._told(f"{number + 1} people asked about, for seats")
        return found

    async def _groups(self, account: AccountId) -> tuple[OrganizationGroup, ...] | None:
        try:
            return await self._organization.groups_of(account)
        except NotFoundError:
            return None

    async def count(self, people: Iterable[Person | None]) -> Seats:
        """What ends for all of these people."""
        asked = list(people)
        groups = {one for each in asked if each for one in each.groups}
        given = {
            each: frozenset(grant.app for grant in await self.given(each))
            for each in sorted(groups)
        }
        return seats.count(asked, given)


async def of(
    removals: Mapping[OktaUserId, Sequence[Removal]],
    *,
    observer: Observer,
    organization: Organization,
    database: Database,
    told: Callable[[str], None] = lambda _: None,
) -> Told:
    """What ends if each of these people loses these groups; changes nothing.

    Whose account neither the store knows nor a directory tells, and who is one of too many, is
    untold. Raises: what a gateway raises.
    """
    users = sorted(removals)
    asked = users[:MOST_ASKED]
    remembered = await database.read(lambda tx: known.accounts(tx, asked))
    lost: dict[AccountId, list[Removal]] = {}  # two people with one account have one seat
    people: list[Person | None] = [None] * (len(users) - len(asked))
    for user in asked:
        account = remembered.get(user) or await _account(observer, user, removals[user])
        if account is None:
            people.append(None)
        else:
            lost.setdefault(account, []).extend(removals[user])
        told(f"{len(lost)} accounts found, for seats")
    seating = Seating(organization, told)
    names: dict[OrganizationGroupId, str] = {}
    theirs = await seating.groups_of(list(lost))
    for (account, gone), groups in zip(lost.items(), theirs, strict=True):
        names.update((each.id, each.name) for each in groups or ())
        people.append(await _person(organization, account, gone, groups or ()))
    return Told(await seating.count(people), names)


async def _person(
    organization: Organization,
    account: AccountId,
    gone: Iterable[Removal],
    groups: Iterable[OrganizationGroup],
) -> Person | None:
    """One account and what is meant of its groups; ``None`` where either is not told."""
    removed = seats.meant(gone, groups)
    if removed is None:
        return None
    found = await organization.account(account)
    if isinstance(found, Missing):
        return None
    return Person(frozenset(each.id for each in groups), removed, found.status)


async def _account(
    observer: Observer, user: OktaUserId, lost: Iterable[Removal]
) -> AccountId | None:
    """The account of somebody no look has settled yet, as the record that Okta made names it."""
    there = {each.directory for each in lost} - {ORGANIZATION}
    found: set[AccountId | None] = set()
    for name in sorted(there & observer.directories.keys() or observer.directories.keys()):
        records = await observer.directories[name].scim.users_by_external_id(user)
        found.update(each.account for each in records)
    return found.pop() if len(found) == 1 else None
