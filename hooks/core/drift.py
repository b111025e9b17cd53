"""Where the world is otherwise than wanted, as one plan shows it: what an audit reports.

Must live here: what counts as drift, and in which words. Must not know: how everybody was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from hooks.core.history import absences
from hooks.core.membership import Action
from hooks.core.plan import Because, LocalPlan, Reason
from hooks.core.policy import Policy, Restore
from hooks.core.refusal import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hooks.core.ids import DirectoryName, OktaUserId, Uuid
    from hooks.core.plan import PlacePlan, Plan
    from hooks.core.reading import Reading


class Kind(StrEnum):
    """Each kind of drift, the most pressing first."""

    SURPLUS = "surplus"
    LOST = "lost"
    MISSING = "missing"
    PARKED = "parked"
    OPEN = "open"
    REFUSED = "refused"
    CAME_BACK = "came_back"
    ORPHAN = "orphan"
    UNKNOWN = "unknown"


WORDS = {
    Kind.SURPLUS: "has the membership and should not; a look removes it",
    Kind.LOST: "removed by this service and wanted again; a look gives it back",
    Kind.MISSING: "wanted by Okta and not there; Okta's push, or policy.restore = all, adds it",
    Kind.PARKED: "Atlassian refuses to change an inactive account; done when it is active",
    Kind.OPEN: "the lists alone do not tell; a look does",
    Kind.REFUSED: "would change, and is left alone for the reason given",
    Kind.CAME_BACK: "back from an absence of before this service watched; check it by hand",
    Kind.ORPHAN: "a SCIM record with groups that belongs to nobody known in Okta",
    Kind.UNKNOWN: "a synced group no push mapping leads to, with so many people: never touched",
}


@dataclass(frozen=True, slots=True)
class Drift:
    """One line of an audit. ``why`` is a reason, a cause, or empty.

    ``group`` and ``name`` are empty where it is about everything in the place. ``user`` is
    ``None`` where nobody in Okta is known, ``record`` is what Atlassian has then.
    """

    directory: DirectoryName
    kind: Kind
    why: str = ""
    group: Uuid | None = None
    name: str = ""
    user: OktaUserId | None = None
    record: str = ""
    people: int = 1


def acts(kind: Kind, policy: Policy) -> bool:
    """Whether looking at the person may change something."""
    if kind is Kind.MISSING:
        return policy.restore is Restore.ALL
    if kind is Kind.LOST:
        return policy.restore is not Restore.NONE
    return kind in (Kind.SURPLUS, Kind.OPEN)


def drift(plan: Plan, reading: Reading, names: Mapping[Uuid, str]) -> Iterator[Drift]:
    """What one person's plan shows; made with ``restore = all``, so that it shows all.

    Groups no mapping leads to are told by group, not here.
    """
    for place in plan.places:
        yield from _steps(place, plan.user)
        yield from _refusals(place, plan.user, names)
    if plan.local and _came_back(reading):
        yield from _silent(plan.local, plan.user)


def _steps(place: PlacePlan, user: OktaUserId) -> Iterator[Drift]:
    for step in place.steps:
        kind = Kind.SURPLUS
        if step.action is Action.ADD:
            kind = Kind.MISSING if step.reason is Reason.WANTED else Kind.LOST
        group = step.group
        yield Drift(place.name, kind, step.reason, group.id, group.display, user)


def _refusals(place: PlacePlan, user: OktaUserId, names: Mapping[Uuid, str]) -> Iterator[Drift]:
    for each in place.refusals:
        kind = Kind.REFUSED
        if each.unread:
            kind = Kind.OPEN
        elif each.cause is Cause.PARKED:
            kind = Kind.PARKED
        name = names.get(each.group, "") if each.group else ""
        yield Drift(place.name, kind, each.cause, each.group, name, user)


def _came_back(reading: Reading) -> bool:
    """Whether an absence was over before it could have had a consequence."""
    apps = frozenset(each.app_id for each in reading.directories)
    since = reading.watched_since
    return any(
        each.ended and (since is None or each.ended < since)
        for each in absences(reading.history, apps)
    )


def _silent(local: LocalPlan, user: OktaUserId) -> Iterator[Drift]:
    for kept in local.kept:
        if kept.because is Because.SILENT:
            group = kept.group
            yield Drift(local.name, Kind.CAME_BACK, "", group.id, group.display, user)
