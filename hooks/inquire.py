"""What a plan will most likely ask, and what an answer is worth.

Must live here: which failures are answers, and which are none. Must not know: who is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, TypeVar

from hooks.core.asks import (
    Ask,
    AskAccount,
    AskAccountGroups,
    AskHolders,
    AskOktaGroup,
    AskRecordById,
    AskRecordsByExternalId,
    AskScimLinks,
    AskSuccessor,
)
from hooks.core.errors import (
    BreakerOpenError,
    CredentialError,
    ForbiddenError,
    HooksError,
    NotFoundError,
    NowhereError,
    RateLimitedError,
    TransientError,
)
from hooks.core.memory import Claim, Claimed, Memory
from hooks.core.reading import MISSING, Missing, Unread, Why

if TYPE_CHECKING:
    from hooks.core.ids import AccountId, DirectoryName
    from hooks.core.memory import Link
    from hooks.core.policy import Policy

T = TypeVar("T")


#: Why there is no answer, by what failed; the first that fits.
_WHY: tuple[tuple[type[HooksError], Why], ...] = (
    (NowhereError, Why.NOWHERE),
    (CredentialError, Why.CREDENTIAL),
    (RateLimitedError, Why.LIMITED),
    (TransientError, Why.UNAVAILABLE),
    (ForbiddenError, Why.FORBIDDEN),
    (HooksError, Why.INCOMPLETE),
)


async def answer_of(call: Awaitable[T]) -> T | Missing | Unread:
    """What a vendor said, or why there is no answer that may be believed."""
    try:
        return await call
    except NotFoundError:
        return MISSING
    except HooksError as error:
        kind = error.opened_by if isinstance(error, BreakerOpenError) else type(error)
        why = next(why for failed, why in _WHY if issubclass(kind, failed))
        return Unread(why, getattr(error, "retry_at", None), str(error))


def list_of(answer: T | Missing | Unread) -> T | Unread:
    """A list whose parent is not there is no empty list."""
    if isinstance(answer, Missing):
        return Unread(Why.INCOMPLETE, detail="404")
    return answer


def anticipated(
    name: DirectoryName, memory: Memory, links: Iterable[Link], claims: Iterable[Claimed]
) -> set[Ask]:
    """What the plan will most likely ask, so that it is read in the first phase already."""
    asks: set[Ask] = {AskRecordsByExternalId(name)}
    if memory.scim_id:
        asks.add(AskRecordById(name, memory.scim_id))
    said = {(each.claim, each.about) for each in claims}
    leaving = {claim for claim, _ in said} & {Claim.DEACTIVATED, Claim.UNASSIGNED}
    if leaving and memory.user_name:
        asks.add(AskSuccessor(name, memory.user_name))
    for link in links:
        if link.group in memory.groups and (leaving or (Claim.LEFT, link.source) in said):
            asks.add(AskOktaGroup(link.target))
    # Not the source: it must be read after the person's own groups, or a group deleted between
    # the two would be one that they are not in.
    return asks


def anticipated_there(
    account: AccountId | None, policy: Policy, claims: Iterable[Claimed]
) -> set[Ask]:
    """The same of the groups the policy names, and of an account that is known already."""
    protected = policy.protected_okta_groups.ids
    asks: set[Ask] = {AskOktaGroup(group, fresh=True) for group in protected}
    if account is None:
        return asks
    asks |= {AskAccount(account), AskHolders(account)}
    leaving = any(each.claim in (Claim.DEACTIVATED, Claim.UNASSIGNED) for each in claims)
    if policy.rules or leaving:
        asks.add(AskAccountGroups(account))
    if policy.rules and leaving:
        asks.add(AskScimLinks(account))
        named = [rule.while_member_of for rule in policy.rules if rule.while_member_of]
        asks |= {AskOktaGroup(group, fresh=True) for each in named for group in each.ids}
    return asks
