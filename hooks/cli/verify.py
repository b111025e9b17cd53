"""Whether the journal's chains are whole, and the heads of old log lines among them.

Must live here: what is said of it, and what to do. Must not know: how a row is proved.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import chains, opening, text
from hooks.cli.ends import FAILED, FailedError, UsageError
from hooks.cli.opening import Json
from hooks.cli.progress import Progress
from hooks.core.ids import OktaUserId
from hooks.core.report import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hooks.cli.text import Record
    from hooks.store.chain import Signer
    from hooks.store.database import Database
    from hooks.store.heads import Head
    from hooks.store.proof import Fault, Proof
    from hooks.wiring import House

#: People whose rows are in memory together.
_TOGETHER = 100
#: Faults of one person that are told one by one, and of all that are kept in memory.
_TOLD, _MOST = 20, 10_000
#: A head as log lines tell it.
_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-f]{8,64})", re.ASCII)
#: What is wrong, and what to do about it.
WAY_OUT = {
    "unchained": "written without HOOKS_CHAIN_KEY or put in: give every process the key, and"
    " compare these with the log's `step` lines",
    "altered": "not as it was written: compare with the log's `step` lines and a backup",
    "reordered": "these changed places: compare with the log's `step` lines and a backup",
    "missing": "taken out: the log's `step` lines and a backup have them",
    "cut": "taken out, or put back, after a purge: compare with a backup",
    "key": "proved with another key: give that one as HOOKS_CHAIN_KEY; if it is lost, begin anew:"
    " hooks keys chain --begin-anew",
}


def verify(
    user: Annotated[
        str | None, typer.Argument(metavar="USER", help="Only of this Okta id.")
    ] = None,
    *,
    head: Annotated[
        list[str] | None,
        typer.Option(
            "--head", metavar="USER=HEAD", help="Hold a head from the log against it; repeatable."
        ),
    ] = None,
    heads: Annotated[
        str | None,
        typer.Option(
            "--heads", metavar="FILE", help="All heads in a file of log lines; - is stdin."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Whether the journal is as it was written: nothing altered, moved, put in or taken out.

    A store put back whole as it once was is found by heads of the log alone. Exit code 1:
    something is wrong.
    """
    chosen = opening.okta_id(user)
    wanted = _Heads()
    for each in head or ():
        who, _, told = each.partition("=")
        if not wanted.add(who, told):
            raise UsageError("--head: write USER=NUMBER:DIGITS, as `head` in a log line says")
    if heads is not None:
        wanted.read(heads)
    found = opening.with_house(lambda house: _verified(house, chosen, wanted))
    if as_json:
        text.as_json(found.told())
    else:
        found.show()
    if found.wrong:
        raise typer.Exit(FAILED)


@dataclass(slots=True)
class _Heads:
    """Heads of log lines, by person; of one link there are two if the store was put back."""

    of: dict[str, set[tuple[int, str]]] = field(default_factory=dict)

    def add(self, user: object, head: object) -> bool:
        """Take one; whether it is one."""
        known, found = OktaUserId.maybe(user), _HEAD.fullmatch(str(head))
        if known is None or found is None:
            return False
        self.of.setdefault(known, set()).add((int(found[1]), found[2]))
        return True

    def read(self, name: str) -> None:
        """Take all of a file of log lines, whatever else it holds."""
        try:
            with sys.stdin if name == "-" else Path(name).open(errors="replace") as file:
                for line in file:
                    self._line(line)
        except OSError:
            raise UsageError(f"--heads: {name} cannot be read") from None

    def _line(self, line: str) -> None:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(said, dict) and isinstance(said.get("head"), str):
            self.add(said.get("subject"), said["head"])

    def about(self, user: str) -> list[Head]:
        """Those of one person."""
        from hooks.store.heads import Head

        return [Head(user, *each) for each in sorted(self.of.get(user, ()))]


@dataclass(slots=True)
class _Found:
    """What is found: people by verdict, and everything that is wrong; ``""`` is the store."""

    people: Counter[str] = field(default_factory=Counter)
    links: int = 0
    before: int = 0
    others: Counter[str] = field(default_factory=Counter)
    anew: list[Record] = field(default_factory=list)
    heads: int = 0
    purged: int = 0
    more: int = 0
    wrong: dict[str, list[Fault]] = field(default_factory=dict)
    _told: int = 0

    def add(self, proof: Proof, faults: Iterable[Fault] = ()) -> None:
        """Count one person."""
        every = [*proof.faults, *faults]
        self.people[every[0].verdict if every else proof.verdict] += 1
        self.links += proof.links
        self.before += proof.before
        self.others.update(proof.others)
        self.blame(proof.user, every)

    def blame(self, user: str, faults: Iterable[Fault]) -> None:
        """Remember what is wrong; of very much, only how much it is."""
        for each in faults:
            if self._told < _MOST:
                self.wrong.setdefault(user, []).append(each)
                self._told += 1
            else:
                self.more += 1

    def told(self) -> Record:
        """As JSON."""
        return {
            "people": dict(sorted(self.people.items())),
            "links": self.links,
            "before": self.before,
            "others": dict(sorted(self.others.items())),
            "anew": self.anew,
            "heads": self.heads,
            "heads_purged": self.purged,
            "wrong": [
                {"user": user or None, "verdict": each.verdict, "where": each.where}
                for user, faults in sorted(self.wrong.items())
                for each in faults
            ],
            "more_wrong": self.more,
        }

    def show(self) -> None:
        """In lines."""
        self._show_wrong()
        people = counted(self.people.total(), "person", "people")
        print(f"{counted(self.links, 'row', 'rows')} of {people} looked through")
        if self.before:
            print(f"{counted(self.before, 'row', 'rows')} older than chaining: nothing proves them")
        for key, many in sorted(self.others.items()):
            print(f"{counted(many, 'row', 'rows')} chained with key {key}, not given: not proved")
        for each in self.anew:
            words = f"begun anew {each['at']} by {each['who'] or 'unknown'}: {each['why']}"
            text.tell(f"chained with key {each['before']} before, {words}", below=2)
        if self.heads:
            print(f"{counted(self.heads, 'head', 'heads')} of the log compared")
        if self.purged:
            heads = counted(self.purged, "head", "heads")
            print(f"{heads} of what was purged, or of another key: not compared")
        rest = " with what this key proves" if self.others else ""
        print("something is wrong" if self.wrong else f"nothing is wrong{rest}")

    def _show_wrong(self) -> None:
        for user, faults in sorted(self.wrong.items()):
            for each in faults[:_TOLD]:
                text.tell(f"{user or 'the store'}: {each.verdict}: {each.where}", "red", below=2)
            if len(faults) > _TOLD:
                print(f"{user or 'the store'}: {len(faults) - _TOLD} more; --json has all")
        if self.more:
            print(f"{self.more} more that are not listed")
        if self.wrong:
            print()
        for cause in sorted({each.verdict for faults in self.wrong.values() for each in faults}):
            text.tell(f"{cause}: {WAY_OUT[cause]}", below=2)
        if self.wrong:
            print()


def _verified(house: House, chosen: OktaUserId | None, wanted: _Heads) -> _Found:
    from hooks.store import proof

    if house.signer is None:
        raise FailedError("steps verify: HOOKS_CHAIN_KEY is not given; nothing proves anything")
    progress = Progress("steps verify")
    found = _Found()
    try:
        for users in [[str(chosen)]] if chosen else _people(house.database, wanted):
            proofs = house.database.read_now(partial(proof.prove, users=users, signer=house.signer))
            for each in users:
                found.add(
                    proofs[each], _compared(house.database, house.signer, each, wanted, found)
                )
            people = counted(found.people.total(), "person", "people")
            progress.say(f"{counted(found.links, 'row', 'rows')} of {people}")
        found.anew = house.database.read_now(chains.begun)
        if whole := house.database.read_now(partial(proof.beginning, signer=house.signer)):
            found.blame("", [whole])
        if chosen is None:
            _strays(house.database, found)
    finally:
        progress.end()
    return found


def _people(database: Database, wanted: _Heads) -> Iterator[list[str]]:
    """All people, some at a time: those that are stored, and those only the log tells of."""
    from hooks.store import proof

    left = sorted(wanted.of)
    after = ""
    while users := database.read_now(partial(proof.people, after=after, limit=_TOGETHER)):
        after = users[-1]
        known = set(users)
        lost = [each for each in left if each <= after and each not in known]
        left = [each for each in left if each > after]
        yield sorted({*users, *lost})
    for start in range(0, len(left), _TOGETHER):
        yield left[start : start + _TOGETHER]


def _compared(
    database: Database, signer: Signer, user: str, wanted: _Heads, found: _Found
) -> list[Fault]:
    from hooks.store.heads import compare

    heads = wanted.about(user)
    if not heads:
        return []
    faults, purged = database.read_now(partial(compare, user=user, heads=heads, signer=signer))
    found.purged += len(purged)
    found.heads += len(heads) - len(purged)
    return faults


def _strays(database: Database, found: _Found) -> None:
    from hooks.store import proof

    after: int | None = 0
    while after is not None:
        faults, after = database.read_now(partial(proof.strays, after=after))
        found.blame("", faults)
