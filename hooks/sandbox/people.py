"""What admins and HR systems do to people, and the events Okta logs for it."""

from functools import partial

from .base import user_target
from .directory import Directory
from .org import App, AppUserState, User, UserState, WorldError
from .provisioning import Provisioning
from .system_log import Json, Transaction, target


class People(Provisioning):
    """Verbs on Okta users. Each is one transaction, as one click or one import would be."""

    def add_user(
        self,
        login: str,
        *,
        status: str = "ACTIVE",
        first_name: str | None = None,
        last_name: str = "Example",
        imported: bool = False,
    ) -> User:
        """Create a person; everybody is in ``Everyone``. ``imported``: an HR system did it."""
        if self.org.find_user(login) is not None:
            raise WorldError(f"login taken: {login}")
        now = self.now()
        first = first_name or login.split("@", maxsplit=1)[0].capitalize()
        user = User(self.ids.okta("00u"), UserState(status, login), first, last_name, now, now, now)
        self.org.users[user.id] = user
        self.org.logins[login.lower()] = user.id
        for group in self.org.groups.values():
            if group.type == "BUILT_IN":
                group.members.add(user.id)
                self.org.groups_of.setdefault(user.id, set()).add(group.id)
        transaction = self.transaction("JOB" if imported else "WEB")
        self.emit(transaction, "user.lifecycle.create", user_target(user))
        return user

    def stage_user(self, login: str) -> User:
        """An HR system announces somebody: STAGED, until activated."""
        return self.add_user(login, status="STAGED", imported=True)

    def deactivate(self, user: User | str, *, imported: bool = False) -> None:
        """Status DEPROVISIONED, every active app unassigned; the groups stay.

        Source: Okta support, "can-we-assign-applications-to-deactivated-users".
        """
        user = self.user(user)
        if (user.status, user.state.transitioning_to) == ("DEPROVISIONED", None):
            raise WorldError(f"already deactivated: {user.login}")
        uri = f"/api/v1/users/{user.id}/lifecycle/deactivate"
        transaction = self.transaction("JOB" if imported else "WEB", uri)
        self.change_user(user, user.status, "DEPROVISIONED")
        self.emit(transaction, "user.lifecycle.deactivate", user_target(user))
        self.emit(transaction, "user.session.clear", user_target(user))
        self.later(self.switches.deactivation_delay, lambda: self._gone(user, transaction))

    def _gone(self, user: User, transaction: Transaction) -> None:
        if user.state.transitioning_to != "DEPROVISIONED":
            return
        self.change_user(user, "DEPROVISIONED")
        for app in self.org.apps.values():
            if app.status == "ACTIVE":
                app.direct.discard(user.id)
                self.update_assignment(user, app, transaction)

    def activate(self, user: User | str, *, imported: bool = False) -> None:
        """Status ACTIVE; assignments through groups come back in the same transaction.

        ``imported``: an HR system did it, then ``user.lifecycle.reactivate`` comes first.
        """
        user = self.user(user)
        job = imported and self.switches.import_reactivates
        uri = f"/api/v1/users/{user.id}/lifecycle/activate"
        transaction = self.transaction("JOB" if imported else "WEB", uri)
        if job:
            self.emit(transaction, "user.lifecycle.reactivate", user_target(user))
        if self.switches.activation_delay > 0:
            self.change_user(user, self.switches.activating_as, "ACTIVE")
        else:
            self.change_user(user, "ACTIVE")
        self.emit(transaction, "user.lifecycle.activate", user_target(user))
        self.later(self.switches.activation_delay, lambda: self._active(user, transaction))

    def _active(self, user: User, transaction: Transaction) -> None:
        if user.state.transitioning_to == "ACTIVE":
            self.change_user(user, "ACTIVE")
        if user.status != "ACTIVE" or user.state.transitioning_to is not None:
            return
        for app in self.org.apps.values():
            if app.status == "ACTIVE":
                self._activate_in(app, user, transaction)

    def _activate_in(self, app: App, user: User, transaction: Transaction) -> None:
        app_user = app.users.get(user.id)
        if app_user is not None and app_user.in_force and app_user.last_sync is None:
            # Assigned while STAGED: Okta provisions only now.
            self.later(self.switches.provisioning_delay, lambda: self.provision(user, app))
        self.update_assignment(user, app, transaction)

    def suspend(self, user: User | str) -> None:
        """Groups and assignments are retained. Source: Okta OpenAPI suspendUser."""
        self._set(user, "SUSPENDED", "user.lifecycle.suspend")

    def unsuspend(self, user: User | str) -> None:
        self._set(user, "ACTIVE", "user.lifecycle.unsuspend")

    def unlock(self, user: User | str) -> None:
        self._set(user, "ACTIVE", "user.account.unlock")

    def expire_password(self, user: User | str) -> None:
        self._set(user, "PASSWORD_EXPIRED", "user.account.expire_password")

    def _set(self, user: User | str, status: str, event_type: str) -> None:
        user = self.user(user)
        self.change_user(user, status)
        self.emit(self.transaction(), event_type, user_target(user))

    def lock(self, user: User | str) -> None:
        """The person is the actor, and the event has no target. Source: Okta event catalogue."""
        user = self.user(user)
        self.change_user(user, "LOCKED_OUT")
        person: Json = target("User", user.id, user.name, user.login)
        self.emit(
            Transaction(self.ids.transaction(), "WEB", person, "/api/v1/authn"),
            "user.account.lock",
            outcome="FAILURE",
            reason="LOCKED_OUT",
        )

    def delete_user(self, user: User | str) -> None:
        """Gone for good: 404 from now on, nothing is sent to any app. Okta docs "concepts/scim"."""
        user = self.user(user)
        if user.status != "DEPROVISIONED":
            raise WorldError(f"deactivate first: {user.login}")
        transaction = self.transaction(uri=f"/api/v1/users/{user.id}")
        self.emit(transaction, "user.lifecycle.delete.initiated", user_target(user))
        for group_id in list(self.org.groups_of.get(user.id, ())):
            self.org.groups[group_id].members.discard(user.id)
        self.org.groups_of.pop(user.id, None)
        user.deleted = True
        if self.org.logins.get(user.login.lower()) == user.id:
            del self.org.logins[user.login.lower()]
        self.emit(transaction, "user.lifecycle.delete.completed", user_target(user))

    def rename_login(self, user: User | str, login: str) -> None:
        """A new login; AppUsers and SCIM records keep the old name until the next assignment."""
        user = self.user(user)
        del self.org.logins[user.login.lower()]
        self.org.logins[login.lower()] = user.id
        state = user.state
        self.change_user(user, state.status, state.transitioning_to)
        user.state.login = login
        self.emit(self.transaction(), "user.account.update_profile", user_target(user))

    def change_login(self, user: User | str, login: str) -> None:
        """A new name, as after a marriage: Okta tells every app that has the person.

        The SCIM record keeps its id, the Atlassian account too; both get the new address.
        """
        user = self.user(user)
        self.rename_login(user, login)
        for app in self.org.apps.values():
            app_user = app.users.get(user.id)
            if app_user is not None and app_user.in_force:
                app_user.user_name = user.attribute(app.user_name)
                delay = self.switches.provisioning_delay
                self.later(delay, partial(self.push_profile, user, app))

    def set_email(self, user: User | str, email: str) -> None:
        """An address that is not the login; an app hears of it when Okta next tells it."""
        user = self.user(user)
        user.email = email
        self.emit(self.transaction(), "user.account.update_profile", user_target(user))

    def rehire(self, login: str, *, delete_old: bool = True, reuse_record: bool = True) -> User:
        """The same login under a new Okta id.

        ``reuse_record``: the next assignment finds the old SCIM record by its ``userName``;
        otherwise that record is renamed out of the way first. Without ``delete_old`` the old
        Okta user stays, deactivated, under another login.
        """
        old = self.user(login)
        if old.status != "DEPROVISIONED":
            self.deactivate(old)
        if delete_old:
            self.delete_user(old)
        else:
            self.rename_login(old, f"former.{login}")
        if not reuse_record:
            for directory in self.directories.values():
                self._set_aside(directory, login)
        return self.add_user(login)

    def _set_aside(self, directory: Directory, login: str) -> None:
        for record in directory.named(login):
            directory.rename_user(record, f"former.{record.id[:8]}.{login}")

    def set_status(
        self, user: User | str, status: str, transitioning_to: str | None = None
    ) -> None:
        """Any status, also one nobody knows; logs nothing, moves no assignment."""
        self.change_user(self.user(user), status, transitioning_to)

    def set_app_user_status(self, user: User | str, app: App | str, status: str) -> None:
        """Any AppUser status while it stays readable; logs nothing, sends nothing."""
        app_user = self.app(app).users[self.user(user).id]
        self.change_app_user(
            app_user,
            AppUserState(assigned=True, status=status, external_id=app_user.state.external_id),
        )
