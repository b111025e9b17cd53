"""An audit: what is otherwise than wanted is found by pages, and looked at where that is asked."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hooks.core.drift import Kind, drift
from hooks.core.errors import IncompleteError, LeaseLostError, TransientError, UnsealedError
from hooks.core.ids import OktaUserId
from hooks.core.policy import Restore
from hooks.store import audits, line
from hooks.store.audits import Run
from hooks.store.database import Tx
from hooks.store.sealing import Sealer
from tests.running import Running
from tests.stories.company import DOMAIN, STAFF, TEAMS, Company

JIRA, WIKI = "jira-software-users", "wiki-users"
RULES = (
    f'[[local_group]]\nname = "{JIRA}"\n'
    f'[[local_group]]\nname = "{WIKI}"\nwhile_member_of = ["green"]\n'
)
PUSHES_LATE = 7 * 24 * 3600

Lines = set[tuple[str, str, str, str]]


async def audited(run: Running, *, scheduled: bool = False) -> tuple[Run, Lines]:
    """One audit; whom, which kind, which group, why."""
    assert run.house.audit is not None
    done = await run.house.audit.run(scheduled=scheduled)
    rows = await run.house.database.read(lambda tx: audits.lines(tx, done.id, limit=10_000))
    logins = {user.id: user.login for user in run.world.org.users.values()}
    lines = {
        (logins.get(row["user"], "-").partition("@")[0], row["kind"], row["name"], row["why"])
        for row in rows
    }
    return done, lines


async def have_looked_at(run: Running, done: Run, *kinds: Kind) -> None:
    """As ``--apply`` does, and let it come to its end."""

    def mark(tx: Tx) -> None:
        people = audits.people(tx, done.id, kinds, after="", limit=1000)
        line.mark(tx, people, "user", lane=line.BULK, due_at=tx.now, events=False)

    await run.house.database.write(mark)
    await run.settle()


@pytest.fixture
def local(company: Company) -> Company:
    """Two local groups beside the pushed ones."""
    with company.world.long_ago():
        company.world.add_local_group(JIRA)
        company.world.add_local_group(WIKI)
    return company


def broken(company: Company) -> None:
    """Everybody once, as they may be found before anybody watched."""
    world = company.world
    for name in ("left", "stays", "late", "moved", "lacks", "vip", "back"):
        company.hire(name, "red", "green")
        with world.long_ago():
            world.local_add(JIRA, f"{name}@somedomain.example")
            world.local_add(WIKI, f"{name}@somedomain.example")
    world.switches.group_push_delay = PUSHES_LATE  # Okta itself takes nobody out for a week
    world.deactivate("left@somedomain.example")
    world.remove_from_group("late@somedomain.example", STAFF)
    world.remove_from_group("moved@somedomain.example", "green")
    world.scim_remove(company.directory, "red", "lacks@somedomain.example")
    world.remove_from_group("vip@somedomain.example", "red")
    world.deactivate("back@somedomain.example")
    world.activate("back@somedomain.example")
    stray = world.add_scim_user(company.directory, "stray@elsewhere.example")
    world.scim_add(company.directory, "blue", stray.user_name)
    world.add_scim_group(company.directory, "handmade")
    world.scim_add(company.directory, "handmade", "stays@somedomain.example")


async def test_everything_that_is_otherwise_than_wanted_is_found(
    local: Company, database_url: str, tmp_path: Path
) -> None:
    broken(local)
    more = '[protect]\nusers = ["vip@somedomain.example"]\n'
    async with local.service(database_url, tmp_path, rules=RULES, more=more) as run:
        before = run.world.snapshot()
        done, lines = await audited(run)
        assert run.world.snapshot() == before
        assert done.people == 7
        found: defaultdict[str, Lines] = defaultdict(set)
        for each in lines:
            found[each[0]].add(each)
        left = {("left", "surplus", each, "left") for each in ("red", "green", JIRA, WIKI)}
        late = {("late", "surplus", each, "unassigned") for each in ("red", "green", JIRA, WIKI)}
        assert found["left"] == left
        assert found["late"] == late
        assert found["moved"] == {
            ("moved", "surplus", "green", "lost_group"),
            ("moved", "surplus", WIKI, "lost_rule"),
        }
        assert found["lacks"] == {("lacks", "missing", "red", "wanted")}
        assert found["vip"] == {("vip", "refused", "red", "protected")}
        assert found["back"] == {("back", "came_back", JIRA, "")}
        assert found["stays"] == set()
        assert found["-"] == {("-", "orphan", "", ""), ("-", "unknown", "handmade", "")}
        await have_looked_at(run, done, Kind.SURPLUS)
        _, lines = await audited(run)
        assert {each[0] for each in lines if each[1] == "surplus"} == set()
        assert local.groups("stays@somedomain.example") == {"red", "green", "handmade"}
        assert run.world.local_groups_of("moved@somedomain.example") == {JIRA}


async def test_what_was_taken_and_is_wanted_and_what_waits_for_an_active_account_are_told_apart(
    local: Company, sqlite_url: str, tmp_path: Path
) -> None:
    world = local.world
    back, gone = local.hire("back", "red"), local.hire("gone", "red")
    with world.long_ago():
        world.local_add(JIRA, gone)
    world.switches.group_push_delay = PUSHES_LATE
    world.switches.inactive_remove = "400"
    async with local.service(sqlite_url, tmp_path, rules=RULES) as run:
        for each in (back, gone):
            world.deactivate(each)
        await run.settle()
        assert local.groups(back) == local.groups(gone) == set()
        world.org.hooks.clear()  # and nobody hears of the return
        world.activate(back)
        run.time.push(timedelta(minutes=1))
        done, lines = await audited(run)
        assert ("back", "lost", "red", "given_back") in lines
        assert {each for each in lines if each[0] == "gone"} == {("gone", "parked", JIRA, "parked")}
        await have_looked_at(run, done, Kind.LOST)
        assert local.groups(back) == {"red"}
        assert world.local_groups_of(gone) == {JIRA}


def calls(company: Company) -> int:
    """How many calls both vendors have had."""
    return sum(company.world.counters.values())


async def test_an_audit_goes_on_where_it_was_interrupted(
    local: Company, database_url: str, tmp_path: Path
) -> None:
    broken(local)
    async with local.service(database_url, tmp_path, rules=RULES) as run:
        before = calls(local)
        whole, lines = await audited(run)
        cost = calls(local) - before
        # Each read fails once somewhere else, until all have come through.
        local.world.fault("okta", path=".*/users", method="GET", status=503, times=3)
        local.world.fault("scim", path=".*/Users", method="GET", status=503, times=1)
        before, tries = calls(local), 0
        while True:
            tries += 1
            try:
                again, same = await audited(run)
                break
            except TransientError:
                run.time.push(timedelta(minutes=1))
        assert tries > 1
        assert (again.people, same) == (whole.people, lines)
        assert again.pages == whole.pages
        assert calls(local) - before <= cost + 4, "what was read is not read again"


async def test_of_two_commands_at_once_the_later_one_goes_on_alone(
    local: Company, database_url: str, tmp_path: Path
) -> None:
    broken(local)
    for number in range(230):
        local.hire(f"p{number}")
    async with local.service(database_url, tmp_path, rules=RULES) as run:
        _, alone = await audited(run)
        ends = await asyncio.gather(audited(run), audited(run), return_exceptions=True)
        ((_, lines),) = [each for each in ends if isinstance(each, tuple)]
        (lost,) = [each for each in ends if not isinstance(each, tuple)]
        assert isinstance(lost, LeaseLostError)
        assert "another process goes on" in str(lost)
        assert lines == alone


async def test_pages_of_a_key_that_is_gone_keep_nobody_from_another_audit(
    local: Company, sqlite_url: str, tmp_path: Path
) -> None:
    broken(local)
    async with local.service(sqlite_url, tmp_path, rules=RULES) as run:
        local.world.fault("okta", path=".*/users", method="GET", status=503, times=1)
        with pytest.raises(TransientError):
            await audited(run)
        run.time.push(timedelta(minutes=1))
        assert run.house.audit is not None
        fresh = Sealer([bytes(32)])
        run.house.audit._sealer = run.house.audit._collect._sealer = fresh
        with pytest.raises(UnsealedError):
            await audited(run)
        done, _ = await audited(run)
        assert done.people == 7


async def test_a_list_that_changes_while_it_is_read_is_read_anew(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    for number in range(130):
        company.hire(f"p{number}", "red")
    world = company.world
    async with company.service(sqlite_url, tmp_path) as run:
        joined: list[str] = []

        async def join(_phase: str, _vendor: str, _method: str, path: str, _number: int) -> None:
            if path.endswith("/Users") and not joined:
                joined.append(path)
                world.add_scim_user(company.directory, "late@somedomain.example")

        world.observer = join
        done, lines = await audited(run)
        world.observer = None
        assert joined
        assert done.people == 130
        assert lines == set()


async def test_records_that_move_between_pages_are_missed_by_no_audit(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """The first one moves to the end: the total stays, and one would never be shown."""
    for number in range(130):
        company.hire(f"p{number}", "red")
    skipped = company.stale("skipped", "blue", teams=["red"])
    users = company.directory.users
    async with company.service(sqlite_url, tmp_path) as run:
        order = list(users)
        late = company.world.record(company.directory, skipped).id
        order.insert(100, order.pop(order.index(late)))
        for each in order:
            users[each] = users.pop(each)
        moved: list[str] = []

        async def move(phase: str, _vendor: str, _method: str, path: str, _number: int) -> None:
            if phase == "after" and path.endswith("/Users") and not moved:
                moved.append(order[0])
                users[order[0]] = users.pop(order[0])

        company.world.observer = move
        with pytest.raises(IncompleteError, match="twice"):
            await audited(run)
        company.world.observer = None
        assert moved
        done, lines = await audited(run)
        assert (done.people, lines) == (131, {("skipped", "surplus", "blue", "lost_group")})


@pytest.mark.parametrize("shown", [False, True])
async def test_records_that_come_without_their_groups_are_judged_by_the_groups(
    local: Company, sqlite_url: str, tmp_path: Path, *, shown: bool
) -> None:
    broken(local)
    async with local.service(sqlite_url, tmp_path, rules=RULES) as run:
        local.world.switches.scim_groups_in_lists = shown
        _, lines = await audited(run)
        found = {each for each in lines if each[1] not in ("unknown", "orphan")}
        assert ("left", "surplus", "red", "left") in found
        assert ("lacks", "missing", "red", "wanted") in found
        assert Counter(kind for _, kind, _, _ in found) == {
            "surplus": 11, "missing": 1, "came_back": 1
        }  # fmt: skip


async def test_a_credential_that_sees_nobody_finds_nothing(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """An app without a role is answered 200 with nothing. Source: baton-okta README."""
    company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.fault("okta", method="GET", path=r"/users\b", empty_list=True)
        with pytest.raises(IncompleteError, match="listed nobody"):
            await audited(run)
        assert await run.house.database.read(audits.last) is None


@pytest.mark.parametrize("status", [403, 404])
async def test_a_group_whose_members_are_not_shown_is_told_as_lost_by_nobody(
    company: Company, sqlite_url: str, tmp_path: Path, status: int
) -> None:
    ann, bob = company.hire("ann", "red", "green"), company.stale("bob", "red", teams=["green"])
    red = company.world.group("red").id
    async with company.service(sqlite_url, tmp_path) as run:
        path = rf"/groups/{red}/users\b"
        company.world.fault("okta", method="GET", path=path, status=status)
        done, lines = await audited(run)
        told = {(each, "open", "red", "source_unreadable") for each in ("ann", "bob")}
        assert lines == told, "not as if everybody had lost the group"
        assert await run.house.database.read(audits.drifted) == 0
        await have_looked_at(run, done, Kind.OPEN)
        assert [company.groups(each) for each in (ann, bob)] == [{"red", "green"}, {"green"}]


async def test_what_is_held_hides_nothing_else_of_the_same_people(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    crowd = [company.stale(f"p{number}", "blue", teams=["red"]) for number in range(3)]
    more = "[brake]\nother_per_hour = 1\nshare_of_group = 1.0\n"
    async with company.service(database_url, tmp_path, more=more) as run:
        people = [run.id(each) for each in crowd]
        await run.house.database.write(
            lambda tx: line.mark(tx, people, "user", lane=line.BULK, due_at=tx.now, events=False)
        )
        await run.settle()
        assert len(await run.holds()) == 2
        run.time.push(timedelta(hours=1))
        await audited(run)
        assert await run.house.database.read(audits.drifted) == 0, "they are told of as held"
        for each in crowd:
            company.world.scim_add(company.directory, "green", each)
        await audited(run)
        assert await run.house.database.read(audits.drifted) == 3


async def test_whoever_had_an_event_meanwhile_is_left_out(
    local: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann, bob = (local.stale(name, "blue", teams=["red"]) for name in ("ann", "bob"))
    async with local.service(sqlite_url, tmp_path) as run:
        assert run.house.audit is not None
        began = await run.house.database.write(
            lambda tx: audits.begin(tx, scheduled=False, young=timedelta(hours=1))
        )
        local.world.add_to_group(ann, local.world.add_okta_group("choir"))
        await run.deliver()
        done, lines = await audited(run)
        assert done.id == began.id
        assert {each[0] for each in lines} == {"bob"}
        await run.settle()
        assert local.groups(ann) == {"red"}
        assert local.groups(bob) == {"red", "blue"}


@pytest.mark.parametrize("applied", [False, True])
async def test_serve_makes_one_a_day_and_mends_only_where_it_is_told_to(
    company: Company, sqlite_url: str, tmp_path: Path, *, applied: bool
) -> None:
    ann = company.stale("ann", "blue", teams=["red"])
    more = f"[audit]\napply = {str(applied).lower()}\n"
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        assert await run.house.database.read(audits.last) is None, "the census goes first"
        run.time.push(timedelta(minutes=11))
        await run.settle()
        first = await run.house.database.read(audits.last)
        assert first is not None
        assert first.scheduled
        assert company.groups(ann) == ({"red"} if applied else {"red", "blue"})
        run.time.push(timedelta(hours=23))
        await run.settle()
        assert await run.house.database.read(audits.last) == first
        run.time.push(timedelta(hours=2))
        await run.settle()
        second = await run.house.database.read(audits.last)
        assert second is not None
        assert second.id != first.id
        surplus = await run.house.database.read(audits.drifted)
        assert surplus == (0 if applied else 1)


async def test_nobody_is_mended_beyond_the_brake(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    crowd = [company.stale(f"p{number}", "blue", teams=["red"]) for number in range(6)]
    more = "[audit]\napply = true\n[brake]\nother_per_hour = 2\nshare_of_group = 1.0\n"
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        run.time.push(timedelta(minutes=11))
        await run.settle()
        assert sum(company.groups(each) == {"red"} for each in crowd) == 2
        assert len(await run.holds()) == 4


@pytest.mark.parametrize("seed", range(8))
async def test_an_audit_says_of_everybody_what_a_look_would_do(
    local: Company, sqlite_url: str, tmp_path: Path, seed: int
) -> None:
    """The same judgment of the same facts; only what a look alone can ask may stay open."""
    dice = random.Random(seed)
    world = local.world
    logins = [
        local.hire(f"p{number}", *dice.sample(TEAMS, dice.randint(0, 3))) for number in range(14)
    ]
    with world.long_ago():
        for each in logins:
            for group in dice.sample([JIRA, WIKI], dice.randint(0, 2)):
                world.local_add(group, each)
    world.switches.group_push_delay = PUSHES_LATE
    ids = {each: world.user(each).id for each in logins}
    for each in logins:
        _befall(local, dice, each)
    async with local.service(sqlite_url, tmp_path, rules=RULES) as run:
        _, lines = await audited(run)
        house = run.house
        assert house.policy is not None
        assert house.observer is not None
        policy = replace(await house.policy(), restore=Restore.ALL)
        for each in logins:
            user = OktaUserId(ids[each])
            reading, plan = await house.observer.read(user, (), policy)
            name = each.partition("@")[0]
            looked = {(kind.kind.value, kind.name) for kind in drift(plan, reading, {})}
            found = {(kind, group) for who, kind, group, _ in lines if who == name}
            if not any(kind == "open" for kind, _ in found):
                assert {one for one in found if one[0] in _SURE} == {
                    one for one in looked if one[0] in _SURE
                }, f"{name} {plan.places}"


_SURE = ("surplus", "missing", "lost", "came_back")


def _befall(company: Company, dice: random.Random, login: str) -> None:
    """Something that leaves a trace, or nothing."""
    world = company.world
    fate = dice.choice(["left", "unassigned", "back", "suspended", "more", "less", "deleted", ""])
    if fate in ("left", "back", "deleted"):
        world.deactivate(login)
    if fate == "back":
        world.activate(login)
    elif fate == "deleted":
        world.delete_user(login)
    elif fate == "unassigned":
        world.remove_from_group(login, STAFF)
    elif fate == "suspended":
        world.suspend(login)
    elif fate == "more":
        world.scim_add(company.directory, dice.choice(TEAMS), login)
    elif fate == "less":
        world.scim_remove(company.directory, dice.choice(TEAMS), login)


async def test_two_thousand_people_cost_as_many_calls_as_their_pages(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """With 2,003 people in one group of 2,003."""
    people = 2003
    for number in range(people):
        company.hire(f"p{number}", "red")
    company.world.scim_add(company.directory, company.world.add_scim_group(
        company.directory, "handmade").display_name, f"p7@{DOMAIN}")  # fmt: skip
    company.world.switches.okta_rate_headers = False
    async with company.service(sqlite_url, tmp_path, census=False) as run:
        before = calls(company)
        done, lines = await audited(run)
        app_users, users, scim, groups = 5, 11, 21, 1
        members = 11 + 2  # and of two groups that nobody is in
        pages = app_users + users + scim + groups + members + 2  # the app and its mappings
        assert done.people == people
        assert lines == {("-", "unknown", "handmade", "")}
        assert calls(company) - before <= pages * 1.05
        assert company.world.violations == []
