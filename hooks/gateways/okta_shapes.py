"""The shapes of Okta's answers, and how they become our nouns.

Only what is used is decoded, so that nothing else personal is held. Field names must be known
here and nowhere else; where the bytes come from, this room must not know.
Source of fields: Okta's OpenAPI description (okta-management-openapi-spec).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

import msgspec

from hooks.core.errors import IncompleteError
from hooks.core.history import LogFacts, Logged, Moment
from hooks.core.ids import Identifier, OktaAppId, OktaGroupId, OktaUserId, PushMappingId, ScimUserId
from hooks.core.reading import AppUser, OktaGroup, OktaUser, PushMapping

IdT = TypeVar("IdT", bound=Identifier)

_MEANS = {
    "user.lifecycle.deactivate": Logged.DEACTIVATED,
    "user.lifecycle.delete.initiated": Logged.DEACTIVATED,
    "user.lifecycle.delete.completed": Logged.DEACTIVATED,
    "user.lifecycle.activate": Logged.ACTIVATED,
    "user.lifecycle.reactivate": Logged.ACTIVATED,
    "user.lifecycle.unsuspend": Logged.ACTIVATED,
    "application.user_membership.add": Logged.ASSIGNED,
    "application.user_membership.remove": Logged.UNASSIGNED,
}
#: Every type ``moments`` can read.
LOG_TYPES = frozenset(_MEANS)


class _Camel(msgspec.Struct, rename="camel"):
    """Okta spells fields in camel case."""


class _UserProfile(_Camel):
    login: str = ""


class UserShape(_Camel):
    """``GET /users/{id}``."""

    id: str
    status: str
    transitioning_to_status: str | None = None
    profile: _UserProfile | None = None


class _GroupProfile(_Camel):
    name: str


class _Href(_Camel):
    href: str | None = None


class _GroupLinks(_Camel):
    source: _Href | None = None


class GroupShape(_Camel):
    """``GET /groups/{id}``, and an entry of every list of groups."""

    id: str
    type: str
    profile: _GroupProfile
    links: _GroupLinks | None = msgspec.field(default=None, name="_links")


class AppShape(_Camel):
    """``GET /apps/{id}``."""

    id: str
    status: str


class _Credentials(_Camel):
    user_name: str | None = None


class AppUserShape(_Camel):
    """``GET /apps/{id}/users/{id}``; ``id`` is the user's own."""

    id: str
    status: str
    external_id: str | None = None
    credentials: _Credentials | None = None


class MappingShape(_Camel):
    """An entry of ``GET /apps/{id}/group-push/mappings``."""

    id: str
    source_group_id: str
    target_group_id: str
    status: str


class MemberShape(_Camel):
    """An entry of ``GET /groups/{id}/users``."""

    id: str


class _Target(_Camel):
    id: str | None = None
    type: str | None = None


class _Outcome(_Camel):
    result: str | None = None


class EventShape(_Camel):
    """An entry of ``GET /logs``; ``target`` may be null or missing."""

    event_type: str
    published: str
    outcome: _Outcome | None = None
    target: list[_Target] | None = None


def checked(kind: type[IdT], value: str, operation: str) -> IdT:
    """The id of an entry. Raises: IncompleteError if it is none."""
    found = kind.maybe(value)
    if found is None:
        raise IncompleteError(f"okta gave an entry without a usable id to GET {operation}")
    return found


def about(found: str, asked: Identifier, operation: str) -> None:
    """Raises: IncompleteError if an answer is about another than was asked about."""
    if found != asked:
        raise IncompleteError(f"okta answered GET {operation} about another one")


def user_of(item: UserShape) -> OktaUser:
    """The noun."""
    return OktaUser(
        checked(OktaUserId, item.id, "user"),
        item.status,
        item.transitioning_to_status or None,
        item.profile.login if item.profile else "",
    )


def group_of(item: GroupShape) -> OktaGroup:
    """The noun; only an app's own group links to its source."""
    source = item.links.source.href if item.links and item.links.source else None
    return OktaGroup(
        checked(OktaGroupId, item.id, "groups"),
        item.profile.name,
        item.type,
        OktaAppId.maybe((source or "").rstrip("/").rpartition("/")[2]),
    )


def app_user_of(item: AppUserShape) -> AppUser:
    """The noun; an ``externalId`` that is no UUID is somebody else's idea of one."""
    return AppUser(
        checked(OktaUserId, item.id, "app users"),
        item.status,
        ScimUserId.maybe(item.external_id),
        (item.credentials.user_name or "") if item.credentials else "",
    )


def mapping_of(item: MappingShape) -> PushMapping:
    """The noun; a status nobody knows stays as it is spelled."""
    return PushMapping(
        checked(PushMappingId, item.id, "mappings"),
        checked(OktaGroupId, item.source_group_id, "mappings"),
        checked(OktaGroupId, item.target_group_id, "mappings"),
        item.status,
    )


def moments(event: EventShape) -> tuple[Moment, ...]:
    """What an event says that succeeded; one for each app it names.

    Raises: IncompleteError if it is of no type that was asked for, or has no instant.
    """
    what = _MEANS.get(event.event_type)
    if what is None:
        raise IncompleteError("okta ignored the filter of GET log")
    if event.outcome is None or event.outcome.result != "SUCCESS":
        return ()
    at = _published(event)
    if what in (Logged.DEACTIVATED, Logged.ACTIVATED):
        return (Moment(at, what),)
    named = (OktaAppId.maybe(each.id) for each in event.target or () if each.type == "AppInstance")
    return tuple(Moment(at, what, app) for app in named if app is not None)


def users(event: EventShape) -> tuple[OktaUserId, ...]:
    """The people an event is about, each once; none, if it names no user by an id of Okta's."""
    named = (OktaUserId.maybe(each.id) for each in event.target or () if each.type == "User")
    return tuple(dict.fromkeys(user for user in named if user is not None))


def facts(events: Iterable[EventShape], user: OktaUserId) -> LogFacts:
    """What events about one person say. Raises: as ``moments``, or if one is not about them."""
    found: set[Moment] = set()
    for event in events:
        if user not in {each.id for each in event.target or ()}:
            raise IncompleteError("okta ignored the filter of GET log")
        found.update(moments(event))
    return LogFacts.of(found)


def _published(event: EventShape) -> datetime:
    try:
        at = datetime.fromisoformat(event.published)
    except ValueError:
        at = datetime.min  # noqa: DTZ901  # naive, and refused as such below
    if at.tzinfo is None:
        raise IncompleteError("okta gave an event without an instant to GET log")
    return at
