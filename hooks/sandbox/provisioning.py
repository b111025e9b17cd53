"""What Okta itself writes into the SCIM directory of an app, and what it forgets to write.

Source of the rules: Okta docs "concepts/scim" (only ``active`` is sent, never a DELETE),
Atlassian community ba-p/2349197 (no removal is pushed for people whose AppUser is not in
force; nothing ever reconciles but a manual push).
"""

from .base import Ground, app_target, group_target, user_target
from .directory import Directory, ScimGroup, ScimUser
from .org import App, AppUser, AppUserState, Mapping, User
from .system_log import Json, Transaction

PUSH = "application.provision.group_push."
IGNORED = "app.user_management.grouppush.mapping.okta.users.ignored"


class Provisioning(Ground):
    """Assignments to an app and what they set off in its directory."""

    def update_assignment(self, user: User, app: App, transaction: Transaction) -> None:
        """Assign or unassign the person as direct and group assignments now demand."""
        app_user = app.users.get(user.id)
        assigned = app_user is not None and app_user.state.assigned
        wanted = self.org.should_be_assigned(user, app)
        if wanted and not assigned:
            self._assign(user, app, transaction)
        elif assigned and not wanted:
            self._unassign(user, app, transaction)
        elif app_user is not None and wanted:
            app_user.scope = "USER" if user.id in app.direct else "GROUP"

    def change_app_user(self, app_user: AppUser, state: AppUserState) -> None:
        self.remember(
            self.switches.app_user_lag,
            "app_user",
            (app_user.app_id, app_user.user_id),
            app_user.state,
        )
        app_user.status_changed = self.now()
        app_user.state = state

    def _assign(self, user: User, app: App, transaction: Transaction) -> None:
        old = app.users.get(user.id)
        external_id = old.state.external_id if old else None
        if old is None or not self.switches.app_user_id_reused:
            app_user = AppUser(
                self.ids.okta("0ua"),
                app.id,
                user.id,
                user.attribute(app.user_name),
                old.state if old else AppUserState(assigned=False, status="STAGED"),
                "GROUP",
                self.now(),
                self.now(),
            )
            app.users[user.id] = app_user
        else:
            app_user = old
        app_user.scope = "USER" if user.id in app.direct else "GROUP"
        provisioned = self.directory_of(app) is not None
        status = "STAGED" if provisioned else "ACTIVE"
        self.change_app_user(
            app_user, AppUserState(assigned=True, status=status, external_id=external_id)
        )
        self.emit(
            transaction,
            "application.user_membership.add",
            *self.app_user_targets(app, app_user, user),
        )
        if provisioned and user.status != "STAGED":
            self.later(self.switches.provisioning_delay, lambda: self.provision(user, app))

    def _unassign(self, user: User, app: App, transaction: Transaction) -> None:
        app_user = app.users[user.id]
        status = self.switches.unassigned_app_user
        readable = status != "404"
        state = app_user.state
        self.change_app_user(
            app_user,
            AppUserState(
                assigned=False,
                status=status if readable else "DEPROVISIONED",
                external_id=state.external_id,
            ),
        )
        self.emit(
            transaction,
            "application.user_membership.remove",
            *self.app_user_targets(app, app_user, user),
        )
        if self.switches.forget_pushed_on_unassign:
            for mapping in self.org.mappings_of(app):
                mapping.pushed.discard(user.id)
        if self.switches.deprovisioning and self.directory_of(app) is not None:
            self.later(self.switches.provisioning_delay, lambda: self._land_release(user, app))

    # --- landings ---------------------------------------------------------------------------

    def provision(self, user: User, app: App) -> None:
        app_user, directory = app.users[user.id], self.directory_of(app)
        if not app_user.in_force or app.status != "ACTIVE" or directory is None:
            return
        record = self._own_record(directory, user, app)
        known = record is not None
        if record is None:
            record = self._new_record(directory, user, app)
        self._link(directory, record, user, app_user)
        app_user.last_sync = self.now()
        status = self.switches.app_user_status
        self.change_app_user(
            app_user, AppUserState(assigned=True, status=status, external_id=record.id)
        )
        kind = "reactivate" if known else "push"
        self.emit(
            self.transaction("JOB"),
            f"application.provision.user.{kind}",
            *self.app_user_targets(app, app_user, user),
        )
        for mapping in self.org.mappings_of(app):
            if user.id in self.org.groups[mapping.source_group_id].members:
                self.push_delta(mapping, user, added=True)

    def _land_release(self, user: User, app: App) -> None:
        app_user, directory = app.users[user.id], self.directory_of(app)
        if app_user.in_force or app.status != "ACTIVE" or directory is None:
            return
        record = directory.users.get(app_user.state.external_id or "")
        if record is None:
            return
        directory.set_active(record, self.now(), active=False)
        self.emit(
            self.transaction("JOB"),
            "application.provision.user.deactivate",
            *self.app_user_targets(app, app_user, user),
        )

        delay = self.switches.granular_deprovisioning
        if delay is not None:
            self.later(delay, lambda: self._remove_entitlements(user, app))

    def _remove_entitlements(self, user: User, app: App) -> None:
        """Granular deprovisioning: Okta itself takes the groups it pushed. Okta 2026.07.3."""
        app_user, directory = app.users[user.id], self.directory_of(app)
        record = directory.users.get(app_user.state.external_id or "") if directory else None
        if app_user.in_force or directory is None or record is None:
            return
        for mapping in self.org.mappings_of(app):
            found = self._target(mapping)
            if found is not None and user.id in mapping.pushed:
                directory.leave(found[1], [record.id], self.now())
                mapping.pushed.discard(user.id)
        self.emit(
            self.transaction("JOB"),
            "application.provision.user.remove_entitlements",
            *self.app_user_targets(app, app_user, user),
        )

    def push_profile(self, user: User, app: App) -> None:
        """Tell the directory the person's name and address."""
        app_user, directory = app.users[user.id], self.directory_of(app)
        record = directory.users.get(app_user.state.external_id or "") if directory else None
        if not app_user.in_force or app.status != "ACTIVE" or directory is None or record is None:
            return
        directory.rename_user(record, app_user.user_name)
        address = user.attribute(app.email)
        record.emails = [{"value": address, "type": "work", "primary": True}]
        directory.changed(record, self.now())
        self.emit(
            self.transaction("JOB"),
            "application.provision.user.push_profile",
            *self.app_user_targets(app, app_user, user),
        )

    def _own_record(self, directory: Directory, user: User, app: App) -> ScimUser | None:
        """The record Okta links: the one it knows, else the one of this ``userName``."""
        known = directory.users.get(app.users[user.id].state.external_id or "")
        if known is not None:
            return known
        named = directory.named(user.attribute(app.user_name))
        return named[0] if named else None

    def _new_record(self, directory: Directory, user: User, app: App) -> ScimUser:
        """Atlassian knows people by their address. Source: as of ``App``."""
        address = user.attribute(app.email)
        return directory.add_user(
            ScimUser(
                id=self.ids.uuid(),
                user_name=user.attribute(app.user_name),
                account_id=self.account_id(address),
                created=self.now(),
                last_modified=self.now(),
                display_name=user.name,
                given_name=user.first_name,
                family_name=user.last_name,
                emails=[{"value": address, "type": "work", "primary": True}],
            )
        )

    def _link(self, directory: Directory, record: ScimUser, user: User, app_user: AppUser) -> None:
        directory.set_active(record, self.now(), active=True)
        if record.user_name != app_user.user_name:
            directory.rename_user(record, app_user.user_name)
        match self.switches.scim_external_id:
            case "okta_id":
                record.external_id = user.id
            case "absent":
                record.external_id = None
            case "other":
                record.external_id = f"employee-{app_user.id[-6:]}"

    # --- group push -------------------------------------------------------------------------

    def push_delta(self, mapping: Mapping, user: User, *, added: bool) -> None:
        """Later, send one change of membership; what holds then decides, not what holds now."""
        delay = self.switches.group_push_delay
        if delay is None:
            delay = self.switches.provisioning_delay
        self.later(delay, lambda: self._land_delta(mapping, user, added=added))

    def _land_delta(self, mapping: Mapping, user: User, *, added: bool) -> None:
        app = self.org.apps[mapping.app_id]
        in_source = user.id in self.org.groups[mapping.source_group_id].members
        if mapping.id not in self.org.mappings or mapping.status != "ACTIVE":
            return
        if app.status != "ACTIVE" or in_source is not added:
            return
        if added == (user.id in mapping.pushed):  # Okta believes there is nothing to send
            return
        found = self._target(mapping)
        if found is None:
            self.fail_mapping(mapping, "Target group not found.")
            return
        directory, group = found
        record = self._pushable(mapping, user, directory)
        if record is None:
            self._skip(mapping, user, added=added)
            return
        if added:
            directory.join(group, [record.id], self.now())
            mapping.pushed.add(user.id)
        else:
            if not self._held_by_another(mapping, user):
                directory.leave(group, [record.id], self.now())
            mapping.pushed.discard(user.id)
        self._pushed(mapping, "push_memberships", user_target(user))

    def _skip(self, mapping: Mapping, user: User, *, added: bool) -> None:
        if not added and self.switches.forget_pushed_on_skip:
            mapping.pushed.discard(user.id)
        self.emit(
            self.transaction("JOB"), IGNORED, *self.mapping_targets(mapping), user_target(user)
        )

    def _pushable(self, mapping: Mapping, user: User, directory: Directory) -> ScimUser | None:
        """The person's record, if Okta is willing to push this person."""
        app_user = self.org.apps[mapping.app_id].users.get(user.id)
        if app_user is None:
            return None
        if not app_user.in_force and not self.switches.push_inactive_app_users:
            return None
        return directory.users.get(app_user.state.external_id or "")

    def _held_by_another(self, mapping: Mapping, user: User) -> bool:
        return any(
            other.target_group_id == mapping.target_group_id
            and other is not mapping
            and other.status == "ACTIVE"
            and user.id in other.pushed
            for other in self.org.mappings.values()
        )

    def push_everything(self, mapping: Mapping) -> None:
        """A full push: the target ends with exactly the pushable members of its sources."""
        found = self._target(mapping)
        if found is None:
            self.fail_mapping(mapping, "Target group not found.")
            return
        directory, group = found
        wanted: dict[str, None] = {}
        for other in self.org.mappings.values():
            if other.target_group_id != mapping.target_group_id or other.status != "ACTIVE":
                continue
            other.pushed = set()
            for user_id in sorted(self.org.groups[other.source_group_id].members):
                record = self._pushable(other, self.org.users[user_id], directory)
                if record is not None:
                    other.pushed.add(user_id)
                    wanted[record.id] = None
        directory.leave(group, [i for i in list(group.members) if i not in wanted], self.now())
        directory.join(group, wanted, self.now())
        self._pushed(mapping, "pushed")

    def _target(self, mapping: Mapping) -> tuple[Directory, ScimGroup] | None:
        directory = self.directory_of(self.org.apps[mapping.app_id])
        target_group = self.org.groups[mapping.target_group_id]
        group = directory.group_named(target_group.name) if directory else None
        return None if directory is None or group is None else (directory, group)

    def fail_mapping(self, mapping: Mapping, summary: str) -> None:
        mapping.status, mapping.error_summary = "ERROR", summary
        mapping.last_updated = self.now()
        self.emit(
            self.transaction("JOB"),
            PUSH + "mapping.update.or.delete.failed.with.error",
            *self.mapping_targets(mapping),
            outcome="FAILURE",
            reason=summary,
            severity="ERROR",
        )

    def _pushed(self, mapping: Mapping, what: str, *more: Json) -> None:
        mapping.last_push = self.now()
        self.emit(self.transaction("JOB"), PUSH + what, *self.mapping_targets(mapping), *more)

    def mapping_targets(self, mapping: Mapping) -> tuple[Json, Json]:
        app = self.org.apps[mapping.app_id]
        source = self.org.groups[mapping.source_group_id]
        return group_target(source), app_target(app)
