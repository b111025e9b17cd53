"""Budgets, lanes and slots: who may go now, and until when the others wait."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hooks.core.errors import RateLimitedError
from hooks.gateways.pace import Lane, Pace, lane
from hooks.gateways.rate import Rate, rate_of
from hooks.gateways.windows import LONGEST
from tests.gateways.stage import START, Wall


def okta(limit: int, remaining: int, reset: float) -> dict[str, str]:
    return {
        "X-Rate-Limit-Limit": str(limit),
        "X-Rate-Limit-Remaining": str(remaining),
        "X-Rate-Limit-Reset": str(int(START.timestamp() + reset)),
    }


async def call(
    pace: Pace,
    headers: Mapping[str, str] | None = None,
    status: int = 200,
    wanted: Lane = Lane.URGENT,
    bucket: str = "",
) -> None:
    lane.set(wanted)
    async with pace.turn(bucket) as turn:
        turn.learn(status, headers or {})


async def wait_told(pace: Pace, wall: Wall, wanted: Lane = Lane.URGENT, bucket: str = "") -> float:
    """Seconds until the next call may be made; 0 if it may be made now."""
    try:
        await call(pace, wanted=wanted, bucket=bucket)
    except RateLimitedError as error:
        return ((error.retry_at or START) - wall.at).total_seconds()
    return 0


# -- headers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "rate"),
    [
        pytest.param({}, Rate(), id="none"),
        pytest.param(okta(600, 12, 30), Rate(600, 12, START + timedelta(seconds=30)), id="okta"),
        pytest.param(
            {
                "X-RateLimit-Limit": "100",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "2026-11-21T09:31Z",
            },
            Rate(100, 0, START + timedelta(minutes=1)),
            id="atlassian",
        ),
        pytest.param({"Retry-After": "7"}, Rate(retry=START + timedelta(seconds=7)), id="seconds"),
        pytest.param(
            {"Retry-After": format_datetime(START + timedelta(seconds=9), usegmt=True)},
            Rate(retry=START + timedelta(seconds=9)),
            id="date",
        ),
        pytest.param(
            okta(1, 1, 30) | {"Date": format_datetime(START + timedelta(hours=1), usegmt=True)},
            Rate(1, 1, START + timedelta(seconds=30) - timedelta(hours=1)),
            id="a clock an hour ahead",
        ),
        pytest.param(
            {"Retry-After": "soon", "X-Rate-Limit-Limit": "-1", "X-Rate-Limit-Reset": "9" * 30},
            Rate(),
            id="nonsense",
        ),
    ],
)
def test_headers_of_both_vendors_are_read(headers: dict[str, str], rate: Rate) -> None:
    assert rate_of(headers, START) == rate


NAMES = ["Date", "Retry-After", "X-Rate-Limit-Reset", "X-RateLimit-Remaining", "X-RateLimit-Limit"]


@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        st.text() | st.integers().map(str) | st.datetimes().map(str) | st.just("9999-12-31T23:59Z"),
    )
)
@example({"Date": "8999-12-31T23:59Z", "Retry-After": "2026-11-21T09:30Z"})
@example({"Date": "8999-12-31T23:59Z", "X-Rate-Limit-Reset": "1795253400"})
def test_any_headers_are_survived(headers: dict[str, str]) -> None:
    rate_of(headers, START)


# -- budgets -----------------------------------------------------------------------------------


async def test_it_stops_before_the_vendor_says_so(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock)
    await call(pace, okta(600, 2, 30))
    assert [await wait_told(pace, wall) for _ in range(3)] == [0, 0, 30]
    wall.forward(30)
    assert await wait_told(pace, wall) == 0


async def test_bulk_leaves_a_quarter_to_urgent(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock)
    await call(pace, okta(100, 26, 30))
    assert await wait_told(pace, wall, Lane.BULK) == 0
    assert await wait_told(pace, wall, Lane.BULK) == 30
    assert await wait_told(pace, wall) == 0


async def test_less_is_kept_the_sooner_the_rest_of_it_is_lost(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock)
    await call(pace, okta(100, 20, 30))
    assert await wait_told(pace, wall, Lane.BULK) == 30
    wall.forward(10)
    told = [await wait_told(pace, wall, Lane.BULK) for _ in range(5)]
    assert told == [0, 0, 0, 0, 20]  # with two thirds of the time left, 16.7 calls are


async def test_half_of_the_limit_is_ours(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock, own_share=0.5)
    await call(pace, okta(10, 9, 30))
    told = [await wait_told(pace, wall) for _ in range(5)]
    assert told == [0, 0, 0, 0, 30]  # with the first: five of ten


async def test_buckets_are_apart(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock)
    await call(pace, okta(100, 0, 30), bucket="log")
    assert await wait_told(pace, wall, bucket="log") == 30
    assert await wait_told(pace, wall, bucket="user") == 0


async def test_answers_out_of_order_do_not_refill_the_budget(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock)
    async with pace.turn() as slow:
        await call(pace, okta(100, 2, 30))  # and one more in flight
        slow.learn(200, okta(100, 50, 30))  # written before the other was counted
    assert [await wait_told(pace, wall) for _ in range(2)] == [0, 30]


async def test_a_429_is_believed_until_its_instant(wall: Wall) -> None:
    for headers, seconds in (
        ({"Retry-After": "7"}, 7),
        (okta(100, 0, 20), 20),
        ({"Retry-After": "999999999"}, LONGEST.total_seconds()),
        ({"Retry-After": "0"}, 1),
    ):
        pace = Pace("vendor", wall.clock)
        await call(pace, headers, status=429)
        if seconds > 1:
            assert await wait_told(pace, wall) == seconds


async def test_without_headers_one_call_at_a_time_until_one_succeeds(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock)
    async with pace.turn() as early:
        await call(pace, status=429)
        early.learn(200, {})  # sent before the 429: shows nothing
    assert pace.snapshot()["at_once"] == 1
    wall.forward(1)
    async with pace.turn() as turn:
        assert await wait_told(pace, wall) == 1  # gives up after a second
        turn.learn(200, {})
    assert pace.snapshot()["at_once"] == 2


async def test_repeated_429s_without_headers_wait_longer(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock)
    waits = []
    for _ in range(9):
        await call(pace, status=429)
        until = pace.snapshot()["blocked_until"]
        waits.append((until - wall.at).total_seconds())
        wall.forward(waits[-1])
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_too_many_at_once_is_not_a_spent_window(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock, most=8)
    turns = [pace.turn() for _ in range(8)]
    entered = [await turn.__aenter__() for turn in turns]
    until = entered[0].learn(429, okta(0, 0, 3000))
    assert until == wall.at + timedelta(seconds=1)
    assert pace.snapshot()["at_once"] == 4
    for each, turn in zip(entered, turns, strict=True):  # those were under way already
        await turn.__aexit__(None, None, None)
        assert each.learn(429, okta(0, 0, 3000)) == until
    assert pace.snapshot()["at_once"] == 4
    wall.forward(1)
    at_once = []
    for _ in range(60):
        await call(pace)
        at_once.append(pace.snapshot()["at_once"])
    assert at_once == [4] * 49 + [5] * 11  # it would be too many again, and a look cut short


# -- slots -------------------------------------------------------------------------------------


async def test_urgent_calls_overtake_and_bulk_never_takes_the_last_slots(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock, most=4)
    order: list[str] = []
    gate = asyncio.Event()

    async def work(name: str, wanted: Lane) -> None:
        lane.set(wanted)
        async with pace.turn():
            order.append(name)
            await gate.wait()

    tasks = [asyncio.create_task(work(f"bulk {n}", Lane.BULK)) for n in range(6)]
    await asyncio.sleep(0)
    assert order == ["bulk 0", "bulk 1", "bulk 2"]  # one of four is kept free
    tasks += [asyncio.create_task(work(f"urgent {n}", Lane.URGENT)) for n in range(3)]
    await asyncio.sleep(0)
    assert order[3:] == ["urgent 0"]
    gate.set()
    await asyncio.gather(*tasks)
    assert order[4:6] == ["urgent 1", "urgent 2"]
    assert sorted(order[6:]) == ["bulk 3", "bulk 4", "bulk 5"]
    assert pace.snapshot()["in_flight"] == 0


async def test_a_cancelled_wait_loses_no_slot(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock, most=1)
    holder = pace.turn()
    await holder.__aenter__()
    waiting = asyncio.create_task(call(pace))
    await asyncio.sleep(0)
    await holder.__aexit__(None, None, None)  # gives the slot to the one who waits
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.wait_for(call(pace), 1)
    assert pace.snapshot()["in_flight"] == 0
