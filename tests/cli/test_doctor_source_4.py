"""Source 4, set up as its pictures show it: what the doctor says of it, and of the repair.

Source: Atlassian, "Configure user provisioning with Okta".
"""

from __future__ import annotations

from textwrap import dedent

from hooks.sandbox.story import CONFLUENCE, JIRA_USERS, PERSON, STATUSPAGE
from tests.cli.conftest import Desk

NEW = "user1.new@somedomain.example"
PARTS = ("--only", "apps", "--only", "organization")


def lines(shown: str) -> list[str]:
    """What fails or is to look at, with its remedy, each in one line."""
    said: list[str] = []
    for line in shown.splitlines():
        if line.startswith("  "):
            said[-1] += f" {line.strip()}"
        else:
            said.append(line)
    return [each for each in said if each.startswith(("fail", "warn"))]


def test_the_guide_followed_to_the_letter_is_told_and_after_its_repair_all_is_well(
    desk: Desk,
) -> None:
    story, world = desk.story, desk.story.world
    # "pass an old value": usernames are made of what somebody was called before.
    world.map_profile(story.app, user_name="login", email="email", push=False)
    world.set_email(PERSON, NEW)
    world.update_now(story.app)
    duplicate = world.sign_in(PERSON, story.app)
    assert duplicate is not world.account(PERSON)
    # "Select the name of the automatically-generated group containing all SCIM-synced users."
    world.grant_access("main", "confluence")
    everybody = f"All members for directory - {story.directory.id}"
    broken = f"""
    warn  [[directory]] 1 assignments: 2 groups are both assigned and pushed, so Okta pushes no
      removal: {CONFLUENCE}, {STATUSPAGE}
      -> assign the app by a group that is not pushed
    fail  [[directory]] 1 usernames: made of login, the primary e-mail of email: whose two differ
      get two accounts
      -> Okta's Admin Console, the app, Sign On, Application username format: the attribute that is
      mapped to the primary e-mail; then Update Now
    warn  [[directory]] 1 usernames: they are not updated when the attribute changes
      -> the app, Sign On: Update application username on, Create and update
    warn  [[directory]] 1 usernames: of 2 people 1 has a username that is not the primary e-mail:
      {story.person.id}
      -> Okta's Admin Console, the app, Sign On, Application username format: the attribute that is
      mapped to the primary e-mail; then Update Now
    fail  [[directory]] 1 accounts: 1 person has two accounts, of which we know only one:
      {story.person.id}
      -> make usernames and addresses the same, then have Atlassian support merge them
    fail  app access: {everybody}: it gives access, and no mapping pushes it, so no removal ends it
      -> take its access away, and give it to groups that Okta pushes: admin.atlassian.com, the
      product, Product access
    """
    assert lines(desk("doctor", *PARTS).out) == lines(dedent(broken))
    # It is as it says: whoever leaves loses every group, and that one stays.
    world.deactivate(PERSON)
    assert desk("look", PERSON).code == 0
    assert world.organization_groups_of(NEW) == {everybody}
    world.activate(PERSON)

    world.map_profile(story.app)
    world.update_now(story.app)
    world.organization.forget(duplicate)
    staff = world.add_okta_group("staff")
    for user in (story.person, story.colleague):
        world.add_to_group(user, staff)
    world.assign_group(staff, story.app)
    for group in (story.confluence, story.statuspage):
        world.unassign_group(group, story.app)
    world.revoke_access("main", "confluence")
    told = desk("doctor", *PARTS)
    assert told.code == 0
    assert lines(told.out) == []
    for words in (
        "ok    [[directory]] 1 assignments: no group is both assigned and pushed",
        "ok    [[directory]] 1 usernames: made of email, as the primary e-mail is",
        "ok    [[directory]] 1 usernames: of 2 people everybody's is their primary e-mail",
        "ok    app access: no group that we may not touch gives any",
    ):
        assert words in told.out
    assert JIRA_USERS in told.out  # which a rule names, and a removal ends
