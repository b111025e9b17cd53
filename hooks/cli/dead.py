"""Dead letters: people and groups given up on; show them, and put them back in line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import lists, opening, text
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.opening import Json, Limit, Reason, Since, Until
from hooks.core.ids import OktaId
from hooks.core.report import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hooks.cli.text import Record
    from hooks.store.database import Tx
    from hooks.store.inbox import Letters
    from hooks.wiring import House

dead = typer.Typer(
    help="Dead letters: people given up on until somebody decides.", invoke_without_command=True
)

_DEAD = {
    "subject": "SUBJECT",
    "kind": "KIND",
    "reason": "REASON",
    "at": "SINCE (UTC)",
    "attempts": "ATTEMPTS",
}
_DEAD_REASONS = {
    "attempts": "every attempt failed; `hooks steps --refused` says why, then retry",
    "crashes": "the process died each time it looked; find out why, then retry",
    "fault": "a fault of this program; report it with the log line `fault`, then retry",
}


_KIND_AND_NAME = re.compile(r"[a-z]+/[A-Za-z0-9]+")


class Cause(StrEnum):
    """Why somebody was given up on."""

    ATTEMPTS = "attempts"
    CRASHES = "crashes"
    FAULT = "fault"


Because = Annotated[
    Cause | None, typer.Option("--why", help="Only those given up on for this reason.")
]
Subjects = Annotated[list[str] | None, typer.Argument(metavar="SUBJECT", help="Ids, as listed.")]


@dead.callback()
def list_dead(
    context: typer.Context,
    *,
    why: Because = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """Dead letters, oldest first; --since and --until are about when they were given up on."""
    if context.invoked_subcommand:
        return
    from hooks.store import inbox

    wanted = _letters(why, since, until)
    records = [_letter(row) for row in opening.ask(lambda tx: inbox.dead(tx, wanted, limit=limit))]
    if as_json:
        text.as_json(records)
        return
    text.table(records, _DEAD)
    if len(records) == limit:
        print("\nThere may be more: --limit")


@dead.command("show")
def show_dead(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="An id, as listed.")],
    *,
    as_json: Json = False,
) -> None:
    """One dead letter: why, what waits, and the way out."""
    known = _subject(subject)
    record = opening.ask(lambda tx: _shown(tx, known))
    if as_json:
        text.as_json(record)
        return
    text.fields(record, _DEAD | {"way_out": "WAY OUT", "events": "EVENTS WAITING"})
    refused = record["refused"]
    for each in text.items(refused):
        text.tell(f"refused  {each['cause']}: {each['way_out']}", below=9)
    print(f"\nThen: hooks dead retry {known} --reason TEXT")


@dead.command("retry")
def retry_dead(
    subjects: Subjects = None,
    *,
    everyone: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    why: Because = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list them; change nothing.")
    ] = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Put dead letters back in line, for fresh readings.

    Name them, or choose by --why, --since and --until (given up on then), or take --all.
    """
    chosen = everyone or any(each is not None for each in (why, since, until))
    if bool(subjects) is chosen:
        raise UsageError("dead retry: name SUBJECTs, or choose by --why, --since, --until, --all")
    if dry_run is (reason is not None):
        raise UsageError("dead retry: give --reason TEXT, or --dry-run")
    known = [_subject(each) for each in subjects or ()]
    wanted = _letters(why, since, until)
    asked = _Retry(known, wanted, None if reason is None else opening.reason(reason))
    records = opening.with_house(asked.run)
    if as_json:
        text.as_json({"dry_run": dry_run, "letters": records})
        return
    if dry_run:
        text.table(records, _DEAD)
    letters = counted(len(records), "dead letter", "dead letters")
    print(f"Dry run: {letters}, nothing was changed." if dry_run else f"{letters} back in line")
    if records and not dry_run:
        print("`hooks serve` looks at them within seconds; `hooks look USER` does it now")


#: Letters put back in one transaction; no command holds one over more rows. Design 5.1.
_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class _Retry:
    """Which letters to put back: the named ones, or as wanted; ``why`` is ``None`` if none."""

    subjects: Sequence[str]
    wanted: Letters
    why: str | None

    def run(self, house: House) -> list[Record]:
        """Put them back; those that were."""
        from hooks.store import inbox

        rows = house.database.read_now(lambda tx: inbox.dead(tx, self.wanted, limit=1_000_000))
        letters = {str(row["subject"]): row for row in rows}
        if strange := [each for each in self.subjects if each not in letters]:
            named = ", ".join(strange)
            raise FailedError(f"dead: {named} is no dead letter; nothing was changed")
        chosen = sorted(set(self.subjects) or letters)
        if self.why is not None:
            for start in range(0, len(chosen), _TOGETHER):
                some = chosen[start : start + _TOGETHER]
                house.database.write_now(partial(_put_back, subjects=some, why=self.why))
        return [_letter(letters[each]) for each in chosen]


def _put_back(tx: Tx, subjects: Sequence[str], why: str) -> None:
    from hooks.store import line, orders

    for each in subjects:
        orders.record(tx, "retry", each, who=opening.who(), why=why)
    line.retry_dead(tx, subjects)


def _letters(why: Cause | None, since: str | None, until: str | None) -> Letters:
    from hooks.store.inbox import Letters

    return Letters(
        why=why.value if why else None,
        since=opening.microseconds("--since", since),
        until=opening.microseconds("--until", until),
    )


def _subject(text_: str) -> str:
    """A person by their id alone, all else with its kind in front, such as ``catchup/log``."""
    if OktaId.maybe(text_) is None and _KIND_AND_NAME.fullmatch(text_) is None:
        raise UsageError("SUBJECT: write the id as `hooks dead` lists it")
    return text_


def _letter(row: Mapping[str, object]) -> Record:
    return {
        "subject": row["subject"],
        "kind": row["kind"],
        "reason": row["dead"],
        "way_out": _DEAD_REASONS.get(str(row["dead"]), ""),
        "at": text.instant(row["dead_at"]),
        "attempts": row["attempts"],
        "crashes": row["crashes"],
    }


def _shown(tx: Tx, subject: str) -> Record:
    from hooks.store import inbox, refusals

    letters = inbox.dead(tx, limit=1_000_000)
    row = next((each for each in letters if each["subject"] == subject), None)
    if row is None:
        raise FailedError(f"dead: {subject} is no dead letter; `hooks dead` lists them")
    rows = refusals.listed(tx, user=subject)
    refused = sorted({(str(each["cause"]), lists.way_out(each)) for each in rows})
    waiting = inbox.listed(tx, inbox.Wanted(subject=subject, waiting=True, limit=1000))
    return {
        **_letter(row),
        "events": len(waiting),
        "refused": [{"cause": cause, "way_out": way} for cause, way in refused],
    }
