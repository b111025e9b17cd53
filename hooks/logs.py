"""Where log lines go and what they may hold: ids and names of events, nobody's data.

Must live here: everything between a log call and stderr. Importing this room first keeps rich
out of a serving process.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

_rich = sys.modules.get("rich")
if _rich is None:
    # structlog imports rich for its pretty tracebacks if it can: 70 ms and 10 MiB for what is
    # never shown here. Source: structlog.dev and structlog.tracebacks, "try: import rich".
    sys.modules["rich"] = None  # type: ignore[assignment]
try:
    import structlog
finally:
    if _rich is None:
        del sys.modules["rich"]

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

#: Log at INFO and WARNING what they were asked, URLs included.
_TALKATIVE = ("aiohttp", "httpcore", "httpx", "okta", "urllib3")
#: Frames of an exception's trace, innermost last.
_FRAMES = 12

log = structlog.get_logger("hooks.logs")


def begin(stream: TextIO = sys.stderr) -> None:
    """Send every log line of the process to ``stream``: JSON, or readable on a terminal."""
    terminal = stream.isatty()
    shape: Processor = (
        structlog.dev.ConsoleRenderer(colors=True)
        if terminal
        else structlog.processors.JSONRenderer(serializer=json.dumps, default=str)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            trace,
            shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(_Surviving(stream)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Routed(logging.WARNING)]
    root.setLevel(logging.WARNING)
    # It warns of every request that is not HTTP, which the whole internet sends.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class _Surviving:
    """A stream that was closed or is full takes no line; that is no reason to fail a request."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def trace(_logger: Any, _name: str, told: EventDict) -> EventDict:
    """Tell an exception by its type and places: messages and source lines may hold anything."""
    error = told.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__, limit=-_FRAMES)
        told["exception"] = type(error).__name__
        told["trace"] = [f"{_short(each.filename)}:{each.lineno} {each.name}" for each in frames]
    return told


def _short(path: str) -> str:
    return "/".join(path.split("/")[-2:])


class _Routed(logging.Handler):
    """Other libraries' warnings as lines of ours, with the words but not the values."""

    def emit(self, record: logging.LogRecord) -> None:
        # What follows the first line is the repr of whatever failed; the values are in `args`.
        words = str(record.msg).partition("\n")[0]
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say("library", logger=record.name, words=words, exc_info=record.exc_info)
