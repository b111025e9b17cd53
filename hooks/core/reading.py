"""What one look saw: answers of Okta and Atlassian, and what the store remembered.

A value here is either an answer, ``MISSING`` (the vendor said 404), or ``Unread`` (no answer
that may be believed). Nothing stands for "probably empty".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, TypeAlias

from hooks.core.asks import AskLog
from hooks.core.history import LogFacts
from hooks.core.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hooks.core.asks import Ask
    from hooks.core.ids import (
        AccountId,
        DirectoryName,
        OktaAppId,
        OktaGroupId,
        OktaUserId,
        OrganizationGroupId,
        PushMappingId,
        ScimUserId,
    )
    from hooks.core.membership import Group, OrganizationGroup
    from hooks.core.memory import Claimed, Link, Ordered


class Missing(Enum):
    """The vendor answered 404, which by itself proves nothing."""

    MISSING = "missing"


MISSING = Missing.MISSING


class Why(StrEnum):
    """Why an answer is not there."""

    UNAVAILABLE = "unavailable"
    FORBIDDEN = "forbidden"
    INCOMPLETE = "incomplete"
    CREDENTIAL = "credential"
    NOWHERE = "nowhere"
    LIMITED = "limited"


@dataclass(frozen=True, slots=True)
class Unread:
    """No answer that may be believed; ``retry_at`` is the vendor's word on when to ask again."""

    why: Why
    retry_at: datetime | None = None
    detail: str = ""

    @property
    def passing(self) -> bool:
        """Asking again later may help without anybody's doing."""
        return self.why is not Why.FORBIDDEN


@dataclass(frozen=True, slots=True)
class OktaUser:
    """``GET /users/{id}``. ``login`` is personal and never shown."""

    id: OktaUserId
    status: str
    transitioning_to: str | None = None
    login: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class OktaGroup:
    """``GET /groups/{id}``; ``type`` is OKTA_GROUP, APP_GROUP or BUILT_IN.

    ``app`` is where an APP_GROUP comes from, if that is told.
    """

    id: OktaGroupId
    name: str
    type: str = "OKTA_GROUP"
    app: OktaAppId | None = None

    def counts(self, apps: frozenset[OktaAppId]) -> bool:
        """Whether the policy may name it: an APP_GROUP of a configured app never counts."""
        return self.type != "APP_GROUP" or (self.app is not None and self.app not in apps)


@dataclass(frozen=True, slots=True)
class App:
    """``GET /apps/{id}``."""

    id: OktaAppId
    status: str


@dataclass(frozen=True, slots=True)
class AppUser:
    """Okta's assignment of a user to an app; ``external_id`` is the SCIM user's id, if any."""

    user: OktaUserId
    status: str
    external_id: ScimUserId | None = None
    user_name: str = field(default="", repr=False)

    @property
    def in_force(self) -> bool:
        """Okta counts this assignment as giving access."""
        return self.status in IN_FORCE


#: AppUser statuses that give access. Source: Okta OpenAPI AppUserStatus; design 3.3.
IN_FORCE = frozenset({"ACTIVE", "PROVISIONED", "IMPLICIT", "APPROVED", "PENDING", "STAGED"})


@dataclass(frozen=True, slots=True)
class PushMapping:
    """A group push mapping. ``target`` is an Okta id too (an APP_GROUP), not Atlassian's."""

    id: PushMappingId
    source: OktaGroupId
    target: OktaGroupId
    status: str

    @property
    def live(self) -> bool:
        """Managed by Okta now; ERROR still counts, INACTIVE does not."""
        return self.status in ("ACTIVE", "ERROR")


@dataclass(frozen=True, slots=True)
class ScimRecord:
    """A SCIM user. ``groups`` and ``active`` are ``None`` where the attribute was not sent."""

    id: ScimUserId
    user_name: str = field(repr=False)
    external_id: str | None = None
    active: bool | None = None
    account: AccountId | None = None
    groups: frozenset[Group] | None = None

    @property
    def status(self) -> str:
        """In a word, as evidence."""
        return {True: "active", False: "inactive", None: "unknown"}[self.active]


@dataclass(frozen=True, slots=True)
class Account:
    """An Atlassian account as the organization shows it.

    ``status`` is ``accountStatus``: active, inactive or closed, ``None`` if it was not sent;
    ``type`` is ``accountType``: atlassian, app or customer; ``roles`` are ``None`` if they were
    not told; ``managed`` is ``claimStatus``, whether the organization owns its domain, ``None`` if
    that was not told. Source: organization API v2.
    """

    id: AccountId
    type: str | None = None
    status: str | None = None
    roles: frozenset[str] | None = frozenset()
    managed: bool | None = None


@dataclass(frozen=True, slots=True)
class KnownGroup:
    """A group of the organization as it is, and as the store remembers it, if it does.

    ``before`` is its name and whether it was synced when it was first seen, or last accepted.
    """

    group: OrganizationGroup
    before: tuple[str, bool] | None = None


@dataclass(frozen=True, slots=True)
class ScimLink:
    """One SCIM user the organization links with an account."""

    directory: str
    scim_id: ScimUserId


@dataclass(frozen=True, slots=True)
class Successor:
    """Another Okta user in force who now has the userName of the record."""

    user: OktaUserId


Answer = (
    OktaGroup
    | LogFacts
    | tuple[ScimRecord, ...]
    | tuple[Successor, ...]
    | Account
    | KnownGroup
    | tuple[KnownGroup, ...]
    | tuple[ScimLink, ...]
    | frozenset["AccountId"]
    | Missing
    | Unread
)


# -- the reading -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DirectoryReading:
    """Everything about one pair of an Okta app and a SCIM directory that is always read."""

    name: DirectoryName
    app_id: OktaAppId
    app: App | Missing | Unread
    app_user: AppUser | Missing | Unread
    mappings: tuple[PushMapping, ...] | Unread
    links: tuple[Link, ...] = ()
    memory: Memory = field(default_factory=Memory)
    scim_directory: str = ""


#: What groups of the organization were called when last seen, and whether they were synced.
GroupsBefore: TypeAlias = "Mapping[OrganizationGroupId, tuple[str, bool]]"


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at one person. ``answers`` grows by rounds: ``decide`` asks, the caller reads.

    ``account_before`` is what the organization last said, ``local`` what is remembered of the
    person there, and ``groups_before`` what was remembered of those groups;
    ``history`` is the log as read at the first start. An absence that was over
    before ``watched_since`` makes nobody returning: we did not watch, or only observed.
    ``ordered`` are removals of ours an operator wants undone; ``repair`` is the last order
    that wants everything added that Okta wants of the person.
    ``doubted_since``: since when one look after the other was contradicted by some event.
    ``thorough``: an operator asked, so the log is asked whatever was heard.
    """

    user_id: OktaUserId
    at: datetime
    user: OktaUser | Missing | Unread
    okta_groups: frozenset[OktaGroup] | Unread
    directories: tuple[DirectoryReading, ...]
    claims: tuple[Claimed, ...] = ()
    protected_before: bool = False
    account_before: Account | None = None
    local: Memory | None = None
    history: LogFacts = field(default_factory=LogFacts)
    watched_since: datetime | None = None
    thorough: bool = False
    doubted_since: datetime | None = None
    groups_before: GroupsBefore = field(default_factory=dict)
    ordered: tuple[Ordered, ...] = ()
    repair: int | None = None
    answers: Mapping[Ask, Answer] = field(default_factory=dict)

    @property
    def log(self) -> LogFacts | Unread | None:
        """What the System Log said, if it was asked; a 404 of it is no answer."""
        answer = self.answers.get(AskLog())
        if isinstance(answer, LogFacts):
            return answer | self.history
        return answer if answer is None or isinstance(answer, Unread) else Unread(Why.INCOMPLETE)

    def spoken_of(self, app: OktaAppId) -> bool:
        """A waiting event is about this person's assignment to the app."""
        return any(claimed.about == app for claimed in self.claims)
