"""Make the event hook what it must be, and give it another secret, without losing its events.

Must live here: the order of the calls. Must not know: which hook is ours, or what it lacks.
Between any two calls a run may end, by whatever; what receives then still receives, and the same
run again goes on from what Okta shows, because nothing is remembered here.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from hooks.core import registration
from hooks.core.errors import PermanentError, RejectedError
from hooks.core.registration import Beside, InPlace
from hooks.gateways.okta_admin import LOGS, MANAGE, READ, OktaAdmin, SpecRejectedError
from hooks.gateways.wire import open_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

    from hooks.core.ids import HookId
    from hooks.core.registration import EventHook, Spec, Wanted
    from hooks.gateways.credential import Credential
    from hooks.gateways.okta_admin import Verb
    from hooks.gateways.wire import Client

    Shown = Callable[[Client, tuple[str, ...]], Credential]

#: Seconds before the next try of a verification: Okta itself tries twice, three seconds each.
WAITS = (1.0, 3.0)

#: The most likely reason why another secret is refused.
_UNKNOWN = "every `hooks serve` must be given HOOKS_HOOK_SECRET_NEXT first"


class UnverifiedError(RejectedError):
    """Okta called the hook's address, and was not answered as it must be."""


class Deed(StrEnum):
    """What was done to a hook."""

    CREATED = "created"
    UPDATED = "updated"
    VERIFIED = "verified"
    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Done:
    """One change in Okta."""

    deed: Deed
    hook: EventHook


@dataclass(frozen=True, slots=True)
class Unfiltered:
    """The org will not have our filter; every app's events come."""


@dataclass(frozen=True, slots=True)
class Unoffered:
    """The org's hooks do not know these types; the System Log tells of them."""

    types: frozenset[str]


Told = Done | Unfiltered | Unoffered


class Admin(Protocol):
    """Whoever administers hooks: Okta, or a rehearsal of it."""

    async def hooks(self) -> tuple[EventHook, ...]:
        """All of the org."""

    async def create(self, spec: Spec, secret: str) -> EventHook:
        """Make one."""

    async def replace(self, hook: HookId, spec: Spec, secret: str) -> EventHook:
        """Write all of one."""

    async def turn(self, hook: HookId, verb: Verb) -> EventHook:
        """Verify it, switch it on or off."""

    async def delete(self, hook: HookId) -> None:
        """Delete one that is off."""


class Register:
    """The hook of one address. ``tell`` hears of each change once it is made."""

    def __init__(
        self,
        okta: Admin,
        wanted: Wanted,
        *,
        tell: Callable[[Told], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._okta = okta
        self._wanted = wanted
        self._tell = tell
        self._sleep = sleep

    async def register(
        self,
        secret: str,
        *,
        name: str | None = None,
        move: bool = False,
        rewrite: bool = False,
        filtered: bool = False,
    ) -> EventHook:
        """Create the hook, or give it what it lacks; verify it, and switch it on.

        A hook that is as it must be is not touched, since writing one may stop it until it is
        verified; one that receives nothing is written anew, as its secret may be an old one.
        ``rewrite`` does so in any case, and ``move`` takes the hook of this name from another
        address.
        Raises: PermanentError, UnverifiedError; the errors of the gateway.
        """
        hooks = await self._okta.hooks()
        hook = self._ours(hooks, name or registration.NAME, move=move)
        if hook is None:
            spec = registration.first(self._wanted, name or registration.NAME)
            hook = await self._write(None, spec, secret)
        else:
            spec = registration.amended(hook, self._wanted, name=name, filtered=filtered)
            always = rewrite or not hook.receives
            hook = await self._write(hook, spec, secret, always=always)
        return await self._received(hook)

    async def rotate(
        self,
        secret: str,
        following: str,
        *,
        in_place: bool = False,
        overlap: Callable[[], Awaitable[None]],
    ) -> EventHook:
        """Give the hook the ``following`` secret; ``secret`` is the one it has.

        ``overlap`` passes the time in which Okta may not send to a new hook yet.
        Raises: PermanentError, UnverifiedError; the errors of the gateway.
        """
        hooks = await self._okta.hooks()
        mine = registration.at(hooks, self._wanted.url)
        if not mine:
            raise PermanentError("okta has no hook for this address; run: hooks register")
        if not registration.one_family(mine):
            raise _several(mine)
        way = registration.rotation(hooks, mine, in_place=in_place)
        match way:
            case Beside(name, like, retire, idle):
                await self._away(idle)
                heir = await self._beside(name, like, following)
                await overlap()
            case InPlace(hook, retire):
                heir = await self._in_place(hook, secret, following)
        await self._retire(retire, heir)
        return heir

    # -- one hook ------------------------------------------------------------------------------

    def _ours(self, hooks: Sequence[EventHook], name: str, *, move: bool) -> EventHook | None:
        found = registration.at(hooks, self._wanted.url)
        named = found or registration.called(hooks, name)
        if len(named) > 1:
            raise _several(named)
        if named and not found and not move:
            raise PermanentError(
                f"okta's hook {named[0].id} of this name sends to another address; --move points"
                " it here, --name TEXT makes another one"
            )
        return named[0] if named else None

    async def _write(
        self, hook: EventHook | None, spec: Spec, secret: str, *, always: bool = False
    ) -> EventHook:
        """Write a hook, without what this org will not have."""
        try:
            return await self._sent(hook, spec, secret, always=always)
        except SpecRejectedError as error:
            refused = error
        if spec.conditions:
            try:
                bare = replace(spec, conditions={})
                made = await self._sent(hook, bare, secret, always=always)
            except SpecRejectedError as error:
                refused = error
            else:
                self._tell(Unfiltered())
                return made
        # Told of a spec without filter, so these are the types themselves.
        unknown = refused.words & registration.MAY_BE_REFUSED & spec.types
        if not unknown:
            raise PermanentError(f"{refused}; is the address one Okta may call, and room left?")
        self._tell(Unoffered(unknown))
        spec = replace(spec, types=spec.types - unknown)
        return await self._write(hook, spec, secret, always=always)

    async def _sent(
        self, hook: EventHook | None, spec: Spec, secret: str, *, always: bool
    ) -> EventHook:
        if hook is None:
            made = await self._okta.create(spec, secret)
            self._tell(Done(Deed.CREATED, made))
            return made
        if registration.fits(hook, spec) and not always:
            return hook
        made = await self._okta.replace(hook.id, spec, secret)
        self._tell(Done(Deed.UPDATED, made))
        return made

    async def _received(self, hook: EventHook) -> EventHook:
        """See to it that the hook receives."""
        if not hook.active:
            hook = await self._okta.turn(hook.id, "activate")
            self._tell(Done(Deed.ACTIVATED, hook))
        if hook.verified:
            return hook
        for wait in (0.0, *WAITS):
            await self._sleep(wait)
            with suppress(SpecRejectedError):
                hook = await self._okta.turn(hook.id, "verify")
            if hook.verified:
                self._tell(Done(Deed.VERIFIED, hook))
                return hook
        raise UnverifiedError(
            f"okta could not verify hook {hook.id}, its address did not answer as it must: see"
            " that `hooks serve` runs there with the same secret, that Okta reaches it from outside"
            " and is answered within 3 s; then run this again"
        )

    # -- one for another -----------------------------------------------------------------------

    async def _beside(self, name: str, like: EventHook, following: str) -> EventHook:
        spec = registration.amended(like, self._wanted, name=name)
        heir = await self._write(None, spec, following)
        try:
            return await self._received(heir)
        except UnverifiedError as error:
            await self._away([heir])
            message = f"{error}; {_UNKNOWN}; the old hook goes on as before"
            raise UnverifiedError(message) from None

    async def _in_place(self, hook: EventHook, secret: str, following: str) -> EventHook:
        spec = registration.amended(hook, self._wanted, name=None)
        changed = await self._write(hook, spec, following, always=True)
        try:
            return await self._received(changed)
        except UnverifiedError as error:
            if not hook.receives:
                raise
            await self._received(await self._write(changed, spec, secret, always=True))
            message = f"{error}; {_UNKNOWN}; the hook has HOOKS_HOOK_SECRET again, and receives"
            raise UnverifiedError(message) from None

    async def _retire(self, retired: Sequence[EventHook], heir: EventHook) -> None:
        """Take hooks away for one that takes over, if Okta itself says that it receives."""
        if not retired:
            return
        if not registration.may_retire(await self._okta.hooks(), heir.id):
            message = f"okta shows hook {heir.id} as not receiving; the old one stays: run it again"
            raise PermanentError(message)
        await self._away(retired)

    async def _away(self, hooks: Iterable[EventHook]) -> None:
        for hook in hooks:
            if hook.active:
                off = await self._okta.turn(hook.id, "deactivate")
                self._tell(Done(Deed.DEACTIVATED, off))
            await self._okta.delete(hook.id)
            self._tell(Done(Deed.DELETED, hook))


def _several(hooks: Sequence[EventHook]) -> PermanentError:
    told = ", ".join(f"{each.id} ({each.spec.name})" for each in hooks)
    way = "delete all but one in Okta"
    if registration.one_family(hooks):
        way = f"hooks rotate-secret ends what it began, or {way}"
    return PermanentError(f"okta has several hooks for this: {told}; {way}")


# -- opening -----------------------------------------------------------------------------------


@asynccontextmanager
async def opened(org_url: str, shown: Shown, *, changes: bool) -> AsyncIterator[OktaAdmin]:
    """Okta's hooks, with the scopes to change them or only to see them; and its log.

    ``shown`` makes what shows who asks, for some scopes.
    """
    async with open_client() as client:
        yield OktaAdmin(
            client=client,
            org_url=org_url,
            credential=shown(client, MANAGE if changes else READ),
            log_credential=shown(client, LOGS),
        )
