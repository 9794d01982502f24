"""Process-wide settings of a server: garbage collection, open files, imports."""

import gc
import os
import resource
import socket
import sys
from contextlib import suppress
from typing import Any, Final, cast

# Per generation. A request makes about a hundred objects; reference counts free nearly all.
_GARBAGE_THRESHOLDS: Final = (25_000, 20, 20)

# Enough for all connections that Envoy accepts and for the workers' sockets. Without a bound,
# `os.closerange` would take long on systems that have no limit.
_OPEN_FILES: Final = 65_536


def tune_garbage_collection() -> None:
    """Collect cyclic garbage less often than Python does by default.

    Ten thousand open watches are more than half a million live objects. To traverse all of them
    takes a third of a second, during which the event loop stands still.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)


def allow_open_files() -> None:
    """Raise this process's limit of open files and sockets as far as allowed, up to 65,536.

    On most systems the limit is about a thousand, and a process may raise it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_connections() -> int:
    """Return how many connections a port may have: half of the files that this process may open.

    The rest is for workers, the database and logs, and in Envoy for its connections to servers.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft // 2


def notify_service_manager(state: str) -> None:
    """Tell systemd, if it started this process, about a state such as "READY=1".

    See https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # A name that begins with @ is an abstract one.
    place = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, suppress(OSError):
        manager.sendto(state.encode(), place)


def import_structlog() -> None:
    """Import structlog without Rich.

    structlog uses Rich only for a traceback format that is not used here. Rich would cost a serving
    process 5 MiB and 50 ms at start. A module that is None in `sys.modules` cannot be imported:
    https://docs.python.org/3/reference/import.html#the-module-cache.
    """
    modules = cast("dict[str, Any]", sys.modules)
    modules["rich"] = None
    try:
        import structlog  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]
    finally:
        del modules["rich"]
