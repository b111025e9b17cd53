"""Takes one guard away for a test run: its room is compiled from edited source, in memory only."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

import pytest

from tests.guards import Guard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


def take_away(guard: Guard) -> None:
    """Have the guard's room compiled without it whenever it is imported from now on.

    Raises UsageError if the edit does not fit the room any more, or the room is there already.
    """
    if any(isinstance(each, Finder) for each in sys.meta_path):
        return
    if guard.room in sys.modules:
        raise pytest.UsageError(f"{guard.room} was imported before {guard.name} could go")
    try:
        guard.taken_from(guard.path.read_text())
    except LookupError as error:
        raise pytest.UsageError(str(error)) from None
    sys.meta_path.insert(0, Finder(guard))


class Finder(MetaPathFinder):
    """Finds the one room, with a loader that leaves the guard out."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._guard.room:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.origin:
            spec.loader = _Loader(self._guard, fullname, spec.origin)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, guard: Guard, fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self._guard = guard

    def get_code(self, fullname: str) -> CodeType:
        """Compiled anew each time: the usual way reads bytecode, and leaves some behind."""
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(
            self._guard.taken_from(Path(path).read_text()).encode(), path
        )
        return code
