"""The vendors alone, without a store: what a check opens, with whatever secrets are given."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hooks.settings import Holder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from hooks.clock import Clock
    from hooks.gateways.transport import Transport
    from hooks.probe import Ways
    from hooks.settings import Settings

_NOT_GIVEN = "not given here"
HOOKS_READ, PROFILES_READ = "okta.eventHooks.read", "okta.profileMappings.read"


@dataclass(frozen=True, slots=True)
class Doors:
    """What is open: the ways every process has, and doors to what only a check reads.

    ``hooks`` are tried in their order. ``scopes`` are a door for each scope the worker needs,
    where a service app opens them.
    """

    ways: Ways
    hooks: tuple[Transport, ...] = ()
    profiles: Transport | None = None
    scopes: Mapping[str, Transport] = field(default_factory=dict)


@asynccontextmanager
async def opened(settings: Settings, clock: Clock) -> AsyncIterator[Doors]:
    """Open what there are secrets for; nothing is sent yet."""
    from hooks import probe, ways
    from hooks.gateways.okta_key import SCOPES
    from hooks.gateways.wire import open_client

    secrets = settings.secrets
    reader = secrets.given(*Holder.READER.names)
    async with open_client() as http:
        okta = ways.okta(settings, http, clock) if reader else None
        directories = tuple(
            probe.DirectoryWay(
                each.name,
                each.okta_app_id,
                ways.scim(settings, each.name, http, clock)
                if secrets.given(secrets.scim_name(each.name))
                else _NOT_GIVEN,
                secrets.scim_name(each.name),
            )
            for each in settings.directories
        )
        organization = ways.organization(settings, http, clock)
        known = secrets.given("HOOKS_ORG_API_KEY")

        def door(holder: Holder, scope: str) -> Transport:
            return ways.okta_door(settings, http, clock, holder=holder, scope=scope)

        holders = [each for each in (Holder.ADMIN, Holder.READER) if secrets.given(*each.names)]
        hooks = tuple(door(each, HOOKS_READ) for each in holders)
        open_ways = probe.Ways(
            okta=okta or _NOT_GIVEN,
            okta_secrets=_okta_names(settings, given=reader),
            directories=directories,
            organization=organization if known or organization is None else _NOT_GIVEN,
        )
        profiles = door(Holder.READER, PROFILES_READ) if reader else None
        service_app = reader and not secrets.given(Holder.READER.api_token)
        scopes = {each: door(Holder.READER, each) for each in (SCOPES if service_app else ())}
        try:
            yield Doors(open_ways, hooks, profiles, scopes)
        finally:
            for each in directories:
                if not isinstance(each.scim, str):
                    await each.scim.aclose()


def _okta_names(settings: Settings, *, given: bool) -> tuple[str, ...]:
    """What Okta's credential is called in the environment."""
    client_id, private_key, token = Holder.READER.names
    if given and settings.secrets.given(token):
        return (token,)
    return (client_id, private_key)
