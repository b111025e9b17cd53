"""What one look saw: answers of Okta and Atlassian, and what the store remembered.

A value here is either an answer, ``MISSING`` (the vendor said 404), or ``Unread`` (no answer
that may be believed). Nothing stands for "probably empty".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

from hooks.core.membership import Action, Group, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hooks.core.ids import (
        AccountId,
        DirectoryName,
        OktaAppId,
        OktaGroupId,
        OktaUserId,
        PushMappingId,
        ScimGroupId,
        ScimUserId,
    )


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
    """``GET /groups/{id}``; ``type`` is OKTA_GROUP, APP_GROUP or BUILT_IN."""

    id: OktaGroupId
    name: str
    type: str = "OKTA_GROUP"


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


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What the System Log shows about one person in the last 90 days, newest instant of each.

    ``deactivated`` covers deletion too; ``assignments`` holds the apps for which an assignment
    or an unassignment was logged.
    """

    deactivated: datetime | None = None
    activated: datetime | None = None
    assignments: frozenset[OktaAppId] = frozenset()


@dataclass(frozen=True, slots=True)
class Successor:
    """Another Okta user in force who now has the userName of the record."""

    user: OktaUserId


# -- questions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskGroup:
    """Can this credential read the Okta group, and what is it called now?"""

    group: OktaGroupId


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


Ask = (
    AskGroup | AskLog | AskRecordById | AskRecordsByExternalId | AskRecordsByUserName | AskSuccessor
)
Answer = OktaGroup | LogFacts | tuple[ScimRecord, ...] | tuple[Successor, ...] | Missing | Unread


@dataclass(frozen=True, slots=True)
class Asking:
    """Not decided yet: these answers are needed first."""

    asks: frozenset[Ask]


# -- what the store remembers ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Link:
    """A mapping once matched to a SCIM group by exact name, and counted by ids from then on.

    ``name`` is the SCIM group's and ``target_name`` that of Okta's target; they are the same
    until an operator accepts that one of them changed. ``accept`` says that this was done.
    """

    mapping: PushMappingId
    source: OktaGroupId
    target: OktaGroupId
    group: ScimGroupId
    name: str
    target_name: str
    accept: bool = False


@dataclass(frozen=True, slots=True)
class PastStep:
    """A step of the journal with its latest outcome."""

    id: int
    action: Action
    group: ScimGroupId
    state: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the store knew of one person in one directory when the look began.

    ``standing`` is that of the last settled look; ``agreed`` counts the looks since that found
    a returning person as wanted; ``waiting_since`` is when we began to wait for Okta or Atlassian
    to finish something; ``shared_with`` are other people in force who hold the same record.
    """

    scim_id: ScimUserId | None = None
    user_name: str = field(default="", repr=False)
    ever_in_force: bool = False
    standing: Standing | None = None
    agreed: int = 0
    waiting_since: datetime | None = None
    groups: frozenset[ScimGroupId] = frozenset()
    history: tuple[PastStep, ...] = ()
    shared_with: frozenset[OktaUserId] = frozenset()


class Claim(StrEnum):
    """What an event says has happened."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    SUSPENDED = "suspended"
    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"
    JOINED = "joined"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A waiting event's claim; ``about`` is the app or the Okta group, empty for the user.

    ``published`` is never later than our receipt, so a payload cannot claim to be the newest.
    ``first_look`` is when a lease first held the event.
    """

    uuid: str
    claim: Claim
    about: str
    published: datetime
    first_look: datetime | None = None


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
    memory: Memory = Memory()


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at one person. ``answers`` grows by rounds: ``decide`` asks, the caller reads."""

    user_id: OktaUserId
    at: datetime
    user: OktaUser | Missing | Unread
    okta_groups: frozenset[OktaGroup] | Unread
    directories: tuple[DirectoryReading, ...]
    claims: tuple[Claimed, ...] = ()
    protected_before: bool = False
    answers: Mapping[Ask, Answer] = field(default_factory=dict)

    @property
    def log(self) -> LogFacts | Unread | None:
        """What the System Log said, if it was asked; a 404 of it is no answer."""
        answer = self.answers.get(AskLog())
        if answer is None or isinstance(answer, LogFacts | Unread):
            return answer
        return Unread(Why.INCOMPLETE)

    def spoken_of(self, app: OktaAppId) -> bool:
        """A waiting event is about this person's assignment to the app."""
        return any(claimed.about == app for claimed in self.claims)
