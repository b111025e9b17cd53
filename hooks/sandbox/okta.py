"""Okta's management API, System Log and event hook administration over the world.

Source: Okta OpenAPI 2026.06 for paths, parameters, scopes and shapes.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import parse_qs

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .control import Control
from .door import Door
from .faults import Request as Asked
from .faults import template
from .okta_auth import Gate
from .okta_hooks import HookApi
from .okta_json import OktaError, error_json, vendor_error
from .okta_log import LogApi
from .okta_reads import ReadApi
from .world import World

Endpoint = Callable[[Request], Awaitable[Response]]

USERS, GROUPS = frozenset({"okta.users.read"}), frozenset({"okta.groups.read"})
APPS, LOGS = frozenset({"okta.apps.read"}), frozenset({"okta.logs.read"})
PROFILES = frozenset({"okta.profileMappings.read"})
HOOKS_READ = frozenset({"okta.eventHooks.read"})
HOOKS_MANAGE = frozenset({"okta.eventHooks.manage"})

# What each list declares; ``after`` and ``limit`` of a user's groups come with Okta's own links.
DECLARED: dict[str, set[str]] = {
    "/api/v1/apps/{id}": {"expand"},
    "/api/v1/apps/{id}/features": set(),
    "/api/v1/apps/{id}/group-push/mappings": {
        "after",
        "limit",
        "lastUpdated",
        "sourceGroupId",
        "status",
    },
    "/api/v1/apps/{id}/groups": {"q", "after", "limit", "expand"},
    "/api/v1/apps/{id}/users": {"after", "limit", "q", "expand"},
    "/api/v1/apps/{id}/users/{id}": {"expand"},
    "/api/v1/groups": {
        "search",
        "filter",
        "q",
        "after",
        "limit",
        "expand",
        "sortBy",
        "sortOrder",
    },
    "/api/v1/groups/{id}": set(),
    "/api/v1/groups/{id}/users": {"after", "limit"},
    "/api/v1/mappings": {"after", "limit", "sourceId", "targetId"},
    "/api/v1/mappings/{id}": set(),
    "/api/v1/logs": {"since", "until", "after", "filter", "q", "limit", "sortOrder"},
    "/api/v1/users": {
        "search",
        "filter",
        "q",
        "after",
        "limit",
        "sortBy",
        "sortOrder",
        "fields",
        "expand",
    },
    "/api/v1/users/{id}": {"expand"},
    "/api/v1/users/{id}/groups": {"after", "limit"},
}


def create_okta(world: World, client: httpx.AsyncClient | None = None) -> Door:
    """The Okta org of this world.

    ``client`` carries the verification challenge to a hook; without one, each verification
    opens its own. ``/sandbox/…`` is the control door and no part of Okta.
    """
    gate, reads, log = Gate(world), ReadApi(world), LogApi(world)
    hooks = HookApi(world, client)
    table: list[tuple[str, str, Endpoint, frozenset[str]]] = [
        ("GET", "/users", reads.list_users, USERS),
        ("GET", "/users/{id}", reads.get_user, USERS),
        ("GET", "/users/{id}/groups", reads.list_user_groups, USERS),
        ("GET", "/apps/{id}", reads.get_app, APPS),
        ("GET", "/apps/{id}/features", reads.list_features, APPS),
        ("GET", "/apps/{id}/users", reads.list_app_users, APPS),
        ("GET", "/apps/{id}/users/{uid}", reads.get_app_user, APPS),
        ("GET", "/apps/{id}/groups", reads.list_app_groups, APPS),
        ("GET", "/apps/{id}/group-push/mappings", reads.list_mappings, APPS | GROUPS),
        ("GET", "/mappings", reads.list_profiles, PROFILES),
        ("GET", "/mappings/{id}", reads.get_profile, PROFILES),
        ("GET", "/groups", reads.list_groups, GROUPS),
        ("GET", "/groups/{id}", reads.get_group, GROUPS),
        ("GET", "/groups/{id}/users", reads.list_group_users, GROUPS),
        ("GET", "/logs", log.list_events, LOGS),
        ("GET", "/eventHooks", hooks.list, HOOKS_READ),
        ("POST", "/eventHooks", hooks.create, HOOKS_MANAGE),
        ("GET", "/eventHooks/{id}", hooks.get, HOOKS_READ),
        ("PUT", "/eventHooks/{id}", hooks.replace, HOOKS_MANAGE),
        ("DELETE", "/eventHooks/{id}", hooks.delete, HOOKS_MANAGE),
        ("POST", "/eventHooks/{id}/lifecycle/{verb}", hooks.lifecycle, HOOKS_MANAGE),
    ]
    guard = Guard(world, gate)
    routes = [Route("/oauth2/v1/token", gate.token, methods=["POST"])]
    routes += [
        Route(f"/api/v1{path}", guard.around(endpoint, f"/api/v1{path}", scopes), methods=[method])
        for method, path, endpoint, scopes in table
    ]
    app = Starlette(
        routes=[*routes, *Control(world).routes],
        exception_handlers={404: guard.not_found, 405: guard.wrong_method},
    )
    app.router.redirect_slashes = False
    return Door(app, world, "okta", vendor_error, broken)


def broken(request: Asked) -> Iterator[str]:
    """Calls that change people or groups, and parameters that no operation declares."""
    path = template(request.path)
    call = f"{request.method} {request.path}"
    if request.method != "GET" and not path.startswith(("/api/v1/eventHooks", "/oauth2/")):
        yield f"{call}: changes the org"
    if request.method == "GET" and path in DECLARED:
        undeclared = set(parse_qs(request.query, keep_blank_values=True)) - DECLARED[path]
        if undeclared:
            yield f"{call}: undeclared parameters {sorted(undeclared)}"


class Guard:
    """Around every endpoint: token, scopes, rate, Okta's errors."""

    def __init__(self, world: World, gate: Gate) -> None:
        self.world = world
        self.gate = gate
        self.at_once = 0

    def around(self, endpoint: Endpoint, path: str, scopes: frozenset[str]) -> Endpoint:
        bucket = "/".join(path.split("/")[:4])

        async def guarded(request: Request) -> Response:
            headers, exceeded = self.gate.meter(bucket)
            self.at_once += 1
            try:
                headers, exceeded = await self._crowded() or (headers, exceeded)
                self.gate.admit(request, scopes, exceeded=exceeded)
                response = await endpoint(request)
            except OktaError as error:
                response = self._error(error)
            finally:
                self.at_once -= 1
            response.headers.update(headers)
            return response

        return guarded

    async def _crowded(self) -> tuple[dict[str, str], bool] | None:
        """Too many calls at once, whatever the rate. Source: Okta docs "rl2-concurrency"."""
        most = self.world.switches.okta_concurrency
        if most is None:
            return None
        if self.at_once > most:
            reset = math.ceil(self.world.now().timestamp())
            names = ("Limit", "Remaining", "Reset")
            values = ("0", "0", str(reset))
            return {f"X-Rate-Limit-{n}": v for n, v in zip(names, values, strict=True)}, True
        await asyncio.sleep(0.01)
        return None

    def _error(self, error: OktaError) -> Response:
        error_id = self.world.noise.okta("oae")
        body = error_json(error.code, error.about, error_id, error.causes)
        response = JSONResponse(body, error.status)
        response.headers["x-okta-request-id"] = error_id
        return response

    async def not_found(self, _request: Request, _error: Exception) -> Response:
        return self._error(OktaError(404, "E0000022"))

    async def wrong_method(self, _request: Request, _error: Exception) -> Response:
        return self._error(OktaError(405, "E0000022"))
