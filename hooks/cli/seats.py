"""What a removal ends, for commands that show removals: who is asked, how the answer is told.

Must live here: every word about seats. Must not know: what is removed, or why.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import opening, text
from hooks.cli.ends import UsageError
from hooks.cli.progress import Progress
from hooks.core.report import counted
from hooks.settings import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hooks.cli.text import Record
    from hooks.core.ids import OktaUserId
    from hooks.core.seats import App, Ending, Removal
    from hooks.gateways.organization import Organization
    from hooks.observe import Observer
    from hooks.seats import Told
    from hooks.wiring import House

Seats = Annotated[
    bool,
    typer.Option("--seats", help="Ask what app access that ends, and how many seats it frees."),
]
CAVEAT = (
    "Seats as far as groups show: an app given otherwise, or a role that takes no seat, is not"
    " counted out."
)
#: Groups of a line, those of most people first; ``--json`` has all.
_MOST_GROUPS = 5


# -- asking ------------------------------------------------------------------------------------


def asked(command: str, removals: Mapping[OktaUserId, Sequence[Removal]]) -> Told:
    """Open the vendors, and ask."""

    async def run() -> Told:
        async with opening.opened(Role.LOOK, vendors=True) as house:
            opening.quiet(logging.CRITICAL)  # what fails is told at the end, in a line
            return await of(house, command, removals)

    return asyncio.run(run())


def demand(house: House, command: str) -> tuple[Observer, Organization]:
    """Whoever is to be asked. Raises: UsageError where nobody is there."""
    if house.observer is None or house.observer.organization is None:
        raise UsageError(f"{command}: --seats asks the organization; give organization_id first")
    return house.observer, house.observer.organization


async def of(house: House, command: str, removals: Mapping[OktaUserId, Sequence[Removal]]) -> Told:
    """What ends with these removals."""
    from hooks import seats

    observer, organization = demand(house, command)
    progress = Progress(command)
    try:
        return await seats.of(
            removals,
            observer=observer,
            organization=organization,
            database=house.database,
            told=progress.say,
        )
    finally:
        progress.end()


# -- telling -----------------------------------------------------------------------------------


def app(named: App) -> str:
    """``jira-software on site 1234``, out of the resource's address."""
    owner, resource = named
    site = resource.rpartition("site/")[2] if "site/" in resource else resource
    return f"{owner or 'an app'} on site {site}" if site else owner or "an app"


def show(told: Told, what: str) -> None:
    """A paragraph about what ends; ``what`` is all that would be removed."""
    print()
    text.tell(f"seats, if {what} goes:")
    for words, below in _lines(told):
        text.tell(words, below=below)
    text.tell(CAVEAT)


def _lines(told: Told) -> Iterator[tuple[str, int]]:
    if not told.seats.apps:
        yield f"  {nothing(told)}", 4
    for named, each in told.seats.apps.items():
        yield f"  {app(named)}: {ends(each)}", 4
        if each.kept:
            yield f"    {keeps(told, each)}", 6
    if told.seats.untold:
        yield f"  {untold(told)}", 4


def nothing(told: Told) -> str:
    """What is said where no app is given by what is removed."""
    if told.seats.told:
        return f"of {counted(told.seats.told)} no group that is removed gives an app"
    return "nobody was counted" if told.seats.untold else "nobody loses anything"


def ends(each: Ending) -> str:
    """For how many people access ends, and how many seats that frees."""
    if not each.ended:
        return "ends for nobody, no seat free"
    idle = each.ended - each.freed
    free = f"{counted(each.freed, 'seat', 'seats')} free" if each.freed else "no seat free"
    inactive = f" ({counted(idle)} inactive, without a seat)" if idle else ""
    return f"ends for {counted(each.ended)}, {free}{inactive}"


def keeps(told: Told, each: Ending) -> str:
    """How many people keep it, by which other group."""
    by = sorted(each.by.items(), key=lambda one: (-one[1], told.names[one[0]]))
    named = [f"{told.names[group]} ({people})" for group, people in by[:_MOST_GROUPS]]
    if more := len(by) - len(named):
        named.append(counted(more, "other group", "other groups"))
    return f"kept for {counted(each.kept)} by {', '.join(named)}"


def untold(told: Told) -> str:
    """Who is not counted, and why that may be."""
    from hooks.seats import MOST_ASKED

    return (
        f"{counted(told.seats.untold)} not counted: their account or their group is not told, or"
        f" they come after the first {MOST_ASKED}"
    )


def record(told: Told) -> Record:
    """The same for programs."""
    return {
        "apps": [
            {
                "app": owner,
                "resource": resource,
                "ended": each.ended,
                "freed": each.freed,
                "kept": each.kept,
                "kept_by": [
                    {"id": group, "name": told.names[group], "people": people}
                    for group, people in sorted(each.by.items())
                ],
            }
            for (owner, resource), each in told.seats.apps.items()
        ],
        "told": told.seats.told,
        "untold": told.seats.untold,
    }
