"""Heads of chains as log lines told them, held against the store. Design 5.2.

Must live here: what an old head says about the chain as it is. Must not know: where lines are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hooks.store import anew, chain
from hooks.store.proof import Fault, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hooks.store.chain import End, Signer
    from hooks.store.database import Tx


@dataclass(frozen=True, slots=True)
class Head:
    """What a log line told of a person's chain: so many links, and the beginning of the head."""

    user: str
    number: int
    head: str


def compare(
    tx: Tx, user: str, heads: Iterable[Head], signer: Signer
) -> tuple[list[Fault], list[Head]]:
    """What speaks against these heads of one person; and those that were purged since.

    The chain itself is judged elsewhere, and nothing is compared with an end that is not proved.
    """
    end = chain.ends(tx, [user]).get(user)
    faults: list[Fault] = []
    purged: list[Head] = []
    if end and not end.proved(signer):
        past = anew.past(tx, [user]).get(user, ())
        return faults, [each for each in heads for one in past if one.end.proved(signer)]
    last, cut = (end.length, end.cut) if end else (0, 0)
    known = dict(_heads(tx, end, signer)) if end else {}
    for each in heads:
        if each.number > last:
            where = f"links {last + 1} to {each.number}, of which a log line tells"
            faults.append(Fault(Verdict.MISSING, where))
        elif each.number < cut:
            purged.append(each)
        elif not known.get(each.number, "").startswith(each.head):
            where = f"links up to {each.number} are others than those a log line tells of"
            faults.append(Fault(Verdict.ALTERED, where))
    return faults, purged


def _heads(tx: Tx, end: End, signer: Signer) -> Iterator[tuple[int, str]]:
    """Each head there was since the cut."""
    number, head = end.cut, end.cut_head
    yield number, head
    found = chain.rows(tx, [end.user])[end.user]
    for row in sorted(found, key=lambda row: row.link or 0):
        if row.link is not None and row.link > end.cut:
            head = chain.fold(signer, end.user, (number, head), [str(row.mac)])
            number = row.link
            yield number, head
