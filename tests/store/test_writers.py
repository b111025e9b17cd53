"""Whose transaction is next: a delivery stands behind no row of looks, and keeps nobody out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.store.writers import Writers


@pytest.fixture
def writers() -> Iterator[Writers]:
    found = Writers(1)
    yield found
    found.close()


@asynccontextmanager
async def _busy(writers: Writers) -> AsyncIterator[None]:
    """The one thread is at work until the block ends; what was asked for in it waits."""
    begun, go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go.wait(10)

    held = asyncio.create_task(writers.run(hold, ahead=False))
    await asyncio.to_thread(begun.wait, 10)
    yield
    await asyncio.sleep(0)  # each has asked
    go.set()
    await held


async def _order(writers: Writers, came: str) -> str:
    """The order in which what came at once is done: ``d`` went ahead, ``l`` did not."""
    done = list[str]()
    async with _busy(writers):
        tasks = [
            asyncio.create_task(writers.run(lambda each=each: done.append(each), ahead=each == "d"))  # type: ignore[misc]
            for each in came
        ]
    await asyncio.gather(*tasks)
    return "".join(done)


async def test_what_goes_ahead_waits_for_one_other_at_most(writers: Writers) -> None:
    assert await _order(writers, "lllllld") == "dllllll"


async def test_what_goes_ahead_keeps_nobody_out(writers: Writers) -> None:
    assert await _order(writers, "ddddddl") == "dlddddd"


@given(st.text("dl", max_size=12))
def test_of_two_that_both_wait_none_is_passed_twice_in_a_row(came: str) -> None:
    writers = Writers(1)
    order = asyncio.run(_order(writers, came))
    writers.close()
    deliveries, looks = came.count("d"), came.count("l")
    together = 2 * min(deliveries, looks)
    assert order[:together] == "dl" * (together // 2)
    assert sorted(order) == sorted(came)


async def test_a_failure_reaches_whoever_waits_for_it_and_nobody_else(writers: Writers) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    found = await asyncio.gather(
        writers.run(fail, ahead=True), writers.run(lambda: 7, ahead=False), return_exceptions=True
    )
    assert (type(found[0]), found[1]) == (ZeroDivisionError, 7)


async def test_what_nobody_waits_for_any_more_is_not_done(writers: Writers) -> None:
    done = list[str]()
    async with _busy(writers):
        given_up = asyncio.create_task(writers.run(lambda: done.append("given up"), ahead=True))
        await asyncio.sleep(0)
        given_up.cancel()
    assert await writers.run(lambda: "after", ahead=True) == "after"
    assert done == []
