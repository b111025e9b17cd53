"""The signed assertion and the token it buys, at the sandbox's token endpoint."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from hooks.core.errors import CredentialError, TransientError
from hooks.core.ids import OktaAppId, OktaUserId
from hooks.core.reading import MISSING
from hooks.gateways.okta import Okta
from hooks.gateways.okta_key import SCOPES, OktaKey
from hooks.sandbox import Story0, World
from tests.gateways.stage import Vault, Wall

TOKENS = ("okta", "POST", "/oauth2/v1/token")
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Make = Callable[..., tuple[Okta, OktaKey, Vault]]


def pem(key: Key) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def jwk(key: Key) -> str:
    made = (
        jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True)
        if isinstance(key, rsa.RSAPrivateKey)
        else jwt.algorithms.ECAlgorithm.to_jwk(key, as_dict=True)
    )
    return json.dumps(made | {"kid": "the-key"})


def public(key: Key) -> str:
    found = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found.decode()


@pytest.fixture
def make(okta_url: str, client: aiohttp.ClientSession, story: Story0, wall: Wall) -> Make:
    def connect(text: str, client_id: str) -> tuple[Okta, OktaKey, Vault]:
        vault = Vault(text)
        credential = OktaKey(
            client=client,
            org_url=okta_url,
            client_id=client_id,
            read_key=vault.read,
            clock=wall.clock,
        )
        okta = Okta(
            client=client,
            org_url=okta_url,
            credential=credential,
            clock=wall.clock,
            apps=(OktaAppId(story.app.id),),
        )
        return okta, credential, vault

    return connect


@pytest.fixture
def story(wall: Wall) -> Story0:
    return Story0(World(lambda: wall.at))


@pytest.mark.parametrize("write", [pem, jwk])
@pytest.mark.parametrize(
    "key",
    [
        pytest.param(rsa.generate_private_key(65537, 2048), id="RSA"),
        pytest.param(ec.generate_private_key(ec.SECP256R1()), id="P-256"),
        pytest.param(ec.generate_private_key(ec.SECP384R1()), id="P-384"),
    ],
)
async def test_either_kind_of_key_in_either_form_buys_a_token(
    make: Make, story: Story0, key: Key, write: Callable[[Key], str]
) -> None:
    service = story.world.credentials.add_service_app(
        public(key), list(SCOPES), kid="the-key" if write is jwk else ""
    )
    okta, _, _ = make(write(key), service.client_id)
    users = [okta.user(OktaUserId(story.person.id)) for _ in range(10)]
    assert MISSING not in await asyncio.gather(*users)
    assert story.world.counters[TOKENS] == 1
    assert not story.world.violations


@pytest.fixture
def key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def okta_key(make: Make, story: Story0, key: Key) -> tuple[Okta, OktaKey, Vault]:
    service = story.world.credentials.add_service_app(public(key), list(SCOPES))
    return make(pem(key), service.client_id)


async def test_a_token_is_renewed_before_it_ends(
    okta_key: tuple[Okta, OktaKey, Vault], story: Story0, wall: Wall
) -> None:
    okta, _, _ = okta_key
    user = OktaUserId(story.person.id)
    await okta.user(user)
    wall.forward(3000)
    await okta.user(user)
    assert story.world.counters[TOKENS] == 1
    wall.forward(301)
    story.world.fault("okta", path="token", status=503)
    await okta.user(user)  # no new one, and the old one still works
    story.world.clear()
    await okta.user(user)
    assert story.world.counters[TOKENS] == 3
    wall.forward(3600)
    await okta.user(user)


async def test_a_revoked_token_is_replaced_at_once(
    okta_key: tuple[Okta, OktaKey, Vault], story: Story0
) -> None:
    okta, _, _ = okta_key
    user = OktaUserId(story.person.id)
    await okta.user(user)
    story.world.credentials.revoke()
    await asyncio.gather(*(okta.user(user) for _ in range(10)))
    assert story.world.counters[TOKENS] == 2
    assert okta.door.breaker.snapshot()["state"] == "closed"


async def test_a_rotated_key_is_read_again(
    okta_key: tuple[Okta, OktaKey, Vault], story: Story0
) -> None:
    okta, credential, vault = okta_key
    user = OktaUserId(story.person.id)
    await okta.user(user)
    new = ec.generate_private_key(ec.SECP256R1())
    (service,) = story.world.credentials.service_apps.values()
    service.keys[""] = public(new)
    vault.secret = pem(new)
    story.world.credentials.revoke()
    await okta.user(user)
    assert credential._held


async def test_a_refused_key_opens_the_breaker_and_says_why(
    okta_key: tuple[Okta, OktaKey, Vault], story: Story0, wall: Wall
) -> None:
    okta, _, _ = okta_key
    (service,) = story.world.credentials.service_apps.values()
    good, service.keys[""] = service.keys[""], public(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(CredentialError) as caught:
        await okta.user(OktaUserId(story.person.id))
    assert caught.value.code == "invalid_client"
    assert okta.door.breaker.snapshot()["state"] == "open"
    service.keys[""] = good
    wall.forward(5)
    assert await okta.user(OktaUserId(story.person.id)) is not MISSING
    assert okta.door.breaker.snapshot()["state"] == "closed"


async def test_a_token_endpoint_that_is_down_burns_nothing(
    okta_key: tuple[Okta, OktaKey, Vault], story: Story0
) -> None:
    okta, _, _ = okta_key
    story.world.fault("okta", path="token", status=503, times=1)
    with pytest.raises(TransientError):
        await okta.user(OktaUserId(story.person.id))
    story.world.fault("okta", path="token", drop=True, times=1)
    with pytest.raises(TransientError) as caught:
        await okta.user(OktaUserId(story.person.id))
    assert type(caught.value) is TransientError  # nothing was changed, so nothing was lost
    assert await okta.user(OktaUserId(story.person.id)) is not MISSING


@pytest.mark.parametrize("text", ["", "nonsense", "{}", '{"kty": "oct", "k": "c2VjcmV0"}', "{"])
async def test_what_is_no_key_is_refused_without_being_quoted(make: Make, text: str) -> None:
    okta, _, _ = make(text, "client")
    with pytest.raises(CredentialError) as caught:
        await okta.user(OktaUserId("0" * 20))
    assert "c2VjcmV0" not in str(caught.value)
    assert caught.value.__cause__ is None
