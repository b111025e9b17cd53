"""One membership kept in the organization: taken, spared, given back. Design 3.3 to 3.5."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hooks.core.asks import AskOktaGroup, AskRecordById
from hooks.core.membership import Standing
from hooks.core.memory import Claim, Claimed
from hooks.core.policy import Suspended
from hooks.core.reading import MISSING, Missing, ScimLink, Successor, Unread
from hooks.core.refusal import Cause
from tests.core.worlds import (
    BESIDE,
    BOB,
    BOBS,
    DOWN,
    FORBIDDEN,
    LEAVER,
    NOW,
    PERSON,
    PRESENT,
    RECORD,
    SUSPENDED,
    UNASSIGNED,
    World,
    app_id,
    beside,
    changes,
    known,
    local,
    local_causes,
    local_changes,
    local_plan,
    look,
    organized,
    record,
    rule,
    rule_by_id,
    scim_user,
    source,
    stranger,
    there,
)

ONE = organized(rule("local-1"))
#: ``local-1``, while she is in the Okta group behind ``team-2``, which she is not.
WHILE_TEAM_2 = organized(rule("local-1", source(2)))
LOST = ["-local-1"]
LEFT_BESIDE = beside(LEAVER)


def test_who_left_loses_the_groups_a_rule_names_and_no_other() -> None:
    plan = look(LEAVER, policy=ONE)
    assert (local_changes(plan), local_causes(plan)) == (LOST, set())


def test_a_present_person_keeps_what_is_named_without_a_condition() -> None:
    assert local_changes(look(PRESENT, policy=ONE)) == []


# -- somebody else holds the account -----------------------------------------------------------


def test_two_accounts_leave_the_groups_of_both_alone() -> None:
    other = replace(LEFT_BESIDE, records=(record(number=2, account=BOBS),))
    plan = look(LEAVER, other, policy=ONE)
    assert (local_changes(plan), local_causes(plan)) == ([], {Cause.ACCOUNT_SEVERAL})


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(
            replace(LEFT_BESIDE, records=(record(number=2, external_id=BOB),)),
            id="the record there is another's now",
        ),
        pytest.param(
            replace(LEFT_BESIDE, records=(record(number=2), record(number=3))),
            id="several records there",
        ),
    ],
)
def test_a_record_that_cannot_be_told_in_one_directory_leaves_local_groups_alone(
    other: World,
) -> None:
    """The account may be held by whoever was hired again: a successor wins. Design 3.1."""
    assert local_changes(look(LEAVER, other, policy=ONE)) == []


def test_an_unread_record_in_one_directory_leaves_local_groups_alone() -> None:
    """It may name another account, or be another's: read, nothing would go."""
    first = replace(LEAVER, says={AskRecordById(BESIDE, scim_user(2)): DOWN})
    assert local_changes(look(first, LEFT_BESIDE, policy=ONE)) == []


HIRED_AGAIN = stranger(replace(LEFT_BESIDE, records=()))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(HIRED_AGAIN, id="she was never there"),
        pytest.param(replace(LEFT_BESIDE, records=()), id="her record there is gone"),
    ],
)
def test_a_successor_in_a_directory_without_a_record_of_hers_keeps_the_account(
    other: World,
) -> None:
    """Hired again under another Okta id, assigned to the other app, with the same account."""
    succeeded = replace(other, successors=(Successor(BOB),))
    assert local_changes(look(LEAVER, succeeded, policy=ONE)) == []


def test_a_link_with_a_record_in_a_managed_directory_that_is_not_hers_keeps_the_account() -> None:
    links = (
        ScimLink(LEAVER.scim_directory, RECORD),
        ScimLink(HIRED_AGAIN.scim_directory, scim_user(9)),
    )
    plan = look(replace(LEAVER, scim_links=links), HIRED_AGAIN, policy=ONE)
    assert (local_changes(plan), local_causes(plan)) == ([], {Cause.LINKED_ELSEWHERE})


# -- an event says otherwise -------------------------------------------------------------------


def test_an_assignment_elsewhere_that_is_not_shown_yet_withholds_local_removals() -> None:
    """Moved from one app to the other, and Okta's read of the second lags behind its event."""
    said = Claimed("u", Claim.ASSIGNED, app_id(2), NOW - timedelta(seconds=3), NOW)
    lagging = stranger(beside(UNASSIGNED, records=()))
    plan = look(replace(UNASSIGNED, claims=(said,)), lagging, policy=ONE)
    assert (local_changes(plan), local_causes(plan)) == ([], {Cause.CONTRADICTED})


# -- who is protected --------------------------------------------------------------------------


def test_an_administrator_who_is_suspended_and_kept_loses_nothing() -> None:
    """Suspended with ``keep`` is treated as present, and the assignment is in force."""
    admin = replace(PERSON, roles=frozenset({"org-admin"}))
    plan = look(replace(SUSPENDED, account=admin), policy=WHILE_TEAM_2)
    assert local_plan(plan).standing is Standing.SUSPENDED
    assert changes(plan) == []


def test_a_group_protected_under_the_name_it_had_before_stays_protected() -> None:
    renamed = there(LEAVER, known(local(1), was=("finance", False)))
    policy = organized(rule_by_id(1), protected_groups=("finance",))
    assert local_changes(look(renamed, policy=policy)) == []


# -- a rule that cannot be told ----------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(MISSING, id="404"),
        *(
            pytest.param(
                each,
                id=each.why,
            )
            for each in (DOWN, FORBIDDEN)
        ),
    ],
)
@pytest.mark.parametrize(
    "world",
    [
        pytest.param(LEAVER, id="left"),
        pytest.param(UNASSIGNED, id="unassigned"),
        pytest.param(SUSPENDED, id="suspended, to be stripped"),
    ],
)
def test_a_rule_whose_condition_is_gone_or_unread_removes_nothing_from_the_absent(
    world: World, answer: Missing | Unread
) -> None:
    """A rule whose group is missing removes nothing; not knowing which must not remove more."""
    policy = replace(WHILE_TEAM_2, suspended=Suspended.STRIP)
    plan = look(replace(world, says={AskOktaGroup(source(2)): answer}), policy=policy)
    assert local_changes(plan) == []
