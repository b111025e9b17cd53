"""The event hook as Okta has it, what came by it, and what did not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from hooks.cli import opening, text
from hooks.cli.ends import FAILED
from hooks.cli.opening import Json
from hooks.cli.register import Url, admin_of, described, wanted_of
from hooks.core import registration
from hooks.core.errors import CredentialError, ForbiddenError, HooksError
from hooks.core.registration import Trouble
from hooks.core.report import counted
from hooks.settings import Role, load

if TYPE_CHECKING:
    from hooks.cli.text import Record
    from hooks.core.registration import EventHook, Wanted

#: How far back failures are asked for, and how many of them and of the deliveries are told.
_SINCE = timedelta(days=7)
_MOST = 5

_HEADINGS = {
    "name": "name",
    "id": "id",
    "state": "state",
    "url": "url",
    "header": "secret in",
    "told": "event types",
    "missing": "missing",
    "foreign": "others",
    "filter": "filter",
}
_DELIVERIES = {"received": "RECEIVED (UTC)", "events": "EVENTS", "delivery": "DELIVERY"}
_FAILURES = {"published": "FAILED (UTC)", "reason": "WHY"}

_NONE = "Okta has no hook for {url}; run: hooks register"
WAY_OUT = {
    Trouble.INACTIVE: "It is switched off in Okta; switch it on there, or run: hooks register",
    Trouble.UNVERIFIED: "It is not verified; with `hooks serve` running, run: hooks register",
    Trouble.URL: "It sends to another address; if that is wrong, run: hooks register --move",
    Trouble.HEADER: "Its secret comes in another header than [okta] hook_header; run: hooks"
    " register",
    Trouble.TYPES: "Event types are missing; run: hooks register",
    Trouble.FILTER: "Its filter is not ours, and may keep events away; run: hooks register",
}
_FAILED = "What failed is read from the System Log by `hooks serve`. A 401 is a hook with another"
_FAILED += (
    " secret: hooks register --secret-changed. Else see that its URL answers within 3 seconds."
)
_SEVERAL = "Several hooks send here: their events come twice, which does no harm. Delete all but"
_SEVERAL += " one in Okta, or let hooks rotate-secret end what it began."


@dataclass(slots=True)
class _Found:
    """All that is told."""

    hooks: tuple[EventHook, ...]
    wanted: Wanted
    deliveries: list[Record]
    failures: list[Record] | None = None
    unread: str | None = None
    troubles: dict[str, tuple[Trouble, ...]] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """One hook at least receives, and nothing is amiss with it."""
        receiving = [each.id for each in self.hooks if each.receives]
        return any(not self.troubles[each] for each in receiving)


def hook(*, url: Url = None, as_json: Json = False) -> None:
    """The event hook: its state, what came last, which deliveries failed, what to do.

    Exit code 1: it cannot receive, or not all that it should.
    """
    found = asyncio.run(_found(url))
    if as_json:
        text.as_json(_record(found))
    else:
        _tell(found)
    if not found.well:
        raise typer.Exit(FAILED)


async def _found(url: str | None) -> _Found:
    from hooks.register import opened
    from hooks.store import inbox

    wanted = wanted_of(load(need=Role.HOOK), url)
    async with opening.opened(Role.HOOK) as house:
        rows = await house.database.read(lambda tx: inbox.deliveries(tx, _MOST))
        now = house.clock.now()
        url, shown = house.settings.okta.org_url, admin_of(house.settings, house.clock)
        async with opened(url, shown, changes=False) as okta:
            hooks = await okta.hooks()
            mine = registration.at(hooks, wanted.url)
            mine = mine or registration.called(hooks, registration.NAME)
            told = [{**row, "received": text.instant(row["received"])} for row in rows]
            found = _Found(mine, wanted, told)
            found.troubles = {each.id: registration.troubles(each, wanted) for each in mine}
            try:
                failures = await okta.failures(now - _SINCE, now)
                found.failures = [
                    {"published": each.published, "reason": each.reason}
                    for each in failures
                    if each.hooks & {one.id for one in mine}
                ]
            except (CredentialError, ForbiddenError):
                found.unread = "not read: grant okta.logs.read to the app of HOOKS_OKTA_ADMIN_*"
            except HooksError as error:
                found.unread = f"not read: {error}"
    return found


def _record(found: _Found) -> Record:
    return {
        "well": found.well,
        "hooks": [
            described(each)
            | {
                **_types(each, found.wanted),
                "troubles": [
                    {"what": one, "remedy": WAY_OUT[one]} for one in found.troubles[each.id]
                ],
            }
            for each in found.hooks
        ],
        "deliveries": found.deliveries,
        "failures": found.failures,
        "failures_unread": found.unread,
    }


def _types(hook: EventHook, wanted: Wanted) -> dict[str, list[str]]:
    """Those it lacks, and those nobody here asked for."""
    found = registration.differences(hook, wanted)
    return {"missing": list(found.missing), "foreign": list(found.foreign)}


def _tell(found: _Found) -> None:
    if not found.hooks:
        text.tell(_NONE.format(url=found.wanted.url))
    for each in found.hooks:
        text.fields(_fields(each, found), _HEADINGS)
        for trouble in found.troubles[each.id]:
            text.tell(f"! {WAY_OUT[trouble]}", "yellow", below=2)
        print()
    if len(found.hooks) > 1:
        text.tell(_SEVERAL)
        print()
    if found.deliveries:
        print("Last deliveries:")
        text.table(found.deliveries, _DELIVERIES)
    else:
        print("No delivery is stored.")
    print()
    if found.failures is None:
        text.tell(f"Failed deliveries: {found.unread}")
        return
    count = counted(len(found.failures), "delivery", "deliveries")
    print(f"{count} failed in {_SINCE.days} days, as Okta's System Log tells.")
    if found.failures:
        text.table(found.failures[:_MOST], _FAILURES)
        print()
        text.tell(_FAILED)


def _fields(hook: EventHook, found: _Found) -> Record:
    types = _types(hook, found.wanted)
    filtered = "only our apps' events" if hook.spec.conditions else None
    return {
        "name": hook.spec.name,
        "id": hook.id,
        "state": _state(hook),
        "url": hook.spec.url,
        "header": f"the header {hook.spec.header}",
        "told": len(hook.spec.types),
        **{name: ", ".join(each) or None for name, each in types.items()},
        "filter": "not ours" if Trouble.FILTER in found.troubles[hook.id] else filtered,
    }


def _state(hook: EventHook) -> str:
    said = f"{'active' if hook.active else 'inactive'}, "
    said += "verified" if hook.verified else "not verified"
    return f"{said}: {'receives' if hook.receives else 'receives nothing'}"
