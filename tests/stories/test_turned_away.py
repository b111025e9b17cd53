"""Looks that a vendor turns away for no fault of the person: they cost time, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal
from uuid import uuid4

import pytest

from hooks import figures
from hooks.sandbox.faults import Request
from tests.running import Running
from tests.stories.cast import JIRA
from tests.stories.company import STAFF, Company
from tests.stories.test_organization_trouble import BOB, RULE, attempts_of, with_jira

pytestmark = pytest.mark.wide

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def open_breakers() -> set[str]:
    """What the metric names that an alarm is set on."""
    [family] = figures.BREAKER_OPEN.collect()
    return {each.labels["credential"] for each in family.samples if each.value}


@pytest.fixture(autouse=True)
def _no_others_breakers() -> None:
    """Figures are of the whole process, and other tests leave theirs open."""
    figures.BREAKER_OPEN.clear()


# -- a rate ------------------------------------------------------------------------------------

#: Calls to the organization that one leaver takes: account, groups, links, removal, proof, and a
#: part of what is asked once for all.
EACH = 6
#: So that everybody may leave.
EVERYBODY = "[brake]\nshare_of_group = 1.0\n"


async def leaves(
    run: Running, people: list[str], still_in: Callable[[str], object], most: int
) -> int:
    """Everybody leaves as a minute begins; the minutes until nobody is in any more.

    Nobody may lose an attempt over it, or be given up on.
    """
    run.time.push(MINUTE - timedelta(seconds=run.time.seconds() % 60) + timedelta(seconds=1))
    for login in people:
        run.world.deactivate(login)
    minutes = 0
    while minutes < most and any(map(still_in, people)):
        minutes += 1
        began = run.time.now()
        await run.settle(MINUTE)
        assert max(await run.house.database.read(attempts_of)) == 0
        assert await run.dead() == []
        run.time.push(MINUTE - (run.time.now() - began))
    assert [login for login in people if still_in(login)] == []
    return minutes


@dataclass(frozen=True)
class Rate:
    """What the organization counts and tells, for so many leavers, who take so much longer."""

    switches: Mapping[str, object]
    people: int
    slower: float


@pytest.mark.parametrize(
    "rate",
    [
        pytest.param(Rate({}, 20, 1.5), id="and says so"),
        pytest.param(Rate({"org_rate_counts": "endpoint"}, 20, 1), id="to each endpoint"),
        pytest.param(Rate({"org_rate_headers": False}, 15, 2), id="and says when to come again"),
        pytest.param(
            Rate({"org_rate_headers": False, "retry_after": "absent"}, 10, 3), id="and says nothing"
        ),
    ],
)
async def test_where_thirty_calls_a_minute_are_allowed_leavers_take_as_long_as_they_must(
    company: Company, sqlite_url: str, tmp_path: Path, rate: Rate
) -> None:
    people = with_jira(company, rate.people)
    for name, value in rate.switches.items():
        setattr(company.world.switches, name, value)
    company.world.switches.org_rate_limit = 30
    async with company.service(sqlite_url, tmp_path, rules=RULE, more=EVERYBODY) as run:
        minutes = await leaves(run, people, company.world.local_groups_of, 20)
        assert minutes <= 1 + rate.slower * len(people) * EACH / 30
    assert company.world.local_groups_of(BOB) == {JIRA}


async def test_what_okta_keeps_is_done_at_once_whatever_the_organization_allows(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    people = with_jira(company, 20)
    company.world.switches.org_rate_limit = 6
    async with company.service(sqlite_url, tmp_path, rules=RULE, more=EVERYBODY) as run:
        for login in people:
            company.world.deactivate(login)
        await run.settle(timedelta(seconds=5))
        assert [login for login in people if company.groups(login)] == []
        assert [login for login in people if company.world.local_groups_of(login)] != []


async def test_a_directory_that_failed_is_asked_again_before_the_organizations_hour_is_over(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    [ann] = with_jira(company, 1)
    world = company.world
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        hour, down = world.throttle("org", 3600), world.fault("scim", status=503)
        world.deactivate(ann)
        await run.settle(timedelta(seconds=10))
        assert company.groups(ann) == {"red"}
        world.clear(down)
        await run.settle(MINUTE)
        assert (company.groups(ann), world.local_groups_of(ann)) == (set(), {JIRA})
        world.clear(hour)
        await run.settle(2 * HOUR)
        assert world.local_groups_of(ann) == set()


async def test_where_a_window_has_the_calls_of_one_leaver_one_goes_in_each(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    people = with_jira(company, 5)
    company.world.switches.org_rate_limit = EACH
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        assert await leaves(run, people, company.world.local_groups_of, 20) <= len(people) + 1
    assert company.world.local_groups_of(BOB) == {JIRA}


async def test_a_directory_that_allows_little_lets_everybody_through_in_time(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """Five calls each: by id, by external id, removal, proof, and a second look."""
    people = [company.hire(f"person-{each:02}", "red") for each in range(20)]
    bob = company.hire("bob", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.switches.scim_rate_headers = True
        company.world.switches.scim_rate_limit = 30
        minutes = await leaves(run, people, company.groups, 20)
        assert minutes <= 1 + 1.5 * len(people) * 5 / 30
    assert company.groups(bob) == {"red"}


async def test_an_okta_that_allows_little_lets_everybody_through_in_time(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """Of ten calls of each kind five are ours; two looks are taken at most of each person."""
    people = [company.hire(f"person-{each:02}", "red") for each in range(10)]
    bob = company.hire("bob", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.switches.okta_rate_enforced = True
        company.world.switches.okta_rate_limit = 10
        minutes = await leaves(run, people, company.groups, 20)
        assert minutes <= 1 + 1.5 * len(people) * 2 / 5
    assert company.groups(bob) == {"red"}


# -- a credential ------------------------------------------------------------------------------


async def test_an_event_about_a_group_waits_for_a_credential_and_loses_no_attempt(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    world = company.world
    async with company.service(sqlite_url, tmp_path) as run:
        token, world.credentials.api_token = world.credentials.api_token, "another"
        world.unassign_group(STAFF, company.app)
        await run.settle(HOUR)
        assert company.groups(ann) == {"red"}
        assert max(await run.house.database.read(attempts_of)) == 0
        world.credentials.api_token = token
        await run.settle(HOUR)
        assert company.groups(ann) == set()


# -- a key that shrinks ------------------------------------------------------------------------


def changing(request: Request) -> bool:
    return request.path.rpartition("/memberships")[1] != ""


@pytest.mark.parametrize("code", ["403-1", "403-2"])
async def test_a_key_that_stops_writing_makes_an_alarm_and_no_dead_letters(
    company: Company, sqlite_url: str, tmp_path: Path, code: Literal["403-1", "403-2"]
) -> None:
    """There is one local group, as in many organizations, and nobody restarts anything."""
    first, *people = with_jira(company, 6)
    world = company.world
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        world.deactivate(first)
        await run.settle()
        assert world.local_groups_of(first) == set()
        world.set_org_key("scoped")
        world.switches.scoped_write = code
        for login in people:
            world.deactivate(login)
        await run.settle(MINUTE)
        assert open_breakers() == {"organization writes"}
        assert {login for login in people if company.groups(login)} == set()
        world.requests.clear()
        await run.settle(HOUR)
        assert sum(changing(each) for each in world.requests) <= HOUR / timedelta(minutes=4)
        assert await run.dead() == []
        assert max(await run.house.database.read(attempts_of)) <= 1
        world.set_org_key("unscoped")
        await run.settle(HOUR)
        assert [login for login in people if world.local_groups_of(login)] == []
        assert open_breakers() == set()
    assert world.local_groups_of(BOB) == {JIRA}


async def test_a_key_that_is_refused_one_odd_group_goes_on_with_the_others(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    people = with_jira(company, 6)
    world = company.world
    odd = world.add_local_group("wiki")
    world.local_add(odd, *people)
    rules = f'{RULE}[[local_group]]\nname = "wiki"\n'
    async with company.service(sqlite_url, tmp_path, rules=rules) as run:
        trouble = world.fault("org", "DELETE", odd.id, status=403)
        for login in people:
            world.deactivate(login)
            await run.settle(timedelta(seconds=1))
        await run.settle(HOUR)
        assert [login for login in people if world.local_groups_of(login) != {"wiki"}] == []
        assert open_breakers() == set()
        world.clear(trouble)
        await run.settle(HOUR)
        assert world.local_members(odd) == set()
    assert world.local_groups_of(BOB) == {JIRA}


# -- an id that is wrong -----------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["routing", "404-2", "403-2"])
async def test_a_wrong_organization_id_is_named_as_such_and_gives_up_on_nobody(
    company: Company,
    sqlite_url: str,
    tmp_path: Path,
    answer: Literal["routing", "404-2", "403-2"],
) -> None:
    people = with_jira(company, 3)
    world = company.world
    world.switches.wrong_organization = answer
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        right, world.organization.id = world.organization.id, str(uuid4())
        for login in people:
            world.deactivate(login)
        await run.settle(MINUTE)
        assert [login for login in people if company.groups(login)] == []
        assert open_breakers() == {"organization_id"}
        for login in people:
            assert await run.causes(login) == {"organization_unknown"}
        asked = len(world.requests)
        await run.settle(HOUR)
        asked = sum(each.vendor == "org" for each in [*world.requests][asked:])
        assert asked <= 2 * HOUR / timedelta(minutes=4), "a trial now and then, and its repetition"
        await given_up_on_nobody(run)
        world.organization.id = right
        await run.settle(HOUR)
        assert [login for login in people if world.local_groups_of(login)] == []
        assert open_breakers() == set()
        assert await run.causes(people[0]) == set()
    assert world.local_groups_of(BOB) == {JIRA}


async def given_up_on_nobody(run: Running) -> None:
    """Neither now nor when a night is over."""
    for _ in range(3):
        run.time.push(timedelta(hours=5))
        await run.settle(MINUTE)
        assert max(await run.house.database.read(attempts_of)) == 0
        assert await run.dead() == []


@pytest.mark.parametrize(
    ("answer", "breaker"), [("404", "scim_directory_id main"), ("403", "scim main")]
)
async def test_a_directory_that_is_not_there_is_no_record_that_is_gone(
    company: Company,
    sqlite_url: str,
    tmp_path: Path,
    answer: Literal["404", "403"],
    breaker: str,
) -> None:
    """An id that is wrong, or whose subscription has lapsed, beside a key that works elsewhere."""
    people = with_jira(company, 3)
    world = company.world
    world.switches.scim_no_directory = answer
    async with company.service(sqlite_url, tmp_path, rules=RULE) as run:
        company.directory.dead = True
        for login in people:
            world.deactivate(login)
        await run.settle(MINUTE)
        assert open_breakers() == {breaker}
        cause = {"404": "directory_unknown", "403": "record_unread"}[answer]
        for login in people:
            assert await run.causes(login) == {cause}
            assert world.local_groups_of(login) == {JIRA}, "whose account it is, nobody says"
        await given_up_on_nobody(run)
        company.directory.dead = False
        await run.settle(HOUR)
        assert [login for login in people if company.groups(login)] == []
        assert [login for login in people if world.local_groups_of(login)] == []
        assert open_breakers() == set()
    assert (company.groups(BOB), world.local_groups_of(BOB)) == ({"red"}, {JIRA})


async def test_the_people_of_a_deleted_group_are_looked_at_once_its_directory_is_there(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        company.directory.dead = True
        company.world.delete_group("red")
        await run.settle(HOUR)
        assert await run.causes(ann) == set(), "nobody knows whom it is about"
        company.directory.dead = False
        await run.settle(HOUR)
        assert await run.causes(ann) == {"source_unreadable"}
