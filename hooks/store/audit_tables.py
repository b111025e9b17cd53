"""The tables of audits; nothing else rests on them, and they may be emptied.

A change here needs a migration that only adds, so that the release before still runs.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary
from sqlmodel import Field, SQLModel

from hooks.store.columns import instant, maybe_instant, row_id


class Audit(SQLModel, table=True):
    """One reading of everybody. ``read`` is when the last page came, ``done`` when it was judged.

    ``people`` and ``pages`` are counts; ``scheduled``: ``serve`` does it, and no command.
    """

    id: int | None = row_id()
    began: int = instant()
    scheduled: bool = Field(default=False)
    seen: int = instant()
    read: int | None = maybe_instant()
    done: int | None = maybe_instant()
    people: int = Field(default=0)
    pages: int = Field(default=0)


class AuditPage(SQLModel, table=True):
    """A page of a list an audit rests on, sealed, until it is judged.

    ``place`` is where the list goes on, empty at its end.
    """

    __tablename__ = "audit_page"

    audit: int = Field(primary_key=True, sa_type=BigInteger)
    part: str = Field(primary_key=True, max_length=96)
    ordinal: int = Field(primary_key=True)
    place: str
    sealed: bytes = Field(sa_type=LargeBinary)


class Drift(SQLModel, table=True):
    """Where an audit found the world to be otherwise than wanted, or not to be judged.

    ``user`` is empty where nobody in Okta is known; ``record`` is then the SCIM user or account.
    ``people`` is how many it is about where it is about a group.
    """

    id: int | None = row_id()
    audit: int = Field(sa_type=BigInteger)
    user: str = Field(default="", max_length=20, index=True)
    record: str = Field(default="", max_length=128)
    directory: str = Field(max_length=32)
    group: str = Field(default="", max_length=36)
    name: str = Field(default="")
    kind: str = Field(max_length=16)
    why: str = Field(default="", max_length=32)
    people: int = Field(default=1)

    __table_args__ = (Index("drift_audit", "audit", "kind", "id"),)
