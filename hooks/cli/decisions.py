"""What waits for a person's yes or no: incidents and their holds; show them, and decide."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import opening, seats, text
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.holding import (
    Choice,
    all_incidents,
    by_group,
    held_in,
    one_incident,
    removals,
    steps,
)
from hooks.cli.opening import Json, Limit, Reason
from hooks.core.report import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hooks.cli.text import Record
    from hooks.store.database import Tx
    from hooks.wiring import House

held = typer.Typer(
    help="Holds: removals over the brake's limits, until somebody decides.",
    invoke_without_command=True,
)

_HELD = {
    "id": "ID",
    "at": "SINCE (UTC)",
    "user": "USER",
    "class": "CLASS",
    "groups": "GROUPS",
    "state": "STATE",
}
_INCIDENT = {
    "id": "INCIDENT",
    "at": "HELD SINCE (UTC)",
    "class": "CLASS",
    "held": "HELD",
    "done": "DONE",
    "since": "DONE SINCE (UTC)",
    "state": "STATE",
}
#: Of an incident nothing else goes out, unless somebody takes a rejection back.
_MAY_GO = ("waiting", "approved")
_DIFF = {"id": "ID", "user": "USER", "state": "STATE", "names": "REMOVED FROM"}

Ids = Annotated[list[int] | None, typer.Argument(metavar="ID", help="Holds, as listed.")]
User = Annotated[str | None, typer.Option("--user", metavar="USER", help="All of this person.")]
Class = Annotated[str | None, typer.Option("--class", metavar="CLASS", help="All of this class.")]
Incident = Annotated[
    int | None, typer.Option("--incident", metavar="ID", min=1, help="All of this incident.")
]
Every = Annotated[bool, typer.Option("--all", help="Those that are over too.")]


# -- showing -----------------------------------------------------------------------------------


@held.callback()
def list_held(
    context: typer.Context,
    user: User = None,
    kind: Class = None,
    incident: Incident = None,
    *,
    every: Every = False,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """Incidents and holds, oldest first, and how to decide."""
    if not context.invoked_subcommand:
        _list(Choice((), user, kind, incident), every=every, limit=limit, as_json=as_json)


@held.command("list")
def list_all(
    user: User = None,
    kind: Class = None,
    incident: Incident = None,
    *,
    every: Every = False,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """Incidents and holds, as without a command."""
    _list(Choice((), user, kind, incident), every=every, limit=limit, as_json=as_json)


def _list(choice: Choice, *, every: bool, limit: int, as_json: bool) -> None:
    records, found = opening.ask(
        lambda tx: (choice.holds(tx, every=every), all_incidents(tx, every=every))
    )
    shown = records[:limit]
    if as_json:
        text.as_json(shown)
        return
    if found and not choice.given:
        text.table(found, _INCIDENT)
        print()
    text.table([each | {"groups": len(steps(each))} for each in shown], _HELD)
    if len(records) > limit:
        print(f"\n{len(records) - limit} more: --limit")
    if any(each["state"] == "waiting" for each in records):
        print("\nApprove or reject: hooks held approve ID... --reason TEXT")
        print("(or --user USER, --class CLASS, --incident ID for all that waits there)")


@held.command("incidents")
def list_incidents(*, every: Every = False, as_json: Json = False) -> None:
    """Classes over their limit: who is held, what was done."""
    found = opening.ask(lambda tx: all_incidents(tx, every=every))
    if as_json:
        text.as_json(found)
        return
    text.table(found, _INCIDENT)


@held.command("show")
def show_hold(
    hold: Annotated[int | None, typer.Argument(metavar="ID", help="A hold, as listed.")] = None,
    incident: Incident = None,
    *,
    limit: Limit = 100,
    after: Annotated[
        int, typer.Option("--after", metavar="ID", help="Go on from here: newer than this hold.")
    ] = 0,
    frees: seats.Seats = False,
    as_json: Json = False,
) -> None:
    """One hold, or an incident: whom, and from which groups.

    With --seats the vendors are asked what app access ends with it, what another group still
    gives, and how many seats come free; without, nobody is.
    """
    if (hold is None) is (incident is None):
        raise UsageError("held show: name the ID of a hold, or give --incident")
    if incident is not None:
        _show_incident(incident, limit, after, frees=frees, as_json=as_json)
        return
    found = {each["id"]: each for each in opening.ask(partial(Choice().holds, every=True))}.get(
        hold
    )
    if found is None:
        raise FailedError(f"held: there is no hold {hold}; `hooks held --all` lists them")
    told = seats.asked("held show", removals([found])) if frees else None
    if as_json:
        text.as_json(found | ({"seats": seats.record(told)} if told else {}))
        return
    heads = {key: head for key, head in _HELD.items() if key != "groups"}
    text.fields(found, heads | {"incident": "INCIDENT"})
    for each in steps(found):
        text.tell(f"  remove  {each['name']}  {each['id']}", below=10)
    if told:
        seats.show(told, "what it holds")


def _show_incident(incident: int, limit: int, after: int, *, frees: bool, as_json: bool) -> None:
    record, every = opening.ask(lambda tx: (one_incident(tx, incident), held_in(tx, incident)))
    open_ = [each for each in every if each["state"] in _MAY_GO]
    told = seats.asked("held show", removals(open_)) if frees else None
    later = [each for each in every if int(str(each["id"])) > after]
    page = later[:limit]
    if as_json:
        whole = record | {"holds": page}
        text.as_json(whole | ({"seats": seats.record(told)} if told else {}))
        return
    text.fields(record, _INCIDENT)
    print()
    for line in by_group(every):
        print(line)
    print()
    rows = [{**each, "names": ", ".join(one["name"] for one in steps(each))} for each in page]
    text.table(rows, _DIFF)
    if len(later) > limit:
        print(f"\n{len(later) - limit} more: --after {page[-1]['id']}")
    if told:
        seats.show(told, "all that waits, or is approved,")


# -- deciding ----------------------------------------------------------------------------------


@held.command("approve")
def approve(
    ids: Ids = None,
    user: User = None,
    kind: Class = None,
    incident: Incident = None,
    *,
    dry_run: opening.DryRun = False,
    why: Reason = None,
) -> None:
    """Let removals go out once, if still wanted."""
    done = _decide(Choice(tuple(ids or ()), user, kind, incident), why, dry_run, yes=True)
    if done is None:
        return
    print(f"approved; {counted(done.people)} looked at again with fresh readings")
    print("What is still wanted is removed then; the limits stay as they are.")
    print("`hooks serve` does it within seconds; see: hooks steps")
    opening.with_house(lambda house: opening.say_if_paused(house.database))


@held.command("reject")
def reject(
    ids: Ids = None,
    user: User = None,
    kind: Class = None,
    incident: Incident = None,
    *,
    dry_run: opening.DryRun = False,
    why: Reason = None,
) -> None:
    """Keep the memberships until nothing wants them removed.

    Nobody held counts as returning when assigned again. With --incident or --class, neither does
    whoever lost something in it before; that works when nothing waits any more, too.
    """
    done = _decide(Choice(tuple(ids or ()), user, kind, incident), why, dry_run, yes=False)
    if done is None:
        return
    if done.people:
        print(f"rejected; {counted(done.people)} keep what was held")
        print("Later looks hold it again; to take the rejection back, approve it.")
    if done.excused:
        print(f"{counted(done.excused)} who lost something before: assigned again, not returning")
    for each in done.incidents:
        if each["done"]:
            lost = counted(int(str(each["done"])))
            print(f"In incident {each['id']} {lost} lost something; to give it back:")
            print(f"  hooks restore --incident {each['id']} --reason TEXT")


@dataclass(frozen=True, slots=True)
class _Decided:
    """How many people it was about, and the incidents they were held in.

    ``excused`` counts those besides, who lost something in an incident that is rejected whole.
    """

    people: int
    incidents: Sequence[Record]
    excused: int = 0


#: Holds decided in one transaction; no command holds one over more rows. Design 5.1.
_TOGETHER = 500


def _decide(choice: Choice, why: str | None, dry_run: bool, *, yes: bool) -> _Decided | None:  # noqa: FBT001
    ways = (choice.ids, *choice.given.values())
    if sum(1 for each in ways if each) != 1:
        raise UsageError("held: name the IDs, or give one of --user, --class, --incident")
    if dry_run is (why is not None):
        raise UsageError("held: give --reason TEXT, or --dry-run")
    if why is None:
        chosen = opening.ask(lambda tx: choice.decidable(tx, yes=yes))
        for line in by_group(chosen):
            print(line)
        people = counted(len({each["user"] for each in chosen}))
        if not yes and (lost := opening.ask(lambda tx: choice.lost(tx, chosen))):
            print(f"  {counted(len(lost))} who lost something before would be excused too")
        print(f"Dry run: {people}, nothing was changed.")
        return None
    reason = opening.reason(why)
    return opening.with_house(partial(_decided, choice=choice, why=reason, yes=yes))


def _decided(house: House, choice: Choice, why: str, *, yes: bool) -> _Decided:
    from hooks.store import holds

    chosen = house.database.read_now(lambda tx: choice.decidable(tx, yes=yes))
    ids = [int(str(each["id"])) for each in chosen]
    people: set[str] = set()
    for start in range(0, len(ids), _TOGETHER):
        some = ids[start : start + _TOGETHER]
        decide = partial(holds.decide, ids=some, approve=yes, who=opening.who(), why=why)
        people.update(house.database.write_now(decide))
    found = house.database.read_now(lambda tx: all_incidents(tx, every=True))
    concerned = {each["incident"] for each in chosen} | {choice.incident}
    excused = _excused(house, choice, chosen, why, yes=yes)
    return _Decided(len(people), [each for each in found if each["id"] in concerned], excused)


def _excused(house: House, choice: Choice, chosen: list[Record], why: str, *, yes: bool) -> int:
    """Excuse who lost something in an incident that is rejected whole; a yes takes it back."""
    from hooks.store import excuses

    def some(tx: Tx, incident: int, after: str) -> tuple[str, int]:
        lost = excuses.lost(tx, incident, after=after)
        last = lost[-1].user if lost else ""
        if not yes:
            return last, len(excuses.excuse(tx, lost, who=opening.who(), why=why))
        if not excuses.rejected(tx, incident):
            excuses.blame(tx, lost)
        return last, 0

    number = 0
    for incident in choice.whole(chosen, yes=yes):
        last = ""
        while True:
            last, more = house.database.write_now(partial(some, incident=incident, after=last))
            number += more
            if not last:
                break
    return number
