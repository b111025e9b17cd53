"""Atlassian's user provisioning (SCIM) API over the world's directories.

Source: Atlassian user provisioning OpenAPI; behaviours nobody documents are switches.
"""

import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import scim_rules
from .directory import Directory, ScimGroup, ScimUser
from .door import Door
from .scim_json import (
    RESOURCE_TYPES,
    SCHEMAS,
    SERVICE_PROVIDER_CONFIG,
    Json,
    Refusal,
    error_json,
    failure_json,
    group_json,
    list_json,
    projected,
    scim_response,
    user_json,
)
from .scim_patch import GroupPatch, operations, patch_user, write_user
from .world import World

Handler = Callable[[Directory, Request], Awaitable[Response]]
FILTER = re.compile(r'^\s*(?P<name>\w+)\s+eq\s+"(?P<value>(?:[^"\\]|\\.)*)"\s*$', re.IGNORECASE)
PREFIX = "/scim/directory/{directory_id}"


def create_atlassian(world: World) -> Door:
    """The SCIM API of every directory of this world."""
    scim = ScimApi(world)
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
            Route(PREFIX + path, scim.guarded(handlers), methods=list(handlers))
            for path, handlers in routes
        ]
    )
    return Door(app, world, "scim", vendor_error)


def vendor_error(status: int) -> Any:
    """The body a fault answers with if it names none."""
    if status in (401, 403):
        return failure_json("Unauthorized" if status == 401 else "Forbidden", "sandbox-fault")
    return error_json(status, f"Answered {status} by the sandbox")


class ScimApi:
    def __init__(self, world: World) -> None:
        self.world = world
        self.spent: dict[tuple[str, int], int] = {}

    # --- the guard --------------------------------------------------------------------------

    def guarded(self, handlers: Mapping[str, Handler]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            handler = handlers.get(request.method, handlers.get("GET"))
            assert handler is not None
            self._judge(request, await request.body())
            try:
                directory = self._admit(request)
                return self._metered(directory, await handler(directory, request))
            except Refusal as refusal:
                return refusal.response()
            except Unauthorized as unauthorized:
                return unauthorized.response(self.world.ids.uuid())

        return endpoint

    def _judge(self, request: Request, body: bytes) -> None:
        self.world.violations.extend(
            scim_rules.broken(request.method, request.url.path, request.url.query, body)
        )

    def _admit(self, request: Request) -> Directory:
        """401 without a valid key, 403 with another directory's, 404 for no such directory."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        known = {d.key: d for d in self.world.directories.values() if not d.key_expired}
        if scheme.lower() != "bearer" or key not in known:
            raise Unauthorized(401, "Unauthorized")
        directory = self.world.directories.get(request.path_params["directory_id"])
        if directory is None or directory.dead:
            raise Refusal(404, "Directory not found")
        if known[key] is not directory:
            raise Unauthorized(403, "Forbidden")
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
            response = Refusal(429, "Rate limit exceeded").response()
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

    # --- users ------------------------------------------------------------------------------

    async def list_users(self, directory: Directory, request: Request) -> Response:
        found = self._filtered_users(directory, request)
        base = _base(request)
        page, start = self._page(found, request)
        bodies = [json.dumps(self._user(directory, u, base, request)).encode() for u in page]
        return scim_response(list_json(bodies, len(found), start))

    def _filtered_users(self, directory: Directory, request: Request) -> list[ScimUser]:
        wanted = self._filter(request, ("userName", "externalId"))
        if wanted is None:
            return list(directory.users.values())
        name, value = wanted
        return directory.named(value) if name == "username" else directory.with_external_id(value)

    def _filter(self, request: Request, names: tuple[str, ...]) -> tuple[str, str] | None:
        """One ``eq`` on one of these attributes. Source: Atlassian OpenAPI."""
        text = request.query_params.get("filter")
        if text is None or self.world.switches.filter_ignored:
            return None
        found = FILTER.match(text)
        if found is None or found["name"].lower() not in {name.lower() for name in names}:
            raise Refusal(400, f"Unsupported filter: {text}", "invalidFilter")
        return found["name"].lower(), re.sub(r"\\(.)", r"\1", found["value"])

    def _page(self, found: list[Any], request: Request) -> tuple[list[Any], int]:
        switches = self.world.switches
        start = max(1, _number(request, "startIndex", 1))
        count = max(0, _number(request, "count", switches.scim_page_size))
        if switches.scim_page_maximum is not None:
            count = min(count, switches.scim_page_maximum)
        if switches.scim_paging_ignored:
            return found, 1
        return found[start - 1 : start - 1 + count], start

    def _user(self, directory: Directory, user: ScimUser, base: str, request: Request) -> Json:
        switches = self.world.switches
        at = self.world.ago(switches.scim_read_lag)
        body = user_json(directory, user, base, switches, at)
        query = request.query_params
        return projected(body, query.get("attributes"), query.get("excludedAttributes"))

    def _find_user(self, directory: Directory, request: Request) -> ScimUser:
        user = directory.users.get(request.path_params["id"])
        if user is None:
            raise Refusal(404, f"Resource [USER]: {request.path_params['id']} not found")
        return user

    async def get_user(self, directory: Directory, request: Request) -> Response:
        user = self._find_user(directory, request)
        return scim_response(self._user(directory, user, _base(request), request))

    async def create_user(self, directory: Directory, request: Request) -> Response:
        body = _object(await request.body())
        user_name = str(body.get("userName", ""))
        if not user_name:
            raise Refusal(400, "userName is required", "invalidValue")
        taken = {str(e["value"]).lower() for u in directory.users.values() for e in u.emails}
        if directory.named(user_name) or user_name.lower() in taken:
            detail = f"Resource [USER]: with email[{user_name}] already exists."
            raise Refusal(409, detail, "uniqueness")
        user = self.world.add_scim_user(directory, user_name)
        write_user(directory, user, body, self.world.now())
        return scim_response(self._user(directory, user, _base(request), request), 201)

    async def patch_user(self, directory: Directory, request: Request) -> Response:
        user = self._find_user(directory, request)
        patch_user(directory, user, operations(await request.body()), self.world.now())
        if self.world.switches.patch_reply == "empty":
            return Response(status_code=204)
        return scim_response(self._user(directory, user, _base(request), request))

    async def replace_user(self, directory: Directory, request: Request) -> Response:
        """Really replaces: what is not named is cleared. Source: Atlassian OpenAPI."""
        user = self._find_user(directory, request)
        body = _object(await request.body())
        cleared: Json = {
            "externalId": None,
            "displayName": None,
            "title": None,
            "name": {"givenName": None, "familyName": None},
        }
        write_user(directory, user, cleared | body, self.world.now())
        return scim_response(self._user(directory, user, _base(request), request))

    async def delete_user(self, directory: Directory, request: Request) -> Response:
        user = self._find_user(directory, request)
        directory.delete_user(user, self.world.now())
        return Response(status_code=204)

    # --- groups -----------------------------------------------------------------------------

    async def list_groups(self, directory: Directory, request: Request) -> Response:
        wanted = self._filter(request, ("displayName",))
        found = list(directory.groups.values())
        if wanted is not None:
            found = [group for group in found if self._is_named(group, wanted[1])]
        page, start = self._page(found, request)
        bodies = [self._group(directory, group, _base(request)) for group in page]
        return scim_response(list_json(bodies, len(found), start))

    def _is_named(self, group: ScimGroup, name: str) -> bool:
        if self.world.switches.display_name_case_exact:
            return group.display_name == name
        return group.display_name.lower() == name.lower()

    def _group(self, directory: Directory, group: ScimGroup, base: str) -> bytes:
        at = self.world.ago(self.world.switches.scim_read_lag)
        return group_json(directory, group, base, at)

    def _find_group(self, directory: Directory, request: Request) -> ScimGroup:
        group = directory.groups.get(request.path_params["id"])
        if group is None:
            raise Refusal(404, f"Resource [GROUP]: {request.path_params['id']} not found")
        return group

    async def get_group(self, directory: Directory, request: Request) -> Response:
        group = self._find_group(directory, request)
        return scim_response(self._group(directory, group, _base(request)))

    async def create_group(self, directory: Directory, request: Request) -> Response:
        body = _object(await request.body())
        name = str(body.get("displayName", ""))
        if directory.group_named(name) is not None:
            detail = "Resource [GROUP]: with displayName already exists."
            raise Refusal(409, detail, "uniqueness")
        group = self.world.add_scim_group(directory, name)
        self._set_members(directory, group, body)
        return scim_response(self._group(directory, group, _base(request)), 201)

    def _set_members(self, directory: Directory, group: ScimGroup, body: Json) -> None:
        members = [str(entry["value"]) for entry in body.get("members", [])]
        unknown = [i for i in members if i not in directory.users]
        if unknown:
            raise Refusal(400, "users referenced do not exist", "invalidValue")
        directory.leave(group, list(group.members), self.world.now())
        directory.join(group, members, self.world.now())

    async def patch_group(self, directory: Directory, request: Request) -> Response:
        group = self._find_group(directory, request)
        found = operations(await request.body())
        switches, now = self.world.switches, self.world.now()
        GroupPatch(directory, group, switches, now).apply(found)
        if switches.patch_reply == "empty":
            return Response(status_code=204)
        return scim_response(group_json(directory, group, _base(request), now))

    async def replace_group(self, directory: Directory, request: Request) -> Response:
        """Really replaces: without ``members`` the group is empty afterwards."""
        group = self._find_group(directory, request)
        self._set_members(directory, group, _object(await request.body()))
        return scim_response(self._group(directory, group, _base(request)))

    async def delete_group(self, directory: Directory, request: Request) -> Response:
        directory.delete_group(self._find_group(directory, request), self.world.now())
        return Response(status_code=204)

    # --- about itself -----------------------------------------------------------------------

    async def config(self, _directory: Directory, _request: Request) -> Response:
        return scim_response(SERVICE_PROVIDER_CONFIG)

    async def resource_types(self, _directory: Directory, request: Request) -> Response:
        return _described(RESOURCE_TYPES, request)

    async def schemas(self, _directory: Directory, request: Request) -> Response:
        return _described(SCHEMAS, request)


class Unauthorized(Exception):
    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error

    def response(self, trace_id: str) -> Response:
        body = json.dumps(failure_json(self.error, trace_id))
        return Response(body, self.status, media_type="application/json")


def _base(request: Request) -> str:
    return f"{request.base_url}scim/directory/{request.path_params['directory_id']}"


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    try:
        return default if text is None else int(text)
    except ValueError:
        raise Refusal(400, f"{name} is not a number", "invalidValue") from None


def _object(body: bytes) -> Json:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Refusal(400, "Request body is not a JSON object", "invalidSyntax")
    return content


def _described(known: dict[str, Json], request: Request) -> Response:
    identity = request.path_params.get("id")
    if identity is None:
        bodies = [json.dumps(item).encode() for item in known.values()]
        return scim_response(list_json(bodies, len(bodies), 1))
    if identity not in known:
        raise Refusal(404, f"{identity} not found")
    return scim_response(known[identity])
