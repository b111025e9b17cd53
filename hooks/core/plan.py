"""A plan: ordered steps, what is refused and why, and what to look at besides.

Must live here: the shapes. Must not know: how they are decided.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from hooks.core.ledger import Ledger
from hooks.core.membership import Action, Group, Standing, Via
from hooks.core.refusal import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooks.core.asks import Ask
    from hooks.core.claims import Contradiction
    from hooks.core.identity import How
    from hooks.core.ids import AccountId, DirectoryName, OktaUserId, ScimGroupId, ScimUserId
    from hooks.core.memory import Link
    from hooks.core.refusal import Refusal


class Reason(StrEnum):
    """Why a membership changes."""

    LEFT = "left"
    UNASSIGNED = "unassigned"
    SUSPENDED = "suspended"
    LOST_GROUP = "lost_group"
    RETURNED = "returned"
    GIVEN_BACK = "given_back"
    WANTED = "wanted"


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one membership. ``evidence`` holds ids and statuses, never names of people."""

    directory: DirectoryName
    action: Action
    group: Group
    reason: Reason
    evidence: tuple[str, ...] = ()
    via: Via = Via.SCIM

    @property
    def brake_class(self) -> str:
        """Directory x reason as read; a lost group counts by itself. Design 3.6."""
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
class DirectoryPlan:
    """What happens in one directory.

    ``ledger`` says what became of earlier steps; ``unmanaged`` groups are only reported;
    ``fresh`` links are to be remembered.
    """

    name: DirectoryName
    standing: Standing
    record: Record | None = None
    in_force: bool = False
    user_name: str = field(default="", repr=False)
    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    unmanaged: frozenset[Group] = frozenset()
    fresh: tuple[Link, ...] = ()

    @property
    def conclusive(self) -> bool:
        """Nothing was left open that a later look may see otherwise."""
        if self.standing is Standing.UNCLEAR:
            return False
        return not any(
            each.retry or each.passing or each.cause is Cause.CONTRADICTED for each in self.refusals
        )

    @property
    def waiting(self) -> bool:
        """Okta or Atlassian has not finished something, so the person is looked at again."""
        if any(refusal.passing for refusal in self.refusals):
            return True
        here = self.standing in (Standing.PRESENT, Standing.RETURNING)
        return here and self.record is not None and self.record.active is False


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

    @property
    def steps(self) -> Iterator[Step]:
        """All steps in the order in which they are sent: removals before additions. Law 5."""
        every = [step for directory in self.directories for step in directory.steps]
        yield from (step for step in every if step.action is Action.REMOVE)
        yield from (step for step in every if step.action is Action.ADD)

    @property
    def refusals(self) -> Iterator[Refusal]:
        """Everything left alone, with its reason."""
        for directory in self.directories:
            yield from directory.refusals
