"""A refused credential is left alone, tried now and then, and used again when it works."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from hooks.core.errors import (
    BreakerOpenError,
    CredentialError,
    ForbiddenError,
    HooksError,
    NotFoundError,
    TransientError,
)
from hooks.gateways.breaker import Breaker
from tests.gateways.stage import START, Wall


def use(breaker: Breaker, error: BaseException | None = None) -> None:
    with breaker.guard():
        if error is not None:
            raise error


def refuse(breaker: Breaker) -> None:
    with pytest.raises(CredentialError):
        use(breaker, CredentialError("no"))


def seconds_to_trial(breaker: Breaker, wall: Wall) -> float:
    with pytest.raises(BreakerOpenError) as caught:
        use(breaker)
    assert caught.value.retry_at is not None
    return (caught.value.retry_at - wall.at).total_seconds()


def test_trials_come_after_five_seconds_doubling_to_five_minutes(wall: Wall) -> None:
    breaker = Breaker("key", wall.clock)
    waits = []
    refuse(breaker)
    for _ in range(9):
        waits.append(seconds_to_trial(breaker, wall))
        wall.forward(waits[-1])
        refuse(breaker)  # the one call let through
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert breaker.snapshot()["since"] == START


@pytest.mark.parametrize("answer", [None, NotFoundError("no such thing")])
def test_any_answer_to_the_credential_closes(wall: Wall, answer: HooksError | None) -> None:
    breaker = Breaker("key", wall.clock)
    refuse(breaker)
    wall.forward(5)
    if answer is None:
        use(breaker)
    else:
        with pytest.raises(NotFoundError):
            use(breaker, answer)
    assert breaker.snapshot()["state"] == "closed"
    refuse(breaker)
    assert seconds_to_trial(breaker, wall) == 5  # begins anew


@pytest.mark.parametrize("trouble", [TransientError("down"), asyncio.CancelledError()])
def test_what_shows_nothing_changes_nothing(wall: Wall, trouble: BaseException) -> None:
    breaker = Breaker("key", wall.clock)
    with pytest.raises(type(trouble)):
        use(breaker, trouble)
    assert breaker.snapshot()["state"] == "closed"
    refuse(breaker)
    wall.forward(5)
    with pytest.raises(type(trouble)):
        use(breaker, trouble)
    assert breaker.snapshot()["state"] == "open"
    assert seconds_to_trial(breaker, wall) == 5


def test_one_trial_at_a_time(wall: Wall) -> None:
    breaker = Breaker("key", wall.clock)
    refuse(breaker)
    wall.forward(5)
    with breaker.guard():
        assert breaker.snapshot()["state"] == "half-open"
        assert seconds_to_trial(breaker, wall) > 0
    assert breaker.snapshot()["state"] == "closed"


def test_many_refusals_in_flight_open_it_once(wall: Wall) -> None:
    breaker = Breaker("key", wall.clock)
    guards = [breaker.guard() for _ in range(3)]
    for guard in guards:
        guard.__enter__()
    for guard in guards[:2]:
        guard.__exit__(CredentialError, CredentialError("no"), None)
    wall.forward(5)
    refuse(breaker)
    guards[2].__exit__(CredentialError, CredentialError("no"), None)  # from before it opened
    assert seconds_to_trial(breaker, wall) == 10


def test_what_opens_and_what_closes_can_be_said(wall: Wall) -> None:
    breaker = Breaker("writes", wall.clock, opens=ForbiddenError, closes=())
    with pytest.raises(CredentialError):
        use(breaker, CredentialError("all of it"))
    assert breaker.snapshot()["state"] == "closed"
    with pytest.raises(ForbiddenError):
        use(breaker, ForbiddenError("no"))
    for _ in range(3):
        assert seconds_to_trial(breaker, wall) == 5
        wall.forward(5)
        with pytest.raises(NotFoundError):
            use(breaker, NotFoundError("no such thing"))
    wall.forward(5)
    use(breaker)
    assert breaker.snapshot()["state"] == "closed"


def test_only_a_call_that_would_tell_is_tried(wall: Wall) -> None:
    breaker = Breaker("key", wall.clock)
    with breaker.guard(telling=False):
        pass
    refuse(breaker)
    wall.forward(60)
    with pytest.raises(BreakerOpenError) as caught, breaker.guard(telling=False):
        pass
    assert caught.value.retry_at == wall.at + timedelta(seconds=1)
    use(breaker)
    assert breaker.snapshot()["state"] == "closed"


def test_another_credential_begins_anew(wall: Wall) -> None:
    breaker = Breaker("key", wall.clock)
    for _ in range(3):
        refuse(breaker)
        wall.forward(seconds_to_trial(breaker, wall))
    breaker.forget()
    assert breaker.snapshot() == {"state": "closed", "since": None, "next_trial": None}
    refuse(breaker)
    assert seconds_to_trial(breaker, wall) == 5
