"""What the operator decided: the part of the settings that deciding depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from hooks.core.membership import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hooks.core.ids import DirectoryName, OktaGroupId, OrganizationGroupId


class Suspended(StrEnum):
    """What suspension does to access."""

    KEEP = "keep"
    STRIP = "strip"


class Restore(StrEnum):
    """What is added: memberships we took, everything wanted, or nothing."""

    OURS = "ours"
    ALL = "all"
    NONE = "none"


class Orphaned(StrEnum):
    """What happens to a group whose mappings are all gone or INACTIVE."""

    REPORT = "report"
    STRIP_ABSENT = "strip_absent"


@dataclass(frozen=True, slots=True)
class Named:
    """Okta groups the operator named, as far as each resolved to exactly one id."""

    ids: frozenset[OktaGroupId] = frozenset()
    unresolved: frozenset[str] = frozenset()

    @property
    def given(self) -> bool:
        """The operator named at least one group."""
        return bool(self.ids or self.unresolved)


@dataclass(frozen=True, slots=True)
class Rule:
    """A ``[[local_group]]``: groups of the organization we may touch. Design 3.4.

    ``text`` is the glob or the id as the operator wrote it, and names the rule; ``while_member_of``
    are the Okta groups that justify membership, ``None`` without the condition.
    """

    text: str
    id: OrganizationGroupId | None = None
    while_member_of: Named | None = None
    admin: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How many people may lose something for one reason before a person must agree.

    ``share_of_group``: of one group's members within a day, whatever the reason.
    """

    left_per_hour: int = 200
    other_per_hour: int = 25
    other_per_day: int = 100
    share_of_group: float = 0.5


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything ``decide`` needs to know besides the reading.

    ``organization``: its API can be asked, about ``rules`` and who must not lose anything.
    """

    suspended: Suspended = Suspended.KEEP
    restore: Restore = Restore.OURS
    orphaned: Orphaned = Orphaned.REPORT
    protected_users: frozenset[str] = field(default=frozenset(), repr=False)
    protected_groups: tuple[str, ...] = ()
    protected_okta_groups: Named = Named()
    scope: Named = Named()
    organization: bool = False
    rules: tuple[Rule, ...] = ()
    brief_absence: timedelta = timedelta(hours=1)
    modes: Mapping[DirectoryName, Mode] = field(default_factory=dict)
    limits: Limits = Limits()
    look_again: tuple[timedelta, ...] = (timedelta(seconds=30), timedelta(minutes=5))
