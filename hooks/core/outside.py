"""People outside the verified domains, and what Atlassian let go of theirs.

Must live here: who counts as external, each way somebody is dropped, and every sentence about it.
Must not know: how anybody is read, or where it is shown.
Source: jira.atlassian.com ACCESS-1003, "Performing a Force Sync on Okta will unlink unmanaged
accounts on the Org": its one way out for a lost link is Atlassian's support.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from hooks.core.membership import Action
from hooks.core.refusal import Cause

if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Set as AbstractSet

    from hooks.core.ids import AccountId, DirectoryName, OktaUserId, ScimGroupId, ScimUserId
    from hooks.core.membership import Group
    from hooks.core.plan import DirectoryPlan
    from hooks.core.reading import ScimRecord
    from hooks.core.refusal import Refusal


_NO_RECORD = frozenset({Cause.RECORD_NONE, Cause.RECORD_GONE})
#: With these of a whole directory, what somebody has there is not known.
_UNTOLD = frozenset({Cause.MEMBERSHIPS_UNREAD, Cause.MAPPINGS_UNREAD})


class Lack(StrEnum):
    """What is wrong with somebody, the worst first."""

    GONE = "gone"
    UNLINKED = "unlinked"
    DROPPED = "dropped"


WORDS = {
    Lack.GONE: "The directory has no record of them, though Okta counts them as provisioned.",
    Lack.UNLINKED: "Their SCIM record names no Atlassian account.",
    Lack.DROPPED: "They are in Okta groups that are pushed, and not in the groups in Atlassian.",
}
WAY_OUT = {
    Lack.GONE: "Okta, the app, Assignments: assign them anew; then ask again.",
    Lack.UNLINKED: (
        "If it named one before, only Atlassian's support can link it again: quote ACCESS-1003, and"
        " give them the file that --support writes."
    ),
    Lack.DROPPED: "hooks external --apply --reason TEXT has the memberships added again.",
}


@dataclass(frozen=True, slots=True)
class Suspect:
    """Somebody whose record is not as Okta would have it, by the lists.

    ``wanted`` are the groups Okta manages of theirs; ``account`` is the one their record named
    when it was last seen; ``address`` is personal.
    """

    user: OktaUserId
    directory: DirectoryName
    wanted: frozenset[Group]
    account: AccountId | None = None
    address: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Estranged:
    """An external person whom a directory does not have as Okta would; ``address`` is personal.

    ``account`` is the one the record names, or else the one it named when it was last seen.
    ``wanted`` are the groups Okta manages of theirs; of those that are not there, ``missing`` may
    be added, ``barred`` may not, and ``left`` is why, as far as a look says.
    """

    user: OktaUserId
    directory: DirectoryName
    lack: Lack
    record: ScimUserId | None = None
    account: AccountId | None = None
    wanted: tuple[Group, ...] = ()
    missing: tuple[Group, ...] = ()
    barred: tuple[Group, ...] = ()
    left: tuple[Refusal, ...] = ()
    address: str = field(default="", repr=False)


def domain(address: str) -> str:
    """The domain of an address, in lower case; empty if it has none."""
    return address.rpartition("@")[2].casefold() if "@" in address else ""


def external(address: str, verified: Collection[str]) -> bool:
    """Whether an address lies outside; a subdomain is verified by itself or not at all."""
    found = domain(address)
    return bool(found) and found not in verified


def suspect(record: ScimRecord | None, wanted: AbstractSet[ScimGroupId]) -> bool:
    """Whether a look is worth its calls: a record is missing, or a link, or a membership."""
    if record is None or record.account is None or record.groups is None:
        return True
    return not wanted <= {group.id for group in record.groups}


def judgeable(plan: DirectoryPlan) -> bool:
    """Whether a look told enough; a record that is not there tells that it is not."""
    whole = {each.cause for each in plan.refusals if each.group is None}
    return (plan.record is not None and not whole & _UNTOLD) or bool(whole & _NO_RECORD)


def lack(plan: DirectoryPlan, wanted: AbstractSet[ScimGroupId]) -> Lack | None:
    """What a look at somebody in force shows; ``wanted`` is what Okta manages of theirs."""
    if not plan.in_force or not judgeable(plan):
        return None
    if plan.record is None:
        return Lack.GONE
    if plan.record.account is None:
        return Lack.UNLINKED
    return Lack.DROPPED if wanted - plan.record.groups else None


def estranged(plan: DirectoryPlan, suspect: Suspect) -> Estranged | None:
    """What is wrong with somebody of whom the lists made a suspect, if a look finds anything."""
    found = lack(plan, {each.id for each in suspect.wanted})
    if found is None:
        return None
    record = plan.record
    lost = {each for each in suspect.wanted if not record or each.id not in record.groups}
    add = {each.group.id for each in plan.steps if each.action is Action.ADD}
    ids = {each.id for each in lost}
    return Estranged(
        suspect.user,
        suspect.directory,
        found,
        record=record.id if record else None,
        account=record.account if record and record.account else suspect.account,
        wanted=tuple(sorted(suspect.wanted)),
        missing=tuple(sorted(each for each in lost if each.id in add)),
        barred=tuple(sorted(each for each in lost if each.id not in add)),
        left=tuple(each for each in plan.refusals if each.group is None or each.group in ids),
        address=suspect.address,
    )
