"""Every failure, sorted by what to do about it.

HooksError
├── MalformedError          their input is not what it must be: answer 400, skip the line
├── SettingsError           the operator's input: do not start
├── TransientError          try again later
│   ├── RateLimitedError    not before ``retry_at``
│   ├── LostReplyError      a write whose reply never came: read before believing anything
│   └── BreakerOpenError    the credential is refused, or no use there; nothing was sent
├── PermanentError          trying again alone will not help
│   ├── CredentialError     401, or 403 to everything: the whole credential is refused
│   ├── NowhereError        the organization or directory in the settings is not there for it
│   ├── ForbiddenError      403 to this resource only
│   ├── NotFoundError       404, which by itself proves nothing
│   └── RejectedError       400, 409, 413 …: the vendor understood and said no
├── IncompleteError         an answer that must not be believed: cut, filtered wrongly, foreign
├── LeaseLostError          this worker may not write for this person any more
├── UnsealedError           a sealed value whose key is not given, or that was changed
└── StoreError              our own store: answer 503, Okta tries again
    └── BusyError           too many waiting
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class HooksError(Exception):
    """Base of every failure of ours. Messages start with who, and hold no body and no address."""


class MalformedError(HooksError):
    """Input that is not what it must be."""


class SettingsError(HooksError):
    """Settings that cannot be used; the message lists every mistake, its place and its remedy."""


class TransientError(HooksError):
    """Trying again later may help."""

    def __init__(self, message: str, *, retry_at: datetime | None = None) -> None:
        """``retry_at`` is the vendor's own word on when, if it gave one."""
        super().__init__(message)
        self.retry_at = retry_at


class RateLimitedError(TransientError):
    """The vendor, or our own budget for it, asks to wait until ``retry_at``."""


class LostReplyError(TransientError):
    """The request left, the reply did not come: a write may or may not have been applied."""


class BreakerOpenError(TransientError):
    """The credential is refused at the moment; nothing was sent and no attempt is used up."""

    def __init__(
        self,
        message: str,
        *,
        retry_at: datetime | None = None,
        opened_by: type[HooksError] | None = None,
    ) -> None:
        """``opened_by`` is the kind of error after which nothing is sent."""
        super().__init__(message, retry_at=retry_at)
        self.opened_by = opened_by or CredentialError


class PermanentError(HooksError):
    """Trying again alone will not help."""

    def __init__(self, message: str, *, code: str = "") -> None:
        """``code`` is the vendor's error code or scimType, never its prose."""
        super().__init__(message)
        self.code = code


class CredentialError(PermanentError):
    """The credential is refused whatever is asked."""


class NowhereError(PermanentError):
    """The organization or directory that the settings name is not there for this credential."""


class ForbiddenError(PermanentError):
    """This resource is refused to a credential that otherwise works."""


class NotFoundError(PermanentError):
    """The vendor answered 404."""


class RejectedError(PermanentError):
    """The vendor understood the request and said no."""


class IncompleteError(HooksError):
    """An answer came, and believing it could take access away wrongly."""


#: What says nothing about whoever is looked at, and costs them no attempt.
TURNED_AWAY = (BreakerOpenError, CredentialError, NowhereError, RateLimitedError)


class LeaseLostError(HooksError):
    """The fence moved on, or too little of the lease is left to write safely."""


class UnsealedError(HooksError):
    """A sealed value cannot be opened: its key is not given, or it was changed or moved."""


class StoreError(HooksError):
    """The store cannot take or give data now."""


class BusyError(StoreError):
    """The store has too much waiting to promise an answer in time."""
