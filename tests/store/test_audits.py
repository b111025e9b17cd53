"""Audits in the store: gone on with while young, tidied when over, asked by kind and person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from hooks.core.drift import Drift, Kind
from hooks.core.errors import UnsealedError
from hooks.core.ids import OktaUserId
from hooks.core.membership import Standing
from hooks.core.policy import Limits
from hooks.core.returning import Standed
from hooks.store import alarms, audits, people
from hooks.store.audit_tables import Audit, AuditPage
from hooks.store.audit_tables import Drift as Row
from hooks.store.audits import Place, Run
from hooks.store.database import Database, Tx
from hooks.store.people import Stood
from hooks.store.sealing import Sealer
from tests.store.builders import MAIN, SEALER, Wall, scim_group, step, user
from tests.store.test_holds import look

YOUNG = timedelta(hours=6)
ANN, BOB = user(1), user(2)


def begin(database: Database, *, scheduled: bool = False) -> Run:
    return database.write_now(lambda tx: audits.begin(tx, scheduled=scheduled, young=YOUNG))


def keep(database: Database, run: Run, part: str, place: Place, body: bytes = b"page") -> None:
    sealed = audits.seal(SEALER, run.id, part, place, body)
    database.write_now(lambda tx: audits.keep(tx, run.id, part, place, sealed))


def found(database: Database, run: Run, *lines: Drift) -> None:
    database.write_now(lambda tx: audits.found(tx, run.id, lines))


def line(who: OktaUserId, kind: Kind = Kind.SURPLUS, group: int = 1) -> Drift:
    return Drift(MAIN, kind, "left", scim_group(group), f"team-{group}", who)


def done(database: Database, run: Run) -> None:
    database.write_now(lambda tx: audits.done(tx, run.id, 2))


def tidy(database: Database) -> None:
    while database.write_now(lambda tx: audits.tidy(tx, young=YOUNG)):
        pass


def rows(database: Database, table: type[Audit | AuditPage | Row]) -> int:
    query = select(func.count()).select_from(table.__table__)  # type: ignore[union-attr]
    return int(database.read_now(lambda tx: tx.execute(query).scalar_one()))


def test_one_that_was_not_finished_is_gone_on_with_while_it_is_young(
    database: Database, wall: Wall
) -> None:
    first = begin(database)
    wall.forward(YOUNG.total_seconds())
    assert begin(database).id == first.id
    assert begin(database, scheduled=True).id != first.id
    wall.forward(1)
    assert begin(database).id != first.id


def test_one_that_is_done_or_given_up_is_not_gone_on_with(database: Database) -> None:
    first = begin(database)
    done(database, first)
    second = begin(database)
    database.write_now(lambda tx: audits.abandon(tx, second.id))
    assert len({first.id, second.id, begin(database).id}) == 3


def test_a_list_goes_on_where_it_was_and_is_whole_at_its_end(database: Database) -> None:
    run = begin(database)

    def place(part: str) -> Place:
        return database.read_now(lambda tx: audits.place(tx, run.id, part))

    assert place("a") == Place()
    assert not place("a").whole
    keep(database, run, "a", Place(1, "further"))
    keep(database, run, "b", Place(1, ""))
    assert place("a") == Place(1, "further")
    assert not place("a").whole
    assert place("b").whole
    keep(database, run, "a", Place(2, ""))
    assert place("a").whole
    database.write_now(lambda tx: audits.drop(tx, run.id, "a"))
    assert place("a") == Place()
    assert place("b").whole


def test_pages_come_by_list_and_number_and_open_only_where_they_stand(database: Database) -> None:
    run = begin(database)
    for part, number in (("b", 1), ("a", 1), ("a", 2)):
        keep(database, run, part, Place(number, "on"), f"{part}{number}".encode())
    every = database.read_now(lambda tx: audits.pages(tx, run.id, SEALER))
    assert every == [("a", 0, b"a1"), ("a", 1, b"a2"), ("b", 0, b"b1")]
    after = database.read_now(lambda tx: audits.pages(tx, run.id, SEALER, after=("a", 0)))
    assert after == every[1:]
    one = database.read_now(lambda tx: audits.pages(tx, run.id, SEALER, part="a"))
    assert one == every[:2]
    with pytest.raises(UnsealedError):
        database.read_now(lambda tx: audits.pages(tx, run.id, Sealer([bytes(32)])))


def test_pages_go_when_it_is_done_or_old_and_stay_while_it_is_under_way(
    database: Database, wall: Wall
) -> None:
    over, under_way = begin(database), begin(database, scheduled=True)
    for run in (over, under_way):
        for number in range(100):
            keep(database, run, "a", Place(number + 1, "on"))
    done(database, over)
    tidy(database)
    assert rows(database, AuditPage) == 100
    wall.forward(YOUNG.total_seconds() + 1)
    tidy(database)
    assert rows(database, AuditPage) == 0


def test_what_was_found_is_kept_of_the_newest_ten(database: Database) -> None:
    for number in range(12):
        run = begin(database)
        found(database, run, line(ANN), line(BOB, group=number))
        done(database, run)
    tidy(database)
    assert rows(database, Row) == 20
    assert rows(database, Audit) == 10
    last = database.read_now(audits.last)
    assert last is not None
    assert {each["name"] for each in database.read_now(lambda tx: audits.lines(tx, last.id))} == {
        "team-1",
        "team-11",
    }


def test_people_are_told_by_kind_each_once_and_in_portions(database: Database) -> None:
    run = begin(database)
    found(
        database, run, line(BOB), line(ANN), line(ANN, group=2), line(user(3), Kind.REFUSED),
        Drift(MAIN, Kind.ORPHAN, record="r"),
    )  # fmt: skip

    def people(*kinds: Kind, after: str = "", limit: int = 9) -> list[str]:
        return database.read_now(
            lambda tx: audits.people(tx, run.id, kinds, after=after, limit=limit)
        )

    assert people(Kind.SURPLUS) == [ANN, BOB]
    assert people(Kind.SURPLUS, limit=1) == [ANN]
    assert people(Kind.SURPLUS, after=ANN) == [BOB]
    assert people(*Kind) == [ANN, BOB, user(3)]
    assert people() == []
    counts = database.read_now(lambda tx: audits.counts(tx, run.id))
    assert counts == {"surplus": 3, "refused": 1, "orphan": 1}


def test_what_is_judged_anew_is_found_once(database: Database) -> None:
    run, other = begin(database), begin(database, scheduled=True)
    for each in (run, other):
        found(database, each, *(line(ANN, group=number) for number in range(audits.PORTION + 1)))
    while database.write_now(lambda tx: audits.take_back(tx, run.id)):
        pass
    assert database.read_now(lambda tx: audits.counts(tx, run.id)) == {}
    assert rows(database, Row) == audits.PORTION + 1


def test_the_alarm_stands_by_the_newest_that_is_done(database: Database) -> None:
    def alarming() -> int:
        told = database.read_now(lambda tx: alarms.found(tx, every=timedelta(minutes=1)))
        return told.get("drift", 0)

    first = begin(database)
    found(database, first, line(ANN), line(ANN, group=2), line(BOB), line(user(3), Kind.MISSING))
    assert alarming() == 0, "it is not done"
    done(database, first)
    assert alarming() == 2
    done(database, begin(database))
    assert alarming() == 0


def test_whoever_is_held_or_was_looked_at_since_is_told_of_otherwise(database: Database) -> None:
    run = begin(database)
    found(database, run, line(ANN), line(BOB), line(user(3)))
    done(database, run)
    assert database.read_now(audits.drifted) == 3
    for who in (user(3), user(4), user(5)):
        look(database, who, step(), limits=Limits(other_per_hour=0))
    assert database.read_now(audits.drifted) == 2, "one of them is held"

    def looked(tx: Tx) -> None:
        stood = Stood(MAIN, Standed(Standing.PRESENT), None)
        people.remember(tx, ANN, [stood], SEALER, protected=False)

    database.write_now(looked)
    assert database.read_now(audits.drifted) == 1
