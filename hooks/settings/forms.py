"""Texts the operator writes, and what they mean: durations, addresses, origins, keys.

Every function returns the value, or raises a ValueError that says what to write instead and
never repeats what was written.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from hooks.core.event_hook import PATH

_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)", re.ASCII)
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_LONGEST = timedelta(days=3650)  # beyond this a date computed from it could overflow
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)  # RFC 9110 section 5.6.2
_TOKEN = re.compile(r"[!-~]+", re.ASCII)
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?", re.ASCII)
_OKTA_ADMIN_HOST = re.compile(r"[^.]+-admin\.(okta|oktapreview|okta-emea)\.com", re.ASCII)
_LAST_PORT = 65535
_SHORTEST_SECRET = 32
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener binds."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Nobody but this machine can reach it."""
        return _loopback(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def duration(text: object) -> timedelta:
    """`500ms`, `30s`, `5m`, `24h`, `7d`."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError('write a whole number and a unit, such as "500ms", "30s", "5m", "24h"')
    length = int(found[1]) * _UNITS[found[2]]
    if length > _LONGEST:
        raise ValueError("write ten years or less")
    return length


def pause(text: object) -> timedelta:
    """A duration of a second or more."""
    length = duration(text)
    if length < timedelta(seconds=1):
        raise ValueError('write a second or more, such as "30s"')
    return length


def address(text: object) -> Address:
    """`host:port`; an IPv6 host in square brackets."""
    found = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
    if not found or int(found[2]) > _LAST_PORT:
        raise ValueError('write "host:port", such as "127.0.0.1:9090" or "[::1]:9090"')
    return Address(found[1].strip("[]"), int(found[2]))


def origin(text: object) -> str:
    """An https origin, without path; plain http only for a host on this machine."""
    parts = _url(text)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError('write the origin alone, such as "https://example.okta.com"')
    if _OKTA_ADMIN_HOST.fullmatch(parts.netloc):
        raise ValueError("write the address without `-admin`: that host is the admin console")
    return f"{parts.scheme}://{parts.netloc}"


def hook_url(text: object) -> str:
    """An https URL, plain http only for a host on this machine; empty for none."""
    if text == "":
        return ""
    return _url(text).geturl()


def door_url(text: object) -> str:
    """The URL under which Okta reaches the public door."""
    parts = _url(text)
    if parts.path != PATH or parts.query or parts.fragment:
        raise ValueError(f'write the whole URL, such as "https://hooks.example.com{PATH}"')
    return parts.geturl()


def _url(text: object) -> SplitResult:
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        raise ValueError("write a URL that begins with https://")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        raise ValueError("write a URL that begins with https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("take the user name and password out of the URL")
    if parts.scheme != "https" and not (parts.scheme == "http" and _loopback(host)):
        raise ValueError("write https://; plain http is for loopback hosts only")
    return parts


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def header(text: object) -> str:
    """The name of an HTTP header."""
    if not isinstance(text, str) or not _HEADER.fullmatch(text):
        raise ValueError('write the name of an HTTP header, such as "Authorization"')
    return text


def hook_secret(text: str) -> None:
    """What Okta sends in a header: 32 characters or more, and fit for a header."""
    if len(text) < _SHORTEST_SECRET or not _HEADER_VALUE.fullmatch(text):
        raise ValueError("needs 32 printable ASCII characters or more, no space at either end")


def token(text: str) -> None:
    """What we send in a header: one word."""
    if not _TOKEN.fullmatch(text):
        raise ValueError("holds a space or an unprintable character; copy it again")


def long_token(text: str) -> None:
    """A word that somebody could try to guess."""
    token(text)
    if len(text) < _SHORTEST_SECRET:
        raise ValueError("needs 32 characters or more")


def sealing_keys(text: str) -> tuple[bytes, ...]:
    """Comma-separated, newest first, each 32 bytes in URL-safe base64."""
    keys = tuple(_key(part.strip()) for part in text.split(","))
    if len(set(keys)) != len(keys):
        raise ValueError("holds the same key twice")
    return keys


def chain_key(text: str) -> bytes:
    """32 bytes in URL-safe base64."""
    key = _bytes(text.strip())
    if len(key) != _KEY_BYTES:
        raise ValueError("is 32 random bytes in URL-safe base64; `hooks keys new` prints one")
    return key


def _key(text: str) -> bytes:
    key = _bytes(text)
    if len(key) != _KEY_BYTES:
        raise ValueError(
            "each key is 32 random bytes in URL-safe base64, several are separated by commas, "
            "the newest comes first; `hooks keys new` prints one"
        )
    return key


def _bytes(text: str) -> bytes:
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    try:
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return b""


def private_key(text: str) -> None:
    """An RSA or EC private key, as PEM without password or as JWK."""
    # Imported here: a process that holds no such key must not pay for it.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    key: object = None
    try:
        if text.lstrip().startswith("{"):
            key = PyJWK(json.loads(text)).key
        else:
            key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, KeyError, RecursionError, UnsupportedAlgorithm, PyJWTError):
        pass
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise ValueError(
            "is no RSA or EC private key in PEM (without password) or JWK form; "
            "a PEM keeps its line breaks best in HOOKS_OKTA_PRIVATE_KEY_FILE"
        )


def database_url(text: str) -> str:
    """The same with our driver: `sqlite:///path` or `postgresql://…`."""
    scheme, _, rest = text.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest.strip("/") not in ("", ":memory:"):
        return f"sqlite+pysqlite://{rest}"
    if scheme == "postgresql" and _parses(text):
        return f"postgresql+psycopg://{rest}"
    raise ValueError(
        "write sqlite:///path (a file: what is accepted must last) or "
        "postgresql://user:password@host/database, without a driver"
    )


def _parses(url: str) -> bool:
    try:
        _ = urlsplit(url).port
    except ValueError:
        return False
    return True
