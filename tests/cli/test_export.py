"""`hooks events export`: what is stored, opened, a line each."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hooks.cli import export as room
from hooks.core.errors import MalformedError
from hooks.core.log_entry import Found
from hooks.core.log_event import parse_delivery
from hooks.core.log_file import LogFile
from hooks.store.sealing import Sealer
from tests.cli.conftest import Desk
from tests.core.test_parser_laws import anything, entries


def exported(desk: Desk, *options: str) -> list[dict[str, Any]]:
    ran = desk("events", "export", *options)
    assert ran.code == 0
    return [json.loads(each) for each in ran.out.splitlines()]


def test_every_stored_event_is_a_line_oldest_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_TOGETHER", 3)
    uuids = desk.deliver()
    told = exported(desk)
    assert [each["uuid"] for each in told] == [
        each["uuid"] for each in desk("events", "--json", "--limit", "1000").json()
    ][::-1]
    assert {each["uuid"] for each in told} == set(uuids)
    log = {each["uuid"]: each for each in desk.story.world.log.all()}
    for each in told:
        assert list(each)[:8] == [
            *("uuid", "type", "published", "received", "origin", "delivery", "subject", "state"),
        ]
        if each["event"]:
            told_by_okta = log[each["uuid"]]
            assert each["event"]["target"] == told_by_okta["target"]
            assert each["published"] == told_by_okta["published"]
        else:
            assert each["payload"] == "no payload is kept of events of other apps and types"
    assert any(each["event"] for each in told)
    assert not all(each["event"] for each in told)


def test_it_says_that_it_holds_personal_data_where_programs_do_not_read_it(desk: Desk) -> None:
    desk.deliver()
    ran = desk("events", "export")
    assert ran.err.count("\n") == 1
    assert "personal data" in ran.err


def test_it_is_chosen_as_a_replay_is(desk: Desk) -> None:
    desk.deliver()
    user = desk.story.person.id
    kind = "group.user_membership.add"
    assert {each["subject"] for each in exported(desk, "--user", user)} == {user}
    assert {each["type"] for each in exported(desk, "--type", kind)} == {kind}
    assert {each["state"] for each in exported(desk, "--state", "settled")} == {"settled"}
    one, other, *_ = exported(desk)
    chosen = exported(desk, "--uuid", one["uuid"], "--uuid", other["uuid"].upper())
    assert chosen == [one, other]
    assert exported(desk, "--until", "2000-01-01") == []
    assert len(exported(desk, "--since", "2000-01-01")) == len(exported(desk))


def test_a_lost_key_is_a_line_that_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.deliver()
    kept = [each for each in exported(desk) if each["event"]]
    monkeypatch.setenv("HOOKS_SEALING_KEYS", desk("keys", "new").out.strip())
    ran = desk("events", "export")
    assert ran.code == 1
    lost = [each for row in ran.out.splitlines() if "error" in (each := json.loads(row))]
    assert [each["uuid"] for each in lost] == [each["uuid"] for each in kept]
    assert all(each["error"].startswith("store: sealed with key") for each in lost)
    assert all(each["event"] is None for each in lost)
    assert f"{len(kept)} payloads could not be opened" in ran.err


SEALER = Sealer([bytes(32)])


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
@given(st.lists(entries | anything, min_size=1, max_size=3), st.booleans())
def test_whatever_a_delivery_held_is_a_line_of_json_that_is_read_back(
    odd: list[Any],
    escaped: bool,  # noqa: FBT001  # hypothesis gives it so
) -> None:
    body = json.dumps({"data": {"events": odd}}, ensure_ascii=escaped)
    try:
        events = parse_delivery(body.encode(errors="surrogatepass")).events
    except MalformedError:
        return
    for each in events:
        row = {
            "uuid": each.uuid, "type": each.type, "published": 0, "received": 0,
            "origin": "hook", "delivery": "", "subject": None, "settled": None,
            "sealed": SEALER.seal(each.raw, each.uuid),
        }  # fmt: skip
        line = json.dumps(room._head(row) | room._payload(row, SEALER))
        json.loads(line, parse_constant=_never)
        file = LogFile()
        found = [*file.feed(line.encode()), *file.end()]
        if isinstance(json.loads(each.raw, strict=False), dict):
            assert [one.event.uuid for one in found if isinstance(one, Found)][-1:] == [each.uuid]


def _never(word: str) -> None:
    raise AssertionError(word)
