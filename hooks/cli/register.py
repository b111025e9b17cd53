"""Register the event hook in Okta, and change its secret.

Must live here: what is said of each change. Must not know: in which order they are made.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import opening, text
from hooks.cli.ends import FailedError, UsageError
from hooks.cli.opening import Json
from hooks.cli.progress import Progress
from hooks.clock import Clock, elapsed
from hooks.core import registration
from hooks.core.errors import HooksError
from hooks.core.log_event import EVENT_TYPES
from hooks.core.registration import Wanted
from hooks.core.report import counted
from hooks.rehearse import UNMADE, Rehearsal
from hooks.settings import Holder, Role, forms, load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from hooks.cli.text import Record
    from hooks.core.registration import EventHook
    from hooks.gateways.credential import Credential
    from hooks.gateways.wire import Client
    from hooks.register import Register, Shown, Told
    from hooks.settings import Settings

Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Where Okta reaches us; else [okta] hook_url."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done in Okta; change nothing.")
]
_UNREADABLE = (
    "Okta does not show a hook's secret. If HOOKS_HOOK_SECRET is another one by now: hooks"
    " rotate-secret, or hooks register --secret-changed."
)
_MAY_MISS = (
    "For a few minutes Okta may not send it everything yet; `hooks serve` finds what is missing"
    " in the System Log by itself, within [catch_up] every."
)
_SWAP = (
    "Now give HOOKS_HOOK_SECRET what HOOKS_HOOK_SECRET_NEXT holds, in every process: a file is"
    " read again on SIGHUP, the environment after a restart. Then the old secret opens nothing;"
    " take HOOKS_HOOK_SECRET_NEXT away at the next restart."
)


def register(
    *,
    url: Url = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help="What it is called in Okta.")
    ] = None,
    move: Annotated[
        bool, typer.Option("--move", help="Take the hook of this name from another address.")
    ] = False,
    secret_changed: Annotated[
        bool, typer.Option("--secret-changed", help="Write HOOKS_HOOK_SECRET into it anew.")
    ] = False,
    filtered: Annotated[
        bool, typer.Option("--filter", help="Give a hook that has no filter one.")
    ] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Create the event hook in Okta, or give it what it lacks, and verify it.

    `hooks serve` must be running where the URL leads, with the same secret. A hook that is
    as it must be is left alone, so this may be run at any time.
    """
    if name is not None and (not name.strip() or not name.isprintable()):
        raise UsageError("--name: write what the hook is to be called")
    asked = _asked(url)

    async def work(verb: Register) -> EventHook:
        return await verb.register(
            asked.secret, name=name, move=move, rewrite=secret_changed, filtered=filtered
        )

    said = _Said(asked.wanted, dry_run, as_json)
    found = _run(asked, said, "register", work)
    said.end(found, [] if said.told else [_UNREADABLE])


def rotate_secret(
    *,
    url: Url = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Change the hook itself; leaves a gap.")
    ] = False,
    overlap: Annotated[
        str, typer.Option("--overlap", metavar="DURATION", help="How long both are kept.")
    ] = "2m",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Give the event hook the secret HOOKS_HOOK_SECRET_NEXT, and lose nothing meanwhile.

    `hooks serve` must know both secrets already. A second hook is made and verified; only
    then the old one goes. Interrupted, the same command goes on.

    Where Okta has no room for another hook, or with --in-place, the hook itself is changed:
    what comes until it is verified is found in the System Log by `hooks serve`.
    """
    try:
        seconds = forms.duration(overlap).total_seconds()
    except ValueError as error:
        raise UsageError(f"--overlap: {error}") from None
    asked = _asked(url)
    if not asked.following or asked.following == asked.secret:
        raise UsageError(
            "HOOKS_HOOK_SECRET_NEXT: give another secret than HOOKS_HOOK_SECRET, here and to"
            " every `hooks serve`; `hooks keys new` prints one"
        )
    wait = _Wait(0.0 if dry_run else seconds)

    async def work(verb: Register) -> EventHook:
        return await verb.rotate(asked.secret, asked.following, in_place=in_place, overlap=wait)

    said = _Said(asked.wanted, dry_run, as_json)
    found = _run(asked, said, "rotate-secret", work)
    said.end(found, [_SWAP])


# -- asking ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the settings and the options say."""

    settings: Settings
    wanted: Wanted
    secret: str
    following: str


def _asked(url: str | None) -> _Asked:
    settings = load(need=Role.REGISTER)
    secrets = [each.reveal() for each in settings.secrets.hook]
    return _Asked(
        settings, wanted_of(settings, url), secrets[0], secrets[1] if len(secrets) > 1 else ""
    )


def wanted_of(settings: Settings, url: str | None) -> Wanted:
    """What the hook of these settings must be.

    Raises:
        UsageError: nobody says where Okta reaches us.
    """
    try:
        known = forms.door_url(url) if url is not None else settings.okta.hook_url
    except ValueError as error:
        raise UsageError(f"--url: {error}") from None
    if known is None:
        raise UsageError("--url: give it, or [okta] hook_url in hooks.toml")
    apps = tuple(each.okta_app_id for each in settings.directories)
    return Wanted(known, settings.okta.hook_header, apps)


def admin_of(settings: Settings, clock: Clock) -> Shown:
    """What shows Okta that whoever administers hooks is asking."""
    from hooks import ways

    def shown(client: Client, scopes: tuple[str, ...]) -> Credential:
        return ways.okta_credential(settings, client, clock, holder=Holder.ADMIN, scopes=scopes)

    return shown


@dataclass(slots=True)
class _Wait:
    """The time in which both hooks are there; says how much is left."""

    seconds: float

    async def __call__(self) -> None:
        progress = Progress("rotate-secret")
        until = elapsed() + self.seconds
        try:
            while (left := until - elapsed()) > 0:
                progress.say(f"both hooks receive; the old one goes in {left:.0f} s")
                await asyncio.sleep(min(1.0, left))
        finally:
            progress.end()


# -- doing, and saying so ----------------------------------------------------------------------


@dataclass(slots=True)
class _Said:
    """What was done, told as soon as it was, and what the hook is in the end."""

    wanted: Wanted
    dry_run: bool
    as_json: bool
    told: list[Told] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Something was changed in Okta."""
        return bool(self.told) and not self.dry_run

    def hear(self, told: Told) -> None:
        """Something was done, or found out."""
        self.told.append(told)
        if not self.as_json:
            text.tell(self._line(told))
            sys.stdout.flush()

    def end(self, hook: EventHook, after: Sequence[str]) -> None:
        """Say what it came to."""
        from hooks.register import Deed, Done

        changes = [each for each in self.told if isinstance(each, Done)]
        notes = [self._line(each) for each in self.told if not isinstance(each, Done)]
        news: list[str] = []
        if foreign := registration.differences(hook, self.wanted).foreign:
            news.append(f"Kept, though nothing here uses them: {', '.join(foreign)}.")
        if not self.dry_run:
            if any(each.deed is Deed.VERIFIED for each in changes):
                news.append(_MAY_MISS)
            news += after
        if self.as_json:
            record: Record = {
                "dry_run": self.dry_run,
                "changes": [
                    {"what": each.deed, "hook": each.hook.id, "name": each.hook.spec.name}
                    for each in changes
                ],
                "hook": described(hook),
                "notes": notes + news,
            }
            text.as_json(record)
            return
        if not changes:
            print("nothing to change")
        types = counted(len(hook.spec.types & set(EVENT_TYPES)), "event type", "event types")
        would = "would receive" if self.dry_run else "receives"
        text.tell(f"{hook.spec.name} {would} {types} at {hook.spec.url}")
        for each in news:
            print()
            text.tell(each)

    def _line(self, told: Told) -> str:
        from hooks.register import Done, Unfiltered

        if isinstance(told, Done):
            named = told.hook.spec.name
            which = named if told.hook.id == UNMADE else f"{told.hook.id} ({named})"
            return f"{'would be ' if self.dry_run else ''}{told.deed}: {which}"
        if isinstance(told, Unfiltered):
            return "no filter: this org refuses it; other apps' events come too, and are ignored"
        types = ", ".join(sorted(told.types))
        return f"left out: {types}; this org's hooks do not offer them, the System Log has them"


def _run(
    asked: _Asked, said: _Said, command: str, work: Callable[[Register], Awaitable[EventHook]]
) -> EventHook:
    from hooks.register import Register, UnverifiedError, opened

    opening.quiet()

    async def run() -> EventHook:
        url, shown = asked.settings.okta.org_url, admin_of(asked.settings, Clock())
        async with opened(url, shown, changes=not said.dry_run) as okta:
            admin = Rehearsal(await okta.hooks()) if said.dry_run else okta
            return await work(Register(admin, asked.wanted, tell=said.hear))

    unfinished = f"{command} is not finished; run it again, it goes on from what is there"
    try:
        return asyncio.run(run())
    except KeyboardInterrupt:
        if said.changed:
            print(unfinished, file=sys.stderr)
        raise
    except UnverifiedError:
        raise
    except HooksError as error:
        if said.changed:
            raise FailedError(f"{error}; {unfinished}") from None
        raise


def described(hook: EventHook) -> Record:
    """A hook, for programs."""
    return {
        "id": hook.id,
        "name": hook.spec.name,
        "url": hook.spec.url,
        "header": hook.spec.header,
        "active": hook.active,
        "verified": hook.verified,
        "receives": hook.receives,
        "types": sorted(hook.spec.types),
        "filtered": sorted(hook.spec.conditions),
    }
