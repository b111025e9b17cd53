"""What one SCIM directory shows of itself: read for a check, and nothing changed.

Paths and fields must live here; what is right about it, this room must not know.
All methods raise what ``Transport.get`` raises.
Sources: RFC 7643 section 5 (ServiceProviderConfig), RFC 7644 section 3.4.2 (lists).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from hooks.core.checkup_atlassian import Shown
from hooks.core.ids import AccountId
from hooks.gateways.scim_door import SCIM_JSON
from hooks.gateways.scim_patch import MOST_GROUP_BYTES
from hooks.gateways.urls import path, with_query
from hooks.gateways.wire import MOST_BYTES

if TYPE_CHECKING:
    from hooks.gateways.transport import Transport


class _Supported(msgspec.Struct):
    supported: bool | None = None


class _Config(msgspec.Struct):
    patch: _Supported | None = None


class _External(msgspec.Struct, rename="camel"):
    atlassian_account_id: str | None = None


class _Resource(msgspec.Struct):
    external: _External | None = msgspec.field(
        default=None, name="urn:scim:schemas:extension:atlassian-external:1.0"
    )


class _Page(msgspec.Struct, rename="camel"):
    total_results: int
    resources: list[_Resource] = msgspec.field(default_factory=list, name="Resources")


_CONFIG = msgspec.json.Decoder(_Config)
_PAGE = msgspec.json.Decoder(_Page)


class ScimReview:
    """One directory, looked over through the door by which it is read anyway."""

    def __init__(self, door: Transport, root: tuple[str, ...]) -> None:
        """``root`` is the path of the directory."""
        self._door = door
        self._root = root

    async def shown(self) -> tuple[Shown, AccountId | None]:
        """What it says it can, how much is in it, and one account that it names."""
        config, users, groups = await asyncio.gather(
            self._door.get(
                "config", path(*self._root, "ServiceProviderConfig"), _CONFIG, accept=SCIM_JSON
            ),
            self._count("users", "Users", MOST_BYTES),
            self._count("groups", "Groups", MOST_GROUP_BYTES),
        )
        patch = config.value.patch
        named = [each.external.atlassian_account_id for each in users.resources if each.external]
        account = next((found for each in named if (found := AccountId.maybe(each))), None)
        patches = patch.supported if patch else None
        return Shown(patches, users.total_results, groups.total_results), account

    async def _count(self, operation: str, endpoint: str, most: int) -> _Page:
        target = with_query(path(*self._root, endpoint), {"startIndex": 1, "count": 1})
        answer = await self._door.get(
            operation, target, _PAGE, accept=SCIM_JSON, most_bytes=most, lists=True
        )
        return answer.value
