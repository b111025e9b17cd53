"""People: what ties them to each directory, how they stood, and what was refused.

Must live here: the only link to deleted users. Must not know: why somebody stands as they do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select, update

from hooks.clock import moment
from hooks.core.ids import (
    DirectoryName,
    OktaUserId,
    ScimGroupId,
    ScimUserId,
)
from hooks.core.membership import Standing
from hooks.core.memory import Memory
from hooks.store.tables import Person, Refused, Tie

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hooks.core.ids import AccountId
    from hooks.core.reading import AppUser
    from hooks.core.refusal import Refusal
    from hooks.store.database import Tx
    from hooks.store.sealing import Sealer

_person = Person.__table__  # type: ignore[attr-defined]
_tie = Tie.__table__  # type: ignore[attr-defined]
_refused = Refused.__table__  # type: ignore[attr-defined]


#: Ids in one statement.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of one person: each directory's memory (without history)."""

    protected: bool = False
    memories: dict[DirectoryName, Memory] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stood:
    """How one look left a person in one directory, to be remembered.

    ``standing`` is ``None`` for a look that did not settle it; ``groups`` likewise.
    """

    directory: DirectoryName
    standing: Standing | None
    agreed: int
    waiting_since: int | None
    in_force: bool
    scim_id: ScimUserId | None
    account: AccountId | None
    user_name: str = field(repr=False)
    groups: frozenset[ScimGroupId] | None
    refusals: tuple[Refusal, ...] = ()


def recall(tx: Tx, user: OktaUserId, sealer: Sealer) -> Known:
    """Everything remembered about a person, and who shares their SCIM records."""
    person = tx.execute(select(_person).where(_person.c.user == user)).one_or_none()
    ties = tx.execute(select(_tie).where(_tie.c.user == user)).all()
    memories = {}
    for tie in ties:
        shared: Iterable[str] = ()
        if tie.scim_id:
            shared = tx.execute(
                select(_tie.c.user).where(
                    _tie.c.directory == tie.directory,
                    _tie.c.scim_id == tie.scim_id,
                    _tie.c.user != user,
                    _tie.c.in_force,
                )
            ).scalars()
        memories[DirectoryName(tie.directory)] = Memory(
            scim_id=ScimUserId.maybe(tie.scim_id),
            user_name=_open(sealer, tie.user_name, user, tie.directory),
            ever_in_force=tie.ever_in_force,
            standing=Standing(tie.standing) if tie.standing else None,
            agreed=tie.agreed,
            waiting_since=moment(tie.waiting_since) if tie.waiting_since else None,
            groups=frozenset(ScimGroupId(each) for each in json.loads(tie.groups)),
            shared_with=frozenset(OktaUserId(each) for each in shared),
        )
    return Known(bool(person and person.protected), memories)


def remember(
    tx: Tx, user: OktaUserId, stood: Iterable[Stood], sealer: Sealer, *, protected: bool | None
) -> None:
    """Remember how a look left a person. What a look could not see is left as it was."""
    looks = list(stood)
    account = next((each.account for each in looks if each.account), None)
    _upsert_person(tx, user, account, protected=protected)
    for each in looks:
        _upsert_tie(tx, user, each, sealer)
        _refusals(tx, user, each)


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


def known(tx: Tx, users: Iterable[OktaUserId]) -> set[OktaUserId]:
    """Those among them that a census or a look has seen."""
    wanted = sorted(users)
    found: set[OktaUserId] = set()
    for start in range(0, len(wanted), _AT_ONCE):
        chunk = wanted[start : start + _AT_ONCE]
        rows = tx.execute(select(_person.c.user).where(_person.c.user.in_(chunk)))
        found.update(OktaUserId(user) for user in rows.scalars())
    return found


def waiting_long(tx: Tx, since: int) -> int:
    """How many people Okta or Atlassian has not been done with since then."""
    query = select(func.count()).select_from(_tie).where(_tie.c.waiting_since < since)
    return int(tx.execute(query).scalar_one())


def refused_count(tx: Tx) -> int:
    """How many refusals stand now."""
    query = select(func.count()).select_from(_refused).where(_refused.c.until.is_(None))
    return int(tx.execute(query).scalar_one())


def owners(
    tx: Tx, directory: DirectoryName, records: Iterable[ScimUserId]
) -> dict[str, tuple[OktaUserId, ...]]:
    """Whose SCIM records these are, as far as anything is remembered."""
    wanted = list(records)
    found: dict[str, tuple[OktaUserId, ...]] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        rows = tx.execute(
            select(_tie.c.scim_id, _tie.c.user).where(
                _tie.c.directory == directory,
                _tie.c.scim_id.in_(wanted[start : start + _AT_ONCE]),
            )
        )
        for row in rows:
            found[row.scim_id] = (*found.get(row.scim_id, ()), OktaUserId(row.user))
    return found


# -- refusals ----------------------------------------------------------------------------------


def refused(tx: Tx, *, user: str | None = None, limit: int = 1000) -> list[dict[str, object]]:
    """What is left alone now, oldest first."""
    query = select(_refused).where(_refused.c.until.is_(None)).order_by(_refused.c.id).limit(limit)
    if user:
        query = query.where(_refused.c.user == user)
    return [dict(row) for row in tx.execute(query).mappings()]


def _refusals(tx: Tx, user: OktaUserId, stood: Stood) -> None:
    """Open those that are new, end those that no longer hold, leave the rest with their age."""
    rows = tx.execute(
        select(_refused).where(
            _refused.c.user == user,
            _refused.c.directory == stood.directory,
            _refused.c.until.is_(None),
        )
    ).all()
    before = {(row.group, row.cause): row.id for row in rows}
    now = {(each.group or "", each.cause.value): each for each in stood.refusals}
    over = [row_id for key, row_id in before.items() if key not in now]
    if over:
        tx.execute(update(_refused).where(_refused.c.id.in_(over)).values(until=tx.now))
    for key in sorted(now.keys() & before.keys()):
        tx.execute(
            update(_refused)
            .where(_refused.c.id == before[key], _refused.c.detail != _detail(now[key]))
            .values(detail=_detail(now[key]))
        )
    for key in sorted(now.keys() - before.keys()):
        each = now[key]
        tx.execute(
            _refused.insert().values(
                user=user,
                directory=stood.directory,
                group=key[0],
                cause=key[1],
                detail=_detail(each),
                at=tx.now,
            )
        )


def _detail(refusal: Refusal) -> str:
    return refusal.unread.detail[:256] if refusal.unread else ""


# -- rows --------------------------------------------------------------------------------------


def _upsert_person(
    tx: Tx, user: OktaUserId, account: AccountId | None, *, protected: bool | None
) -> None:
    insert = tx.insert(_person)
    changes: dict[str, object] = {"user": insert.excluded.user}
    if protected is not None:
        changes["protected"] = protected
    if account:
        changes["account"] = account
    tx.execute(
        insert.on_conflict_do_update(index_elements=["user"], set_=changes),
        [{"user": user, "account": account, "protected": bool(protected), "seen": tx.now}],
    )


def _upsert_tie(tx: Tx, user: OktaUserId, stood: Stood, sealer: Sealer) -> None:
    row: dict[str, object] = {
        "user": user,
        "directory": stood.directory,
        "scim_id": stood.scim_id,
        "user_name": _seal(sealer, stood.user_name, user, stood.directory),
        "in_force": stood.in_force,
        "ever_in_force": stood.in_force,
        "standing": stood.standing,
        "standing_at": tx.now if stood.standing else None,
        "agreed": stood.agreed,
        "waiting_since": stood.waiting_since,
        "groups": json.dumps(sorted(stood.groups or ())),
    }
    insert = tx.insert(_tie)
    new = insert.excluded
    changes: dict[str, object] = {
        "scim_id": func.coalesce(new.scim_id, _tie.c.scim_id),
        "user_name": func.coalesce(new.user_name, _tie.c.user_name),
        "ever_in_force": _tie.c.ever_in_force | new.in_force,
        "waiting_since": new.waiting_since,
    }
    if stood.standing:
        settled = ("in_force", "standing", "standing_at", "agreed")
        changes |= {name: new[name] for name in settled}
    if stood.groups is not None:
        changes["groups"] = new.groups
    tx.execute(
        insert.on_conflict_do_update(index_elements=["user", "directory"], set_=changes), [row]
    )


def _row_name(user: str, directory: str) -> str:
    return f"tie/{user}/{directory}/user_name"


def _seal(sealer: Sealer, name: str, user: str, directory: str) -> bytes | None:
    return sealer.seal(name.encode(), _row_name(user, directory)) if name else None


def _open(sealer: Sealer, sealed: bytes | None, user: str, directory: str) -> str:
    return sealer.open(sealed, _row_name(user, directory)).decode() if sealed else ""
