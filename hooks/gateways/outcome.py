"""What the figures call the ways in which a call ends.

Every such name must live here; how a call is made, this room must not know.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hooks import figures
from hooks.clock import elapsed
from hooks.core.errors import (
    BreakerOpenError,
    CredentialError,
    ForbiddenError,
    IncompleteError,
    LeaseLostError,
    LostReplyError,
    NotFoundError,
    NowhereError,
    RateLimitedError,
    RejectedError,
    TransientError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooks.gateways.wire import Call

#: The first that fits.
_OUTCOMES: tuple[tuple[type[BaseException], str], ...] = (
    (NotFoundError, "missing"),
    (ForbiddenError, "forbidden"),
    (CredentialError, "credential"),
    (NowhereError, "nowhere"),
    (RejectedError, "rejected"),
    (BreakerOpenError, "held"),
    (RateLimitedError, "limited"),
    (LostReplyError, "lost"),
    (TransientError, "unavailable"),
    (IncompleteError, "incomplete"),
    (LeaseLostError, "lease"),
    (asyncio.CancelledError, "cancelled"),
)


@contextmanager
def counted(call: Call) -> Iterator[None]:
    """Count the call that is made inside, and how long it took."""
    began = elapsed()
    outcome = "ok"
    try:
        yield
    except BaseException as error:
        outcome = next((name for kind, name in _OUTCOMES if isinstance(error, kind)), "fault")
        raise
    finally:
        figures.VENDOR_CALLS.labels(call.vendor, call.operation, outcome).inc()
        figures.VENDOR_SECONDS.labels(call.vendor, call.operation).observe(elapsed() - began)
