"""The rounds: work about many people, each kind under a lease of its own.

Must live here: what is done regularly or after an event about a group. Must not know: how one
person is judged.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hooks.core.attempt import Idle, LookAgain, Next
from hooks.core.ids import OktaAppId, OktaGroupId
from hooks.store import audits, cursor, line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from hooks.audit import Audit
    from hooks.clock import Clock
    from hooks.core.ids import OktaUserId
    from hooks.observe import Directory
    from hooks.purge import Purge
    from hooks.store.database import Database, Tx
    from hooks.store.line import Lease
    from hooks.survey import Survey

#: How often everybody assigned is read. Design 3.1.
CENSUS = timedelta(days=1)
#: After the first start, so that the census and the log's past go first.
_FIRST_AUDIT = timedelta(minutes=10)
#: The one subject of its kind: the log as it was before our first start.
_HISTORY = "history"
#: People marked in one transaction; no command holds one over more rows. Design 5.1.
_CHUNK = 500

#: A verdict, and counts, for the log line of the lease.
Told = dict[str, object]


class Rounds:
    """Carries one of them out and settles its lease. Raises HooksErrors: try all of it again."""

    def __init__(
        self,
        *,
        survey: Survey,
        purge: Purge,
        audit: Audit,
        audit_every: timedelta,
        audit_applies: bool,
        database: Database,
        history: timedelta,
        clock: Clock,
    ) -> None:
        """``history`` is how far the first start reads the System Log back.

        ``audit_applies``: whom an audit finds otherwise than wanted is looked at.
        """
        self._survey = survey
        self._purging = purge
        self._auditing = audit
        self._audit_every = audit_every
        self._audit_applies = audit_applies
        self._database = database
        self._history_days = history
        self._clock = clock

    def enroll(self, tx: Tx) -> None:
        """Put what is done regularly, and the log's past, in line unless they are there."""
        if self._history_days and cursor.get(tx, _HISTORY) is None:
            line.enroll(tx, _HISTORY, _HISTORY)
        directories = self._survey.directories.values()
        cursor.name_apps(tx, {each.name: each.app for each in directories})
        line.enroll(tx, "purge", "purge")
        line.enroll(tx, "audit", "audit", after=_FIRST_AUDIT)
        if self._purging.doubted(tx):
            line.hasten(tx, "purge")
        for each in directories:
            line.enroll(tx, each.app, "census")

    async def go(self, held: Lease) -> Told:
        """Do what the lease is about."""
        kinds: dict[str, Callable[[Lease], Awaitable[Told]]] = {
            "group": self._group,
            "push": self._push,
            "census": self._census,
            "history": self._history,
            "purge": self._purge,
            "audit": self._audit,
        }
        work = kinds.get(held.kind)
        if work is None:
            await self._settle(held, Idle())
            return {"verdict": "unknown_kind"}
        return await work(held)

    async def _group(self, held: Lease) -> Told:
        return await self._members(held, await self._survey.members(OktaGroupId(held.name)))

    async def _push(self, held: Lease) -> Told:
        return await self._members(held, await self._survey.pushed(OktaGroupId(held.name)))

    async def _members(self, held: Lease, found: set[OktaUserId]) -> Told:
        members = sorted(found)
        for start in range(0, len(members), _CHUNK):
            chunk = members[start : start + _CHUNK]
            await self._database.write(
                lambda tx, chunk=chunk: line.mark(  # type: ignore[misc]
                    tx, chunk, "user", lane=line.BULK, due_at=tx.now, events=False
                )
            )
        await self._settle(held, Idle())
        return {"verdict": "settled", "members": len(members)}

    async def _census(self, held: Lease) -> Told:
        directory = _of_app(self._survey.directories.values(), OktaAppId(held.name))
        if directory is None:
            await self._settle(held, Idle())
            return {"verdict": "not_configured"}
        read = await self._survey.census(directory, lambda tx: line.compare_fence(tx, held))
        await self._settle(held, LookAgain(self._clock.now() + CENSUS))
        return {"verdict": "settled", "people": read, "directory": directory.name}

    async def _history(self, held: Lease) -> Told:
        """Read once what the System Log has of the time before we watched: evidence only."""
        since = self._clock.now() - self._history_days
        read = await self._survey.history(since, lambda tx: line.compare_fence(tx, held))

        def done(tx: Tx) -> None:
            cursor.put(tx, _HISTORY, str(read))
            line.settle(tx, held, Idle())

        await self._database.write(done)
        return {"verdict": "settled", "lines": read}

    async def _purge(self, held: Lease) -> Told:
        done = await self._purging.run(lambda tx: line.compare_fence(tx, held))
        await self._auditing.tidy()
        await self._settle(held, LookAgain(self._clock.now() + done.again))
        left = {"unproved": done.unproved} if done.unproved else {}
        return {"verdict": "settled", "purged": done.told(), **left}

    async def _audit(self, held: Lease) -> Told:
        def fence(tx: Tx) -> object:
            return line.compare_fence(tx, held)

        done = await self._auditing.run(scheduled=True, fence=fence)
        looks = await self._auditing.order_looks(done, fence) if self._audit_applies else 0
        counts = await self._database.read(lambda tx: audits.counts(tx, done.id))
        await self._settle(held, LookAgain(self._clock.now() + self._audit_every))
        told = {"people": done.people, "pages": done.pages, "drift": counts, "looks": looks}
        return {"verdict": "settled", **told}

    async def _settle(self, held: Lease, then: Next) -> None:
        await self._database.write(lambda tx: line.settle(tx, held, then))


def _of_app(directories: Iterable[Directory], app: OktaAppId) -> Directory | None:
    return next((each for each in directories if each.app == app), None)
