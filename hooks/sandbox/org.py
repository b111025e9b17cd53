"""The Okta org as it is now: people, groups, apps, AppUsers, push mappings, hooks."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

IN_FORCE = frozenset({"ACTIVE", "PROVISIONED", "IMPLICIT", "APPROVED", "PENDING", "STAGED"})


class WorldError(Exception):
    """The world knows no such thing, or the verb makes no sense now."""


@dataclass
class UserState:
    """What ``GET /users/{id}`` shows and lags behind."""

    status: str
    login: str
    transitioning_to: str | None = None


@dataclass(eq=False)
class User:
    id: str
    state: UserState
    first_name: str
    last_name: str
    created: datetime
    status_changed: datetime
    last_updated: datetime
    deleted: bool = False
    email: str | None = None
    """The address in the profile, if it is not the login."""

    def attribute(self, name: str) -> str:
        """What the profile says under this name: ``login`` or ``email``."""
        return self.login if name == "login" else self.email or self.login

    @property
    def login(self) -> str:
        return self.state.login

    @property
    def status(self) -> str:
        return self.state.status

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"


@dataclass(eq=False)
class Group:
    """An Okta group; ``members`` are user ids."""

    id: str
    name: str
    type: str
    created: datetime
    last_updated: datetime
    members_updated: datetime
    members: set[str] = field(default_factory=set)
    app_id: str | None = None
    deleted: bool = False


@dataclass
class AppUserState:
    """What ``GET /apps/{id}/users/{id}`` shows and lags behind; ``assigned`` False: 404."""

    assigned: bool
    status: str
    external_id: str | None = None


@dataclass(eq=False)
class AppUser:
    id: str
    app_id: str
    user_id: str
    user_name: str
    state: AppUserState
    scope: Literal["USER", "GROUP"]
    created: datetime
    status_changed: datetime
    last_sync: datetime | None = None

    @property
    def in_force(self) -> bool:
        return self.state.assigned and self.state.status in IN_FORCE


@dataclass(eq=False)
class App:
    """``users``: AppUsers by user id, those released included; ``direct``: ids assigned by hand.

    ``user_name`` and ``email`` name the attributes that Okta makes the application username and
    the app's primary address of; ``pushes_user_name``: "Create and update". Source: Atlassian,
    "Configure user provisioning with Okta".
    """

    id: str
    label: str
    created: datetime
    last_updated: datetime
    status: str = "ACTIVE"
    users: dict[str, AppUser] = field(default_factory=dict)
    groups: dict[str, datetime] = field(default_factory=dict)
    direct: set[str] = field(default_factory=set)
    deleted: bool = False
    user_name: str = "email"
    email: str = "email"
    pushes_user_name: bool = True


@dataclass(eq=False)
class Mapping:
    """A group push mapping. ``pushed`` is what Okta believes it has pushed: user ids."""

    id: str
    app_id: str
    source_group_id: str
    target_group_id: str
    created: datetime
    last_updated: datetime
    last_push: datetime | None = None
    status: str = "ACTIVE"
    error_summary: str | None = None
    pushed: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Hook:
    """An event hook; ``value`` is the secret, written and never read back."""

    id: str
    name: str
    uri: str
    types: list[str]
    created: datetime
    last_updated: datetime
    created_by: str
    key: str = "Authorization"
    value: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    description: str | None = None
    filter: dict[str, Any] | None = None
    status: str = "ACTIVE"
    verification: str = "UNVERIFIED"
    routed: datetime | None = None
    """From when on events come, if it was verified a moment ago."""

    @property
    def listening(self) -> bool:
        return self.status == "ACTIVE" and self.verification == "VERIFIED"

    def hears(self, event_type: str, now: datetime) -> bool:
        """Events of this type are put by for it, before its filter."""
        late = self.routed is not None and now < self.routed
        return self.listening and event_type in self.types and not late


@dataclass
class Org:
    """Plain state; the verbs that change it stand elsewhere."""

    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    groups_of: dict[str, set[str]] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    mappings: dict[str, Mapping] = field(default_factory=dict)
    hooks: dict[str, Hook] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)

    def find_user(self, key: str) -> User | None:
        """By id or login; deleted people are not found."""
        user = self.users.get(key) or self.users.get(self.logins.get(key.lower(), ""))
        return None if user is None or user.deleted else user

    def find_group(self, key: str) -> Group | None:
        """By id, or by the name of a group that people administer in Okta."""
        found = self.groups.get(key)
        if found is None:
            named = [g for g in self.groups.values() if g.name == key and not g.deleted]
            named.sort(key=lambda g: g.type == "APP_GROUP")
            found = named[0] if named else None
        return None if found is None or found.deleted else found

    def find_app(self, key: str) -> App | None:
        named = (app for app in self.apps.values() if key in (app.id, app.label))
        return next((app for app in named if not app.deleted), None)

    def mappings_from(self, group: Group) -> list[Mapping]:
        return [m for m in self.mappings.values() if m.source_group_id == group.id]

    def mappings_of(self, app: App) -> list[Mapping]:
        return [m for m in self.mappings.values() if m.app_id == app.id]

    def should_be_assigned(self, user: User, app: App) -> bool:
        """By hand or through a group, and not on the way out."""
        if user.deleted or "DEPROVISIONED" in (user.status, user.state.transitioning_to):
            return False
        return user.id in app.direct or self.through_group(user, app)

    def through_group(self, user: User, app: App) -> bool:
        return not self.groups_of.get(user.id, set()).isdisjoint(app.groups)
