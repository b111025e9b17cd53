"""Who may call the Okta API: an API token, service apps with their keys, access tokens."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .ids import Ids


@dataclass(frozen=True)
class ServiceApp:
    """``keys``: JWKs or PEM public keys, by key id; ``""`` matches any or no ``kid``."""

    client_id: str
    keys: dict[str, Any]
    scopes: frozenset[str]


@dataclass(frozen=True)
class AccessToken:
    client_id: str
    scopes: frozenset[str]
    expires: datetime


class Credentials:
    def __init__(self, ids: Ids, noise: Ids) -> None:
        self._ids = ids
        self._noise = noise
        self.api_token = "00" + ids.secret(40)
        """Good for everything; assign another string and the old one is revoked."""
        self.service_apps: dict[str, ServiceApp] = {}
        self.access_tokens: dict[str, AccessToken] = {}
        self.used_assertions: set[str] = set()

    def add_service_app(self, public_key: Any, scopes: list[str], kid: str = "") -> ServiceApp:
        """Register an OAuth service app with a public key (PEM text or JWK) and granted scopes."""
        app = ServiceApp(self._ids.okta("0oa"), {kid: public_key}, frozenset(scopes))
        self.service_apps[app.client_id] = app
        return app

    def issue(self, app: ServiceApp, scopes: frozenset[str], now: datetime, seconds: int) -> str:
        token = f"eyJ{self._noise.secret(60)}"
        expires = now + timedelta(seconds=seconds)
        self.access_tokens[token] = AccessToken(app.client_id, scopes, expires)
        return token

    def revoke(self, token: str | None = None) -> None:
        """Make one access token, or all, invalid at once."""
        if token is None:
            self.access_tokens.clear()
        else:
            self.access_tokens.pop(token, None)
