"""Delete what has outlived its use, a portion at a time, and leave the store to others between.

Must live here: in which order, and how much at once. Must not know: what is over, or who asked.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from hooks.store import orders, pruning, retention
from hooks.store.retention import Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hooks.store.chain import Signer
    from hooks.store.database import Database, Tx

T = TypeVar("T")

#: Portions of one scheduled run; what is left is for the next, soon.
MOST = 40
_SOON, _LATER = timedelta(minutes=1), timedelta(days=1)
#: People whose chains are proved in one query.
_TOGETHER = 50
#: Fields of ``Purged`` that count rows.
_KINDS = 5


@dataclass(slots=True)
class Purged:
    """Rows deleted, or to be deleted, by kind; ``more`` if a run ended before all was done.

    ``unproved`` counts people whose steps were left, because their chain cannot be proved.
    """

    events: int = 0
    refusals: int = 0
    holds: int = 0
    steps: int = 0
    outcomes: int = 0
    unproved: int = 0
    more: bool = False

    def told(self) -> dict[str, int]:
        """The counts of rows, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)[:_KINDS]}

    @property
    def again(self) -> timedelta:
        """When the next scheduled run is due."""
        return _SOON if self.more else _LATER

    @property
    def rows(self) -> int:
        """All of them together."""
        return sum(self.told().values())


class Purge:
    """Deletes what is older than ``keep``; safe to interrupt, and to run several times at once."""

    def __init__(self, database: Database, keep: timedelta, signer: Signer | None = None) -> None:
        """Whatever is asked, ``keep`` is at least as long as anything looks back.

        Without ``signer`` whoever has a chain keeps their steps.
        """
        self._database = database
        self._keep = keep
        self._signer = signer

    async def run(
        self,
        fence: Callable[[Tx], object] = lambda _: None,
        *,
        most: float = MOST,
        done: Purged | None = None,
    ) -> Purged:
        """Delete so many portions at most.

        ``fence`` is compared in each transaction; ``done`` is counted up meanwhile, for whoever
        watches.
        """
        before = await self._before()
        run = _Run(self._database, before, fence, most, done or Purged(), self._signer)
        for kind in Kind:
            await run.delete(kind)
        async for users in self._stretches(run.before):
            await run.delete_steps(users)
            if run.done.more:
                break
        if run.done.unproved or not run.done.more:
            await run.note()
        await self._database.write(partial(_expire, fence))
        return run.done

    def doubted(self, tx: Tx) -> bool:
        """Whether the last run left something that this key may prove."""
        return pruning.doubted(tx, self._signer)

    async def count(self) -> Purged:
        """What would be deleted now."""
        found = Purged()
        before = await self._before()
        for kind in Kind:
            rows = await self._database.read(partial(retention.count, kind=kind, before=before))
            setattr(found, kind, rows)
        async for users in self._stretches(before):
            theirs = await _provable(self._database, users, self._signer)
            found.unproved += len(users) - len(theirs)
            steps, outcomes = await self._database.read(
                partial(retention.count_steps, before=before, users=theirs)
            )
            found.steps += steps
            found.outcomes += outcomes
        return found

    async def _before(self) -> int:
        return await self._database.read(lambda tx: retention.cutoff(tx, self._keep))

    async def _stretches(self, before: int) -> AsyncIterator[tuple[str, ...]]:
        """People with something outlived in the journal, some at a time, each once."""
        seen: set[str] = set()
        after: int | None = 0
        while after is not None:
            found = await self._database.read(
                partial(retention.stretch, before=before, after=after)
            )
            after = found.after
            if users := tuple(each for each in found.users if each not in seen):
                seen.update(users)
                yield users


def _expire(fence: Callable[[Tx], object], tx: Tx) -> None:
    fence(tx)
    orders.expire(tx)


async def _provable(database: Database, users: tuple[str, ...], signer: Signer | None) -> set[str]:
    """Whose steps may be deleted, a few people at a time: the writer is not held up by it."""
    found: set[str] = set()
    for start in range(0, len(users), _TOGETHER):
        some = users[start : start + _TOGETHER]
        found |= await database.read(partial(retention.provable, users=some, signer=signer))
    return found


@dataclass(slots=True)
class _Run:
    """One run: what is old, how many portions it may still delete, and what it has deleted."""

    database: Database
    before: int
    fence: Callable[[Tx], object]
    left: float
    done: Purged
    signer: Signer | None

    async def delete(self, kind: Kind) -> None:
        """Delete what is old and over of a kind."""
        delete = partial(retention.delete_some, kind=kind, before=self.before)
        while rows := await self._portion(delete, nothing=0):
            setattr(self.done, kind, getattr(self.done, kind) + rows)

    async def delete_steps(self, users: tuple[str, ...]) -> None:
        """Delete these people's outlived steps."""
        theirs = await _provable(self.database, users, self.signer)
        self.done.unproved += len(users) - len(theirs)
        delete = partial(
            retention.delete_steps, before=self.before, users=theirs, signer=self.signer
        )
        steps = 1
        while steps:
            steps, outcomes = await self._portion(delete, nothing=(0, 0))
            self.done.steps += steps
            self.done.outcomes += outcomes

    async def note(self) -> None:
        """Remember what was left."""
        many = self.done.unproved

        def fenced(tx: Tx) -> None:
            self.fence(tx)
            pruning.note(tx, many, self.signer)

        await self.database.write(fenced)

    async def _portion(self, delete: Callable[[Tx], T], *, nothing: T) -> T:
        if self.left <= 0:
            self.done.more = True
            return nothing
        self.left -= 1

        def fenced(tx: Tx) -> T:
            self.fence(tx)
            return delete(tx)

        return await self.database.write_gently(fenced)
