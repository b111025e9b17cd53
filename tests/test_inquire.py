"""What is shared between looks, and what an answer that is none becomes."""

from __future__ import annotations

import asyncio

import pytest

from hooks.core.errors import (
    BreakerOpenError,
    CredentialError,
    ForbiddenError,
    HooksError,
    IncompleteError,
    LostReplyError,
    NotFoundError,
    NowhereError,
    RateLimitedError,
    TransientError,
)
from hooks.core.reading import MISSING, Unread, Why
from hooks.gateways.together import Together
from hooks.inquire import answer_of, list_of


class Vendor:
    """Answers with what is true when the request arrives, once it may answer."""

    def __init__(self) -> None:
        self.truth = 0
        self.asked = asyncio.Semaphore(0)
        self.times = 0
        self.answers = asyncio.Event()

    async def read(self) -> int:
        self.times += 1
        self.asked.release()
        seen = self.truth
        await self.answers.wait()
        return seen


async def test_who_comes_while_a_request_is_under_way_gets_the_answer_to_a_later_one() -> None:
    together, vendor = Together(), Vendor()
    first = asyncio.create_task(together.read("app", vendor.read))
    await vendor.asked.acquire()
    vendor.truth = 1  # after the request was sent, before its answer
    later = [asyncio.create_task(together.read("app", vendor.read)) for _ in range(3)]
    await asyncio.sleep(0)  # each has begun
    vendor.answers.set()
    assert await first == 0
    assert await asyncio.gather(*later) == [1, 1, 1]
    assert vendor.times == 2


async def test_nothing_is_kept_once_it_is_answered() -> None:
    together, vendor = Together(), Vendor()
    vendor.answers.set()
    assert await together.read("app", vendor.read) == 0
    vendor.truth = 1
    assert await together.read("app", vendor.read) == 1


async def test_a_reader_who_leaves_takes_the_answer_from_nobody() -> None:
    together, vendor = Together(), Vendor()
    leaver = asyncio.create_task(together.read("app", vendor.read))
    stayer = asyncio.create_task(together.read("app", vendor.read))
    await vendor.asked.acquire()
    leaver.cancel()
    vendor.answers.set()
    assert await stayer == 0


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (BreakerOpenError("held"), Why.CREDENTIAL),
        (BreakerOpenError("held", opened_by=NowhereError), Why.NOWHERE),
        (NowhereError("not there"), Why.NOWHERE),
        (CredentialError("refused"), Why.CREDENTIAL),
        (RateLimitedError("spent"), Why.LIMITED),
        (TransientError("down"), Why.UNAVAILABLE),
        (LostReplyError("lost"), Why.UNAVAILABLE),
        (ForbiddenError("hidden"), Why.FORBIDDEN),
        (IncompleteError("cut"), Why.INCOMPLETE),
    ],
)
async def test_a_failure_is_an_answer_nobody_may_believe(error: HooksError, why: Why) -> None:
    async def fails() -> object:
        raise error

    answer = await answer_of(fails())
    assert isinstance(answer, Unread)
    assert answer.why is why


async def test_only_a_404_is_missing() -> None:
    async def fails() -> object:
        raise NotFoundError("gone")

    assert await answer_of(fails()) is MISSING


def test_a_list_whose_parent_is_not_there_is_no_empty_list() -> None:
    assert isinstance(list_of(MISSING), Unread)
    assert list_of(()) == ()
