"""One person: read, decide, admit, write, prove, settle.

Must live here: the order of a look. Must not know: how a decision is made, or who asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from hooks import afterwards, evidence, figures
from hooks.core import attempt, ordered, report
from hooks.core.attempt import Came, Next
from hooks.core.membership import ORGANIZATION, Action, Standing, State
from hooks.core.memory import Claim
from hooks.core.reading import Account, Why
from hooks.core.refusal import Cause, Refusal
from hooks.gateways.crowds import stand_aside
from hooks.gateways.visits import hurries
from hooks.measure import Measure
from hooks.store import cursor, groups, journal, line, looks, mappings, orders, people
from hooks.store.journal import Wish
from hooks.submit import Submit, TurnedAway

if TYPE_CHECKING:
    from datetime import datetime

    from hooks.clock import Clock
    from hooks.core.ids import AccountId, DirectoryName, OktaUserId, ScimUserId
    from hooks.core.ledger import Resolved
    from hooks.core.plan import Plan, Step
    from hooks.core.policy import Policy
    from hooks.core.reading import Reading
    from hooks.observe import Observer
    from hooks.store.chain import Signer
    from hooks.store.database import Database, Tx
    from hooks.store.line import Lease
    from hooks.store.sealing import Sealer

#: A worker that lost its lease may have had a write under way. Design 5.2.
_IN_FLIGHT = timedelta(seconds=15)
#: Claims after which memberships may still be on their way into Atlassian.
_RESTLESS = frozenset({Claim.ACTIVE, Claim.ASSIGNED, Claim.JOINED, Claim.LEFT})


@dataclass(frozen=True, slots=True)
class Look:
    """One look, done: what was planned, what became of each step, what comes next.

    ``head`` is that of the person's chain, if it grew.
    """

    plan: Plan
    sent: tuple[tuple[Wish, Resolved], ...] = ()
    held: int = 0
    then: Next = field(default_factory=attempt.Idle)
    head: str = ""


class Reconciler:
    """Looks at people. One of these serves a whole process."""

    def __init__(
        self,
        *,
        observer: Observer,
        policy: Callable[[], Awaitable[Policy]],
        database: Database,
        sealer: Sealer,
        signer: Signer | None,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        """``policy`` gives the policy in force, with the groups it names resolved.

        Without ``signer`` nothing proves what is journalled.
        """
        self._observer = observer
        self._submit = Submit(observer)
        self._measure = Measure(observer.organization, database)
        self._policy = policy
        self._database = database
        self._sealer = sealer
        self._signer = signer
        self._clock = clock
        self._jitter = jitter

    # -- the look ------------------------------------------------------------------------------

    async def look(
        self,
        held: Lease,
        user: OktaUserId,
        deadline: Callable[[], float],
        *,
        thorough: bool = False,
    ) -> Look:
        """Look at one person under a lease, and settle it.

        ``deadline`` gives the lease's end in seconds of ``hooks.clock.elapsed``; ``thorough``
        asks the System Log whatever was heard.

        Raises:
            LeaseLostError: somebody else looks now; leave everything to them.
            StoreError: the store failed; the lease expires and somebody looks again.
        """
        policy = await self._policy()
        await stand_aside()
        reading, plan = await self._observer.read(
            user, held.claims, policy, thorough=thorough, hurry=held.attempt == 1 and not thorough
        )
        await stand_aside()
        admission = await self._admit(held, reading, plan, policy)
        sent = await self._submit.write(admission.admitted, deadline)
        evidence.timed(figures.REVOKED_SECONDS, held, sent, self._clock.now(), State.SUBMITTED)
        await stand_aside()
        proved, unsettled = await self._submit.prove(plan, sent)
        evidence.timed(figures.PROVED_SECONDS, held, proved, self._clock.now(), State.SETTLED)
        rejected = _rejected(proved)
        came = _came(reading, plan, proved, unsettled, held=held, admission=admission)
        then = attempt.after(
            came,
            now=self._clock.now(),
            attempt=held.attempt,
            jitter=self._jitter(),
            look_again=policy.look_again,
        )
        memories = afterwards.memories(reading)
        all_out = not (admission.held or admission.paused)
        stood = [
            afterwards.stood(
                memories[each.name],
                each,
                reading,
                quiet=all_out and afterwards.quiet(policy, each),
                brief=policy.brief_absence,
                waits=bool(unsettled[each.name]),
                rejected=[one for one in rejected if one.directory == each.name],
            )
            for each in plan.places
        ]
        told = report.told(plan, report.names(reading, ()), reading=reading)
        became_of = [*((wish.step, became) for wish, became in proved), *admission.observed]
        given = ordered.results(plan, became_of)
        repaired = ordered.repaired(reading, plan, became_of)
        accounts = [each for each in reading.answers.values() if isinstance(each, Account)]
        account = accounts[0] if len(accounts) == 1 else None
        hurry = hurries()

        def finish(tx: Tx) -> str:
            head = journal.record(tx, held, [became for _, became in proved], self._signer)
            people.remember(
                tx, user, stood, self._sealer, protected=plan.protected, account=account
            )
            looks.remember(tx, user, told)
            if plan.contradictions or reading.doubted_since:
                since = reading.doubted_since or reading.at
                cursor.doubt(tx, user, since if plan.contradictions else None)
            if reading.ordered or repaired:
                orders.answer(tx, user, given, repaired)
            if plan.local:
                groups.remember(tx, [known.group for known in plan.local.groups])
            for each in plan.directories:
                mappings.remember(tx, each.name, each.fresh)
            # Only after an event, or two people of one record would wake each other for ever.
            others = plan.others if held.uuids else ()
            line.mark(tx, others, "user", lane=held.lane, due_at=tx.now, events=False)
            waiting = {uuid for each in plan.contradictions for uuid in each.uuids}
            line.settle(tx, held, then, keep=waiting, hurry=hurry)
            return head or admission.head

        head = await self._database.write(finish)
        resolved = [each for one in plan.places for each in one.ledger.resolved]
        observed = [step for step, wish in admission.admitted if wish.observe]
        await evidence.tell(self._database, [*resolved, *(each for _, each in proved)], observed)
        return Look(plan, tuple(proved), admission.held, then, head)

    # -- writing -------------------------------------------------------------------------------

    async def _admit(
        self, held: Lease, reading: Reading, plan: Plan, policy: Policy
    ) -> journal.Admission:
        members = {each.name: each.record.id for each in plan.directories if each.record}
        observed = {each.name: afterwards.observes(policy, each) for each in plan.places}
        wishes = [
            Wish(step, member, observed[step.directory])
            for step in plan.steps
            if (member := _member(plan, step, members))
        ]
        sent = [each.step for each in wishes if not each.observe]
        await self._measure.before([each.group for each in sent if each.action is Action.REMOVE])
        resolved = [each for one in plan.places for each in one.ledger.resolved]
        judged = {each.name for each in plan.places if each.conclusive}
        if plan.local and not plan.local.conclusive:
            judged = set()  # what it would have lost there may stand in any of these holds
        return await self._database.write(
            lambda tx: journal.admit(
                tx,
                held,
                wishes,
                resolved,
                limits=policy.limits,
                judged=judged,
                read=reading.at,
                signer=self._signer,
            )
        )


# -- what came of it ---------------------------------------------------------------------------


def _came(
    reading: Reading,
    plan: Plan,
    sent: list[tuple[Wish, Resolved]],
    unsettled: Mapping[DirectoryName, int],
    *,
    held: Lease,
    admission: journal.Admission,
) -> Came:
    failures = [
        became
        for wish, became in sent
        if became.state in _FAILED and not _refused_for_good(wish, became)
    ]
    rejected = {each.directory for each in _rejected(sent)}
    unread = [refusal.unread for refusal in plan.refusals if refusal.unread and refusal.retry]
    away = [each.until for each in failures if isinstance(each, TurnedAway)]
    away += [each.retry_at for each in unread if each.why in _TURNED_AWAY]
    asked = [each for each in unread if each.why not in _TURNED_AWAY]
    returning = any(each.standing is Standing.RETURNING for each in plan.places)
    stirred = any(each.claim in _RESTLESS for each in held.claims)
    # What was refused for good changed nothing: it is waited for, and Okta writes beside nothing.
    done = [each for each in sent if not _refused_for_good(*each)]
    added = any(wish.step.action is Action.ADD for wish, _ in done)
    memories = afterwards.memories(reading)
    waiting = [
        memories[each.name].waiting_since or reading.at
        for each in plan.places
        if each.waiting or unsettled[each.name] or each.name in rejected
    ]
    return Came(
        failed=len(away) < len(failures) + len(unread) or bool(admission.contended),
        turned_away=(*away, *([None] if admission.paused else [])),
        retry_at=max((each.retry_at for each in asked if each.retry_at), default=None),
        contradicted_until=min(
            (each.look for each in plan.contradictions if each.look), default=None
        ),
        waiting_since=min(waiting, default=None),
        alarmed_since=_alarmed(reading, plan),
        doubted_until=held.abandoned + _IN_FLIGHT if held.abandoned else None,
        restless=added or stirred or bool(done and (returning or any(unsettled.values()))),
        base=held.base,
    )


def _alarmed(reading: Reading, plan: Plan) -> datetime | None:
    """Since when somebody is away who still administers Atlassian."""
    if not any(each.cause is Cause.ADMIN_LEFT for each in plan.refusals):
        return None
    memory = afterwards.memories(reading)[ORGANIZATION]
    away = memory.standing is not None and memory.standing.absent
    return (memory.absent_since if away else None) or reading.at


_FAILED = frozenset({State.FAILED, State.ABANDONED, State.OPEN})
#: Why nothing was asked, whoever it is about.
_TURNED_AWAY = frozenset({Why.CREDENTIAL, Why.LIMITED, Why.NOWHERE})


def _refused_for_good(wish: Wish, became: Resolved) -> bool:
    """A give-back the vendor understood and said no to: no attempt of ours changes that."""
    passing = isinstance(became, TurnedAway) or became.code == "unavailable"
    return wish.step.action is Action.ADD and became.state is State.FAILED and not passing


def _rejected(sent: list[tuple[Wish, Resolved]]) -> list[Refusal]:
    return [
        Refusal(wish.step.directory, Cause.REJECTED, wish.step.group.id)
        for wish, became in sent
        if _refused_for_good(wish, became)
    ]


def _member(
    plan: Plan, step: Step, members: Mapping[DirectoryName, ScimUserId]
) -> ScimUserId | AccountId | None:
    """Who a step is about, in the place where it happens."""
    if step.directory == ORGANIZATION:
        return plan.local.account.id if plan.local and plan.local.account else None
    return members.get(step.directory)
