"""The audit log: who changed keys, tiers and accounts, and which logins failed.

Servers and commands append to the same file. Each line opens the file anew, so a file that was
moved away for rotation needs no signal.
"""

import errno
import logging
import os
import time
from pathlib import Path

from quantcloud.telemetry.logs import json_line, without_secrets

_PRIVATE = 0o600

_log = logging.getLogger(__name__)
_path: Path | None = None
# Whether the last line is incomplete, because the disk was full within it.
_torn = False


def configure(path: Path) -> None:
    """Write to the file at `path`. Until then, nothing is written."""
    global _path  # noqa: PLW0603  # set once for the process, as logging is
    _path = path


def record(event: str, **fields: object) -> None:
    """Append an event; fields that are None are left out. A failure is logged."""
    if _path is None:
        return
    present = {name: value for name, value in fields.items() if value is not None}
    line = without_secrets(json_line(event, "audit", present, time.time()))
    try:
        _append(_path, line.encode() + b"\n")
    except OSError as error:
        _log.error("an event is missing in the audit log: %s: %s", error.strerror, line)


def _append(path: Path, line: bytes) -> None:
    """Append a line, which ends up in one piece also if other processes append."""
    global _torn  # noqa: PLW0603  # of the process, as logging is
    # With its database on PostgreSQL, a command may be the first to use a data folder.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _PRIVATE)
    try:
        if _torn:
            os.write(file, b"\n")
            _torn = False
        if os.write(file, line) < len(line):
            _torn = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(file)


def by_operator(event: str, **fields: object) -> None:
    """Append what a command did; its user is the operator."""
    record(event, by="operator", uid=os.getuid(), **fields)
