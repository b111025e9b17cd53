"""What Okta's event hook must be, what one lacks, and which hooks stand in for each other.

Must live here: everything that decides about hooks in Okta. Must not know: how Okta is asked.
A hook's secret is written and never read back, so nothing here compares one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hooks.core.log_event import EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hooks.core.ids import HookId, OktaAppId

#: What a hook is called that nobody named otherwise.
NAME = "okta-atlassian-hooks"
#: Active and verified hooks of one org. Source: Okta docs "concepts/event-hooks", 2026.
MOST_HOOKS = 25
#: Every recorded event of these types names its app. Those of other types may not, and what
#: names none must come. Source: recorded events; Okta event types catalogue.
_OF_AN_APP = (
    "application.user_membership.add",
    "application.user_membership.remove",
    "application.user_membership.update",
    "group.application_assignment.add",
    "group.application_assignment.remove",
    "group.application_assignment.update",
)
#: Hooks may ask for these since the end of 2025, in orgs that have come so far; the System Log
#: has them everywhere. Source: Okta event types catalogue, release 2025.12.1.
MAY_BE_REFUSED = frozenset(each for each in EVENT_TYPES if each.startswith("application.provision"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A hook as it is written, but for its secret.

    ``conditions`` is its filter, expressions by event type; ``headers`` go out with each call.
    """

    name: str
    url: str
    header: str
    types: frozenset[str]
    conditions: Mapping[str, str] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHook:
    """A hook as Okta shows it."""

    id: HookId
    spec: Spec
    active: bool
    verified: bool

    @property
    def receives(self) -> bool:
        """Okta sends it events: only an active and verified one gets any."""
        return self.active and self.verified


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a hook of ours needs, whatever else it has."""

    url: str
    header: str
    apps: tuple[OktaAppId, ...]


@dataclass(frozen=True, slots=True)
class Differences:
    """In what a hook is not as it must be. ``foreign`` are types nobody here asked for: kept."""

    url: bool = False
    header: bool = False
    missing: tuple[str, ...] = ()
    filter: bool = False
    foreign: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Something must be written."""
        return self.url or self.header or self.filter or bool(self.missing)


def conditions(apps: Iterable[OktaAppId]) -> dict[str, str]:
    """A filter that keeps other apps' events away, and nothing else.

    Events of these apps come by its first parts; the last one lets through what names no app.
    Source: Okta help "event-hooks-el". That ``size()`` may be compared by ``eq`` is not written
    there, so an org may refuse it.
    """
    named = [f"event.target.?[type eq 'AppInstance' && id eq '{app}'].size()>0" for app in apps]
    none = "event.target.?[type eq 'AppInstance'].size() eq 0"
    expression = " || ".join([*named, none])
    return dict.fromkeys(_OF_AN_APP, expression)


def differences(hook: EventHook, wanted: Wanted) -> Differences:
    """Compare what can be compared. That a hook has no filter is no difference: more comes."""
    mine = {key: each for key, each in hook.spec.conditions.items() if key in EVENT_TYPES}
    return Differences(
        url=not same_url(hook.spec.url, wanted.url),
        header=hook.spec.header.casefold() != wanted.header.casefold(),
        missing=tuple(sorted(set(EVENT_TYPES) - hook.spec.types)),
        filter=bool(mine) and _squeezed(mine) != _squeezed(conditions(wanted.apps)),
        foreign=tuple(sorted(hook.spec.types - set(EVENT_TYPES))),
    )


def fits(hook: EventHook, spec: Spec) -> bool:
    """Whether writing this would change nothing but, perhaps, the secret."""
    shown = hook.spec
    return (
        same_url(shown.url, spec.url)
        and shown.header.casefold() == spec.header.casefold()
        and (shown.name, shown.types) == (spec.name, spec.types)
        and _squeezed(shown.conditions) == _squeezed(spec.conditions)
    )


def first(wanted: Wanted, name: str) -> Spec:
    """A hook to begin with."""
    return Spec(
        name=name,
        url=wanted.url,
        header=wanted.header,
        types=frozenset(EVENT_TYPES),
        conditions=conditions(wanted.apps),
    )


def amended(hook: EventHook, wanted: Wanted, *, name: str | None, filtered: bool = False) -> Spec:
    """The same hook with everything it needs; what others put into it stays.

    A filter it has is put right, and one it has not is made only if ``filtered``.
    """
    foreign = {key: each for key, each in hook.spec.conditions.items() if key not in EVENT_TYPES}
    wants = filtered or len(foreign) < len(hook.spec.conditions)
    return Spec(
        name=name or hook.spec.name,
        url=wanted.url,
        header=wanted.header,
        types=hook.spec.types | set(EVENT_TYPES),
        conditions={**foreign, **(conditions(wanted.apps) if wants else {})},
        headers=hook.spec.headers,
        description=hook.spec.description,
    )


class Trouble(StrEnum):
    """Why a hook does not receive, or not all of what it should."""

    INACTIVE = "inactive"
    UNVERIFIED = "unverified"
    URL = "url"
    HEADER = "header"
    TYPES = "types"
    FILTER = "filter"


def troubles(hook: EventHook, wanted: Wanted) -> tuple[Trouble, ...]:
    """All that keeps events from coming through this hook, as far as Okta shows it."""
    found = differences(hook, wanted)
    there = {
        Trouble.INACTIVE: not hook.active,
        Trouble.UNVERIFIED: not hook.verified,
        Trouble.URL: found.url,
        Trouble.HEADER: found.header,
        Trouble.TYPES: bool(set(found.missing) - MAY_BE_REFUSED),
        Trouble.FILTER: found.filter,
    }
    return tuple(trouble for trouble, holds in there.items() if holds)


# -- which hooks are ours ----------------------------------------------------------------------


def same_url(one: str, other: str) -> bool:
    """Whether two URLs are one address: case of the host and a port that says nothing aside."""
    return _address(one) == _address(other)


def at(hooks: Iterable[EventHook], url: str) -> tuple[EventHook, ...]:
    """The hooks that send to this address."""
    return tuple(each for each in hooks if same_url(each.spec.url, url))


def called(hooks: Iterable[EventHook], name: str) -> tuple[EventHook, ...]:
    """The hooks of this name."""
    return tuple(each for each in hooks if each.spec.name == name)


def one_family(hooks: Iterable[EventHook]) -> bool:
    """Whether they are called as hooks are that stood in for each other: ``x``, ``x 2``."""
    return len({_stem(each.spec.name) for each in hooks}) <= 1


def next_name(name: str, taken: Iterable[EventHook]) -> str:
    """What the hook is called that stands in for one of this name."""
    names = {each.spec.name for each in taken}
    stem, number = _stem(name), 2
    if stem not in names:
        return stem
    while f"{stem} {number}" in names:
        number += 1
    return f"{stem} {number}"


# -- the order in which one stands in for another ----------------------------------------------


@dataclass(frozen=True, slots=True)
class Beside:
    """Make another hook; once it receives, ``retire`` those. ``idle`` ones may go at once."""

    name: str
    like: EventHook
    retire: tuple[EventHook, ...]
    idle: tuple[EventHook, ...]


@dataclass(frozen=True, slots=True)
class InPlace:
    """Write the secret into this hook; once it receives, ``retire`` those."""

    hook: EventHook
    retire: tuple[EventHook, ...]


def rotation(
    hooks: Sequence[EventHook], mine: Sequence[EventHook], *, in_place: bool
) -> Beside | InPlace:
    """How the secret of ``mine``, one hook at least, is changed.

    Which secret a hook has cannot be read, not even whether an earlier run changed it. So a hook
    that receives is left alone until another one receives with the secret given now: whichever
    of several is the right one, it is among them. Where no room is left for another, or nothing
    receives anyway, one is changed in place, and what comes meanwhile is in the System Log.
    """
    heard = tuple(each for each in mine if each.receives)
    idle = tuple(each for each in mine if not each.receives)
    full = sum(each.receives for each in hooks) >= MOST_HOOKS
    if heard and not in_place and not full:
        return Beside(next_name(heard[-1].spec.name, hooks), heard[-1], heard, idle)
    hook = (heard or idle)[-1]
    return InPlace(hook, tuple(each for each in mine if each != hook))


def may_retire(hooks: Iterable[EventHook], heir: HookId) -> bool:
    """Whether the hook that is to take over receives, as Okta shows it now."""
    return any(each.id == heir and each.receives for each in hooks)


def _stem(name: str) -> str:
    return re.sub(r" [0-9]+$", "", name)


def _squeezed(expressions: Mapping[str, str]) -> dict[str, str]:
    return {key: "".join(each.split()) for key, each in expressions.items()}


def _address(url: str) -> tuple[str, str, int | None, str, str]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:  # whatever stands in a hook somebody else made
        return "", "", None, url, ""
    return parts.scheme, parts.hostname or "", port, parts.path or "/", parts.query
