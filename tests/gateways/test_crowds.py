"""A crowd stands aside for whoever comes alone; nobody else does, and not for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from hooks.clock import elapsed
from hooks.gateways.crowds import Crowds, Reason, stand_aside
from tests.gateways.stage import START

CROWD = 11


@pytest.fixture
def crowds() -> Crowds:
    """Many were unassigned a moment ago."""
    made = Crowds()
    for number in range(CROWD):
        with made.look(f"crowd-{number}", "unassigned", START, bulk=False):
            pass
    return made


class Looks:
    """Looks that are under way until they are told to end; ``went`` are those past a step."""

    def __init__(self, crowds: Crowds) -> None:
        self.crowds = crowds
        self.went: list[str] = []

    async def begin(self, name: str, reason: str, *, bulk: bool = False) -> Callable[[], object]:
        end = asyncio.Event()

        async def look() -> None:
            with self.crowds.look(name, reason, START, bulk=bulk):
                await stand_aside()
                self.went.append(name)
                await end.wait()

        self.running = asyncio.create_task(look())
        await asyncio.sleep(0)
        return end.set


async def test_a_crowd_goes_on_when_whoever_came_alone_is_done(crowds: Crowds) -> None:
    looks = Looks(crowds)
    end = await looks.begin("alone", "deactivated")
    await looks.begin("crowd", "unassigned")
    await looks.begin("again", "", bulk=True)
    assert looks.went == ["alone"]
    end()
    await asyncio.sleep(0.02)
    assert sorted(looks.went) == ["again", "alone", "crowd"]


async def test_a_crowd_stands_aside_for_a_moment_only(crowds: Crowds) -> None:
    looks, began = Looks(crowds), elapsed()
    await looks.begin("alone", "deactivated")
    await looks.begin("crowd", "unassigned")
    while "crowd" not in looks.went:
        assert elapsed() - began < 5
        await asyncio.sleep(0.02)
    assert elapsed() - began > 0.2


async def test_bulk_work_stands_aside_while_deliveries_wait() -> None:
    waiting = [True]
    looks = Looks(Crowds(lambda: bool(waiting)))
    await looks.begin("bulk", "", bulk=True)
    assert looks.went == []
    await asyncio.sleep(0.1)
    assert looks.went == []
    waiting.clear()
    await asyncio.sleep(0.4)
    assert looks.went == ["bulk"]


async def test_nobody_else_stands_aside_for_deliveries() -> None:
    looks = Looks(Crowds(lambda: True))
    await looks.begin("leaver", "deactivated")
    assert looks.went == ["leaver"]


async def test_bulk_work_stands_aside_for_deliveries_for_a_moment_only() -> None:
    looks, began = Looks(Crowds(lambda: True)), elapsed()
    await looks.begin("bulk", "", bulk=True)
    while not looks.went:
        assert elapsed() - began < 5
        await asyncio.sleep(0.02)
    assert elapsed() - began > 0.8


async def test_bulk_work_stands_aside_for_deliveries_also_while_somebody_comes_alone() -> None:
    looks, began = Looks(Crowds(lambda: True)), elapsed()
    await looks.begin("alone", "deactivated")
    await looks.begin("bulk", "", bulk=True)
    while "bulk" not in looks.went:
        assert elapsed() - began < 5
        await asyncio.sleep(0.02)
    assert elapsed() - began > 0.8


async def test_nobody_else_stands_aside(crowds: Crowds) -> None:
    looks = Looks(crowds)
    for name, reason in (("crowd", "unassigned"), ("one", "deactivated"), ("two", "suspended")):
        await looks.begin(name, reason)
    await looks.begin("other", "deactivated")
    assert looks.went == ["crowd", "one", "two", "other"]
    await stand_aside()  # a command's look is none of these


def test_many_within_two_minutes_are_a_crowd() -> None:
    reason = Reason()
    for number in range(CROWD):
        assert not reason.many
        reason.note(f"{number}", START + timedelta(seconds=number))
    assert reason.many
    reason.note("0", START + timedelta(seconds=CROWD))  # once more is nobody new
    assert len(reason.came) == CROWD
    reason.note("late", START + timedelta(minutes=2, seconds=10))
    assert not reason.many


def test_reasons_nobody_comes_for_are_forgotten() -> None:
    crowds = Crowds()
    for number in range(5_000):
        at = START + timedelta(seconds=number)
        with crowds.look("somebody", f"reason {number}", at, bulk=False):
            pass
    assert len(crowds._reasons) < 1_100
