"""When to look next."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.attempt import (
    FIRST_WAIT,
    LONGEST_WAIT,
    MAX_ATTEMPTS,
    Came,
    DeadLetter,
    Idle,
    LookAgain,
    Next,
    Retry,
    after,
    backoff,
)
from tests.core.worlds import NOW

LOOK_AGAIN = (timedelta(seconds=30), timedelta(minutes=5))
MOST = 1 - 2**-53  # the largest jitter there is


def seconds(count: float) -> datetime:
    return NOW + timedelta(seconds=count)


def then(came: Came, *, at: datetime = NOW, attempt: int = 1, jitter: float = MOST) -> Next:
    return after(came, now=at, attempt=attempt, jitter=jitter, look_again=LOOK_AGAIN)


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        pytest.param(Came(), Idle(), id="nothing to do"),
        pytest.param(
            Came(restless=True), LookAgain(seconds(30), NOW), id="a plan that is looked at again"
        ),
        pytest.param(
            Came(base=seconds(-30)), LookAgain(seconds(270), seconds(-30)), id="the second look"
        ),
        pytest.param(Came(base=seconds(-300)), Idle(), id="both looks are over"),
        pytest.param(
            Came(restless=True, base=seconds(-200)),
            LookAgain(seconds(30), NOW),
            id="a new plan begins the looks anew",
        ),
        pytest.param(
            Came(contradicted_until=seconds(2)), LookAgain(seconds(2)), id="an event disagrees"
        ),
        pytest.param(
            Came(restless=True, contradicted_until=seconds(2)),
            LookAgain(seconds(2), NOW),
            id="an event disagrees first, and the looks after the plan are kept",
        ),
        pytest.param(
            Came(waiting_since=NOW), LookAgain(seconds(30)), id="waiting: first after 30 s"
        ),
        pytest.param(
            Came(waiting_since=seconds(-30)), LookAgain(seconds(90)), id="waiting: then after 2 min"
        ),
        pytest.param(
            Came(waiting_since=seconds(-120)), LookAgain(seconds(180)), id="waiting: after 5 min"
        ),
        pytest.param(
            Came(waiting_since=seconds(-300)), LookAgain(seconds(600)), id="waiting: after 15 min"
        ),
        pytest.param(
            Came(waiting_since=seconds(-900)), LookAgain(seconds(2700)), id="waiting: after 60 min"
        ),
        pytest.param(
            Came(waiting_since=seconds(-3600)), LookAgain(seconds(3600)), id="waiting: hourly"
        ),
        pytest.param(
            Came(waiting_since=seconds(-23 * 3600)), LookAgain(seconds(3600)), id="for a day"
        ),
        pytest.param(Came(waiting_since=seconds(-24 * 3600)), Idle(), id="and no longer"),
        pytest.param(
            Came(alarmed_since=NOW), LookAgain(seconds(30)), id="an admin left: as whoever waits"
        ),
        pytest.param(
            Came(alarmed_since=seconds(-24 * 3600), waiting_since=seconds(-24 * 3600)),
            LookAgain(seconds(24 * 3600)),
            id="an admin left: then daily, for as long as it takes",
        ),
        pytest.param(
            Came(alarmed_since=seconds(-9 * 24 * 3600), waiting_since=NOW),
            LookAgain(seconds(30)),
            id="an old alarm keeps nobody from waiting for something new",
        ),
        pytest.param(
            Came(doubted_until=seconds(15)), LookAgain(seconds(15)), id="somebody may be writing"
        ),
        pytest.param(Came(doubted_until=NOW), Idle(), id="nobody can be writing any more"),
        pytest.param(Came(failed=True), Retry(NOW + FIRST_WAIT * MOST), id="a failure backs off"),
        pytest.param(
            Came(failed=True, retry_at=seconds(90)),
            Retry(seconds(90)),
            id="vendor asked for longer",
        ),
        pytest.param(
            Came(failed=True, retry_at=seconds(1)),
            Retry(NOW + FIRST_WAIT * MOST),
            id="vendor asked for less than we wait anyway",
        ),
        pytest.param(
            Came(turned_away=(seconds(60),)),
            Retry(seconds(60), counted=False),
            id="being turned away burns no attempt",
        ),
        pytest.param(
            Came(turned_away=(None,)),
            Retry(seconds(30), counted=False),
            id="turned away without a word on when",
        ),
        pytest.param(
            Came(turned_away=(seconds(60), seconds(40))),
            Retry(seconds(40), counted=False),
            id="turned away by two, one of whom is back sooner",
        ),
        pytest.param(
            Came(failed=True, turned_away=(seconds(3600),)),
            Retry(NOW + FIRST_WAIT * MOST),
            id="what failed does not wait for whoever turned us away",
        ),
        pytest.param(
            Came(failed=True, retry_at=seconds(90), turned_away=(seconds(60),)),
            Retry(seconds(60)),
            id="nor does whoever turned us away wait for what failed",
        ),
        pytest.param(
            Came(turned_away=(seconds(3600),), restless=True),
            Retry(seconds(30), counted=False, base=NOW),
            id="the looks after the plan wait for nobody",
        ),
        pytest.param(
            Came(turned_away=(seconds(3600),), contradicted_until=seconds(2)),
            Retry(seconds(2), counted=False),
            id="nor does the look an event asks for",
        ),
        pytest.param(
            Came(failed=True, contradicted_until=seconds(2)),
            Retry(seconds(2)),
            id="a failure does not make us miss the look an event asks for",
        ),
        pytest.param(
            Came(failed=True, restless=True),
            Retry(NOW + FIRST_WAIT * MOST, base=NOW),
            id="a failure keeps the looks after the plan",
        ),
    ],
)
def test_what_comes_next(came: Came, expected: Next) -> None:
    assert then(came) == expected


@pytest.mark.parametrize(
    ("attempt", "cap"),
    [
        pytest.param(1, 5, id="5 * 2**0"),
        pytest.param(2, 10, id="5 * 2**1"),
        pytest.param(7, 320, id="5 * 2**6"),
        pytest.param(8, 600, id="5 * 2**7 = 640, but ten minutes at most"),
        pytest.param(10_000, 600, id="no number of attempts is too large"),
    ],
)
def test_the_wait_doubles_to_ten_minutes_with_full_jitter(attempt: int, cap: int) -> None:
    assert backoff(attempt, 0.0) == timedelta(seconds=1)
    assert backoff(attempt, 0.5) == timedelta(seconds=cap / 2)
    assert timedelta(0) <= timedelta(seconds=cap) - backoff(attempt, MOST) < timedelta(seconds=1)


def test_the_last_attempt_ends_as_a_dead_letter() -> None:
    assert isinstance(then(Came(failed=True), attempt=MAX_ATTEMPTS - 1), Retry)
    assert isinstance(then(Came(failed=True), attempt=MAX_ATTEMPTS), DeadLetter)


def test_whoever_is_turned_away_never_makes_a_dead_letter() -> None:
    came = Came(turned_away=(None,))
    assert isinstance(then(came, attempt=MAX_ATTEMPTS + 50), Retry)


def test_a_long_attempt_count_without_failure_is_no_dead_letter() -> None:
    assert then(Came(), attempt=MAX_ATTEMPTS + 1) == Idle()


def test_a_contradiction_does_not_undercut_the_vendor() -> None:
    came = Came(failed=True, retry_at=seconds(60), contradicted_until=seconds(2))
    assert then(came) == Retry(seconds(60))


# -- laws --------------------------------------------------------------------------------------

instants = st.integers(-90_000, 90_000).map(seconds)
maybe = st.none() | instants
jitters = st.floats(0, MOST)
attempts = st.integers(1, 60)


@given(attempt=attempts, jitter=jitters, retry_at=maybe, refused=st.booleans())
def test_a_wait_keeps_its_cap_unless_the_vendor_asked_and_never_undercuts_it(
    *, attempt: int, jitter: float, retry_at: datetime | None, refused: bool
) -> None:
    away = Came(turned_away=(retry_at,))
    came = away if refused else Came(failed=True, retry_at=retry_at)
    found = then(came, attempt=attempt, jitter=jitter)
    if isinstance(found, Retry):
        assert found.at > NOW
        assert found.at >= (retry_at or found.at)
        if retry_at is None or retry_at <= NOW:
            cap = min(FIRST_WAIT * 2 ** min(attempt - 1, 20), LONGEST_WAIT)
            assert found.at - NOW <= max(cap, timedelta(seconds=30) if refused else cap)


@given(
    st.builds(
        Came,
        failed=st.booleans(),
        contradicted_until=maybe,
        waiting_since=maybe,
        alarmed_since=maybe,
        restless=st.booleans(),
        base=maybe,
    ),
    attempts,
    jitters,
)
def test_no_look_that_was_asked_for_comes_late(came: Came, attempt: int, jitter: float) -> None:
    found = then(came, attempt=attempt, jitter=jitter)
    if came.contradicted_until and not isinstance(found, DeadLetter):
        assert not isinstance(found, Idle)
        assert found.at <= came.contradicted_until
    if came.restless and isinstance(found, LookAgain):
        assert found.at <= NOW + LOOK_AGAIN[0]
    if came.alarmed_since and not isinstance(found, DeadLetter):
        assert not isinstance(found, Idle)


@given(jitters, jitters, attempts)
def test_the_looks_after_a_plan_survive_a_retry_between(
    first: float, second: float, attempt: int
) -> None:
    """Sent at 0, failed at 0 as well, failed again later, then quiet: the last look is there."""
    base: datetime | None = NOW
    at = NOW
    came = Came(failed=True, restless=True)
    for jitter in (first, second):
        found = then(came, at=at, attempt=min(attempt, MAX_ATTEMPTS - 1), jitter=jitter)
        assert isinstance(found, Retry)
        at, base = found.at, found.base
        came = Came(failed=True, base=base)
    quiet = then(Came(base=base), at=at)
    due = [NOW + wait for wait in LOOK_AGAIN if NOW + wait > at]
    assert quiet == (LookAgain(due[0], NOW) if due else Idle())
