"""Help, wrong arguments, and what a first start needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import hooks
from hooks import cli
from hooks.settings import Role, load
from tests.cli.conftest import Desk

ROOT = Path(hooks.__path__[0]).parent


def _command(path: list[str]) -> Any:
    found: Any = typer.main.get_command(cli.app)
    for name in path:
        found = found.commands[name]
    return found


def _commands() -> Iterator[list[str]]:
    def below(command: object, path: list[str]) -> Iterator[list[str]]:
        yield path
        for name, each in getattr(command, "commands", {}).items():
            yield from below(each, [*path, name])

    yield from below(typer.main.get_command(cli.app), [])


#: What a row of help begins with: a flag, or the name of an argument or a command.
_ROW = re.compile(r"  (\S.*?)(?:  +(\S.*))?")
_WORD = re.compile(r"[\w-]+")


def _help(path: list[str]) -> str:
    """As a terminal of 80 columns shows it."""
    environ = os.environ | {"COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-m", "hooks", *path, "--help"], capture_output=True, env=environ,
        check=False, text=True,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def _rows(shown: str, heading: str) -> dict[str, str]:
    """The rows below a heading: what each is about, and its words, however many lines they take."""
    found: dict[str, str] = {}
    last = ""
    for line in shown.partition(f"\n{heading}:\n")[2].split("\n\n")[0].splitlines():
        row = _ROW.fullmatch(line)
        if row and not line.startswith("   "):
            last = row[1]
            found[last] = row[2] or ""
        else:
            found[last] = f"{found[last]} {line.strip()}".strip()
    return found


@pytest.mark.parametrize("path", list(_commands()), ids=" ".join)
def test_help_is_readable_at_80_columns(
    path: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main([*path, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.casefold().startswith("usage: hooks")
    assert max(map(len, out.splitlines())) <= 80
    assert "..." not in out.partition("Commands:")[2]  # no sentence is cut
    if path == ["serve"]:
        return  # argparse's own, below
    command = _command(path)
    for each in command.params:
        heading, flags = "Options", [*each.opts, *each.secondary_opts]
        if each.param_type_name == "argument":
            heading, flags = "Arguments", [each.metavar or each.name.upper()]
        rows = _rows(out, heading)
        # Whole, and in one row with its words: a flag that is broken cannot be copied.
        (words,) = [said for row, said in rows.items() if set(flags) <= set(_WORD.findall(row))]
        assert words.strip(), f"{flags} without words"
    known = getattr(command, "commands", {})
    assert all(_rows(out, "Commands").get(name, "").strip() for name in known), "without words"
    for name in known:
        assert any(line.startswith(f"  {name} ") for line in out.splitlines())


def test_help_in_a_terminal_of_80_columns_is_the_same() -> None:
    for path in (["doctor"], ["steps", "verify"], ["serve"]):
        out = _help(path)
        assert max(map(len, out.splitlines())) <= 80
        for line in out.splitlines():
            if line.startswith("  -"):
                assert re.match(r"--?[a-z][a-z-]*\b", line.strip()), line


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["look"],
        ["look", ""],
        ["look", "a", "b"],
        ["look", "x", "--nonsense"],
        ["events", "--limit", "0"],
        ["events", "--about", "x@y.example"],
        ["events", "show", "x"],
        ["steps", "x@y.example"],
        ["steps", "--refused", "x"],
        ["steps", "--refused", "--evidence"],
        ["steps", "--refused", "--parked"],
        ["steps", "--refused", "--observed"],
        ["steps", "--parked", "--observed"],
        ["steps", "--refused", "--before", "1"],
        ["mappings", "accept", "gPm00000000000000000"],
        ["mappings", "accept", "x", "--reason", "y"],
        ["held", "approve", "--reason", "x"],
        ["held", "approve", "1", "--class", "main/left", "--reason", "x"],
        ["held", "approve", "1"],
        ["held", "approve", "one", "--reason", "x"],
        ["held", "reject", "1", "--reason", " "],
        ["held", "reject", "1", "--reason", "x" * 513],
        ["dead", "retry", "--reason", "x"],
        ["dead", "retry", "00u00000000000000000", "--all", "--reason", "x"],
        ["dead", "retry", "x", "--reason", "x"],
        ["forget"],
        ["forget", "x@y.example", "--yes", "--reason", "x"],
        ["forget", "00u00000000000000000", "--yes"],
        ["forget", "00u00000000000000000", "--reason", "x"],
        ["keys", "rotate", "--reason", "x" * 513],
        ["purge", "--older-than", "90"],
        ["purge", "--reason", "x" * 513],
        ["dead", "retry", "--all"],
        ["dead", "retry", "--all", "--dry-run", "--reason", "x"],
        ["dead", "retry", "00u00000000000000000", "--why", "fault", "--reason", "x"],
        ["dead", "retry", "--why", "boredom", "--reason", "x"],
        ["dead", "retry", "--since", "yesterday", "--reason", "x"],
        ["restore"],
        ["restore", "--reason", "x"],
        ["restore", "00u00000000000000000"],
        ["restore", "00u00000000000000000", "--dry-run", "--reason", "x"],
        ["restore", "00u00000000000000000", "--step", "1", "--reason", "x"],
        ["restore", "x@y.example", "--reason", "x"],
        ["restore", "--orders", "--dry-run"],
        ["replay", "--reason", "x"],
        ["replay", "--user", "00u00000000000000000"],
        ["replay", "--user", "00u00000000000000000", "--dry-run", "--reason", "x"],
        ["replay", "--user", "x@y.example", "--reason", "x"],
        ["replay", "--since", "yesterday", "--reason", "x"],
        ["replay", "--until", "0001-01-01T00:00:00+23:00", "--reason", "x"],
        ["replay", "--uuid", "x", "--reason", "x"],
        ["replay", "--state", "dead", "--reason", "x"],
        ["replay", "--state", "settled", "--reason", " "],
        ["replay", "--state", "settled", "--offline", "--reason", "x"],
        ["replay", "--state", "settled", "--dry-run", "--policy", "missing.toml"],
        ["replay", "--state", "settled", "--policy", "hooks.toml", "--reason", "x"],
        ["replay", "--state", "settled", "--dry-run", "--offline", "--policy", "hooks.toml"],
        ["replay", "log.json", "--state", "settled", "--reason", "x"],
        ["events", "export", "--uuid", "x"],
        ["events", "export", "--user", "x@y.example"],
        ["groups", " "],
        ["unlink"],
        ["unlink", " "],
        ["unlink", "x@y.example", "--dry-run", "--reason", "x"],
        ["unlink", "x@y.example", "--dry-run", "--yes-delete", "x"],
        ["unlink", "x@y.example", "--yes-delete", "x", "--reason", "x"],
        ["unlink", "x@y.example", "--yes-delete", "247b915a-45c9-4b22-8f47-5d7d2a6c7b10"],
        ["unlink", "x@y.example", "--copy", "--leave-groups"],
        ["unlink", "x@y.example", "--reason", " "],
        ["unlink", "x@y.example", "--reason", "x"],
        ["register", "--url", "ftp://x"],
        ["register", "--url", "https://hooks.example.com/"],
        ["register", "--url", "http://hooks.example.com/okta/events"],
        ["register", "--name", " "],
        ["rotate-secret"],
        ["rotate-secret", "--overlap", "soon"],
        ["hook", "--url", "https://hooks.example.com/okta/events/"],
        ["sandbox", "--hook-url", "http://example.com"],
        ["sandbox", "--hook-secret", "short"],
        ["sandbox", "--okta-port", "99999"],
        ["serve", "--nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_end_with_2_and_change_nothing(desk: Desk, arguments: list[str]) -> None:
    desk.bury(desk.story.person.id)
    before = desk.dump()
    ran = desk(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err
    assert arguments[0] == "serve" or ran.err.count("\n") == 1
    assert desk.dump() == before


def test_wrong_settings_end_with_2_and_every_mistake(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOKS_SEALING_KEYS")
    monkeypatch.setenv("HOOKS_CONFIG", "elsewhere.toml")
    ran = desk("steps")
    assert ran.code == 2
    assert ran.err.startswith("settings: 2 mistakes")


def test_a_list_makes_no_database(desk: Desk) -> None:
    (desk.folder / "hooks.db").unlink()
    ran = desk("steps")
    assert ran.code == 1
    assert ran.err.endswith("run: hooks migrate\n")
    assert not (desk.folder / "hooks.db").exists()


def test_migrate_makes_the_database_once(desk: Desk) -> None:
    for each in desk.folder.glob("hooks.db*"):
        each.unlink()
    assert desk("migrate").out.startswith("made a new database, at ")
    assert desk("migrate").out == "the database is up to date\n"
    assert desk("steps").code == 0


def test_a_new_key_is_one_the_settings_take(desk: Desk) -> None:
    one, other = (desk("keys", "new").out.strip() for _ in range(2))
    assert one != other
    environ = desk.environ | {"HOOKS_SEALING_KEYS": f"{one},{other}"}
    assert len(load(environ, need=Role.STORE).secrets.sealing_keys) == 2


def test_a_fault_of_ours_is_one_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr("hooks.cli.opening.ask", broken)
    ran = desk("steps")
    assert ran.code == 1
    assert ran.err == "hooks: ZeroDivisionError, which is a fault of this program; report it\n"


def told_to(output: int) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "hooks", "keys", "new"]
    return subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=False)


def test_a_choice_that_is_none_is_told_without_whose_error_it_is(desk: Desk) -> None:
    ran = desk("doctor", "--only", "nothing")
    assert ran.code == 2
    assert ran.err.startswith("hooks doctor: Invalid value for '--only': 'nothing' is not one of ")


@pytest.mark.parametrize(
    ("fault", "command"),
    [
        ({"status": 401}, "look somebody@example.com --dry-run"),
        ({"status": 401}, "audit"),
        ({"drop": True}, "look somebody@example.com --dry-run"),
        ({"drop": True}, "catch-up --since 2026-11-01 --dry-run"),
    ],
)
def test_what_a_vendor_ends_a_command_with_says_where_to_read_on(
    desk: Desk, fault: dict[str, Any], command: str
) -> None:
    desk.story.world.fault("okta", **fault)
    ran = desk(*command.split())
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1].startswith("okta ")
    assert ran.err.endswith(": hooks doctor\n")


def test_an_interrupt_while_it_starts_is_no_fault() -> None:
    script = "import builtins, runpy, sys\n"
    script += "real = builtins.__import__\n"
    script += "def pressed(name, *rest, **more):\n"
    script += "    if name == 'hooks.cli': raise KeyboardInterrupt\n"
    script += "    return real(name, *rest, **more)\n"
    script += "builtins.__import__ = pressed\n"
    script += "sys.argv = ['hooks', 'steps']\n"
    script += "runpy.run_module('hooks', run_name='__main__')\n"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, b"", b"")


def test_a_full_disk_is_no_fault_of_ours() -> None:
    with Path("/dev/full").open("wb") as full:
        ran = told_to(full.fileno())
    assert (ran.returncode, ran.stderr) == (1, b"hooks: No space left on device\n")


def test_nobody_who_reads_on_is_no_failure() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    ran = told_to(writes)
    os.close(writes)
    assert (ran.returncode, ran.stderr) == (0, b"")
