"""`hooks replay`: what an operator asks, what is said, and what is left behind."""

from __future__ import annotations

import io
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from hooks.cli import progress
from hooks.cli import replay as room
from hooks.cli.opening import who
from hooks.core.attempt import Idle
from hooks.core.errors import StoreError
from hooks.sandbox import delivery
from hooks.sandbox.story import COLLEAGUE, CONFLUENCE, JIRA_USERS, PERSON
from hooks.store import inbox, line
from hooks.store.database import Tx
from hooks.store.tables import Event, Order
from tests.cli.conftest import Desk

REMOVED = "group.user_membership.remove"


@pytest.fixture
def settled(desk: Desk) -> Desk:
    """Everything delivered and looked at; nothing is left to do."""
    desk.deliver()

    def settle(tx: Tx) -> None:
        for each in line.lease(tx, limit=1000):
            line.settle(tx, each, Idle())
        # Group-level events wait a minute for those about people.
        tx.execute(Event.__table__.update().values(settled=tx.now))  # type: ignore[attr-defined]

    desk.write(settle)
    return desk


def orders(desk: Desk) -> list[tuple[Any, ...]]:
    table = Order.__table__  # type: ignore[attr-defined]
    return desk.read(  # type: ignore[no-any-return]
        lambda tx: [
            (row.kind, row.ref, row.who, row.why, row.result, row.done is not None)
            for row in tx.execute(table.select())
        ]
    )


def due(desk: Desk, user: str) -> bool:
    place = desk.read(lambda tx: inbox.place(tx, user))
    return place is not None and place.due_at is not None


def test_stored_events_are_put_back_under_one_order(settled: Desk) -> None:
    user = settled.story.person.id
    assert not due(settled, user)
    ran = settled("replay", "--user", user, "--reason", "they kept a group")
    assert ran.code == 0
    assert ran.out.splitlines()[0].endswith("put back in line")
    assert due(settled, user)
    assert not due(settled, settled.story.colleague.id)
    ((kind, ref, by, why, result, done),) = orders(settled)
    assert (kind, ref, by, why, done) == ("replay", user, who(), "they kept a group", True)
    assert result.startswith("3 again, 0 stored, 0 waiting, 0 unconcerned, 0 broken, 1 users")
    assert result.endswith(f"; user {user}")


def test_in_a_pause_it_is_said_that_nothing_is_written(settled: Desk) -> None:
    words = "Writing is paused: nothing of it is done until hooks resume"
    user = settled.story.person.id
    assert settled("pause", "--reason", "x").code == 0
    assert words in settled("replay", "--user", user, "--reason", "x").out
    assert words not in settled("replay", "--user", user, "--dry-run", "--offline").out
    json.loads(settled("replay", "--user", user, "--reason", "x", "--json").out)
    assert settled("resume", "--reason", "x").code == 0
    assert words not in settled("replay", "--user", user, "--reason", "x").out


def test_events_say_that_they_were_replayed(settled: Desk) -> None:
    user = settled.story.person.id
    assert "replayed" not in settled("events").out
    settled("replay", "--user", user, "--reason", "x")
    listed = settled("events", "--about", user)
    assert listed.out.count("waiting, replayed") == 3
    told = settled("events", "--json").json()
    assert {each["subject"] for each in told if each["replayed"]} == {user}
    uuid = next(each["uuid"] for each in told if each["replayed"])
    assert "REPLAYED" in settled("events", "show", uuid).out
    explained = settled("explain", user)
    assert "order  replay, by" in explained.out
    assert ", waiting, replayed 20" in explained.out.replace("\n" + " " * 28, " ")


def test_it_is_looked_at_again_with_fresh_readings(settled: Desk) -> None:
    """The store believes it is done; Atlassian shows otherwise."""
    story = settled.story
    story.remove_from_old_group()
    settled.deliver()
    settled("look", PERSON)
    assert (story.groups, story.local_groups) == (set(), set())
    story.world.scim_add(story.directory, CONFLUENCE, PERSON)
    assert settled("replay", "--type", REMOVED, "--reason", "x").code == 0
    assert f"settled: remove {CONFLUENCE}" in settled("look", PERSON).out
    assert story.groups == set()


def test_the_order_of_many_is_kept_by_what_was_asked(settled: Desk) -> None:
    ran = settled(
        "replay", "--since", "2026-01-01", "--state", "settled", "--reason", "x", "--json"
    )
    told = ran.json()
    assert told["dry_run"] is False
    assert set(told["users"]) == {settled.story.person.id, settled.story.colleague.id}
    assert told["events"] == told["again"] + told["unconcerned"]
    ((_, ref, *_),) = orders(settled)
    assert ref == "since 2026-01-01, state settled"


def test_nothing_meant_is_said_and_nothing_is_ordered(settled: Desk) -> None:
    before = settled.dump()
    for chosen in (["--until", "2000-01-01"], ["--uuid", "00000000-0000-4000-8000-000000000000"]):
        ran = settled("replay", *chosen, "--reason", "x")
        assert (ran.code, ran.out) == (1, "")
        assert "no stored event" in ran.err
    assert settled.dump() == before


def test_what_was_broken_off_is_an_order_all_the_same(
    settled: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise StoreError("store: gone")

    monkeypatch.setattr("hooks.replay.Replay.stored", broken)
    assert settled("replay", "--state", "settled", "--reason", "x").err == "store: gone\n"
    ((kind, ref, _, why, result, done),) = orders(settled)
    assert (kind, ref, why, result, done) == ("replay", "state settled", "x", "", False)


# -- files -------------------------------------------------------------------------------------


def written(desk: Desk, name: str, body: bytes) -> str:
    (desk.folder / name).write_bytes(body)
    return name


def test_files_of_every_form_bring_in_what_was_never_delivered(desk: Desk) -> None:
    story = desk.story
    story.remove_from_old_group()
    log = story.world.log.all()
    third = len(log) // 3
    parts = log[:third], log[third : 2 * third], log[2 * third :]
    names = [
        written(desk, "delivery.json", delivery(parts[0])),
        written(desk, "log.json", json.dumps(parts[1], indent=2).encode()),
        written(
            desk, "log.jsonl", b"".join(json.dumps(each).encode() + b"\n" for each in parts[2])
        ),
    ]
    told = desk("replay", *names, "--reason", "the hook was off", "--json").json()
    assert (told["events"], told["again"], told["broken"]) == (len(log), 0, 0)
    stored = desk("events", "--json", "--limit", "1000").json()
    assert {each["origin"] for each in stored} == {"replay"}
    assert len(stored) == told["stored"] == told["events"] - told["unconcerned"]
    assert due(desk, story.person.id)
    assert f"settled: remove {CONFLUENCE}" in desk("look", PERSON).out
    assert orders(desk)[0][1] == "file delivery.json, log.json, log.jsonl"
    again = desk("replay", *names, "--reason", "once more", "--json").json()
    assert (again["stored"], again["again"] + again["waiting"]) == (0, told["stored"])


def test_what_is_exported_can_be_replayed_elsewhere(
    settled: Desk, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = settled("events", "export")
    written(settled, "events.jsonl", exported.out.encode())
    before = settled("events", "--json", "--limit", "1000").json()
    (settled.folder / "elsewhere.db").write_bytes(migrated.read_bytes())
    monkeypatch.setenv("HOOKS_DATABASE_URL", f"sqlite:///{settled.folder}/elsewhere.db")
    ran = settled("replay", "events.jsonl", "--reason", "a new store", "--json")
    after = settled("events", "--json", "--limit", "1000").json()
    assert {(each["uuid"], each["type"], each["published"], each["subject"]) for each in after} == {
        (each["uuid"], each["type"], each["published"], each["subject"])
        for each in before
        if each["subject"]
    }
    assert ran.code == 0


def test_a_file_comes_from_stdin(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps(desk.story.world.log.all()).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(body + b"\nnothing of the kind")))
    ran = desk("replay", "-", "--reason", "x")
    assert ran.code == 1
    assert ran.err == "stdin, line 2: not JSON\n"
    assert due(desk, desk.story.person.id)


class Interrupted(io.BytesIO):
    """A file during which somebody gives up."""

    def read(self, size: int | None = -1) -> bytes:
        signal.raise_signal(signal.SIGINT)
        return super().read(size)


def test_an_interrupt_ends_it_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    body = Interrupted(json.dumps(desk.story.world.log.all()).encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(body))
    ran = desk("replay", "-", "--reason", "x")
    assert (ran.code, ran.out) == (130, "")
    assert not due(desk, desk.story.person.id)
    ((*_, result, done),) = orders(desk)
    assert (result, done) == ("", False)


def test_what_is_broken_ends_with_1_and_the_rest_is_done(desk: Desk) -> None:
    good = json.dumps(desk.story.world.log.all()[-1]).encode()
    name = written(desk, "log.jsonl", b"{\n" + good + b'\n{"uuid":"' + good + b"\n")
    ran = desk("replay", name, "--reason", "x")
    assert ran.code == 1
    assert ran.err.splitlines() == [
        "log.jsonl, line 1: an event is cut off",
        "log.jsonl, line 3: not JSON",
    ]
    assert "2 broken" in ran.out
    told = desk("replay", name, "--dry-run", "--offline", "--json").json()
    assert told["broken_lines"][1] == {"file": "log.jsonl", "line": 3, "why": "not JSON"}
    assert orders(desk)[0][4].split(", ")[4] == "2 broken"


def test_a_file_that_is_none_is_no_flood(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_MOST_TOLD", 3)
    name = written(desk, "people.csv", b"ann,2026\n" * 10)
    ran = desk("replay", name, "--reason", "x")
    assert ran.code == 1
    assert ran.err.splitlines()[2:] == [
        "people.csv, line 3: not JSON",
        "replay: 7 broken places more",
    ]


def test_no_file_is_touched_before_all_can_be_read(desk: Desk) -> None:
    before = desk.dump()
    name = written(desk, "log.json", json.dumps(desk.story.world.log.all()).encode())
    ran = desk("replay", name, "missing.json", "--reason", "x")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "replay: missing.json: No such file or directory; nothing was done\n"
    assert desk.dump() == before


def test_long_work_says_how_far_it_is(settled: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_FIRST", 0.0)
    ran = settled("replay", "--state", "settled", "--reason", "x", "--json")
    assert "events so far, about 2 people" in ran.err
    assert ran.json()["again"]


# -- dry ---------------------------------------------------------------------------------------


def test_a_dry_run_plans_everybody_and_changes_nothing_anywhere(settled: Desk) -> None:
    story = settled.story
    story.remove_from_old_group()
    world, store = story.world.snapshot(), settled.dump()
    ran = settled("replay", "--state", "settled", "--dry-run")
    assert ran.code == 0
    assert f"remove    {CONFLUENCE}" in ran.out
    assert f"user {story.colleague.id}: nothing to change" in ran.out
    assert "main/unassigned: 1 person would lose something; the brake lets 25 through" in ran.out
    assert ran.out.splitlines()[-1].startswith("Dry run: nothing was changed; it would have 2")
    assert "@" not in ran.out
    told = settled("replay", "--state", "settled", "--dry-run", "--json").json()
    assert {each["user"] for each in told["people"]} == {story.person.id, story.colleague.id}
    assert told["brake"] == [{"class": "main/unassigned", "people": 1, "limit": 25}]
    assert story.world.snapshot() == world
    assert settled.dump() == store
    assert story.world.violations == []


def test_a_dry_run_of_a_file_plans_whom_it_is_about(desk: Desk) -> None:
    story = desk.story
    story.remove_from_old_group()
    store = desk.dump()
    (event,) = [each for each in story.world.log.all() if each["eventType"] == REMOVED]
    name = written(desk, "log.json", json.dumps([event]).encode())
    ran = desk("replay", name, "--dry-run")
    assert ran.code == 0
    assert "1 event: 1 to store" in ran.out
    assert f"remove    {CONFLUENCE}" in ran.out
    assert story.colleague.id not in ran.out
    assert desk.dump() == store


def test_offline_asks_nobody(settled: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOOKS_OKTA_API_TOKEN", "HOOKS_SCIM_KEY", "HOOKS_ORG_API_KEY"):
        monkeypatch.delenv(name)
    store = settled.dump()
    ran = settled("replay", "--state", "settled", "--dry-run", "--offline")
    assert ran.code == 0
    told = ran.out.splitlines()[1]
    assert told.startswith("Dry run: nothing was changed; it would have 2 people and the members")
    people = {settled.story.person.id, settled.story.colleague.id}
    assert people < {each.strip() for each in ran.out.splitlines()[2:]}
    assert settled("replay", "--state", "settled", "--dry-run").code == 2
    assert settled.dump() == store


def test_a_vendor_that_asks_to_wait_is_waited_for(settled: Desk) -> None:
    user = settled.story.person.id
    asked = {"Retry-After": "2"}
    settled.story.world.fault(
        "okta", path=f"/api/v1/users/{user}$", method="GET", status=429, headers=asked, times=1
    )
    ran = settled("replay", "--state", "settled", "--dry-run")
    assert ran.code == 0
    assert ran.out.count(": nothing to change") == 2


def test_who_cannot_be_read_is_told_and_the_others_are_planned(settled: Desk) -> None:
    user = settled.story.person.id
    settled.story.world.fault("okta", path=f"/api/v1/users/{user}", method="GET", status=500)
    ran = settled("replay", "--state", "settled", "--dry-run")
    assert ran.code == 1
    assert "user_unread" in ran.out
    assert f"user {settled.story.colleague.id}: nothing to change" in ran.out
    assert "1 person of 2 not read whole" in ran.out
    told = settled("replay", "--state", "settled", "--dry-run", "--json")
    assert (told.code, told.json()["unread"]) == (1, 1)


def test_another_policy_is_not_told_to_change_nothing_for_who_cannot_be_read(
    settled: Desk,
) -> None:
    settled.story.remove_from_old_group()
    settled.story.world.fault("okta", path="/api/v1/users/", method="GET", status=401)
    same = str(settled.folder / "hooks.toml")
    ran = settled("replay", "--state", "settled", "--dry-run", "--policy", same)
    assert ran.code == 1
    assert f"user {settled.story.person.id}: not read whole: user_unread" in ran.out
    assert "2 people of 2 not read whole" in ran.out


# -- another policy ----------------------------------------------------------------------------


def another(desk: Desk, text: str) -> str:
    (desk.folder / "other.toml").write_text(text)
    return "other.toml"


def test_another_policy_is_told_by_person_and_group(settled: Desk) -> None:
    story = settled.story
    story.remove_from_old_group()
    story.world.add_okta_group("Nobody")
    world, store = story.world.snapshot(), settled.dump()
    other = another(
        settled,
        f"""
        mode = "this is not read"
        [protect]
        groups = ["{CONFLUENCE}"]
        [[local_group]]
        name = "{JIRA_USERS}"
        while_member_of = ["Nobody"]
        [brake]
        other_per_hour = 7
        """,
    )
    ran = settled("replay", "--state", "settled", "--dry-run", "--policy", other)
    assert ran.code == 0
    lines = ran.out.splitlines()
    mine = lines.index(f"user {story.person.id}")
    assert lines[mine + 1 : mine + 4] == [
        f"  main  {CONFLUENCE}",
        "    now   remove: the user is no longer assigned to the app",
        "    then  refused: protected: Protected by the policy.",
    ]
    theirs = lines.index(f"user {story.colleague.id}")
    assert lines[theirs + 1] == f"  organization  {JIRA_USERS}"
    assert lines[theirs + 2].startswith("    now   keep: its rule takes it from people who left")
    assert "    then  remove: no Okta group of its rule has the user any more" in lines
    assert "then organization/lost_rule/jira-software-users: 1 person would lose something;" in (
        ran.out
    )
    assert "the brake lets 7 through within an hour" in ran.out
    assert "2 people of 2 would be treated otherwise" in lines
    told = settled("replay", "--state", "settled", "--dry-run", "--policy", other, "--json").json()
    (person,) = [each for each in told["people"] if each["user"] == story.person.id]
    (one,) = person["differences"]
    assert (one["name"], one["now"], one["then"]) == (CONFLUENCE, "remove", "refused")
    assert [each["limit"] for each in told["brake_then"]] == [7, 7]
    assert story.world.snapshot() == world
    assert settled.dump() == store, "not even the group the other policy names is remembered"


def test_the_same_policy_makes_no_difference(settled: Desk) -> None:
    settled.story.remove_from_old_group()
    ran = settled(
        "replay", "--state", "settled", "--dry-run", "--policy", str(settled.folder / "hooks.toml")
    )
    assert ran.code == 0
    assert "0 people of 2 would be treated otherwise" in ran.out
    assert "then  " not in ran.out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[policy", "other.toml: is not TOML"),
        ('[policy]\nsuspended = "maybe"', "other.toml: [policy] suspended"),
        ("[[local_group]]\nadmin = true", "other.toml: [[local_group]] 1: give either name or id"),
    ],
    ids=["not TOML", "a wrong value", "half a rule"],
)
def test_a_policy_with_mistakes_is_refused_with_all_of_them(
    settled: Desk, text: str, says: str
) -> None:
    ran = settled("replay", "--state", "settled", "--dry-run", "--policy", another(settled, text))
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


def test_a_fault_while_planning_one_person_spares_the_others(
    settled: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert COLLEAGUE
    monkeypatch.setattr("hooks.observe._ROUNDS", 0)
    ran = settled("replay", "--state", "settled", "--dry-run")
    assert ran.code == 1
    assert " ".join(ran.out.split()).count("never stopped asking") == 2
