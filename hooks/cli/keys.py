"""Keys to seal with, and the schema brought up to date: what a first start needs."""

from __future__ import annotations

import asyncio
import base64
import secrets

import typer

from hooks.cli import opening
from hooks.settings import Role, load

keys = typer.Typer(help="Keys for HOOKS_SEALING_KEYS and HOOKS_CHAIN_KEY.", no_args_is_help=True)

_BYTES = 32


@keys.callback()
def _keys() -> None:
    """Keys for HOOKS_SEALING_KEYS and HOOKS_CHAIN_KEY."""


@keys.command("new")
def new() -> None:
    """Print a new random key.

    In HOOKS_SEALING_KEYS put it in front of the old ones, comma-separated.
    """
    print(new_key())


def new_key() -> str:
    """32 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode()


def migrate() -> None:
    """Make the database, or bring it up to this release; `hooks serve` does it too."""
    opening.quiet()
    print(asyncio.run(_migrated()))


async def _migrated() -> str:
    from hooks import wiring
    from hooks.store import schema

    async with wiring.opened(load(need=Role.STORE), vendors=False) as house:
        before = await asyncio.to_thread(schema.migrate, house.database)
    if before is None:
        return "the database is up to date"
    return f"migrated from {before} to {schema.HEAD}"
