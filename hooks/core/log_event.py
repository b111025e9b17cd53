"""A delivery's bytes in, LogEvents out, or MalformedError and nothing else.

Must live here: what each field that Okta posts means. Must not know: what it is for.
An entry of ``data.events`` that is not what the documentation says is still an event: it is
stored and acknowledged, because a 4xx would end it. Sources: Okta event hooks guide; Okta
OpenAPI LogEvent.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from hooks.core import payload
from hooks.core.ids import OktaAppId, OktaGroupId, OktaId, OktaUserId, Uuid
from hooks.core.memory import Claim

if TYPE_CHECKING:
    from hooks.core.payload import Envelope

_Id = TypeVar("_Id", bound=OktaId)

#: Real events name one person, one group, one app.
_MOST_TARGETS = 50
#: What an event type looks like; anything else may hold anything, and is stored in clear.
_TYPE = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_INSTANT_LENGTH = 40


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One entry of ``data.events``; ``raw`` is its JSON as received.

    ``uuid`` is Okta's, lower case, or made from the bytes where there is none, so that the same
    bytes are the same event again. ``published`` is ``None`` where it cannot be read.
    """

    uuid: str
    type: str
    published: datetime | None
    succeeded: bool
    users: tuple[OktaUserId, ...]
    groups: tuple[OktaGroupId, ...]
    apps: tuple[OktaAppId, ...]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST: Okta's id for it, as sent, and its events in their order."""

    id: str
    events: tuple[LogEvent, ...]


def parse_delivery(body: bytes) -> Delivery:
    """Read one delivery.

    Raises:
        MalformedError: not JSON, not Okta's envelope, or none that Okta can have sent.
    """
    return read_delivery(payload.opened(body))


def read_delivery(envelope: Envelope) -> Delivery:
    """Read what is in an envelope. Raises MalformedError if an entry is not JSON."""
    events = tuple(parse_event(bytes(raw)) for raw in envelope.entries)
    return Delivery(clean(envelope.id, 64), events)


def parse_event(raw: bytes) -> LogEvent:
    """Read one LogEvent; whatever is missing or of another type is left out.

    Raises:
        MalformedError: not JSON.
    """
    entry = payload.entry(raw)
    targets = _targets(entry.target)
    result = entry.outcome.get("result") if isinstance(entry.outcome, dict) else None
    return LogEvent(
        uuid=_uuid(entry.uuid, raw),
        type=_type(entry.event_type),
        published=_instant(entry.published),
        succeeded=result in (None, "SUCCESS"),
        users=_ids(targets.get("User"), OktaUserId),
        groups=_ids(targets.get("UserGroup"), OktaGroupId),
        apps=_ids(targets.get("AppInstance"), OktaAppId),
        raw=raw,
    )


def _type(value: object) -> str:
    """Okta's event type, if there is one; ``unreadable`` stands for words that are none."""
    if not isinstance(value, str) or not value:
        return ""
    return value if _TYPE.fullmatch(value) else "unreadable"


def clean(value: object, length: int) -> str:
    """A string every column can hold: no NUL, no lone surrogate, not longer than ``length``."""
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "replace").decode().replace("\x00", "")[:length]


def _targets(value: object) -> dict[str, list[object]]:
    """The ids of the targets of each type; their order means nothing.

    Source: Okta OpenAPI LogEvent.
    """
    found: dict[str, list[object]] = {}
    for entry in value[:_MOST_TARGETS] if isinstance(value, list) else ():
        if isinstance(entry, dict):
            found.setdefault(str(entry.get("type")), []).append(entry.get("id"))
    return found


def _ids(values: list[object] | None, of: type[_Id]) -> tuple[_Id, ...]:
    if not values:
        return ()
    return tuple(dict.fromkeys(each for each in map(of.maybe, values) if each))


def _uuid(value: object, raw: bytes) -> str:
    known = Uuid.maybe(value)
    return known.lower() if known else str(uuid.UUID(bytes=hashlib.sha256(raw).digest()[:16]))


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str) or len(value) > _INSTANT_LENGTH:
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


# -- what an event is about --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subjects:
    """Whom an event says to look at: people, or a group whose members are to be looked at.

    ``ours`` is false for events of other apps and of types that change nobody's groups; they
    are stored by uuid, type and time only. ``pushed`` are Okta groups that Okta itself has sent to
    Atlassian: some may be there again who should not. ``noted`` are people nobody need look at.
    """

    ours: bool
    users: tuple[OktaUserId, ...] = ()
    groups: tuple[OktaGroupId, ...] = ()
    pushed: tuple[OktaGroupId, ...] = ()
    noted: tuple[OktaUserId, ...] = ()


#: Event type -> what it claims about the person. Source: Okta event types catalogue.
_USER_CLAIMS: dict[str, Claim | None] = {
    "user.lifecycle.deactivate": Claim.DEACTIVATED,
    "user.lifecycle.activate": Claim.ACTIVE,
    "user.lifecycle.reactivate": Claim.ACTIVE,
    "user.lifecycle.suspend": Claim.SUSPENDED,
    "user.lifecycle.unsuspend": Claim.ACTIVE,
    "user.lifecycle.delete.initiated": None,
    "user.lifecycle.delete.completed": None,
}
_APP_CLAIMS: dict[str, Claim | None] = {
    "application.user_membership.add": Claim.ASSIGNED,
    "application.user_membership.remove": Claim.UNASSIGNED,
    "application.user_membership.update": None,
    "application.provision.user.reactivate": None,
    "application.provision.user.activate": None,
    "application.provision.user.deactivate": None,
    "application.provision.user.deprovision": None,
    "application.provision.user.push": None,
}
_MEMBER_CLAIMS = {
    "group.user_membership.add": Claim.JOINED,
    "group.user_membership.remove": Claim.LEFT,
}
_GROUP_TYPES = frozenset({"group.lifecycle.delete"})
_GROUP_APP_TYPES = frozenset(
    {
        "group.application_assignment.add",
        "group.application_assignment.remove",
        "group.application_assignment.update",
        "application.provision.group_push.mapping.update.or.delete.failed.with.error",
    }
)

_PUSH_TYPES = frozenset(
    f"application.provision.group_push.{each}" for each in ("pushed", "push_memberships")
)
#: A delivery of an event hook failed, or took too long. Source: Okta event types catalogue.
DELIVERY_FAILED = "event_hook.delivery"
#: Types no hook sends; only the System Log has them. Source: Okta event types catalogue.
_NEVER_HOOKED = frozenset(
    {
        "user.lifecycle.delete.completed",
        "application.provision.user.activate",
        "application.provision.user.deactivate",
        "application.provision.user.deprovision",
        DELIVERY_FAILED,
    }
    | _PUSH_TYPES
)

#: Every type the System Log is read for.
LOG_TYPES = tuple(
    sorted({*_USER_CLAIMS, *_APP_CLAIMS, *_MEMBER_CLAIMS} | _GROUP_TYPES | _GROUP_APP_TYPES
           | _NEVER_HOOKED)
)  # fmt: skip
#: Okta pushed somebody's profile; many at once are perhaps a Force Sync. Hook-eligible, but a
#: hook would bring those of every app. Source: Okta event types catalogue; ACCESS-1003.
PROFILE_PUSHED = "application.provision.user.push_profile"
#: Every hook-eligible type this service wants to be sent.
EVENT_TYPES = tuple(each for each in LOG_TYPES if each not in _NEVER_HOOKED)


def subjects(event: LogEvent, apps: frozenset[OktaAppId]) -> Subjects:
    """Sort an event by its type and app id only; nothing is looked up."""
    known = event.type
    if known in _USER_CLAIMS or known in _MEMBER_CLAIMS:
        return Subjects(ours=True, users=event.users)
    of_ours = not event.apps or not apps.isdisjoint(event.apps)
    if known in _APP_CLAIMS and of_ours:
        return Subjects(ours=True, users=event.users)
    if known in _GROUP_TYPES or (known in _GROUP_APP_TYPES and of_ours):
        return Subjects(ours=True, groups=event.groups)
    if known in _PUSH_TYPES and of_ours:
        return Subjects(ours=True, pushed=event.groups)
    if known == PROFILE_PUSHED and not apps.isdisjoint(event.apps):
        return Subjects(ours=False, noted=event.users)
    return Subjects(ours=False)


def claim(event: LogEvent) -> tuple[Claim, str] | None:
    """What a successful event claims, and about which app or group; ``None`` for no claim."""
    if not event.succeeded:
        return None
    if said := _USER_CLAIMS.get(event.type):
        return said, ""
    if (said := _APP_CLAIMS.get(event.type)) and len(event.apps) == 1:
        return said, event.apps[0]
    if (said := _MEMBER_CLAIMS.get(event.type)) and len(event.groups) == 1:
        return said, event.groups[0]
    return None
