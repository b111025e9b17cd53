"""Evidence: whatever is journalled and purged is whole, and nothing can be done to it unnoticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from hooks.clock import moment
from hooks.core.attempt import Idle
from hooks.core.ledger import Resolved
from hooks.core.membership import Action, State
from hooks.core.policy import Limits
from hooks.store import chain, erasure, journal, line, proof, retention
from hooks.store.chain import Signer
from hooks.store.database import Database, Tx
from hooks.store.heads import Head, compare
from hooks.store.proof import Verdict
from hooks.store.tables import Chain, Due, Outcome, Step
from tests.store.builders import Wall, lease, lease_one, mark, settle, step, user, wish
from tests.store.conftest import Opener

SIGNER = Signer(bytes(range(32)))
OTHER = Signer(bytes(range(1, 33)))
ANN, BOB = user(1), user(2)
LIMITS = Limits(left_per_hour=10**6, other_per_hour=10**6, other_per_day=10**6)
DAY = 24 * 3600.0

chain_rows: Any = Chain.__table__  # type: ignore[attr-defined]
step_rows: Any = Step.__table__  # type: ignore[attr-defined]
outcome_rows: Any = Outcome.__table__  # type: ignore[attr-defined]
due_rows: Any = Due.__table__  # type: ignore[attr-defined]
EVIDENCE = (outcome_rows, step_rows, chain_rows)


@dataclass
class World:
    """A store that is written to as looks and purges do; ``past`` is every row there ever was."""

    database: Database
    wall: Wall
    signer: Signer | None = SIGNER
    past: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)

    def __post_init__(self) -> None:
        for table in (*EVIDENCE, due_rows):
            self.database.write_now(lambda tx, table=table: tx.execute(delete(table)))  # type: ignore[misc]

    def begin(self) -> None:
        self.database.write_now(lambda tx: chain.begin(tx, self.signer))

    def look(self, who: str, *became: State, observe: bool = False) -> list[int]:
        """A look that takes as many groups as there are outcomes, and records these."""
        mark(self.database, who)
        held = lease_one(self.database, who)
        groups = range(1, len(became) + 1)
        wishes = [wish(step(each), observe=observe) for each in groups]
        admission = self.database.write_now(
            lambda tx: journal.admit(
                tx, held, wishes, [], limits=LIMITS, read=moment(tx.now), signer=self.signer
            )
        )
        numbers = [number for number, _ in admission.admitted]
        head = admission.head
        if not observe and numbers:
            outcomes = [Resolved(*each) for each in zip(numbers, became, strict=True)]
            head = self.database.write_now(
                lambda tx: journal.record(tx, held, outcomes, self.signer)
            )
        settle(self.database, held, Idle())
        self.remember(who, head)
        return numbers

    def purge(self) -> int:
        """What is older than ninety days; how many steps went."""
        before = self.wall.us - round(90 * DAY * 1_000_000)
        steps, after = 0, 0
        while True:
            found = self.database.read_now(partial(retention.stretch, before=before, after=after))
            some = partial(
                retention.delete_steps, before=before, users=found.users, signer=self.signer
            )
            deleted, _ = self.database.write_now(some)
            steps += deleted
            if not deleted and found.after is None:
                self.remember()
                return steps
            after = after if deleted else found.after or 0

    def remember(self, who: str = "", head: str = "") -> None:
        """Every row as it is now; and the head a log line would tell."""
        if head and head != chain.UNPROVED:
            number, _, digits = head.partition(":")
            self.heads.append(Head(who, int(number), digits))
        for table in EVIDENCE:
            rows = self.database.read_now(
                lambda tx, table=table: tx.execute(select(table)).mappings().all()  # type: ignore[misc]
            )
            self.past += [(table, dict(row)) for row in rows if (table, dict(row)) not in self.past]

    def faults(self, tx: Tx | None = None, signer: Signer = SIGNER) -> list[tuple[Verdict, str]]:
        """Everything that is wrong with anybody's chain, or with all."""
        if tx is None:
            return self.database.read_now(lambda tx: self.faults(tx, signer))
        people = proof.people(tx, "", 100)
        found = proof.prove(tx, people, signer)
        faults = [fault for each in people for fault in found[each].faults]
        if whole := proof.beginning(tx, signer):
            faults.append(whole)
        faults += proof.strays(tx, 0)[0]
        return [(each.verdict, each.where) for each in faults]

    def after(self, tampering: Callable[[Tx], object]) -> list[tuple[Verdict, str]]:
        """What is found once this was done; then it is taken back."""

        def tried(tx: Tx) -> list[tuple[Verdict, str]]:
            with tx.connection.begin_nested() as savepoint:
                tampering(tx)
                found = self.faults(tx)
                savepoint.rollback()
            return found

        return self.database.write_now(tried)

    def rows(self, table: Any, *where: Any) -> list[dict[str, Any]]:
        query = select(table).where(*where).order_by(table.c[_key(table)])
        found = self.database.read_now(lambda tx: tx.execute(query).mappings().all())
        return [dict(row) for row in found]


def _key(table: Any) -> str:
    return "user" if table is chain_rows else "id"


# -- what can be done to it --------------------------------------------------------------------

Tampering = tuple[str, Callable[[Tx], object]]


def tamperings(world: World) -> Iterator[Tampering]:
    """Every single thing that somebody without the key may do once there are chained rows."""
    if not world.rows(chain_rows, chain_rows.c.user != chain.NOBODY):
        return
    for table in EVIDENCE:
        rows = [row for row in world.rows(table) if row.get("link", 1) is not None]
        for row in rows:
            done = alterations(table, row)
            if table is chain_rows and not _linked(world, row["user"]):
                next(done)  # of whom all is purged, nothing is there any more to be proved
            yield from done
        for one, two in permutations(rows if table is not chain_rows else (), 2):
            yield from exchanges(table, one, two)
    yield from put_back(world)


def _linked(world: World, who: str) -> bool:
    if who == chain.NOBODY:
        return True
    return bool(world.database.read_now(lambda tx: chain.rows(tx, [who])[who]))


def alterations(table: Any, row: dict[str, Any]) -> Iterator[Tampering]:
    """One row, gone or not as it was."""

    def go(tx: Tx) -> None:
        tx.execute(delete(table).where(_is(table, row)))

    yield f"delete {row}", go
    for column, value in row.items():
        if column != _key(table):
            yield f"{column} of {row}", _set(table, row, {column: other(value)})
    if table is not chain_rows:
        yield f"unchain {row}", _set(table, row, {"link": None, "mac": None})


def exchanges(table: Any, one: dict[str, Any], two: dict[str, Any]) -> Iterator[Tampering]:
    """What two rows tell, or their places, exchanged."""
    places, told = ("link", "mac"), [name for name in one if name not in ("id", "link", "mac")]
    for names in (places, told, ("mac",), ("link",)):
        if [one[name] for name in names] != [two[name] for name in names]:

            def exchange(tx: Tx, names: Any = tuple(names)) -> None:
                _set(table, one, {name: two[name] for name in names})(tx)
                _set(table, two, {name: one[name] for name in names})(tx)

            yield f"exchange {names} of {one} and {two}", exchange


def put_back(world: World) -> Iterator[Tampering]:
    """Rows as they once were."""
    for table, row in world.past:
        now = world.rows(table, table.c[_key(table)] == row[_key(table)])
        if now != [row] and row.get("link", 1) is not None:

            def again(tx: Tx, table: Any = table, row: Any = row) -> None:
                tx.execute(delete(table).where(_is(table, row)))
                tx.execute(table.insert(), [row])

            yield f"put back {row}", again


def _is(table: Any, row: dict[str, Any]) -> Any:
    return table.c[_key(table)] == row[_key(table)]


def _set(table: Any, row: dict[str, Any], values: dict[str, Any]) -> Callable[[Tx], object]:
    return lambda tx: tx.execute(update(table).where(_is(table, row)).values(**values))


def other(value: object) -> object:
    """Another value of its kind."""
    if isinstance(value, int):
        return value + 1
    if value is None:
        return 1
    text = str(value)
    return text[:-1] + ("0" if text[-1:] != "0" else "1")


# -- laws --------------------------------------------------------------------------------------

ENDS = st.sampled_from([State.SETTLED, State.FAILED, State.PARKED, State.ABANDONED])
looks = st.tuples(
    st.just("look"), st.sampled_from([ANN, BOB]), st.lists(ENDS, max_size=3), st.booleans()
)
histories = st.lists(st.one_of(looks, st.just(("purge",))), min_size=1, max_size=6)


def play(database: Database, wall: Wall, history: list[Any], keyless: int) -> World:
    """The first looks come before there is a key."""
    world = World(database, wall, signer=None)
    for number, each in enumerate(history):
        if number == keyless:
            world.signer = SIGNER
            world.begin()
        wall.forward(50 * DAY)
        if each[0] == "purge":
            world.purge()
        else:
            _, who, became, observe = each
            world.look(who, *became, observe=observe)
    if world.signer is None:
        world.signer = SIGNER
        world.begin()
    return world


SLOWLY = settings(
    max_examples=12,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # worlds are small; shrinking is slow
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@SLOWLY
@given(histories, st.integers(0, 2))
def test_whatever_was_journalled_and_purged_is_whole(
    database: Database, wall: Wall, history: list[Any], keyless: int
) -> None:
    world = play(database, wall, history, keyless)
    assert world.faults() == []
    for each in world.heads:
        assert (
            database.read_now(
                lambda tx, each=each: compare(tx, each.user, [each], SIGNER)[0]  # type: ignore[misc]
            )
            == []
        )


@settings(SLOWLY, max_examples=4)
@given(histories, st.integers(0, 1))
@example([("look", ANN, [State.SETTLED, State.FAILED], False), ("look", ANN, [State.FAILED], False),
          ("purge",), ("purge",), ("look", ANN, [State.SETTLED], True)], 0)  # fmt: skip
def test_nothing_that_is_done_to_chained_rows_goes_unnoticed(
    database: Database, wall: Wall, history: list[Any], keyless: int
) -> None:
    world = play(database, wall, history, keyless)
    for what, tampering in tamperings(world):
        assert world.after(tampering), what


# -- what is said of it ------------------------------------------------------------------------


@pytest.fixture
def world(database: Database, wall: Wall) -> World:
    found = World(database, wall)
    found.begin()
    return found


def gone(table: Any, *ids: int) -> Callable[[Tx], object]:
    return lambda tx: tx.execute(delete(table).where(table.c.id.in_(ids)))


def test_a_missing_row_is_called_by_its_place(world: World) -> None:
    world.look(ANN, State.SETTLED, State.FAILED)  # steps 1 and 2, then outcomes 1 to 4
    assert world.after(gone(outcome_rows, 4)) == [(Verdict.MISSING, "link 6: the last")]
    assert world.after(gone(step_rows, 2)) == [
        (Verdict.MISSING, "link 2: from the middle"),
        (Verdict.MISSING, "link 4: from the middle"),
        (Verdict.MISSING, "link 6: the last"),
        (Verdict.ALTERED, "outcome 2 is of no step"),
        (Verdict.ALTERED, "outcome 4 is of no step"),
    ]
    assert world.after(gone(outcome_rows, 2, 3)) == [
        (Verdict.MISSING, "links 4 to 5: from the middle")
    ]
    assert world.after(gone(step_rows, 1))[0] == (Verdict.MISSING, "link 1: the first")
    assert world.after(gone(step_rows, 1, 2))[0] == (Verdict.MISSING, "links 1 to 6: all of them")


def test_exchanged_rows_are_told_from_altered_ones(world: World) -> None:
    world.look(ANN, State.SETTLED, State.FAILED)
    one, two = world.rows(outcome_rows)[2:]
    for _, exchange in exchanges(outcome_rows, one, two):
        assert (Verdict.REORDERED, "outcome 3, outcome 4") in world.after(exchange)
    altered = world.after(_set(outcome_rows, one, {"state": "failed"}))
    assert altered == [(Verdict.ALTERED, "outcome 3")]


def test_rows_older_than_chaining_are_no_fault_and_younger_ones_are(world: World) -> None:
    keyless = World(world.database, world.wall, signer=None)
    keyless.look(ANN, State.SETTLED)
    world.begin()
    world.look(BOB, State.SETTLED)
    assert world.faults() == []
    found = world.database.read_now(lambda tx: proof.prove(tx, [ANN, BOB], SIGNER))
    assert (found[ANN].verdict, found[ANN].before) == (Verdict.BEFORE, 3)
    assert (found[BOB].verdict, found[BOB].links) == (Verdict.OK, 3)
    keyless.look(BOB, State.FAILED)
    assert world.faults() == [(Verdict.UNCHAINED, "step 3, outcome 5, outcome 6")]


def test_a_whole_chain_that_was_taken_off_its_rows_is_noticed(world: World) -> None:
    world.look(ANN, State.SETTLED)

    def strip(tx: Tx) -> None:
        for table in (step_rows, outcome_rows):
            tx.execute(update(table).values(link=None, mac=None))
        tx.execute(delete(chain_rows).where(chain_rows.c.user == ANN))

    assert world.after(strip) == [(Verdict.UNCHAINED, "step 1, outcome 1, outcome 2")]


def test_another_key_is_called_so(world: World) -> None:
    world.look(ANN, State.SETTLED)
    verdicts = {verdict for verdict, _ in world.faults(signer=OTHER)}
    assert verdicts == {Verdict.KEY}
    assert world.database.read_now(lambda tx: chain.strange_key(tx, OTHER)) == SIGNER.id
    assert world.database.read_now(lambda tx: chain.strange_key(tx, None)) == SIGNER.id
    assert world.database.read_now(lambda tx: chain.strange_key(tx, SIGNER)) is None


def test_nobody_goes_on_from_an_end_that_is_not_proved(world: World) -> None:
    """It would make good what was done."""
    world.look(ANN, State.SETTLED)
    world.database.write_now(gone(outcome_rows, 2))
    (end,) = world.rows(chain_rows, chain_rows.c.user == ANN)
    world.database.write_now(_set(chain_rows, end, {"length": 2}))
    mark(world.database, ANN)
    held = lease_one(world.database, ANN)
    head = world.database.write_now(
        lambda tx: journal.record(tx, held, [Resolved(1, State.FAILED)], SIGNER)
    )
    assert head == chain.UNPROVED
    verdicts = [verdict for verdict, _ in world.faults()]
    assert verdicts == [Verdict.ALTERED, Verdict.UNCHAINED]


def test_a_purge_leaves_alone_what_it_cannot_prove(world: World) -> None:
    """It would take the traces away, or look as if somebody had taken rows."""
    first = world.look(ANN, State.FAILED)
    world.wall.forward(100 * DAY)
    world.look(BOB, State.SETTLED)
    steps = [row["id"] for row in world.rows(step_rows)]
    for signer in (None, OTHER):
        world.signer = signer
        left = world.database.read_now(
            lambda tx, signer=signer: retention.provable(tx, [ANN, user(8)], signer)  # type: ignore[misc]
        )
        assert left == {user(8)}
        assert world.purge() == 0
    assert [row["id"] for row in world.rows(step_rows)] == steps
    world.signer = SIGNER
    assert world.purge() == 1
    assert first[0] not in [row["id"] for row in world.rows(step_rows)]
    assert world.faults() == []


def test_what_a_purge_leaves_below_the_cut_is_proved_too(world: World) -> None:
    """A removal that is owed stays; what was planned after it goes."""
    world.look(ANN, State.SETTLED)
    world.look(ANN, State.SETTLED, State.FAILED)
    world.wall.forward(100 * DAY)
    world.look(BOB, State.SETTLED)
    assert world.purge() == 1
    (end,) = world.rows(chain_rows, chain_rows.c.user == ANN)
    assert end["cut"] == end["length"] == 9
    assert world.faults() == []
    kept = world.rows(outcome_rows, outcome_rows.c.step == 1)
    assert world.after(gone(outcome_rows, kept[0]["id"])) == [
        (Verdict.CUT, "links 1 to 9 are not those that purges left")
    ]


def test_a_store_put_back_as_it_once_was_is_found_by_a_head(world: World) -> None:
    world.look(ANN, State.FAILED)
    old = [(table, world.rows(table)) for table in EVIDENCE]
    world.look(ANN, State.SETTLED)

    def put(tx: Tx) -> None:
        for table, rows in old:
            tx.execute(delete(table))
            tx.execute(table.insert(), rows)

    world.database.write_now(put)
    first, last = world.heads
    assert world.faults() == []

    def speaks(*heads: Head) -> list[proof.Fault]:
        return world.database.read_now(lambda tx: compare(tx, ANN, heads, SIGNER)[0])

    assert speaks(first) == []
    assert [each.verdict for each in speaks(first, last)] == [Verdict.MISSING]
    world.look(ANN, State.PARKED)
    assert world.faults() == []
    assert [each.verdict for each in speaks(first, last)] == [Verdict.ALTERED]


def test_rows_of_two_times_do_not_make_one_chain(world: World) -> None:
    """A row that was proved once, put into what was written after the store was put back."""
    world.look(ANN, State.FAILED)
    old = [(table, world.rows(table)) for table in EVIDENCE]
    world.look(ANN, State.SETTLED)
    one = world.rows(outcome_rows)[-1]

    def put(tx: Tx) -> None:
        for table, rows in old:
            tx.execute(delete(table))
            tx.execute(table.insert(), rows)
        if tx.postgres:
            for name in ("step", "outcome"):
                sequence = f"SELECT setval('{name}_id_seq', max(id)) FROM {name}"  # noqa: S608
                tx.connection.exec_driver_sql(sequence)

    world.database.write_now(put)
    world.look(ANN, State.PARKED)
    other = world.rows(outcome_rows)[-1]
    assert (one["id"], one["link"]) == (other["id"], other["link"])
    assert world.after(_set(outcome_rows, other, one)) == [
        (Verdict.ALTERED, "links after 0 are of another time than the end")
    ]


def test_of_who_is_forgotten_no_chain_stays(world: World) -> None:
    world.look(ANN, State.SETTLED)
    world.look(BOB, State.SETTLED)
    while world.database.write_now(lambda tx: erasure.delete_own(tx, ANN)):
        pass
    assert world.rows(chain_rows, chain_rows.c.user == ANN) == []
    assert world.faults() == []
    world.look(ANN, State.SETTLED)
    assert world.faults() == []


def test_a_step_tells_when_its_reading_began(world: World) -> None:
    world.look(ANN, State.SETTLED)
    (row,) = world.rows(step_rows)
    assert row["read"] == world.wall.us
    assert row["action"] == Action.REMOVE


def test_chaining_begins_once(world: World) -> None:
    world.look(ANN, State.SETTLED)
    world.database.write_now(lambda tx: tx.execute(delete(chain_rows).where(
        chain_rows.c.user == chain.NOBODY)))  # fmt: skip
    world.begin()
    assert world.faults() == [(Verdict.MISSING, "the row that tells where chaining began")]


def test_a_row_of_another_kind_of_value_is_altered_and_no_fault_of_ours(world: World) -> None:
    """SQLite takes any value in any column."""
    world.look(ANN, State.SETTLED)
    if world.database.postgres:
        return
    for table, column in ((step_rows, "name"), (step_rows, "link"), (outcome_rows, "mac")):
        row = world.rows(table)[0]
        for value in (b"\xff", 1.5, "words"):
            strange = _raw(table, row, column, value)
            assert world.after(strange), (column, value)


def _raw(table: Any, row: dict[str, Any], column: str, value: object) -> Callable[[Tx], object]:
    statement = f"UPDATE {table.name} SET {column} = ? WHERE id = ?"  # noqa: S608  # our own words
    return lambda tx: tx.connection.exec_driver_sql(statement, (value, row["id"]))


def test_whoever_writes_meanwhile_no_chain_is_said_to_be_broken(
    world: World, another: Opener
) -> None:
    """Looks at several people, a purge and two proofs, each in a process of its own."""
    people = [ANN, BOB, user(9)]
    owned = {who: world.look(who, State.SETTLED, State.FAILED)[0] for who in people[:2]}
    world.wall.forward(100 * DAY)
    owned[people[2]] = world.look(people[2], State.SETTLED)[0]
    before = world.wall.us - 1
    delete_some = partial(retention.delete_steps, before=before, users=people, signer=SIGNER)
    prove = partial(proof.prove, users=people, signer=SIGNER)

    def purge() -> list[proof.Fault]:
        mine = another()
        assert [mine.write_now(delete_some) for _ in range(12)]
        return []

    def verify() -> list[proof.Fault]:
        mine = another()
        proofs = [mine.read_now(prove) for _ in range(24)]
        return [fault for each in proofs for one in each.values() for fault in one.faults]

    looks: list[Callable[[], list[proof.Fault]]]
    looks = [partial(look_often, another(), who, step) for who, step in owned.items()]
    with ThreadPoolExecutor(6) as threads:
        running = [threads.submit(each) for each in (*looks, purge, verify, verify)]
        assert [fault for each in running for fault in each.result()] == []
    assert world.faults() == []
    while any(world.database.write_now(delete_some)):
        pass  # whoever was being looked at each time was left to the next purge
    assert [row["cut"] for row in world.rows(chain_rows)] == [0, 6, 6, 0]


def look_often(database: Database, who: str, step: int) -> list[proof.Fault]:
    """So many looks, of which each writes an outcome."""
    became = [Resolved(step, State.SETTLED)]
    for _ in range(12):
        mark(database, who)
        for held in lease(database, only=who):  # nobody, while a purge holds their place in line
            database.write_now(lambda tx: journal.record(tx, held, became, SIGNER))  # noqa: B023
            settle(database, held, Idle())
    return []


def test_leases_are_compared_before_a_chain_is_read(world: World) -> None:
    """Who lost the lease writes nothing, and holds nobody up."""
    mark(world.database, ANN)
    held = lease_one(world.database, ANN)
    world.wall.forward(line.LEASE.total_seconds() + 1)
    lease_one(world.database, ANN)
    with pytest.raises(Exception, match="lost"):
        world.database.write_now(
            lambda tx: journal.record(tx, held, [Resolved(1, State.FAILED)], SIGNER)
        )
    assert world.rows(chain_rows, chain_rows.c.user == ANN) == []
