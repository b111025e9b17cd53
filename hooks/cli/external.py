"""`hooks external`: people outside the verified domains whom Atlassian unlinked or dropped.

Must live here: how they are shown, the file for Atlassian's support, and the order to repair.
Must not know: who is external, or how anybody is judged.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from hooks.cli import files, opening, text
from hooks.cli.ends import FAILED, FailedError, UsageError
from hooks.cli.opening import Json, Reason
from hooks.cli.progress import Progress
from hooks.core import outside
from hooks.core.outside import WAY_OUT, WORDS, Estranged, Lack
from hooks.core.policy import Restore
from hooks.core.refusal import WAY_OUT as REMEDIES
from hooks.core.report import counted
from hooks.settings import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hooks.cli.foresight import Seen
    from hooks.cli.text import Record
    from hooks.core.ids import OktaUserId
    from hooks.external import Outside, Suspect
    from hooks.store.database import Tx
    from hooks.wiring import House

#: People in one transaction. Design 5.1.
_PORTION = 100
_HEADINGS = (
    "scim directory",
    "scim user",
    "atlassian account",
    "okta user",
    "primary e-mail",
    "what is wrong",
    "synced groups that are missing",
)

Apply = Annotated[
    bool, typer.Option("--apply", help="Have the missing memberships added again by `serve`.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show; so it is without --apply.")]
Support = Annotated[
    Path | None,
    typer.Option("--support", metavar="FILE", help="Write what Atlassian's support needs, as CSV."),
]


def external(
    *,
    apply: Apply = False,
    dry_run: DryRun = False,
    reason: Reason = None,
    support: Support = None,
    as_json: Json = False,
) -> None:
    """Find external people whom a Force Sync of Okta unlinked, or dropped from groups.

    Those in force whose address lies outside the verified domains are compared with their SCIM
    records. With --apply, memberships that Okta wants are added again; a link that is lost only
    Atlassian's support can mend. Ids only, but for the file, which has addresses too.

    Exit code 1: somebody could not be judged.
    """
    if apply and dry_run is (reason is not None):
        raise UsageError("external: --apply needs --reason TEXT, or --dry-run")
    if reason is not None and not apply:
        raise UsageError("external: --reason belongs to --apply")
    why = None if reason is None else opening.reason(reason)
    with ExitStack() as stack:
        file = stack.enter_context(files.written(support, "--support")) if support else None
        if not asyncio.run(_external(_Asked(why, file, as_json))):
            raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for; ``why`` is ``None`` unless memberships are to be added."""

    why: str | None
    file: IO[str] | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """What came out; ``unread`` could not be judged."""

    of: Outside
    people: tuple[Estranged, ...]
    unread: int

    @property
    def repairable(self) -> list[Estranged]:
        """Those to whom something may be added."""
        return [each for each in self.people if each.missing]


async def _external(asked: _Asked) -> bool:
    """Find, show, and order; whether everybody was judged."""
    async with opening.opened(Role.LOOK, vendors=True) as house:
        opening.quiet(logging.CRITICAL)  # what fails is told at the end, in a line
        with opening.way_out("nothing was changed"):
            found = await _found(house)
        if asked.file:
            _write(house, found, asked.file)
        ordered = _order(house, found, asked.why) if asked.why is not None else None
        if asked.as_json:
            text.as_json(_record(found, ordered))
        else:
            _show(found)
            _tell_ordered(house, found, ordered)
        return not found.unread


async def _found(house: House) -> _Found:
    from hooks.cli.foresight import Foresight
    from hooks.external import External
    from hooks.gateways.organization_review import OrganizationReview

    if house.observer is None:
        raise FailedError("external: no vendors are open")
    organization, key = house.observer.organization, house.settings.atlassian.organization_id
    review = OrganizationReview(organization.door, key) if organization and key else None
    progress = Progress("external")
    try:
        lists = await External(house.observer, review, house.database, progress.say).find()
        work = await Foresight.of(house, repair=True)
        people: list[Estranged] = []
        suspects = {each.user: each for each in lists.suspects}
        async for seen in work.run(sorted(suspects)):
            people += _judged(seen, [each for each in lists.suspects if each.user == seen.user])
            progress.say(f"{counted(len(people))} looked at so far")
    finally:
        progress.end()
    return _Found(lists, tuple(people), work.unread)


def _judged(seen: Seen, suspects: Sequence[Suspect]) -> list[Estranged]:
    """What a look that adds all that is wanted shows of somebody."""
    found = []
    for suspect in suspects:
        plans = seen.plan.directories if seen.plan else ()
        plan = next((each for each in plans if each.name == suspect.directory), None)
        wanted = frozenset(each.id for each in suspect.wanted)
        lack = outside.lack(plan, wanted) if plan else None
        if plan is None or lack is None:
            continue
        record = plan.record
        groups = wanted - record.groups if record else wanted
        add = outside.added(plan)
        found.append(
            Estranged(
                seen.user,
                suspect.directory,
                lack,
                record.id if record else None,
                record.account if record and record.account else suspect.account,
                tuple(sorted(each for each in suspect.wanted if each.id in groups & add)),
                tuple(each for each in plan.refusals if each.group is None or each.group in groups),
                suspect.address,
            )
        )
    return found


# -- ordering ----------------------------------------------------------------------------------


def _order(house: House, found: _Found, why: str) -> int:
    """Order looks that add what is missing; at how many people."""
    from hooks import policies
    from hooks.store import line, orders

    if policies.of(house.settings).restore is Restore.NONE:
        raise FailedError('external: policy.restore is "none", so nothing is ever added')
    users = sorted({each.user for each in found.repairable})
    for start in range(0, len(users), _PORTION):
        some = users[start : start + _PORTION]

        def write(tx: Tx, some: Sequence[OktaUserId] = some) -> None:
            for user in some:
                orders.repair(tx, user, who=opening.who(), why=why)
            line.mark(tx, some, "user", lane=line.URGENT, due_at=tx.now, events=False)

        house.database.write_now(write)
    return len(users)


def _tell_ordered(house: House, found: _Found, ordered: int | None) -> None:
    if ordered is None:
        return
    print()
    if not ordered:
        print("Nobody is there to whom anything may be added; nothing was ordered.")
        return
    count = sum(len(each.missing) for each in found.repairable)
    print(f"ordered: {counted(count, 'membership', 'memberships')} of {counted(ordered)} are added")
    print("by `hooks serve` within seconds; what came of it: hooks steps, and this command again")
    opening.say_if_paused(house.database)


# -- showing -----------------------------------------------------------------------------------


def _show(found: _Found) -> None:
    for each in found.people:
        print(f"user {each.user}, directory {each.directory}")
        for words, below in _lines(each):
            text.tell(words, below=below)
        print()
    for lack in sorted({each.lack for each in found.people}, key=list(Lack).index):
        text.tell(f"{lack}: {WORDS[lack]}", below=2)
        text.tell(f"  -> {WAY_OUT[lack]}", below=5)
    print("\n" if found.people else "", end="")
    text.tell(_summary(found))
    for note in _notes(found):
        text.tell(note)


def _lines(each: Estranged) -> list[tuple[str, int]]:
    record, account = each.record or "none", each.account or "not known"
    before = " before" if each.account and each.lack is not Lack.DROPPED else ""
    lines = [(f"  {each.lack}: SCIM record {record}, account{before} {account}", 4)]
    lines += [(f"  lacks {group.display} ({group.id})", 4) for group in each.missing]
    for refusal in each.left:
        about = f" {refusal.group}" if refusal.group else ""
        lines.append((f"  left alone{about}: {refusal.cause}: {REMEDIES[refusal.cause]}", 4))
    return lines


def _summary(found: _Found) -> str:
    people = counted(found.of.people, "external person", "external people")
    if not found.people and not found.unread:
        return f"{people} in force, all as Okta would have them"
    count = {lack: sum(each.lack is lack for each in found.people) for lack in Lack}
    told = ", ".join(f"{number} {lack}" for lack, number in count.items() if number) or "none amiss"
    unread = f", {found.unread} not read whole" if found.unread else ""
    return f"{people} in force: {told}{unread}"


def _notes(found: _Found) -> list[str]:
    notes = []
    if found.of.unsure:
        notes.append(
            f"The verified domains are not known ({found.of.unsure}): only people whose accounts"
            " Atlassian has called unmanaged are counted as external."
        )
    if found.of.unmet:
        mappings = counted(found.of.unmet, "push mapping leads", "push mappings lead")
        notes.append(f"{mappings} to groups that are not known yet; `hooks serve` learns them.")
    return notes


def _record(found: _Found, ordered: int | None) -> Record:
    """The same as plain values, without addresses."""
    return {
        "external": found.of.people,
        "domains_unknown": found.of.unsure or None,
        "mappings_unknown": found.of.unmet,
        "unread": found.unread,
        "ordered": ordered,
        "people": [
            {
                "user": each.user,
                "directory": each.directory,
                "lack": each.lack,
                "record": each.record,
                "account": each.account,
                "missing": [{"id": one.id, "name": one.display} for one in each.missing],
                "left": [{"group": one.group, "cause": one.cause} for one in each.left],
            }
            for each in found.people
        ],
    }


def _write(house: House, found: _Found, file: IO[str]) -> None:
    """What Atlassian's support needs to find each of them again."""
    scim = {each.name: each.scim_directory_id for each in house.settings.directories}
    file.write(files.row(_HEADINGS))
    for each in found.people:
        missing = "; ".join(group.display for group in each.missing)
        cells = (each.record, each.account, each.user, each.address, each.lack, missing)
        file.write(files.row((scim[each.directory], *cells)))
