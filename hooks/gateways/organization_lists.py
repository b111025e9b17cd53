"""The organization's lists: page by page, each cursor followed, and none believed that may be cut.

How the organization pages must live here; what a list holds, this room must not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from hooks.core.errors import IncompleteError
from hooks.gateways.organization_shapes import Page, cursor_of
from hooks.gateways.urls import with_query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hooks.gateways.transport import Transport

T = TypeVar("T")

#: Entries asked for in one page. Source: baton-atlassian, who measured 100 as the most.
PAGE = 100
#: Pages of one list after which something goes round in circles: 250,000 groups are the most an
#: organization can have. Source: support.atlassian.com, users and groups limits.
MOST_PAGES = 2_500


@dataclass(frozen=True, slots=True)
class OrganizationList(Generic[T]):
    """A list: its name in messages, how it is asked for, and how to read a page."""

    operation: str
    method: str
    page: msgspec.json.Decoder[Page[T]]


async def walk(
    door: Transport,
    kind: OrganizationList[T],
    target: str,
    question: dict[str, Any],
    place: str = "",
) -> AsyncIterator[tuple[list[T], str]]:
    """Every page of a list, and the place where it goes on, empty at the end.

    From ``place`` on, if one is given. An entry may come twice: the last page has no next link
    (source: jira.js linkPageCursor), so one that is full would also look like this if the link
    had got lost. Then the list is read once more by pages of one entry less: a link that is lost
    for good shows as a full page again.
    """
    size, _, cursor = place.partition(" ")
    for limit in (PAGE, PAGE - 1):
        if size and limit != int(size):
            continue
        following = {"cursor": cursor} if cursor else {**question, "limit": limit}
        size = cursor = ""
        entries = 0
        async for page, more in _walk(door, kind, target, following):
            entries = len(page)
            anew = f"{PAGE - 1} " if entries >= limit else ""
            yield page, f"{limit} {more}" if more else anew
        if entries < limit:
            return
    raise IncompleteError(f"organization may have cut {kind.operation} at a full page")


async def _walk(
    door: Transport, kind: OrganizationList[T], target: str, question: dict[str, Any]
) -> AsyncIterator[tuple[list[T], str | None]]:
    """Pages by their cursors, each sent alone: with it all else would be discarded.

    Source: Atlassian's descriptions in Postman; some of its lists answer 400 to anything
    beside a cursor (baton-jira).
    """
    seen: set[str] = set()
    while True:
        page = await page_of(door, kind, target, question)
        cursor = cursor_of(page.next, origin=door.origin, asked=target)
        yield page.data, cursor
        if cursor is None:
            return
        if cursor in seen or len(seen) >= MOST_PAGES:
            raise IncompleteError(f"organization leads round in circles with {kind.operation}")
        seen.add(cursor)
        question = {"cursor": cursor}


async def page_of(
    door: Transport, kind: OrganizationList[T], target: str, question: dict[str, Any]
) -> Page[T]:
    """One page. What a rate leaves is told "for each endpoint", so each path has a bucket.

    Source: developer.atlassian.com/cloud/admin/organization/rest/intro.
    """
    if kind.method == "GET":
        target = with_query(target, question)
        answer = await door.get(kind.operation, target, kind.page, bucket=kind.operation)
        return answer.value
    return await door.ask(
        kind.operation,
        target,
        msgspec.json.encode(question),
        kind.page,
        bucket=kind.operation,
        content_type="application/json",
        lists=True,
    )
