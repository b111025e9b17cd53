"""Okta and Atlassian on this machine: small apps with memory that behave as the vendors do.

A ``World`` holds what both vendors know and who did what; ``create_okta`` and
``create_atlassian`` are the two HTTP faces of it; ``serving`` runs both on loopback.
Every behaviour that is not certain is a switch, every failure a fault.

This package shares no line with the service it stands in front of: a shared parser would
share its mistakes.
"""

from .atlassian import create_atlassian
from .delivery import Deliverer, delivery
from .okta import create_okta
from .okta_auth import key_pair
from .server import Sandbox, listening, serving
from .story import HOOK_TYPES, Story0, crowd
from .world import World, WorldError

__all__ = [
    "HOOK_TYPES",
    "Deliverer",
    "Sandbox",
    "Story0",
    "World",
    "WorldError",
    "create_atlassian",
    "create_okta",
    "crowd",
    "delivery",
    "key_pair",
    "listening",
    "serving",
]
