"""Dead letters: listed, shown, and put back in line by whom, why and when."""

from __future__ import annotations

from typing import Any

import pytest

from hooks.cli import dead as room
from hooks.cli.text import instant
from hooks.store import inbox, line
from hooks.store.tables import Due, Order
from tests.cli.conftest import Desk

OTHERS = [f"00u{number:017d}" for number in range(3)]


def orders(desk: Desk) -> list[tuple[Any, ...]]:
    table = Order.__table__  # type: ignore[attr-defined]
    return desk.read(  # type: ignore[no-any-return]
        lambda tx: [(row.kind, row.ref, row.why) for row in tx.execute(table.select())]
    )


def letters(desk: Desk) -> set[str]:
    return {each["subject"] for each in desk("dead", "--json").json()}


@pytest.fixture
def three(desk: Desk) -> Desk:
    """One letter of each reason; an hour lies between them."""
    for number, (user, why) in enumerate(zip(OTHERS, room.Cause, strict=True)):
        desk.bury(user, why.value)
        at = (number + 1) * 3_600_000_000
        row = Due.__table__.update().where(Due.__table__.c.subject == user)  # type: ignore[attr-defined]
        desk.write(lambda tx, row=row, at=at: tx.execute(row.values(dead_at=at)))  # type: ignore[misc]
    return desk


def test_a_dead_letter_is_listed_shown_and_put_back(desk: Desk) -> None:
    user = desk.story.person.id
    desk.bury(user)
    (letter,) = desk("dead", "--json").json()
    assert (letter["subject"], letter["reason"]) == (user, "attempts")
    assert user in desk("dead").out
    assert "hooks dead retry" in desk("dead", "show", user).out
    ran = desk("dead", "retry", user, "--reason", "the outage is over")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "1 dead letter back in line")
    assert orders(desk) == [("retry", user, "the outage is over")]
    assert desk("dead", "--json").json() == []
    assert desk("look", user).code == 0
    assert "order  retry, by" in desk("explain", user).out


def test_all_dead_letters_are_put_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_TOGETHER", 2)
    for user in OTHERS:
        desk.bury(user)
    ran = desk("dead", "retry", "--all", "--reason", "x")
    assert "3 dead letters back in line" in ran.out
    assert letters(desk) == set()
    assert [ref for _, ref, _ in orders(desk)] == OTHERS


@pytest.mark.parametrize(
    ("chosen", "meant"),
    [
        (["--why", "attempts"], {0}),
        (["--why", "fault"], {2}),
        (["--since", "1970-01-01T02:00"], {1, 2}),
        (["--until", "1970-01-01T02:00:00Z"], {0}),
        (["--since", "1970-01-01T02:00", "--until", "1970-01-01T04:00+01:00"], {1}),
        (["--all", "--why", "crashes"], {1}),
        (["--why", "attempts", "--since", "1970-01-01T02:00"], set()),
        (["--all"], {0, 1, 2}),
    ],
    ids=str,
)
def test_they_are_chosen_by_reason_and_time(
    three: Desk, chosen: list[str], meant: set[int]
) -> None:
    expected = {OTHERS[each] for each in meant}
    if "--all" not in chosen:
        assert {each["subject"] for each in three("dead", *chosen, "--json").json()} == expected
    before = three.dump()
    dry = three("dead", "retry", *chosen, "--dry-run", "--json").json()
    assert three.dump() == before
    ran = three("dead", "retry", *chosen, "--reason", "x", "--json")
    assert [each["subject"] for each in ran.json()["letters"]] == sorted(expected)
    assert dry == {"dry_run": True, "letters": ran.json()["letters"]}
    assert letters(three) == set(OTHERS) - expected
    assert {ref for _, ref, _ in orders(three)} == expected


def test_a_dry_run_lists_what_would_be_put_back(three: Desk) -> None:
    ran = three("dead", "retry", "--why", "fault", "--dry-run")
    assert ran.code == 0
    assert ran.out.splitlines()[1].startswith(f"{OTHERS[2]}  user  fault   1970-01-01 03:00:00")
    assert ran.out.splitlines()[-1] == "Dry run: 1 dead letter, nothing was changed."
    assert orders(three) == []


def test_one_that_is_no_dead_letter_and_none_is_put_back(three: Desk) -> None:
    before = three.dump()
    stranger = "00u99999999999999999"
    for more in (["--reason", "x"], ["--dry-run"]):
        ran = three("dead", "retry", OTHERS[0], stranger, *more)
        assert (ran.code, ran.out) == (1, "")
        assert stranger in ran.err
    assert three.dump() == before


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("group", "00g00000000000000001"),
        ("push", "00g00000000000000001"),
        ("census", "0oa00000000000000001"),
        (line.APART, "log"),
        ("purge", "purge"),
    ],
)
def test_whatever_is_given_up_on_is_put_back_by_the_name_it_is_listed_with(
    desk: Desk, kind: str, name: str
) -> None:
    desk.write(lambda tx: line.mark(tx, [name], kind, lane=1, due_at=tx.now, events=True))
    desk.write(lambda tx: line._bury(tx, f"{kind}/{name}", "crashes"))
    (listed,) = letters(desk)
    assert desk("dead", "show", listed).code == 0
    assert desk("dead", "retry", listed, "--reason", "x").code == 0
    place = desk.read(lambda tx: inbox.place(tx, listed))
    assert place.dead is None
    assert instant(place.due_at)
