"""What the System Log shows about one person, read with our own credential.

Must live here: what a run of log lines proves. Must not know: what follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from hooks.core.ids import OktaAppId


class Logged(StrEnum):
    """What the System Log, read with our own credential, says has succeeded."""

    DEACTIVATED = "deactivated"
    ACTIVATED = "activated"
    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """One line of the log about a person; ``app`` for an assignment or its end."""

    at: datetime
    what: Logged
    app: OktaAppId | None = None


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What the System Log shows about one person, oldest first; a deletion is a deactivation.

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

    def _newest(self, what: Logged) -> datetime | None:
        return max((each.at for each in self.moments if each.what is what), default=None)
