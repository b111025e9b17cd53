"""Who is known at all, and who is known to hold which record or account.

Must live here: questions that go through everybody. Must not know: what anybody should have.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Text, bindparam, func, select, text, update

from hooks.clock import moment
from hooks.core.alarm import burst
from hooks.core.ids import AccountId, OktaUserId, ScimUserId
from hooks.store.database import among, packed
from hooks.store.tables import PROFILES, Event, Person, Tie

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Select

    from hooks.core.ids import DirectoryName, Uuid
    from hooks.store.database import Tx

_event = Event.__table__  # type: ignore[attr-defined]
_person = Person.__table__  # type: ignore[attr-defined]
_tie = Tie.__table__  # type: ignore[attr-defined]


def users(tx: Tx, users: Iterable[OktaUserId]) -> set[OktaUserId]:
    """Those among them that a census or a look has seen."""
    rows = tx.execute(_seen(postgres=tx.postgres), {"users": packed(users)})
    return {OktaUserId(user) for user in rows.scalars()}


@cache
def _seen(*, postgres: bool) -> Select[tuple[str]]:
    users = bindparam("users", type_=Text)
    return select(_person.c.user).where(among(_person.c.user, users, postgres=postgres))


def claim(tx: Tx, people: Mapping[OktaUserId, bool]) -> None:
    """Remember whose account the organization manages, and whose it does not."""
    for managed in (True, False):
        some = (user for user, each in people.items() if each is managed)
        otherwise = _person.c.managed.is_distinct_from(managed)
        whom = tx.among(_person.c.user, some)
        tx.execute(update(_person).where(whom, otherwise).values(managed=managed))


def external(tx: Tx) -> set[OktaUserId]:
    """Everybody whose account the organization does not manage, as it said or by their address."""
    query = select(_person.c.user).where(_person.c.managed.is_(False))
    return {OktaUserId(each) for each in tx.execute(query).scalars()}


def records(
    tx: Tx, directory: DirectoryName, users: Iterable[OktaUserId]
) -> dict[OktaUserId, ScimUserId]:
    """The records those among them had whose record was ever seen."""
    found: dict[OktaUserId, ScimUserId] = {}
    whom = tx.among(_tie.c.user, users)
    query = select(_tie.c.user, _tie.c.scim_id).where(_tie.c.directory == directory, whom)
    for row in tx.execute(query):
        if record := ScimUserId.maybe(row.scim_id):
            found[OktaUserId(row.user)] = record
    return found


def pushed_outside(tx: Tx, since: int) -> int:
    """Of how many external people in force Okta pushed the profile in a burst, as received since.

    A burst goes by when they were published: what an outage kept back comes at once.
    """
    pushed = select(_event.c.published, _event.c.about).where(
        _event.c.received >= since, text(PROFILES), _event.c.about != ""
    )
    rows = tx.execute(pushed.order_by(_event.c.published)).all()
    together = burst((moment(row.published), row.about) for row in rows)
    here = select(_tie.c.user).where(_tie.c.user == _person.c.user, _tie.c.in_force)
    outside = (_person.c.managed.is_(False)) & here.exists()
    whom = tx.among(_person.c.user, together)
    return int(tx.execute(select(func.count()).where(outside, whom)).scalar_one())


def accounts(tx: Tx, users: Iterable[OktaUserId]) -> dict[OktaUserId, AccountId]:
    """The accounts of those among them whose account a look has seen."""
    found: dict[OktaUserId, AccountId] = {}
    whom = tx.among(_person.c.user, users)
    for row in tx.execute(select(_person.c.user, _person.c.account).where(whom)):
        if account := AccountId.maybe(row.account):
            found[OktaUserId(row.user)] = account
    return found


def presume_external(tx: Tx, users: Iterable[OktaUserId]) -> None:
    """Those whose address is not of a verified domain are unmanaged, unless told otherwise."""
    whom = tx.among(_person.c.user, users)
    tx.execute(update(_person).where(whom, _person.c.managed.is_(None)).values(managed=False))


def looked_at_since(tx: Tx, since: int) -> set[str]:
    """Whom a look settled since then."""
    return set(tx.execute(select(_tie.c.user).where(_tie.c.standing_at >= since)).scalars())


def holders(tx: Tx, account: AccountId, *, other_than: OktaUserId) -> tuple[OktaUserId, ...]:
    """Other people in force whose SCIM records name the account, in whatever directory."""
    others = (
        select(_person.c.user)
        .join(_tie, _tie.c.user == _person.c.user)
        .where(_person.c.account == account, _person.c.user != other_than, _tie.c.in_force)
    )
    return tuple(sorted({OktaUserId(each) for each in tx.execute(others).scalars()}))


def doubtful(
    tx: Tx, directory: DirectoryName, group: Uuid, records: Iterable[ScimUserId]
) -> tuple[set[OktaUserId], set[ScimUserId]]:
    """Of the members of a group, those who should perhaps not be in it, as far as is remembered.

    Everybody who is not in force, or was not in the group when last seen in force; and the
    records of which nobody knows whose they are.
    """
    wanted = set(records)
    people: set[OktaUserId] = set()
    owned: set[ScimUserId] = set()
    theirs = tx.among(_tie.c.scim_id, wanted)
    for row in tx.execute(select(_tie).where(_tie.c.directory == directory, theirs)):
        owned.add(ScimUserId(row.scim_id))
        as_before = row.standing is None or group in json.loads(row.groups)
        if not (row.in_force and as_before):
            people.add(OktaUserId(row.user))
    return people, wanted - owned


def owners(
    tx: Tx, directory: DirectoryName, records: Iterable[ScimUserId]
) -> dict[str, tuple[OktaUserId, ...]]:
    """Whose SCIM records these are, as far as anything is remembered."""
    found: dict[str, tuple[OktaUserId, ...]] = {}
    theirs = tx.among(_tie.c.scim_id, records)
    query = select(_tie.c.scim_id, _tie.c.user).where(_tie.c.directory == directory, theirs)
    for row in tx.execute(query):
        found[row.scim_id] = (*found.get(row.scim_id, ()), OktaUserId(row.user))
    return found


def roles_shown(tx: Tx, account: AccountId) -> bool:
    """Whether the organization shows roles, and has never shown one of this account."""
    some = select(_person.c.user).where(_person.c.roles.is_not(None), _person.c.roles != "[]")
    shown = tx.execute(some.limit(1)).first() is not None
    return shown and tx.execute(some.where(_person.c.account == account)).first() is None
