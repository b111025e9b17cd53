"""Steps listed by what has become of them."""

from __future__ import annotations

import pytest

from hooks.core.ledger import Resolved
from hooks.core.membership import State
from hooks.core.policy import Limits
from hooks.store import journal
from hooks.store.database import Database
from tests.store.builders import lease_one, left, put, step, user, wish

ANN, BOB = user(1), user(2)


@pytest.fixture
def steps(database: Database) -> Database:
    """Ann's first three were sent; one was settled, one parked, one is open; Bob's is observed."""
    put(database, left(1, ANN), left(2, BOB))
    ann, bob = lease_one(database, ANN), lease_one(database, BOB)
    three = [wish(step(number)) for number in (1, 2, 3)]
    seen = [wish(step(4), observe=True)]
    database.write_now(lambda tx: journal.admit(tx, ann, three, [], limits=Limits()))
    database.write_now(lambda tx: journal.admit(tx, bob, seen, [], limits=Limits()))
    for outcomes in (
        [Resolved(1, State.SUBMITTED), Resolved(2, State.SUBMITTED)],
        [Resolved(1, State.SETTLED), Resolved(2, State.PARKED, "ADMIN-UAM-400-2")],
    ):
        database.write_now(lambda tx, outcomes=outcomes: journal.record(tx, ann, outcomes))  # type: ignore[misc]
    return database


def listed(database: Database, **how: object) -> list[object]:
    found = database.read_now(lambda tx: journal.list_steps(tx, **how))  # type: ignore[arg-type]
    return [each["id"] for each in found]


def test_only_the_latest_outcome_counts(steps: Database) -> None:
    found = {state: listed(steps, state=state) for state in State}
    assert {state: ids for state, ids in found.items() if ids} == {
        State.OPEN: [3],
        State.SETTLED: [1],
        State.PARKED: [2],
        State.OBSERVED: [4],
    }
    assert listed(steps, state=None) == [4, 3, 2, 1]


def test_states_go_with_people_and_pages(steps: Database) -> None:
    assert listed(steps, state=State.OBSERVED, user=ANN) == []
    assert listed(steps, state=State.OBSERVED, user=BOB) == [4]
    assert listed(steps, state=State.PARKED, before=2) == []
    assert listed(steps, state=State.PARKED, before=3, limit=1) == [2]


def test_every_outcome_is_shown_whichever_state_was_asked_for(steps: Database) -> None:
    (parked,) = steps.read_now(lambda tx: journal.list_steps(tx, state=State.PARKED))
    outcomes = parked["outcomes"]
    assert isinstance(outcomes, list)
    states = [(each["state"], each["code"]) for each in outcomes]
    assert states == [("open", ""), ("submitted", ""), ("parked", "ADMIN-UAM-400-2")]
