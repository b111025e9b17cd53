"""Everyone as the lists showed them: a reading for each person, and a plan that rests on it.

Must live here: which list answers which question. Must not know: how a list was read.
What only a look at one person can ask stays unread, and the plan says so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from hooks.core.asks import (
    Ask,
    AskAccount,
    AskAccountGroups,
    AskActiveMembers,
    AskHolders,
    AskOktaGroup,
    AskRecordById,
    AskRecordsByExternalId,
    AskRecordsByUserName,
    AskScimLinks,
    AskSuccessor,
)
from hooks.core.decide import decide
from hooks.core.drift import Drift
from hooks.core.drift import Kind as Drifted
from hooks.core.errors import HooksError
from hooks.core.ids import OktaUserId
from hooks.core.membership import ORGANIZATION, Group
from hooks.core.memory import Link
from hooks.core.plan import Because
from hooks.core.policy import Restore
from hooks.core.reading import (
    MISSING,
    DirectoryReading,
    KnownGroup,
    Reading,
    Successor,
    Unread,
    Why,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from hooks.core.ids import (
        AccountId,
        DirectoryName,
        OktaGroupId,
        OrganizationGroupId,
        ScimUserId,
        Uuid,
    )
    from hooks.core.plan import Plan
    from hooks.core.policy import Policy
    from hooks.core.reading import (
        Answer,
        OktaGroup,
    )
    from hooks.gathered import Gathered, Side
    from hooks.observe import Directory
    from hooks.recall import Recalled

#: A plan that still asks after so many rounds is a fault of ours.
_ROUNDS = 8
#: Active members of an admin group that are told; two would do.
_ACTIVE = 10


class Everyone:
    """Everybody an audit is about, person by person."""

    def __init__(
        self,
        gathered: Gathered,
        directories: Iterable[Directory],
        *,
        links: Mapping[DirectoryName, tuple[Link, ...]],
        before: Mapping[OrganizationGroupId, tuple[str, bool]] | None,
    ) -> None:
        """``links`` are remembered; ``before`` is what the organization's groups were called.

        ``before`` is ``None`` where there is no organization.
        """
        self._all = gathered
        self._links = {name: self._linked(name, links.get(name, ())) for name in gathered.sides}
        self.names: dict[Uuid, str] = {
            **{each.id: each.name for each in gathered.groups.values()},
            **{link.group: link.name for found in self._links.values() for link in found},
            **{group.id: group.display for group in gathered.synced()},
        }
        self._directories = {each.name: each for each in directories}
        self._before = before
        self._holders: defaultdict[AccountId, set[OktaUserId]] = defaultdict(set)
        self._managed: dict[OktaUserId, bool] = {}
        self._everyone = [each for each in gathered.okta_groups.values() if each.type == "BUILT_IN"]
        self._unknown: Counter[tuple[DirectoryName, Group]] = Counter()

    def _linked(self, name: DirectoryName, remembered: tuple[Link, ...]) -> tuple[Link, ...]:
        """The remembered links, and those of mappings whose name only one group has."""
        groups = set(self._all.synced(name))
        count = Counter(group.display for group in groups)
        unique = {group.display: group.id for group in groups if count[group.display] == 1}
        known = {link.mapping for link in remembered}
        fresh = []
        for each in self._all.sides[name].mappings:
            target = self._all.okta_groups.get(each.target)
            if each.id not in known and target and (group := unique.get(target.name)):
                link = Link(each.id, each.source, each.target, group, target.name, target.name)
                fresh.append(link)
        return (*remembered, *fresh)

    def unowned(self) -> dict[DirectoryName, list[ScimUserId]]:
        """Records that neither Okta nor they themselves say to be anybody's."""
        return {
            name: [each for each in side.records if each not in side.owned]
            for name, side in self._all.sides.items()
        }

    def own(self, directory: DirectoryName, owners: Mapping[str, Iterable[OktaUserId]]) -> None:
        """Whose records the store remembers some of them to be."""
        side = self._all.sides[directory]
        for record in [each for each in side.records if each in owners]:
            side.owned[record] = min(owners[record])

    def hold(self) -> None:
        """All owners are known: note who in force holds which account, and whose are managed."""
        for side in self._all.sides.values():
            for record, user in side.owned.items():
                account, app_user = side.records[record].account, side.app_users.get(user)
                told = self._all.accounts.get(account) if account else None
                if told and told.managed is not None:
                    self._managed[user] = told.managed
                if account and app_user and app_user.in_force:
                    self._holders[account].add(user)

    # -- who there is --------------------------------------------------------------------------

    def people(self) -> list[OktaUserId]:
        """Everybody assigned to an app, or whose record is in a directory, by id."""
        sides = self._all.sides.values()
        everybody = {user for side in sides for user in side.app_users}
        return sorted(everybody.union(*(side.owned.values() for side in sides)))

    def claims(self, users: Iterable[OktaUserId]) -> dict[OktaUserId, bool]:
        """Of whom the organization says whether it manages their accounts."""
        return {user: self._managed[user] for user in users if user in self._managed}

    def strays(self) -> Iterator[Drift]:
        """Records with groups that belong to nobody known in Okta."""
        for name, side in self._all.sides.items():
            for record in side.records.values():
                if record.id not in side.owned and record.groups:
                    yield Drift(name, Drifted.ORPHAN, record=record.id, people=1)

    def unknown(self) -> Iterator[Drift]:
        """Synced groups no mapping leads to, as far as people were judged."""
        for (name, group), people in sorted(self._unknown.items()):
            yield Drift(name, Drifted.UNKNOWN, "", group.id, group.display, people=people)

    # -- one person ----------------------------------------------------------------------------

    def judge(
        self, user: OktaUserId, recalled: Recalled, policy: Policy, at: datetime
    ) -> tuple[Reading, Plan]:
        """The reading and its plan, with all that is wanted in it."""
        policy = replace(policy, restore=Restore.ALL)
        answers = {ask: self._answer(ask, user) for ask in self._expected(user)}
        reading = replace(self._reading(user, recalled, at), answers=answers)
        for _ in range(_ROUNDS):
            plan = decide(reading, policy)
            missing = plan.asks - answers.keys()
            if not missing:
                self._count(plan)
                return reading, plan
            answers = {**answers, **{ask: self._answer(ask, user) for ask in missing}}
            reading = replace(reading, answers=answers)
        msg = f"the plan for {user} never stopped asking"
        raise HooksError(msg)

    def _expected(self, user: OktaUserId) -> Iterator[Ask]:
        """What most plans ask, so that most people are decided in one round."""
        for name, side in self._all.sides.items():
            yield AskRecordsByExternalId(name)
            for record in side.by_external_id.get(user, ()):
                if (account := side.records[record].account) and self._before is not None:
                    yield AskAccount(account)
                    yield AskAccountGroups(account)

    def _count(self, plan: Plan) -> None:
        for place in plan.directories:
            for kept in place.kept:
                if kept.because is Because.UNMANAGED and isinstance(kept.group, Group):
                    self._unknown[place.name, kept.group] += 1

    def _reading(self, user: OktaUserId, recalled: Recalled, at: datetime) -> Reading:
        memories = recalled.memories
        return Reading(
            user_id=user,
            at=at,
            user=self._all.users.get(user, MISSING),
            okta_groups=frozenset(self._mine(user)),
            directories=tuple(
                DirectoryReading(
                    name,
                    self._directories[name].app,
                    side.app or MISSING,
                    side.app_users.get(user, MISSING),
                    side.mappings,
                    self._links[name],
                    memories[name],
                    self._directories[name].scim_directory,
                )
                for name, side in self._all.sides.items()
            ),
            protected_before=recalled.known.protected,
            account_before=recalled.known.account,
            local=memories[ORGANIZATION],
            history=recalled.history,
            watched_since=recalled.watched_since,
            groups_before=recalled.groups_before,
        )

    def _mine(self, user: OktaUserId) -> Iterator[OktaGroup]:
        """Those of the groups that were read, and Everyone, if the credential sees it."""
        for group in self._all.of_user.get(user, ()):
            if found := self._all.okta_groups.get(group):
                yield found
        yield from self._everyone

    # -- answers -------------------------------------------------------------------------------

    def _answer(self, ask: Ask, user: OktaUserId) -> Answer:
        match ask:
            case AskOktaGroup(group):
                return self._okta_group(group)
            case AskRecordById(name, record):
                found = self._all.sides[name].records.get(record)
                return MISSING if found is None else (found,)
            case AskRecordsByExternalId(name):
                side = self._all.sides[name]
                return tuple(side.records[each] for each in side.by_external_id.get(user, ()))
            case AskRecordsByUserName(name, user_name):
                side = self._all.sides[name]
                ids = side.by_user_name.get(user_name.casefold(), ())
                return tuple(side.records[each] for each in ids)
            case AskSuccessor(name, user_name):
                return self._successors(self._all.sides[name], user_name, user)
            case AskHolders(account):
                others = self._holders.get(account, set()) - {user}
                return tuple(Successor(each) for each in sorted(others))
            case _ if self._before is not None:
                return self._of_organization(ask, self._before)
            case _:
                return _UNTOLD

    def _okta_group(self, group: OktaGroupId) -> Answer:
        """Of a group that is there and whose members are hidden, nobody is known not to be one."""
        found = self._all.okta_groups.get(group)
        if found is None:
            return MISSING
        return _UNTOLD if group in self._all.hidden else found

    def _successors(self, side: Side, user_name: str, user: OktaUserId) -> tuple[Successor, ...]:
        named = side.by_name.get(user_name.casefold(), ())
        return tuple(
            Successor(each)
            for each in sorted(named)
            if each != user and side.app_users[each].in_force
        )

    def _of_organization(
        self, ask: Ask, before: Mapping[OrganizationGroupId, tuple[str, bool]]
    ) -> Answer:
        match ask:
            case AskAccount(account):
                return self._account(account)
            case AskAccountGroups(account):
                groups = (self._all.groups[each] for each in self._all.of_account.get(account, ()))
                return tuple(KnownGroup(each, before.get(each.id)) for each in groups)
            case AskScimLinks():
                return MISSING  # asked when somebody is looked at
            case AskActiveMembers(group):
                accounts = [
                    self._all.accounts.get(each) for each in self._all.members.get(group, ())
                ]
                active = [each.id for each in accounts if each and each.status in (None, "active")]
                return frozenset(sorted(active)[:_ACTIVE])
            case _:
                return _UNTOLD

    def _account(self, account: AccountId) -> Answer:
        """Where the organization shows roles, one without any has none."""
        found = self._all.accounts.get(account)
        if found is None:
            return MISSING
        if found.roles is None and self._all.roles_shown:
            return replace(found, roles=frozenset())
        return found


#: What only a look can ask, the System Log above all.
_UNTOLD = Unread(Why.UNAVAILABLE, detail="only a look at the person asks this")
