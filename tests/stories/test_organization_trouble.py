"""The organization refuses, fails, is slow or lapses: SCIM goes on, local groups come later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from hooks.clock import elapsed
from hooks.sandbox.faults import Request
from hooks.sandbox.organization.nouns import KeyKind
from hooks.store import holds
from hooks.store.database import Tx
from hooks.store.tables import Due
from tests.running import Running, Time
from tests.stories.cast import (
    CLEAN,
    JIRA,
    LICENCE,
    LOCAL,
    WHO,
    Cast,
    Has,
    playing,
)
from tests.stories.company import DOMAIN, Company

pytestmark = pytest.mark.wide

Do = Callable[[Cast], None]
RULE = f'[[local_group]]\nname = "{JIRA}*"\n'
HOURS = timedelta(hours=2)


def not_synced(cast: Cast) -> dict[str, frozenset[str]]:
    """Who has, or lacks, what Okta implies otherwise."""
    return {
        who: wrong for who in WHO if (wrong := (cast.has(cast.login[who]) ^ CLEAN[who]) - LOCAL)
    }


def changes(cast: Cast) -> Counter[tuple[str, str, str]]:
    """How often each local membership was taken or given."""
    return Counter(
        (each.action, each.account.id, each.group.id)
        for each in cast.world.organization.audit
        if not each.synced
    )


def attempts_of(tx: Tx) -> list[int]:
    return [0, *tx.execute(select(Due.__table__.c.attempts)).scalars()]  # type: ignore[attr-defined]


async def ends_right(cast: Cast) -> None:
    assert (await cast.now(), await cast.unfinished()) == (Has(), [])


# -- the key -----------------------------------------------------------------------------------


def refused(kind: KeyKind) -> Do:
    return lambda cast: cast.world.set_org_key(kind)


def as_ever(_: Cast) -> None:
    """The key works."""


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(as_ever, refused("expired"), id="expires"),
        pytest.param(as_ever, refused("revoked"), id="is revoked"),
        pytest.param(as_ever, refused("site"), id="becomes that of a site"),
        pytest.param(refused("expired"), as_ever, id="expired"),
        pytest.param(refused("site"), as_ever, id="of a site"),
    ],
)
async def test_with_a_key_that_does_not_work_local_groups_wait_until_it_does(
    time: Time, sqlite_url: str, tmp_path: Path, first: Do, then: Do
) -> None:
    cast = Cast(time)
    async with playing(cast, sqlite_url, tmp_path, first=first):
        then(cast)
        cast.act()
        await cast.run.settle(timedelta(minutes=3))
        assert not_synced(cast) == {}
        assert JIRA in cast.has(cast.login["left"])
        assert "'state': 'open'" in str(cast.run.house.vendors()["organization"])
        attempts = await cast.run.house.database.read(attempts_of)
        assert max(attempts) <= 2, "waiting for a key is no failure"
        cast.world.set_org_key("unscoped")
        await cast.run.settle(HOURS)
        await ends_right(cast)


async def test_with_a_key_that_may_only_read_local_groups_wait_until_it_may_write(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    [ann] = with_jira(company, 1)
    company.world.set_org_key("scoped")
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        company.world.deactivate(ann)
        await run.settle(timedelta(seconds=20))
        assert (company.groups(ann), company.world.local_groups_of(ann)) == (set(), {JIRA})
        assert "'state': 'open'" in str(run.house.vendors()["organization"])
        company.world.set_org_key("unscoped")
        await run.settle(HOURS)
        assert company.world.local_groups_of(ann) == set()
        assert await run.dead() == []
    assert company.world.local_groups_of(BOB) == {JIRA}


async def test_while_the_key_may_only_read_nobody_is_looked_at_again_and_again(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    [ann] = with_jira(company, 1)
    company.world.set_org_key("scoped")
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        company.world.deactivate(ann)
        before = company.world.counters["okta", "GET", "/api/v1/users/{id}"]
        await run.settle(timedelta(minutes=3))
        looks = company.world.counters["okta", "GET", "/api/v1/users/{id}"] - before
        assert looks <= 15


# -- down --------------------------------------------------------------------------------------


def reading(_: Cast, request: Request) -> bool:
    return request.method != "DELETE" and not request.path.endswith("/memberships")


def taking(_: Cast, request: Request) -> bool:
    return request.method == "DELETE"


def proving(cast: Cast, request: Request) -> bool:
    """After the first removal since the trouble began."""
    taken = any(each.method == "DELETE" for each in cast.world.requests if each.vendor == "org")
    return taken and reading(cast, request)


def down(status: int) -> Callable[[Cast, Callable[[Request], bool]], None]:
    def begin(cast: Cast, when: Callable[[Request], bool]) -> None:
        cast.world.fault("org", when=when, status=status)

    return begin


def dropped(cast: Cast, when: Callable[[Request], bool]) -> None:
    cast.world.fault("org", when=when, drop=True)


def cut(cast: Cast, when: Callable[[Request], bool]) -> None:
    cast.world.fault("org", when=when, cut=True)


def limited(cast: Cast, when: Callable[[Request], bool]) -> None:
    cast.world.throttle("org", 30).when = when


def lost(cast: Cast, when: Callable[[Request], bool]) -> None:
    cast.world.fault("org", when=when, drop_after=True, times=3)


@pytest.mark.parametrize(
    ("begin", "moment"),
    [
        pytest.param(begin, moment, id=f"{says}, {moment.__name__}")
        for says, begin in (
            ("500", down(500)),
            ("dropped", dropped),
            ("cut", cut),
            ("429", limited),
            ("reply lost", lost),
        )
        for moment in (reading, taking, proving)
        if begin is not lost or moment is taking
    ],
)
async def test_while_the_organization_is_down_scim_is_done_and_local_groups_follow_once(
    time: Time,
    sqlite_url: str,
    tmp_path: Path,
    begin: Callable[[Cast, Callable[[Request], bool]], None],
    moment: Callable[[Cast, Request], bool],
) -> None:
    cast = Cast(time)
    async with playing(cast, sqlite_url, tmp_path):
        cast.world.requests.clear()
        cast.world.organization.audit.clear()
        begin(cast, lambda request: moment(cast, request))
        cast.act()
        await cast.run.settle(timedelta(minutes=1))
        assert not_synced(cast) == {}
        assert await cast.run.dead() == []
        cast.world.clear()
        await cast.run.settle(HOURS)
        await ends_right(cast)
        assert set(changes(cast).values()) == {1}, "nothing twice"


async def test_an_organization_that_does_not_answer_in_time_keeps_nobody_waiting(
    time: Time, sqlite_url: str, tmp_path: Path
) -> None:
    cast = Cast(time)
    async with playing(cast, sqlite_url, tmp_path):
        cast.world.fault("org", hang=60, times=1)
        cast.act()
        await cast.run.settle(HOURS)
        await ends_right(cast)


async def test_what_hangs_holds_the_removals_elsewhere_back_for_seconds_only(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """The organization's answers would be waited for ten seconds."""
    people = with_jira(company, 1)
    world = company.world
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        await run.settle()
        world.deactivate(people[0])
        await run.deliver()
        world.fault("org", path="groups/search", hang=30, times=1)
        began = elapsed()
        await run.work()
        assert company.groups(people[0]) == set()
        assert elapsed() - began < 8
        assert await run.causes(people[0]) == {"organization_unread"}
        await run.settle()
        assert world.local_groups_of(people[0]) == set()
        assert await run.dead() == []
    assert world.local_groups_of(BOB) == {JIRA}


async def test_a_slow_answer_about_roles_is_waited_for(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """Nothing was ever told of her, and what she holds protects her."""
    [ann] = with_jira(company, 1)
    world = company.world
    world.set_roles(ann, ["atlassian/org-admin"])
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        world.switches.group_push_delay = 7 * 24 * 3600
        world.remove_from_group(ann, "red")
        world.fault("org", path="users/search", delay=4, times=1)
        await run.settle()
        assert company.groups(ann) == {"red"}
        assert await run.steps(ann) == []
        assert await run.causes(ann) == {"protected"}


# -- a rate ------------------------------------------------------------------------------------


async def test_a_rate_that_lets_few_through_lets_everybody_through_in_time(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """Twenty need some 120 calls."""
    people = with_jira(company, 20)
    company.world.switches.org_rate_limit = 100
    more = "[brake]\nshare_of_group = 1.0\n"
    async with company.service(sqlite_url, tmp_path, rules=RULE, more=more) as run:
        for login in people:
            company.world.deactivate(login)
        await run.settle(timedelta(minutes=30))
        assert [login for login in people if company.world.local_groups_of(login)] == []
        assert await run.dead() == []
    assert company.world.local_groups_of(BOB) == {JIRA}


# -- groups ------------------------------------------------------------------------------------

BOB = f"bob@{DOMAIN}"


def with_jira(company: Company, number: int) -> list[str]:
    """So many in Jira through a licence, and Bob, who must keep it."""
    world = company.world
    with world.long_ago():
        world.add_okta_group(LICENCE)
        world.add_local_group(JIRA, default_for="jira-software")
        people = [company.hire(f"person-{each:02}", "red", LICENCE) for each in range(number)]
        world.local_add(JIRA, *people, company.hire("bob", "red", LICENCE))
    return people


@pytest.mark.parametrize("maximum", [100, 7])
async def test_of_five_hundred_groups_a_leaver_loses_those_a_rule_names(
    company: Company, sqlite_url: str, tmp_path: Path, maximum: int
) -> None:
    world = company.world
    world.switches.org_page_maximum, world.switches.org_limit_over = maximum, "clamp"
    ann = company.hire("ann", "red")
    with world.long_ago():
        for number in range(500):
            name = f"jira-{number}" if number % 100 == 99 else f"club-{number}"
            world.local_add(world.add_local_group(name), ann)
        world.local_add("jira-99", company.hire("bob", "red"))
    async with company.service(
        sqlite_url, tmp_path, rules='[[local_group]]\nname = "jira-*"\n'
    ) as run:
        world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set()
        left = world.local_groups_of(ann)
        assert (len(left), {name for name in left if name.startswith("jira")}) == (495, set())
        assert await run.dead() == []
    assert world.local_groups_of(BOB) == {"jira-99"}


async def test_when_the_subscription_lapses_no_group_that_was_synced_is_taken(
    time: Time, sqlite_url: str, tmp_path: Path
) -> None:
    """It is local now, and a rule names it; nobody has a record any more, so nothing is known."""
    cast = Cast(time)
    rules = f'{RULE}[[local_group]]\nname = "red*"\n'
    async with playing(cast, sqlite_url, tmp_path, rules=rules):
        before = {who: cast.has(login) for who, login in cast.login.items()}
        cast.world.lapse(cast.company.directory)
        cast.act()
        await cast.run.settle()
        assert {who: cast.has(login) for who, login in cast.login.items()} == before
        assert (await cast.now()).causes == dict.fromkeys(WHO, frozenset({"directory_unknown"}))


# -- the brake ---------------------------------------------------------------------------------


async def decide(run: Running, login: str, *, approve: bool) -> None:
    number = next(
        int(str(each["id"])) for each in await run.holds() if each["user"] == run.id(login)
    )
    await run.house.database.write(
        lambda tx: holds.decide(tx, [number], approve=approve, who="operator", why="a test")
    )
    await run.settle()


async def test_the_twenty_sixth_who_loses_what_a_rule_asks_for_waits(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    world = company.world
    people = with_jira(company, 30)
    more = "[brake]\nshare_of_group = 1.0\n"
    rules = f'{RULE}while_member_of = ["{LICENCE}"]\n'
    async with company.service(sqlite_url, tmp_path, rules=rules, more=more) as run:
        for login in people:
            world.remove_from_group(login, LICENCE)
        await run.settle()
        held = [login for login in people if world.local_groups_of(login)]
        assert len(held) == 5
        assert len(await run.holds()) == 5
        await decide(run, held[0], approve=True)
        await decide(run, held[1], approve=False)
        assert [login for login in people if world.local_groups_of(login)] == held[1:]
        world.add_to_group(held[2], LICENCE)
        await run.settle()
        assert run.id(held[2]) not in {each["user"] for each in await run.holds()}
        assert all(company.groups(login) == {"red"} for login in people)
        assert await run.dead() == []
    assert world.local_groups_of(BOB) == {JIRA}


@pytest.mark.parametrize("approve", [True, False], ids=["approved", "rejected"])
async def test_a_leaver_over_the_limit_waits_once_with_all_their_groups(
    company: Company, sqlite_url: str, tmp_path: Path, *, approve: bool
) -> None:
    world = company.world
    people = with_jira(company, 3)
    world.switches.group_push_delay = 7 * 24 * 3600
    async with company.service(
        sqlite_url, tmp_path, rules=RULE, more="[brake]\nleft_per_hour = 2\n"
    ) as run:
        for login in people:
            world.deactivate(login)
            await run.settle()
        gone, kept = (set[str](), set[str]()), ({"red"}, {JIRA})
        *done, last = [(company.groups(each), world.local_groups_of(each)) for each in people]
        assert done == [gone, gone]
        assert last == kept
        assert [each["user"] for each in await run.holds()] == [run.id(people[-1])]
        await decide(run, people[-1], approve=approve)
        login = people[-1]
        ended = (company.groups(login), world.local_groups_of(login))
        assert ended == (gone if approve else kept)
        assert await run.dead() == []
    assert (company.groups(BOB), world.local_groups_of(BOB)) == ({"red"}, {JIRA})


@pytest.mark.parametrize("slow", [True, False], ids=["active for a while", "inactive at once"])
async def test_of_two_last_admins_who_leave_at_once_one_stays(
    company: Company, sqlite_url: str, tmp_path: Path, *, slow: bool
) -> None:
    world = company.world
    world.switches.deprovisioning = not slow
    people = with_jira(company, 2)
    group = world.add_local_group("administrators")
    world.local_add(group, *people)
    rules = f'{RULE}[[local_group]]\nid = "{group.id}"\nadmin = true\n'
    async with company.service(sqlite_url, tmp_path, rules=rules) as run:
        for login in people:
            world.deactivate(login)
        await run.settle()
        admins = world.local_members(group)
        assert len(admins) == (1 if slow else 2)
        for login in people:
            assert company.groups(login) == set()
            assert JIRA not in world.local_groups_of(login)
        for login in admins:
            assert await run.causes(login) >= {"last_admin", "admin_left"}
        world.local_add(group, BOB)
        for login in people:
            world.remove_from_group(login, LICENCE)
        await run.settle()
        assert world.local_members(group) == {BOB}
        assert await run.dead() == []
    assert (company.groups(BOB), world.local_groups_of(BOB) - {group.name}) == ({"red"}, {JIRA})
