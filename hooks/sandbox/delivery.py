"""Okta's delivery of events to hooks: envelopes, batches, one retry, duplicates, losses.

Source: Okta docs "concepts/event-hooks": three seconds, at most one retry, on timeout or
5xx, never after 4xx; at least once, unordered.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from uuid import UUID

import httpx

from .okta_hooks import hook_headers
from .org import Hook
from .system_log import Json, iso, target
from .world import World

# Only the log tells that a delivery failed; this one never reaches a hook.
FAILED = "event_hook.delivery"


def hook_shaped(event: Json) -> Json:
    """A LogEvent as real hook bodies show it.

    ``ipChain`` stands under ``client`` and there is no ``request``, ``debugContext`` or
    ``securityContext``. Source: recorded delivery.
    """
    shaped = deepcopy(event)
    chain = (shaped.pop("request", None) or {}).get("ipChain", [])
    shaped["client"] = (shaped.get("client") or {}) | {"ipChain": chain}
    for name in ("debugContext", "securityContext", "authenticationContext", "legacyEventType"):
        shaped.pop(name, None)
    return shaped


def envelope(
    events: Iterable[Json], *, source: str, event_id: str, at: datetime, shaped: bool = True
) -> Json:
    return {
        "eventType": "com.okta.event_hook",
        "eventTypeVersion": "1.0",
        "cloudEventsVersion": "0.1",
        "source": source,
        "eventId": event_id,
        "data": {"events": [hook_shaped(e) if shaped else e for e in events]},
        "eventTime": iso(at),
        "contentType": "application/json",
    }


def delivery(
    events: Sequence[Json],
    *,
    hook_id: str = "who00000000000000000",
    org_url: str = "https://example.okta.com",
    event_id: str = "7725f197-576a-4eff-b1ce-668221e8144a",
    at: datetime | None = None,
    shaped: bool = True,
) -> bytes:
    """The body Okta would POST for these events."""
    source = f"{org_url}/api/v1/eventHooks/{hook_id}"
    at = at or datetime.now(UTC)
    return json.dumps(
        envelope(events, source=source, event_id=event_id, at=at, shaped=shaped)
    ).encode()


@dataclass(frozen=True)
class Delivered:
    """One delivery and its fate; ``statuses`` has None for a try without an answer."""

    hook_id: str
    event_id: str
    uuids: tuple[str, ...]
    statuses: tuple[int | None, ...]

    @property
    def accepted(self) -> bool:
        status = self.statuses[-1]
        return status is not None and 200 <= status < 300


@dataclass
class Deliverer:
    """Sends what waits in the world's outbox to the hooks it is meant for."""

    world: World
    client: httpx.AsyncClient
    org_url: str = "https://example.okta.com"
    batch_size: int = 10
    duplicate_rate: float = 0.0
    """Share of events that come a second time, in a delivery of their own."""
    drop_rate: float = 0.0
    """Share of events that Okta never delivers; the System Log still has them."""
    shuffle: bool = False
    delay: float = 0.0
    """Seconds an event waits before ``run`` sends it."""
    timeout: float = 3.0
    shaped: bool = True
    done: list[Delivered] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = Random(self.world.seed + 2)

    @property
    def waiting(self) -> int:
        return len(self.world.outbox)

    async def flush(self, *, older_than: float = 0.0) -> list[Delivered]:
        """Deliver all that waits (at least that many seconds), one hook after the other."""
        self.world.tick()
        by_hook = self._taken(older_than)
        found = [
            await self._deliver(hook, batch)
            for hook, events in by_hook
            for batch in self._batches(events)
        ]
        self.done.extend(found)
        return found

    def _taken(self, older_than: float) -> list[tuple[Hook, list[Json]]]:
        """Empty the outbox. A hook that no longer listens gets nothing, ever."""
        limit = iso(self.world.ago(older_than))
        taken: dict[str, tuple[Hook, list[Json]]] = {}
        kept = []
        for hook, event in self.world.outbox:
            if older_than and event["published"] > limit:
                kept.append((hook, event))
            elif hook.listening:
                taken.setdefault(hook.id, (hook, []))[1].append(event)
        self.world.outbox[:] = kept
        return list(taken.values())

    def _batches(self, events: list[Json]) -> list[list[Json]]:
        kept = [e for e in events if self._chance.random() >= self.drop_rate]
        again = [[e] for e in kept if self._chance.random() < self.duplicate_rate]
        if self.shuffle:
            self._chance.shuffle(kept)
        size = max(1, self.batch_size)
        return [kept[i : i + size] for i in range(0, len(kept), size)] + again

    async def preview(self, hook: Hook, *events: Json) -> int | None:
        """The Admin Console's Preview: any JSON at all, past filters and verification.

        Real events of the past keep their ``published`` and their ``uuid``. Source: Okta help,
        "event-hook-preview".
        """
        return await self._post(hook, list(events), self._event_id())

    async def _deliver(self, hook: Hook, events: list[Json]) -> Delivered:
        event_id = self._event_id()
        statuses = [await self._post(hook, events, event_id)]
        if statuses[0] is None or statuses[0] >= 500:
            if not self.world.switches.retry_keeps_event_id:
                event_id = self._event_id()
            statuses.append(await self._post(hook, events, event_id))
        uuids = tuple(str(event["uuid"]) for event in events)
        delivered = Delivered(hook.id, event_id, uuids, tuple(statuses))
        if not delivered.accepted:
            self._log_failure(hook, delivered)
        return delivered

    async def _post(self, hook: Hook, events: list[Json], event_id: str) -> int | None:
        body = delivery(
            events,
            hook_id=hook.id,
            org_url=self.org_url,
            event_id=event_id,
            at=self.world.now(),
            shaped=self.shaped,
        )
        headers = hook_headers(hook) | {"Content-Type": "application/json"}
        try:
            # httpx has no limit for the whole exchange, and Okta has.
            async with asyncio.timeout(self.timeout):
                response = await self.client.post(
                    hook.uri, content=body, headers=headers, follow_redirects=False
                )
        except (httpx.HTTPError, TimeoutError):
            return None
        return response.status_code

    def _event_id(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))

    def _log_failure(self, hook: Hook, delivered: Delivered) -> None:
        status = delivered.statuses[-1]
        self.world.emit(
            self.world.transaction("JOB"),
            FAILED,
            target("EventHook", hook.id, hook.name),
            outcome="FAILURE",
            reason="TIMEOUT" if status is None else f"HTTP {status}",
            severity="WARN",
            debug={"eventIds": list(delivered.uuids)},
        )

    async def run(self, every: float = 0.05) -> None:
        """Deliver until cancelled."""
        while True:
            await self.flush(older_than=self.delay)
            await asyncio.sleep(every)
