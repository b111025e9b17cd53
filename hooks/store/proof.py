"""Whether people's chains of evidence are whole: what was altered, moved, or taken out. Design 5.2.

Must live here: what is said of a chain that is not as it was written. Must not know: how it grew.
Proved is only what a holder of the key wrote; who can put back the whole store as it once was
is found by a head from a log line alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, permutations, product
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, union

from hooks.store import chain
from hooks.store.chain import NOBODY, End, Row, Signer, rows
from hooks.store.tables import Chain, Outcome, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from hooks.store.database import Tx

_step = Step.__table__  # type: ignore[attr-defined]
_outcome = Outcome.__table__  # type: ignore[attr-defined]
_chain = Chain.__table__  # type: ignore[attr-defined]

#: Broken rows of one person among which exchanged ones are looked for.
_MOST_COMPARED = 40
#: How often a page is read again because somebody wrote meanwhile.
_TRIES = 5
#: Outcomes looked through at once for strays.
_PAGE = 5_000


class Verdict(StrEnum):
    """What is wrong with a chain; or ``before``, with nothing, though not all of it is chained."""

    OK = "ok"
    BEFORE = "before"
    UNCHAINED = "unchained"
    ALTERED = "altered"
    REORDERED = "reordered"
    MISSING = "missing"
    CUT = "cut"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where: which step, outcome or link."""

    verdict: Verdict
    where: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What is found of one person; ``before`` counts rows that are older than all chains."""

    user: str
    faults: tuple[Fault, ...] = ()
    links: int = 0
    before: int = 0
    end: End | None = None

    @property
    def verdict(self) -> Verdict:
        """The first thing that is wrong."""
        if self.faults:
            return self.faults[0].verdict
        return Verdict.BEFORE if self.before else Verdict.OK


# -- reading -----------------------------------------------------------------------------------


def people(tx: Tx, after: str, limit: int) -> list[str]:
    """The next people of whom there are steps, or the end of a chain."""
    pages = (
        select(column).where(column > after).distinct().order_by(column).limit(limit)
        for column in (_step.c.user, _chain.c.user)
    )
    found = {user for page in pages for user in tx.execute(page).scalars()}
    return sorted(found)[:limit]


def prove(tx: Tx, users: Collection[str], signer: Signer) -> dict[str, Proof]:
    """Judge these people's chains; changes nothing.

    Rows change together with the end of their chain, so what was read while an end stayed the
    same belongs together, on an engine too that shows each statement another moment.
    """
    found: dict[str, Proof] = {}
    left = set(users)
    for number in range(_TRIES):
        before = chain.ends(tx, {*left, NOBODY})
        read = rows(tx, left)
        after = chain.ends(tx, left)
        last = number == _TRIES - 1
        stable = {user for user in left if last or before.get(user) == after.get(user)}
        mark = before.get(NOBODY)
        found |= {user: judge(signer, user, after.get(user), read[user], mark) for user in stable}
        left -= stable
        if not left:
            break
    return found


def beginning(tx: Tx, signer: Signer) -> Fault | None:
    """What is wrong with the row that tells where chaining began, in a store where it did."""
    mark = chain.ends(tx, [NOBODY]).get(NOBODY)
    if mark:
        return None if mark.proved(signer) else _fault(signer, mark.mac, "where chaining began")
    if tx.execute(select(_chain.c.user).limit(1)).first():
        return Fault(Verdict.MISSING, "the row that tells where chaining began")
    return None


def strays(tx: Tx, after: int) -> tuple[list[Fault], int | None]:
    """Of the next outcomes those that are of no step, which no look reads; and where to go on."""
    query = select(_outcome.c.id, _step.c.id.label("of"))
    query = query.outerjoin(_step, _step.c.id == _outcome.c.step).where(_outcome.c.id > after)
    page = tx.execute(query.order_by(_outcome.c.id).limit(_PAGE)).all()
    found = [
        Fault(Verdict.ALTERED, f"outcome {row.id} is of no step") for row in page if not row.of
    ]
    return found, page[-1].id if len(page) == _PAGE else None


# -- judging -----------------------------------------------------------------------------------


def judge(
    signer: Signer, user: str, end: End | None, found: Iterable[Row], mark: End | None
) -> Proof:
    """Everything that is wrong with one person's rows, as they are, under the end as it is."""
    every = list(found)
    linked = sorted((row for row in every if row.linked), key=lambda row: (row.link or 0, row.id))
    loose = [row for row in every if not row.linked]
    older = [row for row in loose if _older(signer, row, mark)]
    late = [row.name for row in loose if row not in older]
    faults = [
        *_end(signer, end, linked),
        *_broken(signer, user, linked),
        *([Fault(Verdict.UNCHAINED, ", ".join(late))] if late else []),
    ]
    if end and end.proved(signer):
        altered = any(each.verdict is not Verdict.UNCHAINED for each in faults)
        faults += _gaps(signer, end, linked, altered=altered)
    return Proof(user, tuple(faults), len(linked), len(older), end)


def _older(signer: Signer, row: Row, mark: End | None) -> bool:
    """Whether it was there before chaining began."""
    if mark is None or not mark.proved(signer):
        return False
    return row.id <= (mark.length if row.kind == "step" else mark.cut)


def _end(signer: Signer, end: End | None, linked: Sequence[Row]) -> Iterator[Fault]:
    """What is wrong with the end of the chain itself."""
    if end is None:
        if linked:
            yield Fault(Verdict.MISSING, "the end of the chain, which was deleted")
    elif not end.proved(signer):
        yield _fault(signer, end.mac, "the end of the chain")


def _fault(signer: Signer, mac: str | None, where: str) -> Fault:
    key = chain.key_of(mac)
    if mac and key != signer.id:
        return Fault(Verdict.KEY, f"{where}: key {key}")
    return Fault(Verdict.ALTERED, where)


def _broken(signer: Signer, user: str, linked: Sequence[Row]) -> Iterator[Fault]:
    """Rows that are not as they were written."""
    broken = [
        row
        for row in linked
        if not signer.signed(row.mac, row.kind, user, row.link, row.id, *row.told)
    ]
    moved: set[str] = set()
    ours = [row for row in broken if chain.key_of(row.mac) == signer.id]
    for one, other in permutations(ours[:_MOST_COMPARED], 2):
        if one.kind == other.kind and _exchanged(signer, user, one, other):
            moved |= {one.name, other.name}
    for row in broken:
        if row.name not in moved:
            yield _fault(signer, row.mac, row.name)
    if moved:
        names = (row.name for row in sorted(broken, key=lambda row: (row.kind, row.id)))
        yield Fault(Verdict.REORDERED, ", ".join(name for name in names if name in moved))


def _exchanged(signer: Signer, user: str, one: Row, other: Row) -> bool:
    """Whether what one tells was written in the other's place, or under its number."""
    places = product((one.link, other.link), (one.id, other.id))
    signed = {signer.sign(one.kind, user, *place, *one.told) for place in places}
    return bool(signed & {one.mac, other.mac})


def _gaps(signer: Signer, end: End, linked: Sequence[Row], *, altered: bool) -> Iterator[Fault]:
    """What is missing, or there twice, under an end that is proved."""
    numbers = [row.link or 0 for row in linked]
    there = set(numbers)
    for number, many in sorted(Counter(numbers).items()):
        if many > 1:
            yield Fault(Verdict.ALTERED, f"link {number} is there twice")
            altered = True
    missing = [each for each in range(end.cut + 1, end.length + 1) if each not in there]
    for first, last in _ranges(missing):
        yield Fault(Verdict.MISSING, _words(first, last, end))
    if beyond := sorted(each for each in there if each > end.length or each < 1):
        yield Fault(Verdict.ALTERED, f"the end is older than link {beyond[-1]}")
    left = [(row.link or 0, str(row.mac)) for row in linked if (row.link or 0) <= end.cut]
    if end.cut and end.kept != chain.kept(signer, end.user, end.cut, left):
        yield Fault(Verdict.CUT, f"links 1 to {end.cut} are not those that purges left")
    if altered or missing or beyond:
        return
    macs = [str(row.mac) for row in linked if (row.link or 0) > end.cut]
    if chain.fold(signer, end.user, (end.cut, end.cut_head), macs) != end.head:
        yield Fault(Verdict.ALTERED, f"links after {end.cut} are of another time than the end")


def _ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Numbers in a row, from the first to the last."""
    for _, run in groupby(enumerate(numbers), key=lambda each: each[1] - each[0]):
        those = [number for _, number in run]
        yield those[0], those[-1]


def _words(first: int, last: int, end: End) -> str:
    which = f"link {first}" if first == last else f"links {first} to {last}"
    if first == end.cut + 1 and last == end.length:
        return f"{which}: all of them"
    if last == end.length:
        return f"{which}: the last"
    return f"{which}: the first" if first == end.cut + 1 else f"{which}: from the middle"


# -- cutting -----------------------------------------------------------------------------------


def may_purge(tx: Tx, users: Collection[str], signer: Signer | None) -> set[str]:
    """Of these people those whose steps may be deleted.

    Deleting from a chain that cannot be proved would take the traces of what was done to it away.
    """
    if signer is None:
        return set(users) - _chained(tx, users)
    return {user for user, each in prove(tx, users, signer).items() if _whole(each)}


def whole(tx: Tx, users: Collection[str], signer: Signer | None) -> dict[str, list[Row]]:
    """The same, each with their rows if they have a key; nobody writes to them meanwhile."""
    if signer is None:
        return {user: [] for user in set(users) - _chained(tx, users)}
    ends, found = chain.ends(tx, {*users, NOBODY}), rows(tx, users)
    mark = ends.get(NOBODY)
    return {
        user: found[user]
        for user in users
        if _whole(judge(signer, user, ends.get(user), found[user], mark))
    }


def _whole(proof: Proof) -> bool:
    """Rows that were never chained are no part of it, whoever wrote them."""
    return all(each.verdict is Verdict.UNCHAINED for each in proof.faults)


def _chained(tx: Tx, users: Collection[str]) -> set[str]:
    theirs = _step.c.user.in_(sorted(users))
    linked = (
        select(_step.c.user).where(theirs, _step.c.link.is_not(None)),
        select(_step.c.user)
        .join(_outcome, _outcome.c.step == _step.c.id)
        .where(theirs, _outcome.c.link.is_not(None)),
        select(_chain.c.user).where(_chain.c.user.in_(sorted(users))),
    )
    return set(tx.execute(union(*linked)).scalars())


def cut(tx: Tx, before: Mapping[str, list[Row]], steps: Collection[int], signer: Signer) -> None:
    """Mark that these steps and their outcomes were deleted; ``before`` is what there was.

    Chains are known to be whole, and nobody writes to them meanwhile.
    """
    for user, end in sorted(chain.ends(tx, before, lock=True).items()):
        theirs = [row for row in before[user] if row.link is not None]
        gone = [row.link or 0 for row in theirs if _of(row) in steps]
        if not gone:
            continue
        upto = max(end.cut, *gone)
        passed = sorted((row.link or 0, str(row.mac)) for row in theirs
                        if end.cut < (row.link or 0) <= upto)  # fmt: skip
        left = [(row.link or 0, str(row.mac)) for row in theirs
                if (row.link or 0) <= upto and _of(row) not in steps]  # fmt: skip
        head = chain.fold(signer, user, (end.cut, end.cut_head), [mac for _, mac in passed])
        mark = End(user, end.length, end.head, upto, head,
                   chain.kept(signer, user, upto, left))  # fmt: skip
        chain.write(tx, mark.proven(signer))


def _of(row: Row) -> Any:
    """The step a row is, or is about."""
    return row.id if row.kind == "step" else row.told[0]
