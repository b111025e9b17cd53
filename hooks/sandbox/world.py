"""The world both vendors live in: what a test sets up, acts on, and asserts about."""

import math
import re
from collections import Counter, deque
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Literal

from .base import utc_now
from .credentials import Credentials
from .directory import Directory, ScimGroup, ScimUser
from .faults import Fault, Observer, Request, Traffic, Vendor
from .org import App, Group, Hook, User, WorldError
from .organization.groups import LocalGroups
from .system_log import Json, iso

__all__ = ["World", "WorldError"]


class World(LocalGroups):
    """Okta and Atlassian in memory.

    Verbs of the Okta side do what an admin or HR system would do, log what Okta would log,
    and provision into the directory as Okta would. Verbs on accounts and local groups do what
    an Atlassian admin would. Things are named by object, id or name.
    """

    def __init__(self, now: Callable[[], datetime] = utc_now, seed: int = 0) -> None:
        super().__init__(now, seed)
        self.traffic = Traffic()
        self.credentials = Credentials(self.ids, self.noise)
        self.hidden: dict[str, Literal["403", "404", "empty"]] = {}
        self.announced: set[str] = set()
        self.everyone = self._new_group("Everyone", "BUILT_IN")

    # --- what the tests look at -------------------------------------------------------------

    @property
    def counters(self) -> Counter[tuple[str, str, str]]:
        """Requests by vendor, method and path template (``/api/v1/users/{id}``)."""
        return self.traffic.counters

    @property
    def requests(self) -> deque[Request]:
        return self.traffic.requests

    @property
    def violations(self) -> list[str]:
        """Every call a careful client never makes."""
        return self.traffic.violations

    def changes(self, user: User | str | None = None) -> list[Request]:
        """What Atlassian was asked to change, of one person or of anybody; searches change nothing.

        Whether it had an effect or not: after an answer of Okta failed there must be none.
        """
        names = self._names(user) if user is not None else frozenset()
        return [
            request
            for request in self.requests
            if request.vendor != "okta"
            and request.method not in ("GET", "HEAD")
            and not request.path.endswith(("/search", "/get-scim-links-for-email"))
            and (not names or request.names(names))
        ]

    @property
    def observer(self) -> Observer | None:
        """Awaited as ``(phase, vendor, method, path, n)`` before handling and before answering."""
        return self.traffic.observer

    @observer.setter
    def observer(self, observer: Observer | None) -> None:
        self.traffic.observer = observer

    def members(self, directory: Directory | str, group_name: str) -> set[str]:
        """Logins (``userName``) in a SCIM group, now."""
        self.tick()
        directory = self.directory(directory)
        return {directory.users[i].user_name for i in self._group(directory, group_name).members}

    def groups_of(self, directory: Directory | str, login: str) -> set[str]:
        """Names of the SCIM groups of all records with this ``userName``, now."""
        self.tick()
        directory = self.directory(directory)
        records = directory.named(login)
        return {group.display_name for user in records for group in directory.groups_of(user)}

    def entitled(self, directory: Directory | str, login: str) -> set[str]:
        """Names of the pushed groups Okta now implies; empty if the AppUser is not in force."""
        self.tick()
        app = self.org.apps[self.directory(directory).app_id]
        user = self.org.find_user(login)
        app_user = app.users.get(user.id) if user else None
        if user is None or app_user is None or not app_user.in_force:
            return set()
        return {
            self.org.groups[mapping.target_group_id].name
            for mapping in self.org.mappings_of(app)
            if mapping.status == "ACTIVE"
            and user.id in self.org.groups[mapping.source_group_id].members
        }

    def snapshot(self) -> Json:
        """Everything that matters, to compare with ``==``."""
        self.tick()
        return deepcopy(
            {
                "users": {u.id: (u.login, u.status, u.deleted) for u in self.org.users.values()},
                "okta_groups": {
                    g.id: (g.name, g.deleted, sorted(g.members)) for g in self.org.groups.values()
                },
                "app_users": {
                    (app.id, i): vars(app_user.state)
                    for app in self.org.apps.values()
                    for i, app_user in app.users.items()
                },
                "mappings": {m.id: m.status for m in self.org.mappings.values()},
                "directories": {
                    d.id: {
                        "users": {
                            u.id: (u.user_name, u.active, u.external_id) for u in d.users.values()
                        },
                        "groups": {g.display_name: sorted(g.members) for g in d.groups.values()},
                    }
                    for d in self.directories.values()
                },
                "organization": self._organization(),
            }
        )

    def _organization(self) -> Json:
        organization, at = self.organization, self.now()
        return {
            "accounts": {
                a.id: (a.email, a.status, a.membership, a.claim, a.roles)
                for a in organization.accounts.values()
            },
            "groups": {
                g.id: (g.name, g.synced, sorted(organization.members_at(g, at)))
                for g in organization.groups.values()
            },
        }

    # --- trouble ----------------------------------------------------------------------------

    def fault(
        self,
        vendor: Vendor | None = None,
        method: str | None = None,
        path: str | None = None,
        *,
        user: User | str | None = None,
        **trouble: Any,
    ) -> Fault:
        """Add trouble for matching requests; the first fault that matches strikes.

        ``vendor``: okta, scim (a directory), org (the organization's admin API) or jira.
        ``path`` is a regex searched in path and query; ``user`` any id or login of the person;
        ``when`` is a predicate on the request. ``skip`` lets the first n pass, ``times`` ends it.
        The trouble itself: ``status`` with ``body`` and ``headers`` (the vendor's own error body
        if none is given), ``redirect``; ``delay`` or ``hang`` in seconds, or ``takes`` (in all,
        whatever this process itself needs); ``drop`` (closed without a reply), ``drop_after``
        (applied, reply lost), ``truncate`` (half the JSON),
        ``cut`` (connection closed inside the body); ``empty_list``, ``drop_next``,
        ``foreign_next``, ``repeat_next`` (a list that lies).
        """
        names = self._names(user) if user is not None else frozenset()
        fault = Fault(vendor=vendor, method=method, path=path, names=names, **trouble)
        if path is not None:
            re.compile(path)
        self.traffic.faults.append(fault)
        return fault

    def throttle(self, vendor: Vendor, seconds: int, *, times: int | None = None) -> Fault:
        """Answer 429 with the headers this vendor would send, a reset ``seconds`` from now."""
        reset = self.ago(-seconds)
        if vendor == "okta":
            headers = {
                "X-Rate-Limit-Limit": str(self.switches.okta_rate_limit),
                "X-Rate-Limit-Remaining": "0",
                "X-Rate-Limit-Reset": str(math.ceil(reset.timestamp())),
            }
        else:
            form = self.switches.retry_after
            date = format_datetime(reset.astimezone(UTC), usegmt=True)
            headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": iso(reset)}
            if form != "absent":
                headers["Retry-After"] = date if form == "date" else str(seconds)
        return self.fault(vendor, status=429, headers=headers, times=times)

    def clear(self, fault: Fault | None = None) -> None:
        """Remove one fault, or all."""
        if fault is None:
            self.traffic.faults.clear()
        elif fault in self.traffic.faults:
            self.traffic.faults.remove(fault)

    def hide(
        self, *things: User | Group | App | str, mode: Literal["403", "404", "empty"] = "403"
    ) -> None:
        """Put things out of the credential's reach.

        Okta leaves them out of every list. Read by id they answer ``mode``; ``empty``: an
        app's lists answer 200 with nothing in them.
        """
        for thing in things:
            self.hidden[thing if isinstance(thing, str) else thing.id] = mode

    def unhide(self, *things: User | Group | App | str) -> None:
        for thing in things:
            self.hidden.pop(thing if isinstance(thing, str) else thing.id, None)

    def _names(self, user: User | str) -> frozenset[str]:
        user = self.user(user)
        records = [
            record
            for directory in self.directories.values()
            for record in directory.users.values()
            if record.user_name == user.login or record.external_id == user.id
        ]
        accounts = {record.account_id for record in records if record.account_id is not None}
        return frozenset({user.id, user.login, *accounts, *(record.id for record in records)})

    # --- hooks ------------------------------------------------------------------------------

    def add_hook(
        self,
        uri: str,
        secret: str,
        types: list[str],
        *,
        key: str = "Authorization",
        verified: bool = True,
        name: str = "sandbox hook",
    ) -> Hook:
        """An event hook that is already there, without the API."""
        now = self.now()
        hook = Hook(
            self.ids.okta("who"),
            name,
            uri,
            list(types),
            now,
            now,
            str(self.admin["id"]),
            key=key,
            value=secret,
            verification="VERIFIED" if verified else "UNVERIFIED",
        )
        self.org.hooks[hook.id] = hook
        return hook

    # --- SCIM, by hand ----------------------------------------------------------------------

    def add_scim_group(self, directory: Directory | str, name: str) -> ScimGroup:
        """A group of the directory that no mapping manages."""
        directory = self.directory(directory)
        return directory.add_group(ScimGroup(self.ids.uuid(), name, self.now(), self.now()))

    def add_scim_user(
        self,
        directory: Directory | str,
        login: str,
        *,
        external_id: str | None = None,
        active: bool = True,
        email: str | None = None,
    ) -> ScimUser:
        """A record Okta did not make; a ``userName`` may be taken twice here, unlike over HTTP."""
        email = email or login
        return self.directory(directory).add_user(
            ScimUser(
                id=self.ids.uuid(),
                user_name=login,
                account_id=self.account_id(email),
                created=self.now(),
                last_modified=self.now(),
                external_id=external_id,
                active=active,
                emails=[{"value": email, "type": "work", "primary": True}],
            )
        )

    def scim_add(self, directory: Directory | str, group_name: str, *logins: str) -> None:
        directory = self.directory(directory)
        records = [self.record(directory, login).id for login in logins]
        self._lag(directory)
        directory.join(self._group(directory, group_name), records, self.now())

    def scim_remove(self, directory: Directory | str, group_name: str, *logins: str) -> None:
        directory = self.directory(directory)
        records = [self.record(directory, login).id for login in logins]
        self._lag(directory)
        directory.leave(self._group(directory, group_name), records, self.now())

    def set_scim_active(self, directory: Directory | str, login: str, *, active: bool) -> None:
        record = self.record(directory, login)
        self.directory(directory).set_active(record, self.now(), active=active)

    def force_sync(self, directory: Directory | str, *logins: str) -> None:
        """Okta's "Force Sync": every profile is pushed again, or that of each of these people.

        Source: jira.atlassian.com ACCESS-1003.
        """
        directory = self.directory(directory)
        self._lag(directory)
        for app in self.org.apps.values():
            if self.directory_of(app) is not directory:
                continue
            for user in [self.org.users[each] for each in app.users]:
                if app.users[user.id].in_force and (user.login in logins or not logins):
                    self.push_profile(user, app)
                    self.let_go(directory, app.users[user.id].state.external_id or "")

    def announce_unlink(self, directory: Directory | str, login: str) -> ScimUser:
        """Let one DELETE of this record be no violation."""
        record = self.record(directory, login)
        self.announced.add(record.id)
        return record

    def record(self, directory: Directory | str, login: str) -> ScimUser:
        """The (first) SCIM record with this ``userName``."""
        self.tick()
        named = self.directory(directory).named(login)
        if not named:
            raise WorldError(f"no SCIM record: {login}")
        return named[0]

    def tick(self) -> None:
        for directory in self.directories.values():
            self._lag(directory)
        super().tick()

    def _lag(self, directory: Directory) -> None:
        directory.lag_on = self.switches.scim_read_lag > 0 or self.organization.lagging

    def _group(self, directory: Directory, name: str) -> ScimGroup:
        group = directory.group_named(name)
        if group is None:
            raise WorldError(f"no SCIM group: {name}")
        return group
