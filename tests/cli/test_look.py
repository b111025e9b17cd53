"""`hooks look`: one person, now."""

from __future__ import annotations

import threading

import pytest

from hooks.cli import look as room
from hooks.core.ids import OktaUserId
from hooks.sandbox.story import COLLEAGUE, CONFLUENCE, JIRA_USERS, PERSON, STATUSPAGE
from hooks.store import line
from tests.cli.conftest import Desk


def test_a_dry_run_tells_the_plan_and_changes_nothing_anywhere(desk: Desk) -> None:
    desk.story.remove_from_old_group()
    world, store = desk.story.world.snapshot(), desk.dump()
    ran = desk("look", PERSON, "--dry-run")
    assert ran.code == 0
    assert "unassigned" in ran.out
    assert f"remove    {CONFLUENCE}" in ran.out
    assert "user ACTIVE; assignment to the app 404" in ran.out
    assert PERSON not in ran.out
    assert all(len(row) <= 100 for row in ran.out.splitlines())
    assert desk.story.world.snapshot() == world
    assert desk.dump() == store
    assert desk.story.world.violations == []


def test_a_dry_run_says_what_is_kept_and_what_is_not_ours(desk: Desk) -> None:
    world, directory = desk.story.world, desk.story.directory
    world.add_scim_group(directory, "by-hand")
    world.scim_add(directory, "by-hand", PERSON)
    told = desk("look", desk.story.person.id, "--dry-run", "--json").json()
    (one,) = told["directories"]
    assert one["standing"] == "present"
    verdicts = {each["name"]: each["verdict"] for each in one["groups"]}
    assert verdicts == {CONFLUENCE: "keep", "by-hand": "unmanaged"}


def test_a_refusal_comes_with_its_way_out(desk: Desk) -> None:
    desk.story.remove_from_old_group()
    desk.story.world.deactivate_app(desk.story.app)
    ran = desk("look", PERSON, "--dry-run")
    assert ran.code == 0
    assert "app_not_active: Activate the app in Okta." in ran.out


def test_a_look_removes_what_is_stale_and_says_what_comes_next(desk: Desk) -> None:
    desk.story.remove_from_old_group()
    ran = desk("look", PERSON)
    assert ran.code == 0
    assert f"settled: remove {CONFLUENCE}" in ran.out
    assert f"settled: remove {JIRA_USERS}" in ran.out
    assert "next: " in ran.out
    assert (desk.story.groups, desk.story.local_groups) == (set(), set())
    assert desk.story.world.groups_of(desk.story.directory, COLLEAGUE) == {CONFLUENCE}
    again = desk("look", PERSON, "--json").json()
    assert again["steps"] == []


def test_a_look_sees_a_return(desk: Desk) -> None:
    desk.story.remove_from_old_group()
    desk("look", PERSON)
    desk.story.come_back()
    told = desk("look", PERSON, "--json").json()
    assert told["directories"][0]["standing"] == "returning"
    assert desk.story.groups == {STATUSPAGE}


def test_in_observe_mode_nothing_is_sent(desk: Desk) -> None:
    config = desk.folder / "hooks.toml"
    config.write_text(config.read_text().replace("enforce", "observe"))
    desk.story.remove_from_old_group()
    ran = desk("look", PERSON)
    assert ran.code == 0
    assert f"observed: remove {CONFLUENCE}" in ran.out
    assert f"observed: remove {JIRA_USERS}" in ran.out
    assert "mode observe" in ran.out
    assert (desk.story.groups, desk.story.local_groups) == ({CONFLUENCE}, {JIRA_USERS})


def test_over_the_brake_the_removal_is_held(desk: Desk) -> None:
    config = desk.folder / "hooks.toml"
    config.write_text(config.read_text() + "\n[brake]\nother_per_hour = 1\n")
    world = desk.story.world
    other = world.add_user("other@somedomain.example")
    world.add_to_group(other, CONFLUENCE)
    for each in (desk.story.person, other):
        world.remove_from_group(each, CONFLUENCE)
    assert "settled: remove" in desk("look", PERSON).out
    ran = desk("look", other.login)
    assert "held: remove" in ran.out
    assert "see: hooks held" in ran.out


def test_somebody_unknown_is_said_to_be(desk: Desk) -> None:
    ran = desk("look", "nobody@somedomain.example")
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("look: Okta knows nobody of this login")


def test_a_dead_letter_is_not_looked_at_behind_its_back(desk: Desk) -> None:
    user = desk.story.person.id
    desk.bury(user)
    ran = desk("look", user)
    assert (ran.code, desk.story.groups) == (1, {CONFLUENCE})
    assert "hooks dead retry" in ran.err


def test_another_process_is_waited_for(desk: Desk) -> None:
    from hooks.core.attempt import Idle

    user = OktaUserId(desk.story.person.id)
    desk.write(lambda tx: line.mark(tx, [user], "user", lane=0, due_at=tx.now, events=True))
    (held,) = desk.write(lambda tx: line.lease(tx, limit=1, only=user))
    later = threading.Timer(0.5, lambda: desk.write(lambda tx: line.settle(tx, held, Idle())))
    later.start()
    ran = desk("look", user)
    later.join()
    assert ran.code == 0
    assert "another process" in ran.out
    assert "directory main" in ran.out


def test_what_another_process_did_meanwhile_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hooks.core.attempt import Idle
    from hooks.worker import Worker

    user = OktaUserId(desk.story.person.id)

    async def taken(_: Worker, __: OktaUserId) -> None:
        """As if another process had been quicker."""
        (held,) = desk.write(lambda tx: line.lease(tx, limit=1, only=user))
        desk.write(lambda tx: line.settle(tx, held, Idle()))

    monkeypatch.setattr(Worker, "look_at", taken)
    ran = desk("look", user)
    assert (ran.code, ran.out) == (0, "nothing to change\n")


def test_another_process_that_does_not_end_is_not_waited_for_for_ever(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PATIENCE", 0.5)
    user = OktaUserId(desk.story.person.id)
    desk.write(lambda tx: line.mark(tx, [user], "user", lane=0, due_at=tx.now, events=True))
    desk.write(lambda tx: line.lease(tx, limit=1, only=user))
    ran = desk("look", user)
    assert ran.code == 1
    assert "has not ended" in ran.err
