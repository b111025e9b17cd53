"""These take minutes and the whole machine, so they are played when they are asked for."""

from __future__ import annotations

import pytest

from tests.conftest import Chaos


@pytest.fixture(autouse=True)
def _asked_for(chaos: Chaos) -> None:
    if not chaos.minutes and not chaos.stage:
        pytest.skip("asked for by --chaos-minutes or --chaos-stage")
