"""What spares a membership kept in the organization itself. Design 3.3 to 3.5.

Ann is in ``jira-users``, a local group that a rule names, and loses it when she leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from hooks.core.asks import (
    Ask,
    AskAccount,
    AskAccountGroups,
    AskActiveMembers,
    AskLog,
    AskOktaGroup,
    AskOrganizationGroup,
    AskScimLinks,
    AskSuccessor,
)
from hooks.core.decide import decide
from hooks.core.history import LogFacts
from hooks.core.ids import (
    AccountId,
    DirectoryName,
    OrganizationDirectoryId,
    OrganizationGroupId,
)
from hooks.core.membership import Action, Mode, OrganizationGroup, Standing
from hooks.core.memory import Claim, Claimed, Memory, PastStep
from hooks.core.plan import LocalPlan, Plan, Reason
from hooks.core.policy import Named, Policy, Restore, Rule, Suspended
from hooks.core.reading import (
    Account,
    Answer,
    App,
    KnownGroup,
    Reading,
    ScimLink,
    Successor,
    Unread,
    Why,
)
from hooks.core.refusal import Cause
from tests.core.worlds import (
    APP,
    BOB,
    DOWN,
    FORBIDDEN,
    KNOWN,
    LEAVER,
    LOGIN,
    MAIN,
    NOW,
    PRESENT,
    RECORD,
    ROUNDS,
    SUSPENDED,
    UNASSIGNED,
    World,
    answer,
    app_id,
    logged,
    okta_group,
    reading,
    record,
    scim_user,
    source,
)

ACCOUNT, OTHER_ACCOUNT = AccountId("5b10ac8d82e05b22cc7d4ef5"), AccountId("5b10a2844c20165700ede21")
JIRA = OrganizationGroupId("00000000-0000-4000-a000-000000000001")
HERE = OrganizationDirectoryId("here")
SCIM, BESIDE = "11111111-0000-4000-8000-000000000001", DirectoryName("beside")
RULE = Rule("jira-*")
IN_RED = Rule("jira-*", while_member_of=Named(frozenset({source(1)})))
NOT_IN = Rule("jira-*", while_member_of=Named(frozenset({source(2)})))
LOST = Rule("jira-*", while_member_of=Named(unresolved=frozenset({"no such group"})))
LONG_AGO = NOW - timedelta(days=400)


ACTIVE = Account(ACCOUNT, "atlassian", "active")


def jira(
    name: str = "jira-users", *, synced: bool = False, modifiable: bool = True
) -> OrganizationGroup:
    return OrganizationGroup(JIRA, name, HERE, synced, modifiable)


def took(state: str = "settled", *, code: str = "", times: int = 1, **more: object) -> Memory:
    """A journal with removals of ours from the group."""
    fields: dict[str, object] = {"reason": Reason.LEFT, "at": NOW - timedelta(days=1), **more}
    steps = [
        PastStep(number, Action.REMOVE, JIRA, state, code, **fields)  # type: ignore[arg-type]
        for number in range(1, times + 1)
    ]
    return Memory(standing=Standing.PRESENT, standing_at=NOW, history=tuple(steps))


@dataclass(frozen=True)
class House:
    """What Okta and the directories say is ``worlds``; the rest is the organization's."""

    worlds: tuple[World, ...] = (LEAVER,)
    account: Account | Unread = ACTIVE
    groups: tuple[KnownGroup, ...] | Unread = (KnownGroup(jira()),)
    links: tuple[ScimLink, ...] | Unread = (ScimLink(SCIM, RECORD),)
    members: frozenset[AccountId] | Unread = frozenset({ACCOUNT, OTHER_ACCOUNT})
    local: Memory | None = None
    account_before: Account | None = None
    watched_since: datetime | None = None
    says: dict[Ask, Answer] = field(default_factory=dict)

    def said(self, ask: Ask) -> Answer:
        known = self.groups if isinstance(self.groups, tuple) else ()
        mine: dict[Ask, Answer] = {
            AskAccount(ACCOUNT): self.account,
            AskAccountGroups(ACCOUNT): self.groups,
            AskScimLinks(ACCOUNT): self.links,
            AskActiveMembers(JIRA): self.members,
            AskOrganizationGroup(JIRA): next(iter(known), KnownGroup(jira())),
            **self.says,
        }
        return mine[ask] if ask in mine else answer(ask, *self.worlds)

    def read(self, answers: dict[Ask, Answer]) -> Reading:
        found = reading(*self.worlds, answers=dict(answers))
        return replace(
            found,
            local=self.local,
            account_before=self.account_before,
            watched_since=self.watched_since,
            directories=tuple(replace(each, scim_directory=SCIM) for each in found.directories),
        )


def at(world: World) -> World:
    """The same person with an account behind the record."""
    return replace(world, records=tuple(replace(each, account=ACCOUNT) for each in world.records))


def house(*worlds: World, **changes: object) -> House:
    return replace(House(tuple(map(at, worlds)) or (at(LEAVER),)), **changes)  # type: ignore[arg-type]


def policy(*rules: Rule, **changes: object) -> Policy:
    return replace(Policy(organization=True, rules=rules or (RULE,)), **changes)  # type: ignore[arg-type]


def plan_of(found: House, decided: Policy | None = None) -> Plan:
    answers: dict[Ask, Answer] = {}
    for _ in range(ROUNDS + 2):
        plan = decide(found.read(answers), decided or policy())
        if not plan.asks:
            return plan
        answers.update({ask: found.said(ask) for ask in plan.asks})
    raise AssertionError("still asking")


def local(plan: Plan) -> LocalPlan:
    assert plan.local is not None
    return plan.local


def signs(plan: Plan) -> list[str]:
    steps = local(plan).steps
    return [f"{'-' if each.action is Action.REMOVE else '+'}{each.group.display}" for each in steps]


def kept(found: House, decided: Policy | None = None) -> set[Cause]:
    """Nothing is taken or given; why."""
    plan = plan_of(found, decided)
    assert signs(plan) == []
    return {each.cause for each in local(plan).refusals}


REMOVED = ["-jira-users"]


@pytest.mark.parametrize("world", [LEAVER, UNASSIGNED])
def test_who_is_absent_loses_what_a_rule_names(world: World) -> None:
    assert signs(plan_of(house(world))) == REMOVED
    assert kept(house(world), policy(Rule("confluence-*"))) == set()


# -- the group ---------------------------------------------------------------------------------


def test_a_synced_group_is_not_changed_here() -> None:
    assert kept(house(groups=(KnownGroup(jira(synced=True)),))) == set()


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(("confluence-users", False), id="no rule named it before"),
        pytest.param(("jira-users", True), id="it was synced before"),
    ],
)
def test_a_group_that_changed_is_refused(before: tuple[str, bool]) -> None:
    assert kept(house(groups=(KnownGroup(jira(), before),))) == {Cause.GROUP_CHANGED}


@pytest.mark.parametrize("name", ["org-admins", "administrators", "Jira-Administrators"])
def test_never_groups_stay_though_a_rule_names_them(name: str) -> None:
    found = house(groups=(KnownGroup(jira(name)),))
    assert Cause.NEVER in kept(found, policy(Rule("*")))


def test_an_admin_group_goes_only_where_a_rule_names_its_id() -> None:
    found = house(groups=(KnownGroup(jira("administrators")),))
    by_id = Rule(str(JIRA), JIRA, admin=True)
    assert signs(plan_of(found, policy(by_id))) == ["-administrators"]
    assert Cause.NEVER in kept(found, policy(replace(by_id, admin=False)))
    assert Cause.NEVER in kept(found, policy(Rule("administrators", admin=True)))
    elsewhere = house(groups=(KnownGroup(jira("org-admins")),))
    assert Cause.NEVER in kept(elsewhere, policy(by_id))


def test_the_last_active_admin_stays() -> None:
    found = house(groups=(KnownGroup(jira("administrators")),), members=frozenset({ACCOUNT}))
    by_id = policy(Rule(str(JIRA), JIRA, admin=True))
    assert Cause.LAST_ADMIN in kept(found, by_id)
    assert Cause.MEMBERS_UNREAD in kept(replace(found, members=DOWN), by_id)


def test_protected_and_unmodifiable_groups_stay() -> None:
    assert kept(house(), policy(protected_groups=("JIRA-*",))) == {Cause.PROTECTED}
    fixed = house(groups=(KnownGroup(jira(modifiable=False)),))
    assert kept(fixed) == {Cause.NOT_MODIFIABLE}


# -- the rules ---------------------------------------------------------------------------------


def test_a_rule_that_lost_a_group_removes_nothing() -> None:
    assert kept(house(), policy(LOST)) == {Cause.RULE_UNRESOLVED}
    assert kept(house(PRESENT), policy(LOST)) == {Cause.RULE_UNRESOLVED}
    assert kept(house(PRESENT), policy(NOT_IN, LOST)) == {Cause.RULE_UNRESOLVED}


def test_who_is_here_keeps_what_no_condition_speaks_of() -> None:
    assert kept(house(PRESENT)) == set()


@pytest.mark.parametrize(
    "rules",
    [(IN_RED,), (NOT_IN, IN_RED), (RULE, IN_RED)],
    ids=["one", "any", "beside a silent one"],
)
@pytest.mark.parametrize("standing", [None, Standing.RETURNING], ids=["present", "returning"])
def test_any_satisfied_condition_keeps(rules: tuple[Rule, ...], standing: Standing | None) -> None:
    memory = Memory(standing=standing, standing_at=NOW, returned=NOW) if standing else None
    assert kept(house(PRESENT, local=memory), policy(*rules)) == set()


def test_a_condition_that_fails_takes_only_what_could_be_read() -> None:
    assert signs(plan_of(house(PRESENT), policy(NOT_IN))) == REMOVED
    for said, cause in ((DOWN, Cause.SOURCE_UNREADABLE), (FORBIDDEN, Cause.SOURCE_UNREADABLE)):
        hidden = house(PRESENT, says={AskOktaGroup(source(2), fresh=True): said})
        assert kept(hidden, policy(NOT_IN)) == {cause}


def test_groups_that_were_not_read_satisfy_nothing_and_take_nothing() -> None:
    assert kept(house(replace(PRESENT, member_of=DOWN)), policy(NOT_IN)) == {Cause.GROUPS_UNREAD}
    nobody = house(replace(PRESENT, member_of=frozenset()))
    assert kept(nobody, policy(NOT_IN)) == {Cause.GROUPS_EMPTY}


# -- the person --------------------------------------------------------------------------------


def test_whoever_is_unclear_or_better_off_elsewhere_loses_nothing() -> None:
    assert kept(house(replace(LEAVER, app=App(APP, "INACTIVE")))) == set()
    beside = replace(
        UNASSIGNED,
        name=BESIDE,
        app_id=app_id(2),
        memory=replace(KNOWN, scim_id=scim_user(2)),
        records=(record(number=2),),
    )
    links = (ScimLink(SCIM, RECORD), ScimLink(SCIM, scim_user(2)))
    assert kept(house(PRESENT, beside, links=links)) == set()
    unclear = replace(PRESENT, app=App(APP, "INACTIVE"))
    assert kept(house(unclear, beside, links=links)) == set(), "present, for all we know"


def test_suspension_keeps_or_strips() -> None:
    assert kept(house(SUSPENDED)) == set()
    assert signs(plan_of(house(SUSPENDED), policy(suspended=Suspended.STRIP))) == REMOVED


@pytest.mark.parametrize(
    "spared",
    [
        pytest.param({"protected_users": frozenset({LOGIN})}, id="protected"),
        pytest.param({"scope": Named(frozenset({okta_group(66)}))}, id="outside the pilot"),
    ],
)
def test_whoever_is_spared_is_spared_here_too(spared: dict[str, object]) -> None:
    assert len(kept(house(), policy(**spared))) == 1


def test_an_account_that_is_no_person_is_protected() -> None:
    for account in (Account(ACCOUNT, "app", "active"), Account(ACCOUNT, "customer", "active")):
        assert kept(house(account=account)) == {Cause.PROTECTED}
        plan = plan_of(house(account=account))
        assert list(plan.steps) == [], "nor is the record behind it touched"


def test_an_admin_in_force_is_protected_and_one_who_left_is_not() -> None:
    admin = Account(ACCOUNT, "atlassian", "active", frozenset({"site-admin"}))
    plan = plan_of(house(PRESENT, account=admin), policy(NOT_IN))
    assert list(plan.steps) == []
    assert Cause.PROTECTED in {each.cause for each in local(plan).refusals}
    left = plan_of(house(account=admin))
    assert signs(left) == REMOVED
    assert Cause.ADMIN_LEFT in {each.cause for each in local(left).refusals}


def test_an_admin_known_before_stays_protected_while_the_organization_is_down() -> None:
    admin = Account(ACCOUNT, "atlassian", "active", frozenset({"org-admin"}))
    plan = plan_of(house(PRESENT, account=DOWN, account_before=admin), policy(NOT_IN))
    assert list(plan.steps) == []


def test_an_account_or_groups_that_were_not_read_take_nothing() -> None:
    assert kept(house(account=DOWN)) == {Cause.ORGANIZATION_UNREAD}
    assert kept(house(groups=DOWN)) == {Cause.ORGANIZATION_UNREAD}
    nowhere = Unread(Why.NOWHERE)
    assert kept(house(account=nowhere, groups=nowhere)) == {Cause.ORGANIZATION_UNKNOWN}


def test_an_account_linked_elsewhere_keeps_its_groups() -> None:
    elsewhere = ScimLink("22222222-0000-4000-8000-000000000002", RECORD)
    for links in ((ScimLink(SCIM, RECORD), elsewhere), (), (ScimLink(SCIM, scim_user(9)),)):
        assert kept(house(links=links)) == {Cause.LINKED_ELSEWHERE}
    assert kept(house(links=DOWN)) == {Cause.LINKS_UNREAD}
    assert signs(plan_of(house(links=FORBIDDEN))) == REMOVED, "known second-hand: no such call"


def test_a_successor_keeps_them() -> None:
    heir = house(replace(LEAVER, successors=(Successor(BOB),)))
    assert signs(plan_of(heir)) == []
    assert plan_of(heir).others == {BOB}
    unread = house(says={AskSuccessor(MAIN, LOGIN): DOWN})
    assert kept(unread) == {Cause.SUCCESSOR_UNREAD}


def test_a_contradicted_removal_waits() -> None:
    came = (Claimed("1", Claim.ACTIVE, "", NOW, NOW),)
    assert kept(house(replace(LEAVER, claims=came))) == {Cause.CONTRADICTED}
    joined = (Claimed("1", Claim.JOINED, source(2), NOW, NOW),)
    waiting = house(replace(PRESENT, claims=joined))
    assert kept(waiting, policy(NOT_IN)) == {Cause.CONTRADICTED}


def test_what_has_no_effect_or_is_granted_again_and_again_ends() -> None:
    three = replace(took("submitted", times=3), standing=Standing.LEFT)
    assert kept(house(local=three)) == {Cause.NO_EFFECT}
    twice = replace(took("abandoned", code="back", times=2), standing=Standing.LEFT)
    assert kept(house(local=twice)) == {Cause.GRANTED_AGAIN}


def test_a_removal_refused_for_an_inactive_account_is_parked() -> None:
    parked = replace(took("parked"), standing=Standing.LEFT)
    inactive = Account(ACCOUNT, "atlassian", "inactive")
    assert kept(house(local=parked, account=inactive)) == {Cause.PARKED}
    assert signs(plan_of(house(local=parked))) == REMOVED


def test_writes_need_every_directory_that_counts_to_enforce() -> None:
    beside = replace(PRESENT, name=BESIDE, app_id=app_id(2))
    for modes, expected in (
        ({MAIN: Mode.ENFORCE, BESIDE: Mode.ENFORCE}, Mode.ENFORCE),
        ({MAIN: Mode.ENFORCE, BESIDE: Mode.OBSERVE}, Mode.OBSERVE),
        ({MAIN: Mode.ENFORCE}, Mode.OBSERVE),
    ):
        plan = plan_of(house(PRESENT, beside), policy(modes=modes))
        assert local(plan).mode is expected


# -- who was away ------------------------------------------------------------------------------

CAME_BACK = (Claimed("1", Claim.ACTIVE, "", NOW - timedelta(days=8), NOW),)
AWAY = logged(deactivated=NOW - timedelta(days=9), activated=NOW - timedelta(days=8))


def test_only_a_proved_absence_takes_what_no_rule_justifies() -> None:
    back = replace(PRESENT, claims=CAME_BACK, log=AWAY)
    assert signs(plan_of(house(back))) == REMOVED
    assert kept(house(replace(back, log=LogFacts()))) == {Cause.HISTORY_LATE}
    assert kept(house(replace(back, claims=()))) == set(), "nobody is made due by history"


def test_an_absence_before_we_watched_takes_nothing() -> None:
    back = replace(PRESENT, claims=CAME_BACK, log=AWAY)
    assert kept(house(back, watched_since=NOW - timedelta(days=1))) == set()


def test_an_absence_counts_once() -> None:
    back = replace(PRESENT, claims=CAME_BACK, log=AWAY)
    counted = Memory(standing=Standing.PRESENT, standing_at=NOW, accounted=NOW)
    assert kept(house(back, local=counted)) == set()


def test_a_brief_unassignment_is_no_absence() -> None:
    for minutes, expected in ((20, []), (120, REMOVED)):
        began = NOW - timedelta(minutes=minutes + 1)
        log = logged(unassigned=began, assigned=began + timedelta(minutes=minutes))
        back = replace(PRESENT, claims=CAME_BACK, log=log)
        assert signs(plan_of(house(back))) == expected


@pytest.mark.parametrize("why", [DOWN, FORBIDDEN])
def test_a_log_that_does_not_answer_proves_no_absence(why: Unread) -> None:
    back = replace(PRESENT, claims=CAME_BACK, says={AskLog(): why})
    assert kept(house(back)) == {Cause.HISTORY_UNREAD}


# -- giving back -------------------------------------------------------------------------------

GIVEN = ["+jira-users"]


def without(memory: Memory, *worlds: World, **changes: object) -> House:
    """She is not in the group any more, since we took her out."""
    gone = {AskOrganizationGroup(JIRA): KnownGroup(jira())}
    return house(*(worlds or (PRESENT,)), groups=(), local=memory, says=gone, **changes)


def test_what_we_took_is_given_back_only_while_a_condition_holds() -> None:
    assert signs(plan_of(without(took()), policy(IN_RED))) == GIVEN
    assert kept(without(took()), policy(NOT_IN)) == set()
    assert kept(without(took()), policy(RULE)) == set(), "an absence forfeits it"


def test_what_was_taken_in_a_brief_absence_is_given_back() -> None:
    brief = took(reason=Reason.UNASSIGNED)
    assert signs(plan_of(without(brief))) == GIVEN
    assert kept(without(brief), policy(Rule("confluence-*"))) == set()
    assert kept(without(brief), policy(NOT_IN)) == set()


def test_what_was_taken_long_ago_is_not_given_back() -> None:
    old = took(at=NOW - timedelta(days=31))
    assert kept(without(old), policy(IN_RED)) == set()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"restore": Restore.NONE}, id="the policy gives nothing back"),
        pytest.param({"scope": Named(frozenset({okta_group(66)}))}, id="outside the pilot"),
    ],
)
def test_what_the_policy_does_not_want_back_stays_away(changes: dict[str, object]) -> None:
    assert kept(without(took()), policy(IN_RED, **changes)) == set()


@pytest.mark.parametrize(
    ("group", "cause"),
    [
        (KnownGroup(jira("org-admins")), None),
        (KnownGroup(jira(synced=True), (jira().name, False)), Cause.GROUP_CHANGED),
        (KnownGroup(jira(synced=True)), None),
        (KnownGroup(jira(), ("jira-admins", False)), Cause.GROUP_CHANGED),
        (KnownGroup(jira(modifiable=False)), Cause.NOT_MODIFIABLE),
    ],
)
def test_nobody_is_put_into_a_group_that_is_not_as_it_was(
    group: KnownGroup, cause: Cause | None
) -> None:
    found = replace(without(took()), says={AskOrganizationGroup(JIRA): group})
    rules = policy(replace(IN_RED, text="*"))
    assert kept(found, rules) == ({cause} if cause else set())


def test_a_group_that_is_gone_is_not_filled() -> None:
    found = replace(without(took()), says={AskOrganizationGroup(JIRA): DOWN})
    assert kept(found, policy(IN_RED)) == {Cause.ORGANIZATION_UNREAD}


def test_an_addition_an_event_speaks_against_waits() -> None:
    left = (Claimed("1", Claim.LEFT, source(1), NOW, NOW),)
    found = without(took(), replace(PRESENT, claims=left))
    assert kept(found, policy(IN_RED)) == {Cause.CONTRADICTED}


def test_an_inactive_account_is_not_added() -> None:
    inactive = Account(ACCOUNT, "atlassian", "inactive")
    assert kept(without(took(), account=inactive), policy(IN_RED)) == {Cause.ACCOUNT_INACTIVE}
