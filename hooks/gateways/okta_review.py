"""How Okta is set up, as far as it bears on us: read for a check, and nothing ever changed.

Paths, fields and bounds must live here; what is right about it, this room must not know.
All methods raise what ``Transport.get`` raises, and IncompleteError for what must not be believed.
Source of paths and fields: Okta OpenAPI (listEventHooks, getApplication,
listFeaturesForApplication, listProfileMappings, getProfileMapping, listLogEvents).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hooks.core.checkup_okta import SIGNS, SWITCHED, Signs
from hooks.core.checkup_people import Assigned, People, UserNames
from hooks.core.errors import IncompleteError
from hooks.core.ids import OktaAppId, OktaGroupId, OktaUserId, ScimUserId
from hooks.core.reading import IN_FORCE
from hooks.gateways.okta_hook_shapes import hook_of
from hooks.gateways.okta_lists import OktaList, pages
from hooks.gateways.okta_shapes import about, checked
from hooks.gateways.urls import equals_any, instant, path, with_query

if TYPE_CHECKING:
    from datetime import datetime

    from hooks.core.registration import EventHook
    from hooks.gateways.transport import Transport

#: Pages of a list after which a check has seen enough.
MOST_PAGES = 4
#: What Okta calls the primary address of a profile, letter case aside; another name is not known.
_ADDRESS = frozenset({"email", "primaryemail", "primary_email"})
#: What the log says when "Deactivate Users" is switched. Source: Okta support,
#: system-log-query-for-deactivate-user-provisioning-feature-enablement-disablement.
_SWITCHES = {
    "stop deprovisioning unassigned users": False,
    "start deprovisioning unassigned users": True,
}


class _Camel(msgspec.Struct, rename="camel"):
    """Okta spells fields in camel case."""


class _Template(_Camel):
    template: str | None = None
    push_status: str | None = None


class _Credentials(_Camel):
    user_name_template: _Template | None = None


class _App(_Camel):
    id: str
    features: list[str] | None = None
    credentials: _Credentials | None = None


class _Status(_Camel):
    status: str | None = None


class _Update(_Camel):
    lifecycle_deactivate: _Status | None = None


class _Capabilities(_Camel):
    update: _Update | None = None


class _Feature(_Camel):
    name: str | None = None
    status: str | None = None
    capabilities: _Capabilities | None = None


class _End(_Camel):
    id: str | None = None


class _Listed(_Camel):
    id: str
    target: _End | None = None


class _Property(_Camel):
    expression: str | None = None


class _Profile(_Camel):
    id: str
    properties: dict[str, _Property] | None = None


class _Id(_Camel):
    id: str


class _Addresses(_Camel):
    email: str | None = None


class _UserName(_Camel):
    user_name: str | None = None


class _AppUser(_Camel):
    id: str
    status: str
    external_id: str | None = None
    credentials: _UserName | None = None
    profile: _Addresses | None = None


class _Target(_Camel):
    id: str | None = None
    type: str | None = None


class _DebugData(_Camel):
    custom_message: str | None = None


class _Debug(_Camel):
    debug_data: _DebugData | None = None


class _Event(_Camel):
    event_type: str
    target: list[_Target] | None = None
    debug_context: _Debug | None = None


_HOOKS = msgspec.json.Decoder(list[Any])
_APP = msgspec.json.Decoder(_App)
_FEATURES = msgspec.json.Decoder(list[_Feature])
_PROFILE = msgspec.json.Decoder(_Profile)
_USERS = msgspec.json.Decoder(list[_Id])
_PROFILES = OktaList("profile mappings", msgspec.json.Decoder(list[_Listed]), "mappings", 200)
_GROUPS = OktaList("app groups", msgspec.json.Decoder(list[_Id]), "app groups", 200)
_PEOPLE = OktaList("app users", msgspec.json.Decoder(list[_AppUser]), "app users", 500)
_LOG = OktaList("log", msgspec.json.Decoder(list[_Event]), "log", 1000)


class OktaReview:
    """One Okta org, looked over through a door that is open anyway."""

    def __init__(self, door: Transport) -> None:
        """``door`` decides what may be read."""
        self.door = door

    async def hooks(self) -> tuple[EventHook, ...]:
        """All event hooks of the org; there are 25 at most, and no pages."""
        answer = await self.door.get(
            "event hooks", _path("eventHooks"), _HOOKS, bucket="eventHooks"
        )
        return tuple(map(hook_of, answer.value))

    async def sees_anybody(self) -> bool:
        """Whether the list of users has anybody in it."""
        target = with_query(_path("users"), {"limit": 1})
        return bool((await self.door.get("users", target, _USERS, bucket="users")).value)

    async def set_up(self, app: OktaAppId) -> tuple[UserNames | None, frozenset[str]]:
        """How an app makes usernames, if it says so, and which features it calls enabled."""
        answer = await self.door.get("app", _path("apps", OktaAppId(app)), _APP, bucket="app")
        about(answer.value.id, app, "app")
        features = frozenset(answer.value.features or ())
        given = answer.value.credentials.user_name_template if answer.value.credentials else None
        if given is None or not given.template:
            return None, features
        pushes = given.push_status in (None, "PUSH")
        return UserNames(given.template, pushes), features

    async def deprovisions(self, app: OktaAppId) -> bool:
        """Whether who is unassigned is deactivated. Raises: IncompleteError if it is not told."""
        target = _path("apps", OktaAppId(app), "features")
        answer = await self.door.get("features", target, _FEATURES, bucket="app")
        for each in answer.value:
            update = each.capabilities.update if each.capabilities else None
            told = update.lifecycle_deactivate if update else None
            if told is not None and told.status in ("ENABLED", "DISABLED"):
                return told.status == "ENABLED"
        raise IncompleteError("okta told nothing of deactivation in GET features")

    async def address(self, app: OktaAppId) -> str:
        """The expression of the primary address that is told to an app; empty if none is known."""
        found = set()
        async for page in pages(
            self.door, _PROFILES, _path("mappings"), {"targetId": OktaAppId(app)}
        ):
            found |= {each.id for each in page if each.target and each.target.id == app}
        if len(found) != 1:
            return ""
        target = _path("mappings", found.pop())
        profile = (
            await self.door.get("profile mapping", target, _PROFILE, bucket="mappings")
        ).value
        told = [
            each.expression
            for name, each in (profile.properties or {}).items()
            if name.casefold() in _ADDRESS and each.expression
        ]
        return told[0] if len(told) == 1 else ""

    async def assigned(self, app: OktaAppId) -> frozenset[OktaGroupId]:
        """The groups that assign an app."""
        found: set[OktaGroupId] = set()
        async for page in pages(self.door, _GROUPS, _path("apps", OktaAppId(app), "groups")):
            found.update(checked(OktaGroupId, each.id, "app groups") for each in page)
        return frozenset(found)

    async def people(self, app: OktaAppId, most: int = MOST_PAGES) -> People:
        """The first of those assigned to an app, and what they are called; so many pages."""
        found: dict[OktaUserId, Assigned] = {}
        target, read = _path("apps", OktaAppId(app), "users"), 0
        async for page in pages(self.door, _PEOPLE, target):
            found.update((each.user, each) for each in map(_assigned, page))
            read += 1
            if read == most:
                return People(tuple(found.values()), whole=len(page) < _PEOPLE.full)
        return People(tuple(found.values()), whole=True)

    async def signs(self, since: datetime, now: datetime, *, turned_since: datetime) -> Signs:
        """What the System Log says since then; of a switch, whatever it said ``turned_since``.

        That lies further back: a switch is turned seldom, and stays as it was turned.
        """
        counts: dict[str, int] = {}
        turned: dict[str, bool] = {}
        whole = True
        for types, begin in ((SIGNS, since), ((SWITCHED,), turned_since)):
            read = 0
            async for page in pages(self.door, _LOG, _LOGS, _query(types, begin, now)):
                for event in page:
                    counts[event.event_type] = counts.get(event.event_type, 0) + 1
                    _turn(turned, event)
                read += 1
                if read == MOST_PAGES:
                    whole = whole and len(page) < _LOG.full
                    break
        return Signs(counts, turned, whole)


def _assigned(item: _AppUser) -> Assigned:
    return Assigned(
        checked(OktaUserId, item.id, "app users"),
        (item.credentials.user_name or "") if item.credentials else "",
        item.profile.email if item.profile else None,
        ScimUserId.maybe(item.external_id),
        item.status in IN_FORCE,
    )


def _turn(turned: dict[str, bool], event: _Event) -> None:
    """Newest first, so the first word about an app is the last one said."""
    data = event.debug_context.debug_data if event.debug_context else None
    message = (data.custom_message or "").strip(" .").casefold() if data else ""
    if message in _SWITCHES:
        for each in event.target or ():
            if each.type == "AppInstance" and each.id:
                turned.setdefault(each.id, _SWITCHES[message])


def _query(types: tuple[str, ...], since: datetime, now: datetime) -> dict[str, str]:
    return {
        "since": instant(since),
        "until": instant(now),
        "filter": equals_any("eventType", types),
        "sortOrder": "DESCENDING",
    }


def _path(*parts: str) -> str:
    return path("api", "v1", *parts)


_LOGS = _path("logs")
