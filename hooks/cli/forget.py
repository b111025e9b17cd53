"""Forget a person: everything stored of them is deleted, once somebody has agreed.

Must live here: when somebody may be forgotten. Must not know: where a person stands stored.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hooks.cli import opening
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.opening import DryRun, Why
from hooks.cli.progress import Progress
from hooks.clock import elapsed
from hooks.core.report import counted
from hooks.settings import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hooks.core.ids import OktaUserId
    from hooks.store.database import Tx
    from hooks.store.erasure import Stored
    from hooks.store.line import Lease
    from hooks.wiring import House

T = TypeVar("T")

_KINDS = {
    "events": "events about them, with their payloads",
    "payloads": "payloads of other events that name them",
    "mentions": "looks at others that name them",
    "steps": "steps of the journal",
    "outcomes": "what became of these steps",
    "chain": "the end of the chain that proves them",
    "holds": "holds",
    "refusals": "refusals",
    "looks": "looks",
    "audits": "lines of audits",
    "log": "lines of Okta's System Log",
    "ties": "ties to directories and the organization",
    "person": "the person",
}
#: Seconds after which a lease that nothing was done under is extended.
_EXTEND = 15.0
#: Tries, and seconds between them, to empty SQLite's log while others read.
_TRIES, _PAUSE = 10, 0.3


def forget(
    user: Annotated[str, typer.Argument(metavar="USER", help="Okta id.")],
    *,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    even_in_force: Annotated[
        bool,
        typer.Option("--even-in-force", help="Though Okta or the census may bring them back."),
    ] = False,
    why: Why = "",
) -> None:
    """Delete everything stored of one person; nothing is changed in Okta or Atlassian.

    What was taken from them and not given back cannot be given back afterwards.
    """
    known = opening.okta_id(user)
    reason = "" if dry_run else opening.reason(why)
    if known is None or known in reason:
        raise UsageError("--reason: leave the id out; the order is kept and names nobody")
    if not (dry_run or yes or sys.stdin.isatty()):
        raise UsageError("forget: there is no terminal to ask on; give --yes")
    forgetting = _Forgetting(known, reason, Progress("forget"), even_in_force=even_in_force)
    try:
        asyncio.run(forgetting.run(dry_run=dry_run, yes=yes))
    finally:
        forgetting.progress.end()


@dataclass(slots=True)
class _Forgetting:
    """One person on the way out; ``found`` counts what goes, by kind."""

    user: OktaUserId
    why: str
    progress: Progress
    even_in_force: bool
    found: Counter[str] = field(default_factory=Counter)
    locked: Counter[str] = field(default_factory=Counter)
    _extended: float = 0.0

    async def run(self, *, dry_run: bool, yes: bool) -> None:
        """Count, warn, ask, delete."""
        from hooks.store import erasure

        async with opening.opened(Role.STORE) as house:
            stored = await house.database.read(
                partial(erasure.stored, user=self.user, sealer=house.sealer)
            )
            self.found += stored.counts
            await self._events(house, stored)
            await self._looks(house)
            self.progress.end()
            self._show(stored)
            if dry_run:
                obstacle = self._obstacle(stored)
                print(f"\n{obstacle}" if obstacle else "\nNothing speaks against it.")
                print("Dry run: nothing was changed.")
                return
            self._refuse(stored)
            if not yes:
                self._confirm()
            await self._delete(house, stored)

    def _show(self, stored: Stored) -> None:
        if not self.found:
            raise FailedError(f"forget: nothing is stored of {self.user}; check the id")
        for kind, words in _KINDS.items():
            if self.found[kind]:
                print(f"{self.found[kind]:>9}  {words}")
        for warning in _warnings(stored, self.locked):
            print(f"\n{warning}")

    def _obstacle(self, stored: Stored) -> str | None:
        return None if self.even_in_force else _obstacle(stored, self.user)

    def _refuse(self, stored: Stored) -> None:
        if obstacle := self._obstacle(stored):
            raise FailedError(f"forget: {obstacle}; or give --even-in-force")

    def _confirm(self) -> None:
        print("\nThis cannot be undone. Type the id to go on: ", end="", flush=True)
        if sys.stdin.readline().strip() != self.user:
            raise UsageError("forget: that is another word; nothing was changed")

    # -- on the way through everything ---------------------------------------------------------

    async def _events(self, house: House, stored: Stored, held: _Held | None = None) -> None:
        """Count what goes, or under a lease delete it."""
        from hooks.store import erasure

        after: int | None = 0
        seen = 0
        while after is not None:
            page = await house.database.read(
                partial(
                    erasure.events,
                    user=self.user,
                    logins=stored.logins,
                    sealer=house.sealer,
                    after=after,
                )
            )
            if held is None:
                self.found += Counter(events=len(page.theirs), payloads=len(page.naming))
                self.locked += page.locked
            elif page.theirs or page.naming:
                delete = partial(erasure.delete_events, found=page, known=held.known)
                await self._change(house, held, delete)
            else:
                await self._stay(house, held)
            seen += page.seen
            self.progress.say(f"{counted(seen, 'event', 'events')} looked through")
            after = page.after

    async def _looks(self, house: House, held: _Held | None = None) -> None:
        """The same for looks at others."""
        from hooks.store import erasure

        after: int | None = 0
        while after is not None:
            named, after = await house.database.read(
                partial(erasure.looks, user=self.user, after=after)
            )
            if held is None:
                self.found += Counter(mentions=len(named))
            elif named:
                await self._change(house, held, partial(erasure.strike, user=self.user, ids=named))
            else:
                await self._stay(house, held)

    # -- deleting ------------------------------------------------------------------------------

    async def _delete(self, house: House, stored: Stored) -> None:
        from hooks.store import erasure

        held = await house.database.write(partial(self._seize, house=house))
        await self._events(house, stored, held)
        await self._looks(house, held)
        while await self._change(house, held, partial(erasure.delete_own, user=self.user)):
            pass
        alone = await house.database.write(partial(self._finish, held=held))
        self.progress.end()
        print("\nForgotten: what is listed above is deleted.")
        if not alone:
            print("An event about them came meanwhile: they are looked at, and stored again.")
        cut = await self._cut(house)
        traces = await asyncio.to_thread(house.database.traces, self.user.encode())
        for words in _left_behind(house, cut=cut, traces=traces):
            print(words)

    def _seize(self, tx: Tx, house: House) -> _Held:
        """Take the lease, so that nobody looks at them meanwhile; if it is as it was."""
        from hooks.store import erasure, inbox, line

        self._refuse(erasure.stored(tx, self.user, house.sealer))
        place = inbox.place(tx, self.user)
        line.enroll(tx, self.user, "user")
        line.mark(tx, [self.user], "user", lane=line.URGENT, due_at=tx.now, events=False)
        leases = line.lease(tx, limit=1, only=self.user)
        if not leases or (place and place.lease_until is not None):
            raise FailedError(
                "forget: they are being looked at, or were when a process ended;"
                f" try again in a minute, or first: hooks look {self.user}"
            )
        return _Held(leases[0], erasure.waiting(tx, self.user))

    async def _stay(self, house: House, held: _Held) -> None:
        """Keep the lease while there is nothing to change."""
        if elapsed() - self._extended > _EXTEND:
            await self._change(house, held, lambda _: None)

    async def _change(self, house: House, held: _Held, change: Callable[[Tx], T]) -> T:
        from hooks.store import line

        def under(tx: Tx) -> T:
            line.extend(tx, held.lease)
            return change(tx)

        changed = await house.database.write_gently(under)
        self._extended = elapsed()
        return changed

    def _finish(self, tx: Tx, held: _Held) -> bool:
        """The last of it, the end of the lease, and the order; whether nothing came meanwhile."""
        from hooks.store import erasure, line, orders

        while erasure.delete_own(tx, self.user):
            pass  # what a census that was under way has put back
        erasure.delete_mentions(tx, self.user)
        alone = line.leave(tx, held.lease)
        result = ", ".join(f"{kind} {self.found[kind]}" for kind in _KINDS if self.found[kind])
        orders.record(tx, "forget", "", who=opening.who(), why=self.why, result=result)
        return alone

    async def _cut(self, house: House) -> bool:
        """Empty SQLite's log, in which deleted pages stand as they were."""
        for _ in range(_TRIES):
            if await asyncio.to_thread(house.database.cut_log):
                return True
            await asyncio.sleep(_PAUSE)
        return False


@dataclass(frozen=True, slots=True)
class _Held:
    """The lease on the person, and their events that waited when it was taken."""

    lease: Lease
    known: frozenset[int]


# -- words -------------------------------------------------------------------------------------


def _obstacle(stored: Stored, user: OktaUserId) -> str | None:
    """Why they had better not be forgotten now."""
    if stored.in_force:
        return (
            f"in force in {', '.join(stored.in_force)} as far as the store knows, so that Okta's"
            f" next event or the census brings them back; unassign them, then: hooks look {user}"
        )
    if stored.waiting:
        events = counted(stored.waiting, "event", "events")
        return f"{events} about them not acted on yet; first: hooks look {user}"
    return None


def _warnings(stored: Stored, locked: Counter[str]) -> Iterator[str]:
    if stored.owed:
        taken = counted(stored.owed, "membership", "memberships")
        yield f"{taken} taken and not given back: nobody will know that they are owed."
    if stored.open:
        steps = counted(stored.open, "removal or addition", "removals or additions")
        yield f"{steps} sent or parked and not seen done: nobody will see to it."
    if stored.held:
        yield f"{counted(stored.held, 'hold', 'holds')} not over: what is held back stays theirs."
    for key, payloads in sorted(locked.items()):
        sealed = counted(payloads, "payload", "payloads")
        yield f"{sealed} sealed with key {key}, which is not given: not searched for them."


def _left_behind(house: House, *, cut: bool, traces: bool) -> Iterator[str]:
    if house.database.postgres:
        yield "PostgreSQL keeps deleted rows until it has vacuumed; to have it done now: VACUUM"
    if not cut:
        yield "The log beside the database is in use and may hold them still; it is emptied when"
        yield "all processes are stopped, or by the next `hooks forget`."
    if traces:
        yield "Their id still stands in an unused part of the database's file; with every process"
        yield "stopped, SQLite's VACUUM takes it away."
    yield "Backups, and what was logged, keep what they have."
