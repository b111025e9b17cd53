"""Forgetting a person: when, what goes, and what is said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from hooks.core.ids import OktaAppId, OktaUserId
from hooks.core.log_event import parse_event
from hooks.sandbox.story import COLLEAGUE, PERSON
from hooks.store import erasure, inbox, line
from hooks.store.database import Tx
from hooks.store.intake import Origin, put
from tests.cli.conftest import Desk
from tests.store.builders import DEACTIVATED

NOBODY = "00u00000000000000000"
WHY = ("--reason", "ticket 7")


@dataclass
class Terminal:
    """Somebody who types one line, and what happens until then."""

    typed: str
    meanwhile: Callable[[], object] = lambda: None

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        self.meanwhile()
        return f"{self.typed}\n"


def gone(desk: Desk) -> str:
    """The person left, was stripped, and nothing waits; their id."""
    user = desk.story.person.id
    desk.story.world.deactivate(PERSON)
    desk.deliver()
    desk("look", PERSON)
    desk("look", COLLEAGUE)
    settled = text("UPDATE event SET settled = received WHERE settled IS NULL")
    desk.write(lambda tx: tx.execute(settled))
    return user


def events_of(desk: Desk, user: str) -> Any:
    return desk("events", "--about", user, "--json").json()


def test_nothing_of_them_is_left_and_the_order_names_nobody(desk: Desk) -> None:
    user = gone(desk)
    assert events_of(desk, user)
    others = events_of(desk, desk.story.colleague.id)
    ran = desk("forget", user, "--yes", *WHY)
    assert ran.code == 0, ran.err
    assert "events about them" in ran.out
    assert "taken and not given back" in ran.out
    assert "Backups" in ran.out
    assert user not in "".join(desk.dump())
    for each in desk.folder.glob("hooks.db*"):
        assert user.encode() not in each.read_bytes(), each.name
    assert events_of(desk, desk.story.colleague.id) == others
    assert desk("explain", user).code == 1
    query = text("SELECT kind, ref, why, result FROM operator_order")
    ((kind, ref, why, result),) = desk.read(lambda tx: tx.execute(query).all())
    assert (kind, ref, why) == ("forget", "", "ticket 7")
    assert "events" in result


def test_what_would_go_is_counted_and_nothing_changed(desk: Desk) -> None:
    user = gone(desk)
    before = desk.dump()
    ran = desk("forget", user, "--dry-run")
    assert ran.code == 0
    assert "nothing was changed" in ran.out
    assert "events about them" in ran.out
    assert desk.dump() == before


def test_whoever_is_in_force_is_kept_unless_told(desk: Desk) -> None:
    user = desk.story.person.id
    desk("look", PERSON)
    before = desk.dump()
    for more in (["--yes", *WHY], ["--dry-run"]):
        ran = desk("forget", user, *more)
        said = ran.err + ran.out
        assert "in force in main" in said
        assert "census brings them back" in said
        assert f"hooks look {user}" in said
    assert desk("forget", user, "--yes", *WHY).code == 1
    assert desk.dump() == before
    assert desk("forget", user, "--yes", "--even-in-force", *WHY).code == 0
    assert user not in "".join(desk.dump())


def test_whoever_has_events_nobody_acted_on_is_kept(desk: Desk) -> None:
    user = gone(desk)
    waits = text("UPDATE event SET settled = NULL WHERE subject = :user")
    desk.write(lambda tx: tx.execute(waits, {"user": user}))
    ran = desk("forget", user, "--yes", *WHY)
    assert ran.code == 1
    assert "not acted on yet" in ran.err
    assert events_of(desk, user)
    assert desk("forget", user, "--yes", "--even-in-force", *WHY).code == 0
    assert user not in "".join(desk.dump())


def test_whoever_is_looked_at_is_kept(desk: Desk) -> None:
    user = gone(desk)
    desk.write(lambda tx: line.mark(tx, [user], "user", lane=0, due_at=tx.now, events=False))
    (held,) = desk.write(lambda tx: line.lease(tx, limit=1, only=user))
    ran = desk("forget", user, "--yes", "--even-in-force", *WHY)
    assert ran.code == 1
    assert "looked at" in ran.err
    assert events_of(desk, user)
    desk.write(lambda tx: line.compare_fence(tx, held))


def test_a_dead_letter_can_be_forgotten(desk: Desk) -> None:
    user = gone(desk)
    desk.bury(user)
    assert desk("forget", user, "--yes", *WHY).code == 0
    assert desk("dead", "--json").json() == []


@pytest.mark.parametrize(("typed", "code"), [("id", 0), ("yes", 2), ("", 2)])
def test_on_a_terminal_the_id_is_typed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    user = gone(desk)
    before = desk.dump()
    answer = user if typed == "id" else typed
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    ran = desk("forget", user, *WHY)
    assert ran.code == code
    assert "cannot be undone" in ran.out
    assert (desk.dump() == before) is (code != 0)


def test_an_event_that_comes_while_somebody_types_is_acted_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = gone(desk)

    def come() -> None:
        waits = text("UPDATE event SET settled = NULL WHERE subject = :user")
        desk.write(lambda tx: tx.execute(waits, {"user": user}))

    monkeypatch.setattr("sys.stdin", Terminal(user, come))
    ran = desk("forget", user, *WHY)
    assert ran.code == 1
    assert "not acted on yet" in ran.err
    assert {each["state"] for each in events_of(desk, user)} == {"waiting"}


def test_without_a_terminal_nobody_is_asked_and_nothing_done(desk: Desk) -> None:
    user = gone(desk)
    before = desk.dump()
    ran = desk("forget", user, *WHY)
    assert (ran.code, ran.out) == (2, "")
    assert "--yes" in ran.err
    assert desk.dump() == before


def test_a_reason_is_asked_for_and_may_not_hold_the_id(desk: Desk) -> None:
    user = gone(desk)
    before = desk.dump()
    assert desk("forget", user, "--yes").code == 2
    ran = desk("forget", user, "--yes", "--reason", f"{user} asked")
    assert (ran.code, user in ran.err) == (2, False)
    assert desk.dump() == before


def test_of_a_stranger_nothing_is_stored(desk: Desk) -> None:
    gone(desk)
    before = desk.dump()
    ran = desk("forget", NOBODY, "--yes", *WHY)
    assert (ran.code, ran.out) == (1, "")
    assert f"nothing is stored of {NOBODY}" in ran.err
    assert desk.dump() == before


def test_what_cannot_be_searched_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    user = gone(desk)
    key = desk.sealer.keys[0]
    monkeypatch.setenv("HOOKS_SEALING_KEYS", desk("keys", "new").out.strip())
    ran = desk("forget", user, "--yes", *WHY)
    assert ran.code == 0
    assert f"sealed with key {key}, which is not given: not searched for them" in ran.out
    assert events_of(desk, user) == []


def test_it_works_on_postgresql(
    desk: Desk, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql_url.replace("+psycopg", "")
    monkeypatch.setenv("HOOKS_DATABASE_URL", url)
    desk.environ["HOOKS_DATABASE_URL"] = url
    assert desk("migrate").code == 0
    user = gone(desk)
    ran = desk("forget", user, "--yes", *WHY)
    assert ran.code == 0, ran.err
    assert "VACUUM" in ran.out
    assert events_of(desk, user) == []
    assert desk("explain", user).code == 1


def test_a_trace_in_an_unused_part_of_the_file_is_said(desk: Desk) -> None:
    user = gone(desk)
    with Path(desk.folder / "hooks.db").open("ab") as file:
        file.write(user.encode())  # behind the last page, where nothing reads
    ran = desk("forget", user, "--yes", *WHY)
    assert ran.code == 0
    assert "VACUUM" in ran.out


def test_an_event_that_comes_meanwhile_is_not_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was acknowledged: they stay in line, and what it says is looked at."""
    ann = gone(desk)
    delete_own = erasure.delete_own
    came: list[str] = []

    def meanwhile(tx: Tx, user: OktaUserId) -> Counter[str]:
        if not came:
            target = {"type": "User", "id": ann}
            body = {"uuid": str(uuid4()), "eventType": DEACTIVATED, "target": [target]}
            event = parse_event(json.dumps(body).encode())
            came.append(event.uuid)
            apps = frozenset({OktaAppId(desk.story.app.id)})
            put(tx, [event], {event.uuid: Origin()}, apps=apps, sealer=desk.sealer)
        return delete_own(tx, user)

    monkeypatch.setattr(erasure, "delete_own", meanwhile)
    ran = desk("forget", ann, "--yes", *WHY)
    assert ran.code == 0
    assert "An event about them came meanwhile" in ran.out
    assert [each["uuid"] for each in events_of(desk, ann)] == came
    assert events_of(desk, ann)[0]["state"] == "waiting"
    place = desk.read(lambda tx: inbox.place(tx, ann))
    assert place.lease_until is None
    assert place.due_at is not None
