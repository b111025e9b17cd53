"""Whether somebody's SCIM record may be deleted, or everything that speaks against it.

Must live here: every rule of that. Must not know: how a record is found, or deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from hooks.core.membership import Action, Mode, Standing
from hooks.core.protection import administers
from hooks.core.reading import Account, Unread, Why

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooks.core.ids import DirectoryName, OktaUserId, ScimUserId, Uuid
    from hooks.core.plan import DirectoryPlan, LocalPlan, Plan
    from hooks.core.reading import Missing, ScimLink, ScimRecord


class Obstacle(StrEnum):
    """Each reason to leave a record where it is; the text that goes with it is the way out."""

    IN_FORCE = "in_force"
    OWNER_NONE = "owner_none"
    OWNER_SEVERAL = "owner_several"
    NOT_THEIRS = "not_theirs"
    NOT_AWAY = "not_away"
    UNCLEAR = "unclear"
    CONTRADICTED = "contradicted"
    PROTECTED = "protected"
    ACCOUNT_NONE = "account_none"
    ACCOUNT_UNREAD = "account_unread"
    ADMIN = "admin"
    ELSEWHERE = "elsewhere"
    LINKS_UNREAD = "links_unread"
    OBSERVED = "observed"


WAY_OUT = {
    Obstacle.IN_FORCE: "Okta assigns the app to them: unassign or deactivate them there first.",
    Obstacle.OWNER_NONE: "Nothing ties the record to an Okta user: ask Atlassian's support.",
    Obstacle.OWNER_SEVERAL: "Several Okta users are tied to the record: settle whose it is.",
    Obstacle.NOT_THEIRS: "The Okta user does not hold this record: hooks look USER --dry-run.",
    Obstacle.NOT_AWAY: "Only who was deactivated or unassigned can be released.",
    Obstacle.UNCLEAR: "Something could not be read: hooks look USER --dry-run says what.",
    Obstacle.CONTRADICTED: "An event says otherwise than the reading: again in ten minutes.",
    Obstacle.PROTECTED: "The policy protects them, or does not reach them: hooks policy check.",
    Obstacle.ACCOUNT_NONE: "The record names no Atlassian account: there is nothing to free.",
    Obstacle.ACCOUNT_UNREAD: "The organization must show the account: check organization_id.",
    Obstacle.ADMIN: "The account administers Atlassian: revoke the role there first.",
    Obstacle.ELSEWHERE: "The account has another SCIM record as well: nothing would be freed.",
    Obstacle.LINKS_UNREAD: "The organization did not say which SCIM records there are: again.",
    Obstacle.OBSERVED: "Mode observe: nothing is sent.",
}


@dataclass(frozen=True, slots=True)
class Hindrance:
    """One obstacle; ``detail`` holds ids and words of ours only."""

    obstacle: Obstacle
    detail: str = ""

    def __str__(self) -> str:
        """For people."""
        way = WAY_OUT[self.obstacle]
        return (
            f"{self.obstacle} ({self.detail}): {way}" if self.detail else f"{self.obstacle}: {way}"
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What one reading says about a record.

    ``owners`` are the Okta users anything ties to it, ``assigned`` those among all users of the
    app who are in force under it or its userName. ``plan`` is the owner's, if there is one.
    ``links`` are ``MISSING`` where Atlassian does not offer that call; ``others`` are records of
    the directories we manage that name the same account. ``guarded``: the policy protects the
    owner, or leaves them out. ``pushed`` are the names of groups that push mappings lead to.
    """

    directory: DirectoryName
    scim_directory: str
    record: ScimRecord
    mode: Mode
    owners: frozenset[OktaUserId]
    assigned: frozenset[OktaUserId]
    plan: Plan | None
    account: Account | Missing | Unread
    links: tuple[ScimLink, ...] | Missing | Unread
    others: frozenset[ScimUserId] = frozenset()
    guarded: bool = False
    pushed: frozenset[str] = frozenset()

    @property
    def place(self) -> DirectoryPlan | None:
        """The owner's plan for this directory."""
        found = self.plan.directories if self.plan else ()
        return next((each for each in found if each.name == self.directory), None)


def hindrances(facts: Facts) -> tuple[Hindrance, ...]:
    """Everything that speaks against it, but for memberships that can still be taken."""
    return (*_of_owner(facts), *_of_plan(facts), *_of_account(facts), *_of_mode(facts))


def staying(facts: Facts) -> tuple[str, ...]:
    """The groups the record or its account is still in that ought to be taken first.

    A record may leave out the groups of somebody inactive: what was seen in it before counts,
    and what the organization shows.
    """
    found = {group.display for group in facts.record.groups or ()}
    names: dict[Uuid, str] = {each.id: each.display for each in facts.record.groups or ()}
    if facts.place:
        groups = (each.group for each in facts.place.refusals if each.group)
        found |= {names.get(each, each) for each in groups}
    if facts.plan:
        found |= {each.group.display for each in facts.plan.steps if each.action is Action.REMOVE}
        found |= _staying_there(facts, facts.plan.local) if facts.plan.local else set()
    return tuple(sorted(found))


def _staying_there(facts: Facts, local: LocalPlan) -> set[str]:
    names: dict[Uuid, str] = {each.group.id: each.group.name for each in local.groups}
    pushed = {
        each.group.name
        for each in local.groups
        if each.group.synced and each.group.name in facts.pushed
    }
    parked = {names.get(each.group, each.name) for each in local.ledger.parked}
    return (
        pushed
        | parked
        | {names.get(each.group, each.group) for each in local.refusals if each.group}
    )


def _of_owner(facts: Facts) -> Iterator[Hindrance]:
    if facts.assigned:
        yield Hindrance(Obstacle.IN_FORCE, _ids(facts.assigned))
    everybody = facts.owners | facts.assigned
    if not everybody:
        yield Hindrance(Obstacle.OWNER_NONE)
    elif len(everybody) > 1:
        yield Hindrance(Obstacle.OWNER_SEVERAL, _ids(everybody))


def _of_plan(facts: Facts) -> Iterator[Hindrance]:
    plan, place = facts.plan, facts.place
    if plan is None or place is None:
        if len(facts.owners | facts.assigned) == 1:
            yield Hindrance(Obstacle.UNCLEAR)
        return
    yield from _of_place(facts, place)
    if facts.record.groups is None:
        yield Hindrance(Obstacle.UNCLEAR, "memberships_unread")
    if plan.contradictions:
        yield Hindrance(Obstacle.CONTRADICTED)
    if facts.guarded:
        yield Hindrance(Obstacle.PROTECTED)
    yield from _of_local(plan)


def _of_place(facts: Facts, place: DirectoryPlan) -> Iterator[Hindrance]:
    """They must be away, and their look must take this record for theirs."""
    whole = [each.cause for each in place.refusals if each.group is None]
    if whole:
        yield Hindrance(Obstacle.UNCLEAR, ", ".join(whole))
    elif not place.standing.absent:
        yield Hindrance(Obstacle.NOT_AWAY, place.standing)
    elif place.record is None or place.record.id != facts.record.id:
        yield Hindrance(Obstacle.NOT_THEIRS)


def _of_local(plan: Plan) -> Iterator[Hindrance]:
    """The organization's plan must be whole; a group it refuses shows as one that stays."""
    local = plan.local
    if local is None:
        yield Hindrance(Obstacle.ACCOUNT_UNREAD)
        return
    whole = sorted({each.cause for each in local.refusals if each.group is None})
    if whole or local.standing is Standing.UNCLEAR:
        yield Hindrance(Obstacle.UNCLEAR, ", ".join(["organization", *whole]))


def _of_account(facts: Facts) -> Iterator[Hindrance]:
    if facts.record.account is None:
        yield Hindrance(Obstacle.ACCOUNT_NONE)
        return
    account = facts.account
    if not isinstance(account, Account) or account.id != facts.record.account:
        yield Hindrance(Obstacle.ACCOUNT_UNREAD)
    elif account.roles is None or administers(account):
        yield Hindrance(Obstacle.ADMIN, "" if account.roles else "its roles are not told")
    yield from _of_links(facts)


def _of_links(facts: Facts) -> Iterator[Hindrance]:
    """The account's one record must be this one, as far as anybody tells."""
    if facts.others:
        yield Hindrance(Obstacle.ELSEWHERE, _ids(facts.others))
    links = facts.links
    if isinstance(links, Unread):
        if links.why is not Why.FORBIDDEN:
            yield Hindrance(Obstacle.LINKS_UNREAD)
    elif isinstance(links, tuple):
        told = {(each.directory.casefold(), each.scim_id.casefold()) for each in links}
        mine = facts.scim_directory.casefold(), facts.record.id.casefold()
        if told != {mine}:
            yield Hindrance(Obstacle.ELSEWHERE, "the organization's links are not this one record")


def _of_mode(facts: Facts) -> Iterator[Hindrance]:
    if facts.mode is not Mode.ENFORCE:
        yield Hindrance(Obstacle.OBSERVED)


def _ids(found: frozenset[OktaUserId] | frozenset[ScimUserId]) -> str:
    return ", ".join(sorted(found))
