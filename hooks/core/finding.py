"""What a check found: how bad it is, where, what about it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Verdict(StrEnum):
    """How bad it is; ``unchecked``: nobody could tell."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNCHECKED = "unchecked"


class Part(StrEnum):
    """What can be looked at by itself, in the order in which it is told."""

    SETTINGS = "settings"
    STORE = "store"
    OKTA = "okta"
    HOOK = "hook"
    APPS = "apps"
    SCIM = "scim"
    ORGANIZATION = "organization"
    POLICY = "policy"
    CLOCKS = "clocks"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one place, and what to do about it. No name of a person, no secret."""

    verdict: Verdict
    place: str
    about: str
    remedy: str = ""


def some(names: Sequence[str], most: int = 3) -> str:
    """The first of many, in one sentence."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
