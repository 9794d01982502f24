"""A SQLite file: one thread that writes, a few that read beside it."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from quantcloud.domain.errors import Unavailable
from quantcloud.storage.errors import StoreError, translate
from quantcloud.storage.migrate import migrate

T = TypeVar("T")

# How long to wait for another process to finish its write.
BUSY_SECONDS = 10.0
READERS = 4
# What the write-ahead log is cut back to after it had to hold more.
LOG_BYTES = 64 * 1024 * 1024


class SqliteDatabase:
    """An open file, in write-ahead mode: readers see the last commit and never wait.

    `synchronous=FULL` makes a commit return when the disk has it. Other processes may read and
    write the same file; each write waits for its turn at the start of its transaction.
    """

    def __init__(self, path: Path) -> None:
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._writer = _engine(path, begin="BEGIN IMMEDIATE", connections=1)
        self._reader = _engine(path, begin="BEGIN", connections=READERS, read_only=True)
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> "SqliteDatabase":
        """Open `path`, created readable to its owner only, and bring its tables up to date.

        Raises `StoreError` naming the file and what is wrong with it.
        """
        await asyncio.to_thread(_prepare, path)
        return cls(path)

    async def read(self, work: Callable[[Connection], T]) -> T:
        if self._closed:
            raise Unavailable("the store is closed", reason="STORE_CLOSED")

        def run() -> T:
            with self._reader.connect() as connection, connection.begin():
                return work(connection)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._reading, run)
        except SQLAlchemyError as error:
            raise translate(error) from error

    async def write(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._writer.connect() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._writing, run)

    async def close(self) -> None:
        """Let what runs finish, and fold the write-ahead log into the file."""
        self._closed = True

        def shut() -> None:
            self._reading.shutdown()
            self._reader.dispose()
            self._writing.shutdown()
            self._writer.dispose()

        await asyncio.to_thread(shut)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        # Transactions begin where SQLAlchemy says so, not where sqlite3 guesses.
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA journal_size_limit={LOG_BYTES}")
    return connection


def _engine(path: Path, *, begin: str, connections: int, read_only: bool = False) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = _connect(path)
        connection.execute("PRAGMA foreign_keys=ON")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
        return connection

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        # Every transaction ends with its block; a rollback on return would find none.
        pool_reset_on_return=None,
    )

    _begin_with(engine, begin)
    return engine


def _begin_with(engine: Engine, statement: str) -> None:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    event.listen(engine, "begin", begin)


def _prepare(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(f"cannot open the database {path}: {error.strerror}") from error
    # Foreign keys stay unchecked here: a migration that rebuilds a table drops the old one.
    engine = create_engine("sqlite://", creator=lambda: _connect(path), poolclass=QueuePool)
    _begin_with(engine, "BEGIN IMMEDIATE")
    try:
        with engine.connect() as connection:
            with connection.begin():
                migrate(connection)
            _use_write_ahead_log(connection)
    except DBAPIError as error:
        raise StoreError(f"cannot use the database {path}: {error.orig}") from error
    except StoreError as error:
        raise StoreError(f"cannot use the database {path}: {error}") from error
    finally:
        engine.dispose()


def _use_write_ahead_log(connection: Connection) -> None:
    """Switch the file over; SQLite refuses at once, without waiting, while others have it open."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101  # what _connect made
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            (mode,) = raw.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            if time.monotonic() > deadline:
                raise StoreError(str(error)) from error
            time.sleep(0.02)
            continue
        if mode != "wal":
            raise StoreError(f"its file system cannot hold a write-ahead log (mode {mode!r})")
        return
