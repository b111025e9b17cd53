"""Who may call the hook, and the one-time verification. Source: Okta event hooks guide."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Where Okta's deliveries arrive, and its verification.
PATH = "/okta/events"
#: Okta sends it once, on the verifying GET, and wants its value back.
CHALLENGE_HEADER = "x-okta-verification-challenge"


def authorized(presented: bytes | None, secrets: Iterable[bytes]) -> bool:
    """Compare the presented header value with every live secret, in constant time.

    All secrets are compared whatever the first says, so the time tells nothing about which one
    matched. Without any secret nobody is authorized.
    """
    value = presented or b""
    matches = [hmac.compare_digest(value, secret) for secret in secrets if secret]
    return any(matches)


def verification(challenge: str) -> dict[str, str]:
    """The body that answers a challenge."""
    return {"verification": challenge}
