"""What the operator decided: observing, protection, scope."""

from __future__ import annotations

from pathlib import Path

import pytest

from hooks.core.ids import OktaGroupId, OktaUserId
from hooks.core.membership import State
from hooks.store import cursor, journal
from tests.running import Running
from tests.stories.company import STAFF, TEAMS, Company


def patches(company: Company) -> int:
    """Changes sent to Atlassian."""
    return sum(
        number for (_, method, _), number in company.world.counters.items() if method == "PATCH"
    )


async def test_observing_plans_and_journals_and_sends_nothing(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    ann, bob = company.hire("ann", "red", "green"), company.stale("bob", "blue", teams=("red",))
    async with company.service(database_url, tmp_path, modes={"": "observe"}) as run:
        company.world.deactivate(ann)
        company.world.add_to_group(bob, company.world.add_okta_group("choir"))
        before = company.world.snapshot()
        await run.settle()
        assert company.world.snapshot() == before
        assert patches(company) == 0
        assert set(await run.steps()) == {
            ("remove", "red", "left", "observed"),
            ("remove", "green", "left", "observed"),
            ("remove", "blue", "lost_group", "observed"),
        }


async def test_observed_people_are_stripped_once_the_service_is_started_to_enforce(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path, modes={"": "observe"}) as run:
        company.world.deactivate(ann)
        await run.settle()
    company.world.org.hooks.clear()
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.activate(ann)
        company.world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set()


async def test_what_was_observed_is_done_once_it_is_enforced_if_it_still_is_wanted(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    """Nobody has to leave once more for it; and what is listed meanwhile is what would be done."""
    ann, bob = company.hire("ann", "red", "green"), company.hire("bob", "red")
    company.world.switches.group_push_delay = None
    async with company.service(database_url, tmp_path, modes={"": "observe"}) as run:
        for login in (ann, bob):
            company.world.deactivate(login)
        await run.settle()
        assert await would(run) == {(ann, "red"), (ann, "green"), (bob, "red")}
        company.world.activate(bob)
        await run.settle()
        assert await would(run) == {(ann, "red"), (ann, "green")}
        company.world.deactivate(bob)
        await run.settle()
        assert await would(run) == {(ann, "red"), (ann, "green"), (bob, "red")}
        company.world.activate(bob)
    company.world.outbox.clear()
    async with company.service(database_url, tmp_path) as run:
        worker = run.house.worker
        assert worker is not None
        await run.house.database.write(worker.enroll)
        await run.settle()
        assert (company.groups(ann), company.groups(bob)) == (set(), {"red"})
        assert await would(run) == set()
        assert await run.holds() == []


async def would(run: Running) -> set[tuple[str, str]]:
    """What is listed as only observed: whose, and which group."""
    rows = await run.house.database.read(
        lambda tx: journal.list_steps(tx, state=State.OBSERVED, limit=100)
    )
    logins = {run.id(each.login): each.login for each in run.world.org.users.values()}
    return {(logins[OktaUserId(str(row["user"]))], str(row["name"])) for row in rows}


async def test_a_directory_may_have_a_mode_of_its_own(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    world = company.world
    with world.long_ago():
        other = world.add_app("Atlassian Sandbox")
        world.add_directory(other, "second")
        world.assign_group(STAFF, other)
        world.push_group("red", other)
    ann = company.hire("ann", "red", "green")
    async with company.service(sqlite_url, tmp_path, modes={"second": "observe"}) as run:
        world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set()
        assert world.groups_of("second", ann) == {"red"}
        assert ("remove", "red", "left", "observed") in await run.steps(ann)


async def end_and_move(
    company: Company, run: Running, leavers: list[str], movers: list[str]
) -> None:
    for login in leavers:
        company.world.deactivate(login)
    for login in movers:
        company.world.remove_from_group(login, "choir")
    await run.settle()


@pytest.fixture
def cast(company: Company) -> dict[str, str]:
    """Two who will leave and two who stay with a stale group; one of each is special."""
    with company.world.long_ago():
        for name in ("choir", "break glass", "pilot"):
            company.world.add_okta_group(name)
    special = [company.hire("vip-leaver", "red"), company.stale("vip-mover", "red")]
    plain = [company.hire("leaver", "red"), company.stale("mover", "red")]
    with company.world.long_ago():
        for login in (*special, *plain):
            company.world.add_to_group(login, "choir")
    return dict(zip(("vip leaver", "vip mover", "leaver", "mover"), special + plain, strict=True))


async def test_protected_people_are_left_alone(
    company: Company, cast: dict[str, str], sqlite_url: str, tmp_path: Path
) -> None:
    mover = company.world.user(cast["vip mover"]).id
    more = f'[protect]\nusers = ["{cast["vip leaver"].upper()}", "{mover}"]\n'
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        await end_and_move(
            company, run, [cast["vip leaver"], cast["leaver"]], [cast["vip mover"], cast["mover"]]
        )
        assert {name: company.groups(login) for name, login in cast.items()} == {
            "vip leaver": {"red"}, "vip mover": {"red"}, "leaver": set(), "mover": set(),
        }  # fmt: skip
        assert await run.causes(cast["vip mover"]) == {"protected"}


async def test_members_of_a_protected_okta_group_are_left_alone_also_once_deleted(
    company: Company, cast: dict[str, str], sqlite_url: str, tmp_path: Path
) -> None:
    world = company.world
    for name in ("vip leaver", "vip mover"):
        world.add_to_group(cast[name], "break glass")
    more = '[protect]\nokta_groups = ["break glass"]\n'
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        await end_and_move(
            company, run, [cast["vip leaver"], cast["leaver"]], [cast["vip mover"], cast["mover"]]
        )
        world.delete_user(cast["vip leaver"])
        await run.settle()
        assert {name: company.groups(login) for name, login in cast.items()} == {
            "vip leaver": {"red"}, "vip mover": {"red"}, "leaver": set(), "mover": set(),
        }  # fmt: skip


@pytest.mark.parametrize("group", ["no such group", "break glass"])
async def test_a_protected_group_that_cannot_be_resolved_stops_all_removals(
    company: Company, cast: dict[str, str], sqlite_url: str, tmp_path: Path, group: str
) -> None:
    company.world.add_okta_group("break glass")  # the second of that name
    more = f'[protect]\nokta_groups = ["{group}"]\n'
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        await end_and_move(company, run, [cast["leaver"]], [cast["mover"]])
        assert company.groups(cast["leaver"]) == company.groups(cast["mover"]) == {"red"}
        assert await run.causes(cast["mover"]) == {"protection_unknown"}


async def test_a_protected_atlassian_group_keeps_everybody(
    company: Company, cast: dict[str, str], sqlite_url: str, tmp_path: Path
) -> None:
    company.world.scim_add(company.directory, "green", cast["leaver"])
    more = '[protect]\ngroups = ["RED*"]\n'
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        await end_and_move(company, run, [cast["leaver"]], [cast["mover"]])
        assert company.groups(cast["leaver"]) == company.groups(cast["mover"]) == {"red"}


async def test_only_members_of_the_pilot_are_touched(
    company: Company, cast: dict[str, str], sqlite_url: str, tmp_path: Path
) -> None:
    for name in ("leaver", "mover"):
        company.world.add_to_group(cast[name], "pilot")
    more = '[scope]\nonly_okta_groups = ["pilot"]\n'
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        await end_and_move(
            company, run, [cast["vip leaver"], cast["leaver"]], [cast["vip mover"], cast["mover"]]
        )
        assert {name: company.groups(login) for name, login in cast.items()} == {
            "vip leaver": {"red"}, "vip mover": {"red"}, "leaver": set(), "mover": set(),
        }  # fmt: skip
        assert await run.causes(cast["vip leaver"]) == {"out_of_scope"}


NEVER = ("org-admins", "site-admins", "atlassian-addons-admin", "Administrators")


async def test_atlassians_own_groups_are_never_touched_though_a_mapping_pushes_them(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    with company.world.long_ago():
        for name in NEVER:
            company.world.push_group(company.world.add_okta_group(name), company.app)
    ann = company.hire("ann", *NEVER, *TEAMS)
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set(NEVER)
        assert await run.causes(ann) == {"never"}


async def test_what_another_process_resolved_is_known_without_asking_okta_again(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """A process whose own question failed must not do without the group for a minute."""
    rules = '[[local_group]]\nname = "wiki"\nwhile_member_of = ["red"]\n'
    async with company.service(sqlite_url, tmp_path, rules=rules, census=False) as run:
        assert run.house.policy is not None
        fault = company.world.fault("okta", path=r"/groups\?", status=503)
        (rule,) = (await run.house.policy()).rules
        assert rule.while_member_of is not None
        assert rule.while_member_of.unresolved == {"red"}
        red = OktaGroupId(company.world.group("red").id)
        await run.house.database.write(lambda tx: cursor.pin(tx, "red", red))
        (rule,) = (await run.house.policy()).rules
        assert rule.while_member_of is not None
        assert rule.while_member_of.ids == {red}
        company.world.clear(fault)
