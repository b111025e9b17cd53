"""Review Okta groups before they are pushed: who has their name in Atlassian, who comes and goes.

Must live here: what is read, and what is shared between groups. Must not know: what a name that is
taken means, or how it is told. Changes nothing, and needs no store.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hooks.core import conflict
from hooks.core.conflict import Conflict, Here, Turnover, Verdict
from hooks.core.errors import PermanentError
from hooks.core.ids import AccountId, OktaGroupId
from hooks.core.reading import Missing, OktaGroup
from hooks.core.seats import Person, seated
from hooks.seats import Seating

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from hooks.core.ids import DirectoryName, OktaUserId, ScimUserId
    from hooks.core.membership import OrganizationGroup
    from hooks.core.reading import AppUser, PushMapping
    from hooks.gateways.okta import Okta
    from hooks.gateways.organization import Organization
    from hooks.observe import Directory, Observer

_FINE = frozenset({Verdict.FREE, Verdict.PUSHED})


class NoSuchGroupError(PermanentError):
    """Okta shows no group of this name or id."""


@dataclass(slots=True)
class _Side:
    """One directory as its lists showed it: its mappings; assignments and accounts once needed."""

    directory: Directory
    mappings: tuple[PushMapping, ...]
    assigned: dict[OktaUserId, AppUser] | None = None
    accounts: dict[ScimUserId, AccountId | None] | None = None
    names: dict[OktaGroupId, str | None] = field(default_factory=dict)


class Review:
    """One review. ``told`` hears how far long reading is."""

    def __init__(self, observer: Observer, told: Callable[[str], None] = lambda _: None) -> None:
        """Shares the gateways of the observer."""
        self._okta: Okta = observer.okta
        self._organization: Organization | None = observer.organization
        self._directories = observer.directories
        self._told = told
        self._sides: dict[DirectoryName, _Side] = {}
        self._seating = Seating(self._organization, told) if self._organization else None

    async def of(self, names: Sequence[str]) -> AsyncIterator[Conflict]:
        """Each of these Okta groups, by name or id, against each directory.

        Without any: all whose name is taken, or whose push failed.

        Raises: NoSuchGroupError; what a gateway raises.
        """
        for each in self._directories.values():
            mappings = await self._okta.mappings(each.app)
            self._sides[each.name] = _Side(each, mappings)
        groups = [one for name in names for one in await self._named(name)]
        chosen = groups if names else await self._taken()
        for number, group in enumerate(chosen):
            self._told(f"{number} of {len(chosen)} groups reviewed")
            for side in self._sides.values():
                async for found in self._against(group, side):
                    if names or found.verdict not in _FINE:
                        yield found

    # -- which groups --------------------------------------------------------------------------

    async def _named(self, name: str) -> tuple[OktaGroup, ...]:
        known = OktaGroupId.maybe(name)
        if known and not isinstance(found := await self._okta.group(known), Missing):
            return (found,)
        groups = await self._okta.groups_named(name)
        if not groups:
            raise NoSuchGroupError(
                f"okta shows no group called {name}; check it (an app's own group goes by its id)"
            )
        return groups

    async def _taken(self) -> list[OktaGroup]:
        """Okta's groups whose names Atlassian has, and those whose push failed."""
        failed = {
            each.source
            for side in self._sides.values()
            for each in side.mappings
            if each.status == "ERROR"
        }
        names: set[str] = set()
        if self._organization:
            async for theirs, _ in self._organization.every_group():
                names.update(each.name.casefold() for each in theirs)
                self._told(f"{len(names)} groups of Atlassian read")
        found: dict[OktaGroupId, OktaGroup] = {}
        seen = 0
        async for page, _ in self._okta.every_group():
            for each in page:
                taken = each.type == "OKTA_GROUP" and each.name.casefold() in names
                if taken or each.id in failed:
                    found[each.id] = each
            seen += len(page)
            self._told(f"{seen} groups of Okta read")
        return sorted(found.values(), key=lambda each: (each.name, each.id))

    # -- one group, one directory --------------------------------------------------------------

    async def _against(self, group: OktaGroup, side: _Side) -> AsyncIterator[Conflict]:
        mine = [each for each in side.mappings if each.source == group.id]
        by_name: dict[str, list[PushMapping]] = {}
        for each in mine:
            by_name.setdefault(await self._target(side, each) or group.name, []).append(each)
        for name, mappings in (by_name or {group.name: []}).items():
            scim = await side.directory.scim.group_named(name)
            here = await self._here(name)
            found = Conflict(
                group,
                side.directory.name,
                name,
                tuple(mappings),
                None if isinstance(scim, Missing) else scim,
                here,
            )
            yield await self._compared(found, side) if found.overwrites else found

    async def _target(self, side: _Side, mapping: PushMapping) -> str | None:
        """What a mapping's group is called, where Okta tells."""
        if mapping.target not in side.names:
            found = await self._okta.group(mapping.target)
            side.names[mapping.target] = None if isinstance(found, Missing) else found.name
        return side.names[mapping.target]

    async def _here(self, name: str) -> tuple[Here, ...]:
        if self._organization is None or self._seating is None:
            return ()
        groups = await self._organization.groups_called(name)
        return tuple([Here(each, await self._seating.given(each.id)) for each in groups])

    async def _compared(self, found: Conflict, side: _Side) -> Conflict:
        """Whom the group gains and loses, in the ids of whichever side shows its members."""
        okta_group = found.okta_group.id
        whole = {one async for page in self._okta.group_members(okta_group) for one in page}
        records = _pushable(whole, await self._assigned(side))
        if not found.here or self._organization is None:
            there = await side.directory.scim.members(found.scim.id) if found.scim else frozenset()
            known = frozenset() if isinstance(there, Missing) else there
            skipped = len(whole) - len(records)
            return replace(found, overwrite=conflict.overwrite(records, known, skipped=skipped))
        accounts = await self._accounts(side)
        wanted = {account for each in records if (account := accounts.get(each))}
        group = (*found.local, *found.here)[0]
        members: dict[AccountId, str | None] = {}
        async for page in self._organization.members(group.group.id):
            members.update((each.id, each.status) for each in page)
            self._told(f"{len(members)} members of {group.group.name} read")
        change = conflict.overwrite(wanted, members.keys(), skipped=len(whole) - len(wanted))
        losing = [each for each in members if each in change.lost]
        active = [each for each in losing if seated(members[each])]
        gaining = sorted(wanted - members.keys())
        return replace(found, overwrite=change, seats=await self._seats(group, active, gaining))

    async def _assigned(self, side: _Side) -> dict[OktaUserId, AppUser]:
        if side.assigned is None:
            found: dict[OktaUserId, AppUser] = {}
            async for page in self._okta.app_users(side.directory.app):
                found.update((each.user, each) for each in page)
                self._told(f"{len(found)} assignments to the app read")
            side.assigned = found
        return side.assigned

    async def _accounts(self, side: _Side) -> dict[ScimUserId, AccountId | None]:
        if side.accounts is None:
            found: dict[ScimUserId, AccountId | None] = {}
            async for page, _ in side.directory.scim.everybody():
                found.update((each.id, each.account) for each in page)
                self._told(f"{len(found)} SCIM records read")
            side.accounts = found
        return side.accounts

    # -- seats ---------------------------------------------------------------------------------

    async def _seats(
        self, here: Here, losing: Sequence[AccountId], gaining: Sequence[AccountId]
    ) -> Turnover | None:
        """What comes with a group is what would end with it."""
        if self._seating is None or not here.grants:
            return None
        groups = await self._seating.groups_of((*losing, *gaining))
        people = [None if each is None else _in(here, each) for each in groups]
        leaving, joining = people[: len(losing)], people[len(losing) :]
        return Turnover(await self._seating.count(leaving), await self._seating.count(joining))


def _in(here: Here, groups: Iterable[OrganizationGroup]) -> Person:
    """Somebody in the group, who is to lose it."""
    group = frozenset({here.group.id})
    return Person(group.union(each.id for each in groups), group)


def _pushable(
    members: Iterable[OktaUserId], assigned: Mapping[OktaUserId, AppUser]
) -> frozenset[ScimUserId]:
    """The records of those whom Okta would push: in force, and provisioned."""
    found = (assigned.get(each) for each in members)
    return frozenset(
        each.external_id for each in found if each and each.in_force and each.external_id
    )
