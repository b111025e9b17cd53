"""Whether people's chains of evidence are whole: what was altered, moved, or taken out. Design 5.2.

Must live here: what is said of a chain that is not as it was written. Must not know: how it grew.
Proved is only what a holder of the key wrote; who can put back the whole store as it once was
is found by a head from a log line alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby, permutations, product
from typing import TYPE_CHECKING

from sqlalchemy import select

from hooks.store import anew, chain
from hooks.store.chain import NOBODY, End, Row, Signer, rows
from hooks.store.tables import Chain, Outcome, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from hooks.store.anew import Past
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
    """What is wrong with a chain.

    Or that nothing is, though not all of it is chained (``before``), or not with the key that is
    given (``anew``).
    """

    OK = "ok"
    BEFORE = "before"
    ANEW = "anew"
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
    """What is found of one person.

    ``before`` counts rows that are older than all chains, ``others`` by key those that one proves
    which is not given, because chains were begun anew. ``goes_on``: with this key it would.
    """

    user: str
    faults: tuple[Fault, ...] = ()
    links: int = 0
    before: int = 0
    others: Mapping[str, int] = field(default_factory=dict)
    goes_on: bool = True

    @property
    def verdict(self) -> Verdict:
        """The first thing that is wrong."""
        if self.faults:
            return self.faults[0].verdict
        if self.others:
            return Verdict.ANEW
        return Verdict.BEFORE if self.before else Verdict.OK


@dataclass(frozen=True, slots=True)
class Began:
    """Where chaining began as this key proves it; and the ``keys`` with which it was begun anew."""

    mark: End | None = None
    keys: frozenset[str] = frozenset()


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
        before = chain.ends(tx, left)
        read, past, start = rows(tx, left), anew.past(tx, left), began(tx, signer)
        after = chain.ends(tx, left)
        last = number == _TRIES - 1
        stable = {user for user in left if last or before.get(user) == after.get(user)}
        found |= {
            user: judge(signer, user, after.get(user), read[user], start, past=past.get(user, ()))
            for user in stable
        }
        left -= stable
        if not left:
            break
    return found


def began(tx: Tx, signer: Signer) -> Began:
    """Where chaining began, by what is stored of it under this key or one of before."""
    mark = chain.ends(tx, [NOBODY]).get(NOBODY)
    if mark is None or mark.proved(signer):
        return Began(mark)
    every = anew.past(tx, [NOBODY]).get(NOBODY, ())
    for number, each in enumerate(every):
        if each.end.proved(signer):
            later = {one.key for one in every[number + 1 :]} | {chain.key_of(mark.mac)}
            return Began(each.end, frozenset(later))
    return Began()


def beginning(tx: Tx, signer: Signer) -> Fault | None:
    """What is wrong with the row that tells where chaining began, in a store where it did."""
    mark = chain.ends(tx, [NOBODY]).get(NOBODY)
    if mark is None:
        if tx.execute(select(_chain.c.user).limit(1)).first():
            return Fault(Verdict.MISSING, "the row that tells where chaining began")
        return None
    if not mark.proved(signer):
        known = began(tx, signer).mark
        return None if known else _fault(signer, mark.mac, "where chaining began")
    told = anew.covers(anew.past(tx, [NOBODY]).get(NOBODY, ()))
    if (told or mark.kept) and mark.kept != chain.kept(signer, NOBODY, 0, (), told):
        return Fault(Verdict.ALTERED, "who began the chains anew, and when")
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
    signer: Signer,
    user: str,
    end: End | None,
    found: Iterable[Row],
    start: Began,
    *,
    past: Sequence[Past] = (),
) -> Proof:
    """Everything that is wrong with one person's rows, as they are, under the end as it is.

    ``past`` are the ends that were left behind; under the key of one of them it is judged as it
    was then, and what other keys prove is counted.
    """
    every = list(found)
    linked = sorted((row for row in every if row.linked), key=lambda row: (row.link or 0, row.id))
    loose = [row for row in every if not row.linked]
    older = [row for row in loose if _older(row, start.mark)]
    proved = end is not None and end.proved(signer)
    then = next((each for each in past if not proved and each.end.proved(signer)), None)
    gone = end is not None and not proved and chain.key_of(end.mac) in start.keys
    others = [row for row in linked if _another(signer, row, past, then, gone=gone, start=start)]
    mine = [row for row in linked if row not in others] if others else linked
    late = [row.name for row in loose if row not in older]
    faults = [
        *(() if gone and (then or not mine) else _end(signer, end, linked)),
        *_broken(signer, user, mine),
        *([Fault(Verdict.UNCHAINED, ", ".join(late))] if late else []),
        *_left(signer, past),
    ]
    altered = any(each.verdict is not Verdict.UNCHAINED for each in faults)
    if end and proved:
        faults += _gaps(signer, end, linked, past, altered=altered)
    elif then and not altered:
        faults += _unlike(signer, then.end, linked)
    counted = Counter(chain.key_of(row.mac) for row in others)
    return Proof(user, tuple(faults), len(linked), len(older), counted, end is None or proved)


def _another(
    signer: Signer, row: Row, past: Sequence[Past], then: Past | None, *, gone: bool, start: Began
) -> bool:
    """Whether a row is of the time of another key, and says so."""
    key, link = chain.key_of(row.mac), row.link or 0
    if key == signer.id:
        return False
    before = past if then is None else past[: past.index(then)]
    first = before[-1].end.length if before else 0
    if then is None:
        return key in start.keys if gone else 0 < link <= first
    return link <= first or (link > then.end.length and key in start.keys)


def _left(signer: Signer, past: Iterable[Past]) -> Iterator[Fault]:
    """What is wrong with ends that were left behind."""
    for each in past:
        if each.key == signer.id and not each.end.proved(signer):
            yield Fault(Verdict.ALTERED, "the end left behind when the chain was begun anew")
        if each.missing:
            which = ", ".join(f"{first} to {last}" for first, last in _ranges(each.missing))
            where = f"links {which}: missing when the chain was begun anew"
            yield Fault(Verdict.MISSING, where)


def _unlike(signer: Signer, end: End, linked: Sequence[Row]) -> Iterator[Fault]:
    """Whether what is left of an end left behind is what it was made of, if all of it is left."""
    macs = {row.link: str(row.mac) for row in linked}
    numbers = range(end.cut + 1, end.length + 1)
    if not all(each in macs for each in numbers):
        return
    head = chain.fold(signer, end.user, (end.cut, end.cut_head), [macs[each] for each in numbers])
    if head != end.head:
        yield Fault(Verdict.ALTERED, f"links after {end.cut} are of another time than the end")


def _older(row: Row, mark: End | None) -> bool:
    """Whether it was there before chaining began."""
    if mark is None:
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


def _gaps(
    signer: Signer, end: End, linked: Sequence[Row], past: Sequence[Past], *, altered: bool
) -> Iterator[Fault]:
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
    kept = chain.kept(signer, end.user, end.cut, left, anew.covers(past))
    if end.cut and end.kept != kept:
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
