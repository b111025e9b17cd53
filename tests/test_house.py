"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

import hooks

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "hooks"
ROOMS = [
    path.relative_to(HOUSE)
    for path in sorted(HOUSE.rglob("*.py"))
    if "migrations" not in path.parts  # one room together; alembic loads its files by path
]
LARGEST = 350  # lines; a larger room does more than one thing
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"]


@pytest.mark.parametrize("room", ROOMS, ids=str)
def test_a_room_is_small_and_opens_with_a_docstring(room: Path) -> None:
    text = (HOUSE / room).read_text()
    assert len(text.splitlines()) <= LARGEST
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("room", ROOMS, ids=str)
def test_the_map_names_the_room(room: Path) -> None:
    assert hooks.__doc__
    named = set(re.findall(r"\w+", hooks.__doc__))
    assert set(room.with_suffix("").parts) - {"__init__"} <= named


def test_the_map_names_nothing_that_is_not_there() -> None:
    assert hooks.__doc__
    names = {part for room in ROOMS for part in room.with_suffix("").parts} | {"migrations"}
    rows = re.findall(
        r"^ {4,}(\S.*?)(?: {2,}\S.*)?$", hooks.__doc__.partition("\n\n")[2], re.MULTILINE
    )
    mapped = {name for row in rows for name in re.findall(r"\w+", row)}
    assert mapped - names == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_with_hashes_and_names_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)  # no option, so no index either
    pins = re.findall(r"^(\S+)==\S+.*\\\n +--hash=sha256:", text, re.MULTILINE)
    entries = re.findall(r"^[^\s#].*", text, re.MULTILINE)
    assert len(pins) == len(entries) > 0


def test_the_locks_hold_every_dependency_at_one_version() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, build_system = told["project"], told["build-system"]
    runtime, dev, build = ((ROOT / lock).read_text() for lock in LOCKS)
    for wanted, lock in [
        (project["dependencies"], runtime),
        (project["dependencies"] + project["optional-dependencies"]["dev"], dev),
        (build_system["requires"], build),
    ]:
        locked = set(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==", lock, re.MULTILINE))
        assert {re.split(r"[\[<>=~! ]", each)[0] for each in wanted} <= locked
    versions = set(re.findall(r"^\S+==\S+", dev, re.MULTILINE))
    assert set(re.findall(r"^\S+==\S+", runtime, re.MULTILINE)) <= versions


def test_the_package_has_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project
    assert not hasattr(hooks, "__version__")
