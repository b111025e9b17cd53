"""The tables, as sqlmodel declares them. Instants are microseconds UTC; payloads are sealed.

A change here needs a migration that only adds, or gives an index another shape that serves the
same statements, so that the release before still runs.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from hooks.core.log_event import PROFILE_PUSHED
from hooks.store.columns import instant, maybe_instant, row_id

#: Row ids by parts of 4,096 events: SQLite writes whole pages, and in an index by subject alone
#: each event of a crowd is on one of its own; those of a part share few. See migration 0008.
PART = "id >> 12"
#: In the words of its own index, or no engine is sure to find them by it.
PROFILES = f"type = '{PROFILE_PUSHED}'"


class Event(SQLModel, table=True):
    """A LogEvent as it came. ``subject`` is whom it says to look at; ``sealed`` is its JSON.

    ``hooked`` is when the hook delivered what the System Log had shown before; ``replayed`` when
    an operator last put it back in line.
    """

    id: int | None = row_id()
    uuid: str = Field(unique=True, max_length=36)
    type: str = Field(max_length=128)
    published: int = instant()
    received: int = instant(index=True)
    origin: str = Field(max_length=16)
    delivery: str = Field(max_length=64)
    subject: str | None = Field(default=None, max_length=32)
    claim: str | None = Field(default=None, max_length=16)
    about: str = Field(default="", max_length=20)
    sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    first_look: int | None = maybe_instant()
    settled: int | None = maybe_instant()
    hooked: int | None = maybe_instant()
    replayed: int | None = maybe_instant()

    __table_args__ = (
        Index("event_waiting", "subject", postgresql_where=text("settled IS NULL"))
        .ddl_if(dialect="postgresql"),
        Index("event_waiting_parts", text(PART), "subject",
              sqlite_where=text("settled IS NULL")).ddl_if(dialect="sqlite"),
        Index("event_profiles", "received", postgresql_where=text(PROFILES),
              sqlite_where=text(PROFILES)),
        Index("event_logged", "received", postgresql_where=text("origin = 'log'"),
              sqlite_where=text("origin = 'log'")),
    )  # fmt: skip


class Due(SQLModel, table=True):
    """One row per person or Okta group: when to look, and who has the right to.

    While leased, ``due_at`` is the lease's end, so one index finds new and orphaned work alike.
    """

    subject: str = Field(primary_key=True, max_length=32)
    kind: str = Field(max_length=8)
    lane: int = Field(default=0)
    due_at: int | None = maybe_instant()
    generation: int = Field(default=0, sa_type=BigInteger)
    fence: int = Field(default=0, sa_type=BigInteger)
    lease_until: int | None = maybe_instant()
    attempts: int = Field(default=0)
    crashes: int = Field(default=0)
    base: int | None = maybe_instant()
    dead: str | None = Field(default=None, max_length=64)
    dead_at: int | None = maybe_instant()

    __table_args__ = (
        Index("due_line", "lane", "due_at", postgresql_where=text("due_at IS NOT NULL"),
              sqlite_where=text("due_at IS NOT NULL")),
        Index("due_standing", "lane", "due_at", postgresql_where=text("kind <> 'user'"),
              sqlite_where=text("kind <> 'user'")),
    )  # fmt: skip


class Person(SQLModel, table=True):
    """An Okta user we have seen. No retention touches this table; it links deleted users.

    ``roles`` is a JSON list of the account's platform roles, as the organization last said, and
    ``managed`` whether it owns the account's domain.
    """

    user: str = Field(primary_key=True, max_length=20)
    account: str | None = Field(default=None, max_length=128, index=True)
    account_type: str | None = Field(default=None, max_length=16)
    roles: str | None = Field(default=None)
    managed: bool | None = Field(default=None)
    protected: bool = Field(default=False)
    seen: int = instant()


class Tie(SQLModel, table=True):
    """What ties a person to one directory or the organization, and how they last stood.

    ``user_name`` is sealed; ``groups`` is a JSON list of the SCIM groups of the last reading.
    ``released`` is the SCIM id of a record deleted by order, which counts while it is also
    ``scim_id``; ``released_copy`` is that record, sealed.
    """

    user: str = Field(primary_key=True, max_length=20)
    directory: str = Field(primary_key=True, max_length=32)
    scim_id: str | None = Field(default=None, max_length=36, index=True)
    user_name: bytes | None = Field(default=None, sa_type=LargeBinary)
    in_force: bool = Field(default=False)
    ever_in_force: bool = Field(default=False)
    standing: str | None = Field(default=None, max_length=16)
    standing_at: int | None = maybe_instant()
    agreed: int = Field(default=0)
    waiting_since: int | None = maybe_instant()
    groups: str = Field(default="[]")
    census: int | None = maybe_instant()
    absent_since: int | None = maybe_instant()
    returned: int | None = maybe_instant()
    accounted: int | None = maybe_instant()
    excused: int | None = maybe_instant()
    released: str | None = Field(default=None, max_length=36)
    released_copy: bytes | None = Field(default=None, sa_type=LargeBinary)


class Refused(SQLModel, table=True):
    """Something left alone, since ``at`` and, once that is over, ``until``."""

    id: int | None = row_id()
    user: str = Field(max_length=20, index=True)
    directory: str = Field(max_length=32)
    group: str = Field(default="", max_length=36)
    cause: str = Field(max_length=32)
    detail: str = Field(default="", max_length=256)
    at: int = instant()
    until: int | None = maybe_instant()


class Mapping(SQLModel, table=True):
    """A push mapping once matched to a SCIM group; ``accept`` has it matched anew."""

    directory: str = Field(primary_key=True, max_length=32)
    mapping: str = Field(primary_key=True, max_length=20)
    source: str = Field(max_length=20)
    target: str = Field(max_length=20)
    group: str = Field(max_length=36)
    name: str
    target_name: str
    accept: bool = Field(default=False)
    at: int = instant()


class OrganizationGroup(SQLModel, table=True):
    """A group of the organization as first seen, or last accepted; ``accept`` has it seen anew."""

    __tablename__ = "organization_group"

    id: str = Field(primary_key=True, max_length=36)
    name: str
    synced: bool
    accept: bool = Field(default=False)
    at: int = instant()


class Moment(SQLModel, table=True):
    """A line of the System Log about a person, read with our own credential; evidence only."""

    user: str = Field(primary_key=True, max_length=20)
    what: str = Field(primary_key=True, max_length=16)
    app: str = Field(default="", primary_key=True, max_length=20)
    at: int = Field(primary_key=True, sa_type=BigInteger)


class Look(SQLModel, table=True):
    """What one look found and decided, as JSON, if it differs from the look before."""

    id: int | None = row_id()
    user: str = Field(max_length=20, index=True)
    told: str
    at: int = instant()


class Step(SQLModel, table=True):
    """An immutable line of a plan. ``account`` instead of ``scim_id`` for a local group.

    ``read`` is when the reading began that it rests on. ``link`` is its place in its person's
    chain and ``mac`` proves the row; ``None`` for what was written without a key. So of
    ``Outcome``.
    """

    id: int | None = row_id()
    user: str = Field(max_length=20, index=True)
    directory: str = Field(max_length=32)
    via: str = Field(max_length=16)
    action: str = Field(max_length=8)
    group: str = Field(max_length=36)
    name: str
    scim_id: str = Field(max_length=36)
    reason: str = Field(max_length=32)
    brake_class: str = Field(max_length=128)
    evidence: str
    events: str
    fence: int = Field(sa_type=BigInteger)
    ordinal: int
    at: int = instant()
    account: str | None = Field(default=None, max_length=128)
    read: int | None = maybe_instant()
    link: int | None = Field(default=None)
    mac: str | None = Field(default=None, max_length=64)

    __table_args__ = (
        Index("step_brake", "brake_class", "at"),
        Index("step_group", "group", "at"),
    )


class Outcome(SQLModel, table=True):
    """What became of a step, appended; the latest counts. ``code`` is the vendor's, never prose."""

    id: int | None = row_id()
    step: int = Field(sa_type=BigInteger, index=True)
    state: str = Field(max_length=16)
    code: str = Field(default="", max_length=64)
    at: int = instant(index=True)
    link: int | None = Field(default=None)
    mac: str | None = Field(default=None, max_length=64)


class Chain(SQLModel, table=True):
    """Where one person's chain of steps and outcomes ends, and up to where it was purged.

    ``length`` counts the links there ever were, and ``head`` is made of all their macs. Of the
    first ``cut`` links, which ended with ``cut_head``, purges left those that ``kept`` is made of.
    ``mac`` proves it all. One row is nobody's and tells where chaining began: rows up to the step
    ``length`` and the outcome ``cut`` are older.
    """

    user: str = Field(primary_key=True, max_length=20)
    length: int = Field(sa_type=BigInteger)
    head: str = Field(default="", max_length=64)
    cut: int = Field(default=0, sa_type=BigInteger)
    cut_head: str = Field(default="", max_length=64)
    kept: str = Field(default="", max_length=64)
    mac: str = Field(max_length=64)


class Hold(SQLModel, table=True):
    """Removals of one person and class over the brake's limit, until a person decides."""

    id: int | None = row_id()
    user: str = Field(max_length=20, index=True)
    directory: str = Field(max_length=32)
    brake_class: str = Field(max_length=128, index=True)
    steps: str
    at: int = instant()
    state: str = Field(default="waiting", max_length=16)
    decided: int | None = maybe_instant()
    incident: int | None = Field(default=None, sa_type=BigInteger, index=True)


class Incident(SQLModel, table=True):
    """One class over its limit, from the first removal held until none is.

    ``since`` is when the first removal that was counted went out: what was done belongs to it too.
    """

    id: int | None = row_id()
    brake_class: str = Field(max_length=128, index=True)
    since: int = instant()
    at: int = instant()
    over: int | None = maybe_instant()


class GroupSize(SQLModel, table=True):
    """How many people were in a group at ``at``, before any removal counted since then."""

    __tablename__ = "group_size"

    group: str = Field(primary_key=True, max_length=36)
    size: int
    at: int = instant()


class Brake(SQLModel, table=True):
    """One row per class, locked while its people are counted."""

    brake_class: str = Field(primary_key=True, max_length=128)


class Order(SQLModel, table=True):
    """What an operator asked: what, about which hold or person, who as claimed, and why.

    ``steps`` is a JSON list of the removals to be given back; ``done`` is ``None`` until that is.
    """

    __tablename__ = "operator_order"

    id: int | None = row_id()
    kind: str = Field(max_length=16)
    ref: str = Field(max_length=128)
    who: str = Field(default="", max_length=128)
    why: str = Field(default="", max_length=512)
    at: int = instant()
    done: int | None = maybe_instant()
    result: str = Field(default="", max_length=256)
    steps: str | None = Field(default=None)

    __table_args__ = (
        Index("order_open", "ref", postgresql_where=text("done IS NULL"),
              sqlite_where=text("done IS NULL")),
    )  # fmt: skip


class Alarm(SQLModel, table=True):
    """Something a person should know of: since when it is so, and what they were told last.

    ``seen`` is when a process last found it so; ``told`` is what was last notified, empty for
    nothing; ``due`` is when to notify (again).
    """

    name: str = Field(primary_key=True, max_length=160)
    since: int = instant()
    seen: int = instant()
    told: str = Field(default="", max_length=16)
    due: int | None = maybe_instant()
    attempts: int = Field(default=0)


class Pin(SQLModel, table=True):
    """An Okta group the policy names, once it resolved to exactly one id."""

    name: str = Field(primary_key=True)
    okta_group: str = Field(max_length=20)
    at: int = instant()


class Cursor(SQLModel, table=True):
    """A place in a long read, or an instant to remember."""

    name: str = Field(primary_key=True, max_length=64)
    value: str
    at: int = instant()
