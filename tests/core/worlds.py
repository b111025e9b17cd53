"""One person as Okta, Atlassian and the store know them, and a look at them as the worker takes it.

The person is Ann. She is in the Okta group behind ``team-1`` and not in the one behind
``team-2``; in Atlassian she is in both, so that a look at ``PRESENT`` removes ``team-2``.
Of the organization's own groups she is in ``local-1`` and ``local-2``; no rule names them yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hooks.core.asks import (
    Ask,
    AskAccount,
    AskAccountGroups,
    AskActiveMembers,
    AskHolders,
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
    AccountId,
    DirectoryName,
    OktaAppId,
    OktaGroupId,
    OktaUserId,
    OrganizationDirectoryId,
    OrganizationGroupId,
    PushMappingId,
    ScimGroupId,
    ScimUserId,
    Uuid,
)
from hooks.core.membership import Action, Group, Mode, OrganizationGroup, Standing, State
from hooks.core.memory import Claimed, Link, Memory, PastStep
from hooks.core.plan import LocalPlan, Plan, Reason
from hooks.core.policy import Named, Policy, Rule
from hooks.core.reading import (
    MISSING,
    Account,
    Answer,
    App,
    AppUser,
    DirectoryReading,
    KnownGroup,
    Missing,
    OktaGroup,
    OktaUser,
    PushMapping,
    Reading,
    ScimLink,
    ScimRecord,
    Successor,
    Unread,
    Why,
)
from hooks.core.refusal import Cause, Refusal

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MAIN = DirectoryName("main")
BESIDE = DirectoryName("beside")
LOGIN = "ann@example.com"
#: As many as the worker's observer has patience for.
ROUNDS = 8

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


def account(number: int) -> AccountId:
    return AccountId(f"712020:00000000-0000-4000-a000-{number:012}")


def local_id(number: int) -> OrganizationGroupId:
    return OrganizationGroupId(f"00000000-0000-4000-b000-{number:012}")


ANN, BOB = okta_user(1), okta_user(2)
APP = app_id(1)
RECORD = scim_user(1)
ANNS, BOBS = account(1), account(2)
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
    account: AccountId | None = ANNS,
) -> ScimRecord:
    known = frozenset(groups)
    return ScimRecord(scim_user(number), LOGIN, external_id, True, account, known)  # noqa: FBT003


def local(
    number: int, name: str | None = None, *, synced: bool = False, modifiable: bool = True
) -> OrganizationGroup:
    """A group the organization keeps itself, ``local-1`` unless told."""
    called = f"local-{number}" if name is None else name
    return OrganizationGroup(local_id(number), called, _THERE, synced, modifiable)


_THERE = OrganizationDirectoryId("organization-directory")


def known(group: OrganizationGroup, *, was: tuple[str, bool] | None = None) -> KnownGroup:
    """The group as the store remembers it: as it is now, unless told."""
    return KnownGroup(group, (group.name, group.synced) if was is None else was)


def rule(text: str, *while_member_of: OktaGroupId, unresolved: tuple[str, ...] = ()) -> Rule:
    """A rule for a glob; without any Okta group it has no condition."""
    named = Named(frozenset(while_member_of), frozenset(unresolved))
    return Rule(text, while_member_of=named if named.given else None)


def rule_by_id(number: int, *while_member_of: OktaGroupId, admin: bool = False) -> Rule:
    named = rule("", *while_member_of).while_member_of
    return Rule(str(local_id(number)), local_id(number), named, admin)


def organized(*rules: Rule, **more: Any) -> Policy:
    """A policy with an organization; both directories enforce."""
    modes = {MAIN: Mode.ENFORCE, BESIDE: Mode.ENFORCE}
    return replace(Policy(organization=True, rules=rules, modes=modes), **more)


NAMES: Mapping[OktaGroupId, str] = {
    **{source(number): f"source-{number}" for number in range(1, 10)},
    **{target(number): f"team-{number}" for number in range(1, 10)},
}


USER = OktaUser(ANN, "ACTIVE", login=LOGIN)
ASSIGNED = AppUser(ANN, "ACTIVE", RECORD, LOGIN)
RUNNING = App(APP, "ACTIVE")
KNOWN = Memory(scim_id=RECORD, user_name=LOGIN, ever_in_force=True)
QUIET = LogFacts()
PERSON = Account(ANNS, "atlassian", "active")


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
    """``names`` are the Okta groups the credential can read; ``says`` overrides any answer.

    What is said of the organization counts in the first world of a look. ``organization`` are its
    groups, ``account_in`` those the account is in; ``scim_links`` are what the records say unless
    told; ``local`` is what is remembered of her there.
    """

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
    at: datetime = NOW
    scim_directory: str = "directory-of-main"
    account: Account | Missing | Unread = PERSON
    account_before: Account | None = None
    organization: tuple[KnownGroup, ...] = tuple(known(local(each)) for each in (1, 2, 3))
    account_in: frozenset[OrganizationGroupId] | Missing | Unread = frozenset(
        {local_id(1), local_id(2)}
    )
    scim_links: tuple[ScimLink, ...] | Missing | Unread | None = None
    active_members: frozenset[AccountId] | Unread = frozenset({ANNS, BOBS})
    local: Memory | None = None
    watched_since: datetime | None = None
    history: LogFacts = QUIET


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


def there(world: World, *groups: OrganizationGroup | KnownGroup) -> World:
    """The same world with only these groups in the organization, and her in all of them."""
    all_known = [each if isinstance(each, KnownGroup) else known(each) for each in groups]
    inside = frozenset(each.group.id for each in all_known)
    return replace(world, organization=tuple(all_known), account_in=inside)


def beside(world: World = PRESENT, **more: Any) -> World:
    """The world of another directory, where her record has another id and the same account."""
    assigned = world.app_user
    if isinstance(assigned, AppUser):
        assigned = replace(assigned, external_id=scim_user(2))
    elsewhere = replace(
        world,
        name=BESIDE,
        app_id=app_id(2),
        app=App(app_id(2), "ACTIVE"),
        app_user=assigned,
        mappings=(),
        links=(),
        records=(record(number=2),),
        memory=replace(world.memory, scim_id=scim_user(2)),
        scim_directory="directory-of-beside",
    )
    return replace(elsewhere, **more)


def stranger(world: World) -> World:
    """The same world before any census: nothing is remembered of her."""
    return replace(world, memory=Memory())


def past(*entries: tuple[Action, int, str], code: str = "") -> tuple[PastStep, ...]:
    """A journal, oldest first: action, number of the group, state."""
    return tuple(
        PastStep(place, action, scim_group(number), State(state), code)
        for place, (action, number, state) in enumerate(entries, 1)
    )


def past_local(
    *entries: tuple[Action, int, str],
    why: Reason = Reason.LEFT,
    at: datetime = NOW - timedelta(days=1),
    code: str = "",
) -> tuple[PastStep, ...]:
    """The same for groups of the organization, all planned ``at`` one instant."""
    return tuple(
        PastStep(place, action, local_id(number), State(state), code, why, at, f"local-{number}")
        for place, (action, number, state) in enumerate(entries, 1)
    )


# -- a look ------------------------------------------------------------------------------------


def reading(*worlds: World, answers: Mapping[Ask, Answer] | None = None) -> Reading:
    """What the first phase reads; all worlds are directories of one person, the first one's."""
    first = worlds[0]
    groups = first.member_of
    return Reading(
        user_id=ANN,
        at=first.at,
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
                world.scim_directory,
            )
            for world in worlds
        ),
        claims=first.claims,
        protected_before=first.protected_before,
        account_before=first.account_before,
        local=first.local,
        history=first.history,
        watched_since=first.watched_since,
        answers=answers or {},
    )


def answer(ask: Ask, *worlds: World) -> Answer:
    """What a complete and honest read of the world would answer."""
    said = replace(ask, fresh=False) if isinstance(ask, AskOktaGroup) else ask
    if said in worlds[0].says:
        return worlds[0].says[said]
    match ask:
        case AskHolders():
            return ()
        case AskOktaGroup():
            name = worlds[0].names.get(ask.group)
            return MISSING if name is None else OktaGroup(ask.group, name)
        case AskLog():
            return worlds[0].log
        case AskRecordById() | AskRecordsByExternalId() | AskRecordsByUserName() | AskSuccessor():
            return _of_directory(ask, next(each for each in worlds if each.name == ask.directory))
        case _:
            return _of_organization(ask, *worlds)


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


def _of_organization(
    ask: AskAccount | AskAccountGroups | AskOrganizationGroup | AskScimLinks | AskActiveMembers,
    *worlds: World,
) -> Answer:
    first = worlds[0]
    match ask:
        case AskAccount():
            return first.account
        case AskAccountGroups():
            inside = first.account_in
            if not isinstance(inside, frozenset):
                return inside
            return tuple(each for each in first.organization if each.group.id in inside)
        case AskOrganizationGroup():
            named = (each for each in first.organization if each.group.id == ask.group)
            return next(named, MISSING)
        case AskScimLinks():
            return linked(ask.account, *worlds) if first.scim_links is None else first.scim_links
        case AskActiveMembers():
            return first.active_members


def linked(to: AccountId, *worlds: World) -> tuple[ScimLink, ...]:
    """The SCIM users linked with an account, as the records tell."""
    return tuple(
        ScimLink(world.scim_directory, each.id)
        for world in worlds
        for each in world.records
        if each.account == to
    )


def look_closely(
    *worlds: World, policy: Policy | None = None, told: Mapping[Ask, Answer] | None = None
) -> tuple[Plan, Reading]:
    """Decide, read what was asked for, decide again; a plan that goes on asking fails the test.

    ``told`` are answers that are there from the beginning.
    """
    answers: dict[Ask, Answer] = {**(told or {})}
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


def local_plan(plan: Plan) -> LocalPlan:
    """What is planned for the organization."""
    assert plan.local
    return plan.local


def local_changes(plan: Plan) -> list[str]:
    """As ``changes``, of the organization alone."""
    return [f"{'-' if s.action is Action.REMOVE else '+'}{s.group.display}"
            for s in local_plan(plan).steps]  # fmt: skip


def local_causes(plan: Plan) -> set[Cause]:
    return {each.cause for each in local_plan(plan).refusals}


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
