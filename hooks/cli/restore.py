"""Give back what was removed: show which memberships, and order it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import opening, text
from hooks.cli.ends import FAILED, FailedError, UsageError
from hooks.cli.opening import Json, Limit, Reason, Since, Until
from hooks.cli.progress import Progress
from hooks.core.memory import Ordered
from hooks.core.refusal import WAY_OUT
from hooks.core.report import counted
from hooks.settings import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hooks.cli.foresight import Seen
    from hooks.cli.text import Record
    from hooks.core.ids import OktaUserId
    from hooks.store.database import Tx
    from hooks.store.taken import Meant, Removal
    from hooks.wiring import House

_REMOVAL = {
    "step": "STEP",
    "at": "REMOVED (UTC)",
    "user": "USER",
    "name": "GROUP",
    "reason": "REASON",
}
_ORDER = {"at": "ORDERED (UTC)", "user": "USER", "memberships": "MEMBERSHIPS", "result": "RESULT"}
#: People in one transaction, and removals in one read. Design 5.1.
_PORTION = 100

Users = Annotated[list[str] | None, typer.Argument(metavar="USER", help="Okta ids.")]
Incident = Annotated[
    int | None,
    typer.Option("--incident", metavar="ID", help="What was done before the brake caught."),
]
Steps = Annotated[
    list[int] | None,
    typer.Option("--step", metavar="ID", help="One removal, though others changed it since."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Read, and tell what would come of it; change nothing.")
]
Orders = Annotated[bool, typer.Option("--orders", help="List what was ordered, and the results.")]


def restore(
    users: Users = None,
    *,
    since: Since = None,
    until: Until = None,
    incident: Incident = None,
    steps: Steps = None,
    orders: Orders = False,
    dry_run: DryRun = False,
    reason: Reason = None,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """Give back memberships that this service removed, of USERs, of a time, or of an incident.

    Only what a look would leave alone is given: whoever is still away, or out of the groups that
    justify it, gets nothing. What others have changed since is given only if named by --step.
    """
    chosen = bool(users) or any(each is not None for each in (since, until, incident))
    if orders:
        if chosen or steps or dry_run or reason is not None:
            raise UsageError("restore: --orders takes nothing besides --limit and --json")
        _list_orders(limit, as_json=as_json)
        return
    if chosen is bool(steps):
        raise UsageError("restore: name USERs, --since, --until or --incident; or --step IDs")
    if dry_run is (reason is not None):
        raise UsageError("restore: give --reason TEXT, or --dry-run")
    from hooks.store.taken import Meant

    meant = Meant(
        users=tuple(known for each in users or () if (known := opening.okta_id(each))),
        since=opening.microseconds("--since", since),
        until=opening.microseconds("--until", until),
        incident=incident,
        steps=tuple(steps or ()),
    )
    why = None if reason is None else opening.reason(reason)
    if not asyncio.run(_restore(_Asked(meant, why, as_json=as_json))):
        raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is meant; ``why`` is ``None`` for a dry run."""

    meant: Meant
    why: str | None
    as_json: bool


async def _restore(asked: _Asked) -> bool:
    """Do it; whether everybody could be read."""
    dry = asked.why is None
    async with opening.opened(Role.LOOK if dry else Role.STORE, vendors=dry) as house:
        gone = _meant(house, asked.meant)
        if asked.why is not None:
            _order(house, gone, asked.meant, asked.why)
            _tell_ordered(gone, asked)
            if not asked.as_json:
                opening.say_if_paused(house.database)
            return True
        return await _foresee(house, gone, asked)


def _meant(house: House, meant: Meant) -> list[Removal]:
    """Everything that is meant."""
    from hooks.store import incidents, taken

    def after(last: int) -> list[Removal]:
        return house.database.read_now(lambda tx: taken.page(tx, meant, after=last, limit=_PORTION))

    number = meant.incident
    if number is not None and not house.database.read_now(lambda tx: incidents.one(tx, number)):
        raise FailedError(f"restore: there is no incident {number}; see: hooks held incidents")
    found: list[Removal] = []
    while more := after(found[-1].id if found else 0):
        found += more
    if strange := sorted({*meant.steps} - {each.id for each in found}):
        named = ", ".join(map(str, strange))
        raise FailedError(f"restore: {named}: no removal that was carried out; see: hooks steps")
    if not found:
        raise FailedError("restore: no removal is meant that was not given back; see: hooks steps")
    return found


def _by_user(gone: Sequence[Removal]) -> dict[OktaUserId, list[Removal]]:
    found: defaultdict[OktaUserId, list[Removal]] = defaultdict(list)
    for each in gone:
        found[each.user].append(each)
    return dict(found)


# -- ordering ----------------------------------------------------------------------------------


def _order(house: House, gone: Sequence[Removal], meant: Meant, why: str) -> None:
    from hooks.store import line, orders

    named, people = bool(meant.steps), _by_user(gone)
    lane = line.lane_for(len(people))
    progress = Progress("restore")
    users = sorted(people)
    for start in range(0, len(users), _PORTION):
        some = users[start : start + _PORTION]
        progress.say(f"{counted(start)} of {len(users)} ordered so far")

        def write(tx: Tx, some: Sequence[OktaUserId] = some) -> None:
            for user in some:
                steps = [each.id for each in people[user]]
                orders.restore(tx, user, steps, named=named, who=opening.who(), why=why)
            line.mark(tx, some, "user", lane=lane, due_at=tx.now, events=False)

        house.database.write_now(write)
    progress.end()


def _tell_ordered(gone: Sequence[Removal], asked: _Asked) -> None:
    if asked.as_json:
        text.as_json({"dry_run": False, "removals": [_record(each) for each in gone]})
        return
    text.table([_record(each) for each in gone], _REMOVAL)
    print(f"\nordered back: {_counts(gone)}, where nothing speaks against it")
    print("`hooks serve` does it within seconds; what came of it: hooks restore --orders")


def _record(each: Removal) -> Record:
    return {
        "step": each.id,
        "at": text.instant(each.at),
        "user": each.user,
        "directory": each.directory,
        "group": each.group,
        "name": each.name,
        "reason": each.reason,
    }


def _counts(gone: Sequence[Removal]) -> str:
    people = len({each.user for each in gone})
    return f"{counted(len(gone), 'membership', 'memberships')} of {counted(people)}"


def _list_orders(limit: int, *, as_json: bool) -> None:
    from hooks.store import orders

    records = [_order_record(row) for row in opening.ask(lambda tx: orders.restores(tx, limit))]
    if as_json:
        text.as_json(records)
        return
    text.table([each | {"memberships": len(text.items(each["steps"]))} for each in records], _ORDER)
    if len(records) == limit:
        print("\nThere may be more: --limit")


def _order_record(row: Mapping[str, object]) -> Record:
    return {
        "id": row["id"],
        "at": text.instant(row["at"]),
        "user": row["ref"],
        "steps": row["steps"],
        "who": row["who"],
        "why": row["why"],
        "done": text.instant(row["done"]),
        "result": row["result"] or "waits for `hooks serve`",
    }


# -- what would come of it ---------------------------------------------------------------------


async def _foresee(house: House, gone: Sequence[Removal], asked: _Asked) -> bool:
    from hooks.cli import foresight

    people = _by_user(gone)
    named = bool(asked.meant.steps)
    ordered = {
        user: tuple(Ordered(each.id, named=named) for each in some) for user, some in people.items()
    }
    work = await foresight.Foresight.of(house, ordered=ordered)
    progress = Progress("restore")
    records: list[Record] = []
    async for seen in work.run(sorted(people)):
        records += [_record(each) | _then(seen, each) for each in people[seen.user]]
        progress.say(f"{counted(len(records), 'membership', 'memberships')} judged so far")
    progress.end()
    given = sum(each["then"] == "given back" for each in records)
    if asked.as_json:
        text.as_json({"dry_run": True, "removals": records})
    else:
        text.table(records, _REMOVAL | {"then": "THEN"})
        for cause in sorted({str(each["then"]) for each in records} & WAY_OUT.keys()):
            print()
            text.tell(f"{cause}: {WAY_OUT[cause]}", below=2)  # type: ignore[index]
        print(f"\nDry run: of {_counts(gone)} {given} would be given back; nothing was changed.")
    return not work.unread


def _then(seen: Seen, each: Removal) -> Record:
    """What would become of one membership."""
    if seen.plan is None:
        return {"then": f"not read: {seen.error}"}
    for place in seen.plan.places:
        for answer in place.answered:
            if answer.step == each.id:
                done = "given back" if answer.added else "nothing to give"
                return {"then": answer.cause or done}
    causes = [refusal.cause for place in seen.plan.places if place.name == each.directory
              for refusal in place.refusals if refusal.group is None]  # fmt: skip
    return {"then": causes[0] if causes else "undecided"}
