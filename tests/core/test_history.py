"""What a run of log lines proves: in which times no assignment gave access. Design 3.3."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooks.core.history import Absence, LogFacts, Logged, Moment, absences
from hooks.core.ids import OktaAppId
from tests.core.worlds import APP, NOW, app_id

OTHER = app_id(2)
ONE, BOTH = frozenset({APP}), frozenset({APP, OTHER})
TAKING = (Logged.DEACTIVATED, Logged.UNASSIGNED)

Line = tuple[int, str] | tuple[int, str, OktaAppId]


def at(minute: int) -> datetime:
    return NOW + timedelta(minutes=minute)


def facts(*lines: Line) -> LogFacts:
    """Lines by minute and word; about the first app, if about one and not told."""
    found = []
    for minute, word, *apps in lines:
        what = Logged(word)
        about = APP if what in (Logged.ASSIGNED, Logged.UNASSIGNED) else None
        found.append(Moment(at(minute), what, apps[0] if apps else about))
    return LogFacts.of(found)


def away(began: int, ended: int | None, *, left: int | None = None) -> Absence:
    return Absence(
        at(began), None if ended is None else at(ended), None if left is None else at(left)
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([], [], id="nothing is said"),
        pytest.param([(0, "assigned")], [], id="assigned for the first time"),
        pytest.param([(0, "activated")], [], id="activated for the first time"),
        pytest.param([(0, "unassigned"), (5, "assigned")], [away(0, 5)], id="there and back"),
        pytest.param([(0, "unassigned")], [away(0, None)], id="no end is shown"),
        pytest.param(
            [(0, "deactivated"), (5, "activated")], [away(0, 5, left=0)], id="deactivated"
        ),
        pytest.param(
            [(0, "unassigned"), (1, "deactivated"), (5, "activated"), (6, "assigned")],
            [away(0, 6, left=1)],
            id="a deactivation inside",
        ),
        pytest.param(
            [(0, "deactivated"), (1, "unassigned"), (5, "activated"), (6, "assigned")],
            [away(0, 6, left=0)],
            id="a deactivation takes the assignment with it",
        ),
        pytest.param(
            [(0, "deactivated"), (1, "unassigned"), (5, "activated")],
            [away(0, None, left=0)],
            id="active again, not assigned yet",
        ),
        pytest.param(
            [(0, "unassigned"), (5, "assigned"), (7, "unassigned"), (9, "assigned")],
            [away(0, 5), away(7, 9)],
            id="twice",
        ),
        pytest.param(
            [(0, "deactivated"), (5, "activated"), (7, "unassigned"), (9, "assigned")],
            [away(0, 5, left=0), away(7, 9)],
            id="the second has no deactivation inside",
        ),
        pytest.param(
            [(0, "unassigned"), (1, "unassigned"), (5, "assigned"), (6, "assigned")],
            [away(0, 5)],
            id="said twice",
        ),
        pytest.param(
            [(0, "assigned"), (5, "unassigned"), (9, "assigned")],
            [away(5, 9)],
            id="away only once there",
        ),
        pytest.param(
            [(0, "deactivated"), (3, "activated"), (5, "assigned")],
            [],
            id="deactivated before ever assigned",
        ),
        pytest.param(
            [(0, "deactivated"), (3, "assigned")], [], id="assigned while deactivated, never there"
        ),
        pytest.param(
            [(5, "unassigned"), (5, "assigned")], [away(5, 5)], id="the taking came first"
        ),
        pytest.param(
            [(0, "unassigned"), (5, "assigned"), (5, "unassigned")],
            [away(0, 5)],
            id="taken and given in the instant of a return",
        ),
    ],
)
def test_absences_from_one_app(lines: list[Line], expected: list[Absence]) -> None:
    assert absences(facts(*lines), ONE) == tuple(expected)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([(0, "unassigned")], [], id="still in the app the log is silent about"),
        pytest.param(
            [(0, "deactivated"), (5, "activated")],
            [away(0, 5, left=0)],
            id="a deactivation takes every app",
        ),
        pytest.param(
            [(0, "unassigned"), (3, "unassigned", OTHER), (5, "assigned")],
            [away(3, 5)],
            id="away while in neither",
        ),
        pytest.param(
            [(0, "unassigned"), (3, "assigned", OTHER)], [away(0, 3)], id="moved with a gap"
        ),
        pytest.param(
            [(3, "assigned", OTHER), (5, "unassigned")], [], id="moved, and in both for a time"
        ),
        pytest.param(
            [(3, "unassigned"), (3, "assigned", OTHER)],
            [away(3, 3)],
            id="moved in one instant: an absence without length",
        ),
        pytest.param(
            [(0, "assigned"), (1, "unassigned"), (3, "assigned", OTHER), (8, "unassigned", OTHER)],
            [away(1, 3), away(8, None)],
            id="from one to the other and out",
        ),
        pytest.param(
            [(0, "unassigned"), (1, "unassigned", OTHER), (2, "deactivated"), (3, "activated"),
             (5, "assigned", OTHER), (6, "assigned")],
            [away(1, 5, left=2)],
            id="the first assignment ends it",
        ),
    ],
)  # fmt: skip
def test_absences_from_two_apps_together(lines: list[Line], expected: list[Absence]) -> None:
    assert absences(facts(*lines), BOTH) == tuple(expected)


def test_an_app_that_is_not_asked_about_says_nothing() -> None:
    lines = facts((0, "unassigned", OTHER), (5, "assigned", OTHER))
    assert absences(lines, ONE) == ()
    assert absences(lines, frozenset({OTHER})) == (away(0, 5),)


def test_without_an_app_nobody_was_ever_there() -> None:
    assert absences(facts((0, "deactivated"), (5, "activated")), frozenset()) == ()


def test_lines_are_told_once_and_oldest_first() -> None:
    early, late = Moment(at(0), Logged.DEACTIVATED), Moment(at(5), Logged.ACTIVATED)
    twice = LogFacts((late, early)) | LogFacts.of([early])
    assert twice.moments == (early, late)
    assert (twice.deactivated, twice.activated) == (at(0), at(5))
    assert LogFacts().deactivated is None
    assert facts((0, "assigned"), (1, "unassigned", OTHER)).assignments == BOTH


moments = st.one_of(
    st.builds(
        Moment,
        st.integers(0, 9).map(at),
        st.sampled_from([Logged.DEACTIVATED, Logged.ACTIVATED]),
    ),
    st.builds(
        Moment,
        st.integers(0, 9).map(at),
        st.sampled_from([Logged.ASSIGNED, Logged.UNASSIGNED]),
        st.sampled_from([APP, OTHER]),
    ),
)
logs = st.lists(moments, max_size=10).map(LogFacts.of)
apps = st.sampled_from([ONE, frozenset({OTHER}), BOTH])
FEW = settings(max_examples=200)


@FEW
@given(logs, apps)
def test_absences_are_apart_in_order_and_begin_with_a_line_that_takes(
    log: LogFacts, asked: frozenset[OktaAppId]
) -> None:
    found = absences(log, asked)
    mine = [each for each in log.moments if each.app is None or each.app in asked]
    taken = {each.at for each in mine if each.what in TAKING}
    given_back = {each.at for each in mine if each.what not in TAKING}
    assert {each.began for each in found} <= taken
    assert {each.ended for each in found if each.ended} <= given_back
    for before, after in pairwise(found):
        assert before.ended
        assert before.began <= before.ended < after.began
    deactivated = [each.at for each in mine if each.what is Logged.DEACTIVATED]
    for each in found:
        inside = [at for at in deactivated if each.began <= at <= (each.ended or at)]
        assert each.left is None or each.left in inside


@FEW
@given(logs, apps)
def test_one_more_app_makes_no_absence_longer(log: LogFacts, asked: frozenset[OktaAppId]) -> None:
    """An app whose lines begin with an assignment says nothing about the time before it."""
    together = absences(log, BOTH)
    known = log.assignments >= BOTH
    ever = {each.app: each.what for each in reversed(log.moments) if each.app}
    if known and Logged.ASSIGNED not in ever.values():
        alone = absences(log, asked)
        for each in together:
            assert any(
                wide.began <= each.began
                and (wide.ended is None or (each.ended is not None and each.ended <= wide.ended))
                for wide in alone
            )


@FEW
@given(logs, logs, apps)
def test_in_which_order_lines_were_read_means_nothing(
    one: LogFacts, other: LogFacts, asked: frozenset[OktaAppId]
) -> None:
    assert absences(one | other, asked) == absences(other | one, asked)
    assert absences(one | one, asked) == absences(one, asked)
