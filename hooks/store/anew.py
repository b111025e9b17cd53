"""Chains begun anew with another key, because the one before is lost. Design 5.2.

Must live here: what is kept of every end that is left behind, and who began anew. Must not know:
whether a chain is whole.
Nothing of before is written anew: each row keeps its mac, each end is put away as it stood, and
the new end is made of all that. Who holds the old key can prove what is left as ever.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from hooks.store import chain
from hooks.store.chain import NOBODY, End
from hooks.store.tables import Chain, Cursor, Outcome, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hooks.store.chain import Signer
    from hooks.store.database import Tx

_chain = Chain.__table__  # type: ignore[attr-defined]
_cursor = Cursor.__table__  # type: ignore[attr-defined]
_outcome = Outcome.__table__  # type: ignore[attr-defined]
_step = Step.__table__  # type: ignore[attr-defined]

#: People whose rows are in memory together.
TOGETHER = 100
_END = ("length", "head", "cut", "cut_head", "kept", "mac")


@dataclass(frozen=True, slots=True)
class Past:
    """An end that was left behind: ``there`` are the links after its cut that there were then.

    ``at`` is when; ``who`` and ``why`` stand where chaining began alone.
    """

    end: End
    there: tuple[tuple[int, int], ...] = ()
    at: int = 0
    who: str = ""
    why: str = ""

    @property
    def key(self) -> str:
        """The id of the key that proves it."""
        return chain.key_of(self.end.mac)

    @property
    def missing(self) -> list[int]:
        """Links that were missing already when it was left behind."""
        known = {number for first, last in self.there for number in range(first, last + 1)}
        return [each for each in range(self.end.cut + 1, self.end.length + 1) if each not in known]

    def told(self) -> list[object]:
        """As it is stored, and as a later end covers it."""
        end = [getattr(self.end, name) for name in _END]
        return [end, [list(each) for each in self.there], self.at, self.who, self.why]


def name(user: str) -> str:
    """Under which name the ends of a person's chain are put away."""
    return f"chain/{user}"


def past(tx: Tx, users: Iterable[str]) -> dict[str, tuple[Past, ...]]:
    """The ends that were left behind, oldest first, of those of whom there are any."""
    names = {name(user): user for user in users}
    rows = tx.execute(select(_cursor).where(_cursor.c.name.in_(sorted(names))))
    return {names[row.name]: tuple(_read(names[row.name], row.value)) for row in rows}


def _read(user: str, value: str) -> Iterator[Past]:
    """What somebody changed is not what the end after it is made of, whatever is read of it."""
    try:
        for end, there, at, who, why in json.loads(value):
            ranges = tuple((int(first), int(last)) for first, last in there)
            yield Past(End(user, **dict(zip(_END, end, strict=True))), ranges, at, who, why)
    except (ValueError, TypeError):
        return


def covers(every: Iterable[Past]) -> list[object]:
    """What an end covers of those before it."""
    return [each.told() for each in every]


# -- beginning ---------------------------------------------------------------------------------


def page(tx: Tx, signer: Signer, after: str) -> tuple[list[str], dict[str, End], str | None]:
    """The keys of the next people's ends, those of another one; and where to go on."""
    query = select(_chain.c.user).where(_chain.c.user > after).order_by(_chain.c.user)
    users = tx.execute(query.limit(TOGETHER)).scalars().all()
    found = chain.ends(tx, users, lock=True)
    others = {user: end for user, end in found.items() if _other(signer, end)}
    altered = _altered(tx, signer, others)
    others = {user: end for user, end in others.items() if user not in altered}
    keys = [chain.key_of(end.mac) for end in found.values()]
    return keys, others, users[-1] if len(users) == TOGETHER else None


def _other(signer: Signer, end: End) -> bool:
    """What this key did not prove is not begun anew if it says that it did: it was altered."""
    numbers = end.length, end.cut
    return chain.key_of(end.mac) != signer.id and all(isinstance(each, int) for each in numbers)


def _altered(tx: Tx, signer: Signer, users: Iterable[str]) -> set[str]:
    """Nor is an end over rows that this key proves: whoever took others out wrote it."""
    rows, before = chain.rows(tx, list(users)), past(tx, users)
    return {
        user
        for user, every in rows.items()
        for first in [max((each.end.length for each in before.get(user, ())), default=0)]
        if any(
            row.link is not None
            and row.link > first
            and signer.signed(row.mac, row.kind, user, row.link, row.id, *row.told)
            for row in every
        )
    }


def begin(tx: Tx, signer: Signer, ends: dict[str, End]) -> None:
    """Let these people's chains go on with this key."""
    rows, before = chain.rows(tx, ends), past(tx, ends)
    for user, end in sorted(ends.items()):
        linked = [row for row in rows[user] if row.link is not None and row.link <= end.length]
        links = [(row.link or 0, str(row.mac)) for row in linked]
        there = sorted({number for number, _ in links if number > end.cut})
        every = (*before.get(user, ()), Past(end, tuple(_ranges(there)), tx.now))
        _put(tx, user, every)
        left = chain.kept(signer, user, end.length, links, covers(every))
        anew = End(user, end.length, end.head, end.length, end.head, left)
        chain.write(tx, anew.proven(signer))


def sign(tx: Tx, signer: Signer, *, who: str, why: str) -> None:
    """Last of all, tell in the row where chaining began who began anew, and why."""
    mark = chain.ends(tx, [NOBODY], lock=True).get(NOBODY)
    if mark is None or not _other(signer, mark):
        return
    every = (*past(tx, [NOBODY]).get(NOBODY, ()), Past(mark, (), tx.now, who[:128], why[:512]))
    _put(tx, NOBODY, every)
    left = chain.kept(signer, NOBODY, 0, (), covers(every))
    steps, outcomes = (
        _unchained(tx, *each) for each in ((_step, mark.length), (_outcome, mark.cut))
    )
    chain.write(tx, End(NOBODY, length=steps, cut=outcomes, kept=left).proven(signer))


def _unchained(tx: Tx, table: Any, upto: int) -> int:
    """The last row older than all chains: no chained one is, whatever the mark says."""
    first = tx.execute(select(func.min(table.c.id)).where(table.c.link.is_not(None))).scalar()
    return upto if first is None else min(upto, first - 1)


def _put(tx: Tx, user: str, every: Iterable[Past]) -> None:
    insert: Any = tx.insert(_cursor)
    row = {"name": name(user), "value": json.dumps(covers(every)), "at": tx.now}
    change = {key: insert.excluded[key] for key in ("value", "at")}
    tx.execute(insert.on_conflict_do_update(index_elements=["name"], set_=change), [row])


def _ranges(numbers: list[int]) -> Iterator[tuple[int, int]]:
    for _, run in groupby(enumerate(numbers), key=lambda each: each[1] - each[0]):
        those = [number for _, number in run]
        yield those[0], those[-1]
