"""Files and sockets that only their owner may use."""

import logging
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# The longest socket path that all systems accept.
_PATH_BYTES = 100

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


@contextmanager
def private_socket(data_dir: Path, name: str) -> Generator[Path]:
    """Yield the path for a socket that only this user can reach.

    It is in the data folder, so that the next process replaces the socket of a killed one, unless
    that path is too long for a socket.
    """
    path = data_dir.absolute() / name
    if len(os.fsencode(path)) <= _PATH_BYTES:
        yield path
        return
    with TemporaryDirectory(prefix="quantcloud-") as folder:
        yield Path(folder) / path.name
