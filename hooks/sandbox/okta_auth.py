"""Okta's token endpoint and the check of every other call: who may, and how often."""

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .credentials import ServiceApp
from .okta_json import OktaError
from .world import World

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
# An assertion may live an hour at most. Source: Okta guide for OAuth service apps.
LONGEST_ASSERTION = 3600


def key_pair() -> tuple[str, str]:
    """A fresh P-256 pair as PEM texts: private for the client, public for the world."""
    private = ec.generate_private_key(ec.SECP256R1())
    private_pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public_pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private_pem.decode(), public_pem.decode()


class TokenError(Exception):
    """An OAuth error body. Source: RFC 6749 section 5.2, Okta OpenID Connect reference."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "error_description": description}


class Gate:
    """Knows tokens, scopes and rate limits."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.spent: dict[tuple[str, int], int] = {}

    # --- the token endpoint -----------------------------------------------------------------

    async def token(self, request: Request) -> Response:
        if self.world.switches.require_dpop:
            headers = {"dpop-nonce": self.world.noise.secret(20)}
            body = {"error": "use_dpop_nonce", "error_description": "DPoP nonce required."}
            return JSONResponse(body, 400, headers)
        form = {str(k): str(v) for k, v in (await _form(request)).items()}
        try:
            app = self._client(form, str(request.url))
            scopes = self._scopes(form, app)
        except TokenError as error:
            return JSONResponse(error.body, error.status)
        lifetime = self.world.switches.token_lifetime
        token = self.world.credentials.issue(app, scopes, self.world.now(), lifetime)
        return JSONResponse(
            {
                "token_type": "Bearer",
                "expires_in": lifetime,
                "access_token": token,
                "scope": " ".join(sorted(scopes)),
            },
            headers={"cache-control": "no-store"},
        )

    def _client(self, form: Mapping[str, str], audience: str) -> ServiceApp:
        """``client_credentials`` with ``private_key_jwt``: the only way to okta.* scopes."""
        if form.get("grant_type") != "client_credentials":
            raise TokenError(400, "unsupported_grant_type", "Only client_credentials is served.")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise TokenError(401, "invalid_client", "No client credentials found.")
        assertion = form.get("client_assertion", "")
        try:
            return self._verified(assertion, audience)
        except (jwt.PyJWTError, ValueError, KeyError) as error:
            reason = f"The client_assertion token is invalid: {type(error).__name__}."
            raise TokenError(401, "invalid_client", reason) from None

    def _verified(self, assertion: str, audience: str) -> ServiceApp:
        unverified = jwt.decode(assertion, options={"verify_signature": False})
        app = self.world.credentials.service_apps[str(unverified["sub"])]
        kid = jwt.get_unverified_header(assertion).get("kid", "")
        key = app.keys.get(kid, app.keys.get(""))
        if key is None:
            raise jwt.InvalidKeyError
        if isinstance(key, dict):
            key = jwt.PyJWK(key).key
        # The clock is the world's, so that tests own it.
        claims: dict[str, Any] = jwt.decode(
            assertion,
            key,
            algorithms=ALGORITHMS,
            audience=audience.partition("?")[0],
            options={
                "require": ["iss", "sub", "aud", "exp"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        now = self.world.now().timestamp()
        if claims["iss"] != claims["sub"] or not now < claims["exp"] <= now + LONGEST_ASSERTION:
            raise jwt.InvalidTokenError
        self._once(claims)
        return app

    def _once(self, claims: Mapping[str, Any]) -> None:
        """A ``jti`` is good for one token. Source: Okta, "client_assertion" ``jti``."""
        jti = claims.get("jti")
        used = self.world.credentials.used_assertions
        if jti is not None and str(jti) in used:
            raise jwt.InvalidTokenError
        used.add(str(jti))

    def _scopes(self, form: Mapping[str, str], app: ServiceApp) -> frozenset[str]:
        asked = frozenset(form.get("scope", "").split())
        if not asked or not asked <= app.scopes:
            raise TokenError(400, "invalid_scope", "One or more scopes are not granted.")
        return asked

    # --- every other call -------------------------------------------------------------------

    def admit(self, request: Request, scopes: frozenset[str], *, exceeded: bool) -> None:
        """401 without a valid token, 403 if it lacks the scopes of this call, else 429."""
        header = request.headers.get("authorization", "")
        granted = self._granted(header)
        if granted is None:
            raise OktaError(401, "E0000011")
        if "*" not in granted and not scopes <= granted:
            raise OktaError(403, "E0000006")
        if exceeded:
            raise OktaError(429, "E0000047")

    def _granted(self, header: str) -> frozenset[str] | None:
        credentials, switches = self.world.credentials, self.world.switches
        accepted = [f"SSWS {credentials.api_token}"]
        if switches.ssws_without_space:
            accepted.append(f"SSWS{credentials.api_token}")
        if header in accepted:
            return frozenset("*")
        token = credentials.access_tokens.get(header.removeprefix("Bearer "))
        if not header.startswith("Bearer ") or token is None:
            return None
        return token.scopes if self.world.now() < token.expires else None

    def meter(self, bucket: str) -> tuple[dict[str, str], bool]:
        """``X-Rate-Limit-*`` of this bucket, and whether this call is one too many."""
        switches = self.world.switches
        window = math.floor(self.world.now().timestamp() / switches.okta_rate_window)
        self.spent[bucket, window] = self.spent.get((bucket, window), 0) + 1
        left = switches.okta_rate_limit - self.spent[bucket, window]
        shown = switches.okta_rate_remaining
        headers = {
            "X-Rate-Limit-Limit": str(switches.okta_rate_limit),
            "X-Rate-Limit-Remaining": str(max(0, left if shown is None else shown)),
            "X-Rate-Limit-Reset": str((window + 1) * switches.okta_rate_window),
        }
        exceeded = switches.okta_rate_enforced and left < 0
        return (headers if switches.okta_rate_headers else {}), exceeded


async def _form(request: Request) -> Mapping[str, Any]:
    """The form, without the library that starlette would want for it."""
    fields = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    return dict(request.query_params) | fields
