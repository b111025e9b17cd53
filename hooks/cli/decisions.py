"""What waits for a person's yes or no: holds; show them, and decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import opening, text
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.opening import Json, Limit, Why
from hooks.core.report import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hooks.cli.text import Record
    from hooks.store.database import Tx

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

Ids = Annotated[list[int] | None, typer.Argument(metavar="ID", help="Holds, as listed.")]
Class = Annotated[
    str | None, typer.Option("--class", metavar="CLASS", help="All holds of this class.")
]


@held.callback()
def list_held(
    context: typer.Context,
    *,
    every: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """Holds, oldest first, and how to decide."""
    if context.invoked_subcommand:
        return
    from hooks.store import holds

    records = [_hold(row) for row in opening.ask(lambda tx: holds.listed(tx, every=every))]
    shown = records[:limit]
    if as_json:
        text.as_json(shown)
        return
    text.table([each | {"groups": len(_steps(each))} for each in shown], _HELD)
    if len(records) > limit:
        print(f"\n{len(records) - limit} more: --limit")
    if any(each["state"] == "waiting" for each in records):
        print("\nApprove or reject: hooks held approve ID... --reason TEXT (or --class CLASS)")


@held.command("show")
def show_hold(
    hold: Annotated[int, typer.Argument(metavar="ID", help="As listed.")], *, as_json: Json = False
) -> None:
    """One hold, with the removals it keeps back."""
    records = opening.ask(_holds)
    found = records.get(hold)
    if found is None:
        raise FailedError(f"held: there is no hold {hold}; `hooks held --all` lists them")
    if as_json:
        text.as_json(found)
        return
    text.fields(found, {key: head for key, head in _HELD.items() if key != "groups"})
    for each in _steps(found):
        text.tell(f"  remove  {each['name']}  {each['id']}", below=10)


@held.command("approve")
def approve(why: Why, ids: Ids = None, kind: Class = None) -> None:
    """Let removals go out once, if still wanted."""
    people = _decide(ids, kind, why, yes=True)
    print(f"approved; {counted(people)} looked at again with fresh readings")
    print("What is still wanted is removed then; the limits stay as they are.")
    print("`hooks serve` does it within seconds; see: hooks steps")


@held.command("reject")
def reject(why: Why, ids: Ids = None, kind: Class = None) -> None:
    """Keep the memberships until nothing wants them removed."""
    people = _decide(ids, kind, why, yes=False)
    print(f"rejected; {counted(people)} keep what was held")
    print("Later looks hold it again; to take the rejection back, approve it.")


def _decide(ids: Sequence[int] | None, kind: str | None, why: str, *, yes: bool) -> int:
    if bool(ids) is bool(kind):
        raise UsageError("held: name the IDs, or give --class")
    reason = opening.reason(why)
    return opening.change(lambda tx: _decided(tx, ids or (), kind, reason, yes=yes))


def _decided(tx: Tx, ids: Sequence[int], kind: str | None, why: str, *, yes: bool) -> int:
    from hooks.store import holds

    # Only naming a hold takes back what was decided about it.
    back = () if kind else ("rejected",) if yes else ("approved",)
    states = ("waiting", *back)
    open_ = {key for key, each in _holds(tx).items() if each["state"] in states}
    chosen = (
        [key for key, each in _holds(tx).items() if each["class"] == kind and key in open_]
        if kind
        else list(ids)
    )
    if strange := sorted(set(chosen) - open_):
        verb = "approved" if yes else "rejected"
        named = ", ".join(map(str, strange))
        raise FailedError(f"held: {named} cannot be {verb}; nothing was changed; see: hooks held")
    if not chosen:
        raise FailedError(f"held: nothing of class {kind} waits; see: hooks held")
    return len(holds.decide(tx, chosen, approve=yes, who=opening.who(), why=why))


def _holds(tx: Tx) -> dict[int, Record]:
    from hooks.store import holds

    return {int(str(row["id"])): _hold(row) for row in holds.listed(tx, every=True)}


def _hold(row: Mapping[str, object]) -> Record:
    steps = row["steps"]
    return {
        "id": row["id"],
        "at": text.instant(row["at"]),
        "user": row["user"],
        "directory": row["directory"],
        "class": row["brake_class"],
        "state": row["state"],
        "decided": text.instant(row["decided"]),
        "steps": [
            {"id": group, "name": name}
            for group, name, *_ in (steps if isinstance(steps, list) else [])
        ],
    }


def _steps(record: Mapping[str, object]) -> list[dict[str, str]]:
    steps = record["steps"]
    return steps if isinstance(steps, list) else []
