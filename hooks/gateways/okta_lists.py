"""Okta's lists: page by page, each next link followed, and no list believed that may be cut.

How Okta pages must live here; what a list holds, this room must not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from hooks.core.errors import IncompleteError
from hooks.gateways.urls import with_query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hooks.gateways.transport import Transport

T = TypeVar("T")

#: Pages of one list after which something goes round in circles: 5 million app users.
MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class OktaList(Generic[T]):
    """A list: its name in messages, decoder, bucket, and how many entries a full page has.

    ``limited`` says that we ask for so many; else it is what the server does by itself.
    """

    operation: str
    decoder: msgspec.json.Decoder[list[T]]
    bucket: str
    full: int
    limited: bool = True

    def cut(self, entries: int, limit: int) -> bool:
        """A last page of this length may have been cut there, where ``limit`` was asked for."""
        return entries >= limit if self.limited else entries == self.full


async def pages(
    door: Transport, kind: OktaList[T], target: str, query: dict[str, Any] | None = None
) -> AsyncIterator[list[T]]:
    """Every page of a list, the next link followed until there is none."""
    async for page, _ in walk(door, kind, target, query):
        yield page


async def walk(
    door: Transport,
    kind: OktaList[T],
    target: str,
    query: dict[str, Any] | None = None,
    place: str = "",
) -> AsyncIterator[tuple[list[T], str]]:
    """As ``pages``, and the place where the list goes on, empty at its end; from ``place`` on.

    A list that ends with a full page may have been cut there. One whose length we choose is read
    once more by pages of one entry less, so an entry may come twice; cut for good, it shows as
    that again.
    """
    if place and urlsplit(place).path != target:
        raise IncompleteError(f"okta cannot go on there with GET {kind.operation}")
    asked: set[str] = set()
    limit = int(dict(parse_qsl(urlsplit(place).query)).get("limit", kind.full))
    following = place or _from_the_beginning(kind, target, query, limit)
    while following:
        if following in asked or len(asked) >= MOST_PAGES:
            raise IncompleteError(f"okta leads round in circles with GET {kind.operation}")
        asked.add(following)
        answer = await door.get(kind.operation, following, kind.decoder, bucket=kind.bucket)
        following = answer.next or ""
        if not following and kind.cut(len(answer.value), limit):
            if not kind.limited or limit < kind.full:
                raise IncompleteError(f"okta may have cut GET {kind.operation} at a full page")
            limit -= 1
            following = _from_the_beginning(kind, target, query, limit)
        yield answer.value, following


def _from_the_beginning(
    kind: OktaList[T], target: str, query: dict[str, Any] | None, limit: int
) -> str:
    return with_query(target, {**(query or {}), **({"limit": limit} if kind.limited else {})})
