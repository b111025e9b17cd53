"""The vendors' schemas and recorded answers, which stand beside a checkout of ours only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).parents[1].parent / "shared"
#: Who uses the project does not have them, since they are not ours to publish; where they stand,
#: nothing is skipped, and one that is missing is a failure.
NOT_HERE = "the vendors' schemas and samples are not published: there is no ../shared here"


def shared(path: str) -> Any:
    """What one of them says, by its place below ``../shared``."""
    if not SHARED.exists():
        # Only in a user's checkout; where the folder stands, a missing file fails below.
        pytest.skip(NOT_HERE)  # not ours to publish, so no user has them
    return json.loads((SHARED / path).read_text())
