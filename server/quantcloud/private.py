"""Files that only their owner may read or write."""

import logging
import stat
from pathlib import Path

_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO

# Not structlog, which prints to standard output if it is not configured, as in commands.
log = logging.getLogger(__name__)


def keep_private(path: Path, advice: str) -> None:
    """Remove the permissions of group and others from a file, and warn if they had any.

    `advice` says what the file reveals and what to do. Missing files and those that are not regular
    are ignored.
    """
    try:
        status = path.stat()
    except OSError:
        return
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode) or not mode & _OF_OTHERS:
        return
    try:
        path.chmod(mode & ~_OF_OTHERS)
    except OSError as error:
        log.warning(
            "others can use %s (mode %o), which cannot be changed: %s; %s",
            path, mode, error.strerror, advice,
        )  # fmt: skip
    else:
        log.warning("others could use %s (mode %o, now private); %s", path, mode, advice)
