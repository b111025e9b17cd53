"""Chains of which something outlived is deleted: of whose, and the mark it leaves. Design 5.2.

Must live here: whose rows may go, and what then proves that nothing else went. Must not know:
what is outlived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, union

from hooks.store import anew, chain
from hooks.store.chain import End, rows
from hooks.store.proof import Verdict, began, judge, prove
from hooks.store.tables import Chain, Cursor, Outcome, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hooks.store.chain import Row, Signer
    from hooks.store.database import Tx
    from hooks.store.proof import Proof

_step = Step.__table__  # type: ignore[attr-defined]
_outcome = Outcome.__table__  # type: ignore[attr-defined]
_chain = Chain.__table__  # type: ignore[attr-defined]
_cursor = Cursor.__table__  # type: ignore[attr-defined]

_UNPROVED = "purge/unproved"


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
    ends, found = chain.ends(tx, users), rows(tx, users)
    past, start = anew.past(tx, users), began(tx, signer)
    return {
        user: found[user]
        for user in users
        if _whole(judge(signer, user, ends.get(user), found[user], start, past=past.get(user, ())))
    }


def _whole(proof: Proof) -> bool:
    """Rows that were never chained are no part of it, whoever wrote them.

    Who has only the key of before can prove what is left, and not mark what is deleted.
    """
    return proof.goes_on and all(each.verdict is Verdict.UNCHAINED for each in proof.faults)


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
    past = anew.past(tx, before)
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
        kept = chain.kept(signer, user, upto, left, anew.covers(past.get(user, ())))
        mark = End(user, end.length, end.head, upto, head, kept)
        chain.write(tx, mark.proven(signer))


# -- what a purge left -------------------------------------------------------------------------


def note(tx: Tx, many: int, signer: Signer | None) -> None:
    """Remember of how many people a purge left what it could not prove, and with which key."""
    if not many and not unproved(tx):
        return
    insert = tx.insert(_cursor)
    row = {"name": _UNPROVED, "value": f"{many} {_id(signer)}", "at": tx.now}
    change = {key: insert.excluded[key] for key in ("value", "at")}
    tx.execute(insert.on_conflict_do_update(index_elements=["name"], set_=change), [row])


def unproved(tx: Tx) -> int:
    """The people of whom the last purge left it."""
    return int(_noted(tx)[0])


def doubted(tx: Tx, signer: Signer | None) -> bool:
    """Whether that was with another key than this one, or with none."""
    many, key = _noted(tx)
    return many != "0" and key != _id(signer)


def _noted(tx: Tx) -> tuple[str, str]:
    query = select(_cursor.c.value).where(_cursor.c.name == _UNPROVED)
    many, _, key = (tx.execute(query).scalar_one_or_none() or "0").partition(" ")
    return many, key


def _id(signer: Signer | None) -> str:
    return signer.id if signer else ""


def _of(row: Row) -> Any:
    """The step a row is, or is about."""
    return row.id if row.kind == "step" else row.told[0]
