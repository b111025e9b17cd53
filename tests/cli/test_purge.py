"""Deleting what is over and old, by hand."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from hooks.sandbox.story import PERSON
from hooks.store.database import Tx
from tests.cli.conftest import Desk

#: A hundred days, in microseconds.
_LONG = 100 * 86_400_000_000


def aged(desk: Desk) -> int:
    """Everything stored so far is over, and a hundred days old but for the newest; how many go."""
    count = len(desk.deliver())

    def age(tx: Tx) -> None:
        tx.execute(
            text(
                "UPDATE event SET received = received - :long, settled = received - :long"
                " WHERE id < (SELECT max(id) FROM event)"
            ),
            {"long": _LONG},
        )

    desk.write(age)
    return count - 1


def orders(desk: Desk) -> list[Any]:
    query = text("SELECT kind, ref, why, result FROM operator_order ORDER BY id")
    rows = desk.read(lambda tx: tx.execute(query).all())
    return [tuple(row) for row in rows]


def test_what_would_go_is_counted_and_nothing_changed(desk: Desk) -> None:
    old = aged(desk)
    before = desk.dump()
    ran = desk("purge", "--dry-run")
    assert ran.code == 0
    assert f"{old} rows would go, nothing was changed" in ran.out
    told = desk("purge", "--dry-run", "--json").json()
    assert (told["dry_run"], told["older_than_days"], told["deleted"]["events"]) == (True, 90, old)
    assert desk.dump() == before


def test_what_is_over_goes_and_an_order_tells_of_it(desk: Desk) -> None:
    old = aged(desk)
    desk.story.remove_from_old_group()
    desk("look", PERSON)
    ran = desk("purge", "--reason", "before the audit")
    assert ran.code == 0
    assert ran.out.endswith(f"\n{old} rows deleted\n")
    assert len(desk("events", "--json").json()) == 1
    assert len(desk("steps", "--json").json()) == 2
    (order,) = orders(desk)
    assert order[:3] == ("purge", "older than 90d", "before the audit")
    assert f"events {old}" in order[3]
    assert desk("purge", "--json").json()["deleted"]["events"] == 0


def test_the_age_may_be_said(desk: Desk) -> None:
    old = aged(desk)
    assert desk("purge", "--older-than", "120d", "--json").json()["deleted"]["events"] == 0
    assert desk("purge", "--older-than", "31d", "--json").json()["deleted"]["events"] == old


@pytest.mark.parametrize("age", ["30d", "0s", "x", "90"])
def test_nothing_young_can_be_asked_for(desk: Desk, age: str) -> None:
    aged(desk)
    before = desk.dump()
    ran = desk("purge", "--older-than", age)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("--older-than: write")
    assert desk.dump() == before


def test_the_settings_say_how_long(desk: Desk) -> None:
    old = aged(desk)
    config = desk.folder / "hooks.toml"
    config.write_text(config.read_text() + "\n[retention]\nevents_days = 120\n")
    assert desk("purge", "--json").json()["deleted"]["events"] == 0
    config.write_text(config.read_text().replace("events_days = 120", "events_days = 31"))
    assert desk("purge", "--json").json()["deleted"]["events"] == old


def test_less_than_anything_looks_back_is_a_mistake_in_the_settings(desk: Desk) -> None:
    config = desk.folder / "hooks.toml"
    config.write_text(config.read_text() + "\n[retention]\nevents_days = 30\n")
    ran = desk("purge")
    assert ran.code == 2
    assert "[retention] events_days" in ran.err
    assert "31 or more" in ran.err


def test_it_works_on_postgresql(
    desk: Desk, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKS_DATABASE_URL", postgresql_url.replace("+psycopg", ""))
    assert desk("migrate").code == 0
    assert desk("purge", "--dry-run").code == 0
    assert desk("purge", "--reason", "x").out.endswith("0 rows deleted\n")
