"""The waiting events of one subject: which they are, and what they claim.

Must live here: what a look is told it was caused by. Must not know: leases, or what follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, and_, bindparam, func, select, update

from hooks.clock import moment
from hooks.core.memory import Claim, Claimed
from hooks.store.database import among, packed
from hooks.store.tables import Event, Mapping, Pin

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Select, Update

    from hooks.store.database import Tx

_event = Event.__table__  # type: ignore[attr-defined]
_mapping = Mapping.__table__  # type: ignore[attr-defined]
_pin = Pin.__table__  # type: ignore[attr-defined]

#: Events named by one lease, the newest; the look comes after the older ones too.
_EVENTS = 500
#: Claims handed out; those about groups that nobody maps or names come last.
_CLAIMS = 2_000


@dataclass(frozen=True, slots=True)
class Handed:
    """``uuids`` oldest first; ``since`` is when the oldest was published and when it came."""

    uuids: tuple[str, ...] = ()
    claims: tuple[Claimed, ...] = ()
    since: tuple[datetime, datetime] | None = None


def handed_out(tx: Tx, subject: str) -> Handed:
    """The newest waiting events, and the claims; when first looked at is noted."""
    rows = tx.execute(_newest(), {"subject": subject}).all()[::-1]
    uuids = tuple(row.uuid for row in rows)
    said = claims(tx, subject)
    if uuids:
        named = packed({*uuids, *(each.uuid for each in said)})
        tx.execute(_looking(postgres=tx.postgres), {"named": named, "now": tx.now})
    if not rows:
        return Handed(claims=said)
    oldest = min(rows, key=lambda row: int(row.received))
    published = min(oldest.published, oldest.received)
    return Handed(uuids, said, (moment(published), moment(oldest.received)))


@cache
def _looking(*, postgres: bool) -> Update:
    """Built once, as what is below: building costs the most."""
    named = among(_event.c.uuid, bindparam("named", type_=Text), postgres=postgres)
    now = bindparam("now", type_=_event.c.first_look.type)
    return update(_event).where(_event.c.first_look.is_(None), named).values(first_look=now)


def _waits() -> ColumnElement[bool]:
    return and_(_event.c.subject == bindparam("subject"), _event.c.settled.is_(None))


@cache
def _newest() -> Select[tuple[str, int, int]]:
    """The newest waiting events."""
    columns = (_event.c.uuid, _event.c.published, _event.c.received)
    # Plus nothing, or SQLite may go through all there ever were, as they are in that order.
    newest = select(*columns).where(_waits()).order_by((_event.c.id + 0).desc())
    return newest.limit(_EVENTS)


def claims(tx: Tx, subject: str) -> tuple[Claimed, ...]:
    """What the waiting events of a subject say: of each claim the newest, oldest first.

    However many events there are about a person, none pushes out what is said about them, their
    apps, or a group that a mapping or the policy knows.
    """
    rows = tx.execute(_claiming(postgres=tx.postgres), {"subject": subject})
    return tuple(
        Claimed(
            row.uuid, Claim(row.claim), row.about,
            moment(row.published), moment(row.first_look or tx.now),
        )
        for row in sorted(rows, key=lambda row: int(row.id))
    )  # fmt: skip


@cache
def _claiming(*, postgres: bool) -> Select[Any]:
    said = func.least if postgres else func.min
    published = said(_event.c.published, _event.c.received).label("published")
    newest = select(
        _event.c.id, _event.c.uuid, _event.c.claim, _event.c.about, published,
        _event.c.first_look,
        func.row_number()
        .over(
            partition_by=(_event.c.claim, _event.c.about),
            order_by=(published.desc(), _event.c.uuid.desc()),
        )
        .label("nth"),
    ).where(_waits(), _event.c.claim.is_not(None)).subquery()  # fmt: skip
    strange = newest.c.claim.in_([Claim.JOINED, Claim.LEFT]) & newest.c.about.not_in(
        select(_mapping.c.source).union(select(_pin.c.okta_group))
    )
    return (
        select(newest)
        .where(newest.c.nth == 1)
        .order_by(strange, newest.c.published.desc())
        .limit(_CLAIMS)
    )
