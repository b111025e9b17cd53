"""Words for a plan: what happens to whom, group by group, and why, as lines of text.

Must live here: every sentence an operator reads about a decision. Must not know: where it is
shown. Ids, statuses and names of groups only; nobody's login.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hooks.core.membership import Action, Mode, Standing
from hooks.core.plan import Reason
from hooks.core.reading import AppUser, Missing, OktaUser, Reading, ScimRecord, Unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hooks.core.ids import DirectoryName, ScimGroupId
    from hooks.core.memory import Link
    from hooks.core.plan import DirectoryPlan, Plan
    from hooks.core.refusal import Refusal

STANDINGS = {
    Standing.UNCLEAR: "something could not be read or is still changing: nothing is touched",
    Standing.LEFT: "deactivated in Okta, or proved gone: no synced group is wanted",
    Standing.OUTSIDE: "never in force in this app: nothing is touched",
    Standing.UNASSIGNED: "the assignment to the app has ended: no synced group is wanted",
    Standing.SUSPENDED: "suspended: as policy.suspended says",
    Standing.RETURNING: "back after a proved absence: what Okta implies now is wanted",
    Standing.PRESENT: "in force: what Okta implies now is wanted",
}
REASONS = {
    Reason.LEFT: "the user is deactivated or gone",
    Reason.UNASSIGNED: "the user is no longer assigned to the app",
    Reason.SUSPENDED: "suspended, and policy.suspended is strip",
    Reason.LOST_GROUP: "no Okta group behind it has the user any more",
    Reason.RETURNED: "kept from before an absence; no Okta group behind it has the user now",
    Reason.GIVEN_BACK: "taken by us before, and wanted again",
    Reason.WANTED: "wanted by Okta; policy.restore is all",
}
_ORDER = ("remove", "add", "refused", "keep", "unmanaged")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided about one group of one person; ``group`` is empty for all of them."""

    group: str
    name: str
    verdict: str
    why: str
    evidence: tuple[str, ...] = ()


def names(reading: Reading | None, links: Iterable[Link]) -> dict[ScimGroupId, str]:
    """What the groups of a reading and of the remembered mappings are called."""
    found = {link.group: link.name for link in links}
    for answer in reading.answers.values() if reading else ():
        for record in answer if isinstance(answer, tuple) else ():
            if isinstance(record, ScimRecord):
                found |= {group.id: group.display for group in record.groups or ()}
    return found


def verdicts(each: DirectoryPlan, known: Mapping[ScimGroupId, str]) -> list[Verdict]:
    """Every group of one directory that is changed, refused, kept, or not ours to judge."""
    found = [*_steps(each), *_refused(each.refusals, known)]
    found += [
        Verdict(group.id, group.display, "unmanaged", "no push mapping leads to it: never touched")
        for group in each.unmanaged
    ]
    judged = {one.group for one in found}
    rest = (each.record.groups if each.record else frozenset()) - judged
    everything = any(refusal.group is None for refusal in each.refusals)
    kept = "left as it is, see above" if everything else _kept(each.standing)
    found += [Verdict(group, known.get(group, group), "keep", kept) for group in rest]
    return sorted(found, key=lambda one: (_ORDER.index(one.verdict), one.name, one.group))


def _steps(each: DirectoryPlan) -> Iterator[Verdict]:
    for step in each.steps:
        verb = "remove" if step.action is Action.REMOVE else "add"
        yield Verdict(step.group.id, step.group.display, verb, REASONS[step.reason], step.evidence)


def _refused(refusals: Iterable[Refusal], known: Mapping[ScimGroupId, str]) -> Iterator[Verdict]:
    for refusal in refusals:
        why = f"{refusal.cause}: {refusal.way_out}"
        if refusal.group is None:
            yield Verdict("", "the whole directory", "refused", why)
        else:
            name = known.get(refusal.group, refusal.group)
            yield Verdict(refusal.group, name, "refused", why)


def _kept(standing: Standing) -> str:
    if standing in (Standing.UNCLEAR, Standing.OUTSIDE):
        return "nothing is touched"
    return "an Okta group behind it has the user"


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


def lines(
    plan: Plan,
    known: Mapping[ScimGroupId, str],
    *,
    reading: Reading | None = None,
    modes: Mapping[DirectoryName, Mode] | None = None,
) -> list[str]:
    """A plan for people, at most about 80 columns where names are short."""
    text = [f"user {plan.user}"]
    for each in plan.directories:
        text += ["", *_directory(each, known, reading, (modes or {}).get(each.name))]
    for contradiction in plan.contradictions:
        claimed = contradiction.claimed
        then = "looked at again" if contradiction.look else "the reading wins"
        text += ["", f"event {claimed.uuid} says {claimed.claim}, the reading does not: {then}"]
    if plan.others:
        text += ["", f"looked at besides: {', '.join(sorted(plan.others))}"]
    return text


def _directory(
    each: DirectoryPlan,
    known: Mapping[ScimGroupId, str],
    reading: Reading | None,
    mode: Mode | None,
) -> Iterator[str]:
    observed = " (mode observe: nothing is sent)" if mode is Mode.OBSERVE else ""
    yield f"directory {each.name}{observed}"
    yield f"  standing  {each.standing}: {STANDINGS[each.standing]}"
    if reading:
        user, app_user = statuses(reading, each.name)
        yield f"  Okta      user {user}; assignment to the app {app_user}"
    if each.record:
        active = {True: "active", False: "inactive", None: "activity not shown"}
        yield f"  SCIM      record {each.record.id}, {active[each.record.active]}"
    found = verdicts(each, known)
    if not found:
        yield "  no groups"
    for one in found:
        yield f"  {one.verdict:<9} {one.name}"
        yield f"            {one.why}"


def told(
    plan: Plan,
    known: Mapping[ScimGroupId, str],
    *,
    reading: Reading | None = None,
) -> dict[str, object]:
    """The same as plain values, for JSON."""
    return {
        "user": plan.user,
        "protected": plan.protected,
        "directories": [_told(each, known, reading) for each in plan.directories],
        "contradictions": [
            {"event": each.claimed.uuid, "claim": each.claimed.claim, "about": each.claimed.about}
            for each in plan.contradictions
        ],
        "others": sorted(plan.others),
    }


def _told(
    each: DirectoryPlan, known: Mapping[ScimGroupId, str], reading: Reading | None
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
        "groups": [
            {
                "id": one.group or None,
                "name": one.name,
                "verdict": one.verdict,
                "why": one.why,
                "evidence": list(one.evidence),
            }
            for one in verdicts(each, known)
        ],
    }


def counted(people: int, what: str = "person", many: str = "people") -> str:
    """``1 person``, ``3 people``."""
    return f"{people} {what if people == 1 else many}"
