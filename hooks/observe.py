"""Everything one plan rests on, read from Okta, the directories and the store.

Must live here: what is read, in which phase, and what is shared. Must not know: what comes of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hooks.core.asks import (
    Ask,
    AskAccount,
    AskAccountGroups,
    AskActiveMembers,
    AskHolders,
    AskLog,
    AskOktaGroup,
    AskOrganizationGroup,
    AskRecordById,
    AskRecordsByExternalId,
    AskRecordsByUserName,
    AskScimLinks,
    AskSuccessor,
)
from hooks.core.decide import decide
from hooks.core.errors import (
    HooksError,
)
from hooks.core.membership import ORGANIZATION
from hooks.core.memory import Claimed, Memory
from hooks.core.reading import (
    Account,
    Answer,
    DirectoryReading,
    KnownGroup,
    Missing,
    Reading,
    Successor,
    Unread,
    Why,
)
from hooks.core.refusal import Cause
from hooks.gateways.together import Together
from hooks.inquire import answer_of, anticipated, anticipated_there, list_of
from hooks.store import cursor, groups, journal, looks, mappings, people, refusals

if TYPE_CHECKING:
    from hooks.clock import Clock
    from hooks.core.ids import AccountId, DirectoryName, OktaAppId, OktaGroupId, OktaUserId
    from hooks.core.membership import OrganizationGroup
    from hooks.core.memory import Link
    from hooks.core.plan import Plan
    from hooks.core.policy import Policy
    from hooks.gateways.okta import Okta
    from hooks.gateways.organization import Organization
    from hooks.gateways.scim import Scim
    from hooks.store.database import Database
    from hooks.store.sealing import Sealer

#: The System Log keeps 90 days. Source: Okta OpenAPI listLogEvents.
LOG_KEEPS = timedelta(days=90)
#: While these stand, the log has not told yet whether somebody was away.
_UNTOLD = (Cause.HISTORY_LATE, Cause.HISTORY_UNREAD)
#: A plan that still asks after so many rounds is a fault of ours.
_ROUNDS = 8
#: How long a group is believed to be called as it was. That somebody is not in it rests on an
#: answer of the same look: of 30 people of a deleted group 22 lost access in a trial with this.
_GROUP_BELIEVED = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Directory:
    """One pair of an Okta app and a SCIM directory, and the way in."""

    name: DirectoryName
    app: OktaAppId
    scim: Scim
    scim_directory: str


class Observer:
    """Reads people. One of these serves a whole process, because reads are shared."""

    def __init__(
        self,
        *,
        okta: Okta,
        directories: Iterable[Directory],
        organization: Organization | None,
        database: Database,
        sealer: Sealer,
        clock: Clock,
    ) -> None:
        """Opens nothing; everything it needs is open."""
        self.okta = okta
        self.organization = organization
        self.directories = {each.name: each for each in directories}
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._together = Together()
        self._groups: dict[OktaGroupId, tuple[datetime, Answer]] = {}

    # -- reading -------------------------------------------------------------------------------

    async def read(
        self,
        user: OktaUserId,
        claims: tuple[Claimed, ...],
        policy: Policy,
        *,
        thorough: bool = False,
    ) -> tuple[Reading, Plan]:
        """Read everything one plan rests on, and decide. Changes nothing.

        ``thorough`` asks the System Log whatever was heard.
        """
        known, links, history, log, since, doubted, late = await self._database.read(
            lambda tx: (
                people.recall(tx, user, self._sealer),
                mappings.remembered(tx),
                journal.history(tx, user),
                looks.log(tx, user),
                cursor.watched_since(tx, policy.modes),
                cursor.doubted(tx, user),
                refusals.since(tx, user, ORGANIZATION, *_UNTOLD),
            )
        )
        memories = {
            name: replace(known.memories.get(name, Memory()), history=history.get(name, ()))
            for name in (*self.directories, ORGANIZATION)
        }
        account = known.linked if policy.organization else None
        expected = anticipated_there(account, policy, claims)
        for name in self.directories:
            expected |= anticipated(name, memories[name], links.get(name, ()), claims)
        reading = await self._first(user, memories, links, expected)
        reading = replace(
            reading,
            claims=claims,
            protected_before=known.protected,
            account_before=known.account,
            local=replace(memories[ORGANIZATION], late_since=late),
            history=log,
            watched_since=since,
            thorough=thorough,
            doubted_since=doubted,
        )
        answers = dict(reading.answers)
        for _ in range(_ROUNDS):
            plan = decide(reading, policy)
            missing = plan.asks - answers.keys()
            if not missing:
                return reading, plan
            answers |= await self._answers(user, missing)
            reading = replace(reading, answers=answers)
        msg = f"the plan for {user} never stopped asking"
        raise HooksError(msg)

    async def _first(
        self,
        user: OktaUserId,
        memories: Mapping[DirectoryName, Memory],
        links: Mapping[DirectoryName, tuple[Link, ...]],
        expected: Iterable[Ask],
    ) -> Reading:
        """The first phase: everything always needed, and what will be, together."""
        at = self._clock.now()
        okta_user, okta_groups, answers, directories = await asyncio.gather(
            answer_of(self.okta.user(user)),
            answer_of(self.okta.user_groups(user)),
            self._answers(user, expected),
            asyncio.gather(
                *(
                    self._directory(user, each, memories[each.name], links.get(each.name, ()))
                    for each in self.directories.values()
                )
            ),
        )
        return Reading(
            user_id=user,
            at=at,
            user=okta_user,
            okta_groups=list_of(okta_groups),
            directories=tuple(directories),
            answers=answers,
        )

    async def _directory(
        self, user: OktaUserId, directory: Directory, memory: Memory, links: tuple[Link, ...]
    ) -> DirectoryReading:
        okta, app_id = self.okta, directory.app
        app, app_user, mappings = await asyncio.gather(
            answer_of(self._together.read(("app", app_id), lambda: okta.app(app_id))),
            answer_of(okta.app_user(app_id, user)),
            answer_of(self._together.read(("mappings", app_id), lambda: okta.mappings(app_id))),
        )
        return DirectoryReading(
            directory.name,
            app_id,
            app,
            app_user,
            list_of(mappings),
            links,
            memory,
            directory.scim_directory,
        )

    async def _answers(self, user: OktaUserId, asks: Iterable[Ask]) -> dict[Ask, Answer]:
        """Answer questions together."""
        ordered = list(asks)
        answers = await asyncio.gather(*(self._ask(user, ask) for ask in ordered))
        return dict(zip(ordered, answers, strict=True))

    async def _ask(self, user: OktaUserId, ask: Ask) -> Answer:
        match ask:
            case AskOktaGroup():
                return await self._group(ask)
            case AskLog():
                since = self._clock.now() - LOG_KEEPS
                return await answer_of(self.okta.log_about(user, since))
            case AskRecordById(name, scim_id):
                record = await answer_of(self.directories[name].scim.user(scim_id))
                return record if isinstance(record, Missing | Unread) else (record,)
            case AskRecordsByExternalId(name):
                return list_of(
                    await answer_of(self.directories[name].scim.users_by_external_id(user))
                )
            case AskRecordsByUserName(name, user_name):
                return list_of(
                    await answer_of(self.directories[name].scim.users_by_user_name(user_name))
                )
            case AskSuccessor(name, user_name):
                app = self.directories[name].app
                found = self.okta.successors(app, user_name, other_than=user)
                return list_of(await answer_of(found))
            case AskHolders(account):
                return await self._holders(account, user)
            case _:
                return await self._of_organization(ask)

    async def _holders(self, account: AccountId, user: OktaUserId) -> tuple[Successor, ...]:
        known = await self._database.read(lambda tx: people.holders(tx, account, other_than=user))
        return tuple(Successor(each) for each in known)

    async def _of_organization(
        self,
        ask: AskAccount | AskAccountGroups | AskOrganizationGroup | AskScimLinks | AskActiveMembers,
    ) -> Answer:
        organization = self.organization
        if organization is None:
            return Unread(Why.FORBIDDEN, detail="no organization is configured")
        match ask:
            case AskAccount(account):
                return await self._account(organization, account)
            case AskAccountGroups(account):
                return await self._groups_of(organization, account)
            case AskOrganizationGroup(group):
                found = await answer_of(organization.group(group))
                if isinstance(found, Missing | Unread):
                    return found
                return (await self._known((found,)))[0]
            case AskScimLinks(account):
                return await answer_of(organization.links(account))
            case AskActiveMembers(group):
                return await answer_of(organization.active_members(group))

    async def _account(self, organization: Organization, account: AccountId) -> Answer:
        """Where the organization shows roles, one without any, and never any before, has none."""
        found = await answer_of(organization.account(account))
        if isinstance(found, Account) and found.roles is None:
            shown = await self._database.read(lambda tx: people.roles_shown(tx, account))
            return replace(found, roles=frozenset()) if shown else found
        return found

    async def _groups_of(self, organization: Organization, account: AccountId) -> Answer:
        tried, listed = await asyncio.gather(
            answer_of(organization.try_filter()), answer_of(organization.groups_of(account))
        )
        if isinstance(tried, Unread):
            return tried
        return listed if isinstance(listed, Missing | Unread) else await self._known(listed)

    async def _known(self, seen: tuple[OrganizationGroup, ...]) -> tuple[KnownGroup, ...]:
        ids = [each.id for each in seen]
        before = await self._database.read(lambda tx: groups.recall(tx, ids))
        return tuple(KnownGroup(each, before.get(each.id)) for each in seen)

    async def _group(self, ask: AskOktaGroup) -> Answer:
        now = self._clock.now()
        known = None if ask.fresh else self._groups.get(ask.group)
        if known and now - known[0] < _GROUP_BELIEVED:
            return known[1]
        found = await answer_of(
            self._together.read(("group", ask.group), lambda: self.okta.group(ask.group))
        )
        if isinstance(found, Missing | Unread):
            self._groups.pop(ask.group, None)
        else:
            self._groups[ask.group] = (now, found)
        return found
