"""What admins do, what Okta logs and pushes, and what it forgets to push."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hooks.sandbox import Story0, World, WorldError, crowd

CONFLUENCE, STATUSPAGE = "Production-Confluence", "Production-StatusPage"


def logged(world: World, since: int = 0) -> list[str]:
    return [event["eventType"] for event in world.log.all()[since:]]


def mark(world: World) -> int:
    return len(world.log.all())


def event(world: World, event_type: str) -> dict[str, Any]:
    """The latest event of this type."""
    return next(e for e in reversed(world.log.all()) if e["eventType"] == event_type)


# --- the story ------------------------------------------------------------------------------


def test_leaving_the_last_group_deactivates_the_account_and_keeps_its_groups(
    story: Story0,
) -> None:
    start = mark(story.world)
    story.remove_from_old_group()
    assert story.groups == {CONFLUENCE}
    assert not story.world.record(story.directory, story.person.login).active
    assert logged(story.world, start) == [
        "group.user_membership.remove",
        "application.user_membership.remove",
        "application.provision.user.deactivate",
        "app.user_management.grouppush.mapping.okta.users.ignored",
    ]


@pytest.mark.parametrize("deactivates", [False, True])
def test_whoever_comes_back_has_old_and_new_groups_until_a_push(*, deactivates: bool) -> None:
    story = Story0(deactivates=deactivates)
    for step in story.steps:
        step.act()
    world, directory, login = story.world, story.directory, story.person.login
    assert story.groups == {CONFLUENCE, STATUSPAGE}
    assert world.entitled(directory, login) == {STATUSPAGE}
    assert world.record(directory, login).active
    world.push_now(CONFLUENCE)
    assert story.groups == {STATUSPAGE}
    assert world.groups_of(directory, story.colleague.login) == {CONFLUENCE}


def test_the_tenant_flag_pushes_removals_of_inactive_app_users(story: Story0) -> None:
    story.world.switches.push_inactive_app_users = True
    story.remove_from_old_group()
    assert story.groups == set()


def test_a_removal_is_pushed_while_another_group_still_grants_the_app(story: Story0) -> None:
    story.world.add_to_group(story.person, STATUSPAGE)
    story.world.remove_from_group(story.person, CONFLUENCE)
    assert story.groups == {STATUSPAGE}


# --- deltas, and what Okta believes ---------------------------------------------------------


def test_a_membership_somebody_else_removed_returns_only_by_a_full_push(story: Story0) -> None:
    world, person = story.world, story.person
    world.scim_remove(story.directory, CONFLUENCE, person.login)
    world.suspend(person)
    world.unsuspend(person)
    world.remove_from_group(person, CONFLUENCE)
    world.add_to_group(person, CONFLUENCE)
    assert story.groups == set()
    world.push_now(CONFLUENCE)
    assert story.groups == {CONFLUENCE}


def test_okta_may_forget_what_it_pushed(story: Story0) -> None:
    story.world.switches.forget_pushed_on_unassign = True
    story.remove_from_old_group()
    story.world.scim_remove(story.directory, CONFLUENCE, story.person.login)
    story.world.add_to_group(story.person, CONFLUENCE)
    assert story.groups == {CONFLUENCE}


@pytest.mark.parametrize("status", ["INACTIVE", "ERROR"])
def test_an_idle_mapping_pushes_nothing(story: Story0, status: Any) -> None:
    story.world.set_mapping_status(STATUSPAGE, status)
    story.world.add_to_group(story.person, STATUSPAGE)
    assert story.groups == {CONFLUENCE}
    assert story.world.entitled(story.directory, story.person.login) == {CONFLUENCE}


def test_provisioning_lands_late_and_only_what_still_holds_then(story: Story0, clock: Any) -> None:
    world = story.world
    world.switches.provisioning_delay = 30
    story.remove_from_old_group()
    clock.forward(29)
    assert world.record(story.directory, story.person.login).active
    clock.forward(1)
    assert not world.record(story.directory, story.person.login).active

    world.add_to_group(story.person, STATUSPAGE)
    world.remove_from_group(story.person, STATUSPAGE)
    clock.forward(60)
    assert story.groups == {CONFLUENCE}
    assert not world.record(story.directory, story.person.login).active
    assert world.waiting == 0


def test_what_no_longer_holds_when_it_lands_is_never_sent(story: Story0, clock: Any) -> None:
    world = story.world
    world.switches.provisioning_delay = 30
    story.remove_from_old_group()
    clock.forward(10)
    world.add_to_group(story.person, CONFLUENCE)
    world.add_to_group(story.colleague, STATUSPAGE)
    clock.forward(10)
    world.remove_from_group(story.colleague, STATUSPAGE)
    clock.forward(10)
    assert world.record(story.directory, story.person.login).active
    clock.forward(10)
    assert world.groups_of(story.directory, story.colleague.login) == {CONFLUENCE}


def test_what_is_due_lands_before_the_next_verb(story: Story0, clock: Any) -> None:
    story.world.switches.provisioning_delay = 30
    story.remove_from_old_group()
    clock.forward(31)
    story.come_back()
    types = logged(story.world)
    released = types.index("application.provision.user.deactivate")
    assert released < len(types) - types[::-1].index("application.user_membership.add") - 1
    assert not story.world.record(story.directory, story.person.login).active


def test_without_deprovisioning_the_account_stays_active(story: Story0) -> None:
    story.world.set_deprovisioning(story.app, enabled=False)
    story.remove_from_old_group()
    assert story.world.record(story.directory, story.person.login).active
    assert event(story.world, "application.lifecycle.update")["debugContext"]["debugData"][
        "customMessage"
    ].startswith("Stop")


def test_two_sources_of_one_target(story: Story0) -> None:
    world = story.world
    world.add_okta_group("Contractors")
    world.assign_group("Contractors", story.app)
    world.push_group("Contractors", story.app, CONFLUENCE)
    world.add_to_group(story.person, "Contractors")
    world.remove_from_group(story.person, CONFLUENCE)
    assert story.groups == {CONFLUENCE}
    world.remove_from_group(story.colleague, CONFLUENCE)
    world.push_now("Contractors")
    assert world.members(story.directory, CONFLUENCE) == {story.person.login}


def test_a_group_of_the_same_name_is_a_conflict(story: Story0) -> None:
    world = story.world
    world.add_scim_group(story.directory, "Taken")
    world.add_okta_group("Taken")
    mapping = world.push_group("Taken", story.app)
    assert mapping.status == "ERROR"
    assert mapping.error_summary == "Resource [GROUP]: with displayName already exists."


# --- life cycle -----------------------------------------------------------------------------


def test_deactivation_unassigns_in_one_transaction_and_keeps_okta_groups(story: Story0) -> None:
    start = mark(story.world)
    story.world.deactivate(story.person)
    assert logged(story.world, start) == [
        "user.lifecycle.deactivate",
        "user.session.clear",
        "application.user_membership.remove",
        "application.provision.user.deactivate",
    ]
    first, _, third, _ = story.world.log.all()[start:]
    assert first["transaction"] == third["transaction"]
    assert story.person.id in story.confluence.members
    assert story.groups == {CONFLUENCE}


def test_activation_brings_group_assignments_back_and_direct_ones_not(story: Story0) -> None:
    world = story.world
    other = world.add_app("Other")
    world.assign(story.person, other)
    world.deactivate(story.person)
    start = mark(world)
    world.activate(story.person)
    assert logged(world, start) == [
        "user.lifecycle.activate",
        "application.user_membership.add",
        "application.provision.user.reactivate",
    ]
    assert story.app.users[story.person.id].in_force
    assert not other.users[story.person.id].in_force


def test_an_import_logs_reactivate_first(story: Story0) -> None:
    story.world.deactivate(story.person)
    start = mark(story.world)
    story.world.activate(story.person, imported=True)
    events = story.world.log.all()[start : start + 3]
    assert [e["eventType"] for e in events] == [
        "user.lifecycle.reactivate",
        "user.lifecycle.activate",
        "application.user_membership.add",
    ]
    assert len({e["transaction"]["id"] for e in events}) == 1
    assert events[0]["transaction"]["type"] == "JOB"


def test_deactivation_may_take_a_while(story: Story0, clock: Any) -> None:
    story.world.switches.deactivation_delay = 5
    story.world.deactivate(story.person)
    assert (story.person.status, story.person.state.transitioning_to) == ("ACTIVE", "DEPROVISIONED")
    clock.forward(5)
    story.world.tick()
    assert (story.person.status, story.person.state.transitioning_to) == ("DEPROVISIONED", None)


def test_suspension_changes_no_assignment_and_no_group(story: Story0) -> None:
    story.world.suspend(story.person)
    assert story.app.users[story.person.id].in_force
    assert story.world.entitled(story.directory, story.person.login) == {CONFLUENCE}


def test_a_lock_names_the_person_as_actor_and_nobody_as_target(story: Story0) -> None:
    story.world.lock(story.person)
    locked = event(story.world, "user.account.lock")
    assert locked["target"] is None
    assert locked["actor"]["id"] == story.person.id
    assert locked["outcome"] == {"result": "FAILURE", "reason": "LOCKED_OUT"}


def test_only_the_deactivated_can_be_deleted(story: Story0) -> None:
    with pytest.raises(WorldError):
        story.world.delete_user(story.person)
    story.world.deactivate(story.person)
    story.world.delete_user(story.person)
    assert story.world.org.find_user(story.person.id) is None
    assert story.person.id not in story.confluence.members
    assert story.groups == {CONFLUENCE}


def test_a_staged_person_is_provisioned_on_activation(story: Story0) -> None:
    world = story.world
    user = world.add_user("new@somedomain.example", status="STAGED")
    world.add_to_group(user, CONFLUENCE)
    assert story.directory.named(user.login) == []
    world.activate(user)
    assert world.groups_of(story.directory, user.login) == {CONFLUENCE}


@pytest.mark.parametrize("reuse", [True, False])
def test_a_rehire_has_a_new_okta_id_and_maybe_the_old_record(story: Story0, *, reuse: bool) -> None:
    world, login = story.world, story.person.login
    old = world.record(story.directory, login)
    again = world.rehire(login, reuse_record=reuse)
    world.add_to_group(again, STATUSPAGE)
    new = world.record(story.directory, login)
    assert again.id != story.person.id
    assert (new is old) is reuse
    assert new.external_id == again.id
    assert story.groups == ({CONFLUENCE, STATUSPAGE} if reuse else {STATUSPAGE})


def test_an_unknown_status_can_be_set_and_logs_nothing(story: Story0) -> None:
    start = mark(story.world)
    story.world.set_status(story.person, "HIBERNATING", "ACTIVE")
    assert (story.person.status, story.person.state.transitioning_to) == ("HIBERNATING", "ACTIVE")
    assert mark(story.world) == start


# --- groups and apps ------------------------------------------------------------------------


def test_unassigning_a_group_releases_only_who_has_nothing_else(story: Story0) -> None:
    world = story.world
    world.assign(story.person, story.app)
    start = mark(world)
    world.unassign_group(CONFLUENCE, story.app)
    assert logged(world, start)[:2] == [
        "group.application_assignment.remove",
        "application.user_membership.remove",
    ]
    assert story.app.users[story.person.id].in_force
    assert story.app.users[story.person.id].scope == "USER"
    assert not story.app.users[story.colleague.id].in_force


def test_a_deleted_group_logs_no_member_unless_switched(story: Story0) -> None:
    world = story.world
    start = mark(world)
    world.delete_group(CONFLUENCE)
    assert "group.user_membership.remove" not in logged(world, start)
    assert world.mapping(next(iter(world.org.mappings))).status == "ERROR"
    world.add_to_group(story.person, STATUSPAGE)
    world.switches.group_delete_logs_members = True
    world.switches.mapping_on_group_delete = "vanish"
    start = mark(world)
    world.delete_group(STATUSPAGE)
    assert "group.user_membership.remove" in logged(world, start)
    assert len(world.org.mappings) == 1


def test_an_inactive_app_keeps_its_assignments_over_a_deactivation(story: Story0) -> None:
    story.world.deactivate_app(story.app)
    story.world.deactivate(story.person)
    assert story.app.users[story.person.id].in_force


def test_nobody_leaves_everyone(story: Story0) -> None:
    assert story.person.id in story.world.everyone.members
    with pytest.raises(WorldError):
        story.world.remove_from_group(story.person, "Everyone")


def test_renaming_the_source_renames_nothing_in_the_directory(story: Story0) -> None:
    story.world.rename_group(CONFLUENCE, "Docs")
    assert story.world.members(story.directory, CONFLUENCE)
    assert story.world.entitled(story.directory, story.person.login) == {CONFLUENCE}


# --- ids, determinism, size -----------------------------------------------------------------


def test_ids_have_the_vendors_shapes_and_never_meet(story: Story0) -> None:
    record = story.world.record(story.directory, story.person.login)
    shapes = {
        r"00u[A-Za-z0-9]{17}": story.person.id,
        r"00g[A-Za-z0-9]{17}": story.confluence.id,
        r"0oa[A-Za-z0-9]{17}": story.app.id,
        r"0ua[A-Za-z0-9]{17}": story.app.users[story.person.id].id,
        r"gPm[A-Za-z0-9]{17}": next(iter(story.world.org.mappings)),
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": story.directory.id,
        r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}": record.id,
        r"[0-9a-f]{24}|712020:[0-9a-f-]{36}": str(record.account_id),
    }
    for shape, identity in shapes.items():
        assert re.fullmatch(shape, identity), identity
    assert len(set(shapes.values())) == len(shapes)


def test_the_same_seed_gives_the_same_world(clock: Any) -> None:
    def played(seed: int) -> dict[str, Any]:
        story = Story0(World(clock, seed))
        for step in story.steps:
            step.act()
        return story.world.snapshot() | {"log": story.world.log.all()}

    assert played(7) == played(7)
    assert played(7) != played(8)


def test_how_much_was_logged_changes_no_id(clock: Any) -> None:
    def ids(*, suspended: bool) -> list[str]:
        story = Story0(World(clock))
        if suspended:
            story.world.suspend(story.person)
        return [story.world.add_user("next@somedomain.example").id]

    assert ids(suspended=True) == ids(suspended=False)


def test_what_was_long_ago_is_in_no_log_and_no_outbox(story: Story0) -> None:
    world = story.world
    world.add_hook("https://x.example", "secret", ["user.lifecycle.suspend"])
    start = mark(world)
    with world.long_ago():
        world.suspend(story.person)
    assert (mark(world), world.outbox) == (start, [])
    assert story.person.status == "SUSPENDED"
    world.suspend(story.colleague)
    assert (mark(world), len(world.outbox)) == (start + 1, 1)


def test_one_account_in_two_directories(story: Story0) -> None:
    world = story.world
    second = world.add_app("Atlassian Sandbox")
    directory = world.add_directory(second, "second")
    world.assign(story.person, second)
    here, there = (world.record(d, story.person.login) for d in (story.directory, directory))
    assert here.account_id == there.account_id
    assert here.id != there.id


def test_a_crowd(clock: Any) -> None:
    world = World(clock)
    directory = crowd(world, people=300, groups=6, groups_each=2)
    assert len(directory.users) == 300
    assert len(world.members(directory, "team-003")) == 100
    for login in ("person-00000@somedomain.example", "person-00299@somedomain.example"):
        assert world.groups_of(directory, login) == world.entitled(directory, login)


def test_a_snapshot_is_no_view(story: Story0) -> None:
    before = story.world.snapshot()
    assert before == story.world.snapshot()
    story.world.scim_remove(story.directory, CONFLUENCE, story.person.login)
    assert before != story.world.snapshot()
