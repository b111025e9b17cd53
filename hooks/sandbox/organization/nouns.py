"""Accounts, groups, and what happened to them."""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Literal
from uuid import UUID

from hooks.sandbox.directory import Directory, ScimGroup, ScimUser

AccountType = Literal["atlassian", "app", "customer"]
AccountStatus = Literal["active", "inactive", "closed"]
MembershipStatus = Literal["active", "suspended", "no_membership"]
KeyKind = Literal["unscoped", "scoped", "site", "expired", "revoked"]

# Names no identity provider may take. Source: Atlassian documentation of default groups.
BUILT_IN = frozenset(
    {
        "administrators",
        "jira-administrators",
        "org-admins",
        "site-admins",
        "system-administrators",
        "atlassian-addons",
        "atlassian-addons-admin",
    }
)


@dataclass(eq=False)
class Account:
    """``roles`` are platform roles; ``provisioned``: a SCIM record brought it into being."""

    id: str
    email: str
    name: str
    created: datetime
    user_bases: set[str]
    type: AccountType = "atlassian"
    status: AccountStatus = "active"
    membership: MembershipStatus = "active"
    claim: Literal["managed", "unmanaged"] = "managed"
    roles: list[str] = field(default_factory=list)
    deactivated: datetime | None = None
    provisioned: bool = False


@dataclass(frozen=True)
class Source:
    """Where the members of a synced group are kept; no group: everybody in the directory."""

    directory: Directory
    group: ScimGroup | None


@dataclass(eq=False)
class OrgGroup:
    """``members``: account ids, if it is local, or kept beside those of its SCIM group.

    ``default_for``: the app it gives access to; ``grants``: further apps it was given access to.
    """

    id: str
    name: str
    user_base: str
    created: datetime
    managed_by: str = "admins"
    modifiable: bool = True
    readable: bool = True
    default_for: str | None = None
    source: Source | None = None
    grants: list[str] = field(default_factory=list)
    members: dict[str, None] = field(default_factory=dict)

    @property
    def synced(self) -> bool:
        return self.source is not None


@dataclass(frozen=True)
class Happened:
    """One entry of the audit log; ``synced``: an identity provider did it."""

    id: str
    at: datetime
    action: str
    account: Account
    group: OrgGroup
    synced: bool = False


def mirrored(scim_id: str) -> str:
    """The id here of what has that id in its SCIM directory: another one, and always the same."""
    return str(UUID(bytes=sha256(scim_id.encode()).digest()[:16], version=4))


def address(user: ScimUser) -> str:
    """The primary e-mail address of a record, else its ``userName``."""
    primary = (str(e["value"]) for e in user.emails if e.get("primary") and "value" in e)
    return next(primary, user.user_name)
