"""Everything one plan rests on, read from Okta, the directories and the store.

Must live here: what is read, in which phase, and what is shared. Must not know: what comes of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from hooks.core.asks import (
    Ask,
    AskAccount,
    AskAccountGroups,
    AskActiveMembers,
    AskLog,
    AskOktaGroup,
    AskRecordById,
    AskRecordsByExternalId,
    AskRecordsByUserName,
    AskScimLinks,
    AskSuccessor,
)
from hooks.core.decide import decide
from hooks.core.errors import (
    BreakerOpenError,
    CredentialError,
    ForbiddenError,
    HooksError,
    NotFoundError,
    TransientError,
)
from hooks.core.memory import Claim, Claimed, Memory
from hooks.core.reading import MISSING, Answer, DirectoryReading, Missing, Reading, Unread, Why
from hooks.gateways.pace import lane
from hooks.store import journal, mappings, people

if TYPE_CHECKING:
    from hooks.clock import Clock
    from hooks.core.ids import DirectoryName, OktaAppId, OktaUserId
    from hooks.core.memory import Link
    from hooks.core.plan import Plan
    from hooks.core.policy import Policy
    from hooks.gateways.okta import Okta
    from hooks.gateways.scim import Scim
    from hooks.store.database import Database
    from hooks.store.sealing import Sealer

T = TypeVar("T")

#: The System Log keeps 90 days. Source: Okta OpenAPI listLogEvents.
LOG_KEEPS = timedelta(days=90)
#: A plan that still asks after so many rounds is a fault of ours.
_ROUNDS = 8
#: How long "this credential can read group G" is believed. Design 3.2.
_GROUP_BELIEVED = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Directory:
    """One pair of an Okta app and a SCIM directory, and the way in."""

    name: DirectoryName
    app: OktaAppId
    scim: Scim


class Observer:
    """Reads people. One of these serves a whole process, because reads are shared."""

    def __init__(
        self,
        *,
        okta: Okta,
        directories: Iterable[Directory],
        database: Database,
        sealer: Sealer,
        clock: Clock,
    ) -> None:
        """Opens nothing; everything it needs is open."""
        self.okta = okta
        self.directories = {each.name: each for each in directories}
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._together = Together()
        self._groups: dict[AskOktaGroup, tuple[datetime, Answer]] = {}

    # -- reading -------------------------------------------------------------------------------

    async def read(
        self,
        user: OktaUserId,
        claims: tuple[Claimed, ...],
        policy: Policy,
    ) -> tuple[Reading, Plan]:
        """Read everything one plan rests on, and decide. Changes nothing."""
        known, links, history = await self._database.read(
            lambda tx: (
                people.recall(tx, user, self._sealer),
                mappings.remembered(tx),
                journal.history(tx, user),
            )
        )
        memories = {
            name: replace(known.memories.get(name, Memory()), history=history.get(name, ()))
            for name in self.directories
        }
        reading = await self._first(user, claims, memories, links, policy)
        reading = replace(reading, protected_before=known.protected)
        answers = dict(reading.answers)
        for _ in range(_ROUNDS):
            plan = decide(reading, policy)
            missing = plan.asks - answers.keys()
            if not missing:
                return reading, plan
            answers |= await self._answers(user, missing)
            reading = replace(reading, answers=answers)
        msg = f"the plan for {user} never stopped asking"
        raise HooksError(msg)

    async def _first(
        self,
        user: OktaUserId,
        claims: tuple[Claimed, ...],
        memories: Mapping[DirectoryName, Memory],
        links: Mapping[DirectoryName, tuple[Link, ...]],
        policy: Policy,
    ) -> Reading:
        """The first phase: everything always needed, and what will be, together."""
        at = self._clock.now()
        expected: set[Ask] = {AskOktaGroup(group) for group in policy.protected_okta_groups.ids}
        for name in self.directories:
            expected |= anticipated(name, memories[name], links.get(name, ()), claims)
        okta_user, okta_groups, answers, directories = await asyncio.gather(
            answer_of(self.okta.user(user)),
            answer_of(self.okta.user_groups(user)),
            self._answers(user, expected),
            asyncio.gather(
                *(
                    self._directory(user, each, memories[each.name], links.get(each.name, ()))
                    for each in self.directories.values()
                )
            ),
        )
        return Reading(
            user_id=user,
            at=at,
            user=okta_user,
            okta_groups=_list(okta_groups),
            directories=tuple(directories),
            claims=claims,
            answers=answers,
        )

    async def _directory(
        self, user: OktaUserId, directory: Directory, memory: Memory, links: tuple[Link, ...]
    ) -> DirectoryReading:
        okta, app_id = self.okta, directory.app
        app, app_user, mappings = await asyncio.gather(
            answer_of(self._together.read(("app", app_id), lambda: okta.app(app_id))),
            answer_of(okta.app_user(app_id, user)),
            answer_of(self._together.read(("mappings", app_id), lambda: okta.mappings(app_id))),
        )
        return DirectoryReading(
            directory.name, app_id, app, app_user, _list(mappings), links, memory
        )

    async def _answers(self, user: OktaUserId, asks: Iterable[Ask]) -> dict[Ask, Answer]:
        """Answer questions together."""
        ordered = list(asks)
        answers = await asyncio.gather(*(self._ask(user, ask) for ask in ordered))
        return dict(zip(ordered, answers, strict=True))

    async def _ask(self, user: OktaUserId, ask: Ask) -> Answer:
        match ask:
            case AskOktaGroup():
                return await self._group(ask)
            case AskLog():
                since = self._clock.now() - LOG_KEEPS
                return await answer_of(self.okta.log_about(user, since))
            case AskRecordById(name, scim_id):
                record = await answer_of(self.directories[name].scim.user(scim_id))
                return record if isinstance(record, Missing | Unread) else (record,)
            case AskRecordsByExternalId(name):
                return _list(
                    await answer_of(self.directories[name].scim.users_by_external_id(user))
                )
            case AskRecordsByUserName(name, user_name):
                return _list(
                    await answer_of(self.directories[name].scim.users_by_user_name(user_name))
                )
            case AskSuccessor(name, user_name):
                app = self.directories[name].app
                found = self.okta.successors(app, user_name, other_than=user)
                return _list(await answer_of(found))
            case AskAccount() | AskAccountGroups() | AskScimLinks() | AskActiveMembers():
                return Unread(Why.FORBIDDEN, detail="no organization")

    async def _group(self, ask: AskOktaGroup) -> Answer:
        now = self._clock.now()
        known = self._groups.get(ask)
        if known and now - known[0] < _GROUP_BELIEVED:
            return known[1]
        found = await answer_of(self._together.read(ask, lambda: self.okta.group(ask.group)))
        if isinstance(found, Missing | Unread):
            self._groups.pop(ask, None)
        else:
            self._groups[ask] = (now, found)
        return found


# -- answers -----------------------------------------------------------------------------------


async def answer_of(call: Awaitable[T]) -> T | Missing | Unread:
    """What a vendor said, or why there is no answer that may be believed."""
    try:
        return await call
    except NotFoundError:
        return MISSING
    except (BreakerOpenError, CredentialError) as error:
        return Unread(Why.CREDENTIAL, getattr(error, "retry_at", None), str(error))
    except TransientError as error:
        return Unread(Why.UNAVAILABLE, error.retry_at, str(error))
    except ForbiddenError as error:
        return Unread(Why.FORBIDDEN, detail=str(error))
    except HooksError as error:
        return Unread(Why.INCOMPLETE, detail=str(error))


def _list(answer: T | Missing | Unread) -> T | Unread:
    """A list whose parent is not there is no empty list."""
    if isinstance(answer, Missing):
        return Unread(Why.INCOMPLETE, detail="404")
    return answer


def anticipated(
    name: DirectoryName, memory: Memory, links: Iterable[Link], claims: Iterable[Claimed]
) -> set[Ask]:
    """What the plan will most likely ask, so that it is read in the first phase already."""
    asks: set[Ask] = {AskRecordsByExternalId(name)}
    if memory.scim_id:
        asks.add(AskRecordById(name, memory.scim_id))
    said = {(each.claim, each.about) for each in claims}
    leaving = {claim for claim, _ in said} & {Claim.DEACTIVATED, Claim.UNASSIGNED}
    if leaving and memory.user_name:
        asks.add(AskSuccessor(name, memory.user_name))
    for link in links:
        if link.group in memory.groups and (leaving or (Claim.LEFT, link.source) in said):
            asks.add(AskOktaGroup(link.target))
        if (Claim.LEFT, link.source) in said:
            asks.add(AskOktaGroup(link.source))
    return asks


class Together:
    """Reads shared by everybody who began before the request was sent, and by nobody later.

    While one request is under way, those who come now wait for the next one together.
    """

    def __init__(self) -> None:
        """Nothing is kept once it is answered."""
        self._running: dict[object, asyncio.Task[Any]] = {}
        self._next: dict[object, asyncio.Task[Any]] = {}

    async def read(self, key: object, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer to a request that was sent after this call began."""
        key = (key, lane.get())  # nobody urgent waits in the lane of somebody else's bulk read
        if key not in self._running:
            task = self._start(key, request, None)
        elif key not in self._next:
            task = self._start(key, request, self._running[key])
        else:
            task = self._next[key]
        return await asyncio.shield(task)

    def _start(
        self,
        key: object,
        request: Callable[[], Coroutine[Any, Any, Any]],
        before: asyncio.Task[Any] | None,
    ) -> asyncio.Task[Any]:
        async def run() -> Any:
            if before is not None:
                await asyncio.wait([before])
                self._running[key] = self._next.pop(key)
            try:
                return await request()
            finally:
                if key not in self._next:
                    self._running.pop(key, None)

        task = asyncio.create_task(run())
        (self._running if before is None else self._next)[key] = task
        return task
