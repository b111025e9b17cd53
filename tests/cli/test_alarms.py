"""What is amiss now, as people and programs read it."""

from __future__ import annotations

from sqlalchemy import update

from hooks.core.alarm import WAY_OUT, WORDS, Kind
from hooks.store import alarms, cursor, holds, line, pause
from hooks.store.database import Tx
from hooks.store.tables import Cursor, Hold
from tests.cli.conftest import Desk

NOBODY = "00u00000000000000000"
CLASS = "main/lost_group/cc417e7c-d741-4609-964a-e90979585e69"


def hold(tx: Tx) -> None:
    insert = Hold.__table__.insert()  # type: ignore[attr-defined]
    row = {"user": NOBODY, "directory": "main", "brake_class": CLASS, "steps": "[]", "at": 1}
    tx.execute(insert, [row | {"state": "waiting"}])


def test_what_the_store_shows_is_listed_though_nothing_serves(desk: Desk) -> None:
    desk.bury(NOBODY)
    desk.write(hold)
    told = desk("alarms", "--json").json()
    assert [(each["name"], each["count"], each["since"], each["told"]) for each in told] == [
        ("dead attempts", 1, None, None), (f"held {CLASS}", 1, None, None)
    ]  # fmt: skip
    assert told[0]["words"] == WORDS[Kind.DEAD]
    assert told[0]["remedy"] == WAY_OUT[Kind.DEAD]


def test_what_a_process_found_is_listed_with_since_when_and_what_was_told(desk: Desk) -> None:
    desk.write(lambda tx: pause.begin(tx, who="me", why="a test"))
    desk.write(lambda tx: alarms.observe(tx, ["breaker scim main", "paused"]))
    first, second = desk.write(lambda tx: alarms.due(tx, ended=False, jitter=lambda: 0.5))
    desk.write(lambda tx: alarms.told(tx, first))
    told = {each["name"]: each for each in desk("alarms", "--json").json()}
    assert {told[each.name]["told"] for each in (first, second)} == {"begun", None}
    assert told["breaker scim main"]["count"] is None
    assert all(each["since"] for each in told.values())
    assert {name: each["ordered"] for name, each in told.items()} == {
        "breaker scim main": None, "paused": "me: a test"
    }  # fmt: skip
    ran = desk("alarms")
    assert "breaker scim main" in ran.out
    assert "Ordered by me: a test" in ran.out
    for kind in (Kind.BREAKER, Kind.PAUSED):
        assert f"{kind}: {WORDS[kind]}" in ran.out.replace("\n", " ")
        assert WAY_OUT[kind] in ran.out.replace("\n", " ")


def test_a_pause_has_its_instant_though_nothing_serves(desk: Desk) -> None:
    desk.write(lambda tx: pause.begin(tx, who="me", why="a test"))
    (told,) = desk("alarms", "--json").json()
    assert (told["name"], told["told"], told["ordered"]) == ("paused", None, "me: a test")
    assert told["since"]


def test_what_was_decided_is_gone_at_once(desk: Desk) -> None:
    desk.bury(NOBODY)
    desk.write(hold)
    names = [each["name"] for each in desk("alarms", "--json").json()]
    desk.write(lambda tx: alarms.observe(tx, names))
    desk.write(line.retry_dead)
    desk.write(lambda tx: holds.decide(tx, [1], approve=False, who="me", why="a test"))
    assert desk("alarms", "--json").json() == []


def test_where_nothing_is_amiss_it_is_said_whether_anybody_has_looked(desk: Desk) -> None:
    desk.bury(NOBODY)
    desk.write(line.retry_dead)
    said = desk("alarms").out
    assert said.startswith("nothing is amiss, by what is stored\n")
    assert "No worker has read the System Log yet" in said
    desk.write(lambda tx: cursor.put(tx, cursor.LOG_REACHED, ""))
    assert "A worker looked 0 s ago" in desk("alarms").out
    hours = 3600 * 1_000_000
    log = Cursor.__table__  # type: ignore[attr-defined]
    old = update(log).where(log.c.name == cursor.LOG_REACHED)
    desk.write(lambda tx: tx.execute(old.values(at=tx.now - hours // 6)))
    assert "No worker has looked since" in " ".join(desk("alarms").out.split())
