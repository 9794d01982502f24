"""Files that are for their owner alone."""

import logging
import stat
from pathlib import Path

_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO

# The standard library's: commands log to nowhere else, and what they print is for programs.
log = logging.getLogger(__name__)


def keep_private(path: Path, advice: str) -> None:
    """Take the rights of group and others from a file, and warn where they had any.

    `advice` says what the file tells those who read it, and what to do. A file that is not there,
    or is no ordinary one, is left alone.
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
