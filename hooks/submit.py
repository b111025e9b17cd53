"""Send what was admitted, removals first, and read again what came of it. Laws 4 and 5.

Must live here: the order of writes, and what each way of failing leaves behind. Must not know:
why something is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hooks.core.errors import (
    TURNED_AWAY,
    LeaseLostError,
    LostReplyError,
    PermanentError,
    RateLimitedError,
    RejectedError,
    TransientError,
)
from hooks.core.ids import AccountId, ScimUserId
from hooks.core.ledger import Resolved, settle
from hooks.core.membership import ORGANIZATION, Action, OrganizationGroup, State
from hooks.core.memory import PastStep
from hooks.core.reading import Missing, Unread
from hooks.inquire import answer_of

if TYPE_CHECKING:
    from hooks.core.ids import DirectoryName, Uuid
    from hooks.core.plan import Plan
    from hooks.observe import Observer
    from hooks.store.journal import Wish

#: An operation is refused because the account is inactive. Source: jira.js apiError.ts.
_INACTIVE = "ADMIN-UAM-400-2"
UNPROVED = frozenset({State.SUBMITTED, State.OPEN})


@dataclass(frozen=True, slots=True)
class TurnedAway(Resolved):
    """A step that is as it was, for want of a credential that works or of budget; until when."""

    until: datetime | None = None


class Submit:
    """Writes to the vendors; only the worker that holds the lease does."""

    def __init__(self, observer: Observer) -> None:
        """Shares the gateways of the observer."""
        self._observer = observer

    async def write(
        self, admitted: Iterable[tuple[int, Wish]], deadline: Callable[[], float]
    ) -> list[tuple[Wish, Resolved]]:
        """Send what was admitted: all removals, then the additions. Law 5.

        A directory whose removals did not all go out gets no additions.
        """
        steps = [(step, wish) for step, wish in admitted if not wish.observe]
        removals = [each for each in steps if each[1].step.action is Action.REMOVE]
        additions = [each for each in steps if each[1].step.action is Action.ADD]
        sent = await asyncio.gather(*(self._send(*each, deadline()) for each in removals))
        failed = {
            wish.step.directory for wish, became in sent if became.state is not State.SUBMITTED
        }
        late = [each for each in additions if each[1].step.directory in failed]
        sent += [(wish, Resolved(step, State.ABANDONED, "removals_failed")) for step, wish in late]
        rest = [each for each in additions if each not in late]
        return sent + await asyncio.gather(*(self._send(*each, deadline()) for each in rest))

    async def _send(self, step: int, wish: Wish, deadline: float) -> tuple[Wish, Resolved]:
        try:
            await self._change(wish, deadline)
        except LeaseLostError:
            return wish, Resolved(step, State.ABANDONED, "lease")
        except LostReplyError:
            return wish, Resolved(step, State.OPEN, "reply_lost")
        except TURNED_AWAY as error:
            code = "limited" if isinstance(error, RateLimitedError) else "credential"
            until = error.retry_at if isinstance(error, TransientError) else None
            return wish, TurnedAway(step, State.FAILED, code, until)
        except TransientError:
            return wish, Resolved(step, State.FAILED, "unavailable")
        except PermanentError as error:
            parked = error.code == _INACTIVE and wish.step.action is Action.REMOVE
            state = State.PARKED if parked else State.FAILED
            return wish, Resolved(step, state, error.code or type(error).__name__)
        return wish, Resolved(step, State.SUBMITTED)

    async def _change(self, wish: Wish, deadline: float) -> None:
        step, removing = wish.step, wish.step.action is Action.REMOVE
        if isinstance(step.group, OrganizationGroup):
            there = self._observer.organization
            if there is None or not isinstance(wish.member, AccountId):
                raise RejectedError("organization is not configured")
            change = there.remove if removing else there.add
            await change(step.group, wish.member, deadline=deadline)
            return
        scim = self._observer.directories[step.directory].scim
        if not isinstance(wish.member, ScimUserId):
            raise RejectedError("scim changes only its own users")
        send = scim.remove if removing else scim.add
        await send(step.group.id, wish.member, deadline=deadline)

    async def prove(
        self, plan: Plan, sent: list[tuple[Wish, Resolved]]
    ) -> tuple[list[tuple[Wish, Resolved]], dict[DirectoryName, int]]:
        """Read again what was written: settled means seen to be so. Law 4.

        Returns the steps as they are now, and how many of each directory nobody has seen yet.
        """
        unsettled = {each.name: each.ledger.unsettled for each in plan.places}
        touched = {wish.step.directory for wish, became in sent if became.state in UNPROVED}
        observed = dict(
            zip(
                touched,
                await asyncio.gather(*(self._observed(plan, name) for name in touched)),
                strict=True,
            )
        )
        proved = []
        for wish, became in sent:
            seen = observed.get(wish.step.directory)
            now = _seen(wish, became, seen) if seen is not None else became
            unsettled[wish.step.directory] += now.state in UNPROVED
            proved.append((wish, now))
        return proved, unsettled

    async def _observed(self, plan: Plan, name: DirectoryName) -> frozenset[Uuid] | None:
        """The groups the person is in now; ``None`` if that cannot be read."""
        if name == ORGANIZATION:
            there = self._observer.organization
            account = plan.local.account if plan.local else None
            if there is None or account is None:
                return None
            listed = await answer_of(there.groups_of(account.id))
            known = None if isinstance(listed, Missing | Unread) else listed
            return None if known is None else frozenset(group.id for group in known)
        record = next(each.record for each in plan.directories if each.name == name)
        if record is None:
            return None
        found = await answer_of(self._observer.directories[name].scim.user(record.id))
        if isinstance(found, Missing | Unread) or found.groups is None:
            return None
        return frozenset(group.id for group in found.groups)


def _seen(wish: Wish, became: Resolved, observed: frozenset[Uuid]) -> Resolved:
    """A sent step after its proof."""
    if became.state not in UNPROVED:
        return became
    past = PastStep(became.step, wish.step.action, wish.step.group.id, became.state)
    shown = settle([past], observed).resolved
    # A lost reply may still be on its way to its effect: only seeing the effect ends it here.
    return shown[0] if shown and shown[0].state is State.SETTLED else became
