"""How Okta pages: opaque cursors, separate ``link`` headers, limits."""

import base64
import json
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .okta_json import OktaError
from .world import World

T = TypeVar("T")


def limit_of(request: Request, world: World, *, default: int, maximum: int) -> int:
    text = request.query_params.get("limit")
    if text is None:
        return default
    if not text.isdigit() or int(text) < (0 if maximum == 1000 else 1):
        raise OktaError(400, "E0000001", "limit", ("limit: not a valid number",))
    if int(text) > maximum and world.switches.limit_over_maximum == "400":
        raise OktaError(400, "E0000001", "limit", (f"limit: must be at most {maximum}",))
    return min(int(text), maximum)


def sealed(place: Any) -> str:
    """An opaque cursor: nobody is meant to read or build one."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def opened(cursor: str) -> Any:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return json.loads(base64.urlsafe_b64decode(padded))
    except ValueError:
        raise OktaError(400, "E0000001", "after", ("after: invalid cursor",)) from None


def page(
    request: Request, items: Sequence[tuple[str, T]], limit: int
) -> tuple[list[T], str | None]:
    """The page after the cursor, of items sorted by key, and the next cursor if any."""
    after = request.query_params.get("after")
    if after is not None:
        last = str(opened(after))
        items = [item for item in items if item[0] > last]
    cursor = sealed(items[limit - 1][0]) if 0 < limit < len(items) else None
    return [item for _, item in items[:limit]], cursor


def listed(request: Request, bodies: list[Any], cursor: str | None, limit: int) -> Response:
    """A JSON array; ``self`` and ``next`` in two headers, in this order."""
    response = JSONResponse(bodies)
    response.headers.append("link", f'<{request.url}>; rel="self"')
    if cursor is not None:
        kept = [
            (k, v)
            for k, v in request.query_params.multi_items()
            if k not in ("after", "limit", "since", "sortOrder")
        ]
        query = urlencode([("after", cursor), ("limit", limit), *kept])
        following = f"{origin(request)}{request.url.path}?{query}"
        response.headers.append("link", f'<{following}>; rel="next"')
    return response


def origin(request: Request) -> str:
    return str(request.base_url).rstrip("/")
