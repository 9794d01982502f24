"""A SQLite file: one connection that writes, a few that read beside it, each with its thread."""

import asyncio
import math
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import Integer, column, select, table, text
from sqlalchemy.exc import SQLAlchemyError

from quantcloud.aio.cooperative import Yielder
from quantcloud.domain.errors import Damaged
from quantcloud.storage.database.errors import store_closed
from quantcloud.storage.database.faults import Faults
from quantcloud.storage.database.interface import NOW, Connection, Steps, Work, transacted
from quantcloud.storage.database.reading import Reading
from quantcloud.storage.database.sqlite_file import connect, file_id, prepare
from quantcloud.storage.database.statements import PreparedConnection
from quantcloud.storage.database.tables import job_events

T = TypeVar("T")

READERS = 4
_CHUNK_ROWS = 64
# How often a read is broken off that was given up, until it has ended.
_BREAK_OFF_SECONDS = 0.05
# Commits that take no longer are waited for on the event loop.
_QUICK_COMMIT_SECONDS = 0.001
# After so many commits the write-ahead log is folded into the file, which are some megabytes; a
# transaction that is not brief counts as several.
_COMMITS_FOLDED = 128
_LARGE_COMMIT = 8
# Where SQLite keeps the last number that it gave out: https://sqlite.org/autoinc.html.
_SEQUENCES = table("sqlite_sequence", column("name"), column("seq", Integer()))
_FOLD = text("PRAGMA wal_checkpoint(PASSIVE)")
_LAST_CURSOR = select(_SEQUENCES.c.seq).where(_SEQUENCES.c.name == job_events.name)


class _Session(aiosqlite.Connection):
    """An aiosqlite connection whose thread runs whole functions over statements of the store.

    SQLAlchemy's own aiosqlite dialect crosses to the thread several times for each statement,
    which makes the same work take many times as long.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], begin_with: str) -> None:
        super().__init__(connect, _CHUNK_ROWS)
        # Whoever forgets to close it must not keep the process from ending; what is committed is
        # on the disk.
        self._thread.daemon = True
        self._begin_with = begin_with
        self._prepared: PreparedConnection | None = None

    async def run(self, work: Callable[[PreparedConnection], T]) -> T:
        """What `work` returns, which is called in the connection's thread."""
        # Untyped in aiosqlite.
        return await self._execute(self._call, work)  # pyright: ignore[reportUnknownMemberType]

    @property
    def prepared(self) -> PreparedConnection:
        """The connection itself, to be used by one thread at a time."""
        if self._prepared is None:
            self._prepared = PreparedConnection(self._conn, self._begin_with)
        return self._prepared

    def _call(self, work: Callable[[PreparedConnection], T]) -> T:
        return work(self.prepared)


class SqliteDatabase:
    """An open file, in write-ahead mode: readers see the last commit and never wait.

    Looking a row up takes some 20 microseconds, and 10 times as long in another thread.

    `synchronous=FULL` makes a commit return when the disk has it. Other processes may read and
    write the same file; each write waits for its turn at the start of its transaction.
    """

    def __init__(self, path: Path) -> None:
        self.faults = Faults(str(path), path.parent)
        self._path = path
        self._file_id = file_id(path)
        self._writer = _Session(lambda: _session(path, read_only=False), "BEGIN IMMEDIATE")
        self._readers = [
            _Session(lambda: _session(path, read_only=True), "BEGIN") for _ in range(READERS)
        ]
        self._idle: asyncio.LifoQueue[_Session] = asyncio.LifoQueue()
        self._readings: dict[asyncio.Future[Any], _Session] = {}
        self._brief = _brief_session(path)
        # How long the last commit took, unknown at first.
        self._commit_seconds = math.inf
        # How much has been committed since the log was last folded into the file.
        self._unfolded = 0
        self._folding: asyncio.Future[None] | None = None
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> "SqliteDatabase":
        """Open `path`, created readable to its owner only, and bring its tables up to date.

        Raises `StoreError` naming the file and what is wrong with it.
        """
        try:
            await asyncio.to_thread(prepare, path)
            database = cls(path)
            try:
                await database._writer
                for reader in database._readers:
                    await reader
                    database._idle.put_nowait(reader)
            except BaseException:
                await database.close()
                raise
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise Faults(str(path), path.parent).unusable(error) from error
        return database

    async def read(self, work: Callable[[Connection], T], *, brief: bool = False) -> T:
        if self._closed:
            raise store_closed()
        if brief:
            # Whatever is the matter, the other way finds out.
            with suppress(SQLAlchemyError):
                return work(self._brief)
        reader = await self._idle.get()
        if self._closed:
            self._idle.put_nowait(reader)
            raise store_closed()
        reading = Reading(work)
        under_way = asyncio.ensure_future(reader.run(reading))
        self._readings[under_way] = reader
        # A caller that goes away leaves the thread at work.
        under_way.add_done_callback(self._was_read)
        try:
            # Newer versions of `asyncio.shield` report what is raised once the caller has gone.
            await asyncio.wait([under_way])
        finally:
            _give_up(under_way, reading)
        try:
            return under_way.result()
        except SQLAlchemyError as error:
            raise self.faults.translate(error) from error

    def _was_read(self, reading: asyncio.Future[Any]) -> None:
        self._idle.put_nowait(self._readings.pop(reading))
        if not reading.cancelled():
            # Its caller has heard of an error, or has gone away.
            reading.exception()

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await self._writer.run(work)

    async def transact(
        self,
        work: Work[T],
        *,
        brief: bool = False,
        crowded: bool = False,
    ) -> T:
        if self._folding is not None:
            folding, self._folding = self._folding, None
            await asyncio.wait([folding])
        if not brief:
            value = await self.write(lambda connection: transacted(connection, work))
            self._note_commit(_LARGE_COMMIT)
            return value
        # The transaction's statements take tens of microseconds each on the event loop, and in
        # another thread, which has to get hold of the interpreter for each, several times that.
        connection = self._writer.prepared
        if not connection.begin_at_once():
            await self._writer.run(lambda _: connection.begin_now())
        try:
            value = await _in_turns(work(connection, on_loop=True))
            await self._commit(connection, crowded=crowded)
        except BaseException:
            connection.undo()
            raise
        return value

    async def _commit(self, connection: PreparedConnection, *, crowded: bool) -> None:
        """Commit where it takes the least time.

        A disk that keeps its cache through a loss of power answers within a fraction of the time
        that it takes to wake another thread, and that one the event loop. Another disk is waited
        for in the thread, and so is each one where there is something else to do meanwhile.
        """
        if self._commit_seconds <= _QUICK_COMMIT_SECONDS and not crowded:
            self._commit_seconds = connection.commit()
        else:
            self._commit_seconds = await self._writer.run(lambda _: connection.commit())
        self._note_commit(1)

    def _note_commit(self, weight: int) -> None:
        """Fold the write-ahead log into the file every now and then, while nothing is written.

        SQLite would do so as part of a commit, which takes many times as long then.
        """
        self._unfolded += weight
        if self._unfolded >= _COMMITS_FOLDED:
            self._unfolded = 0
            self._folding = asyncio.ensure_future(self._writer.run(_fold))

    def cursors(self, connection: Connection) -> Callable[[int], Sequence[int]]:
        last: int | None = None

        def following(number: int) -> Sequence[int]:
            nonlocal last
            if last is None:
                # Nobody else writes until this transaction ends.
                row = connection.execute(_LAST_CURSOR).one_or_none()
                last = 0 if row is None else int(row.seq)
            first, last = last + 1, last + number
            return range(first, last + 1)

        return following

    async def check_file(self) -> None:
        if await asyncio.to_thread(file_id, self._path) != self._file_id:
            raise Damaged(
                "the file of the service's database was removed or replaced while in use",
                reason="STORE_GONE",
            )

    async def close(self) -> None:
        """Let what runs finish, and fold the write-ahead log into the file."""
        self._closed = True
        if self._folding is not None:
            await asyncio.wait([self._folding])
        self._brief.driver_connection.close()
        for session in (*self._readers, self._writer):
            await session.close()


def _give_up(under_way: asyncio.Future[T], reading: Reading[T]) -> None:
    """Break off what is not done, again where that came between two statements."""
    if not under_way.done():
        reading.break_off()
        loop = asyncio.get_running_loop()
        loop.call_later(_BREAK_OFF_SECONDS, _give_up, under_way, reading)


async def _in_turns(work: Steps[T]) -> T:
    """What `work` returns; others have a turn in between where it takes long."""
    yielder = Yielder()
    while True:
        try:
            pause = next(work)
        except StopIteration as end:
            return end.value
        await (yielder.over() if pause is NOW else yielder.between())


def _fold(connection: Connection) -> None:
    with suppress(SQLAlchemyError):  # the next time will do
        connection.execute(_FOLD)


def _brief_session(path: Path) -> PreparedConnection:
    """A connection for the event loop's thread, which waits for nobody."""
    connection = _session(path, read_only=True)
    connection.execute("PRAGMA busy_timeout=0")
    return PreparedConnection(connection, "BEGIN")


def _session(path: Path, *, read_only: bool) -> sqlite3.Connection:
    connection = connect(path)
    connection.execute("PRAGMA foreign_keys=ON")
    if read_only:
        connection.execute("PRAGMA query_only=ON")
    else:
        connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection
