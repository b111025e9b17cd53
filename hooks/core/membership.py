"""The nouns both sides share: groups, planes, changes, standings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from hooks.core.ids import DirectoryName

if TYPE_CHECKING:
    from hooks.core.ids import OrganizationDirectoryId, OrganizationGroupId, ScimGroupId


#: The organization beside the directories, where one name stands for a place of steps.
ORGANIZATION = DirectoryName("organization")


class Via(StrEnum):
    """Which Atlassian interface can change a group."""

    SCIM = "scim"
    ORGANIZATION = "organization"


class Action(StrEnum):
    """What a step does to one membership."""

    REMOVE = "remove"
    ADD = "add"


class State(StrEnum):
    """What has become of a step. A 2xx is "submitted"; settled means seen to be so. Law 4."""

    OPEN = "open"
    OBSERVED = "observed"
    SUBMITTED = "submitted"
    SETTLED = "settled"
    PARKED = "parked"
    FAILED = "failed"
    ABANDONED = "abandoned"


class Mode(StrEnum):
    """Whether a directory's plans are sent or only journalled."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class Standing(StrEnum):
    """Where a person stands towards one directory; design 3.3 in one word each."""

    UNCLEAR = "unclear"
    LEFT = "left"
    OUTSIDE = "outside"
    UNASSIGNED = "unassigned"
    SUSPENDED = "suspended"
    RETURNING = "returning"
    PRESENT = "present"

    @property
    def absent(self) -> bool:
        """Nothing is wanted, and that is proved."""
        return self in (Standing.LEFT, Standing.UNASSIGNED)


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """A SCIM group as a user's ``groups`` attribute shows it. Source: RFC 7643 section 4.1.2."""

    id: ScimGroupId
    display: str


@dataclass(frozen=True, slots=True, order=True)
class OrganizationGroup:
    """A group as the organization shows it. Source: Atlassian organization API v2.

    ``synced``: an identity provider keeps its members, so only SCIM may change them;
    ``modifiable``: the organization says that its members may be changed at all.
    """

    id: OrganizationGroupId
    name: str
    directory: OrganizationDirectoryId
    synced: bool
    modifiable: bool

    @property
    def display(self) -> str:
        """Its name, under the word SCIM has for it."""
        return self.name


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One app access a group gives. ``owner`` is the app, ``resource`` its place on a site."""

    owner: str
    resource: str
    roles: tuple[str, ...] = ()

    @property
    def app(self) -> tuple[str, str]:
        """What another group may give as well."""
        return self.owner, self.resource
