"""SCIM records that were deleted by order: whose they were, and a sealed copy of each.

Must live here: the mark that frees somebody from every plan, and the copy. Must not know: how a
record is deleted, or what a plan makes of the mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import or_, select, update

from hooks.core.ids import DirectoryName, OktaUserId, ScimUserId
from hooks.store.tables import Order, Person, Tie

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from hooks.store.database import Tx
    from hooks.store.sealing import Sealer

_order = Order.__table__  # type: ignore[attr-defined]
_person = Person.__table__  # type: ignore[attr-defined]
_tie = Tie.__table__  # type: ignore[attr-defined]

#: What an order of this kind is called.
KIND = "unlink"


@dataclass(frozen=True, slots=True)
class Released:
    """One record that was deleted, or was about to be: ``order`` is one that nobody ended."""

    user: OktaUserId
    directory: DirectoryName
    record: ScimUserId
    copy: bytes | None
    order: int | None = None


def row_name(user: str, directory: str) -> str:
    """The row a copy is sealed for."""
    return f"tie/{user}/{directory}/released"


def mark(
    tx: Tx,
    user: OktaUserId,
    directory: DirectoryName,
    record: ScimUserId,
    *,
    copy: bytes,
    sealer: Sealer,
) -> None:
    """Release somebody from a record, and keep what it was.

    The mark counts only while the record is theirs as far as is known, and is not there: so it is
    made before the record is deleted, and does nothing if that fails.
    """
    sealed = sealer.seal(copy, row_name(user, directory))
    values = {"scim_id": record, "released": record, "released_copy": sealed}
    tx.execute(update(_tie).where(*_of(user, directory)).values(values))


def take_back(tx: Tx, user: OktaUserId, directory: DirectoryName) -> None:
    """The record is still there: nobody was released."""
    values = {"released": None, "released_copy": None}
    tx.execute(update(_tie).where(*_of(user, directory)).values(values))


def find(tx: Tx, name: str) -> list[Released]:
    """Those of this SCIM id, account id or Okta id."""
    query = (
        select(_tie.c.user, _tie.c.directory, _tie.c.released, _tie.c.released_copy)
        .outerjoin(_person, _person.c.user == _tie.c.user)
        .where(_tie.c.released.is_not(None))
        .where(or_(_tie.c.released == name, _tie.c.user == name, _person.c.account == name))
    )
    return [
        Released(
            OktaUserId(row.user),
            DirectoryName(row.directory),
            ScimUserId(row.released),
            row.released_copy and bytes(row.released_copy),
            open_order(tx, row.user),
        )
        for row in tx.execute(query.order_by(_tie.c.user, _tie.c.directory))
    ]


def opened(found: Released, sealer: Sealer) -> bytes | None:
    """The record as it was. Raises: UnsealedError if the key of the copy is not given."""
    if found.copy is None:
        return None
    return sealer.open(found.copy, row_name(found.user, found.directory))


def open_order(tx: Tx, user: str) -> int | None:
    """The newest order about somebody of which nobody knows what came."""
    query = select(_order.c.id).where(
        _order.c.kind == KIND, _order.c.ref == user, _order.c.done.is_(None)
    )
    return tx.execute(query.order_by(_order.c.id.desc()).limit(1)).scalar_one_or_none()


def tied(tx: Tx, name: str) -> list[tuple[DirectoryName, ScimUserId]]:
    """The records by which an account id or an Okta id was last seen."""
    query = (
        select(_tie.c.directory, _tie.c.scim_id)
        .join(_person, _person.c.user == _tie.c.user)
        .where(or_(_person.c.account == name, _tie.c.user == name), _tie.c.scim_id.is_not(None))
    )
    return [(DirectoryName(row.directory), ScimUserId(row.scim_id)) for row in tx.execute(query)]


def _of(user: OktaUserId, directory: DirectoryName) -> tuple[ColumnElement[bool], ...]:
    return _tie.c.user == user, _tie.c.directory == directory
