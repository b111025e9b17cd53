"""External people as they are shown: in words, as JSON, and as the file for Atlassian's support.

Must live here: every line about them. Must not know: how anybody was found or judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from hooks.cli import files, text
from hooks.core.outside import WAY_OUT, WORDS, Estranged, Lack
from hooks.core.refusal import WAY_OUT as REMEDIES
from hooks.core.report import counted

if TYPE_CHECKING:
    from hooks.cli.text import Record
    from hooks.external import Outside
    from hooks.settings import Settings

_HEADINGS = (
    "scim directory",
    "scim user",
    "atlassian account",
    "okta user",
    "primary e-mail",
    "what is wrong",
    "synced groups that ought to be there",
)
#: Why a membership is not added of which a look says nothing.
_NO_RECORD = "there is no record to add"
_BARRED = "out of scope, protected, or its push mapping is not active; hooks explain tells"


@dataclass(frozen=True, slots=True)
class Found:
    """What came out; ``unread`` could not be judged."""

    of: Outside
    people: tuple[Estranged, ...]
    unread: int

    @property
    def whole(self) -> bool:
        """Nobody can have been missed."""
        return self.of.whole and not self.unread

    @property
    def repairable(self) -> list[Estranged]:
        """Those to whom something may be added."""
        return [each for each in self.people if each.missing]

    @property
    def memberships(self) -> str:
        """How many memberships may be added, of how many people."""
        users = len({each.user for each in self.repairable})
        count = sum(len(each.missing) for each in self.repairable)
        return f"{counted(count, 'membership', 'memberships')} of {counted(users)}"


def show(found: Found, limit: int) -> None:
    """In words, so many people at most."""
    for each in found.people[:limit]:
        print(f"user {each.user}, directory {each.directory}")
        for words, below in _lines(each):
            text.tell(words, below=below)
        print()
    if len(found.people) > limit:
        print(f"and {len(found.people) - limit} more: --limit, --json\n")
    for lack in sorted({each.lack for each in found.people}, key=list(Lack).index):
        text.tell(f"{lack}: {WORDS[lack]}", below=2)
        if lack is not Lack.DROPPED or found.repairable:
            text.tell(f"  -> {WAY_OUT[lack]}", below=5)
    print("\n" if found.people else "", end="")
    text.tell(_summary(found))
    for note in _notes(found):
        text.tell(note, below=2)


def _lines(each: Estranged) -> list[tuple[str, int]]:
    record, account = each.record or "none", each.account or "never seen"
    before = " before" if each.account and each.lack is not Lack.DROPPED else ""
    lines = [(f"  {each.lack}: SCIM record {record}, account{before} {account}", 4)]
    lines += [(f"  lacks {group.display} ({group.id})", 4) for group in each.missing]
    told = {refusal.group: refusal.cause for refusal in each.left}
    for group in each.barred:
        cause = told.get(group.id)
        why = _BARRED if each.record else _NO_RECORD
        if cause:
            why = f"{cause}: {REMEDIES[cause]}"
        lines.append((f"  lacks {group.display} ({group.id}), not added: {why}", 4))
    return lines


def _summary(found: Found) -> str:
    people = counted(len(found.of.people), "external person", "external people")
    if not found.people and found.whole:
        return f"{people} in force, all as Okta would have them"
    count = {lack: sum(each.lack is lack for each in found.people) for lack in Lack}
    told = ", ".join(f"{number} {lack}" for lack, number in count.items() if number)
    unread = f", {found.unread} not judged" if found.unread else ""
    return f"{people} in force: {told or 'nobody seen amiss'}{unread}"


def _notes(found: Found) -> list[str]:
    lists = found.of
    notes = [f"directory {name} was not read: {why}" for name, why in lists.unread.items()]
    if lists.unsure:
        notes.append(
            f"The verified domains are not known ({lists.unsure}): only people whose accounts"
            " Atlassian has called unmanaged are counted as external."
        )
    if lists.nameless:
        people = counted(lists.nameless, "person", "people")
        notes.append(f"Of {people} Okta tells no address, so it is not known who is external.")
    if lists.unmet:
        mappings = counted(lists.unmet, "push mapping leads", "push mappings lead")
        notes.append(f"{mappings} to groups nobody can find: hooks mappings, hooks doctor")
    if found.unread:
        notes.append("Who was not judged: a vendor did not answer; try again.")
    return notes


def as_json(found: Found, ordered: int | None) -> None:
    """The same for programs, without addresses."""
    lists = found.of
    told: Record = {
        "external": len(lists.people),
        "whole": found.whole,
        "domains_unknown": lists.unsure or None,
        "addresses_unknown": lists.nameless,
        "mappings_unknown": lists.unmet,
        "directories_unread": lists.unread,
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
                "not_added": [{"id": one.id, "name": one.display} for one in each.barred],
                "refused": [{"group": one.group, "cause": one.cause} for one in each.left],
            }
            for each in found.people
        ],
    }
    text.as_json(told)


def support(found: Found, file: IO[str], settings: Settings) -> None:
    """What Atlassian's support needs to find each of them again."""
    scim = {each.name: each.scim_directory_id for each in settings.directories}
    file.write(files.row(_HEADINGS))
    for each in found.people:
        lost = (*each.missing, *each.barred) if each.lack is Lack.DROPPED else each.wanted
        groups = "; ".join(group.display for group in sorted(lost))
        cells = (each.record, each.account, each.user, each.address, each.lack, groups)
        file.write(files.row((scim[each.directory], *cells)))
