"""Evidence that cannot be changed unnoticed: each person's steps and outcomes, chained by a key.

Must live here: what proves a row, and how a chain grows and is cut. Must not know: what a step
means, or what is said of a chain that is broken.
Each row is a link: its mac covers the person, its number and all it tells. The head folds the
macs of all links, so that one head of an old log line proves every row up to it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text

from hooks.store.tables import Chain, Outcome, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Select

    from hooks.store.database import Tx

_step = Step.__table__  # type: ignore[attr-defined]
_outcome = Outcome.__table__  # type: ignore[attr-defined]
_chain = Chain.__table__  # type: ignore[attr-defined]

#: Under this the store remembers where chaining began; no person has such an id.
NOBODY = ""
#: What stands for a head where nothing can be proved, because the end of the chain cannot.
UNPROVED = "unproved"
_ID_BYTES = 4
#: Hexadecimal digits of a mac before the key's id: 224 bits of an HMAC-SHA256.
_DIGITS = 56
#: Digits of a head in a log line.
_SHORT = 20
#: Everything a row tells, in the order in which its mac covers it.
_TOLD = {
    "step": (
        "user", "directory", "via", "action", "group", "name", "scim_id", "account", "reason",
        "brake_class", "evidence", "events", "fence", "ordinal", "at", "read",
    ),
    "outcome": ("step", "state", "code", "at"),
}  # fmt: skip


class Signer:
    """Proves rows with the one key of all chains, and tells whether a row is proved."""

    def __init__(self, key: bytes) -> None:
        """``key`` is 32 bytes, and kept: under another nothing of before can be proved."""
        self._key = key
        self.id = hashlib.sha256(b"hooks chain key id" + key).digest()[:_ID_BYTES].hex()

    def sign(self, what: str, *told: object) -> str:
        """The mac of this; the key's id stands at its end."""
        words = json.dumps([f"hooks/{what}/1", *told], separators=(",", ":"), default=_strange)
        digest = hmac.digest(self._key, words.encode("ascii"), "sha256")
        return digest.hex()[:_DIGITS] + self.id

    def signed(self, mac: object, what: str, *told: object) -> bool:
        """Whether it is the mac of this."""
        return hmac.compare_digest(str(mac).encode(), self.sign(what, *told).encode())


def _strange(value: object) -> object:
    """What no row of ours holds, such as bytes, and somebody may have put there."""
    return {type(value).__name__: repr(value)}


def key_of(mac: object) -> str:
    """The id of the key a mac was made with."""
    return str(mac)[_DIGITS:]


def told(kind: str, row: Mapping[str, Any]) -> tuple[object, ...]:
    """What the mac of a row covers besides its place."""
    return tuple(row[name] for name in _TOLD[kind])


# -- the end of a chain ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class End:
    """A row of ``chain``."""

    user: str
    length: int = 0
    head: str = ""
    cut: int = 0
    cut_head: str = ""
    kept: str = ""
    mac: str = ""

    def proved(self, signer: Signer) -> bool:
        """Whether nobody but a holder of the key wrote it."""
        return signer.signed(self.mac, "chain", *self._told())

    def proven(self, signer: Signer) -> End:
        """The same, with its mac."""
        return replace(self, mac=signer.sign("chain", *self._told()))

    def _told(self) -> tuple[object, ...]:
        return self.user, self.length, self.head, self.cut, self.cut_head, self.kept


def ends(tx: Tx, users: Iterable[str], *, lock: bool = False) -> dict[str, End]:
    """The ends of these people's chains."""
    query = select(_chain).where(_chain.c.user.in_(sorted(users))).order_by(_chain.c.user)
    rows = tx.execute(query.with_for_update() if lock and tx.postgres else query).mappings()
    return {row["user"]: End(**row) for row in rows}


def fold(signer: Signer, user: str, end: tuple[int, str], macs: Iterable[str]) -> str:
    """The head after these links, which follow the link and head of ``end``."""
    number, head = end
    for mac in macs:
        number += 1
        head = signer.sign("head", user, number, head, mac)
    return head


def kept(
    signer: Signer,
    user: str,
    cut: int,
    links: Iterable[tuple[int, str]],
    past: Sequence[object] = (),
) -> str:
    """What stands for the links that purges left of the first ``cut``, and for ends left behind."""
    told = [list(each) for each in sorted(links)]
    return signer.sign("kept", user, cut, told, *([past] if past else []))


def short(number: int, head: str) -> str:
    """A head as log lines show it."""
    return f"{number}:{head[:_SHORT]}"


def write(tx: Tx, end: End) -> None:
    """Put the end of a chain."""
    row = {name: getattr(end, name) for name in _chain.c.keys()}  # noqa: SIM118  # columns
    insert = tx.insert(_chain)
    change = {name: insert.excluded[name] for name in row if name != "user"}
    tx.execute(insert.on_conflict_do_update(index_elements=["user"], set_=change), [row])


# -- rows --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A step or an outcome as it stands stored, and all that its mac covers."""

    kind: str
    id: int
    link: int | None
    mac: str | None
    told: tuple[object, ...]

    @property
    def linked(self) -> bool:
        """Whether it was ever chained."""
        return self.link is not None or self.mac is not None

    @property
    def name(self) -> str:
        """As it is called in what is said."""
        return f"{self.kind} {self.id}"


def rows(tx: Tx, users: Collection[str]) -> dict[str, list[Row]]:
    """All steps and outcomes of these people."""
    found: dict[str, list[Row]] = {user: [] for user in users}
    owner = _step.c.user.label("owner")
    of_step = select(_step, owner).where(_step.c.user.in_(sorted(users)))
    of_outcome = (
        select(_outcome, owner)
        .join(_step, _step.c.id == _outcome.c.step)
        .where(_step.c.user.in_(sorted(users)))
    )
    for kind, query in (("step", of_step), ("outcome", of_outcome)):
        for row in tx.execute(query).mappings():
            link = row["link"] if isinstance(row["link"], int | None) else 0
            one = Row(kind, row["id"], link, row["mac"], told(kind, dict(row)))
            found[row["owner"]].append(one)
    return found


# -- growing -----------------------------------------------------------------------------------


def begin(tx: Tx, signer: Signer | None) -> None:
    """Remember which rows are older than all chains, once; who runs with a key calls it first."""
    if signer is None or tx.execute(select(_chain.c.user).limit(1)).first():
        return
    last = [tx.execute(select(func.max(each.c.id))).scalar() or 0 for each in (_step, _outcome)]
    mark = End(NOBODY, length=last[0], cut=last[1]).proven(signer)
    row = {name: getattr(mark, name) for name in _chain.c.keys()}  # noqa: SIM118  # columns
    tx.execute(tx.insert(_chain).on_conflict_do_nothing(index_elements=["user"]), [row])


def strange_key(tx: Tx, signer: Signer | None) -> str | None:
    """The id of the key chains were begun with, if it is not this one."""
    mark = ends(tx, [NOBODY]).get(NOBODY)
    if mark is None or (signer and mark.proved(signer)):
        return None
    return key_of(mark.mac)


class Links:
    """Writes rows of one person, each as the next link; without a key, as rows alone.

    An end that cannot be proved is left as it is, and so are the rows that follow: to go on from
    it would make good what somebody changed.
    """

    def __init__(self, tx: Tx, user: str, signer: Signer | None) -> None:
        """Nothing is read before there is something to write."""
        self._tx, self._user, self._signer = tx, user, signer
        self._end: End | None = None
        self._unproved = False

    def steps(self, rows: Sequence[Mapping[str, object]]) -> list[int]:
        """Write steps; the id of each."""
        return self._put("step", _step, rows)

    def outcomes(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Write outcomes."""
        self._put("outcome", _outcome, rows)

    def close(self) -> str:
        """Write where the chain ends now; the head for the log, empty if there is no news."""
        if self._signer is None or self._end is None:
            return UNPROVED if self._unproved else ""
        write(self._tx, self._end.proven(self._signer))
        return short(self._end.length, self._end.head)

    def _begun(self) -> End | None:
        if self._signer and self._end is None and not self._unproved:
            end = ends(self._tx, [self._user], lock=True).get(self._user)
            self._unproved = end is not None and not end.proved(self._signer)
            self._end = None if self._unproved else end or End(self._user)
        return self._end

    def _put(self, kind: str, table: Any, rows: Sequence[Mapping[str, object]]) -> list[int]:
        """Rows with ids of their own beforehand: what proves a row covers its id."""
        if not rows:
            return []
        end, numbers = self._begun(), _next_ids(self._tx, table, len(rows))
        written = []
        for number, row in zip(numbers, rows, strict=True):
            one = {**row, "id": number}
            if self._signer and end:
                link = end.length + 1
                mac = self._signer.sign(kind, self._user, link, number, *told(kind, row))
                head = fold(self._signer, self._user, (end.length, end.head), [mac])
                end = replace(end, length=link, head=head)
                one |= {"link": link, "mac": mac}
            written.append(one)
        self._tx.execute(table.insert(), written)
        self._end = end
        return numbers


def _next_ids(tx: Tx, table: Any, many: int) -> list[int]:
    """Ids as the engine would give them to the next rows."""
    if tx.postgres:
        found = tx.execute(_SEQUENCE, {"table": table.name, "many": many}).scalars()
        return [int(each) for each in found]
    last = tx.execute(_last_id(table)).scalar() or 0
    return list(range(last + 1, last + 1 + many))


@cache
def _last_id(table: Any) -> Select[tuple[int]]:
    return select(func.max(table.c.id))


_SEQUENCE = text(
    "SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :many)"
)
