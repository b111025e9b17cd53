"""What makes a run of the tests quick, and changes nothing that they say.

Must live here: where a run keeps files, what it compiles, when it looks for garbage, which test
begins first, and which ones are left to a run that asks for them.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

#: A file system in memory, as Linux has it. On a disk, SQLite waits for it at every commit.
_MEMORY = Path("/dev/shm")
#: Bytes: several times what a run keeps at once. Containers often have only 64 MiB of it.
_ROOM = 1024**3
#: Objects made between two looks for garbage; the usual 700 cost a tenth of everything.
_GARBAGE = 20_000


def prepare() -> None:
    """Before anything is imported or started that should profit."""
    # Three workers and the processes that tests start read the same files: compiled once.
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    gc.set_threshold(_GARBAGE, *gc.get_threshold()[1:])
    told = {"TMPDIR", "TEMP", "TMP", "PYTEST_DEBUG_TEMPROOT"} & os.environ.keys()
    if not told and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM:
        tempfile.tempdir = str(_MEMORY)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whoever may take longest begins first, so that nobody waits for them at the end.

    What plays every order of everything is left out unless it is asked for.
    """
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)
    if not config.getoption("--wide"):
        wide = [item for item in items if item.get_closest_marker("wide")]
        items[:] = [item for item in items if not item.get_closest_marker("wide")]
        config.hook.pytest_deselected(items=wide)


def pytest_collection_finish() -> None:
    """What is there now stays; no look for garbage goes through it again."""
    gc.freeze()
