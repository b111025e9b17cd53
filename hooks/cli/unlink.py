"""`hooks unlink`: free a locked account, by deleting the SCIM record that holds it.

Must live here: what is shown before, what is asked, and what is said after. Must not know: what
speaks against it, or how it is done.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import look, opening, text
from hooks.cli.ends import FAILED, FailedError, UsageError
from hooks.cli.opening import Json, Reason
from hooks.cli.progress import Progress
from hooks.core.errors import IncompleteError
from hooks.core.ids import ScimUserId
from hooks.core.reading import Account
from hooks.core.report import STANDINGS, counted
from hooks.settings import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hooks.cli.text import Record
    from hooks.seek import Judged, Seek
    from hooks.store.released import Released
    from hooks.unlink import Ended, Unlink
    from hooks.wiring import House

_GONE_FOR_GOOD = (
    "The SCIM record is deleted for good: Okta and this service reach the account no more, and"
    " an assignment in Okta makes a new record with another id."
)
_MANAGED = {
    True: (
        "The account is managed: Atlassian deactivates it, and it can be reactivated in the"
        " administration afterwards."
    ),
    False: "The account is not managed by the organization: it is only freed.",
    None: (
        "Atlassian does not tell whether the account is managed; if it is, it is deactivated and"
        " can be reactivated in the administration afterwards."
    ),
}
_NEXT = """\
Reactivate the account at admin.atlassian.com, if it shows as deactivated: the identity provider \
holds it no more.
Give it there what it needs: no plan of this service touches it.
To put it under Okta again, assign the app to the person: Okta makes a new record, and this \
service goes on with them."""

User = Annotated[
    str,
    typer.Argument(metavar="USER", help="E-mail, userName, account id, SCIM id, or Okta id."),
]
YesDelete = Annotated[
    str | None,
    typer.Option("--yes-delete", metavar="SCIM-ID", help="Do not ask; the record to delete."),
]
Leave = Annotated[
    bool, typer.Option("--leave-groups", help="Though groups stay that nobody can take then.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show; so it is without --reason.")]
Copy = Annotated[
    bool, typer.Option("--copy", help="Print the record deleted before, as it was; ask nobody.")
]


def unlink(
    user: User,
    *,
    reason: Reason = None,
    yes_delete: YesDelete = None,
    leave_groups: Leave = False,
    dry_run: DryRun = False,
    copy: Copy = False,
    as_json: Json = False,
) -> None:
    """Free an account that its SCIM record keeps deactivated, by deleting the record.

    Shows the record, its groups, and what would follow; with --reason it is done, once its
    SCIM id was typed. Refused while Okta assigns the app, and where anything is unclear. What
    a look would take is taken first, since nobody can afterwards. It cannot be undone.
    """
    if not user.strip() or not user.isprintable():
        raise UsageError("USER: write an e-mail, a userName, or an id")
    if copy and (reason or yes_delete or leave_groups or dry_run):
        raise UsageError("unlink: --copy takes nothing besides --json")
    if copy:
        _show_copy(user.strip())
        return
    if dry_run and (reason is not None or yes_delete is not None):
        raise UsageError("unlink: --dry-run takes neither --reason nor --yes-delete")
    if yes_delete is not None and (reason is None or ScimUserId.maybe(yes_delete) is None):
        raise UsageError("unlink: --yes-delete takes the SCIM id, and needs --reason TEXT")
    why = None if reason is None else opening.reason(reason)
    if why is not None and yes_delete is None and (as_json or not sys.stdin.isatty()):
        raise UsageError("unlink: nobody can be asked here; give --yes-delete SCIM-ID")
    asked = _Asked(user.strip(), why, yes_delete, leave_groups, as_json)
    if not asyncio.run(_unlink(asked)):
        raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for; ``why`` is ``None`` for a dry run."""

    name: str
    why: str | None
    typed: str | None
    leave: bool
    as_json: bool


async def _unlink(asked: _Asked) -> bool:
    """Show it, or do it; whether that is known to be done which was asked."""
    from hooks.seek import Seek
    from hooks.unlink import Unlink

    progress = Progress("unlink")
    async with opening.opened(Role.LOOK, vendors=True) as house:
        if house.observer is None or house.policy is None:
            raise FailedError("unlink: no vendors are open")
        seek = Seek(
            observer=house.observer,
            policy=house.policy,
            database=house.database,
            told=progress.say,
        )
        verb = Unlink(seek, house.database, house.sealer, house.clock)
        try:
            opening.quiet(logging.CRITICAL)  # what fails is told at the end, in a line
            with opening.way_out("nothing was changed"):
                judged = await _judged(seek, asked.name)
                ended = [] if judged else await verb.ended(asked.name)
        finally:
            progress.end()
        if judged is None:
            _tell_ended(asked, ended)
            return True
        if asked.why is None:
            _show_dry(asked, judged)
            return True
        return await _delete(house, verb, judged, asked)


async def _judged(seek: Seek, name: str) -> Judged | None:
    """The one record that fits, judged; ``None`` if none does."""
    try:
        found = await seek.find(name)
    except IncompleteError as error:  # the id of a record leads to it without any search
        raise FailedError(f"unlink: {error}; name the record by its SCIM id") from None
    if len(found) > 1:
        named = ", ".join(f"{each.record.id} in {each.directory.name}" for each in found)
        raise FailedError(f"unlink: several records fit: {named}; name one by its SCIM id")
    return await seek.judge(found[0]) if found else None


async def _delete(house: House, verb: Unlink, judged: Judged, asked: _Asked) -> bool:
    from hooks.unlink import Ended, opened

    if not asked.as_json:
        _show(judged)
    if judged.obstacles or judged.owner is None:
        raise FailedError("unlink: refused: " + "; ".join(judged.obstacles))
    _confirm(judged, asked)
    await look.looked(house, judged.owner, quietly=True)  # takes what it would have us take
    name = judged.found.directory.name
    directory = next(each for each in house.settings.directories if each.name == name)
    secrets = house.settings.secrets

    def key() -> str:
        secrets.reread(secrets.scim_name(name))
        return secrets.scim_key(name).reveal()

    api_url, scim_id = house.settings.atlassian.api_url, directory.scim_directory_id
    async with opened(api_url, scim_id, name, key, house.clock) as door:
        leave = frozenset(judged.staying if asked.leave else ())
        ended = await verb.carry_out(
            judged, door, leave=leave, who=opening.who(), why=asked.why or ""
        )
    _tell_done(asked, judged, ended)
    return ended is Ended.GONE


def _confirm(judged: Judged, asked: _Asked) -> None:
    record = judged.found.record.id
    typed = asked.typed
    if typed is None:
        print("\nThis cannot be undone. Type the SCIM id to go on: ", end="", flush=True)
        typed = sys.stdin.readline().strip()
    if typed.casefold() != record.casefold():
        raise UsageError("unlink: that is another id than the record's; nothing was changed")


# -- words -------------------------------------------------------------------------------------


def _record(judged: Judged) -> Record:
    facts, place = judged.facts, judged.facts.place
    account = facts.account if isinstance(facts.account, Account) else None
    local = facts.plan.local if facts.plan else None
    return {
        "directory": facts.directory,
        "scim_id": facts.record.id,
        "active": facts.record.active,
        "account": facts.record.account,
        "account_status": account.status if account else None,
        "managed": judged.owned.managed if judged.owned else None,
        "user": judged.owner,
        "standing": place.standing if place else None,
        "groups": sorted(each.display for each in facts.record.groups or ()),
        "local_groups": sorted(
            each.group.name for each in (local.groups if local else ()) if not each.group.synced
        ),
        "taken_first": list(judged.staying),
        "obstacles": list(judged.obstacles),
    }


def _show(judged: Judged) -> None:
    told = _record(judged)
    status = {True: "active", False: "inactive", None: "activity not shown"}[
        judged.facts.record.active
    ]
    managed = {True: "managed", False: "not managed", None: "managed or not is not told"}[
        judged.owned.managed if judged.owned else None
    ]
    place = judged.facts.place
    standing = f", {place.standing}: {STANDINGS[place.standing]}" if place else ""
    about = told["account_status"] or "status not shown"
    lines = [
        f"record    {told['scim_id']} in directory {told['directory']}, {status}",
        f"user      {told['user'] or 'not known'}{standing}",
        f"account   {told['account'] or 'none'}, {about}, {managed}",
        f"groups    {', '.join(text.items(told['groups'])) or 'none'}",
        f"local     {', '.join(text.items(told['local_groups'])) or 'none'}",
    ]
    if judged.staying and not judged.obstacles:
        lines.append(f"first     {', '.join(judged.staying)}: taken before, as far as a look may")
    for each in lines:
        text.tell(each, below=10)
    print("\nWhat deleting the record does:")
    for words in (_GONE_FOR_GOOD, _MANAGED[judged.owned.managed if judged.owned else None]):
        text.tell(f"  {words}", below=2)
    if judged.obstacles:
        print("\nWhat speaks against it:")
        for each in judged.obstacles:
            text.tell(f"  {each}", "red", below=4)


def _show_dry(asked: _Asked, judged: Judged) -> None:
    if asked.as_json:
        text.as_json({"dry_run": True, **_record(judged)})
        return
    _show(judged)
    print("\nDry run: nothing was changed.")
    if not judged.obstacles:
        print(f"To do it: hooks unlink {judged.found.record.id} --reason TEXT")


def _tell_done(asked: _Asked, judged: Judged, ended: Ended) -> None:
    from hooks.unlink import Ended as Came

    gone = ended is Came.GONE
    if asked.as_json:
        text.as_json({"dry_run": False, **_record(judged), "ended": ended})
    elif gone:
        print(f"\ndeleted: {judged.found.record.id}, seen to be gone")
        _say_next()
    if not gone:
        again = f"hooks unlink {judged.found.record.id}"
        raise FailedError(
            f"unlink: nobody knows yet whether the record is gone; read it again: {again}"
        )


def _tell_ended(asked: _Asked, found: list[Released]) -> None:
    if not found:
        raise FailedError(
            "unlink: no SCIM record fits; check it, or name the record by its SCIM id"
        )
    if asked.as_json:
        told = [
            {"user": each.user, "directory": each.directory, "scim_id": each.record}
            for each in found
        ]
        text.as_json({"dry_run": True, "gone": told})
        return
    for each in found:
        print(f"gone already: {each.record} of {each.user} in directory {each.directory}")
    _say_next()


def _say_next() -> None:
    print("\nNext:")
    for line in _next():
        text.tell(line, below=5)


def _next() -> Iterator[str]:
    for number, words in enumerate(_NEXT.splitlines(), 1):
        yield f"  {number}. {words}"


def _show_copy(name: str) -> None:
    """The sealed copy of what was deleted; it is personal, and asked for by name."""
    from hooks.store import released

    def copies(house: House) -> list[bytes]:
        found = house.database.read_now(lambda tx: released.find(tx, name))
        return [copy for each in found if (copy := released.opened(each, house.sealer))]

    found = opening.with_house(copies)
    if not found:
        raise FailedError("unlink: no copy is kept under this SCIM, account or Okta id")
    if len(found) > 1:
        raise FailedError(f"unlink: {counted(len(found), 'copy', 'copies')}; name the SCIM id")
    print(found[0].decode())
