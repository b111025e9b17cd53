"""What the store spares of the organization's own groups."""

from __future__ import annotations

from hooks.core.attempt import Idle
from hooks.core.ids import AccountId, OrganizationDirectoryId, OrganizationGroupId
from hooks.core.ledger import Resolved
from hooks.core.membership import ORGANIZATION, Action, OrganizationGroup, State, Via
from hooks.core.plan import Reason, Step
from hooks.core.policy import Limits
from hooks.store import groups, journal
from hooks.store.database import Database
from hooks.store.journal import Admission, Wish
from tests.store.builders import MAIN, Wall, lease_one, mark, settle, user

ANN, BOB = user(1), user(2)
ACCOUNTS: dict[str, AccountId] = {
    ANN: AccountId("5b10ac8d82e05b22cc7d4ef5"),
    BOB: AccountId("5b10a2844c20165700ede21"),
}
ADMINS = OrganizationGroup(
    OrganizationGroupId("00000000-0000-4000-a000-000000000001"),
    "administrators",
    OrganizationDirectoryId("here"),
    synced=False,
    modifiable=True,
)


def leave(database: Database, who: str, *, left_behind: str) -> Admission:
    """A look that takes one admin out while another one is seen to be there."""
    step = Step(
        ORGANIZATION, Action.REMOVE, ADMINS, Reason.LEFT, via=Via.ORGANIZATION, by=MAIN,
        others=frozenset({ACCOUNTS[left_behind]}),
    )  # fmt: skip
    mark(database, who)
    held = lease_one(database, who)
    wishes = [Wish(step, ACCOUNTS[who], observe=False)]
    found = database.write_now(lambda tx: journal.admit(tx, held, wishes, [], limits=Limits()))
    settle(database, held, Idle())
    return found


def test_of_two_last_admins_one_remains(database: Database) -> None:
    """Each was seen beside the other; what is under way to go counts as gone."""
    first = leave(database, ANN, left_behind=BOB)
    assert len(first.admitted) == 1
    second = leave(database, BOB, left_behind=ANN)
    assert (second.admitted, second.contended) == ((), 1)
    (step, _), *_ = first.admitted
    mark(database, ANN)
    held = lease_one(database, ANN)
    failed = [Resolved(step, State.FAILED, "unavailable")]
    database.write_now(lambda tx: journal.record(tx, held, failed))
    assert len(leave(database, BOB, left_behind=ANN).admitted) == 1


def test_of_two_last_admins_one_remains_while_a_search_may_show_the_other(
    database: Database, wall: Wall
) -> None:
    """The removal of the other may end between their being seen and the admission."""
    (step, _), *_ = leave(database, ANN, left_behind=BOB).admitted
    mark(database, ANN)
    held = lease_one(database, ANN)
    settled = [Resolved(step, State.SETTLED)]
    database.write_now(lambda tx: journal.record(tx, held, settled))
    assert leave(database, BOB, left_behind=ANN).contended == 1
    wall.forward(3600)
    assert leave(database, BOB, left_behind=ANN).contended == 0, "made an admin again since"


def test_a_group_stays_as_it_was_first_seen_until_somebody_accepts(database: Database) -> None:
    def recalled() -> tuple[str, bool] | None:
        return database.read_now(lambda tx: groups.recall(tx, [ADMINS.id])).get(ADMINS.id)

    database.write_now(lambda tx: groups.remember(tx, [ADMINS]))
    renamed = OrganizationGroup(ADMINS.id, "users", ADMINS.directory, synced=True, modifiable=True)
    database.write_now(lambda tx: groups.remember(tx, [renamed]))
    assert recalled() == ("administrators", False)
