"""What every RPC that watches answers: sightings as messages."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from quantcloud.services.jobs import JobUseCases
from quantcloud.transport.convert import events
from quantcloud.transport.convert.events import LARGE_BYTES, NO_RESULT, EventMessages
from quantcloud.watching.sighting import Sighting


class Watches:
    """One for all servicers, so that what one watcher was sent is at hand for the next."""

    def __init__(self, jobs: JobUseCases) -> None:
        self._jobs = jobs
        self._make = EventMessages(jobs.result_of, jobs.small_results_of)

    def watch(self, sightings: AsyncGenerator[Sighting], *, with_result: bool) -> "Watch":
        """The answers to a call, which closes `sightings` at its end."""
        return Watch(self._jobs, self._make, sightings, with_result=with_result)


class Watch:
    """What one call is answered: sightings, and each as the bytes of its `JobEvent`.

    No generator around the other, which there may be very many of: it would take 0.4 KiB more.
    """

    __slots__ = ("_job", "_jobs", "_make", "_with_result", "sightings")

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
        # That of the last event, which checkpoints repeat.
        self._job: bytes | None = None

    async def send(self, seen: Sighting, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Send a sighting in a message, and those that follow it in the same, as far as they fit.

        Clients of gRPC take 4 MiB unless they say otherwise.
        """
        if self._with_result and seen.following:
            group = seen, *seen.following
            await self._make.fetch([each.event for each in group if each.event is not None])
        parts = [await self._message(seen)]
        size = len(parts[0])
        for later in seen.following:
            message = await self._message(later)
            size += len(message)
            if size <= LARGE_BYTES:
                parts.append(events.following(message))
            else:
                await write(b"".join(parts))
                parts, size = [message], len(message)
        await write(b"".join(parts))

    async def _message(self, seen: Sighting) -> bytes:
        event = seen.event
        if event is not None:
            parts = self._make.parts(event)
            self._job = parts.job
            if not seen.checkpoint:
                result = await self._make.result(event) if self._with_result else NO_RESULT
                if len(result) > LARGE_BYTES:
                    return await asyncio.to_thread(
                        events.change, parts, seen.queue_position, result
                    )
                return events.change(parts, seen.queue_position, result)
        # One of all jobs, which has the sequence 0, repeats none.
        return events.checkpoint(seen, self._jobs.now(), self._job if seen.sequence else None)
