"""A credential is refused for hours: nothing is burnt, it shows, and a new file is all it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from hooks.alarm import Alarms
from hooks.gateways.okta_key import SCOPES
from hooks.operations import Tally, create_operations
from hooks.sandbox.faults import Vendor
from hooks.sandbox.server import listening
from hooks.store.database import Tx
from hooks.store.tables import Due
from tests.running import Running
from tests.stories.company import STAFF, Company

AN_HOUR = timedelta(hours=1)
JIRA = "jira-software-users"
RULE = f'[[local_group]]\nname = "{JIRA}"\n'
#: Two at each trial and each look, of which there is one in five minutes.
FEW = 100


def attempts(tx: Tx) -> list[int]:
    return [0, *tx.execute(select(Due.__table__.c.attempts)).scalars()]  # type: ignore[attr-defined]


# -- four credentials --------------------------------------------------------------------------


@dataclass(frozen=True)
class Credential:
    """``first`` gives its secret; ``renew`` has the vendor refuse that, and gives the next.

    ``named`` is how it is called where people look, ``names`` where it stands in the environment.
    """

    named: str
    vendor: Vendor
    names: tuple[str, ...]
    first: Callable[[Company], dict[str, str]]
    renew: Callable[[Company], str]


def pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public(key: ec.EllipticCurvePrivateKey) -> str:
    spelled = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return spelled.decode()


def sign_in(company: Company) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    app = company.world.credentials.add_service_app(public(key), list(SCOPES))
    return {"HOOKS_OKTA_CLIENT_ID": app.client_id, "HOOKS_OKTA_PRIVATE_KEY": pem(key)}


def other_key(company: Company) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    [app] = company.world.credentials.service_apps.values()
    app.keys[""] = public(key)
    company.world.credentials.revoke()
    return pem(key)


def other_token(company: Company) -> str:
    company.world.credentials.api_token = "00another-token-that-nobody-may-read"
    return company.world.credentials.api_token


def other_scim_key(company: Company) -> str:
    company.directory.key = "another-key-that-nobody-may-read"
    return company.directory.key


def other_organization_key(company: Company) -> str:
    company.world.set_org_key("expired")
    return company.world.add_org_key()


CREDENTIALS = [
    Credential(
        "okta",
        "okta",
        ("HOOKS_OKTA_API_TOKEN",),
        lambda company: {"HOOKS_OKTA_API_TOKEN": company.world.credentials.api_token},
        other_token,
    ),
    Credential(
        "okta", "okta", ("HOOKS_OKTA_API_TOKEN", "HOOKS_OKTA_PRIVATE_KEY"), sign_in, other_key
    ),
    Credential(
        "scim main",
        "scim",
        ("HOOKS_SCIM_KEY_MAIN",),
        lambda company: {"HOOKS_SCIM_KEY_MAIN": company.directory.key},
        other_scim_key,
    ),
    Credential(
        "organization",
        "org",
        ("HOOKS_ORG_API_KEY",),
        lambda company: {"HOOKS_ORG_API_KEY": company.world.organization.api_key},
        other_organization_key,
    ),
]
IDS = ["API token", "private key", "SCIM key", "organization key"]


# -- what shows --------------------------------------------------------------------------------


async def shown(
    run: Running, alarms: Alarms, credential: Credential
) -> tuple[str, float, float, list[str]]:
    """State, both figures and the alarms, once the process has looked."""
    await alarms.tick()
    app = create_operations(
        tally=Tally(run.house.database),
        about=lambda: {"vendors": run.house.vendors()},
        token=lambda: None,
    )
    async with listening(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        status = (await client.get("/status")).json()
        text = (await client.get("/metrics")).text
    metrics = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return (
        status["vendors"][credential.named]["breaker"]["state"],
        metrics["hooks_breaker_open", credential.named],
        metrics["hooks_alarm", "breaker"],
        [each["name"] for each in status["alarms"]],
    )


# -- the stories -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("credential", CREDENTIALS, ids=IDS)
async def test_a_refused_credential_waits_for_its_new_file_and_for_nothing_else(
    company: Company, sqlite_url: str, tmp_path: Path, *, credential: Credential, status: int
) -> None:
    """401 by itself; or everything is answered 403, until whoever repairs it repairs both."""
    world = company.world
    ann = company.hire("ann", "red")
    with world.long_ago():
        world.local_add(world.add_local_group(JIRA), ann, bob := company.hire("bob", "red"))
    file = tmp_path / "secret"
    secrets = credential.first(company)
    name = credential.names[-1]
    file.write_text(secrets.pop(name))
    given = {**dict.fromkeys(credential.names), **secrets, f"{name}_FILE": str(file)}
    async with company.service(sqlite_url, tmp_path, rules=RULE, given=given) as run:
        alarms = run.house.alarms(loaded=lambda: True)
        assert await shown(run, alarms, credential) == ("closed", 0, 0, [])
        renewed = credential.renew(company)
        if status == 403:
            world.fault(credential.vendor, path="^/(api|scim|admin)/", status=status)
        world.deactivate(ann)
        world.requests.clear()
        await run.settle(AN_HOUR)
        assert set(await run.house.database.read(attempts)) == {0}, "nobody's attempt was counted"
        assert await run.dead() == []
        assert JIRA in world.local_groups_of(ann)
        assert len([each for each in world.requests if each.vendor == credential.vendor]) < FEW
        breaker = f"breaker {credential.named}"
        assert await shown(run, alarms, credential) == ("open", 1, 1, [breaker, "unsettled"])

        world.clear()
        file.write_text(renewed)
        await run.settle(timedelta(minutes=15))
        assert (company.groups(ann), world.local_groups_of(ann)) == (set(), set())
        assert (company.groups(bob), world.local_groups_of(bob)) == ({"red"}, {JIRA})
        assert (await shown(run, alarms, credential))[:2] == ("closed", 0)


async def test_a_group_waits_for_a_refused_credential_and_is_not_given_up_on(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """It is unassigned, and of its people Okta says nothing."""
    world = company.world
    ann = company.hire("ann", "red")
    file = tmp_path / "secret"
    file.write_text(world.credentials.api_token)
    given = {"HOOKS_OKTA_API_TOKEN": None, "HOOKS_OKTA_API_TOKEN_FILE": str(file)}
    async with company.service(sqlite_url, tmp_path, given=given) as run:
        await run.settle()
        renewed = other_token(company)
        world.unassign_group(STAFF, company.app)
        world.outbox[:] = [each for each in world.outbox if each[1]["eventType"][:5] == "group"]
        await run.settle(AN_HOUR)
        assert company.groups(ann) == {"red"}
        assert set(await run.house.database.read(attempts)) == {0}
        file.write_text(renewed)
        await run.settle(timedelta(minutes=15))
        assert company.groups(ann) == set()
