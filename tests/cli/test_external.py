"""`hooks external`: source 1 from the Force Sync to the repaired state; what is left alone."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from sqlalchemy import text

from hooks.core.ids import OktaUserId
from hooks.core.memory import Repaired
from hooks.core.report import counted
from hooks.sandbox.story import COLLEAGUE, CONFLUENCE, PERSON, STATUSPAGE
from hooks.store import line, orders
from tests.cli.conftest import Desk

GUEST = "guest@partner.example"
OTHER = "other@partner.example"
WHY = ("--reason", "ticket 7")


@pytest.fixture
def synced(desk: Desk) -> Desk:
    """Two external people in synced groups, beside two of ours; all were looked at once."""
    world, story = desk.story.world, desk.story
    for login in (GUEST, OTHER):
        user = world.add_user(login)
        world.add_to_group(user, story.confluence)
        world.set_account(login, claim="unmanaged")
    world.add_to_group(GUEST, story.statuspage)
    for login in (PERSON, COLLEAGUE, GUEST, OTHER):
        assert desk("look", login).code == 0
    return desk


@pytest.fixture
def forced(synced: Desk) -> Desk:
    """Somebody has pressed Force Sync, without any change."""
    synced.story.world.force_sync("main")
    return synced


def groups(desk: Desk, login: str) -> set[str]:
    return desk.story.world.groups_of("main", login)


def in_organization(desk: Desk, login: str) -> set[str]:
    """The groups their account has, whatever its record says."""
    world = desk.story.world
    found = world.organization_groups_of(world.organization.account_ids[login])
    return {each for each in found if not each.startswith("All members")}


def user_id(desk: Desk, login: str) -> str:
    return desk.story.world.user(login).id


# -- the story ---------------------------------------------------------------------------------


def test_what_a_force_sync_broke_is_found_added_again_and_told_to_support(
    forced: Desk, tmp_path: Path
) -> None:
    world, guest = forced.story.world, user_id(forced, GUEST)
    assert (groups(forced, GUEST), groups(forced, PERSON)) == (set(), {CONFLUENCE})
    found = forced("external")
    assert found.code == 0, found.err
    words = " ".join(found.out.split())
    assert f"user {guest}, directory main" in words
    assert f"lacks {CONFLUENCE} (" in words
    assert "2 external people in force: 2 unlinked" in words
    assert "quote ACCESS-1003" in words
    assert GUEST not in found.out, "ids only"
    assert user_id(forced, PERSON) not in found.out
    assert groups(forced, GUEST) == set(), "nothing was ordered"

    file = tmp_path / "support.csv"
    ran = forced("external", "--apply", *WHY, "--support", str(file))
    assert ran.code == 0, ran.err
    assert "ordered to be added: 3 memberships of 2 people" in ran.out
    rows = list(csv.DictReader(file.read_text().splitlines()))
    record = world.record("main", GUEST)
    account = world.organization.account_ids[GUEST]
    (mine,) = [each for each in rows if each["okta user"] == guest]
    assert (mine["scim user"], mine["primary e-mail"]) == (record.id, GUEST)
    assert mine["atlassian account"] == account, "the one it had before"
    assert mine["scim directory"] == forced.story.directory.id
    assert file.stat().st_mode & 0o777 == 0o600

    for login in (GUEST, OTHER):
        forced("look", login)  # as serve does, once it is due
    assert groups(forced, GUEST) == {CONFLUENCE, STATUSPAGE}
    assert groups(forced, OTHER) == {CONFLUENCE}
    assert in_organization(forced, GUEST) == set(), "the record leads to no account"
    again = tmp_path / "again.csv"
    assert "lacks" not in forced("external", "--support", str(again)).out
    rows = list(csv.DictReader(again.read_text().splitlines()))
    groups_told = {each["okta user"]: each["synced groups that ought to be there"] for each in rows}
    assert groups_told[guest] == f"{CONFLUENCE}; {STATUSPAGE}", "support needs to know them still"

    for login in (GUEST, OTHER):
        world.relink("main", login)  # Atlassian's support did its part
        forced("look", login)
    assert in_organization(forced, GUEST) == {CONFLUENCE, STATUSPAGE}
    assert forced("external").out == "2 external people in force, all as Okta would have them\n"
    assert world.violations == []


def test_an_order_is_over_once_it_is_done(forced: Desk) -> None:
    forced("external", "--apply", *WHY)
    for login in (GUEST, OTHER):
        forced("look", login)
    query = text("SELECT ref, why, result FROM operator_order WHERE kind = 'repair' ORDER BY ref")
    told = {
        each.ref: (each.why, each.result)
        for each in forced.read(lambda tx: tx.execute(query).all())
    }
    assert told == {
        user_id(forced, GUEST): ("ticket 7", "2 added"),
        user_id(forced, OTHER): ("ticket 7", "1 added"),
    }
    forced.story.world.scim_remove("main", CONFLUENCE, OTHER)
    forced("look", OTHER)
    assert groups(forced, OTHER) == set(), "it was ordered once, and an admin took it since"


def test_who_was_only_dropped_is_repaired_without_support(synced: Desk) -> None:
    synced.story.world.switches.force_sync = "drops"
    synced.story.world.force_sync("main")
    assert "2 external people in force: 2 dropped" in synced("external", "--apply", *WHY).out
    for login in (GUEST, OTHER):
        synced("look", login)
    assert groups(synced, GUEST) == in_organization(synced, GUEST) == {CONFLUENCE, STATUSPAGE}
    assert "all as Okta would have them" in synced("external").out


def test_where_atlassian_has_mended_it_nobody_is_found(synced: Desk) -> None:
    synced.story.world.switches.force_sync = "harmless"
    synced.story.world.force_sync("main")
    assert synced("external").out == "2 external people in force, all as Okta would have them\n"


def test_a_record_that_is_gone_is_said_to_be_gone(synced: Desk) -> None:
    world = synced.story.world
    directory = world.directory("main")
    del directory.users[world.record("main", OTHER).id]
    ran = synced("external", "--json")
    assert [(each["user"], each["lack"]) for each in ran.json()["people"]] == [
        (user_id(synced, OTHER), "gone")
    ]


# -- what is left alone ------------------------------------------------------------------------


def test_nothing_is_added_that_okta_does_not_want(forced: Desk) -> None:
    world = forced.story.world
    world.remove_from_group(GUEST, forced.story.statuspage)
    forced("external", "--apply", *WHY)
    forced("look", GUEST)
    assert groups(forced, GUEST) == {CONFLUENCE}


def test_who_left_is_not_found_and_gets_nothing(forced: Desk) -> None:
    forced.story.world.deactivate(OTHER)
    ran = forced("external", "--apply", *WHY)
    assert "1 external person in force: 1 unlinked" in ran.out
    forced("look", OTHER)
    assert groups(forced, OTHER) == set()


def test_who_left_between_the_order_and_the_look_gets_nothing(forced: Desk) -> None:
    forced("external", "--apply", *WHY)
    forced.story.world.deactivate(OTHER)
    forced("look", OTHER)
    assert groups(forced, OTHER) == set()


def test_people_of_ours_are_not_external_though_they_lack_something(synced: Desk) -> None:
    synced.story.world.scim_remove("main", CONFLUENCE, PERSON)
    assert synced("external").out == "2 external people in force, all as Okta would have them\n"


def test_once_the_domain_is_verified_only_what_atlassian_says_makes_them_external(
    synced: Desk,
) -> None:
    world = synced.story.world
    world.add_domain("partner.example")
    assert "2 external people" in synced("external").out, "their accounts are not claimed"
    for login in (GUEST, OTHER):
        world.set_account(login, claim="managed")
        synced("look", login)
    assert synced("external").out.startswith("0 external people in force")


def test_a_dry_run_orders_nothing(forced: Desk) -> None:
    before = forced.dump()
    ran = forced("external", "--apply", "--dry-run")
    assert "Dry run: 3 memberships of 2 people would be added; nothing was ordered." in ran.out
    assert forced.dump() == before


@pytest.mark.parametrize(
    ("setting", "words"),
    [('[policy]\nrestore = "none"', "policy.restore"), ('mode = "observe"', "observe")],
)
def test_where_nothing_may_be_added_it_is_refused_at_once(
    forced: Desk, setting: str, words: str
) -> None:
    file = Path(forced.environ["HOOKS_CONFIG"])
    text = file.read_text()
    assert "[policy]" not in text
    if setting.startswith("mode"):
        text = text.replace('mode = "enforce"', "")
        file.write_text(f"{setting}\n{text}")
    else:
        file.write_text(f"{text}\n{setting}\n")
    before = len(forced.story.world.requests)
    ran = forced("external", "--apply", *WHY)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert words in ran.err
    paths = [each.path for each in list(forced.story.world.requests)[before:]]
    assert not [each for each in paths if each.startswith("/api/v1/apps") and "/users" in each]


def test_where_somebody_is_protected_it_is_said_that_nothing_is_added(forced: Desk) -> None:
    file = Path(forced.environ["HOOKS_CONFIG"])
    file.write_text(f'{file.read_text()}\n[protect]\ngroups = ["{CONFLUENCE}"]\n')
    words = " ".join(forced("external", "--apply", *WHY).out.split())
    assert f"lacks {CONFLUENCE} (" in words
    assert "not added: out of scope, protected" in words
    for login in (GUEST, OTHER):
        forced("look", login)
    assert (groups(forced, GUEST), groups(forced, OTHER)) == ({STATUSPAGE}, set())


def test_a_mapping_in_error_is_told_and_nothing_is_added_through_it(forced: Desk) -> None:
    world = forced.story.world
    for mapping in world.org.mappings_of(forced.story.app):
        world.set_mapping_status(mapping.id, "ERROR")
    words = " ".join(forced("external", "--apply", *WHY).out.split())
    assert f"lacks {CONFLUENCE} (" in words
    assert "nothing was ordered" in words


def test_an_order_of_before_a_day_is_over(forced: Desk) -> None:
    forced("external", "--apply", *WHY)
    older = text("UPDATE operator_order SET at = at - :day")
    forced.write(lambda tx: tx.execute(older, {"day": 24 * 3600 * 1_000_000}))
    forced("look", GUEST)
    assert groups(forced, GUEST) == set(), "nobody waits for it any more"
    assert forced("purge").code == 0
    told = forced("explain", user_id(forced, GUEST)).out
    assert "undecided" in told


def test_an_order_that_came_meanwhile_is_not_ended_with_the_others(forced: Desk) -> None:
    user = OktaUserId(user_id(forced, GUEST))
    forced.write(lambda tx: orders.repair(tx, user, who="ann", why="first"))
    known = forced.read(lambda tx: orders.waiting(tx, user)[1])
    forced.write(lambda tx: orders.repair(tx, user, who="ann", why="second"))
    forced.write(lambda tx: orders.answer(tx, user, {}, Repaired(known, "0 added")))
    assert forced.read(lambda tx: orders.waiting(tx, user)[1]) not in (None, known)


@pytest.mark.parametrize(("people", "lane"), [(1, line.URGENT), (line.CROWD + 1, line.BULK)])
def test_a_crowd_stands_behind_who_leaves(desk: Desk, people: int, lane: int) -> None:
    world, story = desk.story.world, desk.story
    for number in range(people):
        world.add_to_group(world.add_user(f"g{number}@partner.example"), story.confluence)
    world.force_sync("main")
    assert f"of {counted(people)}" in desk("external", "--apply", "--limit", "0", *WHY).out
    query = text("SELECT lane, count(*) FROM due WHERE due_at IS NOT NULL GROUP BY lane")
    assert desk.read(lambda tx: tx.execute(query).all()) == [(lane, people)]


# -- what cannot be known ----------------------------------------------------------------------


@pytest.mark.parametrize("refused", ["403", "404"])
def test_without_the_domains_those_count_whose_accounts_were_called_unmanaged(
    forced: Desk, refused: str
) -> None:
    forced.story.world.switches.domains = refused  # type: ignore[assignment]
    ran = forced("external")
    words = " ".join(ran.out.split())
    assert ran.code == 1, "others may have been missed"
    assert "2 external people in force: 2 unlinked" in words
    assert "The verified domains are not known" in words


def test_before_anybody_was_looked_at_it_finds_them_all_the_same(desk: Desk) -> None:
    """As somebody who installs it after the accident: mappings are matched by name."""
    world, story = desk.story.world, desk.story
    world.add_to_group(world.add_user(GUEST), story.confluence)
    world.set_account(GUEST, claim="unmanaged")
    world.force_sync("main")
    ran = desk("external", "--apply", *WHY)
    assert "ordered to be added: 1 membership of 1 person" in ran.out
    assert "account never seen" in " ".join(ran.out.split())
    desk("look", GUEST)
    assert groups(desk, GUEST) == {CONFLUENCE}


def test_a_mapping_nobody_can_follow_is_said_and_nothing_is_called_fine(synced: Desk) -> None:
    world = synced.story.world
    extra = world.add_okta_group("Partners")
    world.push_group(extra, synced.story.app)
    world.hide(world.org.groups[world.org.mappings_of(synced.story.app)[-1].target_group_id], "404")
    ran = synced("external")
    assert ran.code == 1
    assert "push mapping" in ran.out
    assert "all as Okta would have them" not in ran.out


def test_where_no_domain_is_verified_everybody_lies_outside(synced: Desk) -> None:
    synced.story.world.add_domain("somedomain.example", "unverified")
    assert "4 external people" in synced("external").out


def test_who_has_no_address_is_told_as_unknown(synced: Desk) -> None:
    world = synced.story.world
    world.switches.profile_email_shown = False
    world.change_login(PERSON, "person")
    ran = synced("external")
    assert ran.code == 1
    assert "Of 1 person Okta tells no address" in " ".join(ran.out.split())


def test_records_without_groups_are_not_called_dropped(synced: Desk) -> None:
    synced.story.world.switches.scim_groups_shown = False
    ran = synced("external")
    assert ran.code == 1
    assert "dropped" not in ran.out
    assert "2 not judged" in " ".join(ran.out.split())


def test_a_file_of_a_run_that_failed_is_not_in_the_way(forced: Desk, tmp_path: Path) -> None:
    file = tmp_path / "support.csv"
    token = forced.story.world.credentials.api_token
    forced.story.world.credentials.api_token = "another"
    assert forced("external", "--support", str(file)).code == 1
    forced.story.world.credentials.api_token = token
    assert forced("external", "--support", str(file)).code == 0
    assert GUEST in file.read_text()


def test_a_refused_key_ends_it_with_one_line(forced: Desk) -> None:
    forced.story.world.credentials.api_token = "another"
    ran = forced("external", "--apply", *WHY)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "nothing was changed" in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--apply",), "--apply needs --reason"),
        (("--apply", "--dry-run", *WHY), "--apply needs --reason"),
        (WHY, "--reason belongs to --apply"),
    ],
)
def test_wrong_arguments_are_one_line(desk: Desk, arguments: tuple[str, ...], words: str) -> None:
    ran = desk("external", *arguments)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert words in ran.err
