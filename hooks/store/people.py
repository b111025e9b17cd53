"""People: what ties them to each directory, and how they stood.

Must live here: the only link to deleted users. Must not know: why somebody stands as they do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, func, select, update

from hooks.clock import moment
from hooks.core.errors import UnsealedError
from hooks.core.ids import AccountId, DirectoryName, OktaUserId, ScimUserId, Uuid
from hooks.core.membership import Standing
from hooks.core.memory import Memory
from hooks.core.reading import Account
from hooks.store import refusals
from hooks.store.database import insert_into
from hooks.store.tables import Person, Tie

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.dialects.postgresql import Insert

    from hooks.core.reading import AppUser
    from hooks.core.refusal import Refusal
    from hooks.core.returning import Standed
    from hooks.store.database import Tx
    from hooks.store.sealing import Sealer

_person = Person.__table__  # type: ignore[attr-defined]
_tie = Tie.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of one person: each place's memory (without history).

    ``linked`` is the account a SCIM record named, ``account`` what the organization last said
    about it; ``locked`` says why a userName could not be opened, which only finds candidates.
    """

    protected: bool = False
    linked: AccountId | None = None
    account: Account | None = None
    memories: dict[DirectoryName, Memory] = field(default_factory=dict)
    locked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stood:
    """How one look left a person in one place, to be remembered.

    ``stood.standing`` is ``None`` for a look that did not settle it; ``groups`` likewise.
    """

    directory: DirectoryName
    stood: Standed
    waiting_since: datetime | None
    in_force: bool = False
    scim_id: ScimUserId | None = None
    account: AccountId | None = None
    user_name: str = field(default="", repr=False)
    groups: frozenset[Uuid] | None = None
    refusals: tuple[Refusal, ...] = ()


def recall(tx: Tx, user: OktaUserId, sealer: Sealer) -> Known:
    """Everything remembered about a person, and who shares their SCIM records."""
    person = tx.execute(_one(_person), {"user": user}).one_or_none()
    ties = tx.execute(_one(_tie), {"user": user}).all()
    memories = {}
    locked = set()
    for tie in ties:
        name, why = _open(sealer, tie.user_name, user, tie.directory)
        locked.add(why)
        shared: Iterable[str] = ()
        if tie.scim_id:
            record = {"directory": tie.directory, "scim_id": tie.scim_id, "user": user}
            shared = tx.execute(_sharing(), record).scalars()
        memories[DirectoryName(tie.directory)] = Memory(
            scim_id=ScimUserId.maybe(tie.scim_id),
            user_name=name,
            locked=bool(why),
            ever_in_force=tie.ever_in_force,
            standing=Standing(tie.standing) if tie.standing else None,
            agreed=tie.agreed,
            waiting_since=_moment(tie.waiting_since),
            groups=frozenset(Uuid(each) for each in json.loads(tie.groups)),
            shared_with=frozenset(OktaUserId(each) for each in shared),
            standing_at=_moment(tie.standing_at),
            absent_since=_moment(tie.absent_since),
            returned=_moment(tie.returned),
            accounted=_moment(tie.accounted),
            excused=_moment(tie.excused),
            released=tie.released is not None and tie.released == tie.scim_id,
        )
    whys = frozenset(locked - {""})
    if person is None:
        return Known(memories=memories, locked=whys)
    linked = AccountId.maybe(person.account)
    return Known(person.protected, linked, _account(person), memories, whys)


@cache
def _one(table: Any) -> Select[Any]:
    """All rows about a person; like the next built once: building costs more than running."""
    return select(table).where(table.c.user == bindparam("user"))


@cache
def _sharing() -> Select[tuple[str]]:
    return select(_tie.c.user).where(
        _tie.c.directory == bindparam("directory"),
        _tie.c.scim_id == bindparam("scim_id"),
        _tie.c.user != bindparam("user"),
        _tie.c.in_force,
    )


def _account(person: Any) -> Account | None:
    """What the organization said last; ``None`` if it never said who holds which role."""
    account = AccountId.maybe(person.account)
    if account is None or person.roles is None:
        return None
    return Account(account, person.account_type, roles=frozenset(json.loads(person.roles)))


def _moment(at: int | None) -> datetime | None:
    return moment(at) if at else None


def remember(
    tx: Tx,
    user: OktaUserId,
    stood: Iterable[Stood],
    sealer: Sealer,
    *,
    protected: bool | None,
    account: Account | None = None,
) -> None:
    """Remember how a look left a person. What a look could not see is left as it was.

    ``account`` is what the organization said, if it was asked.
    """
    looks = list(stood)
    linked = account.id if account else next((each.account for each in looks if each.account), None)
    _upsert_person(tx, user, linked, account, protected=protected)
    for each in looks:
        _upsert_tie(tx, user, each, sealer)
        refusals.keep(tx, user, each.directory, each.refusals)


def census(
    tx: Tx,
    directory: DirectoryName,
    app_users: Iterable[AppUser],
    sealer: Sealer,
    *,
    began: int,
) -> int:
    """Remember a page of an app's users: who is assigned, and to which SCIM record.

    Whoever was looked at since the census ``began`` is better known by that look.
    """
    rows = sorted(app_users, key=lambda each: each.user)
    if not rows:
        return 0
    insert = tx.insert(_person).on_conflict_do_nothing(index_elements=["user"])
    tx.execute(insert, [{"user": each.user, "protected": False, "seen": tx.now} for each in rows])
    ties = tx.insert(_tie)
    new = ties.excluded
    newer = _tie.c.standing_at >= began
    tx.execute(
        ties.on_conflict_do_update(
            index_elements=["user", "directory"],
            set_={
                "scim_id": case(
                    (newer, func.coalesce(_tie.c.scim_id, new.scim_id)),
                    else_=func.coalesce(new.scim_id, _tie.c.scim_id),
                ),
                "user_name": func.coalesce(new.user_name, _tie.c.user_name),
                "in_force": case((newer, _tie.c.in_force), else_=new.in_force),
                "ever_in_force": _tie.c.ever_in_force | new.in_force,
                "census": tx.now,
            },
        ),
        [
            {
                "user": each.user,
                "directory": directory,
                "scim_id": each.external_id,
                "user_name": _seal(sealer, each.user_name, each.user, directory),
                "in_force": each.in_force,
                "ever_in_force": each.in_force,
                "agreed": 0,
                "groups": "[]",
                "census": tx.now,
            }
            for each in rows
        ],
    )
    return len(rows)


def end_census(tx: Tx, directory: DirectoryName, began: int) -> int:
    """Whoever a whole census did not list is no longer in force; how many that are."""
    changed = tx.execute(
        update(_tie)
        .where(
            _tie.c.directory == directory,
            _tie.c.in_force,
            (_tie.c.census.is_(None)) | (_tie.c.census < began),
            (_tie.c.standing_at.is_(None)) | (_tie.c.standing_at < began),
        )
        .values(in_force=False)
    )
    return changed.rowcount


def waiting_long(tx: Tx, since: int) -> int:
    """How many people Okta or Atlassian has not been done with since then."""
    query = select(func.count()).select_from(_tie).where(_tie.c.waiting_since < since)
    return int(tx.execute(query).scalar_one())


# -- rows --------------------------------------------------------------------------------------


def _upsert_person(
    tx: Tx,
    user: OktaUserId,
    linked: AccountId | None,
    account: Account | None,
    *,
    protected: bool | None,
) -> None:
    row: dict[str, object] = {
        "user": user,
        "account": linked,
        "protected": bool(protected),
        "seen": tx.now,
    }
    changes = {"user"}
    if protected is not None:
        changes.add("protected")
    if linked:
        changes.add("account")
    if account and account.type:
        row["account_type"] = account.type[:16]
    if account and account.roles is not None:
        row["roles"] = json.dumps(sorted(account.roles))
    if account and account.managed is not None:
        row["managed"] = account.managed
    changes |= {"account_type", "roles", "managed"} & row.keys()
    tx.execute(_knowing(frozenset(changes), postgres=tx.postgres), [row])


@cache
def _knowing(changes: frozenset[str], *, postgres: bool) -> Insert:
    """The upsert of a person, built once: building it costs more than running it."""
    insert = insert_into(_person, postgres=postgres)
    new = {name: insert.excluded[name] for name in sorted(changes)}
    return insert.on_conflict_do_update(index_elements=["user"], set_=new)


def _upsert_tie(tx: Tx, user: OktaUserId, stood: Stood, sealer: Sealer) -> None:
    row: dict[str, object] = {
        "user": user,
        "directory": stood.directory,
        "scim_id": stood.scim_id,
        "user_name": _seal(sealer, stood.user_name, user, stood.directory),
        "in_force": stood.in_force,
        "ever_in_force": stood.in_force,
        "standing": stood.stood.standing,
        "standing_at": tx.now if stood.stood.standing else None,
        "agreed": stood.stood.agreed,
        "absent_since": _instant(stood.stood.absent_since),
        "returned": _instant(stood.stood.returned),
        "accounted": _instant(stood.stood.accounted),
        "waiting_since": _instant(stood.waiting_since),
        "groups": json.dumps(sorted(stood.groups or ())),
    }
    settled, groups = stood.stood.standing is not None, stood.groups is not None
    tx.execute(_tying(postgres=tx.postgres, settled=settled, groups=groups), [row])


@cache
def _tying(*, postgres: bool, settled: bool, groups: bool) -> Insert:
    """The upsert of a tie, built once too."""
    insert = insert_into(_tie, postgres=postgres)
    new = insert.excluded
    changes: dict[str, object] = {
        "scim_id": func.coalesce(new.scim_id, _tie.c.scim_id),
        "user_name": func.coalesce(new.user_name, _tie.c.user_name),
        "ever_in_force": _tie.c.ever_in_force | new.in_force,
        "waiting_since": new.waiting_since,
    }
    if settled:
        names = ("in_force", "standing", "standing_at", "agreed",
                 "absent_since", "returned", "accounted")  # fmt: skip
        changes |= {name: new[name] for name in names}
    if groups:
        changes["groups"] = new.groups
    return insert.on_conflict_do_update(index_elements=["user", "directory"], set_=changes)


def _instant(at: datetime | None) -> int | None:
    return round(at.timestamp() * 1_000_000) if at else None


def row_name(user: str, directory: str) -> str:
    """The row a userName is sealed for."""
    return f"tie/{user}/{directory}/user_name"


def _seal(sealer: Sealer, name: str, user: str, directory: str) -> bytes | None:
    return sealer.seal(name.encode(), row_name(user, directory)) if name else None


def _open(sealer: Sealer, sealed: bytes | None, user: str, directory: str) -> tuple[str, str]:
    """A userName; or none, and why it cannot be opened: whoever left is stripped without it."""
    try:
        return (sealer.open(sealed, row_name(user, directory)).decode() if sealed else ""), ""
    except UnsealedError as error:
        return "", str(error)
