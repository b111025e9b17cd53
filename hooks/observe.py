"""Everything one plan rests on, read from Okta, the directories and the store.

Must live here: what is read, in which phase, and what is shared. Must not know: what comes of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

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
from hooks.core.memory import Claimed, Ordered
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
from hooks.gateways.crowds import stand_aside
from hooks.gateways.together import Together
from hooks.inquire import answer_of, anticipated, anticipated_there, list_of
from hooks.recall import Recalled, recall, shared
from hooks.store import groups, known

if TYPE_CHECKING:
    from hooks.clock import Clock
    from hooks.core.ids import AccountId, DirectoryName, OktaAppId, OktaGroupId, OktaUserId
    from hooks.core.membership import OrganizationGroup
    from hooks.core.plan import Plan
    from hooks.core.policy import Policy
    from hooks.core.reading import GroupsBefore
    from hooks.gateways.okta import Okta
    from hooks.gateways.organization import Organization
    from hooks.gateways.scim import Scim
    from hooks.store.database import Database
    from hooks.store.sealing import Sealer

log = structlog.get_logger("hooks.observe")

#: The System Log keeps 90 days. Source: Okta OpenAPI listLogEvents.
LOG_KEEPS = timedelta(days=90)
#: Seconds for which one vendor's answer keeps the removals at another waiting.
_HURRY = 3.0
#: Questions on which nothing rests but the organization's own groups.
_LOCAL = (AskAccountGroups, AskOrganizationGroup, AskScimLinks, AskActiveMembers)
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


@dataclass(frozen=True, slots=True)
class _Whom:
    """Whom a look is about, whether others wait, and what was told of them before."""

    user: OktaUserId
    hurry: bool
    account_told: bool
    groups: GroupsBefore


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
        self._locked: set[str] = set()

    # -- reading -------------------------------------------------------------------------------

    async def read(
        self,
        user: OktaUserId,
        claims: tuple[Claimed, ...],
        policy: Policy,
        *,
        thorough: bool = False,
        hurry: bool = False,
        ordered: tuple[Ordered, ...] = (),
    ) -> tuple[Reading, Plan]:
        """Read everything one plan rests on, and decide. Changes nothing.

        ``thorough`` asks the System Log whatever was heard; ``ordered``: as if it were. In a
        ``hurry`` a vendor that hangs holds nobody else's removals back: what it did not answer in
        time counts as unread.
        """
        recalled = await self._database.read(
            lambda tx: recall(tx, user, self.directories, shared(tx, policy.modes), self._sealer)
        )
        person, memories = recalled.known, recalled.memories
        for why in sorted(person.locked - self._locked):
            log.warning("login_locked", subject=user, error=why)
        self._locked |= person.locked
        told, before = person.account is not None, recalled.groups_before
        whom = _Whom(user, hurry=hurry, account_told=told, groups=before)
        account = person.linked if policy.organization else None
        expected = anticipated_there(account, policy, claims)
        for name in self.directories:
            links = recalled.links.get(name, ())
            expected |= anticipated(name, memories[name], links, claims)
        reading = replace(
            await self._first(whom, recalled, expected),
            claims=claims,
            protected_before=person.protected,
            account_before=person.account,
            local=memories[ORGANIZATION],
            history=recalled.history,
            watched_since=recalled.watched_since,
            thorough=thorough,
            doubted_since=recalled.doubted_since,
            groups_before=recalled.groups_before,
            ordered=(*recalled.ordered, *ordered),
            repair=recalled.repair,
        )
        return await self._decided(whom, reading, policy)

    async def otherwise(self, reading: Reading, policy: Policy) -> tuple[Reading, Plan]:
        """What another policy makes of the same reading; only what it asks besides is read."""
        told, before = reading.account_before is not None, reading.groups_before
        whom = _Whom(reading.user_id, hurry=False, account_told=told, groups=before)
        return await self._decided(whom, reading, policy)

    async def _decided(self, whom: _Whom, reading: Reading, policy: Policy) -> tuple[Reading, Plan]:
        answers = dict(reading.answers)
        for _ in range(_ROUNDS):
            plan = decide(reading, policy)
            missing = plan.asks - answers.keys()
            if not missing:
                return reading, plan
            await stand_aside()
            answers |= await self._answers(whom, missing)
            reading = replace(reading, answers=answers)
        msg = f"the plan for {whom.user} never stopped asking"
        raise HooksError(msg)

    async def _first(self, whom: _Whom, recalled: Recalled, expected: Iterable[Ask]) -> Reading:
        """The first phase: everything always needed, and what will be, together."""
        at, user = self._clock.now(), whom.user
        okta_user, okta_groups, answers, directories = await asyncio.gather(
            answer_of(self.okta.user(user)),
            answer_of(self.okta.user_groups(user)),
            self._answers(whom, expected),
            asyncio.gather(
                *(self._directory(user, each, recalled) for each in self.directories.values())
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
        self, user: OktaUserId, directory: Directory, recalled: Recalled
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
            recalled.links.get(directory.name, ()),
            recalled.memories[directory.name],
            directory.scim_directory,
        )

    async def _answers(self, whom: _Whom, asks: Iterable[Ask]) -> dict[Ask, Answer]:
        """Answer questions together."""
        ordered = list(asks)
        answers = await asyncio.gather(*(self._in_time(whom, ask) for ask in ordered))
        return dict(zip(ordered, answers, strict=True))

    async def _in_time(self, whom: _Whom, ask: Ask) -> Answer:
        if not (whom.hurry and self._may_wait(whom, ask)):
            return await self._ask(whom, ask)
        try:
            async with asyncio.timeout(_HURRY):
                return await self._ask(whom, ask)
        except TimeoutError:
            return Unread(Why.UNAVAILABLE, detail="slower than others are kept waiting")

    def _may_wait(self, whom: _Whom, ask: Ask) -> bool:
        """Whether something else goes on without this answer, as safely as with it."""
        if isinstance(ask, AskRecordById | AskRecordsByExternalId | AskRecordsByUserName):
            return len(self.directories) > 1
        # Whether they hold a role, or are no person, protects them; what was told before will do.
        return isinstance(ask, _LOCAL) or (isinstance(ask, AskAccount) and whom.account_told)

    async def _ask(self, whom: _Whom, ask: Ask) -> Answer:
        user = whom.user
        match ask:
            case AskOktaGroup():
                return await self._group(ask)
            case AskLog():
                since = self._clock.now() - LOG_KEEPS
                return await answer_of(self.okta.log.about(user, since))
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
                return await self._of_organization(whom, ask)

    async def _holders(self, account: AccountId, user: OktaUserId) -> tuple[Successor, ...]:
        found = await self._database.read(lambda tx: known.holders(tx, account, other_than=user))
        return tuple(Successor(each) for each in found)

    async def _of_organization(
        self,
        whom: _Whom,
        ask: AskAccount | AskAccountGroups | AskOrganizationGroup | AskScimLinks | AskActiveMembers,
    ) -> Answer:
        organization = self.organization
        if organization is None:
            return Unread(Why.FORBIDDEN, detail="no organization is configured")
        match ask:
            case AskAccount(account):
                return await self._account(organization, account)
            case AskAccountGroups(account):
                return await self._groups_of(organization, whom, account)
            case AskOrganizationGroup(group):
                found = await answer_of(organization.group(group))
                if isinstance(found, Missing | Unread):
                    return found
                return (await self._known(whom, (found,)))[0]
            case AskScimLinks(account):
                return await answer_of(organization.links(account))
            case AskActiveMembers(group):
                return await answer_of(organization.active_members(group))

    async def _account(self, organization: Organization, account: AccountId) -> Answer:
        """Where the organization shows roles, one without any, and never any before, has none."""
        found = await answer_of(organization.account(account))
        if isinstance(found, Account) and found.roles is None:
            shown = await self._database.read(lambda tx: known.roles_shown(tx, account))
            return replace(found, roles=frozenset()) if shown else found
        return found

    async def _groups_of(
        self, organization: Organization, whom: _Whom, account: AccountId
    ) -> Answer:
        tried, listed = await asyncio.gather(
            answer_of(organization.try_filter()), answer_of(organization.groups_of(account))
        )
        if isinstance(tried, Unread):
            return tried
        return listed if isinstance(listed, Missing | Unread) else await self._known(whom, listed)

    async def _known(
        self, whom: _Whom, seen: tuple[OrganizationGroup, ...]
    ) -> tuple[KnownGroup, ...]:
        before = dict(whom.groups)
        if others := [each.id for each in seen if each.id not in before]:
            before |= await self._database.read(lambda tx: groups.recall(tx, others))
        return tuple(KnownGroup(each, before.get(each.id)) for each in seen)

    async def _group(self, ask: AskOktaGroup) -> Answer:
        now = self._clock.now()
        before = None if ask.fresh else self._groups.get(ask.group)
        if before and now - before[0] < _GROUP_BELIEVED:
            return before[1]
        found = await answer_of(
            self._together.read(("group", ask.group), lambda: self.okta.group(ask.group))
        )
        if isinstance(found, Missing | Unread):
            self._groups.pop(ask.group, None)
        else:
            self._groups[ask.group] = (now, found)
        return found
