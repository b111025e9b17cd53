"""The way into one SCIM directory: its path, and a door that knows when it is not there.

Must live here: what every caller of a directory needs alike. Must not know: what is asked there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooks.core.ids import ScimDirectoryId
from hooks.gateways.breaker import Breaker
from hooks.gateways.pace import Pace
from hooks.gateways.place import Place
from hooks.gateways.transport import Transport
from hooks.gateways.urls import path

if TYPE_CHECKING:
    from hooks.clock import Clock
    from hooks.core.ids import DirectoryName
    from hooks.gateways.credential import Credential
    from hooks.gateways.wire import Client

#: What SCIM speaks. Source: RFC 7644 section 8.1.
SCIM_JSON = "application/scim+json"


def root_of(directory: ScimDirectoryId) -> tuple[str, ...]:
    """The path of a directory at Atlassian."""
    return ("scim", "directory", ScimDirectoryId(directory))


def scim_door(
    client: Client,
    api_url: str,
    root: tuple[str, ...],
    credential: Credential,
    clock: Clock,
    *,
    name: DirectoryName,
    methods: frozenset[str],
    most: int,
) -> Transport:
    """A door for these methods; ``most`` calls at once, ``name`` is the operator's."""
    return Transport(
        vendor="scim",
        origin=api_url,
        client=client,
        pace=Pace(f"scim {name}", clock, most=most),
        breaker=Breaker(f"scim {name}", clock),
        credential=credential,
        probes=(path(*root, "ServiceProviderConfig"),),
        methods=methods,
        place=Place("scim_directory_id", clock, whose=name),
    )
