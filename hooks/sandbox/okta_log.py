"""``GET /api/v1/logs``: bounded queries by ``published``, polling by the order of storing.

Source: Okta OpenAPI listLogEvents, Okta docs "system-log-query".
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .okta_filter import FilterError, Test, compile_filter
from .okta_json import OktaError
from .okta_pages import limit_of, listed, opened, sealed
from .system_log import Entry, Json
from .world import World

DEFAULT_PERIOD = timedelta(days=7)
# Older events are gone; an older ``since`` is an error beyond the second figure.
RETENTION = timedelta(days=90)
OLDEST_SINCE = timedelta(days=180)


class LogApi:
    def __init__(self, world: World) -> None:
        self.world = world

    async def list_events(self, request: Request) -> Response:
        query = request.query_params
        limit = limit_of(request, self.world, default=100, maximum=1000)
        test = self._test(query.get("filter"), query.get("q"))
        if "after" in query:
            place = opened(query["after"])
            if place[0] == "poll":
                return self._polling(request, (_instant(place[1], "after"), place[2]), test, limit)
            return self._bounded(request, place[1:], test, limit)
        since = self._since(query.get("since"), query.get("until"))
        if "until" not in query and query.get("sortOrder", "ASCENDING") == "ASCENDING":
            return self._polling(request, (since, -1), test, limit)
        until = _instant(query["until"], "until") if "until" in query else self.world.now()
        order = query.get("sortOrder", "DESCENDING" if "until" not in query else "ASCENDING")
        return self._bounded(request, [since.isoformat(), until.isoformat(), order, 0], test, limit)

    def _since(self, since: str | None, until: str | None) -> datetime:
        now = self.world.now()
        if since is None:
            return (_instant(until, "until") if until else now) - DEFAULT_PERIOD
        at = _instant(since, "since")
        if at < now - OLDEST_SINCE:
            raise OktaError(400, "E0000053", "since")
        return at

    def _test(self, expression: str | None, words: str | None) -> Test:
        try:
            test = compile_filter(expression) if expression else None
        except FilterError:
            raise OktaError(400, "E0000053", "filter") from None
        wanted = (words or "").lower().split()

        def both(event: Json) -> bool:
            text = str(event).lower() if wanted else ""
            return (test is None or test(event)) and all(word in text for word in wanted)

        return both

    def _polling(
        self, request: Request, after: tuple[datetime, int], test: Test, limit: int
    ) -> Response:
        """Every event once, in the order stored; a next link even on an empty page."""
        now = self.world.now()
        entries = self._kept(self.world.log.polled(after, now))
        found: list[Json] = []
        for entry in entries:
            if len(found) == limit:
                break
            after = (entry.persisted, entry.number)
            if test(entry.event):
                found.append(entry.event)
        cursor = sealed(["poll", after[0].isoformat(), after[1]])
        return listed(request, found, cursor, limit)

    def _bounded(self, request: Request, place: Sequence[Any], test: Test, limit: int) -> Response:
        """By ``published`` between two instants; ends, and misses what is stored late."""
        since, until = _instant(place[0], "since"), _instant(place[1], "until")
        events = [
            entry.event
            for entry in self._kept(self.world.log.visible(self.world.now()))
            if since <= _instant(entry.event["published"], "published") <= until
            and test(entry.event)
        ]
        descending = place[2] == "DESCENDING"
        events.sort(key=lambda event: str(event["published"]), reverse=descending)
        first = int(place[3])
        more = limit > 0 and first + limit < len(events)
        cursor = sealed(["bounded", *place[:3], first + limit]) if more else None
        return listed(request, events[first : first + limit], cursor, limit)

    def _kept(self, entries: list[Entry]) -> list[Entry]:
        oldest = self.world.now() - RETENTION
        return [entry for entry in entries if entry.persisted >= oldest]


def _instant(text: str, name: str) -> datetime:
    """ISO 8601; ``+`` may have arrived as a blank."""
    try:
        at = datetime.fromisoformat(str(text).strip().replace(" ", "+"))
    except ValueError:
        raise OktaError(400, "E0000053", name) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
