"""An audit: everybody read by pages, judged as a look would, and what is otherwise than wanted.

Must live here: the order of an audit. Must not know: how a person is judged, or who asked.
Nothing is changed at a vendor: whoever a look would change is looked at by the worker, if asked.
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from hooks.collect import Collect, Errand
from hooks.core.drift import Kind, acts, drift
from hooks.core.errors import LeaseLostError, UnsealedError
from hooks.everyone import Everyone
from hooks.gathered import Gathered
from hooks.recall import recall, shared
from hooks.store import audits, cursor, groups, inbox, known, line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from hooks.clock import Clock
    from hooks.core.drift import Drift
    from hooks.core.ids import OktaUserId
    from hooks.core.policy import Policy
    from hooks.observe import Observer
    from hooks.recall import Recalled, Shared
    from hooks.store.audits import Run
    from hooks.store.database import Database, Tx
    from hooks.store.sealing import Sealer

#: What was read is believed for so long; an audit that took longer begins anew.
YOUNG = timedelta(hours=6)
#: People judged between two writes.
_TOGETHER = 100


class Audit:
    """Audits, one after the other. One of these serves a whole process."""

    def __init__(
        self,
        *,
        observer: Observer,
        policy: Callable[[], Awaitable[Policy]],
        database: Database,
        sealer: Sealer,
        clock: Clock,
    ) -> None:
        """Shares the gateways of the observer; ``policy`` gives the policy in force."""
        self._observer = observer
        self._policy = policy
        self._collect = Collect(observer=observer, database=database, sealer=sealer)
        self._database = database
        self._sealer = sealer
        self._clock = clock

    async def run(
        self,
        *,
        scheduled: bool,
        fence: Callable[[Tx], object] = lambda _: None,
        told: Callable[[str], None] = lambda _: None,
    ) -> Run:
        """One audit, or the rest of one that was not finished and is young.

        ``fence`` is compared before anything is written; ``told`` hears how far it is.
        Raises HooksErrors of the gateways: call again, and it goes on where it was. Whoever goes
        on with it takes it from whoever was at it.
        """
        owner = secrets.token_hex(8)

        def begin(tx: Tx) -> Run:
            fence(tx)
            begun = audits.begin(tx, scheduled=scheduled, young=YOUNG)
            cursor.put(tx, _owner(begun), owner)
            return begun

        run = await self._database.write(begin)
        return await self._go_on(run, partial(_mine, run, owner, fence), told)

    async def _go_on(
        self, run: Run, fence: Callable[[Tx], object], told: Callable[[str], None]
    ) -> Run:
        """Read what is not read yet, and judge everybody."""
        policy, pages = await self._policy(), run.pages

        def read() -> None:
            nonlocal pages
            pages += 1
            told(f"{pages} pages read so far")

        try:
            await self._collect.run(Errand(run, fence, read), policy)
            everyone = await self._everyone(run, policy)
        except UnsealedError:  # the key was rotated away meanwhile

            def abandon(tx: Tx) -> None:
                fence(tx)
                audits.abandon(tx, run.id)

            await self._database.write(abandon)
            raise
        people = await self._judge(run, policy, everyone, fence, told)

        def done(tx: Tx) -> Run:
            fence(tx)
            return audits.done(tx, run.id, people)

        ended = await self._database.write(done)
        await self.tidy()
        return ended

    async def tidy(self) -> None:
        """Delete pages nobody goes on with, and what old audits found."""
        while await self._database.write_gently(lambda tx: audits.tidy(tx, young=YOUNG)):
            pass

    async def order_looks(self, run: Run, fence: Callable[[Tx], object]) -> int:
        """Have everybody looked at whom a look would change; how many people that are."""
        kinds = acting(await self._policy())
        after, people = "", 0
        while True:

            def some(tx: Tx, after: str = after) -> list[str]:
                fence(tx)
                return order_some(tx, run, kinds, after)

            found = await self._database.write(some)
            if not found:
                return people
            people, after = people + len(found), found[-1]

    # -- everybody -----------------------------------------------------------------------------

    async def _everyone(self, run: Run, policy: Policy) -> Everyone:
        """Everybody, out of the pages that were kept."""
        directories = self._observer.directories
        gathered = Gathered(directories)
        async for part, nouns in self._collect.kept(run):
            gathered.add(part, nouns)
            await asyncio.sleep(0)
        common = await self._database.read(lambda tx: shared(tx, policy.modes))
        await asyncio.to_thread(gathered.filled, common.links)
        before = await self._database.read(lambda tx: groups.recall(tx, gathered.groups))
        everyone = Everyone(
            gathered,
            directories.values(),
            links=common.links,
            before=before if policy.organization else None,
        )
        for name, records in everyone.unowned().items():
            owners = await self._database.read(
                lambda tx, name=name, records=records: known.owners(tx, name, records)  # type: ignore[misc]
            )
            everyone.own(name, owners)
        everyone.hold()
        return everyone

    async def _judge(
        self,
        run: Run,
        policy: Policy,
        everyone: Everyone,
        fence: Callable[[Tx], object],
        told: Callable[[str], None],
    ) -> int:
        """Judge everybody anew; how many people were."""

        def anew(tx: Tx) -> bool:
            fence(tx)
            return audits.take_back(tx, run.id)

        while await self._database.write(anew):
            pass
        common = await self._database.read(lambda tx: shared(tx, policy.modes))
        moved = await self._database.read(
            lambda tx: inbox.subjects_since(tx, run.began) | known.looked_at_since(tx, run.began)
        )
        people = [each for each in everyone.people() if each not in moved]
        for start in range(0, len(people), _TOGETHER):
            told(f"{start} of {len(people)} people judged so far")
            some = people[start : start + _TOGETHER]
            recalled = await self._database.read(
                lambda tx, some=some: [self._recall(tx, each, common) for each in some]  # type: ignore[misc]
            )
            found = zip(some, recalled, strict=True)
            # Some milliseconds each, in which a delivery would wait for its answer.
            lines = await asyncio.to_thread(self._lines, everyone, policy, list(found))
            await self._write(run, lines, fence)
            await self._remember(everyone.claims(some), fence)
        await self._write(run, [*everyone.strays(), *everyone.unknown()], fence)
        return len(people)

    async def _remember(
        self, managed: Mapping[OktaUserId, bool], fence: Callable[[Tx], object]
    ) -> None:
        def write(tx: Tx) -> None:
            fence(tx)
            known.claim(tx, managed)

        await self._database.write(write)

    def _lines(
        self,
        everyone: Everyone,
        policy: Policy,
        some: Iterable[tuple[OktaUserId, Recalled]],
    ) -> list[Drift]:
        """What there is to say of these people."""
        now = self._clock.now()
        return [
            line
            for user, what in some
            for reading, plan in [everyone.judge(user, what, policy, now)]
            for line in drift(plan, reading, everyone.names)
        ]

    def _recall(self, tx: Tx, user: OktaUserId, common: Shared) -> Recalled:
        return recall(tx, user, self._observer.directories, common, self._sealer)

    async def _write(self, run: Run, lines: Sequence[Drift], fence: Callable[[Tx], object]) -> None:
        for start in range(0, len(lines), audits.PORTION):
            some = lines[start : start + audits.PORTION]

            def write(tx: Tx, some: Sequence[Drift] = some) -> None:
                fence(tx)
                audits.found(tx, run.id, some)

            await self._database.write(write)


def _mine(run: Run, owner: str, fence: Callable[[Tx], object], tx: Tx) -> None:
    """Nobody took it over: two who read the same lists would mix them up."""
    fence(tx)
    if cursor.get(tx, _owner(run), lock=True) != owner:
        raise LeaseLostError(
            f"another process goes on with audit {run.id}; wait for it: hooks audit --last"
        )


def _owner(run: Run) -> str:
    """Under which name the store knows who is at the audit of this kind."""
    return "audit/serve" if run.scheduled else "audit/command"


def acting(policy: Policy, kinds: Iterable[Kind] = tuple(Kind)) -> list[str]:
    """Those of these kinds of drift of which a look may change something."""
    return [each.value for each in kinds if acts(each, policy)]


def order_some(tx: Tx, run: Run, kinds: Sequence[str], after: str) -> list[str]:
    """Order looks at a portion of the people behind ``after``, by id; who they are."""
    found = audits.people(tx, run.id, kinds, after=after, limit=audits.PORTION)
    line.mark(tx, found, "user", lane=line.BULK, due_at=tx.now, events=False)
    return found
