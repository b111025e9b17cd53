"""With which keys the journal's chains are proved, and a new beginning where one is lost.

Must live here: what an operator sees and says of it. Must not know: how a chain goes on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import opening, text
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.opening import DryRun, Json, Reason
from hooks.cli.progress import Progress
from hooks.core.report import counted

if TYPE_CHECKING:
    from hooks.cli.text import Record
    from hooks.store.chain import Signer
    from hooks.store.database import Tx
    from hooks.wiring import House

_KEYS = {"key": "KEY ID", "given": "GIVEN", "people": "PEOPLE"}
_ANEW = {"at": "BEGUN ANEW (UTC)", "before": "KEY BEFORE", "who": "WHO", "why": "WHY"}

BeginAnew = Annotated[
    bool,
    typer.Option("--begin-anew", help="Go on with HOOKS_CHAIN_KEY as it is given: one is lost."),
]


def chain(
    *,
    begin_anew: BeginAnew = False,
    dry_run: DryRun = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """With which keys the journal is chained; and begin anew where one is lost.

    Find the old key first: what it proves nobody can prove without it. Its rows stay as they are
    until retention deletes them, and whoever holds it can verify them. Restart every process with
    the new key, then --begin-anew. Safe to interrupt, and to repeat.
    """
    if begin_anew is not (dry_run or reason is not None) or (dry_run and reason is not None):
        raise UsageError("keys chain: with --begin-anew give --reason TEXT, or --dry-run")
    why = None if reason is None else opening.reason(reason)
    found = opening.with_house(partial(_chained, why=why))
    if begin_anew and not found.others:
        raise FailedError(
            f"keys chain: nothing is chained with another key than {found.given};"
            " nothing was changed"
        )
    if as_json:
        text.as_json(found.told() | {"dry_run": dry_run})
        return
    found.show()
    if why is not None:
        print(f"\nbegun anew with {found.given}: {counted(found.people, 'chain', 'chains')}")
        found.tell_altered()
        print("What was chained before is told as such until it is purged: hooks steps verify")
    elif dry_run:
        people = counted(found.open, "chain", "chains")
        print(f"\nDry run: {people} would go on with {found.given}; nothing was changed.")
        found.tell_altered()


@dataclass(slots=True)
class _Found:
    """People by the key that proves their chain's end, as it was.

    ``open`` are the chains that can be begun anew, ``people`` those that were.
    """

    given: str
    keys: Counter[str] = field(default_factory=Counter)
    mark: str | None = None
    anew: list[Record] = field(default_factory=list)
    open: int = 0
    people: int = 0

    @property
    def others(self) -> Counter[str]:
        """Those of another key than the given one."""
        found = Counter({key: many for key, many in self.keys.items() if key != self.given})
        if self.mark not in (None, self.given):
            found[str(self.mark)] += 0
        return found

    def told(self) -> Record:
        """As JSON."""
        return {"keys": self._records(), "anew": self.anew, "begun_anew": self.people}

    def _records(self) -> list[Record]:
        return [
            {"key": key, "given": key == self.given, "people": self.keys[key]}
            for key in sorted({*self.keys, *self.others, self.given})
        ]

    def tell_altered(self) -> None:
        """Of ends that claim another key over rows of the given one."""
        if left := sum(self.others.values()) - self.open:
            print(f"{counted(left, 'chain', 'chains')} left alone: the end was altered, and says")
            print("another key than its rows; see: hooks steps verify")

    def show(self) -> None:
        """In lines."""
        rows = [each | {"given": "yes" if each["given"] else "no"} for each in self._records()]
        text.table(rows, _KEYS)
        if self.anew:
            print()
            text.table(self.anew, _ANEW)


def _chained(house: House, *, why: str | None) -> _Found:
    from hooks.store import anew, chain, line, orders

    signer = house.signer
    if signer is None:
        raise FailedError("keys chain: HOOKS_CHAIN_KEY is not given")
    found = _Found(signer.id)
    progress = Progress("keys chain")
    mark = house.database.read_now(lambda tx: chain.ends(tx, [chain.NOBODY])).get(chain.NOBODY)
    found.mark = chain.key_of(mark.mac) if mark else None
    after: str | None = ""
    try:
        while after is not None:
            run = house.database.read_now if why is None else house.database.write_now
            page = partial(_page, signer=signer, after=after, change=why is not None)
            ends, many, after = run(page)
            found.keys.update(ends)
            found.open += many
            progress.say(f"{counted(found.keys.total(), 'chain', 'chains')}")
    finally:
        progress.end()
    found.people = 0 if why is None else found.open
    if why is not None and found.others:
        keys = " ".join(sorted(found.others))
        result = f"{counted(found.people, 'chain', 'chains')} of {keys}"

        def end(tx: Tx) -> None:
            anew.sign(tx, signer, who=opening.who(), why=why)
            orders.record(tx, "chain_anew", signer.id, who=opening.who(), why=why, result=result)
            line.hasten(tx, "purge")

        house.database.write_now(end)
    found.anew = house.database.read_now(begun)
    return found


def _page(tx: Tx, *, signer: Signer, after: str, change: bool) -> tuple[list[str], int, str | None]:
    """The keys of the next ends, and how many of them can be begun anew, or were."""
    from hooks.store import anew

    keys, others, then = anew.page(tx, signer, after)
    if change:
        anew.begin(tx, signer, others)
    return keys, len(others), then


def begun(tx: Tx) -> list[Record]:
    """Who began anew, when, why, and with which key the chains were proved before."""
    from hooks.store import anew
    from hooks.store.chain import NOBODY

    return [
        {"at": text.instant(each.at), "before": each.key, "who": each.who, "why": each.why}
        for each in anew.past(tx, [NOBODY]).get(NOBODY, ())
    ]
