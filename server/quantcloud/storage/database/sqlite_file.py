"""Creates and migrates a SQLite file, and refuses one that was emptied or removed."""

import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Connection as AlchemyConnection
from sqlalchemy import create_engine, event
from sqlalchemy.pool import QueuePool

from quantcloud.private import keep_private
from quantcloud.storage.database.errors import Failure, StoreError, failure_of
from quantcloud.storage.database.migrate import migrate

FileIds: TypeAlias = Sequence[tuple[int, int] | None]
# How long to wait until another process has finished its write.
BUSY_SECONDS = 10.0
# The size to which SQLite truncates the write-ahead log after it had to grow.
LOG_BYTES = 64 * 1024 * 1024
# An empty file, named like the database plus this suffix, marks that the tables were created once.
_INITIALIZED = "-initialized"
_ADVICE = "it holds the jobs and results of every account, but no usable API key"


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection."""
    connection = sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        # The store begins transactions itself; sqlite3 must not.
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA journal_size_limit={LOG_BYTES}")
    return connection


def prepare(path: Path) -> None:
    """Create the file if it is missing, readable by its owner only, and migrate it.

    Raises `StoreError`, which names the file and what is wrong with it, and SQLite's errors.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_lost(path)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        for suffix in ("", "-wal", "-shm"):
            keep_private(_with_suffix(path, suffix), _ADVICE)
    except OSError as error:
        raise StoreError(f"cannot open the database {path}: {error.strerror}") from error
    # Foreign keys stay unchecked here, because a migration that rebuilds a table drops the old one.
    engine = create_engine("sqlite://", creator=lambda: connect(path), poolclass=QueuePool)
    event.listen(engine, "begin", _begin)
    try:
        with engine.connect() as connection:
            with connection.begin():
                migrate(connection)
            _use_write_ahead_log(connection)
        _with_suffix(path, _INITIALIZED).touch(0o600)
    except StoreError as error:
        raise StoreError(f"cannot use the database {path}: {error}") from error
    finally:
        engine.dispose()


def files_of(path: Path) -> tuple[Path, Path]:
    """Return the paths of the file and its write-ahead log."""
    return path, _with_suffix(path, "-wal")


def file_ids(files: Iterable[Path]) -> FileIds:
    """Return the device and inode of each file; None for a missing one.

    Those of a database stay the same while a connection is open.
    """
    return [_file_id(file) for file in files]


def _file_id(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _with_suffix(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _refuse_lost(path: Path) -> None:
    """Raise `StoreError` if the file is empty or gone, but was in use before.

    SQLite would take it for a new database and delete a write-ahead log that is still there.
    """
    marker = _with_suffix(path, _INITIALIZED)
    if _size(path) or not (marker.exists() or _size(_with_suffix(path, "-wal"))):
        return
    what = "is empty" if path.exists() else "is gone"
    raise StoreError(
        f"the database {path} {what}, though it was in use before: put a backup in its place; or, "
        f"to start without its jobs and accounts, remove {marker} and {path}-wal"
    )


def _begin(connection: AlchemyConnection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _use_write_ahead_log(connection: AlchemyConnection) -> None:
    """Switch the file to write-ahead mode; SQLite refuses, without waiting, while it is open."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101  # what `connect` made
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            (mode,) = raw.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            if failure_of(error) is not Failure.AWAY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
            continue
        if mode != "wal":
            raise StoreError(f"its file system cannot hold a write-ahead log (mode {mode!r})")
        return
