"""One person as Okta, Atlassian and the store know them, and a look at them as the worker takes it.

The person is Ann. She is in the Okta group behind ``team-1`` and not in the one behind
``team-2``; in Atlassian she is in both, so that a look at ``PRESENT`` removes ``team-2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hooks.core.asks import (
    Ask,
    AskAccount,
    AskAccountGroups,
    AskActiveMembers,
    AskLog,
    AskOktaGroup,
    AskOrganizationGroup,
    AskRecordById,
    AskRecordsByExternalId,
    AskRecordsByUserName,
    AskScimLinks,
    AskSuccessor,
)
from hooks.core.decide import decide
from hooks.core.history import LogFacts, Logged, Moment
from hooks.core.ids import (
    DirectoryName,
    OktaAppId,
    OktaGroupId,
    OktaUserId,
    PushMappingId,
    ScimGroupId,
    ScimUserId,
    Uuid,
)
from hooks.core.membership import Action, Group, Standing, State
from hooks.core.memory import Claimed, Link, Memory, PastStep
from hooks.core.plan import Plan
from hooks.core.policy import Policy
from hooks.core.reading import (
    MISSING,
    Answer,
    App,
    AppUser,
    DirectoryReading,
    Missing,
    OktaGroup,
    OktaUser,
    PushMapping,
    Reading,
    ScimRecord,
    Successor,
    Unread,
    Why,
)
from hooks.core.refusal import Cause, Refusal

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MAIN = DirectoryName("main")
LOGIN = "ann@example.com"
ROUNDS = 6

DOWN = Unread(Why.UNAVAILABLE)
FORBIDDEN = Unread(Why.FORBIDDEN)


def okta_user(number: int) -> OktaUserId:
    return OktaUserId(f"00u{number:017}")


def okta_group(number: int) -> OktaGroupId:
    return OktaGroupId(f"00g{number:017}")


def app_id(number: int) -> OktaAppId:
    return OktaAppId(f"0oa{number:017}")


def scim_user(number: int) -> ScimUserId:
    return ScimUserId(f"00000000-0000-4000-8000-{number:012}")


def scim_group(number: int) -> ScimGroupId:
    return ScimGroupId(f"00000000-0000-4000-9000-{number:012}")


ANN, BOB = okta_user(1), okta_user(2)
APP = app_id(1)
RECORD = scim_user(1)
EVERYONE = okta_group(0)


def source(number: int) -> OktaGroupId:
    """The Okta group that is pushed to ``group(number)``."""
    return okta_group(100 + number)


def target(number: int) -> OktaGroupId:
    """What Okta calls ``group(number)``."""
    return okta_group(200 + number)


def group(number: int, display: str | None = None) -> Group:
    return Group(scim_group(number), f"team-{number}" if display is None else display)


def mapping(
    number: int, status: str = "ACTIVE", *, of: int | None = None, to: int | None = None
) -> PushMapping:
    """Mapping ``number``, from source ``of`` to target ``to``, each ``number`` unless told."""
    return PushMapping(
        PushMappingId(f"gPm{number:017}"), source(of or number), target(to or number), status
    )


def link(number: int, *, of: int | None = None, to: int | None = None, name: str = "") -> Link:
    """What is remembered of ``mapping(number, of=of, to=to)``."""
    seen = mapping(number, of=of, to=to)
    name = name or f"team-{to or number}"
    return Link(seen.id, seen.source, seen.target, scim_group(to or number), name, name)


def record(
    *groups: Group,
    number: int = 1,
    external_id: str | None = ANN,
) -> ScimRecord:
    known = frozenset(groups)
    return ScimRecord(scim_user(number), LOGIN, external_id, active=True, groups=known)


NAMES: Mapping[OktaGroupId, str] = {
    **{source(number): f"source-{number}" for number in range(1, 10)},
    **{target(number): f"team-{number}" for number in range(1, 10)},
}


USER = OktaUser(ANN, "ACTIVE", login=LOGIN)
ASSIGNED = AppUser(ANN, "ACTIVE", RECORD, LOGIN)
RUNNING = App(APP, "ACTIVE")
KNOWN = Memory(scim_id=RECORD, user_name=LOGIN, ever_in_force=True)
QUIET = LogFacts()


def logged(
    *,
    deactivated: datetime | None = None,
    activated: datetime | None = None,
    assigned: datetime | None = None,
    unassigned: datetime | None = None,
) -> LogFacts:
    """A System Log with these lines about her, and nothing else."""
    said = {
        Logged.DEACTIVATED: deactivated,
        Logged.ACTIVATED: activated,
        Logged.ASSIGNED: assigned,
        Logged.UNASSIGNED: unassigned,
    }
    lifecycle = (Logged.DEACTIVATED, Logged.ACTIVATED)
    found = [
        Moment(at, what, None if what in lifecycle else APP) for what, at in said.items() if at
    ]
    return LogFacts(tuple(sorted(found, key=lambda each: each.at)))


@dataclass(frozen=True, slots=True)
class World:
    """``names`` are the Okta groups the credential can read; ``says`` overrides any answer."""

    name: DirectoryName = MAIN
    app_id: OktaAppId = APP
    user: OktaUser | Missing | Unread = USER
    member_of: frozenset[OktaGroupId] | Unread = frozenset({EVERYONE, source(1)})
    app: App | Missing | Unread = RUNNING
    app_user: AppUser | Missing | Unread = ASSIGNED
    mappings: tuple[PushMapping, ...] | Unread = (mapping(1), mapping(2))
    links: tuple[Link, ...] = (link(1), link(2))
    records: tuple[ScimRecord, ...] = (record(group(1), group(2)),)
    names: Mapping[OktaGroupId, str] = field(default_factory=lambda: NAMES)
    log: LogFacts | Unread = QUIET
    successors: tuple[Successor, ...] = ()
    memory: Memory = KNOWN
    claims: tuple[Claimed, ...] = ()
    protected_before: bool = False
    says: Mapping[Ask, Answer] = field(default_factory=dict)


PRESENT = World()
LEAVER = World(user=OktaUser(ANN, "DEPROVISIONED", login=LOGIN), app_user=MISSING)
UNASSIGNED = World(app_user=MISSING)
SUSPENDED = World(user=OktaUser(ANN, "SUSPENDED", login=LOGIN))
#: 404 everywhere, and the last settled look saw her deactivated.
GONE = World(
    user=MISSING,
    member_of=Unread(Why.UNAVAILABLE),
    app_user=MISSING,
    memory=replace(PRESENT.memory, standing=Standing.LEFT),
)


def with_memory(
    world: World,
    *,
    standing: Standing | None = None,
    history: tuple[PastStep, ...] = (),
    shared_with: frozenset[OktaUserId] = frozenset(),
) -> World:
    changed = replace(world.memory, standing=standing, history=history, shared_with=shared_with)
    return replace(world, memory=changed)


def stranger(world: World) -> World:
    """The same world before any census: nothing is remembered of her."""
    return replace(world, memory=Memory())


def past(*entries: tuple[Action, int, str], code: str = "") -> tuple[PastStep, ...]:
    """A journal, oldest first: action, number of the group, state."""
    return tuple(
        PastStep(place, action, scim_group(number), State(state), code)
        for place, (action, number, state) in enumerate(entries, 1)
    )


# -- a look ------------------------------------------------------------------------------------


def reading(*worlds: World, answers: Mapping[Ask, Answer] | None = None) -> Reading:
    """What the first phase reads; all worlds are directories of one person, the first one's."""
    first = worlds[0]
    groups = first.member_of
    return Reading(
        user_id=ANN,
        at=NOW,
        user=first.user,
        okta_groups=groups
        if isinstance(groups, Unread)
        else frozenset(OktaGroup(each, "any") for each in groups),
        directories=tuple(
            DirectoryReading(
                world.name,
                world.app_id,
                world.app,
                world.app_user,
                world.mappings,
                world.links,
                world.memory,
            )
            for world in worlds
        ),
        claims=first.claims,
        protected_before=first.protected_before,
        answers=answers or {},
    )


def answer(ask: Ask, *worlds: World) -> Answer:
    """What a complete and honest read of the world would answer."""
    if ask in worlds[0].says:
        return worlds[0].says[ask]
    match ask:
        case AskOktaGroup():
            name = worlds[0].names.get(ask.group)
            return MISSING if name is None else OktaGroup(ask.group, name)
        case AskLog():
            return worlds[0].log
        case (
            AskAccount()
            | AskAccountGroups()
            | AskScimLinks()
            | AskActiveMembers()
            | AskOrganizationGroup()
        ):
            return Unread(Why.FORBIDDEN)
        case _:
            return _of_directory(ask, next(each for each in worlds if each.name == ask.directory))


def _of_directory(
    ask: AskRecordById | AskRecordsByExternalId | AskRecordsByUserName | AskSuccessor, world: World
) -> Answer:
    match ask:
        case AskRecordById():
            return tuple(each for each in world.records if each.id == ask.id) or MISSING
        case AskRecordsByExternalId():
            return tuple(each for each in world.records if each.external_id == ANN)
        case AskRecordsByUserName():
            return tuple(each for each in world.records if each.user_name == ask.user_name)
        case AskSuccessor():
            return world.successors


def look_closely(*worlds: World, policy: Policy | None = None) -> tuple[Plan, Reading]:
    """Decide, read what was asked for, decide again; a plan that goes on asking fails the test."""
    answers: dict[Ask, Answer] = {}
    for _ in range(ROUNDS):
        seen = reading(*worlds, answers=dict(answers))
        plan = decide(seen, policy or Policy())
        if not plan.asks:
            return plan, seen
        assert not plan.asks <= answers.keys(), "asked again what was answered"
        answers.update({ask: answer(ask, *worlds) for ask in plan.asks})
    raise AssertionError("still asking")


def look(*worlds: World, policy: Policy | None = None) -> Plan:
    return look_closely(*worlds, policy=policy)[0]


def changes(plan: Plan) -> list[str]:
    """The steps in the order of sending: ``-team-2`` is a removal, ``+team-1`` an addition."""
    return [f"{'-' if s.action is Action.REMOVE else '+'}{s.group.display}" for s in plan.steps]


def causes(plan: Plan) -> set[Cause]:
    return {refusal.cause for refusal in plan.refusals}


def refusal(plan: Plan) -> Refusal:
    """The only one."""
    (only,) = plan.refusals
    return only


def removed(plan: Plan) -> set[tuple[DirectoryName, Uuid]]:
    return {(s.directory, s.group.id) for s in plan.steps if s.action is Action.REMOVE}


def send(plan: Plan, world: World) -> World:
    """The world after the plan was sent and its outcomes were journalled."""
    (decided,) = plan.directories
    became = {each.step: each for each in decided.ledger.resolved}
    history = [
        replace(step, state=became[step.id].state, code=became[step.id].code)
        if step.id in became
        else step
        for step in world.memory.history
    ]
    (before,) = world.records
    groups = set(before.groups or ())
    for step in decided.steps:
        groups = {each for each in groups if each.id != step.group.id}
        groups |= (
            {step.group} if step.action is Action.ADD and isinstance(step.group, Group) else set()
        )
        history.append(PastStep(len(history) + 1, step.action, step.group.id, State.SUBMITTED))
    return replace(
        world,
        links=(*world.links, *decided.fresh),
        records=(replace(before, groups=frozenset(groups)),),
        memory=replace(world.memory, standing=decided.standing, history=tuple(history)),
    )
