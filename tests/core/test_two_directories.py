"""Whatever happens to somebody over two directories, however little of it we see. Design 3.3."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooks.core.memory import Claimed
from hooks.core.policy import Suspended
from tests.core.lives import RULES
from tests.core.two_directories import Life

SOME = settings(max_examples=50)

#: What turns, how many minutes pass then, after how many more its event comes, if it does, and
#: whether we look.
Event = tuple[str, int, int | None, bool]
_minutes = st.sampled_from([1, 15, 70, 130])
_turns = st.sampled_from(["user", "suspension", "team", "main", "main", "beside", "beside"])
events = st.lists(
    st.tuples(_turns, _minutes, st.sampled_from([0, 0, None, 1, 3]), st.booleans()), max_size=10
)
suspended = st.sampled_from(Suspended).map(lambda each: replace(RULES, suspended=each))
lives = st.builds(Life, suspended, new=st.booleans(), freezes=st.booleans(), quick=st.booleans())
mute = st.builds(
    Life, suspended, freezes=st.booleans(), quick=st.booleans(), mute=st.sampled_from([True])
)


def lived(life: Life, events: Iterable[Event]) -> list[Claimed]:
    """Looks here and there; what has not come yet."""
    waiting: list[tuple[int, Claimed]] = []
    for number, (what, minutes, late, looks) in enumerate(events):
        claim = life.turn(what)
        if claim and late is not None:
            waiting.append((number + late, claim))
        if looks:
            life.look(*(each for due, each in waiting if due <= number))
            waiting = [each for each in waiting if each[0] > number]
        life.wait(minutes)
    return [claim for _, claim in waiting]


def ends(life: Life, waiting: Iterable[Claimed] = (), *, after: float = 15) -> None:
    """She is in force, an event says so, and both planes are as they must be."""
    back = life.comes_back()
    life.wait(after)
    life.settle(back, *waiting)
    assert (life.inside, life.synced) == life.wanted()


@SOME
@given(lives, events)
def test_both_planes_end_as_they_must_however_little_we_saw(
    life: Life, events: list[Event]
) -> None:
    """Promised as for one directory: the log shows every absence, and an event the return."""
    ends(life, lived(life, events))


SHORT = [
    ((first, minutes, sees), (second, later, also))
    for first, second in product(("user", "team", "main", "beside"), repeat=2)
    for minutes, later in ((15, 15), (70, 15), (15, 70))
    for sees, also in product((True, False), repeat=2)
]


@pytest.mark.parametrize("new", [False, True], ids=["present", "new"])
def test_both_planes_end_as_they_must_after_any_two_turns(*, new: bool) -> None:
    """Moved with an overlap, a brief gap or a long one, outside in one, and the rest."""
    for life in SHORT:
        ann = Life(new=new)
        events = [(what, minutes, 0 if sees else None, sees) for what, minutes, sees in life]
        waiting = lived(ann, events)
        try:
            ends(ann, waiting)
        except AssertionError as error:
            raise AssertionError(life) from error


@SOME
@given(mute, st.lists(st.tuples(_turns, _minutes), max_size=8))
def test_with_a_log_that_shows_nothing_both_planes_end_as_they_must_if_we_saw_everything(
    life: Life, turns: list[tuple[str, int]]
) -> None:
    """Our own readings say how long an absence was then."""
    ends(life, lived(life, [(what, minutes, 0, True) for what, minutes in turns]), after=0)


def test_the_end_of_a_brief_absence_that_we_read_while_suspended_counts() -> None:
    life = Life(mute=True)
    turns = [("suspension", 1), ("main", 1), ("main", 70)]
    ends(life, lived(life, [(what, minutes, 0, True) for what, minutes in turns]), after=0)


@SOME
@given(lives, events)
def test_without_the_event_of_the_return_never_less_is_left(
    life: Life, events: list[Event]
) -> None:
    """What we did not hear of costs nobody a group of the organization, and changes no other."""
    lived(life, events)
    life.comes_back()
    life.wait(15)
    life.settle()
    local, synced = life.wanted()
    assert life.inside >= local
    assert life.synced == synced


@SOME
@given(lives, events)
def test_whoever_is_away_from_both_has_nothing_a_rule_or_a_mapping_names(
    life: Life, events: list[Event]
) -> None:
    life.freezes = False  # what is refused is parked
    lived(life, events)
    life.comes_back()
    life.turn("user")
    life.wait(15)
    life.look()
    life.look()
    assert life.inside == {3}
    assert set(life.synced.values()) == {frozenset()}
