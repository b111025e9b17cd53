"""What looks told, and what the System Log told before there were any."""

from __future__ import annotations

from datetime import timedelta

from hooks.core.history import LogFacts, Logged, Moment
from hooks.core.ids import OktaUserId
from hooks.store import looks
from hooks.store.database import Database, Tx
from tests.store.builders import APP, START, Wall, user

ANN, BOB = user(1), user(2)


def tell(database: Database, *told: dict[str, object], who: OktaUserId = ANN) -> None:
    def all_at_once(tx: Tx) -> None:
        for each in told:
            looks.remember(tx, who, each)

    database.write_now(all_at_once)


def told(database: Database, who: OktaUserId = ANN, limit: int = 1000) -> list[object]:
    found = database.read_now(lambda tx: looks.of(tx, who, limit=limit))
    return [each["it"] for _, each in found]


def test_a_look_that_told_the_same_as_the_one_before_is_not_kept(
    database: Database, wall: Wall
) -> None:
    first = wall.us
    tell(database, {"it": 1, "more": [1, None, "é"]})
    wall.forward(60)
    tell(database, {"more": [1, None, "é"], "it": 1})
    found = database.read_now(lambda tx: looks.of(tx, ANN))
    assert found == [(first, {"it": 1, "more": [1, None, "é"]})]


def test_only_the_look_before_counts(database: Database) -> None:
    tell(database, {"it": 1}, {"it": 2}, {"it": 1}, {"it": 1})
    assert told(database) == [1, 2, 1]


def test_each_person_has_looks_of_their_own(database: Database) -> None:
    tell(database, {"it": 1})
    tell(database, {"it": 1}, {"it": 2}, who=BOB)
    assert (told(database), told(database, BOB)) == ([1], [1, 2])
    assert told(database, user(3)) == []


def test_a_hundred_looks_are_kept_the_newest_and_told_oldest_first(database: Database) -> None:
    tell(database, {"it": 0}, who=BOB)
    many: list[dict[str, object]] = [{"it": number} for number in range(105)]
    tell(database, *many)
    assert told(database) == list(range(5, 105))
    assert told(database, limit=3) == [102, 103, 104]
    assert told(database, BOB) == [0], "those of somebody else stay"


# -- the log -----------------------------------------------------------------------------------


def moment(minute: int, what: Logged = Logged.DEACTIVATED) -> Moment:
    about = APP if what in (Logged.ASSIGNED, Logged.UNASSIGNED) else None
    return Moment(START + timedelta(minutes=minute, microseconds=123), what, about)


def keep(database: Database, *lines: tuple[OktaUserId, Moment]) -> None:
    database.write_now(lambda tx: looks.remember_log(tx, lines))


def log(database: Database, who: OktaUserId = ANN) -> LogFacts:
    return database.read_now(lambda tx: looks.log(tx, who))


def test_a_line_of_the_log_counts_once(database: Database) -> None:
    first, later = moment(0), moment(5, Logged.ASSIGNED)
    keep(database, (ANN, later), (ANN, first), (ANN, first))
    keep(database, (ANN, first), (ANN, later))
    assert log(database) == LogFacts((first, later))


def test_lines_differ_by_person_word_app_and_instant(database: Database) -> None:
    lines = [
        moment(0),
        moment(0, Logged.UNASSIGNED),
        Moment(moment(0).at, Logged.UNASSIGNED, type(APP)("0oaOTHER".ljust(20, "0"))),
        moment(1),
    ]
    keep(database, *((ANN, each) for each in lines), (BOB, moment(7)))
    assert log(database) == LogFacts.of(lines)
    assert log(database, BOB) == LogFacts((moment(7),))
    assert log(database, user(3)) == LogFacts()


def test_no_line_is_no_write(database: Database) -> None:
    keep(database)
    assert log(database) == LogFacts()
