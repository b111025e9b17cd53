"""`hooks restore`: what is meant, what is said of it, and what is ordered."""

from __future__ import annotations

import pytest

from hooks.core.refusal import WAY_OUT, Cause
from hooks.sandbox.story import CONFLUENCE, JIRA_USERS, PERSON
from hooks.store import inbox
from tests.cli.conftest import Desk

NOBODY = "00u00000000000000000"


@pytest.fixture
def stripped(desk: Desk) -> Desk:
    """Somebody is deactivated, and everything of theirs was taken."""
    desk.story.world.deactivate(PERSON)
    desk("look", PERSON)
    assert desk.story.groups | desk.story.local_groups == set()
    return desk


@pytest.fixture
def back(stripped: Desk) -> Desk:
    """They are in force again at once, and in what Okta implies."""
    story = stripped.story
    story.world.activate(PERSON)
    for _ in range(4):
        stripped("look", PERSON)
    return stripped


def due(desk: Desk) -> bool:
    place = desk.read(lambda tx: inbox.place(tx, desk.story.person.id))
    return place is not None and place.due_at is not None


def test_what_would_come_of_it_is_told_and_nothing_changed(stripped: Desk) -> None:
    user, before = stripped.story.person.id, stripped.dump()
    ran = stripped("restore", user, "--dry-run")
    assert ran.code == 0
    assert ran.out.count(Cause.RESTORE_UNWANTED) >= 2
    assert WAY_OUT[Cause.RESTORE_UNWANTED] in " ".join(ran.out.split())
    assert "0 would be given back; nothing was changed." in ran.out
    assert "?" not in ran.out, "nothing that had to be cleaned"
    told = stripped("restore", user, "--dry-run", "--json").json()
    assert {(each["name"], each["then"]) for each in told["removals"]} == {
        (CONFLUENCE, "restore_unwanted"), (JIRA_USERS, "restore_unwanted"),
    }  # fmt: skip
    assert stripped.dump() == before


def test_an_order_is_carried_out_by_a_look_and_its_result_is_listed(back: Desk) -> None:
    user, story = back.story.person.id, back.story
    assert JIRA_USERS not in story.local_groups
    told = back("restore", user, "--dry-run", "--json").json()
    then = {each["name"]: each["then"] for each in told["removals"]}
    assert then[JIRA_USERS] == "given back"
    ran = back("restore", user, "--reason", "a mistake")
    assert ran.code == 0
    assert f"ordered back: {len(then)} membership" in ran.out
    (waiting,) = back("restore", "--orders", "--json").json()
    assert (waiting["user"], waiting["why"], waiting["done"]) == (user, "a mistake", None)
    assert due(back)
    back("look", PERSON)
    assert JIRA_USERS in story.local_groups
    (done,) = back("restore", "--orders", "--json").json()
    assert "1 given back" in done["result"]
    assert done["done"]
    assert "1 given back" in back("restore", "--orders").out


def test_one_removal_is_named_by_its_step(back: Desk) -> None:
    steps = back("steps", "--json").json()
    (step,) = (each["id"] for each in steps if each["name"] == JIRA_USERS)
    back("restore", "--step", str(step), "--reason", "x")
    back("look", PERSON)
    assert JIRA_USERS in back.story.local_groups
    assert back("restore", "--step", str(step), "--reason", "x").code == 1, "given back already"


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (("--since", "2099-01-01"), "no removal is meant"),
        (("--until", "2001-01-01"), "no removal is meant"),
        ((NOBODY,), "no removal is meant"),
        (("--incident", "7"), "there is no incident 7"),
        (("--step", "99999"), "99999: no removal that was carried out"),
    ],
)
def test_what_is_not_there_cannot_be_given_back(
    stripped: Desk, chosen: tuple[str, ...], said: str
) -> None:
    before = stripped.dump()
    for how in (("--reason", "x"), ("--dry-run",)):
        ran = stripped("restore", *chosen, *how)
        assert (ran.code, ran.out) == (1, "")
        assert said in ran.err
    assert stripped.dump() == before


def test_a_time_is_meant_by_when_it_was_taken(stripped: Desk) -> None:
    told = stripped("restore", "--since", "2001-01-01", "--dry-run", "--json").json()
    assert len(told["removals"]) == 2


def test_of_whom_nobody_could_read_nothing_is_promised(stripped: Desk) -> None:
    stripped.story.world.fault("okta", path="/api/v1/users", method="GET", status=500)
    ran = stripped("restore", stripped.story.person.id, "--dry-run")
    assert "nothing was changed" in ran.out
    assert "given back" not in ran.out.replace("would be given back", "")
