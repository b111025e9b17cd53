"""The audit log of the organization. Source: Atlassian v1 OpenAPI, events."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hooks.sandbox.world import World

from .answers import Json, RefusedError, instant
from .nouns import Happened
from .pages import opened, page, sealed

PAGE = 50
# Who provisioned is not told by any source; that it is none of the admins is our word for it.
ADMIN = {"id": "sandbox-admin", "name": "Org Admin"}
PROVISIONING = {"id": "sandbox-provisioning", "name": "User provisioning"}
ACTIONS = ("user_added_to_group", "user_removed_from_group")


class Audit:
    def __init__(self, world: World) -> None:
        self.world = world
        self.organization = world.organization

    async def list_events(self, request: Request) -> Response:
        """Newest first, or as ``sortOrder`` says; late by ``org_event_delay``."""
        asked, start = dict(request.query_params), None
        if "cursor" in asked:
            asked, start = opened(asked["cursor"], request.url.path)
        seen = self._seen()
        since, until = _bound(asked, "from"), _bound(asked, "to")
        limit = min(int(asked["limit"]), PAGE) if str(asked.get("limit", "")).isdigit() else PAGE
        rows = [
            entry
            for entry in self.organization.audit
            if entry.at <= seen
            and asked.get("action", entry.action) == entry.action
            and (since is None or entry.at >= since)
            and (until is None or entry.at <= until)
        ]
        if asked.get("sortOrder", "desc").lower() == "desc":
            rows.reverse()
        keys = [str(number) for number in range(len(rows))]
        shown, following = page(keys, start, max(1, limit), by_offset=True)
        body: Json = {
            "data": [self._event(rows[int(key)], request) for key in shown],
            "meta": {"page_size": len(shown)},
            "links": {"self": str(request.url)},
        }
        if following is not None:
            cursor = sealed((request.url.path, asked, following))
            body["meta"]["next"] = cursor
            body["links"]["next"] = f"{_here(request)}?cursor={cursor}"
        return JSONResponse(body)

    async def get_event(self, request: Request) -> Response:
        wanted, seen = request.path_params["event_id"], self._seen()
        for entry in self.organization.audit:
            if entry.id == wanted and entry.at <= seen:
                return JSONResponse({"data": self._event(entry, request)})
        raise RefusedError("ADMIN-UAM-404-1", "Event not found")

    def _seen(self) -> datetime:
        return self.world.ago(self.world.switches.org_event_delay)

    async def list_actions(self, _: Request) -> Response:
        named = {action: action.replace("_", " ").capitalize() for action in ACTIONS}
        return JSONResponse(
            {
                "data": [
                    {
                        "id": action,
                        "type": "event-actions",
                        "attributes": {"displayName": name, "groupDisplayName": "Groups"},
                    }
                    for action, name in named.items()
                ]
            }
        )

    def _event(self, entry: Happened, request: Request) -> Json:
        account, group, organization = entry.account, entry.group, self.organization.id
        return {
            "id": entry.id,
            "type": "events",
            "attributes": {
                "time": instant(entry.at),
                "action": entry.action,
                "actor": PROVISIONING if entry.synced else ADMIN,
                "context": [
                    {"id": account.id, "type": "users", "attributes": {"name": account.name}},
                    {"id": group.id, "type": "groups", "attributes": {"name": group.name}},
                ],
                "container": [{"id": organization, "type": "orgs"}],
                "location": {"ip": "127.0.0.1"},
            },
            "links": {"self": f"{request.base_url}admin/v1/orgs/{organization}/events/{entry.id}"},
        }


def _here(request: Request) -> str:
    return str(request.url).partition("?")[0]


def _bound(asked: Json, name: str) -> datetime | None:
    """``from`` and ``to`` are epoch milliseconds."""
    if name not in asked:
        return None
    try:
        return datetime.fromtimestamp(int(asked[name]) / 1000, UTC)
    except ValueError:
        raise RefusedError("ADMIN-UAM-400-1", f"{name} is not in milliseconds") from None
