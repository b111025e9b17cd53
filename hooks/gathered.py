"""What the pages of an audit's lists hold, sorted so that everything about a person is at hand.

Must live here: what is held of each entry, once. Must not know: what any of it means.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hooks.core.errors import IncompleteError
from hooks.core.ids import OktaGroupId, OktaUserId, OrganizationGroupId, ScimGroupId
from hooks.core.membership import Group
from hooks.core.reading import Account
from hooks.pages import Kind, Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hooks.core.ids import AccountId, DirectoryName, ScimUserId
    from hooks.core.membership import OrganizationGroup
    from hooks.core.memory import Link
    from hooks.core.reading import App, AppUser, OktaGroup, OktaUser, PushMapping, ScimRecord


@dataclass(slots=True)
class Side:
    """One directory and the app it belongs to. ``owned`` says whose each record is."""

    app: App | None = None
    mappings: tuple[PushMapping, ...] = ()
    app_users: dict[OktaUserId, AppUser] = field(default_factory=dict)
    by_name: defaultdict[str, list[OktaUserId]] = field(default_factory=lambda: defaultdict(list))
    records: dict[ScimUserId, ScimRecord] = field(default_factory=dict)
    by_external_id: defaultdict[str, list[ScimUserId]] = field(
        default_factory=lambda: defaultdict(list)
    )
    by_user_name: defaultdict[str, list[ScimUserId]] = field(
        default_factory=lambda: defaultdict(list)
    )
    groups_of: defaultdict[ScimUserId, set[ScimGroupId]] = field(
        default_factory=lambda: defaultdict(set)
    )
    owned: dict[ScimUserId, OktaUserId] = field(default_factory=dict)


class Gathered:
    """Filled page by page; of an entry that comes twice the last one counts.

    Holds some kilobytes of each person.
    """

    def __init__(self, directories: Iterable[DirectoryName]) -> None:
        """Nothing is in yet."""
        self.sides = {each: Side() for each in directories}
        self.users: dict[OktaUserId, OktaUser] = {}
        self.okta_groups: dict[OktaGroupId, OktaGroup] = {}
        self.hidden: set[OktaGroupId] = set()
        self.of_user: defaultdict[OktaUserId, set[OktaGroupId]] = defaultdict(set)
        self.accounts: dict[AccountId, Account] = {}
        self.groups: dict[OrganizationGroupId, OrganizationGroup] = {}
        self.members: defaultdict[OrganizationGroupId, set[AccountId]] = defaultdict(set)
        self.of_account: defaultdict[AccountId, set[OrganizationGroupId]] = defaultdict(set)
        self.roles_shown = False
        self._same: dict[Any, Any] = {}

    # -- filling -------------------------------------------------------------------------------

    def add(self, part: Part, nouns: Iterable[Any]) -> None:
        """Take in a page."""
        everywhere: dict[Kind, Callable[[Part, Iterable[Any]], None]] = {
            Kind.USERS: self._users,
            Kind.DEACTIVATED: self._users,
            Kind.OKTA_GROUPS: self._okta_groups,
            Kind.USERS_OF: self._users_of,
            Kind.ACCOUNTS: self._accounts,
            Kind.ORGANIZATION_GROUPS: self._organization_groups,
            Kind.ACCOUNTS_OF: self._accounts_of,
        }
        there: dict[Kind, Callable[[Side, Part, Iterable[Any]], None]] = {
            Kind.APP: self._app,
            Kind.MAPPINGS: self._mappings,
            Kind.APP_USERS: self._app_users,
            Kind.RECORDS: self._records,
            Kind.SCIM_MEMBERS: self._scim_members,
        }
        if take := everywhere.get(part.kind):
            take(part, nouns)
            return
        side = next((each for name, each in self.sides.items() if name == part.directory), None)
        if side:
            there[part.kind](side, part, nouns)

    def _one(self, value: Any) -> Any:
        """The first of equal values, so that each is held once."""
        return self._same.setdefault(value, value)

    def _users(self, _: Part, nouns: Iterable[OktaUser]) -> None:
        self.users.update((self._one(each.id), each) for each in nouns)

    def _okta_groups(self, _: Part, nouns: Iterable[OktaGroup]) -> None:
        self.okta_groups.update((each.id, each) for each in nouns)

    def _users_of(self, part: Part, nouns: Iterable[OktaUserId | None]) -> None:
        """Nobody stands for a list that could not be read."""
        group = self._one(OktaGroupId(part.group))
        for user in nouns:
            if user is None:
                self.hidden.add(group)
            else:
                self.of_user[self._one(user)].add(group)

    def _accounts(self, _: Part, nouns: Iterable[Account]) -> None:
        """There may be an entry for each directory; roles not told in one are not known."""
        for entry in nouns:
            self.roles_shown = self.roles_shown or entry.roles is not None
            before = self.accounts.get(entry.id, entry)
            told = before.roles is not None and entry.roles is not None
            self.accounts[self._one(entry.id)] = Account(
                entry.id,
                entry.type or before.type,
                entry.status if entry.status == before.status else None,
                (before.roles or frozenset()) | (entry.roles or frozenset()) if told else None,
            )

    def _organization_groups(self, _: Part, nouns: Iterable[OrganizationGroup]) -> None:
        self.groups.update((each.id, each) for each in nouns)

    def _accounts_of(self, part: Part, nouns: Iterable[AccountId]) -> None:
        group = self._one(OrganizationGroupId(part.group))
        for account in nouns:
            self.members[group].add(self._one(account))
            self.of_account[self._one(account)].add(group)

    def _app(self, side: Side, _: Part, nouns: Iterable[App]) -> None:
        side.app = next(iter(nouns), None)

    def _mappings(self, side: Side, _: Part, nouns: Iterable[PushMapping]) -> None:
        side.mappings = tuple(nouns)

    def _app_users(self, side: Side, _: Part, nouns: Iterable[AppUser]) -> None:
        for each in nouns:
            user = self._one(each.user)
            if user not in side.app_users:
                side.by_name[each.user_name.casefold()].append(user)
            side.app_users[user] = each

    def _records(self, side: Side, _: Part, nouns: Iterable[ScimRecord]) -> None:
        for each in nouns:
            if each.id not in side.records:
                side.by_external_id[self._one(each.external_id or "")].append(each.id)
                side.by_user_name[each.user_name.casefold()].append(each.id)
            side.records[each.id] = replace(each, groups=self._one(each.groups))

    def _scim_members(self, side: Side, part: Part, nouns: Iterable[ScimUserId]) -> None:
        group = ScimGroupId(part.group)
        for record in nouns:
            side.groups_of[record].add(group)

    def synced(self, directory: DirectoryName | None = None) -> set[Group]:
        """Every group a record of the directory, or of any, is in."""
        sides = self.sides.values() if directory is None else [self.sides[directory]]
        lists = {each.groups for side in sides for each in side.records.values() if each.groups}
        return {group for groups in lists for group in groups}

    # -- when all is in ------------------------------------------------------------------------

    def filled(self, links: Mapping[DirectoryName, Iterable[Link]]) -> None:
        """All pages are in; ``links`` say what groups are called whose records came without.

        Raises: IncompleteError if Okta shows nobody: a credential without a role sees that.
        """
        if not self.users or any(s.records and not s.app_users for s in self.sides.values()):
            raise IncompleteError("okta listed nobody: see whether its credential has a role")
        for name, side in self.sides.items():
            known = {link.group: Group(link.group, link.name) for link in links.get(name, ())}
            for each in [one for one in side.records.values() if known and one.groups is None]:
                groups = frozenset(known[group] for group in side.groups_of.get(each.id, ()))
                side.records[each.id] = replace(each, groups=self._one(groups))
            self._own(side)

    def _own(self, side: Side) -> None:
        """Whose a record is by its own externalId, or by the assignment's. Design 3.1."""
        assigned = {each.external_id: user for user, each in side.app_users.items()}
        for each in side.records.values():
            if owner := assigned.get(each.id) or OktaUserId.maybe(each.external_id):
                side.owned[each.id] = self._one(owner)
