"""What a name that is taken means for a push, and what a push overwrites."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.conflict import Conflict, Here, Verdict, overwrite
from hooks.core.ids import (
    DirectoryName,
    OktaGroupId,
    OrganizationDirectoryId,
    OrganizationGroupId,
    PushMappingId,
    ScimGroupId,
)
from hooks.core.membership import Grant, Group, OrganizationGroup
from hooks.core.reading import OktaGroup, PushMapping

OKTA = OktaGroup(OktaGroupId("00g" + "A" * 17), "red")
TARGET = OktaGroupId("00g" + "B" * 17)
SCIM = Group(ScimGroupId("b2d83e79-3f5a-4a3e-8c1e-0b7a2f9d6c11"), "red")
JIRA = Grant("jira", "ari:cloud:jira::site/1", ("atlassian/user",))


def here(*grants: Grant, synced: bool = False) -> Here:
    group = OrganizationGroup(
        OrganizationGroupId("276f955c-63d7-42c8-9520-92d01dca0625"),
        "red",
        OrganizationDirectoryId("d1"),
        synced=synced,
        modifiable=not synced,
    )
    return Here(group, frozenset(grants))


def mapped(status: str) -> tuple[PushMapping, ...]:
    return (PushMapping(PushMappingId("gPm" + "A" * 17), OKTA.id, TARGET, status),)


CASES: dict[str, tuple[Verdict, dict[str, Any]]] = {
    "nobody has it": (Verdict.FREE, {}),
    "pushed": (Verdict.PUSHED, {"scim": SCIM, "mappings": mapped("ACTIVE")}),
    "pushed, as the organization shows it": (
        Verdict.PUSHED,
        {"scim": SCIM, "mappings": mapped("ACTIVE"), "here": (here(JIRA, synced=True),)},
    ),
    "failed": (Verdict.FAILED, {"mappings": mapped("ERROR")}),
    "failed, and the directory has it": (
        Verdict.LINKABLE, {"scim": SCIM, "mappings": mapped("ERROR")}
    ),
    "made over SCIM by hand": (Verdict.LINKABLE, {"scim": SCIM}),
    "pushed no more": (Verdict.LINKABLE, {"scim": SCIM, "mappings": mapped("INACTIVE")}),
    "made in Atlassian": (Verdict.TAKEN, {"here": (here(),)}),
    "made in Atlassian, and pushed in vain": (
        Verdict.TAKEN, {"here": (here(),), "scim": SCIM, "mappings": mapped("ACTIVE")}
    ),
    "gives apps": (Verdict.DEFAULT, {"here": (here(JIRA),)}),
    "of two one gives apps": (Verdict.DEFAULT, {"here": (here(), here(JIRA))}),
    "synced by another": (Verdict.ELSEWHERE, {"here": (here(synced=True),)}),
    "Atlassian's own": (Verdict.NEVER, {"name": "Org-Admins", "here": (here(JIRA),)}),
    "Atlassian's own by pattern": (Verdict.NEVER, {"name": "atlassian-addons-admin"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_a_push_meets(case: str) -> None:
    verdict, more = CASES[case]
    found = Conflict(OKTA, DirectoryName("main"), **{"name": "red"} | more)
    assert found.verdict is verdict
    assert found.overwrites is (verdict in (Verdict.LINKABLE, Verdict.TAKEN, Verdict.DEFAULT))


def test_a_group_made_twice_never_reached_the_site() -> None:
    main = DirectoryName("main")
    assert Conflict(OKTA, main, "red", scim=SCIM, here=(here(JIRA),)).unsynced
    assert not Conflict(OKTA, main, "red", scim=SCIM, here=(here(JIRA, synced=True),)).unsynced
    assert not Conflict(OKTA, main, "red", here=(here(JIRA),)).unsynced


PEOPLE = st.frozensets(st.sampled_from("abcdefgh"))


@given(PEOPLE, PEOPLE)
def test_after_the_overwrite_exactly_oktas_are_in_it(
    wanted: frozenset[str], there: frozenset[str]
) -> None:
    change = overwrite(wanted, there, skipped=3)
    assert (there - change.lost) | change.added == wanted
    assert change.added.isdisjoint(there)
    assert change.lost <= there
    assert change.kept == len(wanted & there)
    assert change.skipped == 3
