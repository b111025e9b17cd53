"""How many people are in groups, asked of the organization for several groups at once.

Which entry of an answer is about which group must live here; what a size is for, this room must
not know.
Source: jira.js src/admin, groups/search: `expand` `counts.users`, `groupNames` (exact but for
case, not beside `groupIds`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from hooks.core.errors import IncompleteError
from hooks.core.membership import OrganizationGroup
from hooks.gateways.organization_shapes import Page

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from hooks.core.ids import Uuid
    from hooks.core.membership import Group
    from hooks.gateways.transport import Transport

#: Values of one filter. Source: terraform-provider-atlassian, of ids; of names nobody says.
AT_ONCE = 10
#: Entries in one answer: a name may be found in several directories.
_PAGE = 100


class _Counts(msgspec.Struct):
    users: int | None = None


class _Sized(msgspec.Struct, rename="camel"):
    id: str
    name: str
    external_synced: bool | None = None
    counts: _Counts | None = None


_SIZES = msgspec.json.Decoder(Page[_Sized])


async def sizes_of(
    door: Transport, target: str, groups: Collection[Group | OrganizationGroup]
) -> dict[Uuid, int]:
    """The size of each of at most ``AT_ONCE`` groups, as far as it is told beyond doubt.

    A SCIM group is here under another id: its name must be the very same, that of one group only,
    and of one that an identity provider keeps. Raises: what ``Transport.ask`` raises, and
    IncompleteError for an answer that was cut.
    """
    local = [each for each in groups if isinstance(each, OrganizationGroup)]
    synced = [each for each in groups if not isinstance(each, OrganizationGroup) and each.display]
    by_id, by_name = await asyncio.gather(
        _asked(door, target, "groupIds", sorted({str(each.id) for each in local})),
        _asked(door, target, "groupNames", sorted({each.display for each in synced})),
    )
    found: dict[Uuid, int | None] = {}
    for known in local:
        found[known.id] = _only(one for one in by_id if one.id == known.id)
    for shown in synced:
        same = (one for one in by_name if one.name == shown.display and one.external_synced)
        found[shown.id] = _only(same)
    return {group: size for group, size in found.items() if size is not None}


async def _asked(door: Transport, target: str, filter_: str, values: Sequence[str]) -> list[_Sized]:
    if not values:
        return []
    question = {filter_: values, "expand": ["counts.users"], "limit": _PAGE}
    page = await door.ask(
        "groups search",
        target,
        msgspec.json.encode(question),
        _SIZES,
        bucket="groups search",
        content_type="application/json",
        lists=True,
    )
    if page.next:
        raise IncompleteError("organization gave only a page to POST groups search")
    return page.data


def _only(found: Iterable[_Sized]) -> int | None:
    """The size if all entries are about one group and agree."""
    said = {(each.id, each.counts.users if each.counts else None) for each in found}
    size = said.pop()[1] if len(said) == 1 else None
    return size if size is not None and size >= 0 else None
