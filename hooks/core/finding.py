"""What a check found: how bad it is, where, what about it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is; ``unchecked``: nobody could tell."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one place, and what to do about it. No name of a person, no secret."""

    verdict: Verdict
    place: str
    about: str
    remedy: str = ""
