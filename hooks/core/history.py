"""What the System Log shows about one person, read with our own credential.

Must live here: what a run of log lines proves. Must not know: what follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from hooks.core.ids import OktaAppId


class Logged(StrEnum):
    """What the System Log, read with our own credential, says has succeeded."""

    DEACTIVATED = "deactivated"
    ACTIVATED = "activated"
    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the log about a person; ``app`` for an assignment or its end."""

    at: datetime
    what: Logged
    app: OktaAppId | None = None


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What the System Log shows about one person, oldest first.

    A deletion is a deactivation, and an unsuspension an activation.

    It proves what it shows, never that something did not happen.
    """

    moments: tuple[Moment, ...] = ()

    @property
    def deactivated(self) -> datetime | None:
        """The newest deactivation or deletion."""
        return self._newest(Logged.DEACTIVATED)

    @property
    def activated(self) -> datetime | None:
        """The newest activation."""
        return self._newest(Logged.ACTIVATED)

    @property
    def assignments(self) -> frozenset[OktaAppId]:
        """Apps to which the person was assigned, or from which they were unassigned."""
        return frozenset(each.app for each in self.moments if each.app)

    @classmethod
    def of(cls, moments: Iterable[Moment]) -> LogFacts:
        """These lines, each once, oldest first."""
        return cls(
            tuple(sorted(set(moments), key=lambda each: (each.at, each.what, each.app or "")))
        )

    def __or__(self, other: LogFacts) -> LogFacts:
        """Both together."""
        return LogFacts.of((*self.moments, *other.moments))

    def _newest(self, what: Logged) -> datetime | None:
        return max((each.at for each in self.moments if each.what is what), default=None)


@dataclass(frozen=True, slots=True)
class Absence:
    """A time in which no assignment gave access; ``left`` is the last deactivation inside.

    ``ended`` is ``None`` while the log does not show the end.
    """

    began: datetime
    ended: datetime | None
    left: datetime | None


def absences(facts: LogFacts, apps: frozenset[OktaAppId]) -> tuple[Absence, ...]:
    """The absences from all of these apps together, oldest first.

    An app the log says nothing about was all the time as its neighbours were; one whose first
    line is an assignment was not assigned before it, and nobody is away who was never there.
    Of lines of one millisecond the taking came first, or an instant would look like an absence.
    """
    lines = [each for each in facts.moments if each.app is None or each.app in apps]
    lines.sort(key=lambda each: (each.at, each.what in (Logged.ACTIVATED, Logged.ASSIGNED)))
    first = {each.app: each.what for each in reversed(lines) if each.app}
    assigned = {app: what is Logged.UNASSIGNED for app, what in first.items()}
    silent = bool(apps - assigned.keys())
    been = silent or any(assigned.values())
    active, began, left = True, None, None
    found: list[Absence] = []
    for each in lines:
        if each.app:
            assigned[each.app] = each.what is Logged.ASSIGNED
        else:
            active = each.what is Logged.ACTIVATED
        here = active and (silent or any(assigned.values()))
        if here and began:
            found.append(Absence(began, each.at, left))
            began, left = None, None
        elif not here and been:
            began = began or each.at
            left = each.at if each.what is Logged.DEACTIVATED else left
        been = been or here
    if began:
        found.append(Absence(began, None, left))
    return tuple(found)
