"""What alarms are called and say, and what is told of one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.alarm import (
    BURST,
    BURST_WITHIN,
    WAY_OUT,
    WORDS,
    Kind,
    Phase,
    burst,
    kind_of,
    name,
    public,
    telling,
)
from hooks.core.ids import DirectoryName, ScimGroupId
from hooks.core.membership import ORGANIZATION, Action, Group, Via
from hooks.core.plan import Reason, Step

UUID = "cc417e7c-d741-4609-964a-e90979585e69"
#: What a rule may be called in hooks.toml, and the id of a group.
RULES = (UUID, "jira-*", "a/b*", "ann@example.com", "")


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_meaning_and_a_way_out(kind: Kind) -> None:
    assert kind_of(kind) is kind
    assert re.fullmatch(r"[A-Z].*\.", WORDS[kind])
    assert WAY_OUT[kind].endswith(".")


@pytest.mark.parametrize(
    ("alarm", "kind"),
    [
        ("breaker scim main", Kind.BREAKER),
        ("admin_left", Kind.ADMIN_LEFT),
        ("admin_left_again", None),
        ("something later releases know", None),
        ("", None),
    ],
)
def test_the_kind_is_the_first_word(alarm: str, kind: Kind | None) -> None:
    assert kind_of(alarm) is kind


@pytest.mark.parametrize("reason", Reason)
def test_no_class_of_removals_tells_more_than_its_place_and_reason(reason: Reason) -> None:
    main, group = DirectoryName("main"), Group(ScimGroupId(UUID), "red")
    for where, via, rule in product((main, ORGANIZATION), Via, RULES):
        step = Step(where, Action.REMOVE, group, reason, via=via, rule=rule, by=main)
        told = public(name(Kind.HELD, step.brake_class))
        assert re.fullmatch(rf"held (main|organization)/{reason}", told)


@pytest.mark.parametrize("alarm", ["breaker scim main", "dead attempts", "paused", "later a/b/c"])
def test_other_names_are_told_whole(alarm: str) -> None:
    assert public(alarm) == alarm


@pytest.mark.parametrize(
    ("told", "alive", "then"),
    [
        ("", True, Phase.BEGUN),
        ("begun", True, Phase.LASTING),
        ("begun", False, Phase.OVER),
        pytest.param("", False, Phase.OVER, id="over before anybody could be told"),
        ("over", False, None),
        ("over", True, None),
    ],
)
def test_what_is_told_next(told: str, then: Phase | None, *, alive: bool) -> None:
    assert telling(told, alive=alive) is then


AT = datetime(2026, 11, 26, tzinfo=UTC)
pushes = st.lists(st.tuples(st.integers(0, 3000), st.sampled_from("abcdefgh")), max_size=40)


@given(pushes)
def test_a_burst_is_enough_people_within_its_time(pushed: list[tuple[int, str]]) -> None:
    told = sorted((AT + timedelta(seconds=seconds), user) for seconds, user in pushed)
    together = [
        {user for at, user in told if begin <= at <= begin + BURST_WITHIN} for begin, _ in told
    ]
    expected = {user for people in together if len(people) >= BURST for user in people}
    assert burst(told) == expected
