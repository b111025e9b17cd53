"""`hooks groups`: before an Okta group is pushed, or after a push has failed.

Must live here: how a review is shown, and the rule it suggests. Must not know: how one is made.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import opening, seats, text
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.opening import Json
from hooks.cli.progress import Progress
from hooks.core import conflict
from hooks.core.conflict import WAY_OUT, WORDS, Verdict
from hooks.core.report import counted
from hooks.settings import Role, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hooks.cli.text import Record
    from hooks.core.conflict import Conflict, Here
    from hooks.core.policy import Policy

_NO_ORGANIZATION = (
    "No organization_id is given: groups made in Atlassian are not seen, though a push fails on"
    " them."
)

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="GROUP", help="Okta groups, by name or id; else all that conflict."),
]
Ids = Annotated[bool, typer.Option("--ids", help="List whom a push adds and drops, by id.")]


def groups(names: Names = None, *, ids: Ids = False, as_json: Json = False) -> None:
    """Review Okta groups before they are pushed, or after a push failed.

    Tells which Atlassian group has the name, what it gives, how many members a push would add
    and drop, and which seats that frees or takes. Reads only. Without GROUP: every Okta group
    whose name a group in Atlassian has that it is not pushed to, and every failed push.
    """
    if any(not each.strip() or not each.isprintable() for each in names or ()):
        raise UsageError("GROUP: write the name of an Okta group, or its id")
    asyncio.run(_groups([each.strip() for each in names or ()], ids=ids, as_json=as_json))


async def _groups(names: Sequence[str], *, ids: bool, as_json: bool) -> None:
    from hooks import policies, wiring
    from hooks.review import Review

    settings = load(need=Role.LOOK)
    opening.quiet(logging.CRITICAL)  # what fails is told at the end, in a line
    progress = Progress("groups")
    policy = policies.of(settings)
    async with wiring.opened(settings, vendors=True) as house:
        if house.observer is None:
            raise FailedError("groups: no vendors are open")
        try:
            with opening.way_out():
                review = Review(house.observer, progress.say)
                found = [each async for each in review.of(names)]
        finally:
            progress.end()
    if as_json:
        text.as_json([_record(each, policy, ids=ids) for each in found])
    else:
        _show(found, policy, ids=ids)


# -- for people --------------------------------------------------------------------------------


def _show(found: Sequence[Conflict], policy: Policy, *, ids: bool) -> None:
    for number, each in enumerate(found):
        print("\n" if number else "", end="")
        for words, below in _lines(each, policy, ids=ids):
            text.tell(words, below=below)
        for line in _rule(each, policy):
            print(f"     {text.clean(line)}")  # whole, so that it can be copied
    if not found:
        print("no Okta group has the name of a group in Atlassian that it is not pushed to")
    elif any(each.seats for each in found):
        print()
        text.tell(seats.CAVEAT)
    if not policy.organization:
        print()
        text.tell(_NO_ORGANIZATION)


def _lines(found: Conflict, policy: Policy, *, ids: bool) -> Iterator[tuple[str, int]]:
    named = "" if found.name == found.okta_group.name else f", pushed as {found.name}"
    where = f"{found.okta_group.name} ({found.okta_group.id}){named}, directory {found.directory}"
    yield where, 2
    yield f"  {found.verdict}: {WORDS[found.verdict]}", 4
    for each in found.here:
        yield f"  {_kind(each)} {each.group.name} ({each.group.id})", 4
        for line in _gives(each):
            yield f"    {line}", 6
    if found.scim:
        apart = ", made and never synced to the site" if found.unsynced else ""
        yield f"  SCIM group {found.scim.display} ({found.scim.id}){apart}", 4
    yield from ((f"  {line}", 4) for line in _changes(found, ids=ids))
    if WAY_OUT[found.verdict]:
        yield f"  -> {WAY_OUT[found.verdict]}", 5
    for each in _ruled(found, policy):
        yield f"  a [[local_group]] names {each.group.name} already", 4


def _kind(each: Here) -> str:
    return "synced group" if each.group.synced else "local group"


def _gives(each: Here) -> Iterator[str]:
    if not each.grants:
        yield "gives no app"
    for grant in sorted(each.grants):
        yield f"gives {', '.join(grant.roles) or 'a role'} in {seats.app(grant.app)}"


def _changes(found: Conflict, *, ids: bool) -> Iterator[str]:
    change = found.overwrite
    if change is None:
        return
    yield (
        f"members: {len(change.added)} added, {len(change.lost)} lost, {change.kept} kept;"
        f" {change.skipped} of Okta's not pushed (not assigned, or no account yet)"
    )
    if ids:
        yield from (f"added {each}" for each in sorted(change.added))
        yield from (f"lost  {each}" for each in sorted(change.lost))
    if found.seats:
        for app in sorted({*found.seats.freed, *found.seats.taken}):
            freed, taken = found.seats.freed.get(app, 0), found.seats.taken.get(app, 0)
            yield f"seats in {seats.app(app)}: {freed} free, {taken} taken"
        if found.seats.untold:
            yield f"seats of {counted(found.seats.untold)} not asked about"


def _ruled(found: Conflict, policy: Policy) -> list[Here]:
    return [each for each in found.local if conflict.ruled(policy, each.group)]


def _rule(found: Conflict, policy: Policy) -> list[str]:
    """The rule that keeps the group's members where SCIM cannot."""
    if found.verdict is not Verdict.DEFAULT or _ruled(found, policy):
        return []
    name, source = found.local[0].group.name, found.okta_group.name
    return [
        "[[local_group]]",
        f"name = {_toml(name)}",
        f"while_member_of = [{_toml(source)}]",
    ]


def _toml(words: str) -> str:
    """A basic string, as JSON has it but for one sign. A glob's signs stand for themselves so."""
    meant = "".join(f"[{each}]" if each in "*?[" else each for each in words)
    return json.dumps(meant, ensure_ascii=False).replace("\x7f", "\\u007F")


# -- for programs ------------------------------------------------------------------------------


def _record(found: Conflict, policy: Policy, *, ids: bool) -> Record:
    change, turnover = found.overwrite, found.seats
    told: Record = {
        "okta_group": found.okta_group.id,
        "okta_name": found.okta_group.name,
        "directory": found.directory,
        "name": found.name,
        "verdict": found.verdict,
        "words": WORDS[found.verdict],
        "way_out": WAY_OUT[found.verdict] or None,
        "mappings": [{"id": each.id, "status": each.status} for each in found.mappings],
        "scim_group": found.scim.id if found.scim else None,
        "unsynced": found.unsynced,
        "groups": [
            {
                "id": each.group.id,
                "name": each.group.name,
                "synced": each.group.synced,
                "grants": [
                    {"app": one.owner, "resource": one.resource, "roles": list(one.roles)}
                    for one in sorted(each.grants)
                ],
                "ruled": conflict.ruled(policy, each.group),
            }
            for each in found.here
        ],
        "rule": "\n".join(_rule(found, policy)) or None,
        "members": change
        and {
            "added": len(change.added),
            "lost": len(change.lost),
            "kept": change.kept,
            "skipped": change.skipped,
        },
        "seats": turnover
        and {
            "freed": {seats.app(app): number for app, number in sorted(turnover.freed.items())},
            "taken": {seats.app(app): number for app, number in sorted(turnover.taken.items())},
            "untold": turnover.untold,
        },
    }
    if ids and change:
        told |= {"added": sorted(change.added), "lost": sorted(change.lost)}
    return told
