"""What every RPC that watches answers: sightings as messages."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import datetime

from quantcloud.domain.job import JobEvent
from quantcloud.services.jobs import JobUseCases
from quantcloud.transport.call import principal
from quantcloud.transport.convert import events
from quantcloud.transport.convert.events import LARGE_BYTES, NO_RESULT, EventMessages, EventParts
from quantcloud.turns import Turns
from quantcloud.watching.sighting import Sighting


class Watches:
    """One for all servicers, so that what one watcher was sent is at hand for the next."""

    def __init__(self, jobs: JobUseCases) -> None:
        self._jobs = jobs
        self._make = EventMessages(jobs.result_of, jobs.small_results_of)

    def watch(self, sightings: AsyncGenerator[Sighting], *, with_result: bool) -> "Watch":
        """The answers to a call, which closes `sightings` at its end."""
        return Watch(self._jobs, self._make, sightings, with_result=with_result)

    def of_run(self, job_id: str) -> "Watch":
        """The answers to the caller's own run, with its result: see `RunAndWatch`."""
        sightings = self._jobs.watch(principal(), job_id, after_sequence=None, brief=True)
        return self.watch(sightings, with_result=True)


class Watch:
    """What one call is answered: sightings, and each as the bytes of its `JobEvent`.

    No generator around the other, which there may be very many of: it would take 0.4 KiB more.
    """

    __slots__ = ("_job", "_jobs", "_latest", "_make", "_with_result", "sightings")

    def __init__(
        self,
        jobs: JobUseCases,
        make: EventMessages,
        sightings: AsyncGenerator[Sighting],
        *,
        with_result: bool,
    ) -> None:
        self.sightings = sightings
        self._jobs = jobs
        self._make = make
        self._with_result = with_result
        # That of the last event, which checkpoints repeat, and its time, before which none is.
        self._job: bytes | None = None
        self._latest: datetime | None = None

    async def send(self, seen: Sighting, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Send a sighting, and in the same message what follows it and is at hand, as far as that
        fits: clients of gRPC take 4 MiB unless they say otherwise.
        """
        if not seen.following:
            await write(await self._message(seen))
            return
        group = seen, *seen.following
        results: Mapping[int, bytes] = {}
        if self._with_result:
            results = await self._make.fetch([each.event for each in group if each.event])
        together = _Together(write)
        turns = Turns()
        for each in group:
            message = self._at_hand(each, results)
            if message is None:
                # What is ready does not wait for what is not, nor stand in memory beside it.
                await together.send()
                message = await self._message(each)
            await together.add(message)
            await turns.between()
        await together.send()

    def _at_hand(self, seen: Sighting, results: Mapping[int, bytes]) -> bytes | None:
        """The message of a change, unless its result is to be waited for."""
        event = seen.event
        if event is None:
            return None
        result: bytes | None = NO_RESULT
        if self._with_result:
            result = results.get(event.cursor) or self._make.result_at_hand(event)
        if result is None:
            return None
        return events.change(self._parts(event), seen.queue_position, result)

    async def _message(self, seen: Sighting) -> bytes:
        event = seen.event
        if event is None or seen.checkpoint:
            if event is not None:
                self._parts(event)
            # One of all jobs, which has the sequence 0, repeats none.
            now = self._jobs.now()
            at = max(now, self._latest or now)
            return events.checkpoint(seen, at, self._job if seen.sequence else None)
        parts = self._parts(event)
        result = await self._make.result(event) if self._with_result else NO_RESULT
        if len(result) > LARGE_BYTES:
            return await asyncio.to_thread(events.change, parts, seen.queue_position, result)
        return events.change(parts, seen.queue_position, result)

    def _parts(self, event: JobEvent) -> EventParts:
        """Those of an event, whose job checkpoints repeat from now on."""
        parts = self._make.parts(event)
        self._job, self._latest = parts.job, event.occurred_at
        return parts


class _Together:
    """Messages on their way as one: the first, with the others as what follows it."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._parts: list[bytes] = []
        self._size = 0

    async def add(self, message: bytes) -> None:
        """Put a message behind the others, or where it does not fit send these first."""
        if self._parts and self._size + len(message) > LARGE_BYTES:
            await self.send()
        self._parts.append(events.following(message) if self._parts else message)
        self._size += len(message)

    async def send(self) -> None:
        """Send what there is."""
        if self._parts:
            message = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            await self._write(message)
