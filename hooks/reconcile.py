"""One person: read, decide, admit, write, prove, settle.

Must live here: the order of a look. Must not know: how a decision is made, or who asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hooks.core import attempt
from hooks.core.attempt import Came, Next
from hooks.core.errors import (
    BreakerOpenError,
    CredentialError,
    LeaseLostError,
    LostReplyError,
    PermanentError,
    TransientError,
)
from hooks.core.ledger import Resolved, settle
from hooks.core.membership import Action, Mode, Standing, State
from hooks.core.memory import Claim, Memory, PastStep
from hooks.core.reading import Missing, Unread, Why
from hooks.observe import answer_of
from hooks.store import journal, line, mappings, people
from hooks.store.journal import Wish
from hooks.store.people import Stood

if TYPE_CHECKING:
    from hooks.clock import Clock
    from hooks.core.ids import DirectoryName, OktaUserId, ScimGroupId
    from hooks.core.plan import DirectoryPlan, Plan
    from hooks.core.policy import Policy
    from hooks.core.reading import Reading
    from hooks.observe import Observer
    from hooks.store.database import Database, Tx
    from hooks.store.line import Lease
    from hooks.store.sealing import Sealer

#: A worker that lost its lease may have had a write under way. Design 5.2.
_IN_FLIGHT = timedelta(seconds=15)
#: Claims after which memberships may still be on their way into Atlassian.
_RESTLESS = frozenset({Claim.ACTIVE, Claim.ASSIGNED, Claim.JOINED, Claim.LEFT})


@dataclass(frozen=True, slots=True)
class Look:
    """One look, done: what was planned, what became of each step, what comes next."""

    plan: Plan
    sent: tuple[tuple[Wish, Resolved], ...] = ()
    held: int = 0
    then: Next = field(default_factory=attempt.Idle)


class Reconciler:
    """Looks at people. One of these serves a whole process."""

    def __init__(
        self,
        *,
        observer: Observer,
        policy: Callable[[], Awaitable[Policy]],
        database: Database,
        sealer: Sealer,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        """``policy`` gives the policy in force, with the groups it names resolved."""
        self._observer = observer
        self._policy = policy
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._jitter = jitter

    # -- the look ------------------------------------------------------------------------------

    async def look(self, held: Lease, user: OktaUserId, deadline: Callable[[], float]) -> Look:
        """Look at one person under a lease, and settle it.

        ``deadline`` gives the lease's end in seconds of ``hooks.clock.elapsed``.

        Raises:
            LeaseLostError: somebody else looks now; leave everything to them.
            StoreError: the store failed; the lease expires and somebody looks again.
        """
        policy = await self._policy()
        reading, plan = await self._observer.read(user, held.claims, policy)
        admission = await self._admit(held, plan, policy)
        sent = await self._write(admission.admitted, deadline)
        proved, unsettled = await self._prove(plan, sent)
        came = _came(reading, plan, proved, unsettled, held)
        then = attempt.after(
            came,
            now=self._clock.now(),
            attempt=held.attempt,
            jitter=self._jitter(),
            look_again=policy.look_again,
        )
        now = self._clock.now()
        stood = [
            _stood(
                reading,
                each,
                held=admission.held,
                observes=policy.modes.get(each.name) is not Mode.ENFORCE,
                waits=bool(unsettled[each.name]),
                now=now,
            )
            for each in plan.directories
        ]

        def finish(tx: Tx) -> None:
            journal.record(tx, held, [became for _, became in proved])
            people.remember(tx, user, stood, self._sealer, protected=plan.protected)
            for each in plan.directories:
                mappings.remember(tx, each.name, each.fresh)
            # Only after an event, or two people of one record would wake each other for ever.
            others = plan.others if held.uuids else ()
            line.mark(tx, others, "user", lane=held.lane, due_at=tx.now, events=False)
            waiting = {uuid for each in plan.contradictions for uuid in each.uuids}
            line.settle(tx, held, then, keep=waiting)

        await self._database.write(finish)
        return Look(plan, tuple(proved), admission.held, then)

    # -- writing -------------------------------------------------------------------------------

    async def _admit(self, held: Lease, plan: Plan, policy: Policy) -> journal.Admission:
        wishes = [
            Wish(step, each.record.id, policy.modes.get(each.name) is not Mode.ENFORCE)
            for step in plan.steps
            for each in plan.directories
            if each.name == step.directory and each.record
        ]
        resolved = [each for one in plan.directories for each in one.ledger.resolved]
        judged = {each.name for each in plan.directories if each.conclusive}
        return await self._database.write(
            lambda tx: journal.admit(
                tx, held, wishes, resolved, limits=policy.limits, judged=judged
            )
        )

    async def _write(
        self, admitted: Iterable[tuple[int, Wish]], deadline: Callable[[], float]
    ) -> list[tuple[Wish, Resolved]]:
        """Send what was admitted: all removals, then the additions. Law 5.

        A directory whose removals did not all go out gets no additions.
        """
        steps = [(step, wish) for step, wish in admitted if not wish.observe]
        removals = [each for each in steps if each[1].step.action is Action.REMOVE]
        additions = [each for each in steps if each[1].step.action is Action.ADD]
        sent = await asyncio.gather(*(self._send(*each, deadline()) for each in removals))
        failed = {
            wish.step.directory for wish, became in sent if became.state is not State.SUBMITTED
        }
        late = [each for each in additions if each[1].step.directory in failed]
        sent += [(wish, Resolved(step, State.ABANDONED, "removals_failed")) for step, wish in late]
        rest = [each for each in additions if each not in late]
        return sent + await asyncio.gather(*(self._send(*each, deadline()) for each in rest))

    async def _send(self, step: int, wish: Wish, deadline: float) -> tuple[Wish, Resolved]:
        scim = self._observer.directories[wish.step.directory].scim
        change = scim.remove if wish.step.action is Action.REMOVE else scim.add
        try:
            await change(wish.step.group.id, wish.scim_id, deadline=deadline)
        except LeaseLostError:
            return wish, Resolved(step, State.ABANDONED, "lease")
        except LostReplyError:
            return wish, Resolved(step, State.OPEN, "reply_lost")
        except (BreakerOpenError, CredentialError):
            return wish, Resolved(step, State.FAILED, "credential")
        except TransientError:
            return wish, Resolved(step, State.FAILED, "unavailable")
        except PermanentError as error:
            return wish, Resolved(step, State.FAILED, error.code or type(error).__name__)
        return wish, Resolved(step, State.SUBMITTED)

    async def _prove(
        self, plan: Plan, sent: list[tuple[Wish, Resolved]]
    ) -> tuple[list[tuple[Wish, Resolved]], dict[DirectoryName, int]]:
        """Read again what was written: settled means seen to be so. Law 4.

        Returns the steps as they are now, and how many of each directory nobody has seen yet.
        """
        unsettled = {each.name: each.ledger.unsettled for each in plan.directories}
        touched = {wish.step.directory for wish, became in sent if became.state in _UNPROVED}
        observed = dict(
            zip(
                touched,
                await asyncio.gather(*(self._observed(plan, name) for name in touched)),
                strict=True,
            )
        )
        proved = []
        for wish, became in sent:
            seen = observed.get(wish.step.directory)
            now = _seen(wish, became, seen) if seen is not None else became
            unsettled[wish.step.directory] += now.state in _UNPROVED
            proved.append((wish, now))
        return proved, unsettled

    async def _observed(self, plan: Plan, name: DirectoryName) -> frozenset[ScimGroupId] | None:
        record = next(each.record for each in plan.directories if each.name == name)
        if record is None:
            return None
        found = await answer_of(self._observer.directories[name].scim.user(record.id))
        if isinstance(found, Missing | Unread) or found.groups is None:
            return None
        return frozenset(group.id for group in found.groups)


_UNPROVED = frozenset({State.SUBMITTED, State.OPEN})


# -- what came of it ---------------------------------------------------------------------------


def _seen(wish: Wish, became: Resolved, observed: frozenset[ScimGroupId]) -> Resolved:
    """A sent step after its proof."""
    if became.state not in _UNPROVED:
        return became
    past = PastStep(became.step, wish.step.action, wish.step.group.id, became.state)
    shown = settle([past], observed).resolved
    # A lost reply may still be on its way to its effect: only seeing the effect ends it here.
    return shown[0] if shown and shown[0].state is State.SETTLED else became


def _came(
    reading: Reading,
    plan: Plan,
    sent: list[tuple[Wish, Resolved]],
    unsettled: Mapping[DirectoryName, int],
    held: Lease,
) -> Came:
    failures = [became.code for _, became in sent if became.state in _FAILED]
    unread = [refusal.unread for refusal in plan.refusals if refusal.unread and refusal.retry]
    credential = [code == "credential" for code in failures]
    credential += [each.why is Why.CREDENTIAL for each in unread]
    returning = any(each.standing is Standing.RETURNING for each in plan.directories)
    stirred = any(each.claim in _RESTLESS for each in held.claims)
    added = any(wish.step.action is Action.ADD for wish, _ in sent)
    waiting = [
        directory.memory.waiting_since or reading.at
        for directory, each in zip(reading.directories, plan.directories, strict=True)
        if each.waiting or unsettled[each.name]
    ]
    return Came(
        failed=bool(failures or unread),
        refused_credential=bool(credential) and all(credential),
        retry_at=max((each.retry_at for each in unread if each.retry_at), default=None),
        contradicted_until=min(
            (each.look for each in plan.contradictions if each.look), default=None
        ),
        waiting_since=min(waiting, default=None),
        doubted_until=held.abandoned + _IN_FLIGHT if held.abandoned else None,
        restless=added or stirred or bool(sent and (returning or any(unsettled.values()))),
        base=held.base,
    )


_FAILED = frozenset({State.FAILED, State.ABANDONED, State.OPEN})


def _stood(
    reading: Reading,
    each: DirectoryPlan,
    *,
    held: int,
    observes: bool,
    waits: bool,
    now: datetime,
) -> Stood:
    """What to remember of one directory. ``waits``: a step was sent that nobody has seen yet."""
    directory = next(one for one in reading.directories if one.name == each.name)
    was = directory.memory.standing
    standing, agreed = _standing(directory.memory, each, held=held, observes=observes)
    since = (directory.memory.waiting_since or now) if each.waiting or waits else None
    if standing is Standing.OUTSIDE and reading.log is None and was is not Standing.OUTSIDE:
        standing = None  # only who the log was asked about is remembered as outside
    record = each.record
    return Stood(
        directory=each.name,
        standing=standing,
        agreed=agreed,
        waiting_since=round(since.timestamp() * 1_000_000) if since else None,
        in_force=each.in_force,
        scim_id=record.id if record else None,
        account=record.account if record else None,
        user_name=each.user_name,
        groups=record.groups if record else None,
        refusals=each.refusals,
    )


def _standing(
    memory: Memory, each: DirectoryPlan, *, held: int, observes: bool
) -> tuple[Standing | None, int]:
    """The standing to remember, and how many later looks agreed with a returning person.

    Returning ends when the record is active, nothing is held, and two later looks agree; a
    standing that proves nothing leaves the proof of an absence as it was. Design 3.3.
    """
    was = memory.standing
    proof = was is Standing.RETURNING or (was is not None and was.absent)
    if each.standing is Standing.UNCLEAR or (
        proof and each.standing in (Standing.OUTSIDE, Standing.SUSPENDED)
    ):
        return None, memory.agreed
    if each.standing is not Standing.RETURNING:
        return each.standing, 0
    # In observe mode returning ends as if the plan had been sent.
    steps = () if observes else each.steps
    quiet = not steps and not each.refusals and not held and not each.ledger.unsettled
    if was is not Standing.RETURNING or not quiet or not (each.record and each.record.active):
        return Standing.RETURNING, 0
    agreed = memory.agreed + 1
    return (Standing.PRESENT if agreed >= _AGREE else Standing.RETURNING), agreed


#: Later looks that must find a returning person as wanted. Design 3.3.
_AGREE = 2
