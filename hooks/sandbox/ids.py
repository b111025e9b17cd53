"""Identifiers in the vendors' real shapes, the same for the same seed."""

from datetime import UTC, datetime
from random import Random
from string import ascii_letters, digits
from uuid import UUID

ALPHABET = ascii_letters + digits
# RFC 9562 section 5.1: a version 1 UUID counts 100 ns steps from this day.
GREGORIAN = datetime(1582, 10, 15, tzinfo=UTC)
STEPS_PER_MILLISECOND = 10_000


class Ids:
    """Mints ids; nothing here depends on anything but the seed and the order of calls."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        # Apart, so that how much was logged does not change who gets which id.
        self._log_random = Random(seed + 1)
        self._node = self._random.getrandbits(48) | (1 << 40)
        self._events = 0
        self._accounts = 0

    def okta(self, prefix: str) -> str:
        """20 characters, as ``00u…`` user, ``00g…`` group, ``0oa…`` app, ``0ua…`` AppUser."""
        return prefix + "".join(self._random.choices(ALPHABET, k=20 - len(prefix)))

    def uuid(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def account(self) -> str:
        """An Atlassian account id: 24 hex digits, or the newer ``712020:<uuid>``."""
        self._accounts += 1
        if self._accounts % 3 == 0:
            return f"712020:{self.uuid()}"
        return f"{self._random.getrandbits(96):024x}"

    def secret(self, length: int = 42) -> str:
        return "".join(self._random.choices(ALPHABET, k=length))

    def transaction(self) -> str:
        return "".join(self._log_random.choices(ALPHABET + "-@", k=27))

    def event(self, published: datetime) -> str:
        """A version 1 UUID whose time is ``published``, a whole millisecond.

        Source: observed on seven real LogEvents; not documented.
        """
        number, self._events = self._events, self._events + 1
        milliseconds = round((published - GREGORIAN).total_seconds() * 1000)
        stamp = milliseconds * STEPS_PER_MILLISECOND + number % STEPS_PER_MILLISECOND
        sequence = number // STEPS_PER_MILLISECOND & 0x3FFF
        return str(
            UUID(
                fields=(
                    stamp & 0xFFFFFFFF,
                    stamp >> 32 & 0xFFFF,
                    stamp >> 48 & 0x0FFF | 0x1000,
                    sequence >> 8 | 0x80,
                    sequence & 0xFF,
                    self._node,
                )
            )
        )
