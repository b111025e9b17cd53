"""What commands open, and on whose behalf: the settings of a role, the store, the vendors."""

from __future__ import annotations

import asyncio
import getpass
import logging
import signal
import threading
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hooks.cli.ends import FailedError, UsageError
from hooks.core.errors import PermanentError, TransientError
from hooks.core.ids import OktaUserId
from hooks.settings import Role, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from hooks.settings import Settings
    from hooks.store.database import Database, Tx
    from hooks.wiring import House

T = TypeVar("T")

#: What the tables hold of an order.
_LONGEST_WHO = 128
_LONGEST_WHY = 512

# -- arguments many commands share -------------------------------------------------------------

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with the order.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Count what would be done; change nothing.")
]
#: The same where a dry run needs none.
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept with the order.")
]
Limit = Annotated[
    int,
    typer.Option("--limit", metavar="N", min=1, max=10_000, help="At most so many lines."),
]
Before = Annotated[
    int | None,
    typer.Option("--before", metavar="ID", min=1, help="Go on from here: older than this id."),
]

Since = Annotated[
    str | None, typer.Option("--since", metavar="DATE", help="Such as 2026-11-21, or with a time.")
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="DATE", help="Before then; UTC unless it says.")
]


def instant(option: str, given: str | None) -> datetime | None:
    """What an option says about time; UTC where it says no zone."""
    if given is None:
        return None
    try:
        at = datetime.fromisoformat(given)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{option}: write a date such as 2026-11-21, UTC") from None


def microseconds(option: str, given: str | None) -> int | None:
    """The same as it is stored."""
    at = instant(option, given)
    return None if at is None else round(at.timestamp() * 1_000_000)


def okta_id(text: str | None) -> OktaUserId | None:
    """A USER argument of a command that only asks the store, which knows nobody's login."""
    if text is None:
        return None
    found = OktaUserId.maybe(text)
    if found is None:
        message = (
            "USER: write the Okta id, 20 letters and digits; `hooks look LOGIN --dry-run` tells it"
        )
        raise UsageError(message)
    return found


def reason(text: str) -> str:
    """The reason of an order, as it is kept."""
    why = text.strip()
    if not why or len(why) > _LONGEST_WHY or not why.isprintable():
        raise UsageError(f"--reason: write one line of 1 to {_LONGEST_WHY} characters")
    return why


def who() -> str:
    """Who gives an order: the user of this machine, as claimed."""
    try:
        name = getpass.getuser()
    except (ImportError, KeyError, OSError):
        name = ""
    return (name or "unknown")[:_LONGEST_WHO]


# -- opening -----------------------------------------------------------------------------------


@asynccontextmanager
async def opened(role: Role, *, vendors: bool = False) -> AsyncIterator[House]:
    """The house of a role, its schema current."""
    from hooks import wiring
    from hooks.store import schema

    settings = load(need=role)
    missing(settings)
    quiet()
    async with wiring.opened(settings, vendors=vendors) as house:
        if schema.behind(house.database):
            raise FailedError("store: the database is not up to date; run: hooks migrate")
        if not vendors:
            yield house
            return
        with way_out():
            await wiring.check_names(house)
            yield house


@contextmanager
def way_out(so_far: str = "") -> Iterator[None]:
    """What a vendor's answer ends a command with says where to read on.

    ``so_far``: what came of the command until then.
    """
    said = f"; {so_far}" if so_far else ""
    try:
        yield
    except PermanentError as error:
        words = "what is wrong, and where to mend it: hooks doctor"
        raise FailedError(f"{error}{said}; {words}") from error
    except TransientError as error:
        words = "try again, and if it stays so: hooks doctor"
        raise FailedError(f"{error}{said}; {words}") from error


def missing(settings: Settings) -> None:
    """Refuse to make an empty database where there should be one."""
    file = sqlite_file(settings)
    if file and not file.exists():
        raise FailedError(
            "store: there is no database at HOOKS_DATABASE_URL; check it, or run: hooks migrate"
        )


def sqlite_file(settings: Settings) -> Path | None:
    """The file of the database, if it has one of its own."""
    scheme, _, path = settings.secrets.database_url.reveal().partition(":///")
    return Path(path.partition("?")[0]).absolute() if scheme.startswith("sqlite") else None


def quiet(least: int = logging.WARNING) -> None:
    """Keep the log for warnings and on stderr: what a command says is on stdout."""
    import sys

    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def ask(query: Callable[[Tx], T]) -> T:
    """Run one query that changes nothing."""
    return with_house(lambda house: house.database.read_now(query))


def change(transaction: Callable[[Tx], T]) -> T:
    """Run one transaction."""
    return with_house(lambda house: house.database.write_now(transaction))


def with_house(work: Callable[[House], T]) -> T:
    """Open the store, work, close."""

    async def run() -> T:
        async with opened(Role.STORE) as house:
            with interruptible():
                return work(house)

    return asyncio.run(run())


def say_if_paused(database: Database) -> None:
    """Where something was ordered that leads to writes: that it waits, if it does."""
    from hooks.store import pause

    if database.read_now(pause.paused):
        print("Writing is paused: nothing of it is done until hooks resume --reason TEXT")


@contextmanager
def interruptible() -> Iterator[None]:
    """Let an interrupt end work that never awaits; asyncio alone would let it run to its end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
