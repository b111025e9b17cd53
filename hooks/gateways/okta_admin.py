"""Okta's event hooks: list, write, verify, switch on and off, delete; through the okta SDK.

Must live here: the SDK, and a fence around each of its faults. Must not know: which hook is ours.
Only its calls about hooks are used, over a door of our own. So it reads no ``okta.yaml`` and no
``OKTA_CLIENT_*``, signs nothing, follows no redirect, asks no proxy, waits no minute inside a
call and has a timeout; a failure is an error of ours, where the SDK looks into ``None``. Its
models are made and never parsed: they refuse whatever Okta adds. Observed with okta 3.4.6.
"""

from __future__ import annotations

import json
import logging
import re
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from okta.api.event_hook_api import EventHookApi
from okta.api_response import ApiResponse
from okta.cache.no_op_cache import NoOpCache
from okta.constants import LOGGER_NAME
from okta.http_client import HTTPClient
from okta.models.event_hook import EventHook as Model
from okta.request_executor import RequestExecutor

from hooks.core.errors import (
    CredentialError,
    ForbiddenError,
    HooksError,
    IncompleteError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    TransientError,
)
from hooks.gateways.answers import code_of, next_link
from hooks.gateways.okta_hook_shapes import failure_of, hook_of, written
from hooks.gateways.urls import origin_of, with_query
from hooks.gateways.wire import Call, exchange

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from datetime import datetime

    import aiohttp

    from hooks.core.ids import HookId
    from hooks.core.registration import EventHook, Spec
    from hooks.gateways.credential import Credential
    from hooks.gateways.okta_hook_shapes import Failure
    from hooks.gateways.wire import Reply

#: What seeing hooks takes, what changing them takes, and what their failures are read with.
#: Source: Okta OpenAPI, ``security`` of each operation.
READ = ("okta.eventHooks.read",)
MANAGE = ("okta.eventHooks.manage", "okta.eventHooks.read")
LOGS = ("okta.logs.read",)
Verb = Literal["activate", "deactivate", "verify"]
#: An event type, or another dotted word, in a vendor's prose.
_WORD = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)+")
#: How many failures are asked for at most.
_MOST_FAILURES = 100


_NO_CACHE = NoOpCache()  # type: ignore[no-untyped-call]  # not typed in the SDK


class SpecRejectedError(RejectedError):
    """Okta will not have a hook as it was written; ``words`` are the dotted ones of its reasons."""

    def __init__(self, message: str, *, code: str, words: frozenset[str]) -> None:
        super().__init__(message, code=code)
        self.words = words


class OktaAdmin:
    """Okta's administration of event hooks.

    Every call may raise CredentialError, ForbiddenError, NotFoundError, RateLimitedError,
    SpecRejectedError (a 4xx else), TransientError, or IncompleteError (an answer that is none).
    """

    def __init__(
        self,
        *,
        client: aiohttp.ClientSession,
        org_url: str,
        credential: Credential,
        log_credential: Credential,
    ) -> None:
        """The log has a scope of its own, and so a credential of its own."""
        # At DEBUG it prints whole requests, at ERROR what the vendor said.
        logging.getLogger(LOGGER_NAME).disabled = True
        self._api = _Api(client, origin_of(org_url), credential)
        self._log = _Api(client, origin_of(org_url), log_credential)

    async def hooks(self) -> tuple[EventHook, ...]:
        """All hooks of the org."""
        body, links = await _answered(self._api.list_event_hooks())
        if next_link([links]) or not isinstance(body, list):
            # One that is not seen would be made a second time.
            raise IncompleteError("okta did not list its event hooks whole")
        return tuple(hook_of(each) for each in body)

    async def create(self, spec: Spec, secret: str) -> EventHook:
        """Make a hook: active, and receiving nothing until it is verified."""
        return hook_of((await _answered(self._api.create_event_hook(_model(spec, secret))))[0])

    async def replace(self, hook: HookId, spec: Spec, secret: str) -> EventHook:
        """Write all of a hook; another address or secret takes its verification away."""
        called = self._api.replace_event_hook(str(hook), _model(spec, secret))
        return hook_of((await _answered(called))[0])

    async def turn(self, hook: HookId, verb: Verb) -> EventHook:
        """Switch it on or off; or verify it, for which Okta calls its address."""
        calls = {
            "activate": self._api.activate_event_hook,
            "deactivate": self._api.deactivate_event_hook,
            "verify": self._api.verify_event_hook,
        }
        return hook_of((await _answered(calls[verb](str(hook))))[0])

    async def delete(self, hook: HookId) -> None:
        """Delete a hook that is switched off, or was deleted already."""
        with suppress(NotFoundError):  # a DELETE is sent again where its answer did not come
            await _answered(self._api.delete_event_hook(str(hook)))

    async def failures(self, since: datetime, until: datetime) -> tuple[Failure, ...]:
        """Deliveries that failed, newest first, as many as one page holds."""
        query: dict[str, str | int] = {
            "since": since.isoformat(),
            "until": until.isoformat(),
            "filter": 'eventType eq "event_hook.delivery"',
            "sortOrder": "DESCENDING",
            "limit": _MOST_FAILURES,
        }
        body, _ = await _answered(self._log.get(with_query("/api/v1/logs", query)))
        if not isinstance(body, list):
            raise IncompleteError("okta gave its log in another shape")
        return tuple(map(failure_of, body))


# -- the SDK, fenced ---------------------------------------------------------------------------


class _Api(EventHookApi):
    """The SDK's calls about hooks, over our door, with their answers as they came."""

    def __init__(self, client: aiohttp.ClientSession, origin: str, credential: Credential) -> None:
        config = {
            "client": {
                "orgUrl": origin,
                "authorizationMode": "SSWS",
                "token": "none",  # the door shows who asks
                "requestTimeout": 0,  # and has a limit of its own
                "rateLimit": {"maxRetries": 0},
                "raiseException": False,
            }
        }
        super().__init__(configuration=config)

        def door(_: object) -> _Door:
            return _Door(client, origin, credential)

        executor: Any = RequestExecutor
        self._request_executor = executor(config, _NO_CACHE, door)

    def response_deserialize(self, response_data: Any, response_types_map: Any = None) -> Any:
        """Leave the answer as it came; of which type it should be does not matter."""
        _ = response_types_map
        return _as_it_came(response_data.status, response_data.getheaders(), response_data.data)

    async def get(self, target: str) -> tuple[None, Any, object]:
        """Ask for something else than hooks, as the same client."""
        request, _ = await self._request_executor.create_request("GET", target)
        answer, body, error = await self._request_executor.execute(request)
        return None, _as_it_came(answer.status, answer.headers, body.encode()), error


def _as_it_came(status: int, headers: Mapping[str, str], body: bytes) -> Any:
    return ApiResponse(status_code=status, data=None, headers=headers, raw_data=body)


@dataclass(frozen=True, slots=True)
class _Answer:
    """As much of an answer as the SDK looks at."""

    status: int
    headers: Mapping[str, str]
    content_type: str
    reason: str = ""


class _Door(HTTPClient):
    """What carries the SDK's requests: our client, with its limits and its errors."""

    def __init__(self, client: aiohttp.ClientSession, origin: str, credential: Credential) -> None:
        self._client = client
        self._origin = origin
        self._credential = credential

    async def send_request(self, request: Mapping[str, Any]) -> tuple[None, _Answer, str, None]:
        """Send it once; failures are raised, and never returned."""
        call = Call(
            vendor="okta",
            method=str(request["method"]),
            operation="event hooks",
            target=str(request["url"]).removeprefix(self._origin),
            body=json.dumps(request["data"]).encode() if request["data"] else None,
        )
        try:
            authorization = await self._credential.authorization()
        except CredentialError as error:
            raise CredentialError(f"{error}; {_way(error.code)}", code=error.code) from None
        try:
            reply = await exchange(self._client, self._origin, call, authorization, lambda *_: None)
        except TransientError as error:
            message = f"{error}; check the network and [okta] org_url, then run it again"
            raise TransientError(message) from None
        if not reply.taken:
            raise _failed(call, reply)
        links = {"Link": ", ".join(reply.links)}
        kind = "application/json" if reply.body else ""
        return None, _Answer(reply.status, links, kind), _text(reply), None


def _way(code: str) -> str:
    """What to do when there is no token. Source: RFC 6749 section 5.2, RFC 9449 section 8."""
    return {
        "invalid_scope": "grant the app of HOOKS_OKTA_ADMIN_CLIENT_ID the scopes of this command",
        "use_dpop_nonce": "turn DPoP off for the app of HOOKS_OKTA_ADMIN_CLIENT_ID",
    }.get(code, "check HOOKS_OKTA_ADMIN_CLIENT_ID and its private key")


def _text(reply: Reply) -> str:
    return reply.body.decode("utf-8", "replace")


async def _answered(calling: Awaitable[Any]) -> tuple[Any, str]:
    """The JSON of an answer, and its links."""
    try:
        _, answer, error = await calling
        raw = b"" if answer is None else answer.raw_data or b""
        body = json.loads(raw) if raw else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # Without its cause, which may quote what was received.
        raise IncompleteError("okta's answer about its event hooks cannot be read") from None
    if error is not None or answer is None:
        raise TransientError("okta did not answer about its event hooks")
    return body, str(answer.headers.get("Link", ""))


def _failed(call: Call, reply: Reply) -> HooksError:
    """What to do about an answer that is none."""
    code = code_of(reply.body)
    said = call.says(f"answered {reply.status}{f' {code}' if code else ''} to")
    match reply.status:
        case HTTPStatus.UNAUTHORIZED:
            return CredentialError(f"{said}; check HOOKS_OKTA_ADMIN_*: expired, or revoked")
        case HTTPStatus.FORBIDDEN:
            way = "grant the scopes of this command, and a role that may manage event hooks"
            return ForbiddenError(f"{said}; {way}", code=code)
        case HTTPStatus.NOT_FOUND:
            return NotFoundError(f"{said}; check [okta] org_url, then run it again", code=code)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimitedError(f"{said}; run it again in a minute")
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return TransientError(f"{said}; run it again")
    return SpecRejectedError(said, code=code, words=frozenset(_WORD.findall(_text(reply))))


def _model(spec: Spec, secret: str) -> Model:
    """A hook in the SDK's words."""
    made = Model.from_dict(written(spec, secret))
    if made is None:
        raise IncompleteError("okta's SDK made no event hook")
    return made
