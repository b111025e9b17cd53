"""What admins do to the groups of the organization, and who is in them now."""

from hooks.sandbox.directory import Directory, ScimGroup
from hooks.sandbox.org import WorldError

from .nouns import Account, OrgGroup
from .people import Accounts


class LocalGroups(Accounts):
    """Verbs on local groups: those no identity provider keeps."""

    def add_user_base(self, name: str) -> str:
        """A further directory of the admin API; its id."""
        identity = self.organization.ids.uuid()
        self.organization.user_bases[identity] = name
        return identity

    def sync_into(self, directory: Directory | str, user_base: str) -> None:
        """Let a SCIM directory sync into another user base; call it before it has groups."""
        directory = self.directory(directory)
        self.organization.homes[directory.id] = user_base

    def add_local_group(
        self,
        name: str,
        *,
        modifiable: bool = True,
        managed_by: str = "admins",
        default_for: str | None = None,
        readable: bool = True,
        user_base: str | None = None,
    ) -> OrgGroup:
        """A group of the organization, such as ``jira-software-users``.

        ``managed_by``: admins, team-members, open or external. ``default_for``: the app whose
        default group it is.
        """
        organization = self.organization
        if any(group.name.lower() == name.lower() for group in organization.groups.values()):
            raise WorldError(f"group name taken: {name}")
        group = OrgGroup(
            organization.ids.uuid(),
            name,
            user_base or organization.user_base,
            self.now(),
            managed_by,
            modifiable=modifiable,
            readable=readable,
            default_for=default_for,
        )
        return organization.add_group(group, self.now())

    def local_group(self, key: OrgGroup | str) -> OrgGroup:
        """By object, id or name."""
        self.tick()
        found = key if isinstance(key, OrgGroup) else self.organization.groups.get(key)
        found = found or self.organization.local_named(str(key))
        if found is None or found.synced:
            raise WorldError(f"no such local group: {key}")
        return found

    def local_add(self, group: OrgGroup | str, *who: Account | str) -> None:
        group = self.local_group(group)
        for each in who:
            self.organization.join(group, self.account(each), self.now())

    def local_remove(self, group: OrgGroup | str, *who: Account | str) -> None:
        group = self.local_group(group)
        for each in who:
            self.organization.leave(group, self.account(each), self.now())

    def local_members(self, group: OrgGroup | str) -> set[str]:
        """Logins in a local group, now."""
        group = self.local_group(group)
        return {self.login_of(self.organization.accounts[i]) for i in group.members}

    def local_groups_of(self, key: Account | str) -> set[str]:
        """Names of the local groups of a person, now; none if there is no account."""
        return {group.name for group in self._groups_of(key) if not group.synced}

    def organization_groups_of(self, key: Account | str) -> set[str]:
        """The same with synced groups, as far as they have come by now."""
        return {group.name for group in self._groups_of(key)}

    def _groups_of(self, key: Account | str) -> list[OrgGroup]:
        try:
            account = self.account(key)
        except WorldError:
            return []
        at = self.now()
        found = self.organization.groups_at(account, at)
        return [group for group in found if self.organization.known(group, at)]

    def rename_local_group(self, group: OrgGroup | str, name: str) -> None:
        self.local_group(group).name = name

    def delete_local_group(self, group: OrgGroup | str) -> None:
        self.organization.drop_group(self.local_group(group))

    def sync_group(self, group: OrgGroup | str, directory: Directory | str) -> None:
        """The admin's "Sync group": a local group becomes the directory's of that name.

        It has no members until Okta pushes.
        """
        group, directory = self.local_group(group), self.directory(directory)
        now = self.now()
        target = directory.group_named(group.name)
        if target is None:
            # Added by hand: the organization hears of no second group.
            target = ScimGroup(self.ids.uuid(), group.name, now, now)
            directory.groups[target.id] = target
        self.organization.sync(group, directory, target)

    def lapse(self, directory: Directory | str) -> None:
        """The subscription ends: the SCIM directory answers 404, its groups become local."""
        self.tick()
        self.organization.lapse(self.directory(directory), self.now())
