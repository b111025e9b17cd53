"""What waiting events say: why somebody is looked at, and what speaks against what was read.

An event cannot give or take; it can only make us wait and look again (design 3.2), because
Okta's own reads may lag behind its events.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hooks.core.history import LogFacts
from hooks.core.memory import Claim, Claimed
from hooks.core.reading import MISSING, AppUser, DirectoryReading, OktaUser, Reading, Unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hooks.core.ids import OktaAppId, OktaGroupId

#: Older claims are history. Design 3.2.
YOUNG = timedelta(minutes=10)
#: From the first look; after the last one the reading wins. Design 3.2.
LOOKS = (timedelta(seconds=2), timedelta(seconds=10), timedelta(seconds=60))

#: For the System Log to show an assignment nobody knew of: as long as the claim is young.
_LOG_LOOKS = (*LOOKS, timedelta(minutes=5))

_LIFECYCLE = (Claim.ACTIVE, Claim.DEACTIVATED, Claim.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A claim the reading does not show.

    ``look`` is when to look again, ``None`` once it lost; ``holds`` while it may hold back a
    change: more claims make us look again, but all of a person's together hold back no longer
    than the first of them. ``uuids`` are the events that go on waiting.
    """

    claimed: Claimed
    look: datetime | None
    holds: bool
    uuids: tuple[str, ...]


def reason(claims: Iterable[Claimed]) -> str:
    """For what somebody is looked at: the newest claim about themselves, or else of all; or empty.

    What else happens to somebody who is deactivated comes of that.
    """
    last = max(claims, key=lambda each: (each.claim in _LIFECYCLE, each.published), default=None)
    return f"{last.claim} {last.about}" if last else ""


def contradictions(reading: Reading) -> tuple[Contradiction, ...]:
    """The claims that hold this look back, or that were given up on, oldest first."""
    said = _by_subject(reading.claims)
    lifecycle = said.get(("user", ""), ())
    if lifecycle:
        last = lifecycle[-1]
        if last.claim is Claim.DEACTIVATED and not _against(reading, last):
            # Okta takes the assignments with the user; an older word about one is overtaken.
            said = {
                key: claims
                for key, claims in said.items()
                if claims is lifecycle or claims[-1].published > last.published
            }
    against = [
        claims
        for claims in said.values()
        if reading.at - claims[-1].published < YOUNG and _against(reading, claims[-1])
    ]
    first = min((each.first_look or reading.at for claims in against for each in claims),
                default=reading.at)  # fmt: skip
    first = min(first, reading.doubted_since or first)
    patient = reading.at < first + LOOKS[-1]
    looks = [_next_look(reading, claims[-1]) for claims in against]
    found = [
        Contradiction(
            claims[-1],
            look,
            holds=look is not None and patient,
            # None of them is settled while one goes on, or the patience would begin anew.
            uuids=tuple(each.uuid for each in claims) if any(looks) else (),
        )
        for claims, look in zip(against, looks, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: (each.claimed.published, each.claimed.uuid)))


def lost(found: Iterable[Contradiction]) -> tuple[str, ...]:
    """As evidence: the events over which the reading won."""
    return tuple(f"contradicted:{each.claimed.uuid}" for each in found if each.look is None)


def withheld(
    found: Sequence[Contradiction],
    apps: frozenset[OktaAppId],
    sources: Iterable[OktaGroupId],
    *,
    removing: bool,
) -> Contradiction | None:
    """The claim that speaks against a change of a group with these ``sources``, if any still may.

    ``apps`` are those whose assignment the change rests on.

    Claims that give access speak against removals, claims that take it against additions.
    """
    groups = set(sources)
    for each in found:
        claim, about = each.claimed.claim, each.claimed.about
        gives = claim in (Claim.ACTIVE, Claim.ASSIGNED, Claim.JOINED)
        if not each.holds or gives is not removing:
            continue
        if claim in _LIFECYCLE or about in apps or about in groups:
            return each
    return None


def _by_subject(claims: Iterable[Claimed]) -> dict[tuple[str, str], list[Claimed]]:
    """Claims by what they are about, the user or one app or group, newest last."""
    said: dict[tuple[str, str], list[Claimed]] = {}
    for claimed in sorted(claims, key=lambda each: (each.published, each.uuid)):
        key = "user" if claimed.claim in _LIFECYCLE else "about", claimed.about
        said.setdefault(key, []).append(claimed)
    return said


def _next_look(reading: Reading, claimed: Claimed) -> datetime | None:
    first = claimed.first_look or reading.at
    unknown = any(
        directory.app_id == claimed.about and _unknown(reading, directory, claimed.claim)
        for directory in reading.directories
    )
    looks = _LOG_LOOKS if unknown else LOOKS
    return next((first + wait for wait in looks if first + wait > reading.at), None)


def _against(reading: Reading, claimed: Claimed) -> bool:
    if claimed.claim in _LIFECYCLE:
        return _against_user(reading, claimed.claim)
    if claimed.claim in (Claim.JOINED, Claim.LEFT):
        return _against_groups(reading, claimed)
    return any(
        _against_app(directory, claimed.claim) or _unknown(reading, directory, claimed.claim)
        for directory in reading.directories
        if directory.app_id == claimed.about
    )


def _against_user(reading: Reading, claim: Claim) -> bool:
    user = reading.user
    if isinstance(user, Unread):
        return False
    if not isinstance(user, OktaUser):
        return claim is Claim.ACTIVE
    leaving = "DEPROVISIONED" in (user.status, user.transitioning_to)
    if claim is Claim.ACTIVE:
        return leaving or user.status == "SUSPENDED"
    if claim is Claim.SUSPENDED:
        return not leaving and user.status != "SUSPENDED"
    return not leaving


def _against_app(directory: DirectoryReading, claim: Claim) -> bool:
    app_user = directory.app_user
    if isinstance(app_user, AppUser):
        return app_user.in_force is not (claim is Claim.ASSIGNED)
    return app_user is MISSING and claim is Claim.ASSIGNED


def _unknown(reading: Reading, directory: DirectoryReading, claim: Claim) -> bool:
    """Said to be unassigned, and nothing shows yet that there was an assignment."""
    if claim is not Claim.UNASSIGNED or directory.app_user is not MISSING:
        return False
    log = reading.log
    shown = isinstance(log, LogFacts) and directory.app_id not in log.assignments
    return shown and not directory.memory.ever_in_force


def _against_groups(reading: Reading, claimed: Claimed) -> bool:
    if isinstance(reading.okta_groups, Unread):
        return True
    member = any(group.id == claimed.about for group in reading.okta_groups)
    return member is not (claimed.claim is Claim.JOINED)
