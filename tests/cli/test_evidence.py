"""`hooks steps verify` and `hooks steps export`: the journal, proved and as a file."""

from __future__ import annotations

import base64
import csv
import io
import json
import stat
from typing import Any

import pytest
from sqlalchemy import delete, update

from hooks.cli import evidence, verify
from hooks.cli.evidence import COLUMNS, Format, line_of
from hooks.cli.verify import WAY_OUT
from hooks.core.report import CALLS
from hooks.sandbox.story import PERSON
from hooks.store.chain import Signer
from hooks.store.proof import Verdict
from hooks.store.tables import Chain, Outcome, Step
from tests.cli.conftest import Desk

KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
OTHER = base64.urlsafe_b64encode(bytes(range(1, 33))).decode()
STRANGER = "00u0000000000000none"

step_rows: Any = Step.__table__  # type: ignore[attr-defined]
outcome_rows: Any = Outcome.__table__  # type: ignore[attr-defined]
chain_rows: Any = Chain.__table__  # type: ignore[attr-defined]


@pytest.fixture
def chained(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with a key, and a person who has lost two groups."""
    monkeypatch.setenv("HOOKS_CHAIN_KEY", KEY)
    desk.story.remove_from_old_group()
    assert desk("look", PERSON).code == 0
    return desk


def head(desk: Desk) -> str:
    """As the log would tell it."""
    who = desk.story.person.id
    row = desk.read(
        lambda tx: tx.execute(chain_rows.select().where(chain_rows.c.user == who)).one()
    )
    return f"{row.length}:{row.head[:20]}"


# -- verify ------------------------------------------------------------------------------------


def test_what_is_as_it_was_written_is_said_to_be(chained: Desk) -> None:
    ran = chained("steps", "verify")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == ["6 rows of 1 person looked through", "nothing is wrong"]
    assert chained("steps", "verify", chained.story.person.id, "--json").json() == {
        "people": {"ok": 1},
        "links": 6,
        "before": 0,
        "others": {},
        "anew": [],
        "heads": 0,
        "heads_purged": 0,
        "wrong": [],
        "more_wrong": 0,
    }


def test_what_is_wrong_is_told_with_what_to_do(chained: Desk) -> None:
    who = chained.story.person.id
    chained.write(lambda tx: tx.execute(update(step_rows).where(step_rows.c.id == 1).values(at=1)))
    chained.write(lambda tx: tx.execute(delete(outcome_rows).where(outcome_rows.c.id == 4)))
    ran = chained("steps", "verify")
    assert ran.code == 1
    said = " ".join(ran.out.split())
    assert f"{who}: altered: step 1" in said
    assert f"{who}: missing: link 6: the last" in said
    for cause in ("altered", "missing"):
        assert f"{cause}: {WAY_OUT[cause]}" in said
    assert said.endswith("something is wrong")
    ran = chained("steps", "verify", "--json")
    assert ran.code == 1
    assert ran.json()["wrong"] == [
        {"user": who, "verdict": "altered", "where": "step 1"},
        {"user": who, "verdict": "missing", "where": "link 6: the last"},
    ]


def test_every_verdict_that_is_a_fault_has_its_way_out() -> None:
    assert {*WAY_OUT} == {each.value for each in Verdict} - {"ok", "before", "anew"}


def test_another_key_is_no_proof_and_no_key_is_said(
    chained: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKS_CHAIN_KEY", OTHER)
    ran = chained("steps", "verify", "--json")
    assert ran.code == 1
    assert {each["verdict"] for each in ran.json()["wrong"]} == {"key"}
    monkeypatch.delenv("HOOKS_CHAIN_KEY")
    ran = chained("steps", "verify")
    assert (ran.code, ran.out) == (1, "")
    assert "HOOKS_CHAIN_KEY is not given" in ran.err


def test_a_lost_key_is_gone_on_without_and_nothing_is_hidden_by_it(
    chained: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (Signer(base64.urlsafe_b64decode(each)).id for each in (KEY, OTHER))
    monkeypatch.setenv("HOOKS_CHAIN_KEY", OTHER)
    before = chained.dump()
    ran = chained("keys", "chain", "--begin-anew", "--dry-run")
    assert (ran.code, chained.dump()) == (0, before)
    assert f"1 chain would go on with {new}; nothing was changed" in ran.out
    ran = chained("keys", "chain", "--begin-anew", "--reason", "the vault burnt down")
    assert (ran.code, ran.err) == (0, "")
    assert f"begun anew with {new}: 1 chain" in ran.out
    ran = chained("steps", "verify")
    said = " ".join(ran.out.split())
    assert ran.code == 0
    assert f"6 rows chained with key {old}, not given: not proved" in said
    assert f"chained with key {old} before, begun anew" in said
    assert said.endswith("the vault burnt down nothing is wrong with what this key proves")
    (told,) = chained("steps", "verify", "--json").json()["anew"]
    assert (told["before"], told["why"]) == (old, "the vault burnt down")
    (row,) = chained("keys", "chain", "--json").json()["keys"]
    assert row == {"key": new, "given": True, "people": 1}
    monkeypatch.setenv("HOOKS_CHAIN_KEY", KEY)
    ran = chained("steps", "verify", "--json")
    assert (ran.code, ran.json()["wrong"], ran.json()["others"]) == (0, [], {})


def test_nothing_is_begun_anew_with_the_key_it_has_or_without_a_reason(chained: Desk) -> None:
    before = chained.dump()
    for more, code in (
        (("--begin-anew",), 2),
        (("--begin-anew", "--dry-run", "--reason", "x"), 2),
        (("--reason", "x"), 2),
        (("--begin-anew", "--reason", "x"), 1),
        (("--begin-anew", "--dry-run"), 1),
    ):
        assert (chained("keys", "chain", *more).code, chained.dump()) == (code, before)


def test_many_people_are_looked_through_by_pages(
    chained: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_TOGETHER", 2)
    people = [f"00u{number:017d}" for number in range(5)]
    row = {"directory": "main", "via": "scim", "action": "add", "group": "g", "name": "n",
           "scim_id": "s", "reason": "given_back", "brake_class": "", "evidence": "[]",
           "events": "[]", "fence": 1, "ordinal": 0, "at": 1}  # fmt: skip
    chained.write(
        lambda tx: tx.execute(step_rows.insert(), [row | {"user": user} for user in people])
    )
    found = chained("steps", "verify", "--json").json()
    assert found["people"] == {"ok": 1, "unchained": 5}
    assert sorted(each["user"] for each in found["wrong"]) == people


def test_a_head_of_the_log_is_held_against_the_store(chained: Desk) -> None:
    who, then = chained.story.person.id, head(chained)
    ran = chained("steps", "verify", "--head", f"{who}={then}")
    assert ran.code == 0
    assert "1 head of the log compared" in ran.out
    number, _, digits = then.partition(":")
    ran = chained("steps", "verify", who, "--head", f"{who}={int(number) + 2}:{digits}", "--json")
    assert [each["verdict"] for each in ran.json()["wrong"]] == ["missing"]
    ran = chained("steps", "verify", "--head", f"{who}={number}:{'0' * 20}", "--json")
    assert [each["verdict"] for each in ran.json()["wrong"]] == ["altered"]
    ran = chained("steps", "verify", "--head", f"{STRANGER}={then}", "--json")
    assert [(each["user"], each["verdict"]) for each in ran.json()["wrong"]] == [
        (STRANGER, "missing")
    ]


def test_a_whole_log_may_be_held_against_it(chained: Desk) -> None:
    who, then = chained.story.person.id, head(chained)
    lines = [
        json.dumps({"event": "look", "subject": who, "head": then}),
        json.dumps({"event": "look", "subject": who, "head": None}),
        json.dumps({"event": "look", "subject": who, "head": "unproved"}),
        json.dumps({"event": "look", "subject": "purge/purge", "head": "1:0000000000"}),
        "[1]", "{", "", "words", '"text"',
    ]  # fmt: skip
    file = chained.folder / "log"
    file.write_text("\n".join(lines))
    ran = chained("steps", "verify", "--heads", str(file), "--json")
    assert (ran.code, ran.json()["heads"]) == (0, 1)
    file.write_text("\n".join([*lines, json.dumps({"subject": who, "head": "9:0123456789"})]))
    ran = chained("steps", "verify", "--heads", str(file), "--json")
    assert [each["verdict"] for each in ran.json()["wrong"]] == ["missing"]
    assert chained("steps", "verify", "--heads", str(file) + "x").code == 2


@pytest.mark.parametrize(
    "given", ["x", "=1:00000000", f"{STRANGER}=", f"{STRANGER}=1", f"{STRANGER}={'9' * 5000}:0"]
)
def test_what_is_no_head_is_said_to_be_none(chained: Desk, given: str) -> None:
    assert chained("steps", "verify", "--head", given).code == 2


def test_a_purge_says_whose_steps_it_left(chained: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    past = dict.fromkeys(("at",), 1)
    chained.write(lambda tx: tx.execute(update(step_rows).values(action="add", **past)))
    chained.write(lambda tx: tx.execute(update(outcome_rows).values(**past)))
    row = {"user": STRANGER, "directory": "main", "via": "scim", "action": "add", "group": "g",
           "name": "n", "scim_id": "s", "reason": "given_back", "brake_class": "",
           "evidence": "[]", "events": "[]", "fence": 1, "ordinal": 0, "at": 1}  # fmt: skip
    chained.write(lambda tx: tx.execute(step_rows.insert(), [row]))
    for key in (KEY, None):
        if key is None:
            monkeypatch.delenv("HOOKS_CHAIN_KEY")
        ran = chained("purge", "--reason", "a test")
        assert ran.code == 1
        assert "1 person's steps left" in ran.out
    assert len(chained("steps", "--json").json()) == 3


# -- export ------------------------------------------------------------------------------------


def test_every_step_is_a_line_oldest_first(chained: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "_TOGETHER", 1)
    ran = chained("steps", "export")
    assert (ran.code, ran.err) == (0, "")
    told = [json.loads(line) for line in ran.out.splitlines()]
    assert [each["id"] for each in told] == [1, 2]
    listed = chained("steps", "--json").json()[::-1]
    for line, known in zip(told, listed, strict=True):
        assert list(line) == list(COLUMNS)
        assert {name: line[name] for name in known} == known
        assert line["read"] <= line["at"]
        assert line["call"] in CALLS.values()
        assert line["link"]
        assert len(line["mac"]) == 64


def test_the_csv_holds_the_same(chained: Desk) -> None:
    ran = chained("steps", "export", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    lines = [json.loads(line) for line in chained("steps", "export").out.splitlines()]
    for row, line in zip(rows, lines, strict=True):
        assert list(row) == list(COLUMNS)
        assert row["name"] == line["name"]
        assert row["evidence"] == "; ".join(line["evidence"])
        assert json.loads(row["outcomes"]) == line["outcomes"]


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "\n=1"]
)
def test_no_spreadsheet_calculates_with_the_name_of_a_group(chained: Desk, name: str) -> None:
    chained.write(lambda tx: tx.execute(update(step_rows).values(name=name)))
    ran = chained("steps", "export", "--format", "csv")
    for row in csv.DictReader(io.StringIO(ran.out)):
        assert not row["name"].lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))
    assert len(ran.out.splitlines()) == 3


def test_it_is_chosen_by_person_and_time(chained: Desk) -> None:
    who = chained.story.person.id
    assert len(chained("steps", "export", who).out.splitlines()) == 2
    assert chained("steps", "export", STRANGER).out == ""
    assert chained("steps", "export", "--until", "2000-01-01").out == ""
    assert len(chained("steps", "export", "--since", "2000-01-01").out.splitlines()) == 2


def test_a_file_is_new_and_for_its_owner_alone(chained: Desk) -> None:
    file = chained.folder / "steps.csv"
    ran = chained("steps", "export", "--format", "csv", "--output", str(file))
    assert ran.out == f"2 steps written to {file}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().decode() == chained("steps", "export", "--format", "csv").out.replace(
        "\n", "\r\n"
    ).replace("\r\r", "\r")
    ran = chained("steps", "export", "--output", str(file))
    assert ran.code == 2
    assert "is there already" in ran.err


def test_a_step_of_the_release_before_is_told_too() -> None:
    """It knows no reading and no chain."""
    row: dict[str, object] = dict.fromkeys(COLUMNS)
    row |= {"via": "scim", "action": "add", "evidence": [], "events": [], "outcomes": [], "at": 0}
    told = json.loads(line_of(row, Format.JSONL))
    assert (told["read"], told["link"], told["mac"]) == (None, None, None)
