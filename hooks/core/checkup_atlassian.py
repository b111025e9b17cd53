"""What Atlassian showed of a directory and of the organization, judged: and what to do.

Must live here: every sentence about it. Must not know: how Atlassian is asked. Where something
stands for no answer it is a text that says why. Names of groups and ids only.
Sources of what is right: Atlassian's descriptions of user provisioning and of the organization
API; Atlassian, "Configure user provisioning with Okta", on product access.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from hooks.core.access import ORGANIZATION_KEY, UNTOLD
from hooks.core.alarm import WARN_DAYS
from hooks.core.change import never, shielded
from hooks.core.finding import Finding, Verdict, some
from hooks.core.reach import acted_on
from hooks.core.report import ago, counted
from hooks.core.rules import rules_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from hooks.core.ids import OrganizationGroupId
    from hooks.core.membership import OrganizationGroup
    from hooks.core.policy import Policy
    from hooks.core.reading import Missing, ScimLink

_PROVIDERS = "admin.atlassian.com, Security, Identity providers"
_ACCESS = "admin.atlassian.com, the product, Product access"
#: A key whose end is so near wants a new one.
SOON = timedelta(days=WARN_DAYS)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a directory shows of itself; ``patches`` is ``None`` where it does not say."""

    patches: bool | None
    users: int
    groups: int


@dataclass(frozen=True, slots=True)
class Written:
    """The last step at a local group that came to something: how it ended, and when."""

    state: str
    code: str
    at: datetime


# -- a directory -------------------------------------------------------------------------------


def of_directory(place: str, shown: Shown | str) -> Iterator[Finding]:
    """Whether it can do what it is asked to."""
    place = f"{place} directory"
    if isinstance(shown, str):
        yield Finding(Verdict.FAIL, place, f"it cannot be read ({shown})", f"see {_PROVIDERS}")
        return
    if shown.patches is False:
        about = "it says that it takes no PATCH, without which nobody is removed"
        yield Finding(Verdict.FAIL, place, about, f"see {_PROVIDERS}, and ask Atlassian")
    people, groups = counted(shown.users), counted(shown.groups, "group", "groups")
    empty = not shown.users
    yield Finding(
        Verdict.WARN if empty else Verdict.OK,
        place,
        f"it has {people} and {groups}",
        "if this is not so, its key is of another directory" if empty else "",
    )


def of_ownership(place: str, there: int, tried: int) -> Finding:
    """Whether the directory has whom Okta provisions: else it is another directory's."""
    place = f"{place} directory"
    if not tried:
        about = "whether Okta provisions into it: Okta names no record of anybody assigned"
        return Finding(Verdict.UNCHECKED, place, about)
    if there:
        return Finding(Verdict.OK, place, "it is the one into which the app provisions")
    about = f"it has none of {tried} whom the app has provisioned: the app fills another one"
    remedy = f"take scim_directory_id and its key from {_PROVIDERS}, as the app has them"
    return Finding(Verdict.FAIL, place, about, remedy)


def of_form(place: str, form: str | None) -> Finding | None:
    """How members can be removed, where that was tried. Design 3.8."""
    if form != "dead":
        return None
    about = "it removed others than the one asked for, so nobody is removed there any more"
    return Finding(Verdict.FAIL, f"{place} directory", about, "tell us, and ask Atlassian")


def of_expiry(setting: str, key: str, ends: date | None, today: date) -> Finding:
    """When a key ends, as the operator wrote it into ``[expiry]``; Atlassian tells nobody."""
    if ends is None:
        about = f"when it ends, which Atlassian tells nobody: [expiry] {setting} is not given"
        return Finding(
            Verdict.UNCHECKED, key, about, "write the date when it was made plus its life"
        )
    left = ends - today
    remedy = f"make another one, and write its date into [expiry] {setting}"
    if setting.startswith("scim_"):
        remedy += "; Okta needs it at once"
    if left < timedelta():
        about = f"it ended on {ends.isoformat()}, by [expiry] {setting}"
        return Finding(Verdict.FAIL, key, about, remedy)
    about = f"it ends on {ends.isoformat()}, in {counted(left.days, 'day', 'days')}"
    if left < SOON:
        return Finding(Verdict.WARN, key, about, remedy)
    return Finding(Verdict.OK, key, about)


# -- the organization --------------------------------------------------------------------------


def of_writing(last: Written | None, now: datetime, *, refused: bool) -> Finding:
    """Whether the key may write, as far as it shows without writing."""
    remedy = "make a key without scopes: admin.atlassian.com, API keys"
    if refused:
        about = "it may not change memberships: a process has been refused"
        return Finding(Verdict.FAIL, ORGANIZATION_KEY, about, remedy)
    if last is None:
        return UNTOLD
    when = ago(now - last.at)
    if last.state in ("settled", "submitted"):
        return Finding(Verdict.OK, ORGANIZATION_KEY, f"it changed a membership {when} ago")
    said = f"{last.state}, {last.code}" if last.code else last.state
    about = f"whether it may change memberships: the last try, {when} ago, is {said}"
    return Finding(Verdict.UNCHECKED, ORGANIZATION_KEY, about, "hooks steps shows it")


def of_links(links: Sequence[ScimLink] | Missing | str | None, ours: Collection[str]) -> Finding:
    """Whether Atlassian says which SCIM users an account is linked with. Said once."""
    place = "get-scim-links"
    if links is None:
        return Finding(
            Verdict.UNCHECKED, place, "whether it answers: no account is known to ask of"
        )
    if isinstance(links, str):
        about = f"it does not answer ({links}); local groups go on without it"
        return Finding(Verdict.UNCHECKED, place, about)
    if not isinstance(links, tuple | list):
        about = "Atlassian does not offer it; local groups go on without it"
        return Finding(Verdict.UNCHECKED, place, about)
    strange = sorted({each.directory for each in links} - set(ours))
    if strange:
        about = f"an account is linked into {some(strange)}, which hooks.toml does not name"
        remedy = "name it as a [[directory]], or have it deleted; until then its local groups stay"
        return Finding(Verdict.WARN, place, about, remedy)
    return Finding(Verdict.OK, place, "it answers")


def candidates(
    policy: Policy, groups: Sequence[OrganizationGroup], pushed: Collection[str]
) -> list[OrganizationGroup]:
    """Groups that we never change, unless that is meant: access they give no removal ends.

    ``pushed`` are the names of groups that mappings lead to. A directory's own group of everybody
    comes first: it is what Atlassian's guide has one give access to.
    """
    found = [
        group
        for group in groups
        if not _ours(policy, group, pushed)
        and not never(group.name)
        and not shielded(policy, group.id, [group.name])
    ]
    return sorted(found, key=lambda group: (not group.synced, group.name, group.id))


def _ours(policy: Policy, group: OrganizationGroup, pushed: Collection[str]) -> bool:
    if group.synced:
        return group.name in pushed
    rules = rules_for(policy, group.id, group.name)
    return any(acted_on(policy, each, group) for each in rules)


def of_endless(
    groups: Sequence[OrganizationGroup],
    roles: Mapping[OrganizationGroupId, frozenset[str] | str],
) -> Iterator[Finding]:
    """Access that no removal ends, because a group gives it that we may not touch."""
    place = "app access"
    giving = [
        each for each in groups if isinstance(roles.get(each.id), frozenset) and roles[each.id]
    ]
    untold = {str(roles[each.id]) for each in groups if isinstance(roles.get(each.id), str)}
    synced = [each.name for each in giving if each.synced]
    local = [each.name for each in giving if not each.synced]
    if synced:
        about = f"{some(synced)}: it gives access, and no mapping pushes it, so no removal ends it"
        remedy = f"take its access away, and give it to groups that Okta pushes: {_ACCESS}"
        yield Finding(Verdict.FAIL, place, about, remedy)
    if local:
        about = f"{some(local)}: local, giving access, and named by no rule that may touch it"
        remedy = "name it in a [[local_group]], or take its access away, unless it is meant to stay"
        yield Finding(Verdict.WARN, place, about, remedy)
    for why in sorted(untold):
        yield Finding(Verdict.UNCHECKED, place, f"whether all other groups give access: {why}")
    if not giving and not untold:
        yield Finding(Verdict.OK, place, "no group that we may not touch gives any")


def of_again(again: Collection[str], giving: Collection[str]) -> Finding | None:
    """Groups that a login grants anew: ``again`` as our journal shows, ``giving`` access at all."""
    place = "access at login"
    if again:
        about = f"{some(sorted(again))}: granted again twice after our removal"
        remedy = f"turn off automatic access for the domain: {_ACCESS}"
        return Finding(Verdict.WARN, place, about, remedy)
    if not giving:
        return None
    about = f"whether a login grants {some(sorted(giving))} anew, as automatic access does"
    return Finding(Verdict.UNCHECKED, place, about, f"see {_ACCESS}")
