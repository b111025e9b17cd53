"""What is stored: events, the journal's steps, what is refused, and which mappings are known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import opening, text
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.opening import Before, Json, Limit, Why
from hooks.core.ids import PushMappingId, Uuid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hooks.cli.text import Record
    from hooks.store.database import Tx

events = typer.Typer(help="Stored events: list them, or show one.", invoke_without_command=True)
mappings = typer.Typer(
    help="Push mappings as they are remembered: list them, or accept a change.",
    invoke_without_command=True,
)

_EVENT = {
    "id": "ID",
    "received": "RECEIVED (UTC)",
    "type": "TYPE",
    "subject": "ABOUT",
    "state": "STATE",
    "uuid": "UUID",
}
_STEP = {
    "id": "ID",
    "at": "TIME (UTC)",
    "user": "USER",
    "action": "ACTION",
    "name": "GROUP",
    "reason": "REASON",
    "state": "STATE",
    "code": "CODE",
}
_REFUSED = {
    "at": "SINCE (UTC)",
    "user": "USER",
    "directory": "DIRECTORY",
    "cause": "CAUSE",
    "group": "GROUP",
    "detail": "WHAT WAS ANSWERED",
}
_MAPPING = {
    "mapping": "MAPPING",
    "directory": "DIRECTORY",
    "source": "OKTA SOURCE",
    "name": "ATLASSIAN GROUP",
    "state": "STATE",
}


def _older(records: list[Record], limit: int) -> None:
    """Where a list was cut, how to go on."""
    if records and len(records) == limit:
        print(f"\nThere may be more: --before {records[-1]['id']}")


# -- events ------------------------------------------------------------------------------------


@events.callback()
def list_events(
    context: typer.Context,
    about: Annotated[
        str | None, typer.Option("--about", metavar="ID", help="Only of this Okta user or group.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only of this event type.")
    ] = None,
    *,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those not settled.")] = False,
    limit: Limit = 50,
    before: Before = None,
    as_json: Json = False,
) -> None:
    """Stored events, newest first; payloads stay sealed."""
    if context.invoked_subcommand:
        return
    from hooks.store import inbox

    wanted = inbox.Wanted(
        subject=opening.okta_id(about), type=kind, waiting=waiting, before=before, limit=limit
    )
    records = [_event(row) for row in opening.ask(lambda tx: inbox.listed(tx, wanted))]
    if as_json:
        text.as_json(records)
        return
    text.table(records, _EVENT)
    _older(records, limit)


@events.command("show")
def show_event(
    uuid: Annotated[str, typer.Argument(metavar="UUID", help="The event's uuid, as listed.")],
    *,
    payload: Annotated[
        bool, typer.Option("--payload", help="Open the sealed payload too; it names people.")
    ] = False,
    as_json: Json = False,
) -> None:
    """One stored event."""
    from hooks.store import inbox

    known = Uuid.maybe(uuid)
    if known is None:
        raise UsageError("UUID: write the event's uuid as `hooks events` lists it")
    found = opening.with_house(
        lambda house: house.database.read_now(
            lambda tx: (
                inbox.opened(tx, known.lower(), house.sealer)
                if payload
                else inbox.closed(tx, known.lower())
            )
        )
    )
    if found is None:
        raise FailedError(f"events: {known} is not stored; `hooks events` lists what is")
    record = _event(found[0])
    content = json.loads(found[1]) if found[1] else None
    if as_json:
        text.as_json(record | ({"payload": content} if payload else {}))
        return
    text.fields(record, _EVENT | {"published": "PUBLISHED", "origin": "ORIGIN"})
    if payload:
        print()
        if content is None:
            print("no payload is kept of events of other apps and types")
        else:
            text.as_json(content)


def _event(row: Mapping[str, object]) -> Record:
    settled = text.instant(row["settled"])
    return {
        "id": row["id"],
        "uuid": row["uuid"],
        "type": row["type"],
        "subject": row["subject"],
        "state": "settled" if settled else "waiting",
        "published": text.instant(row["published"]),
        "received": text.instant(row["received"]),
        "settled": settled,
        "origin": row["origin"],
        "delivery": row["delivery"],
    }


# -- steps -------------------------------------------------------------------------------------


def steps(
    user: Annotated[
        str | None, typer.Argument(metavar="USER", help="Only of this Okta id.")
    ] = None,
    *,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Below each step what it rests on.")
    ] = False,
    limit: Limit = 50,
    before: Before = None,
    as_json: Json = False,
) -> None:
    """The journal: every membership changed, why, and what became of it; newest first."""
    from hooks.store import journal

    subject = opening.okta_id(user)
    rows = opening.ask(lambda tx: journal.list_steps(tx, user=subject, limit=limit, before=before))
    records = [step_of(row) for row in rows]
    if as_json:
        text.as_json(records)
    elif evidence:
        _with_evidence(records)
        _older(records, limit)
    else:
        text.table(records, _STEP)
        _older(records, limit)


def step_of(row: Mapping[str, object]) -> Record:
    """A step of the journal as a record: its last outcome in front, all of them behind."""
    outcomes = row["outcomes"]
    told = [
        {"state": each["state"], "code": each["code"], "at": text.instant(each["at"])}
        for each in (outcomes if isinstance(outcomes, list) else [])
    ]
    last = told[-1] if told else {"state": "open", "code": ""}
    keep = ("id", "user", "directory", "via", "action", "group", "name", "scim_id", "reason")
    return {
        **{key: row[key] for key in keep},
        "at": text.instant(row["at"]),
        "state": last["state"],
        "code": last["code"],
        "evidence": row["evidence"],
        "events": row["events"],
        "outcomes": told,
    }


def _with_evidence(records: Iterable[Record]) -> None:
    for record in records:
        text.fields(record, _STEP)
        for key in ("evidence", "events"):
            values = record[key]
            for value in values if isinstance(values, list) else []:
                print(f"  {key[:-1] if key == 'events' else key}  {value}")
        outcomes = record["outcomes"]
        for each in outcomes if isinstance(outcomes, list) else []:
            print(f"  {each['at']}  {each['state']} {each['code']}".rstrip())
        print()


# -- refusals ----------------------------------------------------------------------------------


def refused(
    user: Annotated[
        str | None, typer.Argument(metavar="USER", help="Only of this Okta id.")
    ] = None,
    *,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """What is left alone now, since when, and the way out; oldest first."""
    from hooks.core.refusal import WAY_OUT, Cause
    from hooks.store import people

    subject = opening.okta_id(user)
    rows = opening.ask(lambda tx: people.refused(tx, user=subject, limit=limit))
    ways = {each.value: way for each, way in WAY_OUT.items()}
    records: list[Record] = [
        {
            "id": row["id"],
            "at": text.instant(row["at"]),
            "user": row["user"],
            "directory": row["directory"],
            "group": row["group"] or None,
            "cause": row["cause"],
            "detail": row["detail"],
            "way_out": ways.get(str(row["cause"]), ""),
        }
        for row in rows
    ]
    if as_json:
        text.as_json(records)
        return
    text.table(records, _REFUSED)
    causes = {str(record["cause"]) for record in records}
    for cause in (each for each in Cause if each.value in causes):
        print(f"\n{cause}: {WAY_OUT[cause]}")
    if len(records) == limit:
        print("\nThere may be more: --limit")


# -- mappings ----------------------------------------------------------------------------------


@mappings.callback()
def list_mappings(context: typer.Context, *, as_json: Json = False) -> None:
    """Every push mapping once matched to an Atlassian group, and whether it may be acted on."""
    if context.invoked_subcommand:
        return
    records = opening.ask(_mappings)
    if as_json:
        text.as_json(records)
        return
    text.table(records, _MAPPING)


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


@mappings.command("accept")
def accept_mapping(
    mapping: Annotated[str, typer.Argument(metavar="MAPPING_ID", help="As listed.")], why: Why
) -> None:
    """Have a changed mapping matched anew.

    For one that moved or whose group was renamed; check it in Okta first.
    """
    known = PushMappingId.maybe(mapping)
    if known is None:
        raise UsageError("MAPPING_ID: write the id as `hooks mappings` lists it")
    reason = opening.reason(why)
    marked = opening.change(lambda tx: _accept(tx, known, reason))
    print(f"accepted: {known} is matched anew at the next look")
    print(f"{marked} of the people refused for it are looked at now")


def _accept(tx: Tx, mapping: PushMappingId, why: str) -> int:
    from hooks.store import holds, line
    from hooks.store import mappings as remembered

    concerned = remembered.accept(tx, mapping)
    if concerned is None:
        raise FailedError(f"mappings: {mapping} is not remembered; `hooks mappings` lists them")
    holds.order(tx, "accept", mapping, who=opening.who(), why=why)
    line.mark(tx, concerned, "user", lane=line.BULK, due_at=tx.now, events=False)
    return len(concerned)
