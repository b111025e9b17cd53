"""Okta's event hooks and their failures as our nouns, and back.

Must live here: the JSON of hooks. Must not know: how it is carried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hooks.core.errors import IncompleteError
from hooks.core.ids import HookId
from hooks.core.registration import EventHook, Spec

#: What is shown of Okta's reason for a failure.
_LONGEST_REASON = 80
_INSTANT_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Failure:
    """A delivery that failed, as the System Log tells it; ``reason`` in Okta's words."""

    published: str
    hooks: frozenset[str]
    reason: str


def written(spec: Spec, secret: str) -> dict[str, Any]:
    """A hook as it is sent. Source: Okta OpenAPI createEventHook."""
    entries = [
        {"event": each, "condition": {"expression": expression}}
        for each, expression in sorted(spec.conditions.items())
    ]
    events: dict[str, Any] = {"type": "EVENT_TYPE", "items": sorted(spec.types)}
    if entries:
        events["filter"] = {"type": "EXPRESSION_LANGUAGE", "eventFilterMap": entries}
    config = {
        "uri": spec.url,
        "headers": [{"key": key, "value": value} for key, value in spec.headers],
        "authScheme": {"type": "HEADER", "key": spec.header, "value": secret},
    }
    channel = {"type": "HTTP", "version": "1.0.0", "config": config}
    about = {"description": spec.description} if spec.description else {}
    return {"name": spec.name, **about, "events": events, "channel": channel}


def hook_of(body: object) -> EventHook:
    """A hook as Okta told it; what this release does not know is left out.

    Raises: IncompleteError where nothing could be decided about it.
    """
    hook = _table(body)
    events, config = _table(hook.get("events")), _table(_table(hook.get("channel")).get("config"))
    found = HookId.maybe(hook.get("id"))
    items = events.get("items")
    if found is None or not isinstance(items, list):
        raise IncompleteError("okta told of an event hook in another shape")
    entries = [_table(each) for each in _rows(_table(events.get("filter")).get("eventFilterMap"))]
    headers = [_table(each) for each in _rows(config.get("headers"))]
    description = hook.get("description")
    spec = Spec(
        name=str(hook.get("name", "")),
        url=str(config.get("uri", "")),
        header=str(_table(config.get("authScheme")).get("key", "")),
        types=frozenset(map(str, items)),
        conditions={
            str(each.get("event")): str(_table(each.get("condition")).get("expression"))
            for each in entries
        },
        headers=tuple((str(each.get("key")), str(each.get("value"))) for each in headers),
        description=description if isinstance(description, str) else None,
    )
    return EventHook(
        id=found,
        spec=spec,
        active=hook.get("status") == "ACTIVE",
        verified=hook.get("verificationStatus") == "VERIFIED",
    )


def failure_of(event: object) -> Failure:
    """A failed delivery; the hook is found among the targets by what its id looks like."""
    entry = _table(event)
    targets = [_table(each).get("id") for each in _rows(entry.get("target"))]
    reason = str(_table(entry.get("outcome")).get("reason") or "no reason given")
    return Failure(
        published=str(entry.get("published", ""))[:_INSTANT_LENGTH],
        hooks=frozenset(found for each in targets if (found := HookId.maybe(each))),
        reason=reason[:_LONGEST_REASON],
    )


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _rows(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
