"""What an answer's headers say about the vendor's budget.

The rate headers of both vendors must be known here and nowhere else; what follows from them,
this room must not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Years an instant of a vendor may lie in; moved by the difference of two, it is still one.
_YEARS = range(2000, 4000)


@dataclass(frozen=True, slots=True)
class Rate:
    """What one answer said about the budget; ``None`` where it said nothing usable.

    ``skew`` is by how much the clock here is ahead of the vendor's.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: datetime | None = None
    retry: datetime | None = None
    skew: timedelta | None = field(default=None, compare=False)


def rate_of(headers: Mapping[str, str], now: datetime) -> Rate:
    """Read the rate headers of either vendor; total, whatever the headers hold.

    Instants are moved by the difference between the answer's ``Date`` and ``now``, so a clock
    that is wrong on either side costs nothing.
    Sources: developer.okta.com/docs/reference/rl-best-practices (``X-Rate-Limit-*``, epoch
    seconds), developer.atlassian.com/cloud/jira/platform/rate-limiting (``X-RateLimit-*``, ISO
    8601), RFC 9110 section 10.2.3 (``Retry-After``, seconds or a date).
    """

    def first(*names: str) -> str:
        return next((headers[name].strip() for name in names if name in headers), "")

    theirs = _instant(first("Date"))
    skew = now - theirs if theirs else timedelta()
    reset = _instant(first("X-Rate-Limit-Reset", "X-RateLimit-Reset"))
    asked = first("Retry-After")
    seconds = _count(asked)
    retry = now + timedelta(seconds=seconds) if seconds is not None else None
    if retry is None and (date := _instant(asked)):
        retry = date + skew
    return Rate(
        limit=_count(first("X-Rate-Limit-Limit", "X-RateLimit-Limit")),
        remaining=_count(first("X-Rate-Limit-Remaining", "X-RateLimit-Remaining")),
        reset=reset + skew if reset else None,
        retry=retry,
        skew=skew if theirs else None,
    )


def _count(text: str) -> int | None:
    """A plain decimal of at most nine digits (31 years in seconds)."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


@lru_cache(maxsize=256)  # within one second every answer says the same date
def _instant(text: str) -> datetime | None:
    """An instant in epoch seconds, ISO 8601, or as an HTTP date; none in the far past or future."""
    for read in (_epoch, datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        aware = at if at.tzinfo else at.replace(tzinfo=UTC)
        return aware if aware.year in _YEARS else None
    return None


def _epoch(text: str) -> datetime:
    if not re.fullmatch(r"[0-9]{1,11}", text):
        raise ValueError(text)
    return datetime.fromtimestamp(int(text), tz=UTC)
