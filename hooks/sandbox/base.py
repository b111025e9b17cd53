"""What every part of the world stands on: the clock, the ids, the switches, both stores."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import Any, TypeVar

from .directory import Directory
from .ids import Ids
from .okta_expression import passes
from .org import App, AppUser, Group, Hook, Org, User, UserState, WorldError
from .organization.store import Organization
from .past import Past
from .switches import Switches
from .system_log import CATALOG, SYSTEM_ACTOR, Json, SystemLog, Transaction, target

Job = Callable[[], None]
T = TypeVar("T")


def utc_now() -> datetime:
    return datetime.now(UTC)


class Ground:
    """State and time. Later verbs land here as jobs and run when their instant has come."""

    def __init__(self, now: Callable[[], datetime] = utc_now, seed: int = 0) -> None:
        self.now = now
        self.seed = seed
        self.switches = Switches()
        self.ids = Ids(seed)
        self.noise = Ids(seed + 1_000_003)
        """For what is minted per request, so that traffic does not change who gets which id."""
        self.chance = Random(seed + 1)
        self.org = Org()
        self.directories: dict[str, Directory] = {}
        self.organization = Organization(Ids(seed + 2_000_003), self.noise, self.switches)
        self.log = SystemLog(self.ids, self.chance)
        self.outbox: list[tuple[Hook, Json]] = []
        self.past = Past()
        self._quiet = False
        self._jobs: list[tuple[datetime, int, Job]] = []
        self._scheduled = 0
        self.admin = {
            "id": self.ids.okta("00u"),
            "type": "User",
            "alternateId": "admin@somedomain.example",
            "displayName": "Org Admin",
            "detailEntry": None,
        }

    # --- time -------------------------------------------------------------------------------

    def later(self, seconds: float, job: Job) -> None:
        """Run the job after that many seconds; at once if none."""
        if seconds <= 0:
            job()
            return
        self._scheduled += 1
        heappush(self._jobs, (self.now() + timedelta(seconds=seconds), self._scheduled, job))

    def tick(self) -> None:
        """Run what is due by now. Every request does this first; call it when only time passed."""
        while self._jobs and self._jobs[0][0] <= self.now():
            heappop(self._jobs)[2]()

    @property
    def waiting(self) -> int:
        """How many of Okta's jobs have not landed yet."""
        return len(self._jobs)

    def ago(self, seconds: float) -> datetime:
        return self.now() - timedelta(seconds=seconds)

    # --- finding: what every verb does first, so that what is due has landed before it acts ----

    def user(self, key: User | str) -> User:
        """By object, id or login."""
        self.tick()
        found = key if isinstance(key, User) else self.org.find_user(key)
        return _known(found, "user", key)

    def group(self, key: Group | str) -> Group:
        """By object, id or name."""
        self.tick()
        found = key if isinstance(key, Group) else self.org.find_group(key)
        return _known(found, "group", key)

    def app(self, key: App | str) -> App:
        """By object, id or label."""
        self.tick()
        return _known(key if isinstance(key, App) else self.org.find_app(key), "app", key)

    def directory(self, key: Directory | str) -> Directory:
        """By object, id or name."""
        if isinstance(key, Directory):
            return key
        named = next((d for d in self.directories.values() if d.name == key), None)
        return _known(self.directories.get(key) or named, "directory", key)

    def directory_of(self, app: App) -> Directory | None:
        """None too once the subscription has lapsed."""
        mine = (d for d in self.directories.values() if d.app_id == app.id and not d.dead)
        return next(mine, None)

    def account_id(self, email: str) -> str:
        """One Atlassian account per address, whatever the number of directories."""
        return self.organization.account_ids.get(email.lower()) or self.ids.account()

    # --- the log ----------------------------------------------------------------------------

    def transaction(self, kind: str = "WEB", uri: str = "/api/v1") -> Transaction:
        actor = self.admin if kind == "WEB" else SYSTEM_ACTOR
        return Transaction(self.ids.transaction(), kind, actor, uri)

    def emit(
        self,
        transaction: Transaction,
        event_type: str,
        *targets: Json,
        outcome: str = "SUCCESS",
        reason: str | None = None,
        debug: Json | None = None,
        severity: str = "INFO",
    ) -> None:
        """Write to the System Log and hand the event to the hooks that listen for it."""
        if self._quiet:
            return
        listening = [
            hook
            for hook in self.org.hooks.values()
            if CATALOG[event_type][2] and hook.hears(event_type, self.now())
        ]
        debug = dict(debug or {})
        if listening and self.switches.events_carry_webhooks:
            debug["webhooks"] = [hook.id for hook in listening]
        event = self.log.build(
            transaction,
            event_type,
            list(targets) or None,
            self.now(),
            outcome=outcome,
            reason=reason,
            debug=debug,
            severity=severity,
            shuffle=self.switches.shuffle_targets,
        )
        self.log.add(event, self.ago(-self.switches.log_delay))
        self.outbox.extend((hook, event) for hook in listening if passes(hook.filter, event))

    @contextmanager
    def long_ago(self) -> Iterator[None]:
        """What happens inside is too old for the System Log and for any hook."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def app_user_targets(self, app: App, app_user: AppUser, user: User) -> tuple[Json, Json, Json]:
        """AppUser, AppInstance, User. Source: recorded application.user_membership events."""
        known = self.switches.app_user_alternate_id == "userName"
        return (
            target("AppUser", app_user.id, user.name, app_user.user_name if known else "unknown"),
            app_target(app),
            user_target(user),
        )

    # --- changes that reads may trail -------------------------------------------------------

    def change_user(self, user: User, status: str, transitioning_to: str | None = None) -> None:
        self.remember(self.switches.user_lag, "user", user.id, user.state)
        now = self.now()
        if status != user.status:
            user.status_changed = now
        user.last_updated = now
        user.state = UserState(status, user.login, transitioning_to)

    def change_groups(self, user: User, group: Group, *, member: bool) -> None:
        groups = self.org.groups_of.setdefault(user.id, set())
        self.remember(
            self.switches.groups_lag, "member", (group.id, user.id), user.id in group.members
        )
        group.members_updated = self.now()
        if member:
            group.members.add(user.id)
            groups.add(group.id)
        else:
            group.members.discard(user.id)
            groups.discard(group.id)

    def remember(self, lag: float, kind: str, key: Any, old: Any) -> None:
        if lag > 0:
            self.past.record(self.now(), kind, key, old)


def user_target(user: User) -> Json:
    return target("User", user.id, user.name, user.login)


def app_target(app: App) -> Json:
    return target("AppInstance", app.id, app.label, app.label)


def group_target(group: Group) -> Json:
    return target("UserGroup", group.id, group.name)


def _known(found: T | None, what: str, key: object) -> T:
    if found is None:
        raise WorldError(f"no such {what}: {key}")
    return found
