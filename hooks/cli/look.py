"""Look at one person now: read everything, plan, and unless told otherwise carry it out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import lists, opening, places, text
from hooks.cli.ends import FAILED, FailedError, UsageError
from hooks.cli.opening import Json
from hooks.core import report
from hooks.core.attempt import DeadLetter, LookAgain, Retry
from hooks.core.ids import OktaUserId
from hooks.core.membership import Mode, State
from hooks.core.refusal import Cause
from hooks.settings import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hooks.cli.text import Record
    from hooks.core.attempt import Next
    from hooks.core.ids import DirectoryName, Uuid
    from hooks.core.memory import Ordered
    from hooks.core.plan import Plan
    from hooks.core.policy import Policy
    from hooks.core.reading import Reading
    from hooks.core.refusal import Refusal
    from hooks.reconcile import Look
    from hooks.store.inbox import Place
    from hooks.wiring import House
    from hooks.worker import Worker

#: How long another process's look is waited for: a lease without extension, and some more.
PATIENCE = 75.0
_POLL = 0.25
#: A removal that would perhaps leave a group without any admin.
_CONTENDED = "contended"
_WHY = {_CONTENDED: "(another of its admins goes first)"}
#: States of a step that was not done, or of which nobody knows.
_FAILED = frozenset({State.FAILED, State.ABANDONED, State.OPEN, _CONTENDED})
#: Causes that are a missing answer, whether or not it is kept what came instead.
_UNREAD = frozenset(
    {
        *(each for each in Cause if each.endswith(("_unread", "_unreadable"))),
        Cause.GROUPS_EMPTY,
        Cause.ABSENCE_UNPROVED,
        Cause.PROTECTION_UNKNOWN,
        Cause.SCOPE_UNKNOWN,
        Cause.RULE_UNRESOLVED,
        Cause.ACCOUNT_UNKNOWN,
    }
)


def look(
    user: Annotated[str, typer.Argument(metavar="USER", help="Okta id or login.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and print the plan; change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at one person now: read Okta and Atlassian, plan, and carry it out.

    Exit code 1: a step failed, or something could not be read; which, is said. What was held,
    parked, only observed, or refused by the policy is no failure.
    """
    if not user.strip() or not user.isprintable():
        raise UsageError("USER: write an Okta id or a login")
    if asyncio.run(_look(user, dry_run=dry_run, as_json=as_json)):
        raise typer.Exit(FAILED)


async def _look(name: str, *, dry_run: bool, as_json: bool) -> bool:
    """Look, and tell; whether anything failed."""
    async with opening.opened(Role.LOOK, vendors=True) as house:
        user = OktaUserId.maybe(name) or await resolved(house, name, "look")
        if dry_run:
            return await _planned(house, user, as_json=as_json)
        return await _done(house, user, as_json=as_json)


async def resolved(house: House, login: str, command: str) -> OktaUserId:
    """Whose login this is."""
    from hooks.core.errors import IncompleteError
    from hooks.core.reading import Missing

    if house.observer is None:
        raise FailedError(f"{command}: no vendors are open")
    try:
        found = await house.observer.okta.user_named(login)
    except IncompleteError:
        raise FailedError(
            f"{command}: Okta answered with another login; give the whole login or the id"
        ) from None
    if isinstance(found, Missing):
        words = "Okta knows nobody of this login; check it, or give the Okta id"
        raise FailedError(f"{command}: {words}")
    return found.id


# -- dry ---------------------------------------------------------------------------------------


async def planned(
    house: House,
    user: OktaUserId,
    policy: Policy | None = None,
    ordered: tuple[Ordered, ...] = (),
) -> tuple[Reading, Plan, dict[Uuid, str]]:
    """What would be done now, and what the groups are called; changes nothing.

    ``policy``, unless it is the one in force; ``ordered``: as if this were ordered back.
    """
    from hooks.store import mappings, waiting

    if house.observer is None or house.policy is None:
        raise FailedError("look: no vendors are open")
    claims = await house.database.read(lambda tx: waiting.claims(tx, user))
    policy = policy or await house.policy()
    reading, plan = await house.observer.read(user, claims, policy, thorough=True, ordered=ordered)
    links = await house.database.read(mappings.remembered)
    return reading, plan, report.names(reading, (link for each in links.values() for link in each))


async def _planned(house: House, user: OktaUserId, *, as_json: bool) -> bool:
    from hooks.core.reading import Missing

    reading, plan, known = await planned(house, user)
    told = report.told(plan, known, reading=reading)
    came = _Came(unread=unread(plan.refusals))
    if as_json:
        text.as_json({"dry_run": True, **told, **came.failures()})
        return came.failed
    _show(house, told)
    count = sum(1 for _ in plan.steps)
    print(f"\nDry run: {report.counted(count, 'step', 'steps')} planned, nothing was changed.")
    if isinstance(reading.user, Missing):
        print("Okta knows no user of this id: deleted, or another one is meant.")
    _say(came.missing())
    return came.failed


def _show(house: House, told: Record) -> None:
    print(f"user {told['user']}")
    places.show(told, places.of(told, house.settings.modes))


# -- done --------------------------------------------------------------------------------------


async def looked(house: House, user: OktaUserId, *, quietly: bool) -> Look | Place:
    """Look now, whoever else may be looking; our look, or where theirs has left the person.

    Raises: FailedError in a pause, and for a dead letter.
    """
    from hooks.store import inbox, line, pause

    if house.worker is None:
        raise FailedError("look: no vendors are open")
    before = await house.database.read(lambda tx: inbox.place(tx, user))
    if await house.database.read(pause.paused):
        raise FailedError("look: paused; first: hooks resume --reason TEXT (or look --dry-run)")
    if before and before.dead:
        raise FailedError(f"look: a dead letter; first: hooks dead retry {user} --reason TEXT")
    await house.database.write(
        lambda tx: line.mark(tx, [user], "user", lane=line.URGENT, due_at=tx.now, events=False)
    )
    return await _seen(house.worker, house, user, quietly=quietly)


async def _done(house: House, user: OktaUserId, *, as_json: bool) -> bool:
    from hooks.store import inbox, mappings

    seen = await looked(house, user, quietly=as_json)
    if isinstance(seen, inbox.Place):
        return await _others(house, user, seen.fence, as_json=as_json)
    links = await house.database.read(mappings.remembered)
    known = report.names(None, (link for each in links.values() for link in each))
    if seen.plan.local:
        known |= {each.group.id: each.group.name for each in seen.plan.local.groups}
    told = report.told(seen.plan, known)
    came = _Came.of(seen, house.settings.modes)
    if as_json:
        text.as_json({"dry_run": False, **told, **came.told()})
        return came.failed
    _show(house, told)
    print()
    _say(came.lines())
    return came.failed


@dataclass(frozen=True)
class _Came:
    """What became of the steps, what could not be read, and what comes next."""

    steps: tuple[Record, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    held: int = 0
    then: Next | None = None

    @classmethod
    def of(cls, seen: Look, modes: Mapping[DirectoryName, Mode]) -> _Came:
        became = {
            (wish.step.directory, wish.step.group.id, wish.step.action): resolved
            for wish, resolved in seen.sent
        }
        local = {seen.plan.local.name: seen.plan.local.mode} if seen.plan.local else {}
        modes = {**modes, **local}
        found: list[Record] = []
        for step in seen.plan.steps:
            resolved = became.get((step.directory, step.group.id, step.action))
            observed = modes.get(step.directory) is Mode.OBSERVE
            kept = "observed" if observed else "held" if seen.held else _CONTENDED
            found.append(
                {
                    "action": step.action.value,
                    "name": step.group.display,
                    "state": resolved.state.value if resolved else kept,
                    "code": resolved.code if resolved else "",
                }
            )
        return cls(tuple(found), unread(seen.plan.refusals), seen.held, seen.then)

    @property
    def failed(self) -> bool:
        """Something was to be done or read, and was not."""
        states = {str(step["state"]) for step in self.steps}
        again = isinstance(self.then, Retry | DeadLetter)
        return again or bool(self.unread) or not states.isdisjoint(_FAILED)

    def lines(self) -> Iterator[str]:
        """For people."""
        for step in self.steps:
            code = step["code"] or _WHY.get(str(step["state"]), "")
            yield f"{step['state']}: {step['action']} {step['name']} {code}".rstrip()
        if not self.steps:
            yield "nothing to change"
        if self.held:
            yield f"{self.held} held by the brake; see: hooks held"
        yield from self.missing()
        if self.then:
            yield _next(self.then)

    def missing(self) -> Iterator[str]:
        """What could not be read, and what came instead."""
        for cause, detail in self.unread:
            yield f"not read: {cause}: {detail}".removesuffix(": ")

    def told(self) -> Record:
        """For programs."""
        at = self.then.at.isoformat() if isinstance(self.then, LookAgain | Retry) else None
        return {
            "steps": list(self.steps),
            "held": self.held,
            "next": {"what": type(self.then).__name__, "at": at},
            **self.failures(),
        }

    def failures(self) -> Record:
        """Whether anything failed, and what was not read."""
        unread = [{"cause": cause, "detail": detail} for cause, detail in self.unread]
        return {"unread": unread, "failed": self.failed}


def unread(refusals: Iterable[Refusal]) -> tuple[tuple[str, str], ...]:
    """Of what was refused, what was refused because an answer was missing."""
    from hooks.store.refusals import detail

    return _missing((each.cause.value, detail(each)) for each in refusals)


def _missing(refused: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    found = {(cause, said) for cause, said in refused if said or cause in _UNREAD}
    return tuple(sorted(found))


def _say(lines: Iterable[str]) -> None:
    for each in lines:
        text.tell(each, below=2)


def _next(then: Next) -> str:
    match then:
        case LookAgain(at):
            return f"next: looked at again at {at:%Y-%m-%d %H:%M:%S} UTC, by hooks serve"
        case Retry(at):
            return f"next: something failed; tried again at {at:%Y-%m-%d %H:%M:%S} UTC"
        case DeadLetter():
            return "next: given up; see: hooks dead"
        case _:
            return "next: nothing until an event comes"


# -- somebody else's ---------------------------------------------------------------------------


async def _seen(worker: Worker, house: House, user: OktaUserId, *, quietly: bool) -> Look | Place:
    """Our look; or where the person stands after another process looked at them meanwhile."""
    from hooks.store import inbox

    said = quietly
    for _ in range(round(PATIENCE / _POLL)):
        seen = await worker.look_at(user)
        if seen is not None:
            return seen
        now = await house.database.read(lambda tx: inbox.place(tx, user))
        if now and now.lease_until is None and not _due(now, house.clock.now_us()):
            return now
        if not said:
            print("another process is looking at this user; waiting for it to end")
            said = True
        await asyncio.sleep(_POLL)
    raise FailedError("look: the other process has not ended; see later: hooks steps")


def _due(place: Place, now: int) -> bool:
    return place.due_at is not None and place.due_at <= now


async def _others(house: House, user: OktaUserId, fence: int, *, as_json: bool) -> bool:
    """What the other process did."""
    from hooks.store import journal, refusals

    rows, refused = await house.database.read(
        lambda tx: (journal.list_steps(tx, user=user, limit=20), refusals.listed(tx, user=user))
    )
    came = _Came(
        tuple(lists.step_of(row) for row in rows if row["fence"] == fence),
        _missing((str(each["cause"]), str(each["detail"])) for each in refused),
    )
    causes = sorted({str(each["cause"]) for each in refused})
    if as_json:
        told = {"steps": list(came.steps), "refused": causes, **came.failures()}
        text.as_json({"dry_run": False, "user": user, **told})
        return came.failed
    _say(came.lines())
    for cause in causes:
        print(f"refused: {cause}; see: hooks steps --refused {user}")
    return came.failed
