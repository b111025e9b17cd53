"""The journal: what a plan's admission writes, and what became of each step."""

from __future__ import annotations

from hooks.clock import moment
from hooks.core.ids import DirectoryName
from hooks.core.ledger import Resolved
from hooks.core.membership import Action, State
from hooks.core.memory import PastStep
from hooks.core.plan import Reason
from hooks.core.policy import Limits
from hooks.store import journal
from hooks.store.database import Database
from hooks.store.journal import Admission, Wish
from hooks.store.line import Lease
from tests.store.builders import (
    MAIN,
    Wall,
    lease_one,
    left,
    put,
    scim_group,
    scim_user,
    step,
    user,
    uuid,
    wish,
)

ANN, BOB = user(1), user(2)
OTHER = DirectoryName("other")


def leased(database: Database, who: str, number: int = 1) -> Lease:
    put(database, left(number, user(int(who[3:]))))
    return lease_one(database, who)


def admit(
    database: Database, held: Lease, *wishes: Wish, resolved: tuple[Resolved, ...] = ()
) -> Admission:
    return database.write_now(lambda tx: journal.admit(tx, held, wishes, resolved, limits=Limits()))


def record(database: Database, held: Lease, *outcomes: Resolved) -> None:
    database.write_now(lambda tx: journal.record(tx, held, outcomes))


def history(database: Database, who: str) -> dict[DirectoryName, tuple[PastStep, ...]]:
    return database.read_now(lambda tx: journal.history(tx, user(int(who[3:]))))


def states(database: Database, number: int) -> list[tuple[object, object]]:
    """States and codes of one step, in their order."""
    (found,) = [each for each in database.read_now(journal.list_steps) if each["id"] == number]
    outcomes = found["outcomes"]
    assert isinstance(outcomes, list)
    return [(each["state"], each["code"]) for each in outcomes]


def test_a_plan_is_journalled_before_it_is_sent(database: Database, wall: Wall) -> None:
    held = leased(database, ANN)
    first, second = wish(step(1)), wish(step(2, action=Action.ADD, reason=Reason.GIVEN_BACK))
    assert admit(database, held, first, second) == Admission(((1, first), (2, second)), 0)
    newest, oldest = database.read_now(journal.list_steps)
    assert oldest == {
        "id": 1,
        "user": ANN,
        "directory": MAIN,
        "via": "scim",
        "action": "remove",
        "group": scim_group(1),
        "name": "team-1",
        "scim_id": scim_user(1),
        "reason": "unassigned",
        "brake_class": "main/unassigned",
        "evidence": ["status=DEPROVISIONED"],
        "events": [uuid(1)],
        "fence": 1,
        "ordinal": 0,
        "at": wall.us,
        "account": None,
        "read": None,
        "link": None,
        "mac": None,
        "outcomes": [{"state": "open", "code": "", "at": wall.us}],
    }
    assert (newest["ordinal"], newest["action"], newest["brake_class"]) == (1, "add", "")


def test_the_latest_outcome_counts_and_none_is_lost(database: Database, wall: Wall) -> None:
    held = leased(database, ANN)
    admit(database, held, wish(step(1)), wish(step(2)))
    record(database, held, Resolved(1, State.SUBMITTED), Resolved(2, State.FAILED, "noTarget"))
    record(database, held, Resolved(1, State.SETTLED))
    why, at = "unassigned", moment(wall.us)
    assert history(database, ANN) == {
        MAIN: (
            PastStep(1, Action.REMOVE, scim_group(1), "settled", "", why, at, "team-1"),
            PastStep(2, Action.REMOVE, scim_group(2), "failed", "noTarget", why, at, "team-2"),
        )
    }
    assert states(database, 1) == [("open", ""), ("submitted", ""), ("settled", "")]
    assert states(database, 2) == [("open", ""), ("failed", "noTarget")]


def test_history_is_of_one_person_and_by_directory(database: Database) -> None:
    ann, bob = leased(database, ANN, 1), leased(database, BOB, 2)
    admit(database, ann, wish(step(1)))
    admit(database, bob, wish(step(1)))
    admit(database, ann, wish(step(2, directory=OTHER)), wish(step(3)))
    found = history(database, ANN)
    assert {name: [each.id for each in steps] for name, steps in found.items()} == {
        MAIN: [1, 4],
        OTHER: [3],
    }
    assert history(database, user(3)) == {}


def test_a_step_that_was_only_observed_is_no_history(database: Database) -> None:
    held = leased(database, ANN)
    admission = admit(database, held, wish(step(1), observe=True), wish(step(2)))
    assert [number for number, _ in admission.admitted] == [1, 2]
    assert states(database, 1) == [("observed", "")]
    assert [each.id for each in history(database, ANN)[MAIN]] == [2]


def test_what_earlier_steps_became_is_written_with_the_new_plan(database: Database) -> None:
    held = leased(database, ANN)
    admit(database, held, wish(step(1)))
    admit(database, held, resolved=(Resolved(1, State.ABANDONED, "unknown"),))
    assert states(database, 1) == [("open", ""), ("abandoned", "unknown")]


def test_steps_are_listed_newest_first_by_pages(database: Database) -> None:
    ann, bob = leased(database, ANN, 1), leased(database, BOB, 2)
    admit(database, ann, *(wish(step(number)) for number in range(3)))
    admit(database, bob, wish(step(9)))

    def listed(**how: object) -> list[object]:
        found = database.read_now(lambda tx: journal.list_steps(tx, **how))  # type: ignore[arg-type]
        return [each["id"] for each in found]

    assert listed(limit=2) == [4, 3]
    assert listed(limit=2, before=3) == [2, 1]
    assert listed(user=ANN) == [3, 2, 1]


def test_a_group_called_anything_at_all_can_be_journalled(database: Database) -> None:
    held = leased(database, ANN)
    admit(database, held, wish(step(1, display="fleur 🦆 'quote\" \\ %s " + "x" * 5000)))
    assert states(database, 1) == [("open", "")]


def test_a_group_with_nul_in_its_name_can_be_journalled(postgresql: Database) -> None:
    """Else its members' looks all end without a word, and they as dead letters."""
    held = leased(postgresql, ANN)
    admit(postgresql, held, wish(step(1, display="team\x00")))
    assert states(postgresql, 1) == [("open", "")]
