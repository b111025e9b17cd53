"""Pretend to change Okta's event hooks, so that what would be done can be told.

Must live here: what each change would leave behind. Must not know: why it is made.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hooks.core.ids import HookId
from hooks.core.registration import EventHook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hooks.core.registration import Spec

#: The id of a hook that would have been made.
UNMADE = HookId("who00000000000000000")


class Rehearsal:
    """Hooks as they were read. Whatever is asked for is granted, and every hook is verified."""

    def __init__(self, hooks: Iterable[EventHook]) -> None:
        self._hooks = {each.id: each for each in hooks}

    async def hooks(self) -> tuple[EventHook, ...]:
        """What would have become of them by now."""
        return tuple(self._hooks.values())

    async def create(self, spec: Spec, secret: str) -> EventHook:
        """As if made."""
        return await self.replace(UNMADE, spec, secret)

    async def replace(self, hook: HookId, spec: Spec, secret: str) -> EventHook:
        """As if written, and so not verified any more."""
        _ = secret
        known = self._hooks.get(hook)
        active = known.active if known else True
        return self._kept(EventHook(id=hook, spec=spec, active=active, verified=False))

    async def turn(self, hook: HookId, verb: str) -> EventHook:
        """As if done."""
        held = self._hooks[hook]
        if verb == "verify":
            return self._kept(replace(held, verified=True))
        return self._kept(replace(held, active=verb == "activate"))

    async def delete(self, hook: HookId) -> None:
        """As if gone."""
        del self._hooks[hook]

    def _kept(self, hook: EventHook) -> EventHook:
        self._hooks[hook.id] = hook
        return hook
