"""What is stored: events, the journal's steps, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from hooks.cli import opening, text
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.export import NOT_JSON, NOT_KEPT, readable
from hooks.cli.opening import Before, Json, Limit
from hooks.core.ids import Uuid
from hooks.core.membership import Action, State, Via
from hooks.core.report import CALLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hooks.cli.text import Record
    from hooks.store.database import Tx

events = typer.Typer(help="Stored events: list them, or show one.", invoke_without_command=True)


class _ListedByDefault(TyperGroup):
    """Without the name of a command, `list` is meant, whatever stands there."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put it there."""
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


steps = typer.Typer(
    cls=_ListedByDefault,
    help="The journal. `hooks steps [USER]` is `hooks steps list [USER]`.",
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
    text.table([each | {"state": _state(each)} for each in records], _EVENT)
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
    content = _content(found[1]) if found[1] else None
    if as_json:
        text.as_json(record | ({"payload": content} if payload else {}))
        return
    more = {"published": "PUBLISHED", "origin": "ORIGIN", "replayed": "REPLAYED"}
    text.fields(record, _EVENT | more)
    if payload:
        print()
        if content is None:
            print(NOT_KEPT)
        else:
            text.as_json(content)


def _content(payload: bytes) -> object:
    try:
        return readable(payload)
    except (ValueError, RecursionError):
        raise FailedError(f"events: {NOT_JSON}") from None


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
        "replayed": text.instant(row["replayed"]),
        "origin": row["origin"],
        "delivery": row["delivery"],
    }


def _state(record: Record) -> str:
    return f"{record['state']}, replayed" if record["replayed"] else str(record["state"])


# -- steps -------------------------------------------------------------------------------------


@steps.command("list", short_help="Every change, why, and what became of it.")
def list_steps(
    user: Annotated[
        str | None, typer.Argument(metavar="USER", help="Only of this Okta id.")
    ] = None,
    *,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Below each step what it rests on.")
    ] = False,
    refused: Annotated[
        bool,
        typer.Option("--refused", help="Instead: what is left alone now, and the way out."),
    ] = False,
    parked: Annotated[
        bool,
        typer.Option("--parked", help="Only removals that wait for an inactive account."),
    ] = False,
    observed: Annotated[
        bool,
        typer.Option("--observed", help="Only what mode enforce would have sent, and still would."),
    ] = False,
    limit: Limit = 50,
    before: Before = None,
    as_json: Json = False,
) -> None:
    """The journal: every membership changed, why, and what became of it; newest first."""
    from hooks.store import journal

    subject = opening.okta_id(user)
    if refused:
        if evidence or parked or observed or before:
            raise UsageError("--refused goes with USER, --limit and --json only")
        _refused(subject, limit=limit, as_json=as_json)
        return
    if parked and observed:
        raise UsageError("steps: --parked or --observed, not both")
    state = State.PARKED if parked else State.OBSERVED if observed else None
    rows = opening.ask(
        lambda tx: journal.list_steps(tx, user=subject, state=state, limit=limit, before=before)
    )
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
        for each in text.items(outcomes)
    ]
    last = told[-1] if told else {"state": "open", "code": ""}
    keep = ("id", "user", "directory", "via", "action", "group", "name", "scim_id", "account",
            "reason")  # fmt: skip
    return {
        **{key: row[key] for key in keep},
        "at": text.instant(row["at"]),
        "read": text.instant(row["read"]),
        "call": CALLS[Via(str(row["via"])), Action(str(row["action"]))],
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
            for value in text.items(values):
                text.tell(f"  {key.removesuffix('s'):<8}  {value}", below=12)
        outcomes = record["outcomes"]
        for each in text.items(outcomes):
            text.tell(f"  {each['at']}  {each['state']} {each['code']}")
        print()


# -- refusals ----------------------------------------------------------------------------------


def _refused(subject: str | None, *, limit: int, as_json: bool) -> None:
    """What is left alone now, since when, and the way out; oldest first."""
    rows, names = opening.ask(lambda tx: _left_alone(tx, subject, limit))
    keep = ("id", "user", "directory", "cause", "detail")
    records: list[Record] = [
        {
            **{key: row[key] for key in keep},
            "at": text.instant(row["at"]),
            "group": row["group"] or None,
            "name": names.get(str(row["group"])),
            "way_out": way_out(row),
        }
        for row in rows
    ]
    if as_json:
        text.as_json(records)
        return
    shown = [
        {**each, "group": f"{each['name']} {each['group']}" if each["name"] else each["group"]}
        for each in records
    ]
    text.table(shown, _REFUSED)
    for cause, way in dict.fromkeys((record["cause"], record["way_out"]) for record in records):
        print()
        text.tell(f"{cause}: {way}", below=2)
    if len(records) == limit:
        print("\nThere may be more: --limit")


def _left_alone(
    tx: Tx, subject: str | None, limit: int
) -> tuple[list[dict[str, object]], dict[str, str]]:
    """What is left alone, and what its groups are called, as far as that is remembered."""
    from hooks.store import groups, refusals

    rows = refusals.listed(tx, user=subject, limit=limit)
    return rows, groups.names(tx, {str(row["group"]) for row in rows if row["group"]})


def way_out(row: Mapping[str, object]) -> str:
    """What would resolve a refusal that stands, as the look that found it told."""
    from hooks.core.refusal import UNREAD_WAY_OUT, WAY_OUT
    from hooks.store.refusals import KNOWN

    for why, words in KNOWN.items():
        if str(row["detail"]).startswith(words):
            return UNREAD_WAY_OUT[why]
    return {cause.value: way for cause, way in WAY_OUT.items()}.get(str(row["cause"]), "")
