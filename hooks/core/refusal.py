"""Why something is left alone, and what would resolve it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from hooks.core.reading import Unread, Why

if TYPE_CHECKING:
    from hooks.core.ids import DirectoryName, Uuid


class Cause(StrEnum):
    """Each reason not to act; the text that goes with it is its way out."""

    USER_UNREAD = "user_unread"
    GROUPS_UNREAD = "groups_unread"
    GROUPS_EMPTY = "groups_empty"
    APP_UNREAD = "app_unread"
    APP_NOT_ACTIVE = "app_not_active"
    APP_USER_UNREAD = "app_user_unread"
    STATUS_UNKNOWN = "status_unknown"
    IN_TRANSITION = "in_transition"
    ABSENCE_UNPROVED = "absence_unproved"
    HISTORY_UNREAD = "history_unread"
    RECORD_UNREAD = "record_unread"
    DIRECTORY_UNKNOWN = "directory_unknown"
    RECORD_NONE = "record_none"
    RECORD_GONE = "record_gone"
    RECORD_SEVERAL = "record_several"
    RECORD_TAKEN = "record_taken"
    RELEASED = "released"
    MEMBERSHIPS_UNREAD = "memberships_unread"
    GROUPS_MISSED = "groups_missed"
    MAPPINGS_UNREAD = "mappings_unread"
    MAPPING_MOVED = "mapping_moved"
    MAPPING_UNREADABLE = "mapping_unreadable"
    MAPPING_RENAMED = "mapping_renamed"
    ORPHANED = "orphaned"
    SOURCE_UNREADABLE = "source_unreadable"
    SUCCESSOR = "successor"
    SUCCESSOR_UNREAD = "successor_unread"
    CONTRADICTED = "contradicted"
    PROTECTED = "protected"
    PROTECTION_UNKNOWN = "protection_unknown"
    NEVER = "never"
    OUT_OF_SCOPE = "out_of_scope"
    SCOPE_UNKNOWN = "scope_unknown"
    NO_EFFECT = "no_effect"
    ROLES_UNREAD = "roles_unread"
    ACCOUNT_NONE = "account_none"
    ACCOUNT_UNKNOWN = "account_unknown"
    ACCOUNT_SEVERAL = "account_several"
    ACCOUNT_INACTIVE = "account_inactive"
    ORGANIZATION_UNREAD = "organization_unread"
    ORGANIZATION_UNKNOWN = "organization_unknown"
    HISTORY_LATE = "history_late"
    RULE_UNRESOLVED = "rule_unresolved"
    GROUP_CHANGED = "group_changed"
    NOT_MODIFIABLE = "not_modifiable"
    LINKED_ELSEWHERE = "linked_elsewhere"
    LINKS_UNREAD = "links_unread"
    GRANTED_AGAIN = "granted_again"
    LAST_ADMIN = "last_admin"
    MEMBERS_UNREAD = "members_unread"
    PARKED = "parked"
    REJECTED = "rejected"
    ADMIN_LEFT = "admin_left"
    RESTORE_UNWANTED = "restore_unwanted"
    RESTORE_LATER = "restore_later"
    MOVED_ON = "moved_on"


WAY_OUT = {
    Cause.USER_UNREAD: "Okta did not answer for this user; it is asked again by itself.",
    Cause.GROUPS_UNREAD: "Okta did not list the user's groups; it is asked again by itself.",
    Cause.GROUPS_EMPTY: "The credential must be able to see the group Everyone.",
    Cause.APP_UNREAD: "The credential must be able to read the app, at the right org_url.",
    Cause.APP_NOT_ACTIVE: "Activate the app in Okta.",
    Cause.APP_USER_UNREAD: "Okta did not answer for the assignment; it is asked again by itself.",
    Cause.STATUS_UNKNOWN: "Okta gave a status this release does not know; report it.",
    Cause.IN_TRANSITION: "Okta is still changing this user; it is asked again by itself.",
    Cause.ABSENCE_UNPROVED: "The user cannot be read and nothing proves that they left.",
    Cause.HISTORY_UNREAD: "Grant okta.logs.read, or wait until the System Log answers.",
    Cause.RECORD_UNREAD: "The SCIM directory did not answer; it is asked again by itself.",
    Cause.DIRECTORY_UNKNOWN: "No directory of this id for this key: check scim_directory_id.",
    Cause.RECORD_NONE: "No SCIM record is known to be this user's; nothing can be removed.",
    Cause.RECORD_GONE: "The SCIM record is gone; Okta makes a new one when it provisions again.",
    Cause.RECORD_SEVERAL: "Several SCIM records are this user's; remove the wrong ones.",
    Cause.RECORD_TAKEN: "The SCIM record belongs to another Okta user now.",
    Cause.RELEASED: "Freed by hooks unlink; left alone until Okta assigns the app anew.",
    Cause.MEMBERSHIPS_UNREAD: "The SCIM record came without its groups.",
    Cause.GROUPS_MISSED: "Seen in it before and not shown now; looked at again by itself.",
    Cause.MAPPINGS_UNREAD: "Grant okta.apps.read and okta.groups.read for the push mappings.",
    Cause.MAPPING_MOVED: "The mapping changed; check it, then: hooks mappings accept.",
    Cause.MAPPING_UNREADABLE: "The credential must be able to read the mapping's target group.",
    Cause.MAPPING_RENAMED: "The group's name changed; check it, then: hooks mappings accept.",
    Cause.ORPHANED: "No mapping pushes this group any more; see policy.orphaned, or push it again.",
    Cause.SOURCE_UNREADABLE: "The credential must be able to read the source, or while_member_of.",
    Cause.SUCCESSOR: "Another Okta user in force has this userName; they are looked at instead.",
    Cause.SUCCESSOR_UNREAD: "Okta did not say who else has this userName; it is asked again.",
    Cause.CONTRADICTED: "An event says otherwise than the reading; looked at again by itself.",
    Cause.PROTECTED: "Protected by the policy.",
    Cause.PROTECTION_UNKNOWN: "Missing: a [protect] group (hooks policy check), or a login's key.",
    Cause.NEVER: "This group is never touched.",
    Cause.OUT_OF_SCOPE: "Outside the pilot scope of the policy.",
    Cause.SCOPE_UNKNOWN: "A group of [scope] is missing or unreadable: hooks policy check.",
    Cause.NO_EFFECT: "Atlassian accepted it several times without effect; do it there by hand.",
    Cause.ROLES_UNREAD: "The organization did not say who holds admin roles; asked again.",
    Cause.ACCOUNT_NONE: "No SCIM record of the user names an Atlassian account.",
    Cause.ACCOUNT_UNKNOWN: "The organization knows no such account; check organization_id.",
    Cause.ACCOUNT_SEVERAL: "The directories name several Atlassian accounts for this user.",
    Cause.ACCOUNT_INACTIVE: "Given back once Atlassian shows the account as active.",
    Cause.ORGANIZATION_UNREAD: "The organization did not answer; it is asked again by itself.",
    Cause.ORGANIZATION_UNKNOWN: "No organization of this id for this key: check organization_id.",
    Cause.HISTORY_LATE: "The System Log does not show yet when the user came back.",
    Cause.RULE_UNRESOLVED: "An Okta group of the rule is missing or ambiguous: hooks policy check.",
    Cause.GROUP_CHANGED: "Renamed, or synced or local now; check it: hooks mappings accept.",
    Cause.NOT_MODIFIABLE: "Atlassian says that the members of this group cannot be changed.",
    Cause.LINKED_ELSEWHERE: "The account is linked to a SCIM user that is not managed here.",
    Cause.LINKS_UNREAD: "The organization did not say which SCIM users are linked; asked again.",
    Cause.GRANTED_AGAIN: "Granted again twice after our removal; look for automatic app access.",
    Cause.LAST_ADMIN: "The last active member of an admin group; make somebody else one first.",
    Cause.MEMBERS_UNREAD: "The organization did not list the group's members; asked again.",
    Cause.PARKED: "Atlassian refuses to change an inactive account; done when it is active.",
    Cause.REJECTED: "Atlassian refused to give back; hooks steps has the code (409-3: no licence).",
    Cause.ADMIN_LEFT: "Left, and still administers Atlassian: revoke the role by hand, now.",
    Cause.RESTORE_UNWANTED: "Ordered back, and the next look would take it: change Okta or rules.",
    Cause.RESTORE_LATER: "Ordered back; given once their return is settled, by itself.",
    Cause.MOVED_ON: "Ordered back; others changed it since. To do it anyway: restore --step.",
}

#: What helps whatever was asked for; else the way out of the cause does.
UNREAD_WAY_OUT = {
    Why.CREDENTIAL: "The vendor refused our credential: replace it; it is read again by itself.",
    Why.LIMITED: "The vendor's rate is spent; it goes on by itself, who came first first.",
}

#: Causes that only a person's decision ends; every other is looked at again by itself for a day.
_DECIDED = frozenset(
    {
        Cause.RECORD_NONE,
        Cause.RECORD_TAKEN,
        Cause.RELEASED,
        Cause.MAPPING_MOVED,
        Cause.MAPPING_RENAMED,
        Cause.ORPHANED,
        Cause.CONTRADICTED,
        Cause.PROTECTED,
        Cause.NEVER,
        Cause.OUT_OF_SCOPE,
        Cause.NO_EFFECT,
        Cause.ACCOUNT_NONE,
        Cause.ACCOUNT_SEVERAL,
        Cause.GROUP_CHANGED,
        Cause.NOT_MODIFIABLE,
        Cause.LINKED_ELSEWHERE,
        Cause.GRANTED_AGAIN,
        Cause.LAST_ADMIN,
        Cause.PARKED,
        Cause.ADMIN_LEFT,
        Cause.RESTORE_UNWANTED,
        Cause.MOVED_ON,
    }
)

#: Causes that no later look will see otherwise, and that nobody is asked to resolve.
_FINAL = frozenset(
    {
        Cause.RELEASED,
        Cause.NEVER,
        Cause.PROTECTED,
        Cause.ORPHANED,
        Cause.NOT_MODIFIABLE,
        Cause.GRANTED_AGAIN,
        Cause.RESTORE_UNWANTED,
        Cause.RESTORE_LATER,
        Cause.MOVED_ON,
    }
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something left alone. ``group`` is ``None`` where the whole directory is, or the account.

    ``unread`` is the answer that was missing, where one was.
    """

    directory: DirectoryName
    cause: Cause
    group: Uuid | None = None
    unread: Unread | None = None

    @property
    def final(self) -> bool:
        """As it is, it stays: a return may end over it."""
        return self.cause in _FINAL

    @property
    def retry(self) -> bool:
        """A vendor failed us: worth an attempt of its own, counted and backed off."""
        return self.unread is not None and self.unread.passing

    @property
    def way_out(self) -> str:
        """What would resolve it; a refused credential or a spent rate is named as such."""
        known = UNREAD_WAY_OUT.get(self.unread.why) if self.unread else None
        return known or WAY_OUT[self.cause]

    @property
    def passing(self) -> bool:
        """Looked at again by itself, on a schedule that thins out."""
        return not self.retry and self.cause not in _DECIDED
