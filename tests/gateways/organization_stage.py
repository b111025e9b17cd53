"""One organization before a server that answers what it is told, and how its answers look."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hooks.core.ids import (
    AccountId,
    OrganizationDirectoryId,
    OrganizationGroupId,
    OrganizationId,
)
from hooks.core.membership import OrganizationGroup
from hooks.gateways.organization import Organization
from tests.gateways.stage import Canned, Vault, http

ORG = OrganizationId("11111111-2222-4333-8444-555555555555")
PERSON = AccountId("712020:e19eff6d-a9d7-49e0-b743-044f410d5b00")
OTHER = AccountId("5b10ac8d82e05b22cc7d4ef5")
LOCAL = OrganizationGroup(
    OrganizationGroupId("276f955c-63d7-42c8-9520-92d01dca0625"),
    "jira-software-users",
    OrganizationDirectoryId("d1"),
    synced=False,
    modifiable=True,
)
V2 = f"/admin/v2/orgs/{ORG}/directories"

#: The routing layer's 404. Source: recorded, baton-atlassian.
ROUTING = {
    "timestamp": "2026-08-31T15:42:56.847+00:00",
    "path": "/api/admin/v2/orgs/x",
    "status": 404,
    "error": "Not Found",
    "requestId": "e4cdc7ba",
    "message": "TCS validation failed",
}


def user(account: str = PERSON, **more: Any) -> dict[str, Any]:
    known = {"accountId": account, "accountType": "atlassian", "accountStatus": "active"}
    return known | {"platformRoles": [], "email": "a@b.example", "unheardOf": {}} | more


def group(**more: Any) -> dict[str, Any]:
    known = {"id": LOCAL.id, "name": LOCAL.name, "directoryId": LOCAL.directory}
    access = {"deletable": False, "modifiable": True, "readable": True}
    found = known | {"managementAccess": access, "externalSynced": False, "managedBy": "admins"}
    return {key: value for key, value in (found | more).items() if value is not ...}


def numbered(number: int) -> dict[str, Any]:
    return group(id=f"276f955c-63d7-42c8-9520-{number:012}", name=f"group-{number}")


def page(*items: object, following: str | None = None) -> dict[str, Any]:
    links = {"self": "x"} if following is None else {"self": "x", "next": following}
    return {"data": list(items), "links": links}


def error(status: int, code: str = "", *headers: str) -> bytes:
    item = {"id": "65e99414", "code": code, "status": str(status), "detail": "a@b.example"}
    return http(status, json.dumps({"errors": [item]} if code else {}).encode(), *headers)


class OrganizationStage:
    """``replies`` are given in order, the last for ever; None closes without a word."""

    def __init__(self) -> None:
        self.replies: list[bytes | None] = []
        self.vault = Vault("key")
        self.server: Canned
        self.organization: Organization

    async def answer(self, _: str) -> bytes | None:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    @property
    def asked(self) -> list[tuple[str, str, Any]]:
        """Every request so far: method, target, body."""
        lines = [head.split(" ", 2) for head in self.server.heads]
        bodies = [json.loads(body) if body else None for body in self.server.bodies]
        return [(line[0], line[1], body) for line, body in zip(lines, bodies, strict=True)]

    @property
    def writes(self) -> int:
        return sum(target.count("/memberships") for _, target, _ in self.asked)


#: Tells the server what to answer, JSON or bytes, and gives the organization to be asked.
Say = Callable[..., Organization]
