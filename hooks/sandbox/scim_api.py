"""SCIM users and groups over HTTP: lists, filters, pages, reads, writes."""

import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .directory import Directory, ScimGroup, ScimUser
from .scim_json import (
    RESOURCE_TYPES,
    SCHEMAS,
    SERVICE_PROVIDER_CONFIG,
    Json,
    RefusalError,
    group_json,
    list_json,
    projected,
    scim_response,
    user_json,
)
from .scim_patch import GroupPatch, operations, patch_user, write_user
from .world import World

FILTER = re.compile(r'^\s*(?P<name>\w+)\s+eq\s+"(?P<value>(?:[^"\\]|\\.)*)"\s*$', re.IGNORECASE)


class ScimApi:
    """Every handler gets the directory whose key the caller has shown."""

    def __init__(self, world: World) -> None:
        self.world = world

    # --- users ------------------------------------------------------------------------------

    async def list_users(self, directory: Directory, request: Request) -> Response:
        found = self._filtered_users(directory, request)
        base = _base(request)
        page, start = self._page(found, request)
        users = [self._user(directory, user, base, request) for user in page]
        if "filter" not in request.query_params and not self.world.switches.scim_groups_in_lists:
            users = [{key: each[key] for key in each if key != "groups"} for each in users]
        bodies = [json.dumps(each).encode() for each in users]
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
            raise RefusalError(400, f"Unsupported filter: {text}", "invalidFilter")
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
            raise RefusalError(404, f"Resource [USER]: {request.path_params['id']} not found")
        return user

    async def get_user(self, directory: Directory, request: Request) -> Response:
        user = self._find_user(directory, request)
        return scim_response(self._user(directory, user, _base(request), request))

    async def create_user(self, directory: Directory, request: Request) -> Response:
        body = _object(await request.body())
        user_name = str(body.get("userName", ""))
        if not user_name:
            raise RefusalError(400, "userName is required", "invalidValue")
        taken = {str(e["value"]).lower() for u in directory.users.values() for e in u.emails}
        if directory.named(user_name) or user_name.lower() in taken:
            detail = f"Resource [USER]: with email[{user_name}] already exists."
            raise RefusalError(409, detail, "uniqueness")
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
            raise RefusalError(404, f"Resource [GROUP]: {request.path_params['id']} not found")
        return group

    async def get_group(self, directory: Directory, request: Request) -> Response:
        group = self._find_group(directory, request)
        return scim_response(self._group(directory, group, _base(request)))

    async def create_group(self, directory: Directory, request: Request) -> Response:
        body = _object(await request.body())
        name = str(body.get("displayName", ""))
        if directory.group_named(name) is not None or self.world.organization.clashes(name):
            detail = "Resource [GROUP]: with displayName already exists."
            raise RefusalError(409, detail, "uniqueness")
        group = self.world.add_scim_group(directory, name)
        self._set_members(directory, group, body)
        return scim_response(self._group(directory, group, _base(request)), 201)

    def _set_members(self, directory: Directory, group: ScimGroup, body: Json) -> None:
        members = [str(entry["value"]) for entry in body.get("members", [])]
        unknown = [i for i in members if i not in directory.users]
        if unknown:
            raise RefusalError(400, "users referenced do not exist", "invalidValue")
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
        patch = {"supported": self.world.switches.scim_patch_supported}
        return scim_response(SERVICE_PROVIDER_CONFIG | {"patch": patch})

    async def resource_types(self, _directory: Directory, request: Request) -> Response:
        return _described(RESOURCE_TYPES, request)

    async def schemas(self, _directory: Directory, request: Request) -> Response:
        return _described(SCHEMAS, request)


def _base(request: Request) -> str:
    return f"{request.base_url}scim/directory/{request.path_params['directory_id']}"


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    try:
        return default if text is None else int(text)
    except ValueError:
        raise RefusalError(400, f"{name} is not a number", "invalidValue") from None


def _object(body: bytes) -> Json:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise RefusalError(400, "Request body is not a JSON object", "invalidSyntax")
    return content


def _described(known: dict[str, Json], request: Request) -> Response:
    identity = request.path_params.get("id")
    if identity is None:
        bodies = [json.dumps(item).encode() for item in known.values()]
        return scim_response(list_json(bodies, len(bodies), 1))
    if identity not in known:
        raise RefusalError(404, f"{identity} not found")
    return scim_response(known[identity])
