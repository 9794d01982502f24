"""What a serving process asks of Python and of its system."""

import gc
import resource
import sys
from contextlib import suppress
from typing import Any, Final, cast

# Of each generation; a request makes about a hundred objects, nearly all freed without.
_GARBAGE_THRESHOLDS: Final = (25_000, 20, 20)

# Enough for every connection that Envoy lets in and the sockets of the workers. Where the system
# has no limit at all, more would only be more to look through.
_OPEN_FILES: Final = 65_536


def spare_garbage_collection() -> None:
    """Look for cyclic garbage less often than Python does by itself.

    Ten thousand open watches are more than half a million objects that are not garbage, and to
    look through all of them takes a third of a second, in which nothing else happens.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)


def allow_open_files() -> None:
    """Open as many files and sockets as the system lets this process, up to 65,536.

    Most systems let a process have far more than they do unless asked, which is about a thousand.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def import_structlog() -> None:
    """Import structlog, and not Rich with it.

    It would be for tracebacks as nobody prints them here, and take a serving process 5 MiB and some
    50 ms at its start. What is None in `sys.modules` cannot be imported:
    https://docs.python.org/3/reference/import.html#the-module-cache.
    """
    modules = cast("dict[str, Any]", sys.modules)
    modules["rich"] = None
    try:
        import structlog  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]
    finally:
        del modules["rich"]
