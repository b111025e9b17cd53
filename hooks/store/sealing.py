"""Payloads and addresses sealed at rest: AES-GCM, key id in front, row id as associated data.

A sealed value opens only in the row it was sealed for. Source: NIST SP 800-38D.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hooks.core.errors import UnsealedError

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY_BYTES = 32
ID_BYTES = 4
_NONCE_BYTES = 12


class Sealer:
    """Seals with the newest key, opens with any it has."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """``keys`` are 32 bytes each, newest first."""
        self._keys = {_key_id(key): AESGCM(key) for key in keys}
        self._newest = _key_id(keys[0])

    @property
    def keys(self) -> tuple[str, ...]:
        """The ids of its keys, newest first."""
        return tuple(each.hex() for each in self._keys)

    def seal(self, plain: bytes, row: str) -> bytes:
        """Seal for one row. Random nonces are safe for some 2^32 values of one key."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._keys[self._newest].encrypt(nonce, plain, row.encode())
        return self._newest + nonce + sealed

    def open(self, sealed: bytes, row: str) -> bytes:
        """Open what was sealed for this row.

        Raises:
            UnsealedError: the key is not among ours, or the value was changed or moved.
        """
        key = self._keys.get(sealed[:ID_BYTES])
        if key is None:
            msg = (
                f"store: sealed with key {key_of(sealed)}, which is not given;"
                " add it behind the others in HOOKS_SEALING_KEYS"
            )
            raise UnsealedError(msg)
        nonce = sealed[ID_BYTES : ID_BYTES + _NONCE_BYTES]
        try:
            return key.decrypt(nonce, sealed[ID_BYTES + _NONCE_BYTES :], row.encode())
        except (InvalidTag, ValueError) as error:
            msg = "store: a sealed value was changed, or belongs to another row"
            raise UnsealedError(msg) from error


def key_of(sealed: bytes) -> str:
    """The id of the key a value was sealed with."""
    return sealed[:ID_BYTES].hex()


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"hooks sealing key id" + key).digest()[:ID_BYTES]
