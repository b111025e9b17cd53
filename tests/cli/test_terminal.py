"""Every list on a terminal of 80 columns: no line is longer, and no id is broken in two."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hooks
from hooks.cli import text
from hooks.sandbox.story import COLLEAGUE, CONFLUENCE, JIRA_USERS, PERSON, STATUSPAGE
from tests.cli.conftest import Desk

ROOT = Path(hooks.__path__[0]).parent
COLUMNS = 80
LONG = "everybody who may see the intranet, and the contractors of the northern branch"
#: Runs several commands in one process, whose start costs more than they do.
ALL_OF_THEM = """
import json, sys
from hooks import cli
for arguments in json.load(sys.stdin):
    print("\\n>>>", *arguments, flush=True)
    cli.main(arguments)
"""


def shown(commands: list[list[str]], columns: int = COLUMNS) -> dict[str, str]:
    """What a terminal of so many columns is sent by each command, without its colours."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    process = subprocess.Popen(
        [sys.executable, "-c", ALL_OF_THEM],
        stdin=subprocess.PIPE,
        stdout=slave,
        stderr=slave,
        env={**environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)},
    )
    os.close(slave)
    assert process.stdin
    process.stdin.write(json.dumps(commands).encode())
    process.stdin.close()
    sent = b""
    while True:
        try:
            sent += (read := os.read(master, 65_536))
        except OSError:  # how Linux says that nobody writes any more
            break
        if not read:
            break
    os.close(master)
    assert process.wait(30) == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", sent.decode()).replace("\r\n", "\n")
    assert "\x1b" not in plain
    parts = plain.split("\n>>> ")[1:]
    return dict(part.split("\n", 1) for part in parts)


@pytest.fixture
def full(desk: Desk) -> Desk:
    """Something in every list, with the longest names and classes there are."""
    config = desk.folder / "hooks.toml"
    config.write_text(config.read_text() + "\n[brake]\nother_per_hour = 1\n")
    story, world = desk.story, desk.story.world
    world.switches.inactive_remove = "400"
    left = world.add_user("left@somedomain.example")
    world.add_to_group(left, CONFLUENCE)
    world.add_local_group(LONG)
    world.local_add(LONG, PERSON)
    world.local_add(JIRA_USERS, left.login)
    for login in (PERSON, COLLEAGUE):
        world.add_to_group(login, STATUSPAGE)
    world.switches.group_push_delay = 1e6
    for login in (PERSON, COLLEAGUE):
        world.remove_from_group(login, CONFLUENCE)
        desk("look", login)
    world.deactivate(left)
    desk("look", left.login)
    world.rename_local_group(JIRA_USERS, f"{JIRA_USERS}-and-{LONG}")
    desk("look", COLLEAGUE)
    world.fault("org", path="users/search", status=503)
    world.deactivate(PERSON)
    desk.deliver()
    desk("look", PERSON)
    desk.bury(story.person.id)
    return desk


def ids(record: Any, keys: tuple[str, ...]) -> set[str]:
    """The values of these keys, wherever in the record."""
    if isinstance(record, list):
        return {found for each in record for found in ids(each, keys)}
    if not isinstance(record, dict):
        return set()
    mine = {str(value) for key, value in record.items() if key in keys and value}
    return mine | ids([each for each in record.values() if isinstance(each, list | dict)], keys)


LISTS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("events",): ("uuid", "subject", "type"),
    ("steps",): ("user",),
    ("steps", "--refused"): ("user", "group", "cause"),
    ("steps", "--parked"): ("user",),
    ("mappings",): ("mapping", "source"),
    ("held",): ("user", "class"),
    ("dead",): ("subject",),
}


def test_no_list_breaks_an_id_or_a_line(full: Desk) -> None:
    person, colleague = full.story.person.id, full.story.colleague.id
    (event, *_) = full("events", "--about", person, "--json").json()
    wanted = {each: ids(full(*each, "--json").json(), keys) for each, keys in LISTS.items()}
    group = full.story.world.local_group(f"{JIRA_USERS}-and-{LONG}").id
    wanted[("mappings",)] |= {group}
    wanted[("steps", "--evidence")] = wanted[("steps",)]
    wanted[("events", "show", event["uuid"])] = {event["uuid"], event["type"]}
    wanted[("held", "show", "1")] = ids(full("held", "show", "1", "--json").json(), ("id", "class"))
    wanted[("dead", "show", person)] = {person}
    wanted[("policy", "check")] = {"[[local_group]]"}
    wanted[("doctor",)] = {"HOOKS_SCIM_KEY:", CONFLUENCE}
    for more in ([], ["--live"]):
        told = full("explain", colleague, *more, "--json").json()
        found = ids(told["now"]["places"], ("account", "scim_id"))
        wanted[("explain", colleague, *more)] = ids(told, ("uuid", "class")) | found
        wanted[("look", colleague, "--dry-run")] = found | {colleague}
    wanted[("mappings", "accept", group, "--reason", "x")] = {group}
    assert all(wanted.values())
    screens = shown([list(each) for each in wanted])
    for command, whole in wanted.items():
        lines = screens[" ".join(command)].splitlines()
        assert max(map(len, lines)) <= COLUMNS, (command, lines)
        for each in whole:
            assert any(re.search(rf"(?<!\S){re.escape(each)}", line) for line in lines), (
                command,
                each,
                lines,
            )


def test_a_wide_terminal_has_a_row_in_a_line(full: Desk) -> None:
    (screen,) = shown([["steps"]], columns=250).values()
    rows = full("steps", "--json").json()
    assert len(screen.splitlines()) == len(rows) + 1


@given(st.lists(st.integers(1, 60), min_size=1, max_size=10), st.integers(70, 120))
def test_columns_keep_their_order_and_fit(widths: list[int], width: int) -> None:
    bands = text.bands(widths, width)
    assert [column for band in bands for column in band] == list(range(len(widths)))
    for index, band in enumerate(bands):
        used = sum(widths[column] for column in band) + 2 * (len(band) - 1)
        assert used + (4 if index else 0) <= width
