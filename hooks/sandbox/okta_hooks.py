"""Event hook administration: create, replace, delete, verify, activate, deactivate."""

import json
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .okta_expression import ExpressionError, compile_expression
from .okta_json import OktaError, hook_json
from .okta_pages import listed, origin
from .org import Hook
from .system_log import CATALOG, Json, target
from .world import World

# Source: Okta OpenAPI verifyEventHook: three seconds, one retry.
PATIENCE = 3.0
TRIES = 2
# Source: Okta docs "concepts/event-hooks", limits of 2026.
MOST_HOOKS = 25
MOST_TYPES = 300


class HookApi:
    def __init__(self, world: World, client: httpx.AsyncClient | None) -> None:
        self.world = world
        self.client = client

    def _hook(self, request: Request) -> Hook:
        key = request.path_params["id"]
        hook = self.world.org.hooks.get(key)
        if hook is None:
            raise OktaError(404, "E0000007", f"{key} (EventHook)")
        return hook

    def _logged(self, hook: Hook, what: str) -> None:
        transaction = self.world.transaction(uri=f"/api/v1/eventHooks/{hook.id}")
        self.world.emit(transaction, f"event_hook.{what}", target("EventHook", hook.id, hook.name))

    async def list(self, request: Request) -> Response:
        bodies = [hook_json(hook, origin(request)) for hook in self.world.org.hooks.values()]
        return listed(request, bodies, None, 0)

    async def get(self, request: Request) -> Response:
        return JSONResponse(hook_json(self._hook(request), origin(request)))

    async def create(self, request: Request) -> Response:
        """ACTIVE and UNVERIFIED. Source: recorded event hook object."""
        if sum(hook.listening for hook in self.world.org.hooks.values()) >= MOST_HOOKS:
            cause = f"The limit of {MOST_HOOKS} active and verified event hooks is reached"
            raise OktaError(400, "E0000001", "eventHook", (cause,))
        hook = self.world.add_hook("", "", [], verified=False)
        try:
            self._write(hook, await _object(request))
        except OktaError:
            del self.world.org.hooks[hook.id]
            raise
        self._logged(hook, "created")
        return JSONResponse(hook_json(hook, origin(request)))

    async def replace(self, request: Request) -> Response:
        """A change of the channel makes it UNVERIFIED. Source: Okta OpenAPI replaceEventHook."""
        hook = self._hook(request)
        before = (hook.uri, hook.key, hook.value, hook.headers)
        self._write(hook, await _object(request))
        same = (hook.uri, hook.key, hook.value, hook.headers) == before
        if not same or self.world.switches.hook_replace_unverifies == "always":
            hook.verification = "UNVERIFIED"
        self._logged(hook, "updated")
        return JSONResponse(hook_json(hook, origin(request)))

    async def delete(self, request: Request) -> Response:
        hook = self._hook(request)
        if hook.status == "ACTIVE":
            raise OktaError(400, "E0000001", "eventHook", ("Deactivate the event hook first",))
        del self.world.org.hooks[hook.id]
        self._logged(hook, "deleted")
        return Response(status_code=204)

    def _write(self, hook: Hook, body: Json) -> None:
        try:
            events, config = body["events"], body["channel"]["config"]
            types, uri = list(events["items"]), str(config["uri"])
            name = str(body["name"])
        except (KeyError, TypeError):
            raise OktaError(400, "E0000001", "eventHook", ("name, events, channel",)) from None
        plain = self.world.switches.hooks_over_http and uri.startswith("http://")
        if not plain and not uri.startswith("https://"):
            raise OktaError(400, "E0000001", "eventHook", ("uri: invalid URL",))
        if len(types) > MOST_TYPES:
            cause = f"events.items: more than {MOST_TYPES} event types"
            raise OktaError(400, "E0000001", "eventHook", (cause,))
        for event_type in types:
            late = event_type in self.world.switches.hook_types_refused
            if late or (event_type in CATALOG and not CATALOG[event_type][2]):
                cause = f"events.items: {event_type} is not supported by event hooks"
                raise OktaError(400, "E0000001", "eventHook", (cause,))
        kept = self._filter(events.get("filter"))
        scheme: dict[str, Any] = config.get("authScheme") or {}
        hook.name, hook.types, hook.uri = name, types, uri
        hook.description, hook.filter = body.get("description"), kept
        hook.key = str(scheme.get("key", hook.key))
        hook.value = str(scheme.get("value", hook.value))
        hook.headers = list(config.get("headers") or [])
        hook.last_updated = self.world.now()

    def _filter(self, told: Json | None) -> Json | None:
        """A filter as it is kept. Source: Okta docs "event-hook-filtering"."""
        switches, entries = self.world.switches, (told or {}).get("eventFilterMap") or []
        if not entries or switches.hook_filters == "ignored":
            return None
        try:
            expressions = [str(each["condition"]["expression"]) for each in entries]
            for each in expressions:
                compile_expression(each)
            unknown = not switches.hook_filter_counts_none and "eq 0" in " ".join(expressions)
        except (ExpressionError, KeyError, TypeError):
            unknown = True
        if unknown or switches.hook_filters == "refused":
            cause = "events.filter: not an expression"
            raise OktaError(400, "E0000001", "eventHook", (cause,))
        return {"type": "EXPRESSION_LANGUAGE", "eventFilterMap": entries}

    async def lifecycle(self, request: Request) -> Response:
        hook, verb = self._hook(request), request.path_params["verb"]
        match verb:
            case "activate":
                hook.status = "ACTIVE"
            case "deactivate":
                hook.status = "INACTIVE"
            case "verify":
                await self._verify(hook)
            case _:
                raise OktaError(404, "E0000007", verb)
        self._logged(hook, "verified" if verb == "verify" else f"{verb}d")
        return JSONResponse(hook_json(hook, origin(request)))

    async def _verify(self, hook: Hook) -> None:
        """The one GET Okta ever sends, with the secret, answered by ``verification``."""
        challenge = self.world.noise.secret(32)
        for _ in range(TRIES):
            if await self._challenged(hook, challenge):
                hook.verification = "VERIFIED"
                hook.routed = self.world.ago(-self.world.switches.hook_warm_up)
                return
        cause = f"Unable to verify event hook. Hook {hook.name} execution failed"
        raise OktaError(400, "E0000001", "eventHook", (cause,))

    async def _challenged(self, hook: Hook, challenge: str) -> bool:
        headers = hook_headers(hook) | {"X-Okta-Verification-Challenge": challenge}
        try:
            response = await self._get(hook.uri, headers)
            return response.status_code == 200 and response.json()["verification"] == challenge
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return False

    async def _get(self, uri: str, headers: dict[str, str]) -> httpx.Response:
        if self.client is not None:
            return await self.client.get(uri, headers=headers, timeout=PATIENCE)
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(uri, headers=headers, timeout=PATIENCE)


def hook_headers(hook: Hook) -> dict[str, str]:
    """What every call to a hook carries. Source: Okta support "unable to verify event hook"."""
    extra = {str(h["key"]): str(h["value"]) for h in hook.headers}
    return {
        "User-Agent": "Okta-Integrations",
        "Accept": "application/json",
        hook.key: hook.value,
    } | extra


async def _object(request: Request) -> Json:
    try:
        content = json.loads(await request.body())
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise OktaError(400, "E0000003")
    return content
