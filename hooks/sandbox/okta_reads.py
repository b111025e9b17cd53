"""Okta's GETs of people, groups, apps, AppUsers and group push mappings."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .okta_filter import FilterError, Test, compile_filter
from .okta_json import (
    OktaError,
    app_json,
    app_user_json,
    feature_json,
    group_json,
    mapping_json,
    profile_json,
    user_json,
)
from .okta_pages import limit_of, listed, opened, origin, page
from .org import App, AppUser, AppUserState, Group, User, UserState
from .system_log import Json
from .world import World


class ReadApi:
    def __init__(self, world: World) -> None:
        self.world = world
        self.org = world.org

    # --- what this credential may see, as of a moment ago -----------------------------------

    def _user(self, request: Request) -> User:
        key = request.path_params["id"]
        user = self.org.find_user(key)
        self._reach(user.id if user else key, f"{key} (User)")
        if user is None:
            raise OktaError(404, "E0000007", f"{key} (User)")
        return user

    def _app(self, request: Request) -> App:
        key = request.path_params["id"]
        self._reach(key, f"{key} (AppInstance)")
        app = self.org.apps.get(key)
        if app is None or app.deleted:
            raise OktaError(404, "E0000007", f"{key} (AppInstance)")
        return app

    def _group(self, request: Request) -> Group:
        key = request.path_params["id"]
        self._reach(key, f"{key} (UserGroup)")
        group = self.org.groups.get(key)
        if group is None or group.deleted:
            raise OktaError(404, "E0000007", f"{key} (UserGroup)")
        return group

    def _reach(self, identity: str, about: str) -> None:
        role = self.world.switches.okta_role
        mode = self.world.hidden.get(identity) if role == "all" else role
        if mode == "403":
            raise OktaError(403, "E0000006")
        if mode == "404":
            raise OktaError(404, "E0000007", about)

    def _seen(self, identity: str) -> bool:
        return self.world.switches.okta_role == "all" and identity not in self.world.hidden

    def _state(self, user: User) -> UserState:
        world = self.world
        state: UserState = world.past.value(
            world.ago(world.switches.user_lag), "user", user.id, user.state
        )
        return state

    def _app_user_state(self, app_user: AppUser) -> AppUserState:
        world = self.world
        key = (app_user.app_id, app_user.user_id)
        state: AppUserState = world.past.value(
            world.ago(world.switches.app_user_lag), "app_user", key, app_user.state
        )
        return state

    def _member_changes(self) -> dict[tuple[str, str], bool]:
        world = self.world
        old: dict[tuple[str, str], bool] = {}
        for change in world.past.since(world.ago(world.switches.groups_lag), "member"):
            old.setdefault(change.key, change.old)
        return old

    # --- users ------------------------------------------------------------------------------

    async def get_user(self, request: Request) -> Response:
        user = self._user(request)
        return JSONResponse(user_json(user, self._state(user), origin(request)))

    async def list_users(self, request: Request) -> Response:
        """Deactivated people are left out unless asked for. Source: Okta OpenAPI listUsers."""
        query, base = request.query_params, origin(request)
        limit = limit_of(request, self.world, default=10 if "q" in query else 200, maximum=200)
        test = _test(query.get("search") or query.get("filter"))
        last = str(opened(query["after"])) if "after" in query else ""
        bodies = (
            (user.id, user_json(user, self._state(user), base))
            for user in sorted(self.org.users.values(), key=lambda user: user.id)
            if user.id > last and not user.deleted and self._seen(user.id)
        )
        wanted = (
            body
            for body in bodies
            if (test(body[1]) if test else body[1]["status"] != "DEPROVISIONED")
            and ("q" not in query or _starts(query["q"], body[1]["profile"], USER_NAMES))
        )
        found, cursor = page(request, list(islice(wanted, limit + 1)), limit)
        return listed(request, found, cursor, limit)

    async def list_user_groups(self, request: Request) -> Response:
        """No paging is declared, yet pages of 200 come. Source: okta-sdk-java issue 1286."""
        user = self._user(request)
        if self.world.hidden.get("groups") == "empty":
            return listed(request, [], None, 0)
        ids = set(self.org.groups_of.get(user.id, ()))
        for (group_id, user_id), member in self._member_changes().items():
            if user_id == user.id:
                (ids.add if member else ids.discard)(group_id)
        visible = [i for i in sorted(ids) if self._seen(i) and not self.org.groups[i].deleted]
        limit = self.world.switches.groups_page
        found, cursor = page(request, [(i, i) for i in visible], limit)
        bodies = [group_json(self.org.groups[i], origin(request)) for i in found]
        return listed(request, bodies, cursor, limit)

    # --- groups -----------------------------------------------------------------------------

    async def get_group(self, request: Request) -> Response:
        return JSONResponse(group_json(self._group(request), origin(request)))

    async def list_groups(self, request: Request) -> Response:
        query, base = request.query_params, origin(request)
        limit = limit_of(request, self.world, default=10_000, maximum=10_000)
        lag = self.world.switches.search_lag if "search" in query else 0.0
        names = {g.id: self._name(g, lag) for g in self.org.groups.values()}
        bodies = [
            (g.id, group_json(g, base, names[g.id]))
            for g in sorted(self.org.groups.values(), key=lambda g: g.id)
            if not g.deleted and self._seen(g.id) and names[g.id] is not None
        ]
        test = _test(query.get("search") or query.get("filter"))
        if test is not None:
            bodies = [b for b in bodies if test(b[1])]
        if "q" in query:
            bodies = [b for b in bodies if _starts(query["q"], b[1]["profile"], ("name",))]
        found, cursor = page(request, bodies, limit)
        return listed(request, found, cursor, limit)

    def _name(self, group: Group, lag: float) -> str | None:
        """The name ``search`` knows by now; None before it has heard of the group."""
        world = self.world
        name: str | None = world.past.value(world.ago(lag), "group_name", group.id, group.name)
        return name

    async def list_group_users(self, request: Request) -> Response:
        group = self._group(request)
        limit = limit_of(request, self.world, default=1000, maximum=1000)
        ids = set(group.members)
        for (group_id, user_id), member in self._member_changes().items():
            if group_id == group.id:
                (ids.add if member else ids.discard)(user_id)
        visible = [i for i in sorted(ids) if self._seen(i) and not self.org.users[i].deleted]
        found, cursor = page(request, [(i, self.org.users[i]) for i in visible], limit)
        bodies = [user_json(user, self._state(user), origin(request)) for user in found]
        return listed(request, bodies, cursor, limit)

    # --- apps -------------------------------------------------------------------------------

    async def get_app(self, request: Request) -> Response:
        on = self.world.switches.deprovisioning
        return JSONResponse(app_json(self._app(request), origin(request), deprovisioning=on))

    async def list_features(self, request: Request) -> Response:
        """An error where provisioning is not enabled. Source: Okta OpenAPI."""
        app, switches = self._app(request), self.world.switches
        match switches.app_features:
            case "400":
                raise OktaError(400, "E0000001", "provisioning")
            case "404":
                raise OktaError(404, "E0000007", f"{app.id} (AppInstance)")
            case "bare":
                return JSONResponse([{"name": "USER_PROVISIONING", "status": "ENABLED"}])
            case "answers":
                on = switches.deprovisioning
                return JSONResponse([feature_json(app, origin(request), deprovisioning=on)])

    async def list_profiles(self, request: Request) -> Response:
        query = request.query_params
        limit = limit_of(request, self.world, default=20, maximum=200)
        apps = [
            app
            for app in sorted(self.org.apps.values(), key=lambda app: app.id)
            if not app.deleted and query.get("targetId", app.id) == app.id
        ]
        found, cursor = page(request, [(app.id, app) for app in apps], limit)
        bodies = [profile_json(app, origin(request), whole=False) for app in found]
        return listed(request, bodies, cursor, limit)

    async def get_profile(self, request: Request) -> Response:
        key = request.path_params["id"]
        app = self.org.apps.get(f"0oa{key[3:]}")
        if app is None or app.deleted:
            raise OktaError(404, "E0000007", f"{key} (Mapping)")
        body = profile_json(app, origin(request), whole=True)
        if not self.world.switches.profile_email_shown:
            del body["properties"]["email"]
        return JSONResponse(body)

    def _blank(self, app: App) -> bool:
        role = self.world.switches.okta_role
        return role != "all" or self.world.hidden.get(app.id) == "empty"

    async def list_app_users(self, request: Request) -> Response:
        """``q`` matches the start of userName, first or last name. Source: Okta OpenAPI."""
        app = self._app(request)
        limit = limit_of(request, self.world, default=50, maximum=500)
        query = request.query_params.get("q")
        last = str(opened(request.query_params["after"])) if "after" in request.query_params else ""
        rows = islice(self._app_rows(app, query, last), limit + 1)
        found, cursor = page(request, list(rows), limit)
        bodies = [self._app_user(app_user, state, request) for app_user, state in found]
        return listed(request, bodies, cursor, limit)

    def _app_rows(
        self, app: App, query: str | None, last: str
    ) -> Iterator[tuple[str, tuple[AppUser, AppUserState]]]:
        """Assignments behind ``last``, in the order of their users' ids."""
        for user_id in [] if self._blank(app) else sorted(app.users):
            app_user = app.users[user_id]
            if user_id <= last or self.org.users[user_id].deleted:
                continue
            state = self._app_user_state(app_user)
            if self._readable(state) and (query is None or self._matches(app_user, query)):
                yield user_id, (app_user, state)

    def _matches(self, app_user: AppUser, query: str) -> bool:
        user = self.org.users[app_user.user_id]
        names = (app_user.user_name, user.first_name, user.last_name)
        return any(name.lower().startswith(query.lower()) for name in names)

    async def get_app_user(self, request: Request) -> Response:
        app = self._app(request)
        key = request.path_params["uid"]
        user = self.org.find_user(key)
        app_user = app.users.get(user.id) if user else None
        if app_user is None or self._blank(app):
            raise OktaError(404, "E0000007", f"{key} (AppUser)")
        state = self._app_user_state(app_user)
        if not self._readable(state):
            raise OktaError(404, "E0000007", f"{key} (AppUser)")
        return JSONResponse(self._app_user(app_user, state, request))

    def _readable(self, state: AppUserState) -> bool:
        return state.assigned or self.world.switches.unassigned_app_user != "404"

    def _app_user(self, app_user: AppUser, state: AppUserState, request: Request) -> Json:
        user = self.org.users[app_user.user_id]
        shown = self.world.switches.app_user_external_id
        address = user.attribute(self.org.apps[app_user.app_id].email)
        return app_user_json(
            app_user, state, user, origin(request), address=address, external_id=shown
        )

    async def list_app_groups(self, request: Request) -> Response:
        app = self._app(request)
        limit = limit_of(request, self.world, default=20, maximum=200)
        ids = [] if self._blank(app) else [i for i in sorted(app.groups) if self._seen(i)]
        found, cursor = page(request, [(i, i) for i in ids], limit)
        bodies = [self._assignment(app, group_id, request) for group_id in found]
        return listed(request, bodies, cursor, limit)

    def _assignment(self, app: App, group_id: str, request: Request) -> Json:
        at: datetime = app.groups[group_id]
        return {
            "id": group_id,
            "lastUpdated": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "priority": 0,
            "profile": {},
            "_links": {
                "app": {"href": f"{origin(request)}/api/v1/apps/{app.id}"},
                "group": {"href": f"{origin(request)}/api/v1/groups/{group_id}"},
            },
        }

    async def list_mappings(self, request: Request) -> Response:
        app, query = self._app(request), request.query_params
        limit = limit_of(request, self.world, default=100, maximum=1000)
        rows = [] if self._blank(app) else self.org.mappings_of(app)
        if "sourceGroupId" in query:
            rows = [m for m in rows if m.source_group_id == query["sourceGroupId"]]
        if "status" in query:
            rows = [m for m in rows if m.status == query["status"]]
        rows.sort(key=lambda mapping: mapping.id)
        found, cursor = page(request, [(m.id, m) for m in rows], limit)
        return listed(request, [mapping_json(m, origin(request)) for m in found], cursor, limit)


USER_NAMES = ("firstName", "lastName", "email", "login")


def _test(expression: str | None) -> Test | None:
    try:
        return compile_filter(expression) if expression else None
    except FilterError:
        raise OktaError(400, "E0000031") from None


def _starts(query: str, profile: dict[str, Any], names: tuple[str, ...]) -> bool:
    return any(str(profile[name]).lower().startswith(query.lower()) for name in names)
