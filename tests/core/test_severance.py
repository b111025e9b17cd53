"""Whether a SCIM record may be deleted: each fact alone speaks against it, none is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.identity import How
from hooks.core.ids import (
    AccountId,
    DirectoryName,
    OktaUserId,
    OrganizationDirectoryId,
    OrganizationGroupId,
    ScimGroupId,
    ScimUserId,
)
from hooks.core.membership import (
    ORGANIZATION,
    Action,
    Group,
    Mode,
    OrganizationGroup,
    Standing,
)
from hooks.core.plan import DirectoryPlan, LocalPlan, Plan, Reason, Record, Step
from hooks.core.reading import (
    MISSING,
    Account,
    KnownGroup,
    ScimLink,
    ScimRecord,
    Unread,
    Why,
)
from hooks.core.refusal import Cause, Refusal
from hooks.core.severance import WAY_OUT, Facts, Obstacle, hindrances, staying

ANN, BOB = OktaUserId("00u" + "A" * 17), OktaUserId("00u" + "B" * 17)
MAIN = DirectoryName("main")
PLACE = "11111111-2222-4333-8444-555555555555"
MINE = ScimUserId("247b915a-45c9-4b22-8f47-5d7d2a6c7b10")
OTHER = ScimUserId("347b915a-45c9-4b22-8f47-5d7d2a6c7b10")
ACCOUNT = AccountId("5b10ac8d82e05b22cc7d4ef5")
RED = Group(ScimGroupId("b2d83e79-3f5a-4a3e-8c1e-0b7a2f9d6c11"), "red")
JIRA = OrganizationGroup(
    OrganizationGroupId("276f955c-63d7-42c8-9520-92d01dca0625"),
    "jira-software-users",
    OrganizationDirectoryId("d1"),
    synced=False,
    modifiable=True,
)
PLAN = Plan(
    ANN,
    (DirectoryPlan(MAIN, Standing.LEFT, record=Record(MINE, How.LINK, False, "ann")),),  # noqa: FBT003
    local=LocalPlan(ORGANIZATION, Standing.LEFT, mode=Mode.ENFORCE, account=Account(ACCOUNT)),
)
FREE = Facts(
    directory=MAIN,
    scim_directory=PLACE,
    record=ScimRecord(MINE, "ann", ANN, False, ACCOUNT, frozenset()),  # noqa: FBT003
    mode=Mode.ENFORCE,
    owners=frozenset({ANN}),
    assigned=frozenset(),
    plan=PLAN,
    account=Account(ACCOUNT),
    links=(ScimLink(PLACE, MINE),),
)

Spoil = Callable[[Facts], Facts]


def directory(facts: Facts, **changes: object) -> Facts:
    """The same, planned otherwise in its directory."""
    assert facts.plan
    assert facts.place
    place = replace(facts.place, **changes)  # type: ignore[arg-type]
    return replace(facts, plan=replace(facts.plan, directories=(place,)))


def local(facts: Facts, **changes: object) -> Facts:
    """The same, planned otherwise in the organization."""
    assert facts.plan
    assert facts.plan.local
    there = replace(facts.plan.local, **changes)  # type: ignore[arg-type]
    return replace(facts, plan=replace(facts.plan, local=there))


SPOILT: dict[Obstacle, Spoil] = {
    Obstacle.IN_FORCE: lambda facts: replace(facts, assigned=facts.assigned | {ANN}),
    Obstacle.OWNER_NONE: lambda facts: replace(facts, owners=frozenset(), assigned=frozenset()),
    Obstacle.OWNER_SEVERAL: lambda facts: replace(facts, owners=facts.owners | {ANN, BOB}),
    Obstacle.NOT_THEIRS: lambda facts: directory(
        facts, record=Record(OTHER, How.LINK, False, "ann")  # noqa: FBT003
    ),
    Obstacle.NOT_AWAY: lambda facts: directory(facts, standing=Standing.SUSPENDED),
    Obstacle.UNCLEAR: lambda facts: directory(
        facts, refusals=(Refusal(MAIN, Cause.USER_UNREAD),)
    ),
    Obstacle.CONTRADICTED: lambda facts: replace(
        facts, plan=facts.plan and replace(facts.plan, contradictions=(object(),))  # type: ignore[arg-type]
    ),
    Obstacle.PROTECTED: lambda facts: replace(facts, guarded=True),
    Obstacle.ACCOUNT_NONE: lambda facts: replace(
        facts, record=replace(facts.record, account=None)
    ),
    Obstacle.ACCOUNT_UNREAD: lambda facts: replace(facts, account=MISSING),
    Obstacle.ADMIN: lambda facts: replace(
        facts, account=Account(ACCOUNT, roles=frozenset({"atlassian/org-admin"}))
    ),
    Obstacle.ELSEWHERE: lambda facts: replace(facts, others=frozenset({OTHER})),
    Obstacle.LINKS_UNREAD: lambda facts: replace(facts, links=Unread(Why.UNAVAILABLE)),
    Obstacle.OBSERVED: lambda facts: replace(facts, mode=Mode.OBSERVE),
}  # fmt: skip
#: What each of these hides: without a record's account nobody asks about it, and so on.
HIDES = {
    Obstacle.ACCOUNT_NONE: {Obstacle.ACCOUNT_UNREAD, Obstacle.ADMIN, Obstacle.ELSEWHERE,
                            Obstacle.LINKS_UNREAD},
    Obstacle.ACCOUNT_UNREAD: {Obstacle.ADMIN},
    Obstacle.ADMIN: {Obstacle.ACCOUNT_UNREAD},
    Obstacle.UNCLEAR: {Obstacle.NOT_AWAY, Obstacle.NOT_THEIRS},
    Obstacle.NOT_AWAY: {Obstacle.NOT_THEIRS},
    Obstacle.OWNER_NONE: {Obstacle.IN_FORCE, Obstacle.OWNER_SEVERAL},
    Obstacle.OWNER_SEVERAL: {Obstacle.OWNER_NONE},
    Obstacle.IN_FORCE: {Obstacle.OWNER_NONE},
}  # fmt: skip


def against(facts: Facts) -> set[Obstacle]:
    return {each.obstacle for each in hindrances(facts)}


def test_nothing_speaks_against_a_record_of_somebody_away() -> None:
    assert hindrances(FREE) == ()
    assert staying(FREE) == ()


def test_every_obstacle_has_a_case_and_a_way_out() -> None:
    assert SPOILT.keys() == WAY_OUT.keys() == set(Obstacle)


@pytest.mark.parametrize("obstacle", Obstacle)
def test_each_fact_alone_is_an_obstacle(obstacle: Obstacle) -> None:
    assert against(SPOILT[obstacle](FREE)) == {obstacle}


@given(st.lists(st.sampled_from(Obstacle), unique=True, min_size=1))
def test_whatever_comes_together_something_speaks_against_it(several: list[Obstacle]) -> None:
    facts = FREE
    for each in several:
        facts = SPOILT[each](facts)
    found = against(facts)
    assert found
    hidden = set().union(*(HIDES.get(each, set()) for each in several))
    assert set(several) - hidden <= found


MORE: dict[str, tuple[Obstacle, Spoil]] = {
    "no plan": (Obstacle.UNCLEAR, lambda facts: replace(facts, plan=None)),
    "groups not told": (
        Obstacle.UNCLEAR,
        lambda facts: replace(facts, record=replace(facts.record, groups=None)),
    ),
    "present": (Obstacle.NOT_AWAY, lambda facts: directory(facts, standing=Standing.PRESENT)),
    "never in force": (
        Obstacle.NOT_AWAY, lambda facts: directory(facts, standing=Standing.OUTSIDE)
    ),
    "no record of theirs": (Obstacle.NOT_THEIRS, lambda facts: directory(facts, record=None)),
    "no organization": (
        Obstacle.ACCOUNT_UNREAD,
        lambda facts: replace(facts, plan=replace(PLAN, local=None)),
    ),
    "organization not read": (
        Obstacle.UNCLEAR,
        lambda facts: local(facts, refusals=(Refusal(ORGANIZATION, Cause.ORGANIZATION_UNREAD),)),
    ),
    "organization undecided": (
        Obstacle.UNCLEAR, lambda facts: local(facts, standing=Standing.UNCLEAR)
    ),
    "another account": (
        Obstacle.ACCOUNT_UNREAD,
        lambda facts: replace(facts, account=Account(AccountId("0" * 24))),
    ),
    "roles not told": (
        Obstacle.ADMIN, lambda facts: replace(facts, account=Account(ACCOUNT, roles=None))
    ),
    "no link told": (Obstacle.ELSEWHERE, lambda facts: replace(facts, links=())),
    "another link": (
        Obstacle.ELSEWHERE, lambda facts: replace(facts, links=(ScimLink(PLACE, OTHER),))
    ),
    "a second link": (
        Obstacle.ELSEWHERE,
        lambda facts: replace(facts, links=(ScimLink(PLACE, MINE), ScimLink("elsewhere", OTHER))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MORE)
def test_other_ways_come_to_the_same(case: str) -> None:
    obstacle, spoil = MORE[case]
    assert against(spoil(FREE)) == {obstacle}


def test_where_links_are_not_offered_our_own_directories_tell() -> None:
    for links in (MISSING, Unread(Why.FORBIDDEN)):
        assert against(replace(FREE, links=links)) == set()
        assert against(replace(FREE, links=links, others=frozenset({OTHER}))) == {
            Obstacle.ELSEWHERE
        }


def test_links_do_not_distinguish_case() -> None:
    links = (ScimLink(PLACE.upper(), ScimUserId(MINE.upper())),)
    assert against(replace(FREE, links=links)) == set()


STAYS: dict[str, tuple[str, Spoil]] = {
    "shown by the record": (
        "red", lambda facts: replace(facts, record=replace(facts.record, groups=frozenset({RED})))
    ),
    "to be removed": (
        "red",
        lambda facts: directory(facts, steps=(Step(MAIN, Action.REMOVE, RED, Reason.LEFT),)),
    ),
    "seen before and not shown": (
        RED.id,
        lambda facts: directory(facts, refusals=(Refusal(MAIN, Cause.GROUPS_MISSED, RED.id),)),
    ),
    "local, left alone": (
        JIRA.name,
        lambda facts: local(
            facts,
            groups=(KnownGroup(JIRA),),
            refusals=(Refusal(ORGANIZATION, Cause.PARKED, JIRA.id),),
        ),
    ),
    "pushed, as the organization shows it": (
        "red",
        lambda facts: local(
            replace(facts, pushed=frozenset({"red"})),
            groups=(KnownGroup(replace(JIRA, name="red", synced=True)),),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STAYS)
def test_a_group_that_stays_is_named(case: str) -> None:
    name, spoil = STAYS[case]
    assert staying(spoil(FREE)) == (name,)
    assert against(spoil(FREE)) == set()


def test_groups_no_rule_names_are_no_business_of_ours() -> None:
    assert staying(local(FREE, groups=(KnownGroup(JIRA),))) == ()
