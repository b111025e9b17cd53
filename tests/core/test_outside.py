"""Who lies outside the verified domains, and what is wrong with them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.identity import How
from hooks.core.ids import AccountId, DirectoryName, ScimGroupId, ScimUserId
from hooks.core.membership import Group, Standing
from hooks.core.outside import Lack, external, lack, suspect
from hooks.core.plan import DirectoryPlan, Record
from hooks.core.reading import ScimRecord
from hooks.core.refusal import Cause, Refusal

MAIN = DirectoryName("main")
RECORD = ScimUserId("247b915a-0000-4000-8000-000000000001")
ACCOUNT = AccountId("602bdf457b23f40068547c25")
IDS = tuple(ScimGroupId(f"0000000{n}-0000-4000-8000-000000000000") for n in range(4))
GROUPS = st.frozensets(st.sampled_from(IDS))
names = st.text("abcxyz-.", min_size=1, max_size=12)


@given(names, names, st.frozensets(names))
def test_an_address_lies_outside_unless_its_own_domain_is_verified(
    local: str, domain: str, verified: frozenset[str]
) -> None:
    assert external(f"{local}@{domain.upper()}", verified) is (domain not in verified)
    assert external(f"{local}@{domain}", verified | {domain}) is False


def test_a_subdomain_is_not_verified_by_its_parent() -> None:
    assert external("ann@eu.partner.example", {"partner.example"})


@given(names, st.frozensets(names))
def test_a_name_without_a_domain_says_nothing(name: str, verified: frozenset[str]) -> None:
    assert external(name, verified) is False


def plan(account: AccountId | None, groups: frozenset[ScimGroupId]) -> DirectoryPlan:
    record = Record(
        RECORD, How.EXTERNAL_ID, active=True, user_name="", groups=groups, account=account
    )
    return DirectoryPlan(MAIN, Standing.PRESENT, in_force=True, record=record)


@given(GROUPS, GROUPS, st.sampled_from((ACCOUNT, None)))
def test_the_lists_suspect_exactly_those_in_whom_a_look_finds_a_lack(
    there: frozenset[ScimGroupId], wanted: frozenset[ScimGroupId], account: AccountId | None
) -> None:
    record = ScimRecord(
        RECORD, "", account=account, groups=frozenset(Group(each, "") for each in there)
    )
    found = lack(plan(account, there), wanted)
    assert suspect(record, wanted) is (found is not None)
    if found is not None:
        assert found is (Lack.DROPPED if account else Lack.UNLINKED)


@given(GROUPS)
def test_what_the_lists_do_not_show_is_looked_at(wanted: frozenset[ScimGroupId]) -> None:
    assert suspect(None, wanted)
    assert suspect(ScimRecord(RECORD, "", account=ACCOUNT, groups=None), wanted)


@given(GROUPS, GROUPS)
def test_who_is_not_in_force_lacks_nothing(
    there: frozenset[ScimGroupId], wanted: frozenset[ScimGroupId]
) -> None:
    assert lack(replace(plan(None, there), in_force=False), wanted) is None


@pytest.mark.parametrize("cause", list(Cause))
def test_a_record_is_gone_only_where_that_was_read(cause: Cause) -> None:
    gone = DirectoryPlan(MAIN, Standing.PRESENT, refusals=(Refusal(MAIN, cause),), in_force=True)
    expected = Lack.GONE if cause in (Cause.RECORD_NONE, Cause.RECORD_GONE) else None
    assert lack(gone, frozenset()) is expected
