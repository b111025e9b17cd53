"""Look at one person now: read everything, plan, and unless told otherwise carry it out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import lists, opening, places, text
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.opening import Json
from hooks.core import report
from hooks.core.attempt import DeadLetter, LookAgain, Retry
from hooks.core.ids import OktaUserId
from hooks.core.membership import Mode
from hooks.settings import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hooks.cli.text import Record
    from hooks.core.attempt import Next
    from hooks.core.ids import DirectoryName, Uuid
    from hooks.core.plan import Plan
    from hooks.core.reading import Reading
    from hooks.reconcile import Look
    from hooks.store.inbox import Place
    from hooks.wiring import House
    from hooks.worker import Worker

#: How long another process's look is waited for: a lease without extension, and some more.
PATIENCE = 75.0
_POLL = 0.25


def look(
    user: Annotated[str, typer.Argument(metavar="USER", help="Okta id or login.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and print the plan; change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at one person now: read Okta and Atlassian, plan, and carry it out."""
    if not user.strip() or not user.isprintable():
        raise UsageError("USER: write an Okta id or a login")
    asyncio.run(_look(user, dry_run=dry_run, as_json=as_json))


async def _look(name: str, *, dry_run: bool, as_json: bool) -> None:
    async with opening.opened(Role.LOOK, vendors=True) as house:
        user = OktaUserId.maybe(name) or await resolved(house, name, "look")
        if dry_run:
            await _planned(house, user, as_json=as_json)
        else:
            await _done(house, user, as_json=as_json)


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


async def planned(house: House, user: OktaUserId) -> tuple[Reading, Plan, dict[Uuid, str]]:
    """What would be done now, and what the groups are called; changes nothing."""
    from hooks.store import inbox, mappings

    if house.observer is None or house.policy is None:
        raise FailedError("look: no vendors are open")
    claims = await house.database.read(lambda tx: inbox.claims(tx, user))
    reading, plan = await house.observer.read(user, claims, await house.policy(), thorough=True)
    links = await house.database.read(mappings.remembered)
    return reading, plan, report.names(reading, (link for each in links.values() for link in each))


async def _planned(house: House, user: OktaUserId, *, as_json: bool) -> None:
    reading, plan, known = await planned(house, user)
    told = report.told(plan, known, reading=reading)
    if as_json:
        text.as_json({"dry_run": True, **told})
        return
    _show(house, told)
    count = sum(1 for _ in plan.steps)
    print(f"\nDry run: {report.counted(count, 'step', 'steps')} planned, nothing was changed.")


def _show(house: House, told: Record) -> None:
    print(f"user {told['user']}")
    places.show(told, places.of(told, house.settings.modes))


# -- done --------------------------------------------------------------------------------------


async def _done(house: House, user: OktaUserId, *, as_json: bool) -> None:
    from hooks.store import inbox, line, mappings

    if house.worker is None:
        raise FailedError("look: no vendors are open")
    before = await house.database.read(lambda tx: inbox.place(tx, user))
    if before and before.dead:
        raise FailedError(f"look: a dead letter; first: hooks dead retry {user} --reason TEXT")
    await house.database.write(
        lambda tx: line.mark(tx, [user], "user", lane=line.URGENT, due_at=tx.now, events=False)
    )
    seen = await _seen(house.worker, house, user, quietly=as_json)
    if isinstance(seen, inbox.Place):
        await _others(house, user, seen.fence, as_json=as_json)
        return
    links = await house.database.read(mappings.remembered)
    known = report.names(None, (link for each in links.values() for link in each))
    told = report.told(seen.plan, known)
    done = _Done.of(seen, house.settings.modes)
    if as_json:
        text.as_json({"dry_run": False, **told, **done.told()})
        return
    _show(house, told)
    print()
    for each in done.lines():
        text.tell(each, below=2)


@dataclass(frozen=True)
class _Done:
    """What became of the steps, and what comes next."""

    steps: tuple[tuple[str, str, str, str], ...]
    held: int
    then: Next

    @classmethod
    def of(cls, seen: Look, modes: Mapping[DirectoryName, Mode]) -> _Done:
        became = {
            (wish.step.directory, wish.step.group.id, wish.step.action): resolved
            for wish, resolved in seen.sent
        }
        local = {seen.plan.local.name: seen.plan.local.mode} if seen.plan.local else {}
        modes = {**modes, **local}
        found = []
        for step in seen.plan.steps:
            resolved = became.get((step.directory, step.group.id, step.action))
            observed = modes.get(step.directory) is Mode.OBSERVE
            state = resolved.state.value if resolved else "observed" if observed else "held"
            code = resolved.code if resolved else ""
            found.append((step.action.value, step.group.display, state, code))
        return cls(tuple(found), seen.held, seen.then)

    def lines(self) -> list[str]:
        """For people."""
        text_ = [
            f"{state}: {action} {name} {code}".rstrip() for action, name, state, code in self.steps
        ]
        text_ = text_ or ["nothing to change"]
        if self.held:
            text_.append(f"{self.held} held by the brake; see: hooks held")
        return [*text_, _next(self.then)]

    def told(self) -> dict[str, object]:
        """For programs."""
        keys = ("action", "name", "state", "code")
        at = self.then.at.isoformat() if isinstance(self.then, LookAgain | Retry) else None
        return {
            "steps": [dict(zip(keys, step, strict=True)) for step in self.steps],
            "held": self.held,
            "next": {"what": type(self.then).__name__, "at": at},
        }


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


async def _others(house: House, user: OktaUserId, fence: int, *, as_json: bool) -> None:
    """What the other process did."""
    from hooks.store import journal, refusals

    rows, refused = await house.database.read(
        lambda tx: (journal.list_steps(tx, user=user, limit=20), refusals.listed(tx, user=user))
    )
    steps = [lists.step_of(row) for row in rows if row["fence"] == fence]
    if as_json:
        causes = sorted({str(each["cause"]) for each in refused})
        text.as_json({"dry_run": False, "user": user, "steps": steps, "refused": causes})
        return
    for each in steps:
        said = f"{each['state']}: {each['action']} {each['name']} {each['code']}"
        text.tell(said.rstrip(), below=2)
    if not steps:
        print("nothing to change")
    for cause in sorted({str(each["cause"]) for each in refused}):
        print(f"refused: {cause}; see: hooks steps --refused {user}")
