"""The lock on a data folder, which only one server may use at a time."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK_FILE = "server.lock"


class DataDirLockedError(Exception):
    """Another server uses the data folder; `pid` is its process, None if unknown."""

    def __init__(self, path: Path, pid: int | None) -> None:
        holder = f"process {pid}" if pid is not None else "another process"
        super().__init__(
            f"the data folder {path} is in use by {holder}; "
            "stop that server or give this one another folder"
        )
        self.path = path
        self.pid = pid


@contextmanager
def lock_data_dir(path: Path) -> Generator[None]:
    """Lock the folder `path` until the block ends; create it, private, if it is missing.

    Raises `DataDirLockedError` if another server uses it, and `OSError` if it cannot be created or
    written to.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise OSError(
            f"cannot use the data folder {path}: {reason}; name another with --data-dir or "
            "QUANTCLOUD_DATA_DIR"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        written = os.pread(descriptor, 32, 0)
        os.close(descriptor)
        pid = int(written) if written.strip().isdigit() else None
        raise DataDirLockedError(path, pid) from None
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        os.close(descriptor)
        # The original error does not name the file.
        raise OSError(error.errno, error.strerror, str(path / LOCK_FILE)) from error
    try:
        yield
    finally:
        # Keep the file: if it were removed, two servers could lock two files of the same name.
        # The text is only for people, so a disk that has become read-only is no reason to fail.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
        os.close(descriptor)
