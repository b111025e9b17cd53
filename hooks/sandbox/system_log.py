"""Okta's System Log: how an event looks, when it shows, in which order it is read."""

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from .ids import Ids

Json = dict[str, Any]

# eventType -> (displayMessage, legacyEventType, may be sent by an event hook).
# Source: Okta event type catalogue, release 2026.08.1; messages as in recorded events
# where one is known.
_USER = "core.user.config.user_"
CATALOG: dict[str, tuple[str, str | None, bool]] = {
    "user.lifecycle.create": ("Create Okta user", _USER + "creation.success", True),
    "user.lifecycle.activate": ("Activate Okta user", _USER + "activated", True),
    "user.lifecycle.reactivate": ("Reactivate Okta user", _USER + "reactivated", True),
    "user.lifecycle.deactivate": ("Deactivate Okta User", _USER + "deactivated", True),
    "user.lifecycle.suspend": ("Suspend Okta user", _USER + "status.suspended", True),
    "user.lifecycle.unsuspend": ("Unsuspend Okta user", _USER + "status.unsuspended", True),
    "user.lifecycle.delete.initiated": ("Delete Okta user initiated", None, True),
    "user.lifecycle.delete.completed": ("Delete Okta user completed", None, False),
    "user.account.lock": ("Max sign in attempts exceeded", "core.user_auth.account_locked", True),
    "user.account.unlock": ("Unlock user account", None, True),
    "user.account.expire_password": ("Expire password for Okta user", None, True),
    "user.account.update_profile": ("Update user profile for Okta", None, True),
    "user.session.clear": ("Clear user session", None, True),
    "group.user_membership.add": (
        "Add user to group membership",
        "core.user_group_member.user_add",
        True,
    ),
    "group.user_membership.remove": (
        "Remove user from group membership",
        "core.user_group_member.user_remove",
        True,
    ),
    "group.lifecycle.create": ("Create Okta group", None, True),
    "group.lifecycle.delete": ("Delete Okta group", None, True),
    "group.profile.update": ("Update Okta group", None, True),
    "group.application_assignment.add": (
        "Add assigned application to group",
        "group.application_assignment.add",
        True,
    ),
    "group.application_assignment.remove": (
        "Remove assigned application from group",
        "group.application_assignment.remove",
        True,
    ),
    "application.user_membership.add": (
        "Add user to application membership",
        "app.generic.provision.assign_user_to_app",
        True,
    ),
    "application.user_membership.remove": (
        "Remove user's application membership",
        "app.generic.provision.deactivate_user_from_app",
        True,
    ),
    "application.user_membership.update": ("Update user's application membership", None, True),
    "application.lifecycle.activate": ("Activate application", None, True),
    "application.lifecycle.deactivate": ("Deactivate application", None, True),
    "application.lifecycle.update": ("Update application", None, True),
    "application.lifecycle.delete": ("Delete application", None, True),
    "application.provision.user.push": ("Push new user to external application", None, True),
    "application.provision.user.reactivate": (
        "Reactivate user in external application",
        None,
        True,
    ),
    "application.provision.user.push_profile": (
        "Push user profile to external application",
        None,
        True,
    ),
    "application.provision.user.remove_entitlements": (
        "Remove user entitlements in external application",
        None,
        True,
    ),
    "application.provision.user.deactivate": (
        "Deactivate user in external application",
        None,
        False,
    ),
    "application.provision.group_push.mapping.created": ("Group push mapping created", None, False),
    "application.provision.group_push.activate_mapping": (
        "Group push mapping activated",
        None,
        False,
    ),
    "application.provision.group_push.deactivate_mapping": (
        "Group push mapping deactivated",
        None,
        False,
    ),
    "application.provision.group_push.removed": ("Group push mapping removed", None, False),
    "application.provision.group_push.pushed": ("Group pushed", None, False),
    "application.provision.group_push.push_memberships": (
        "Group push memberships pushed",
        None,
        False,
    ),
    "application.provision.group_push.mapping.update.or.delete.failed.with.error": (
        "Group push mapping update or delete failed with error",
        None,
        True,
    ),
    "app.user_management.grouppush.mapping.okta.users.ignored": (
        "Okta users ignored while pushing group",
        None,
        False,
    ),
    "event_hook.created": ("Create an event hook", None, False),
    "event_hook.updated": ("Update an event hook", None, False),
    "event_hook.activated": ("Activate an event hook", None, False),
    "event_hook.deactivated": ("Deactivate an event hook", None, False),
    "event_hook.deleted": ("Delete an event hook", None, False),
    "event_hook.verified": ("Verify an event hook", None, False),
    "event_hook.delivery": ("Event hook delivery failed", None, False),
}

# No verb here writes these; a hook may ask for the first, and not for the others.
ELIGIBLE = (
    "user.account.unlock_by_admin",
    "group.application_assignment.update",
    "application.provision.user.import_profile",
    "application.provision.user.sync",
    "application.provision.user.remove_entitlements.schedule",
    "application.provision.user.delete",
    "application.provision.user.delete.schedule",
    "system.org.rate_limit.warning",
    "system.org.rate_limit.violation",
)
LOG_ONLY = (
    "application.user_membership.approve",
    "application.user_membership.provision",
    "application.user_membership.revoke",
    "application.user_membership.deprovision",
    "application.user_membership.restore",
    "application.provision.user.deprovision",
    "application.provision.user.activate",
    "application.provision.group_push.updated",
    "application.provision.group_push.delete_appgroup",
    "application.provision.group_push.mapping.update.or.delete.failed",
    "application.provision.group_membership.add",
    "application.provision.group_membership.remove",
    "application.provision.group_membership.update",
    "system.import.user.delete",
)
CATALOG |= {name: (name, None, name in ELIGIBLE) for name in (*ELIGIBLE, *LOG_ONLY)}

SYSTEM_ACTOR = {
    "id": "SystemPrincipal",
    "type": "SystemPrincipal",
    "alternateId": "system@okta.com",
    "displayName": "Okta System",
    "detailEntry": None,
}
ADMIN_CLIENT: Json = {
    "userAgent": {"rawUserAgent": "Mozilla/5.0", "os": "Linux", "browser": "FIREFOX"},
    "zone": "null",
    "device": "Computer",
    "id": None,
    "ipAddress": "192.0.2.10",
    "geographicalContext": {
        "city": "Boardman",
        "state": "Oregon",
        "country": "United States",
        "postalCode": "97818",
        "geolocation": {"lat": 45.8491, "lon": -119.7143},
    },
}
# A job has no client. Source: recorded group.application_assignment.add.
JOB_CLIENT: Json = {
    "userAgent": None,
    "zone": None,
    "device": None,
    "id": None,
    "ipAddress": None,
    "geographicalContext": None,
}


@dataclass(frozen=True)
class Transaction:
    """What Okta ties together: one admin's click or one job, and all it caused."""

    id: str
    type: str
    actor: Json
    uri: str = "/api/v1"


@dataclass(order=True)
class Entry:
    """An event and the place it takes among all others: by the instant it was stored."""

    persisted: datetime
    number: int
    event: Json = field(compare=False)


def iso(at: datetime) -> str:
    """``2026-11-21T21:46:00.123Z``, as Okta writes instants."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def whole_milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def target(kind: str, identity: str, name: str, alternate: str = "unknown") -> Json:
    return {
        "id": identity,
        "type": kind,
        "alternateId": alternate,
        "displayName": name,
        "detailEntry": None,
    }


class SystemLog:
    """All events, in the order they were stored."""

    def __init__(self, ids: Ids, chance: Random) -> None:
        self._ids = ids
        self._chance = chance
        self._entries: list[Entry] = []
        self._count = 0

    def build(
        self,
        transaction: Transaction,
        event_type: str,
        targets: list[Json] | None,
        at: datetime,
        *,
        outcome: str = "SUCCESS",
        reason: str | None = None,
        debug: Json | None = None,
        severity: str = "INFO",
        shuffle: bool = False,
    ) -> Json:
        """One LogEvent as ``/api/v1/logs`` shows it."""
        published = whole_milliseconds(at)
        message, legacy, _ = CATALOG[event_type]
        if targets is not None and shuffle:
            targets = self._chance.sample(targets, len(targets))
        job = transaction.type == "JOB"
        client = JOB_CLIENT if job else ADMIN_CLIENT
        return {
            "actor": dict(transaction.actor),
            "client": dict(client),
            "device": None,
            "authenticationContext": {
                "authenticationProvider": None,
                "credentialProvider": None,
                "credentialType": None,
                "issuer": None,
                "interface": None,
                "authenticationStep": 0,
                "externalSessionId": None if job else f"trs{transaction.id[:22]}",
            },
            "displayMessage": message,
            "eventType": event_type,
            "outcome": {"result": outcome, "reason": reason},
            "published": iso(published),
            "securityContext": {
                "asNumber": None,
                "asOrg": None,
                "isp": None,
                "domain": None,
                "isProxy": None,
            },
            "severity": severity,
            "debugContext": {"debugData": _debug_data(transaction) | (debug or {})},
            "legacyEventType": legacy,
            "transaction": {"type": transaction.type, "id": transaction.id, "detail": {}},
            "uuid": self._ids.event(published),
            "version": "0",
            "request": {"ipChain": [] if job else [_ip_chain_entry()]},
            "target": targets,
        }

    def add(self, event: Json, persisted: datetime) -> None:
        insort(self._entries, Entry(persisted, self._count, event))
        self._count += 1

    def polled(self, after: tuple[datetime, int], now: datetime) -> list[Entry]:
        """Entries stored after that place and visible by ``now``, in the order stored."""
        first = bisect_right(self._entries, Entry(*after, {}))
        last = bisect_right(self._entries, Entry(now, self._count, {}))
        return self._entries[first:last]

    def visible(self, now: datetime) -> list[Entry]:
        return self._entries[: bisect_right(self._entries, Entry(now, self._count, {}))]

    def all(self) -> list[Json]:
        """Every event, also those not visible yet."""
        return [entry.event for entry in self._entries]


def _debug_data(transaction: Transaction) -> Json:
    if transaction.type == "JOB":
        return {"jobId": transaction.id}
    return {
        "requestId": transaction.id,
        "requestUri": transaction.uri,
        "url": f"{transaction.uri}?",
        "threatSuspected": "false",
    }


def _ip_chain_entry() -> Json:
    return {
        "ip": ADMIN_CLIENT["ipAddress"],
        "geographicalContext": ADMIN_CLIENT["geographicalContext"],
        "version": "V4",
        "source": None,
    }
