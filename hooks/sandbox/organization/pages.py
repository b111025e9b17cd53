"""How the organization pages: cursors that carry the question, in any of three forms."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .answers import Json, RefusedError
from .switches import OrganizationSwitches

T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """What a list was asked, and where its page begins."""

    asked: Json
    start: Any
    limit: int


def sealed(place: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def opened(cursor: object, path: str) -> tuple[Json, Any]:
    """The question a cursor was made for, and where its page begins."""
    try:
        padded = str(cursor) + "=" * (-len(str(cursor)) % 4)
        place = json.loads(base64.urlsafe_b64decode(padded))
    except ValueError:
        place = None
    match place:
        case [known, dict() as asked, start] if known == path:
            return asked, start
    raise RefusedError("ADMIN-UAM-400-1", "Invalid cursor")


def limit_of(question: Json, default: int, switches: OrganizationSwitches) -> int:
    try:
        limit = int(question.get("limit", default))
    except (TypeError, ValueError):
        limit = 0
    maximum = switches.org_page_maximum
    if limit < 1 or (limit > maximum and switches.org_limit_over == "400"):
        raise RefusedError("ADMIN-UAM-400-1", f"limit must be between 1 and {maximum}")
    return min(limit, maximum)


def question(
    request: Request, parameters: Json, default: int, switches: OrganizationSwitches
) -> Question:
    """With a cursor everything beside it is discarded. Source: Postman texts of the admin API."""
    start = None
    if "cursor" in parameters:
        parameters, start = opened(parameters["cursor"], request.url.path)
    return Question(parameters, start, limit_of(parameters, default, switches))


def page(keys: list[str], start: Any, limit: int, *, by_offset: bool) -> tuple[list[str], Any]:
    """The keys from ``start`` on, of keys in order, and where the next page starts, if any."""
    if by_offset:
        first = int(start or 0)
        more = first + limit < len(keys)
        return keys[first : first + limit], first + limit if more else None
    left = [key for key in keys if start is None or key > str(start)]
    return left[:limit], left[limit - 1] if len(left) > limit else None


def listed(
    request: Request,
    found: Mapping[str, T],
    question: Question,
    told: Callable[[T], Json],
    switches: OrganizationSwitches,
) -> Response:
    """``data`` and ``links``, in the order of the keys; the last page has no ``next``."""
    by_offset = switches.org_cursor == "offset"
    shown, following = page(sorted(found), question.start, question.limit, by_offset=by_offset)

    def link(start: Any) -> str:
        cursor = sealed((request.url.path, question.asked, start))
        match switches.org_next:
            case "bare":
                return cursor
            case "query":
                return f"?cursor={cursor}"
            case "url":
                return f"{str(request.base_url).rstrip('/')}{request.url.path}?cursor={cursor}"

    links = {"self": link(question.start)}
    if following is not None:
        links["next"] = link(following)
    return JSONResponse({"data": [told(found[key]) for key in shown], "links": links})
