"""Okta's System Log: what it proves about people, and everything of it in the order it was stored.

Its queries and its two kinds of order must live here; what a line leads to, this room must not
know. Source: developer.okta.com/docs/reference/system-log-query.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from hooks.core.history import LogFacts, Moment
from hooks.core.ids import OktaUserId
from hooks.gateways.okta_lists import OktaList, pages
from hooks.gateways.okta_shapes import LOG_TYPES, EventShape, facts, moments, users
from hooks.gateways.urls import equals, equals_any, instant, path, with_query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from hooks.clock import Clock
    from hooks.gateways.transport import Transport

#: Events in one page, which is stored whole in one transaction. Design 5.1.
PAGE = 500
_LOGS = path("api", "v1", "logs")
_RAW = msgspec.json.Decoder(list[msgspec.Raw])
_RAW_LIST = OktaList("log", _RAW, "log", PAGE)
_LIST = OktaList("log", msgspec.json.Decoder(list[EventShape]), "log", 1000)


@dataclass(frozen=True, slots=True)
class LogPage:
    """LogEvents as received, and where to go on; ``None`` where Okta did not say."""

    events: tuple[bytes, ...]
    next: str | None

    @property
    def full(self) -> bool:
        """There may be more already."""
        return len(self.events) >= PAGE


class OktaLog:
    """The log of one org, read by the same door as everything else of it."""

    def __init__(self, door: Transport, clock: Clock) -> None:
        self._door = door
        self._clock = clock

    async def about(self, user: OktaUserId, since: datetime) -> LogFacts:
        """What the System Log says succeeded for a person from ``since`` until now.

        A bounded query may miss what Okta has not stored yet: it proves what it shows, never
        that something did not happen. Source:
        developer.okta.com/docs/reference/system-log-query.
        """
        about_them = f"{equals('target.id', OktaUserId(user))} and "
        events: list[EventShape] = []
        async for page in self._facts(since, about_them):
            events += page
        return facts(events, user)

    async def history(
        self, since: datetime
    ) -> AsyncIterator[tuple[tuple[OktaUserId, Moment], ...]]:
        """What the System Log says succeeded for anybody from ``since`` until now, oldest first.

        Page by page, one entry for each person an event names and each moment it tells of. As
        ``about`` it proves what it shows and no more.
        """
        async for page in self._facts(since):
            yield tuple(
                (user, moment)
                for event in page
                for moment in moments(event)
                for user in users(event)
            )

    async def page(self, place: datetime | str, types: Iterable[str]) -> LogPage:
        """One page of everything of these types, in the order in which Okta stored it.

        ``place`` is the instant to begin with, or what the page before gave to go on from. This
        order misses nothing that is stored late, and the list has no end: a page that is not full
        is the end for now. Raises: RejectedError for a place Okta does not know any more.
        Source: developer.okta.com/docs/reference/system-log-query, "Polling requests".
        """
        if isinstance(place, datetime):
            query = {
                "since": instant(place),
                "filter": equals_any("eventType", types),
                "sortOrder": "ASCENDING",
            }
            place = with_query(_LOGS, query | {"limit": PAGE})
        answer = await self._door.get("log poll", place, _RAW, bucket="log")
        return LogPage(tuple(bytes(each) for each in answer.value), answer.next)

    async def between(
        self, since: datetime, until: datetime, types: Iterable[str]
    ) -> AsyncIterator[tuple[bytes, ...]]:
        """Everything of these types that was published between two instants, page by page.

        May miss what Okta stores late. Source: as above, "Bounded requests".
        """
        query = {
            "since": instant(since),
            "until": instant(until),
            "filter": equals_any("eventType", types),
            "sortOrder": "ASCENDING",
        }
        async for page in pages(self._door, _RAW_LIST, _LOGS, query):
            yield tuple(bytes(each) for each in page)

    def _facts(self, since: datetime, who: str = "") -> AsyncIterator[list[EventShape]]:
        """The events ``moments`` can read, from ``since`` until now, of whom the filter names."""
        query = {
            "since": instant(since),
            "until": instant(self._clock.now()),
            "filter": f"{who}({equals_any('eventType', LOG_TYPES)})",
            "sortOrder": "ASCENDING",
        }
        return pages(self._door, _LIST, _LOGS, query)
