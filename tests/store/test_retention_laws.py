"""Whatever was journalled, what can still matter is the same once the old is gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import groupby

from hypothesis import example, given
from hypothesis import strategies as st

from hooks.core.ids import Uuid
from hooks.core.ledger import BACK, GONE, NO_EFFECT, SUPERSEDED, UNKNOWN, UNWANTED, Ledger, settle
from hooks.core.local import RECENT
from hooks.core.membership import Action, State
from hooks.core.memory import PastStep
from hooks.store.retention import LEAST, outlived
from tests.core.worlds import NOW, scim_group

GROUPS = [scim_group(number) for number in range(1, 4)]
CODES = ["", "other", BACK, GONE, NO_EFFECT, SUPERSEDED, UNKNOWN, UNWANTED]
NEWER = "postponed"
#: Days before now; half of them before the cutoff.
AGES = st.sampled_from([0, 1, 29, 30, 32, 90, 400])


def numbered(found: Iterable[PastStep], first: int = 1) -> tuple[PastStep, ...]:
    return tuple(replace(each, id=number) for number, each in enumerate(found, first))


steps = st.builds(
    PastStep,
    id=st.just(0),
    action=st.sampled_from(Action),
    group=st.sampled_from(GROUPS),
    state=st.sampled_from([*State, *State, NEWER]),
    code=st.sampled_from(CODES),
    reason=st.sampled_from(["left", "suspended"]),
    at=AGES.map(lambda days: NOW - timedelta(days=days)),
)
histories = st.lists(steps, max_size=10).map(
    lambda found: numbered(sorted(found, key=lambda each: each.at or NOW))
)
one_group = st.lists(steps.map(lambda each: replace(each, group=GROUPS[0])), max_size=5).map(
    numbered
)
observations = st.frozensets(st.sampled_from(GROUPS))


def sent(found: Iterable[PastStep]) -> tuple[PastStep, ...]:
    """What a look is told of: a step that was only observed is no history."""
    return tuple(each for each in found if each.state != State.OBSERVED)


def kept(history: Iterable[PastStep]) -> tuple[PastStep, ...]:
    """What is left of a history, by the rule that a membership goes whole or not at all."""
    by_group = sorted(history, key=lambda each: each.group)
    found = []
    for _, membership in groupby(by_group, key=lambda each: each.group):
        all_of_it = list(membership)
        old = all(each.at is not None and each.at < NOW - LEAST for each in all_of_it)
        if not (old and outlived(all_of_it)):
            found += all_of_it
    return tuple(sorted(found, key=lambda each: each.id))


def matters(ledger: Ledger) -> tuple[object, ...]:
    """What of a ledger a plan may ask for."""
    recent = [each for each in ledger.back if each.at and each.at > NOW - RECENT]
    return ledger.taken, ledger.unsettled, ledger.parked, recent


@given(histories, observations)
def test_what_is_owed_is_the_same_without_what_was_deleted(
    history: tuple[PastStep, ...], observed: frozenset[Uuid]
) -> None:
    before, after = settle(sent(history), observed), settle(sent(kept(history)), observed)
    assert matters(after) == matters(before)


@given(histories, st.lists(steps, max_size=4), observations)
def test_whatever_is_journalled_later_is_judged_the_same(
    history: tuple[PastStep, ...], later: list[PastStep], observed: frozenset[Uuid]
) -> None:
    """A look that began before the deletion may still write, and the next one reads both."""
    more = numbered((replace(each, at=NOW) for each in later), first=100)
    before = settle(sent((*history, *more)), observed)
    after = settle(sent((*kept(history), *more)), observed)
    assert matters(after) == matters(before)


@given(one_group, observations)
def test_what_is_left_of_a_membership_half_deleted_owes_nothing(
    membership: tuple[PastStep, ...], observed: frozenset[Uuid]
) -> None:
    """Oldest first, a portion at a time: a crash may come after any of them."""
    if not outlived(membership):
        return
    for cut in range(len(membership)):
        rest = membership[cut:]
        assert outlived(rest)
        ledger = settle(sent(rest), observed)
        assert (ledger.taken, ledger.unsettled, ledger.parked) == ((), 0, ())


@given(one_group, st.booleans())
@example(numbered([PastStep(0, Action.REMOVE, GROUPS[0], State.SETTLED)]), False)  # noqa: FBT003
def test_a_membership_that_any_reading_makes_ours_is_kept(
    membership: tuple[PastStep, ...],
    there: bool,  # noqa: FBT001
) -> None:
    ledger = settle(sent(membership), frozenset({GROUPS[0]} if there else ()))
    if ledger.taken or ledger.unsettled or ledger.parked:
        assert not outlived(membership)
