"""Accounts, groups and refusals as the organization's admin API writes them.

Source: field lists of the spec texts of v2 (jira.js), recorded errors (baton-atlassian),
Atlassian OpenAPI of v1.
"""

import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from .nouns import Account, OrgGroup
from .store import Organization
from .switches import OrganizationSwitches

Json = dict[str, Any]

TITLES = {
    "ADMIN-UAM-400-1": "Bad Request",
    "ADMIN-UAM-400-2": "Inactive user",
    "ADMIN-UAM-401-1": "Unauthenticated",
    "ADMIN-UAM-403-1": "Forbidden",
    "ADMIN-UAM-403-2": "Not allowed to manage the org",
    "ADMIN-UAM-404-1": "Unknown Resource",
    "ADMIN-UAM-404-2": "Organization not found",
    "ADMIN-UAM-404-3": "Group Not Found",
    "ADMIN-UAM-405-1": "Method Not Supported",
    "ADMIN-UAM-409-2": "Resource Conflicts",
    "ADMIN-UAM-409-3": "Product License Limit Exceeded",
    "ADMIN-UAM-500-1": "Internal Error",
    "ADMIN-429-1": "Rate limit exceeded",
}
REASONS = {403: "Forbidden", 404: "Not Found", 410: "Gone"}


class RefusedError(Exception):
    """Answered with ``errors``; the status is part of the code."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail or TITLES[code]

    @property
    def status(self) -> int:
        return status_of(self.code)


class EnvelopeError(Exception):
    """Answered by the layer in front, in its own shape. Source: recorded, measured 2026-08-31."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ProxyError(Exception):
    """Answered by the proxy before anything else. Source: Atlassian v1 OpenAPI ProxyError."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def status_of(code: str) -> int:
    return int(code.split("-")[-2])


def errors_json(code: str, detail: str, error_id: str, switches: OrganizationSwitches) -> Json:
    status = status_of(code)
    return {
        "errors": [
            {
                "id": error_id,
                "status": str(status) if switches.org_error_status == "string" else status,
                "code": code,
                "title": TITLES[code],
                "detail": detail,
            }
        ]
    }


def refusal(
    error: RefusedError | EnvelopeError | ProxyError,
    path: str,
    organization: Organization,
    now: datetime,
) -> Response:
    error_id = organization.noise.uuid()[:8]
    match error:
        case RefusedError():
            body = errors_json(error.code, error.detail, error_id, organization.switches)
        case EnvelopeError():
            body = {
                "timestamp": now.astimezone(UTC).isoformat(timespec="milliseconds"),
                "path": f"/api{path}",
                "status": error.status,
                "error": REASONS[error.status],
                "requestId": error_id,
                "message": error.message,
            }
        case ProxyError():
            body = {"code": error.status, "message": error.message}
    return JSONResponse(body, error.status)


def fault_body(status: int, switches: OrganizationSwitches) -> Json:
    """The body a fault answers with if it names none."""
    forms = {401: switches.org_401, 429: switches.org_429}
    if forms.get(status) == "proxy":
        return {
            "code": status,
            "message": "Rate limit exceeded" if status == 429 else "Unauthorized",
        }
    code = next((code for code in TITLES if status_of(code) == status), "ADMIN-UAM-500-1")
    return errors_json(code, f"Answered {status} by the sandbox", "sandbox0", switches)


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def composite(account: Account, status: str) -> str:
    """``status`` of an account. Source: spec texts: deactivated is ``accountStatus`` inactive."""
    if status == "closed":
        return "for_deletion"
    if status == "inactive":
        return "deactivated"
    names = {"active": "active", "suspended": "suspended", "no_membership": "not_invited"}
    return names[account.membership]


def account_json(
    organization: Organization, account: Account, expand: Collection[str], at: datetime
) -> Json:
    switches = organization.switches
    status = organization.status_at(account, at)
    synced = any(d.linked(account.id) for d in organization.directories if not d.dead)
    body: Json = {
        "accountId": account.id,
        "accountType": account.type,
        "status": composite(account, status),
        "accountStatus": status,
        "membershipStatus": account.membership,
        "addedToOrg": instant(account.created),
        "name": account.name,
        "nickname": account.name,
        "email": account.email,
        "emailVerified": True,
        "claimStatus": account.claim,
        "managementSource": "synced" if synced else "invited",
        "links": {},
    }
    if account.deactivated is not None and status == "inactive":
        body["deactivatedOn"] = instant(account.deactivated)
    wanted = "platformRoles" in expand or switches.roles_without_expand
    if wanted and (account.roles or switches.empty_roles_shown):
        body["platformRoles"] = list(account.roles)
    groups = [g for g in organization.groups_at(account, at) if organization.known(g, at)]
    if "groups" in expand and switches.expand_groups_given:
        body["groups"] = [{"id": g.id, "name": g.name, "description": ""} for g in groups]
    apps = sorted({group.default_for for group in groups if group.default_for})
    if "productAccess" in expand:
        body["productAccess"] = [{"key": app, "resourceId": ari(organization, app)} for app in apps]
    if "counts.resources" in expand:
        body["counts"] = {"resources": len(apps)}
    return body


def group_json(
    organization: Organization, group: OrgGroup, expand: Collection[str], at: datetime
) -> Json:
    switches = organization.switches
    body: Json = {
        "id": group.id,
        "name": group.name,
        "description": "",
        "directoryId": group.user_base,
        "managementAccess": {
            "deletable": group.modifiable and group.default_for is None,
            "modifiable": group.modifiable,
            "readable": group.readable,
        },
        "externalSynced": group.synced,
        "managedBy": group.managed_by,
        "links": {},
    }
    counts: dict[str, int] = {}
    if "counts.users" in expand:
        counts["users"] = len(organization.members_at(group, at))
    if "counts.resources" in expand:
        counts["resources"] = int(group.default_for is not None)
    if counts and switches.counts_shown:
        body["counts"] = counts
    for name, shown in (
        ("managementAccess", switches.management_access_shown),
        ("externalSynced", switches.external_synced_shown),
        ("managedBy", switches.managed_by_shown),
    ):
        if not shown:
            del body[name]
    return body


def ari(organization: Organization, app: str) -> str:
    return f"ari:cloud:{app}::site/{organization.site_id}"


def role_assignments(organization: Organization, group: OrgGroup) -> list[Json]:
    apps = [*([group.default_for] if group.default_for else []), *group.grants]
    return [
        {
            "resourceId": ari(organization, app),
            "resourceOwner": app,
            "roles": ["atlassian/user"],
        }
        for app in dict.fromkeys(apps)
    ]


def parsed(body: bytes) -> Json:
    try:
        content = json.loads(body or b"{}")
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise RefusedError("ADMIN-UAM-400-1", "Request body is not a JSON object")
    return content
