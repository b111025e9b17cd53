"""How a command ends: its exit code, and one line on stderr that says what to do next.

0: done. 1: something failed. 2: wrong usage or settings; nothing was done. 130: interrupted.
"""

from __future__ import annotations

from hooks.core.errors import HooksError, SettingsError

OK = 0
FAILED = 1
WRONG = 2
INTERRUPTED = 130


class FailedError(HooksError):
    """The command could not do what was asked; the message says what to do next."""


class UsageError(HooksError):
    """Arguments that cannot be used; nothing was done."""


def code_of(error: HooksError) -> int:
    """The exit code of a failure."""
    return WRONG if isinstance(error, UsageError | SettingsError) else FAILED
