"""Keys: everything sealed anew with the newest, and which old ones may go."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from sqlalchemy import text

from hooks.core.reading import AppUser
from hooks.store import people
from hooks.store.sealing import Sealer
from tests.cli.conftest import Desk
from tests.store.builders import MAIN, scim_user, user

PAYLOADS = "SELECT count(*) FROM event WHERE sealed IS NOT NULL"


def text_of(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode()


def given(desk: Desk, monkeypatch: pytest.MonkeyPatch, *keys: bytes) -> list[str]:
    """HOOKS_SEALING_KEYS from here on; their ids."""
    for environ in (desk.environ, None):
        value = ",".join(map(text_of, keys))
        if environ is None:
            monkeypatch.setenv("HOOKS_SEALING_KEYS", value)
        else:
            environ["HOOKS_SEALING_KEYS"] = value
    return list(Sealer(keys).keys)


def filled(desk: Desk) -> tuple[str, int]:
    """Events and logins are stored; an event with a payload, and how many values are sealed."""
    desk.deliver()
    app_users = [AppUser(user(n), "ACTIVE", scim_user(n), f"u{n}@example.com") for n in range(3)]
    desk.write(lambda tx: people.census(tx, MAIN, app_users, desk.sealer, began=tx.now))
    payloads = desk.read(lambda tx: tx.execute(text(PAYLOADS)).scalar_one())
    uuid = desk("events", "--type", "group.user_membership.add", "--json").json()[0]["uuid"]
    return uuid, payloads + 3


def states(told: Any) -> dict[str, str]:
    return {each["key"]: each["state"] for each in told["keys"]}


A, B, C = (bytes([number]) * 32 for number in (1, 2, 3))


def test_after_a_rotation_the_old_key_may_go(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    given(desk, monkeypatch, A)
    uuid, count = filled(desk)
    new, old = given(desk, monkeypatch, B, A)
    before = desk.dump()
    dry = desk("keys", "rotate", "--dry-run")
    assert dry.code == 0
    assert f"{count} values would be sealed anew" in dry.out
    assert "may be taken out" not in dry.out
    assert desk.dump() == before
    told = desk("keys", "rotate", "--dry-run", "--json").json()
    assert states(told) == {new: "newest", old: "in use"}

    ran = desk("keys", "rotate", "--reason", "yearly")
    assert ran.code == 0
    assert f"{count} values sealed anew with {new}" in ran.out
    assert f"{old}: it may be taken out of HOOKS_SEALING_KEYS" in ran.out
    assert [each["order"] for each in _orders(desk)] == ["rotate"]

    given(desk, monkeypatch, B)
    assert desk("events", "show", uuid, "--payload", "--json").json()["payload"]["uuid"] == uuid
    known = desk.read(lambda tx: people.recall(tx, user(1), desk.sealer))
    assert known.memories[MAIN].user_name == "u1@example.com"
    again = desk("keys", "rotate", "--json")
    assert (again.code, again.json()["renewed"]) == (0, 0)


def _orders(desk: Desk) -> list[dict[str, Any]]:
    query = text("SELECT kind, ref, why, result FROM operator_order")
    rows = desk.read(lambda tx: tx.execute(query).all())
    return [{"order": row.kind, "ref": row.ref, "result": row.result} for row in rows]


def test_what_lacks_its_key_is_counted_named_and_left_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lost,) = given(desk, monkeypatch, A)
    uuid, count = filled(desk)
    (new,) = given(desk, monkeypatch, C)
    before = desk.read(lambda tx: tx.execute(text("SELECT sealed FROM event")).all())
    ran = desk("keys", "rotate")
    assert ran.code == 1
    assert f"{lost} is not given: {count} values left alone" in ran.out
    assert desk.read(lambda tx: tx.execute(text("SELECT sealed FROM event")).all()) == before
    told = desk("keys", "rotate", "--json")
    assert (told.code, states(told.json())) == (1, {new: "newest", lost: "lost"})
    shown = desk("events", "show", uuid, "--payload")
    assert (shown.code, shown.out) == (1, "")
    assert f"sealed with key {lost}, which is not given" in shown.err
    assert desk("events", "show", uuid).code == 0
    given(desk, monkeypatch, C, A)
    assert desk("keys", "rotate").code == 0


def test_what_was_changed_is_named_and_the_rest_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(desk, monkeypatch, A)
    uuid, count = filled(desk)
    given(desk, monkeypatch, B, A)
    spoil = text("UPDATE event SET sealed = substr(sealed, 1, 20) WHERE uuid = :uuid")
    desk.write(lambda tx: tx.execute(spoil, {"uuid": uuid}))
    ran = desk("keys", "rotate", "--json")
    assert ran.code == 1
    assert (ran.json()["renewed"], ran.json()["broken"]) == (count - 1, [uuid])
    ran = desk("keys", "rotate")
    assert f"1 value changed or moved: {uuid}" in ran.out
    assert "still sealed" not in ran.out


def test_it_works_on_postgresql(
    desk: Desk, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql_url.replace("+psycopg", "")
    monkeypatch.setenv("HOOKS_DATABASE_URL", url)
    desk.environ["HOOKS_DATABASE_URL"] = url
    assert desk("migrate").code == 0
    given(desk, monkeypatch, A)
    uuid, count = filled(desk)
    given(desk, monkeypatch, B, A)
    assert desk("keys", "rotate", "--json").json()["renewed"] == count
    given(desk, monkeypatch, B)
    assert desk("events", "show", uuid, "--payload").code == 0
