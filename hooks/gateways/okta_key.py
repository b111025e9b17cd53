"""Okta's own proof of who asks: a signed assertion, exchanged for an access token of an hour.

Signing and the token's life must live here; what the token is used for, this room must not know.
Sources: developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp, RFC 7523.
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import uuid4

import msgspec

from hooks.core.errors import CredentialError, PermanentError, TransientError
from hooks.gateways.breaker import Breaker
from hooks.gateways.credential import read_secret
from hooks.gateways.pace import Pace
from hooks.gateways.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    import aiohttp

    from hooks.clock import Clock

#: What the worker reads. Source: Okta OpenAPI, ``security`` of each operation.
SCOPES = ("okta.users.read", "okta.groups.read", "okta.apps.read", "okta.logs.read")
TOKEN_PATH = "/oauth2/v1/token"  # noqa: S105  # a path
#: Life of an assertion: used at once; five minutes forgive clocks that differ.
ASSERTION_LIFE = timedelta(minutes=5)
#: A token is renewed while it still works, so that nobody waits for the new one.
RENEW_BEFORE = timedelta(minutes=5)
#: Below this a token may expire on its way.
STALE_BEFORE = timedelta(seconds=30)


class _Token(msgspec.Struct):
    access_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105  # the scheme's name


_TOKEN = msgspec.json.Decoder(_Token)


class OktaKey:
    """``private_key_jwt``, the only way for Okta's API scopes; one token for all who ask."""

    def __init__(
        self,
        *,
        client: aiohttp.ClientSession,
        org_url: str,
        client_id: str,
        read_key: Callable[[], str],
        clock: Clock,
        key_id: str = "",
        scopes: Sequence[str] = SCOPES,
    ) -> None:
        """``read_key`` gives a PEM or a JWK as text, as it is now; it is called in a thread.

        ``key_id`` is for a PEM; a JWK brings its own ``kid``. One scope that is not granted and
        there is no token for any of them.
        """
        self._scopes = " ".join(scopes)
        self._door = Transport(
            vendor="okta",
            origin=org_url,
            client=client,
            pace=Pace("okta token", clock, most=1),
            breaker=Breaker("okta token", clock),
            credential=None,
            methods=frozenset({"POST"}),
        )
        self._audience = org_url.rstrip("/") + TOKEN_PATH
        self._client_id = client_id
        self._read_key = read_key
        self._key_id = key_id
        self._clock = clock
        self._signer: tuple[Any, str, str] | None = None
        self._held = ""
        self._until: datetime = clock.now()
        self._renewing = asyncio.Lock()

    async def authorization(self) -> str:
        """The header's value; asks for a token if none is held, one asker for all.

        Raises: CredentialError if Okta refuses the key; TransientError if it does not answer.
        """
        left = self._until - self._clock.now()
        if self._held and left > (STALE_BEFORE if self._renewing.locked() else RENEW_BEFORE):
            return self._held
        async with self._renewing:
            left = self._until - self._clock.now()
            if not self._held or left <= RENEW_BEFORE:
                await self._renew(spare=bool(self._held) and left > STALE_BEFORE)
            return self._held

    async def reload(self, refused: str) -> None:
        """Throw the refused token and the key away; the next call reads and asks anew."""
        if self._held == refused:
            self._held = ""
            self._signer = None

    async def _renew(self, *, spare: bool) -> None:
        """Get a new token; ``spare`` says the old one still works if there is no new one."""
        try:
            token = await self._asked()
        except (PermanentError, TransientError):
            if not spare:
                raise
            return
        self._held = f"Bearer {token.access_token}"
        # A life shorter than the margins would make every call ask for its own token.
        life = max(timedelta(seconds=token.expires_in), RENEW_BEFORE + STALE_BEFORE)
        self._until = self._clock.now() + life

    async def _asked(self) -> _Token:
        """A token; if the key is refused, once more with the key read anew."""
        for last in (False, True):
            fresh = self._signer is None
            assertion = await asyncio.to_thread(self._assertion)
            form = urlencode(
                {
                    "grant_type": "client_credentials",
                    "scope": self._scopes,
                    "client_assertion_type": (
                        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
                    ),
                    "client_assertion": assertion,
                }
            )
            try:
                token = await self._door.ask("token", TOKEN_PATH, form.encode(), _TOKEN)
            except PermanentError as error:
                self._signer = None
                if last or fresh:
                    raise CredentialError(str(error), code=error.code) from None
                continue
            if not token.access_token.isascii() or not token.access_token.isprintable():
                break
            return token
        raise CredentialError("okta gave a token that no header can hold")

    def _assertion(self) -> str:
        import jwt  # 0.1 s and 9 MiB that a process with an API token does not need

        if self._signer is None:
            self._signer = _signer(read_secret(self._read_key), self._key_id)
        key, algorithm, key_id = self._signer
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._audience,
            "exp": int((self._clock.now() + ASSERTION_LIFE).timestamp()),
            "jti": str(uuid4()),
        }
        headers = {"kid": key_id} if key_id else None
        return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


def _signer(text: str, key_id: str) -> tuple[Any, str, str]:
    """The private key, its algorithm, and its id, from PEM or JWK text."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from jwt import PyJWK

    try:
        if text.lstrip().startswith("{"):
            jwk = json.loads(text)
            key_id = str(jwk.get("kid") or key_id)
            key = PyJWK(
                jwk, algorithm=None if "alg" in jwk or jwk.get("kty") != "RSA" else "RS256"
            ).key
        else:
            key = load_pem_private_key(text.encode(), password=None)
    except Exception:  # noqa: BLE001  # whatever a parser says of a private key stays here
        key = None
    if isinstance(key, RSAPrivateKey):
        return key, "RS256", key_id
    if isinstance(key, EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return key, _CURVES[key.curve.name], key_id
    raise CredentialError("okta's private key is no RSA or EC key in PEM or JWK form")


#: Source: RFC 7518 section 3.4.
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
