"""`hooks catch-up`, `hooks pause` and `hooks resume`."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta

import pytest

from hooks.cli import progress, recovery
from hooks.cli.keys import new_key
from hooks.core.attempt import Idle
from hooks.core.errors import UnsealedError
from hooks.sandbox.story import CONFLUENCE, PERSON
from hooks.settings import Role, load
from hooks.store import inbox, line, orders, pause
from hooks.store.sealing import Sealer
from tests.cli.conftest import Desk

WHY = ("--reason", "a change of Atlassian's plan")


def ago(**length: float) -> str:
    return (datetime.now(UTC) - timedelta(**length)).isoformat()


# -- catch-up ----------------------------------------------------------------------------------


def test_a_range_of_the_log_is_stored_and_put_in_line_once(desk: Desk) -> None:
    desk.story.remove_from_old_group()
    first = desk("catch-up", "--since", ago(hours=1), "--json").json()
    assert first["new"] == first["events"] > 0
    assert desk.read(lambda tx: line.is_due(tx, desk.story.person.id))
    stored = desk.read(lambda tx: inbox.listed(tx, inbox.Wanted()))
    assert {row["origin"] for row in stored} == {"log"}
    again = desk("catch-up", "--since", ago(hours=1), "--json").json()
    assert again == first | {"new": 0}


def test_it_is_the_way_out_when_the_newest_key_is_lost_for_good(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`hooks serve` starts only if the newest event opens."""
    desk.deliver()
    key = new_key()
    monkeypatch.setenv("HOOKS_SEALING_KEYS", key)
    sealer = Sealer(
        load({**desk.environ, "HOOKS_SEALING_KEYS": key}, need=Role.STORE).secrets.sealing_keys
    )
    with pytest.raises(UnsealedError):
        desk.read(lambda tx: inbox.check_seal(tx, sealer))
    desk.story.remove_from_old_group()
    assert desk("catch-up", "--since", ago(hours=1)).code == 0
    desk.read(lambda tx: inbox.check_seal(tx, sealer))


def test_a_long_range_says_how_far_it_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_FIRST", 0.0)
    desk.story.remove_from_old_group()
    ran = desk("catch-up", "--since", ago(hours=1))
    assert re.match(r"catch-up: \d+ events read so far\n", ran.err)


def test_it_warns_of_what_a_range_may_miss(desk: Desk) -> None:
    ran = desk("catch-up", "--since", ago(hours=1))
    assert ran.code == 0
    assert "may miss what Okta stores late" in ran.err


def test_a_dry_run_counts_and_stores_nothing(desk: Desk) -> None:
    desk.story.remove_from_old_group()
    before = desk.dump()
    ran = desk("catch-up", "--since", ago(hours=1), "--dry-run", "--json").json()
    assert (ran["events"] > 0, ran["new"]) == (True, None)
    assert desk.dump() == before


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--since", "yesterday"], id="no date"),
        pytest.param(["--since", "2999-01-01"], id="in the future"),
        pytest.param(["--since", ago(days=91)], id="longer ago than Okta keeps"),
        pytest.param(["--since", ago(hours=1), "--until", ago(hours=2)], id="backwards"),
        pytest.param([], id="no range"),
    ],
)
def test_a_range_that_is_none_changes_nothing(desk: Desk, arguments: list[str]) -> None:
    before = desk.dump()
    ran = desk("catch-up", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "--since" in ran.err
    assert desk.dump() == before


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_log_that_is_refused_is_one_clear_line(desk: Desk, status: int) -> None:
    desk.story.world.fault("okta", status=status)
    before = desk.dump()
    ran = desk("catch-up", "--since", ago(hours=1))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.strip().splitlines()[-1].startswith("okta ")
    assert desk.dump() == before


# -- pause and resume --------------------------------------------------------------------------


def test_paused_nothing_is_written_until_it_is_resumed(desk: Desk) -> None:
    desk.story.remove_from_old_group()
    ran = desk("pause", *WHY)
    assert (ran.code, ran.err) == (0, "")
    refused = desk("look", PERSON)
    assert refused.code == 1
    assert "hooks resume" in refused.err
    assert desk("look", PERSON, "--dry-run").code == 0
    assert CONFLUENCE in desk.story.groups
    assert "paused already" in desk("pause", *WHY).out
    assert desk("resume", *WHY).code == 0
    assert desk("look", PERSON).code == 0
    assert desk.story.groups == set()
    assert "there was no pause" in desk("resume", *WHY).out
    ordered = desk.read(lambda tx: orders.about(tx, [""]))
    assert [(each["kind"], each["why"]) for each in ordered] == [
        ("pause", WHY[1]), ("resume", WHY[1]),
    ]  # fmt: skip


def test_pause_returns_when_nothing_is_under_way_any_more(desk: Desk) -> None:
    who = desk.story.person.id
    desk.write(lambda tx: line.mark(tx, [who], "user", lane=0, due_at=tx.now, events=False))
    (held,) = desk.write(lambda tx: line.lease(tx, limit=1))
    over: list[float] = []

    def end() -> None:
        over.append(1.0)
        desk.write(lambda tx: line.settle(tx, held, Idle()))

    timer = threading.Timer(0.8, end)
    timer.start()
    assert desk("pause", *WHY).code == 0
    timer.join()
    assert over


def test_pause_says_when_somebody_may_still_write(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "PATIENCE", 0.3)
    who = desk.story.person.id
    desk.write(lambda tx: line.mark(tx, [who], "user", lane=0, due_at=tx.now, events=False))
    desk.write(lambda tx: line.lease(tx, limit=1))
    ran = desk("pause", *WHY)
    assert (ran.code, ran.out) == (1, "")
    assert "1 look under way may still write" in ran.err
    assert desk.read(pause.paused) is not None
    again = desk("pause", *WHY)
    assert (again.code, again.out) == (1, ""), "it is asked again, and answered as truly"
