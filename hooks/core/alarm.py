"""What a person should be told of: its kinds, its words, the way out, and what is told next.

Must live here: the closed set of alarms, and when each is told. Must not know: how one is found
out, or who is told how.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

#: An event whose person was not looked at to the end for so long is late, and so is who has not
#: read the System Log to its end for this much longer than the time between two readings.
LATE = timedelta(minutes=15)
#: What no process found so for this long is over: a process that ticks slowly is no end, and
#: what comes and goes within it is one alarm.
GONE = timedelta(minutes=2)
#: Profiles of so many people pushed within so long, external ones among them, look like a Force
#: Sync; a change of names in Okta makes fewer.
BURST, BURST_WITHIN = 5, timedelta(minutes=10)
#: How often somebody is reminded of what lasts.
REMIND = timedelta(days=1)


class Kind(StrEnum):
    """Each kind of alarm; some have a detail behind them, as `breaker scim main`."""

    HELD = "held"
    DEAD = "dead"
    BREAKER = "breaker"
    ADMIN_LEFT = "admin_left"
    NO_SECRET = "no_hook_secret"  # noqa: S105  # a kind's name
    PAUSED = "paused"
    BEHIND = "behind"
    UNSETTLED = "unsettled"
    DRIFT = "drift"
    EXPIRY = "expiry"
    CHAIN_KEY = "chain_key"
    UNPROVED = "unproved"
    PROFILES = "profiles_pushed"


#: What only the process knows in which it is so; all else is in the store.
OF_PROCESSES = frozenset({Kind.BREAKER, Kind.NO_SECRET, Kind.EXPIRY, Kind.CHAIN_KEY})
#: Days before a key's end at which somebody is told.
WARN_DAYS = 30


class Phase(StrEnum):
    """What is told of an alarm."""

    BEGUN = "begun"
    LASTING = "lasting"
    OVER = "over"


WORDS = {
    Kind.HELD: "The brake holds removals until somebody decides; those people keep their access.",
    Kind.DEAD: "Given up on: until somebody decides, nothing is done about these people.",
    Kind.BREAKER: "This credential is refused; what needs it waits, and nothing is lost.",
    Kind.ADMIN_LEFT: "Somebody left and still administers Atlassian.",
    Kind.NO_SECRET: "No hook secret is loaded: deliveries are refused, and so lost.",
    Kind.PAUSED: "Paused by an operator: events are stored, and nothing is written to Atlassian.",
    Kind.BEHIND: "Okta's System Log is not read to its end: what the hook missed waits.",
    Kind.UNSETTLED: "Events have waited for over 15 minutes until their people are looked at.",
    Kind.DRIFT: "The last audit found people with memberships they should not have.",
    Kind.EXPIRY: "A key ends within 30 days, or has ended, as [expiry] in hooks.toml says.",
    Kind.CHAIN_KEY: "The journal is chained with this key, and a worker has another one or none.",
    Kind.UNPROVED: "The last purge left steps of people whose chain it could not prove.",
    Kind.PROFILES: "Okta pushed many profiles, also of external people: a Force Sync unlinks them.",
}

WAY_OUT = {
    Kind.HELD: "hooks held shows whom; then hooks held approve, or reject.",
    Kind.DEAD: "hooks dead shows whom and why; mend that, then hooks dead retry.",
    Kind.BREAKER: "Replace it: a _FILE is read again by itself, the environment needs a restart.",
    Kind.ADMIN_LEFT: "hooks steps --refused tells who; revoke the role by hand, now.",
    Kind.NO_SECRET: "Give HOOKS_HOOK_SECRET, and restart; or its _FILE, and send SIGHUP.",
    Kind.PAUSED: "hooks resume --reason TEXT.",
    Kind.BEHIND: "See that a worker runs and may read the log; log_not_read in its log says why.",
    Kind.UNSETTLED: "See that a worker runs; hooks events --waiting lists them, the log says why.",
    Kind.DRIFT: "hooks audit --last shows whom; hooks audit --last --apply has them looked at.",
    Kind.EXPIRY: "Make a new key, give it to whoever uses it, and write its date into [expiry].",
    Kind.CHAIN_KEY: "Give it as HOOKS_CHAIN_KEY and restart; lost: hooks keys chain --begin-anew.",
    Kind.UNPROVED: "hooks steps verify tells what is wrong; once mended, hooks purge ends it.",
    Kind.PROFILES: "hooks external shows whom Atlassian dropped; do not push again before.",
}


def name(kind: Kind, detail: str = "") -> str:
    """What an alarm is called: its kind, and what it is about."""
    return f"{kind} {detail}".rstrip()


def kind_of(alarm: str) -> Kind | None:
    """The kind of an alarm of this name; ``None`` for one that a later release knows."""
    word = alarm.partition(" ")[0]
    return Kind(word) if word in list(Kind) else None


def public(alarm: str) -> str:
    """The name as anybody may read it: of a class of removals its place and reason only.

    What follows in it may be the id of a group.
    """
    if kind_of(alarm) is not Kind.HELD:
        return alarm
    return "/".join(alarm.split("/")[:2])


def burst(pushed: Iterable[tuple[datetime, str]]) -> frozenset[str]:
    """Whose profiles were pushed together with those of enough others; oldest first."""
    found: set[str] = set()
    recent: dict[str, datetime] = {}  # by their last push, which moves them to the end
    alone: set[str] = set()
    for at, user in pushed:
        recent.pop(user, None)
        recent[user] = at
        while at - recent[oldest := next(iter(recent))] > BURST_WITHIN:
            del recent[oldest]
            alone.discard(oldest)
        if user not in found:
            alone.add(user)
        if len(recent) >= BURST:
            found |= alone
            alone.clear()
    return frozenset(found)


def telling(told: str, *, alive: bool) -> Phase | None:
    """What is to be told of an alarm of which this was ``told`` last; ``None`` if nothing is.

    One that is over before anybody could be told is told as over all the same.
    """
    if told == Phase.OVER:
        return None
    if not alive:
        return Phase.OVER
    return Phase.LASTING if told else Phase.BEGUN
