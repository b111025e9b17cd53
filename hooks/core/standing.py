"""Where a person stands towards one directory. Design 3.3: the first row that matches."""

from __future__ import annotations

from dataclasses import dataclass

from hooks.core.asks import Asking, AskLog
from hooks.core.history import LogFacts
from hooks.core.membership import Standing
from hooks.core.reading import (
    IN_FORCE,
    MISSING,
    App,
    AppUser,
    DirectoryReading,
    OktaUser,
    Reading,
    Unread,
)
from hooks.core.refusal import Cause

#: User statuses that may have access. Source: Okta OpenAPI UserStatus.
_USER_IN_FORCE = frozenset({"ACTIVE", "PROVISIONED", "PASSWORD_EXPIRED", "LOCKED_OUT", "RECOVERY"})
#: AppUser statuses of an assignment that has ended or was never made good.
_ENDED = frozenset({"DEPROVISIONED", "REVOKED", "INACTIVE", "UNASSIGNED"})
_NEVER_STARTED = frozenset({"IMPORTED", "MATCHED"})
_USER_STATUSES = _USER_IN_FORCE | {"STAGED", "SUSPENDED", "DEPROVISIONED"}
_APP_USER_STATUSES = IN_FORCE | _ENDED | _NEVER_STARTED | {"SUSPENDED"}

#: Whether a record is theirs, as ``stand`` wants to know it.
Tied = bool | Unread | Asking


@dataclass(frozen=True, slots=True)
class Stand:
    """A standing, and for an unclear one its cause."""

    standing: Standing
    cause: Cause | None = None
    unread: Unread | None = None


def stand(reading: Reading, directory: DirectoryReading, tied: Tied) -> Stand | Asking:
    """Judge one directory.

    ``tied`` says whether a tie other than the System Log leads to a SCIM record, which shows
    that the assignment was once in force; or that this is not known yet, or cannot be known.
    """
    unclear = _unclear(reading, directory)
    if unclear is not None:
        return unclear
    facts = reading.log
    return (
        _left(reading, directory, facts, tied)
        or _outside(reading, directory, tied)
        or _assigned(reading, directory)
        or Stand(Standing.UNCLEAR, Cause.STATUS_UNKNOWN)
    )


def _unclear(reading: Reading, directory: DirectoryReading) -> Stand | None:
    """The first row: an answer that is missing or that nobody may act on."""
    user, app, app_user = reading.user, directory.app, directory.app_user
    if isinstance(user, Unread):
        return Stand(Standing.UNCLEAR, Cause.USER_UNREAD, user)
    if isinstance(app, Unread):
        return Stand(Standing.UNCLEAR, Cause.APP_UNREAD, app)
    if not isinstance(app, App):
        return Stand(Standing.UNCLEAR, Cause.APP_UNREAD)
    if app.status != "ACTIVE":
        return Stand(Standing.UNCLEAR, Cause.APP_NOT_ACTIVE)
    if isinstance(app_user, Unread):
        return Stand(Standing.UNCLEAR, Cause.APP_USER_UNREAD, app_user)
    if isinstance(user, OktaUser) and (
        user.status == "ACTIVATING" or user.transitioning_to not in (None, "DEPROVISIONED")
    ):
        return Stand(Standing.UNCLEAR, Cause.IN_TRANSITION)
    odd = isinstance(user, OktaUser) and user.status not in _USER_STATUSES
    odd |= isinstance(app_user, AppUser) and app_user.status not in _APP_USER_STATUSES
    return Stand(Standing.UNCLEAR, Cause.STATUS_UNKNOWN) if odd else None


def _left(
    reading: Reading, directory: DirectoryReading, log: LogFacts | Unread | None, tied: Tied
) -> Stand | Asking | None:
    user = reading.user
    if isinstance(user, OktaUser):
        gone = "DEPROVISIONED" in (user.status, user.transitioning_to)
        return Stand(Standing.LEFT) if gone else None
    if directory.app_user is not MISSING:
        return Stand(Standing.UNCLEAR, Cause.ABSENCE_UNPROVED)
    return _gone(directory, log, tied)


def _gone(directory: DirectoryReading, log: LogFacts | Unread | None, tied: Tied) -> Stand | Asking:
    """A 404 for the user and for the assignment proves nothing by itself. Design 3.2."""
    if directory.memory.standing is Standing.LEFT:
        return Stand(Standing.LEFT)
    if log is None:
        return Asking(frozenset({AskLog()}))
    if isinstance(log, Unread):
        return Stand(Standing.UNCLEAR, Cause.HISTORY_UNREAD, log)
    if log.deactivated and (log.activated is None or log.activated < log.deactivated):
        return Stand(Standing.LEFT)
    if isinstance(tied, Asking):
        return tied
    heard_of = log.deactivated or log.activated or log.assignments or directory.memory.ever_in_force
    if tied is False and not heard_of and directory.memory.standing in (None, Standing.OUTSIDE):
        return Stand(Standing.OUTSIDE)  # an id nobody has ever heard of
    return Stand(Standing.UNCLEAR, Cause.ABSENCE_UNPROVED)


def _outside(reading: Reading, directory: DirectoryReading, tied: Tied) -> Stand | Asking | None:
    """STAGED and unmatched people, and those the app never knew; else the unassigned."""
    app_user = directory.app_user
    if isinstance(reading.user, OktaUser) and reading.user.status == "STAGED":
        return Stand(Standing.OUTSIDE)
    if isinstance(app_user, AppUser) and app_user.status in _NEVER_STARTED:
        return Stand(Standing.OUTSIDE)
    ended = app_user is MISSING or (isinstance(app_user, AppUser) and app_user.status in _ENDED)
    if not ended:
        return None
    if directory.memory.ever_in_force or tied is True:
        return Stand(Standing.UNASSIGNED)
    return _ever(reading, directory, tied)


def _ever(reading: Reading, directory: DirectoryReading, tied: Tied) -> Stand | Asking:
    """Was somebody unknown ever in force?

    The log is asked once, then they are remembered; and again when an event speaks of the app.
    """
    log = reading.log
    asked = directory.memory.standing is Standing.OUTSIDE
    if isinstance(tied, Asking):
        return tied
    if isinstance(tied, Unread):
        return Stand(Standing.UNCLEAR, Cause.RECORD_UNREAD, tied)
    if log is None and asked and not reading.spoken_of(directory.app_id):
        return Stand(Standing.OUTSIDE)
    if log is None:
        return Asking(frozenset({AskLog()}))
    if isinstance(log, Unread):
        return Stand(Standing.UNCLEAR, Cause.HISTORY_UNREAD, log)
    known = directory.app_id in log.assignments
    return Stand(Standing.UNASSIGNED if known else Standing.OUTSIDE)


def _assigned(reading: Reading, directory: DirectoryReading) -> Stand | None:
    user, app_user = reading.user, directory.app_user
    if not isinstance(user, OktaUser) or not isinstance(app_user, AppUser):
        return None
    if user.status == "SUSPENDED" or app_user.status == "SUSPENDED":
        return Stand(Standing.SUSPENDED)
    if user.status not in _USER_IN_FORCE or not app_user.in_force:
        return None
    was = directory.memory.counted
    returning = was is Standing.RETURNING or (was is not None and was.absent)
    return Stand(Standing.RETURNING if returning else Standing.PRESENT)
