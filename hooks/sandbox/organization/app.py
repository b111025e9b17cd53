"""The organization's admin API: every route, and who may call it."""

import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hooks.sandbox.door import Door
from hooks.sandbox.world import World

from .answers import EnvelopeError, ProxyError, RefusedError, fault_body, instant, refusal
from .events import Audit
from .identity import ScimLinks
from .membership import OrganizationWrites
from .mistakes import broken
from .nouns import KeyKind
from .reads import OrganizationReads

Handler = Callable[[Request], Awaitable[Response]]
V1 = "/admin/v1/orgs"
V2 = "/admin/v2/orgs/{org_id}/directories"
HERE = V2 + "/{directory_id}"
GROUP = HERE + "/groups/{group_id}"
LINKS = "/admin/user-provisioning/v1/org/{org_id}"
ROLES = V1 + "/{org_id}/users/{account_id}/role-assignments"


def create_organization(world: World) -> Door:
    """The admin API of this world's organization."""
    reads, audit, links = OrganizationReads(world), Audit(world), ScimLinks(world)
    writes, guard = OrganizationWrites(world, reads), Guard(world)
    table: list[tuple[str, str, Handler]] = [
        ("POST", HERE + "/users/search", reads.search_users),
        ("POST", HERE + "/groups/search", reads.search_groups),
        ("GET", GROUP, reads.get_group),
        ("GET", GROUP + "/role-assignments", reads.get_role_assignments),
        ("GET", V2, reads.list_directories),
        ("POST", GROUP + "/memberships", writes.add),
        ("DELETE", GROUP + "/memberships/{account_id}", writes.remove),
        ("GET", HERE + "/users", reads.list_users),
        ("GET", HERE + "/groups", reads.list_groups),
        ("DELETE", GROUP, writes.delete_group),
        ("DELETE", HERE + "/users/{account_id}", writes.delete_user),
        ("POST", HERE + "/users/{account_id}/suspend", writes.suspend),
        ("POST", HERE + "/users/{account_id}/restore", writes.restore),
        ("GET", V1, reads.list_organizations),
        ("GET", V1 + "/{org_id}", reads.get_organization),
        ("GET", V1 + "/{org_id}/domains", reads.list_domains),
        ("GET", V1 + "/{org_id}/events", audit.list_events),
        ("GET", V1 + "/{org_id}/events/{event_id}", audit.get_event),
        ("GET", V1 + "/{org_id}/events-stream", audit.list_events),
        ("GET", V1 + "/{org_id}/event-actions", audit.list_actions),
        ("POST", ROLES + "/assign", writes.assign_role),
        ("POST", ROLES + "/revoke", writes.revoke_role),
        ("GET", LINKS + "/user/{account_id}/get-scim-links", links.of_account),
        ("POST", LINKS + "/get-scim-links-for-email", links.of_email),
        (
            "PATCH",
            LINKS + "/scimDirectoryId/{directory_id}/scimUserId/{scim_id}/unlink",
            links.unlink,
        ),
        ("DELETE", LINKS + "/user/{account_id}/onlyDeleteUserInDB", links.delete_records),
    ]
    app = Starlette(
        routes=[
            *(Route(p, guard.around(h, p), methods=[m]) for m, p, h in table),
            Route("/admin/v1/{rest:path}", guard.around(guard.ended, V1), methods=METHODS),
        ],
        exception_handlers={404: guard.not_found, 405: guard.wrong_method},
    )
    app.router.redirect_slashes = False
    return Door(
        app,
        world,
        "org",
        lambda status: fault_body(status, world.switches),
        lambda request: broken(request, world.organization),
    )


METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class LimitError(Exception):
    """Too many requests, with the headers that say until when."""

    def __init__(self, headers: dict[str, str], *, proxy: bool) -> None:
        super().__init__("rate limit")
        self.headers = headers
        self.error = (
            ProxyError(429, "Rate limit exceeded") if proxy else RefusedError("ADMIN-429-1")
        )


class Guard:
    """Around every handler: key, organization, rate, errors."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.organization = world.organization
        self.spent: dict[tuple[str, str, int], int] = {}

    def around(self, handler: Handler, path: str) -> Handler:
        async def endpoint(request: Request) -> Response:
            headers: dict[str, str] = {}
            try:
                key = self._admit(request)
                headers = self._meter(path, key)
                self._own(request)
                response = await handler(request)
            except LimitError as limit:
                headers, response = limit.headers, self._refusal(limit.error, request)
            except (RefusedError, EnvelopeError, ProxyError) as error:
                response = self._refusal(error, request)
            response.headers.update(headers)
            return response

        return endpoint

    def _refusal(
        self, error: RefusedError | EnvelopeError | ProxyError, request: Request
    ) -> Response:
        return refusal(error, request.url.path, self.organization, self.world.now())

    def _admit(self, request: Request) -> str:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        kind: KeyKind | None = self.organization.keys.get(key)
        if scheme.lower() != "bearer" or kind in (None, "site", "expired"):
            if self.world.switches.org_401 == "errors":
                raise RefusedError("ADMIN-UAM-401-1")
            raise ProxyError(401, "Unauthorized")
        if kind == "revoked":
            if self.world.switches.org_403 == "errors":
                raise RefusedError("ADMIN-UAM-403-2")
            raise EnvelopeError(403, "User has no permission to access resource.")
        searching = request.url.path.endswith(("/search", "/get-scim-links-for-email"))
        if kind == "scoped" and request.method != "GET" and not searching:
            raise RefusedError(f"ADMIN-UAM-{self.world.switches.scoped_write}")
        return key

    def _own(self, request: Request) -> None:
        if request.path_params.get("org_id", self.organization.id) == self.organization.id:
            return
        wrong = self.world.switches.wrong_organization
        if wrong == "routing":
            raise EnvelopeError(404, "TCS validation failed")
        raise RefusedError(f"ADMIN-UAM-{wrong}")

    def _meter(self, path: str, key: str) -> dict[str, str]:
        """Count per minute, key and kind of call; raises above the limit."""
        switches, now = self.world.switches, self.world.now()
        events = "/events" in path
        bucket = path if events or switches.org_rate_counts == "endpoint" else ""
        limit = switches.org_events_per_minute if events else switches.org_rate_limit
        minute = math.floor(now.timestamp() / 60)
        spent = self.spent[key, bucket, minute] = self.spent.get((key, bucket, minute), 0) + 1
        remaining = (limit or 1000) - spent
        reset = datetime.fromtimestamp((minute + 1) * 60, UTC)
        headers: dict[str, str] = {}
        if switches.org_rate_headers:
            headers["X-RateLimit-Limit"] = str(limit or 1000)
            headers["X-RateLimit-Remaining"] = str(max(0, remaining))
            headers["X-RateLimit-Reset"] = instant(reset)
        if limit is not None and remaining < 0:
            if switches.retry_after != "absent":
                wait = max(1, math.ceil((reset - now).total_seconds()))
                as_date = switches.retry_after == "date"
                headers["Retry-After"] = (
                    format_datetime(reset, usegmt=True) if as_date else str(wait)
                )
            raise LimitError(headers, proxy=switches.org_429 == "proxy")
        return headers

    async def ended(self, _: Request) -> Response:
        """What v2 has replaced."""
        raise EnvelopeError(int(self.world.switches.v1_endpoints), "No message available")

    async def not_found(self, request: Request, _: Exception) -> Response:
        return self._refusal(EnvelopeError(404, "No message available"), request)

    async def wrong_method(self, request: Request, _: Exception) -> Response:
        return self._refusal(RefusedError("ADMIN-UAM-405-1"), request)
