"""Logging to standard error: a JSON object per line, or readable lines on a terminal."""

import logging
import re
import sys
from typing import Any

import structlog

_LEVELS = ("debug", "info", "warning", "error")
# Matches API keys and JWTs anywhere in a line. Envoy's access log uses the same patterns.
_SECRET = re.compile(r"(qc_live_)[\w-]+|(eyJ)[\w-]+\.[\w-]+(?:\.[\w-]*)?")
# Libraries that log each of their steps.
_QUIET = ("alembic", "asyncio", "httpcore", "httpx", "sqlalchemy")

# Local variables are left out, because they may hold credentials.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def _without_secrets(_logger: Any, _method: str, line: Any) -> str:
    """Return a formatted line with API keys and JWTs truncated."""
    return _SECRET.sub(r"\1\2...", str(line))


def _is_no_callers_header(record: logging.LogRecord) -> bool:
    """Drop tracebacks about undecodable headers, with which callers could fill the log."""
    return not str(record.msg).startswith("Invalid encoding on")


def configure(level: str) -> None:
    """Set up this process's logging, for structlog and the standard library.

    Raises `ValueError` for an unknown level.
    """
    if level.lower() not in _LEVELS:
        raise ValueError(f"log level {level!r} is unknown; levels are {', '.join(_LEVELS)}")
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.types.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if sys.stderr.isatty()
        else [_TRACEBACKS, structlog.processors.JSONRenderer()]
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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *last,
                _without_secrets,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # This logger of gRPC's compiled part also reports real faults, so it stays on.
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_no_callers_header)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
