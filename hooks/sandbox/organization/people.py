"""What happens to Atlassian accounts beside SCIM: made by hand, promoted, suspended, signed in."""

from typing import Any, get_args

from hooks.sandbox.directory import Directory
from hooks.sandbox.groups import Groups
from hooks.sandbox.org import App, User, WorldError

from .nouns import Account, KeyKind, mirrored


class Accounts(Groups):
    """Verbs on accounts. An account is named by object, id, ``userName`` or e-mail address."""

    def account(self, key: Account | str) -> Account:
        """A ``userName`` goes before an address: the record says whose account it is."""
        self.tick()
        if isinstance(key, Account):
            return key
        accounts = self.organization.accounts
        if key in accounts:
            return accounts[key]
        for directory in self.directories.values():
            for record in directory.named(key):
                if record.account_id in accounts:
                    return accounts[record.account_id]
        found = accounts.get(self.organization.account_ids.get(key.lower(), ""))
        if found is None:
            raise WorldError(f"no such account: {key}")
        return found

    def login_of(self, account: Account) -> str:
        """The ``userName`` of its record, else its address."""
        for directory in self.organization.directories:
            for record in directory.linked(account.id):
                return record.user_name
        return account.email

    def add_account(
        self, email: str, *, name: str | None = None, user_base: str | None = None, **changes: Any
    ) -> Account:
        """An account nobody provisioned; a second one of the same address is possible.

        ``changes`` as for ``set_account``.
        """
        organization = self.organization
        identity = organization.ids.account()
        account = organization.add_account(
            identity, email, name or email.partition("@")[0], self.now()
        )
        account.user_bases.add(user_base or organization.user_base)
        return self.set_account(account, **changes)

    def set_account(self, key: Account | str, **changes: Any) -> Account:
        """Any of ``type``, ``status``, ``membership``, ``claim``, ``name``, ``email``, ``roles``.

        As an organization admin would; SCIM is told nothing.
        """
        account = self.account(key)
        if unknown := changes.keys() - SETTABLE:
            raise WorldError(f"no such attribute of an account: {sorted(unknown)}")
        if "email" in changes:
            self.organization.set_email(account, changes.pop("email"))
        if "status" in changes:
            inactive = changes["status"] == "inactive"
            account.deactivated = self.now() if inactive else None
        for name, value in changes.items():
            setattr(account, name, value)
        return account

    def reactivate(self, key: Account | str) -> None:
        """The administration's "Reactivate", which is not there while SCIM holds the account.

        Source: neteye-blog.com 2025-03, of managed accounts that an identity provider synced.
        """
        account = self.account(key)
        if any(each.linked(account.id) for each in self.organization.directories if not each.dead):
            raise WorldError(f"managed by an identity provider: {account.email}")
        self.organization.set_status(account, "active", self.now())

    def set_roles(self, key: Account | str, roles: list[str]) -> None:
        """Platform roles, such as ``atlassian/org-admin``; membership of groups is apart."""
        self.account(key).roles = list(roles)

    def log_in(self, key: Account | str) -> None:
        """Sign in; where apps give themselves, the default groups are granted again.

        Source: Atlassian default groups, resolution.de "deactivating and reactivating user".
        """
        account = self.account(key)
        if account.status != "active" or account.membership != "active":
            raise WorldError(f"may not sign in: {account.email}")
        if not self.switches.auto_app_access:
            return
        for group in self.organization.groups.values():
            if group.default_for is not None and not group.synced:
                self.organization.join(group, account, self.now())

    def sign_in(self, user: User | str, app: App | str) -> Account:
        """By SSO: Okta tells the application username, and an account of that address is made.

        Unless there is one. Source: Atlassian, "Configure user provisioning with Okta", on
        duplicate accounts.
        """
        address = self.app(app).users[self.user(user).id].user_name
        found = self.organization.account_ids.get(address.lower())
        return self.organization.accounts[found] if found else self.add_account(address)

    def grant_access(self, group: str, app: str) -> None:
        """Product access for a group by its name, synced or not, or by a directory's name.

        A directory stands for its group of all members.
        """
        self.tick()
        groups = self.organization.groups
        own = [mirrored(d.id) for d in self.directories.values() if d.name == group]
        found = [g for g in groups.values() if g.name == group or g.id in own]
        if not found:
            raise WorldError(f"no such group: {group}")
        found[0].grants.append(app)

    def revoke_access(self, group: str, app: str) -> None:
        """Take that back."""
        for each in self.organization.groups.values():
            own = [mirrored(d.id) for d in self.directories.values() if d.name == group]
            if (each.name == group or each.id in own) and app in each.grants:
                each.grants.remove(app)

    def let_go(self, directory: Directory, record_id: str) -> None:
        """What a Force Sync does to the account of a record that nobody claimed."""
        record, mode = directory.users.get(record_id), self.switches.force_sync
        account = self.organization.accounts.get(record.account_id or "") if record else None
        if record is None or account is None or account.claim == "managed" or mode == "harmless":
            return
        for group in directory.groups_of(record):
            directory.leave(group, [record.id], self.now())
        if mode == "unlinks":
            record.account_id = None

    def relink(self, directory: Directory | str, login: str) -> None:
        """Atlassian's support links a record with the account of its address again."""
        (record,) = self.directory(directory).named(login)
        record.account_id = self.organization.account_ids[login.lower()]

    def add_domain(self, name: str, status: str = "verified") -> None:
        """A domain of the organization: verified, unverified, or as Atlassian has it."""
        self.organization.domains[name] = status

    def add_foreign_link(self, key: Account | str, directory_id: str | None = None) -> str:
        """A SCIM link into a directory that nobody here manages; its directory id."""
        ids = self.organization.ids
        directory_id = directory_id or ids.uuid()
        links = self.organization.foreign_links.setdefault(self.account(key).id, [])
        links.append((ids.uuid(), directory_id))
        return directory_id

    def set_org_key(self, kind: KeyKind) -> None:
        """What kind of key ``organization.api_key`` is from now on."""
        if kind not in get_args(KeyKind):
            raise WorldError(f"no such kind of key: {kind}")
        self.organization.keys[self.organization.api_key] = kind

    def add_org_key(self, kind: KeyKind = "unscoped") -> str:
        """Another key of the organization."""
        key = "ATCTT3x" + self.organization.ids.secret(60)
        self.organization.keys[key] = kind
        return key


SETTABLE = frozenset({"type", "status", "membership", "claim", "name", "email", "roles"})
