"""Intake when the store is held up, and deliveries no documentation foresees."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from hooks.core.errors import BusyError, MalformedError, StoreError
from hooks.core.log_event import EVENT_TYPES, parse_delivery
from hooks.store.database import Database
from hooks.store.intake import MOST_BYTES, PATIENCE, Intake, Origin, Stored
from tests.store.builders import (
    APPS,
    SEALER,
    delivery,
    due_rows,
    event,
    event_rows,
    lease,
    left,
    put,
    put_in,
    stored,
    user,
    uuid,
    writers,
)
from tests.store.conftest import Opener

ANN = user(1)


@contextmanager
def held_up(other: Database) -> Iterator[None]:
    """Another process holds what every delivery needs."""
    with other.connection() as connection:
        if other.postgres:
            connection.execute(text("LOCK TABLE event IN ACCESS EXCLUSIVE MODE"))
        yield


# -- held up -----------------------------------------------------------------------------------


async def test_a_store_that_is_held_up_is_busy_in_time_and_works_again_afterwards(
    database: Database, another: Opener
) -> None:
    intake = Intake(database, SEALER, APPS)
    with held_up(another()):
        began = time.monotonic()
        answers = await asyncio.gather(
            *(intake.put(delivery(left(n, ANN))) for n in range(20)), return_exceptions=True
        )
        assert time.monotonic() - began < PATIENCE + 0.9  # Okta waits three seconds
        assert all(isinstance(each, StoreError) for each in answers)
    assert await _insist(intake, 100) == Stored(new=1, known=0)
    await intake.aclose()
    assert uuid(100) in stored(database, "uuid")


async def _insist(intake: Intake, number: int) -> Stored:
    for _ in range(3):
        try:
            return await intake.put(delivery(left(number, ANN)))
        except BusyError:
            continue
    pytest.fail("still busy")


async def test_deliveries_nobody_waits_for_any_more_hold_no_memory(
    database: Database, another: Opener
) -> None:
    intake = Intake(database, SEALER, APPS)
    big = event(1, type="x", filler="x" * (MOST_BYTES // 4))
    with held_up(another()):
        for _ in range(4):
            puts = [asyncio.create_task(intake.put(delivery(big))) for _ in range(3)]
            await asyncio.sleep(0.02)
            for each in puts:
                each.cancel()
            await asyncio.gather(*puts, return_exceptions=True)
        kept = sum(
            len(each.raw) for one in intake._waiting.values() for each in one.delivery.events
        )
    await intake.aclose()
    assert kept <= MOST_BYTES


async def test_closing_waits_for_no_delivery_that_was_given_up(
    database: Database, another: Opener
) -> None:
    intake = Intake(database, SEALER, APPS)
    with held_up(another()):
        puts = [asyncio.create_task(intake.put(delivery(left(n, ANN)))) for n in range(20)]
        await asyncio.sleep(0.02)
        for each in puts:
            each.cancel()
        _, late = await asyncio.wait([asyncio.create_task(intake.aclose())], timeout=4)
    await asyncio.gather(*late)
    assert not late


async def test_a_closed_store_refuses_deliveries_as_a_failing_one(another: Opener) -> None:
    closed = another()
    intake = Intake(closed, SEALER, APPS)
    closed.close()
    with pytest.raises(StoreError):
        await intake.put(delivery(left(1, ANN)))


# -- a delivery and a look at once -------------------------------------------------------------


def test_the_same_events_from_many_writers_are_new_to_one_of_them(another: Opener) -> None:
    doors = [another(), another()]
    same = [left(number, user(number % 5)) for number in range(30)]

    def post(number: int) -> int:
        return len(put(doors[number % 2], *same[number % 3 :: 3]))

    with ThreadPoolExecutor(writers(doors[0])) as threads:
        assert sum(threads.map(post, range(24))) == 30
    assert len(stored(doors[0])) == 30


# -- whatever bytes come -----------------------------------------------------------------------

words = st.text(st.characters(), max_size=40) | st.text(
    st.sampled_from("\x00\ud800\udfffa@🦆"), max_size=300
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=8,
)
ids = st.sampled_from([*map(user, range(4)), *APPS, "00u", ""]) | values
targets = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["User", "UserGroup", "AppInstance"]) | values, "id": ids}
    )
    | values,
    max_size=6,
)
instants = st.datetimes().map(lambda at: at.isoformat() + "Z") | st.sampled_from(
    ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-21T24:00:00Z"]
)
entries = st.fixed_dictionaries(
    {
        "uuid": st.uuids().map(str) | st.sampled_from([uuid(1), uuid(1).upper()]) | values,
        "eventType": st.sampled_from(EVENT_TYPES) | values,
        "published": instants | values,
        "target": targets | values,
        "outcome": st.sampled_from([{"result": "SUCCESS"}, {"result": "FAILURE"}]) | values,
    }
)
bodies = st.fixed_dictionaries(
    {
        "eventId": words | values,
        "data": st.fixed_dictionaries({"events": st.lists(entries | values, max_size=4)}),
    }
).map(lambda body: json.dumps(body).encode())


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies)
@example(json.dumps({"eventId": "\x00\ud800", "data": {"events": [{"uuid": "\ud800"}]}}).encode())
@example(b'{"data":{"events":[' + b",".join(b"%d" % n for n in range(3000)) + b"]}}")
@example(b'{"data":{"events":[{"eventType":"' + b"x" * 100_000 + b'"}]},"eventId":"\\u0000"}')
@example(b'{"data":{"events":[{"published":"2026-11-21T09:30:00+00:00:00.000001"}, {}, {}]}}')
def test_whatever_the_parser_accepts_can_be_stored(database: Database, body: bytes) -> None:
    try:
        found = parse_delivery(body)
    except MalformedError:
        return
    origins = {each.uuid: Origin("hook", found.id) for each in found.events}
    database.write_now(lambda tx: put_in(tx, found.events, origins))
    uuids = list(origins)
    query = select(event_rows.c.uuid).where(event_rows.c.uuid.in_(uuids))
    assert set(database.read_now(lambda tx: tx.execute(query).scalars().all())) == set(uuids)
    for each in lease(database):
        assert each.subject in {who for one in found.events for who in (*one.users, *one.groups)}
    database.write_now(lambda tx: tx.execute(due_rows.delete()))
