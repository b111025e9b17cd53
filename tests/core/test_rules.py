"""What a rule for local groups means for one group and one person. Design 3.2, 3.4."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hooks.core.asks import Ask, Asking, AskOktaGroup
from hooks.core.membership import OrganizationGroup
from hooks.core.policy import Rule
from hooks.core.reading import MISSING, Answer, OktaGroup, Reading, Unread, Why
from hooks.core.rules import resolved, rules_for, satisfied
from tests.core.worlds import (
    APP,
    DOWN,
    FORBIDDEN,
    PERSON,
    PRESENT,
    app_id,
    beside,
    local,
    okta_group,
    organized,
    reading,
    rule,
    rule_by_id,
    source,
)

#: She is in the group behind ``team-1``, and not in the one behind ``team-2``.
IN, NOT_IN = source(1), source(2)


# -- which rules name a group ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "group", "names"),
    [
        pytest.param(rule("local-1"), local(1), True, id="by name"),
        pytest.param(rule("local-1"), local(2), False, id="another name"),
        pytest.param(rule("LOCAL-*"), local(1), True, id="by glob, in any case"),
        pytest.param(rule("local-[12]"), local(2, "Local-2"), True, id="the name in any case"),
        pytest.param(rule("ocal-1"), local(1), False, id="never a part of the name"),
        pytest.param(rule("*"), local(1, ""), True, id="a group without a name"),
        pytest.param(rule_by_id(1), local(1, "renamed"), True, id="by id, whatever its name"),
        pytest.param(rule_by_id(1), local(2, "local-1"), False, id="by id, never by name"),
        pytest.param(
            rule_by_id(1), local(2, str(local(1).id)), False, id="called like another one's id"
        ),
    ],
)
def test_a_rule_names_groups_by_glob_or_by_id(
    one: Rule, group: OrganizationGroup, *, names: bool
) -> None:
    assert rules_for(organized(one), group.id, group.name) == ((one,) if names else ())


def test_the_name_is_the_one_asked_about() -> None:
    """That it had before, or has now."""
    renamed = local(1, "after")
    assert rules_for(organized(rule("before")), renamed.id, "before")
    assert not rules_for(organized(rule("before")), renamed.id, "after")


def test_rules_without_a_condition_are_left_out_when_another_has_one() -> None:
    silent, by_id = rule("local-*"), rule_by_id(1)
    one, other = rule("local-1", IN), rule("*", NOT_IN)
    assert rules_for(organized(silent, by_id), local(1).id, "local-1") == (silent, by_id)
    assert rules_for(organized(silent, one, by_id, other), local(1).id, "local-1") == (one, other)
    assert rules_for(organized(silent, one), local(2).id, "local-2") == (silent,)


def test_a_rule_all_of_whose_groups_are_lost_still_has_a_condition() -> None:
    lost = rule("local-1", unresolved=("gone",))
    assert rules_for(organized(rule("*"), lost), local(1).id, "local-1") == (lost,)


# -- whether a condition holds -----------------------------------------------------------------


def test_any_of_the_groups_satisfies() -> None:
    seen = reading(PRESENT)
    assert satisfied(seen, rule("x", NOT_IN)) == []
    assert satisfied(seen, rule("x", NOT_IN, IN)) == [IN]
    assert satisfied(seen, rule("x", IN, unresolved=("gone",))) == [IN]
    assert satisfied(seen, rule("x")) == []


def test_groups_that_were_not_read_satisfy_nothing() -> None:
    assert satisfied(reading(replace(PRESENT, member_of=DOWN)), rule("x", IN)) == []


@pytest.mark.parametrize(
    ("kind", "app", "counts"),
    [
        pytest.param("OKTA_GROUP", None, True, id="Okta's own"),
        pytest.param("BUILT_IN", None, True, id="Everyone"),
        pytest.param("APP_GROUP", app_id(9), True, id="of an app that is not ours"),
        pytest.param("APP_GROUP", APP, False, id="of our app"),
        pytest.param("APP_GROUP", app_id(2), False, id="of our other app"),
        pytest.param("APP_GROUP", None, False, id="of an app nobody tells"),
    ],
)
def test_a_group_that_comes_from_a_configured_app_never_counts(
    kind: str, app: str | None, *, counts: bool
) -> None:
    """It is what Atlassian said, and would justify itself."""
    group = OktaGroup(IN, "any", kind, app_id(int(app[3:])) if app else None)
    seen = replace(reading(PRESENT, beside()), okta_groups=frozenset({group}))
    assert satisfied(seen, rule("x", IN)) == ([IN] if counts else [])
    told = replace(seen, answers={AskOktaGroup(IN, fresh=True): group})
    assert resolved(told, rule("x", IN)) is counts


# -- whether a condition can be told -----------------------------------------------------------


def told(*answers: Answer) -> Reading:
    """Groups 1, 2 and so on, each as answered in this look."""
    said: dict[Ask, Answer] = {
        AskOktaGroup(source(number), fresh=True): each for number, each in enumerate(answers, 1)
    }
    return reading(PRESENT, answers=said)


ONE, TWO = OktaGroup(source(1), "one"), OktaGroup(source(2), "two")
BOTH = rule("x", source(1), source(2))


def test_a_rule_without_a_condition_is_always_told() -> None:
    assert resolved(reading(PRESENT), rule("x")) is True


def test_every_group_is_asked_for_in_this_look() -> None:
    asked = {AskOktaGroup(source(1), fresh=True), AskOktaGroup(source(2), fresh=True)}
    assert resolved(reading(PRESENT), BOTH) == Asking(frozenset(asked))
    older = reading(PRESENT, answers={AskOktaGroup(source(1)): ONE, AskOktaGroup(source(2)): TWO})
    assert resolved(older, BOTH) == Asking(frozenset(asked)), "an older answer counts for nothing"
    second = frozenset({AskOktaGroup(source(2), fresh=True)})
    assert resolved(told(ONE), BOTH) == Asking(second)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param((ONE, TWO), True, id="all there"),
        pytest.param((ONE, MISSING), False, id="one is gone"),
        pytest.param((ONE, DOWN), DOWN, id="one was not read"),
        pytest.param((FORBIDDEN, TWO), FORBIDDEN, id="one may not be read"),
        pytest.param((MISSING, DOWN), False, id="gone, and another not read"),
        pytest.param((ONE, PERSON), Unread(Why.INCOMPLETE), id="an answer to something else"),
    ],
)
def test_a_condition_counts_only_if_all_its_groups_are_there(
    answers: tuple[Answer, ...], *, expected: bool | Unread
) -> None:
    assert resolved(told(*answers), BOTH) == expected


def test_a_name_that_leads_to_no_group_is_never_told() -> None:
    lost = rule("x", source(1), unresolved=("gone",))
    assert resolved(told(ONE), lost) is False
    assert resolved(reading(PRESENT), lost) is False, "and nothing is asked for it"
    assert resolved(reading(PRESENT), rule("x", okta_group(7))) == Asking(
        frozenset({AskOktaGroup(okta_group(7), fresh=True)})
    )
