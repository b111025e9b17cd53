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

ACTS = ("deactivate", "activate", "release", "assign", *(f"{way} {team}" for way in ("join", "quit") for team in TEAMS))  # fmt: skip
#: A world starts in a tenth of a second, and so does a look: a few examples must do.
few = settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
acts = st.lists(st.sampled_from(ACTS), min_size=1, max_size=5)


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


async def end_of(
    what: list[str], way: str, seed: int, *, pushes: bool
) -> tuple[set[str], set[str]]:
    """What somebody has after these acts, their events delivered this way; and what they should."""
    time, chance = Time(), Random(seed)
    company = Company(time)
    ann = company.hire("ann", "red", "green")
    company.world.switches.group_push_delay = None if pushes else 10 * 24 * 3600
    with TemporaryDirectory() as folder:
        async with company.service(f"sqlite:///{folder}/hooks.db", Path(folder)) as run:
            for each in what:
                act(company, ann, each)
                if way == "each at once":
                    await run.settle()
            outbox = company.world.outbox
            outbox[:] = arranged(outbox, way, chance, company.world.user(ann).id)
            run.sandbox.deliverer.batch_size = chance.randint(1, 5)
            await run.settle()
            return company.groups(ann), company.world.entitled(company.directory, ann)


def arranged(events: list[tuple[Hook, Json]], way: str, chance: Random, user: str) -> list[tuple[Hook, Json]]:  # fmt: skip
    match way:
        case "shuffled":
            return chance.sample(events, len(events))
        case "doubled":
            return [*events, *chance.sample(events, len(events))]
        case "all but one lost":
            about = [pair for pair in events if user in str(pair[1]["target"])]
            return chance.sample(about, min(1, len(about)))
        case _:
            return events


@few
@given(
    what=acts,
    way=st.sampled_from(["each at once", "shuffled", "doubled", "all but one lost"]),
    seed=st.integers(0, 99),
)
def test_any_order_duplication_or_loss_of_all_but_one_ends_as_in_order(
    what: list[str], way: str, seed: int
) -> None:
    """Okta pushes nothing here, so that what is removed is removed by us."""
    have, _ = asyncio.run(end_of(what, way, seed, pushes=False))
    expected, should = asyncio.run(end_of(what, "in order", seed, pushes=False))
    assert have == expected
    assert have <= should


@few
@given(what=acts, way=st.sampled_from(["each at once", "in order", "shuffled"]))
def test_with_group_push_at_work_everybody_ends_with_what_okta_implies(
    what: list[str], way: str
) -> None:
    have, should = asyncio.run(end_of(what, way, 1, pushes=True))
    assert have == should


@few
@given(what=acts, seed=st.integers(0, 99))
def test_events_of_other_apps_change_nothing(what: list[str], seed: int) -> None:
    async def play() -> None:
        company = Company(Time())
        world = company.world
        ann = company.stale("ann", "blue", teams=("red",))
        other = world.add_app("Another vendor")
        with TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/hooks.db"
            async with company.service(url, Path(folder)) as run:
                before = company.groups(ann)
                reads = sum(world.counters.values())
                for number, _ in enumerate(what):
                    (world.assign if number % 2 == 0 else world.unassign)(ann, other)
                Random(seed).shuffle(world.outbox)
                await run.settle()
                assert company.groups(ann) == before
                assert sum(world.counters.values()) == reads, "nobody is looked at for it"

    asyncio.run(play())
