"""Somebody is told what is amiss: once when it begins, once when it is over, by one of many."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from hooks import wiring
from hooks.alarm import TICK, Alarms
from hooks.clock import Clock
from hooks.core.attempt import DeadLetter
from hooks.sandbox.server import listening
from hooks.store import alarms, holds, line, pause
from hooks.store.database import Tx
from tests.chaos.fleet import free_port
from tests.receiver import Receiver
from tests.running import Running
from tests.stories.company import DOMAIN, Company

pytestmark = pytest.mark.wide

SECRET_PATH = "/hook/T0000/a-secret-that-nobody-may-read"
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@dataclass
class Stage:
    """The service, what looks for alarms in it, and whoever is told of them."""

    run: Running
    alarms: Alarms
    receiver: Receiver
    port: int

    async def watch(self, length: timedelta, *others: Alarms) -> None:
        """So much time passes, and all look every few seconds."""
        end = self.run.time.now() + length
        while self.run.time.now() < end:
            await asyncio.gather(*(each.tick() for each in (self.alarms, *others)))
            self.run.time.push(timedelta(seconds=2 * TICK))

    async def do(self, transaction: Callable[[Tx], object]) -> None:
        await self.run.house.database.write(transaction)

    def restart(self) -> None:
        """As far as alarms go, the process is another one."""
        self.alarms = self.run.house.alarms(loaded=lambda: True)


@asynccontextmanager
async def staged(
    company: Company,
    receiver: Receiver,
    database_url: str,
    folder: Path,
    *,
    more: str = "",
    rules: str | None = None,
    listens: bool = True,
) -> AsyncIterator[Stage]:
    """The service beside a receiver; ``listens``: from the beginning."""
    port = free_port()
    url = f"http://127.0.0.1:{port}{SECRET_PATH}?key=1"
    async with AsyncExitStack() as stack:
        if listens:
            await stack.enter_async_context(listening(receiver, port))
        told = f'{more}[notify]\nurl = "{url}"\n'
        run = await stack.enter_async_context(
            company.service(database_url, folder, more=told, rules=rules)
        )
        yield Stage(run, run.house.alarms(loaded=lambda: True), receiver, port)


def bury(tx: Tx, who: str = "00u00000000000000001") -> None:
    """Somebody becomes a dead letter."""
    line.mark(tx, [who], "user", lane=0, due_at=tx.now, events=True)
    (held,) = line.lease(tx, limit=1, only=who)
    line.settle(tx, held, DeadLetter("attempts"))


# -- the brake ---------------------------------------------------------------------------------


async def crowd_over_the_brake(company: Company, run: Running, group: str, number: int) -> None:
    """So many people lose a group at once."""
    people = [company.hire(f"{group}-{each:02}") for each in range(number)]
    for login in people:
        company.world.add_to_group(login, group)
    company.world.push_now(group)
    company.world.outbox.clear()
    for login in people:
        company.world.remove_from_group(login, group)
    await run.settle()


async def test_thirty_people_over_the_brake_are_one_notification_and_their_end_another(
    company: Company, receiver: Receiver, database_url: str, tmp_path: Path
) -> None:
    company.world.switches.group_push_delay = 7 * 24 * 3600
    async with staged(company, receiver, database_url, tmp_path) as stage:
        run = stage.run
        run.sandbox.deliverer.batch_size = 100
        await stage.watch(3 * MINUTE)
        assert receiver.seen == []
        await crowd_over_the_brake(company, run, "red", 30)
        waiting = [int(str(each["id"])) for each in await run.holds()]
        assert len(waiting) == 5
        await stage.watch(10 * MINUTE)
        assert receiver.said() == [("held main/lost_group", "begun")]
        [told] = receiver.taken
        assert told.keys() == {
            "what", "state", "since", "count", "words", "remedy", "version", "organization"
        }  # fmt: skip
        assert (told["count"], told["since"][-6:]) == (5, "+00:00")
        assert told["organization"] == run.house.settings.okta.org_url.removeprefix("http://")
        [head], [path] = receiver.heads, receiver.paths
        assert (head["content-type"], "authorization" in head) == ("application/json", False)
        assert path == f"{SECRET_PATH}?key=1"

        await stage.do(lambda tx: holds.decide(tx, waiting, approve=True, who="me", why="a test"))
        await run.settle()
        assert await run.holds() == []
        await stage.watch(10 * MINUTE)
        assert receiver.said()[1:] == [("held main/lost_group", "over")]
        assert receiver.said("since", "count")[1] == (told["since"], 0)
        assert len(receiver.seen) == 2


async def test_two_groups_over_the_brake_are_told_apart_but_not_named(
    company: Company, receiver: Receiver, sqlite_url: str, tmp_path: Path
) -> None:
    company.world.switches.group_push_delay = 7 * 24 * 3600
    more = "[brake]\nother_per_hour = 1\n"
    async with staged(company, receiver, sqlite_url, tmp_path, more=more) as stage:
        await crowd_over_the_brake(company, stage.run, "red", 2)
        await stage.watch(MINUTE)
        await crowd_over_the_brake(company, stage.run, "green", 3)
        await stage.watch(MINUTE)
        assert receiver.said("what", "state", "count") == [
            ("held main/lost_group", "begun", 1), ("held main/lost_group", "begun", 2)
        ]  # fmt: skip
        ids = [each.id for each in company.directory.groups.values()]
        assert not [each for each in (*ids, DOMAIN) if each in json.dumps(receiver.seen)]


# -- everything else ---------------------------------------------------------------------------


async def test_an_admin_who_left_is_told_of(
    company: Company, receiver: Receiver, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    company.world.set_roles(ann, ["atlassian/org-admin"])
    async with staged(company, receiver, sqlite_url, tmp_path, rules="") as stage:
        company.world.deactivate(ann)
        await stage.run.settle()
        await stage.watch(MINUTE)
        assert receiver.said("what", "state", "count") == [("admin_left", "begun", 1)]
        company.world.set_roles(ann, [])
        company.world.remove_from_group(ann, "staff")
        await stage.run.settle()
        await stage.watch(3 * MINUTE)
        assert receiver.said()[1:] == [("admin_left", "over")]


async def test_a_log_that_is_not_read_for_long_is_told_of(
    company: Company, receiver: Receiver, sqlite_url: str, tmp_path: Path
) -> None:
    async with staged(company, receiver, sqlite_url, tmp_path) as stage:
        await stage.run.catch_up()
        await stage.watch(15 * MINUTE)
        assert receiver.seen == []
        await stage.watch(2 * MINUTE)
        assert receiver.said() == [("behind", "begun")]
        await stage.run.catch_up()
        await stage.watch(3 * MINUTE)
        assert receiver.said()[1:] == [("behind", "over")]


async def test_a_log_that_is_to_be_read_every_hour_is_not_behind_before_that(
    company: Company, receiver: Receiver, sqlite_url: str, tmp_path: Path
) -> None:
    more = '[catch_up]\nevery = "1h"\n'
    async with staged(company, receiver, sqlite_url, tmp_path, more=more) as stage:
        await stage.run.catch_up()
        stage.run.time.push(74 * MINUTE)
        await stage.watch(MINUTE / 2)
        assert receiver.seen == []


async def test_a_person_nobody_looks_at_for_long_is_told_of_and_a_dead_letter_once(
    company: Company, receiver: Receiver, sqlite_url: str, tmp_path: Path
) -> None:
    ann, bob = company.hire("ann", "red"), company.hire("bob", "red")
    async with staged(company, receiver, sqlite_url, tmp_path) as stage:
        company.world.deactivate(ann)
        company.world.deactivate(bob)
        await stage.run.deliver()
        await stage.do(lambda tx: bury(tx, stage.run.id(bob)))
        await stage.watch(14 * MINUTE)
        assert receiver.said() == [("dead attempts", "begun")]
        await stage.watch(2 * MINUTE)
        assert receiver.said()[1:] == [("unsettled", "begun")]
        await stage.run.work()
        assert company.groups(ann) == set()
        await stage.watch(3 * MINUTE)
        assert receiver.said()[2:] == [("unsettled", "over")]


# -- several processes -------------------------------------------------------------------------


@asynccontextmanager
async def replica(run: Running) -> AsyncIterator[Alarms]:
    """Another process on the same store, as far as alarms go."""
    async with wiring.opened(
        run.house.settings, vendors=True, tells=True, clock=Clock(run.time.seconds)
    ) as house:
        yield house.alarms(loaded=lambda: True)


async def test_of_two_replicas_one_tells_each_of_it(
    company: Company, receiver: Receiver, postgresql_url: str, tmp_path: Path
) -> None:
    receiver.delay = 0.2
    async with (
        staged(company, receiver, postgresql_url, tmp_path) as stage,
        replica(stage.run) as other,
    ):
        await stage.watch(3 * MINUTE, other)
        await stage.do(bury)
        await stage.do(lambda tx: pause.begin(tx, who="me", why="a test"))
        await stage.watch(3 * MINUTE, other)
        assert sorted(receiver.said()) == [("dead attempts", "begun"), ("paused", "begun")]
        await stage.do(line.retry_dead)
        await stage.do(pause.end)
        await stage.watch(4 * MINUTE, other)
        assert sorted(receiver.said()[2:]) == [("dead attempts", "over"), ("paused", "over")]
        assert len(receiver.seen) == 4


async def test_what_only_one_replica_knows_is_not_over_because_another_does_not(
    company: Company, receiver: Receiver, postgresql_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with (
        staged(company, receiver, postgresql_url, tmp_path) as stage,
        replica(stage.run) as other,
    ):
        run = stage.run
        key, company.directory.key = company.directory.key, "another-key"
        company.world.deactivate(ann)
        await run.settle(timedelta(seconds=1))
        assert run.house.refused() == ["scim main"]
        await stage.watch(10 * MINUTE, other)
        assert receiver.said("what", "state", "count") == [("breaker scim main", "begun", 1)]
        company.directory.key = key
        await run.settle()
        assert (run.house.refused(), company.groups(ann)) == ([], set())
        await stage.watch(3 * MINUTE, other)
        assert receiver.said()[1:] == [("breaker scim main", "over")]


async def test_an_outage_of_all_ends_no_alarm_and_begins_none_again(
    company: Company, receiver: Receiver, sqlite_url: str, tmp_path: Path
) -> None:
    async with staged(company, receiver, sqlite_url, tmp_path) as stage:
        await stage.do(bury)
        await stage.watch(3 * MINUTE)
        stage.run.time.push(timedelta(hours=3))
        stage.restart()
        await stage.watch(5 * MINUTE)
        assert receiver.said() == [("dead attempts", "begun")]


@pytest.mark.parametrize("restarts", [True, False])
async def test_who_has_only_just_come_says_of_nothing_that_it_is_over(
    company: Company, receiver: Receiver, sqlite_url: str, tmp_path: Path, *, restarts: bool
) -> None:
    """Another process, whose credential is refused, has had no store to say so for a while."""
    async with staged(company, receiver, sqlite_url, tmp_path) as stage:
        await stage.do(lambda tx: alarms.observe(tx, ["breaker okta"]))
        await stage.watch(MINUTE)
        stage.run.time.push(5 * MINUTE)
        if restarts:
            stage.restart()
        await stage.watch(MINUTE)
        await stage.do(lambda tx: alarms.observe(tx, ["breaker okta"]))
        await stage.watch(MINUTE)
        assert receiver.said() == [("breaker okta", "begun")]


# -- a receiver in trouble ---------------------------------------------------------------------


async def test_what_nobody_took_for_half_an_hour_is_told_later(
    company: Company, receiver: Receiver, database_url: str, tmp_path: Path
) -> None:
    async with staged(company, receiver, database_url, tmp_path, listens=False) as stage:
        await stage.do(bury)
        await stage.watch(30 * MINUTE)
        async with listening(receiver, stage.port):
            await stage.watch(12 * MINUTE)
            assert receiver.said() == [("dead attempts", "begun")]
        await stage.do(line.retry_dead)
        await stage.watch(30 * MINUTE)
        async with listening(receiver, stage.port):
            await stage.watch(12 * MINUTE)
            assert receiver.said()[1:] == [("dead attempts", "over")]


async def test_what_was_over_before_anybody_took_it_is_told_as_over(
    company: Company, receiver: Receiver, sqlite_url: str, tmp_path: Path
) -> None:
    async with staged(company, receiver, sqlite_url, tmp_path, listens=False) as stage:
        await stage.do(bury)
        await stage.watch(5 * MINUTE)
        await stage.do(line.retry_dead)
        await stage.watch(5 * MINUTE)
        async with listening(receiver, stage.port):
            await stage.watch(12 * MINUTE)
            assert receiver.said() == [("dead attempts", "over")]


@pytest.mark.parametrize(
    ("status", "location"),
    [
        pytest.param(500, "", id="fails"),
        pytest.param(404, "", id="does not know the address"),
        pytest.param(429, "", id="has enough"),
        pytest.param(302, "/moved", id="redirects"),
        pytest.param(308, "/moved", id="redirects for good"),
    ],
)
async def test_a_receiver_that_does_not_take_it_is_asked_again_ever_more_rarely(
    company: Company,
    receiver: Receiver,
    sqlite_url: str,
    tmp_path: Path,
    *,
    status: int,
    location: str,
) -> None:
    elsewhere = Receiver()
    async with (
        listening(elsewhere) as url,
        staged(company, receiver, sqlite_url, tmp_path) as stage,
    ):
        stage.alarms.jitter = lambda: 0.5
        receiver.status, receiver.location = status, location and url + location
        await stage.do(bury)
        await stage.watch(30 * MINUTE)
        assert 8 <= len(receiver.seen) <= 14, "every half minute at first, then every five"
        assert (receiver.taken, elsewhere.seen) == ([], [])
        receiver.status = 200
        await stage.watch(12 * MINUTE)
        assert receiver.said() == [("dead attempts", "begun")]


async def test_a_receiver_that_hangs_keeps_nothing_else_from_being_done(
    company: Company, receiver: Receiver, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with staged(company, receiver, sqlite_url, tmp_path) as stage:
        receiver.delay = 30.0
        await stage.do(bury)
        hanging = asyncio.create_task(stage.alarms.tick())
        company.world.deactivate(ann)
        await stage.run.settle()
        assert company.groups(ann) == set()
        assert not hanging.done()
        await hanging
        assert (len(receiver.seen), receiver.taken) == (1, [])
        receiver.delay = 0.0
        await stage.watch(2 * MINUTE)
        assert receiver.said() == [("dead attempts", "begun")]


# -- for long ----------------------------------------------------------------------------------


async def test_somebody_is_reminded_once_a_day(
    company: Company, receiver: Receiver, sqlite_url: str, tmp_path: Path
) -> None:
    async with staged(company, receiver, sqlite_url, tmp_path) as stage:
        await stage.do(bury)
        for _ in range(3):
            await stage.watch(MINUTE)
            stage.run.time.push(DAY)
        assert receiver.said() == [
            ("dead attempts", "begun"), ("dead attempts", "lasting"), ("dead attempts", "lasting")
        ]  # fmt: skip
        assert len(set(receiver.said("since"))) == 1


async def test_without_anybody_to_tell_it_is_found_all_the_same(
    company: Company, receiver: Receiver, sqlite_url: str, tmp_path: Path
) -> None:
    async with company.service(sqlite_url, tmp_path) as run:
        stage = Stage(run, run.house.alarms(loaded=lambda: True), receiver, 0)
        await stage.do(bury)
        await stage.watch(3 * MINUTE)
        [standing] = await run.house.database.read(alarms.standing)
        assert (standing.name, standing.told) == ("dead attempts", "")
        await stage.do(line.retry_dead)
        await stage.watch(5 * MINUTE)
        assert not await run.house.database.read(alarms.pending)
