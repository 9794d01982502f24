"""A SQLite file: one connection that writes and a few that read, each with its own thread."""

import asyncio
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Integer, column, select, table, text
from sqlalchemy.exc import SQLAlchemyError

from quantcloud.aio import offload
from quantcloud.aio.cooperative import in_steps
from quantcloud.aio.offload import BUDGET, UNKNOWN
from quantcloud.storage.database.errors import store_closed, store_gone
from quantcloud.storage.database.faults import Faults
from quantcloud.storage.database.interface import Connection, Work, transacted
from quantcloud.storage.database.sqlite_file import (
    FileIds,
    connect,
    file_ids,
    files_of,
    prepare,
)
from quantcloud.storage.database.statements import PreparedConnection
from quantcloud.storage.database.tables import job_events
from quantcloud.telemetry import commits

T = TypeVar("T")

READERS = 4
# A statement checks after so many steps of SQLite, about a millisecond, whether it is cancelled.
_STEPS_PER_CHECK = 100_000
# After this many commits, some megabytes, the write-ahead log is copied into the file. A
# transaction in the writer's thread counts as several commits.
_COMMITS_PER_CHECKPOINT = 128
_LARGE_COMMIT = 8
# SQLite's table of the last assigned row ids: https://sqlite.org/autoinc.html.
_SEQUENCES = table("sqlite_sequence", column("name"), column("seq", Integer()))
_CHECKPOINT = text("PRAGMA wal_checkpoint(PASSIVE)")
_LAST_CURSOR = select(_SEQUENCES.c.seq).where(_SEQUENCES.c.name == job_events.name)


class _Session:
    """A connection, and the one thread in which it runs whole functions of the store.

    SQLAlchemy's own asynchronous dialect switches to a thread several times for each statement, so
    the same work takes many times as long.
    """

    def __init__(self, path: Path, *, read_only: bool, begin_with: str) -> None:
        # The connection itself is for use by one thread at a time.
        self.prepared = PreparedConnection(_connection(path, read_only=read_only), begin_with)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")

    def run(self, work: Callable[[PreparedConnection], T]) -> asyncio.Future[T]:
        """Call `work` in the connection's thread and return its value."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work, self.prepared)

    def close(self) -> None:
        """Wait for running work, and close the connection."""
        self._thread.shutdown()
        self.prepared.driver_connection.close()


class SqliteDatabase:
    """An open file, in write-ahead mode: readers see the last commit and never wait.

    A look-up takes about 20 microseconds on the event loop, and 10 times as long in another thread.

    `synchronous=FULL` makes a commit return when the disk has it. Other processes may read and
    write the same file; a transaction that writes waits at its start until no other one runs.
    """

    def __init__(self, path: Path) -> None:
        self.faults = Faults(str(path), path.parent)
        self._files = files_of(path)
        with ExitStack() as opened:
            # The last one that is closed copies the write-ahead log into the file.
            self._writer = opened.enter_context(
                closing(_Session(path, read_only=False, begin_with="BEGIN IMMEDIATE"))
            )
            self._readers = [
                opened.enter_context(closing(_Session(path, read_only=True, begin_with="BEGIN")))
                for _ in range(READERS)
            ]
            self._brief = _brief_connection(path)
            opened.callback(self._brief.driver_connection.close)
            # The first read creates the write-ahead log.
            self._brief.driver_connection.execute("PRAGMA schema_version").fetchone()
            self._file_ids = file_ids(self._files)
            self._opened = opened.pop_all()
        self._idle: asyncio.LifoQueue[_Session] = asyncio.LifoQueue()
        for reader in self._readers:
            self._idle.put_nowait(reader)
        self._readings: dict[asyncio.Future[Any], _Session] = {}
        # How long the last commit took; unknown at first.
        self._commit_seconds = math.inf
        # The commits since the last checkpoint of the write-ahead log.
        self._since_checkpoint = 0
        self._checkpoint: asyncio.Future[None] | None = None
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> "SqliteDatabase":
        """Open `path`, which only its owner can read if it is new, and migrate it.

        Raises `StoreError`, which names the file and what is wrong with it.
        """
        try:
            await offload.run(UNKNOWN, prepare, path)
            return await offload.run(UNKNOWN, cls, path)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise Faults(str(path), path.parent).unusable(error) from error

    async def read(self, work: Callable[[Connection], T], *, cost: float = UNKNOWN) -> T:
        if self._closed:
            raise store_closed()
        if cost <= BUDGET:
            # If this fails, the read below runs the same work and reports the error.
            with suppress(SQLAlchemyError):
                return work(self._brief)
        reader = await self._idle.get()
        if self._closed:
            self._idle.put_nowait(reader)
            raise store_closed()
        cancelled = threading.Event()
        running = reader.run(_until(cancelled, work))
        self._readings[running] = reader
        # The thread still works after a caller is cancelled.
        running.add_done_callback(self._finish_read)
        try:
            # Not `asyncio.shield`: its newer versions log errors that follow a cancellation.
            await asyncio.wait([running])
        finally:
            cancelled.set()
        try:
            return running.result()
        except SQLAlchemyError as error:
            raise self.faults.translate(error) from error

    def _finish_read(self, running: asyncio.Future[Any]) -> None:
        self._idle.put_nowait(self._readings.pop(running))
        if not running.cancelled():
            # Mark an error as retrieved: the caller has it, or was cancelled.
            running.exception()

    async def write(self, work: Callable[[Connection], T]) -> T:
        if self._closed:
            raise store_closed()
        return await self._writer.run(work)

    async def transact(
        self,
        work: Work[T],
        *,
        cost: float = UNKNOWN,
        crowded: bool = False,
    ) -> T:
        # A commit to a removed file is lost when the process ends.
        self._refuse_gone(file_ids(self._files))
        if self._checkpoint is not None:
            checkpoint, self._checkpoint = self._checkpoint, None
            await asyncio.wait([checkpoint])
        if cost > BUDGET:
            value = await self.write(lambda connection: transacted(connection, work))
            self._note_commit(_LARGE_COMMIT)
            return value
        # A statement takes tens of microseconds on the event loop, and several times as long in
        # another thread, which must acquire the interpreter lock each time.
        connection, began = self._writer.prepared, time.perf_counter()
        if not connection.try_begin():
            await self._writer.run(lambda _: connection.begin_waiting())
        locked = time.perf_counter()
        try:
            value = await in_steps(work(connection))
            worked = time.perf_counter()
            await self._commit(connection, crowded=crowded)
            commits.observe(began, locked, worked, time.perf_counter())
        except BaseException:
            connection.undo()
            raise
        return value

    async def _commit(self, connection: PreparedConnection, *, crowded: bool) -> None:
        """Commit in the thread in which it takes the least time.

        A disk whose cache survives a power failure answers faster than a switch to another thread
        and back. A slower disk is waited for in the thread, and so is any disk if other tasks have
        something to do meanwhile.
        """
        if self._commit_seconds * 1e6 <= BUDGET and not crowded:
            self._commit_seconds = connection.commit()
        else:
            self._commit_seconds = await self._writer.run(lambda _: connection.commit())
        self._note_commit(1)

    def _note_commit(self, weight: int) -> None:
        """Copy the write-ahead log into the file from time to time, between transactions.

        SQLite would do this within a commit, which would then take many times as long.
        """
        self._since_checkpoint += weight
        if self._since_checkpoint >= _COMMITS_PER_CHECKPOINT:
            self._since_checkpoint = 0
            self._checkpoint = self._writer.run(_run_checkpoint)

    def cursors(self, connection: Connection) -> Callable[[int], Sequence[int]]:
        last: int | None = None

        def following(number: int) -> Sequence[int]:
            nonlocal last
            if last is None:
                # No other transaction writes until this one ends.
                row = connection.execute(_LAST_CURSOR).one_or_none()
                last = 0 if row is None else int(row.seq)
            first, last = last + 1, last + number
            return range(first, last + 1)

        return following

    async def check_file(self) -> None:
        self._refuse_gone(await offload.run(UNKNOWN, file_ids, self._files))

    def _refuse_gone(self, found: FileIds) -> None:
        if found != self._file_ids:
            raise store_gone()

    async def close(self) -> None:
        """Wait for running work, and copy the write-ahead log into the file."""
        self._closed = True
        if self._checkpoint is not None:
            await asyncio.wait([self._checkpoint])
        await offload.run(UNKNOWN, self._opened.close)


def _until(
    cancelled: threading.Event, work: Callable[[Connection], T]
) -> Callable[[PreparedConnection], T]:
    """Return `work` in a transaction; its statements fail once it is `cancelled`."""

    def read(connection: PreparedConnection) -> T:
        driver = connection.driver_connection
        with connection.begin():
            driver.set_progress_handler(cancelled.is_set, _STEPS_PER_CHECK)
            try:
                return work(connection)
            finally:
                # A failure of the transaction's end would leave the connection within it.
                driver.set_progress_handler(None, 0)

    return read


def _run_checkpoint(connection: Connection) -> None:
    with suppress(SQLAlchemyError):  # the next checkpoint copies the rest
        connection.execute(_CHECKPOINT)


def _brief_connection(path: Path) -> PreparedConnection:
    """Open a connection for the event loop's thread; it never waits for a lock."""
    connection = _connection(path, read_only=True)
    connection.execute("PRAGMA busy_timeout=0")
    return PreparedConnection(connection, "BEGIN")


def _connection(path: Path, *, read_only: bool) -> sqlite3.Connection:
    connection = connect(path)
    connection.execute("PRAGMA foreign_keys=ON")
    if read_only:
        connection.execute("PRAGMA query_only=ON")
    else:
        connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection
