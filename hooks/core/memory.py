"""What the store remembered when a look began: links, earlier steps, standings, waiting events."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from hooks.core.membership import Standing

if TYPE_CHECKING:
    from datetime import datetime

    from hooks.core.ids import (
        OktaGroupId,
        OktaUserId,
        PushMappingId,
        ScimGroupId,
        ScimUserId,
        Uuid,
    )
    from hooks.core.membership import Action


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
    """A step of the journal with its latest outcome; ``at`` is when it was planned."""

    id: int
    action: Action
    group: Uuid
    state: str
    code: str = ""
    reason: str = ""
    at: datetime | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A removal an operator ordered back, by its id in the journal.

    ``named``: one by one, so although others have changed the membership since.
    """

    step: int
    named: bool = False


@dataclass(frozen=True, slots=True)
class Repaired:
    """What came of the orders to add all that Okta wants, up to the ``last`` one a look knew."""

    last: int
    result: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What the store knew of one person in one directory, or the organization.

    ``standing`` is that of the last settled look, at ``standing_at``; ``agreed`` counts the looks
    since that found a returning person as wanted; ``waiting_since`` is when we began to wait for
    Okta or Atlassian to finish something; ``shared_with`` are other people in force who hold the
    same record. ``absent_since`` is when we first saw the last absence, ``returned`` when the last
    return began, ``accounted`` until when absences have had their consequence, ``late_since``
    since when we wait for the log to show one. What began before ``excused`` has none: an operator
    rejected what followed. ``missed_since`` is since when groups of before are not shown.
    ``locked``: a userName is remembered, and the key it is sealed with is lost. Design 3.3, 3.6.
    ``released``: this record was deleted by order, or was to be, and Okta has not made another.
    """

    scim_id: ScimUserId | None = None
    user_name: str = field(default="", repr=False)
    ever_in_force: bool = False
    standing: Standing | None = None
    agreed: int = 0
    waiting_since: datetime | None = None
    groups: frozenset[Uuid] = frozenset()
    history: tuple[PastStep, ...] = ()
    shared_with: frozenset[OktaUserId] = frozenset()
    standing_at: datetime | None = None
    absent_since: datetime | None = None
    returned: datetime | None = None
    accounted: datetime | None = None
    late_since: datetime | None = None
    excused: datetime | None = None
    missed_since: datetime | None = None
    locked: bool = False
    released: bool = False

    @property
    def counted(self) -> Standing | None:
        """The standing as far as it has consequences for somebody who is back in force."""
        began = self.absent_since or self.standing_at
        forgiven = self.excused is not None and began is not None and began <= self.excused
        gone = self.standing is not None and (
            self.standing.absent or self.standing is Standing.RETURNING
        )
        return Standing.PRESENT if gone and forgiven else self.standing


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
