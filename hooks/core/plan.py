"""A plan: ordered steps, what is refused and why, and what to look at besides.

Must live here: the shapes. Must not know: how they are decided.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from hooks.core.ledger import Ledger
from hooks.core.membership import Action, Group, Mode, OrganizationGroup, Standing, Via
from hooks.core.refusal import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooks.core.asks import Ask
    from hooks.core.claims import Contradiction
    from hooks.core.identity import How
    from hooks.core.ids import (
        AccountId,
        DirectoryName,
        OktaUserId,
        ScimGroupId,
        ScimUserId,
        Uuid,
    )
    from hooks.core.memory import Link
    from hooks.core.reading import Account, KnownGroup
    from hooks.core.refusal import Refusal


class Reason(StrEnum):
    """Why a membership changes."""

    LEFT = "left"
    UNASSIGNED = "unassigned"
    SUSPENDED = "suspended"
    LOST_GROUP = "lost_group"
    RETURNED = "returned"
    LOST_RULE = "lost_rule"
    GIVEN_BACK = "given_back"
    WANTED = "wanted"
    RESTORED = "restored"


class Because(StrEnum):
    """Why a membership stays."""

    SOURCE = "source"
    UNMANAGED = "unmanaged"
    RULE = "rule"
    SILENT = "silent"
    UNNAMED = "unnamed"
    SYNCED = "synced"


@dataclass(frozen=True, slots=True)
class Kept:
    """A membership that stays. ``evidence`` holds ids only."""

    group: Group | OrganizationGroup
    because: Because
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one membership. ``evidence`` holds ids and statuses, never names of people.

    ``directory`` is where it happens; a local one counts for the brake in that directory ``by``
    whose standing it was decided, or for its ``rule``. ``others`` are active members of an admin
    group besides this person, of whom one must remain.
    """

    directory: DirectoryName
    action: Action
    group: Group | OrganizationGroup
    reason: Reason
    evidence: tuple[str, ...] = ()
    via: Via = Via.SCIM
    by: DirectoryName | None = None
    rule: str = ""
    others: frozenset[AccountId] | None = None

    @property
    def brake_class(self) -> str:
        """Directory x reason as read; a lost group or rule counts by itself. Design 3.6."""
        if self.reason is Reason.LOST_RULE:
            return f"{self.directory}/{self.reason}/{self.rule}"
        if self.via is Via.ORGANIZATION:
            return f"{self.by}/{self.reason}"
        if self.reason is Reason.LOST_GROUP:
            return f"{self.directory}/{self.reason}/{self.group.id}"
        return f"{self.directory}/{self.reason}"


@dataclass(frozen=True, slots=True)
class Record:
    """The SCIM record a plan is about."""

    id: ScimUserId
    how: How
    active: bool | None
    user_name: str = field(repr=False)
    groups: frozenset[ScimGroupId] = frozenset()
    account: AccountId | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What becomes of one removal that was ordered back; ``cause`` is why it stays as it is.

    ``added`` is the group, if the plan adds it; ``waits``: a later look may see it otherwise.
    """

    step: int
    cause: Cause | None = None
    added: Uuid | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True)
class PlacePlan:
    """What happens in one place, a directory or the organization, each settled on its own.

    ``ledger`` says what became of earlier steps; ``kept`` is everything that stays, and why;
    ``missed`` are groups seen before which are to be looked for again; ``answered`` says what
    becomes of removals that were ordered back.
    """

    name: DirectoryName
    standing: Standing
    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    kept: tuple[Kept, ...] = ()
    missed: frozenset[Uuid] = frozenset()
    answered: tuple[Answered, ...] = ()

    @property
    def conclusive(self) -> bool:
        """Nothing was left open that a later look may see otherwise."""
        if self.standing is Standing.UNCLEAR:
            return False
        return not any(
            each.retry or each.passing or each.cause is Cause.CONTRADICTED for each in self.refusals
        )

    @property
    def quiet(self) -> bool:
        """Nothing to do, nothing open."""
        return (
            not self.steps
            and not self.ledger.unsettled
            and all(refusal.final for refusal in self.refusals)
        )

    @property
    def active(self) -> bool:
        """Atlassian shows the person as active here."""
        raise NotImplementedError

    @property
    def waiting(self) -> bool:
        """Okta or Atlassian has not finished something, so the person is looked at again."""
        return any(refusal.passing for refusal in self.refusals)


@dataclass(frozen=True, slots=True)
class DirectoryPlan(PlacePlan):
    """What happens in one directory; ``fresh`` links are to be remembered."""

    record: Record | None = None
    in_force: bool = False
    user_name: str = field(default="", repr=False)
    fresh: tuple[Link, ...] = ()

    @property
    def active(self) -> bool:
        """The SCIM record says so."""
        return self.record is not None and self.record.active is True

    @property
    def waiting(self) -> bool:
        """Also while somebody in force is inactive over SCIM."""
        if any(refusal.passing for refusal in self.refusals):
            return True
        here = self.standing in (Standing.PRESENT, Standing.RETURNING)
        return here and self.record is not None and self.record.active is False


@dataclass(frozen=True, slots=True)
class LocalPlan(PlacePlan):
    """What happens to the groups that are kept in the organization itself.

    ``mode`` is observe unless every directory that counts enforces. ``groups`` are those the
    account is in, to be remembered; ``account`` is what the organization says now.
    ``provisioned``: the SCIM record of a directory in force is active. ``forfeits``: what was
    taken before now is given back only by a rule's condition.
    """

    mode: Mode = Mode.OBSERVE
    account: Account | None = None
    groups: tuple[KnownGroup, ...] = ()
    provisioned: bool = False
    forfeits: bool = False

    @property
    def active(self) -> bool:
        """A SCIM record in force is."""
        return self.provisioned

    @property
    def waiting(self) -> bool:
        """Also while a returning person's removals wait for an active account."""
        parked = any(refusal.cause is Cause.PARKED for refusal in self.refusals)
        here = self.standing in (Standing.PRESENT, Standing.RETURNING)
        return (here and parked) or any(refusal.passing for refusal in self.refusals)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one look leads to. ``asks`` is not empty while more has to be read first.

    ``protected`` is ``None`` where this could not be told.
    """

    user: OktaUserId
    directories: tuple[DirectoryPlan, ...]
    asks: frozenset[Ask] = frozenset()
    others: frozenset[OktaUserId] = frozenset()
    contradictions: tuple[Contradiction, ...] = ()
    protected: bool | None = False
    local: LocalPlan | None = None

    @property
    def places(self) -> tuple[PlacePlan, ...]:
        """The directories, and the organization if it is configured."""
        return (*self.directories, self.local) if self.local else self.directories

    @property
    def steps(self) -> Iterator[Step]:
        """All steps in the order in which they are sent: removals before additions. Law 5."""
        every = [step for place in self.places for step in place.steps]
        yield from (step for step in every if step.action is Action.REMOVE)
        yield from (step for step in every if step.action is Action.ADD)

    @property
    def refusals(self) -> Iterator[Refusal]:
        """Everything left alone, with its reason."""
        for place in self.places:
            yield from place.refusals
