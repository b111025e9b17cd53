"""Which app access ends with the loss of groups, and how many seats come free.

Must live here: which group of theirs a removal is about, what the others keep, and who takes a
seat. Must not know: how anything is read, or in which words it is told.
Of what gives an app besides a group, and which role takes no seat, role assignments tell nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hooks.core.membership import ORGANIZATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hooks.core.ids import DirectoryName, OrganizationGroupId
    from hooks.core.membership import OrganizationGroup

App = tuple[str, str]

#: Statuses of accounts that take no seat. Source: organization API v2, `accountStatus`.
_NO_SEAT = frozenset({"inactive", "closed"})


@dataclass(frozen=True, slots=True)
class Removal:
    """One membership that is to go: of a directory's group, or of one of the organization's own."""

    directory: DirectoryName
    group: str
    name: str


@dataclass(frozen=True, slots=True)
class Person:
    """One account: every group it is in, those it is to lose, its status if that was told."""

    groups: frozenset[OrganizationGroupId]
    removed: frozenset[OrganizationGroupId]
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """One app: for how many people access ends, and how many of them free a seat.

    ``kept`` are the people who have it by another group, ``by`` how many by which: by two perhaps.
    """

    ended: int = 0
    freed: int = 0
    kept: int = 0
    by: Mapping[OrganizationGroupId, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seats:
    """What ends for ``told`` people, app by app; of ``untold`` people it is not known."""

    apps: Mapping[App, Ending] = field(default_factory=dict)
    told: int = 0
    untold: int = 0

    @property
    def freed(self) -> dict[App, int]:
        """The seats that come free, where any do."""
        return {app: each.freed for app, each in self.apps.items() if each.freed}


def seated(status: str | None) -> bool:
    """Whether an account of this status takes a seat; one whose status nobody tells does."""
    return status not in _NO_SEAT


def meant(
    removals: Iterable[Removal], groups: Iterable[OrganizationGroup]
) -> frozenset[OrganizationGroupId] | None:
    """Which of somebody's groups are to go; ``None`` where that is beyond doubt of one of them.

    A SCIM group is here under another id: its name must be the very same, that of one group of
    theirs only, and of one that an identity provider keeps.
    """
    theirs = list(groups)
    found: set[OrganizationGroupId] = set()
    for each in removals:
        if each.directory == ORGANIZATION:
            same = [one.id for one in theirs if one.id == each.group]
        else:
            same = [one.id for one in theirs if one.synced and one.name == each.name]
        if len(same) != 1:
            return None
        found.add(same[0])
    return frozenset(found)


def count(
    people: Iterable[Person | None], grants: Mapping[OrganizationGroupId, frozenset[App]]
) -> Seats:
    """What ends for all of these people, each by themselves.

    ``None`` is somebody of whom nothing is told; so is who is not in what they are to lose, or is
    in a group of which nobody said what it gives: it may keep everything.
    """
    ended: Counter[App] = Counter()
    freed: Counter[App] = Counter()
    kept: Counter[App] = Counter()
    by: defaultdict[App, Counter[OrganizationGroupId]] = defaultdict(Counter)
    told = untold = 0
    for person in people:
        if person is None or not person.removed <= person.groups <= grants.keys():
            untold += 1
            continue
        told += 1
        given = frozenset[App]().union(*(grants[each] for each in person.removed))
        stays = person.groups - person.removed
        still = frozenset[App]().union(*(grants[each] for each in stays))
        ended.update(given - still)
        kept.update(given & still)
        if seated(person.status):
            freed.update(given - still)
        for app in given & still:
            by[app].update(each for each in stays if app in grants[each])
    apps = {
        app: Ending(ended[app], freed[app], kept[app], dict(by[app]))
        for app in sorted({*ended, *kept})
    }
    return Seats(apps, told, untold)
