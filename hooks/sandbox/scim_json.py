"""SCIM resources, lists and errors as Atlassian writes them."""

import json
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from .directory import Directory, ScimGroup, ScimUser
from .switches import Switches

Json = dict[str, Any]

CORE = "urn:ietf:params:scim:schemas:core:2.0:"
USER = CORE + "User"
GROUP = CORE + "Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
EXTERNAL = "urn:scim:schemas:extension:atlassian-external:1.0"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
MEDIA_TYPE = "application/scim+json"


class RefusalError(Exception):
    """Answered with a SCIM Error. Source: Atlassian OpenAPI ScimError, ``status`` a string."""

    def __init__(self, status: int, detail: str, scim_type: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.scim_type = scim_type

    def response(self) -> Response:
        return scim_response(error_json(self.status, self.detail, self.scim_type), self.status)


def error_json(status: int, detail: str, scim_type: str | None = None) -> Json:
    error: Json = {"schemas": [ERROR], "status": str(status)}
    if scim_type is not None:
        error["scimType"] = scim_type
    return error | {"detail": detail}


def failure_json(error: str, trace_id: str) -> Json:
    """Body of 401 and 403, not SCIM-shaped. Source: Atlassian OpenAPI Failure."""
    return {"error": error, "traceId": trace_id}


def scim_response(content: Any, status: int = 200) -> Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Response(body, status, media_type=MEDIA_TYPE)


def instant(at: datetime) -> str:
    """Six fractional digits and ``Z``. Source: recorded user."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def user_json(
    directory: Directory, user: ScimUser, base: str, switches: Switches, at: datetime
) -> Json:
    """A user as of ``at``; absent attributes are left out, not null. Source: recorded users."""
    body: Json = {
        "schemas": [EXTERNAL, USER, ENTERPRISE],
        "userName": user.user_name,
        "emails": user.emails,
        "meta": meta_json("User", f"{base}/Users/{user.id}", user.created, user.last_modified),
    }
    hidden = not (user.active or switches.scim_groups_of_inactive)
    groups = [] if hidden else directory.groups_at(user, at)
    if switches.scim_groups_shown and (groups or switches.scim_groups_when_empty == "list"):
        body["groups"] = [
            {
                "type": "direct",
                "value": group.id,
                "display": group.display_name,
                "$ref": f"{base}/Groups/{group.id}",
            }
            for group in groups
        ]
    if switches.scim_extension_shown and user.account_id is not None:
        body[EXTERNAL] = {"atlassianAccountId": user.account_id}
    body["id"] = user.id
    if switches.scim_active_shown:
        body["active"] = user.active
    return body | _optional(user)


def _optional(user: ScimUser) -> Json:
    name = {
        key: value
        for key, value in (("givenName", user.given_name), ("familyName", user.family_name))
        if value
    }
    optional = {
        "externalId": user.external_id,
        "displayName": user.display_name,
        "name": name,
        "title": user.title,
    }
    return {key: value for key, value in optional.items() if value}


def group_json(directory: Directory, group: ScimGroup, base: str, at: datetime) -> bytes:
    """A group with all its members inlined, as bytes: it may be several megabytes."""
    head = {
        "schemas": [GROUP],
        "id": group.id,
        "displayName": group.display_name,
        "meta": meta_json("Group", f"{base}/Groups/{group.id}", group.created, group.last_modified),
    }
    members = b",".join(user.as_member(base) for user in directory.members_at(group, at))
    return json.dumps(head).encode()[:-1] + b',"members":[' + members + b"]}"


def meta_json(kind: str, location: str, created: datetime, modified: datetime) -> Json:
    return {
        "resourceType": kind,
        "location": location,
        "lastModified": instant(modified),
        "created": instant(created),
    }


def list_json(resources: list[bytes], total: int, start: int) -> bytes:
    head = {"schemas": [LIST], "totalResults": total, "startIndex": start}
    head |= {"itemsPerPage": len(resources)}
    return json.dumps(head).encode()[:-1] + b',"Resources":[' + b",".join(resources) + b"]}"


def projected(body: Json, attributes: str | None, excluded: str | None) -> Json:
    """``attributes`` or ``excludedAttributes``: comma lists, ``emails.value`` allowed."""
    if attributes and excluded:
        raise RefusalError(
            400, "attributes and excludedAttributes exclude each other", "invalidValue"
        )
    if attributes:
        wanted = {name.strip().partition(".")[0] for name in attributes.split(",")}
        return {k: v for k, v in body.items() if k in wanted or k in ("schemas", "id")}
    if excluded:
        unwanted = {name.strip() for name in excluded.split(",")} - {"schemas", "id"}
        return {k: v for k, v in body.items() if k not in unwanted}
    return body


# The live document was not found; this is what a directory with these endpoints would say.
SERVICE_PROVIDER_CONFIG: Json = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
    "patch": {"supported": True},
    "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
    "filter": {"supported": True, "maxResults": 100},
    "changePassword": {"supported": False},
    "sort": {"supported": False},
    "etag": {"supported": False},
    "authenticationSchemes": [
        {
            "type": "oauthbearertoken",
            "name": "OAuth Bearer Token",
            "description": "Authentication scheme using the OAuth Bearer Token Standard",
        }
    ],
}
RESOURCE_TYPES: dict[str, Json] = {
    name: {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": name,
        "name": name,
        "endpoint": f"/{name}s",
        "schema": CORE + name,
    }
    for name in ("User", "Group")
}
SCHEMAS: dict[str, Json] = {
    urn: {"id": urn, "name": urn.rpartition(":")[2], "attributes": []}
    for urn in (USER, GROUP, ENTERPRISE)
}
