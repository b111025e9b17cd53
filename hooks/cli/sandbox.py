"""Both vendors on loopback with a small org in them, and everything a service needs to join in."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli.ends import FailedError, UsageError
from hooks.cli.keys import new_key
from hooks.core.log_event import EVENT_TYPES
from hooks.core.report import counted

if TYPE_CHECKING:
    from hooks.sandbox import Sandbox, World
    from hooks.sandbox.directory import Directory

#: Opens nothing but a sandbox; long enough for the settings to take it.
HOOK_SECRET = "only-for-the-sandbox-and-no-secret-at-all"  # noqa: S105  # as it says
_HOOK_URL = "http://127.0.0.1:8080/okta/events"
_PEOPLE = {
    "ada@somedomain.example": ("Production-Confluence", "Production-StatusPage"),
    "grace@somedomain.example": ("Production-StatusPage",),
    "linus@somedomain.example": (),
}
#: Seconds between deliveries.
_EVERY = 0.05
#: A group the organization keeps itself, of the story (its ``JIRA_USERS``).
_LOCAL_GROUP = "jira-software-users"
_LOCAL = ("http://127.0.0.1", "http://localhost", "http://[::1]")

Port = Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="0 is any free one.")]


def sandbox(
    okta_port: Port = 8081,
    atlassian_port: Port = 8082,
    hook_url: Annotated[
        str, typer.Option(metavar="URL", help="Where the stand-in for Okta delivers events.")
    ] = _HOOK_URL,
    hook_secret: Annotated[
        str, typer.Option(metavar="TEXT", help="What it sends in the header Authorization.")
    ] = HOOK_SECRET,
    *,
    no_hook: Annotated[
        bool, typer.Option("--no-hook", help="Leave the event hook to hooks register.")
    ] = False,
) -> None:
    """Run stand-ins for Okta and Atlassian on this machine, until interrupted."""
    if not hook_url.startswith((*_LOCAL, "https://")):
        raise UsageError("--hook-url: write https://, or http:// on this machine")
    if not hook_secret.isprintable() or not hook_secret.isascii() or len(hook_secret) < 32:  # noqa: PLR2004  # as the settings ask
        raise UsageError("--hook-secret: write 32 printable ASCII characters or more")
    with contextlib.suppress(KeyboardInterrupt):
        world = small_org()
        if not no_hook:
            world.add_hook(hook_url, hook_secret, list(EVENT_TYPES))
        asyncio.run(_run(world, okta_port, atlassian_port, hook_url, hook_secret))


async def _run(
    world: World, okta_port: int, atlassian_port: int, hook_url: str, hook_secret: str
) -> None:
    from hooks.sandbox import serving

    try:
        async with serving(world, okta_port=okta_port, atlassian_port=atlassian_port) as running:
            print(_told(running, hook_url, hook_secret), flush=True)
            await _deliver(running)
    except OSError as error:
        words = "take another --okta-port or --atlassian-port"
        raise FailedError(f"sandbox: {error.strerror or 'a port is taken'}; {words}") from None


async def _deliver(running: Sandbox) -> None:
    """Deliver as Okta does, and say so: what it could not deliver it never tries a third time."""
    while True:
        for each in await running.deliverer.flush():
            count = counted(len(each.uuids), "event", "events")
            status = each.statuses[-1]
            answer = "no answer" if status is None else f"answered {status}"
            lost = "" if each.accepted else "; lost, as Okta tries no third time"
            print(f"delivered {count}: {answer}{lost}", flush=True)
        await asyncio.sleep(_EVERY)


def small_org() -> World:
    """The story's two people and three more, older than the System Log reaches back."""
    from hooks.sandbox import Story0, World

    world = World()
    with world.long_ago():
        Story0(world)
        for login, groups in _PEOPLE.items():
            world.add_user(login)
            for group in groups:
                world.add_to_group(login, group)
    return world


# -- the settings that match -------------------------------------------------------------------


def matching_toml(
    world: World,
    directory: Directory,
    okta_url: str,
    atlassian_url: str,
    *more: str,
    hook_url: str = _HOOK_URL,
) -> str:
    """A hooks.toml for one directory of a sandbox and its organization.

    ``more`` stands before its tables.
    """
    return "\n".join(
        [
            'mode = "enforce"',
            *more,
            "",
            "[okta]",
            f'org_url = "{okta_url}"',
            f'hook_url = "{hook_url}"',
            "",
            "[atlassian]",
            f'api_url = "{atlassian_url}"',
            f'organization_id = "{world.organization.id}"',
            "",
            "[[directory]]",
            f'name = "{directory.name}"',
            f'okta_app_id = "{directory.app_id}"',
            f'scim_directory_id = "{directory.id}"',
            "",
            "[[local_group]]",
            f'name = "{_LOCAL_GROUP}"',
            "",
        ]
    )


def matching_environ(
    world: World, directory: Directory, *, config: Path, database: Path, hook_secret: str
) -> dict[str, str]:
    """The environment that goes with it."""
    return {
        "HOOKS_CONFIG": str(config),
        "HOOKS_DATABASE_URL": f"sqlite:///{database}",
        "HOOKS_HOOK_SECRET": hook_secret,
        "HOOKS_OKTA_API_TOKEN": world.credentials.api_token,
        "HOOKS_OKTA_ADMIN_API_TOKEN": world.credentials.api_token,
        "HOOKS_SCIM_KEY": directory.key,
        "HOOKS_ORG_API_KEY": world.organization.api_key,
        "HOOKS_SEALING_KEYS": new_key(),
    }


def _told(running: Sandbox, hook_url: str, hook_secret: str) -> str:
    """Where everything is, and what to copy."""
    world = running.world
    directory = world.directory("main")
    toml = matching_toml(
        world, directory, running.okta_url, running.atlassian_url, hook_url=hook_url
    )
    environ = matching_environ(
        world,
        directory,
        config=Path("hooks.toml"),
        database=Path("hooks.db"),
        hook_secret=hook_secret,
    )
    exports = "\n".join(f"export {name}='{value}'" for name, value in environ.items())
    hook = next((each.uri for each in world.org.hooks.values()), "nobody: run hooks register")
    people = "\n".join(f"  {each.login}" for each in world.org.users.values())
    return f"""\
Stand-ins for both vendors; nothing here leaves this machine, nothing is kept.

  Okta       {running.okta_url}
  Atlassian  {running.atlassian_url}
  events to  {hook}

People:
{people}

# hooks.toml
{toml}
# environment of hooks serve and of every other command; the last line is new
# each time: keep it as long as you keep hooks.db
{exports}

# play admin (names, logins or ids, apps by id; help lists the verbs and what they take)
url={running.okta_url}/sandbox
curl -s $url/help -d '[]'
curl -s $url/state
curl -s $url/remove_from_group -d '["{_FIRST}", "Production-Confluence"]'
curl -s $url/deactivate -d '["{_FIRST}"]'
curl -s $url/activate -d '["{_FIRST}"]'
curl -s $url/add_to_group -d '["{_FIRST}", "Production-StatusPage"]'
curl -s $url/local_add -d '["{_LOCAL_GROUP}", "{_FIRST}"]'
curl -s $url/log

Ctrl-C ends it."""


_FIRST = "testexample@somedomain.example"
