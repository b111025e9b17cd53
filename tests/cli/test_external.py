"""`hooks external`: source 1 from the Force Sync to the repaired state; what is left alone."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from hooks.sandbox.story import COLLEAGUE, CONFLUENCE, PERSON, STATUSPAGE
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
    assert "ordered: 3 memberships of 2 people are added" in ran.out
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
    assert "left" not in forced("external").out.split("\n\n")[0]

    for login in (GUEST, OTHER):
        world.relink("main", login)  # Atlassian's support did its part
        forced("look", login)
    assert in_organization(forced, GUEST) == {CONFLUENCE, STATUSPAGE}
    assert forced("external").out == "2 external people in force, all as Okta would have them\n"
    assert world.violations == []


def test_an_order_is_over_once_it_is_done(forced: Desk) -> None:
    from sqlalchemy import text

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
    assert forced("external", "--apply", "--dry-run").code == 0
    assert forced.dump() == before


def test_where_nothing_may_be_added_it_is_refused(forced: Desk) -> None:
    file = Path(forced.environ["HOOKS_CONFIG"])
    assert "[policy]" not in file.read_text()
    file.write_text(f'{file.read_text()}\n[policy]\nrestore = "none"\n')
    ran = forced("external", "--apply", *WHY)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "policy.restore" in ran.err


# -- what cannot be known ----------------------------------------------------------------------


@pytest.mark.parametrize("refused", ["403", "404"])
def test_without_the_domains_those_count_whose_accounts_were_called_unmanaged(
    forced: Desk, refused: str
) -> None:
    forced.story.world.switches.domains = refused  # type: ignore[assignment]
    words = " ".join(forced("external").out.split())
    assert "2 external people in force: 2 unlinked" in words
    assert "The verified domains are not known" in words


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
