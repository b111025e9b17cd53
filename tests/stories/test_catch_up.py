"""What the hook missed, or never sends, is read from Okta's System Log."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import func, select, update

from hooks.catchup import Read
from hooks.store import inbox
from hooks.store.database import Tx
from hooks.store.tables import Cursor, Event
from tests.running import Running, Time
from tests.stories.company import STAFF, TEAMS, Company

pytestmark = pytest.mark.wide

_event = Event.__table__  # type: ignore[attr-defined]
_cursor = Cursor.__table__  # type: ignore[attr-defined]
MINUTE = timedelta(minutes=1)


def lost(company: Company) -> None:
    """Okta delivers nothing of what has happened."""
    company.world.outbox.clear()


def origins(tx: Tx) -> dict[str, int]:
    number = func.count().label("number")
    rows = tx.execute(select(_event.c.origin, number).group_by(_event.c.origin))
    return {str(row.origin): int(row.number) for row in rows}


async def next_poll(run: Running) -> Read:
    run.time.push(MINUTE)
    return await run.catch_up()


async def test_what_okta_never_delivered_is_found_once_and_done(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    ann, bob = company.hire("ann", "red", "green"), company.hire("bob", *TEAMS)
    async with company.service(database_url, tmp_path) as run:
        assert await run.catch_up() == Read()
        company.world.deactivate(ann)
        lost(company)
        await run.settle()
        assert company.groups(ann) == {"red", "green"}
        read = await next_poll(run)
        assert read.new > 0
        assert company.groups(ann) == set()
        assert company.groups(bob) == set(TEAMS)
        again = await next_poll(run)
        assert (again.events, again.new) == (0, 0)
        assert await run.dead() == []


async def test_what_was_before_the_first_start_marks_nobody_due(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    company.world.deactivate(ann)
    company.time.push(MINUTE)
    async with company.service(sqlite_url, tmp_path) as run:
        assert await run.catch_up() == Read()
        assert company.groups(ann) == {"red"}


async def test_what_the_hook_brought_is_not_taken_for_missed(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    """Whether the log shows it before the delivery or after it."""
    ann, bob = company.hire("ann", "red"), company.hire("bob", "red")

    async def missed(run: Running) -> int:
        now = round(run.time.seconds() * 1_000_000)
        return await run.house.database.read(lambda tx: inbox.missed(tx, since=0, until=now))

    async with company.service(database_url, tmp_path) as run:
        await run.catch_up()
        company.world.deactivate(ann)
        await run.settle()
        read = await next_poll(run)
        hooked = (await run.house.database.read(origins))["hook"]
        assert (read.events > hooked, await missed(run)) == (True, 0), "some are never hooked"
        company.world.deactivate(bob)
        waiting = len(company.world.outbox)
        assert (await next_poll(run)).new > waiting
        assert await missed(run) == waiting
        await run.deliver()
        assert await missed(run) == 0
        assert (await run.house.database.read(origins))["hook"] == hooked, "none is there twice"


async def test_ten_minutes_down_with_hundreds_of_events_are_made_up_for(
    time: Time, database_url: str, tmp_path: Path
) -> None:
    """Nothing is delivered meanwhile; after the start everybody is right, nothing came twice."""
    company, chance = Company(time), Random(7)
    world = company.world
    people = [company.hire(f"person-{number:03}", *TEAMS) for number in range(120)]
    async with company.service(database_url, tmp_path) as run:
        await run.catch_up()
        before = sum((await run.house.database.read(origins)).values())
    seen = len(world.log.all())
    for number, login in enumerate(people):
        time.push(timedelta(seconds=5))
        act = number % 4
        if act == 0:
            world.deactivate(login)
        elif act == 1:
            world.remove_from_group(login, STAFF)
        elif act == 2:
            world.remove_from_group(login, STAFF)
            world.remove_from_group(login, chance.choice(TEAMS))
            world.add_to_group(login, STAFF)
    happened = len(world.log.all()) - seen
    lost(company)
    more = "[brake]\nother_per_hour = 500\nother_per_day = 500\n"
    async with company.service(database_url, tmp_path, more=more) as run:
        read = await run.catch_up()
        await run.settle()
        wrong = {
            login
            for login in people
            if company.groups(login) != world.entitled(company.directory, login)
        }
        assert wrong == set()
        stored = await run.house.database.read(origins)
        assert read.new == sum(stored.values()) - before
        assert read.new >= 300 <= happened
        assert (await next_poll(run)).new == 0
        assert await run.dead() == []


async def test_a_start_reads_on_at_once_however_short_the_stop_was(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    """The process before has read a moment ago; no time goes by but the start itself."""
    ann = company.hire("ann", "red")
    async with company.service(database_url, tmp_path) as run:
        await run.catch_up()
    company.world.deactivate(ann)
    lost(company)
    async with company.service(database_url, tmp_path) as run:
        stop, reader = asyncio.Event(), run.house.catch_up
        assert reader is not None
        reader.bell.clear()
        reading = asyncio.create_task(reader.run(stop))
        await asyncio.wait_for(reader.bell.wait(), 5)
        stop.set()
        await reading
        await run.settle()
        assert company.groups(ann) == set()


async def test_a_push_an_hour_after_ours_is_noticed_and_mended(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    """Okta puts a leaver back into the group; no hook tells. Nobody else is looked at for it."""
    world = company.world
    ann = company.hire("ann", "red", "green")
    others = [company.hire(f"other-{number}", "red") for number in range(8)]
    async with company.service(database_url, tmp_path) as run:
        await run.catch_up()
        world.deactivate(ann)
        await run.settle()
        assert company.groups(ann) == set()
        await next_poll(run)
        await run.settle()
        run.time.push(timedelta(hours=1))
        world.scim_add("main", "red", ann)
        world.switches.push_inactive_app_users = True
        world.push_now("red")
        world.switches.push_inactive_app_users = False
        world.scim_add("main", "red", ann)
        assert company.groups(ann) == {"red"}
        looked = world.counters["okta", "GET", "/api/v1/users/{id}"]
        assert (await run.catch_up()).new > 0
        await run.settle()
        assert company.groups(ann) == set()
        assert [company.groups(each) for each in others] == [{"red"}] * len(others)
        assert world.counters["okta", "GET", "/api/v1/users/{id}"] - looked <= 4
        assert await run.dead() == []


async def test_what_happens_between_the_first_start_and_the_first_poll_is_not_lost(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    """Okta delivers nothing of it."""
    ann = company.hire("ann", "red")
    async with company.service(database_url, tmp_path) as run:
        company.world.deactivate(ann)
        company.world.outbox.clear()
        run.time.push(timedelta(seconds=1))
        assert (await run.catch_up()).new > 0
        assert company.groups(ann) == set()


async def test_failed_deliveries_are_counted_and_made_up_for(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        await run.catch_up()
        company.world.deactivate(ann)
        hook = next(iter(company.world.org.hooks.values()))
        right, hook.uri = hook.uri, "http://127.0.0.1:9/okta/events"
        await run.deliver()
        hook.uri = right
        read = await next_poll(run)
        assert read.failures == 1
        assert company.groups(ann) == set()


async def test_a_place_okta_does_not_know_any_more_loses_nothing(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(database_url, tmp_path) as run:
        await run.catch_up()
        company.world.deactivate(ann)
        lost(company)
        fault = company.world.fault("okta", "GET", "/logs.*after=", status=400, times=1)
        assert (await next_poll(run)).new > 0
        assert fault.seen == 1
        assert company.groups(ann) == set()


async def test_a_release_that_reads_other_types_begins_before_the_end_of_the_last(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """A place belongs to its filter; what the other did not ask for would never be shown."""
    ann = company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        await run.catch_up()
        company.world.deactivate(ann)
        lost(company)
        assert run.house.observer is not None
        read = await run.house.observer.okta.log.page(run.time.now(), ["group.lifecycle.delete"])
        place = _cursor.c.name == "log/place"
        other = update(_cursor).where(place).values(value=f"ffffffff {read.next}")
        await run.house.database.write(lambda tx: tx.execute(other))
        assert (await next_poll(run)).new > 0
        assert company.groups(ann) == set()


async def test_what_is_stored_late_is_not_skipped(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """Published before what was read already, and shown after it."""
    ann, bob = company.hire("ann", "red"), company.hire("bob", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        await run.catch_up()
        company.world.switches.log_delay = 90
        company.world.deactivate(ann)
        company.world.switches.log_delay = 0
        run.time.push(timedelta(seconds=5))
        company.world.deactivate(bob)
        lost(company)
        await next_poll(run)
        assert (company.groups(ann), company.groups(bob)) == ({"red"}, set())
        await next_poll(run)
        assert company.groups(ann) == set()


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param({"status": 500, "times": 2}, id="500"),
        pytest.param({"status": 429, "times": 2}, id="429"),
        pytest.param({"truncate": True, "times": 1}, id="truncated"),
        pytest.param({"drop": True, "times": 2}, id="dropped"),
        pytest.param({"drop_next": True, "times": 1}, id="no next link"),
        pytest.param({"foreign_next": True, "times": 1}, id="a next link elsewhere"),
    ],
)
async def test_a_reading_that_fails_is_done_again_from_the_same_place(
    company: Company, sqlite_url: str, tmp_path: Path, trouble: dict[str, object]
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        await run.catch_up()
        company.world.deactivate(ann)
        lost(company)
        company.world.fault("okta", "GET", "/logs", **trouble)  # type: ignore[arg-type]
        assert run.house.catch_up is not None
        for _ in range(6):
            run.time.push(MINUTE)
            await run.house.catch_up.read_on()
        await run.work()
        assert company.groups(ann) == set()
        assert await run.dead() == []


async def test_of_several_replicas_one_reads_and_another_takes_over(
    company: Company, postgresql_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with AsyncExitStack() as stack:
        runs = []
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            runs.append(await stack.enter_async_context(company.service(postgresql_url, folder)))
        readers = [run.house.catch_up for run in runs]
        await runs[0].catch_up()
        company.world.deactivate(ann)
        lost(company)
        polls = company.world.counters["okta", "GET", "/api/v1/logs"]
        company.time.push(MINUTE)
        found = await asyncio.gather(*(each.read_on() for each in readers if each))
        assert sum(each is not None for each in found) == 1
        assert company.world.counters["okta", "GET", "/api/v1/logs"] == polls + 1

        # One dies over a page: nothing of it is stored, and its lease passes on.
        company.world.deactivate(company.hire("bob", "red"))
        lost(company)
        company.time.push(MINUTE)
        company.world.fault("okta", "GET", "/logs", hang=5, times=1)
        first = readers[0]
        assert first is not None
        dying = asyncio.create_task(first.read_on())
        await asyncio.sleep(0.2)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        assert readers[1] is not None
        assert await readers[1].read_on() is None, "the lease of the dead still runs"
        company.time.push(timedelta(seconds=61))
        read = await readers[1].read_on()
        assert read is not None
        assert read.new > 0
