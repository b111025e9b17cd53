"""What is wrong with the settings: every mistake with its place and its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hooks.core.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to put right. Neither part ever repeats the value: it may be a secret."""

    place: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.remedy}"


def refusal(mistakes: Sequence[Mistake]) -> SettingsError:
    """One error for all of them, a line each."""
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return SettingsError("\n  ".join([f"settings: {count}", *map(str, mistakes)]))
