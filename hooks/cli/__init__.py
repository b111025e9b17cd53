"""The command line: which commands there are, and how each of them ends.

Must live here: the names of commands and the one place that turns failures into exit codes.
Must not know: what any command does.
"""

from __future__ import annotations

import errno
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import (
    alarms,
    audit,
    dead,
    decisions,
    demo,
    doctor,
    evidence,
    explain,
    export,
    external,
    forget,
    groups,
    hook,
    keys,
    lists,
    look,
    mappings,
    policy,
    purge,
    recovery,
    register,
    replay,
    restore,
    sandbox,
    unlink,
    verify,
)
from hooks.cli.ends import FAILED, INTERRUPTED, OK, WRONG, code_of
from hooks.core.errors import HooksError
from hooks.release import release

if TYPE_CHECKING:
    from collections.abc import Sequence

_HELP = """Receives Okta event hooks and removes stale Atlassian group memberships.

Settings come from hooks.toml (or the file HOOKS_CONFIG names) and from the environment.

Exit codes: 0 done, 1 something failed, 2 wrong usage or settings and nothing done.
"""

#: Where a command's answer goes there is no room for it.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

app = typer.Typer(
    name="hooks",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it so
    if wanted:
        print(f"hooks {release()}")
        raise typer.Exit


@app.callback()
def _app(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def serve(context: typer.Context) -> None:
    """Receive events and act on them, until told to stop."""
    from hooks.serve import serve as process

    raise typer.Exit(process(context.args))


app.command(short_help="Play the story on this machine, and judge the end.")(demo.demo)
app.command(short_help="Run stand-ins for Okta and Atlassian here.")(sandbox.sandbox)
app.command(short_help="Look at one person now, or with --dry-run only plan.")(look.look)
app.command(short_help="One person's past, and why each group stays or goes.")(explain.explain)
lists.events.command("export")(export.export)
app.add_typer(lists.events, name="events", short_help="Stored events: list, show, export.")
app.command(short_help="Put events back in line: stored ones, or files.")(replay.replay)
app.command(short_help="Give back what was removed, where the world agrees.")(restore.restore)
lists.steps.command("verify", short_help="Whether it is as it was written.")(verify.verify)
lists.steps.command("export", short_help="As CSV or JSON lines.")(evidence.export)
app.add_typer(lists.steps, name="steps", short_help="The journal: list, verify, export.")
app.add_typer(mappings.app, name="mappings", short_help="Push mappings: list, accept.")
app.add_typer(decisions.held, name="held", short_help="Holds: list, show, approve, reject.")
app.add_typer(dead.dead, name="dead", short_help="Dead letters: list, show, retry.")
app.command(short_help="Read everybody: who has what they should not.")(audit.audit)
app.command(short_help="What is amiss now: what it means, what to do.")(alarms.alarms)
app.command(short_help="Okta groups before a push: who has the name.")(groups.groups)
app.command(short_help="Free an account by deleting its SCIM record.")(unlink.unlink)
app.command(short_help="External people a Force Sync dropped: find, repair.")(external.external)
app.command(short_help="Create the event hook in Okta, or mend it.")(register.register)
app.command(short_help="Give the event hook another secret.")(register.rotate_secret)
app.command(short_help="The event hook: state, deliveries, failures.")(hook.hook)
app.command(short_help="Read a range of Okta's System Log for what was missed.")(recovery.catch_up)
app.command(short_help="Write nothing to the vendors, at once and everywhere.")(recovery.pause)
app.command(short_help="Write to the vendors again.")(recovery.resume)
app.command(short_help="Look at all that can be wrong; what to do about it.")(doctor.doctor)
app.add_typer(policy.app, name="policy", short_help="What hooks.toml reaches: check it.")
app.command(short_help="Delete what is over and old; never what is owed.")(purge.purge)
app.command(short_help="Delete everything that is stored of one person.")(forget.forget)
app.add_typer(
    keys.keys, name="keys", short_help="Keys to seal and chain with: make, rotate, chain."
)
app.command(short_help="Make the database, or bring it up to date.")(keys.migrate)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Failures are one line on stderr, never a traceback."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name must not end a list
    command = typer.main.get_command(app)
    try:
        code = command.main(
            None if arguments is None else list(arguments), prog_name="hooks", standalone_mode=False
        )
    except HooksError as error:
        return _failed(str(error), code_of(error))
    except typer.TyperException as error:
        return _misused(error)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SystemExit:  # so typer ends where nobody reads on; what it would flush it forgets
        return OK
    except Exception as error:  # noqa: BLE001  # a traceback may show what must not be shown
        return _failed(_fault(error), FAILED)
    return code if isinstance(code, int) else OK


def _misused(error: typer.TyperException) -> int:
    """A command line that is none: what is wrong, and where to read on."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "hooks"
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    if not message or type(error).__name__ == "NoArgsIsHelpError":
        print(context.get_help() if context else "", file=sys.stderr)
        return WRONG
    return _failed(f"{path}: {message}; see: {path} --help", WRONG)


def _fault(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"hooks: {error.strerror}"
    return f"hooks: {type(error).__name__}, which is a fault of this program; report it"


def _failed(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code
