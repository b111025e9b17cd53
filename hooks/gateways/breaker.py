"""Stops using a credential that is refused, so that nothing is burnt while somebody repairs it.

The state of one credential must live here; why it was refused, this room must not know.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from hooks import figures
from hooks.core.errors import BreakerOpenError, CredentialError, PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from hooks.clock import Clock

#: First and longest pause before a refused credential is tried again: a repair is noticed within
#: five minutes, and a vendor sees no hammering meanwhile.
FIRST_TRIAL, LAST_TRIAL = timedelta(seconds=5), timedelta(minutes=5)
#: How soon to ask again while somebody else's trial is running.
NEXT_LOOK = timedelta(seconds=1)


log = structlog.get_logger("hooks.breaker")


class Breaker:
    """Stops using a credential that is refused, tries it now and then, and closes by itself."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        opens: type[PermanentError] = CredentialError,
        closes: tuple[type[PermanentError], ...] = (PermanentError,),
        says: str = "credential is refused",
    ) -> None:
        """``name`` is what the operator calls the credential.

        ``opens`` is the error that says it is refused; ``closes`` are those that say it works,
        as a success does; ``says`` is what a message tells of it while it is open.
        """
        self.name = name
        self._says = says
        self._opens = opens
        self._closes = closes
        self._clock = clock
        self._until: datetime | None = None
        self._since: datetime | None = None
        self._pause = FIRST_TRIAL
        self._trying = False
        figures.BREAKER_OPEN.labels(name).set(0)

    @contextmanager
    def guard(self, *, telling: bool = True) -> Iterator[None]:
        """Let one call through, and learn from how it ended.

        While it is open, only a ``telling`` call may be the trial.

        A CredentialError opens; an answer of any other kind to the credential closes, unless
        told otherwise above; what shows nothing about it (a timeout, a 5xx, a cancellation)
        leaves things as they are.
        Raises: BreakerOpenError with the instant of the next trial; nothing was sent.
        """
        trial = self._admit(telling=telling)
        try:
            yield
        except self._opens:
            self._open(trial=trial)
            raise
        except self._closes:
            self._close()
            raise
        except BaseException:
            if trial:
                self._until = self._clock.now() + self._pause
            raise
        else:
            self._close()
        finally:
            if trial:
                self._trying = False

    @property
    def refused(self) -> bool:
        """The credential is refused, as far as is known."""
        return self._since is not None

    def forget(self) -> None:
        """Another credential took the place of the one this is about."""
        self._until = self._since = None
        figures.BREAKER_OPEN.labels(self.name).set(0)

    def snapshot(self) -> dict[str, Any]:
        """State, since when, and when it is tried again."""
        state = "closed" if self._until is None else "half-open" if self._trying else "open"
        return {"state": state, "since": self._since, "next_trial": self._until}

    def _admit(self, *, telling: bool) -> bool:
        if self._until is None:
            return False
        now = self._clock.now()
        if self._trying or now < self._until or not telling:
            until = max(self._until, now + NEXT_LOOK)
            raise BreakerOpenError(
                f"{self.name} {self._says}", retry_at=until, opened_by=self._opens
            )
        self._trying = True
        return True

    def _open(self, *, trial: bool) -> None:
        if self._until is not None and not trial:
            return  # one of many that were in flight when it opened
        now = self._clock.now()
        self._pause = min(self._pause * 2, LAST_TRIAL) if trial else FIRST_TRIAL
        self._until = now + self._pause
        if self._since is None:
            log.error("credential_refused", credential=self.name)
        self._since = self._since or now
        figures.BREAKER_OPEN.labels(self.name).set(1)

    def _close(self) -> None:
        if self._since is not None:
            log.warning("credential_works", credential=self.name)
        self._until = self._since = None
        figures.BREAKER_OPEN.labels(self.name).set(0)
