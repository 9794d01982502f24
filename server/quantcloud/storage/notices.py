"""Publishes the events of other servers: reads the event log from this server's position on.

A notification says that there is something to read. The log is also polled, so a lost notification
only causes a delay.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
from sqlalchemy import bindparam, func, select

from quantcloud.domain.errors import Unavailable
from quantcloud.domain.job import JobEvent, JobStatus
from quantcloud.domain.news import News
from quantcloud.storage.database import codec
from quantcloud.storage.database.postgres import CHANNEL, READ_SECONDS, PostgresDatabase
from quantcloud.storage.database.tables import job_events
from quantcloud.storage.jobs.rows.event_rows import EVENTS, events_of
from quantcloud.storage.unit_of_work.group_commit import Writer

# The most rows that are published at once. A row has up to about seven events, and these must fit
# into a watch's buffer.
_PAGE = 32
# The most rows whose news one read returns.
_NEWS_PAGE = 512
_LATEST = select(func.max(job_events.c.cursor))
# A row's columns that say whether anyone here wants its events.
_NEWS = (
    "SELECT cursor, job_id, account_id, status, backend FROM job_events"
    " WHERE cursor > $1 AND cursor < $2 ORDER BY cursor LIMIT $3"
)
_END = (1 << 63) - 1
_AT = EVENTS.where(job_events.c.cursor.in_(bindparam("cursors", expanding=True))).order_by(
    job_events.c.cursor
)
# After news that nobody here wanted, the next news wait this long, to be read together.
_PAUSE_SECONDS = 0.02
# The errors of a connection that is lost.
_LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

_log = logging.getLogger(__name__)


class Notices:
    """Makes `writer` publish the events of every server once, in the order of the commits.

    Of jobs that other servers change, it reads the events only if a listener wants the news: all
    events would take many times as long. `on_loss` is called when the log becomes unreadable. The
    events written meanwhile are published when it is readable again.
    """

    def __init__(
        self,
        database: PostgresDatabase,
        writer: Writer,
        on_loss: Callable[[], None],
        poll_seconds: float,
    ) -> None:
        self._database = database
        self._writer = writer
        self._on_loss = on_loss
        self._poll_seconds = poll_seconds
        self._cursor = 0
        self._lost = False
        # Held from a read of the log until the events are published.
        self._reading = asyncio.Lock()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        # The connection that listens, while it does.
        self._listening: Any = None

    async def start(self) -> None:
        """Follow the log from its current end on. Raises `Unavailable`."""
        self._cursor = await self._database.read(lambda c: c.execute(_LATEST).scalar_one()) or 0
        self._writer.arrange = self._arrange
        self._tasks = [
            asyncio.create_task(self._follow(), name="event log"),
            asyncio.create_task(self._listen(), name="notifications"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _arrange(self, events: Sequence[JobEvent]) -> Sequence[JobEvent]:
        """Return what to publish after this server has committed `events`.

        That is what other servers committed before, then those of `events` that were not yet read
        from the log.
        """
        async with self._reading:
            fresh = [event for event in events if event.cursor > self._cursor]
            if not fresh:
                return ()
            between: Sequence[JobEvent] = ()
            if fresh[0].cursor > self._cursor + 1:
                try:
                    _, wanted = await self._news(fresh[0].cursor, None)
                    between = await self._events(wanted)
                except Exception:  # noqa: BLE001  # `_follow` reads these events again
                    self._wake.set()
                    return ()
            self._cursor = fresh[-1].cursor
            return (*between, *fresh)

    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            more = False
            try:
                more = await self._read_on()
            except Exception as error:  # noqa: BLE001  # must go on after every failure
                self._lose(error)
            else:
                self._lost = False
            if not more:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_seconds):
                        await self._wake.wait()

    async def _read_on(self) -> bool:
        """Publish new events that are wanted; return whether to read on at once."""
        async with self._reading:
            last, wanted = await self._news(_END, _NEWS_PAGE)
            if last is None:
                return False
            for some in codec.in_parts(wanted, _PAGE):
                # The cursor moves only after the rows were read without an error.
                events = await self._events(some)
                self._cursor = some[-1]
                self._writer.publish(events)
            self._cursor = last
        if not wanted:
            await asyncio.sleep(_PAUSE_SECONDS)
        return True

    async def _news(self, before: int, limit: int | None) -> tuple[int | None, Sequence[int]]:
        """Return the last cursor among the next rows of the log, and the cursors of wanted rows."""
        rows = await self._fetch(_NEWS, self._cursor, before, limit)
        wants = self._writer.wants
        wanted = [row[0] for row in rows if wants(News(row[1], row[2], JobStatus(row[3]), row[4]))]
        return (rows[-1][0] if rows else None), wanted

    async def _fetch(self, statement: str, *values: object) -> Sequence[Any]:
        """Return the rows of a SELECT, by the connection that listens if there is one.

        To take a connection from the pool would cost as much again.
        """
        if (listening := self._listening) is not None:
            try:
                return await listening.fetch(statement, *values, timeout=READ_SECONDS)
            except _LOST:
                # After a timeout, the driver would wait for the database without limit.
                listening.terminate()
        return await self._database.fetch(statement, *values)

    async def _events(self, cursors: Sequence[int]) -> Sequence[JobEvent]:
        if not cursors:
            return ()
        return await self._database.read(
            lambda c: [*events_of(c.execute(_AT, {"cursors": [*cursors]}))]
        )

    def _lose(self, error: Exception) -> None:
        if self._lost:
            return
        self._lost = True
        if isinstance(error, Unavailable):
            _log.warning("the event log cannot be read at the moment: %s", error.message)
        else:
            _log.error("the event log cannot be read", exc_info=error)
        self._on_loss()

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(*_LOST):
                await self._listen_once()
            await asyncio.sleep(self._poll_seconds)

    async def _listen_once(self) -> None:
        """Listen until the connection ends."""
        ended = asyncio.Event()

        def on_end(_connection: object) -> None:
            ended.set()

        connection = await self._database.connect()
        try:
            connection.add_termination_listener(on_end)
            async with asyncio.timeout(READ_SECONDS):
                await connection.add_listener(CHANNEL, self._notified)
            self._listening = connection
            # Read what was written before this connection listened.
            self._wake.set()
            await ended.wait()
        finally:
            self._listening = None
            connection.terminate()

    def _notified(self, _connection: object, pid: int, _channel: str, _payload: object) -> None:
        # This server publishes its own events itself.
        if pid != self._database.writers_pid:
            self._wake.set()
