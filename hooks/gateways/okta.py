"""Reads the truth from Okta: users, groups, apps, assignments, push mappings, the System Log.

Okta's paths, queries and paging must live here; what an answer means for anybody's access, this
room must not know. Nothing is ever changed at Okta from here.

Every answer is checked to be about what was asked. ``MISSING`` stands for a 404 and proves
nothing by itself. All methods raise what ``Transport.get`` raises, and IncompleteError for a
list that may have been cut: believe nothing of it.
Source of paths and limits: Okta's OpenAPI description (okta-management-openapi-spec).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from hooks.core.errors import IncompleteError, NotFoundError
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
from hooks.gateways.okta_lists import OktaList, pages, walk
from hooks.gateways.okta_log import OktaLog
from hooks.gateways.okta_shapes import (
    AppShape,
    AppUserShape,
    GroupShape,
    MappingShape,
    MemberShape,
    UserShape,
    about,
    app_user_of,
    checked,
    group_of,
    mapping_of,
    user_of,
)
from hooks.gateways.pace import Pace
from hooks.gateways.transport import Transport
from hooks.gateways.urls import equals, path

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


_USER = msgspec.json.Decoder(UserShape)
_APP = msgspec.json.Decoder(AppShape)
_APP_USER = msgspec.json.Decoder(AppUserShape)
_GROUP = msgspec.json.Decoder(GroupShape)
_APP_USERS = OktaList("app users", msgspec.json.Decoder(list[AppUserShape]), "app users", 500)
_MAPPINGS = OktaList("mappings", msgspec.json.Decoder(list[MappingShape]), "mappings", 1000)
_MEMBERS = OktaList("group members", msgspec.json.Decoder(list[MemberShape]), "group members", 200)
_GROUPS = OktaList("groups", msgspec.json.Decoder(list[GroupShape]), "groups", 200)
#: The description declares no paging, yet the server pages at 200. Source: okta-sdk-java
#: issues 1286 and 1611.
_USER_GROUPS = OktaList(
    "user groups", msgspec.json.Decoder(list[GroupShape]), "user groups", 200, limited=False
)
#: Source: Okta OpenAPI listUsers, listGroups.
_USERS = OktaList("users", msgspec.json.Decoder(list[UserShape]), "users", 200)
_DEACTIVATED = {"filter": 'status eq "DEPROVISIONED"'}


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
        self.door = Transport(
            vendor="okta",
            origin=org_url,
            client=client,
            pace=Pace("okta", clock, most=AT_ONCE, own_share=OWN_SHARE, vital=True),
            breaker=Breaker("okta", clock),
            credential=credential,
            probes=tuple(_path("apps", OktaAppId(app)) for app in apps),
        )
        self.log = OktaLog(self.door, clock)

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
        async for page in pages(
            self.door, _USER_GROUPS, _path("users", OktaUserId(user), "groups")
        ):
            groups.update((group.id, group) for group in map(group_of, page))
        return frozenset(groups.values())

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
        async for page, _ in self.every_app_user(app):
            fresh = {each.user: each for each in page if each.user not in seen}
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
        async for page in pages(self.door, _APP_USERS, target, {"q": user_name}):
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
        async for page in pages(self.door, _MAPPINGS, target):
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
        async for page, _ in self.every_member(group):
            fresh = {*page} - seen
            seen |= fresh
            yield tuple(sorted(fresh))

    async def groups_named(self, name: str) -> tuple[OktaGroup, ...]:
        """All groups of exactly this name that no app owns. Okta's search lags by seconds."""
        query = {"search": equals("profile.name", name)}
        found: dict[OktaGroupId, OktaGroup] = {}
        async for page in pages(self.door, _GROUPS, _path("groups"), query):
            found.update((group.id, group) for group in map(group_of, page))
        return tuple(
            group for group in found.values() if group.name == name and group.type != "APP_GROUP"
        )

    # -- everyone ------------------------------------------------------------------------------

    # A page and the place where the list goes on, empty at its end; from ``place`` on. An entry
    # may come twice.

    async def every_user(
        self, place: str = "", *, deactivated: bool = False
    ) -> AsyncIterator[tuple[tuple[OktaUser, ...], str]]:
        """Everybody who is not deactivated; or who is, and not deleted. Source: as above."""
        query = _DEACTIVATED if deactivated else None
        async for page, more in walk(self.door, _USERS, _path("users"), query, place):
            found = tuple(map(user_of, page))
            if any((each.status == "DEPROVISIONED") is not deactivated for each in found):
                raise IncompleteError("okta ignored the filter of GET users")
            yield found, more

    async def every_app_user(
        self, app: OktaAppId, place: str = ""
    ) -> AsyncIterator[tuple[tuple[AppUser, ...], str]]:
        """All assignments to an app."""
        target = _path("apps", OktaAppId(app), "users")
        async for page, more in walk(self.door, _APP_USERS, target, None, place):
            yield tuple(map(app_user_of, page)), more

    async def every_group(
        self, place: str = ""
    ) -> AsyncIterator[tuple[tuple[OktaGroup, ...], str]]:
        """All groups this credential may read, those of apps among them."""
        async for page, more in walk(self.door, _GROUPS, _path("groups"), None, place):
            yield tuple(map(group_of, page)), more

    async def every_member(
        self, group: OktaGroupId, place: str = ""
    ) -> AsyncIterator[tuple[tuple[OktaUserId, ...], str]]:
        """All members of a group. Raises: NotFoundError if there is no such group."""
        target = _path("groups", OktaGroupId(group), "users")
        async for page, more in walk(self.door, _MEMBERS, target, None, place):
            yield tuple(checked(OktaUserId, each.id, "group members") for each in page), more

    # -- one and many --------------------------------------------------------------------------

    async def _one(self, operation: str, target: str, decoder: msgspec.json.Decoder[T]) -> T | None:
        try:
            answer = await self.door.get(operation, target, decoder, bucket=operation)
        except NotFoundError:
            return None
        return answer.value


def _path(*parts: str) -> str:
    return path("api", "v1", *parts)
