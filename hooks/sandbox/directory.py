"""One Atlassian SCIM directory: its users, its groups, who is in which."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from .past import Past


@dataclass(eq=False)
class ScimUser:
    id: str
    user_name: str
    account_id: str | None
    created: datetime
    last_modified: datetime
    external_id: str | None = None
    active: bool = True
    display_name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    emails: list[dict[str, object]] = field(default_factory=list)
    title: str | None = None
    member_json: tuple[str, str, bytes] | None = None

    def as_member(self, base: str) -> bytes:
        """Its entry in ``Group.members``, kept ready: a group may have 35,000 of them."""
        if self.member_json is None or self.member_json[:2] != (base, self.user_name):
            entry = {
                "type": "User",
                "value": self.id,
                "display": self.user_name,
                "$ref": f"{base}/Users/{self.id}",
            }
            self.member_json = (base, self.user_name, json.dumps(entry).encode())
        return self.member_json[2]


@dataclass(eq=False)
class ScimGroup:
    """``members``: SCIM user ids, in the order they were added."""

    id: str
    display_name: str
    created: datetime
    last_modified: datetime
    members: dict[str, None] = field(default_factory=dict)


class Follower(Protocol):
    """A second store that trails this one, as Atlassian's organization does.

    Memberships it reads from here, as of an instant.
    """

    def user_changed(self, directory: "Directory", user: ScimUser, now: datetime) -> None: ...
    def user_switched(self, user: ScimUser, now: datetime) -> None: ...
    def user_deleted(self, user: ScimUser, groups: Iterable[ScimGroup], now: datetime) -> None: ...
    def group_added(self, directory: "Directory", group: ScimGroup, now: datetime) -> None: ...
    def group_deleted(self, group: ScimGroup) -> None: ...
    def member_changed(
        self, group: ScimGroup, user: ScimUser, now: datetime, *, member: bool
    ) -> None: ...


class Directory:
    """The state of one directory. Knows nothing of HTTP, of Okta, or of time passing.

    Every change of a membership goes through ``join`` and ``leave``, every other through a
    method that tells the follower.
    """

    def __init__(self, identity: str, name: str, key: str, app_id: str) -> None:
        self.id = identity
        self.name = name
        self.key = key
        self.app_id = app_id
        self.dead = False
        """A lapsed subscription: every call is answered 404."""
        self.key_expired = False
        self.users: dict[str, ScimUser] = {}
        self.groups: dict[str, ScimGroup] = {}
        self.past = Past()
        self.lag_on = False
        self.follower: Follower | None = None
        self._groups_of: dict[str, dict[str, None]] = {}
        self._by_user_name: dict[str, list[str]] = {}
        self._by_account: dict[str, list[str]] = {}

    # --- users ------------------------------------------------------------------------------

    def add_user(self, user: ScimUser) -> ScimUser:
        self.users[user.id] = user
        self._groups_of[user.id] = {}
        self._by_user_name.setdefault(user.user_name.lower(), []).append(user.id)
        if user.account_id is not None:
            self._by_account.setdefault(user.account_id, []).append(user.id)
        self.changed(user, user.last_modified)
        self.set_active(user, user.last_modified, active=user.active)
        return user

    def changed(self, user: ScimUser, now: datetime) -> None:
        """Call after writing to a record."""
        user.last_modified = now
        if self.follower is not None:
            self.follower.user_changed(self, user, now)

    def set_active(self, user: ScimUser, now: datetime, *, active: bool) -> None:
        user.active, user.last_modified = active, now
        if self.follower is not None:
            self.follower.user_switched(user, now)

    def rename_user(self, user: ScimUser, user_name: str) -> None:
        self._by_user_name[user.user_name.lower()].remove(user.id)
        user.user_name = user_name
        self._by_user_name.setdefault(user_name.lower(), []).append(user.id)

    def delete_user(self, user: ScimUser, now: datetime) -> None:
        groups = self.groups_of(user)
        for group in groups:
            self.leave(group, [user.id], now)
        self._by_user_name[user.user_name.lower()].remove(user.id)
        del self.users[user.id], self._groups_of[user.id]
        if self.follower is not None:
            self.follower.user_deleted(user, groups, now)

    def named(self, user_name: str) -> list[ScimUser]:
        """``userName`` does not distinguish case. Source: RFC 7643 section 4.1.1."""
        return [self.users[i] for i in self._by_user_name.get(user_name.lower(), [])]

    def linked(self, account_id: str) -> list[ScimUser]:
        """The records of this account."""
        found = (self.users.get(i) for i in self._by_account.get(account_id, []))
        return [user for user in found if user is not None and user.account_id == account_id]

    def with_external_id(self, external_id: str) -> list[ScimUser]:
        return [user for user in self.users.values() if user.external_id == external_id]

    # --- groups -----------------------------------------------------------------------------

    def add_group(self, group: ScimGroup) -> ScimGroup:
        self.groups[group.id] = group
        if self.follower is not None:
            self.follower.group_added(self, group, group.created)
        return group

    def delete_group(self, group: ScimGroup, now: datetime) -> None:
        self.leave(group, list(group.members), now)
        del self.groups[group.id]
        if self.follower is not None:
            self.follower.group_deleted(group)

    def group_named(self, name: str) -> ScimGroup | None:
        return next((g for g in self.groups.values() if g.display_name == name), None)

    # --- memberships ------------------------------------------------------------------------

    def join(self, group: ScimGroup, user_ids: Iterable[str], now: datetime) -> None:
        for user_id in user_ids:
            if user_id not in group.members:
                self._remember(group, user_id, now, member=False)
                group.members[user_id] = None
                self._groups_of[user_id][group.id] = None
                group.last_modified = now
                self._tell(group, user_id, now, member=True)

    def leave(self, group: ScimGroup, user_ids: Iterable[str], now: datetime) -> None:
        for user_id in user_ids:
            if user_id in group.members:
                self._remember(group, user_id, now, member=True)
                del group.members[user_id]
                del self._groups_of[user_id][group.id]
                group.last_modified = now
                self._tell(group, user_id, now, member=False)

    def _tell(self, group: ScimGroup, user_id: str, now: datetime, *, member: bool) -> None:
        if self.follower is not None:
            self.follower.member_changed(group, self.users[user_id], now, member=member)

    def _remember(self, group: ScimGroup, user_id: str, now: datetime, *, member: bool) -> None:
        if self.lag_on:
            self.past.record(now, "member", (group.id, user_id), member)

    def members_at(self, group: ScimGroup, at: datetime) -> Iterator[ScimUser]:
        members = dict(group.members)
        for (group_id, user_id), member in self._old_memberships(at).items():
            if group_id == group.id:
                members.pop(user_id, None)
                if member:
                    members[user_id] = None
        return (self.users[i] for i in members if i in self.users)

    def groups_at(self, user: ScimUser, at: datetime) -> list[ScimGroup]:
        groups = dict(self._groups_of[user.id])
        for (group_id, user_id), member in self._old_memberships(at).items():
            if user_id == user.id:
                groups.pop(group_id, None)
                if member:
                    groups[group_id] = None
        return [self.groups[i] for i in groups if i in self.groups]

    def _old_memberships(self, at: datetime) -> dict[tuple[str, str], bool]:
        """Memberships that changed after ``at``, as they were then."""
        old: dict[tuple[str, str], bool] = {}
        for change in self.past.since(at, "member"):
            old.setdefault(change.key, change.old)
        return old

    def groups_of(self, user: ScimUser) -> list[ScimGroup]:
        return [self.groups[i] for i in self._groups_of[user.id]]
