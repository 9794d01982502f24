"""Logging to standard error: a JSON object per line, or coloured lines on a terminal."""

import asyncio
import json
import logging
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any, TextIO

import structlog

_LEVELS = ("debug", "info", "warning", "error")
# Matches API keys and JWTs anywhere in a line. Envoy's access log uses the same patterns.
_SECRET = re.compile(r"(qc_live_)[\w-]+|(eyJ)[\w-]+\.[\w-]+(?:\.[\w-]*)?")
# Libraries that log each of their steps.
_QUIET = ("alembic", "asyncio", "httpcore", "httpx", "sqlalchemy")
_OWN = "quantcloud"
# Envoy's access log waits longer.
_FLUSH_SECONDS = 0.1

_encode = json.JSONEncoder(default=str).encode

Fields = Mapping[str, object]


def without_secrets(line: str) -> str:
    """Return a text with API keys and JWTs truncated."""
    # A search for a fixed text takes a fraction of the expression's time.
    if "qc_live_" in line or "eyJ" in line:
        return _SECRET.sub(r"\1\2...", line)
    return line


@cache
def component(logger: str) -> str:
    """Return the part of the server, or the library, whose logger has this name."""
    first, *rest = logger.split(".")
    return (rest[0] if first == _OWN and rest else first).lstrip("_")


def json_line(event: str, logger: str, fields: Fields, at: float) -> str:
    """Return a line at the level info, without its secrets removed; `at` is of `time.time`."""
    when = datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
    return _encode({**fields, "event": event, "logger": logger, "level": "info", "timestamp": when})


class Handler(logging.StreamHandler[TextIO]):
    """Writes to a stream. What `add` adds is encoded and written together with what follows soon.

    That takes a fraction of the time: it is not done between other work, and a write is not made
    for each line. All is written before a record, so the order holds.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._waiting: deque[tuple[str, str, Fields, float]] = deque()

    def add(self, event: str, logger: str, fields: Fields) -> None:
        """Write a line soon, or now if no event loop runs."""
        self._waiting.append((event, logger, fields, time.time()))
        if len(self._waiting) > 1:
            return
        try:
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)
        except RuntimeError:
            self.flush()

    def emit(self, record: logging.LogRecord) -> None:
        self._write()
        super().emit(record)

    def flush(self) -> None:
        with self.lock or nullcontext():
            self._write()
        super().flush()

    def _write(self) -> None:
        lines: list[str] = []
        while self._waiting:
            lines.append(json_line(*self._waiting.popleft()))
        if not lines:
            return
        # A log that cannot be written stops no server. ValueError: the stream is closed.
        with suppress(OSError, ValueError):
            self.stream.write(without_secrets("\n".join(lines)) + "\n")


def _ignore(event: str, logger: str, fields: Fields) -> None:
    """Drop a line."""
    del event, logger, fields


is_on = False
"""Whether `info` writes."""
_write_info: Callable[[str, str, Fields], None] = _ignore


def info(event: str, logger: str, fields: Fields) -> None:
    """Log what happens with every call and job. It costs a fraction of structlog's time.

    Call it on the event loop. Until `configure` it does nothing.
    """
    _write_info(event, logger, fields)


def _mask(_logger: Any, _method: str, line: Any) -> str:
    return without_secrets(str(line))


def _add_component(_logger: Any, _method: str, event: Any) -> Any:
    record = event.get("_record")
    name = _logger.name if record is None else record.name
    event["logger"] = component(name)
    return event


def _is_no_callers_header(record: logging.LogRecord) -> bool:
    """Drop tracebacks about undecodable headers, with which callers could fill the log."""
    # The loggers of gRPC also report real faults, so they stay on.
    return not (
        record.name.startswith("grpc.") and str(record.msg).startswith("Invalid encoding on")
    )


def configure(level: str) -> None:
    """Set up this process's logging, for structlog and the standard library.

    Raises `ValueError` for an unknown level.
    """
    if level.lower() not in _LEVELS:
        raise ValueError(f"log level {level!r} is unknown; levels are {', '.join(_LEVELS)}")
    on_terminal = sys.stderr.isatty()
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_component,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Plain tracebacks in both, as one text. They show no local variables, which may be secrets.
    last: list[structlog.types.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if on_terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *last,
                _mask,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    _start_info(handler, level, on_terminal=on_terminal)
    handler.addFilter(_is_no_callers_header)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _start_info(handler: Handler, level: str, *, on_terminal: bool) -> None:
    """Set what `info` does."""
    global _write_info, is_on  # noqa: PLW0603  # set once for the process, as logging is
    is_on = level.lower() in {"debug", "info"}
    if not is_on:
        _write_info = _ignore
    elif on_terminal:
        _write_info = lambda event, logger, fields: structlog.stdlib.get_logger(logger).info(  # noqa: E731
            event, **fields
        )
    else:
        _write_info = handler.add
