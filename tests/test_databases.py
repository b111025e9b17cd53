"""The databases the other tests stand on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, inspect, text

from tests.postgres import Postgres


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_has_an_empty_database_of_its_own(database_url: str, turn: int) -> None:
    engine = create_engine(database_url)
    try:
        assert inspect(engine).get_table_names() == []
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE kept (turn INTEGER)"))
    finally:
        engine.dispose()


def test_what_was_committed_outlives_a_crash() -> None:
    with Postgres(durable=True) as server:
        with psycopg.connect(server.url()) as door:
            door.execute("CREATE TABLE kept (word text)")
            door.execute("INSERT INTO kept VALUES ('still here')")
        server.crash()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url())
        server.start()
        with psycopg.connect(server.url()) as door:
            assert door.execute("SELECT word FROM kept").fetchone() == ("still here",)


def test_a_server_goes_when_the_tests_are_killed() -> None:
    program = (
        "import time; from tests.postgres import Postgres\n"
        "with Postgres() as server: print(server._folder, flush=True); time.sleep(60)"
    )
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, text=True
    ) as tests:
        assert tests.stdout
        folder = Path(tests.stdout.readline().strip())
        assert (folder / "data" / "postmaster.pid").exists()
        os.kill(tests.pid, signal.SIGKILL)
    until = time.monotonic() + 20
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not folder.exists()
