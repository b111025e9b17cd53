"""What Okta showed of its hook, of itself and of each app, judged: and what to do.

Must live here: every sentence about it. Must not know: how Okta is asked. Where something stands
for no answer it is a text that says why.
Sources of what is right: developer.okta.com/docs/concepts/event-hooks; Okta OpenAPI; Atlassian,
"Configure user provisioning with Okta".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hooks.core.event_hook import PATH
from hooks.core.finding import Finding, Verdict, some
from hooks.core.log_event import EVENT_TYPES
from hooks.core.registration import MAY_BE_REFUSED, Trouble, at, differences, troubles
from hooks.core.report import ago, counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from hooks.core.ids import OktaGroupId
    from hooks.core.reading import PushMapping
    from hooks.core.registration import EventHook, Wanted

#: After so long without a delivery somebody should look, however quiet the org is.
_SILENT = timedelta(days=7)

FAILED_DELIVERY = "event_hook.delivery"
LEFT_OUT = "app.user_management.grouppush.mapping.okta.users.ignored"
TAKES_ITSELF = "application.provision.user.remove_entitlements"
SWITCHED = "application.lifecycle.update"
#: What the System Log is asked for. Source: Okta event type catalogue.
SIGNS = (FAILED_DELIVERY, LEFT_OUT, TAKES_ITSELF)

_HOOK = "event hook"
_REGISTER = "hooks register makes one; or by hand, as the README says"
_MEND = "with hooks serve running: hooks register"
_SCOPES = "Okta's Admin Console, Applications, the service app, Okta API Scopes"
_TO_APP = "Okta's Admin Console, the app, Provisioning, To App"
_PUSH = "Okta's Admin Console, the app, Push Groups"


@dataclass(frozen=True, slots=True)
class Signs:
    """What the System Log says of the last day, by type; of a switch, its last word by app.

    ``whole``: it was read to its end.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    deprovisioning: Mapping[str, bool] = field(default_factory=dict)
    whole: bool = True


# -- the hook ----------------------------------------------------------------------------------


def hooks_unread(why: str, *, refused: bool) -> Finding:
    """Nothing is known of the hook; ``refused``: for want of a right, which may be granted."""
    remedy = "grant the service app okta.eventHooks.read, or give HOOKS_OKTA_ADMIN_* here"
    return Finding(Verdict.UNCHECKED, _HOOK, why, remedy if refused else "")


def of_hooks(hooks: Sequence[EventHook], wanted: Wanted) -> Iterator[Finding]:
    """Whether one leads here, receives, and hears what is needed; an empty URL is not known."""
    found = _here(hooks, wanted.url)
    if not found:
        yield _nowhere(hooks, wanted.url)
        return
    yield from _of_hook(max(found, key=lambda each: _worth(each, wanted)), wanted)
    if not wanted.url:
        about = "which URL is the right one: it is not given"
        yield Finding(Verdict.UNCHECKED, "[okta] hook_url", about, "write it into hooks.toml")


def _here(hooks: Iterable[EventHook], url: str) -> tuple[EventHook, ...]:
    if url:
        return at(hooks, url)
    return tuple(each for each in hooks if urlsplit(each.spec.url).path.endswith(PATH))


def _nowhere(hooks: Sequence[EventHook], url: str) -> Finding:
    if not hooks:
        return Finding(Verdict.FAIL, _HOOK, "Okta has none, so nothing is sent", _REGISTER)
    if not url:
        about = f"none of Okta's {len(hooks)} leads to a URL that ends in {PATH}"
        return Finding(Verdict.FAIL, _HOOK, about, _REGISTER)
    about = f"none of Okta's {len(hooks)} leads to [okta] hook_url"
    if near := _here(hooks, ""):
        about += f"; one leads to {_shown(near[0].spec.url)}"
        return Finding(Verdict.FAIL, _HOOK, about, "correct hook_url, or hooks register --move")
    return Finding(Verdict.FAIL, _HOOK, about, _REGISTER)


def _shown(url: str) -> str:
    """A URL without what may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def _worth(hook: EventHook, wanted: Wanted) -> tuple[bool, int]:
    """While a secret is rotated there are two, and one may be on its way out."""
    return hook.receives, -len(_troubles(hook, wanted))


def _troubles(hook: EventHook, wanted: Wanted) -> tuple[Trouble, ...]:
    """As `hooks hook` tells them; of a URL that is not known nothing is wrong."""
    found = troubles(hook, wanted)
    return tuple(each for each in found if wanted.url or each is not Trouble.URL)


_OF_HOOK = {
    Trouble.INACTIVE: "it is not active, so nothing is sent",
    Trouble.UNVERIFIED: "it is not verified, so nothing is sent",
    Trouble.HEADER: "its secret comes in another header than [okta] hook_header",
    Trouble.FILTER: "its filter is not ours, and may keep events away",
}


def _of_hook(hook: EventHook, wanted: Wanted) -> Iterator[Finding]:
    missing = differences(hook, wanted).missing
    needed = [each for each in missing if each not in MAY_BE_REFUSED]
    for trouble in _troubles(hook, wanted):
        about = _OF_HOOK.get(trouble, f"it does not hear {some(needed)}")
        yield Finding(Verdict.FAIL, _HOOK, about, _MEND)
    if missing and not needed:
        about = f"it does not hear {some(missing)}"
        remedy = f"{_MEND}; where the org does not offer it, the System Log tells, a minute late"
        yield Finding(Verdict.WARN, _HOOK, about, remedy)
    if hook.receives:
        heard = f"{len(EVENT_TYPES) - len(missing)} of {len(EVENT_TYPES)} types"
        yield Finding(Verdict.OK, _HOOK, f"active and verified, hears {heard}")


def of_deliveries(last: datetime | None, missed: int, now: datetime) -> Finding:
    """Whether any came lately; ``missed`` of the last day the System Log alone told of."""
    place = "deliveries"
    remedy = "see the event hook, and that its URL reaches hooks serve within 3 seconds"
    if last is None:
        return Finding(Verdict.WARN, place, "none was ever stored here", remedy)
    if missed:
        about = f"{counted(missed, 'event', 'events')} of the last day came by the System Log alone"
        return Finding(Verdict.WARN, place, about, remedy)
    quiet = now - last >= _SILENT
    about = f"the last was stored {ago(now - last)} ago"
    return Finding(Verdict.WARN if quiet else Verdict.OK, place, about, remedy if quiet else "")


def of_log(signs: Signs | str) -> Iterator[Finding]:
    """What the System Log says of the last day."""
    place = "System Log"
    if isinstance(signs, str):
        remedy = "grant okta.logs.read: what the hook misses, and who was absent, is read there"
        yield Finding(Verdict.FAIL, place, f"it cannot be read ({signs})", remedy)
        return
    least = "" if signs.whole else "at least "
    failed, left, takes = (
        signs.counts.get(each, 0) for each in (FAILED_DELIVERY, LEFT_OUT, TAKES_ITSELF)
    )
    if failed:
        about = f"Okta failed to deliver {least}{counted(failed, 'time', 'times')} in the last day"
        remedy = "hooks hook says why, and what to do; hooks serve reads what failed from the log"
        yield Finding(Verdict.WARN, place, about, remedy)
    else:
        yield Finding(Verdict.OK, place, "it is read, and tells of no failed delivery")
    if left:
        about = f"Okta left people out of a group push {least}{counted(left, 'time', 'times')}"
        yield Finding(Verdict.OK, place, f"{about}: what it leaves behind is removed here")
    if takes:
        about = "Okta itself takes groups when it deprovisions (remove_entitlements)"
        remedy = "have only one of the two do it: Okta's granular deprovisioning, or this service"
        yield Finding(Verdict.WARN, place, about, remedy)
    about = "whether Okta's 400,000 events a day are near: how it warns of that is not published"
    yield Finding(Verdict.UNCHECKED, place, about)


# -- what the credential sees ------------------------------------------------------------------


def of_scopes(refused: Collection[str], asked: int) -> Iterator[Finding]:
    """Which scopes are not granted; if none is, it is the key that is refused, and no scope."""
    if len(refused) < asked:
        for each in sorted(refused):
            remedy = f"grant it: {_SCOPES}"
            yield Finding(Verdict.FAIL, each, "not granted, so there is no token at all", remedy)


def of_sight(*, anybody: bool | str, everyone: bool | str) -> Iterator[Finding]:
    """Whether the role shows people and the group Everyone. Design 3.2."""
    place = "admin role"
    role = "give the service app an admin role that views (README, Connect, step 1)"
    unread = [(anybody, "okta.users.read"), (everyone, "okta.groups.read")]
    for answer, scope in unread:
        if isinstance(answer, str):
            yield Finding(Verdict.FAIL, scope, answer, f"grant {scope}, and a role that views")
    if anybody is False:
        about = "Okta shows nobody: without a role it answers, and with nothing"
        yield Finding(Verdict.FAIL, place, about, role)
    if everyone is False:
        about = "Okta does not show the group Everyone, so nothing is proved of who is in no other"
        yield Finding(Verdict.FAIL, place, about, f"{role}: all groups, Everyone among them")
    if anybody is True and everyone is True:
        yield Finding(Verdict.OK, place, "it shows people and the group Everyone")


# -- each app ----------------------------------------------------------------------------------


def of_mappings(
    place: str, mappings: Sequence[PushMapping] | str, hidden: Collection[OktaGroupId] | str
) -> Iterator[Finding]:
    """Whether Okta pushes, and shows what from; ``hidden`` are groups it does not show."""
    place = f"{place} push mappings"
    if isinstance(mappings, str):
        remedy = "grant okta.apps.read and okta.groups.read, and a role that sees the app"
        yield Finding(Verdict.FAIL, place, f"they cannot be read ({mappings})", remedy)
        return
    if not mappings:
        about = "there are none, so no synced group is ever touched"
        yield Finding(Verdict.WARN, place, about, f"push groups: {_PUSH}; or see the admin role")
        return
    by_status: dict[str, list[str]] = {}
    for each in mappings:
        by_status.setdefault(each.status, []).append(each.id)
    yield from (_of_status(place, each, ids) for each, ids in sorted(by_status.items()))
    if isinstance(hidden, str):
        yield Finding(Verdict.UNCHECKED, place, f"whether their groups are shown: {hidden}")
    elif hidden:
        about = f"Okta does not show {some(sorted(hidden))}, so nothing is removed there"
        yield Finding(Verdict.FAIL, place, about, "let the admin role see these groups")


def _of_status(place: str, status: str, ids: Sequence[str]) -> Finding:
    count = counted(len(ids), "is", "are")
    if status == "ACTIVE":
        return Finding(Verdict.OK, place, f"{count} ACTIVE")
    about = f"{count} in {status}, and not pushed: {some(ids)}"
    if status == "ERROR":
        return Finding(Verdict.FAIL, place, about, f"mend it, then Push now: {_PUSH}")
    return Finding(Verdict.WARN, place, about, f"activate or delete it: {_PUSH}")


def of_both(
    place: str,
    assigned: Collection[OktaGroupId] | str,
    mappings: Iterable[PushMapping] | str,
    names: Mapping[OktaGroupId, str],
) -> Finding:
    """Whether a group assigns the app and is pushed: then the last push never comes."""
    place = f"{place} assignments"
    if isinstance(assigned, str) or isinstance(mappings, str):
        why = assigned if isinstance(assigned, str) else str(mappings)
        about = f"whether groups are both assigned and pushed: {why}"
        return Finding(Verdict.UNCHECKED, place, about)
    found = {each.source for each in mappings if each.source in assigned}
    both = sorted(names.get(each, each) for each in found)
    if not both:
        return Finding(Verdict.OK, place, "no group is both assigned and pushed")
    number = counted(len(both), "group is", "groups are")
    about = f"{number} both assigned and pushed, so Okta pushes no removal: {some(both)}"
    return Finding(Verdict.WARN, place, about, "assign the app by a group that is not pushed")


def of_deprovisioning(
    place: str, *, told: bool | str, logged: bool | None, features: Collection[str] | str
) -> Finding:
    """Whether Okta deactivates who is unassigned: as it says, as it logged, or as features show."""
    place = f"{place} deprovisioning"
    why = "" if isinstance(told, bool) else ", as the System Log says"
    on = told if isinstance(told, bool) else logged
    if on is None and not isinstance(features, str) and "PUSH_USER_DEACTIVATION" in features:
        on, why = True, ", as the app's features say"
    if on is None:
        return Finding(Verdict.UNCHECKED, place, f"whether Deactivate Users is on: {told}", _TO_APP)
    if on:
        return Finding(Verdict.OK, place, f"Deactivate Users is on{why}")
    about = f"Deactivate Users is off{why}: who is unassigned stays active in Atlassian"
    return Finding(Verdict.FAIL, place, about, f"enable it: {_TO_APP}")
