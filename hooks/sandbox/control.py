"""The control door: a newcomer plays admin with curl. No part of Okta or Atlassian."""

import inspect
import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .world import World, WorldError

# The verbs that may be called from outside: those that make sense with plain JSON values.
VERBS = frozenset(
    {
        "activate",
        "activate_app",
        "add_account",
        "add_app",
        "add_directory",
        "add_domain",
        "add_foreign_link",
        "add_local_group",
        "add_okta_group",
        "add_scim_group",
        "add_scim_user",
        "add_to_group",
        "add_user",
        "add_user_base",
        "announce_unlink",
        "assign",
        "assign_group",
        "change_login",
        "deactivate",
        "deactivate_app",
        "delete_app",
        "delete_group",
        "delete_local_group",
        "delete_mapping",
        "delete_user",
        "expire_password",
        "force_sync",
        "grant_access",
        "hide",
        "lapse",
        "local_add",
        "local_remove",
        "lock",
        "map_profile",
        "log_in",
        "push_group",
        "push_now",
        "reactivate",
        "reconnect",
        "rehire",
        "remove_from_group",
        "rename_group",
        "rename_local_group",
        "relink",
        "rename_login",
        "revoke_access",
        "scim_add",
        "scim_remove",
        "set_account",
        "set_app_user_status",
        "set_deprovisioning",
        "set_email",
        "set_mapping_status",
        "set_org_key",
        "set_roles",
        "set_scim_active",
        "set_status",
        "sign_in",
        "stage_user",
        "suspend",
        "sync_group",
        "unassign",
        "unassign_group",
        "unhide",
        "unlock",
        "unsuspend",
        "update_now",
    }
)


class Control:
    """``POST /sandbox/{verb}`` with the verb's arguments as a JSON object (or a JSON array)."""

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/sandbox/state", self.state, methods=["GET"]),
            Route("/sandbox/log", self.log, methods=["GET"]),
            Route("/sandbox/switches", self.switches, methods=["GET", "POST"]),
            Route("/sandbox/{verb}", self.act, methods=["POST"]),
        ]

    async def state(self, _: Request) -> Response:
        """Who is who and who is where, in names."""
        world = self.world
        world.tick()
        return JSONResponse(
            {
                "users": {u.login: u.status for u in world.org.users.values() if not u.deleted},
                "okta_groups": {
                    g.name: sorted(world.org.users[i].login for i in g.members)
                    for g in world.org.groups.values()
                    if not g.deleted and g.type != "APP_GROUP"
                },
                "directories": {d.name: self._directory(d.id) for d in world.directories.values()},
                "organization": self._organization(),
                "violations": world.violations,
            }
        )

    def _directory(self, key: str) -> dict[str, Any]:
        directory = self.world.directory(key)
        return {
            "id": directory.id,
            "accounts": {u.user_name: u.active for u in directory.users.values()},
            "groups": {
                group.display_name: sorted(self.world.members(directory, group.display_name))
                for group in directory.groups.values()
            },
        }

    def _organization(self) -> dict[str, Any]:
        """Its local groups, by group and by person."""
        world, organization = self.world, self.world.organization
        local = [group for group in organization.groups.values() if not group.synced]
        return {
            "id": organization.id,
            "directory_id": organization.user_base,
            "accounts": {world.login_of(a): a.status for a in organization.accounts.values()},
            "local_groups": {group.name: sorted(world.local_members(group)) for group in local},
            "local_groups_of": {
                world.login_of(account): sorted(world.local_groups_of(account))
                for account in organization.accounts.values()
            },
        }

    async def log(self, _: Request) -> Response:
        """The System Log, one short line per event."""
        return JSONResponse(
            [
                {
                    "published": event["published"],
                    "eventType": event["eventType"],
                    "target": [f"{t['type']} {t['displayName']}" for t in event["target"] or []],
                }
                for event in self.world.log.all()
            ]
        )

    async def switches(self, request: Request) -> Response:
        switches = self.world.switches
        if request.method == "POST":
            for name, value in json.loads(await request.body()).items():
                if not hasattr(switches, name):
                    return JSONResponse({"error": f"no such switch: {name}"}, 400)
                setattr(switches, name, value)
        return JSONResponse(vars(switches))

    async def act(self, request: Request) -> Response:
        verb = request.path_params["verb"]
        if verb not in VERBS:
            verbs = {each: _arguments(getattr(self.world, each)) for each in sorted(VERBS)}
            return JSONResponse({"error": f"no such verb: {verb}", "verbs": verbs}, 404)
        method: Callable[..., Any] = getattr(self.world, verb)
        try:
            body = json.loads(await request.body() or b"{}")
            made = method(*body) if isinstance(body, list) else method(**body)
        except (WorldError, TypeError, ValueError, KeyError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)
        return JSONResponse({"id": getattr(made, "id", None)})


def _arguments(verb: Callable[..., Any]) -> list[str]:
    """What a verb takes, in order; what may be left out has its default."""
    return [
        each.name if each.default is each.empty else f"{each.name}={each.default}"
        for each in inspect.signature(verb).parameters.values()
    ]
