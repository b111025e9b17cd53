"""What admins do to groups, apps and group push, and the events Okta logs for it."""

from functools import partial
from typing import Literal

from .base import app_target, group_target, user_target
from .directory import Directory, ScimGroup
from .org import App, Group, Mapping, User, WorldError
from .people import People
from .provisioning import PUSH
from .system_log import Transaction

By = Literal["admin", "rule", "import"]


class Groups(People):
    """Verbs on groups, apps, mappings. ``by`` anything but an admin makes it a job."""

    def add_okta_group(self, name: str, type: str = "OKTA_GROUP") -> Group:  # noqa: A002, Okta's own word
        group = self._new_group(name, type)
        self.emit(self.transaction(), "group.lifecycle.create", group_target(group))
        return group

    def _new_group(self, name: str, kind: str, app: App | None = None) -> Group:
        now = self.now()
        group = Group(self.ids.okta("00g"), name, kind, now, now, now)
        group.app_id = app.id if app else None
        self.remember(self.switches.search_lag, "group_name", group.id, None)
        self.org.groups[group.id] = group
        return group

    def add_to_group(self, user: User | str, group: Group | str, by: By = "admin") -> None:
        self._move(self.user(user), self.group(group), by, member=True)

    def remove_from_group(self, user: User | str, group: Group | str, by: By = "admin") -> None:
        self._move(self.user(user), self.group(group), by, member=False)

    def _move(self, user: User, group: Group, by: By, *, member: bool) -> None:
        if (user.id in group.members) is member:
            return
        if group.type == "BUILT_IN":
            raise WorldError("Okta alone keeps the members of a BUILT_IN group")
        self.change_groups(user, group, member=member)
        kind = "WEB" if by == "admin" else "JOB"
        uri = f"/api/v1/groups/{group.id}/users/{user.id}"
        event_type = "group.user_membership." + ("add" if member else "remove")
        self.emit(self.transaction(kind, uri), event_type, user_target(user), group_target(group))
        job = self.transaction("JOB")
        for app in self.org.apps.values():
            if group.id in app.groups:
                self.update_assignment(user, app, job)
        for mapping in self.org.mappings_from(group):
            self.push_delta(mapping, user, added=member)

    def rename_group(self, group: Group | str, name: str) -> None:
        """The source's name only: ``displayName`` in the directory never changes."""
        group = self.group(group)
        self.remember(self.switches.search_lag, "group_name", group.id, group.name)
        group.name, group.last_updated = name, self.now()
        self.emit(self.transaction(), "group.profile.update", group_target(group))

    def delete_group(self, group: Group | str) -> None:
        """The group is gone; whether its members get events of their own is a switch."""
        group = self.group(group)
        transaction = self.transaction(uri=f"/api/v1/groups/{group.id}")
        members = [self.org.users[i] for i in sorted(group.members)]
        for user in members:
            self.change_groups(user, group, member=False)
        group.deleted = True
        self.emit(transaction, "group.lifecycle.delete", group_target(group))
        if self.switches.group_delete_logs_members:
            for user in members:
                self.emit(
                    transaction,
                    "group.user_membership.remove",
                    user_target(user),
                    group_target(group),
                )
        for mapping in self.org.mappings_from(group):
            self._orphan(mapping)
        for app in self.org.apps.values():
            if app.groups.pop(group.id, None) is not None:
                self._update_all(app, members, self.transaction("JOB"))

    def _orphan(self, mapping: Mapping) -> None:
        match self.switches.mapping_on_group_delete:
            case "ERROR":
                self.fail_mapping(mapping, "Source group not found.")
            case "INACTIVE":
                self.set_mapping_status(mapping, "INACTIVE")
            case "vanish":
                del self.org.mappings[mapping.id]

    # --- apps -------------------------------------------------------------------------------

    def add_app(self, label: str) -> App:
        now = self.now()
        app = App(self.ids.okta("0oa"), label, now, now)
        self.org.apps[app.id] = app
        return app

    def add_directory(self, app: App | str, name: str) -> Directory:
        """The SCIM directory the app provisions into; one per app."""
        app = self.app(app)
        if self.directory_of(app) is not None:
            raise WorldError(f"the app has a directory: {app.label}")
        directory = Directory(self.ids.uuid(), name, self.ids.secret(40), app.id)
        self.directories[directory.id] = directory
        self.organization.follow(directory, self.now())
        return directory

    def reconnect(self, directory: Directory | str) -> Directory:
        """The subscription is back: a new directory, with a key of its own, for one that lapsed.

        Okta, told where it is, provisions everybody assigned into it; groups come when somebody
        pushes them. Source: Atlassian community ba-p/1005475.
        """
        lapsed = self.directory(directory)
        if not lapsed.dead:
            raise WorldError(f"the directory is there: {lapsed.name}")
        del self.directories[lapsed.id]
        app = self.app(lapsed.app_id)
        made = self.add_directory(app, lapsed.name)
        for user_id in sorted(app.users):
            user = self.org.users[user_id]
            self.later(self.switches.provisioning_delay, partial(self.provision, user, app))
        return made

    def assign(self, user: User | str, app: App | str) -> None:
        user, app = self.user(user), self.app(app)
        app.direct.add(user.id)
        uri = f"/api/v1/apps/{app.id}/users"
        self.update_assignment(user, app, self.transaction(uri=uri))

    def unassign(self, user: User | str, app: App | str) -> None:
        """Takes the assignment by hand away; one through a group stays, as in Okta."""
        user, app = self.user(user), self.app(app)
        app.direct.discard(user.id)
        uri = f"/api/v1/apps/{app.id}/users/{user.id}"
        self.update_assignment(user, app, self.transaction(uri=uri))

    def assign_group(self, group: Group | str, app: App | str) -> None:
        self._assign_group(self.group(group), self.app(app), assigned=True)

    def unassign_group(self, group: Group | str, app: App | str) -> None:
        self._assign_group(self.group(group), self.app(app), assigned=False)

    def _assign_group(self, group: Group, app: App, *, assigned: bool) -> None:
        if assigned:
            app.groups[group.id] = self.now()
        else:
            app.groups.pop(group.id, None)
        job = self.transaction("JOB")
        self.emit(
            job,
            "group.application_assignment." + ("add" if assigned else "remove"),
            group_target(group),
            app_target(app),
        )
        self._update_all(app, [self.org.users[i] for i in sorted(group.members)], job)

    def _update_all(self, app: App, users: list[User], transaction: Transaction) -> None:
        for user in users:
            self.update_assignment(user, app, transaction)

    def deactivate_app(self, app: App | str) -> None:
        """Assignments stay as they are. Okta support, "deprovisioning-behavior-…-inactive"."""
        self._set_app(self.app(app), "INACTIVE", "application.lifecycle.deactivate")

    def activate_app(self, app: App | str) -> None:
        self._set_app(self.app(app), "ACTIVE", "application.lifecycle.activate")

    def delete_app(self, app: App | str) -> None:
        """Only an inactive one; its assignments and mappings go with it, and nothing is sent."""
        app = self.app(app)
        if app.status != "INACTIVE":
            raise WorldError(f"deactivate first: {app.label}")
        for mapping in self.org.mappings_of(app):
            del self.org.mappings[mapping.id]
        app.deleted = True
        app.groups.clear()
        app.direct.clear()
        self.emit(self.transaction(), "application.lifecycle.delete", app_target(app))

    def _set_app(self, app: App, status: str, event_type: str) -> None:
        app.status, app.last_updated = status, self.now()
        instance = app_target(app)
        self.emit(self.transaction(), event_type, instance)

    def set_deprovisioning(self, app: App | str, *, enabled: bool) -> None:
        """Switch "Deactivate Users" for all apps; logged as Okta logs it."""
        app = self.app(app)
        self.switches.deprovisioning = enabled
        verb = "Start" if enabled else "Stop"
        self.emit(
            self.transaction(),
            "application.lifecycle.update",
            app_target(app),
            debug={"customMessage": f"{verb} deprovisioning unassigned users"},
        )

    def map_profile(
        self, app: App | str, *, user_name: str = "email", email: str = "email", push: bool = True
    ) -> None:
        """Of which attribute the application username and the primary address are made.

        Who is assigned keeps both until ``update_now``.
        """
        app = self.app(app)
        app.user_name, app.email, app.pushes_user_name = user_name, email, push

    def update_now(self, app: App | str) -> None:
        """The admin's "Update Now": everybody's application username and address, told anew."""
        app = self.app(app)
        for user_id, app_user in sorted(app.users.items()):
            user = self.org.users[user_id]
            app_user.user_name = user.attribute(app.user_name)
            self.push_profile(user, app)

    def log_app_user_update(self, user: User | str, app: App | str) -> None:
        """An event of an unrelated kind about an assignment that did not change."""
        user, app = self.user(user), self.app(app)
        targets = self.app_user_targets(app, app.users[user.id], user)
        self.emit(self.transaction(), "application.user_membership.update", *targets)

    # --- group push -------------------------------------------------------------------------

    def push_group(
        self, group: Group | str, app: App | str, name: str | None = None, *, link: bool = False
    ) -> Mapping:
        """Push an Okta group as ``name``; a second push to the same name shares the target.

        A group of that name that Okta does not push is a conflict (mapping in ERROR), unless
        ``link`` says that it is the one meant.
        """
        group, app = self.group(group), self.app(app)
        name = name or group.name
        directory = self.directory_of(app)
        if directory is None:
            raise WorldError(f"the app has no directory: {app.label}")
        shared = self._pushed_target(app, name)
        known = directory.group_named(name) is not None or self.organization.clashes(name)
        conflict = shared is None and known and not link
        goal = shared or self._new_group(name, "APP_GROUP", app)
        now = self.now()
        mapping = Mapping(self.ids.okta("gPm"), app.id, group.id, goal.id, now, now)
        self.org.mappings[mapping.id] = mapping
        self.emit(self.transaction(), PUSH + "mapping.created", *self.mapping_targets(mapping))
        if conflict:
            self.fail_mapping(mapping, "Resource [GROUP]: with displayName already exists.")
            return mapping
        if directory.group_named(name) is None:
            directory.add_group(ScimGroup(self.ids.uuid(), name, now, now))
        self.push_everything(mapping)
        return mapping

    def _pushed_target(self, app: App, name: str) -> Group | None:
        targets = {m.target_group_id for m in self.org.mappings_of(app)}
        groups = (self.org.groups[i] for i in sorted(targets))
        return next((g for g in groups if g.name == name), None)

    def push_now(self, mapping: Mapping | str) -> None:
        """The admin's "Push now": the one thing that reconciles, and makes what is not there.

        A local group of its name is in the way. Source: Atlassian community ba-p/1005475.
        """
        mapping = self.mapping(mapping)
        mapping.status, mapping.error_summary = "ACTIVE", None
        directory = self.directory_of(self.org.apps[mapping.app_id])
        name = self.org.groups[mapping.target_group_id].name
        if directory is not None and directory.group_named(name) is None:
            if self.organization.clashes(name):
                self.fail_mapping(mapping, "Resource [GROUP]: with displayName already exists.")
                return
            directory.add_group(ScimGroup(self.ids.uuid(), name, self.now(), self.now()))
        self.push_everything(mapping)

    def mapping(self, key: Mapping | str) -> Mapping:
        """By object, id, or name of the source group."""
        if isinstance(key, Mapping):
            return key
        for mapping in self.org.mappings.values():
            if key in (mapping.id, self.org.groups[mapping.source_group_id].name):
                return mapping
        raise WorldError(f"no such mapping: {key}")

    def set_mapping_status(
        self, mapping: Mapping | str, status: Literal["ACTIVE", "INACTIVE", "ERROR"]
    ) -> None:
        mapping = self.mapping(mapping)
        if status == "ERROR":
            self.fail_mapping(mapping, "Unable to update group membership.")
            return
        mapping.status, mapping.error_summary = status, None
        mapping.last_updated = self.now()
        verb = "activate_mapping" if status == "ACTIVE" else "deactivate_mapping"
        self.emit(self.transaction(), PUSH + verb, *self.mapping_targets(mapping))

    def delete_mapping(self, mapping: Mapping | str) -> None:
        """Push no more; the group stays in the directory."""
        mapping = self.mapping(mapping)
        del self.org.mappings[mapping.id]
        self.emit(self.transaction(), PUSH + "removed", *self.mapping_targets(mapping))
