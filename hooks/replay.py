"""Events once more: stored ones, and those that files hold, put back in line.

Must live here: what becomes of an event that comes again. Must not know: vendors, or who asked.
Nothing is done here but to say whom to look at, so it may be repeated, and the order of events
does not matter. What is known already is no reason to leave it out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from hooks.clock import elapsed
from hooks.core import log_event
from hooks.core.errors import BusyError
from hooks.core.log_entry import Broken, Exported
from hooks.core.log_file import LogFile
from hooks.store import inbox, intake, line
from hooks.store.intake import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import BinaryIO

    from hooks.core.ids import OktaAppId
    from hooks.core.log_entry import Piece
    from hooks.core.log_event import LogEvent
    from hooks.store.database import Database, Tx
    from hooks.store.inbox import Chosen
    from hooks.store.sealing import Sealer

T = TypeVar("T")

#: Rows in one transaction; no command holds one over more. Design 5.1.
_TOGETHER = 500
#: Bytes of events in one transaction, since some are large.
_BYTES = 4 * 1024 * 1024
#: Bytes read from a file at once.
_CHUNK = 256 * 1024
#: Seconds for which another process may hold the database.
_PATIENCE = 60.0
#: Longest rest after a transaction on SQLite, so that deliveries come in between.
_REST = 0.1


@dataclass(frozen=True, slots=True)
class Item:
    """An event to replay: by uuid alone if it is stored, else as a file holds it.

    ``lost``: our own export could not open it. ``file`` and ``line`` are where it stands.
    """

    uuid: str
    event: LogEvent | None = None
    lost: bool = False
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something in a file that could not be read; the rest of it is done all the same."""

    file: str
    line: int
    why: str


@dataclass(slots=True)
class Told:
    """What came of a replay, counted in events; whom it concerns.

    ``again`` were settled, ``waiting`` were not, ``stored`` were not known. ``unconcerned`` are
    about nobody here.
    """

    events: int = 0
    again: int = 0
    waiting: int = 0
    stored: int = 0
    unconcerned: int = 0
    broken: int = 0
    users: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)

    def name(self, subject: str) -> None:
        """Count whom an event is about."""
        kind, _, group = subject.rpartition("/")
        (self.groups if kind else self.users).add(group)


def read(file: str, stream: BinaryIO) -> Iterator[Item | Trouble]:
    """Everything that one file holds, whatever its form; no more in memory than one event."""
    found = LogFile()
    at = 1
    while True:
        try:
            more = stream.read(_CHUNK)
        except OSError as error:
            yield Trouble(file, at, f"cannot be read further: {error.strerror}")
            more = b""
        for piece in found.feed(more) if more else found.end():
            at = piece.line
            yield _item(file, piece)
        if not more:
            return


def _item(file: str, piece: Piece) -> Item | Trouble:
    match piece:
        case Broken(number, why):
            return Trouble(file, number, why)
        case Exported(number, uuid, lost):
            return Item(uuid, lost=lost, file=file, line=number)
        case _:
            return Item(piece.event.uuid, piece.event, file=file, line=piece.line)


class Replay:
    """One replay; ``dry``: only tells whom it would concern.

    ``trouble`` hears of everything broken, ``progress`` after each transaction of how far it is.
    """

    def __init__(
        self,
        *,
        database: Database,
        sealer: Sealer,
        apps: frozenset[OktaAppId],
        dry: bool,
        trouble: Callable[[Trouble], None],
        progress: Callable[[Told], None],
    ) -> None:
        """``apps`` are the apps whose events concern us."""
        self._database = database
        self._sealer = sealer
        self._apps = apps
        self._dry = dry
        self._trouble = trouble
        self._progress = progress
        self.told = Told()

    def stored(self, chosen: Chosen) -> None:
        """Replay what is stored; one person or group at once, many behind everybody else."""
        upto = self._database.read_now(inbox.newest)
        alone = self._database.read_now(lambda tx: inbox.one_subject(tx, chosen))
        after = 0
        while True:
            rows = self._database.read_now(
                lambda tx, after=after: inbox.page(tx, chosen, after=after, upto=upto)  # type: ignore[misc]
            )
            if not rows:
                return
            after = int(str(rows[-1]["id"]))
            self._together([Item(str(row["uuid"])) for row in rows], alone=alone)

    def files(self, items: Iterable[Item | Trouble]) -> None:
        """Replay what files hold; what is not stored is stored as if it had been delivered."""
        chunks = _chunks(self._without_trouble(items))
        first = True
        chunk = next(chunks, None)
        while chunk is not None:
            following = next(chunks, None)
            alone = first and following is None and self._one_subject(chunk)
            self._together(chunk, alone=alone)
            first, chunk = False, following

    def _without_trouble(self, items: Iterable[Item | Trouble]) -> Iterator[Item]:
        for each in items:
            if isinstance(each, Trouble):
                self._broken(each)
            else:
                yield each

    def _broken(self, trouble: Trouble) -> None:
        self.told.broken += 1
        self._trouble(trouble)

    def _one_subject(self, chunk: list[Item]) -> bool:
        rows = self._database.read_now(lambda tx: inbox.known(tx, [each.uuid for each in chunk]))
        named = {each.subject for each in rows if each.subject}
        for each in chunk:
            named.update(self._about(each.event) if each.event else ())
        return len(named) <= 1

    def _about(self, event: LogEvent) -> list[str]:
        about = log_event.subjects(event, self._apps)
        return list(intake.subjects(about))

    # -- one transaction -----------------------------------------------------------------------

    def _together(self, chunk: list[Item], *, alone: bool) -> None:
        lane = line.URGENT if alone else line.BULK
        if self._dry:
            new, rows, again = self._database.read_now(lambda tx: self._seen(tx, chunk))
        else:
            new, rows, again = self._patiently(lambda tx: self._put(tx, chunk, lane))
        self._count(chunk, new, rows, again)
        self._progress(self.told)

    def _put(self, tx: Tx, chunk: list[Item], lane: int) -> _Became:
        events = self._ours(chunk)
        origins = dict.fromkeys(events, Origin("replay"))
        new = intake.put(
            tx, events.values(), origins, apps=self._apps, sealer=self._sealer, lane=lane
        )
        rows = inbox.known(tx, {each.uuid for each in chunk} - new)
        return new, rows, inbox.put_back(tx, rows, lane=lane)

    def _seen(self, tx: Tx, chunk: list[Item]) -> _Became:
        rows = inbox.known(tx, {each.uuid for each in chunk})
        new = frozenset(self._ours(chunk).keys() - {each.uuid for each in rows})
        return new, rows, sum(1 for each in rows if each.subject and not each.waits)

    def _ours(self, chunk: list[Item]) -> dict[str, LogEvent]:
        """What a delivery would have left behind; of all else not even the uuid is worth a row."""
        events = {each.uuid: each.event for each in chunk if each.event}
        return {
            uuid: event
            for uuid, event in events.items()
            if log_event.subjects(event, self._apps).ours
        }

    def _patiently(self, transaction: Callable[[Tx], T]) -> T:
        """Write, waiting for whoever holds the database, and let others in between."""
        until = elapsed() + _PATIENCE
        while True:
            began = elapsed()
            try:
                done = self._database.write_now(transaction)
            except BusyError:
                if elapsed() > until:
                    raise
                time.sleep(_REST)
            else:
                if not self._database.postgres:
                    time.sleep(min(elapsed() - began, _REST))
                return done

    def _count(
        self, chunk: list[Item], new: frozenset[str], rows: list[inbox.Known], again: int
    ) -> None:
        told = self.told
        stored = {each.uuid for each in rows}
        concerned = [each for each in rows if each.subject]
        told.events += len({each.uuid for each in chunk})
        told.stored += len(new)
        told.again += again
        told.waiting += len(concerned) - again
        told.unconcerned += len({each.uuid for each in chunk}) - len(new) - len(concerned)
        for row in concerned:
            told.name(str(row.subject))
        for each in chunk:
            if each.uuid in new and each.event:
                for subject in self._about(each.event):
                    told.name(subject)
            if each.lost and each.uuid not in stored:
                told.unconcerned -= 1
                self._broken(Trouble(each.file, each.line, _LOST))


_Became = tuple[frozenset[str], list[inbox.Known], int]
_LOST = "its payload could not be opened when it was exported, and it is not stored here"


def _chunks(items: Iterator[Item]) -> Iterator[list[Item]]:
    """So many at once as one transaction may hold."""
    chunk: list[Item] = []
    size = 0
    for each in items:
        chunk.append(each)
        size += len(each.event.raw) if each.event else 0
        if len(chunk) == _TOGETHER or size > _BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
