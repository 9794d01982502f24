"""Publishes the events of other servers: reads the event log from this server's position on.

A notification says that there is something to read. The log is also polled, so a lost notification
only causes a delay.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

import asyncpg  # pyright: ignore[reportMissingTypeStubs]  # untyped
from sqlalchemy import bindparam, func, select

from quantcloud.domain.errors import Unavailable
from quantcloud.domain.job import JobEvent
from quantcloud.storage.database.postgres import CHANNEL, PostgresDatabase
from quantcloud.storage.database.tables import job_events
from quantcloud.storage.jobs.event_rows import EVENTS, events_of

# The most rows in one read. A row has up to about seven events, and the events that are published
# at once must fit into a watch's buffer.
_PAGE = 32
_LATEST = select(func.max(job_events.c.cursor))
_AFTER = (
    EVENTS.where(job_events.c.cursor > bindparam("after"))
    .order_by(job_events.c.cursor)
    .limit(bindparam("limit"))
)
_BEFORE = EVENTS.where(
    job_events.c.cursor > bindparam("after"), job_events.c.cursor < bindparam("before")
).order_by(job_events.c.cursor)

_log = logging.getLogger(__name__)


class Notices:
    """Calls `publish` with every event of every server once, in the order of the commits.

    `on_loss` is called when the log becomes unreadable. The events written meanwhile are published
    when it is readable again.
    """

    def __init__(
        self,
        database: PostgresDatabase,
        publish: Callable[[Sequence[JobEvent]], None],
        on_loss: Callable[[], None],
        poll_seconds: float,
    ) -> None:
        self._database = database
        self._publish = publish
        self._on_loss = on_loss
        self._poll_seconds = poll_seconds
        self._cursor = 0
        self._lost = False
        # Held from a read of the log until the events are published.
        self._reading = asyncio.Lock()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Follow the log from its current end on. Raises `Unavailable`."""
        self._cursor = await self._database.read(lambda c: c.execute(_LATEST).scalar_one()) or 0
        self._tasks = [
            asyncio.create_task(self._follow(), name="event log"),
            asyncio.create_task(self._listen(), name="notifications"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def arrange(self, events: Sequence[JobEvent]) -> Sequence[JobEvent]:
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
                values = {"after": self._cursor, "before": fresh[0].cursor}
                try:
                    between = await self._database.read(
                        lambda c: [*events_of(c.execute(_BEFORE, values))]
                    )
                except Exception:  # noqa: BLE001  # `_follow` reads these events again
                    self._wake.set()
                    return ()
            self._cursor = fresh[-1].cursor
            return (*between, *fresh)

    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            try:
                more = await self._read_on()
            except Exception as error:  # noqa: BLE001  # must go on after every failure
                more = False
                self._lose(error)
            else:
                self._lost = False
            if not more:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_seconds):
                        await self._wake.wait()

    async def _read_on(self) -> bool:
        """Publish new events; return whether there may be more."""
        async with self._reading:
            values = {"after": self._cursor, "limit": _PAGE}
            rows = await self._database.read(lambda c: c.execute(_AFTER, values).all())
            # The cursor moves only after the rows were read without an error.
            if events := [*events_of(rows)]:
                self._cursor = events[-1].cursor
                self._publish(events)
        return len(rows) == _PAGE

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
            with contextlib.suppress(
                OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError
            ):
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
            await connection.add_listener(CHANNEL, self._notified)
            # Read what was written before this connection listened.
            self._wake.set()
            await ended.wait()
        finally:
            connection.terminate()

    def _notified(self, _connection: object, pid: int, _channel: str, _payload: object) -> None:
        # This server publishes its own events itself.
        if pid != self._database.writers_pid:
            self._wake.set()
