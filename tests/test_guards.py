"""The registry of guards holds to the house as it stands, and taking one away works."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from functools import cache
from pathlib import Path

import pytest

from tests import guards
from tests.guards import GUARDS, ROOT, Guard
from tests.without_guard import Finder, take_away

ROOM = Guard("bounded", "Nothing.", "room_of_a_test.py", "LIMIT = 1", "LIMIT = 2", ())


@cache
def functions(file: str) -> set[str]:
    found = ast.walk(ast.parse((ROOT / file).read_text()))
    return {each.name for each in found if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_where_it_is_said_to_and_names_its_tests(guard: Guard) -> None:
    source = guard.path.read_text()
    assert ast.dump(ast.parse(guard.taken_from(source))) != ast.dump(ast.parse(source))
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", guard.name)
    assert re.fullmatch(r"[A-Z].*\.", guard.prevents), "one line, which is a sentence"
    assert guard.tests
    for test in guard.tests:
        file, _, function = test.partition("::")
        assert function.partition("[")[0] in functions(file)


def test_an_edit_that_does_not_fit_exactly_once_is_refused() -> None:
    assert ROOM.taken_from("LIMIT = 1\n") == "LIMIT = 2\n"
    for source in ("", "LIMIT = 1\nLIMIT = 1\n"):
        with pytest.raises(LookupError, match="bounded"):
            ROOM.taken_from(source)


def test_a_room_without_its_guard_leaves_no_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ROOM.file).write_text("LIMIT = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "meta_path", [Finder(ROOM), *sys.meta_path])
        assert importlib.import_module(ROOM.room).LIMIT == 2
    assert [each.name for each in tmp_path.iterdir()] == [ROOM.file]
    del sys.modules[ROOM.room]
    assert importlib.import_module(ROOM.room).LIMIT == 1
    del sys.modules[ROOM.room]


def test_a_guard_whose_room_is_there_already_cannot_go() -> None:
    here = Guard("late", "Nothing.", "tests/guards.py", "x", "y", ())
    with pytest.raises(pytest.UsageError, match="imported before"):
        take_away(here)


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_without_a_guard_its_own_tests_run_and_fail(workers: str) -> None:
    run = guards.run_pytest("--without-guard", "empty-secret-opens-nothing", workers)
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "test_event_hook.py::test_only_a_live_secret_opens" in run.stdout
    assert "passed" in run.stdout, "the others of the same function"


def test_a_run_keeps_its_files_to_itself(tmp_path: Path) -> None:
    test = tmp_path / "test_where.py"
    test.write_text("def test_where(tmp_path):\n    print('kept in', tmp_path)\n")
    runs = [guards.run_pytest("-n0", "-rP", str(test)) for _ in range(2)]
    kept = [Path(re.findall(r"kept in (.*)", run.stdout)[0]) for run in runs]
    assert len({each.parents[1] for each in kept}) == 2
    assert not any(each.parents[1].exists() for each in kept)


def test_a_guard_nobody_knows_is_told() -> None:
    run = guards.run_pytest("--without-guard", "no-such-guard", "-n0")
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no-such-guard" in run.stderr
