"""Whom nothing may be taken from, and who is outside the pilot. Design 3.4.

Must live here: every rule that protects a person. Must not know: single groups, directories.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hooks.core.asks import AskAccount, Asking, AskOktaGroup
from hooks.core.ids import OktaUserId
from hooks.core.reading import MISSING, Account, OktaGroup, OktaUser, Reading, Unread
from hooks.core.refusal import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hooks.core.ids import AccountId, OktaGroupId
    from hooks.core.policy import Policy

#: ``accountType`` of a person; app and customer are others. Source: organization API v2.
_PERSON = "atlassian"


@dataclass(frozen=True, slots=True)
class Guard:
    """Why nothing may be removed from this person at all."""

    cause: Cause
    unread: Unread | None = None


def group_ids(reading: Reading) -> frozenset[OktaGroupId]:
    """The Okta groups the person is in; none where the list could not be read."""
    if isinstance(reading.okta_groups, Unread):
        return frozenset()
    return frozenset(group.id for group in reading.okta_groups)


def guard(reading: Reading, policy: Policy) -> Guard | Asking | None:
    """What the policy says about the person, whatever there is to take."""
    protection = _protection(reading, policy)
    return protection if protection is not None else _scope(reading, policy)


def role_guard(
    reading: Reading, policy: Policy, account: AccountId | None, *, in_force: bool
) -> Guard | Asking | None:
    """Accounts that are no people, and holders of admin roles while they are in force.

    If the organization cannot be asked, what it said last holds; what it never said protects
    nobody, and the directories go on.
    """
    if not policy.organization:
        return None
    before = reading.account_before
    known = before if before and account in (None, before.id) else None
    if account is not None:
        answer = reading.answers.get(AskAccount(account))
        if answer is None:
            return Asking(frozenset({AskAccount(account)}))
        known = as_told(answer, known) if isinstance(answer, Account) else known
    if known is None:
        return None
    odd = known.type not in (None, _PERSON)
    return Guard(Cause.PROTECTED) if odd or (in_force and administers(known)) else None


def as_told(now: Account, before: Account | None) -> Account:
    """What is told now, and of what is not, what was told last."""
    if before is None:
        return now
    roles = before.roles if now.roles is None else now.roles
    return replace(now, roles=roles, type=now.type or before.type)


def administers(account: Account) -> bool:
    """Whether a platform role of the account is one of an administrator."""
    return any("admin" in role.casefold() for role in account.roles or ())


def _protection(reading: Reading, policy: Policy) -> Guard | Asking | None:
    named = policy.protected_okta_groups
    if named.unresolved:
        return Guard(Cause.PROTECTION_UNKNOWN)
    if not policy.protected_users.isdisjoint(_names(reading)):
        return Guard(Cause.PROTECTED)
    if reading.user is MISSING:
        return _deleted(reading, policy)
    if not named.ids:
        return None
    if isinstance(reading.okta_groups, Unread):
        return Guard(Cause.PROTECTION_UNKNOWN, reading.okta_groups)
    if not reading.okta_groups:
        return Guard(Cause.PROTECTION_UNKNOWN)
    if named.ids & group_ids(reading):
        return Guard(Cause.PROTECTED)
    return _not_in(reading, named.ids)


def _not_in(reading: Reading, groups: Iterable[OktaGroupId]) -> Guard | Asking | None:
    """Not being listed in a protected group counts only if the group can be read. Design 3.2."""
    asks = {AskOktaGroup(group, fresh=True) for group in groups}
    if missing := asks - reading.answers.keys():
        return Asking(frozenset(missing))
    for ask in asks:
        answer = reading.answers[ask]
        if not isinstance(answer, OktaGroup):
            unread = answer if isinstance(answer, Unread) else None
            return Guard(Cause.PROTECTION_UNKNOWN, unread)
    return None


def _names(reading: Reading) -> set[str]:
    """The Okta id, and the logins a deleted user can still be known by."""
    if isinstance(reading.user, OktaUser):
        logins = {reading.user.login}
    else:
        logins = {each.memory.user_name for each in reading.directories}
    return {str(reading.user_id), *(login.casefold() for login in logins if login)}


def _deleted(reading: Reading, policy: Policy) -> Guard | None:
    """As it was before; and a login that cannot be opened may be one the policy protects."""
    if reading.protected_before:
        return Guard(Cause.PROTECTED)
    locked = any(each.memory.locked for each in reading.directories)
    logins = any(OktaUserId.maybe(each) is None for each in policy.protected_users)
    return Guard(Cause.PROTECTION_UNKNOWN) if locked and logins else None


def _scope(reading: Reading, policy: Policy) -> Guard | None:
    if not policy.scope.given:
        return None
    if policy.scope.unresolved:
        return Guard(Cause.SCOPE_UNKNOWN)
    if isinstance(reading.okta_groups, Unread):
        return Guard(Cause.SCOPE_UNKNOWN, reading.okta_groups)
    return None if policy.scope.ids & group_ids(reading) else Guard(Cause.OUT_OF_SCOPE)
