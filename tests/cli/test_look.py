"""`hooks look`: one person, now."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from hooks.cli import look as room
from hooks.core.ids import (
    AccountId,
    DirectoryName,
    OktaUserId,
    OrganizationDirectoryId,
    OrganizationGroupId,
)
from hooks.core.membership import ORGANIZATION, Action, OrganizationGroup, Via
from hooks.core.plan import Reason, Step
from hooks.core.policy import Limits
from hooks.core.reading import Unread, Why
from hooks.core.refusal import Cause, Refusal
from hooks.sandbox.story import (
    COLLEAGUE,
    CONFLUENCE,
    JIRA_ADMIN,
    JIRA_ADMINS,
    JIRA_USERS,
    PERSON,
    STATUSPAGE,
)
from hooks.store import journal, line, refusals
from hooks.store.database import Tx
from hooks.store.journal import Wish
from tests.cli.conftest import Desk

MAIN = DirectoryName("main")
OTHER = OktaUserId("00u00000000000000000")


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


MEMBERS = r"memberships"
FAILURES = [
    pytest.param(
        {"vendor": "org", "path": MEMBERS, "status": 409},
        [],
        f"failed: remove {JIRA_USERS} ADMIN-UAM-409-2",
        id="a step is refused",
    ),
    pytest.param(
        {"vendor": "org", "path": MEMBERS, "drop_after": True},
        [],
        f"settled: remove {CONFLUENCE}",
        id="a reply is lost, and the effect is seen",
    ),
    pytest.param(
        {"vendor": "org", "path": "users/search", "status": 503},
        [],
        "not read: organization_unread: organization answered 503 to POST users search",
        id="a vendor does not answer",
    ),
    pytest.param(
        {"vendor": "okta", "path": r"/groups\b", "status": 403},
        ["--dry-run"],
        "not read: groups_unread: okta answered 403 to GET user groups",
        id="a vendor refuses, and is not asked again",
    ),
]


@pytest.mark.parametrize(("trouble", "more", "said"), FAILURES)
def test_whatever_failed_or_was_not_read_is_said_and_ends_with_1(
    desk: Desk, trouble: dict[str, Any], more: list[str], said: str
) -> None:
    if "--dry-run" in more:
        desk.story.world.add_to_group(PERSON, STATUSPAGE)
    else:
        desk.story.remove_from_old_group()
    desk.story.world.fault(**trouble)
    ran = desk("look", PERSON, *more)
    assert said in ran.out.splitlines()
    lost = "drop_after" in trouble
    assert (ran.code, ran.err) == (0 if lost else 1, "")
    told = desk("look", PERSON, *more, "--json")
    assert told.code == (0 if lost else 1)
    assert told.json()["failed"] is not lost


@pytest.mark.parametrize(
    "hidden",
    [
        pytest.param("source", id="an Okta group that may justify what they have"),
        pytest.param("protected", id="a group of the policy"),
    ],
)
def test_what_the_credential_may_not_see_is_not_read(desk: Desk, hidden: str) -> None:
    story, world = desk.story, desk.story.world
    world.add_to_group(PERSON, STATUSPAGE)
    world.switches.group_push_delay = 1e6
    if hidden == "source":
        world.remove_from_group(PERSON, CONFLUENCE)
        world.hide(story.confluence, mode="404")
    else:
        config = desk.folder / "hooks.toml"
        config.write_text(config.read_text() + '\n[protect]\nokta_groups = ["Nobody"]\n')
        story.remove_from_old_group()
    ran = desk("look", PERSON)
    cause = "source_unreadable" if hidden == "source" else "protection_unknown"
    assert (ran.code, ran.err) == (1, "")
    assert f"not read: {cause}" in ran.out.splitlines()
    assert CONFLUENCE in story.groups


def test_what_the_policy_refuses_or_atlassian_parks_is_no_failure(desk: Desk) -> None:
    desk.story.world.switches.inactive_remove = "400"
    desk.story.remove_from_old_group()
    ran = desk("look", PERSON)
    assert f"parked: remove {JIRA_USERS} ADMIN-UAM-400-2" in ran.out
    assert ran.code == 0
    config = desk.folder / "hooks.toml"
    config.write_text(config.read_text() + f'\n[protect]\nusers = ["{COLLEAGUE}"]\n')
    desk.story.world.deactivate(COLLEAGUE)
    ran = desk("look", COLLEAGUE)
    assert "protected: Protected by the policy." in ran.out
    assert ran.code == 0


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
    assert ran.code == 0
    assert "held: remove" in ran.out
    assert "see: hooks held" in ran.out


def test_of_two_last_admins_the_second_waits_and_is_said_to(desk: Desk) -> None:
    """The removal of the other one is under way, so this one would leave nobody."""
    world = desk.story.world
    group, admin = world.local_group(JIRA_ADMINS), world.account(JIRA_ADMIN)
    config = desk.folder / "hooks.toml"
    config.write_text(config.read_text() + f'\n[[local_group]]\nid = "{group.id}"\nadmin = true\n')
    world.local_add(JIRA_ADMINS, PERSON)
    there = OrganizationDirectoryId("here")
    known = OrganizationGroup(
        OrganizationGroupId(group.id), JIRA_ADMINS, there, synced=False, modifiable=True
    )
    step = Step(
        ORGANIZATION, Action.REMOVE, known, Reason.LEFT, via=Via.ORGANIZATION, by=MAIN,
        others=frozenset({AccountId("0" * 24)}),
    )  # fmt: skip
    wish = Wish(step, AccountId(admin.id), observe=False)

    def under_way(tx: Tx) -> None:
        line.mark(tx, [OTHER], "user", lane=0, due_at=tx.now, events=False)
        (held,) = line.lease(tx, limit=1, only=OTHER)
        assert journal.admit(tx, held, [wish], [], limits=Limits()).admitted

    desk.write(under_way)
    desk.story.remove_from_old_group()
    ran = desk("look", PERSON)
    assert ran.code == 1
    assert f"contended: remove {JIRA_ADMINS} (another of its admins goes first)" in ran.out
    assert world.local_members(JIRA_ADMINS) == {JIRA_ADMIN, PERSON}


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
    unread = Unread(Why.UNAVAILABLE, detail="okta answered 503 to GET user")
    refused = [Refusal(MAIN, Cause.USER_UNREAD, unread=unread), Refusal(MAIN, Cause.ORPHANED)]
    desk.write(lambda tx: refusals.keep(tx, user, MAIN, refused))
    ran = desk("look", user)
    assert ran.code == 1
    assert "not read: user_unread: okta answered 503 to GET user" in ran.out
    assert f"refused: orphaned; see: hooks steps --refused {user}" in ran.out
    assert desk("look", user, "--json").json()["failed"] is True


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


def test_a_dry_run_says_that_okta_knows_nobody_of_an_id(desk: Desk) -> None:
    words = "Okta knows no user of this id"
    assert words in desk("look", "00u00000000000000000", "--dry-run").out
    assert words not in desk("look", desk.story.person.id, "--dry-run").out
