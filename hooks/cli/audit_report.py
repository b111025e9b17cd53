"""What an audit found, for people, programs, spreadsheets, and an auditor's browser.

Must live here: how lines of drift are shown. Must not know: how they were found.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import IO, TYPE_CHECKING

from hooks.cli import files, seats, text
from hooks.core.drift import WORDS, Kind
from hooks.core.ids import DirectoryName, OktaUserId
from hooks.core.plan import Because, Reason
from hooks.core.refusal import WAY_OUT, Cause
from hooks.core.report import KEPT, REASONS, counted
from hooks.core.seats import Removal
from hooks.release import release

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from hooks.cli.text import Record
    from hooks.seats import Told
    from hooks.store.audits import Run
    from hooks.wiring import House

#: The columns of every line, in their order.
COLUMNS = ("kind", "directory", "group", "name", "why", "user", "record", "people")
_GROUPS = {
    "kind": "KIND", "directory": "WHERE", "name": "GROUP", "why": "WHY", "people": "PEOPLE",
}  # fmt: skip
_LINES = {"user": "USER", "kind": "KIND", "directory": "WHERE", "name": "GROUP", "why": "WHY"}
_SURPLUS = "all that is surplus"
#: Lines a page shows of each kind; a CSV has all.
_ON_A_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Found:
    """One audit, of some kinds if they are named; ``seats`` if they were asked for."""

    house: House
    run: Run
    kinds: tuple[Kind, ...]
    groups: tuple[Record, ...]
    seats: Told | None = None

    def lines(self, *kinds: Kind, limit: int | None = None) -> Iterator[Record]:
        """The lines one by one, of these kinds, or of all that are meant."""
        from hooks.store import audits

        names, after, left = [each.value for each in kinds or self.kinds], 0, limit
        while left is None or left > 0:
            most = audits.PORTION if left is None else min(left, audits.PORTION)
            rows = self.house.database.read_now(
                lambda tx, after=after, most=most: audits.lines(  # type: ignore[misc]
                    tx, self.run.id, after=after, limit=most, kinds=names
                )
            )
            yield from rows
            if len(rows) < most:
                return
            after = rows[-1]["id"]
            left = None if left is None else left - len(rows)

    def count(self, kind: Kind) -> int:
        """How many memberships of a kind there are; of orphans, records."""
        return sum(int(str(each["people"])) for each in self.groups if each["kind"] == kind)

    @property
    def asked(self) -> str:
        """The kinds that were asked for, if not all."""
        return ", ".join(self.kinds)

    @property
    def nothing(self) -> str:
        """What is said where nothing was found."""
        if self.kinds:
            return f"Nothing of what was asked for: {self.asked}."
        return "Nothing is otherwise than wanted."


def of(house: House, run: Run, kinds: tuple[Kind, ...]) -> Found:
    """What one audit found."""
    from hooks.store import audits

    rows = house.database.read_now(lambda tx: audits.groups(tx, run.id))
    order = list(Kind)
    groups = [each for each in rows if not kinds or each["kind"] in kinds]
    groups.sort(key=lambda each: (order.index(Kind(str(each["kind"]))), str(each["directory"])))
    return Found(house, run, kinds, tuple(groups))


def removals(found: Found) -> dict[OktaUserId, list[Removal]]:
    """What everybody would lose of what they should not have."""
    lost: dict[OktaUserId, list[Removal]] = {}
    for each in found.lines(Kind.SURPLUS):
        name = DirectoryName(str(each["directory"]))
        gone = Removal(name, str(each["group"]), str(each["name"]))
        lost.setdefault(OktaUserId(str(each["user"])), []).append(gone)
    return lost


# -- for people --------------------------------------------------------------------------------


def show(found: Found, limit: int) -> None:
    """By group, then the first people, then what the kinds mean."""
    print(_heading(found))
    if not found.groups:
        print(f"\n{found.nothing}")
    else:
        _show_lines(found, limit)
    if found.seats:
        seats.show(found.seats, _SURPLUS)


def _show_lines(found: Found, limit: int) -> None:
    print()
    text.table(found.groups, _GROUPS)
    kinds = [each for each in Kind if found.count(each)]
    print()
    for kind in kinds:
        text.tell(f"{kind}: {WORDS[kind]}", below=2)
    people = tuple(each for each in kinds if each not in (Kind.UNKNOWN, Kind.ORPHAN))
    lines = list(found.lines(*people, limit=limit + 1)) if people and limit else []
    if lines:
        print()
        text.table(lines[:limit], _LINES)
    if len(lines) > limit:
        print("\nThere are more: --limit, --kind, or --csv FILE for all")


def _heading(found: Found) -> str:
    run = found.run
    began, done = text.short(text.instant(run.began)), text.short(text.instant(run.done))
    only = f"; only {found.asked}" if found.kinds else ""
    return f"audit {run.id}: {counted(run.people)}, {run.pages} pages, {began} to {done} UTC{only}"


# -- for programs ------------------------------------------------------------------------------


def as_json(found: Found, *, ordered: int | None, dry_run: bool) -> None:
    """One value: the audit, by group, every line."""
    run = found.run
    text.as_json(
        {
            "audit": run.id,
            "began": text.instant(run.began),
            "done": text.instant(run.done),
            "people": run.people,
            "pages": run.pages,
            "counts": {each.value: found.count(each) for each in found.kinds or Kind},
            "groups": [_plain(each) for each in found.groups],
            "lines": [_plain(each) for each in found.lines()],
            **({"seats": seats.record(found.seats)} if found.seats else {}),
            **({} if ordered is None else {"looks": ordered, "dry_run": dry_run}),
        }
    )


def _plain(line: Mapping[str, object]) -> Record:
    return {key: line[key] or None for key in COLUMNS if key in line}


def as_csv(found: Found, file: IO[str]) -> None:
    """Every line, under its columns."""
    file.write(files.row(COLUMNS))
    for each in found.lines():
        file.write(files.row(each[name] for name in COLUMNS))


# -- for an auditor ----------------------------------------------------------------------------


def as_page(found: Found, file: IO[str]) -> None:
    """A page that needs nothing else: no script, no picture, no address."""
    run = found.run
    file.write(_HEAD)
    people, pages = counted(run.people), counted(run.pages, "page", "pages")
    began, done = text.short(text.instant(run.began)), text.short(text.instant(run.done))
    file.write(f"<h1>Access audit {run.id}</h1><p>{people}, read by {pages} from {began} to {done}")
    file.write(f" UTC by hooks {escape(release())}. Ids and names of groups only.</p>")
    file.write(
        "<p>Every account of the Atlassian directories was compared with what Okta implies at that"
        " time. Nothing was changed. Whoever changed while the lists were read is left out.</p>"
    )
    if found.kinds:
        file.write(f"<p>Only this was asked for: {found.asked}.</p>")
    if not found.groups:
        file.write(f"<p class=ok>{found.nothing}</p>")
        _seats(file, found)
        file.write("</main>")
        return
    file.write("<h2>In short</h2>")
    short = [
        (each.value, str(found.count(each)), WORDS[each]) for each in Kind if found.count(each)
    ]
    _rows(file, ("Kind", "Memberships", "What it means"), short, numbers={1})
    file.write("<h2>By group</h2>")
    by_group = [
        (str(each["kind"]), str(each["directory"]), _name(each), _why(each), str(each["people"]))
        for each in found.groups
    ]
    _rows(file, ("Kind", "Where", "Group", "Why", "People"), by_group, numbers={4})
    _seats(file, found)
    file.write("<h2>Line by line</h2>")
    for kind in (each for each in Kind if found.count(each) and each is not Kind.UNKNOWN):
        _kind(file, found, kind)
    file.write("</main>")


def _seats(file: IO[str], found: Found) -> None:
    told = found.seats
    if told is None:
        return
    file.write(f"<h2>Seats</h2><p>What ends if {_SURPLUS} goes.</p>")
    rows = [
        (seats.app(app), seats.ends(each), seats.keeps(told, each) if each.kept else "")
        for app, each in told.seats.apps.items()
    ]
    if rows:
        _rows(file, ("App", "Access", "Kept"), rows)
    else:
        file.write(f"<p>{seats.nothing(told)}.</p>")
    if told.seats.untold:
        file.write(f"<p>{seats.untold(told)}.</p>")
    file.write(f"<p>{seats.CAVEAT}</p>")


def _kind(file: IO[str], found: Found, kind: Kind) -> None:
    lines = list(found.lines(kind, limit=_ON_A_PAGE + 1))
    file.write(f"<h3>{escape(kind)}</h3><p>{escape(WORDS[kind])}.</p>")
    _rows(
        file,
        ("Okta user", "Where", "Group", "Why"),
        (
            (str(each["user"] or each["record"]), str(each["directory"]), _name(each), _why(each))
            for each in lines[:_ON_A_PAGE]
        ),
        codes={0},
    )
    if len(lines) > _ON_A_PAGE:
        file.write(f"<p>Only the first {_ON_A_PAGE} are shown; the CSV has all.</p>")


def _name(line: Mapping[str, object]) -> str:
    return str(line["name"] or line["group"] or "everything there")


def _why(line: Mapping[str, object]) -> str:
    """The reason of a change, or the cause why there is none, in words."""
    why = str(line["why"] or "")
    if line["kind"] == Kind.MISSING:
        return KEPT[Because.SOURCE]
    if why in list(Reason):
        return REASONS[Reason(why)]
    return f"{why}: {WAY_OUT[Cause(why)]}" if why in list(Cause) else why


def _rows(
    file: IO[str],
    headings: tuple[str, ...],
    rows: Iterable[tuple[str, ...]],
    *,
    numbers: Container[int] = (),
    codes: Container[int] = (),
) -> None:
    file.write("<table><thead><tr>")
    for column, each in enumerate(headings):
        file.write(f"<th{' class=n' if column in numbers else ''}>{escape(each)}</th>")
    file.write("</tr></thead><tbody>")
    for row in rows:
        file.write("<tr>")
        for column, each in enumerate(row):
            kind = " class=n" if column in numbers else " class=c" if column in codes else ""
            file.write(f"<td{kind}>{escape(text.clean(each))}</td>")
        file.write("</tr>")
    file.write("</tbody></table>")


_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Access audit</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 70rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; font-size: 1.25rem; } h3 { margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; margin: .75rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-weight: 600; background: var(--soft); position: sticky; top: 0; }
th:first-child, td:first-child { padding-left: .5rem; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
.c { font-family: ui-monospace, monospace; font-size: .9em; white-space: nowrap; }
.ok { padding: .75rem 1rem; background: var(--soft); }
@media print { th { position: static; } h3 { break-after: avoid; } tr { break-inside: avoid; } }
</style></head><body><main>"""
