"""The answers of every RPC that watches: updates as messages."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeAlias

from quantcloud.aio import offload
from quantcloud.aio.cooperative import Yielder
from quantcloud.aio.offload import Work
from quantcloud.api.context import principal
from quantcloud.api.convert import events
from quantcloud.api.convert.events import LARGE_BYTES, NO_RESULT, EventMessages
from quantcloud.domain.job import JobEvent
from quantcloud.services.jobs import JobUseCases
from quantcloud.watching.update import AccountUpdate, JobUpdate

Write: TypeAlias = Callable[[bytes], Awaitable[None]]


class Watches:
    """Makes watches. All servicers share one, so that watchers share its cache of messages."""

    def __init__(self, jobs: JobUseCases) -> None:
        self._jobs = jobs
        self._make = EventMessages(jobs.result_of, jobs.small_results_of)

    def watch(self, updates: AsyncGenerator[JobUpdate], *, with_result: bool) -> "Watch":
        """Return the answers to a call, which closes `updates` when it ends."""
        return Watch(self._jobs, self._make, updates, with_result=with_result)

    def of_run(self, job_id: str) -> "Watch":
        """Return the answers to the caller's own run, with its result: see `RunAndWatch`."""
        updates = self._jobs.watch(principal(), job_id, after_sequence=None, brief=True)
        return self.watch(updates, with_result=True)

    def watch_all(
        self, updates: AsyncGenerator[AccountUpdate], *, with_result: bool
    ) -> "AccountWatch":
        """Return the answers to a call, which closes `updates` when it ends."""
        return AccountWatch(self._jobs, self._make, updates, with_result=with_result)


class Watch:
    """The answers to a watch of one job: each update as the bytes of a `JobEvent`.

    It does not wrap `updates` in another generator, which would take 0.4 KiB more per watch.
    """

    __slots__ = ("_job", "_jobs", "_latest", "_make", "_with_result", "updates")

    def __init__(
        self,
        jobs: JobUseCases,
        make: EventMessages,
        updates: AsyncGenerator[JobUpdate],
        *,
        with_result: bool,
    ) -> None:
        self.updates = updates
        self._jobs = jobs
        self._make = make
        self._with_result = with_result
        # The last event's job, which checkpoints repeat, and time, which none precedes.
        self._job = b""
        self._latest: datetime | None = None

    async def send(self, update: JobUpdate, write: Write) -> None:
        """Send an update as one message."""
        await write(await self._message(update))

    async def _message(self, update: JobUpdate) -> bytes:
        event = update.event
        if event is None:
            return self._checkpoint(update)
        parts = self._make.parts(event)
        self._job, self._latest = parts.job, event.occurred_at
        if update.checkpoint:
            return self._checkpoint(update)
        result = await self._make.result(event) if self._with_result else NO_RESULT
        message = events.change(parts, update.queue_position, result)
        # It releases the interpreter while it copies megabytes.
        return await offload.run(Work.COPY.cost(len(result)), b"".join, message)

    def _checkpoint(self, update: JobUpdate) -> bytes:
        now = self._jobs.now()
        return events.checkpoint(update, max(now, self._latest or now), self._job)


class AccountWatch:
    """The answers to a watch of all jobs: updates as the bytes of a `WatchJobsResponse`."""

    def __init__(
        self,
        jobs: JobUseCases,
        make: EventMessages,
        updates: AsyncGenerator[AccountUpdate],
        *,
        with_result: bool,
    ) -> None:
        self.updates = updates
        self._cursor = jobs.cursor
        self._make = make
        self._with_result = with_result

    async def send(self, update: AccountUpdate, write: Write) -> None:
        """Send an update, in one message if its results are available and it fits.

        By default, gRPC clients accept messages of up to 4 MiB.
        """
        if not update.events:
            await write(events.response(self._cursor(update.cursor), ()))
            return
        results: Mapping[int, bytes] = {}
        if self._with_result:
            results = await self._make.fetch([each.event for each in update.events])
        group = _Group(self._cursor, write)
        yielder = Yielder()
        for event, position in update.events:
            result = self._available(event, results)
            if result is None:
                # Messages that are ready do not wait for this result, nor take memory meanwhile.
                await group.send()
                result = await self._make.result(event)
            message = events.change(self._make.parts(event), position, result)
            await group.add(message, event.cursor)
            # They may be large. Free them before a slow client reads the next message.
            del message, result
            await yielder.yield_if_due()
        await group.send()

    def _available(self, event: JobEvent, results: Mapping[int, bytes]) -> bytes | None:
        """Return the result part of a message if it needs no reading, else None."""
        if not self._with_result:
            return NO_RESULT
        return results.get(event.cursor) or self._make.available_result(event)


class _Group:
    """Groups messages of events into one response."""

    def __init__(self, write_cursor: Callable[[int], str], write: Write) -> None:
        self._write_cursor = write_cursor
        self._write = write
        self._messages: list[events.Message] = []
        self._size = 0
        # The last event's cursor.
        self._cursor = 0

    async def add(self, message: events.Message, cursor: int) -> None:
        """Add a message. If it does not fit, send the others first."""
        size = sum(map(len, message))
        if self._size + size > LARGE_BYTES:
            await self.send()
        self._messages.append(message)
        self._size += size
        self._cursor = cursor

    async def send(self) -> None:
        """Send the messages, if there are any."""
        if not self._messages:
            return
        messages, cost = self._messages, Work.COPY.cost(self._size)
        self._messages, self._size = [], 0
        cursor = self._write_cursor(self._cursor)
        response = await offload.run(cost, events.response, cursor, messages)
        # Free the parts while a slow client reads the response.
        del messages
        await self._write(response)
