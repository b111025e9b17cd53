"""Push mappings and groups as they are remembered: list them, or accept a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hooks.cli import opening, places, text
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.opening import Json, Why
from hooks.core import reach
from hooks.core.ids import (
    OktaUserId,
    OrganizationDirectoryId,
    OrganizationGroupId,
    PushMappingId,
)
from hooks.core.membership import ORGANIZATION, OrganizationGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hooks.cli.text import Record
    from hooks.core.policy import Policy
    from hooks.store.database import Tx
    from hooks.wiring import House

app = typer.Typer(
    help="Push mappings and groups as remembered: list them, or accept a change.",
    invoke_without_command=True,
)

_MAPPING = {
    "mapping": "MAPPING",
    "directory": "DIRECTORY",
    "source": "OKTA SOURCE",
    "name": "ATLASSIAN GROUP",
    "state": "STATE",
}
_GROUP = {
    "group": "GROUP",
    "name": "REMEMBERED AS",
    "kept": "KEPT",
    "now": "CALLED NOW",
    "state": "STATE",
}
#: People named once a change is accepted that no list will show any more.
_MOST_PEOPLE = 20


@app.callback()
def list_mappings(context: typer.Context, *, as_json: Json = False) -> None:
    """Every push mapping once matched to an Atlassian group, and whether it may be acted on."""
    if context.invoked_subcommand:
        return
    records, groups = opening.with_house(_listed)
    if as_json:
        text.as_json([*records, *groups])
        return
    text.table(records, _MAPPING)
    if groups:
        print("\nGroups of the organization that are not as they were:\n")
        text.table(groups, _GROUP)
    for each in groups:
        print()
        text.tell(f"{each['group']}: {each['then']}", below=2)


def _listed(house: House) -> tuple[list[Record], list[Record]]:
    policy = _policy(house)
    return house.database.read_now(lambda tx: (_mappings(tx), _groups(tx, policy)))


def _policy(house: House) -> Policy:
    from hooks import policies

    return policies.of(house.settings)


def _mappings(tx: Tx) -> list[Record]:
    from hooks.store import mappings as remembered

    stuck = remembered.refused(tx)
    named = {
        (directory, _called_now(tx, users, directory, group)): (cause, users)
        for (directory, group), (cause, users) in stuck.items()
    }
    found: list[Record] = []
    for directory, links in remembered.remembered(tx).items():
        for link in links:
            # One made anew under the same name, as after a lapse, has another id.
            cause, users = stuck.get(
                (directory, link.group), named.get((directory, link.name), ("", ()))
            )
            state = f"{cause}, {len(users)} refused" if cause else "ok"
            found.append(
                {
                    "mapping": link.mapping,
                    "directory": directory,
                    "source": link.source,
                    "target": link.target,
                    "group": link.group,
                    "name": link.name,
                    "state": "accepted, matched anew at the next look" if link.accept else state,
                }
            )
    return found


# -- groups of the organization ----------------------------------------------------------------


def _groups(tx: Tx, policy: Policy) -> list[Record]:
    """Groups refused because they changed, and accepted ones that no rule names."""
    from hooks.store import groups

    changed = groups.changed(tx)
    waiting = {row["id"] for row in changed}
    alone = [row for row in groups.accepted(tx) if not _rules(policy, row, row["name"])]
    return [
        *(_group(policy, row, _now(tx, row), _state(row)) for row in changed),
        *(
            _group(policy, row, row["name"], "accepted, and left alone")
            for row in alone
            if row["id"] not in waiting
        ),
    ]


def _state(row: Mapping[str, Any]) -> str:
    if row["accept"]:
        return "accepted, remembered anew at the next look"
    return f"group_changed, {len(row['users'])} refused"


def _group(policy: Policy, row: Mapping[str, Any], now: str, state: str) -> Record:
    """``then``: what follows, once it is accepted, for those who are in it."""
    rules = _rules(policy, row, now)
    if not rules:
        then = f"no [[local_group]] names {now}, so nobody loses it any more, not even who left"
    elif rules == _rules(policy, row, row["name"]):
        then = "synced and no more local, or local and no more synced; rules touch only local ones"
    else:
        then = f"{', '.join(rules)} names it now, and takes people out of it"
    return {
        "group": row["id"],
        "name": row["name"],
        "kept": "synced" if row["synced"] else "local",
        "now": now,
        "rules": rules,
        "state": state,
        "then": then,
    }


def _now(tx: Tx, row: Mapping[str, Any]) -> str:
    return _called_now(tx, row["users"], ORGANIZATION, row["id"]) or row["name"]


def _called_now(tx: Tx, users: Sequence[str], where: str, group: str) -> str:
    """What the newest look at somebody who is refused over a group called it; empty if nothing."""
    from hooks.store import looks

    told = [told for _, told in looks.of(tx, OktaUserId(users[-1]), limit=1)]
    there = [place for each in told for name, place in places.of(each, {}) if name == where]
    groups = [each for place in there for each in text.items(place["groups"])]
    return next((str(each["name"]) for each in groups if each["id"] == group), "")


def _rules(policy: Policy, row: Mapping[str, Any], name: str) -> list[str]:
    """The rules that name a group under this name, by their places in the file."""
    group = OrganizationGroup(
        OrganizationGroupId(row["id"]),
        name,
        OrganizationDirectoryId("any"),
        synced=row["synced"],
        modifiable=True,
    )
    return [
        reach.rule_place(index, policy)
        for index, rule in enumerate(policy.rules)
        if reach.reached(policy, rule, [group])
    ]


# -- accepting ---------------------------------------------------------------------------------


@app.command("accept")
def accept_mapping(
    mapping: Annotated[str, typer.Argument(metavar="ID", help="A mapping or a group, as listed.")],
    why: Why,
) -> None:
    """Take a changed mapping or group as it is now.

    For a mapping that moved, or a group that was renamed or became synced or local; check it
    first: `hooks mappings` tells what follows.
    """
    known = PushMappingId.maybe(mapping) or OrganizationGroupId.maybe(mapping)
    if known is None:
        raise UsageError("ID: write the id as `hooks mappings` lists it")
    reason = opening.reason(why)
    group, people = opening.with_house(lambda house: _accepted(house, known, reason))
    text.tell(f"accepted: {known} is taken as it is at the next look", below=2)
    if group:
        text.tell(f"It is called {group['now']}; {group['then']}.")
    print(f"{len(people)} of the people refused for it are looked at within a minute")
    if group and not group["rules"] and people:
        _name(people)


def _name(people: Sequence[OktaUserId]) -> None:
    """Whom nothing will name as refused any more."""
    more = len(people) - _MOST_PEOPLE
    print("Should they lose it, name it in [[local_group]], restart `hooks serve`, then:")
    for each in people[:_MOST_PEOPLE]:
        print(f"  hooks look {each}")
    if more > 0:
        print(f"  and {more} more; `hooks explain` tells whom it is about")


def _accepted(
    house: House, known: PushMappingId | OrganizationGroupId, why: str
) -> tuple[Record | None, Sequence[OktaUserId]]:
    """What becomes of a group that is accepted, and the people who are looked at."""
    policy = _policy(house)

    def accept(tx: Tx) -> tuple[Record | None, Sequence[OktaUserId]]:
        group = next((each for each in _groups(tx, policy) if each["group"] == known), None)
        return group, _accept(tx, known, why)

    return house.database.write_now(accept)


def _accept(tx: Tx, known: PushMappingId | OrganizationGroupId, why: str) -> Sequence[OktaUserId]:
    from hooks.store import groups, orders
    from hooks.store import mappings as remembered

    room = remembered if isinstance(known, PushMappingId) else groups
    concerned: list[OktaUserId] | None = room.accept(tx, known)
    if concerned is None:
        raise FailedError(f"mappings: {known} is not remembered; `hooks mappings` lists them")
    orders.record(tx, "accept", known, who=opening.who(), why=why)
    return concerned
