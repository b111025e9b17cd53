"""Trouble on demand, and the record of what was asked of the vendors."""

import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Vendor = Literal["okta", "scim", "org", "jira"]
Observer = Callable[[str, str, str, str, int], Awaitable[None]]

# Segments after which a path carries an id.
COLLECTIONS = {
    *("users", "groups", "apps", "eventHooks", "directory", "Users", "Groups"),
    *("orgs", "org", "directories", "memberships", "user", "scimDirectoryId", "scimUserId"),
    "events",
}
# Segments that follow a collection and are no id.
FIXED = {"", "search"} | COLLECTIONS
REMEMBERED_REQUESTS = 10_000


@dataclass
class Request:
    """One request as it came in; ``status`` is None until it is answered, or if it never was."""

    n: int
    vendor: str
    method: str
    path: str
    query: str
    at: datetime
    body: bytes
    status: int | None = None

    def names(self, names: frozenset[str]) -> bool:
        """Whether one of these stands anywhere in it."""
        text = f"{self.path}?{self.query}"
        return any(name in text or name.encode() in self.body for name in names)


@dataclass
class Fault:
    """One kind of trouble for the requests it matches; see ``World.fault``."""

    vendor: str | None = None
    method: str | None = None
    path: str | None = None
    names: frozenset[str] = frozenset()
    when: Callable[[Request], bool] | None = None
    skip: int = 0
    times: int | None = None
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    takes: float = 0.0
    hang: float = 0.0
    truncate: bool = False
    cut: bool = False
    drop: bool = False
    drop_after: bool = False
    empty_list: bool = False
    drop_next: bool = False
    foreign_next: bool = False
    repeat_next: bool = False
    redirect: str | None = None
    seen: int = 0

    def concerns(self, request: Request) -> bool:
        return (
            self.vendor in (None, request.vendor)
            and self.method in (None, request.method)
            and self._path_matches(request)
            and self._names_match(request)
            and (self.when is None or self.when(request))
        )

    def _path_matches(self, request: Request) -> bool:
        where = f"{request.path}?{request.query}" if request.query else request.path
        return self.path is None or re.search(self.path, where) is not None

    def _names_match(self, request: Request) -> bool:
        return not self.names or request.names(self.names)

    def take(self) -> bool:
        """Whether it strikes this time; counts the request."""
        self.seen += 1
        struck = self.seen - self.skip
        return struck > 0 and (self.times is None or struck <= self.times)


class Traffic:
    """Counts, remembers and judges requests, and holds the faults that await them."""

    def __init__(self) -> None:
        self.counters: Counter[tuple[str, str, str]] = Counter()
        self.requests: deque[Request] = deque(maxlen=REMEMBERED_REQUESTS)
        self.violations: list[str] = []
        self.faults: list[Fault] = []
        self.observer: Observer | None = None
        self._n = 0

    def record(
        self, vendor: str, method: str, path: str, *, query: str, body: bytes, at: datetime
    ) -> Request:
        self._n += 1
        request = Request(self._n, vendor, method, path, query, at, body)
        self.counters[vendor, method, template(path)] += 1
        self.requests.append(request)
        return request

    def trouble(self, request: Request) -> Fault | None:
        """The first fault that strikes this request."""
        for fault in self.faults:
            if fault.concerns(request) and fault.take():
                return fault
        return None

    async def observe(self, phase: str, request: Request) -> None:
        if self.observer is not None:
            await self.observer(phase, request.vendor, request.method, request.path, request.n)


def template(path: str) -> str:
    """``/api/v1/users/00u…/groups`` becomes ``/api/v1/users/{id}/groups``."""
    parts = path.split("/")
    return "/".join(
        "{id}" if index and parts[index - 1] in COLLECTIONS and part not in FIXED else part
        for index, part in enumerate(parts)
    )
