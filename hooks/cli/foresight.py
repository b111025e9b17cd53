"""What would come of looking at many people: planned one after another, and nothing changed.

Must live here: who is read at once, and how two policies differ. Must not know: why these people.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hooks.cli import look, places, text
from hooks.cli.ends import FailedError
from hooks.core import report
from hooks.core.errors import HooksError, StoreError
from hooks.core.membership import ORGANIZATION, Action, Mode
from hooks.core.plan import Reason
from hooks.core.policy import Restore
from hooks.core.reading import Why
from hooks.gateways.pace import Lane, lane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from hooks.cli.text import Record
    from hooks.core.ids import DirectoryName, OktaUserId, Uuid
    from hooks.core.memory import Ordered
    from hooks.core.plan import Plan
    from hooks.core.policy import Limits, Policy
    from hooks.core.reading import Reading
    from hooks.settings import Settings
    from hooks.wiring import House

#: People read at once, so that a trial never fills a vendor's budget by itself.
_AT_ONCE = 8
#: How often somebody is read while a vendor asks to wait, and the longest wait; Okta counts by
#: the minute.
_TRIES = 5
_LONGEST_WAIT = 90.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One person: what would be done, and what another policy would do. ``error``: unread."""

    user: OktaUserId
    reading: Reading | None = None
    plan: Plan | None = None
    other: Plan | None = None
    names: Mapping[Uuid, str] = field(default_factory=dict)
    error: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """What a vendor did not answer; it may hide what would be done."""
        plans = [each for each in (self.plan, self.other) if each]
        return tuple(
            sorted({str(each.cause) for plan in plans for each in plan.refusals if each.unread})
        )


class Foresight:
    """Plans people under the policy in force, and under another one if there is one to try."""

    def __init__(
        self,
        house: House,
        policy: Policy,
        other: Policy | None,
        ordered: Mapping[OktaUserId, tuple[Ordered, ...]],
    ) -> None:
        """The policies with the groups they name resolved."""
        self._house = house
        self.policy = policy
        self.other = other
        self.losses = Losses(house.settings.modes)
        self.losses_then = Losses(house.settings.modes)
        self.unread = self.otherwise = 0
        self._ordered = ordered

    @classmethod
    async def of(
        cls,
        house: House,
        other: Settings | None = None,
        *,
        ordered: Mapping[OktaUserId, tuple[Ordered, ...]] | None = None,
        repair: bool = False,
    ) -> Foresight:
        """Resolve what the policies name, and remember nothing of it.

        ``ordered`` are removals to be planned as if they were ordered back; ``repair``: so is
        everything Okta wants.
        """
        from hooks import policies

        if house.observer is None:
            raise FailedError("no vendors are open")
        found = [
            await policies.in_force(each, house.observer.okta, house.database, remember=False)()
            for each in (house.settings, other)
            if each
        ]
        policy = replace(found[0], restore=Restore.ALL) if repair else found[0]
        return cls(house, policy, found[1] if other else None, ordered or {})

    async def run(self, users: Iterable[OktaUserId]) -> AsyncIterator[Seen]:
        """Everybody in this order, a few of them read at once, behind whatever is urgent."""
        lane.set(Lane.BULK)
        under_way: deque[asyncio.Task[Seen]] = deque()
        for user in users:
            under_way.append(asyncio.create_task(self._plan(user)))
            if len(under_way) == _AT_ONCE:
                yield self._counted(await under_way.popleft())
        while under_way:
            yield self._counted(await under_way.popleft())

    async def _plan(self, user: OktaUserId) -> Seen:
        for _ in range(_TRIES - 1):
            seen = await self._once(user)
            wait = self._wait(seen)
            if not 0 < wait < _LONGEST_WAIT:
                return seen
            await asyncio.sleep(wait)
        return await self._once(user)

    def _wait(self, seen: Seen) -> float:
        """Seconds until the vendor that did not answer wants to be asked again."""
        unread = [each.unread for each in seen.plan.refusals if each.unread] if seen.plan else []
        asked = [each for each in unread if each.why in (Why.LIMITED, Why.UNAVAILABLE)]
        instants = [each.retry_at for each in asked if each.retry_at]
        now = self._house.clock.now()
        return max(((each - now).total_seconds() for each in instants), default=0.0)

    async def _once(self, user: OktaUserId) -> Seen:
        observer = self._house.observer
        try:
            reading, plan, names = await look.planned(
                self._house, user, self.policy, self._ordered.get(user, ())
            )
            if self.other is None or observer is None:
                return Seen(user, reading, plan, None, names)
            more, other = await observer.otherwise(reading, self.other)
            return Seen(user, reading, plan, other, {**report.names(more, ()), **names})
        except StoreError:
            raise
        except HooksError as error:
            return Seen(user, error=str(error))

    def _counted(self, seen: Seen) -> Seen:
        self.unread += seen.plan is None or bool(seen.missing)
        self.otherwise += bool(differences(seen))
        for losses, plan in ((self.losses, seen.plan), (self.losses_then, seen.other)):
            if plan:
                losses.add(plan)
        return seen


# -- two policies ------------------------------------------------------------------------------


def differences(seen: Seen) -> list[Record]:
    """Group by group, what is decided otherwise; ``null`` where it is left alone."""
    if seen.plan is None or seen.other is None:
        return []
    now, then = (_verdicts(each, seen.names) for each in (seen.plan, seen.other))
    return [
        {
            "place": place,
            "group": group or None,
            "name": name,
            **_told("now", now.get((place, group))),
            **_told("then", then.get((place, group))),
        }
        for place, group, name in sorted(
            {(place, group, each.name) for (place, group), each in (now | then).items()}
        )
        if _what(now.get((place, group))) != _what(then.get((place, group)))
    ]


def _verdicts(plan: Plan, names: Mapping[Uuid, str]) -> dict[tuple[str, str], report.Verdict]:
    return {
        (str(place.name), each.group): each
        for place in plan.places
        for each in report.verdicts(place, names)
    }


def _what(verdict: report.Verdict | None) -> tuple[str, str] | None:
    return (verdict.verdict, verdict.why) if verdict else None


def _told(when: str, verdict: report.Verdict | None) -> Record:
    return {
        when: verdict.verdict if verdict else None,
        f"{when}_why": verdict.why if verdict else None,
    }


# -- the brake ---------------------------------------------------------------------------------


class Losses:
    """How many people of each class would lose something."""

    def __init__(self, modes: Mapping[DirectoryName, Mode]) -> None:
        """``modes`` of the directories: what is only observed does not count."""
        self._modes = modes
        self._people: Counter[str] = Counter()
        self._reasons: dict[str, Reason] = {}

    def add(self, plan: Plan) -> None:
        """Count one person."""
        modes = {**self._modes, ORGANIZATION: plan.local.mode if plan.local else Mode.OBSERVE}
        classes = {
            step.brake_class: step.reason
            for step in plan.steps
            if step.action is Action.REMOVE and modes.get(step.directory) is Mode.ENFORCE
        }
        self._people.update(classes.keys())
        self._reasons |= classes

    def told(self, limits: Limits) -> list[Record]:
        """By class; ``limit`` is how many the brake lets through within an hour."""
        return [
            {
                "class": name,
                "people": self._people[name],
                "limit": limits.left_per_hour if reason is Reason.LEFT else limits.other_per_hour,
            }
            for name, reason in sorted(self._reasons.items())
        ]


# -- for people and programs -------------------------------------------------------------------


def show(seen: Seen, modes: Mapping[DirectoryName, Mode]) -> None:
    """Print one person: the plan; or with another policy, only what it does otherwise."""
    if seen.plan is None:
        text.tell(f"user {seen.user}: not read: {seen.error}", below=2)
    elif seen.other is not None:
        for words in _otherwise(seen):
            print(text.clean(words))
    elif [*seen.plan.steps, *seen.plan.refusals]:
        told = report.told(seen.plan, seen.names, reading=seen.reading)
        print(f"user {seen.user}")
        places.show(told, places.of(told, modes))
        print()
    else:
        print(f"user {seen.user}: nothing to change")


def _otherwise(seen: Seen) -> Iterator[str]:
    found = differences(seen)
    if seen.missing:
        yield f"user {seen.user}: not read whole: {', '.join(seen.missing)}"
    elif found:
        yield f"user {seen.user}"
    for each in found:
        yield f"  {each['place']}  {each['name']}"
        for when in ("now", "then"):
            why = f": {each[f'{when}_why']}" if each[when] else ""
            yield f"    {when:<4}  {each[when] or 'left alone'}{why}"


def record(seen: Seen) -> Record:
    """The same as plain values."""
    if seen.plan is None:
        return {"user": seen.user, "error": seen.error}
    told = report.told(seen.plan, seen.names, reading=seen.reading)
    return told if seen.other is None else {**told, "differences": differences(seen)}


def brake(foresight: Foresight) -> Record:
    """Who would lose something by class, and what the brake lets through; under both policies."""
    told: Record = {"brake": foresight.losses.told(foresight.policy.limits)}
    if foresight.other:
        told["brake_then"] = foresight.losses_then.told(foresight.other.limits)
    return told


def brake_lines(told: Record) -> Iterator[str]:
    """The same for people."""
    for key, when in (("brake", ""), ("brake_then", "then ")):
        classes = told.get(key)
        for each in text.items(classes):
            people = report.counted(each["people"])
            limit = f"the brake lets {each['limit']} through within an hour"
            yield text.clean(f"{when}{each['class']}: {people} would lose something; {limit}")
