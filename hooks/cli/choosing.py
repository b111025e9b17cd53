"""Which stored events an operator means: the options, and what they ask of the store."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import opening
from hooks.cli.ends import UsageError
from hooks.core.ids import Uuid

if TYPE_CHECKING:
    from hooks.store.inbox import Chosen

#: What one statement takes on either engine.
_MOST_UUIDS = 500

Type = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="Only of this event type.")
]
User = Annotated[
    str | None, typer.Option("--user", metavar="ID", help="Only of this Okta user or group.")
]
Uuids = Annotated[
    list[str] | None, typer.Option("--uuid", metavar="UUID", help="Only this event; repeatable.")
]


class Settledness(StrEnum):
    """Whether a look has taken an event into account."""

    SETTLED = "settled"
    WAITING = "waiting"


State = Annotated[Settledness | None, typer.Option("--state", help="Only those in this state.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The options as they were given; ``since`` and ``until`` are about when an event came."""

    since: str | None
    until: str | None
    type: str | None
    user: str | None
    uuids: list[str] | None
    state: Settledness | None

    def query(self) -> Chosen:
        """What they ask of the store.

        Raises:
            UsageError: one of them cannot be what it should be.
        """
        from hooks.store.inbox import Chosen

        known = [Uuid.maybe(each) for each in self.uuids or ()]
        if len(known) > _MOST_UUIDS or not all(known):
            words = f"write uuids as `hooks events` lists them, {_MOST_UUIDS} at most"
            raise UsageError(f"--uuid: {words}")
        return Chosen(
            since=opening.microseconds("--since", self.since),
            until=opening.microseconds("--until", self.until),
            type=self.type,
            about=opening.okta_id(self.user),
            uuids=tuple(each.lower() for each in known if each),
            waiting=None if self.state is None else self.state is Settledness.WAITING,
        )

    def words(self) -> str:
        """What was asked, as an order keeps it; empty if nothing was."""
        given = {"since": self.since, "until": self.until, "type": self.type, "user": self.user}
        said = [f"{name} {value}" for name, value in given.items() if value is not None]
        said += [f"state {self.state}"] if self.state else []
        return ", ".join([*said, *(f"uuid {each}" for each in self.uuids or ())])
