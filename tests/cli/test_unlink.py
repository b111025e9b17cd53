"""`hooks unlink`: source 3 from the locked account to the freed one, and every refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hooks.core.severance import Obstacle
from hooks.sandbox.story import COLLEAGUE, CONFLUENCE, JIRA_USERS, PERSON, STATUSPAGE, Story0
from hooks.sandbox.world import WorldError
from hooks.store import inbox, line, pause
from tests.cli.conftest import Desk, Ran
from tests.cli.test_forget import Terminal

WHY = ("--reason", "ticket 7")


@pytest.fixture
def locked(desk: Desk) -> Desk:
    """Somebody was deactivated in Okta, and cannot be reactivated in Atlassian."""
    world = desk.story.world
    world.deactivate(PERSON)
    assert world.account(PERSON).status == "inactive"
    with pytest.raises(WorldError, match="identity provider"):
        world.reactivate(PERSON)
    return desk


def record(desk: Desk, login: str = PERSON) -> str:
    return desk.story.world.record("main", login).id


def account(desk: Desk) -> str:
    return desk.story.world.record("main", PERSON).account_id or ""


def deleted(desk: Desk) -> int:
    """How many DELETEs of SCIM users there were."""
    return sum(
        each.method == "DELETE" and "/Users/" in each.path for each in desk.story.world.requests
    )


def free(desk: Desk, *more: str) -> Ran:
    """Do it, as a script would."""
    found = desk.story.world.announce_unlink("main", PERSON)
    return desk("unlink", found.id, "--yes-delete", found.id, *WHY, *more)


def order(desk: Desk) -> Any:
    from sqlalchemy import text

    query = text("SELECT ref, why, done, result FROM operator_order WHERE kind = 'unlink'")
    return desk.read(lambda tx: tx.execute(query).all())


# -- the story ---------------------------------------------------------------------------------


def test_a_locked_account_is_stripped_freed_and_can_be_reactivated(locked: Desk) -> None:
    story, world = locked.story, locked.story.world
    held, person, scim_id = account(locked), story.person.id, record(locked)
    assert (story.groups, story.local_groups) == ({CONFLUENCE}, {JIRA_USERS})
    ran = free(locked)
    assert ran.code == 0, ran.err
    assert f"deleted: {scim_id}, seen to be gone" in ran.out
    assert "Reactivate the account at admin.atlassian.com" in ran.out
    assert scim_id not in story.directory.users
    assert world.organization_groups_of(held) == set(), "taken before, in both places"
    assert world.account(held).status == "inactive"
    assert [(each.ref, each.why, each.result) for each in order(locked)] == [
        (person, "ticket 7", f"main {scim_id}: deleted, seen to be gone")
    ]
    world.reactivate(held)
    assert world.account(held).status == "active"
    assert world.violations == []


def test_nothing_touches_a_freed_account_until_okta_assigns_it_anew(locked: Desk) -> None:
    story, world = locked.story, locked.story.world
    held = account(locked)
    free(locked)
    world.reactivate(held)
    world.local_add(JIRA_USERS, held)
    looked = locked("look", story.person.id)
    assert looked.code == 0, looked.out + looked.err
    assert "released: Freed by hooks unlink" in " ".join(looked.out.split())
    assert world.local_groups_of(held) == {JIRA_USERS}, "an admin gave it, and it stays"
    assert "0 would be given back" in locked("restore", story.person.id, "--dry-run").out
    world.activate(PERSON)
    world.add_to_group(PERSON, STATUSPAGE)
    for _ in range(4):
        locked("look", PERSON)
    assert story.groups == {CONFLUENCE, STATUSPAGE}, "Okta implies both, on a new record"
    world.deactivate(PERSON)
    locked("look", PERSON)
    assert story.groups == set(), "the mark is over with the new record"
    assert world.violations == []


def test_an_unmanaged_account_is_freed_and_not_deactivated_by_it(desk: Desk) -> None:
    world = desk.story.world
    world.set_account(PERSON, claim="unmanaged")
    world.deactivate(PERSON)
    held = account(desk)
    assert "not managed" in desk("unlink", PERSON).out
    assert free(desk).code == 0
    assert world.account(held).status == "active"


@pytest.mark.parametrize("managed", ["deactivated", "unchanged"])
def test_whatever_deleting_does_to_the_account_it_is_freed(locked: Desk, managed: Any) -> None:
    locked.story.world.switches.unlinked_managed = managed
    held = account(locked)
    assert free(locked).code == 0
    locked.story.world.reactivate(held)


def test_groups_that_would_stay_for_ever_are_taken_before(locked: Desk) -> None:
    """Where a directory keeps the memberships of a record that is gone, nobody can take them."""
    locked.story.world.switches.unlinked_groups = "kept"
    held = account(locked)
    assert free(locked).code == 0
    assert locked.story.world.organization_groups_of(held) == set()


# -- what is shown -----------------------------------------------------------------------------


def test_without_a_reason_all_is_shown_and_nothing_changed(locked: Desk) -> None:
    locked("look", COLLEAGUE)
    before, world = locked.dump(), locked.story.world.snapshot()
    ran = locked("unlink", PERSON)
    assert ran.code == 0
    for words in (
        f"record    {record(locked)} in directory main, inactive",
        f"user      {locked.story.person.id}, left",
        f"account   {account(locked)}, inactive, managed",
        f"groups    {CONFLUENCE}",
        f"local     {JIRA_USERS}",
        "Dry run: nothing was changed.",
        f"hooks unlink {record(locked)} --reason TEXT",
    ):
        assert words in ran.out
    assert PERSON not in ran.out
    told = locked("unlink", PERSON, "--json").json()
    assert (told["dry_run"], told["managed"], told["obstacles"]) == (True, True, [])
    assert told["taken_first"] == [CONFLUENCE, JIRA_USERS]
    assert locked.dump() == before
    assert locked.story.world.snapshot() == world


@pytest.mark.parametrize("name", ["login", "account", "record", "user"])
@pytest.mark.parametrize("links", ["answers", "404", "403"])
def test_it_is_found_by_whatever_names_it(locked: Desk, name: str, links: Any) -> None:
    locked.story.world.switches.scim_links = links
    names = {
        "login": PERSON,
        "account": account(locked),
        "record": record(locked),
        "user": locked.story.person.id,
    }
    assert locked("unlink", names[name], "--json").json()["scim_id"] == record(locked)
    assert locked.story.world.violations == [], "no filter nobody declares"


def test_it_is_found_by_an_address_that_is_no_user_name(locked: Desk) -> None:
    world = locked.story.world
    world.set_account(PERSON, email="maiden.name@somedomain.example")
    ran = locked("unlink", "maiden.name@somedomain.example", "--json")
    assert ran.json()["scim_id"] == record(locked)


def test_a_copy_is_sealed_and_opened_by_name(locked: Desk) -> None:
    scim_id, held = record(locked), account(locked)
    free(locked)
    assert PERSON not in "".join(locked.dump())
    copy = locked("unlink", scim_id, "--copy").json()
    assert (copy["id"], copy["userName"]) == (scim_id, PERSON)
    assert locked("unlink", held, "--copy").json() == copy
    assert locked("unlink", "nobody@x.example", "--copy").code == 1


def test_once_gone_it_says_so_and_what_comes_next(locked: Desk) -> None:
    scim_id, held = record(locked), account(locked)
    free(locked)
    for name in (scim_id, held, locked.story.person.id, PERSON):
        ran = locked("unlink", name)
        assert ran.code == 0, ran.err
        assert f"gone already: {scim_id} of {locked.story.person.id}" in ran.out
        assert "Next:" in ran.out
    assert deleted(locked) == 1


@pytest.mark.parametrize(("typed", "code"), [("id", 0), ("yes", 2), ("", 2), ("colleague", 2)])
def test_on_a_terminal_the_scim_id_is_typed(
    locked: Desk, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    world, scim_id = locked.story.world, record(locked)
    before = world.snapshot()
    if not code:
        world.announce_unlink("main", PERSON)
    answers = {"id": scim_id, "colleague": record(locked, COLLEAGUE)}
    monkeypatch.setattr("sys.stdin", Terminal(answers.get(typed, typed)))
    ran = locked("unlink", PERSON, *WHY)
    assert ran.code == code, ran.err
    assert "cannot be undone. Type the SCIM id" in ran.out
    assert (world.snapshot() == before) is bool(code)
    assert world.violations == []


# -- refusals ----------------------------------------------------------------------------------


def _assigned_again(story: Story0) -> None:
    story.world.activate(PERSON)


def _suspended(story: Story0) -> None:
    _assigned_again(story)
    story.world.suspend(PERSON)


def _taken_over(story: Story0) -> None:
    """Somebody else in force holds the record now."""
    other = story.world.add_user("other@somedomain.example")
    story.world.add_to_group(other, CONFLUENCE)
    state = story.app.users[other.id].state
    state.external_id = story.world.record("main", PERSON).id


def _rehired(story: Story0) -> None:
    again = story.world.rehire(PERSON)
    story.world.add_to_group(again, CONFLUENCE)


def _nobodys(story: Story0) -> None:
    found = story.world.record("main", PERSON)
    found.external_id = None
    for app_user in list(story.app.users):
        if app_user == story.person.id:
            del story.app.users[app_user]
    story.world.rename_login(PERSON, "elsewhere@somedomain.example")


def _admin(story: Story0) -> None:
    story.world.set_roles(PERSON, ["atlassian/org-admin"])


def _unlinked(story: Story0) -> None:
    story.world.record("main", PERSON).account_id = None


def _foreign(story: Story0) -> None:
    story.world.add_foreign_link(PERSON)


def _app_off(story: Story0) -> None:
    story.world.deactivate_app(story.app)


def _okta_silent(story: Story0) -> None:
    story.world.fault("okta", path=f"/users/{story.person.id}$", status=500)


def _organization_silent(story: Story0) -> None:
    story.world.fault("org", path="groups/search", status=500)


def _links_silent(story: Story0) -> None:
    story.world.fault("org", path="get-scim-links", status=500)


def _groups_hidden(story: Story0) -> None:
    story.world.switches.scim_groups_shown = False


CASES: dict[Obstacle | str, tuple[Obstacle, Callable[[Story0], None]]] = {
    "assigned": (Obstacle.IN_FORCE, _assigned_again),
    "suspended": (Obstacle.IN_FORCE, _suspended),
    "another holds it": (Obstacle.IN_FORCE, _taken_over),
    "rehired": (Obstacle.IN_FORCE, _rehired),
    "nobody's": (Obstacle.OWNER_NONE, _nobodys),
    "admin": (Obstacle.ADMIN, _admin),
    "no account": (Obstacle.ACCOUNT_NONE, _unlinked),
    "linked elsewhere": (Obstacle.ELSEWHERE, _foreign),
    "app off": (Obstacle.UNCLEAR, _app_off),
    "Okta silent": (Obstacle.UNCLEAR, _okta_silent),
    "organization silent": (Obstacle.UNCLEAR, _organization_silent),
    "links silent": (Obstacle.LINKS_UNREAD, _links_silent),
    "groups not told": (Obstacle.UNCLEAR, _groups_hidden),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_and_nothing_is_changed(locked: Desk, case: str) -> None:
    obstacle, spring = CASES[case]
    spring(locked.story)
    scim_id = record(locked)
    before = locked.story.world.snapshot()
    shown = locked("unlink", scim_id)
    assert (shown.code, f"{obstacle}" in shown.out) == (0, True), shown.out + shown.err
    assert "To do it" not in shown.out
    ran = free(locked)
    assert ran.code == 1
    assert obstacle in ran.err
    assert deleted(locked) == 0
    assert locked.story.world.snapshot() == before, "not stripped either"


_ENFORCE = 'mode = "enforce"'


def write(desk: Desk, old: str, new: str) -> None:
    """Change hooks.toml."""
    path = desk.folder / "hooks.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "obstacle"),
    [
        (_ENFORCE, 'mode = "observe"', Obstacle.OBSERVED),
        (_ENFORCE, f'{_ENFORCE}\n[protect]\nusers = ["{PERSON}"]', Obstacle.PROTECTED),
        (_ENFORCE, f'{_ENFORCE}\n[scope]\nonly_okta_groups = ["{STATUSPAGE}"]', Obstacle.PROTECTED),
    ],
)
def test_the_policy_is_kept(locked: Desk, old: str, new: str, obstacle: Obstacle) -> None:
    write(locked, old, new)
    before = locked.story.world.snapshot()
    ran = free(locked)
    assert ran.code == 1
    assert obstacle in ran.err
    assert (deleted(locked), locked.story.world.snapshot() == before) == (0, True)


def test_without_the_organization_nothing_is_deleted(
    locked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOKS_ORG_API_KEY")
    world = locked.story.world
    path = locked.folder / "hooks.toml"
    kept = [each for each in path.read_text().splitlines() if "organization_id" not in each]
    path.write_text("\n".join(kept).partition("[[local_group]]")[0])
    ran = free(locked)
    assert ran.code == 1
    assert Obstacle.ACCOUNT_UNREAD in ran.err
    assert deleted(locked) == 0
    assert world.groups_of("main", PERSON) == {CONFLUENCE}


def test_two_records_are_one_too_many(locked: Desk) -> None:
    world = locked.story.world
    world.add_scim_user("main", PERSON, email="twin@somedomain.example")
    ran = locked("unlink", PERSON)
    assert ran.code == 1
    assert "several records fit" in ran.err
    assert record(locked) in ran.err


def test_nobody_fits(locked: Desk) -> None:
    for name in ("nobody@x.example", "0" * 24, "4f1c1b7e-0000-4000-8000-000000000000"):
        ran = locked("unlink", name)
        assert (ran.code, ran.out) == (1, "")
        assert "no SCIM record fits" in ran.err


@pytest.mark.parametrize(
    ("vendor", "path", "status", "said"),
    [
        (
            "scim",
            "/Users",
            401,
            "nothing was changed; what is wrong, and where to mend it: hooks doctor",
        ),
        (
            "org",
            "users/search",
            401,
            "nothing was changed; what is wrong, and where to mend it: hooks doctor",
        ),
        (
            "okta",
            "/apps/",
            403,
            "nothing was changed; what is wrong, and where to mend it: hooks doctor",
        ),
        ("scim", "/Users", 503, "nothing was changed; try again, and if it stays so: hooks doctor"),
        (
            "okta",
            "/apps/[^/]+/users",
            500,
            "nothing was changed; try again, and if it stays so: hooks doctor",
        ),
    ],
)
def test_a_vendor_that_does_not_answer_is_one_line(
    locked: Desk, vendor: Any, path: str, status: int, said: str
) -> None:
    locked.story.world.fault(vendor, path=path, status=status)
    for more in ((), ("--yes-delete", record(locked), *WHY)):
        ran = locked("unlink", PERSON, *more)
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert said in ran.err
    assert deleted(locked) == 0


def test_a_directory_that_ignores_filters_leads_to_nobody(locked: Desk) -> None:
    locked.story.world.switches.filter_ignored = True
    ran = locked("unlink", PERSON)
    assert ran.code == 1
    assert "ignored the filter" in ran.err
    assert "name the record by its SCIM id" in ran.err


def test_a_group_nothing_takes_keeps_the_record(locked: Desk) -> None:
    """Made by hand over SCIM: no mapping leads to it, so no look takes it."""
    world = locked.story.world
    world.add_scim_group("main", "by-hand")
    world.scim_add("main", "by-hand", PERSON)
    ran = free(locked)
    assert ran.code == 1
    assert "still in by-hand" in ran.err
    assert deleted(locked) == 0
    assert world.groups_of("main", PERSON) == {"by-hand"}, "what may be taken is"
    assert free(locked, "--leave-groups").code == 0
    assert deleted(locked) == 1


@pytest.mark.parametrize("seen", [True, False], ids=["seen before", "never seen"])
def test_groups_a_record_leaves_out_keep_it(desk: Desk, *, seen: bool) -> None:
    """A directory may leave out the groups of somebody inactive."""
    world = desk.story.world
    if seen:
        desk("look", PERSON)
    desk("look", COLLEAGUE)  # so the mapping is known
    world.switches.scim_groups_of_inactive = False
    world.deactivate(PERSON)
    ran = free(desk)
    assert ran.code == 1
    assert CONFLUENCE in ran.err
    assert (deleted(desk), world.groups_of("main", PERSON)) == (0, {CONFLUENCE})


def test_an_event_that_says_otherwise_keeps_it(locked: Desk) -> None:
    world = locked.story.world
    world.switches.user_lag = world.switches.app_user_lag = 3600
    world.activate(PERSON)
    locked.deliver()
    ran = free(locked)
    assert ran.code == 1
    assert deleted(locked) == 0


def test_what_the_brake_holds_keeps_the_record(locked: Desk) -> None:
    write(locked, _ENFORCE, f"{_ENFORCE}\n[brake]\nleft_per_hour = 1")
    locked.story.world.deactivate(COLLEAGUE)
    locked("look", COLLEAGUE)
    ran = free(locked)
    assert ran.code == 1
    assert f"still in {CONFLUENCE}, {JIRA_USERS}" in ran.err
    assert f"hooks look {locked.story.person.id} says why" in ran.err
    assert deleted(locked) == 0


def test_what_atlassian_parks_keeps_the_record(locked: Desk) -> None:
    locked.story.world.switches.inactive_remove = "400"
    ran = free(locked)
    assert ran.code == 1
    assert f"still in {JIRA_USERS}" in ran.err
    assert deleted(locked) == 0


def test_nothing_is_deleted_in_a_pause_or_of_a_dead_letter(locked: Desk) -> None:
    locked.write(lambda tx: pause.begin(tx, who="x", why="y"))
    ran = free(locked)
    assert (ran.code, "paused" in ran.err, deleted(locked)) == (1, True, 0)
    locked.write(pause.end)
    locked.bury(locked.story.person.id)
    ran = free(locked)
    assert (ran.code, "dead letter" in ran.err, deleted(locked)) == (1, True, 0)


def test_the_lease_is_given_back_and_waiting_events_still_wait(locked: Desk) -> None:
    user = locked.story.person.id
    free(locked)
    place = locked.read(lambda tx: inbox.place(tx, user))
    assert (place.lease_until, place.dead) == (None, None)
    assert place.due_at is not None, "looked at once more, to see what came of it"
    locked.write(lambda tx: line.mark(tx, [user], "user", lane=0, due_at=tx.now, events=False))
    assert locked.write(lambda tx: line.lease(tx, limit=1, only=user))


# -- replies that do not come ------------------------------------------------------------------


def _no_delete(desk: Desk, **trouble: Any) -> None:
    desk.story.world.fault("scim", method="DELETE", **trouble)


def test_a_lost_reply_is_read_and_nothing_sent_again(locked: Desk) -> None:
    _no_delete(locked, drop_after=True)
    scim_id = record(locked)
    ran = free(locked)
    assert ran.code == 0, ran.err
    assert "seen to be gone" in ran.out
    assert scim_id not in locked.story.directory.users
    assert deleted(locked) == 1
    assert locked.story.world.violations == []


def test_a_refusal_leaves_no_mark(locked: Desk) -> None:
    _no_delete(locked, status=403)
    ran = free(locked)
    assert ran.code == 1
    assert deleted(locked) >= 1
    assert all("not deleted" in each.result for each in order(locked))
    locked.story.world.clear()
    told = locked("look", locked.story.person.id, "--dry-run").out
    assert "released" not in told
    assert record(locked)


def test_what_is_not_known_is_said_and_read_before_anything_else(
    locked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hooks.unlink._READINGS", (0.0, 0.1))
    _no_delete(locked, drop=True)
    scim_id = record(locked)
    ran = free(locked)
    assert ran.code == 1
    assert (
        f"nobody knows yet whether the record is gone; read it again: hooks unlink {scim_id}"
        in (ran.err)
    )
    assert deleted(locked) == 1
    locked.story.world.clear()
    assert locked("unlink", scim_id, "--json").json()["scim_id"] == scim_id, "it is there"
    assert deleted(locked) == 1
    assert free(locked).code == 0
    results = [each.result for each in order(locked)]
    assert results == [f"{scim_id}: read to be there still",
                       f"main {scim_id}: deleted, seen to be gone"]  # fmt: skip


def test_a_directory_that_is_gone_is_no_proof(
    locked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hooks.unlink._READINGS", (0.0, 0.1))
    world, scim_id = locked.story.world, record(locked)

    def lapses(_: object) -> bool:
        world.lapse("main")
        return True

    _no_delete(locked, when=lapses, drop=True)
    ran = free(locked)
    assert deleted(locked) == 1
    assert ran.code == 1
    assert "nobody knows yet" in ran.err
    assert all(each.done is None for each in order(locked))
    assert scim_id in locked.story.directory.users


def test_json_is_json(locked: Desk) -> None:
    ran = free(locked, "--json")
    told = json.loads(ran.out)
    assert (told["dry_run"], told["ended"]) == (False, "gone")
