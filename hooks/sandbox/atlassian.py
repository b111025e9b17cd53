"""Atlassian's APIs on one origin: user provisioning (SCIM), the organization, its Jira site.

Source of SCIM: Atlassian user provisioning OpenAPI; behaviours nobody documents are switches.
"""

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .directory import Directory
from .door import Door
from .organization.app import create_organization
from .organization.jira import create_jira
from .scim_api import ScimApi
from .scim_json import RefusalError, error_json, failure_json
from .scim_rules import broken
from .world import World

Handler = Callable[[Directory, Request], Awaitable[Response]]
PREFIX = "/scim/directory/{directory_id}"


def create_atlassian(world: World) -> ASGIApp:
    """The SCIM API of every directory, the admin API of the organization, and its Jira site."""
    doors = {"/admin/": create_organization(world), "/ex/jira/": create_jira(world)}
    scim = create_scim(world)

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope["path"]) if scope["type"] == "http" else ""
        door = next((door for start, door in doors.items() if path.startswith(start)), scim)
        await door(scope, receive, send)

    return by_path


def create_scim(world: World) -> Door:
    scim, guard = ScimApi(world), Guard(world)
    routes: list[tuple[str, dict[str, Handler]]] = [
        ("/Users", {"GET": scim.list_users, "POST": scim.create_user}),
        (
            "/Users/{id}",
            {
                "GET": scim.get_user,
                "PATCH": scim.patch_user,
                "PUT": scim.replace_user,
                "DELETE": scim.delete_user,
            },
        ),
        ("/Groups", {"GET": scim.list_groups, "POST": scim.create_group}),
        (
            "/Groups/{id}",
            {
                "GET": scim.get_group,
                "PATCH": scim.patch_group,
                "PUT": scim.replace_group,
                "DELETE": scim.delete_group,
            },
        ),
        ("/ServiceProviderConfig", {"GET": scim.config}),
        ("/ResourceTypes", {"GET": scim.resource_types}),
        ("/ResourceTypes/{id}", {"GET": scim.resource_types}),
        ("/Schemas", {"GET": scim.schemas}),
        ("/Schemas/{id}", {"GET": scim.schemas}),
    ]
    app = Starlette(
        routes=[
            Route(PREFIX + path, guard.around(handlers), methods=list(handlers))
            for path, handlers in routes
        ]
    )
    app.router.redirect_slashes = False
    return Door(app, world, "scim", vendor_error, partial(broken, announced=world.announced))


def vendor_error(status: int) -> Any:
    """The body a fault answers with if it names none."""
    if status in (401, 403):
        return failure_json("Unauthorized" if status == 401 else "Forbidden", "sandbox-fault")
    return error_json(status, f"Answered {status} by the sandbox")


class Guard:
    """Around every handler: key, directory, rate, Atlassian's errors."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.spent: dict[tuple[str, int], int] = {}

    def around(self, handlers: Mapping[str, Handler]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            # Starlette answers HEAD wherever GET is.
            handler = handlers["GET" if request.method == "HEAD" else request.method]
            try:
                directory = self._admit(request)
                return self._metered(directory, await handler(directory, request))
            except RefusalError as refusal:
                return refusal.response()
            except UnauthorizedError as unauthorized:
                return unauthorized.response(self.world.noise.uuid())

        return endpoint

    def _admit(self, request: Request) -> Directory:
        """401 without a valid key, 403 with another directory's, 404 for no such directory."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        known = {d.key: d for d in self.world.directories.values() if not d.key_expired}
        if scheme.lower() != "bearer" or key not in known:
            raise UnauthorizedError(401, "Unauthorized")
        directory = self.world.directories.get(request.path_params["directory_id"])
        if directory is None or directory.dead:
            answer = self.world.switches.scim_no_directory
            if answer == "404":
                raise RefusalError(404, "Directory not found")
            unknown = answer == "401"
            raise UnauthorizedError(int(answer), "Unauthorized" if unknown else "Forbidden")
        if known[key] is not directory:
            raise UnauthorizedError(403, "Forbidden")
        return directory

    def _metered(self, directory: Directory, response: Response) -> Response:
        """Count per minute; nothing is published, so both headers and limit are switches."""
        switches, now = self.world.switches, self.world.now()
        minute = math.floor(now.timestamp() / 60)
        self.spent[directory.id, minute] = self.spent.get((directory.id, minute), 0) + 1
        limit = switches.scim_rate_limit
        remaining = (limit or 1000) - self.spent[directory.id, minute]
        reset = datetime.fromtimestamp((minute + 1) * 60, UTC)
        if limit is not None and remaining < 0:
            response = RefusalError(429, "Rate limit exceeded").response()
            wait = max(1, math.ceil((reset - now).total_seconds()))
            if switches.retry_after != "absent":
                as_date = switches.retry_after == "date"
                value = format_datetime(reset, usegmt=True) if as_date else str(wait)
                response.headers["Retry-After"] = value
        if switches.scim_rate_headers:
            response.headers["X-RateLimit-Limit"] = str(limit or 1000)
            response.headers["X-RateLimit-Remaining"] = str(max(0, remaining))
            response.headers["X-RateLimit-Reset"] = reset.isoformat().replace("+00:00", "Z")
        return response


class UnauthorizedError(Exception):
    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error

    def response(self, trace_id: str) -> Response:
        body = json.dumps(failure_json(self.error, trace_id))
        return Response(body, self.status, media_type="application/json")
