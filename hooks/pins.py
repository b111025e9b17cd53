"""The Okta groups the policy names, each resolved to one id and remembered. Design 3.2.

Must live here: when a name counts as resolved. Must not know: what protection or scope mean.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hooks.core.errors import HooksError
from hooks.core.ids import OktaGroupId
from hooks.core.policy import Named, Policy
from hooks.store import cursor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hooks.clock import Clock
    from hooks.gateways.okta import Okta
    from hooks.store.database import Database


class PolicyInForce:
    """The policy with the Okta groups it names resolved, once, each to exactly one id.

    A name that resolves to none or to several stays unresolved and is asked again after a while;
    ``decide`` refuses what depends on it. Design 3.2.
    """

    #: How long an unresolved name rests before it is asked again.
    rest = timedelta(seconds=60)

    def __init__(
        self,
        policy: Policy,
        *,
        protected: Iterable[str],
        scope: Iterable[str],
        conditions: Iterable[tuple[str, ...]],
        okta: Okta,
        database: Database,
        clock: Clock,
        remember: bool = True,
    ) -> None:
        """Names or ids of Okta groups as the operator wrote; ``conditions`` in the rules' order.

        ``remember``: what a name resolves to is pinned from then on; not for a mere trial.
        """
        self._policy = policy
        self._protected = tuple(protected)
        self._scope = tuple(scope)
        self._conditions = tuple(conditions)
        self._okta = okta
        self._database = database
        self._clock = clock
        self._remember = remember
        self._known: dict[str, OktaGroupId] = {}
        self._asked: datetime | None = None
        self._resolving = asyncio.Lock()

    async def __call__(self) -> Policy:
        """The policy now."""
        names = {*self._protected, *self._scope}
        names.update(*self._conditions)
        if names - self._known.keys():
            async with self._resolving:
                await self._resolve(names)
        return replace(
            self._policy,
            protected_okta_groups=self._named(self._protected),
            scope=self._named(self._scope),
            rules=tuple(
                replace(rule, while_member_of=self._named(names)) if names else rule
                for rule, names in zip(self._policy.rules, self._conditions, strict=True)
            ),
        )

    def _named(self, names: tuple[str, ...]) -> Named:
        found = {name: self._known.get(name) for name in names}
        return Named(
            frozenset(group for group in found.values() if group),
            frozenset(name for name, group in found.items() if not group),
        )

    async def _resolve(self, names: Iterable[str]) -> None:
        now = self._clock.now()
        missing = sorted(set(names) - self._known.keys())
        if not missing:
            return
        self._known |= {name: OktaGroupId(name) for name in missing if OktaGroupId.maybe(name)}
        # Okta's answer may have failed us, and another process may know it by now.
        self._known |= await self._database.read(lambda tx: cursor.pins(tx, missing))
        if self._asked and now - self._asked < self.rest:
            return
        self._asked = now
        for name in missing:
            if name not in self._known:
                await self._pin(name)

    async def _pin(self, name: str) -> None:
        try:
            found = await self._okta.groups_named(name)
        except HooksError:
            return
        if len(found) == 1:
            group = found[0].id
            if self._remember:
                await self._database.write(lambda tx: cursor.pin(tx, name, group))
            self._known[name] = group
