"""What we took and have not given back. Design 3.5, 5.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.ids import ScimGroupId
from hooks.core.ledger import BACK, NO_EFFECT, UNKNOWN, Resolved, Taken, settle
from hooks.core.membership import Action, State
from hooks.core.memory import PastStep
from tests.core.worlds import past, scim_group

REMOVE, ADD = Action.REMOVE, Action.ADD
TEAM = scim_group(1)
HERE: frozenset[ScimGroupId] = frozenset({TEAM})
GONE: frozenset[ScimGroupId] = frozenset()
TAKEN = Taken(TEAM, seen_gone=True)


def unseen(times: int) -> Taken:
    return Taken(TEAM, seen_gone=False, unseen=times)


@pytest.mark.parametrize(
    ("state", "observed", "became", "taken"),
    [
        pytest.param("open", GONE, Resolved(1, State.SETTLED), TAKEN, id="lost reply, gone: ours"),
        pytest.param(
            "open", HERE, Resolved(1, State.ABANDONED, UNKNOWN), None, id="lost reply, still there"
        ),
        pytest.param("submitted", GONE, Resolved(1, State.SETTLED), TAKEN, id="seen to be gone"),
        pytest.param("submitted", HERE, None, unseen(1), id="submitted counts as removed"),
        pytest.param("settled", GONE, None, TAKEN, id="settled and gone"),
        pytest.param(
            "settled", HERE, Resolved(1, State.ABANDONED, BACK), None, id="there again without us"
        ),
        *(
            pytest.param(state, observed, None, None, id=f"{state}, {where}: never ours")
            for state in ("observed", "failed", "abandoned")
            for observed, where in ((HERE, "there"), (GONE, "gone"))
        ),
    ],
)
def test_what_became_of_a_removal(
    state: str, observed: frozenset[ScimGroupId], became: Resolved | None, taken: Taken | None
) -> None:
    ledger = settle(past((REMOVE, 1, state)), observed)
    assert ledger.resolved == ((became,) if became else ())
    assert ledger.of(TEAM) == taken
    assert ledger.taken == ((taken,) if taken else ())
    assert ledger.unsettled == (taken == unseen(1))


@pytest.mark.parametrize(
    ("state", "observed", "became", "taken"),
    [
        pytest.param("open", HERE, Resolved(2, State.SETTLED), None, id="lost reply, there: given"),
        pytest.param(
            "open", GONE, Resolved(2, State.ABANDONED, UNKNOWN), TAKEN, id="lost reply, not there"
        ),
        pytest.param("submitted", HERE, Resolved(2, State.SETTLED), None, id="seen to be there"),
        pytest.param(
            "submitted", GONE, None, Taken(TEAM, seen_gone=True, unseen=1), id="not yet seen"
        ),
        pytest.param("settled", HERE, None, None, id="given back"),
        pytest.param("settled", GONE, None, None, id="given back, and lost without us"),
        pytest.param("failed", GONE, None, TAKEN, id="a failed addition leaves the debt"),
    ],
)
def test_what_became_of_an_addition_after_a_removal(
    state: str, observed: frozenset[ScimGroupId], became: Resolved | None, taken: Taken | None
) -> None:
    ledger = settle(past((REMOVE, 1, "settled"), (ADD, 1, state)), observed)
    assert ledger.resolved == ((became,) if became else ())
    assert ledger.of(TEAM) == taken


def test_removals_without_effect_are_counted_until_one_is_seen() -> None:
    three = past(*[(REMOVE, 1, "submitted")] * 3)
    still = settle(three, HERE)
    assert still.of(TEAM) == unseen(3)
    assert still.resolved == (
        Resolved(1, State.FAILED, NO_EFFECT),
        Resolved(2, State.FAILED, NO_EFFECT),
    )
    assert still.unsettled == 1
    assert settle(three, GONE).of(TEAM) == TAKEN


def test_what_was_written_down_as_without_effect_goes_on_counting() -> None:
    history = (
        PastStep(1, REMOVE, TEAM, State.FAILED, NO_EFFECT),
        PastStep(2, REMOVE, TEAM, State.FAILED, "other"),
        PastStep(3, REMOVE, TEAM, State.SUBMITTED),
    )
    assert settle(history, HERE).of(TEAM) == unseen(2)


def test_a_lost_removal_that_had_its_effect_after_all_is_ours() -> None:
    """Given up while it was under way; whoever comes back gets it back."""
    given_up = (PastStep(1, REMOVE, TEAM, State.ABANDONED, UNKNOWN),)
    assert settle(given_up, HERE).of(TEAM) is None
    found = settle(given_up, GONE)
    assert found.resolved == (Resolved(1, State.SETTLED),)
    assert found.of(TEAM) == TAKEN


def test_taken_again_after_it_came_back_is_ours_again() -> None:
    history = (
        PastStep(1, REMOVE, TEAM, State.ABANDONED, BACK),
        PastStep(2, REMOVE, TEAM, State.SUBMITTED),
    )
    assert settle(history, GONE).of(TEAM) == TAKEN


def test_what_came_back_twice_is_not_owed_for_the_first_time() -> None:
    ledger = settle(past((REMOVE, 1, "settled"), (REMOVE, 1, "settled")), HERE)
    assert ledger.resolved == (Resolved(2, State.ABANDONED, BACK),)
    assert ledger.of(TEAM) is None


def test_groups_do_not_mix() -> None:
    ledger = settle(past((REMOVE, 1, "settled"), (REMOVE, 2, "submitted")), HERE)
    assert ledger.of(TEAM) is None  # back without us
    assert ledger.of(scim_group(2)) == Taken(scim_group(2), seen_gone=True)


def test_a_state_of_a_newer_release_is_passed_over() -> None:
    newer = PastStep(2, REMOVE, scim_group(2), "postponed")
    assert settle([*past((REMOVE, 1, "settled")), newer], GONE).of(TEAM) == TAKEN


@pytest.mark.parametrize(
    ("state", "action", "observed"),
    [
        pytest.param(State.OPEN, REMOVE, GONE, id="a lost reply that worked is never ours"),
        pytest.param(State.OPEN, REMOVE, HERE, id="a lost reply that did not is never abandoned"),
        pytest.param(State.SUBMITTED, REMOVE, GONE, id="what was sent never settles"),
        pytest.param(State.SUBMITTED, ADD, HERE, id="what was given back never settles"),
        pytest.param(State.SETTLED, REMOVE, HERE, id="what came back stays ours"),
    ],
)
def test_a_state_read_from_a_column_counts_as_the_state_it_is(
    state: State, action: Action, observed: frozenset[ScimGroupId]
) -> None:
    text = PastStep(1, action, TEAM, state.value)
    assert settle([text], observed) == settle([PastStep(1, action, TEAM, state)], observed)


steps = st.lists(
    st.tuples(st.sampled_from(Action), st.integers(1, 2), st.sampled_from(State)), max_size=6
)


@given(steps, st.frozensets(st.integers(1, 2).map(scim_group)))
def test_writing_down_what_became_changes_no_debt(
    entries: list[tuple[Action, int, State]], observed: frozenset[ScimGroupId]
) -> None:
    history = past(*((action, number, str(state)) for action, number, state in entries))
    first = settle(history, observed)
    became = {each.step: each for each in first.resolved}
    written = [
        PastStep(step.id, step.action, step.group, became[step.id].state, became[step.id].code)
        if step.id in became
        else step
        for step in history
    ]
    second = settle(written, observed)
    assert second.unsettled == first.unsettled
    owed = {each.group for each in first.taken if each.group not in observed}
    assert owed == {each.group for each in second.taken if each.group not in observed}
    assert all(each.unseen or each.seen_gone for each in first.taken)
