"""What stands in the way of pushing an Okta group, and what a push would overwrite.

Must live here: what an Atlassian group of the same name means for a push, and every sentence
about it. Must not know: how anything is read, or where it is shown.
Source of what Atlassian says: support.okta.com "Okta Group Push to Existing Groups in Atlassian",
support.atlassian.com "Resolve group conflicts when syncing users".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from hooks.core.change import never
from hooks.core.rules import rules_for

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from hooks.core.ids import DirectoryName
    from hooks.core.membership import Grant, Group, OrganizationGroup
    from hooks.core.policy import Policy
    from hooks.core.reading import OktaGroup, PushMapping
    from hooks.core.seats import App, Seats


class Verdict(StrEnum):
    """What a push of the group meets."""

    FREE = "free"
    PUSHED = "pushed"
    FAILED = "failed"
    LINKABLE = "linkable"
    TAKEN = "taken"
    DEFAULT = "default"
    ELSEWHERE = "elsewhere"
    NEVER = "never"


WORDS = {
    Verdict.FREE: "Atlassian has no group of this name: a push makes it.",
    Verdict.PUSHED: "It is pushed already.",
    Verdict.FAILED: "Its push failed, and no group of this name is in the way.",
    Verdict.LINKABLE: "The directory has a group of this name that no push mapping leads to.",
    Verdict.TAKEN: (
        "A group of this name was made in Atlassian, so a push fails: displayName already exists."
    ),
    Verdict.DEFAULT: (
        "A group of this name was made in Atlassian and gives access to apps, so it may be a"
        " default group, which SCIM cannot manage: a push fails, or seems to work and never"
        " reaches the site."
    ),
    Verdict.ELSEWHERE: "Another directory syncs a group of this name.",
    Verdict.NEVER: "It is one of Atlassian's own groups, which no identity provider may manage.",
}
WAY_OUT = {
    Verdict.FREE: "",
    Verdict.PUSHED: "",
    Verdict.FAILED: "Okta, the app, Push Groups: it says why; then Push now.",
    Verdict.LINKABLE: (
        "Okta, the app, Push Groups, Link group: its members are overwritten as told here."
    ),
    Verdict.TAKEN: (
        "admin.atlassian.com, Identity provider directory, Review groups, Sync group: its members"
        " are overwritten as told here."
    ),
    Verdict.DEFAULT: (
        'Atlassian: "To sync the group, change its default access status and then sync it." Else'
        " leave it to Atlassian, and have its members kept by a rule."
    ),
    Verdict.ELSEWHERE: "Push the group under another name, or by the app of that directory.",
    Verdict.NEVER: "Push the group under another name.",
}


@dataclass(frozen=True, slots=True)
class Here:
    """A group that has the name in Atlassian, and what it gives."""

    group: OrganizationGroup
    grants: frozenset[Grant] = frozenset()


@dataclass(frozen=True, slots=True)
class Overwrite:
    """Whom a push adds to the group and takes from it; ``skipped`` of Okta's members it leaves out.

    ``skipped`` are not assigned to the app, or have no account yet.
    """

    added: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    kept: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Turnover:
    """What ends for those a push takes from the group, and would end anew for those it adds.

    Another group may give the app too, which is counted in.
    """

    leaving: Seats
    joining: Seats

    @property
    def freed(self) -> dict[App, int]:
        """Per app: how many seats come free."""
        return self.leaving.freed

    @property
    def taken(self) -> dict[App, int]:
        """Per app: how many are taken."""
        return self.joining.freed

    @property
    def untold(self) -> int:
        """Of how many people it is not known."""
        return self.leaving.untold + self.joining.untold


@dataclass(frozen=True, slots=True)
class Conflict:
    """One Okta group and one directory; ``scim`` is the directory's group of the name."""

    okta_group: OktaGroup
    directory: DirectoryName
    name: str
    mappings: tuple[PushMapping, ...] = ()
    scim: Group | None = None
    here: tuple[Here, ...] = ()
    overwrite: Overwrite | None = None
    seats: Turnover | None = None

    @property
    def local(self) -> tuple[Here, ...]:
        """Groups of the name that no identity provider keeps."""
        return tuple(each for each in self.here if not each.group.synced)

    @property
    def verdict(self) -> Verdict:
        """What a push meets."""
        if never(self.name):
            return Verdict.NEVER
        if self.local:
            giving = any(each.grants for each in self.local)
            return Verdict.DEFAULT if giving else Verdict.TAKEN
        active = any(each.status == "ACTIVE" for each in self.mappings)
        if self.scim:
            return Verdict.PUSHED if active else Verdict.LINKABLE
        if self.here:
            return Verdict.ELSEWHERE
        return Verdict.FAILED if self.mappings else Verdict.FREE

    @property
    def unsynced(self) -> bool:
        """Made in the directory, and kept from the site by a group that was there."""
        return bool(self.scim and self.local)

    @property
    def overwrites(self) -> bool:
        """A push, or the sync an admin orders, would change members."""
        return self.verdict in (Verdict.LINKABLE, Verdict.TAKEN, Verdict.DEFAULT)


def overwrite(wanted: AbstractSet[str], there: AbstractSet[str], *, skipped: int) -> Overwrite:
    """Compare those whom Okta would push with those who are in the group."""
    added, lost = frozenset(wanted - there), frozenset(there - wanted)
    return Overwrite(added, lost, len(wanted & there), skipped)


def ruled(policy: Policy, group: OrganizationGroup) -> bool:
    """Whether a ``[[local_group]]`` names it already."""
    return bool(rules_for(policy, group.id, group.name))
