"""What is sealed with which key, and everything sealed anew."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import text

from hooks.core.reading import AppUser
from hooks.store import inbox, people, released, seals
from hooks.store.database import Database
from hooks.store.sealing import Sealer
from hooks.store.seals import Place, Sealed, Where
from tests.store.builders import MAIN, event, left, put, scim_user, user, uuid

OLD, NEW, LOST = (bytes([number]) * 32 for number in (1, 2, 3))
BEFORE, ROTATED = Sealer([OLD]), Sealer([NEW, OLD])
ANN, BOB = user(1), user(2)
(OLD_ID,), (NEW_ID, _), (LOST_ID,) = BEFORE.keys, ROTATED.keys, Sealer([LOST]).keys


def fill(database: Database, sealer: Sealer = BEFORE, first: int = 1, count: int = 3) -> None:
    """Events, logins and copies of records, sealed with the newest key of a sealer."""
    numbers = range(first, first + count)
    put(database, *(left(number, user(number)) for number in numbers), sealer=sealer)
    app_users = [AppUser(user(n), "ACTIVE", scim_user(n), f"u{n}@example.com") for n in numbers]
    database.write_now(lambda tx: people.census(tx, MAIN, app_users, sealer, began=tx.now))
    for n in numbers:
        copy = f"record {n}".encode()
        database.write_now(
            lambda tx, n=n, copy=copy: released.mark(  # type: ignore[misc]
                tx, user(n), MAIN, scim_user(n), copy=copy, sealer=sealer
            )
        )


def everything(database: Database, place: Place) -> list[tuple[Where, str]]:
    found: list[tuple[Where, str]] = []
    after: Where | None = ()
    while after is not None:
        page = database.read_now(lambda tx, after=after: seals.page(tx, place, after))  # type: ignore[misc]
        found += page.keys
        after = page.after
    return found


def keys(database: Database, place: Place) -> Counter[str]:
    return Counter(key for _, key in everything(database, place))


def values(database: Database, place: Place) -> list[Sealed]:
    wheres = [where for where, _ in everything(database, place)]
    return database.read_now(lambda tx: seals.read(tx, place, wheres))


@pytest.mark.parametrize("place", Place)
def test_everything_is_sealed_anew_and_opens_where_it_did(database: Database, place: Place) -> None:
    fill(database)
    before = values(database, place)
    after, broken = seals.renewed(before, ROTATED)
    assert broken == []
    database.write_now(lambda tx: seals.replace(tx, place, before, after))
    assert keys(database, place) == {NEW_ID: 3}
    if place is Place.EVENTS:
        found = database.read_now(lambda tx: inbox.opened(tx, uuid(1), Sealer([NEW])))
        assert found
        assert found[1] == left(1, ANN).raw
    elif place is Place.COPIES:
        (kept,) = database.read_now(lambda tx: released.find(tx, ANN))
        assert released.opened(kept, Sealer([NEW])) == b"record 1"
    else:
        known = database.read_now(lambda tx: people.recall(tx, ANN, Sealer([NEW])))
        assert known.memories[MAIN].user_name == "u1@example.com"


@pytest.mark.parametrize("place", Place)
def test_pages_show_each_value_once(
    database: Database, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database, count=7)
    put(database, event(99, type="user.session.start"))
    whole = everything(database, place)
    assert len({where for where, _ in whole}) == len(whole) == 7
    monkeypatch.setattr(seals, "_PAGE", 3)
    assert everything(database, place) == whole
    monkeypatch.setattr(seals, "_PAGE", 7)
    assert everything(database, place) == whole


@pytest.mark.parametrize("place", Place)
def test_what_changed_or_went_meanwhile_is_left_as_it_is(database: Database, place: Place) -> None:
    """A look or the purge comes between the reading and the writing."""
    fill(database, count=2)
    before = values(database, place)
    after, _ = seals.renewed(before, ROTATED)
    table, column = {
        Place.EVENTS: ("event", "sealed"),
        Place.LOGINS: ("tie", "user_name"),
        Place.COPIES: ("tie", "released_copy"),
    }[place]
    who = "subject" if place is Place.EVENTS else '"user"'
    for statement in (
        f"UPDATE {table} SET {column} = :other WHERE {who} = :ann",  # noqa: S608
        f"DELETE FROM {table} WHERE {who} = :bob",  # noqa: S608
    ):
        given = {"other": b"newer", "ann": ANN, "bob": BOB}
        used = {name: value for name, value in given.items() if f":{name}" in statement}
        database.write_now(lambda tx, each=statement, used=used: tx.execute(text(each), used))  # type: ignore[misc]
    database.write_now(lambda tx: seals.replace(tx, place, before, after))
    assert [each.value for each in values(database, place)] == [b"newer"]


def test_what_was_changed_or_lacks_its_key_is_named_and_not_sealed_anew(
    database: Database,
) -> None:
    fill(database)
    good, moved, changed = values(database, Place.EVENTS)
    given = [good, replace(moved, row=uuid(9)), replace(changed, value=changed.value[:-1] + b"?")]
    after, broken = seals.renewed(given, ROTATED)
    assert [each.where for each in after] == [good.where]
    assert broken == [uuid(9), changed.row]
    _, lost = seals.renewed([good], Sealer([LOST]))
    assert lost == [good.row]


def test_old_values_without_their_key_are_told_at_the_start(database: Database) -> None:
    def lost(sealer: Sealer) -> list[str]:
        return database.read_now(lambda tx: seals.lost(tx, sealer))

    assert lost(Sealer([NEW])) == []
    fill(database, Sealer([LOST]), 1, 1)
    fill(database, BEFORE, 2, 1)
    assert lost(Sealer([NEW, OLD, LOST])) == []
    assert lost(Sealer([OLD])) == [LOST_ID]
    assert lost(Sealer([NEW])) == sorted([OLD_ID, LOST_ID])
    database.write_now(lambda tx: tx.execute(text("DELETE FROM tie")))
    assert lost(Sealer([OLD])) == [LOST_ID]
