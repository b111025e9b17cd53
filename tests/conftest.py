"""What every test may ask for: a database of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog

from tests.postgres import Postgres

_numbers = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--chaos-trials",
        type=int,
        default=20,
        metavar="N",
        help="how many times each chaos test plays, with another seed each time (default: 20)",
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what tests measured and want read, wherever they ran."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(autouse=True)
def _log_lines() -> Iterator[None]:
    """Commands point the log at a stderr that pytest closes after its test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def chaos_trials(pytestconfig: pytest.Config) -> int:
    """How many seeds a chaos test plays."""
    trials: int = pytestconfig.getoption("--chaos-trials")
    return trials


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the whole run (with xdist: for each worker's)."""
    with Postgres() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet, as the store wants it: with the driver."""
    return f"sqlite+pysqlite:///{tmp_path / 'hooks.db'}"


@pytest.fixture
def postgresql_url(postgres: Postgres) -> Iterator[str]:
    """An empty PostgreSQL database of this test's own, as the store wants it: with the driver."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres.url(), autocommit=True) as door:
        door.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    yield postgres.url(name, driver="psycopg")
    with psycopg.connect(postgres.url(), autocommit=True) as door:
        door.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of this test's own; a test that asks for it runs on both engines."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
