"""The subscription lapses and comes back: the same people, in a directory of another id.

Meanwhile all synced groups are local. One team is given to the new directory, one stays local.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from hooks.core import attempt
from tests.running import Running, Time
from tests.stories.cast import ALL, CLUB, JIRA, RULES, WEEK, WIKI, Cast

pytestmark = pytest.mark.wide

#: What was synced is named too, for whoever keeps it local.
NAMED = f'{RULES}[[local_group]]\nname = "red*"\n[[local_group]]\nname = "green*"\n'
SOON = timedelta(minutes=3)
#: Nobody who failed waits longer for the next attempt.
LATER = attempt.LONGEST_WAIT + timedelta(minutes=1)


class Lapse:
    """``gone`` leaves while nothing is subscribed; ``left`` and ``back`` leave after that."""

    def __init__(self, time: Time, url: str, folder: Path) -> None:
        self.cast = Cast(time)
        self.cast.remember_names()
        self.cast.world.switches.group_push_delay = None
        self.gone = self.cast.hire("gone")
        self.cast.world.switches.group_push_delay = WEEK
        self.people = (*self.cast.login.values(), self.gone)
        self.world = self.cast.world
        self._url, self._folder = url, folder

    def service(self, more: str = "") -> AbstractAsyncContextManager[Running]:
        """It starts, with hooks.toml as it should be now; what Okta has sent before is lost."""
        self.world.org.hooks.clear()
        self.world.outbox.clear()
        return self.cast.company.service(self._url, self._folder, rules=NAMED, more=more)

    def nudge(self) -> None:
        """Everybody is looked at."""
        self.cast.nudge("left", "moved", "back", "stays")

    def ends(self) -> None:
        self.world.lapse(self.cast.company.directory)

    def acts(self) -> None:
        """One moves and one leaves while nothing is subscribed."""
        for group in (self.cast.red, self.cast.licence):
            self.world.remove_from_group(self.cast.login["moved"], group)
        self.world.deactivate(self.gone)

    def begins(self) -> None:
        """Okta provisions everybody into a new directory, which takes over one team."""
        self.cast.company.directory = self.world.reconnect(self.cast.company.directory)
        self.world.sync_group("red", self.cast.company.directory)
        self.world.push_now("red")

    def held(self) -> dict[str, frozenset[str]]:
        return {login: self.cast.has(login) for login in self.people}


async def causes(run: Running, lapse: Lapse) -> dict[str, set[str]]:
    found = {login: await run.causes(login) for login in lapse.people}
    return {login: each for login, each in found.items() if each}


@pytest.mark.parametrize("answer", ["404", "401", "403"])
async def test_a_lapse_takes_nothing_from_anybody(
    time: Time, sqlite_url: str, tmp_path: Path, answer: Literal["404", "401", "403"]
) -> None:
    """Neither from who is in force nor from who leaves, however the directory is refused."""
    lapse = Lapse(time, sqlite_url, tmp_path)
    lapse.world.switches.scim_no_directory = answer
    async with lapse.service() as run:
        lapse.nudge()
        await run.settle()
        before = lapse.held()
        lapse.ends()
        lapse.acts()
        lapse.nudge()
        await run.settle(SOON)
        assert lapse.held() == before == dict.fromkeys(lapse.people, ALL)
        assert await run.steps() == []
        cause = "directory_unknown" if answer == "404" else "record_unread"
        assert await causes(run, lapse) == {each: {cause} for each in lapse.people}
    async with lapse.service() as run:
        await run.settle(SOON)
        assert (lapse.held(), await run.dead()) == (before, [])


async def test_after_a_lapse_the_same_people_lose_what_they_should_once_changes_are_accepted(
    time: Time, database_url: str, tmp_path: Path
) -> None:
    lapse = Lapse(time, database_url, tmp_path)
    cast, world = lapse.cast, lapse.world
    left, moved, back, stays = cast.login.values()
    async with lapse.service() as run:
        lapse.nudge()
        await run.settle()
        lapse.ends()
        lapse.acts()
        lapse.nudge()
        await run.settle(SOON)
    lapse.begins()
    async with lapse.service() as run:
        cast.run = run
        await run.settle(LATER)
        assert lapse.held() == {
            left: ALL, back: ALL, stays: ALL,
            moved: ALL - {"red", JIRA},
            lapse.gone: ALL - {"red"},
        }  # fmt: skip
        world.deactivate(left)
        world.deactivate(back)
        await run.settle(LATER)
        assert cast.has(left) == cast.has(back) == {"red", "green", CLUB}
        assert await run.causes(left) == {"mapping_moved", "group_changed"}
        green = world.local_group("green").id
        await cast.accept(world.mapping("red").id, green)
        await run.settle(LATER)
        assert cast.has(left) == cast.has(back) == {CLUB}
        world.activate(back)
        await run.settle()
        assert lapse.held() == {
            left: {CLUB},
            moved: ALL - {"red", JIRA},
            back: {"red", JIRA, CLUB},
            stays: ALL,
            lapse.gone: ALL - {"red"},
        }
        assert await causes(run, lapse) == {lapse.gone: {"record_gone", "account_none"}}
        assert await run.dead() == []


def refused(lapse: Lapse) -> None:
    lapse.world.fault("scim", "PATCH", status=503)
    lapse.world.fault("org", "DELETE", status=503)


def parked(lapse: Lapse) -> None:
    lapse.world.switches.inactive_remove = "400"


@pytest.mark.parametrize(
    ("wait", "more", "has", "back"),
    [
        pytest.param(refused, "", ALL, ALL - {"red", WIKI}, id="for Atlassian"),
        pytest.param(
            lambda _: None,
            "[brake]\nleft_per_hour = 1\n",
            ALL,
            ALL - {"red", WIKI},
            id="for somebody to decide",
        ),
        pytest.param(parked, "", {JIRA, WIKI, CLUB}, None, id="for an active account"),
    ],
)
async def test_a_leaver_who_waits_when_it_lapses_goes_on_waiting_until_they_are_known_again(
    time: Time,
    sqlite_url: str,
    tmp_path: Path,
    *,
    wait: Callable[[Lapse], None],
    more: str,
    has: frozenset[str],
    back: frozenset[str] | None,
) -> None:
    lapse = Lapse(time, sqlite_url, tmp_path)
    first, waits = lapse.cast.login["left"], lapse.gone
    async with lapse.service(more) as run:
        lapse.world.deactivate(first)
        await run.settle()
        assert lapse.cast.has(first) == {CLUB}
        wait(lapse)
        lapse.world.deactivate(waits)
        await run.settle(SOON)
        assert lapse.cast.has(waits) == has
        lapse.world.clear()
        lapse.ends()
        await run.settle(SOON)
        assert lapse.cast.has(waits) == has
    lapse.begins()
    async with lapse.service(more) as run:
        lapse.world.remove_from_group(waits, lapse.cast.licence)
        lapse.world.add_to_group(waits, lapse.cast.licence)
        await run.settle(LATER)
        assert lapse.cast.has(waits) == has - {"red"}
        assert await run.causes(waits) == {"record_gone", "account_none"}
        if back is not None:
            lapse.world.activate(waits)
            await run.settle()
            assert lapse.cast.has(waits) == back
            assert await run.causes(waits) == {"group_changed"}
            assert await run.holds() == []


async def test_who_left_during_a_lapse_is_named_until_okta_provisions_them_again(
    time: Time, sqlite_url: str, tmp_path: Path
) -> None:
    """Nothing but our memory ties them to an account then, and nothing is taken for that."""
    lapse = Lapse(time, sqlite_url, tmp_path)
    async with lapse.service() as run:
        lapse.world.add_to_group(lapse.gone, lapse.cast.choir)
        await run.settle()
        lapse.ends()
        lapse.acts()
        await run.settle(SOON)
    lapse.begins()
    async with lapse.service() as run:
        await run.settle(LATER)
        assert lapse.cast.has(lapse.gone) == ALL - {"red"}
        assert await run.causes(lapse.gone) == {"record_gone", "account_none"}
        lapse.world.activate(lapse.gone)
        await run.settle()
        assert lapse.cast.has(lapse.gone) == {"green", JIRA, CLUB}
        lapse.world.deactivate(lapse.gone)
        await run.settle()
        assert lapse.cast.has(lapse.gone) == {"green", CLUB}
        assert await run.causes(lapse.gone) == {"group_changed"}


async def test_nobody_is_given_up_on_during_a_lapse(
    time: Time, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it is: whoever waited is looked at when it is over."""
    monkeypatch.setattr(attempt, "MAX_ATTEMPTS", 4)
    lapse = Lapse(time, sqlite_url, tmp_path)
    moved = lapse.cast.login["moved"]
    async with lapse.service() as run:
        lapse.nudge()
        await run.settle()
        lapse.ends()
        lapse.acts()
        await run.settle(timedelta(hours=2))
        assert await run.dead() == []
    lapse.world.switches.provisioning_delay = 30
    lapse.begins()
    async with lapse.service() as run:
        await run.settle(LATER)
        assert lapse.cast.has(moved) == ALL - {"red", JIRA}
        assert await run.dead() == []


async def test_who_was_stripped_before_a_lapse_is_not_given_back_to_groups_that_are_gone_for_ever(
    time: Time, sqlite_url: str, tmp_path: Path
) -> None:
    """Of the two one was made anew, which somebody must accept; the other is not there at all."""
    lapse = Lapse(time, sqlite_url, tmp_path)
    cast, back = lapse.cast, lapse.cast.login["back"]
    async with lapse.service() as run:
        cast.run = run
        await cast.settle_in()
        lapse.ends()
        lapse.world.activate(back)
        await run.settle(SOON)
    lapse.begins()
    async with lapse.service() as run:
        cast.run = run
        await run.settle(timedelta(hours=27))
        assert cast.has(back) == {"red", JIRA, CLUB}
        given = [name for action, name, *_ in await run.steps(back) if action == "add"]
        assert len(given) < 40
        assert "red" not in given
        assert await run.causes(back) == {"mapping_moved", "rejected"}
        assert await cast.unfinished() == []
        await cast.accept(lapse.world.mapping("red").id)
        await run.settle()
        assert await run.causes(back) == {"rejected"}
