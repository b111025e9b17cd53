"""Seats: what somebody's groups give, asked of the organization.

Must live here: whom is asked what, and what is asked once for all. Must not know: why anybody
loses anything, or what a seat is. Reads only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooks.core import seats
from hooks.core.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hooks.core.ids import AccountId, OrganizationGroupId
    from hooks.core.membership import Grant, OrganizationGroup
    from hooks.core.seats import Person, Seats
    from hooks.gateways.organization import Organization

#: People of whom it is asked at once what else gives them an app; each is some calls.
MOST_ASKED = 200


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
