"""What every story starts with."""

from __future__ import annotations

import pytest

from tests.running import Time
from tests.stories.company import Company


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def company(time: Time) -> Company:
    return Company(time)
