"""Finds one SCIM record by whatever names it, and reads all that speaks for or against its going.

Must live here: which questions are asked, and by which filters. Must not know: what speaks
against it, or how anything is deleted. Changes nothing.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hooks.core import protection, severance
from hooks.core.errors import NotFoundError
from hooks.core.ids import AccountId, OktaUserId, ScimUserId
from hooks.core.membership import Mode
from hooks.core.reading import MISSING, AppUser, Missing, OktaUser, ScimRecord
from hooks.inquire import answer_of
from hooks.store import known, released, waiting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hooks.core.policy import Policy
    from hooks.core.reading import Account, ScimLink, Unread
    from hooks.core.severance import Facts
    from hooks.gateways.organization_finds import Owned
    from hooks.observe import Directory, Observer
    from hooks.store.database import Database

#: What an account id looks like that nobody could take for a userName. Source: Atlassian's
#: recorded accounts, 24 hex digits or a number and a UUID.
_ACCOUNT = re.compile(r"[0-9a-f]{24}|[0-9]{1,9}:[0-9a-f-]{36}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """One record, and where."""

    directory: Directory
    record: ScimRecord


@dataclass(frozen=True, slots=True)
class Judged:
    """What one reading says of a record, and of its account."""

    found: Found
    facts: Facts
    owned: Owned | None

    @property
    def owner(self) -> OktaUserId | None:
        """The one Okta user whose record it is."""
        everybody = self.facts.owners | self.facts.assigned
        return next(iter(everybody)) if len(everybody) == 1 else None

    @property
    def obstacles(self) -> tuple[str, ...]:
        """What speaks against it, in words."""
        return tuple(map(str, severance.hindrances(self.facts)))

    @property
    def staying(self) -> tuple[str, ...]:
        """Groups that ought to be taken first."""
        return severance.staying(self.facts)


class Seek:
    """Finds and judges records. ``told`` hears how far long reading is."""

    def __init__(
        self,
        *,
        observer: Observer,
        policy: Callable[[], Awaitable[Policy]],
        database: Database,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``policy`` gives the policy in force."""
        self.observer = observer
        self._policy = policy
        self._database = database
        self._told = told

    # -- finding -------------------------------------------------------------------------------

    async def find(self, name: str) -> tuple[Found, ...]:
        """Every record a SCIM id, an account id, an Okta id, a userName or an address leads to.

        Only by filters the vendors declare: another one is ignored, and everybody comes.
        """
        found: dict[ScimUserId, Found] = {}
        for each in self.observer.directories.values():
            for record in await self._records(each, name):
                found[record.id] = Found(each, record)
        for account in await self.accounts(name):
            for one in await self._of_account(account):
                found[one.record.id] = one
        return tuple(found.values())

    async def _records(self, directory: Directory, name: str) -> tuple[ScimRecord, ...]:
        scim = directory.scim
        if record := ScimUserId.maybe(name):
            return await by_id(directory, record)
        if user := _okta_id(name):
            tied = await self._database.read(lambda tx: released.tied(tx, user))
            ids = [record for place, record in tied if place == directory.name]
            known = [one for each in ids for one in await by_id(directory, each)]
            return (*known, *await scim.users_by_external_id(user))
        return () if _ACCOUNT.fullmatch(name) else await scim.users_by_user_name(name)

    async def accounts(self, name: str) -> list[AccountId]:
        """The account this is the id of, or those of an address."""
        if _ACCOUNT.fullmatch(name):
            return [AccountId(name)]
        organization = self.observer.organization
        if organization is None or "@" not in name:
            return []
        return [each.id for each in await organization.accounts_at(name)]

    async def _of_account(self, account: AccountId) -> list[Found]:
        """The records that name an account: by its links, our memory, or its address."""
        ids = await self._database.read(lambda tx: released.tied(tx, account))
        email = None
        if organization := self.observer.organization:
            links = await answer_of(organization.links(account))
            if isinstance(links, tuple):
                ids += [
                    (each.name, link.scim_id)
                    for each in self.observer.directories.values()
                    for link in links
                    if link.directory.casefold() == each.scim_directory.casefold()
                ]
            owned = await organization.owned(account)
            email = owned.email if owned else None
        found = []
        for each in self.observer.directories.values():
            records = [
                record
                for name, scim_id in ids
                if name == each.name
                for record in await by_id(each, scim_id)
            ]
            records += await each.scim.users_by_user_name(email) if email else []
            found += [Found(each, record) for record in records if record.account == account]
        return found

    # -- judging -------------------------------------------------------------------------------

    async def judge(self, found: Found, *, owners: frozenset[OktaUserId] | None = None) -> Judged:
        """Read everything that may speak against deleting a record.

        Without ``owners`` everybody in the app is read, since nothing less proves that nobody in
        force has it; with them only who is in force under its userName now.
        """
        directory = found.directory
        fresh = await by_id(directory, found.record.id)
        if not fresh:
            raise NotFoundError(f"scim has no record {found.record.id} any more")
        record = fresh[0]
        assigned: frozenset[OktaUserId]
        if owners is None:
            tied, assigned = await self._everybody(directory, record)
            owners = tied or await self._of_login(record)
        else:
            (one,) = owners
            again = await self.observer.okta.successors(
                directory.app, record.user_name, other_than=one
            )
            assigned = frozenset(each.user for each in again)
        told, links, owned = await self._account(record.account)
        facts = severance.Facts(
            directory=directory.name,
            scim_directory=directory.scim_directory,
            record=record,
            mode=(await self._policy()).modes.get(directory.name, Mode.OBSERVE),
            owners=owners,
            assigned=assigned,
            plan=None,
            account=told,
            links=links,
            others=await self._others(record),
        )
        everybody = owners | assigned
        if len(everybody) == 1:
            facts = await self._planned(facts, next(iter(everybody)))
        return Judged(Found(directory, record), facts, owned)

    async def _planned(self, facts: Facts, owner: OktaUserId) -> Facts:
        policy = await self._policy()
        claims = await self._database.read(lambda tx: waiting.claims(tx, owner))
        reading, plan = await self.observer.read(owner, claims, policy, thorough=True)
        here = next(each for each in reading.directories if each.name == facts.directory)
        held = here.app_user
        force = {owner} if isinstance(held, AppUser) and held.in_force else set()
        return replace(
            facts,
            plan=plan,
            assigned=facts.assigned | force,
            pushed=frozenset(name for link in here.links for name in (link.name, link.target_name)),
            guarded=plan.protected is not False or protection.guard(reading, policy) is not None,
        )

    async def _everybody(
        self, directory: Directory, record: ScimRecord
    ) -> tuple[frozenset[OktaUserId], frozenset[OktaUserId]]:
        """Whom anything ties to a record, and who is in force in the app under it."""
        owners: set[OktaUserId] = set()
        assigned: set[OktaUserId] = set()
        name, seen = record.user_name.casefold(), 0
        if owner := _okta_id(record.external_id or ""):
            owners.add(owner)
        remembered = await self._database.read(
            lambda tx: known.owners(tx, directory.name, [record.id])
        )
        owners.update(*remembered.values())
        async for page, _ in self.observer.okta.every_app_user(directory.app):
            for each in page:
                mine = each.external_id == record.id or each.user_name.casefold() == name
                if mine or each.user in owners:
                    owners.add(each.user)
                    assigned.update({each.user} if each.in_force else ())
            seen += len(page)
            self._told(f"{seen} assignments to the app read")
        return frozenset(owners), frozenset(assigned)

    async def _of_login(self, record: ScimRecord) -> frozenset[OktaUserId]:
        """Who has the userName for a login; whether the record is theirs, their plan says."""
        found = await self.observer.okta.user_named(record.user_name)
        return frozenset({found.id} if isinstance(found, OktaUser) else ())

    async def _account(
        self, account: AccountId | None
    ) -> tuple[Account | Missing | Unread, tuple[ScimLink, ...] | Missing | Unread, Owned | None]:
        organization = self.observer.organization
        if organization is None or account is None:
            return MISSING, MISSING, None
        told, links, owned = await asyncio.gather(
            answer_of(organization.account(account)),
            answer_of(organization.links(account)),
            organization.owned(account),
        )
        return told, links, owned

    async def _others(self, record: ScimRecord) -> frozenset[ScimUserId]:
        """Further records of this account in the directories we manage."""
        found: list[ScimRecord] = []
        for each in self.observer.directories.values():
            found += await each.scim.users_by_user_name(record.user_name)
        same = (each for each in found if each.account and each.account == record.account)
        return frozenset(each.id for each in same) - {record.id}


async def by_id(directory: Directory, record: ScimUserId) -> tuple[ScimRecord, ...]:
    """The record of this id, if the directory has it."""
    found = await directory.scim.user(record)
    return () if isinstance(found, Missing) else (found,)


def _okta_id(text: str) -> OktaUserId | None:
    return OktaUserId.maybe(text) if text.startswith("00u") else None
