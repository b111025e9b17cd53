"""Push mappings and groups as they are remembered: list them, or accept a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import opening, text
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.opening import Json, Why
from hooks.core.ids import OrganizationGroupId, PushMappingId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hooks.cli.text import Record
    from hooks.store.database import Tx

app = typer.Typer(
    help="Push mappings and groups as remembered: list them, or accept a change.",
    invoke_without_command=True,
)

_MAPPING = {
    "mapping": "MAPPING",
    "directory": "DIRECTORY",
    "source": "OKTA SOURCE",
    "name": "ATLASSIAN GROUP",
    "state": "STATE",
}

_GROUP = {"group": "GROUP", "name": "REMEMBERED AS", "kept": "KEPT", "state": "STATE"}


@app.callback()
def list_mappings(context: typer.Context, *, as_json: Json = False) -> None:
    """Every push mapping once matched to an Atlassian group, and whether it may be acted on."""
    if context.invoked_subcommand:
        return
    records = opening.ask(_mappings)
    changed = [_group(row) for row in opening.ask(_changed)]
    if as_json:
        text.as_json([*records, *changed])
        return
    text.table(records, _MAPPING)
    if changed:
        print("\nGroups of the organization that are not as they were:\n")
        text.table(changed, _GROUP)


def _changed(tx: Tx) -> list[dict[str, object]]:
    from hooks.store import groups

    return groups.changed(tx)


def _group(row: Mapping[str, object]) -> Record:
    kept = "synced" if row["synced"] else "local"
    state = f"group_changed, {row['people']} refused"
    return {"group": row["id"], "name": row["name"], "kept": kept, "state": state}


def _mappings(tx: Tx) -> list[Record]:
    from hooks.store import mappings as remembered

    stuck = remembered.refused(tx)
    found: list[Record] = []
    for directory, links in remembered.remembered(tx).items():
        for link in links:
            cause, users = stuck.get((directory, link.group), ("", ()))
            state = f"{cause}, {len(users)} refused" if cause else "ok"
            found.append(
                {
                    "mapping": link.mapping,
                    "directory": directory,
                    "source": link.source,
                    "target": link.target,
                    "group": link.group,
                    "name": link.name,
                    "state": "accepted, matched anew at the next look" if link.accept else state,
                }
            )
    return found


@app.command("accept")
def accept_mapping(
    mapping: Annotated[str, typer.Argument(metavar="ID", help="A mapping or a group, as listed.")],
    why: Why,
) -> None:
    """Take a changed mapping or group as it is now.

    For a mapping that moved, or a group that was renamed or became synced or local; check it
    first.
    """
    known = PushMappingId.maybe(mapping) or OrganizationGroupId.maybe(mapping)
    if known is None:
        raise UsageError("ID: write the id as `hooks mappings` lists it")
    reason = opening.reason(why)
    marked = opening.change(lambda tx: _accept(tx, known, reason))
    print(f"accepted: {known} is taken as it is at the next look")
    print(f"{marked} of the people refused for it are looked at within a minute")


def _accept(tx: Tx, known: PushMappingId | OrganizationGroupId, why: str) -> int:
    from hooks.store import groups, orders
    from hooks.store import mappings as remembered

    room = remembered if isinstance(known, PushMappingId) else groups
    concerned = room.accept(tx, known)
    if concerned is None:
        raise FailedError(f"mappings: {known} is not remembered; `hooks mappings` lists them")
    orders.record(tx, "accept", known, who=opening.who(), why=why)
    return len(concerned)
