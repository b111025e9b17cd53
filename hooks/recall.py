"""Everything the store knows of a person when a look at them begins.

Must live here: which memories a look needs. Must not know: what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hooks.core.ids import OrganizationGroupId
from hooks.core.membership import ORGANIZATION
from hooks.core.memory import Memory
from hooks.core.refusal import Cause
from hooks.store import cursor, groups, journal, looks, mappings, orders, people, refusals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from hooks.core.history import LogFacts
    from hooks.core.ids import DirectoryName, OktaUserId
    from hooks.core.membership import Mode
    from hooks.core.memory import Link, Ordered
    from hooks.core.reading import GroupsBefore
    from hooks.store.database import Tx
    from hooks.store.people import Known
    from hooks.store.sealing import Sealer

#: While these stand, the log has not told yet whether somebody was away.
_UNTOLD = (Cause.HISTORY_LATE, Cause.HISTORY_UNREAD)


@dataclass(frozen=True, slots=True)
class Recalled:
    """``memories`` has one for each directory and the organization; the rest as in a reading."""

    known: Known
    memories: Mapping[DirectoryName, Memory]
    links: Mapping[DirectoryName, tuple[Link, ...]]
    history: LogFacts
    watched_since: datetime | None
    doubted_since: datetime | None
    groups_before: GroupsBefore
    ordered: tuple[Ordered, ...]
    repair: int | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """What is the same for everybody: remembered mappings, and since when absences count."""

    links: Mapping[DirectoryName, tuple[Link, ...]]
    watched_since: datetime | None


def shared(tx: Tx, modes: Mapping[DirectoryName, Mode]) -> Shared:
    """Read it, once for however many people."""
    return Shared(mappings.remembered(tx), cursor.watched_since(tx, modes))


def recall(
    tx: Tx,
    user: OktaUserId,
    directories: Iterable[DirectoryName],
    common: Shared,
    sealer: Sealer,
) -> Recalled:
    """Read it, in one transaction."""
    known = people.recall(tx, user, sealer)
    history = journal.history(tx, user)
    left = refusals.since(tx, user)
    ordered, repair = orders.waiting(tx, user)
    memories = {
        name: replace(
            known.memories.get(name, Memory()),
            history=history.get(name, ()),
            late_since=min(
                (left[name, each] for each in _UNTOLD if (name, each) in left), default=None
            ),
            missed_since=left.get((name, Cause.GROUPS_MISSED)),
        )
        for name in (*directories, ORGANIZATION)
    }
    return Recalled(
        known=known,
        memories=memories,
        links=common.links,
        history=looks.log(tx, user),
        watched_since=common.watched_since,
        doubted_since=cursor.doubted(tx, user),
        ordered=ordered,
        repair=repair,
        groups_before=groups.recall(tx, map(OrganizationGroupId, memories[ORGANIZATION].groups)),
    )
