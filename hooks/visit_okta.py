"""Okta looked over: the hook, what the credential sees, and each app with its mappings.

Must live here: what is asked, and how much of it at most. Must not know: what an answer means.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from hooks.core import checkup_okta, checkup_people
from hooks.core.errors import CredentialError, HooksError, PermanentError
from hooks.core.finding import Finding
from hooks.core.reading import OktaGroup
from hooks.probe import or_error, or_why

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from hooks.core.checkup_okta import Signs
    from hooks.core.checkup_people import People
    from hooks.core.ids import OktaAppId, OktaGroupId
    from hooks.core.reading import PushMapping
    from hooks.core.registration import Wanted
    from hooks.gateways.okta import Okta
    from hooks.gateways.okta_review import OktaReview

#: Groups of mappings that are read by id, to see whether they are shown.
MOST_GROUPS = 200
_EVERYONE = "Everyone"
#: Mappings whose groups we may change. Design 3.4.
_PUSHING = ("ACTIVE", "ERROR")
#: How far back deliveries that failed count, and how far a switch is looked for: all there is.
_LATELY, _KEPT = timedelta(days=1), timedelta(days=90)


@dataclass(frozen=True, slots=True)
class AppVisit:
    """What was found about one app, and what others need of it.

    ``pushed`` are the names of the groups that its mappings lead to.
    """

    findings: tuple[Finding, ...]
    people: People | str
    pushed: frozenset[str] | str


async def hook(reviews: Sequence[OktaReview], wanted: Wanted) -> list[Finding]:
    """The event hook, through the first door by which hooks may be read."""
    why, refused = "no credential for it is given here", True
    for each in reviews:
        hooks = await or_error(each.hooks())
        if not isinstance(hooks, HooksError):
            return list(checkup_okta.of_hooks(hooks, wanted))
        why, refused = str(hooks), isinstance(hooks, PermanentError)
    return [checkup_okta.hooks_unread(why, refused=refused)]


async def granted(reviews: Mapping[str, OktaReview]) -> list[Finding]:
    """Which scopes are not granted, where there is a token for others."""
    answers = await asyncio.gather(*(or_error(each.sees_anybody()) for each in reviews.values()))
    refused = [
        scope
        for scope, answer in zip(reviews, answers, strict=True)
        if isinstance(answer, CredentialError)
    ]
    return list(checkup_okta.of_scopes(refused, len(answers)))


async def log(review: OktaReview, now: datetime) -> Signs | str:
    """What the System Log tells."""
    return await or_why(review.signs(now - _LATELY, now, turned_since=now - _KEPT))


async def sight(okta: Okta, review: OktaReview) -> list[Finding]:
    """What the credential's role shows."""
    anybody, everyone = await asyncio.gather(or_why(review.sees_anybody()), or_why(_everyone(okta)))
    return list(checkup_okta.of_sight(anybody=anybody, everyone=everyone))


async def _everyone(okta: Okta) -> bool:
    return any(each.type == "BUILT_IN" for each in await okta.groups_named(_EVERYONE))


async def app(
    place: str,
    app: OktaAppId,
    okta: Okta,
    *,
    review: OktaReview,
    profiles: OktaReview | None,
    signs: Signs | str,
) -> AppVisit:
    """One app: what it pushes, whom it deprovisions, what it calls people."""
    mappings, set_up, told, assigned, people, address = await asyncio.gather(
        or_why(okta.mappings(app)),
        or_why(review.set_up(app)),
        or_why(review.deprovisions(app)),
        or_why(review.assigned(app)),
        or_why(review.people(app)),
        or_why(profiles.address(app)) if profiles else _nothing(),
    )
    groups = await _groups(okta, mappings)
    logged = None if isinstance(signs, str) else signs.deprovisioning.get(app)
    names, features = (set_up, set_up) if isinstance(set_up, str) else set_up
    hidden = (
        groups if isinstance(groups, str) else [i for i, name in groups.items() if name is None]
    )
    findings = [
        *checkup_okta.of_mappings(place, mappings, hidden),
        checkup_okta.of_both(place, assigned, mappings, _told(groups)),
        checkup_okta.of_deprovisioning(place, told=told, logged=logged, features=features),
        *checkup_people.of_names(place, names or "Okta does not say", address, people),
    ]
    return AppVisit(tuple(findings), people, _pushed(mappings, groups))


def _told(groups: dict[OktaGroupId, str | None] | str) -> dict[OktaGroupId, str]:
    """Groups by the names that Okta shows."""
    if isinstance(groups, str):
        return {}
    return {group: name for group, name in groups.items() if name is not None}


async def _nothing() -> str:
    return ""


async def _groups(
    okta: Okta, mappings: Sequence[PushMapping] | str
) -> dict[OktaGroupId, str | None] | str:
    """The names of the mappings' groups by id; ``None`` for one that Okta does not show."""
    if isinstance(mappings, str):
        return mappings
    ids = sorted({each for mapping in mappings for each in (mapping.source, mapping.target)})
    if len(ids) > MOST_GROUPS:
        return f"they are {len(ids)}, and only {MOST_GROUPS} are asked about"
    found = await asyncio.gather(*(or_why(okta.group(each)) for each in ids))
    names = [each.name if isinstance(each, OktaGroup) else None for each in found]
    return dict(zip(ids, names, strict=True))


def _pushed(
    mappings: Sequence[PushMapping] | str, groups: dict[OktaGroupId, str | None] | str
) -> frozenset[str] | str:
    if isinstance(mappings, str) or isinstance(groups, str):
        return mappings if isinstance(mappings, str) else str(groups)
    names = [groups[each.target] for each in mappings if each.status in _PUSHING]
    if None in names:
        return "Okta does not show all groups that are pushed to"
    return frozenset(name for name in names if name is not None)
