"""Whatever way the events of a person come, their memberships end as if all came in order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hooks.sandbox.org import Hook
from hooks.sandbox.system_log import Json
from tests.running import Time
from tests.stories.company import STAFF, TEAMS, Company

Outbox = list[tuple[Hook, Json]]
ACTS = (
    "deactivate", "activate", "release", "assign",
    *(f"join {team}" for team in TEAMS), *(f"quit {team}" for team in TEAMS),
)  # fmt: skip
#: How the events of each person come. All of them do the same things.
WAYS = ("in order", "each at once", "shuffled", "doubled", "all but one lost")
acts = st.lists(st.sampled_from(ACTS), min_size=1, max_size=6)


def few(examples: int) -> settings:
    """A world with its service takes a second: few examples must do, and no shrinking."""
    return settings(
        max_examples=examples,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def act(company: Company, login: str, what: str) -> None:
    """One act of an admin, if it makes sense now."""
    world = company.world
    active = world.user(login).status == "ACTIVE"
    match what.split():
        case ["deactivate"] if active:
            world.deactivate(login)
        case ["activate"] if not active:
            world.activate(login)
        case ["release"]:
            world.remove_from_group(login, STAFF)
        case ["assign"]:
            world.add_to_group(login, STAFF)
        case ["join", team]:
            world.add_to_group(login, team)
        case ["quit", team]:
            world.remove_from_group(login, team)
        case _:
            pass


def arranged(events: Outbox, way: str, chance: Random) -> Outbox:
    """The events of one person, as they come."""
    match way:
        case "shuffled":
            return chance.sample(events, len(events))
        case "doubled":
            return [*events, *chance.sample(events, len(events))]
        case "all but one lost":
            return chance.sample(events, min(1, len(events)))
        case _:
            return events


@few(10)
@given(what=acts, seed=st.integers(0, 999), pushes=st.booleans())
def test_any_order_duplication_or_loss_of_all_but_one_ends_as_in_order(
    what: list[str], seed: int, *, pushes: bool
) -> None:
    """Without Okta's group push, what is removed is removed by us alone."""
    asyncio.run(play(what, Random(seed), pushes=pushes))


async def play(what: list[str], chance: Random, *, pushes: bool) -> None:
    company = Company(Time())
    world = company.world
    people = {way: company.hire(way.replace(" ", "-"), "red", "green") for way in WAYS}
    world.switches.group_push_delay = None if pushes else 10 * 24 * 3600
    with TemporaryDirectory() as folder:
        async with company.service(f"sqlite:///{folder}/hooks.db", Path(folder)) as run:
            for each in what:
                act(company, people["each at once"], each)
                await run.settle()
            events: Outbox = []
            for way, login in people.items():
                if way == "each at once":
                    continue
                for each in what:
                    act(company, login, each)
                events += arranged(list(world.outbox), way, chance)
                world.outbox.clear()
            world.outbox.extend(events)
            run.sandbox.deliverer.batch_size = chance.randint(1, 8)
            await run.settle()
            have = {way: company.groups(login) for way, login in people.items()}
            should = world.entitled(company.directory, people["in order"])
            if pushes:
                assert have == dict.fromkeys(WAYS, should)  # only compared
            else:
                assert have == dict.fromkeys(WAYS, have["in order"])
                assert have["in order"] <= should


@few(3)
@given(what=st.lists(st.booleans(), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_events_of_other_apps_change_nothing(what: list[bool], seed: int) -> None:
    asyncio.run(elsewhere(what, Random(seed)))


async def elsewhere(what: list[bool], chance: Random) -> None:
    company = Company(Time())
    world = company.world
    ann = company.stale("ann", "blue", teams=("red",))
    other = world.add_app("Another vendor")
    with TemporaryDirectory() as folder:
        async with company.service(f"sqlite:///{folder}/hooks.db", Path(folder)) as run:
            reads = sum(world.counters.values())
            for assigned in what:
                (world.assign if assigned else world.unassign)(ann, other)
            chance.shuffle(world.outbox)
            await run.settle()
            assert company.groups(ann) == {"red", "blue"}
            assert sum(world.counters.values()) == reads, "nobody is looked at for it"
