"""What log lines hold: words and places, never a value that somebody met."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from hooks import logs

PERSONAL = "ann.planted@somedomain.example"


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    # A logger that was used once keeps its stream for good; a process has one, tests have many.
    monkeypatch.setattr(logs, "log", structlog.get_logger("hooks.logs"))
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    found = io.StringIO()
    logs.begin(found)
    yield found
    root.handlers[:] = handlers
    root.setLevel(level)


def fail() -> None:
    secret = PERSONAL
    raise LookupError(f"nobody is called {secret}")


def told(stream: io.StringIO) -> dict[str, object]:
    (line,) = stream.getvalue().splitlines()
    assert PERSONAL not in line
    found: dict[str, object] = json.loads(line)
    return found


def test_an_exception_is_told_by_its_type_and_its_places(stream: io.StringIO) -> None:
    try:
        fail()
    except LookupError as error:
        structlog.get_logger("test").error("fault", exc_info=error)
    line = told(stream)
    assert line["exception"] == "LookupError"
    assert "fail" in str(line["trace"])


def test_a_librarys_warning_is_told_by_its_words_without_the_values(stream: io.StringIO) -> None:
    logging.getLogger("library").warning("no such user: %s", PERSONAL)
    line = told(stream)
    assert (line["logger"], line["words"]) == ("library", "no such user: %s")


def test_of_a_long_message_only_the_first_line_is_told(stream: io.StringIO) -> None:
    logging.getLogger("library").error(f"it failed\n  with {PERSONAL}")  # noqa: G004  # as some do
    assert told(stream)["words"] == "it failed"


@pytest.mark.parametrize("library", ["aiohttp.access", "httpx", "httpcore", "okta", "urllib3"])
def test_libraries_that_log_urls_say_nothing(stream: io.StringIO, library: str) -> None:
    logging.getLogger(library.split(".", maxsplit=1)[0]).setLevel(logging.NOTSET)
    logs.begin(stream)
    logging.getLogger(library).error("GET /users/%s", PERSONAL)
    assert stream.getvalue() == ""
