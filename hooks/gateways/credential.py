"""What proves to a vendor who asks, and how it is read anew when it is refused.

Secrets are held here and nowhere else below the settings; whom they are shown to, this room must
not know.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from hooks.core.errors import CredentialError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable


class Credential(Protocol):
    """What proves to a vendor who asks."""

    async def authorization(self) -> str:
        """The value of the Authorization header; may ask somebody for a token first."""

    async def reload(self, refused: str) -> None:
        """Read the secret anew, unless what is held is no longer ``refused``."""


def read_secret(read: Callable[[], str]) -> str:
    """What ``read`` gives. Raises: CredentialError, saying nothing else, if it gives nothing."""
    try:
        return read()
    except (SettingsError, OSError, ValueError):
        raise CredentialError("a secret cannot be read") from None


class Secret:
    """A secret sent as it is: ``Bearer <key>`` or ``SSWS <token>``."""

    def __init__(self, scheme: str, read: Callable[[], str]) -> None:
        """``read`` gives the secret as it is now; it is called in a thread, since files hang."""
        self._scheme = scheme
        self._read = read
        self._held = ""
        self._reading = asyncio.Lock()

    async def authorization(self) -> str:
        """The header's value. Raises: CredentialError if no header can hold the secret."""
        async with self._reading:  # one reads for all, so that no older reading comes last
            if not self._held:
                secret = (await asyncio.to_thread(read_secret, self._read)).strip()
                if not secret.isascii() or not secret.isprintable() or len(secret.split()) != 1:
                    raise CredentialError("a secret is missing, or no header can hold it")
                self._held = f"{self._scheme} {secret}"
            return self._held

    async def reload(self, refused: str) -> None:
        """Forget the refused one; the next call reads it anew."""
        if self._held == refused:
            self._held = ""
