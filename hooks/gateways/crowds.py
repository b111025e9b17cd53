"""Who comes alone and who in a crowd, and that whoever is in one lets the others go first.

What a crowd is must live here, and how long it stands aside; what is left of a vendor's budget,
this room must not know.

A crowd has no hurry: the last of it waits for all the others. Whoever leaves alone meanwhile would
wait behind each step of every look that is under way, and there are more of those than processors.
So would deliveries behind bulk work, of which there may be any amount.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hooks.clock import elapsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: More than so many within this come for one reason as a crowd.
_CROWD, _GATHERS = 10, timedelta(minutes=2)
#: Seconds for which one step of a look stands aside at most: some three round trips for whoever
#: comes alone, and more while deliveries keep waiting.
_ASIDE, _IN_A_FLOOD = 0.3, 1.0
#: Seconds after which it is asked again whether deliveries still wait.
_MOMENT = 0.05
#: Reasons that are kept before those are forgotten for which nobody came lately.
_KEPT = 1_000


@dataclass(eq=False, slots=True)
class Reason:
    """Who came lately for one and the same, the last to come last."""

    came: dict[str, datetime] = field(default_factory=dict)

    @property
    def many(self) -> bool:
        """They are a crowd."""
        return len(self.came) > _CROWD

    def note(self, subject: str, now: datetime) -> None:
        """Somebody came, perhaps once more."""
        self.came.pop(subject, None)
        self.came[subject] = now
        while (first := next(iter(self.came))) and self.came[first] + _GATHERS < now:
            del self.came[first]


@dataclass(eq=False, slots=True)
class _Look:
    reason: Reason
    bulk: bool

    @property
    def alone(self) -> bool:
        return not (self.bulk or self.reason.many)


class Crowds:
    """The looks under way in this process, and what each is for."""

    def __init__(self, arriving: Callable[[], bool] = lambda: False) -> None:
        """Nobody has come. ``arriving``: whether deliveries wait to be stored."""
        self._arriving = arriving
        self._reasons: dict[str, Reason] = {}
        self._under_way: set[_Look] = set()
        self._ended = asyncio.Event()

    @property
    def arriving(self) -> bool:
        """Deliveries wait to be stored."""
        return self._arriving()

    @contextmanager
    def look(self, subject: str, reason: str, now: datetime, *, bulk: bool) -> Iterator[Reason]:
        """Everything called inside is one look at ``subject``, for a reason if one is known."""
        if len(self._reasons) > _KEPT:
            self._reasons = {
                name: each
                for name, each in self._reasons.items()
                if max(each.came.values()) + _GATHERS >= now
            }
        why = self._reasons.setdefault(reason, Reason()) if reason else Reason()
        why.note(subject, now)
        look = _Look(why, bulk)
        self._under_way.add(look)
        token = _current.set((self, look))
        try:
            yield why
        finally:
            _current.reset(token)
            self._under_way.remove(look)
            self._ended.set()
            self._ended = asyncio.Event()

    async def _let_pass(self, look: _Look) -> None:
        began = elapsed()
        while not look.alone:
            alone = any(each.alone for each in self._under_way)
            flood = look.bulk and self.arriving
            most = _IN_A_FLOOD if flood else _ASIDE if alone else 0.0
            left = began + most - elapsed()
            if left <= 0:
                return
            if flood:
                left = min(left, _MOMENT)
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._ended.wait()


_current: ContextVar[tuple[Crowds, _Look] | None] = ContextVar("look", default=None)


def comes_alone() -> bool:
    """Whether the running task is part of a look at somebody who comes alone, and waits."""
    current = _current.get()
    return current is not None and current[1].alone


async def stand_aside() -> None:
    """Before a step of a look that has no hurry: let those go on who have, for a moment."""
    if current := _current.get():
        crowds, look = current
        await crowds._let_pass(look)  # noqa: SLF001  # one thing in two parts
