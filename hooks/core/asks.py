"""What a plan may ask for: one class for each question a vendor can answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hooks.core.ids import (
        AccountId,
        DirectoryName,
        OktaGroupId,
        OrganizationGroupId,
        ScimUserId,
    )


@dataclass(frozen=True, slots=True)
class AskOktaGroup:
    """Can this credential read the Okta group, and what is it called now?

    ``fresh``: a removal rests on somebody not being in the group, so it must be asked in this
    look; an older answer may be of a time before the group was deleted or hidden.
    """

    group: OktaGroupId
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class AskLog:
    """What does the System Log say about the person?"""


@dataclass(frozen=True, slots=True)
class AskRecordById:
    """Which SCIM user has this id?"""

    directory: DirectoryName
    id: ScimUserId


@dataclass(frozen=True, slots=True)
class AskRecordsByExternalId:
    """Which SCIM users have the Okta id as their externalId?"""

    directory: DirectoryName


@dataclass(frozen=True, slots=True)
class AskRecordsByUserName:
    """Which SCIM users have this userName?"""

    directory: DirectoryName
    user_name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskSuccessor:
    """Who else is assigned to the app under this userName?"""

    directory: DirectoryName
    user_name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskAccount:
    """What does the organization say about this account: roles, type, active or not?"""

    account: AccountId


@dataclass(frozen=True, slots=True)
class AskAccountGroups:
    """Which groups of the organization is the account in?"""

    account: AccountId


@dataclass(frozen=True, slots=True)
class AskOrganizationGroup:
    """What is this group of the organization now?"""

    group: OrganizationGroupId


@dataclass(frozen=True, slots=True)
class AskScimLinks:
    """Which SCIM users does the organization link with the account?"""

    account: AccountId


@dataclass(frozen=True, slots=True)
class AskHolders:
    """Who else in force is known to hold this account?"""

    account: AccountId


@dataclass(frozen=True, slots=True)
class AskActiveMembers:
    """Who are the first active members of this group of the organization?"""

    group: OrganizationGroupId


Ask = (
    AskOktaGroup
    | AskLog
    | AskRecordById
    | AskRecordsByExternalId
    | AskRecordsByUserName
    | AskSuccessor
    | AskAccount
    | AskAccountGroups
    | AskOrganizationGroup
    | AskScimLinks
    | AskActiveMembers
    | AskHolders
)


@dataclass(frozen=True, slots=True)
class Asking:
    """Not decided yet: these answers are needed first."""

    asks: frozenset[Ask]
