"""What every test may ask for: a database of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests import guards, quick
from tests.postgres import Postgres
from tests.quick import pytest_collection_finish, pytest_collection_modifyitems
from tests.without_guard import take_away

__all__ = ["pytest_collection_finish", "pytest_collection_modifyitems"]

quick.prepare()
_numbers = count(1)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    parser.addoption(
        "--wide",
        action="store_true",
        help="also chaos, and every row of the long tables; so it is where paths are given",
    )
    parser.addoption(
        "--chaos-minutes",
        type=float,
        default=0.0,
        metavar="N",
        help="break everything for so long, with leases as they are (default: each kind once)",
    )
    parser.addoption(
        "--chaos-first",
        type=int,
        default=0,
        metavar="N",
        help="with --chaos-minutes: begin with this stage, where another run ended (default: 0)",
    )
    parser.addoption(
        "--chaos-stage",
        metavar="NAME",
        help="play one stage of tests/chaos again, as a failure names it",
    )
    parser.addoption(
        "--worlds",
        type=int,
        default=12,
        metavar="N",
        help="how many random worlds are stripped and restored (default: 12)",
    )
    parser.addoption(
        "--crowd",
        type=int,
        default=30,
        metavar="N",
        help="how many people are unassigned by mistake in the story of the brake (default: 30)",
    )
    parser.addoption(
        "--without-guard",
        metavar="NAME",
        help="run the tests of one guard of tests/guards.py with the guard taken away",
    )
    # Not later: the conftests of the folders below import rooms before anybody else is asked.
    config = pluginmanager.get_plugin("pytestconfig")
    assert config is not None
    asked = parser.parse_known_args(config.invocation_params.args, copy(config.option))
    if asked.without_guard:
        take_away(guards.named(asked.without_guard))


def pytest_configure(config: pytest.Config) -> None:
    """Without a guard and without paths, run the guard's own tests. With paths, all of them.

    How fast a machine is says nothing of the house, and what noticed a loss once is to notice it
    again.
    """
    settings.register_profile(
        "house",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=bool(config.getoption("--without-guard")),
    )
    settings.load_profile("house")
    if config.args_source is config.ArgsSource.ARGS or config.getoption("--without-guard"):
        config.option.wide = True  # workers are told
    if name := config.getoption("--without-guard"):
        guard = guards.named(name)
        take_away(guard)
        if config.args_source is not config.ArgsSource.ARGS:
            config.args = list(guard.tests)


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


@dataclass(frozen=True)
class Chaos:
    """How long everything is to be broken, and from which stage on; or the one to play again."""

    minutes: float
    first: int
    stage: str | None


@pytest.fixture(scope="session")
def worlds(pytestconfig: pytest.Config) -> int:
    """How many random worlds are stripped and restored."""
    number: int = pytestconfig.getoption("--worlds")
    return number


@pytest.fixture(scope="session")
def chaos(pytestconfig: pytest.Config) -> Chaos:
    """What was asked of the chaos test."""
    asked = pytestconfig.getoption
    return Chaos(asked("--chaos-minutes"), asked("--chaos-first"), asked("--chaos-stage"))


@pytest.fixture(scope="session")
def crowd(pytestconfig: pytest.Config) -> int:
    """How many people are unassigned by mistake."""
    number: int = pytestconfig.getoption("--crowd")
    return number


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
