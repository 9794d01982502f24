"""Logging to standard error: a JSON object per line, or coloured lines on a terminal."""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any, TextIO

import structlog

from quantcloud.telemetry import later

_LEVELS = ("debug", "info", "warning", "error")
# Matches API keys and JWTs anywhere in a line. Envoy's access log uses the same patterns.
_SECRET = re.compile(r"(qc_live_)[\w-]+|(eyJ)[\w-]+\.[\w-]+(?:\.[\w-]*)?")
# Libraries that log each of their steps.
_QUIET = ("alembic", "asyncio", "httpcore", "httpx", "sqlalchemy")
_OWN = "quantcloud"

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
    return _encode(_event(event, logger, fields, at))


def _event(event: str, logger: str, fields: Fields, at: float) -> dict[str, object]:
    when = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {**fields, "event": event, "logger": logger, "level": "info", "timestamp": when}


class Handler(logging.StreamHandler[TextIO]):
    """Writes to a stream. What `add` adds is written by `write`, and before the next record."""

    def __init__(self, stream: TextIO, render: Callable[[dict[str, object]], str]) -> None:
        super().__init__(stream)
        self._render = render
        self._lines: list[str] = []

    def add(self, event: dict[str, object]) -> None:
        """Add an event to the next `write`."""
        self._lines.append(self._render(event))

    def write(self) -> None:
        """Write all lines at once: a write takes as long as to encode several lines."""
        lines, self._lines = self._lines, []
        # A log that cannot be written stops no server. ValueError: the stream is closed.
        with suppress(OSError, ValueError):
            if lines:
                self.stream.write(without_secrets("\n".join(lines)) + "\n")
                self.stream.flush()

    def handle(self, record: logging.LogRecord) -> bool:
        later.run()
        return super().handle(record)


is_on = False
"""Whether `info` writes."""
_handler: Handler | None = None


def info(event: str, logger: str, fields: Fields, at: float) -> None:
    """Log what happens with every call and job. It costs a fraction of structlog's time.

    Call it from what `later` does. `at` is when it happened, by `time.time`.
    """
    if is_on and _handler is not None:
        _handler.add(_event(event, logger, fields, at))


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
    global is_on, _handler  # set once for the process
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
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    last: list[structlog.types.Processor] = (
        [console]
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
    handler = Handler(
        sys.stderr, (lambda event: console(None, "info", event)) if on_terminal else _encode
    )
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
    is_on, _handler = level.lower() in {"debug", "info"}, handler
    later.after(handler.write)
    handler.addFilter(_is_no_callers_header)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
