"""Words for a plan: what happens to whom, group by group, and why.

Must live here: every sentence an operator reads about a decision. Must not know: where it is
shown. Ids, statuses and names of groups only; nobody's login.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hooks.core.membership import ORGANIZATION, Action, Standing, State, Via
from hooks.core.plan import Because, DirectoryPlan, LocalPlan, Reason
from hooks.core.reading import AppUser, KnownGroup, Missing, OktaUser, Reading, ScimRecord, Unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import timedelta

    from hooks.core.ids import DirectoryName, Uuid
    from hooks.core.memory import Link
    from hooks.core.plan import PlacePlan, Plan

STANDINGS = {
    Standing.UNCLEAR: "something could not be read or is still changing: nothing is touched",
    Standing.LEFT: "deactivated in Okta, or proved gone: no synced group is wanted",
    Standing.OUTSIDE: "never in force in this app: nothing is touched",
    Standing.UNASSIGNED: "the assignment to the app has ended: no synced group is wanted",
    Standing.SUSPENDED: "suspended: as policy.suspended says",
    Standing.RETURNING: "back after a proved absence: what Okta implies now is wanted",
    Standing.PRESENT: "in force: what Okta implies now is wanted",
}
LOCAL_STANDINGS = {
    Standing.UNCLEAR: "something could not be read or is still changing: nothing is touched",
    Standing.LEFT: "deactivated in Okta, or proved gone: no group of a rule is wanted",
    Standing.OUTSIDE: "never in force in any app, or freed since: nothing is touched",
    Standing.UNASSIGNED: "assigned to no app any more: no group of a rule is wanted",
    Standing.SUSPENDED: "suspended: as policy.suspended says",
    Standing.RETURNING: "back after a proved absence: only what a rule justifies is wanted",
    Standing.PRESENT: "in force: what they have stays, unless its rule's condition fails",
}
REASONS = {
    Reason.LEFT: "the user is deactivated or gone",
    Reason.UNASSIGNED: "the user is no longer assigned to the app",
    Reason.SUSPENDED: "suspended, and policy.suspended is strip",
    Reason.LOST_GROUP: "no Okta group behind it has the user any more",
    Reason.RETURNED: "kept from before an absence; no Okta group behind it has the user now",
    Reason.LOST_RULE: "no Okta group of its rule has the user any more",
    Reason.GIVEN_BACK: "taken by us before, and wanted again",
    Reason.WANTED: "wanted by Okta; ordered, or policy.restore is all",
    Reason.RESTORED: "taken by us before, and ordered back",
}
KEPT = {
    Because.SOURCE: "an Okta group behind it has the user",
    Because.UNMANAGED: "no push mapping leads to it: never touched",
    Because.RULE: "an Okta group of its rule has the user",
    Because.SILENT: "its rule takes it from people who left or returned, not from people in force",
    Because.UNNAMED: "no [[local_group]] names it: never touched",
    Because.SYNCED: "kept by the identity provider: changed over SCIM only",
}
BECAME = {
    State.OPEN: "perhaps sent; the next look reads what became of it",
    State.OBSERVED: "mode observe: journalled and not sent",
    State.SUBMITTED: "Atlassian accepted it; nobody has seen it to be so yet",
    State.SETTLED: "seen to be so",
    State.PARKED: "Atlassian refuses to change an inactive account; done when it is active",
    State.FAILED: "refused or not answered; tried again by itself",
    State.ABANDONED: "given up; a later look plans anew",
}
#: What is sent for a step: method, path, and what it says.
CALLS = {
    (Via.SCIM, Action.REMOVE): (
        "PATCH /scim/directory/{directoryId}/Groups/{groupId}: remove one of members"
    ),
    (Via.SCIM, Action.ADD): (
        "PATCH /scim/directory/{directoryId}/Groups/{groupId}: add one to members"
    ),
    (Via.ORGANIZATION, Action.REMOVE): (
        "DELETE /admin/v2/orgs/{orgId}/directories/{directoryId}/groups/{groupId}"
        "/memberships/{accountId}"
    ),
    (Via.ORGANIZATION, Action.ADD): (
        "POST /admin/v2/orgs/{orgId}/directories/{directoryId}/groups/{groupId}/memberships"
    ),
}
_UNMANAGED = (Because.UNMANAGED, Because.UNNAMED)
_ORDER = ("remove", "add", "refused", "keep", "unmanaged")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided about one group of one person; ``group`` is empty for all of them."""

    group: str
    name: str
    verdict: str
    why: str
    evidence: tuple[str, ...] = ()


def names(reading: Reading | None, links: Iterable[Link]) -> dict[Uuid, str]:
    """What the groups of a reading and of the remembered mappings are called."""
    found: dict[Uuid, str] = {link.group: link.name for link in links}
    for answer in reading.answers.values() if reading else ():
        for each in answer if isinstance(answer, tuple) else ():
            if isinstance(each, ScimRecord):
                found |= {group.id: group.display for group in each.groups or ()}
            if isinstance(each, KnownGroup):
                found[each.group.id] = each.group.name
    return found


def verdicts(each: PlacePlan, known: Mapping[Uuid, str]) -> list[Verdict]:
    """Every group of one place that is changed, refused, kept, or not ours to judge."""
    found = [*_steps(each), *_refused(each, known), *_kept(each)]
    judged = {one.group for one in found}
    everything = any(refusal.group is None for refusal in each.refusals)
    why = "left as it is, see above" if everything else "nothing is touched"
    found += [
        Verdict(group, known.get(group, group), "keep", why) for group in _seen(each) - judged
    ]
    return sorted(found, key=lambda one: (_ORDER.index(one.verdict), one.name, one.group))


def _seen(each: PlacePlan) -> frozenset[Uuid]:
    """The groups the person is in as this place shows it, those it does not keep itself aside."""
    if isinstance(each, DirectoryPlan):
        return frozenset(each.record.groups) if each.record else frozenset()
    groups = each.groups if isinstance(each, LocalPlan) else ()
    return frozenset(one.group.id for one in groups if not one.group.synced)


def _kept(each: PlacePlan) -> Iterator[Verdict]:
    for one in each.kept:
        if one.because is not Because.SYNCED:
            verdict = "unmanaged" if one.because in _UNMANAGED else "keep"
            why = KEPT[one.because]
            yield Verdict(one.group.id, one.group.display, verdict, why, one.evidence)


def _steps(each: PlacePlan) -> Iterator[Verdict]:
    for step in each.steps:
        verb = "remove" if step.action is Action.REMOVE else "add"
        yield Verdict(step.group.id, step.group.display, verb, REASONS[step.reason], step.evidence)


def _refused(each: PlacePlan, known: Mapping[Uuid, str]) -> Iterator[Verdict]:
    for refusal in each.refusals:
        why = f"{refusal.cause}: {refusal.way_out}"
        if refusal.group is None:
            whole = "the account" if each.name == ORGANIZATION else "the whole directory"
            yield Verdict("", whole, "refused", why)
        else:
            name = known.get(refusal.group, refusal.group)
            yield Verdict(refusal.group, name, "refused", why)


def statuses(reading: Reading, directory: DirectoryName) -> tuple[str, str]:
    """What Okta said about the user, and about their assignment to the directory's app."""
    app_user = next(each.app_user for each in reading.directories if each.name == directory)
    return _status(reading.user), _status(app_user)


def _status(answer: OktaUser | AppUser | Missing | Unread) -> str:
    if isinstance(answer, Missing):
        return "404"
    if isinstance(answer, Unread):
        return f"unread ({answer.why})"
    moving = getattr(answer, "transitioning_to", None)
    return f"{answer.status}, moving to {moving}" if moving else answer.status


def told(
    plan: Plan,
    known: Mapping[Uuid, str],
    *,
    reading: Reading | None = None,
) -> dict[str, object]:
    """A plan as plain values, to be shown, kept, or given to programs."""
    return {
        "user": plan.user,
        "protected": plan.protected,
        "directories": [_told(each, known, reading) for each in plan.directories],
        "organization": _told_local(plan.local, known) if plan.local else None,
        "contradictions": [
            {
                "event": each.claimed.uuid,
                "claim": each.claimed.claim,
                "about": each.claimed.about,
                "again": each.look is not None,
            }
            for each in plan.contradictions
        ],
        "others": sorted(plan.others),
    }


def _told(
    each: DirectoryPlan, known: Mapping[Uuid, str], reading: Reading | None
) -> dict[str, object]:
    user, app_user = statuses(reading, each.name) if reading else (None, None)
    return {
        "directory": each.name,
        "standing": each.standing,
        "why": STANDINGS[each.standing],
        "okta_user": user,
        "app_user": app_user,
        "scim_id": each.record.id if each.record else None,
        "active": each.record.active if each.record else None,
        "groups": _told_groups(each, known),
    }


def _told_local(each: LocalPlan, known: Mapping[Uuid, str]) -> dict[str, object]:
    return {
        "standing": each.standing,
        "why": LOCAL_STANDINGS[each.standing],
        "mode": each.mode,
        "account": each.account.id if each.account else None,
        "account_status": each.account.status if each.account else None,
        "roles": sorted(each.account.roles or ()) if each.account else [],
        "groups": _told_groups(each, known),
    }


def _told_groups(each: PlacePlan, known: Mapping[Uuid, str]) -> list[dict[str, object]]:
    return [
        {
            "id": one.group or None,
            "name": one.name,
            "verdict": one.verdict,
            "why": one.why,
            "evidence": list(one.evidence),
        }
        for one in verdicts(each, known)
    ]


def ago(length: timedelta) -> str:
    """A length of time in one number."""
    seconds = max(0, round(length.total_seconds()))
    for size, what in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return counted(seconds // size, what, f"{what}s")
    return counted(seconds, "second", "seconds")


def counted(people: int, what: str = "person", many: str = "people") -> str:
    """``1 person``, ``3 people``."""
    return f"{people} {what if people == 1 else many}"
