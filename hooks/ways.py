"""The way to each vendor, made of what the settings say; a secret is read when it is needed.

Must live here: which credential opens which gateway. Must not know: who goes through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooks.gateways.breaker import Breaker
from hooks.gateways.credential import Secret
from hooks.gateways.okta import Okta
from hooks.gateways.okta_key import SCOPES, OktaKey
from hooks.gateways.organization import Organization
from hooks.gateways.pace import Pace
from hooks.gateways.scim import Scim
from hooks.gateways.scim_patch import FormMemory
from hooks.gateways.transport import Transport
from hooks.settings import Holder, OktaToken

if TYPE_CHECKING:
    import aiohttp

    from hooks.clock import Clock
    from hooks.core.ids import DirectoryName
    from hooks.gateways.credential import Credential
    from hooks.settings import Secrets, Settings

#: Calls at once by a door beside the worker's.
_AT_ONCE = 4


def okta(settings: Settings, http: aiohttp.ClientSession, clock: Clock) -> Okta:
    """What the worker reads in Okta."""
    return Okta(
        client=http,
        org_url=settings.okta.org_url,
        credential=okta_credential(settings, http, clock),
        clock=clock,
        apps=tuple(each.okta_app_id for each in settings.directories),
    )


def okta_door(
    settings: Settings, http: aiohttp.ClientSession, clock: Clock, *, holder: Holder, scope: str
) -> Transport:
    """A door for reads of another scope, with a token that is asked for that scope alone."""
    name = f"okta {scope}"
    return Transport(
        vendor="okta",
        origin=settings.okta.org_url,
        client=http,
        pace=Pace(name, clock, most=_AT_ONCE),
        breaker=Breaker(name, clock),
        credential=okta_credential(settings, http, clock, holder=holder, scopes=(scope,)),
    )


def scim(
    settings: Settings,
    name: DirectoryName,
    http: aiohttp.ClientSession,
    clock: Clock,
    memory: FormMemory | None = None,
) -> Scim:
    """One directory; ``memory`` keeps the form in which it takes removals."""
    directory = next(each for each in settings.directories if each.name == name)
    secrets = settings.secrets

    def read() -> str:
        secrets.reread(secrets.scim_name(directory.name))
        return secrets.scim_key(directory.name).reveal()

    return Scim(
        client=http,
        api_url=settings.atlassian.api_url,
        directory=directory.scim_directory_id,
        name=directory.name,
        credential=Secret("Bearer", read),
        clock=clock,
        memory=memory,
    )


def organization(
    settings: Settings, http: aiohttp.ClientSession, clock: Clock
) -> Organization | None:
    """The organization, if the file names one."""
    organization_id = settings.atlassian.organization_id
    if organization_id is None:
        return None
    secrets = settings.secrets

    def read() -> str:
        secrets.reread("HOOKS_ORG_API_KEY")
        key = secrets.organization_key
        return key.reveal() if key else ""

    return Organization(
        client=http,
        api_url=settings.atlassian.api_url,
        organization=organization_id,
        credential=Secret("Bearer", read),
        clock=clock,
    )


def okta_credential(
    settings: Settings,
    http: aiohttp.ClientSession,
    clock: Clock,
    *,
    holder: Holder = Holder.READER,
    scopes: tuple[str, ...] = SCOPES,
) -> Credential:
    """What shows Okta who asks: an API token, or a token for these scopes."""
    secrets = settings.secrets
    held = secrets.okta(holder)
    if isinstance(held, OktaToken):
        return Secret("SSWS", lambda: _token(secrets, holder))
    return OktaKey(
        client=http,
        org_url=settings.okta.org_url,
        client_id=held.client_id,
        read_key=lambda: _private_key(secrets, holder),
        clock=clock,
        scopes=scopes,
    )


def _token(secrets: Secrets, holder: Holder) -> str:
    secrets.reread(holder.api_token)
    held = secrets.okta(holder)
    return held.token.reveal() if isinstance(held, OktaToken) else ""


def _private_key(secrets: Secrets, holder: Holder) -> str:
    secrets.reread(holder.private_key)
    held = secrets.okta(holder)
    return "" if isinstance(held, OktaToken) else held.private_key.reveal()
