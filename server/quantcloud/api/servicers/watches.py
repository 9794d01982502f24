"""What every RPC that watches answers: sightings as messages."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeAlias

from quantcloud.aio.cooperative import Yielder
from quantcloud.api.context import principal
from quantcloud.api.convert import events
from quantcloud.api.convert.events import LARGE_BYTES, NO_RESULT, EventMessages
from quantcloud.domain.job import JobEvent
from quantcloud.services.jobs import JobUseCases
from quantcloud.watching.update import AccountUpdate, JobUpdate

Write: TypeAlias = Callable[[bytes], Awaitable[None]]


class Watches:
    """One for all servicers, so that what one watcher was sent is at hand for the next."""

    def __init__(self, jobs: JobUseCases) -> None:
        self._jobs = jobs
        self._make = EventMessages(jobs.result_of, jobs.small_results_of)

    def watch(self, updates: AsyncGenerator[JobUpdate], *, with_result: bool) -> "Watch":
        """The answers to a call, which closes `updates` at its end."""
        return Watch(self._jobs, self._make, updates, with_result=with_result)

    def of_run(self, job_id: str) -> "Watch":
        """The answers to the caller's own run, with its result: see `RunAndWatch`."""
        updates = self._jobs.watch(principal(), job_id, after_sequence=None, brief=True)
        return self.watch(updates, with_result=True)

    def watch_all(
        self, updates: AsyncGenerator[AccountUpdate], *, with_result: bool
    ) -> "AccountWatch":
        """The answers to a call, which closes `updates` at its end."""
        return AccountWatch(self._jobs, self._make, updates, with_result=with_result)


class Watch:
    """What a call that watches one job is answered: each sighting as the bytes of a `JobEvent`.

    No generator around the other, which there may be very many of: it would take 0.4 KiB more.
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
        # That of the last event, which checkpoints repeat, and its time, before which none is.
        self._job = b""
        self._latest: datetime | None = None

    async def send(self, seen: JobUpdate, write: Write) -> None:
        """Send a sighting in a message of its own."""
        await write(await self._message(seen))

    async def _message(self, seen: JobUpdate) -> bytes:
        event = seen.event
        if event is None:
            return self._checkpoint(seen)
        parts = self._make.parts(event)
        self._job, self._latest = parts.job, event.occurred_at
        if seen.checkpoint:
            return self._checkpoint(seen)
        result = await self._make.result(event) if self._with_result else NO_RESULT
        message = events.change(parts, seen.queue_position, result)
        if len(result) > LARGE_BYTES:
            return await asyncio.to_thread(b"".join, message)
        return b"".join(message)

    def _checkpoint(self, seen: JobUpdate) -> bytes:
        now = self._jobs.now()
        return events.checkpoint(seen, max(now, self._latest or now), self._job)


class AccountWatch:
    """What a call that watches all jobs is answered: updates as bytes of `WatchJobsResponse`."""

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
        """Send an update in one message, as far as it is at hand and fits: clients of gRPC take
        4 MiB unless they say otherwise.
        """
        if not update.events:
            await write(events.response(self._cursor(update.cursor), ()))
            return
        results: Mapping[int, bytes] = {}
        if self._with_result:
            results = await self._make.fetch([each.event for each in update.events])
        together = _Together(self._cursor, write)
        yielder = Yielder()
        for event, position in update.events:
            result = self._at_hand(event, results)
            if result is None:
                # What is ready does not wait for what is not, nor stand in memory beside it.
                await together.send()
                result = await self._make.result(event)
            message = events.change(self._make.parts(event), position, result)
            await together.add(message, event.cursor)
            # They may be large, and are not to stand beside the message that a slow client takes.
            del message, result
            await yielder.yield_if_due()
        await together.send()

    def _at_hand(self, event: JobEvent, results: Mapping[int, bytes]) -> bytes | None:
        """The result's part of a message; None where it is to be waited for."""
        if not self._with_result:
            return NO_RESULT
        return results.get(event.cursor) or self._make.result_at_hand(event)


class _Together:
    """Messages of events on their way as one."""

    def __init__(self, write_cursor: Callable[[int], str], write: Write) -> None:
        self._write_cursor = write_cursor
        self._write = write
        self._messages: list[events.Message] = []
        self._size = 0
        # That of the last event.
        self._cursor = 0

    async def add(self, message: events.Message, cursor: int) -> None:
        """Put a message behind the others, or where it does not fit send these first."""
        size = sum(map(len, message))
        if self._size + size > LARGE_BYTES:
            await self.send()
        self._messages.append(message)
        self._size += size
        self._cursor = cursor

    async def send(self) -> None:
        """Send what there is."""
        if not self._messages:
            return
        messages, large = self._messages, self._size > LARGE_BYTES
        self._messages, self._size = [], 0
        cursor = self._write_cursor(self._cursor)
        if large:
            response = await asyncio.to_thread(events.response, cursor, messages)
        else:
            response = events.response(cursor, messages)
        # While a slow client takes it, its parts are not in memory, too.
        del messages
        await self._write(response)
