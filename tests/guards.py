"""The guards of the house: what each prevents, the edit that takes it away, who must notice.

``pytest --without-guard NAME`` runs a guard's tests with the guard taken away, and must fail;
``python -m tests.guards`` does so for all of them. A guard whose loss no test notices is none.
"""

# ruff: noqa: T201  # prints for people

from __future__ import annotations

import argparse
import gc
import importlib
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
import traceback
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import quick

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Guard:
    """``old`` stands exactly once in ``file``; with ``new`` in its place the guard is gone.

    ``prevents`` says what then could happen; ``tests`` are the node ids that must notice.
    """

    name: str
    prevents: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Where the room is written."""
        return ROOT / self.file

    @property
    def room(self) -> str:
        """The room's name as it is imported."""
        return ".".join(Path(self.file).with_suffix("").parts).removesuffix(".__init__")

    def taken_from(self, source: str) -> str:
        """The source without the guard. Raises LookupError if the edit does not fit it."""
        if (times := source.count(self.old)) != 1:
            raise LookupError(f"{self.name}: {self.old!r} stands {times} times in {self.file}")
        return source.replace(self.old, self.new)


def _registered() -> tuple[Guard, ...]:
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    return tuple(
        Guard(name, **table | {"tests": tuple(table["tests"])}) for name, table in tables.items()
    )


GUARDS = _registered()


def named(name: str) -> Guard:
    """The guard of this name. Raises UsageError if there is none."""
    found = next((guard for guard in GUARDS if guard.name == name), None)
    if found is None:
        raise pytest.UsageError(f"no guard is called {name!r}; see: python -m tests.guards --list")
    return found


# -- taking each away --------------------------------------------------------------------------

#: Only what these tests need, since each run loads it anew.
_PLUGINS = ("xdist.plugin", "pytest_asyncio.plugin", "pytest_timeout")
#: Loaded once, before the runs fork off: two thirds of what a run of one test takes.
_HEAVY = (
    "aiohttp", "alembic", "cryptography.hazmat.primitives.asymmetric.ec", "httpcore", "httpx",
    "hypothesis", "jwt", "msgspec", "prometheus_client", "psycopg", "pydantic", "rich.pretty",
    "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "sqlmodel",
    "starlette.applications", "structlog", "uvicorn", "uvicorn.protocols.http.httptools_impl",
)  # fmt: skip
_AT_ONCE = 2


def main() -> int:
    """Take guards away, one by one; not 0 unless a test notices each."""
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="guards; all unless told")
    parser.add_argument("--list", action="store_true", help="list them and do nothing")
    told = parser.parse_args()
    if unknown := set(told.names) - {guard.name for guard in GUARDS}:
        parser.error(f"no guard is called {', '.join(sorted(unknown))}")
    chosen = [guard for guard in GUARDS if guard.name in told.names or not told.names]
    if told.list:
        for guard in chosen:
            print(f"{guard.name:45} {guard.prevents}")
        return 0
    return _take_away(chosen)


def _take_away(chosen: list[Guard]) -> int:
    quick.prepare()
    tests = sorted({test for guard in chosen for test in guard.tests})
    whole = run_pytest("-n", str(_AT_ONCE), *tests)
    if whole.returncode != pytest.ExitCode.OK:
        print(whole.stdout, whole.stderr, "with all guards in place these tests must pass")
        return 1
    print("with all guards in place:", whole.stdout.splitlines()[-1], flush=True)
    for each in _HEAVY:
        importlib.import_module(each)
    gc.freeze()  # or pytest's last look for garbage goes through all of it, in each run
    with multiprocessing.get_context("fork").Pool(_AT_ONCE, maxtasksperchild=1) as pool:
        noticed = [_told(*verdict) for verdict in pool.imap(_without, chosen, chunksize=1)]
    missed = [guard.name for guard, seen in zip(chosen, noticed, strict=True) if not seen]
    print(
        f"{sum(noticed)} of {len(chosen)} guards noticed", *(["but not", *missed] if missed else [])
    )
    return 1 if missed else 0


def _without(guard: Guard) -> tuple[Guard, int, str, float]:
    """Run the guard's tests without it, in this process; what came of it, and the seconds."""
    began = time.monotonic()
    asked = ("--without-guard", guard.name, "-n0", "-x", "-rfE", "--tb=line")
    with _scratch() as scratch, tempfile.TemporaryFile("w+") as said:
        os.environ |= _environment(scratch)
        os.chdir(ROOT)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(said.fileno(), stream.fileno())
        try:
            code = pytest.main(_arguments(scratch, *asked))
        except Exception:  # noqa: BLE001  # of pytest itself: it is told by name, others go on
            traceback.print_exc()
            code = pytest.ExitCode.INTERNAL_ERROR
        sys.stdout.flush()
        said.seek(0)
        return guard, int(code), said.read(), time.monotonic() - began


def _told(guard: Guard, code: int, said: str, seconds: float) -> bool:
    """Say in a line what came of it; the whole of it where pytest could not run the tests."""
    failed = re.search(r"^FAILED \S+?::(.*?)(?: - .*)?$", said, re.MULTILINE)
    if code == pytest.ExitCode.TESTS_FAILED and failed:
        print(f"noticed      {guard.name} by {failed[1]}, {seconds:.1f} s", flush=True)
        return True
    verdict = "NOT NOTICED" if code == pytest.ExitCode.OK else "broken"
    print(f"{verdict:12} {guard.name}: pytest ended with {code}, {seconds:.1f} s", flush=True)
    if verdict == "broken":
        print(said)
    return False


def run_pytest(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One run in a program of its own."""
    with _scratch() as scratch:
        return subprocess.run(
            [sys.executable, "-m", "pytest", *_arguments(scratch, *arguments)],
            cwd=ROOT,
            env=os.environ | _environment(scratch),
            capture_output=True,
            text=True,
            check=False,
        )


def _scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for one run. What a failed test left running may still write there."""
    return tempfile.TemporaryDirectory(prefix="hooks-guard-", ignore_cleanup_errors=True)


def _arguments(scratch: str, *more: str) -> list[str]:
    """Each run has its ``tmp_path`` in a folder of its own.

    In the one they would share, two that end at once clear the same leftovers away, and each
    fails over what the other took: pytest locks them, but keeps the lock among them. Not ``tmp``:
    Hypothesis keeps one there, and removes it.
    """
    plugins = [word for plugin in _PLUGINS for word in ("-p", plugin)]
    return ["-q", f"--basetemp={scratch}/pytest", "-p", "no:cacheprovider", *plugins, *more]


def _environment(scratch: str) -> dict[str, str]:
    """Hypothesis remembers what failed; what failed without a guard is nothing to remember."""
    return {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "HYPOTHESIS_STORAGE_DIRECTORY": scratch}


if __name__ == "__main__":
    sys.exit(main())
