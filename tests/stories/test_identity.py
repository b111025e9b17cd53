"""Whose record it is: rehires, deleted people, records that are somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories.company import STAFF, TEAMS, Company

tied = pytest.mark.parametrize("tied", ["okta_id", "absent"])


@tied
@pytest.mark.parametrize("delete_old", [True, False], ids=["old user deleted", "old user kept"])
async def test_a_rehire_with_the_same_login_is_not_stripped_by_the_old_ids_late_events(
    company: Company, sqlite_url: str, tmp_path: Path, *, delete_old: bool, tied: str
) -> None:
    world = company.world
    world.switches.scim_external_id = tied  # type: ignore[assignment]
    ann, bob = company.hire("ann", "red", "green"), company.hire("bob", *TEAMS)
    record = world.record(company.directory, ann).id
    async with company.service(sqlite_url, tmp_path) as run:
        world.deactivate(ann)
        late = list(world.outbox)
        world.outbox.clear()
        world.rehire(ann, delete_old=delete_old)
        world.add_to_group(ann, STAFF)
        world.add_to_group(ann, "blue")
        assert world.record(company.directory, ann).id == record, "Okta links the old record"
        await run.settle()
        assert company.groups(ann) == {"blue"}, "what the old id had is no longer justified"
        world.outbox.extend(late)
        world.deactivate(bob)
        await run.settle()
        assert company.groups(ann) == {"blue"}
        assert company.groups(bob) == set()


@tied
async def test_the_old_ids_events_first_and_the_successor_in_force_already(
    company: Company, database_url: str, tmp_path: Path, *, tied: str
) -> None:
    world = company.world
    world.switches.scim_external_id = tied  # type: ignore[assignment]
    ann = company.hire("ann", "red", "green")
    async with company.service(database_url, tmp_path) as run:
        world.deactivate(ann)
        world.rehire(ann)
        world.add_to_group(ann, STAFF)
        world.add_to_group(ann, "green")
        old = world.outbox[:2]
        world.outbox[:] = old
        await run.settle()
        assert company.groups(ann) == {"green"}, "the successor is looked at instead"


async def test_a_rehire_with_a_record_of_their_own(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    world = company.world
    ann = company.hire("ann", "red")
    record = world.record(company.directory, ann)
    async with company.service(sqlite_url, tmp_path) as run:
        world.rehire(ann, reuse_record=False)
        world.add_to_group(ann, STAFF)
        world.add_to_group(ann, "green")
        await run.settle()
        assert company.groups(ann) == {"green"}
        assert company.directory.groups_of(record) == []


@pytest.mark.parametrize(
    ("known", "logged", "stripped"),
    [
        pytest.param("looked at", False, True, id="deactivation was seen by us"),
        pytest.param("census", True, True, id="known by the census, deactivation in the log"),
        pytest.param("census", False, False, id="known by the census, no proof"),
        pytest.param("never", True, True, id="unknown, deactivation in the log"),
        pytest.param("never", False, False, id="unknown, no proof"),
    ],
)
async def test_somebody_deleted_is_stripped_only_with_proof(
    company: Company, sqlite_url: str, tmp_path: Path, *, known: str, logged: bool, stripped: bool
) -> None:
    world = company.world
    ann, bob = company.hire("ann", "red"), company.hire("bob", "red")
    ann_id = world.user(ann).id
    async with company.service(sqlite_url, tmp_path, census=known != "never") as run:
        if known == "looked at":
            fault = world.fault("scim", "PATCH", user=ann, status=503)
            world.deactivate(ann)
            await run.deliver()
            await run.work()
            world.clear(fault)
            assert company.groups(ann) == {"red"}
        elif logged:
            world.deactivate(ann)
        else:
            with world.long_ago():
                world.deactivate(ann)
        world.delete_user(ann)
        if not logged:
            forget = world.fault("okta", "GET", f"/logs.*{ann_id}", empty_list=True)
            assert forget.times is None
        world.outbox[:] = world.outbox[-1:]
        world.deactivate(bob)
        await run.settle()
        assert company.groups(ann) == (set() if stripped else {"red"})
        assert company.groups(bob) == set()
        if not stripped:
            assert await run.causes(ann_id) & {"absence_unproved", "record_none"}


async def test_a_record_without_an_account_loses_its_groups_too(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    company.world.switches.scim_extension_shown = False
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set()


async def test_a_login_that_changed_is_still_the_same_person(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.rename_login(ann, "annabel@somedomain.example")
        company.world.deactivate("annabel@somedomain.example")
        await run.settle()
        assert company.groups(ann) == set(), "the record keeps the old name"
