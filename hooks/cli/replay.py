"""Put events back in line: stored ones, or those of files; or tell what would come of it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from hooks.cli import opening, text
from hooks.cli.choosing import Choice, State, Type, User, Uuids
from hooks.cli.ends import FAILED, FailedError, UsageError
from hooks.cli.opening import Json, Reason, Since, Until
from hooks.cli.progress import Progress
from hooks.core.ids import OktaUserId
from hooks.core.report import counted
from hooks.settings import Role, with_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooks.cli.text import Record
    from hooks.replay import Item, Told, Trouble
    from hooks.settings import Settings
    from hooks.store.inbox import Chosen
    from hooks.wiring import House

#: Broken places told one by one; a file that is no such file has millions.
_MOST_TOLD = 1_000

Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILE", help="A delivery, a System Log export, or our own; - reads stdin."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and print plans; change nothing.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="With --dry-run: ask nobody, only tell whom.")
]
Other = Annotated[
    Path | None,
    typer.Option(
        "--policy", metavar="FILE", exists=True, dir_okay=False, readable=True,
        help="With --dry-run: tell what the policy of another file would do otherwise.",
    ),
]  # fmt: skip


def replay(
    files: Files = None,
    *,
    since: Since = None,
    until: Until = None,
    kind: Type = None,
    user: User = None,
    uuids: Uuids = None,
    state: State = None,
    dry_run: DryRun = False,
    offline: Offline = False,
    policy: Other = None,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Put events back in line: stored ones, chosen by the options, or those of FILEs.

    Whom they are about is looked at again, with fresh readings; it may be repeated. --since and
    --until are about when an event came. Of another policy [policy], [[local_group]], [protect],
    [scope] and [brake] are read; what is not in it has its default. Exit code 1: something in a
    file was broken, or somebody could not be read whole, and all else was done.
    """
    choice = Choice(since=since, until=until, type=kind, user=user, uuids=uuids, state=state)
    if bool(files) is bool(choice.words()):
        raise UsageError("replay: name FILEs, or choose stored events; see: hooks replay --help")
    if not dry_run and (offline or policy):
        raise UsageError("replay: --offline and --policy go with --dry-run only")
    if offline and policy:
        raise UsageError("replay: --policy needs readings, which --offline does not make")
    if dry_run is (reason is not None):
        raise UsageError("replay: give --reason TEXT, or --dry-run")
    asked = _Asked(
        files=tuple(files or ()),
        choice=choice,
        chosen=choice.query(),
        why=None if reason is None else opening.reason(reason),
        offline=offline,
        policy=policy,
        as_json=as_json,
    )
    if not asyncio.run(_replay(asked)):
        raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What to replay, and how; ``why`` is ``None`` for a dry run."""

    files: tuple[str, ...]
    choice: Choice
    chosen: Chosen
    why: str | None
    offline: bool
    policy: Path | None
    as_json: bool

    @property
    def dry(self) -> bool:
        return self.why is None

    @property
    def reads(self) -> bool:
        return self.dry and not self.offline

    @property
    def about(self) -> str:
        """The person of it, under whose id `explain` finds the order; else what was asked."""
        names = ", ".join(Path(each).name for each in self.files)
        return self.choice.user or self.choice.words() or f"file {names}"


async def _replay(asked: _Asked) -> bool:
    """Do it; whether nothing was broken, and nobody left unread."""
    role = Role.LOOK if asked.reads else Role.STORE
    async with opening.opened(role, vendors=asked.reads) as house:
        other = with_policy(house.settings, str(asked.policy)) if asked.policy else None
        said = _Said()
        with opening.interruptible():
            told = _done(house, asked, said)
        whole = not told.broken
        if not asked.reads:
            _tell(asked, told, said, {})
            if not asked.dry and not asked.as_json:
                opening.say_if_paused(house.database)
            return whole
        return await _foresee(house, asked, other, said, told) and whole


def _done(house: House, asked: _Asked, said: _Said) -> Told:
    """Go through all of it, under one order."""
    from hooks.replay import Replay
    from hooks.store import orders

    work = Replay(
        database=house.database,
        sealer=house.sealer,
        apps=frozenset(each.okta_app_id for each in house.settings.directories),
        dry=asked.dry,
        trouble=said.trouble,
        progress=said.progress,
    )
    with ExitStack() as stack:
        opened = _opened(asked, stack)
        _there_is_something(house, asked)
        write = house.database.write_now
        who, why, about = opening.who(), asked.why, asked.about
        order = None
        if why is not None:
            order = write(lambda tx: orders.begin(tx, "replay", about, who=who, why=why))
        if asked.files:
            work.files(_items(opened))
        else:
            work.stored(asked.chosen)
    if order is not None:
        result = _result(work.told, asked)
        write(lambda tx: orders.end(tx, order, result))
    said.end(work.told)
    return work.told


def _opened(asked: _Asked, stack: ExitStack) -> list[tuple[str, BinaryIO]]:
    """The files, all of them before anything is done."""
    found: list[tuple[str, BinaryIO]] = []
    for name in asked.files:
        try:
            stream = sys.stdin.buffer if name == "-" else stack.enter_context(_file(name))
        except OSError as error:
            raise FailedError(f"replay: {name}: {error.strerror}; nothing was done") from None
        found.append(("stdin" if name == "-" else name, stream))
    return found


def _file(name: str) -> BinaryIO:
    return Path(name).open("rb")


def _there_is_something(house: House, asked: _Asked) -> None:
    from hooks.store import inbox

    if asked.files:
        return
    query = asked.chosen
    if not house.database.read_now(
        lambda tx: inbox.page(tx, query, after=0, upto=inbox.newest(tx), limit=1)
    ):
        raise FailedError("replay: no stored event is meant; `hooks events` lists them")


def _items(opened: list[tuple[str, BinaryIO]]) -> Iterator[Item | Trouble]:
    from hooks.replay import read

    for name, stream in opened:
        yield from read(name, stream)


def _result(told: Told, asked: _Asked) -> str:
    counts = (
        f"{told.again} again, {told.stored} stored, {told.waiting} waiting,"
        f" {told.unconcerned} unconcerned, {told.broken} broken,"
        f" {len(told.users)} users, {len(told.groups)} groups"
    )
    return f"{counts}; {asked.choice.words()}" if asked.choice.user else counts


# -- what is said ------------------------------------------------------------------------------


@dataclass(slots=True)
class _Said:
    """What goes to stderr while it is under way; the first broken places for programs."""

    troubles: list[Record] = field(default_factory=list)
    shown: Progress = field(default_factory=lambda: Progress("replay"))

    def trouble(self, each: Trouble) -> None:
        if len(self.troubles) < _MOST_TOLD:
            self.troubles.append({"file": each.file, "line": each.line, "why": each.why})
            self.shown.end()
            print(text.clean(f"{each.file}, line {each.line}: {each.why}"), file=sys.stderr)

    def progress(self, told: Told) -> None:
        people = counted(len(told.users))
        self.shown.say(f"{counted(told.events, 'event', 'events')} so far, about {people}")

    def end(self, told: Told) -> None:
        self.shown.end()
        if told.broken > len(self.troubles):
            more = counted(told.broken - len(self.troubles), "broken place", "broken places")
            print(f"replay: {more} more", file=sys.stderr)


def _tell(asked: _Asked, told: Told, said: _Said, more: Record) -> None:
    if asked.as_json:
        text.as_json(_record(asked, told, said) | more)
        return
    for words in _summary(asked, told):
        print(words)


def _record(asked: _Asked, told: Told, said: _Said) -> Record:
    counts = ("events", "again", "stored", "waiting", "unconcerned")
    return {
        "dry_run": asked.dry,
        **{name: getattr(told, name) for name in counts},
        "users": sorted(told.users),
        "groups": sorted(told.groups),
        "broken": told.broken,
        "broken_lines": said.troubles,
    }


def _summary(asked: _Asked, told: Told) -> Iterator[str]:
    done = "to put back in line" if asked.dry else "put back in line"
    new = "to store" if asked.dry else "stored"
    counts = [(told.again, done), (told.stored, new), (told.waiting, "waiting already")]
    counts += [(told.unconcerned, "of no concern"), (told.broken, "broken")]
    said = ", ".join(f"{count:,} {words}" for count, words in counts if count)
    yield f"{counted(told.events, 'event', 'events')}: {said or 'nothing to do'}"
    whom = counted(len(told.users))
    if told.groups:
        whom += f" and the members of {counted(len(told.groups), 'Okta group', 'Okta groups')}"
    if not asked.dry:
        yield f"`hooks serve` looks again at {whom}"
        return
    yield f"Dry run: nothing was changed; it would have {whom} looked at again."
    if asked.offline:
        yield from (f"  {each}" for each in [*sorted(told.users), *sorted(told.groups)])


# -- plans -------------------------------------------------------------------------------------


async def _foresee(
    house: House, asked: _Asked, other: Settings | None, said: _Said, told: Told
) -> bool:
    """Plan everybody and tell it, and what the brake would make of it; whether all were read."""
    from hooks.cli import foresight

    work = await foresight.Foresight.of(house, other)
    users = [user for each in sorted(told.users) if (user := OktaUserId.maybe(each))]
    people: list[Record] = []
    read = 0
    async for seen in work.run(users):
        read += 1
        said.shown.say(f"{counted(read)} of {len(users)} planned so far")
        if asked.as_json:
            people.append(foresight.record(seen))
            continue
        said.shown.end()
        foresight.show(seen, house.settings.modes)
    said.shown.end()
    brake = foresight.brake(work)
    if not asked.as_json:
        for words in foresight.brake_lines(brake):
            print(words)
        if other:
            print(f"{counted(work.otherwise)} of {len(users)} would be treated otherwise")
        if work.unread:
            words = "not read whole: what would be done with them is not told"
            print(f"{counted(work.unread)} of {len(users)} {words}")
    _tell(asked, told, said, {"people": people, "unread": work.unread, **brake})
    return not work.unread
