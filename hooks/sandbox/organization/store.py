"""The state of the organization: accounts, groups, who is in which. Knows nothing of HTTP.

Members of a synced group are not kept here: they are those of its SCIM group, as they were
``propagation_delay`` ago. So nothing can make the two stores drift but time.
"""

from bisect import insort
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from hooks.sandbox.directory import Directory, ScimGroup, ScimUser
from hooks.sandbox.ids import Ids
from hooks.sandbox.past import Past

from .nouns import (
    BUILT_IN,
    Account,
    AccountStatus,
    Happened,
    KeyKind,
    OrgGroup,
    Source,
    address,
    mirrored,
)
from .switches import OrganizationSwitches


class Organization:
    """One organization with one user base, unless more are added.

    A user base is what the admin API calls a directory; its id is none of a SCIM directory.
    """

    def __init__(self, ids: Ids, noise: Ids, switches: OrganizationSwitches) -> None:
        self.ids = ids
        self.noise = noise
        self.switches = switches
        self.id = ids.uuid()
        self.name = "Some Organization"
        self.api_key = "ATCTT3x" + ids.secret(60)
        """Without scopes: good for everything."""
        self.keys: dict[str, KeyKind] = {self.api_key: "unscoped"}
        self.site_id = ids.uuid()
        self.user_bases: dict[str, str] = {ids.uuid(): "main"}
        self.homes: dict[str, str] = {}
        """The user base into which a SCIM directory syncs, if it is not the first."""
        self.domains: dict[str, str] = {"somedomain.example": "verified"}
        self.accounts: dict[str, Account] = {}
        self.account_ids: dict[str, str] = {}
        self.groups: dict[str, OrgGroup] = {}
        self.directories: list[Directory] = []
        self.foreign_links: dict[str, list[tuple[str, str]]] = {}
        """By account: SCIM id and directory id of links into directories nobody here manages."""
        self.audit: list[Happened] = []
        self.past = Past()
        self._mirrors: dict[str, OrgGroup] = {}
        self._local_groups_of: dict[str, dict[str, None]] = {}

    @property
    def user_base(self) -> str:
        """Id of the first user base: the ``directoryId`` of the admin API."""
        return next(iter(self.user_bases))

    def home(self, directory: Directory) -> str:
        return self.homes.get(directory.id, self.user_base)

    @property
    def lagging(self) -> bool:
        return self.switches.propagation_delay > 0 or self.switches.org_search_lag > 0

    def _remember(self, now: datetime, kind: str, key: object, old: object) -> None:
        if self.lagging:
            self.past.record(now, kind, key, old)

    def synced_at(self, at: datetime) -> datetime:
        """What was true in the directories then is true here at ``at``."""
        return at - timedelta(seconds=self.switches.propagation_delay)

    # --- what the directories tell it ---------------------------------------------------------

    def follow(self, directory: Directory, now: datetime) -> None:
        """Mirror this directory from now on."""
        directory.follower = self
        self.directories.append(directory)
        # Its name: a published administration script tells people to find the directory id there.
        name = f"All members for directory - {directory.id}"
        self._mirror(name, Source(directory, None), now)

    def user_changed(self, directory: Directory, user: ScimUser, now: datetime) -> None:
        """A record was made or written to; memberships do not change with it."""
        if user.account_id is None:
            return
        account = self.accounts.get(user.account_id)
        if account is None:
            name = user.display_name or user.user_name.partition("@")[0]
            account = self.add_account(user.account_id, address(user), name, now)
            account.provisioned = True
        account.user_bases.add(self.home(directory))
        account.name = user.display_name or account.name
        self.set_email(account, address(user))

    def user_switched(self, user: ScimUser, now: datetime) -> None:
        """``active`` was written: the last directory to write it decides. Groups stay."""
        account = self.accounts.get(user.account_id or "")
        if account is None:
            return
        if account.claim == "managed" or self.switches.unmanaged_deactivation == "deactivated":
            self.set_status(account, "active" if user.active else "inactive", now)

    def user_deleted(self, user: ScimUser, groups: Iterable[ScimGroup], now: datetime) -> None:
        """Unlinked, and deactivated if managed. Source: spec texts of DELETE /Users."""
        account = self.accounts.get(user.account_id or "")
        if account is None:
            return
        managed = account.claim == "managed"
        done = self.switches.unlinked_managed if managed else self.switches.unlinked_unmanaged
        if done == "deactivated":
            self.set_status(account, "inactive", now)
        if self.switches.unlinked_groups == "kept":
            for group in groups:
                if group.id in self._mirrors:
                    self._enter(self._mirrors[group.id], account.id)

    def group_added(self, directory: Directory, group: ScimGroup, now: datetime) -> None:
        """A built-in or default name stays in the directory and never comes here."""
        if not self.reserved(group.display_name):
            mirror = self._mirror(group.display_name, Source(directory, group), now)
            self._mirrors[group.id] = mirror

    def group_deleted(self, group: ScimGroup) -> None:
        """Gone from the organization too. Source: Atlassian OpenAPI, DELETE /Groups."""
        mirror = self._mirrors.pop(group.id, None)
        if mirror is not None:
            del self.groups[mirror.id]

    def member_changed(
        self, group: ScimGroup, user: ScimUser, now: datetime, *, member: bool
    ) -> None:
        """The membership itself is read from there; here it is noted once it has come."""
        mirror, account = self._mirrors.get(group.id), self.accounts.get(user.account_id or "")
        if mirror is not None and account is not None:
            at = now + timedelta(seconds=self.switches.propagation_delay)
            action = "user_added_to_group" if member else "user_removed_from_group"
            self._note(at, action, account, mirror)

    def _mirror(self, name: str, source: Source, now: datetime) -> OrgGroup:
        key = source.group.id if source.group else source.directory.id
        group = OrgGroup(mirrored(key), name, self.home(source.directory), now, "external")
        group.modifiable, group.source = False, source
        return self.add_group(group, now)

    def reserved(self, name: str) -> bool:
        """Whether the name is built in, or that of a group that gives access to an app."""
        local = self.local_named(name)
        default = local is not None and local.default_for is not None
        return default or name.lower() in BUILT_IN

    def clashes(self, name: str) -> bool:
        """Whether a SCIM group of this name is refused. Source: jira.atlassian.com ACCESS-1369."""
        if self.reserved(name):
            return self.switches.default_name_create == "409"
        return self.local_named(name) is not None

    def local_named(self, name: str) -> OrgGroup | None:
        """Names do not distinguish case. Source: spec texts, ``groupNames``."""
        low = name.lower()
        return next(
            (g for g in self.groups.values() if not g.synced and g.name.lower() == low), None
        )

    # --- accounts and groups ------------------------------------------------------------------

    def add_account(self, identity: str, email: str, name: str, now: datetime) -> Account:
        account = Account(identity, email, name, now, set())
        if self.domains.get(email.rpartition("@")[2].lower()) != "verified":
            account.claim = "unmanaged"  # only accounts of its own domains are an organization's
        self._remember(now, "made", identity, None)
        self.accounts[identity] = account
        self.account_ids.setdefault(email.lower(), identity)
        return account

    def set_email(self, account: Account, email: str) -> None:
        """The account keeps its id; the old address is free for somebody else."""
        if self.account_ids.get(account.email.lower()) == account.id:
            del self.account_ids[account.email.lower()]
        account.email = email
        self.account_ids.setdefault(email.lower(), account.id)

    def set_status(self, account: Account, status: AccountStatus, now: datetime) -> None:
        if account.status in (status, "closed"):
            return
        self._remember(now, "status", account.id, account.status)
        account.status = status
        account.deactivated = now if status == "inactive" else None

    def add_group(self, group: OrgGroup, now: datetime) -> OrgGroup:
        self._remember(now, "made", group.id, None)
        self.groups[group.id] = group
        return group

    def drop_group(self, group: OrgGroup) -> None:
        for account_id in group.members:
            del self._local_groups_of[account_id][group.id]
        del self.groups[group.id]

    def forget(self, account: Account) -> None:
        """Out of the organization, with all it had."""
        for group_id in self._local_groups_of.pop(account.id, {}):
            del self.groups[group_id].members[account.id]
        del self.accounts[account.id]

    def lapse(self, directory: Directory, now: datetime) -> None:
        """The subscription ends: what was synced stays as ordinary local groups.

        Source: Atlassian community ba-p/1005475. The ids are the same.
        """
        directory.dead, directory.follower = True, None
        for group in list(self.groups.values()):
            source = group.source
            if source is None or source.directory is not directory:
                continue
            if source.group is not None:
                del self._mirrors[source.group.id]
            elif not self.switches.all_members_group:
                del self.groups[group.id]
                continue
            members = self._synced_members(source, now)
            group.source, group.managed_by, group.modifiable = None, "admins", True
            for account_id in members:
                self._enter(group, account_id)

    def sync(self, group: OrgGroup, directory: Directory, scim_group: ScimGroup) -> None:
        """A local group becomes the directory's, which overwrites its members.

        Source: Atlassian "resolve group conflicts", the admin's "Sync group".
        """
        for account_id in group.members:
            del self._local_groups_of[account_id][group.id]
        group.members.clear()
        group.source, group.managed_by = Source(directory, scim_group), "external"
        group.modifiable, group.default_for = False, None
        self._mirrors[scim_group.id] = group

    # --- local memberships --------------------------------------------------------------------

    def join(self, group: OrgGroup, account: Account, now: datetime) -> None:
        if account.id not in group.members:
            self._remember(now, "member", (group.id, account.id), old=False)
            self._enter(group, account.id)
            self._note(now, "user_added_to_group", account, group)

    def _enter(self, group: OrgGroup, account_id: str) -> None:
        group.members[account_id] = None
        self._local_groups_of.setdefault(account_id, {})[group.id] = None

    def leave(self, group: OrgGroup, account: Account, now: datetime) -> None:
        if account.id in group.members:
            self._remember(now, "member", (group.id, account.id), old=True)
            del group.members[account.id]
            del self._local_groups_of[account.id][group.id]
            self._note(now, "user_removed_from_group", account, group)

    def _note(self, now: datetime, action: str, account: Account, group: OrgGroup) -> None:
        happened = Happened(self.noise.uuid(), now, action, account, group, synced=group.synced)
        insort(self.audit, happened, key=lambda each: each.at)

    # --- as of an instant ---------------------------------------------------------------------

    def known(self, thing: Account | OrgGroup, at: datetime) -> bool:
        """Whether it had come into being by then, and is shown at all."""
        if isinstance(thing, Account):
            late = thing.provisioned
        else:
            late = thing.source is not None
            everybody = thing.source is not None and thing.source.group is None
            if everybody and not self.switches.all_members_group:
                return False
        if late:
            at = self.synced_at(at)
        return self.past.value(at, "made", thing.id, current=True) is not None

    def status_at(self, account: Account, at: datetime) -> AccountStatus:
        at = self.synced_at(at)
        status: AccountStatus = self.past.value(at, "status", account.id, account.status)
        return status

    def members_at(self, group: OrgGroup, at: datetime) -> list[str]:
        """Account ids, in the order they came."""
        if group.source is not None:
            found = self._synced_members(group.source, self.synced_at(at))
            return list(dict.fromkeys([*found, *group.members]))
        members = dict(group.members)
        for (group_id, account_id), member in self._old_memberships(at).items():
            if group_id == group.id:
                members.pop(account_id, None)
                if member:
                    members[account_id] = None
        return [i for i in members if i in self.accounts]

    def _synced_members(self, source: Source, at: datetime) -> list[str]:
        users = source.directory.users.values()
        found = source.directory.members_at(source.group, at) if source.group else iter(users)
        return list(dict.fromkeys(u.account_id for u in found if u.account_id in self.accounts))

    def groups_at(self, account: Account, at: datetime) -> list[OrgGroup]:
        local = dict(self._local_groups_of.get(account.id, {}))
        for (group_id, account_id), member in self._old_memberships(at).items():
            if account_id == account.id:
                local.pop(group_id, None)
                if member:
                    local[group_id] = None
        found = [self.groups[i] for i in local if i in self.groups]
        return found + list(dict.fromkeys(self._synced_groups(account, self.synced_at(at))))

    def _synced_groups(self, account: Account, at: datetime) -> Iterator[OrgGroup]:
        for directory in self.directories:
            if directory.dead:
                continue
            for record in directory.linked(account.id):
                yield self.groups[mirrored(directory.id)]
                for group in directory.groups_at(record, at):
                    if group.id in self._mirrors:
                        yield self._mirrors[group.id]

    def _old_memberships(self, at: datetime) -> dict[tuple[str, str], bool]:
        old: dict[tuple[str, str], bool] = {}
        for change in self.past.since(at, "member"):
            old.setdefault(change.key, change.old)
        return old
