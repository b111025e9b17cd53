"""A life of Ann's, played against ``decide``: what is true, what the log says, what we remember.

She is in ``local-1``, which a rule names without a condition, in ``local-2``, which a rule names
while she is in the Okta group behind ``team-2``, and in ``local-3``, which no rule names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hooks.core import returning
from hooks.core.history import LogFacts, Logged, Moment
from hooks.core.membership import Action, Group, Standing, State
from hooks.core.memory import Claim, Claimed, Memory, PastStep
from hooks.core.plan import DirectoryPlan, LocalPlan, PlacePlan, Plan, Step
from hooks.core.policy import Policy
from hooks.core.reading import MISSING, Account, ScimRecord
from hooks.core.returning import derived
from tests.core.worlds import (
    APP,
    ASSIGNED,
    EVERYONE,
    KNOWN,
    NOW,
    PERSON,
    USER,
    World,
    local_id,
    local_plan,
    look,
    organized,
    reading,
    record,
    rule,
    source,
)

RULES = organized(rule("local-1"), rule("local-2", source(2)))
ALL = frozenset({1, 2, 3})
#: After this many looks in a row nothing is left to see.
SETTLED = 5

_LIFECYCLE = {"activate": Claim.ACTIVE, "unsuspend": Claim.ACTIVE,
              "deactivate": Claim.DEACTIVATED, "suspend": Claim.SUSPENDED}  # fmt: skip
_ASSIGNMENT = {"assign": Claim.ASSIGNED, "unassign": Claim.UNASSIGNED}
_MEMBERSHIP = {"join": Claim.JOINED, "leave": Claim.LEFT}


def remembered(
    memory: Memory, place: PlacePlan, at: datetime, became_of_it: State = State.SUBMITTED
) -> Memory:
    """What a look leaves of one place, with the steps it sent, or found to be refused."""
    forfeits = isinstance(place, LocalPlan) and place.forfeits
    quiet = place.quiet and place.active
    left = returning.after(
        memory, place.standing, quiet=quiet, now=at, forfeits=forfeits, brief=RULES.brief_absence
    )
    became = {each.step: each for each in place.ledger.resolved}
    history = [
        replace(step, state=became[step.id].state, code=became[step.id].code)
        if step.id in became
        else step
        for step in memory.history
    ]
    for step in place.steps:
        name = step.group.display
        number = len(history) + 1
        history.append(
            PastStep(number, step.action, step.group.id, became_of_it, "", step.reason, at, name)
        )
    waiting = (memory.late_since or at) if place.waiting else None
    kept = replace(memory, history=tuple(history), late_since=waiting)
    if left.standing is None:
        return kept
    return replace(
        kept,
        standing=left.standing,
        standing_at=at,
        agreed=left.agreed,
        absent_since=left.absent_since,
        returned=left.returned,
        accounted=left.accounted,
    )


def sent(plan: Plan, *worlds: World) -> tuple[World, ...]:
    """The worlds after the plan was sent, its outcomes journalled and the look remembered.

    Atlassian refuses to change an account that is inactive.
    """
    after = []
    for world, place in zip(worlds, plan.directories, strict=True):
        records = world.records
        for step in place.steps:
            records = tuple(_changed(each, step, place) for each in records)
        memory = remembered(world.memory, place, world.at)
        links = (*world.links, *place.fresh)
        after.append(replace(world, records=records, memory=memory, links=links))
    here = local_plan(plan)
    account, inside = worlds[0].account, worlds[0].account_in
    refused = isinstance(account, Account) and account.status == "inactive"
    if isinstance(inside, frozenset) and not refused:
        for one in here.steps:
            change = {local_id(int(one.group.id[-12:]))}
            inside = inside - change if one.action is Action.REMOVE else inside | change
    before = derived(reading(*worlds))
    state = State.PARKED if refused else State.SUBMITTED
    local = remembered(before, here, worlds[0].at, state)
    after[0] = replace(after[0], account_in=inside, local=local)
    return tuple(after)


def _changed(found: ScimRecord, step: Step, place: DirectoryPlan) -> ScimRecord:
    if place.record is None or found.id != place.record.id:
        return found
    groups = {each for each in found.groups or () if each.id != step.group.id}
    if step.action is Action.ADD and isinstance(step.group, Group):
        groups.add(step.group)
    return replace(found, groups=frozenset(groups))


@dataclass
class Life:
    """``inside`` are the local groups she is in, by number.

    ``freezes``: her account is inactive while she is away, and cannot be changed then.
    """

    policy: Policy = RULES
    freezes: bool = False
    at: datetime = NOW - timedelta(days=20)
    active: bool = True
    suspended: bool = False
    assigned: bool = True
    member: bool = True
    inside: frozenset[int] = ALL
    lines: list[Moment] = field(default_factory=list)
    directory: Memory = KNOWN
    local: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        """We saw her present."""
        before = self.at - timedelta(hours=1)
        self.directory = replace(self.directory, standing=Standing.PRESENT, standing_at=before)
        self.local = replace(self.local, standing=Standing.PRESENT, standing_at=before)

    # -- what happens --------------------------------------------------------------------------

    def wait(self, minutes: float) -> None:
        self.at += timedelta(minutes=minutes)

    def do(self, word: str) -> Claimed | None:
        """Let something happen, if it can; the event that tells of it."""
        if not self._possible(word):
            return None
        match word:
            case "deactivate":
                self._log(Logged.DEACTIVATED)
                if self.assigned:
                    self._log(Logged.UNASSIGNED)
                self.active = self.suspended = self.assigned = False
            case "activate":
                self._log(Logged.ACTIVATED)
                self._log(Logged.ASSIGNED)
                self.active = self.assigned = True
            case "assign" | "unassign":
                self.assigned = word == "assign"
                self._log(Logged.ASSIGNED if self.assigned else Logged.UNASSIGNED)
            case "suspend" | "unsuspend":
                self.suspended = word == "suspend"
            case _:
                self.member = word == "join"
        return self.claim(word)

    def _possible(self, word: str) -> bool:
        return {
            "deactivate": self.active,
            "activate": not self.active,
            "assign": self.active and not self.assigned,
            "unassign": self.active and self.assigned,
            "suspend": self.active and not self.suspended,
            "unsuspend": self.suspended,
            "join": not self.member,
            "leave": self.member,
        }[word]

    def _log(self, what: Logged) -> None:
        about = APP if what in (Logged.ASSIGNED, Logged.UNASSIGNED) else None
        self.lines.append(Moment(self.at, what, about))

    def claim(self, word: str) -> Claimed:
        """The event of something that happens now."""
        uuid = f"{word} {self.at}"
        if word in _LIFECYCLE:
            return Claimed(uuid, _LIFECYCLE[word], "", self.at)
        if word in _ASSIGNMENT:
            return Claimed(uuid, _ASSIGNMENT[word], APP, self.at)
        return Claimed(uuid, _MEMBERSHIP[word], source(2), self.at)

    def comes_back(self) -> None:
        """Whatever she was, she is in force now."""
        for word in ("activate", "unsuspend", "assign"):
            self.do(word)

    # -- what we see ---------------------------------------------------------------------------

    def world(self, claims: Iterable[Claimed] = ()) -> World:
        status = "SUSPENDED" if self.suspended else "ACTIVE"
        groups = {EVERYONE, source(1)} | ({source(2)} if self.member else set())
        return World(
            user=replace(USER, status=status if self.active else "DEPROVISIONED"),
            member_of=frozenset(groups),
            app_user=ASSIGNED if self.assigned else MISSING,
            mappings=(),
            links=(),
            records=(record(),),
            log=LogFacts.of(self.lines),
            claims=tuple(replace(each, first_look=self.at) for each in claims),
            memory=self.directory,
            local=self.local,
            account=replace(PERSON, status="inactive" if self._frozen else "active"),
            account_in=frozenset(map(local_id, self.inside)),
            at=self.at,
        )

    @property
    def _frozen(self) -> bool:
        return self.freezes and not (self.active and self.assigned and not self.suspended)

    def look(self, *claims: Claimed) -> Plan:
        """One look of ours, and what it sends."""
        world = self.world(claims)
        plan = look(world, policy=self.policy)
        (after,) = sent(plan, world)
        assert after.local
        assert isinstance(after.account_in, frozenset)
        self.directory, self.local = after.memory, after.local
        self.inside = frozenset(int(each[-12:]) for each in after.account_in)
        return plan

    def settle(self, *claims: Claimed) -> None:
        """Look until nothing is left to do."""
        plan = self.look(*claims)
        for _ in range(SETTLED):
            self.wait(5)
            plan = self.look()
        assert not [*plan.steps]
        assert local_plan(plan).standing is Standing.PRESENT
