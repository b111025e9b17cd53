"""Reads the truth from Okta: users, groups, apps, assignments, push mappings, the System Log.

Okta's paths, queries and paging must live here; what an answer means for anybody's access, this
room must not know. Nothing is ever changed at Okta from here.

Every answer is checked to be about what was asked. ``MISSING`` stands for a 404 and proves
nothing by itself. All methods raise what ``Transport.get`` raises, and IncompleteError for a
list that may have been cut: believe nothing of it.
Source of paths and limits: Okta's OpenAPI description (okta-management-openapi-spec).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from hooks.core.errors import IncompleteError, NotFoundError
from hooks.core.history import LogFacts, Moment
from hooks.core.ids import OktaAppId, OktaGroupId, OktaUserId, PushMappingId
from hooks.core.reading import (
    MISSING,
    App,
    AppUser,
    Missing,
    OktaGroup,
    OktaUser,
    PushMapping,
    Successor,
)
from hooks.gateways.breaker import Breaker
from hooks.gateways.okta_shapes import (
    LOG_TYPES,
    AppShape,
    AppUserShape,
    EventShape,
    GroupShape,
    MappingShape,
    MemberShape,
    UserShape,
    about,
    app_user_of,
    checked,
    facts,
    group_of,
    mapping_of,
    moments,
    user_of,
    users,
)
from hooks.gateways.pace import Pace
from hooks.gateways.transport import Transport
from hooks.gateways.urls import equals, path, with_query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

    from hooks.clock import Clock
    from hooks.gateways.credential import Credential

T = TypeVar("T")

#: Calls at once: less than half of the 75 Okta allows an org together, and below the 35 of its
#: free plan. Source: developer.okta.com/docs/reference/rl2-concurrency.
AT_ONCE = 30
#: Of a rate limit one app or token gets half unless the org says otherwise. Source:
#: developer.okta.com/docs/reference/rl2-token-oauth.
OWN_SHARE = 0.5
#: Pages of one list after which something goes round in circles: 5 million app users.
MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class _List(Generic[T]):
    """A list: its name in messages, decoder, bucket, and how many entries a full page has.

    ``limited`` says that we ask for so many; else it is what the server does by itself.
    """

    operation: str
    decoder: msgspec.json.Decoder[list[T]]
    bucket: str
    full: int
    limited: bool = True

    def cut(self, entries: int) -> bool:
        """A last page of this length may have been cut there."""
        return entries >= self.full if self.limited else entries == self.full


_USER = msgspec.json.Decoder(UserShape)
_APP = msgspec.json.Decoder(AppShape)
_APP_USER = msgspec.json.Decoder(AppUserShape)
_GROUP = msgspec.json.Decoder(GroupShape)
_APP_USERS = _List("app users", msgspec.json.Decoder(list[AppUserShape]), "app users", 500)
_MAPPINGS = _List("mappings", msgspec.json.Decoder(list[MappingShape]), "mappings", 1000)
_MEMBERS = _List("group members", msgspec.json.Decoder(list[MemberShape]), "group members", 200)
_GROUPS = _List("groups", msgspec.json.Decoder(list[GroupShape]), "groups", 200)
_LOG = _List("log", msgspec.json.Decoder(list[EventShape]), "log", 1000)
#: The description declares no paging, yet the server pages at 200. Source: okta-sdk-java
#: issues 1286 and 1611.
_USER_GROUPS = _List(
    "user groups", msgspec.json.Decoder(list[GroupShape]), "user groups", 200, limited=False
)


class Okta:
    """One Okta org, read with one credential."""

    def __init__(
        self,
        *,
        client: aiohttp.ClientSession,
        org_url: str,
        credential: Credential,
        clock: Clock,
        apps: tuple[OktaAppId, ...] = (),
    ) -> None:
        """``apps`` are those this credential must be able to read if it works at all."""
        self._clock = clock
        self.door = Transport(
            vendor="okta",
            origin=org_url,
            client=client,
            pace=Pace("okta", clock, most=AT_ONCE, own_share=OWN_SHARE),
            breaker=Breaker("okta", clock),
            credential=credential,
            probes=tuple(_path("apps", OktaAppId(app)) for app in apps),
        )

    # -- people --------------------------------------------------------------------------------

    async def user(self, user: OktaUserId) -> OktaUser | Missing:
        """A person's status."""
        found = await self._one("user", _path("users", OktaUserId(user)), _USER)
        if found is None:
            return MISSING
        about(found.id, user, "user")
        return user_of(found)

    async def user_named(self, login: str) -> OktaUser | Missing:
        """Whose login this is. Source: Okta OpenAPI getUser, which takes an id or a login.

        Raises: IncompleteError if Okta answers about another login: it completes short ones.
        """
        found = await self._one("user", _path("users", login), _USER)
        if found is None:
            return MISSING
        user = user_of(found)
        if user.login.casefold() != login.casefold():
            raise IncompleteError("okta answered GET user about another login")
        return user

    async def user_groups(self, user: OktaUserId) -> frozenset[OktaGroup]:
        """All Okta groups of a person. Raises: NotFoundError if there is no such person."""
        groups: dict[OktaGroupId, OktaGroup] = {}
        async for page in self._pages(_USER_GROUPS, _path("users", OktaUserId(user), "groups")):
            groups.update((group.id, group) for group in map(group_of, page))
        return frozenset(groups.values())

    async def log_about(self, user: OktaUserId, since: datetime) -> LogFacts:
        """What the System Log says succeeded for a person from ``since`` until now.

        A bounded query may miss what Okta has not stored yet: it proves what it shows, never
        that something did not happen. Source:
        developer.okta.com/docs/reference/system-log-query.
        """
        about_them = f"{equals('target.id', OktaUserId(user))} and "
        events: list[EventShape] = []
        async for page in self._log(since, about_them):
            events += page
        return facts(events, user)

    async def history(
        self, since: datetime
    ) -> AsyncIterator[tuple[tuple[OktaUserId, Moment], ...]]:
        """What the System Log says succeeded for anybody from ``since`` until now, oldest first.

        Page by page, one entry for each person an event names and each moment it tells of. As
        ``log_about`` it proves what it shows and no more.
        """
        async for page in self._log(since):
            yield tuple(
                (user, moment)
                for event in page
                for moment in moments(event)
                for user in users(event)
            )

    # -- apps ----------------------------------------------------------------------------------

    async def app(self, app: OktaAppId) -> App | Missing:
        """An app's status."""
        found = await self._one("app", _path("apps", OktaAppId(app)), _APP)
        if found is None:
            return MISSING
        about(found.id, app, "app")
        return App(app, found.status)

    async def app_user(self, app: OktaAppId, user: OktaUserId) -> AppUser | Missing:
        """A person's assignment to an app."""
        target = _path("apps", OktaAppId(app), "users", OktaUserId(user))
        found = await self._one("app user", target, _APP_USER)
        if found is None:
            return MISSING
        about(found.id, user, "app user")
        return app_user_of(found)

    async def app_users(self, app: OktaAppId) -> AsyncIterator[tuple[AppUser, ...]]:
        """All assignments to an app, page by page, each person once.

        Whoever stops before the end has read nothing that proves an absence.
        """
        seen: set[OktaUserId] = set()
        async for page in self._pages(_APP_USERS, _path("apps", OktaAppId(app), "users")):
            fresh = {each.user: each for each in map(app_user_of, page) if each.user not in seen}
            seen.update(fresh)
            yield tuple(fresh.values())

    async def successors(
        self, app: OktaAppId, user_name: str, *, other_than: OktaUserId
    ) -> tuple[Successor, ...]:
        """Others in force in the app under exactly this userName, letter case aside.

        Raises: IncompleteError for an empty name, which would find everybody.
        """
        if not user_name.strip():
            raise IncompleteError("okta cannot be asked for an empty userName")
        target = _path("apps", OktaAppId(app), "users")
        found: set[OktaUserId] = set()
        async for page in self._pages(_APP_USERS, target, {"q": user_name}):
            found.update(
                each.user
                for each in map(app_user_of, page)
                if each.in_force and each.user_name.casefold() == user_name.casefold()
            )
        return tuple(Successor(user) for user in sorted(found - {other_than}))

    async def mappings(self, app: OktaAppId) -> tuple[PushMapping, ...]:
        """All group push mappings of an app, of whatever status."""
        found: dict[PushMappingId, PushMapping] = {}
        target = _path("apps", OktaAppId(app), "group-push", "mappings")
        async for page in self._pages(_MAPPINGS, target):
            for mapping in map(mapping_of, page):
                if found.setdefault(mapping.id, mapping) != mapping:
                    raise IncompleteError("okta gave a mapping twice and differently")
        return tuple(found.values())

    # -- groups --------------------------------------------------------------------------------

    async def group(self, group: OktaGroupId) -> OktaGroup | Missing:
        """A group by id; only what can be read here may be missed elsewhere."""
        found = await self._one("group", _path("groups", OktaGroupId(group)), _GROUP)
        if found is None:
            return MISSING
        about(found.id, group, "group")
        return group_of(found)

    async def group_members(self, group: OktaGroupId) -> AsyncIterator[tuple[OktaUserId, ...]]:
        """All members of a group, page by page, each once."""
        seen: set[OktaUserId] = set()
        async for page in self._pages(_MEMBERS, _path("groups", OktaGroupId(group), "users")):
            fresh = {checked(OktaUserId, each.id, "group members") for each in page} - seen
            seen |= fresh
            yield tuple(sorted(fresh))

    async def groups_named(self, name: str) -> tuple[OktaGroup, ...]:
        """All groups of exactly this name that no app owns. Okta's search lags by seconds."""
        query = {"search": equals("profile.name", name)}
        found: dict[OktaGroupId, OktaGroup] = {}
        async for page in self._pages(_GROUPS, _path("groups"), query):
            found.update((group.id, group) for group in map(group_of, page))
        return tuple(
            group for group in found.values() if group.name == name and group.type != "APP_GROUP"
        )

    # -- one and many --------------------------------------------------------------------------

    async def _one(self, operation: str, target: str, decoder: msgspec.json.Decoder[T]) -> T | None:
        try:
            answer = await self.door.get(operation, target, decoder, bucket=operation)
        except NotFoundError:
            return None
        return answer.value

    def _log(self, since: datetime, who: str = "") -> AsyncIterator[list[EventShape]]:
        """The events ``moments`` can read, from ``since`` until now, of whom the filter names."""
        types = " or ".join(equals("eventType", each) for each in sorted(LOG_TYPES))
        query = {
            "since": _stamp(since),
            "until": _stamp(self._clock.now()),
            "filter": f"{who}({types})",
            "sortOrder": "ASCENDING",
        }
        return self._pages(_LOG, _path("logs"), query)

    async def _pages(
        self, kind: _List[T], target: str, query: dict[str, Any] | None = None
    ) -> AsyncIterator[list[T]]:
        """Every page of a list, the next link followed until there is none."""
        asked: set[str] = set()
        following: str | None = with_query(
            target, {**(query or {}), **({"limit": kind.full} if kind.limited else {})}
        )
        while following is not None:
            if following in asked or len(asked) >= MOST_PAGES:
                raise IncompleteError(f"okta leads round in circles with GET {kind.operation}")
            asked.add(following)
            answer = await self.door.get(
                kind.operation, following, kind.decoder, bucket=kind.bucket
            )
            following = answer.next
            if following is None and kind.cut(len(answer.value)):
                raise IncompleteError(f"okta may have cut GET {kind.operation} at a full page")
            yield answer.value


def _path(*parts: str) -> str:
    return path("api", "v1", *parts)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
