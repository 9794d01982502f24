"""Work that may wait a moment: it counts what happened, and writes lines of the log.

It is done together. Between other work, it would take several times as long, because the
processor's caches would hold neither its code nor its data.
"""

import asyncio
import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TypeVarTuple

Arguments = TypeVarTuple("Arguments")

_SECONDS: Final = 0.1
# So many take less than a millisecond, in which the event loop does nothing else.
_MOST: Final = 128

_log = logging.getLogger(__name__)
# Work, and its arguments.
_waiting: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()
_after: list[Callable[[], None]] = []
# `run` may log, which runs what waits.
_lock = threading.RLock()
_due = False


def do(work: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
    """Do `work` soon, in order: on the event loop, or now if none runs. A failure is logged.

    The end of the process does what waits, but a kill loses it.
    """
    global _due  # noqa: PLW0603  # of the process, as logging is
    _waiting.append((work, arguments))
    if not _due:
        try:
            asyncio.get_running_loop().call_later(_SECONDS, _run_due)
        except RuntimeError:
            run()
        else:
            _due = True
    elif len(_waiting) >= _MOST:
        run()


def run() -> None:
    """Do all that waits."""
    if not _waiting:
        return
    with _lock:
        while _waiting:
            work, arguments = _waiting.popleft()
            try:
                work(*arguments)
            except Exception:  # noqa: BLE001  # the rest must still be done
                _log.exception("telemetry failed")
        for each in _after:
            each()


def after(end: Callable[[], None]) -> None:
    """Call only `end` at the end of each `run`."""
    _after[:] = [end]


def _run_due() -> None:
    global _due  # noqa: PLW0603
    _due = False
    run()


# The handlers of logging end after this.
atexit.register(run)
