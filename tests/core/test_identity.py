"""Which SCIM record is hers. Design 3.1."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hooks.core.asks import Ask, AskLog, AskRecordById, AskRecordsByExternalId, AskRecordsByUserName
from hooks.core.identity import How
from hooks.core.membership import Standing
from hooks.core.memory import Memory
from hooks.core.reading import MISSING, Answer, ScimRecord, Unread, Why
from hooks.core.refusal import Cause
from tests.core.worlds import (
    ANN,
    ASSIGNED,
    BOB,
    DOWN,
    FORBIDDEN,
    LEAVER,
    LOGIN,
    MAIN,
    NOW,
    PRESENT,
    RECORD,
    UNASSIGNED,
    World,
    causes,
    changes,
    group,
    logged,
    look,
    look_closely,
    record,
    refusal,
    scim_user,
    stranger,
)

BOTH = (group(1), group(2))
HERS = record(*BOTH)
NOBODYS = record(*BOTH, external_id=None)
BOBS = record(*BOTH, external_id=BOB)
SECOND = record(*BOTH, number=2)
UNTIED = replace(ASSIGNED, external_id=None)
BY_ID = AskRecordById(MAIN, RECORD)
BY_EXTERNAL_ID = AskRecordsByExternalId(MAIN)
BY_USER_NAME = AskRecordsByUserName(MAIN, LOGIN)
LOGGED = logged(assigned=NOW)


def saying(world: World, ask: Ask, answer: Answer) -> World:
    return replace(world, says={**world.says, ask: answer})


def holding(world: World, *records: ScimRecord) -> World:
    return replace(world, records=records)


@pytest.mark.parametrize(
    ("world", "how"),
    [
        pytest.param(PRESENT, How.APP_USER, id="all ties agree"),
        pytest.param(
            stranger(holding(PRESENT, NOBODYS)), How.APP_USER, id="the AppUser's externalId alone"
        ),
        pytest.param(
            replace(holding(PRESENT, NOBODYS), app_user=UNTIED), How.LINK, id="our link alone"
        ),
        pytest.param(
            stranger(replace(PRESENT, app_user=UNTIED)),
            How.EXTERNAL_ID,
            id="the record's own externalId alone",
        ),
        pytest.param(
            stranger(replace(holding(PRESENT, NOBODYS), app_user=UNTIED, log=LOGGED)),
            How.LOG,
            id="an assignment in the log and one record of that userName",
        ),
        pytest.param(
            holding(PRESENT, record(*BOTH, external_id="EMPLOYEE-7")),
            How.APP_USER,
            id="an externalId that is no Okta id says nothing",
        ),
        pytest.param(
            holding(PRESENT, record(*BOTH, external_id="EMPLOYEE000000000007")),
            How.APP_USER,
            id="an externalId that is no Okta user's says nothing",
        ),
        pytest.param(
            replace(holding(PRESENT, SECOND), app_user=replace(ASSIGNED, external_id=scim_user(2))),
            How.APP_USER,
            id="the remembered record is gone and Okta names a new one",
        ),
    ],
)
def test_a_tie_leads_to_the_record(world: World, how: How) -> None:
    plan = look(world)
    (directory,) = plan.directories
    assert directory.record
    assert directory.record.how is how
    assert changes(plan) == ["-team-2"]


@pytest.mark.parametrize(
    ("world", "cause"),
    [
        pytest.param(holding(PRESENT), Cause.RECORD_GONE, id="the known record is gone"),
        pytest.param(
            holding(UNASSIGNED), Cause.RECORD_GONE, id="of somebody unassigned, and known"
        ),
        pytest.param(
            replace(holding(PRESENT), app_user=UNTIED, log=LOGGED),
            Cause.RECORD_GONE,
            id="the record we linked is gone",
        ),
        pytest.param(
            stranger(replace(holding(PRESENT), app_user=UNTIED)), Cause.RECORD_NONE, id="no tie"
        ),
        pytest.param(
            stranger(replace(holding(PRESENT, NOBODYS), app_user=UNTIED)),
            Cause.RECORD_NONE,
            id="a userName without an assignment in the log",
        ),
        pytest.param(
            stranger(replace(holding(PRESENT), app_user=UNTIED, log=LOGGED)),
            Cause.RECORD_NONE,
            id="an assignment in the log without a record of that userName",
        ),
        pytest.param(
            stranger(
                replace(
                    holding(PRESENT, NOBODYS, record(number=2, external_id=None)),
                    app_user=UNTIED,
                    log=LOGGED,
                )
            ),
            Cause.RECORD_SEVERAL,
            id="two records of that userName",
        ),
        pytest.param(
            stranger(replace(holding(PRESENT, BOBS), app_user=UNTIED, log=LOGGED)),
            Cause.RECORD_TAKEN,
            id="the record of that userName is another's",
        ),
        pytest.param(
            stranger(replace(PRESENT, app_user=UNTIED, log=LOGGED, records=())),
            Cause.RECORD_NONE,
            id="no record at all",
        ),
        pytest.param(
            holding(PRESENT, HERS, SECOND), Cause.RECORD_SEVERAL, id="two with her externalId"
        ),
        pytest.param(
            holding(
                replace(PRESENT, app_user=replace(ASSIGNED, external_id=scim_user(2))),
                HERS,
                replace(SECOND, external_id=None),
            ),
            Cause.RECORD_SEVERAL,
            id="Okta names one, the link another",
        ),
        pytest.param(
            holding(PRESENT, BOBS), Cause.RECORD_TAKEN, id="her record is another's by externalId"
        ),
        pytest.param(saying(PRESENT, BY_ID, DOWN), Cause.RECORD_UNREAD, id="by id unread"),
        pytest.param(
            saying(PRESENT, BY_EXTERNAL_ID, FORBIDDEN), Cause.RECORD_UNREAD, id="search unread"
        ),
        pytest.param(
            stranger(replace(saying(holding(PRESENT), AskLog(), DOWN), app_user=UNTIED)),
            Cause.HISTORY_UNREAD,
            id="the log unread",
        ),
        pytest.param(
            stranger(
                replace(saying(holding(PRESENT), BY_USER_NAME, DOWN), app_user=UNTIED, log=LOGGED)
            ),
            Cause.RECORD_UNREAD,
            id="by userName unread",
        ),
        pytest.param(
            saying(PRESENT, BY_EXTERNAL_ID, (BOBS, SECOND)),
            Cause.RECORD_UNREAD,
            id="a filter that let another's record through",
        ),
        pytest.param(
            stranger(replace(saying(PRESENT, BY_EXTERNAL_ID, (BOBS,)), app_user=UNTIED)),
            Cause.RECORD_UNREAD,
            id="a filter that found only another's record",
        ),
    ],
)
def test_without_exactly_one_record_of_hers_nothing_is_touched(world: World, cause: Cause) -> None:
    plan = look(world)
    assert refusal(plan).cause is cause
    assert refusal(plan).group is None
    assert not changes(plan)


def test_the_other_of_a_taken_record_is_looked_at() -> None:
    assert look(holding(LEAVER, BOBS)).others == {BOB}


def test_a_vendors_failure_is_tried_again_and_the_rest_is_not() -> None:
    assert refusal(look(saying(PRESENT, BY_ID, DOWN))).retry
    assert not refusal(look(saying(PRESENT, BY_ID, FORBIDDEN))).retry
    assert not refusal(look(holding(PRESENT))).retry


def test_a_known_person_costs_no_question_to_the_log() -> None:
    for world in (PRESENT, LEAVER, UNASSIGNED):
        assert AskLog() not in look_closely(world)[1].answers


def test_the_record_and_the_link_are_told_for_the_census() -> None:
    (directory,) = look(PRESENT).directories
    assert directory.record
    assert (directory.record.id, directory.user_name) == (RECORD, LOGIN)
    assert directory.record.groups == {group(1).id, group(2).id}
    assert directory.in_force


def test_a_record_without_groups_attribute_is_no_empty_record() -> None:
    plan = look(holding(PRESENT, replace(HERS, groups=None)))
    assert causes(plan) == {Cause.MEMBERSHIPS_UNREAD}
    assert not changes(plan)


# -- faults ------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", [None, "EMPLOYEE-7", "", ANN.upper()])
def test_a_record_found_by_externalid_must_have_it(owner: str | None) -> None:
    """The filter trap: a server that ignores the filter answers with whoever comes first."""
    someone = record(*BOTH, number=7, external_id=owner)
    world = stranger(saying(holding(UNASSIGNED), BY_EXTERNAL_ID, (someone,)))
    assert not changes(look(world))


def test_a_record_found_by_username_must_have_it() -> None:
    someone = replace(record(*BOTH, number=7, external_id=None), user_name="eve@example.com")
    world = replace(stranger(LEAVER), app_user=MISSING, log=LOGGED, records=())
    world = saying(world, BY_USER_NAME, (someone,))
    assert not changes(look(replace(world, memory=Memory(user_name=LOGIN))))


def test_a_list_that_answers_404_is_no_empty_list() -> None:
    """With the list of 200 there are two records of hers, and nothing is touched."""
    two = holding(PRESENT, replace(HERS, external_id=None), SECOND)
    assert not changes(look(two))
    assert not changes(look(saying(two, BY_EXTERNAL_ID, MISSING)))


def test_a_record_okta_names_that_is_gone_is_a_refusal() -> None:
    """Design 3.1: a record gone is a refusal, although our older link leads somewhere."""
    renamed = replace(LEAVER, app_user=replace(ASSIGNED, external_id=scim_user(5)))
    assert causes(look(renamed)) == {Cause.RECORD_GONE}


@pytest.mark.parametrize("why", [DOWN, FORBIDDEN])
def test_nobody_is_outside_while_her_record_could_not_be_read(why: Answer) -> None:
    plan = look(stranger(saying(UNASSIGNED, BY_EXTERNAL_ID, why)))
    assert causes(plan) == {Cause.RECORD_UNREAD}


def test_a_directory_that_is_not_there_is_named_and_no_record_is_gone() -> None:
    for name in (BY_ID, BY_EXTERNAL_ID):
        plan = look(saying(UNASSIGNED, name, Unread(Why.NOWHERE)))
        assert causes(plan) == {Cause.DIRECTORY_UNKNOWN}
        assert all(refusal.retry for refusal in plan.refusals)


def test_nobody_is_outside_while_several_records_are_hers() -> None:
    plan = look(stranger(holding(UNASSIGNED, HERS, SECOND)))
    assert causes(plan) == {Cause.RECORD_SEVERAL}


def test_an_absent_person_with_an_assignment_and_no_record_is_shown() -> None:
    """Zero records is a refusal (design 3.1): her userName may be another than her login."""
    plan = look(stranger(replace(holding(UNASSIGNED), log=LOGGED)))
    assert causes(plan) == {Cause.RECORD_NONE}


def test_who_was_outside_and_is_assigned_now_is_linked_by_the_log() -> None:
    world = stranger(replace(holding(PRESENT, NOBODYS), app_user=UNTIED, log=LOGGED))
    assert changes(look(replace(world, memory=Memory(standing=Standing.OUTSIDE)))) == ["-team-2"]
