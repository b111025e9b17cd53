"""How many people are in the groups a plan takes somebody out of, before anybody is.

Must live here: when a size is asked for, and who waits for it. Must not know: how many may be
lost.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hooks import figures
from hooks.clock import elapsed
from hooks.core.errors import HooksError
from hooks.core.membership import OrganizationGroup
from hooks.gateways.organization_sizes import AT_ONCE
from hooks.store import sizes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from hooks.core.ids import Uuid
    from hooks.core.membership import Group
    from hooks.gateways.organization import Organization
    from hooks.store.database import Database, Tx

#: Seconds for which one answer keeps removals waiting; without it they are not limited by it.
_HURRY = 3.0
#: Seconds for which a group of which nothing was told is not asked about again.
_UNTOLD = 600.0


class Measure:
    """Knows groups' sizes. One of these serves a whole process: a group is asked about once."""

    def __init__(self, organization: Organization | None, database: Database) -> None:
        """Without an organization nobody tells a size."""
        self._organization = organization
        self._database = database
        self._asking: dict[Uuid, asyncio.Task[None]] = {}
        self._untold: dict[Uuid, float] = {}
        self._known: dict[str, int] = {}  # until when a size is remembered

    async def before(self, groups: Collection[Group | OrganizationGroup]) -> None:
        """See that the sizes of these groups are remembered, as far as anybody tells them.

        One read for each group and day, for all who wait. A size that does not come in time
        holds nobody up. Raises: StoreError.
        """
        missing = await self._unknown(groups)
        if self._organization and (hoped := [each for each in missing if self._hopes(each)]):
            self._ask(self._organization, hoped)
            await asyncio.wait({self._asking[each.id] for each in hoped}, timeout=_HURRY)
            missing = await self._unknown(missing)
            until = elapsed() + _UNTOLD
            self._untold |= {each.id: until for each in missing if each in hoped}
        figures.UNSIZED.inc(len(missing))

    def _hopes(self, group: Group | OrganizationGroup) -> bool:
        """Whether it was not asked for in vain a moment ago."""
        return self._untold.get(group.id, 0.0) <= elapsed()

    async def _unknown(
        self, groups: Collection[Group | OrganizationGroup]
    ) -> list[Group | OrganizationGroup]:
        now = self._database.clock.now_us()
        ids = {each.id for each in groups if self._known.get(each.id, 0) <= now}
        if not ids:
            return []
        self._known |= await self._database.read(lambda tx: sizes.days(tx, ids))
        return [each for each in groups if self._known.get(each.id, 0) <= now]

    def _ask(
        self, organization: Organization, missing: Iterable[Group | OrganizationGroup]
    ) -> None:
        """Ask about those nobody asks about now."""
        fresh = [each for each in missing if each.id not in self._asking]
        fresh.sort(key=lambda each: isinstance(each, OrganizationGroup))
        for start in range(0, len(fresh), AT_ONCE):
            some = fresh[start : start + AT_ONCE]
            task = asyncio.create_task(self._asked(organization, some))
            self._asking |= {each.id: task for each in some}

    async def _asked(
        self, organization: Organization, groups: Sequence[Group | OrganizationGroup]
    ) -> None:
        try:
            told = await organization.sizes(groups)

            def remember(tx: Tx) -> dict[str, int]:
                sizes.remember(tx, told)
                return sizes.days(tx, told)

            # Before it counts as asked no more, or who has just read that it is not there asks too.
            self._known |= await self._database.write(remember)
        except HooksError:
            pass  # unknown: counted, and told by the vendor's own figures
        finally:
            for each in groups:
                self._asking.pop(each.id, None)
